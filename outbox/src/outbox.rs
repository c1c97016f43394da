//! The outbox: the commands that a device has submitted and that have no outcome yet, and the last
//! ones that were applied.

use bytes::Bytes;
use hustings_protocol::{DeviceId, RoomId, Seq, StoredOutbox};

use crate::keys::{self, Fields, Key, corrupt, misplaced, unknown_key};
use crate::seal::{self, Unsealed};
use crate::{Batch, Durability, Listed, Store, StoreError};

/// The name of the outbox of one device for one room.
///
/// It has no state: the changing methods add to a [`Batch`], which the caller commits
/// [`Strict`](crate::Durability::Strict)ly, and [`load`](Outbox::load) reads.
///
/// An outbox belongs to a device because a browser's tab slots share one store, and each of them
/// numbers its own commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outbox {
    device: DeviceId,
    room: RoomId,
}

impl Outbox {
    /// The outbox of this device for this room.
    #[must_use]
    pub const fn new(device: DeviceId, room: RoomId) -> Self {
        Self { device, room }
    }

    /// The device of this outbox.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The room to which its commands go.
    #[must_use]
    pub const fn room_id(&self) -> RoomId {
        self.room
    }

    /// Adds a command's frame and, in the same batch, sets the next number to `seq` + 1.
    ///
    /// The numbers of successive calls must rise: an old number would set the counter back, and the
    /// next [`load`](Outbox::load) would find the later entries corrupt.
    pub fn put(&self, batch: &mut Batch, seq: Seq, frame: Bytes) {
        seal::put(batch, self.entry(seq), &frame);
        seal::put(batch, self.key(), &seq.next().get().to_be_bytes());
    }

    /// Removes a settled command, if it is there.
    pub fn remove(&self, batch: &mut Batch, seq: Seq) {
        batch.delete(self.entry(seq).bytes());
    }

    /// Gives up every command that has no outcome: none of them is sent from this outbox any more,
    /// and those that were sent may have taken effect or not. Their numbers are not given again.
    ///
    /// Only whoever has the device may do so, while nothing is driving the outbox. Returns how many
    /// there were.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Outbox::load), and of the commit.
    pub async fn give_up(&self, store: &impl Store) -> Result<usize, StoreError> {
        let entries = self.load(store).await?.entries;
        if entries.is_empty() {
            return Ok(0);
        }
        let mut batch = Batch::new();
        for (seq, _) in &entries {
            self.remove(&mut batch, *seq);
        }
        store.commit(batch, Durability::Strict).await?;
        Ok(entries.len())
    }

    /// Removes a command that was applied, if it is there, and keeps it among the last of these: an
    /// owner whose journal is an old copy has lost some, and is offered them again. There are
    /// [`WINDOW`](hustings_protocol::WINDOW) at most.
    pub fn keep_applied(&self, batch: &mut Batch, seq: Seq, frame: &[u8]) {
        self.remove(batch, seq);
        seal::put(batch, self.applied().byte(keys::place_in_ring(seq)), frame);
    }

    /// Reads the outbox. One that was never written is empty, and its next number is
    /// [`Seq::FIRST`].
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`] for an invalid entry, for instance one
    /// whose number is not below the counter, and for a record that is damaged or stands under
    /// another key. Of the applied commands a damaged one is left out: they are copies of what the
    /// owner has.
    pub async fn load(&self, store: &impl Store) -> Result<StoredOutbox, StoreError> {
        let mut counter = None;
        let mut entries = Vec::new();
        let own = self.key().prefix_range();
        let mut others = Vec::new();
        // One scan reads the counter and the entries as of one moment, and the counter first, whose
        // key is a prefix of every entry's key. It reads the other outboxes, too, because a record
        // that is missing here may stand there; together they are no more than what is pending.
        for (key, value) in store.scan(Key::new(keys::OUTBOX).prefix_range()).await? {
            if !own.contains(&key) {
                others.push((key, value));
                continue;
            }
            match Parsed::of(&key, self)? {
                Parsed::Counter => counter = Some(self.read_counter(&key, &value)?),
                Parsed::Entry(seq) if counter.is_some_and(|next| seq < next) => {
                    entries.push((seq, self.read_entry(&key, seq, &value)?));
                }
                Parsed::Entry(seq) => {
                    let reason = match counter {
                        Some(next) => format!("the next number is {next}"),
                        None => "the next number is not there".to_owned(),
                    };
                    return Err(corrupt(self.entry_name(seq), reason));
                }
            }
        }
        let elsewhere = match seal::misplaced_among(&own.start, &others) {
            Some(key) => Some(key.clone()),
            None => seal::find_under_other_tags(store, &own.start).await?,
        };
        if let Some(key) = elsewhere {
            return Err(misplaced(self.name(), &key));
        }
        let applied = store.scan(self.applied().prefix_range()).await?;
        let open = |(key, record): &(Bytes, Bytes)| seal::open(key, record, Unsealed::Never).ok();
        Ok(StoredOutbox {
            next_seq: counter.unwrap_or(Seq::FIRST),
            entries,
            applied: applied.iter().filter_map(open).collect(),
        })
    }

    /// Every outbox of the store with pending commands, and their number. A tab may adopt it if
    /// nobody holds the device's slot. An outbox with a damaged record is not among them, and the
    /// record is named.
    ///
    /// The scan reads the frames, too. Their number depends on the pending commands, not on the
    /// history.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn list(store: &impl Store) -> Result<Listed<(DeviceId, RoomId, usize)>, StoreError> {
        let mut listed: Listed<(DeviceId, RoomId, usize)> = Listed::default();
        let mut broken = Vec::new();
        for (key, value) in store.scan(Key::new(keys::OUTBOX).prefix_range()).await? {
            let mut fields = Fields::after(&key, 1);
            let (Some(room), Some(device)) = (fields.room(), fields.device()) else {
                listed.damage(&key, unknown_key("the outboxes", &key));
                continue;
            };
            let outbox = Self::new(device, room);
            let checked = match Parsed::of(&key, &outbox) {
                Ok(Parsed::Counter) => outbox.read_counter(&key, &value).map(|_| 0),
                Ok(Parsed::Entry(seq)) => outbox.read_entry(&key, seq, &value).map(|_| 1),
                Err(error) => Err(error),
            };
            match (checked, listed.found.last_mut()) {
                (Ok(0), _) => {}
                (Ok(one), Some((d, r, count))) if (*d, *r) == (device, room) => *count += one,
                (Ok(one), _) => listed.found.push((device, room, one)),
                (Err(error), _) => {
                    listed.damage(&key, error);
                    broken.push((device, room));
                }
            }
        }
        listed
            .found
            .retain(|(device, room, _)| !broken.contains(&(*device, *room)));
        listed.complete()
    }

    /// The key of the counter, with which the keys of all its records begin.
    pub(crate) fn key(&self) -> Key {
        Key::new(keys::OUTBOX).room(self.room).device(self.device)
    }

    fn entry(&self, seq: Seq) -> Key {
        self.key().number(seq.get())
    }

    /// The key with which those of the applied commands begin.
    fn applied(&self) -> Key {
        Key::new(keys::APPLIED).room(self.room).device(self.device)
    }

    pub(crate) fn name(&self) -> String {
        format!("outbox of device {} for {}", self.device, self.room)
    }

    fn entry_name(&self, seq: Seq) -> String {
        format!("{}, seq {seq}", self.name())
    }

    fn read_entry(&self, key: &[u8], seq: Seq, value: &Bytes) -> Result<Bytes, StoreError> {
        seal::open(key, value, Unsealed::Object)
            .map_err(|reason| corrupt(self.entry_name(seq), reason))
    }

    fn read_counter(&self, key: &[u8], value: &Bytes) -> Result<Seq, StoreError> {
        let damaged = |reason| corrupt(format_args!("{}, next number", self.name()), reason);
        let value = seal::open(key, value, Unsealed::Len(8)).map_err(damaged)?;
        <[u8; 8]>::try_from(&*value)
            .ok()
            .and_then(|bytes| Seq::new(u64::from_be_bytes(bytes)))
            .ok_or_else(|| damaged("the number is not between 1 and 2^53 - 1"))
    }
}

/// The meaning of a key in an outbox.
enum Parsed {
    Counter,
    Entry(Seq),
}

impl Parsed {
    fn of(key: &[u8], outbox: &Outbox) -> Result<Self, StoreError> {
        const PREFIX: usize = 1 + 32 + 16 + 5;
        let mut fields = Fields::after(key, PREFIX);
        if fields.is_empty() {
            return Ok(Self::Counter);
        }
        match fields.number().and_then(Seq::new) {
            Some(seq) if fields.is_empty() => Ok(Self::Entry(seq)),
            Some(_) | None => Err(unknown_key(outbox.name(), key)),
        }
    }
}
