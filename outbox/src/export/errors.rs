//! The reasons why a file was not made, read or taken in.

use hustings_protocol::{PeerId, RoomId};

use crate::StoreError;

/// The reason why nothing was exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The platform gives no random bytes.
    #[error("there is no source of randomness: {0}")]
    Randomness(String),
    /// A passphrase without characters keeps nothing from anybody.
    #[error("the passphrase is empty")]
    NoPassphrase,
    /// The store has no identity yet.
    #[error("there is no identity in this store to export")]
    NoIdentity,
    /// The store has no journal of that poll, or it is not its identity's.
    #[error("this store has no journal of the poll {0}")]
    NoJournal(RoomId),
    /// The file would be longer than [`MAX_FILE`](super::MAX_FILE).
    #[error("the polls are too large for one file: export fewer of them at a time")]
    TooLarge,
}

/// The reason why a file does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is another kind of file.
    #[error("this is not a file with exported polls")]
    NotAnExport,
    /// It was encrypted with another passphrase.
    #[error("the passphrase is wrong, or the beginning of the file is damaged")]
    WrongPassphrase,
    /// It asks for more work than any file that hustings makes, which may be meant to stop
    /// whoever opens it.
    #[error("this file asks for more work than this program does to open one")]
    TooMuchWork,
    /// It is longer than [`MAX_FILE`](super::MAX_FILE).
    #[error("this file is too large")]
    TooLarge,
    /// It was cut off or changed.
    #[error("the file is damaged: it was not stored or copied whole")]
    Damaged,
    /// A later version has made it.
    #[error(
        "this file was made by a newer version of hustings (format {0}); only that can read it"
    )]
    Newer(u32),
}

/// The reason why nothing of a file was taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store belongs to somebody else, and has something of theirs: devices, votes that wait
    /// and copies of polls go with an identity.
    #[error(
        "what is stored here belongs to another identity ({here}) than the file ({file}); import \
         it where nothing is stored yet, for instance in another browser profile"
    )]
    OtherIdentity {
        /// The store's.
        here: PeerId,
        /// The file's.
        file: PeerId,
    },
    /// Two copies of this poll went on, each for itself.
    #[error(
        "the poll {title:?} ({room}) has gone on here and in the file, each with other votes; \
         nothing was imported, and what is here stays as it is"
    )]
    Fork {
        /// The poll.
        room: RoomId,
        /// The question.
        title: String,
    },
    /// The copy in the file is so much newer that nobody can say whether it continues the one here.
    #[error(
        "the poll {title:?} ({room}) in the file has gone on for so long that it cannot be \
         compared with the one here; nothing was imported. Delete the one here first if the file \
         is the one to keep"
    )]
    TooFarAhead {
        /// The poll.
        room: RoomId,
        /// The question.
        title: String,
    },
}
