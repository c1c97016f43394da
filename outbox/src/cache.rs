//! The cache: a participant's copy of a poll, to show it while the owner is away.

use bytes::Bytes;
use hustings_protocol::{DeviceId, Envelope, Limits, Revision, RoomId, StoredLog, batch};

use crate::keys::{self, unknown_key};
use crate::log::Log;
use crate::{Batch, Store, StoreError};

/// The name of a participant's copy of one poll: the snapshot that it got, and the updates since.
///
/// It has no state: the changing methods add to a [`Batch`], and [`load`](Cache::load) reads. A
/// [`Relaxed`](crate::Durability::Relaxed) commit is enough: the owner sends again what a loss of
/// power takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    log: Log,
}

impl Cache {
    /// This device's cache of this room. Each device has its own, as it has its own outbox: two
    /// tabs that share a store are two participants, and may be at different revisions.
    #[must_use]
    pub const fn new(device: DeviceId, room: RoomId) -> Self {
        Self {
            log: Log::new(keys::CACHE, "cache", Some(device), room),
        }
    }

    /// The room of this cache.
    #[must_use]
    pub const fn room_id(&self) -> RoomId {
        self.log.room
    }

    /// Begins a history: removes the old one and starts with this snapshot.
    ///
    /// Call it for the first snapshot of a room, and when the owner has a new
    /// [`Epoch`](hustings_protocol::Epoch): otherwise updates of the old history, whose revisions
    /// may be higher, would seem to follow the new snapshot.
    pub fn begin(&self, batch: &mut Batch, revision: Revision, frame: &[u8]) {
        self.remove(batch);
        self.put_snapshot(batch, revision, frame, revision);
    }

    /// Replaces the snapshot and removes the updates up to and including `keep_after`.
    ///
    /// `keep_after` is at most `revision`; a later one counts as `revision`. If it is earlier, the
    /// update of `revision` itself must have been appended, before or in this batch.
    pub fn put_snapshot(
        &self,
        batch: &mut Batch,
        revision: Revision,
        frame: &[u8],
        keep_after: Revision,
    ) {
        self.log.put_snapshot(batch, revision, frame, keep_after);
    }

    /// Adds the update of this revision, which is the last one's + 1.
    pub fn append(&self, batch: &mut Batch, revision: Revision, frame: Bytes) {
        self.log.append(batch, revision, &frame);
    }

    /// Adds updates that follow each other, each with its revision, as one record: in a browser a
    /// record costs some tenths of a millisecond, and in a crowd there are hundreds at a time.
    /// There are at most [`batch::MAX_MESSAGES`].
    pub fn append_all(&self, batch: &mut Batch, updates: &[(Revision, Bytes)]) {
        if let Some((last, _)) = updates.last() {
            let frames: Vec<Bytes> = updates.iter().map(|(_, frame)| frame.clone()).collect();
            self.log.append(batch, *last, &batch::join(&frames));
        }
    }

    /// Removes everything of the poll.
    pub fn remove(&self, batch: &mut Batch) {
        self.log.remove(batch);
    }

    /// Reads the cache; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`] with the name of the record if an update
    /// is missing, there is no snapshot, or a record is damaged.
    pub async fn load(&self, store: &impl Store) -> Result<Option<StoredLog>, StoreError> {
        let scanned = self.log.scan(store).await?;
        match scanned.others.first() {
            Some((_, key, _)) => Err(unknown_key(self.log.name(), key)),
            None => scanned.log.map(|log| self.each(log)).transpose(),
        }
    }

    /// The log with each update by itself, also those that share a record.
    fn each(&self, log: StoredLog) -> Result<StoredLog, StoreError> {
        let StoredLog { snapshot, tail } = log;
        let mut each = Vec::with_capacity(tail.len());
        for (at, frame) in tail {
            if !batch::is_batch(&frame) {
                each.push((at, frame));
                continue;
            }
            let damaged = |reason: String| self.log.corrupt_frame(at, &reason);
            let messages = batch::messages(&frame, frame.len());
            for message in messages.map_err(|error| damaged(error.to_string()))? {
                let envelope = Envelope::parse(message, message.len(), &Limits::unbounded());
                let envelope = envelope.map_err(|error| damaged(error.to_string()))?;
                let revision = envelope.revision();
                let revision = revision.ok_or_else(|| damaged("it has no revision".to_owned()))?;
                each.push((revision, frame.slice_ref(message)));
            }
        }
        Ok(StoredLog {
            snapshot,
            tail: each,
        })
    }
}
