//! A store that can be watched and held up.

use std::future::poll_fn;
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use hustings_outbox::{Batch, Durability, MemoryStore, Store, StoreError};

/// A [`MemoryStore`] that counts its commits and can make them, and what was read, wait. It
/// survives the process that uses it; what a test does to the memory itself goes through [`Deref`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    memory: MemoryStore,
    watch: Arc<Mutex<Watch>>,
}

#[derive(Debug, Default)]
struct Watch {
    /// Each commit that succeeded: the number of its writes, and its durability.
    commits: Vec<(usize, Durability)>,
    is_held: bool,
    waiting: Vec<Waker>,
    /// True while scans come late.
    is_slow: bool,
    /// The number of times that late scans were let go.
    catch_ups: u64,
    /// The number of scans that have been read and not handed over.
    late: usize,
    slow: Vec<Waker>,
}

impl Disk {
    /// From now on commits wait.
    pub(crate) fn hold(&self) {
        self.watch().is_held = true;
    }

    /// They go on.
    pub(crate) fn release(&self) {
        let mut watch = self.watch();
        watch.is_held = false;
        let waiting = std::mem::take(&mut watch.waiting);
        drop(watch);
        for waker in waiting {
            waker.wake();
        }
    }

    /// From now on a scan reads what is there, and hands it over when [`catch_up`](Self::catch_up)
    /// is called.
    pub(crate) fn read_slowly(&self) {
        self.watch().is_slow = true;
    }

    /// The scans that wait hand over what they have read long ago; those from now on are quick.
    pub(crate) fn catch_up(&self) {
        let mut watch = self.watch();
        watch.is_slow = false;
        watch.catch_ups += 1;
        let slow = std::mem::take(&mut watch.slow);
        drop(watch);
        for waker in slow {
            waker.wake();
        }
    }

    /// Scans from now on are quick; those that wait go on waiting.
    pub(crate) fn read_quickly(&self) {
        self.watch().is_slow = false;
    }

    /// The number of scans that have something to hand over and wait.
    pub(crate) fn late(&self) -> usize {
        self.watch().late
    }

    /// The number of commits so far.
    pub(crate) fn commits(&self) -> usize {
        self.watch().commits.len()
    }

    /// The durability of the last commit.
    pub(crate) fn last_durability(&self) -> Option<Durability> {
        self.commits_since(0).last().map(|commit| commit.1)
    }

    /// The commits after the first so many: the number of writes, and the durability.
    pub(crate) fn commits_since(&self, first: usize) -> Vec<(usize, Durability)> {
        self.watch().commits[first..].to_vec()
    }

    async fn released(&self) {
        poll_fn(|cx| {
            let mut watch = self.watch();
            if watch.is_held {
                watch.waiting.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    async fn caught_up(&self) {
        let before = self.watch().catch_ups;
        poll_fn(|cx| {
            let mut watch = self.watch();
            if watch.catch_ups == before {
                watch.slow.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().expect("nobody panics with it")
    }
}

impl Deref for Disk {
    type Target = MemoryStore;

    fn deref(&self) -> &MemoryStore {
        &self.memory
    }
}

#[async_trait]
impl Store for Disk {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.memory.get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let read = self.memory.scan(range).await;
        if self.watch().is_slow {
            let _late = Late::new(self);
            self.caught_up().await;
        }
        read
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.released().await;
        let writes = batch.len();
        self.memory.commit(batch, durability).await?;
        self.watch().commits.push((writes, durability));
        Ok(())
    }
}

/// Counts a scan that waits, for as long as somebody waits for it.
struct Late<'a>(&'a Disk);

impl<'a> Late<'a> {
    fn new(disk: &'a Disk) -> Self {
        disk.watch().late += 1;
        Self(disk)
    }
}

impl Drop for Late<'_> {
    fn drop(&mut self) {
        self.0.watch().late -= 1;
    }
}
