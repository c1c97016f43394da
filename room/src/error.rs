//! One small error type for each thing that a caller can get wrong.

use hustings_protocol::{ErrorCode, PollId, Rejection};

/// Why a command was not taken. It was not queued, and nothing will be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The owner is away. The poll can be read; commands wait for its return only where
    /// [`OfflinePolicy::Queue`](crate::OfflinePolicy) was chosen.
    #[error("the poll's owner is offline")]
    OwnerOffline,
    /// The command names another poll.
    #[error("the command is for the poll {0}, which is not this room's")]
    WrongPoll(PollId),
    /// The owner would refuse the command unread.
    #[error("the command is {bytes} bytes long, at most {max} are allowed")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// As many commands wait as [`Config::max_pending`](crate::Config::max_pending) allows.
    #[error("{0} commands are waiting for the owner already")]
    OutboxFull(usize),
}

/// Why what was kept does not make a room. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct RestoreError {
    /// Which record.
    pub what: String,
    /// What is wrong with it.
    pub reason: Rejection,
}

impl RestoreError {
    pub(crate) fn new(what: impl Into<String>, reason: Rejection) -> Self {
        Self {
            what: what.into(),
            reason,
        }
    }

    /// A record that reads well but is not what belongs there.
    pub(crate) fn misplaced(what: impl Into<String>) -> Self {
        let message = "it is another message than the one that belongs here";
        Self::new(what, Rejection::new(ErrorCode::Unexpected, message))
    }
}
