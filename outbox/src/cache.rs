//! What a participant keeps of a poll, to show it while the owner is away.

use bytes::Bytes;
use hustings_protocol::{DeviceId, Revision, RoomId, StoredLog};

use crate::keys::{self, unknown_key};
use crate::log::Log;
use crate::{Batch, Store, StoreError};

/// Names a participant's copy of one poll: the snapshot it got and the updates it got since.
///
/// It holds no state: the changing methods add to a [`Batch`], and [`load`](Cache::load) reads.
/// A [`Relaxed`](crate::Durability::Relaxed) commit is enough: what a loss of power takes, the
/// owner sends again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    log: Log,
}

impl Cache {
    /// This device's cache of this room. Each device has its own, as each has its own outbox: two
    /// tabs that share a store are two participants, and may be at different revisions.
    #[must_use]
    pub const fn new(device: DeviceId, room: RoomId) -> Self {
        Self {
            log: Log::new(keys::CACHE, "cache", Some(device), room),
        }
    }

    /// Which poll's cache this is.
    #[must_use]
    pub const fn room_id(&self) -> RoomId {
        self.log.room
    }

    /// Begins a history: forgets what there was and starts with this snapshot.
    ///
    /// For the first snapshot of a room and whenever the owner has a new
    /// [`Epoch`](hustings_protocol::Epoch): updates of the old history, whose revisions may be
    /// higher, would otherwise seem to follow the new snapshot.
    pub fn begin(&self, batch: &mut Batch, revision: Revision, frame: &[u8]) {
        self.remove(batch);
        self.put_snapshot(batch, revision, frame, revision);
    }

    /// Replaces the snapshot and removes the updates up to and including `keep_after`.
    ///
    /// `keep_after` is at most `revision`; a later one counts as `revision`. Where it is earlier,
    /// the update of `revision` itself has been appended, before or in this batch.
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
        self.log.append(batch, revision, frame);
    }

    /// Removes all of the poll.
    pub fn remove(&self, batch: &mut Batch) {
        self.log.remove(batch);
    }

    /// Reads the cache; `None` if there is none.
    ///
    /// # Errors
    ///
    /// What the store says, and [`StoreError::Corrupt`], naming the record, where an update is
    /// missing, there is no snapshot, or a record does not read as what was written.
    pub async fn load(&self, store: &impl Store) -> Result<Option<StoredLog>, StoreError> {
        let scanned = self.log.scan(store).await?;
        match scanned.others.first() {
            Some((_, key, _)) => Err(unknown_key(self.log.name(), key)),
            None => Ok(scanned.log),
        }
    }
}
