//! The disk of a process, which takes its time, fails, and ends the process at every boundary.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use hustings_outbox::{Batch, Cache, Durability, Journal, Outbox, Store, StoreError, Write};
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    CommandId, DeviceId, Outcome, PeerId, PollId, Receipt, Revision, RoomId, Seq,
};
use hustings_room::clock::Clock;
use hustings_room::driver::records;
use hustings_transport_mem::VirtualClock;
use uuid::Uuid;

use super::cost::aside;
use super::scene::{Doom, OWNER, Process, Scene, Slot};
use super::{Kind, Plant, Violation};

/// A process's handle of its disk. The disk itself is in the scene and outlives it.
#[derive(Clone)]
pub(super) struct Disk {
    pub(super) process: Process,
    pub(super) clock: VirtualClock,
    /// The birth of the disk when it was opened.
    pub(super) birth: u64,
}

impl Disk {
    /// An error if the disk was deleted since it was opened, whether there is another one in its
    /// place or not. As of all stores that outlive a process, so that nothing is taken for stored
    /// that nobody would find again.
    fn is_the_same(&self, scene: &mut Scene) -> Result<(), StoreError> {
        let place = &mut scene.slots[self.process.slot];
        if place.births == self.birth || planted::is_on(Fault::BornAgain) {
            // Whoever is told that all is well may rely on what it has stored.
            place.is_stale = false;
            return Ok(());
        }
        place.may_end = true;
        scene.oracle.report.failed += 1;
        Err(StoreError::Deleted("the disk".to_owned()))
    }

    /// The time that the commit will take; `None` if the process does not live to see it.
    fn begin(&self, batch: &Batch) -> Option<Duration> {
        let mut scene = self.process.scene()?;
        let slot = self.process.slot;
        scene.trace_batch("commit", slot, batch);
        if scene.slots[slot].doom == Some(Doom::BeforeCommit) {
            scene.oracle.report.torn += 1;
            scene.die(slot);
            return None;
        }
        if !scene.crosses(slot, "before a commit") {
            return None;
        }
        scene.slots[slot].is_committing = true;
        let longest = scene.commit_millis;
        Some(Duration::from_millis(scene.draw(longest + 1)))
    }

    /// The answer to a commit; `None` if the process does not live to hear it.
    fn finish(&self, batch: Batch, durability: Durability) -> Option<Result<(), StoreError>> {
        let mut scene = self.process.scene()?;
        let slot = self.process.slot;
        scene.slots[slot].is_committing = false;
        if let Err(error) = self.is_the_same(&mut scene) {
            return Some(Err(error));
        }
        let doom = scene.slots[slot].doom.take_if(|doom| !doom.is_of_reads());
        let takes_effect = match doom {
            Some(Doom::DuringCommit { is_durable }) => is_durable,
            Some(Doom::FailedCommit { took_effect } | Doom::Full { took_effect }) => took_effect,
            Some(
                Doom::BeforeCommit | Doom::AfterCommit { .. } | Doom::AtRead | Doom::FailedRead,
            )
            | None => true,
        };
        scene.trace("committed", &(slot, doom));
        let half = scene.is_planted(Plant::HalfCommit).then(|| batch.clone());
        if !scene.crosses(slot, "in a commit") {
            if let Some(half) = half {
                scene.tear(slot, half);
            }
            return None;
        }
        if takes_effect {
            scene.commit(slot, batch, durability);
        } else if let Some(half) = half {
            scene.tear(slot, half);
        }
        if !scene.crosses(slot, "after a commit") {
            return None;
        }
        match doom {
            Some(Doom::DuringCommit { .. }) => {
                scene.oracle.report.torn += 1;
                scene.die(slot);
                return None;
            }
            Some(Doom::AfterCommit { outputs }) => {
                scene.oracle.report.torn += 1;
                scene.slots[slot].outputs_left = Some(outputs);
            }
            Some(Doom::FailedCommit { .. }) => {
                scene.oracle.report.failed += 1;
                scene.slots[slot].may_end = true;
                // The one error that leaves open what became of the batch.
                return Some(Err(StoreError::Io("the disk gave up".to_owned())));
            }
            Some(Doom::Full { .. }) => {
                scene.oracle.report.failed += 1;
                scene.slots[slot].may_end = true;
                return Some(Err(StoreError::Full("no room for more".to_owned())));
            }
            Some(Doom::BeforeCommit | Doom::AtRead | Doom::FailedRead) | None => {}
        }
        Some(Ok(()))
    }

    /// The time that a read will take, if any.
    fn wait(&self) -> Option<Duration> {
        let mut scene = self.process.scene()?;
        let longest = scene.read_millis;
        let is_slow = longest > 0 && self.process.slot == OWNER;
        is_slow.then(|| Duration::from_millis(scene.draw(longest + 1)))
    }

    /// The records of a range; `None` if the process does not live to see them.
    fn read(&self, range: Range<Bytes>) -> Option<Result<Vec<(Bytes, Bytes)>, StoreError>> {
        let mut scene = self.process.scene()?;
        let slot = self.process.slot;
        if scene.slots[slot].doom == Some(Doom::AtRead) {
            scene.oracle.report.torn += 1;
            scene.die(slot);
            return None;
        }
        if !scene.crosses(slot, "read") {
            return None;
        }
        if scene.slots[slot].doom == Some(Doom::FailedRead) {
            scene.slots[slot].doom = None;
            scene.slots[slot].may_end = true;
            scene.oracle.report.failed += 1;
            return Some(Err(StoreError::Io("the disk cannot be read".to_owned())));
        }
        if let Err(error) = self.is_the_same(&mut scene) {
            return Some(Err(error));
        }
        let mut records = now(scene.slots[slot].memory.scan(range));
        if let (Ok(records), Some(room)) = (&mut records, scene.room) {
            if scene.is_planted(Plant::ForgetReceipts) {
                let receipts = receipts(room);
                records.retain(|(key, _)| !key.starts_with(&receipts));
            }
            let updates = updates(room);
            let is_update = |(key, _): &(Bytes, Bytes)| key.starts_with(&updates);
            if let Some(last) = records.iter().rposition(is_update) {
                let has_died_twice = scene.slots[slot].deaths > 1;
                if scene.is_planted(Plant::LoseUpdate)
                    || scene.is_planted(Plant::LoseTwice) && has_died_twice
                {
                    records.remove(last);
                } else if scene.is_planted(Plant::AlterUpdate) {
                    let value = records[last].1.iter();
                    let alter = |byte: &u8| if *byte == b'x' { b'y' } else { *byte };
                    records[last].1 = value.map(alter).collect();
                }
            }
            let last = records.last().map(|(key, _)| key.clone());
            let entries = entries(scene.slots[slot].device, room);
            if scene.is_planted(Plant::LoseQueued)
                && last.is_some_and(|key| key.len() > entries.len() && key.starts_with(&entries))
            {
                records.pop();
            }
        }
        Some(records)
    }
}

impl Doom {
    /// True for what happens when the disk is read.
    pub(super) const fn is_of_reads(self) -> bool {
        matches!(self, Self::AtRead | Self::FailedRead)
    }
}

impl Scene {
    /// A batch takes effect, and the oracle looks at what has become of the disk.
    fn commit(&mut self, slot: usize, mut batch: Batch, durability: Durability) {
        if self.is_planted(Plant::AnswerBeforeCommit) && self.room.is_some() {
            match self.slots[slot].unwritten.replace(batch) {
                Some(before) => batch = before,
                None => return,
            }
        }
        self.slots[slot].deaths = 0;
        let durability = match self.is_planted(Plant::WriteRelaxed) {
            true => Durability::Relaxed,
            false => durability,
        };
        let mut writes = batch.into_writes();
        if let Some(room) = self.room
            && self.is_planted(Plant::TearReceipts)
        {
            let receipts = receipts(room);
            writes.retain(
                |write| !matches!(write, Write::Put { key, .. } if key.starts_with(&receipts)),
            );
        }
        if let Some(room) = self.room
            && self.is_planted(Plant::StoreTwice)
        {
            let updates = updates(room);
            let last = writes.iter().rev().find_map(|write| match write {
                Write::Put { key, value } if key.starts_with(&updates) => Some((key, value)),
                Write::Put { .. } | Write::Delete { .. } | Write::DeleteRange { .. } => None,
            });
            if let Some((key, value)) = last {
                let mut key = key.to_vec();
                *key.last_mut().expect("a key has bytes") += 1;
                let (key, value) = (key.into(), value.clone());
                writes.push(Write::Put { key, value });
            }
        }
        match durability {
            Durability::Strict => self.slots[slot].relaxed.clear(),
            Durability::Relaxed => self.slots[slot].relaxed.push(batch_of(writes.clone())),
        }
        // A batch may remove or overwrite again what it has added: updates before one more
        // snapshot, receipts when the ring comes round. Only the oracle sees what is in between.
        let mut part: Vec<Write> = Vec::new();
        let mut keys = BTreeSet::new();
        for write in writes {
            let key = match &write {
                Write::Put { key, .. } | Write::Delete { key } => Some(key.clone()),
                Write::DeleteRange { .. } => None,
            };
            if !part.is_empty() && key.as_ref().is_none_or(|key| keys.contains(key)) {
                let part = batch_of(std::mem::take(&mut part));
                keys.clear();
                self.slots[slot].write(part, durability);
                let grown = self.look(slot, false);
                self.held(grown);
            }
            keys.extend(key);
            part.push(write);
        }
        self.slots[slot].write(batch_of(part), durability);
        let grown = self.look(slot, true);
        self.held(grown);
    }

    /// Only the first half of a batch takes effect, and nobody is told.
    fn tear(&mut self, slot: usize, batch: Batch) {
        let mut writes = batch.into_writes();
        writes.truncate(writes.len() / 2);
        self.slots[slot].write(batch_of(writes), Durability::Strict);
    }

    fn look(&mut self, slot: usize, is_whole: bool) -> Result<(), Violation> {
        let memory = self.slots[slot].memory.clone();
        let corrupt = |error: StoreError| Violation {
            guarantee: 5,
            what: format!("the disk of {slot} cannot be read: {error}"),
        };
        if slot == OWNER {
            if self.room.is_none() || self.world.has(Kind::TwoPolls) {
                let rooms = now(Journal::list(&memory)).unwrap_or_default();
                self.finds(&rooms.found);
            }
            for poll in 0..=self.others.len() {
                let Some(room) = self.room_of(poll) else {
                    continue;
                };
                let journal = now(records::load_journal(&memory, room));
                let journal = journal.map_err(corrupt)?;
                match (journal, self.oracle_of(poll)) {
                    (Some(journal), Some(oracle)) if is_whole => oracle.journal_is(&journal)?,
                    (Some(journal), Some(oracle)) => oracle.journal_grows(&journal)?,
                    (None, _) | (_, None) => {}
                }
            }
            Ok(())
        } else if let poll = self.slots[slot].poll
            && let Some(room) = self.room_of(poll)
            && is_whole
        {
            let device = self.slots[slot].device;
            let kept = now(records::load_participant(&memory, device, room));
            let (outbox, cache) = kept.map_err(corrupt)?;
            match self.oracle_of(poll) {
                Some(oracle) => oracle.disk_is(slot, &outbox, cache.as_ref()),
                None => Ok(()),
            }
        } else {
            Ok(())
        }
    }

    /// The journal of another poll, of which each record has a bit that is another.
    pub(super) fn add_other_poll(&mut self) {
        let owner = self.slots[OWNER].peer;
        let poll_id = PollId::from_uuid(Uuid::from_u128(77));
        let mut batch = Batch::new();
        Journal::new(RoomId { owner, poll_id }).begin(&mut batch, Revision::ZERO, b"{}");
        let mut damaged = Batch::new();
        for write in batch.into_writes() {
            if let Write::Put { key, value } = write {
                let value = self.flip(&value);
                damaged.put(key, value);
            }
        }
        self.slots[OWNER].write(damaged, Durability::Strict);
    }

    /// One bit of a participant's copy of the poll changes.
    pub(super) fn damage_cache(&mut self, slot: usize) {
        let Some(room) = self.room_of(self.slots[slot].poll) else {
            return;
        };
        let part = cache(self.slots[slot].device, room);
        let end = Bytes::from([&part[..], &[0xff; 16]].concat());
        let records = now(self.slots[slot].memory.scan(part..end));
        let records = records.unwrap_or_default();
        if records.is_empty() || self.draw(2) == 0 {
            return;
        }
        let at = self.draw(records.len() as u64);
        let (key, value) = &records[usize::try_from(at).expect("there are few")];
        let (key, value) = (key.clone(), self.flip(value));
        self.trace("damage", &(slot, &key));
        let mut batch = Batch::new();
        batch.put(key, value);
        self.slots[slot].write(batch, Durability::Strict);
    }

    fn flip(&mut self, value: &Bytes) -> Bytes {
        let bit = usize::try_from(self.draw(8 * value.len() as u64)).expect("it is short");
        let mut value = value.to_vec();
        value[bit / 8] ^= 1 << (bit % 8);
        value.into()
    }

    /// A participant forgets a command.
    pub(super) fn forget(&mut self, slot: usize, seq: Seq) {
        let Some(room) = self.room_of(self.slots[slot].poll) else {
            return;
        };
        let mut batch = Batch::new();
        Outbox::new(self.slots[slot].device, room).remove(&mut batch, seq);
        self.slots[slot].write(batch, Durability::Strict);
    }
}

impl Slot {
    pub(super) fn write(&mut self, batch: Batch, durability: Durability) {
        now(self.memory.commit(batch, durability)).expect("memory does not fail");
    }
}

fn batch_of(writes: Vec<Write>) -> Batch {
    let mut batch = Batch::new();
    for write in writes {
        match write {
            Write::Put { key, value } => batch.put(key, value),
            Write::Delete { key } => batch.delete(key),
            Write::DeleteRange { range } => batch.delete_range(range),
        }
    }
    batch
}

/// The result of a future that never waits: those of a store in memory.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory does not wait")
}

/// The beginning that the keys of all receipts of a room share.
fn receipts(room: RoomId) -> Bytes {
    let receipt = Receipt {
        seq: Seq::FIRST,
        command_id: CommandId::new(0, [0; 10]),
        digest: 0,
        outcome: Outcome::Applied(Revision::ZERO),
    };
    let (author, device) = (PeerId::from_bytes([0; 32]), DeviceId::from_bytes([0; 5]));
    let mut batch = Batch::new();
    Journal::new(room).receipt(&mut batch, author, device, &receipt);
    // After it come author, device and a place in a ring.
    let key = first_key(&batch);
    key.slice(..key.len() - 32 - 5 - 1)
}

/// The beginning that the keys of all updates of a journal share.
fn updates(room: RoomId) -> Bytes {
    let mut batch = Batch::new();
    Journal::new(room).append(&mut batch, Revision::ZERO, Bytes::new());
    let key = first_key(&batch);
    key.slice(..key.len() - 8)
}

/// The beginning that the keys of all entries of an outbox share.
fn entries(device: DeviceId, room: RoomId) -> Bytes {
    let mut batch = Batch::new();
    Outbox::new(device, room).put(&mut batch, Seq::FIRST, Bytes::new());
    let key = first_key(&batch);
    key.slice(..key.len() - 8)
}

/// The beginning that the keys of a cache share.
fn cache(device: DeviceId, room: RoomId) -> Bytes {
    let mut batch = Batch::new();
    Cache::new(device, room).append(&mut batch, Revision::ZERO, Bytes::new());
    let key = first_key(&batch);
    // Before the kind of record, and its revision.
    key.slice(..key.len() - 8 - 1)
}

fn first_key(batch: &Batch) -> Bytes {
    match &batch.writes()[0] {
        Write::Put { key, .. } | Write::Delete { key } => key.clone(),
        Write::DeleteRange { range } => range.start.clone(),
    }
}

#[async_trait]
impl Store for Disk {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let memory = self
            .process
            .scene()
            .map(|scene| scene.slots[self.process.slot].memory.clone());
        match memory {
            Some(memory) => memory.get(key).await,
            None => pending().await,
        }
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        if let Some(duration) = self.wait() {
            self.clock.sleep_until(self.clock.now() + duration).await;
        }
        match aside(self.process.meter, || self.read(range)) {
            Some(records) => records,
            None => pending().await,
        }
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let meter = self.process.meter;
        let Some(duration) = aside(meter, || self.begin(&batch)) else {
            return pending().await;
        };
        self.clock.sleep_until(self.clock.now() + duration).await;
        match aside(meter, || self.finish(batch, durability)) {
            Some(answer) => answer,
            None => pending().await,
        }
    }
}
