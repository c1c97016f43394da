//! The poll as a value: the content of a snapshot, which the rules change.

mod check;
mod draft;
mod member;
mod options;

use std::fmt;

use bytes::Bytes;
use rpds::RedBlackTreeMapSync;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::envelope::{Fields, encode};
use crate::invitation::{InvitationCounts, Ledger};
use crate::planted::{self, Fault};
use crate::strict::Object;
use crate::text::{self, Labels};
use crate::turnout;
use crate::{
    Admission, Ballots, Kind, Limits, OptionId, PeerId, PollId, Position, Rejection, Results, Shown,
};

pub(crate) use self::check::{check_text, check_time};
pub use self::draft::PollDraft;
pub use self::member::{Member, Role};
pub(crate) use self::options::Options;

/// One option to vote for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollOption {
    /// Its id.
    pub option_id: OptionId,
    /// The text that people read.
    pub label: String,
    /// True if it was withdrawn: nobody can choose it any more, and votes for it do not count.
    #[serde(default, skip_serializing_if = "is_false")]
    pub withdrawn: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

/// The members of a poll, in the order of their ids. A copy of them shares all that is the same.
pub(crate) type Members = RedBlackTreeMapSync<PeerId, Member>;

/// A poll: its options, its members, their roles and their votes.
///
/// An owner has the whole poll. Everybody else has the [part that they are told](Poll::told_to),
/// which is the same type; [`shown`](Poll::shown) tells how much of the votes it has.
///
/// A copy costs little, and so does a change of one of two copies, however many members there are.
///
/// It changes only by [`decide`](Poll::decide) and [`apply`](Poll::apply). Two polls with the same
/// history are equal and are written as the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    pub(crate) poll_id: PollId,
    pub(crate) owner: PeerId,
    pub(crate) title: String,
    pub(crate) multiple_choice: bool,
    pub(crate) voters_may_add_options: bool,
    pub(crate) closed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closes_at: Option<u64>,
    // A poll from before there were any of these shows all that it has.
    #[serde(
        default = "Ballots::before",
        skip_serializing_if = "Ballots::is_before"
    )]
    pub(crate) ballots: Ballots,
    #[serde(default, skip_serializing_if = "Results::is_default")]
    pub(crate) results: Results,
    #[serde(default, skip_serializing_if = "Admission::is_default")]
    pub(crate) admission: Admission,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invitations: Option<InvitationCounts>,
    #[serde(
        default = "turnout::named_up_to",
        skip_serializing_if = "turnout::is_named_up_to"
    )]
    pub(crate) voters_named_up_to: u32,
    #[serde(default, skip_serializing_if = "Shown::is_default")]
    pub(crate) shown: Shown,
    /// The number of voters, in a poll that shows no choices and does not name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turnout: Option<u32>,
    /// The votes of each option, in a poll that shows these and no choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tally: Option<Vec<u32>>,
    pub(crate) options: Options,
    #[serde(deserialize_with = "members")]
    pub(crate) members: Members,
    #[serde(skip)]
    pub(crate) labels: Labels,
    /// The invitations themselves; in the owner's own poll alone.
    #[serde(skip)]
    pub(crate) ledger: Ledger,
}

/// Reads the members and refuses a peer id that occurs twice: a map would silently take the last.
fn members<'de, D>(deserializer: D) -> Result<Members, D::Error>
where
    D: Deserializer<'de>,
{
    struct Read;
    impl<'de> Visitor<'de> for Read {
        type Value = Members;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("members by their peer ids")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Members::default();
            while let Some((peer, Object(member))) = map.next_entry()? {
                if members.contains_key(&peer) {
                    return Err(A::Error::custom(format!("the member {peer} appears twice")));
                }
                members.insert_mut(peer, member);
            }
            Ok(members)
        }
    }
    deserializer.deserialize_map(Read)
}

/// The votes for one option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionTally {
    /// The option.
    pub option_id: OptionId,
    /// The number of members who chose it.
    pub votes: u64,
}

/// The result of a poll at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Each option with its votes, in the order of the poll.
    pub options: Vec<OptionTally>,
    /// The number of members with a vote. In a multiple-choice poll the votes of all options can
    /// add up to more.
    pub voters: u64,
}

impl Poll {
    /// A new poll at revision zero, with the texts of the draft in their [normal
    /// form](text::normalised).
    ///
    /// `option_id` makes the ids of the first options. A caller with a source of randomness should
    /// give random UUIDs.
    ///
    /// # Errors
    ///
    /// A sentence that names the part of the draft that is too long, too many, there twice or no
    /// [text](text).
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
            title: text::normalised(&draft.title).into_owned(),
            multiple_choice: draft.multiple_choice,
            voters_may_add_options: draft.voters_may_add_options,
            closed: false,
            closes_at: draft.closes_at,
            ballots: draft.ballots,
            results: draft.results,
            admission: draft.admission,
            invitations: (draft.admission == Admission::Invited).then(InvitationCounts::default),
            voters_named_up_to: draft.voters_named_up_to,
            shown: Shown::Ballots,
            turnout: None,
            tally: None,
            options: draft
                .options
                .into_iter()
                .map(|label| PollOption {
                    option_id: option_id(),
                    label: text::normalised(&label).into_owned(),
                    withdrawn: false,
                })
                .collect(),
            members: Members::default(),
            labels: Labels::default(),
            ledger: Ledger::new(),
        };
        poll.check(limits)?;
        text::check("the title", &poll.title)?;
        let mut labels = Labels::default();
        for (index, option) in poll.options.iter().enumerate() {
            text::check("an option's label", &option.label)?;
            labels.check_new(&poll.options[..index], &option.label)?;
        }
        Ok(poll)
    }

    /// The frame of a [`Message::PollState`](crate::Message::PollState), without making the message
    /// first.
    #[must_use]
    pub fn encode_state(&self, at: Position) -> Bytes {
        encode(Kind::PollState, Fields::at(at), self)
    }

    /// The poll's id.
    #[must_use]
    pub const fn poll_id(&self) -> PollId {
        self.poll_id
    }

    /// The poll's owner.
    #[must_use]
    pub const fn owner(&self) -> PeerId {
        self.owner
    }

    /// The question.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// True if a vote may name several options.
    #[must_use]
    pub const fn multiple_choice(&self) -> bool {
        self.multiple_choice
    }

    /// True if voters may add options.
    #[must_use]
    pub const fn voters_may_add_options(&self) -> bool {
        self.voters_may_add_options
    }

    /// True once votes and options are rejected.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The time when the owner closes the poll, in milliseconds of its Unix time. It stays
    /// when the poll is closed before.
    #[must_use]
    pub const fn closes_at(&self) -> Option<u64> {
        self.closes_at
    }

    /// The options in the order in which they were added, with those that were withdrawn.
    #[must_use]
    pub fn options(&self) -> &[PollOption] {
        &self.options
    }

    /// The option with this id.
    #[must_use]
    pub fn option(&self, option_id: OptionId) -> Option<&PollOption> {
        let at = self.options.position(option_id)?;
        self.options.get(at)
    }

    /// Everybody who voted, has a name or was given a role, in the order of their ids. A copy that
    /// [names no voters](Self::names_voters) leaves out those who have only voted.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (PeerId, &Member)> {
        self.members.iter().map(|(peer, member)| (*peer, member))
    }

    /// The member with this id; `None` for a person who has not voted and has neither a name nor a
    /// role.
    #[must_use]
    pub fn member(&self, peer: PeerId) -> Option<&Member> {
        self.members.get(&peer)
    }

    /// A person's role. A stranger is a voter, or a viewer where only invited people vote.
    #[must_use]
    pub fn role(&self, peer: PeerId) -> Role {
        self.role_of(peer, self.member(peer))
    }

    /// The same, for whoever has looked for the member already.
    pub(crate) fn role_of(&self, peer: PeerId, member: Option<&Member>) -> Role {
        if peer == self.owner {
            return Role::Owner;
        }
        member.map_or_else(|| self.strangers_role(peer), |member| member.role)
    }

    /// The role of a person who was given none.
    pub(crate) fn strangers_role(&self, peer: PeerId) -> Role {
        match self.admission {
            Admission::Link | Admission::Invited if peer == self.owner => Role::Owner,
            Admission::Invited if !planted::is_on(Fault::UninvitedVote) => Role::Viewer,
            Admission::Link | Admission::Invited => Role::Voter,
        }
    }

    /// The options that a person chose, with those that were withdrawn since; empty without a vote.
    #[must_use]
    pub fn choices(&self, peer: PeerId) -> &[OptionId] {
        self.members
            .get(&peer)
            .map_or(&[], |member| &member.choices)
    }

    /// The number of members with a vote. Its cost grows with the number of members.
    #[must_use]
    pub fn voters(&self) -> u64 {
        u64::from(self.turnout.unwrap_or_else(|| self.count_voters()))
    }

    /// The votes of each option, in their order; `None` where they are not [shown](Shown). In 32
    /// bits: nobody votes twice.
    #[must_use]
    pub fn counts(&self) -> Option<Vec<u32>> {
        match self.shown {
            Shown::Ballots => Some(self.count()),
            Shown::Tally => self.tally.clone(),
            Shown::Turnout => None,
        }
    }

    /// The result so far; `None` where it is not [shown](Shown). Its cost grows with the number of
    /// members.
    #[must_use]
    pub fn tally(&self) -> Option<Tally> {
        let counts = self.counts()?;
        let options = self.options.iter().zip(counts);
        let options = options.map(|(option, votes)| OptionTally {
            option_id: option.option_id,
            votes: votes.into(),
        });
        Some(Tally {
            options: options.collect(),
            voters: self.voters(),
        })
    }

    /// The votes of each option, counted from the choices.
    pub(crate) fn count(&self) -> Vec<u32> {
        let mut votes = vec![0; self.options.len()];
        for choice in self.members.values().flat_map(|member| &member.choices) {
            if let Some(at) = self.options.position(*choice)
                && !self.options[at].withdrawn
            {
                votes[at] += 1;
            }
        }
        votes
    }
}
