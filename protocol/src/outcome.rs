//! How a command ends.

use serde::{Deserialize, Serialize};

use crate::{CommandId, ErrorCode, Revision, Seq};

/// How a command ended. It is final: a command that is sent again gets the same outcome again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It took effect, and this is the revision that it made.
    Applied(Revision),
    /// It never took effect.
    Rejected(Rejection),
}

/// Why something was refused, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Rejection {
    /// A stable word for programs.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: String,
}

impl Rejection {
    /// A rejection with this code and sentence, which is cut at 300 characters: it may repeat what
    /// a peer sent.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        // Bytes first: nearly every sentence is short, and need not be counted.
        if message.len() > 300
            && let Some((end, _)) = message.char_indices().nth(300)
        {
            message.truncate(end);
        }
        Self { code, message }
    }
}

/// What an owner remembers of one command, so that it is applied once and answered alike each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The command's number in its sender's order.
    pub seq: Seq,
    /// The command.
    pub command_id: CommandId,
    /// A digest of the command's content: the same id with other content is a violation. It is
    /// not cryptographic; whoever finds a collision cheats only on a command of their own.
    pub digest: u64,
    /// What the sender was told.
    pub outcome: Outcome,
}
