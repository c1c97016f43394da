//! Checks of a poll that comes from outside, and of its parts.

use litemap::LiteMap;

use crate::limits::fits;
use crate::{ErrorCode, Limits, MAX_SAFE_INTEGER, OptionId, Poll, Rejection, Role};

impl Poll {
    /// Checks a poll that came from outside: it keeps to the limits, has no option twice and no
    /// vote that the rules reject, and nobody but its owner has the owner's role. Texts may be any
    /// that are not blank: they were decided on when they were new, perhaps by earlier rules.
    ///
    /// # Errors
    ///
    /// A sentence that names the part that is wrong.
    pub fn check(&self, limits: &Limits) -> Result<(), Rejection> {
        check_text("the title", &self.title, limits.max_title_chars)?;
        check_time(self.closes_at)?;
        if self.options.len() > limits.max_options || self.members.size() > limits.max_members {
            return Err(Rejection::new(
                ErrorCode::PollFull,
                format!(
                    "a poll has at most {} options and {} members",
                    limits.max_options, limits.max_members
                ),
            ));
        }
        let mut known: LiteMap<OptionId, ()> = LiteMap::new();
        for option in self.options.iter() {
            check_text("an option's label", &option.label, limits.max_label_chars)?;
            if known.insert(option.option_id, ()).is_some() {
                return Err(Rejection::new(
                    ErrorCode::OptionExists,
                    format!("the option {} appears twice", option.option_id),
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
                    format!("{peer} has an invalid role: the owner is {}", self.owner),
                ));
            }
            self.check_choices(
                &member.choices,
                |choice| known.contains_key(&choice),
                limits,
            )?;
        }
        self.check_invitations()?;
        self.check_turnout()?;
        self.check_shown()
    }

    /// Checks that a person may choose these options together. The caller decides how an option is
    /// looked up: for one vote an index is not worth its cost, for all members it is.
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
                "this poll allows only one choice",
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

/// Checks that every language can write the time.
pub(crate) fn check_time(unix_millis: Option<u64>) -> Result<(), Rejection> {
    match unix_millis {
        Some(MAX_SAFE_INTEGER..) => {
            let message = format!("a time has at most {MAX_SAFE_INTEGER} milliseconds");
            Err(Rejection::new(ErrorCode::BadField, message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Checks that a text that people typed is neither blank nor too long.
pub(crate) fn check_text(what: &str, text: &str, max: usize) -> Result<(), Rejection> {
    if text.trim().is_empty() {
        Err(Rejection::new(
            ErrorCode::BadText,
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
