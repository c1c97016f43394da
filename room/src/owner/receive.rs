//! Frames from members.

use hustings_protocol::{
    Envelope, Epoch, ErrorCode, Kind, Message, Rejection, Revision, SyncRequest,
};
use rand_core::Rng;

use super::links::{About, Session};
use super::sequencer::Sequenced;
use super::{Owner, answer};
use crate::{Event, LinkId, Record};

impl Owner {
    pub(super) fn receive(&mut self, link: LinkId, envelope: &Envelope<'_>) {
        match envelope.kind() {
            Ok(Kind::Ping) => self.send(link, &Message::Pong),
            Ok(Kind::Pong) => {}
            Ok(Kind::SyncRequest) => match Message::from_envelope(envelope, &self.config.limits) {
                Ok(Message::SyncRequest(request)) => self.answer_sync(link, request),
                // Not reached: a `sync:request` is read as nothing else.
                Ok(_) => {}
                Err(error) => self.fault(link, error.command_id, error.rejection),
            },
            Ok(kind) if !kind.is_command() => {
                let rejection = Rejection::new(
                    ErrorCode::Unexpected,
                    format!("a participant must not send {kind} here"),
                );
                self.fault(link, envelope.command_id(), rejection);
            }
            // An unknown type may be a later version's command. If it has a number, it is rejected
            // in its order, like any other command.
            Err(error) if envelope.numbering().is_err() => {
                self.fault(link, error.command_id, error.rejection);
            }
            Ok(_) | Err(_) => self.receive_command(link, envelope),
        }
    }

    pub(super) fn receive_command(&mut self, link: LinkId, envelope: &Envelope<'_>) {
        let Some(&Session {
            peer,
            device,
            oldest,
            ..
        }) = self.links.get(link)
        else {
            // Not reached: frames come only from members.
            return;
        };
        let limits = self.config.limits;
        let command_id = envelope.command_id();
        let sequenced = self
            .sequencer
            .sequence(envelope, peer, device, oldest, &limits);
        match sequenced {
            Ok(Sequenced::Applied { receipt, frame }) => {
                let command_id = receipt.command_id;
                let ack = answer(command_id, &receipt.outcome);
                self.applied(peer, device, receipt, &frame);
                self.send_frame(link, ack, About::Command(command_id));
                self.broadcast(frame, Some(link), About::State);
            }
            Ok(Sequenced::Rejected { receipt }) => {
                let command_id = receipt.command_id;
                let error = answer(command_id, &receipt.outcome);
                self.rejected(peer, device, receipt);
                self.send_frame(link, error, About::Command(command_id));
            }
            Ok(Sequenced::Duplicate(outcome)) => {
                // Always there: the command was recognised by it.
                if let Some(command_id) = command_id {
                    let frame = answer(command_id, &outcome);
                    self.send_frame(link, frame, About::Command(command_id));
                }
            }
            Ok(Sequenced::Violation(rejection)) => self.fault(link, command_id, rejection),
            // Not the command's outcome: on a new link it comes again, after the missing ones.
            Ok(Sequenced::Gap(rejection)) => {
                self.fault(link, None, rejection);
                self.hang_up(link);
            }
            Err(error) => self.fault(link, error.command_id, error.rejection),
        }
    }

    pub(super) fn answer_sync(&mut self, link: LinkId, request: SyncRequest) {
        if request.poll_id != self.room.poll_id {
            let rejection = Rejection::new(
                ErrorCode::WrongPoll,
                format!("this link is for the poll {}", self.room.poll_id),
            );
            return self.fault(link, None, rejection);
        }
        if self.is_possible(link, request.known) {
            self.sync(link, request.known);
        }
    }

    pub(super) fn sync(&mut self, link: LinkId, known: Option<(Epoch, Revision)>) {
        for frame in self.sequencer.catch_up(known) {
            self.send_frame(link, frame, About::State);
        }
    }

    /// Checks a peer's claim of what it has seen; one that cannot be true closes its link.
    ///
    /// A later revision of this very journal than it has now can have been seen if the journal is
    /// an old copy. Then a new epoch begins, because the next numbers will stand for other commands
    /// than they did before. That happens at most once after a restore: the numbers given out in
    /// this life are known, and nobody has seen more of them.
    pub(super) fn is_possible(&mut self, link: LinkId, known: Option<(Epoch, Revision)>) -> bool {
        let have = self.sequencer.revision;
        let Some((epoch, seen)) = known else {
            return true;
        };
        if epoch != self.sequencer.epoch || seen <= have {
            return true;
        }
        if !self.may_be_old {
            let message = format!("revision {seen} is not there yet: the poll is at {have}");
            self.fault(link, None, Rejection::new(ErrorCode::BadField, message));
            self.hang_up(link);
            return false;
        }
        self.may_be_old = false;
        self.sequencer.begin_epoch(Epoch::new(self.rng.next_u64()));
        let frame = self.sequencer.snapshot();
        self.persist(Record::JournalSnapshot {
            revision: have,
            keep_after: have,
            frame: frame.clone(),
        });
        self.event(Event::JournalRolledBack { have, seen });
        // Not to `link`: the caller syncs it next.
        self.broadcast(frame, Some(link), About::State);
        true
    }
}
