//! The rules of a poll: the commands that each role may give, and the changes that they make.

use std::sync::Arc;

use crate::poll::check_text;
use crate::{
    Command, ErrorCode, Limits, Member, OptionAdd, PeerId, Poll, PollOption, Rejection, Role,
    RoleUpdate, SettingsUpdate, UserProfile, Vote,
};

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
        if let Command::AddOption(option) = command
            && self.option(option.option_id).is_none()
        {
            self.labels.check_new(&self.options, &option.label)?;
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
        match command {
            Command::Vote(vote) => self.vote(author, vote, limits),
            Command::AddOption(option) => self.add_option(author, option, limits),
            Command::UpdateRole(update) => self.update_role(author, update, limits),
            Command::SetProfile(profile) => self.set_profile(author, profile, limits),
            Command::UpdateSettings(update) => self.update_settings(author, update),
        }
    }

    fn vote(&mut self, author: PeerId, vote: &Vote, limits: &Limits) -> Result<(), Rejection> {
        self.check_open()?;
        self.check_role(author, Role::Voter, "vote")?;
        let choices = &vote.option_ids;
        self.check_choices(choices, |choice| self.option(choice).is_some(), limits)?;
        let member = self.member_mut(author, limits)?;
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
        Arc::make_mut(&mut self.options).push(PollOption {
            option_id: option.option_id,
            label: option.label.clone(),
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
        let own = self.role(author);
        if update.role >= own || self.role(update.peer_id) >= own {
            return Err(Rejection::new(
                ErrorCode::NotAllowed,
                "you can only give roles below your own, to people below you",
            ));
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
        self.member_mut(author, limits)?.profile = Some(profile.clone());
        Ok(())
    }

    fn update_settings(
        &mut self,
        author: PeerId,
        update: &SettingsUpdate,
    ) -> Result<(), Rejection> {
        self.check_role(author, Role::Owner, "change the settings")?;
        self.closed = update.closed.unwrap_or(self.closed);
        self.results = update.results.unwrap_or(self.results);
        self.voters_may_add_options = update
            .voters_may_add_options
            .unwrap_or(self.voters_may_add_options);
        Ok(())
    }

    fn check_open(&self) -> Result<(), Rejection> {
        if self.closed {
            return Err(Rejection::new(ErrorCode::PollClosed, "this poll is closed"));
        }
        Ok(())
    }

    fn check_role(&self, author: PeerId, least: Role, what: &str) -> Result<(), Rejection> {
        if self.role(author) < least {
            return Err(Rejection::new(
                ErrorCode::NotAllowed,
                format!("your role does not let you {what}"),
            ));
        }
        Ok(())
    }

    /// The member with this id; one who is not a member yet becomes one, if there is room.
    pub(crate) fn member_mut(
        &mut self,
        peer: PeerId,
        limits: &Limits,
    ) -> Result<&mut Member, Rejection> {
        if !self.members.contains_key(&peer) {
            if self.members.size() >= limits.max_members {
                return Err(Rejection::new(
                    ErrorCode::PollFull,
                    format!("a poll has at most {} members", limits.max_members),
                ));
            }
            self.members.insert_mut(peer, Member::new(self.role(peer)));
        }
        let member = self.members.get_mut(&peer);
        Ok(member.expect("whoever was no member has become one"))
    }
}
