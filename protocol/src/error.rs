//! Error codes: a word for programs for each thing that can be wrong with a message.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::strict::Word;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// The machine-readable word of an `error`.
        ///
        /// The words are stable: a word is never renamed and never gets another meaning. A later
        /// version may have more; an unknown word is stored as [`Other`](ErrorCode::Other).
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
                // A search, not a match of forty texts: that is half a kilobyte more to load.
                let known = Self::ALL.iter().find(|code| code.as_str() == word);
                known.map_or_else(|| Self::Other(word.to_owned()), Self::clone)
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
    /// The message's type is unknown. The link stays up.
    UnknownType = "unknown-type",
    /// A field of a known message is missing or has the wrong type.
    BadField = "bad-field",
    /// A text or a list is longer than [`Limits`](crate::Limits) allow.
    TooLong = "too-long",
    /// A text is empty, not in its normal form, or has characters that a text may not have; see
    /// [`text`](crate::text).
    BadText = "bad-text",
    /// A message that the sender may never send on this link, or may not send at this moment.
    Unexpected = "unexpected",
    /// The first frames were not the handshake, or took too long.
    HandshakeFailed = "handshake-failed",
    /// The two sides have no version in common.
    UnsupportedVersion = "unsupported-version",
    /// The signature does not prove the claimed identity on this channel.
    BadSignature = "bad-signature",
    /// The owner has no such poll.
    UnknownPoll = "unknown-poll",
    /// The owner has the poll, but has not opened it. It may do so at any moment.
    PollNotOpen = "poll-not-open",
    /// A message names another poll than its link.
    WrongPoll = "wrong-poll",
    /// A message names another author than its link.
    WrongAuthor = "wrong-author",
    /// A command skipped numbers of its sender's order.
    SeqGap = "seq-gap",
    /// The command is older than the owner remembers.
    SeqForgotten = "seq-forgotten",
    /// The number was already used for another command.
    SeqReused = "seq-reused",
    /// The command id was already used for other content.
    CommandReused = "command-reused",
    /// The poll is closed.
    PollClosed = "poll-closed",
    /// The author's role does not allow the command.
    NotAllowed = "not-allowed",
    /// The author was removed from the poll.
    Removed = "removed",
    /// The poll has no such invitation.
    UnknownInvitation = "unknown-invitation",
    /// Somebody has redeemed the invitation already.
    InvitationUsed = "invitation-used",
    /// The owner has withdrawn the invitation.
    InvitationWithdrawn = "invitation-withdrawn",
    /// The poll already has this invitation.
    InvitationExists = "invitation-exists",
    /// The option was withdrawn.
    OptionWithdrawn = "option-withdrawn",
    /// The poll has no such option.
    UnknownOption = "unknown-option",
    /// The poll already has this option.
    OptionExists = "option-exists",
    /// The poll already has an option whose label looks the same; see [`text`](crate::text).
    LabelExists = "label-exists",
    /// The poll allows one choice.
    SingleChoice = "single-choice",
    /// The same option was chosen twice in one vote.
    DuplicateChoice = "duplicate-choice",
    /// Another choice of the same person counts, which is newer than this vote.
    Superseded = "superseded",
    /// The poll is as large as [`Limits`](crate::Limits) allow.
    PollFull = "poll-full",
    /// The owner already has as many links as its configuration allows.
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
