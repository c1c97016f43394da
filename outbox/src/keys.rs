//! Keys: the place of each record (see the table in the crate's documentation).
//!
//! Every field has a fixed width and every integer is big-endian, so the order of the keys is the
//! order of their values, and no key is a prefix of another scope's key. A tag never gets another
//! meaning: a kind of record whose layout changes gets a new one.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use hustings_protocol::{DeviceId, PeerId, PollId, RoomId, Seq, WINDOW};

use crate::StoreError;

/// The identity of the store's user, and the device id of each slot.
pub(crate) const IDENTITY: u8 = 0x01;
/// The places of tabs: who has written last in each, and who is there.
#[cfg(target_family = "wasm")]
pub(crate) const PLACE: u8 = 0x02;
/// The outboxes.
pub(crate) const OUTBOX: u8 = 0x10;
/// The list of journals, so that they can be listed without being read.
pub(crate) const JOURNAL_INDEX: u8 = 0x20;
/// The journals.
pub(crate) const JOURNAL: u8 = 0x21;
/// The caches.
pub(crate) const CACHE: u8 = 0x30;

/// The last applied commands of the outboxes.
pub(crate) const APPLIED: u8 = 0x31;

/// The latest snapshot of a journal or a cache.
pub(crate) const SNAPSHOT: u8 = 0x00;
/// One frame of the tail of a journal or a cache.
pub(crate) const TAIL: u8 = 0x01;
/// One receipt of a journal.
pub(crate) const RECEIPT: u8 = 0x02;

/// The reason why a journal is put aside.
pub(crate) const ASIDE: u8 = 0x03;

/// A key under construction.
#[derive(Debug, Clone)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn new(tag: u8) -> Self {
        // The longest key, that of a receipt, has 88 bytes.
        let mut bytes = Vec::with_capacity(88);
        bytes.push(tag);
        Self(bytes)
    }

    /// The key of these bytes, which begin with a tag.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(crate) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn slot(mut self, slot: u32) -> Self {
        self.0.extend_from_slice(&slot.to_be_bytes());
        self
    }

    pub(crate) fn peer(mut self, peer: PeerId) -> Self {
        self.0.extend_from_slice(peer.as_bytes());
        self
    }

    pub(crate) fn device(mut self, device: DeviceId) -> Self {
        self.0.extend_from_slice(device.as_bytes());
        self
    }

    pub(crate) fn room(mut self, room: RoomId) -> Self {
        self.0.extend_from_slice(room.owner.as_bytes());
        self.0.extend_from_slice(room.poll_id.as_uuid().as_bytes());
        self
    }

    pub(crate) fn bytes(self) -> Bytes {
        Bytes::from(self.0)
    }

    /// Every key that begins with this one, itself included.
    pub(crate) fn prefix_range(self) -> Range<Bytes> {
        // The next larger prefix. Trailing 0xff bytes cannot grow, so the byte before them does.
        let mut end = self.0.clone();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        *end.last_mut()
            .expect("a key begins with a tag, and no tag is 0xff, nor one bit from it") += 1;
        Bytes::from(self.0)..Bytes::from(end)
    }
}

/// The place of a command among the last [`WINDOW`] of its device.
pub(crate) fn place_in_ring(seq: Seq) -> u8 {
    u8::try_from(seq.get() % WINDOW).expect("the ring has fewer than 256 places")
}

/// Takes a key apart, field by field; `None` if it is too short.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields after the first `skip` bytes, which the caller knows.
    pub(crate) fn after(key: &'a [u8], skip: usize) -> Self {
        // A key that is too short has no fields left, and the caller finds that out.
        Self(key.get(skip..).unwrap_or_default())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) fn slot(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(crate) fn peer(&mut self) -> Option<PeerId> {
        self.take().map(PeerId::from_bytes)
    }

    pub(crate) fn device(&mut self) -> Option<DeviceId> {
        self.take().map(DeviceId::from_bytes)
    }

    pub(crate) fn room(&mut self) -> Option<RoomId> {
        let owner = self.peer()?;
        // Any 16 bytes are a UUID here; a key is only compared, never checked for a version.
        let poll_id = PollId::from_uuid(uuid::Uuid::from_bytes(self.take()?));
        Some(RoomId { owner, poll_id })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The error of a record that is damaged.
pub(crate) fn corrupt(record: impl fmt::Display, reason: impl fmt::Display) -> StoreError {
    StoreError::Corrupt {
        record: record.to_string(),
        reason: reason.to_string(),
    }
}

/// The error of a key that is in the range of `scope` but not of its layout.
pub(crate) fn unknown_key(scope: impl fmt::Display, key: &[u8]) -> StoreError {
    corrupt(
        format_args!("{scope}, key {}", Hex(key)),
        "no record has such a key",
    )
}

/// The error of a record of `scope` that stands under a key that is not its own.
pub(crate) fn misplaced(scope: impl fmt::Display, key: &[u8]) -> StoreError {
    corrupt(
        format_args!("{scope}, key {}", Hex(key)),
        "it was written under another key",
    )
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIGH: RoomId = RoomId {
        owner: PeerId::from_bytes([0xff; 32]),
        poll_id: PollId::from_uuid(uuid::Uuid::from_bytes([0xff; 16])),
    };

    #[test]
    fn a_prefix_range_holds_what_begins_with_the_prefix_and_nothing_else() {
        let range = Key::new(OUTBOX).room(HIGH).prefix_range();
        assert_eq!(range.end, Bytes::from_static(&[OUTBOX + 1]));
        let inside = Key::new(OUTBOX)
            .room(HIGH)
            .device(DeviceId::from_bytes([0xff; 5]))
            .number(u64::MAX)
            .bytes();
        assert!(range.contains(&inside));
        assert!(range.contains(&Key::new(OUTBOX).room(HIGH).bytes()));
        assert!(!range.contains(&Key::new(OUTBOX + 1).bytes()));

        let range = Key::new(CACHE).number(0x0102).prefix_range();
        assert!(range.contains(&Key::new(CACHE).number(0x0102).byte(0xff).bytes()));
        assert!(!range.contains(&Key::new(CACHE).number(0x0103).bytes()));
    }

    #[test]
    fn fields_come_apart_as_they_were_put_together() {
        let device = DeviceId::from_bytes([1, 2, 3, 4, 5]);
        let peer = PeerId::from_bytes([7; 32]);
        let key = Key::new(JOURNAL)
            .room(HIGH)
            .byte(RECEIPT)
            .peer(peer)
            .device(device)
            .slot(9)
            .number(1 << 40)
            .bytes();
        let mut fields = Fields::after(&key, 1);
        assert_eq!(fields.room(), Some(HIGH));
        assert_eq!(fields.byte(), Some(RECEIPT));
        assert_eq!(fields.peer(), Some(peer));
        assert_eq!(fields.device(), Some(device));
        assert_eq!(fields.slot(), Some(9));
        assert!(!fields.is_empty());
        assert_eq!(fields.number(), Some(1 << 40));
        assert!(fields.is_empty());
        assert_eq!(fields.byte(), None);
    }

    #[test]
    fn numbers_are_ordered_as_their_keys_are() {
        let key = |number| Key::new(CACHE).number(number).bytes();
        for pair in [0, 1, 255, 256, 65_535, 65_536, 1 << 52].windows(2) {
            assert!(key(pair[0]) < key(pair[1]));
        }
    }
}
