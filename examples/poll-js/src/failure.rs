//! Failures, as JavaScript sees them.

use std::borrow::Cow;

use hustings_browser::{HostError, JoinError, KeepError, RemoveError};
use hustings_outbox::export::{ExportError, ImportError, ReadError};
use hustings_outbox::{Aside, NoLocks, StoreError, TabError};
use hustings_protocol::Rejection;
use hustings_room::driver::{CallError, DriverError, OpenError};
use hustings_room::{Refused, SubmitError};
use hustings_transport_peerjs::ConfigError;
use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

/// The word for errors without one of their own.
const OTHER: &str = "failed";

/// The reason why a call failed. In JavaScript it is an `Error` with these two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable word for programs; `types.ts` lists them.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl ToString) -> Self {
        Self {
            code: code.into(),
            message: message.to_string(),
        }
    }

    fn other(error: impl ToString) -> Self {
        Self::new(OTHER, error)
    }

    /// The caller gave something that cannot be read.
    pub(crate) fn argument(what: &str, why: impl std::fmt::Display) -> Self {
        Self::new("bad-argument", format!("{what}: {why}"))
    }
}

impl From<Failure> for JsValue {
    fn from(Failure { code, message }: Failure) -> Self {
        let error = Error::new(&message);
        error.set_name("HustingsError");
        // A new object takes every property.
        let _ = Reflect::set(&error, &"code".into(), &Self::from_str(&code));
        error.into()
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let code = rejection.code.as_str().to_owned();
        Self::new(code, rejection.message)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ByOwner(rejection) => rejection.into(),
            _ => Self::other(refused),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Submit(error) => {
                let code = match error {
                    SubmitError::OwnerOffline => "owner-offline",
                    SubmitError::Invalid(_) => "invalid-command",
                    SubmitError::WrongPoll(_) => "wrong-poll",
                    SubmitError::TooLarge { .. } => "too-large",
                    SubmitError::OutboxFull(_) => "outbox-full",
                    _ => OTHER,
                };
                Self::new(code, error)
            }
            CallError::Refused(refused) => refused.into(),
            CallError::Failed(DriverError::Store(error)) => error.into(),
            CallError::Stopped => Self::new("closed", error),
            CallError::Failed(_) | _ => Self::other(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Full(_) => "storage-full",
            StoreError::Locked(_) => "storage-locked",
            StoreError::Closed(_) => "storage-closed",
            StoreError::Blocked(_) => "storage-blocked",
            StoreError::Unavailable(_) => "storage-unavailable",
            StoreError::Corrupt { .. } => "storage-corrupt",
            StoreError::Io(_) => "storage-failed",
            StoreError::Deleted(_) => "storage-deleted",
            StoreError::Newer(_) => "storage-newer",
            StoreError::Unanswered(_) => "no-answer",
            StoreError::TakenOver => "taken-over",
            StoreError::Unmet(_) | _ => OTHER,
        };
        Self::new(code, error)
    }
}

impl From<TabError> for Failure {
    fn from(error: TabError) -> Self {
        match error {
            TabError::NoLocks(error) => error.into(),
            TabError::Unanswered(_) => Self::new("no-answer", error),
            TabError::Store(error) => error.into(),
            _ => Self::other(error),
        }
    }
}

impl From<NoLocks> for Failure {
    fn from(error: NoLocks) -> Self {
        Self::new("no-locks", error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) | OpenError::Failed(DriverError::Store(error)) => error.into(),
            OpenError::Kept(_) => Self::new("storage-corrupt", error),
            OpenError::Draft(_) => Self::new("bad-draft", error),
            OpenError::NoJournal(_) => Self::new("no-journal", error),
            OpenError::PutAside(Aside::Moved { .. }) => Self::new("poll-moved", error),
            OpenError::PutAside(_) => Self::new("poll-archived", error),
            OpenError::Randomness(_) => Self::new("no-randomness", error),
            OpenError::Stopped => Self::new("closed", error),
            OpenError::Failed(_) | _ => Self::other(error),
        }
    }
}

impl From<hustings_transport_peerjs::OpenError> for Failure {
    fn from(error: hustings_transport_peerjs::OpenError) -> Self {
        use hustings_transport_peerjs::OpenError;

        let code = match error {
            OpenError::Config(_) => "bad-configuration",
            OpenError::Randomness(_) => "no-randomness",
            OpenError::NoWindow => "no-window",
            OpenError::NoWebRtc => "no-webrtc",
            _ => OTHER,
        };
        Self::new(code, error)
    }
}

impl From<hustings_browser::OpenError> for Failure {
    fn from(error: hustings_browser::OpenError) -> Self {
        match error {
            hustings_browser::OpenError::Store(error) => error.into(),
            hustings_browser::OpenError::Tab(error) => error.into(),
        }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Elsewhere(_) => Self::new("hosted-elsewhere", error),
            HostError::Tab(error) => error.into(),
            HostError::Poll(error) => error.into(),
            HostError::PeerJs(error) => error.into(),
        }
    }
}

impl From<RemoveError> for Failure {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::Sound => Self::new("not-damaged", error),
            RemoveError::Host(error) => error.into(),
            RemoveError::Store(error) => error.into(),
        }
    }
}

impl From<KeepError> for Failure {
    fn from(error: KeepError) -> Self {
        let code = match error {
            KeepError::Host(error) => return error.into(),
            KeepError::Export(ExportError::Store(error))
            | KeepError::Import(ImportError::Store(error)) => return error.into(),
            KeepError::Export(ExportError::NoJournal(_)) => "no-journal",
            KeepError::Export(ExportError::NoPassphrase) => "bad-argument",
            KeepError::Export(ExportError::Randomness(_)) => "no-randomness",
            KeepError::Export(_) => OTHER,
            KeepError::Read(ReadError::WrongPassphrase) => "wrong-passphrase",
            KeepError::Read(_) => "bad-file",
            KeepError::Import(ImportError::OtherIdentity { .. }) => "other-identity",
            KeepError::Import(_) => "poll-forked",
            KeepError::InMemory => "storage-unavailable",
        };
        Self::new(code, error)
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Tab(error) => error.into(),
            JoinError::Room(error) => error.into(),
            JoinError::PeerJs(error) => error.into(),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new("bad-configuration", error)
    }
}
