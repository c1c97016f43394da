//! The numbers that order things: revisions, sequence numbers, epochs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::IdError;
use crate::ids::text_id;

/// The number of commands that an owner has applied to a poll: +1 for each, no gaps, never reused.
///
/// It never exceeds [`Revision::MAX`], so that a JavaScript peer reads it exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Revision(u64);

/// The largest integer that JavaScript's `Number` holds exactly, 2^53 − 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

impl Revision {
    /// A new poll, to which nothing has been applied.
    pub const ZERO: Self = Self(0);
    /// The last revision that can be written on the wire, 2^53 − 1.
    pub const MAX: Self = Self(MAX_SAFE_INTEGER);

    /// The revision with this number, or `None` above [`Revision::MAX`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number <= MAX_SAFE_INTEGER {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The revision after this one.
    ///
    /// At a million commands a second [`Revision::MAX`] is 285 years away; the addition saturates
    /// there.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < MAX_SAFE_INTEGER {
            Self(self.0 + 1)
        } else {
            self
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        safe_integer(deserializer).map(Self)
    }
}

/// The largest number of commands of one device without an outcome, and the number of receipts of
/// each device that an owner remembers, in memory and in its journal.
///
/// The two have to be equal: a command that may be sent again is one whose outcome is still
/// remembered. 64 is more than a person makes while an answer is on its way, and keeps an owner's
/// memory of a device below 4 KiB.
pub const WINDOW: u64 = 64;

/// A command's number in its sender's (author, device) order: 1, 2, 3 …, at most 2^53 − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The first command of a device.
    pub const FIRST: Self = Self(1);

    /// The number, from 1; `None` for 0 and above 2^53 − 1.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 || number > MAX_SAFE_INTEGER {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number after this one (saturating, see [`Revision::next`]).
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < MAX_SAFE_INTEGER {
            Self(self.0 + 1)
        } else {
            self
        }
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = safe_integer(deserializer)?;
        Self::new(number).ok_or_else(|| de::Error::custom("seq must be at least 1"))
    }
}

fn safe_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number <= MAX_SAFE_INTEGER {
        Ok(number)
    } else {
        Err(de::Error::custom("the number is above 2^53 - 1"))
    }
}

/// One life of an owner's journal.
///
/// A random number that is made with the journal. A journal that was rolled back gets a later one, so
/// that a participant never mistakes one history for the other, and an owner whose journal is an
/// old copy sees by a later epoch than its own that it is. Its text form is 16
/// lower-case hexadecimal digits, because JavaScript would round a 64-bit number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The length of the text form, in characters.
    pub(crate) const TEXT_LEN: usize = 16;

    /// The epoch with this (random) number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Epoch {
    /// Runs `then` on the text form.
    pub(crate) fn with_text<R>(&self, then: impl FnOnce(&str) -> R) -> R {
        then(&format!("{:016x}", self.0))
    }
}

impl FromStr for Epoch {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const KIND: &str = "an epoch";
        if text.len() != Self::TEXT_LEN {
            return Err(IdError::Length {
                kind: KIND,
                expected: Self::TEXT_LEN,
                actual: text.len(),
            });
        }
        let number = text.bytes().try_fold(0, |number: u64, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return None,
            };
            Some(number << 4 | u64::from(digit))
        });
        number.map(Self).ok_or(IdError::Alphabet {
            kind: KIND,
            alphabet: "lower-case hexadecimal",
        })
    }
}

text_id!(Epoch, "an epoch");
