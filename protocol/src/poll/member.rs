//! The people of a poll: their roles, names and choices.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::is_false;
use crate::strict::{Word, optional_object};
use crate::{Cast, OptionId, UserProfile};

/// A person's power in a poll, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May see the poll.
    Viewer,
    /// May also vote, and add options if the poll lets voters do so. The role of everybody who was
    /// given no other, unless only [invited](crate::Admission::Invited) people vote.
    Voter,
    /// May also add options, and set roles below its own.
    Moderator,
    /// The role of the poll's owner from the start, and of nobody else.
    Owner,
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Word(word) = Word::deserialize(deserializer)?;
        match word.as_ref() {
            "viewer" => Ok(Self::Viewer),
            "voter" => Ok(Self::Voter),
            "moderator" => Ok(Self::Moderator),
            "owner" => Ok(Self::Owner),
            _ => Err(D::Error::custom(
                "the role must be viewer, voter, moderator or owner",
            )),
        }
    }
}

/// A person who voted, has a name or was given a role.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Their role.
    pub role: Role,
    /// Their profile, if they have set one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub profile: Option<UserProfile>,
    /// The options that they chose; empty without a vote, and where their choice is not
    /// [shown](crate::Shown).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<OptionId>,
    /// True if they have a vote and their choice is not shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub voted: bool,
    /// True if they were removed: they may do nothing any more, and are not let in.
    #[serde(default, skip_serializing_if = "is_false")]
    pub removed: bool,
    /// The casting of that choice, if they have ever made one; in the owner's own poll alone.
    #[serde(skip)]
    pub(crate) cast: Option<Cast>,
}

impl Member {
    pub(crate) const fn new(role: Role) -> Self {
        Self {
            role,
            profile: None,
            choices: Vec::new(),
            voted: false,
            removed: false,
            cast: None,
        }
    }
}

/// Two are equal of which everybody is told the same: an owner's poll equals the copies of it.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            role,
            profile,
            choices,
            voted,
            removed,
            cast: _,
        } = self;
        (role, profile, choices) == (&other.role, &other.profile, &other.choices)
            && (*voted, *removed) == (other.voted, other.removed)
    }
}

impl Eq for Member {}
