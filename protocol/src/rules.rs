//! The rules of a poll: the commands that each role may give, and the changes that they make.

use crate::planted::{self, Fault};
use crate::poll::{check_text, check_time};
use crate::text::Labels;
use crate::{
    Admission, Command, ErrorCode, Limits, Member, OptionAdd, OptionId, OptionUpdate, PeerId,
    PeerReadmission, PeerRemoval, Poll, PollOption, Rejection, Role, RoleUpdate, SettingsUpdate,
    UserProfile, Vote,
};

fn unknown(option_id: OptionId) -> Rejection {
    let message = format!("this poll has no option {option_id}");
    Rejection::new(ErrorCode::UnknownOption, message)
}

fn withdrawn(option: &PollOption) -> Rejection {
    let message = format!("the option {} was withdrawn", option.option_id);
    Rejection::new(ErrorCode::OptionWithdrawn, message)
}

/// The author of a vote in the list of members. To look into that once is a walk through a tree.
#[derive(Debug, Clone, Copy)]
struct Standing {
    role: Role,
    is_member: bool,
}

fn check_role(role: Role, least: Role, what: &str) -> Result<(), Rejection> {
    if role < least {
        return Err(Rejection::new(
            ErrorCode::NotAllowed,
            format!("your role does not let you {what}"),
        ));
    }
    Ok(())
}

impl Poll {
    /// Decides on a new command of `author`, as the owner does: applies it, or rejects it and
    /// changes nothing.
    ///
    /// Beside the rules of [`apply`](Self::apply), its texts have to be [texts](crate::text), and a
    /// new label like no other. These rules know a version of Unicode, and a later version of this
    /// crate may know another, so they are no part of `apply`: what was once decided is the same
    /// poll everywhere.
    ///
    /// # Errors
    ///
    /// The reason, which the author is told.
    pub fn decide(
        &mut self,
        author: PeerId,
        command: &Command,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        command.check_text()?;
        match command {
            Command::AddOption(option) if self.option(option.option_id).is_none() => {
                self.labels.check_new(&self.options, &option.label)?;
            }
            Command::UpdateOption(update) => self.check_label(update)?,
            Command::Vote(_)
            | Command::AddOption(_)
            | Command::UpdateRole(_)
            | Command::UpdateSettings(_)
            | Command::RemovePeer(_)
            | Command::ReadmitPeer(_)
            | Command::IssueInvitations(_)
            | Command::WithdrawInvitations(_)
            | Command::RedeemInvitation(_)
            | Command::SetProfile(_) => {}
        }
        self.apply(author, command, limits)
    }

    /// Applies a command of `author`, or rejects it and changes nothing.
    ///
    /// These are the rules for what an owner has [decided](Self::decide), and for participants who
    /// show their own commands before the outcome. The result depends only on the arguments: the
    /// same commands on the same poll make the same poll everywhere.
    ///
    /// # Errors
    ///
    /// The reason, which the author is told.
    pub fn apply(
        &mut self,
        author: PeerId,
        command: &Command,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        if let Some(poll_id) = command.poll_id()
            && poll_id != self.poll_id
        {
            return Err(Rejection::new(
                ErrorCode::WrongPoll,
                format!(
                    "the command is for the poll {poll_id}, this is the poll {}",
                    self.poll_id
                ),
            ));
        }
        let member = self.member(author);
        let had_voted = !self.names_voters() && member.is_some_and(|it| self.has_vote(it));
        let standing = Standing {
            role: self.role_of(author, member),
            is_member: member.is_some(),
        };
        if member.is_some_and(|member| member.removed) {
            let message = "you were removed from this poll";
            return Err(Rejection::new(ErrorCode::Removed, message));
        }
        match command {
            Command::Vote(vote) => self.vote(author, standing, vote, limits),
            Command::AddOption(option) => self.add_option(author, option, limits),
            Command::UpdateRole(update) => self.update_role(author, update, limits),
            Command::SetProfile(profile) => self.set_profile(author, profile, limits),
            Command::UpdateSettings(update) => self.update_settings(author, update, limits),
            Command::UpdateOption(update) => self.update_option(author, update, limits),
            Command::RemovePeer(removal) => self.remove_peer(author, removal, limits),
            Command::ReadmitPeer(readmission) => self.readmit_peer(author, readmission, limits),
            Command::IssueInvitations(issue) => self.issue(author, issue, limits),
            Command::WithdrawInvitations(withdrawal) => self.withdraw(author, withdrawal, limits),
            Command::RedeemInvitation(redemption) => self.redeem(author, redemption, limits),
        }?;
        self.settle_turnout(author, command, had_voted);
        Ok(())
    }

    /// Checks that no other option has this label.
    fn check_label(&self, update: &OptionUpdate) -> Result<(), Rejection> {
        let Some(label) = &update.label else {
            return Ok(());
        };
        let others = self.options.iter();
        let others = others.filter(|option| option.option_id != update.option_id);
        let others: Vec<_> = others.cloned().collect();
        Labels::default().check_new(&others, label)
    }

    fn vote(
        &mut self,
        author: PeerId,
        Standing { role, is_member }: Standing,
        vote: &Vote,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_open()?;
        check_role(role, Role::Voter, "vote")?;
        let choices = &vote.option_ids;
        self.check_choices(choices, |choice| self.option(choice).is_some(), limits)?;
        let options = choices.iter().filter_map(|choice| self.option(*choice));
        if let Some(gone) = options.into_iter().find(|option| option.withdrawn) {
            return Err(withdrawn(gone));
        }
        if !is_member {
            self.add_member(author, limits)?;
        }
        let member = self.known_member_mut(author);
        member.voted = false;
        let before = std::mem::replace(&mut member.choices, choices.clone());
        self.recount(&before, choices);
        Ok(())
    }

    fn add_option(
        &mut self,
        author: PeerId,
        option: &OptionAdd,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_open()?;
        let least = if self.voters_may_add_options {
            Role::Voter
        } else {
            Role::Moderator
        };
        self.check_role(author, least, "add options")?;
        check_text("the label", &option.label, limits.max_label_chars)?;
        if self.option(option.option_id).is_some() {
            return Err(Rejection::new(
                ErrorCode::OptionExists,
                format!("this poll already has the option {}", option.option_id),
            ));
        }
        if self.options.len() >= limits.max_options {
            return Err(Rejection::new(
                ErrorCode::PollFull,
                format!("a poll has at most {} options", limits.max_options),
            ));
        }
        self.options.push(PollOption {
            option_id: option.option_id,
            label: option.label.clone(),
            withdrawn: false,
        });
        if let Some(tally) = &mut self.tally {
            tally.push(0);
        }
        Ok(())
    }

    /// A role is set by a person who is above it, for a person who is below them. A vote stays when
    /// its author becomes a viewer.
    fn update_role(
        &mut self,
        author: PeerId,
        update: &RoleUpdate,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_role(author, Role::Moderator, "set roles")?;
        if update.role >= self.role(author) {
            let message = "you can only give roles below your own";
            return Err(Rejection::new(ErrorCode::NotAllowed, message));
        }
        self.check_below(author, update.peer_id)?;
        if self.admission == Admission::Invited
            && author != self.owner
            && self.role(update.peer_id) < Role::Voter
            && update.role >= Role::Voter
            && !planted::is_on(Fault::ModeratorsInvite)
        {
            let message = "only the host lets people vote who have no invitation";
            return Err(Rejection::new(ErrorCode::NotAllowed, message));
        }
        self.member_mut(update.peer_id, limits)?.role = update.role;
        Ok(())
    }

    fn set_profile(
        &mut self,
        author: PeerId,
        profile: &UserProfile,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        check_text("the name", &profile.name, limits.max_name_chars)?;
        if self.admission == Admission::Invited
            && author != self.owner
            && self.member(author).is_none()
        {
            let message = "in this poll only people who were invited have a name";
            return Err(Rejection::new(ErrorCode::NotAllowed, message));
        }
        self.member_mut(author, limits)?.profile = Some(profile.clone());
        Ok(())
    }

    /// To open a poll again takes a deadline away that would close it at once, unless another one
    /// comes with it.
    fn update_settings(
        &mut self,
        author: PeerId,
        update: &SettingsUpdate,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_role(author, Role::Owner, "change the settings")?;
        check_time(update.closes_at.flatten())?;
        if let Some(title) = &update.title {
            check_text("the title", title, limits.max_title_chars)?;
            self.title.clone_from(title);
        }
        if let Some(closes_at) = update.closes_at {
            self.closes_at = closes_at;
        } else if self.closed && update.closed == Some(false) {
            self.closes_at = None;
        }
        self.closed = update.closed.unwrap_or(self.closed);
        self.results = update.results.unwrap_or(self.results);
        self.voters_may_add_options = update
            .voters_may_add_options
            .unwrap_or(self.voters_may_add_options);
        Ok(())
    }

    fn update_option(
        &mut self,
        author: PeerId,
        update: &OptionUpdate,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_open()?;
        self.check_role(author, Role::Moderator, "change options")?;
        if let Some(label) = &update.label {
            check_text("the label", label, limits.max_label_chars)?;
        }
        let at = self.options.position(update.option_id);
        let at = at.ok_or_else(|| unknown(update.option_id))?;
        if let Some(label) = &update.label {
            self.options.set_label(at, label);
            // They are known by their places.
            self.labels = Labels::default();
        }
        if let Some(withdrawn) = update.withdrawn {
            self.options.set_withdrawn(at, withdrawn);
            if let Some(votes) = self.tally.as_mut().and_then(|tally| tally.get_mut(at)) {
                // Without the choices it cannot be known; whoever tells of this tells it.
                *votes = 0;
            }
        }
        Ok(())
    }

    fn remove_peer(
        &mut self,
        author: PeerId,
        removal: &PeerRemoval,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_role(author, Role::Moderator, "remove people")?;
        self.check_below(author, removal.peer_id)?;
        let member = self.member_mut(removal.peer_id, limits)?;
        member.removed = true;
        if !removal.keep_vote {
            member.voted = false;
            let before = std::mem::take(&mut member.choices);
            self.recount(&before, &[]);
        }
        Ok(())
    }

    fn readmit_peer(
        &mut self,
        author: PeerId,
        readmission: &PeerReadmission,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_role(author, Role::Moderator, "readmit people")?;
        self.check_below(author, readmission.peer_id)?;
        self.member_mut(readmission.peer_id, limits)?.removed = false;
        Ok(())
    }

    fn check_below(&self, author: PeerId, peer: PeerId) -> Result<(), Rejection> {
        if self.role(peer) < self.role(author) {
            return Ok(());
        }
        let message = "you can only do this to people whose role is below yours";
        Err(Rejection::new(ErrorCode::NotAllowed, message))
    }

    /// True for somebody who was removed, and not readmitted.
    #[must_use]
    pub fn is_removed(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| member.removed)
    }

    fn check_open(&self) -> Result<(), Rejection> {
        if self.closed {
            return Err(Rejection::new(ErrorCode::PollClosed, "this poll is closed"));
        }
        Ok(())
    }

    pub(crate) fn check_role(
        &self,
        author: PeerId,
        least: Role,
        what: &str,
    ) -> Result<(), Rejection> {
        check_role(self.role(author), least, what)
    }

    /// The member with this id; one who is not a member yet becomes one, if there is room.
    pub(crate) fn member_mut(
        &mut self,
        peer: PeerId,
        limits: &Limits,
    ) -> Result<&mut Member, Rejection> {
        if !self.members.contains_key(&peer) {
            self.add_member(peer, limits)?;
        }
        Ok(self.known_member_mut(peer))
    }

    /// Somebody who is no member becomes one, if there is room.
    fn add_member(&mut self, peer: PeerId, limits: &Limits) -> Result<(), Rejection> {
        if self.members.size() >= limits.max_members {
            return Err(Rejection::new(
                ErrorCode::PollFull,
                format!("a poll has at most {} members", limits.max_members),
            ));
        }
        let member = Member::new(self.role_of(peer, None));
        self.members.insert_mut(peer, member);
        Ok(())
    }

    fn known_member_mut(&mut self, peer: PeerId) -> &mut Member {
        let member = self.members.get_mut(&peer);
        member.expect("whoever was no member has become one")
    }
}
