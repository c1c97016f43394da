//! The payloads of commands.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{OptionId, PeerId, PollId, Results, Role};

/// Payload of `poll:vote`: the options that the author chooses, in place of any earlier choice. An
/// empty choice takes the vote back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vote {
    /// The poll.
    pub poll_id: PollId,
    /// The choice: no option twice, and at most one in a single-choice poll.
    pub option_ids: Vec<OptionId>,
}

/// Payload of `poll:option:add`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionAdd {
    /// The poll.
    pub poll_id: PollId,
    /// The new option's id, made by the author.
    pub option_id: OptionId,
    /// The text that people read.
    pub label: String,
}

/// Payload of `poll:role:update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleUpdate {
    /// The poll.
    pub poll_id: PollId,
    /// The person whose role changes. They need not be a member yet.
    pub peer_id: PeerId,
    /// The new role.
    pub role: Role,
}

/// Payload of `user:profile`: the name that the author wants. A later version may add fields;
/// unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserProfile {
    /// The name that others see.
    pub name: String,
}

/// Payload of `poll:settings`: a field that is present changes the setting, an absent one leaves
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SettingsUpdate {
    /// The poll.
    pub poll_id: PollId,
    /// True to reject votes and options from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
    /// True to let voters add options from now on, false to stop that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voters_may_add_options: Option<bool>,
    /// The time from which the results are shown, from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Results>,
    /// The new title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The time when the owner closes the poll, in milliseconds of Unix time; `Some(None)`, or
    /// `null` on the wire, for never.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nullable"
    )]
    pub closes_at: Option<Option<u64>>,
}

/// Tells `null` from a field that is not there.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Payload of `poll:option:update`: a field that is present changes the option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OptionUpdate {
    /// The poll.
    pub poll_id: PollId,
    /// The option.
    pub option_id: OptionId,
    /// The new label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// True to withdraw it, so that votes for it do not count; false to take that back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<bool>,
}

/// Payload of `poll:peer:remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerRemoval {
    /// The poll.
    pub poll_id: PollId,
    /// The person. They need not be a member.
    pub peer_id: PeerId,
    /// True to let their vote stand.
    pub keep_vote: bool,
}

/// Payload of `poll:peer:readmit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerReadmission {
    /// The poll.
    pub poll_id: PollId,
    /// The person.
    pub peer_id: PeerId,
}

impl SettingsUpdate {
    /// An update that changes nothing yet.
    #[must_use]
    pub const fn new(poll_id: PollId) -> Self {
        Self {
            poll_id,
            closed: None,
            voters_may_add_options: None,
            results: None,
            title: None,
            closes_at: None,
        }
    }

    /// Closes the poll (`true`) or reopens it (`false`); `None` leaves it as it is.
    #[must_use]
    pub fn closed(mut self, closed: impl Into<Option<bool>>) -> Self {
        self.closed = closed.into();
        self
    }

    /// Lets voters add options (`true`) or stops that (`false`); `None` leaves it as it is.
    #[must_use]
    pub fn voters_may_add_options(mut self, may: impl Into<Option<bool>>) -> Self {
        self.voters_may_add_options = may.into();
        self
    }

    /// Shows the results from this time on; `None` leaves it as it is.
    #[must_use]
    pub fn results(mut self, results: impl Into<Option<Results>>) -> Self {
        self.results = results.into();
        self
    }

    /// Changes the title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Makes the owner close the poll at this time, in milliseconds of Unix time; `None` for never.
    #[must_use]
    pub fn closes_at(mut self, unix_millis: impl Into<Option<u64>>) -> Self {
        self.closes_at = Some(unix_millis.into());
        self
    }
}

impl OptionUpdate {
    /// An update that changes nothing yet.
    #[must_use]
    pub const fn new(poll_id: PollId, option_id: OptionId) -> Self {
        Self {
            poll_id,
            option_id,
            label: None,
            withdrawn: None,
        }
    }

    /// Changes the label.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Withdraws the option, or takes that back.
    #[must_use]
    pub const fn withdrawn(mut self, withdrawn: bool) -> Self {
        self.withdrawn = Some(withdrawn);
        self
    }
}
