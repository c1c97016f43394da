//! The seal of a record: a checksum over its key and its value, in front of the value.
//!
//! Not every store finds a bit that has changed on its disk, and most bits of a key, a vote or a
//! receipt make another one rather than nonsense. So each record has a checksum of its own, over
//! its key, too: a record that stands under another key than its own is seen. A fast hash is
//! enough for accidents; it keeps nobody from writing a store of their own.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | [`MARK`] |
//! | 8 | the checksum, big-endian: XXH3 of the value, with XXH3 of the key as its seed |
//! | the rest | the value |
//!
//! The first version had no seals, and what it has written is read as it is. Which of the two a
//! record is, its first byte or its length says ([`Unsealed`]): values of that version either have
//! one length, which no sealed one has, or begin with `{` or a zero byte, which [`MARK`] becomes
//! only with five of its eight bits changed. So no flipped bit makes a sealed record one of those
//! that have nothing to check.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use hustings_protocol::planted::{self, Fault};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::keys::Key;
use crate::{Batch, Store, StoreError};

/// The first byte of a sealed record. It has five bits that `{` has not, or the other way round,
/// and as many that are set.
const MARK: u8 = 0xad;

/// The mark and the checksum.
const SEAL_LEN: usize = 1 + 8;

/// The form of a value that the first version has written, without a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// So many bytes.
    Len(usize),
    /// A JSON object: a frame or a receipt.
    Object,
    /// A revision and a frame. Revisions are below 2^53, so the first byte is zero.
    Snapshot,
    /// None: it had no such record.
    Never,
}

impl Unsealed {
    fn has_form_of(self, value: &[u8]) -> bool {
        match self {
            Self::Len(len) => value.len() == len,
            Self::Object => value.first() == Some(&b'{'),
            Self::Snapshot => value.first() == Some(&0) && value.get(8) == Some(&b'{'),
            Self::Never => false,
        }
    }
}

/// Adds a sealed record to a batch.
pub(crate) fn put(batch: &mut Batch, key: Key, value: &[u8]) {
    let key = key.bytes();
    let sealed = sealed(&key, value);
    batch.put(key, sealed);
}

/// A value with its seal, as it stands under this key.
pub(crate) fn sealed(key: &[u8], value: &[u8]) -> Bytes {
    let mut sealed = BytesMut::with_capacity(SEAL_LEN + value.len());
    sealed.put_u8(MARK);
    sealed.put_u64(checksum(key, value));
    sealed.put_slice(value);
    sealed.freeze()
}

/// The value of a record, or the fault in it.
pub(crate) fn open(key: &[u8], record: &Bytes, unsealed: Unsealed) -> Result<Bytes, &'static str> {
    if unsealed.has_form_of(record) {
        return Ok(record.clone());
    }
    match split(record) {
        Some(_) if !matches(key, record) => Err("its checksum does not match"),
        Some(_) => Ok(record.slice(SEAL_LEN..)),
        None => Err("it has no checksum, and not the form of a record without one"),
    }
}

/// True unless the record is another one than was written under this key.
fn matches(key: &[u8], record: &[u8]) -> bool {
    match split(record) {
        Some((sum, value)) => planted::is_on(Fault::NoChecksum) || sum == checksum(key, value),
        None => false,
    }
}

fn split(record: &[u8]) -> Option<(u64, &[u8])> {
    let (sum, value) = record.strip_prefix(&[MARK])?.split_first_chunk()?;
    Some((u64::from_be_bytes(*sum), value))
}

fn checksum(key: &[u8], value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, xxh3_64(key))
}

/// True if a record that stands under `key` was written under `own`, and under no other.
fn belongs(own: &[u8], key: &[u8], record: &[u8]) -> bool {
    own != key && !matches(key, record) && matches(own, record)
}

/// The key under which the record stands that was written under `own`: one with the same tag, of
/// whose records there are few, or with one that has another bit. For a record that is missing.
pub(crate) async fn find_misplaced(
    store: &impl Store,
    own: &[u8],
) -> Result<Option<Bytes>, StoreError> {
    let mut ranges = vec![Key::of(&own[..1]).prefix_range()];
    ranges.extend(flipped_tag(own).map(just));
    let found = store.scan_each(ranges).await?.into_iter().flatten();
    let mut found = found.filter(|(key, record)| belongs(own, key, record));
    Ok(found.next().map(|(key, _)| key))
}

/// The range of one key.
fn just(key: Bytes) -> Range<Bytes> {
    let end = [&key, &[0][..]].concat();
    key..end.into()
}

/// The key of a record among `found` that was written under a key that begins with `scope`.
pub(crate) fn misplaced_among<'a>(scope: &[u8], found: &'a [(Bytes, Bytes)]) -> Option<&'a Bytes> {
    let belongs = |(key, record): &&(Bytes, Bytes)| {
        let Some(rest) = key.get(scope.len()..) else {
            return false;
        };
        belongs(&[scope, rest].concat(), key, record)
    };
    found.iter().find(belongs).map(|(key, _)| key)
}

/// The key of a record that was written under a key that begins with `scope`, and stands under one
/// with another tag. A kind of record looks through the keys of its own tag itself.
pub(crate) async fn find_under_other_tags(
    store: &impl Store,
    scope: &[u8],
) -> Result<Option<Bytes>, StoreError> {
    let others = flipped_tag(scope).map(|other| Key::of(&other).prefix_range());
    let found = store.scan_each(others.collect()).await?;
    let mut found = found
        .iter()
        .filter_map(|found| misplaced_among(scope, found));
    Ok(found.next().cloned())
}

/// The keys that differ from `key` in one bit of their tag, its first byte.
fn flipped_tag(key: &[u8]) -> impl Iterator<Item = Bytes> {
    (0..8).map(|bit| {
        let mut other = key.to_vec();
        other[0] ^= 1 << bit;
        Bytes::from(other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_flipped_bits_never_make_a_sealed_record_an_unsealed_one() {
        for first in [b'{', 0] {
            assert_eq!((MARK ^ first).count_ones(), 5);
        }
        // The fixed lengths: an entry of the list, a device, a counter, the identity.
        let lens = [0, 5, 8, 58];
        for len in lens {
            assert!(!lens.contains(&(len + SEAL_LEN)));
        }
    }
}
