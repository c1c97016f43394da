//! What peers ask for.

use serde::{Deserialize, Serialize};

use crate::{CommandId, DeviceId, Kind, OptionId, PeerId, PollId, Revision, Role, Seq};

/// What a peer asks of the poll: a mutation, before anybody has agreed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Choose options in place of the author's earlier choice.
    Vote(Vote),
    /// Add an option.
    AddOption(OptionAdd),
    /// Change somebody's role.
    UpdateRole(RoleUpdate),
    /// Say who one is.
    SetProfile(UserProfile),
    /// Close or reopen the poll, or change who may add options. The owner's alone.
    UpdateSettings(SettingsUpdate),
}

impl Command {
    /// The type of the message that carries this command.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Vote(_) => Kind::Vote,
            Self::AddOption(_) => Kind::OptionAdd,
            Self::UpdateRole(_) => Kind::RoleUpdate,
            Self::SetProfile(_) => Kind::UserProfile,
            Self::UpdateSettings(_) => Kind::SettingsUpdate,
        }
    }

    /// The poll that the payload names; a profile names none.
    #[must_use]
    pub const fn poll_id(&self) -> Option<PollId> {
        match self {
            Self::Vote(vote) => Some(vote.poll_id),
            Self::AddOption(option) => Some(option.poll_id),
            Self::UpdateRole(update) => Some(update.poll_id),
            Self::UpdateSettings(update) => Some(update.poll_id),
            Self::SetProfile(_) => None,
        }
    }
}

/// Payload of `poll:vote`: the options that the author chooses, in place of any earlier choice.
/// None at all takes the vote back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vote {
    /// In which poll.
    pub poll_id: PollId,
    /// The choice: no option twice, and one at most where the poll is single-choice.
    pub option_ids: Vec<OptionId>,
}

/// Payload of `poll:option:add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionAdd {
    /// To which poll.
    pub poll_id: PollId,
    /// The new option's id, made by the author.
    pub option_id: OptionId,
    /// What people read.
    pub label: String,
}

/// Payload of `poll:role:update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleUpdate {
    /// In which poll.
    pub poll_id: PollId,
    /// Whose role. It need not be a member yet.
    pub peer_id: PeerId,
    /// The new role.
    pub role: Role,
}

/// Payload of `user:profile`: what the author wants to be called. A later version may say more;
/// fields that are not known are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserProfile {
    /// The name that others see.
    pub name: String,
}

/// Payload of `poll:settings`: what is named changes, what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsUpdate {
    /// Of which poll.
    pub poll_id: PollId,
    /// Whether votes and options are refused from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
    /// Whether voters, too, may add options from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voters_may_add_options: Option<bool>,
}

/// A command as its sender numbered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Its name, for good.
    pub command_id: CommandId,
    /// Its number in the order of the sender (author and device).
    pub seq: Seq,
    /// What is asked for.
    pub command: Command,
}

/// A command that the owner has applied, as it is relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Who asked.
    pub author: PeerId,
    /// From which device.
    pub device: DeviceId,
    /// The revision that it made.
    pub revision: Revision,
    /// What was asked, with the sender's name and number for it.
    pub numbered: Numbered,
}
