//! A store that can be watched and held up.

use std::future::{Future, poll_fn};
use std::ops::{Deref, Range};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use bytes::Bytes;
use hustings_outbox::{Batch, Durability, MemoryStore, Store, StoreError};

/// A [`MemoryStore`] that counts its commits and can make them wait. It survives the process that
/// uses it; what a test does to the memory itself goes through [`Deref`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    memory: MemoryStore,
    watch: Arc<Mutex<Watch>>,
}

#[derive(Debug, Default)]
struct Watch {
    /// The durability of each commit that succeeded.
    commits: Vec<Durability>,
    is_held: bool,
    waiting: Vec<Waker>,
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

    /// The number of commits so far.
    pub(crate) fn commits(&self) -> usize {
        self.watch().commits.len()
    }

    /// The durability of the last commit.
    pub(crate) fn last_durability(&self) -> Option<Durability> {
        self.watch().commits.last().copied()
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

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// As `async_trait` would write it, which is not worth a dependency.
impl Store for Disk {
    fn get<'life0, 'life1, 'async_trait>(
        &'life0 self,
        key: &'life1 [u8],
    ) -> Answer<'async_trait, Option<Bytes>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
    {
        self.memory.get(key)
    }

    fn scan<'life0, 'async_trait>(
        &'life0 self,
        range: Range<Bytes>,
    ) -> Answer<'async_trait, Vec<(Bytes, Bytes)>>
    where
        'life0: 'async_trait,
    {
        self.memory.scan(range)
    }

    fn commit<'life0, 'async_trait>(
        &'life0 self,
        batch: Batch,
        durability: Durability,
    ) -> Answer<'async_trait, ()>
    where
        'life0: 'async_trait,
    {
        Box::pin(async move {
            self.released().await;
            self.memory.commit(batch, durability).await?;
            self.watch().commits.push(durability);
            Ok(())
        })
    }
}
