//! Frames from members.

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    CommandId, CommandKind, DeviceId, Envelope, ErrorCode, Kind, Message, PeerId, Position,
    Refusal, Rejection, Seq, SyncRequest,
};

use super::Owner;
use super::history::{Claim, epoch_after};
use super::links::About;
use super::sequencer::Sequenced;
use crate::{Event, LinkId, Moment};

/// The refusal of a frame for its length. There is one for all, which is written once: whoever
/// floods an owner with such frames has no more work done than the counting of their bytes.
#[derive(Debug)]
pub(super) struct TooLarge {
    rejection: Rejection,
    /// The `error` that says so.
    answer: Bytes,
}

impl TooLarge {
    pub(super) fn over(max_bytes: usize) -> Self {
        let message = format!("the frame is larger than the limit of {max_bytes} bytes");
        let refusal = Refusal {
            command_id: None,
            rejection: Rejection::new(ErrorCode::TooLarge, message),
        };
        Self {
            answer: refusal.encode(),
            rejection: refusal.rejection,
        }
    }
}

/// The name and number of a command of which no more is read.
fn name_of_unread(frame: &[u8]) -> Option<(CommandId, Seq)> {
    let named = Envelope::numbering_at_start(frame);
    named.filter(|_| !planted::is_on(Fault::TooLargeIsNameless))
}

impl Owner {
    pub(super) fn receive(&mut self, link: LinkId, envelope: &Envelope<'_>, now: Moment) {
        match envelope.kind() {
            Ok(Kind::Ping) => self.send(link, &Message::Pong),
            Ok(Kind::Pong) => {}
            Ok(Kind::SyncRequest) => match Message::from_envelope(envelope, &self.config.limits) {
                Ok(Message::SyncRequest(request)) => self.answer_sync(link, request, now),
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
            Ok(_) | Err(_) => self.receive_command(link, envelope, now),
        }
    }

    pub(super) fn receive_command(&mut self, link: LinkId, envelope: &Envelope<'_>, now: Moment) {
        let Some((sender, oldest)) = self.sender(link) else {
            return;
        };
        let kind = match envelope.kind() {
            Ok(Kind::Command(kind)) => Some(kind),
            Ok(_) | Err(_) => None,
        };
        self.keep_deadline(now);
        self.before_command(kind, now);
        let bounds = self.bounds();
        let sequenced = self.sequencer.sequence(envelope, sender, oldest, &bounds);
        match sequenced {
            Ok(sequenced) => {
                self.answer_command(link, (envelope.command_id(), kind), sequenced, now);
            }
            Err(error) => self.fault(link, error.command_id, error.rejection),
        }
    }

    /// A frame is too large to be read.
    pub(super) fn receive_too_large(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        let why = self.too_large.rejection.clone();
        match name_of_unread(frame) {
            Some(named) => self.reject_unread(link, frame, named, why, now),
            None => {
                let answer = self.too_large.answer.clone();
                self.fault_told(link, answer, why);
            }
        }
    }

    /// A frame is too deep to be read.
    pub(super) fn receive_unread(
        &mut self,
        link: LinkId,
        frame: &[u8],
        why: Rejection,
        now: Moment,
    ) {
        match name_of_unread(frame) {
            Some(named) => self.reject_unread(link, frame, named, why, now),
            None => self.fault(link, None, why),
        }
    }

    /// A command cannot be read, and is rejected in its order: otherwise it would be sent again for
    /// ever, and those behind it could never be applied.
    fn reject_unread(
        &mut self,
        link: LinkId,
        frame: &[u8],
        named: (CommandId, Seq),
        why: Rejection,
        now: Moment,
    ) {
        let Some((sender, oldest)) = self.sender(link) else {
            return;
        };
        let bounds = self.bounds();
        let digest = Envelope::digest_of_unread(frame);
        let sequenced = self
            .sequencer
            .reject_unread((named, digest), sender, oldest, &bounds, why);
        self.answer_command(link, (Some(named.0), None), sequenced, now);
    }

    /// The member at the other end of a link, and the lowest number that it may still send. Always
    /// there: frames come only from members.
    fn sender(&self, link: LinkId) -> Option<((PeerId, DeviceId), Seq)> {
        let session = self.links.get(link)?;
        Some(((session.peer, session.device), session.oldest))
    }

    fn answer_command(
        &mut self,
        link: LinkId,
        (command_id, kind): (Option<CommandId>, Option<CommandKind>),
        sequenced: Sequenced,
        now: Moment,
    ) {
        let Some(((peer, device), _)) = self.sender(link) else {
            return;
        };
        match sequenced {
            Sequenced::Applied {
                receipt,
                frame,
                told,
            } => {
                let command_id = receipt.command_id;
                let ack = self.answer(command_id, &receipt.outcome);
                self.applied(peer, device, receipt, &frame);
                let from = Some((link, command_id, ack));
                self.relay(peer, kind, told, from, now);
            }
            Sequenced::Settled { receipt } => {
                let command_id = receipt.command_id;
                let answer = self.answer(command_id, &receipt.outcome);
                self.rejected(peer, device, receipt);
                self.send_frame(link, answer, About::Command(command_id));
            }
            Sequenced::Duplicate(outcome) => {
                // Always there: the command was recognised by it.
                if let Some(command_id) = command_id {
                    let frame = self.answer(command_id, &outcome);
                    self.send_frame(link, frame, About::Command(command_id));
                }
            }
            Sequenced::Violation(rejection) => self.fault(link, command_id, rejection),
            // Not the command's outcome: on a new link it comes again, after the missing ones.
            Sequenced::Gap(rejection) => {
                self.fault(link, None, rejection);
                self.hang_up(link);
            }
        }
    }

    /// A member that asks far more often than there is anything to ask for is let go.
    fn answer_sync(&mut self, link: LinkId, request: SyncRequest, now: Moment) {
        if request.poll_id != self.room.poll_id {
            let rejection = Rejection::new(
                ErrorCode::WrongPoll,
                format!("this link is for the poll {}", self.room.poll_id),
            );
            return self.fault(link, None, rejection);
        }
        let session = self.links.get_mut(link);
        if session.is_some_and(|session| !session.pace.admits(now)) {
            let message = "you ask for the poll too often, try again later";
            self.fault(link, None, Rejection::new(ErrorCode::Busy, message));
            return self.hang_up(link);
        }
        self.sync(link, request.known);
    }

    /// Brings a peer from the position that it names to the present. False if it names one that it
    /// cannot have: then its link is closed.
    ///
    /// A position that this owner has made and does not have shows that its journal is an old copy.
    /// Then a new epoch begins, because the next numbers will stand for other commands than they
    /// did before. The seal makes sure that nobody can invent such a position; and once the new
    /// epoch has begun, what is left of the old one proves nothing about it.
    pub(super) fn sync(&mut self, link: LinkId, known: Option<Position>) -> bool {
        let known = match self.sequencer.judge(known) {
            Claim::Known(revision) => Some(revision),
            Claim::Foreign => None,
            Claim::Lost => {
                self.begin_epoch(link, known);
                None
            }
            Claim::Impossible => {
                let message = "the epoch, revision and history mark are none that this owner told";
                self.fault(link, None, Rejection::new(ErrorCode::BadField, message));
                self.hang_up(link);
                return false;
            }
        };
        for frame in self.catch_up(link, known) {
            self.send_frame(link, frame, About::State);
        }
        true
    }

    /// The journal is an old copy, as `link` has shown.
    fn begin_epoch(&mut self, link: LinkId, known: Option<Position>) {
        let have = self.sequencer.revision;
        // Later than both, so that nobody with a copy of either shows the same once more.
        let present = self.sequencer.epoch;
        let last = known.map_or(present, |known| known.epoch.max(present));
        self.sequencer.begin_epoch(epoch_after(last, &mut self.rng));
        self.persist_snapshot();
        let seen = known.map_or(have, |known| known.revision);
        self.event(Event::JournalRolledBack { have, seen });
        // Not to `link`, which is synced next.
        self.send_state_to_all_but(link);
    }
}
