//! The journal: the poll that an owner hosts.

use bytes::Bytes;
#[cfg(feature = "export")]
use hustings_protocol::StoredLog;
use hustings_protocol::{DeviceId, PeerId, Receipt, Revision, RoomId, StoredJournal};

use crate::keys::{self, Fields, Key, corrupt, misplaced, unknown_key};
use crate::log::Log;
use crate::seal::{self, Unsealed};
use crate::{Aside, Batch, Listed, Store, StoreError};

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
        self.enlist(batch);
        self.log.put_snapshot(batch, revision, frame, keep_after);
    }

    /// Adds the update of this revision, which is the last one's + 1.
    pub fn append(&self, batch: &mut Batch, revision: Revision, frame: Bytes) {
        self.log.append(batch, revision, &frame);
    }

    /// Records the outcome of a command of this device, in place of the outcome of the command
    /// [`WINDOW`](hustings_protocol::WINDOW) before it.
    pub fn receipt(&self, batch: &mut Batch, author: PeerId, device: DeviceId, receipt: &Receipt) {
        let key = self
            .log
            .part(keys::RECEIPT)
            .peer(author)
            .device(device)
            .byte(keys::place_in_ring(receipt.seq));
        let value = serde_json::to_vec(receipt)
            .expect("a receipt is numbers, words and text, all of which JSON has");
        seal::put(batch, key, &value);
    }

    /// Puts the journal into the list of journals, where [`list`](Journal::list) has named its
    /// entry as damaged. A new snapshot does it, too.
    pub fn enlist(&self, batch: &mut Batch) {
        seal::put(batch, self.entry(), &[]);
    }

    /// The key of the journal's entry in the list of journals, by which
    /// [`Damaged::key`](crate::Damaged::key) tells an entry from other records.
    #[must_use]
    pub fn list_key(&self) -> Bytes {
        self.entry().bytes()
    }

    /// Removes everything of the poll: log and receipts, damaged or not.
    pub fn remove(&self, batch: &mut Batch) {
        batch.delete(self.entry().bytes());
        self.log.remove(batch);
    }

    /// Puts the journal aside: from the commit on [`load`](Journal::load) refuses it. It must be
    /// there, and no driver may have it open.
    pub fn put_aside(&self, batch: &mut Batch, why: Aside) {
        seal::put(batch, self.log.part(keys::ASIDE), &why.to_bytes());
    }

    /// Takes the journal back that was put aside.
    pub fn take_back(&self, batch: &mut Batch) {
        batch.delete(self.log.part(keys::ASIDE).bytes());
    }

    /// The reason why the journal is put aside, if it is.
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`].
    pub async fn aside(&self, store: &impl Store) -> Result<Option<Aside>, StoreError> {
        let key = self.log.part(keys::ASIDE).bytes();
        let record = store.get(&key).await?;
        record
            .map(|record| self.read_aside(&key, &record))
            .transpose()
    }

    /// Reads the journal, to host it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store's own errors, [`StoreError::PutAside`] for a journal that is not to be hosted, and
    /// [`StoreError::Corrupt`] with the name of the record if an update is missing, there is no
    /// snapshot, or a record is damaged or stands under another key.
    pub async fn load(&self, store: &impl Store) -> Result<Option<StoredJournal>, StoreError> {
        match self.load_any(store).await? {
            Some((_, Some(why))) => Err(StoreError::PutAside(why)),
            Some((journal, None)) => Ok(Some(journal)),
            None => Ok(None),
        }
    }

    /// Reads the journal, to be hosted or put aside, as of one moment; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Journal::load), without [`StoreError::PutAside`].
    pub async fn load_any(
        &self,
        store: &impl Store,
    ) -> Result<Option<(StoredJournal, Option<Aside>)>, StoreError> {
        let scanned = self.log.scan(store).await?;
        let mut receipts = Vec::with_capacity(scanned.others.len());
        // Where the receipts of the device begin that is being read.
        let mut ring = 0;
        let mut aside = None;
        for (part, key, value) in scanned.others {
            if part == keys::ASIDE && key.len() == self.log.scope().bytes().len() + 1 {
                aside = Some(self.read_aside(&key, &value)?);
                continue;
            }
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
        // Not every record that is missing leaves a hole, so those that nobody else has are looked
        // through, too.
        let scope = self.log.scope().bytes();
        let (_, beside) = Index::read(store).await?;
        let elsewhere = match seal::misplaced_among(&scope, &beside) {
            Some(key) => Some(key.clone()),
            None => seal::find_under_other_tags(store, &scope).await?,
        };
        if let Some(key) = elsewhere {
            return Err(misplaced(self.log.name(), &key));
        }
        let Some(log) = scanned.log else {
            return match receipts.first() {
                Some((author, device, _)) => Err(corrupt(
                    self.receipt_name(*author, *device),
                    "there is no snapshot",
                )),
                None if aside.is_some() => Err(corrupt(self.log.name(), "there is no snapshot")),
                None => Ok(None),
            };
        };
        Ok(Some((StoredJournal { log, receipts }, aside)))
    }

    /// Writes a whole journal, in place of any other.
    #[cfg(feature = "export")]
    pub(crate) fn write(&self, batch: &mut Batch, journal: &StoredJournal) {
        let (revision, frame) = &journal.log.snapshot;
        self.begin(batch, *revision, frame);
        for (revision, frame) in &journal.log.tail {
            self.append(batch, *revision, frame.clone());
        }
        self.write_receipts(batch, &journal.receipts);
    }

    #[cfg(feature = "export")]
    pub(crate) fn write_receipts<'a>(
        &self,
        batch: &mut Batch,
        receipts: impl IntoIterator<Item = &'a DeviceReceipt>,
    ) {
        for (author, device, receipt) in receipts {
            self.receipt(batch, *author, *device, receipt);
        }
    }

    /// False if a journal from elsewhere has a gap, or its snapshot is out of its place.
    #[cfg(feature = "export")]
    pub(crate) fn is_sound(&self, journal: &StoredJournal) -> bool {
        let StoredLog { snapshot, tail } = &journal.log;
        self.log.validate(snapshot.0, tail).is_ok()
    }

    /// The record of the snapshot as it is stored, with its key: another one, or none, is another
    /// journal.
    #[cfg(feature = "export")]
    pub(crate) async fn snapshot_record(
        &self,
        store: &impl Store,
    ) -> Result<(Bytes, Option<Bytes>), StoreError> {
        let key = self.log.part(keys::SNAPSHOT).bytes();
        let record = store.get(&key).await?;
        Ok((key, record))
    }

    /// Every record of the journal as it is stored, damaged or not, in the order of the keys: to
    /// keep elsewhere what [`load`](Journal::load) cannot read, before it is removed. Put into
    /// another store, they are the same journal there.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn export(&self, store: &impl Store) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let mut records = store.scan(self.entry().prefix_range()).await?;
        records.extend(store.scan(self.log.scope().prefix_range()).await?);
        Ok(records)
    }

    /// Every room that has a journal in the store, in the order of the room links, and the records
    /// that name no room, or belong to no journal.
    ///
    /// A journal whose entry in the list is gone is found nevertheless, and the entry is named as
    /// damaged. The journals themselves are checked by [`load`](Journal::load).
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn list(store: &impl Store) -> Result<Listed<RoomId>, StoreError> {
        let (index, beside) = Index::read(store).await?;
        let mut listed = Listed::default();
        for (key, value) in &index.entries {
            let Some(room) = Index::room(key) else {
                listed.damage(key, unknown_key("the list of journals", key));
                continue;
            };
            match seal::open(key, value, Unsealed::Len(0)) {
                Ok(_) => listed.found.push(room),
                Err(reason) => {
                    let name = format_args!("the list of journals, entry of {room}");
                    listed.damage(key, corrupt(name, reason));
                }
            }
        }
        for (key, value) in &beside {
            let room = Fields::after(key, 1).room();
            let journal = room.map(Self::new);
            if let Some(journal) = journal
                && journal.log.part(keys::SNAPSHOT).bytes() == *key
                && seal::open(key, value, Unsealed::Snapshot).is_ok()
            {
                // The list is in the order of the rooms, as its keys are.
                let room = journal.room_id();
                let at = listed.found.partition_point(|other| *other < room);
                listed.found.insert(at, room);
                let name = format_args!("the list of journals, entry of {}", journal.room_id());
                listed.damage(&journal.entry().bytes(), corrupt(name, "it is missing"));
            } else if !room.is_some_and(|room| listed.found.contains(&room)) {
                listed.damage(key, unknown_key("the journals", key));
            }
        }
        listed.complete()
    }

    /// The key of the journal's entry in the list of journals.
    fn entry(&self) -> Key {
        Key::new(keys::JOURNAL_INDEX).room(self.room_id())
    }

    fn read_aside(&self, key: &[u8], record: &Bytes) -> Result<Aside, StoreError> {
        let name = || format!("{}, why it is put aside", self.log.name());
        Aside::from_record(key, record).map_err(|reason| corrupt(name(), reason))
    }

    fn read_receipt(&self, key: &[u8], value: &Bytes) -> Result<DeviceReceipt, StoreError> {
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
        let value =
            seal::open(key, value, Unsealed::Object).map_err(|reason| corrupt(record(), reason))?;
        let text = std::str::from_utf8(&value).map_err(|error| corrupt(record(), error))?;
        let receipt: Receipt =
            serde_json::from_str(text).map_err(|error| corrupt(record(), error))?;
        if keys::place_in_ring(receipt.seq) != slot {
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

/// The list of journals, as it is stored.
struct Index {
    entries: Vec<(Bytes, Bytes)>,
}

impl Index {
    /// The list, and the records of journals that belong to none of it. There are none unless
    /// something is damaged, so this reads no journal.
    async fn read(store: &impl Store) -> Result<(Self, Vec<(Bytes, Bytes)>), StoreError> {
        let range = Key::new(keys::JOURNAL_INDEX).prefix_range();
        let mut entries = store.scan(range.clone()).await?;
        loop {
            let beside = Self::beside(&entries, store).await?;
            if beside.is_empty() {
                return Ok((Self { entries }, beside));
            }
            // Another tab may have begun a journal since the list was read.
            let again = store.scan(range.clone()).await?;
            if again == entries {
                return Ok((Self { entries }, beside));
            }
            entries = again;
        }
    }

    async fn beside(
        entries: &[(Bytes, Bytes)],
        store: &impl Store,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let all = Key::new(keys::JOURNAL).prefix_range();
        let mut beside = Vec::new();
        let mut from = all.start;
        let sound = entries
            .iter()
            .filter(|(key, value)| seal::open(key, value, Unsealed::Len(0)).is_ok());
        for room in sound.filter_map(|(key, _)| Self::room(key)) {
            let of_room = Journal::new(room).log.scope().prefix_range();
            beside.extend(store.scan(from..of_room.start).await?);
            from = of_room.end;
        }
        beside.extend(store.scan(from..all.end).await?);
        Ok(beside)
    }

    fn room(key: &[u8]) -> Option<RoomId> {
        let mut fields = Fields::after(key, 1);
        fields.room().filter(|_| fields.is_empty())
    }
}

pub(crate) type DeviceReceipt = (PeerId, DeviceId, Receipt);

fn same_device(one: &DeviceReceipt, other: &DeviceReceipt) -> bool {
    (one.0, one.1) == (other.0, other.1)
}
