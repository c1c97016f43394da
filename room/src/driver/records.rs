//! Records in a store: where each is written, and how it is read again. For drivers of other
//! crates, too.

use bytes::Bytes;
use hustings_outbox::{Batch, Cache, Durability, Journal, Outbox, Store, StoreError};
use hustings_protocol::batch::{MAX_BYTES, MAX_MESSAGES};
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{DeviceId, Revision, RoomId, StoredJournal, StoredLog, StoredOutbox};

use crate::{Persist, Record};

/// The records of one commit. Updates of a copy that come together are one record there, or two
/// when they are many: a crowd's votes are hundreds in a second, of which a store need not have one
/// each.
#[derive(Debug, Default)]
pub(super) struct Records {
    batch: Batch,
    copied: Option<Copied>,
}

#[derive(Debug)]
struct Copied {
    room: RoomId,
    updates: Vec<(Revision, Bytes)>,
    bytes: usize,
}

impl Records {
    /// Adds a record.
    pub(super) fn add(&mut self, device: DeviceId, persist: Persist) {
        match persist {
            Persist {
                room,
                record: Record::CacheUpdate { revision, frame },
            } => {
                let fits = self.copied.as_ref().is_none_or(|copied| {
                    copied.room == room
                        && copied.updates.len() < MAX_MESSAGES
                        && copied.bytes + frame.len() < MAX_BYTES
                });
                if !fits {
                    self.stage_copied(device);
                }
                let copied = self.copied.get_or_insert_with(|| Copied {
                    room,
                    updates: Vec::new(),
                    bytes: 0,
                });
                copied.bytes += frame.len() + 1;
                copied.updates.push((revision, frame));
            }
            persist => {
                if matches!(persist.record, Record::CacheSnapshot { .. }) {
                    // It takes the place of what was there.
                    self.stage_copied(device);
                }
                stage(&mut self.batch, device, persist);
            }
        }
    }

    fn stage_copied(&mut self, device: DeviceId) {
        if let Some(Copied { room, updates, .. }) = self.copied.take() {
            Cache::new(device, room).append_all(&mut self.batch, &updates);
        }
    }

    /// All of them.
    pub(super) fn into_batch(mut self, device: DeviceId) -> Batch {
        self.stage_copied(device);
        self.batch
    }
}

/// Adds a record to a batch.
pub fn stage(batch: &mut Batch, device: DeviceId, persist: Persist) {
    let Persist { room, record } = persist;
    match record {
        Record::Queued { seq, frame } => Outbox::new(device, room).put(batch, seq, frame),
        Record::Settled { seq, applied } => {
            let outbox = Outbox::new(device, room);
            match applied {
                Some(frame) => outbox.keep_applied(batch, seq, &frame),
                None => outbox.remove(batch, seq),
            }
        }
        Record::CacheSnapshot { revision, frame } => {
            // A participant serves nobody, so it needs no update that is older than the snapshot,
            // and none of another epoch, which may have a higher revision.
            Cache::new(device, room).begin(batch, revision, &frame);
        }
        Record::CacheUpdate { revision, frame } => {
            Cache::new(device, room).append(batch, revision, frame);
        }
        Record::JournalSnapshot {
            revision,
            keep_after,
            frame,
        } => Journal::new(room).put_snapshot(batch, revision, &frame, keep_after),
        Record::JournalUpdate {
            revision,
            frame,
            author,
            device,
            receipt,
        } => {
            let journal = Journal::new(room);
            journal.append(batch, revision, frame);
            journal.receipt(batch, author, device, &receipt);
        }
        Record::JournalRejection {
            author,
            device,
            receipt,
        } => Journal::new(room).receipt(batch, author, device, &receipt),
    }
}

/// The durability that a record needs.
#[must_use]
pub const fn durability(record: &Record) -> Durability {
    if record.must_survive_power_loss() {
        Durability::Strict
    } else {
        Durability::Relaxed
    }
}

/// The outbox and the cache that an earlier participant on this device has stored for a room.
///
/// A cache is a copy, so a damaged one is no cache: the owner sends the poll again, and that
/// replaces it.
///
/// # Errors
///
/// The store failed, or a record of the outbox is damaged.
pub async fn load_participant(
    store: &impl Store,
    device: DeviceId,
    room: RoomId,
) -> Result<(StoredOutbox, Option<StoredLog>), StoreError> {
    let outbox = Outbox::new(device, room).load(store).await?;
    let cache = match Cache::new(device, room).load(store).await {
        Err(StoreError::Corrupt { .. }) if !planted::is_on(Fault::UnreadableCacheBlocks) => None,
        loaded => loaded?,
    };
    Ok((outbox, cache))
}

/// An owner's journal; `None` if the store has none for that room.
///
/// # Errors
///
/// The store failed, a record is damaged, or the journal is put aside.
pub async fn load_journal(
    store: &impl Store,
    room: RoomId,
) -> Result<Option<StoredJournal>, StoreError> {
    Journal::new(room).load(store).await
}
