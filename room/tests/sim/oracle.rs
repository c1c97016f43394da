//! The guarantees: true at every step, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Command, CommandId, DeviceId, Epoch, ErrorCode, Limits, Message, Outcome, PeerId, Poll,
    Position, Revision, Seq, StoredJournal, StoredLog, StoredOutbox, Update,
};
use hustings_room::{CommandState, Connection, Event, Pending};

use super::scene::OWNER;
use super::{Report, Violation, World, hold};

/// A command. Two devices may use one id: a hostile one uses those of others.
type Name = (PeerId, DeviceId, CommandId);

/// The fold of everything that has become durable at the owner, and the outbox of everybody else.
pub(crate) struct Oracle {
    limits: Limits,
    /// The limits of what people submit.
    submit_limits: Limits,
    /// The identity of each process.
    devices: Vec<(PeerId, DeviceId)>,
    /// Everybody hostile that there is.
    strangers: BTreeSet<PeerId>,
    /// The poll after everything that is durable, from the first snapshot on.
    poll: Option<Poll>,
    epoch: Option<Epoch>,
    /// The poll at each revision, as bytes.
    states: Vec<Vec<u8>>,
    /// The update that made each revision after the first.
    updates: Vec<Bytes>,
    /// The last snapshot of the journal.
    snapshot: Option<Revision>,
    applied: BTreeMap<Name, Revision>,
    last_seq: BTreeMap<(PeerId, DeviceId), Seq>,
    outcomes: BTreeMap<Name, Outcome>,
    /// Commands that somebody was told are durable.
    promised: BTreeSet<Name>,
    /// Everything that was ever in an outbox.
    queued: BTreeMap<Name, Command>,
    slots: Vec<Watched>,
    pub(crate) report: Report,
}

/// The oracle's knowledge of one process.
#[derive(Default)]
struct Watched {
    /// The entries of its outbox.
    pending: BTreeMap<Seq, CommandId>,
    next_seq: Option<Seq>,
    told: BTreeSet<CommandId>,
    sent: BTreeSet<CommandId>,
    /// Of the present process.
    revision: Option<Revision>,
    /// The last revision that it was told one of its commands has made.
    told_applied: Option<Revision>,
}

/// The sight of a room, through its handle.
pub(crate) struct View {
    pub(crate) pending: Vec<Pending>,
    pub(crate) revision: Option<Revision>,
    pub(crate) confirmed: Option<Arc<Poll>>,
    /// True while no commit is under way.
    pub(crate) is_settled: bool,
}

fn bytes(poll: &Poll) -> Vec<u8> {
    let nowhere = Position {
        epoch: Epoch::new(0),
        revision: Revision::ZERO,
        history: None,
    };
    poll.encode_state(nowhere).to_vec()
}

fn index(revision: Revision) -> usize {
    usize::try_from(revision.get()).unwrap_or(usize::MAX)
}

impl Oracle {
    pub(crate) fn new(devices: Vec<(PeerId, DeviceId)>, world: &World) -> Self {
        let mut submit_limits = Limits::default();
        if world.had_wider_limits {
            submit_limits.max_name_chars *= 2;
        }
        Self {
            limits: Limits::unbounded(),
            submit_limits,
            slots: devices.iter().map(|_| Watched::default()).collect(),
            devices,
            strangers: BTreeSet::new(),
            queued: BTreeMap::new(),
            poll: None,
            epoch: None,
            states: Vec::new(),
            updates: Vec::new(),
            snapshot: None,
            applied: BTreeMap::new(),
            last_seq: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            promised: BTreeSet::new(),
            report: Report::default(),
        }
    }

    /// Somebody hostile appears.
    pub(crate) fn meet(&mut self, stranger: PeerId) {
        self.strangers.insert(stranger);
    }

    /// The revision and the epoch of everything that is durable.
    pub(crate) fn present(&self) -> Option<(Epoch, Revision)> {
        let last = self.states.len().checked_sub(1)?;
        Some((self.epoch?, Revision::new(last as u64)?))
    }

    fn name(&self, slot: usize, id: CommandId) -> Name {
        let (peer, device) = self.devices[slot];
        (peer, device, id)
    }

    // What becomes durable.

    /// The owner's journal has become this, in the midst of a commit or at its end.
    pub(crate) fn journal_grows(&mut self, journal: &StoredJournal) -> Result<(), Violation> {
        let (at, snapshot) = &journal.log.snapshot;
        if self.snapshot != Some(*at) {
            let state = Message::decode(snapshot, &self.limits);
            let Ok(Message::PollState(state)) = state else {
                hold!(5, false, "the journal's snapshot is {state:?}");
                return Ok(());
            };
            if self.poll.is_none() {
                self.states.push(bytes(&state.poll));
                self.poll = Some(state.poll.clone());
                self.epoch = Some(state.epoch);
            }
            hold!(
                4,
                self.epoch == Some(state.epoch),
                "the journal began anew, as {}",
                state.epoch
            );
            hold!(
                4,
                self.snapshot < Some(*at),
                "the snapshot at {at} follows {:?}",
                self.snapshot
            );
        }
        for (revision, frame) in &journal.log.tail {
            match self.updates.get(index(*revision) - 1) {
                Some(known) => hold!(5, known == frame, "the update {revision} has changed"),
                None => self.update_is(*revision, frame)?,
            }
        }
        if self.snapshot != Some(*at) {
            let state = Message::decode(snapshot, &self.limits);
            let Ok(Message::PollState(state)) = state else {
                return Ok(());
            };
            hold!(
                5,
                self.states.get(index(*at)) == Some(&bytes(&state.poll)),
                "the snapshot at {at} is not the poll after all updates"
            );
            self.snapshot = Some(*at);
            self.report.snapshots += 1;
        }
        self.receipts_are(journal)
    }

    fn update_is(&mut self, revision: Revision, frame: &Bytes) -> Result<(), Violation> {
        hold!(
            4,
            index(revision) == self.states.len(),
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
            5,
            update.revision == revision,
            "{} is kept as {revision}",
            update.revision
        );
        let device = (update.author, update.device);
        let name = (update.author, update.device, numbered.command_id);
        let before = self.applied.insert(name, revision);
        hold!(
            1,
            before.is_none(),
            "{} took effect twice",
            numbered.command_id
        );
        hold!(
            10,
            numbered.command_id.as_uuid().get_version_num() == 7,
            "{} is an id that says nothing of when it was made",
            numbered.command_id
        );
        self.is_its_authors(&update)?;
        let before = self.last_seq.insert(device, numbered.seq);
        hold!(
            7,
            before.is_none_or(|before| before < numbered.seq),
            "{} of {device:?} came after {before:?}",
            numbered.seq
        );
        let Some(poll) = &mut self.poll else {
            hold!(5, false, "an update and no snapshot");
            return Ok(());
        };
        let applied = poll.apply(update.author, &numbered.command, &self.limits);
        hold!(
            8,
            applied.is_ok(),
            "the journal has a refused command: {applied:?}"
        );
        self.states.push(bytes(poll));
        self.updates.push(frame.clone());
        self.report.applied += 1;
        Ok(())
    }

    /// An effect is that of a command that its author has asked for.
    fn is_its_authors(&self, update: &Update) -> Result<(), Violation> {
        let device = (update.author, update.device);
        match self.devices.iter().position(|known| *known == device) {
            // Its own commands go through no outbox.
            Some(OWNER) => {}
            Some(slot) => {
                let name = self.name(slot, update.numbered.command_id);
                let queued = self.queued.get(&name);
                hold!(
                    10,
                    queued == Some(&update.numbered.command),
                    "{update:?} is not what {slot} has asked for, which is {queued:?}"
                );
            }
            None => hold!(
                10,
                self.strangers.contains(&update.author),
                "{update:?} is of nobody who is there"
            ),
        }
        Ok(())
    }

    /// The owner's journal has become this, at the end of a commit.
    pub(crate) fn journal_is(&mut self, journal: &StoredJournal) -> Result<(), Violation> {
        self.journal_grows(journal)?;
        for (id, revision) in &self.applied {
            hold!(
                2,
                self.outcomes.contains_key(id),
                "the update {revision} is durable and its receipt is not"
            );
        }
        Ok(())
    }

    fn receipts_are(&mut self, journal: &StoredJournal) -> Result<(), Violation> {
        for (author, device, receipt) in &journal.receipts {
            let id = (*author, *device, receipt.command_id);
            match self.outcomes.get(&id) {
                Some(known) => hold!(
                    1,
                    *known == receipt.outcome,
                    "{receipt:?} is a second outcome, after {known:?}"
                ),
                None => {
                    let rejected = matches!(receipt.outcome, Outcome::Rejected(_));
                    self.report.rejected += u64::from(rejected);
                    self.outcomes.insert(id, receipt.outcome.clone());
                }
            }
            let expected = match &receipt.outcome {
                Outcome::Applied(revision) => Some(revision),
                Outcome::Rejected(_) => None,
            };
            hold!(
                8,
                self.applied.get(&id) == expected,
                "the journal and the receipt disagree: {receipt:?}"
            );
        }
        Ok(())
    }

    /// A participant's disk has become this.
    pub(crate) fn disk_is(
        &mut self,
        slot: usize,
        outbox: &StoredOutbox,
        cache: Option<&StoredLog>,
    ) -> Result<(), Violation> {
        let (peer, device) = self.devices[slot];
        let watched = &mut self.slots[slot];
        hold!(
            7,
            watched.next_seq <= Some(outbox.next_seq),
            "{slot} would use {} again",
            outbox.next_seq
        );
        watched.next_seq = Some(outbox.next_seq);
        let mut pending = BTreeMap::new();
        for (seq, frame) in &outbox.entries {
            let message = Message::decode(frame, &self.limits);
            let Ok(Message::Command(numbered)) = message else {
                hold!(6, false, "the outbox has {message:?}");
                return Ok(());
            };
            let checked = numbered.command.check_lengths(&self.submit_limits);
            hold!(
                6,
                checked.is_ok(),
                "the outbox of {slot} has what nobody takes: {checked:?}"
            );
            let name = (peer, device, numbered.command_id);
            self.queued.insert(name, numbered.command);
            pending.insert(*seq, numbered.command_id);
        }
        for (seq, id) in &watched.pending {
            hold!(
                1,
                pending.get(seq) == Some(id) || self.outcomes.contains_key(&(peer, device, *id)),
                "{seq} of {slot} left the outbox without an outcome"
            );
        }
        watched.pending = pending;
        let Some(cache) = cache else { return Ok(()) };
        hold!(
            4,
            index(cache.revision()) < self.states.len(),
            "{slot} keeps the poll at {} before it is durable",
            cache.revision()
        );
        Ok(())
    }

    // What leaves.

    /// A frame leaves a process; if it is the owner's and goes to one other, `to` says whose
    /// place that is.
    pub(crate) fn sent(
        &mut self,
        slot: usize,
        to: Option<Option<usize>>,
        frame: &[u8],
    ) -> Result<(), Violation> {
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
                let Some(Some(to)) = to else { return Ok(()) };
                let outcome = self.outcomes.get(&self.name(to, ack.command_id));
                hold!(
                    3,
                    outcome == Some(&Outcome::Applied(ack.revision)),
                    "the owner sends {ack:?} but {outcome:?} is durable"
                );
            }
            Ok(Message::Error(refusal)) => {
                // To the hostile it says more than what becomes of commands.
                if let (Some(command_id), Some(Some(to))) = (refusal.command_id, to) {
                    let outcome = self.outcomes.get(&self.name(to, command_id));
                    hold!(
                        8,
                        outcome == Some(&Outcome::Rejected(refusal.rejection.clone())),
                        "the owner sends {refusal:?} but {outcome:?} is durable"
                    );
                }
            }
            Ok(Message::Update(update)) => hold!(
                3,
                index(update.revision) < self.states.len(),
                "the owner relays {} before it is durable",
                update.revision
            ),
            Ok(Message::PollState(state)) => hold!(
                3,
                self.states.get(index(state.revision)) == Some(&bytes(&state.poll)),
                "the owner sends a poll at {} that is not durable",
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

    // What people are told and shown.

    /// A process tells its application something.
    pub(crate) fn told(&mut self, slot: usize, event: &Event) -> Result<(), Violation> {
        let Event::Command { command_id, state } = event else {
            // Honest peers commit no faults, but silence looks like a handshake that takes too
            // long.
            let is_fault = match event {
                Event::Fault { rejection, .. } => rejection.code != ErrorCode::HandshakeFailed,
                Event::JournalRolledBack { .. } | Event::Missed { .. } => true,
                Event::Connection(_)
                | Event::PollChanged { .. }
                | Event::Command { .. }
                | Event::PeersChanged(_) => false,
                // A new one is to be judged here.
                Event::HistoryReplaced { .. } | _ => true,
            };
            hold!(10, !is_fault, "{slot} tells {event:?}");
            return Ok(());
        };
        if *state != CommandState::Queued {
            // Each further step says that the ones before it are done.
            self.is_kept(slot, *command_id)?;
        }
        if !state.is_final() {
            return Ok(());
        }
        let outcome = self.outcomes.get(&self.name(slot, *command_id)).cloned();
        hold!(
            2,
            outcome.clone().map(CommandState::from).as_ref() == Some(state),
            "{slot} tells {state:?} of {command_id} but {outcome:?} is durable"
        );
        hold!(
            1,
            self.slots[slot].told.insert(*command_id),
            "{command_id} was told twice"
        );
        if let CommandState::Applied(revision) = state {
            let last = &mut self.slots[slot].told_applied;
            *last = (*last).max(Some(*revision));
        }
        Ok(())
    }

    /// The submitter is told that the command is durable.
    pub(crate) fn promised(&mut self, slot: usize, id: CommandId) -> Result<(), Violation> {
        self.promised.insert(self.name(slot, id));
        self.is_kept(slot, id)
    }

    /// The submitter is told how it ended.
    pub(crate) fn answered(
        &self,
        slot: usize,
        id: CommandId,
        outcome: &Outcome,
    ) -> Result<(), Violation> {
        let durable = self.outcomes.get(&self.name(slot, id));
        hold!(
            2,
            durable == Some(outcome),
            "{id} is told to be {outcome:?} but {durable:?} is durable"
        );
        Ok(())
    }

    fn is_kept(&self, slot: usize, id: CommandId) -> Result<(), Violation> {
        let mut pending = self.slots[slot].pending.values();
        hold!(
            3,
            pending.any(|kept| *kept == id) || self.outcomes.contains_key(&self.name(slot, id)),
            "{id} of {slot} is said to be durable"
        );
        Ok(())
    }

    /// A participant after a step.
    pub(crate) fn check_participant(&mut self, slot: usize, view: &View) -> Result<(), Violation> {
        let watched = &self.slots[slot];
        let is_durable = |pending: &&Pending| pending.state != CommandState::Queued;
        let shown: BTreeMap<Seq, CommandId> = view
            .pending
            .iter()
            .filter(is_durable)
            .map(|pending| (pending.seq, pending.command_id))
            .collect();
        // A command that the commit under way takes out of the outbox is no longer shown.
        let missing = watched.pending.iter().filter(|(seq, id)| {
            shown.get(seq) != Some(id)
                && (view.is_settled || !self.outcomes.contains_key(&self.name(slot, **id)))
        });
        let missing: Vec<_> = missing.collect();
        hold!(
            6,
            missing.is_empty(),
            "{slot} does not show {missing:?}, which its outbox has"
        );
        let mut extra = shown.iter();
        hold!(
            6,
            extra.all(|(seq, id)| watched.pending.get(seq) == Some(id)),
            "{slot} has {shown:?} pending, its outbox {:?}",
            watched.pending
        );
        hold!(
            6,
            !view.is_settled || shown.len() == view.pending.len(),
            "{slot} has something queued that nobody writes: {:?}",
            view.pending
        );
        hold!(
            6,
            watched.told_applied <= view.revision,
            "{slot} was told that a command of its made {:?}, and shows the poll at {:?} without it",
            watched.told_applied,
            view.revision
        );
        self.shows_what_was(slot, view)
    }

    /// The owner after a step.
    pub(crate) fn check_owner(&mut self, slot: usize, view: &View) -> Result<(), Violation> {
        let last = self.states.len() - 1;
        let at = view.revision.map(index);
        hold!(
            2,
            at >= Some(last),
            "the owner is at {at:?}, {last} is durable"
        );
        if !view.is_settled {
            return Ok(());
        }
        hold!(
            3,
            at == Some(last),
            "the owner is at {at:?}, {last} is kept"
        );
        self.shows_what_was(slot, view)
    }

    fn shows_what_was(&mut self, slot: usize, view: &View) -> Result<(), Violation> {
        let before = self.slots[slot].revision;
        hold!(
            4,
            before <= view.revision,
            "{slot} went back from {before:?} to {:?}",
            view.revision
        );
        if before != view.revision
            && let (Some(revision), Some(poll)) = (view.revision, &view.confirmed)
        {
            hold!(
                4,
                self.states.get(index(revision)) == Some(&bytes(poll)),
                "{slot} shows a poll at {revision} that never was"
            );
        }
        self.slots[slot].revision = view.revision;
        Ok(())
    }

    /// A process starts from what was durable.
    pub(crate) fn restarts(&mut self, slot: usize) {
        self.slots[slot].revision = None;
        self.slots[slot].told_applied = None;
    }

    /// The end of the schedule: there was time for everything to come right.
    pub(crate) fn converged(
        &self,
        slot: usize,
        connection: &Connection,
        revision: Option<Revision>,
        peers: &[BTreeSet<(PeerId, DeviceId)>; 2],
    ) -> Result<(), Violation> {
        let last = self.states.len() - 1;
        hold!(
            9,
            *connection == Connection::Connected,
            "{slot} is {connection:?}"
        );
        hold!(
            9,
            self.slots[slot].pending.is_empty(),
            "{slot} has commands pending"
        );
        hold!(
            9,
            revision.map(index) == Some(last),
            "{slot} is at {revision:?}, the owner at {last}"
        );
        let [here, at_the_owner] = peers;
        hold!(
            9,
            here == at_the_owner,
            "{slot} thinks that {here:?} are there, the owner {at_the_owner:?}"
        );
        for name in &self.promised {
            hold!(
                1,
                self.outcomes.contains_key(name),
                "{name:?} was durable and has no outcome"
            );
        }
        Ok(())
    }
}
