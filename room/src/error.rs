//! Errors: one small type for each thing that can go wrong.

use hustings_protocol::{ErrorCode, PollId, Rejection};

/// The reason why a command was not taken. It was not queued, and nothing will be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The owner is away. The poll can still be read; commands wait for the owner only with
    /// [`OfflinePolicy::Queue`](crate::OfflinePolicy).
    #[error("the poll's owner is offline")]
    OwnerOffline,
    /// The command names another poll, or one that is not open here.
    #[error("the command is for the poll {0}, which is not open here")]
    WrongPoll(PollId),
    /// The owner would reject the command, whatever the poll is like by then.
    #[error("the command would be rejected: {0}")]
    Invalid(Rejection),
    /// The command is larger than an owner accepts.
    #[error("the command has {bytes} bytes, the limit is {max}")]
    TooLarge {
        /// The size of the command's frame, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The outbox has as many commands as [`Config::max_pending`](crate::Config::max_pending)
    /// allows.
    #[error("the outbox is full: {0} commands are waiting for the owner")]
    OutboxFull(usize),
}

/// The reason why stored data does not make a room. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct RestoreError {
    /// The record that cannot be used.
    pub what: String,
    /// The reason why not.
    pub reason: Rejection,
}

impl RestoreError {
    pub(crate) fn new(what: impl Into<String>, reason: Rejection) -> Self {
        Self {
            what: what.into(),
            reason,
        }
    }

    /// A record that can be read but is not the one that was stored there.
    pub(crate) fn misplaced(what: impl Into<String>) -> Self {
        let message = "the record holds another message than expected";
        Self::new(what, Rejection::new(ErrorCode::Unexpected, message))
    }
}
