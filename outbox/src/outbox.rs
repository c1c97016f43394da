//! The outbox: the commands that a device has submitted and that have no outcome yet.

use bytes::Bytes;
use hustings_protocol::{DeviceId, RoomId, Seq, StoredOutbox};

use crate::keys::{self, Fields, Key, corrupt, unknown_key};
use crate::{Batch, Store, StoreError};

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
        batch.put(self.entry(seq), frame);
        batch.put(
            self.key().bytes(),
            seq.next().get().to_be_bytes().as_slice().to_vec(),
        );
    }

    /// Removes a settled command, if it is there.
    pub fn remove(&self, batch: &mut Batch, seq: Seq) {
        batch.delete(self.entry(seq));
    }

    /// Reads the outbox. One that was never written is empty, and its next number is
    /// [`Seq::FIRST`].
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`] for an invalid entry, for instance one
    /// whose number is not below the counter.
    pub async fn load(&self, store: &impl Store) -> Result<StoredOutbox, StoreError> {
        let mut counter = None;
        let mut entries = Vec::new();
        // The counter's key is a prefix of every entry's key, so one scan reads both as of one
        // moment, and the counter first.
        for (key, value) in store.scan(self.key().prefix_range()).await? {
            match Parsed::of(&key, self)? {
                Parsed::Counter => counter = Some(self.read_counter(&value)?),
                Parsed::Entry(seq) if counter.is_some_and(|next| seq < next) => {
                    entries.push((seq, value));
                }
                Parsed::Entry(seq) => {
                    let reason = match counter {
                        Some(next) => format!("the next number is {next}"),
                        None => "the next number is not there".to_owned(),
                    };
                    return Err(corrupt(format_args!("{}, seq {seq}", self.name()), reason));
                }
            }
        }
        Ok(StoredOutbox {
            next_seq: counter.unwrap_or(Seq::FIRST),
            entries,
        })
    }

    /// Every outbox of the store with pending commands, and their number. A tab may adopt it if
    /// nobody holds the device's slot.
    ///
    /// The scan reads the frames, too. Their number depends on the pending commands, not on the
    /// history.
    ///
    /// # Errors
    ///
    /// The store's own errors, and [`StoreError::Corrupt`] for a key that is not an outbox's.
    /// Frames and counters are checked only by [`load`](Outbox::load).
    pub async fn list(store: &impl Store) -> Result<Vec<(DeviceId, RoomId, usize)>, StoreError> {
        let mut pending: Vec<(DeviceId, RoomId, usize)> = Vec::new();
        for (key, _) in store.scan(Key::new(keys::OUTBOX).prefix_range()).await? {
            let mut fields = Fields::after(&key, 1);
            let (Some(room), Some(device)) = (fields.room(), fields.device()) else {
                return Err(unknown_key("the outboxes", &key));
            };
            match Parsed::of(&key, &Self::new(device, room))? {
                Parsed::Counter => {}
                Parsed::Entry(_) => match pending.last_mut() {
                    Some((d, r, count)) if (*d, *r) == (device, room) => *count += 1,
                    Some(_) | None => pending.push((device, room, 1)),
                },
            }
        }
        Ok(pending)
    }

    fn key(&self) -> Key {
        Key::new(keys::OUTBOX).room(self.room).device(self.device)
    }

    fn entry(&self, seq: Seq) -> Bytes {
        self.key().number(seq.get()).bytes()
    }

    fn name(&self) -> String {
        format!("outbox of device {} for {}", self.device, self.room)
    }

    fn read_counter(&self, value: &[u8]) -> Result<Seq, StoreError> {
        <[u8; 8]>::try_from(value)
            .ok()
            .and_then(|bytes| Seq::new(u64::from_be_bytes(bytes)))
            .ok_or_else(|| {
                corrupt(
                    format_args!("{}, next number", self.name()),
                    "the number is not between 1 and 2^53 - 1",
                )
            })
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
