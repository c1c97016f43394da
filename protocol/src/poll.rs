//! The poll as a value: what a snapshot says and what the rules change.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use litemap::LiteMap;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::envelope::{Fields, encode};
use crate::limits::fits;
use crate::strict::{Object, Word, objects, optional_object};
use crate::{
    Epoch, ErrorCode, Kind, Limits, OptionId, PeerId, PollId, Rejection, Revision, UserProfile,
};

/// What somebody may do in a poll. The order is that of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the poll.
    Viewer,
    /// Also votes, and adds options where the poll lets voters do so. Everybody who was given no
    /// other role.
    Voter,
    /// Also adds options, and sets roles below its own.
    Moderator,
    /// The one who hosts the poll. It is given at birth and to nobody else.
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
                "a role is viewer, voter, moderator or owner",
            )),
        }
    }
}

/// One thing to vote for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollOption {
    /// Its id.
    pub option_id: OptionId,
    /// What people read.
    pub label: String,
}

/// What the poll knows of somebody who voted, has a name or was given a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// What they may do.
    pub role: Role,
    /// What they are called.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub profile: Option<UserProfile>,
    /// What they voted for; empty when they have no vote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<OptionId>,
}

impl Member {
    pub(crate) const fn new(role: Role) -> Self {
        Self {
            role,
            profile: None,
            choices: Vec::new(),
        }
    }
}

/// What somebody who starts a poll decides; the form of a poll in a file.
///
/// ```
/// use hustings_protocol::PollDraft;
///
/// let draft = PollDraft::new("Tea or coffee?")
///     .options(["Tea", "Coffee"])
///     .voters_may_add_options(true);
/// assert_eq!(draft.options.len(), 2);
/// assert!(!draft.multiple_choice);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct PollDraft {
    /// The question.
    pub title: String,
    /// The labels of the first options, in their order.
    #[serde(default)]
    pub options: Vec<String>,
    /// Whether a vote may name several options.
    #[serde(default)]
    pub multiple_choice: bool,
    /// Whether voters may add options.
    #[serde(default)]
    pub voters_may_add_options: bool,
}

impl PollDraft {
    /// A single-choice poll without options, to which voters may add none.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Adds first options, by their labels.
    #[must_use]
    pub fn options<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        self.options.extend(labels.into_iter().map(Into::into));
        self
    }

    /// Lets a vote name several options, or not.
    #[must_use]
    pub const fn multiple_choice(mut self, several: bool) -> Self {
        self.multiple_choice = several;
        self
    }

    /// Lets voters add options, or not.
    #[must_use]
    pub const fn voters_may_add_options(mut self, may: bool) -> Self {
        self.voters_may_add_options = may;
        self
    }
}

/// A poll: the options, who is in it, who may do what and who chose what.
///
/// Its only way to change is [`apply`](Poll::apply). Two polls with the same history are equal and
/// are written as the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    pub(crate) poll_id: PollId,
    pub(crate) owner: PeerId,
    pub(crate) title: String,
    pub(crate) multiple_choice: bool,
    pub(crate) voters_may_add_options: bool,
    pub(crate) closed: bool,
    #[serde(deserialize_with = "objects")]
    pub(crate) options: Vec<PollOption>,
    #[serde(deserialize_with = "members")]
    pub(crate) members: BTreeMap<PeerId, Member>,
}

/// Members, each of them once: a map would keep the last of two.
fn members<'de, D>(deserializer: D) -> Result<BTreeMap<PeerId, Member>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = BTreeMap<PeerId, Member>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("members by their peer ids")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = BTreeMap::new();
            while let Some((peer, Object(member))) = map.next_entry()? {
                if members.insert(peer, member).is_some() {
                    return Err(A::Error::custom(format!(
                        "the member {peer} is there twice"
                    )));
                }
            }
            Ok(members)
        }
    }
    deserializer.deserialize_map(Members)
}

/// How many voted for one option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionTally {
    /// Which option.
    pub option_id: OptionId,
    /// How many chose it.
    pub votes: u64,
}

/// The result of a poll at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Each option with its votes, in the order of the poll.
    pub options: Vec<OptionTally>,
    /// How many have a vote. In a multiple-choice poll the votes of all options are more.
    pub voters: u64,
}

impl Poll {
    /// A new poll at revision zero.
    ///
    /// `option_id` names the first options; a caller with a source of randomness gives random
    /// UUIDs.
    ///
    /// # Errors
    ///
    /// Says which part of the draft is empty, too long or too much.
    pub fn new(
        poll_id: PollId,
        owner: PeerId,
        draft: PollDraft,
        mut option_id: impl FnMut() -> OptionId,
        limits: &Limits,
    ) -> Result<Self, Rejection> {
        let poll = Self {
            poll_id,
            owner,
            title: draft.title,
            multiple_choice: draft.multiple_choice,
            voters_may_add_options: draft.voters_may_add_options,
            closed: false,
            options: draft
                .options
                .into_iter()
                .map(|label| PollOption {
                    option_id: option_id(),
                    label,
                })
                .collect(),
            members: BTreeMap::new(),
        };
        poll.check(limits)?;
        Ok(poll)
    }

    /// The frame of a [`Message::PollState`](crate::Message::PollState), without making the message
    /// first.
    #[must_use]
    pub fn encode_state(&self, revision: Revision, epoch: Epoch) -> Bytes {
        let fields = Fields {
            revision: Some(revision),
            epoch: Some(epoch),
            ..Fields::default()
        };
        encode(Kind::PollState, fields, self)
    }

    /// Which poll it is.
    #[must_use]
    pub const fn poll_id(&self) -> PollId {
        self.poll_id
    }

    /// Who hosts it.
    #[must_use]
    pub const fn owner(&self) -> PeerId {
        self.owner
    }

    /// The question.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Whether a vote may name several options.
    #[must_use]
    pub const fn multiple_choice(&self) -> bool {
        self.multiple_choice
    }

    /// Whether voters may add options.
    #[must_use]
    pub const fn voters_may_add_options(&self) -> bool {
        self.voters_may_add_options
    }

    /// True once votes and options are rejected.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The options in the order in which they were added.
    #[must_use]
    pub fn options(&self) -> &[PollOption] {
        &self.options
    }

    /// The option with this id.
    #[must_use]
    pub fn option(&self, option_id: OptionId) -> Option<&PollOption> {
        self.options
            .iter()
            .find(|option| option.option_id == option_id)
    }

    /// Everybody who voted, has a name or was given a role, in the order of their ids.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (PeerId, &Member)> {
        self.members.iter().map(|(peer, member)| (*peer, member))
    }

    /// What the poll knows of somebody.
    #[must_use]
    pub fn member(&self, peer: PeerId) -> Option<&Member> {
        self.members.get(&peer)
    }

    /// What somebody may do. A stranger may vote.
    #[must_use]
    pub fn role(&self, peer: PeerId) -> Role {
        if peer == self.owner {
            Role::Owner
        } else {
            self.members
                .get(&peer)
                .map_or(Role::Voter, |member| member.role)
        }
    }

    /// What somebody chose; empty when they have no vote.
    #[must_use]
    pub fn choices(&self, peer: PeerId) -> &[OptionId] {
        self.members
            .get(&peer)
            .map_or(&[], |member| &member.choices)
    }

    /// The result so far. Its cost grows with the votes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut votes: LiteMap<OptionId, u64> = LiteMap::new();
        let mut voters = 0;
        for member in self.members.values() {
            voters += u64::from(!member.choices.is_empty());
            for choice in &member.choices {
                *votes.entry(*choice).or_default() += 1;
            }
        }
        let options = self
            .options
            .iter()
            .map(|option| OptionTally {
                option_id: option.option_id,
                votes: votes.get(&option.option_id).copied().unwrap_or_default(),
            })
            .collect();
        Tally { options, voters }
    }

    /// Whether a poll that came from outside keeps to the limits and to itself: no option twice,
    /// no vote that the rules reject, nobody else with the owner's role.
    ///
    /// # Errors
    ///
    /// Says which part does not.
    pub fn check(&self, limits: &Limits) -> Result<(), Rejection> {
        check_text("the title", &self.title, limits.max_title_chars)?;
        if self.options.len() > limits.max_options || self.members.len() > limits.max_members {
            return Err(Rejection::new(
                ErrorCode::PollFull,
                format!(
                    "a poll has at most {} options and {} members",
                    limits.max_options, limits.max_members
                ),
            ));
        }
        let mut known: LiteMap<OptionId, ()> = LiteMap::new();
        for option in &self.options {
            check_text("an option's label", &option.label, limits.max_label_chars)?;
            if known.insert(option.option_id, ()).is_some() {
                return Err(Rejection::new(
                    ErrorCode::OptionExists,
                    format!("the option {} is there twice", option.option_id),
                ));
            }
        }
        for (peer, member) in &self.members {
            if let Some(profile) = &member.profile {
                check_text("a name", &profile.name, limits.max_name_chars)?;
            }
            if (member.role == Role::Owner) != (*peer == self.owner) {
                return Err(Rejection::new(
                    ErrorCode::BadField,
                    format!("the role of {peer} does not fit the owner {}", self.owner),
                ));
            }
            self.check_choices(
                &member.choices,
                |choice| known.contains_key(&choice),
                limits,
            )?;
        }
        Ok(())
    }

    /// Whether somebody may choose these together. The caller says how an option is looked up:
    /// for one vote it is not worth an index, for all of them it is.
    pub(crate) fn check_choices(
        &self,
        choices: &[OptionId],
        is_option: impl Fn(OptionId) -> bool,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        if choices.len() > limits.max_choices {
            return Err(Rejection::new(
                ErrorCode::TooLong,
                format!("a vote names at most {} options", limits.max_choices),
            ));
        }
        if choices.len() > 1 && !self.multiple_choice {
            return Err(Rejection::new(
                ErrorCode::SingleChoice,
                "this poll allows one choice",
            ));
        }
        for (index, choice) in choices.iter().enumerate() {
            if !is_option(*choice) {
                return Err(Rejection::new(
                    ErrorCode::UnknownOption,
                    format!("this poll has no option {choice}"),
                ));
            }
            if choices[..index].contains(choice) {
                return Err(Rejection::new(
                    ErrorCode::DuplicateChoice,
                    format!("the option {choice} is chosen twice"),
                ));
            }
        }
        Ok(())
    }
}

/// Whether a text that people typed says something and is not too long.
pub(crate) fn check_text(what: &str, text: &str, max: usize) -> Result<(), Rejection> {
    if text.trim().is_empty() {
        Err(Rejection::new(
            ErrorCode::BadField,
            format!("{what} is empty"),
        ))
    } else if fits(text, max) {
        Ok(())
    } else {
        Err(Rejection::new(
            ErrorCode::TooLong,
            format!("{what} has more than {max} characters"),
        ))
    }
}
