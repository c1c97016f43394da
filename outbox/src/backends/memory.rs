//! A store in memory, for tests, demos and simulations.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Batch, Durability, Store, StoreError, Write};

/// A store that a test can crash, copy and make fail.
///
/// A clone is another handle of the same store. A process crash leaves everything that the handles
/// show; a loss of power leaves what is there after [`crash`](MemoryStore::crash).
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

/// The operation that a planned fault hits, see [`MemoryStore::fail_next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A commit fails, and no change of its batch is there.
    Commit,
    /// A commit fails although its batch took effect: the case that [`StoreError::Io`] leaves open.
    CommitReport,
    /// A `get` or a `scan` fails.
    Read,
}

#[derive(Debug, Clone, Default)]
struct State {
    records: BTreeMap<Bytes, Bytes>,
    /// The old value of each key that a relaxed commit changed since the last strict one: a loss of
    /// power brings it back. Its size depends on the keys, not on the number of commits.
    before: BTreeMap<Bytes, Option<Bytes>>,
    faults: Vec<(Fault, StoreError)>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses power: the [`Relaxed`](Durability::Relaxed) commits since the last
    /// [`Strict`](Durability::Strict) one are undone, for all handles. Planned faults are
    /// forgotten.
    pub fn crash(&self) {
        let mut state = self.lock();
        let before = std::mem::take(&mut state.before);
        for (key, value) in before {
            match value {
                Some(value) => state.records.insert(key, value),
                None => state.records.remove(&key),
            };
        }
        state.faults.clear();
    }

    /// A separate store with a copy of this one's content: a backup. A loss of power undoes the
    /// same commits in the copy as in this one. Planned faults are not copied.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut copy = self.lock().clone();
        copy.faults.clear();
        Self {
            state: Arc::new(Mutex::new(copy)),
        }
    }

    /// Replaces this store's content by that of a backup, for all handles, like a person who
    /// restores an old copy of a disk. Planned faults stay.
    pub fn restore(&self, backup: &Self) {
        // Copied first: the two may be the same store.
        let copy = backup.fork();
        let mut copied = copy.lock();
        let mut state = self.lock();
        state.records = std::mem::take(&mut copied.records);
        state.before = std::mem::take(&mut copied.before);
    }

    /// Plans a fault: the next operation of that kind fails with this error. Several of one kind
    /// hit one operation each.
    pub fn fail_next(&self, fault: Fault, error: StoreError) {
        self.lock().faults.push((fault, error));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics between two changes of the state that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn strike(&mut self, fault: Fault) -> Result<(), StoreError> {
        match self.faults.iter().position(|(of, _)| *of == fault) {
            Some(index) => Err(self.faults.remove(index).1),
            None => Ok(()),
        }
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Put { key, value } => {
                let old = self.records.insert(key.clone(), value);
                self.before.entry(key).or_insert(old);
            }
            Write::Delete { key } => self.delete(key),
            Write::DeleteRange { range } => {
                let keys: Vec<Bytes> = within(&self.records, &range)
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in keys {
                    self.delete(key);
                }
            }
        }
    }

    fn delete(&mut self, key: Bytes) {
        if let Some(old) = self.records.remove(&key) {
            self.before.entry(key).or_insert(Some(old));
        }
    }
}

/// The records of a range; none if it is inverted, because `BTreeMap::range` would panic.
fn within<'a>(
    records: &'a BTreeMap<Bytes, Bytes>,
    range: &Range<Bytes>,
) -> impl Iterator<Item = (&'a Bytes, &'a Bytes)> {
    (range.start < range.end)
        .then(|| records.range(range.clone()))
        .into_iter()
        .flatten()
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl Store for MemoryStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let mut state = self.lock();
        state.strike(Fault::Read)?;
        Ok(state.records.get(key).cloned())
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let mut state = self.lock();
        state.strike(Fault::Read)?;
        Ok(within(&state.records, &range)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.strike(Fault::Commit)?;
        for (key, value) in batch.required() {
            if state.records.get(key) != value.as_ref() {
                return Err(StoreError::unmet(key));
            }
        }
        for write in batch.into_writes() {
            state.apply(write);
        }
        match durability {
            Durability::Strict => state.before.clear(),
            Durability::Relaxed => {}
        }
        state.strike(Fault::CommitReport)
    }
}
