//! Group commit: one thread writes for all handles.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use redb::{Database, ReadableTable, Table};

use super::RECORDS;
use super::errors::Failure;
use crate::{Batch, Durability, StoreError, Write};

/// The largest number of batches in one transaction, so that the first of them does not wait for an
/// endless queue.
const GROUP_BATCHES: usize = 256;

/// The size of keys and values in bytes above which a transaction takes no further batch.
const GROUP_BYTES: usize = 8 << 20;

/// A batch, and its waiting caller.
struct Waiting {
    batch: Batch,
    durability: Durability,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The handle of the writing thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` only while it is dropped.
    queue: Option<Sender<Waiting>>,
    /// `None` only while it is dropped.
    thread: Option<JoinHandle<()>>,
    failure: Failure,
}

impl Writer {
    pub(super) fn spawn(
        database: Arc<RwLock<Database>>,
        failure: Failure,
    ) -> Result<Self, StoreError> {
        let (queue, waiting) = channel();
        let of_thread = failure.clone();
        let thread = thread::Builder::new()
            .name("hustings-redb".to_owned())
            .spawn(move || run(&database, &waiting, &of_thread))
            .map_err(|error| failure.io(&error))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            failure,
        })
    }

    /// Queues a batch when it is first polled, and is ready when the batch is durable. Each caller
    /// waits for its own batch, so the queue is no longer than the number of callers.
    pub(super) async fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let closed = || self.failure.closed("its writing thread has ended");
        let (answer, answered) = oneshot::channel();
        self.queue
            .as_ref()
            .ok_or_else(closed)?
            .send(Waiting {
                batch,
                durability,
                answer,
            })
            .map_err(|_| closed())?;
        // The answer is dropped unsent if the thread panics.
        answered.await.map_err(|_| closed())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends when the queue is empty and has no sender.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A panic of the thread has been reported as an error to the callers that waited.
            let _ = thread.join();
        }
    }
}

fn run(database: &RwLock<Database>, waiting: &Receiver<Waiting>, failure: &Failure) {
    while let Ok(first) = waiting.recv() {
        let mut bytes = size(&first.batch);
        let mut group = vec![first];
        while group.len() < GROUP_BATCHES && bytes < GROUP_BYTES {
            let Ok(next) = waiting.try_recv() else { break };
            bytes = bytes.saturating_add(size(&next.batch));
            group.push(next);
        }
        let mut unmet = Vec::with_capacity(group.len());
        let result = {
            let database = database.read().unwrap_or_else(PoisonError::into_inner);
            commit(&database, &group, &mut unmet, failure)
        };
        // Of a transaction that failed, some may not have been looked at.
        unmet.resize(group.len(), None);
        for (member, unmet) in group.into_iter().zip(unmet) {
            let answer = match (&result, unmet) {
                (Ok(()), Some(unmet)) => Err(unmet),
                (result, _) => result.clone(),
            };
            // A caller that dropped its future does not need the answer.
            let _ = member.answer.send(answer);
        }
    }
}

fn size(batch: &Batch) -> usize {
    let of = |write: &Write| match write {
        Write::Put { key, value } => key.len() + value.len(),
        Write::Delete { key } => key.len(),
        Write::DeleteRange { range } => range.start.len() + range.end.len(),
    };
    batch.writes().iter().map(of).sum()
}

/// Commits those of a group whose requirements are met, and says of each what is not.
fn commit(
    database: &Database,
    group: &[Waiting],
    unmet: &mut Vec<Option<StoreError>>,
    failure: &Failure,
) -> Result<(), StoreError> {
    let durability = group
        .iter()
        .map(|member| member.durability)
        .max()
        .expect("a group has its first member");
    let mut transaction = database
        .begin_write()
        .map_err(|error| failure.transaction(error))?;
    transaction
        .set_durability(match durability {
            // redb's `None` stays in the process until a later `Immediate`; it has no level in
            // between, written but not synced.
            Durability::Relaxed | Durability::Strict => redb::Durability::Immediate,
        })
        .expect("there is no savepoint and no second process");
    {
        let mut table = transaction
            .open_table(RECORDS)
            .map_err(|error| failure.table(error))?;
        for Waiting { batch, .. } in group {
            let missed = missed(&table, batch).map_err(|error| failure.storage(error))?;
            if missed.is_none() {
                for write in batch.writes() {
                    apply(&mut table, write).map_err(|error| failure.storage(error))?;
                }
            }
            unmet.push(missed);
        }
    }
    transaction.commit().map_err(|error| failure.commit(error))
}

/// The first requirement of a batch that is not met, if any, by the records as the batches before
/// it have left them.
fn missed(
    table: &Table<'_, &[u8], &[u8]>,
    batch: &Batch,
) -> Result<Option<StoreError>, redb::StorageError> {
    for (key, value) in batch.required() {
        let found = table.get(&**key)?;
        if found.as_ref().map(redb::AccessGuard::value) != value.as_deref() {
            return Ok(Some(StoreError::unmet(key)));
        }
    }
    Ok(None)
}

fn apply(table: &mut Table<'_, &[u8], &[u8]>, write: &Write) -> Result<(), redb::StorageError> {
    match write {
        Write::Put { key, value } => drop(table.insert(&**key, &**value)?),
        Write::Delete { key } => drop(table.remove(&**key)?),
        Write::DeleteRange { range } => {
            table.retain_in::<&[u8], _>(&*range.start..&*range.end, |_, _| false)?;
        }
    }
    Ok(())
}
