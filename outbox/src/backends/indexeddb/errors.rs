//! The browser's errors, as store errors.

use indexed_db_futures::error::{DomException, Error, OpenDbError};
use indexed_db_futures::internals::SystemRepr;

use crate::StoreError;
use crate::browser::named;

/// The error of an opening.
pub(super) fn of_open(name: &str, error: OpenDbError) -> StoreError {
    match error {
        OpenDbError::Base(error) => {
            let exception = exception(&error);
            match exception.as_ref().map(|(name, _)| name.as_str()) {
                // Firefox gives InvalidStateError if storage is switched off; Chromium and Safari
                // give SecurityError in a frame of another site.
                Some("SecurityError" | "InvalidStateError" | "NotSupportedError") => {
                    StoreError::Unavailable(in_words(&error))
                }
                Some("VersionError") => StoreError::Newer(format!("the database {name}")),
                Some(_) | None => io(error),
            }
        }
        OpenDbError::NullFactory => {
            StoreError::Unavailable("this browser offers no IndexedDB here".to_owned())
        }
        OpenDbError::UnsupportedEnvironment => {
            StoreError::Unavailable("this code runs neither in a page nor in a worker".to_owned())
        }
        // The library has this name for every exception of `indexedDB.open`; the version is never
        // zero.
        OpenDbError::VersionZero => {
            StoreError::Unavailable("the browser refuses to open a database here".to_owned())
        }
    }
}

/// The reason why a transaction failed during its commit. Only the transaction itself has it: if a
/// commit does not fit on the disk, no request fails.
pub(super) fn of_transaction(transaction: &web_sys::IdbTransaction, error: Error) -> StoreError {
    match (transaction.error(), error) {
        (Some(cause), _) => of_exception(&cause.name(), &cause.message()),
        (None, Error::MissingData(_)) => {
            StoreError::Closed("the browser aborted the transaction".to_owned())
        }
        (None, error) => io(error),
    }
}

/// An error of a request or of the library.
pub(super) fn io(error: Error) -> StoreError {
    match exception(&error) {
        Some((name, message)) => of_exception(&name, &message),
        None => StoreError::Io(in_words(&error)),
    }
}

fn of_exception(name: &str, message: &str) -> StoreError {
    let said = named(name, message);
    match name {
        "QuotaExceededError" => StoreError::Full(said),
        // The only abort of a transaction is the end of its connection.
        "AbortError" | "InvalidStateError" => StoreError::Closed(said),
        _ => StoreError::Io(said),
    }
}

/// The name and the message of the browser's exception, if it is one.
fn exception(error: &Error) -> Option<(String, String)> {
    match error {
        Error::DomException(exception) => {
            let raw = DomException::as_sys(exception);
            Some((raw.name(), raw.message()))
        }
        Error::Serialisation(_) | Error::MissingData(_) | Error::Unknown(_) => None,
    }
}

fn in_words(error: &Error) -> String {
    match exception(error) {
        Some((name, message)) => named(&name, &message),
        None => error.to_string(),
    }
}
