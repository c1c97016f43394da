//! What has to be true, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use hustings_protocol::{
    CommandId, DeviceId, Epoch, ErrorCode, Limits, Message, Outcome, PeerId, Poll, Receipt,
    Revision, Seq,
};
use hustings_room::{CommandState, Event, Owner, Participant, Persist, Record};

use super::{Report, Violation, hold};

/// The fold of everything that has become durable at the owner, and the outbox of everybody else.
pub(crate) struct Oracle {
    limits: Limits,
    poll: Poll,
    /// The poll at each revision, as bytes.
    states: Vec<Vec<u8>>,
    applied: BTreeSet<CommandId>,
    last_seq: BTreeMap<(PeerId, DeviceId), Seq>,
    outcomes: BTreeMap<CommandId, Outcome>,
    slots: Vec<Watched>,
    pub(crate) report: Report,
}

/// What is known of one participant.
#[derive(Default)]
struct Watched {
    pending: BTreeMap<Seq, CommandId>,
    told: BTreeSet<CommandId>,
    sent: BTreeSet<CommandId>,
    /// Of the present process.
    revision: Option<Revision>,
}

fn bytes(poll: &Poll) -> Vec<u8> {
    poll.encode_state(Revision::ZERO, Epoch::new(0)).to_vec()
}

impl Oracle {
    pub(crate) fn new(poll: Poll, slots: usize) -> Self {
        Self {
            limits: Limits::default(),
            states: vec![bytes(&poll)],
            poll,
            applied: BTreeSet::new(),
            last_seq: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            slots: (0..slots).map(|_| Watched::default()).collect(),
            report: Report::default(),
        }
    }

    /// Records have become durable.
    pub(crate) fn committed(&mut self, slot: usize, persist: &Persist) -> Result<(), Violation> {
        match &persist.record {
            Record::JournalUpdate {
                revision,
                frame,
                receipt,
                ..
            } => {
                hold!(
                    4,
                    revision.get() == self.states.len() as u64,
                    "revision {revision} follows {}",
                    self.states.len() - 1
                );
                let message = Message::decode(frame, &self.limits);
                let Ok(Message::Update(update)) = message else {
                    hold!(5, false, "the journal has {message:?}");
                    return Ok(());
                };
                let numbered = &update.numbered;
                hold!(
                    1,
                    self.applied.insert(numbered.command_id),
                    "{} took effect twice",
                    numbered.command_id
                );
                let device = (update.author, update.device);
                let before = self.last_seq.insert(device, numbered.seq);
                hold!(
                    7,
                    before.is_none_or(|before| before < numbered.seq),
                    "{} of {device:?} came after {before:?}",
                    numbered.seq
                );
                let applied = self
                    .poll
                    .apply(update.author, &numbered.command, &self.limits);
                hold!(
                    8,
                    applied.is_ok(),
                    "the journal has a refused command: {applied:?}"
                );
                self.states.push(bytes(&self.poll));
                self.report.applied += 1;
                self.answered(receipt)?;
            }
            Record::JournalRejection { receipt, .. } => self.answered(receipt)?,
            Record::Queued { seq, frame } => {
                let message = Message::decode(frame, &self.limits);
                let Ok(Message::Command(numbered)) = message else {
                    hold!(6, false, "the outbox has {message:?}");
                    return Ok(());
                };
                self.slots[slot].pending.insert(*seq, numbered.command_id);
            }
            Record::Settled { seq } => {
                let command_id = self.slots[slot].pending.remove(seq);
                let has_outcome =
                    command_id.is_some_and(|command_id| self.outcomes.contains_key(&command_id));
                hold!(
                    1,
                    has_outcome,
                    "{seq} of {slot} left the outbox without an outcome"
                );
            }
            Record::JournalSnapshot { .. } => self.report.snapshots += 1,
            Record::CacheSnapshot { .. } | Record::CacheUpdate { .. } => {}
        }
        Ok(())
    }

    /// A command has its outcome, durably.
    fn answered(&mut self, receipt: &Receipt) -> Result<(), Violation> {
        let is_applied = matches!(receipt.outcome, Outcome::Applied(_));
        self.report.rejected += u64::from(!is_applied);
        hold!(
            8,
            self.applied.contains(&receipt.command_id) == is_applied,
            "the journal and the receipt disagree: {receipt:?}"
        );
        let before = self
            .outcomes
            .insert(receipt.command_id, receipt.outcome.clone());
        hold!(
            1,
            before.is_none(),
            "{receipt:?} is a second outcome, after {before:?}"
        );
        Ok(())
    }

    /// A frame leaves a process.
    pub(crate) fn sent(&mut self, slot: usize, frame: &[u8]) -> Result<(), Violation> {
        match Message::decode(frame, &self.limits) {
            Ok(Message::Command(numbered)) => {
                let pending = self.slots[slot].pending.get(&numbered.seq);
                hold!(
                    3,
                    pending == Some(&numbered.command_id),
                    "{slot} sends {} which is not in its outbox",
                    numbered.command_id
                );
                let is_first = self.slots[slot].sent.insert(numbered.command_id);
                self.report.resent += u64::from(!is_first);
            }
            Ok(Message::Ack(ack)) => {
                let outcome = self.outcomes.get(&ack.command_id);
                hold!(
                    3,
                    outcome == Some(&Outcome::Applied(ack.revision)),
                    "the owner sends {ack:?} but {outcome:?} is durable"
                );
            }
            Ok(Message::Error(refusal)) => {
                if let Some(command_id) = refusal.command_id {
                    let outcome = self.outcomes.get(&command_id);
                    hold!(
                        8,
                        outcome == Some(&Outcome::Rejected(refusal.rejection.clone())),
                        "the owner sends {refusal:?} but {outcome:?} is durable"
                    );
                }
            }
            Ok(Message::Update(update)) => hold!(
                3,
                update.revision.get() < self.states.len() as u64,
                "the owner relays {} before it is durable",
                update.revision
            ),
            Ok(Message::PollState(state)) => hold!(
                3,
                state.revision.get() < self.states.len() as u64,
                "the owner sends the poll at {} before it is durable",
                state.revision
            ),
            Ok(
                Message::Discovery(_)
                | Message::SyncRequest(_)
                | Message::Hello(_)
                | Message::Challenge(_)
                | Message::Proof(_)
                | Message::Ping
                | Message::Pong,
            ) => {}
            Err(error) => hold!(10, false, "{slot} sends what cannot be read: {error}"),
        }
        Ok(())
    }

    /// A process tells its application something.
    pub(crate) fn told(&mut self, slot: usize, event: &Event) -> Result<(), Violation> {
        let Event::Command { command_id, state } = event else {
            // Honest peers commit no faults, but silence looks like a handshake that takes too
            // long, and a frame that found no room leaves a gap before the next one.
            let is_fault = match event {
                Event::Fault { rejection, .. } => {
                    ![ErrorCode::HandshakeFailed, ErrorCode::SeqGap].contains(&rejection.code)
                }
                Event::JournalRolledBack { .. } => true,
                Event::Connection(_)
                | Event::PollChanged { .. }
                | Event::Command { .. }
                | Event::PeersChanged(_) => false,
                // A new one is to be judged here.
                _ => true,
            };
            hold!(10, !is_fault, "{slot} tells {event:?}");
            return Ok(());
        };
        if !state.is_final() {
            return Ok(());
        }
        let outcome = self
            .outcomes
            .get(command_id)
            .cloned()
            .map(CommandState::from);
        hold!(
            2,
            outcome.as_ref() == Some(state),
            "{slot} tells {state:?} of {command_id} but {outcome:?} is durable"
        );
        hold!(
            1,
            self.slots[slot].told.insert(*command_id),
            "{command_id} was told twice"
        );
        Ok(())
    }

    /// A participant after a step.
    pub(crate) fn check_participant(
        &mut self,
        slot: usize,
        participant: &Participant,
    ) -> Result<(), Violation> {
        let watched = &mut self.slots[slot];
        let pending: BTreeMap<Seq, CommandId> = participant
            .pending()
            .into_iter()
            .map(|pending| (pending.seq, pending.command_id))
            .collect();
        hold!(
            6,
            pending == watched.pending,
            "{slot} has {pending:?} pending, its outbox {:?}",
            watched.pending
        );
        let revision = participant.revision();
        hold!(
            4,
            watched.revision <= revision,
            "{slot} went back from {:?} to {revision:?}",
            watched.revision
        );
        if watched.revision != revision
            && let (Some(revision), Some(poll)) = (revision, participant.confirmed())
        {
            let expected = usize::try_from(revision.get())
                .ok()
                .and_then(|index| self.states.get(index));
            hold!(
                4,
                expected == Some(&bytes(poll)),
                "{slot} shows a poll at {revision} that never was"
            );
        }
        watched.revision = revision;
        Ok(())
    }

    /// A participant has been restarted from what was durable.
    pub(crate) fn restarted(
        &mut self,
        slot: usize,
        participant: &Participant,
    ) -> Result<(), Violation> {
        self.slots[slot].revision = None;
        self.check_participant(slot, participant)
    }

    /// An owner has been restarted from what was durable.
    pub(crate) fn restarted_owner(&self, owner: &Owner) -> Result<(), Violation> {
        let last = self.states.len() - 1;
        hold!(
            2,
            owner.revision().get() == last as u64,
            "the owner came back at {}, {last} was durable",
            owner.revision()
        );
        hold!(
            5,
            bytes(owner.poll()) == self.states[last],
            "snapshot and updates make another poll than all the updates"
        );
        Ok(())
    }

    /// Everything has been given time to come right.
    pub(crate) fn converged(
        &self,
        slot: usize,
        participant: &Participant,
    ) -> Result<(), Violation> {
        let last = self.states.len() - 1;
        hold!(
            9,
            participant.connection() == &hustings_room::Connection::Connected,
            "{slot} is {:?}",
            participant.connection()
        );
        hold!(
            9,
            self.slots[slot].pending.is_empty(),
            "{slot} has commands pending"
        );
        hold!(
            9,
            participant.revision().map(Revision::get) == Some(last as u64),
            "{slot} is at {:?}, the owner at {last}",
            participant.revision()
        );
        Ok(())
    }
}
