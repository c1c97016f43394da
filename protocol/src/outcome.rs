//! Outcomes: the final answer to a command.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CommandId, ErrorCode, Revision, Seq};

/// The final answer to a command. A command that is sent again gets the same outcome again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The command was applied, and made this revision.
    Applied(Revision),
    /// The command was not applied and never will be.
    Rejected(Rejection),
}

/// The reason for a refusal or a rejection, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Rejection {
    /// A stable word for programs.
    pub code: ErrorCode,
    /// A sentence for people. It is shared: the same refusal is told to a peer and to the
    /// application, and kept for when the command comes again.
    pub message: Arc<str>,
}

impl Rejection {
    /// A rejection with this code and this sentence. The sentence is cut at 300 characters, because
    /// it may repeat what a peer sent.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Arc<str>>) -> Self {
        let mut message = message.into();
        // Bytes first: nearly every sentence is short, and its characters need not be counted.
        if message.len() > 300
            && let Some((end, _)) = message.char_indices().nth(300)
        {
            message = message[..end].into();
        }
        Self { code, message }
    }
}

/// An owner's record of one command, by which it is applied once and gets the same answer every
/// time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The command's number in its sender's order.
    pub seq: Seq,
    /// The command's id.
    pub command_id: CommandId,
    /// A digest of the command's content: the same id with other content is a violation. The digest
    /// is not cryptographic; a person who finds a collision cheats only on a command of their own.
    pub digest: u64,
    /// The outcome that the sender was told.
    pub outcome: Outcome,
}
