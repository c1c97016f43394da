//! What can be wrong with a message, as words for programs and sentences for people.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::strict::Word;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// The machine-readable word of an `error`.
        ///
        /// The words are stable: one is never renamed, and never used for something else. A later
        /// version may have more, so one that is not known here is kept as
        /// [`Other`](ErrorCode::Other).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// A word of a later version.
            Other(String),
        }

        impl ErrorCode {
            /// Every word that this version knows.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for ErrorCode {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

codes! {
    /// The frame is larger than [`Limits`](crate::Limits) allow.
    TooLarge = "too-large",
    /// The frame nests deeper than [`Limits`](crate::Limits) allow.
    TooDeep = "too-deep",
    /// The frame is not a JSON object with a `type`.
    Malformed = "malformed",
    /// The message's type is not known. The link goes on.
    UnknownType = "unknown-type",
    /// A field of a known message is missing or has the wrong type.
    BadField = "bad-field",
    /// A text or a list is longer than [`Limits`](crate::Limits) allow.
    TooLong = "too-long",
    /// A message that this side of a link never sends, or not now.
    Unexpected = "unexpected",
    /// The first frames were not the handshake, or took too long.
    HandshakeFailed = "handshake-failed",
    /// The versions have nothing in common.
    UnsupportedVersion = "unsupported-version",
    /// The signature does not prove the claimed identity on this channel.
    BadSignature = "bad-signature",
    /// This owner hosts no such poll.
    UnknownPoll = "unknown-poll",
    /// A message names another poll than its link.
    WrongPoll = "wrong-poll",
    /// A message names another author than its link.
    WrongAuthor = "wrong-author",
    /// A command skipped numbers of its sender's order.
    SeqGap = "seq-gap",
    /// The command is older than the owner remembers.
    SeqForgotten = "seq-forgotten",
    /// The number was used for another command.
    SeqReused = "seq-reused",
    /// The command id was used for another content.
    CommandReused = "command-reused",
    /// The poll is closed.
    PollClosed = "poll-closed",
    /// The role does not allow it.
    NotAllowed = "not-allowed",
    /// The poll has no such option.
    UnknownOption = "unknown-option",
    /// The poll has this option already.
    OptionExists = "option-exists",
    /// The poll allows one choice.
    SingleChoice = "single-choice",
    /// The same option was chosen twice in one vote.
    DuplicateChoice = "duplicate-choice",
    /// The poll is as large as [`Limits`](crate::Limits) allow.
    PollFull = "poll-full",
    /// The owner hosts as many links as it may.
    Busy = "busy",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Word::deserialize(deserializer).map(|Word(word)| Self::from(word.as_ref()))
    }
}
