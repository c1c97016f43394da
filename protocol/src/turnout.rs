//! Turnout: the people who have voted, or in a poll of many only their number.
//!
//! To name each voter to everybody costs a room the square of its size. So copies that show no
//! choices name the voters of a poll as long as it has few members, and count them beyond. Members
//! never become fewer, so a poll whose voters are counted names them never again.

use crate::poll::Members;
use crate::{
    Admission, Command, ErrorCode, Member, OptionId, PeerId, Poll, PollDraft, Rejection, Shown,
};

pub(crate) const fn named_up_to() -> u32 {
    PollDraft::VOTERS_NAMED_UP_TO
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(crate) const fn is_named_up_to(members: &u32) -> bool {
    *members == PollDraft::VOTERS_NAMED_UP_TO
}

impl Poll {
    /// The most members of the poll with which those who are shown no choices are told who has
    /// voted. With more they are told how many have. Fixed when a poll is made.
    #[must_use]
    pub const fn voters_named_up_to(&self) -> u32 {
        self.voters_named_up_to
    }

    /// The number of people with a vote, where those who are shown no choices are told only that;
    /// `None` where they are told who has voted. Of a poll that shows all choices its cost grows
    /// with the number of members.
    #[must_use]
    pub fn turnout(&self) -> Option<u32> {
        match self.shown {
            Shown::Ballots => self.has_many_members().then(|| self.count_voters()),
            Shown::Turnout | Shown::Tally => self.turnout,
        }
    }

    /// True if this copy says of each person if they have voted. One that does not says so only of
    /// the person whose it is.
    #[must_use]
    pub const fn names_voters(&self) -> bool {
        self.turnout.is_none()
    }

    pub(crate) fn has_many_members(&self) -> bool {
        self.members.size() as u64 > u64::from(self.voters_named_up_to)
    }

    /// The number of members with a vote, of a poll that says of each.
    pub(crate) fn count_voters(&self) -> u32 {
        let voters = self.members.values().filter(|it| self.has_vote(it));
        u32::try_from(voters.count()).unwrap_or(u32::MAX)
    }

    /// From now on this copy counts the voters, and forgets whoever is a member only as one of
    /// them.
    pub(crate) fn name_no_voters(&mut self, turnout: u32) {
        self.turnout = Some(turnout);
        self.members = self.members_but_voters(|member| member.choices.clone());
    }

    /// The members as they are told where voters are counted, with these of their choices.
    pub(crate) fn members_but_voters(&self, choices: impl Fn(&Member) -> Vec<OptionId>) -> Members {
        let mut members = Members::default();
        for (peer, member) in &self.members {
            let choices = choices(member);
            if choices.is_empty() && self.is_known_by_votes_alone(*peer, member) {
                continue;
            }
            let Member {
                role,
                profile,
                removed,
                ..
            } = member;
            let mut told = Member::new(*role);
            told.profile.clone_from(profile);
            told.removed = *removed;
            told.choices = choices;
            members.insert_mut(*peer, told);
        }
        members
    }

    /// True for a member of whom there is no more to say than of somebody who is none, but for a
    /// vote. In a poll for invited people every member but the owner was let in by an update, and
    /// stays.
    fn is_known_by_votes_alone(&self, peer: PeerId, member: &Member) -> bool {
        let may_be_new = self.admission == Admission::Link || peer == self.owner;
        let is_plain = member.role == self.strangers_role(peer) && member.profile.is_none();
        may_be_new && is_plain && !member.removed
    }

    /// Checks that a poll either names its voters or counts them.
    pub(crate) fn check_turnout(&self) -> Result<(), Rejection> {
        let names_some = || self.members.values().any(|member| member.voted);
        if !self.names_voters() && (self.shown == Shown::Ballots || names_some()) {
            let message = "a turnout is for a poll that shows no choices and names no voters";
            return Err(Rejection::new(ErrorCode::BadField, message));
        }
        Ok(())
    }

    /// After a command, which has just been applied, a copy that shows no choices says the right
    /// thing of its voters. `had_voted` is of the command's author.
    pub(crate) fn settle_turnout(&mut self, author: PeerId, command: &Command, had_voted: bool) {
        if self.shown == Shown::Ballots {
            return;
        }
        let Some(turnout) = self.turnout else {
            if self.has_many_members() {
                self.name_no_voters(self.count_voters());
            }
            return;
        };
        let concerned = match command {
            Command::Vote(_) => author,
            Command::UpdateRole(update) => update.peer_id,
            Command::ReadmitPeer(readmission) => readmission.peer_id,
            Command::RemovePeer(_)
            | Command::AddOption(_)
            | Command::SetProfile(_)
            | Command::UpdateSettings(_)
            | Command::UpdateOption(_)
            | Command::IssueInvitations(_)
            | Command::WithdrawInvitations(_)
            | Command::RedeemInvitation(_) => return,
        };
        if matches!(command, Command::Vote(_)) {
            let turnout = match (had_voted, self.has_voted(author)) {
                (false, true) => turnout.saturating_add(1),
                (true, false) => turnout.saturating_sub(1),
                (true, true) | (false, false) => turnout,
            };
            self.turnout = Some(turnout);
        }
        let is_forgotten = |member: &Member| {
            member.choices.is_empty() && self.is_known_by_votes_alone(concerned, member)
        };
        if self.member(concerned).is_some_and(is_forgotten) {
            self.members.remove_mut(&concerned);
        }
    }
}
