//! The mark of a history: two copies of a poll with the same revision and different marks have seen
//! different commands.

use std::str::FromStr;

use uuid::Uuid;

use crate::ids::text_id;
use crate::{Epoch, IdError, Revision};

/// An owner's mark of everything that it has applied up to a revision.
///
/// The owner tells it with each snapshot, update and `ack`; a participant keeps it beside its copy
/// and repeats it when it comes back. For a participant it is 16 bytes without a meaning. For the
/// owner the first half is a running digest of the updates, and the second half its seal on that
/// digest, the epoch and the revision: so a mark that the owner did not make is recognised, and a
/// mark that it made, of a history that it does not have, proves that its journal is an old copy.
///
/// The digest is a fast hash: it finds accidents. Its text form is 32 lower-case hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryMark([u8; 16]);

impl HistoryMark {
    /// The length of the text form, in characters.
    pub(crate) const TEXT_LEN: usize = 32;

    /// The mark of this digest, with the owner's seal on it.
    #[must_use]
    pub const fn new(digest: u64, seal: u64) -> Self {
        Self(((digest as u128) << 64 | seal as u128).to_be_bytes())
    }

    /// The running digest.
    #[must_use]
    pub const fn digest(self) -> u64 {
        (u128::from_be_bytes(self.0) >> 64) as u64
    }

    /// The owner's seal.
    #[must_use]
    pub const fn seal(self) -> u64 {
        u128::from_be_bytes(self.0) as u64
    }

    /// Runs `then` on the text form, which needs no allocation.
    pub(crate) fn with_text<R>(&self, then: impl FnOnce(&str) -> R) -> R {
        let mut buffer = [0; Self::TEXT_LEN];
        then(Uuid::from_bytes(self.0).simple().encode_lower(&mut buffer))
    }
}

impl FromStr for HistoryMark {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const KIND: &str = "a history mark";
        if text.len() != Self::TEXT_LEN {
            return Err(IdError::Length {
                kind: KIND,
                expected: Self::TEXT_LEN,
                actual: text.len(),
            });
        }
        let is_lower_case = text.bytes().all(|byte| !byte.is_ascii_uppercase());
        match Uuid::try_parse(text) {
            Ok(mark) if is_lower_case => Ok(Self(mark.into_bytes())),
            Ok(_) | Err(_) => Err(IdError::Alphabet {
                kind: KIND,
                alphabet: "lower-case hexadecimal",
            }),
        }
    }
}

text_id!(HistoryMark, "a history mark");

/// The place in an owner's history that a copy of the poll is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The life of the journal.
    pub epoch: Epoch,
    /// The number of commands applied.
    pub revision: Revision,
    /// The owner's mark, if the copy has been told it.
    pub history: Option<HistoryMark>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_has_one_spelling() {
        let mark = HistoryMark::new(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        let text = "0123456789abcdeffedcba9876543210";
        assert_eq!(mark.to_string(), text);
        assert_eq!(text.parse(), Ok(mark));
        assert_eq!(mark.digest(), 0x0123_4567_89ab_cdef);
        assert_eq!(mark.seal(), 0xfedc_ba98_7654_3210);
        for other in [
            "0123456789ABCDEFfedcba9876543210",
            "0123456789abcdeffedcba987654321",
            "{0123456789abcdeffedcba98765432}",
            "0123456789abcdeffedcba987654321g",
        ] {
            assert!(other.parse::<HistoryMark>().is_err(), "{other}");
        }
    }
}
