//! The errors of redb, as store errors.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "redb's errors are open enums, and what has no word of its own here is Io"
)]

use std::io;
use std::sync::Arc;

use redb::{
    CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError,
};

use crate::StoreError;

/// A maker of the errors of one database, which contain its name.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// The database's name for people: its path.
    name: Arc<str>,
}

impl Failure {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into() }
    }

    pub(super) fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::Corrupt {
            record: format!("database {}", self.name),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn closed(&self, reason: &str) -> StoreError {
        StoreError::Closed(format!("{}: {reason}", self.name))
    }

    pub(super) fn deleted(&self) -> StoreError {
        StoreError::Deleted(self.name.to_string())
    }

    pub(super) fn newer(&self) -> StoreError {
        StoreError::Newer(self.name.to_string())
    }

    fn other(&self, error: &dyn std::error::Error) -> StoreError {
        StoreError::Io(format!("{}: {error}", self.name))
    }

    pub(super) fn io(&self, error: &io::Error) -> StoreError {
        use io::ErrorKind as Kind;

        let kind = error.kind();
        if matches!(
            kind,
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge
        ) {
            StoreError::Full(format!("{}: {error}", self.name))
        } else if matches!(kind, Kind::InvalidData | Kind::UnexpectedEof) {
            // The kinds that redb gives for a file that is not a database, and for one that ends
            // too early.
            self.corrupt(&error.to_string())
        } else {
            self.other(error)
        }
    }

    pub(super) fn storage(&self, error: StorageError) -> StoreError {
        match error {
            StorageError::Io(error) => self.io(&error),
            StorageError::Corrupted(reason) => self.corrupt(&reason),
            StorageError::PreviousIo => self.closed("it failed before; open it again"),
            StorageError::DatabaseClosed => self.closed("open it again"),
            error => self.other(&error),
        }
    }

    pub(super) fn open(&self, error: DatabaseError) -> StoreError {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                StoreError::Locked(self.name.to_string())
            }
            DatabaseError::Storage(error) => self.storage(error),
            error => self.other(&error),
        }
    }

    pub(super) fn transaction(&self, error: TransactionError) -> StoreError {
        match error {
            TransactionError::Storage(error) => self.storage(error),
            error => self.other(&error),
        }
    }

    pub(super) fn table(&self, error: TableError) -> StoreError {
        match error {
            TableError::Storage(error) => self.storage(error),
            // The table has another form: it is some other program's database.
            error => self.corrupt(&error.to_string()),
        }
    }

    pub(super) fn compaction(&self, error: CompactionError) -> StoreError {
        match error {
            CompactionError::Storage(error) => self.storage(error),
            error => self.other(&error),
        }
    }

    pub(super) fn commit(&self, error: CommitError) -> StoreError {
        match error {
            CommitError::Storage(error) => self.storage(error),
            error => self.other(&error),
        }
    }
}
