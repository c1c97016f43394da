//! The projection of a poll: the part of it that one person is told.
//!
//! It is a function of the poll and the person, and the only thing that leaves an owner: snapshots,
//! updates, caches and logs are made of it.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::envelope::{Fields, encode_beside};
use crate::invitation::Ledger;
use crate::strict::Word;
use crate::{ErrorCode, Kind, Member, OptionId, PeerId, Poll, Position, Rejection};

/// A closed set of words, each read in one form only.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $what:literal,
     $($(#[$of:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub enum $name {
            $($(#[$of])* $variant,)*
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let Word(word) = Word::deserialize(deserializer)?;
                match word.as_ref() {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(serde::de::Error::custom($what)),
                }
            }
        }

        impl $name {
            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// The people who see the choices of others. Fixed when a poll is made.
    Ballots: "ballots must be open or secret",
    /// Everybody sees who chose what.
    Open = "open",
    /// Everybody sees the votes of each option and who has voted, or [how
    /// many](Poll::turnout) have; choices are seen by those who made them, and by the owner, who
    /// counts them.
    #[default]
    Secret = "secret",
}

words! {
    /// The people who may vote. Fixed when a poll is made.
    Admission: "admission must be link or invited",
    /// Everybody who has the link.
    #[default]
    Link = "link",
    /// Those who have redeemed an invitation, or whom the owner has made a voter. Everybody else
    /// who has the link may look.
    Invited = "invited",
}

words! {
    /// The time from which results are shown to others than the owner. Until then they see who
    /// voted, or [how many](Poll::turnout).
    Results: "results must be live, afterVote or afterClose",
    /// At any time.
    #[default]
    Live = "live",
    /// To those who have a vote, and to everybody once the poll is closed.
    AfterVote = "afterVote",
    /// Once the poll is closed.
    AfterClose = "afterClose",
}

words! {
    /// The part of the votes that a copy of a poll has, in ascending order. One's own is in all.
    #[expect(clippy::exhaustive_enums, reason = "each has to be treated")]
    Shown: "shown must be turnout, tally or ballots",
    /// The people who have voted, or [how many](Poll::turnout) they are.
    Turnout = "turnout",
    /// The votes of each option, too.
    Tally = "tally",
    /// Each choice, with the person who made it.
    #[default]
    Ballots = "ballots",
}

impl Ballots {
    /// Those of a poll that was made before there were secret ones.
    pub(crate) const fn before() -> Self {
        Self::Open
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(crate) const fn is_before(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl Admission {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(crate) const fn is_default(&self) -> bool {
        matches!(self, Self::Link)
    }
}

impl Results {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(crate) const fn is_default(&self) -> bool {
        matches!(self, Self::Live)
    }
}

impl Shown {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(crate) const fn is_default(&self) -> bool {
        matches!(self, Self::Ballots)
    }
}

impl Poll {
    /// The people who see the choices of others.
    #[must_use]
    pub const fn ballots(&self) -> Ballots {
        self.ballots
    }

    /// The people who may vote.
    #[must_use]
    pub const fn admission(&self) -> Admission {
        self.admission
    }

    /// The time from which results are shown.
    #[must_use]
    pub const fn results(&self) -> Results {
        self.results
    }

    /// The part of the votes that this copy has. An owner's has all.
    #[must_use]
    pub const fn shown(&self) -> Shown {
        self.shown
    }

    /// True if a person has a vote, whether their choice is shown or not. A copy that [names no
    /// voters](Self::names_voters) knows it of nobody but the person whose it is.
    #[must_use]
    pub fn has_voted(&self, peer: PeerId) -> bool {
        self.member(peer)
            .is_some_and(|member| self.has_vote(member))
    }

    /// True if a member has a vote: a choice that is not shown, or one of an option that was not
    /// withdrawn.
    pub(crate) fn has_vote(&self, member: &Member) -> bool {
        let is_there = |choice: &OptionId| self.option(*choice).is_some_and(|it| !it.withdrawn);
        member.voted || member.choices.iter().any(is_there)
    }

    /// True if everybody is told everything, now and whatever happens to the settings but
    /// [`results`](Self::results).
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!((self.ballots, self.results), (Ballots::Open, Results::Live))
    }

    /// The part of the votes that a person is told, of a poll that has them all.
    #[must_use]
    pub fn shown_to(&self, peer: PeerId) -> Shown {
        let are_due = match self.results {
            Results::Live => true,
            Results::AfterVote => self.closed || self.has_voted(peer),
            Results::AfterClose => self.closed,
        };
        match self.ballots {
            // The owner, too, may have a second device. Whoever counts the votes has them.
            Ballots::Open | Ballots::Secret if peer == self.owner => Shown::Ballots,
            Ballots::Open | Ballots::Secret if !are_due => Shown::Turnout,
            Ballots::Open => Shown::Ballots,
            Ballots::Secret => Shown::Tally,
        }
    }

    /// The part of a whole poll that a person is told.
    #[must_use]
    pub fn told_to(&self, peer: PeerId) -> Self {
        let mut told = self.told(self.shown_to(peer));
        told.set_ballot(peer, self.choices(peer));
        told
    }

    /// The part of a whole poll that is told to everybody who is shown so much of it. With it goes
    /// the recipient's own [ballot](Self::set_ballot).
    #[must_use]
    pub fn told(&self, shown: Shown) -> Self {
        let mut told = self.clone();
        told.ledger = Ledger::default();
        if shown == Shown::Ballots {
            return told;
        }
        told.shown = shown;
        told.tally = (shown == Shown::Tally).then(|| self.count());
        if let Some(turnout) = self.turnout() {
            told.turnout = Some(turnout);
            told.members = self.members_but_voters(|_| Vec::new());
            return told;
        }
        for (peer, member) in &self.members {
            if member.choices.is_empty() {
                continue;
            }
            let voted = self.has_vote(member);
            if let Some(member) = told.members.get_mut(peer) {
                member.voted = voted;
                member.choices = Vec::new();
            }
        }
        told
    }

    /// The frame of a [`Message::PollState`](crate::Message::PollState) of a poll that shows no
    /// choices, with the recipient's own beside it. `poll` is the [payload](Self::encode_payload):
    /// the same for all that are shown as much, so that it is made once.
    #[must_use]
    pub fn encode_told(poll: &[u8], at: Position, ballot: &[OptionId]) -> Bytes {
        encode_beside(Kind::PollState, Fields::at(at), ballot, poll)
    }

    /// The poll as the payload of a [`Message::PollState`](crate::Message::PollState).
    #[must_use]
    pub fn encode_payload(&self) -> Bytes {
        let mut payload = serde_json::to_vec(self)
            .expect("a poll is structs and maps with text keys, which always serialise");
        // It is kept for newcomers, and has grown by doubling.
        payload.shrink_to_fit();
        payload.into()
    }

    /// Adds a person's own choice to a copy that shows none. In one that shows all it is there
    /// already.
    pub fn set_ballot(&mut self, peer: PeerId, choices: &[OptionId]) {
        if self.shown == Shown::Ballots || choices.is_empty() {
            return;
        }
        if !self.names_voters() && !self.members.contains_key(&peer) {
            self.members.insert_mut(peer, Member::new(self.role(peer)));
        }
        if let Some(member) = self.members.get_mut(&peer) {
            member.voted = false;
            member.choices = choices.to_vec();
        }
    }

    /// One vote in place of another, in a copy that has the votes of each option.
    pub(crate) fn recount(&mut self, before: &[OptionId], after: &[OptionId]) {
        let Some(tally) = &mut self.tally else {
            return;
        };
        let mut change = |choices: &[OptionId], by: fn(u32, u32) -> u32| {
            for choice in choices {
                let mut options = self.options.iter();
                let at = options.position(|it| it.option_id == *choice && !it.withdrawn);
                if let Some(votes) = at.and_then(|at| tally.get_mut(at)) {
                    *votes = by(*votes, 1);
                }
            }
        };
        change(before, u32::saturating_sub);
        change(after, u32::saturating_add);
    }

    /// Checks that a poll has the votes of each option if it says that it shows them, and only
    /// then.
    pub(crate) fn check_shown(&self) -> Result<(), Rejection> {
        let is_right = match (self.shown, &self.tally) {
            (Shown::Tally, Some(tally)) => tally.len() == self.options.len(),
            (Shown::Turnout | Shown::Ballots, None) => true,
            (Shown::Tally, None) | (Shown::Turnout | Shown::Ballots, Some(_)) => false,
        };
        if is_right {
            return Ok(());
        }
        let message = "the tally must have one number for each option, and be there if it is shown";
        Err(Rejection::new(ErrorCode::BadField, message))
    }
}
