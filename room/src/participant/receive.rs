//! Frames from the owner.

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Ack, CommandId, Envelope, ErrorCode, Message, Numbered, PeerInfo, PollTally, Refusal,
    Rejection, SyncRequest, Update,
};

use super::handshake::NO_HANDSHAKE;
use super::replica::Progress;
use super::{Ask, Participant, Phase};
use crate::{CommandState, Connection, DownReason, Event, LinkId, Moment, Refused, TimeoutReason};

impl Participant {
    pub(super) fn receive(&mut self, link: LinkId, message: Message, frame: &Bytes, now: Moment) {
        match &mut self.phase {
            Phase::AwaitChallenge { hello, binding, .. } => {
                let (hello, binding) = (*hello, binding.clone());
                return self.receive_in_handshake(link, &hello, &binding, message, now);
            }
            Phase::Joining(session) | Phase::Joined(session) => session.liveness.heard(now),
            // No link is up: a transport that keeps its contract delivers nothing yet.
            Phase::Idle | Phase::Dialling { .. } => return,
        }
        match message {
            Message::PollState(state) => {
                let had = self.replica.known();
                let progress = self.replica.take_state(state, frame);
                self.progressed(link, progress);
                let has = self.replica.known();
                if let (Some(had), Some(has)) = (had, has)
                    && had.epoch != has.epoch
                {
                    self.event(Event::HistoryReplaced {
                        had: had.revision,
                        has: has.revision,
                    });
                }
            }
            Message::PollTally(tally) => self.receive_tally(link, tally, frame),
            Message::Update(update) => self.receive_update(link, &update, frame),
            Message::Ack(ack) => self.receive_ack(link, ack),
            Message::Error(refusal) => self.receive_error(link, refusal, now),
            Message::Discovery(peers) => self.receive_peers(peers, now),
            Message::Ping => self.send(link, &Message::Pong),
            Message::Pong => {}
            Message::Command(_)
            | Message::SyncRequest(_)
            | Message::Hello(_)
            | Message::Challenge(_)
            | Message::Proof(_) => {
                let rejection =
                    Rejection::new(ErrorCode::Unexpected, "an owner never sends this here");
                self.fault(link, rejection);
            }
        }
    }

    /// A later version may send unknown types, so the link stays up. But if the answer to a request
    /// cannot be read, the same request will not help.
    ///
    /// If it may have been an update, this side is behind from now on, and nothing would tell it so
    /// before the next update: it asks at once.
    pub(super) fn receive_unreadable(
        &mut self,
        link: LinkId,
        frame: &Bytes,
        rejection: Rejection,
        now: Moment,
    ) {
        let limits = &self.config.limits;
        let may_be_update = match Envelope::parse(frame, limits.max_frame_bytes, limits) {
            Ok(envelope) => envelope.revision().is_some(),
            Err(_) => true,
        };
        self.fault(link, rejection);
        match &self.phase {
            Phase::AwaitChallenge { .. } => {
                self.hang_up(DownReason::Lost(NO_HANDSHAKE.to_owned()), now);
            }
            Phase::Joining(session) | Phase::Joined(session) if session.asked.is_some() => {
                self.ask(link, Ask::Everything);
            }
            Phase::Joining(_) | Phase::Joined(_)
                if may_be_update && !planted::is_on(Fault::UnreadableIsMissed) =>
            {
                self.ask(link, Ask::Missing);
            }
            Phase::Idle | Phase::Dialling { .. } | Phase::Joining(_) | Phase::Joined(_) => {}
        }
    }

    /// Updates the list of peers. A list that begins with the owner's own device is complete; any
    /// other has only changes.
    pub(super) fn receive_peers(&mut self, peers: Vec<PeerInfo>, now: Moment) {
        let first = peers.first().map(|peer| (peer.peer_id, peer.device));
        if let Phase::Joining(session) = &self.phase {
            self.phase = Phase::Joined(session.clone());
            self.hub = first;
            self.timers.set(
                TimeoutReason::Stable,
                now + self.config.backoff.stable_after,
            );
            self.set_connection(Connection::Connected);
        }
        if first.is_some() && first == self.hub {
            self.peers.clear();
        }
        for peer in &peers {
            let device = (peer.peer_id, peer.device);
            if peer.online {
                self.peers.insert(device, *peer);
            } else {
                self.peers.remove(&device);
            }
        }
        self.event(Event::PeersChanged(peers));
    }

    pub(super) fn receive_update(&mut self, link: LinkId, update: &Update, frame: &Bytes) {
        let progress = self.take_update(update, frame);
        self.progressed(link, progress);
        self.settle_own(update);
    }

    fn receive_tally(&mut self, link: LinkId, tally: PollTally, frame: &Bytes) {
        let updates = tally.updates.clone();
        let progress = self.replica.take_tally(
            tally,
            frame,
            &self.config.limits,
            self.config.snapshot_after_bytes,
        );
        self.progressed(link, progress);
        for update in &updates {
            self.settle_own(update);
        }
    }

    /// The owner has told an update. If it is this device's own command, that is its answer.
    fn settle_own(&mut self, update: &Update) {
        // The owner does not relay a command to its sender. But a device that lost its link before
        // the answer finds its own commands among the missed updates, and that is as good as the
        // answer.
        if update.author == self.peer && update.device == self.device {
            self.settle(
                update.numbered.command_id,
                CommandState::Applied(update.revision),
            );
        }
    }

    pub(super) fn receive_ack(&mut self, link: LinkId, ack: Ack) {
        let Ack {
            command_id,
            revision,
            history,
        } = ack;
        let state = CommandState::Applied(revision);
        // Settled already: its update came first, or the answer came twice.
        let Some(entry) = self.settle(command_id, state) else {
            return;
        };
        // It is an update like any other, and this side has its content: the bytes that it sent are
        // those that the owner relays.
        let limits = &self.config.limits;
        let relayed = Envelope::parse(&entry.frame, limits.max_command_bytes, limits)
            .and_then(|envelope| envelope.relayed(self.peer, self.device, revision, history));
        let Ok(frame) = relayed else {
            // A build with tighter limits may not read what one before it has sent. The copy is
            // only behind then, and asks.
            return self.ask(link, Ask::Missing);
        };
        let update = Update {
            author: self.peer,
            device: self.device,
            revision,
            history,
            numbered: Numbered {
                command_id,
                seq: entry.seq,
                seen: None,
                command: entry.command,
            },
        };
        let progress = self.take_update(&update, &frame);
        self.progressed(link, progress);
    }

    pub(super) fn receive_error(&mut self, link: LinkId, refusal: Refusal, now: Moment) {
        let Refusal {
            command_id,
            rejection,
        } = refusal;
        if let Some(command_id) = command_id {
            self.receive_rejection(command_id, rejection, now);
        } else if rejection.code == ErrorCode::Removed {
            // The owner has proved who it is. To come again is for the user to decide.
            self.refused(Refused::ByOwner(rejection));
        } else if matches!(self.phase, Phase::Joining(_)) {
            // With these two, another attempt would end the same way.
            let is_final = [ErrorCode::UnknownPoll, ErrorCode::BadSignature];
            if is_final.contains(&rejection.code) {
                self.refused(Refused::ByOwner(rejection));
            } else {
                self.hang_up(DownReason::Lost(format!("refused: {rejection}")), now);
            }
        } else {
            self.fault(link, rejection);
        }
    }

    /// A command has an outcome other than its application; or it has none, and its number is
    /// taken: then this side's outbox is an old copy.
    fn receive_rejection(&mut self, command_id: CommandId, rejection: Rejection, now: Moment) {
        let is_code = |code| rejection.code == code && !planted::is_on(Fault::NumbersFromOldOutbox);
        // The number was used before, and if this command was submitted since this side's start it
        // cannot have been the one.
        let is_forgotten = is_code(ErrorCode::SeqForgotten);
        if is_forgotten && self.in_flight.is_stored(command_id) {
            self.settle(command_id, CommandState::OutcomeUnknown);
            return;
        }
        let is_new = is_forgotten || is_code(ErrorCode::SeqReused);
        if !is_new {
            self.settle(command_id, CommandState::Rejected(rejection));
        } else if self.in_flight.is_old_number(command_id) {
            let records = self.in_flight.reused(command_id);
            self.persist_all(records);
            self.command_event(command_id, CommandState::Persisted);
            self.send_commands();
        } else {
            // Somebody else sends as this device. A new link tells which numbers are left.
            self.hang_up(DownReason::Lost(rejection.to_string()), now);
        }
    }

    pub(super) fn take_update(&mut self, update: &Update, frame: &Bytes) -> Progress {
        if self.replica.is_next(update) {
            // It is about to be another one. While it is there it shares the poll, and what is
            // shared is copied before it is changed.
            self.view = None;
        }
        self.replica.take_update(
            update,
            frame,
            &self.config.limits,
            self.config.snapshot_after_bytes,
        )
    }

    pub(super) fn progressed(&mut self, link: LinkId, progress: Progress) {
        match progress {
            Progress::Forward(record) => {
                if let Some(session) = self.session_mut(link) {
                    session.asked = None;
                }
                self.view = None;
                self.persist(record);
                if let Some(revision) = self.revision() {
                    self.event(Event::PollChanged { revision });
                }
            }
            Progress::Old => {}
            Progress::Ahead => {
                self.view = None;
                if let Some(revision) = self.revision() {
                    self.event(Event::PollChanged { revision });
                }
            }
            // Until the answer comes, every newer update is a gap, too.
            Progress::Gap => self.ask(link, Ask::Missing),
            Progress::Diverged => {
                let message = "an update cannot be applied to this copy of the poll";
                self.fault(link, Rejection::new(ErrorCode::Unexpected, message));
                self.ask(link, Ask::Everything);
            }
        }
    }

    /// Asks for the missing updates, or for the whole poll if those would not help.
    pub(super) fn ask(&mut self, link: LinkId, ask: Ask) {
        let poll_id = self.room.poll_id;
        let known = match ask {
            Ask::Missing => self.replica.known(),
            Ask::Everything => None,
        };
        let Some(session) = self.session_mut(link) else {
            return;
        };
        // An open request that asks for as much is enough. On a blocked link `handle_writable`
        // sends it.
        if session.asked.is_none_or(|asked| asked < ask) {
            session.asked = Some(ask);
            if !session.blocked {
                self.send(link, &Message::SyncRequest(SyncRequest { poll_id, known }));
            }
        }
    }
}
