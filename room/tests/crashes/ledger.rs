//! The knowledge of the test: what was submitted and what was answered, as it was told, and what
//! is durable, as it stands in the owner's store after each of its deaths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::{Journal, RedbStore};
use hustings_protocol::{
    CommandId, DeviceId, Limits, Message, Outcome, PeerId, Poll, PollState, Receipt, RoomId, Seq,
    StoredJournal, Update,
};

/// Somebody's device.
pub(crate) type Device = (PeerId, DeviceId);

#[derive(Default)]
pub(crate) struct Ledger {
    /// By the number of the process: who it is.
    pub(crate) devices: BTreeMap<usize, Device>,
    /// By the number of the process: what it has submitted, in that order.
    pub(crate) submitted: BTreeMap<usize, Vec<CommandId>>,
    /// The outcome of each command, as it was told.
    pub(crate) told: BTreeMap<CommandId, Outcome>,
    /// Told since the journal was last read.
    unchecked: Vec<CommandId>,
    /// The poll before the first command.
    initial: Option<Poll>,
    /// Every update that was ever found in the journal, by its revision.
    history: BTreeMap<u64, (Bytes, Update)>,
    /// The revision of every command in the history.
    revisions: BTreeMap<CommandId, u64>,
    /// Every receipt that was ever found.
    receipts: BTreeMap<CommandId, (Device, Receipt)>,
    /// Answered in the journal when an owner died, and not told by then.
    untold: BTreeSet<CommandId>,
    /// The number of them that were told later.
    pub(crate) told_by_a_successor: usize,
}

impl Ledger {
    pub(crate) fn is(&mut self, who: usize, device: Device) {
        let before = *self.devices.entry(who).or_insert(device);
        assert_eq!(before, device, "process {who} is somebody else");
    }

    pub(crate) fn submits(&mut self, who: usize, command: CommandId) {
        let submitted = self.submitted.entry(who).or_default();
        // What is still pending is named again after a restart.
        if !submitted.contains(&command) {
            submitted.push(command);
        }
    }

    pub(crate) fn settles(&mut self, command: CommandId, outcome: Outcome) {
        if self.untold.remove(&command) {
            self.told_by_a_successor += 1;
        }
        if let Some(before) = self.told.get(&command) {
            assert_eq!(*before, outcome, "{command} has two outcomes");
            return;
        }
        self.told.insert(command, outcome);
        self.unchecked.push(command);
    }

    /// The last revision in the history.
    pub(crate) fn revision(&self) -> u64 {
        self.history.keys().next_back().copied().unwrap_or(0)
    }

    /// The receipts that say no.
    pub(crate) fn rejected(&self) -> usize {
        let receipts = self.receipts.values();
        let rejected = |receipt: &Receipt| matches!(receipt.outcome, Outcome::Rejected(_));
        receipts.filter(|(_, receipt)| rejected(receipt)).count()
    }

    /// Reads a journal, as a death has left it, and holds it against everything that is known.
    pub(crate) fn read(&mut self, store: &Path, room: RoomId) {
        let store = RedbStore::open(store).expect("no death damages a store");
        let journal = block_on(Journal::new(room).load(&store));
        let journal = journal.expect("no death damages a journal");
        let journal = journal.expect("a poll that was open has its journal");
        self.take(&journal);
        self.check_told();
    }

    fn take(&mut self, journal: &StoredJournal) {
        let last = journal.log.revision().get();
        let before = self.revision();
        assert!(
            last >= before,
            "revision {before} was durable, now it is {last}"
        );
        if self.initial.is_none() {
            let (revision, poll) = state(&journal.log.snapshot.1);
            assert_eq!(revision, 0, "the first journal that is read is complete");
            self.initial = Some(poll);
        }
        for (revision, frame) in &journal.log.tail {
            let revision = revision.get();
            if let Some((before, _)) = self.history.get(&revision) {
                assert_eq!(before, frame, "revision {revision} has changed");
                continue;
            }
            let next = self.revision() + 1;
            assert_eq!(revision, next, "no revision is missing or was never seen");
            let Ok(Message::Update(update)) = Message::decode(frame, &Limits::default()) else {
                panic!("revision {revision} is {frame:?}");
            };
            assert_eq!(update.revision.get(), revision);
            let id = update.numbered.command_id;
            let twice = self.revisions.insert(id, revision);
            assert_eq!(twice, None, "{id} was applied twice, again at {revision}");
            self.history.insert(revision, (frame.clone(), update));
        }
        for (author, device, receipt) in &journal.receipts {
            let found = ((*author, *device), receipt.clone());
            match self.receipts.get(&receipt.command_id) {
                Some(before) => assert_eq!(*before, found, "a receipt has changed"),
                None => {
                    if !self.told.contains_key(&receipt.command_id) {
                        self.untold.insert(receipt.command_id);
                    }
                    self.receipts.insert(receipt.command_id, found);
                }
            }
            let revision = self.revisions.get(&receipt.command_id);
            match &receipt.outcome {
                Outcome::Applied(at) => assert_eq!(revision, Some(&at.get()), "{receipt:?}"),
                Outcome::Rejected(_) => assert_eq!(revision, None, "{receipt:?}"),
            }
        }
    }

    /// Whatever anybody was told is durable.
    fn check_told(&mut self) {
        for id in std::mem::take(&mut self.unchecked) {
            let outcome = &self.told[&id];
            let revision = self.revisions.get(&id);
            match outcome {
                Outcome::Applied(at) => {
                    assert_eq!(revision, Some(&at.get()), "{id} was acknowledged");
                }
                Outcome::Rejected(_) => assert_eq!(revision, None, "{id} was rejected"),
            }
            // A receipt goes 64 commands later.
            if let Some((_, receipt)) = self.receipts.get(&id) {
                assert_eq!(receipt.outcome, *outcome, "{id}");
            }
        }
    }

    /// Nothing of a process's device is in the journal that it did not say was durable.
    pub(crate) fn check_nothing_unknown(&self, who: usize) {
        let device = self.devices[&who];
        let submitted: BTreeSet<_> = self.submitted[&who].iter().collect();
        for (revision, (_, update)) in &self.history {
            assert!(
                (update.author, update.device) != device
                    || submitted.contains(&update.numbered.command_id),
                "{who} never submitted what made revision {revision}"
            );
        }
        for (id, (of, receipt)) in &self.receipts {
            assert!(
                *of != device || submitted.contains(id),
                "{who} never submitted what has {receipt:?}"
            );
        }
    }

    /// Holds everything against everything, once nothing is pending. `poll` is what all who take
    /// part show; of the processes that were `never_killed` everything is known.
    pub(crate) fn check_all(&self, poll: &str, never_killed: &[usize]) {
        for (who, submitted) in &self.submitted {
            let device = self.devices[who];
            let mut last: Option<Seq> = None;
            for id in submitted {
                let seq = match (self.revisions.get(id), self.receipts.get(id)) {
                    (Some(revision), _) => {
                        let (_, update) = &self.history[revision];
                        assert_eq!((update.author, update.device), device, "{id}");
                        update.numbered.seq
                    }
                    (None, Some((of, receipt))) => {
                        assert_eq!(*of, device, "{id}");
                        receipt.seq
                    }
                    // Its receipt came and went between two deaths, which takes a told outcome.
                    (None, None) => {
                        assert!(
                            matches!(self.told.get(id), Some(Outcome::Rejected(_))),
                            "{id}, submitted by {who}, has no outcome"
                        );
                        continue;
                    }
                };
                assert!(last < Some(seq), "{id} of {who} is out of order");
                last = Some(seq);
            }
            if never_killed.contains(who) {
                let told = submitted.iter().filter(|id| self.told.contains_key(id));
                assert_eq!(
                    told.count(),
                    submitted.len(),
                    "{who} was told of everything"
                );
                self.check_nothing_unknown(*who);
            }
        }
        // In the order of each device.
        let mut last: BTreeMap<Device, Seq> = BTreeMap::new();
        let mut folded = self.initial.clone().expect("the journal was read");
        for (revision, (_, update)) in &self.history {
            let device = (update.author, update.device);
            let before = last.insert(device, update.numbered.seq);
            assert!(before < Some(update.numbered.seq), "order at {revision}");
            folded
                .apply(update.author, &update.numbered.command, &Limits::default())
                .unwrap_or_else(|why| panic!("revision {revision}: {why}"));
        }
        let folded = serde_json::to_string(&folded).unwrap();
        assert!(
            folded == poll,
            "the poll is what the journal makes of it:\n{folded}\n{poll}"
        );
    }
}

fn state(frame: &[u8]) -> (u64, Poll) {
    match Message::decode(frame, &Limits::default()) {
        Ok(Message::PollState(PollState { revision, poll, .. })) => (revision.get(), poll),
        other => panic!("no snapshot: {other:?}"),
    }
}
