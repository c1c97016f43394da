//! Commands about invitations: their payloads, and what others are told of them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::planted::{self, Fault};
use crate::{Command, InvitationId, InvitationSecret, Message, PollId, Update};

/// Payload of `poll:invitation:issue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationIssue {
    /// The poll.
    pub poll_id: PollId,
    /// The invitations, each new. Nobody but the device that hosts the poll is told them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invitations: Vec<InvitationId>,
    /// In what others are told: how many there were. Zero in a command.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u32,
}

/// Payload of `poll:invitation:withdraw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationWithdrawal {
    /// The poll.
    pub poll_id: PollId,
    /// The invitations, each issued and not withdrawn before. Nobody but the device that hosts the
    /// poll is told them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invitations: Vec<InvitationId>,
    /// In what others are told: how many there were. Zero in a command.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u32,
}

/// Payload of `poll:invitation:redeem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationRedemption {
    /// The poll.
    pub poll_id: PollId,
    /// The secret of an invitation. Absent in what others are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<InvitationSecret>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Command {
    /// The command as others are told it, where that is less than its author has said: of
    /// invitations they hear how many, and never one of them. `None` for every other command, which
    /// is told as it is.
    #[must_use]
    pub fn told(&self) -> Option<Self> {
        let counted = |invitations: &[InvitationId], count: u32| {
            // Bounded by what one command may name.
            count.saturating_add(u32::try_from(invitations.len()).unwrap_or(u32::MAX))
        };
        if planted::is_on(Fault::TellsInvitations) {
            return None;
        }
        match self {
            Self::IssueInvitations(issue) => Some(Self::IssueInvitations(InvitationIssue {
                poll_id: issue.poll_id,
                invitations: Vec::new(),
                count: counted(&issue.invitations, issue.count),
            })),
            Self::WithdrawInvitations(withdrawal) => {
                Some(Self::WithdrawInvitations(InvitationWithdrawal {
                    poll_id: withdrawal.poll_id,
                    invitations: Vec::new(),
                    count: counted(&withdrawal.invitations, withdrawal.count),
                }))
            }
            Self::RedeemInvitation(redemption) => {
                Some(Self::RedeemInvitation(InvitationRedemption {
                    poll_id: redemption.poll_id,
                    secret: None,
                }))
            }
            Self::Vote(_)
            | Self::AddOption(_)
            | Self::UpdateRole(_)
            | Self::UpdateSettings(_)
            | Self::UpdateOption(_)
            | Self::RemovePeer(_)
            | Self::ReadmitPeer(_)
            | Self::SetProfile(_) => None,
        }
    }
}

impl Update {
    /// The frame in which others are told it, if that is [less](Command::told) than its author has
    /// said.
    #[must_use]
    pub fn encode_told(&self) -> Option<Bytes> {
        let mut told = self.clone();
        told.numbered.command = self.numbered.command.told()?;
        Some(Message::Update(told).encode())
    }
}
