//! The journal: the poll that an owner hosts.

use bytes::Bytes;
use hustings_protocol::{DeviceId, PeerId, Receipt, Revision, RoomId, StoredJournal, WINDOW};

use crate::keys::{self, Fields, Key, corrupt, unknown_key};
use crate::log::Log;
use crate::{Batch, Store, StoreError};

/// The name of the journal of one poll: a log of snapshots and updates, and the receipts by which
/// each command is applied only once.
///
/// It has no state: the changing methods add to a [`Batch`], which the caller commits
/// [`Strict`](crate::Durability::Strict)ly, with an update and its receipt in one, and
/// [`load`](Journal::load) reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journal {
    log: Log,
}

impl Journal {
    /// The journal of this room.
    #[must_use]
    pub const fn new(room: RoomId) -> Self {
        Self {
            log: Log::new(keys::JOURNAL, "journal", None, room),
        }
    }

    /// The room of this journal.
    #[must_use]
    pub const fn room_id(&self) -> RoomId {
        self.log.room
    }

    /// Begins a history: removes the old one with its receipts, and starts with this snapshot.
    ///
    /// Frames of an earlier history, even with higher revisions, never follow the new snapshot.
    pub fn begin(&self, batch: &mut Batch, revision: Revision, frame: &[u8]) {
        self.remove(batch);
        self.put_snapshot(batch, revision, frame, revision);
    }

    /// Replaces the snapshot and removes the updates up to and including `keep_after`.
    ///
    /// An owner keeps some older updates for participants that are a little behind, so `keep_after`
    /// is at most `revision`; a later one counts as `revision`. If it is earlier, the update of
    /// `revision` itself must have been appended, before or in this batch.
    pub fn put_snapshot(
        &self,
        batch: &mut Batch,
        revision: Revision,
        frame: &[u8],
        keep_after: Revision,
    ) {
        batch.put(
            Key::new(keys::JOURNAL_INDEX).room(self.room_id()).bytes(),
            Bytes::new(),
        );
        self.log.put_snapshot(batch, revision, frame, keep_after);
    }

    /// Adds the update of this revision, which is the last one's + 1.
    pub fn append(&self, batch: &mut Batch, revision: Revision, frame: Bytes) {
        self.log.append(batch, revision, frame);
    }

    /// Records the outcome of a command of this device, in place of the outcome of the command
    /// [`WINDOW`] before it.
    pub fn receipt(&self, batch: &mut Batch, author: PeerId, device: DeviceId, receipt: &Receipt) {
        let key = self
            .log
            .part(keys::RECEIPT)
            .peer(author)
            .device(device)
            .byte(ring_slot(receipt));
        let value = serde_json::to_vec(receipt)
            .expect("a receipt is numbers, words and text, all of which JSON has");
        batch.put(key.bytes(), value);
    }

    /// Removes everything of the poll: log and receipts.
    pub fn remove(&self, batch: &mut Batch) {
        batch.delete(Key::new(keys::JOURNAL_INDEX).room(self.room_id()).bytes());
        self.log.remove(batch);
    }

    /// Reads the journal; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`] with the name of the record if an update
    /// is missing, there is no snapshot, or a record is damaged.
    pub async fn load(&self, store: &impl Store) -> Result<Option<StoredJournal>, StoreError> {
        let scanned = self.log.scan(store).await?;
        let mut receipts = Vec::with_capacity(scanned.others.len());
        // Where the receipts of the device begin that is being read.
        let mut ring = 0;
        for (part, key, value) in scanned.others {
            if part != keys::RECEIPT {
                return Err(unknown_key(self.log.name(), &key));
            }
            let read = self.read_receipt(&key, &value)?;
            if receipts
                .last()
                .is_some_and(|last| !same_device(last, &read))
            {
                ring = receipts.len();
            }
            // The scan gives a device's receipts by slot; most rings have never wrapped, and then
            // this is the end.
            let before = receipts[ring..].partition_point(|other| other.2.seq < read.2.seq);
            receipts.insert(ring + before, read);
        }
        let Some(log) = scanned.log else {
            return match receipts.first() {
                Some((author, device, _)) => Err(corrupt(
                    self.receipt_name(*author, *device),
                    "there is no snapshot",
                )),
                None => Ok(None),
            };
        };
        Ok(Some(StoredJournal { log, receipts }))
    }

    /// Every room that has a journal in the store, in the order of the room links.
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`] for a key that is not a journal's.
    pub async fn list(store: &impl Store) -> Result<Vec<RoomId>, StoreError> {
        let range = Key::new(keys::JOURNAL_INDEX).prefix_range();
        let index = store.scan(range).await?;
        index
            .iter()
            .map(|(key, _)| {
                let mut fields = Fields::after(key, 1);
                match fields.room() {
                    Some(room) if fields.is_empty() => Ok(room),
                    Some(_) | None => Err(unknown_key("the list of journals", key)),
                }
            })
            .collect()
    }

    fn read_receipt(&self, key: &[u8], value: &[u8]) -> Result<DeviceReceipt, StoreError> {
        const PREFIX: usize = 1 + 32 + 16 + 1;
        let mut fields = Fields::after(key, PREFIX);
        let (Some(author), Some(device), Some(slot), true) = (
            fields.peer(),
            fields.device(),
            fields.byte(),
            fields.is_empty(),
        ) else {
            return Err(unknown_key(self.log.name(), key));
        };
        let record = || format!("{}, slot {slot}", self.receipt_name(author, device));
        let text = std::str::from_utf8(value).map_err(|error| corrupt(record(), error))?;
        let receipt: Receipt =
            serde_json::from_str(text).map_err(|error| corrupt(record(), error))?;
        if ring_slot(&receipt) != slot {
            return Err(corrupt(
                record(),
                format_args!("seq {} is not in its slot", receipt.seq),
            ));
        }
        Ok((author, device, receipt))
    }

    fn receipt_name(&self, author: PeerId, device: DeviceId) -> String {
        format!("{}, receipt of {author}, device {device}", self.log.name())
    }
}

type DeviceReceipt = (PeerId, DeviceId, Receipt);

fn same_device(one: &DeviceReceipt, other: &DeviceReceipt) -> bool {
    (one.0, one.1) == (other.0, other.1)
}

fn ring_slot(receipt: &Receipt) -> u8 {
    u8::try_from(receipt.seq.get() % WINDOW).expect("the ring has fewer than 256 slots")
}
