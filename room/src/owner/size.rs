//! The size of a poll: how near it is to what a snapshot and its list of members may have.

use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{Command, ErrorCode, Limits, Member, PeerId, Poll, Rejection, Role};

/// The bytes of a member in a snapshot without name and choices, at most: the id, the role, and
/// what stands between them.
const MEMBER: usize = 160;

/// The bytes of one choice: a UUID in quotes, and a comma.
const CHOICE: usize = 39;

/// The bytes of an option without its label, at most.
const OPTION: usize = 80;

/// The bytes of a snapshot without options and members, at most, apart from the title.
const REST: usize = 512;

/// An upper bound of the bytes of a text: any character may have to be escaped.
const fn text(text: &str) -> usize {
    text.len() * 2
}

/// The size of a poll, kept up to date with each command rather than measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// The bytes of a snapshot, at most.
    bytes: usize,
    /// The members who have a name and nothing else.
    names: usize,
}

/// One person in the list of members.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) is_member: bool,
    bytes: usize,
    has_only_a_name: bool,
}

impl Standing {
    pub(crate) fn of(poll: &Poll, peer: PeerId) -> Self {
        poll.member(peer).map(Self::of_member).unwrap_or_default()
    }

    fn of_member(member: &Member) -> Self {
        let name = member.profile.as_ref().map_or(0, |it| text(&it.name));
        Self {
            is_member: true,
            bytes: MEMBER + name + CHOICE * member.choices.len(),
            has_only_a_name: member.choices.is_empty() && member.role == Role::Voter,
        }
    }
}

impl Size {
    pub(crate) fn of(poll: &Poll) -> Self {
        let labels = poll.options().iter();
        let options: usize = labels.map(|it| OPTION + text(&it.label)).sum();
        let mut size = Self {
            bytes: REST + text(poll.title()) + options,
            names: 0,
        };
        for (_, member) in poll.members() {
            let standing = Standing::of_member(member);
            size.bytes += standing.bytes;
            size.names += usize::from(standing.has_only_a_name);
        }
        size
    }

    /// Refuses a command with which the poll would be larger than a frame may be, so that nobody
    /// could join it, or with which names alone would fill the list of members.
    pub(crate) fn check(
        &self,
        poll: &Poll,
        author: PeerId,
        command: &Command,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        let grows_by = growth(poll, author, command);
        if grows_by > 0
            && self.bytes + grows_by > limits.max_frame_bytes
            && !planted::is_on(Fault::StateOverLimit)
        {
            let max = limits.max_frame_bytes;
            let message = format!("this poll is full: with more it would exceed {max} bytes");
            return Err(Rejection::new(ErrorCode::PollFull, message));
        }
        // A name costs nothing but a key. The other half is for those who vote.
        let most = limits.max_members / 2;
        if matches!(command, Command::SetProfile(_))
            && self.names >= most
            && poll.member(author).is_none()
            && !planted::is_on(Fault::StrangersFillMembers)
        {
            let message = format!("this poll has {most} names of people who have not voted");
            return Err(Rejection::new(ErrorCode::PollFull, message));
        }
        Ok(())
    }

    /// A command was applied.
    pub(crate) fn change(&mut self, before: Standing, after: Standing, command: &Command) {
        if let Command::AddOption(option) = command {
            self.bytes += OPTION + text(&option.label);
        }
        self.bytes = (self.bytes + after.bytes).saturating_sub(before.bytes);
        self.names += usize::from(after.has_only_a_name);
        self.names -= usize::from(before.has_only_a_name);
    }
}

/// The bytes that a command adds to the poll, at most.
fn growth(poll: &Poll, author: PeerId, command: &Command) -> usize {
    let entry = |peer| match poll.member(peer) {
        Some(_) => 0,
        None => MEMBER,
    };
    match command {
        Command::Vote(vote) => {
            let before = CHOICE * poll.choices(author).len();
            entry(author) + (CHOICE * vote.option_ids.len()).saturating_sub(before)
        }
        Command::AddOption(option) => OPTION + text(&option.label),
        Command::UpdateRole(update) => entry(update.peer_id),
        Command::SetProfile(profile) => entry(author) + text(&profile.name),
        // Later commands, too, are small, or they come with their own line here.
        Command::UpdateSettings(_) | _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hustings_protocol::{
        Epoch, OptionAdd, OptionId, PollDraft, PollId, Position, Revision, RoleUpdate, UserProfile,
        Vote,
    };
    use uuid::Uuid;

    const OWNER: PeerId = PeerId::from_bytes([1; 32]);

    fn id(number: u128) -> OptionId {
        OptionId::from_uuid(Uuid::from_u128(number))
    }

    fn bytes(poll: &Poll) -> usize {
        let nowhere = Position {
            epoch: Epoch::new(0),
            revision: Revision::MAX,
            history: None,
        };
        poll.encode_state(nowhere).len()
    }

    #[test]
    fn the_bound_is_above_every_snapshot_and_not_far() {
        let poll_id = PollId::from_uuid(Uuid::nil());
        let draft = PollDraft::new("\"Tea\"?")
            .options(["Tea", "Coffee"])
            .multiple_choice(true);
        let mut ids = 1..;
        let next = || id(ids.next().unwrap());
        let limits = Limits::default();
        let mut poll = Poll::new(poll_id, OWNER, draft, next, &limits).unwrap();
        let mut size = Size::of(&poll);
        for number in 0..200_u8 {
            let peer = PeerId::from_bytes([number; 32]);
            let choices = (1..=1 + u128::from(number) % 2).map(id).collect();
            for (author, command) in [
                (
                    OWNER,
                    Command::AddOption(OptionAdd {
                        poll_id,
                        option_id: id(1_000 + u128::from(number)),
                        label: format!("\"{number}\" \\ ✓"),
                    }),
                ),
                (
                    peer,
                    Command::SetProfile(UserProfile {
                        name: "\"\"\\".repeat(number.into()).chars().take(64).collect(),
                    }),
                ),
                (
                    peer,
                    Command::Vote(Vote {
                        poll_id,
                        option_ids: choices,
                    }),
                ),
                (
                    OWNER,
                    Command::UpdateRole(RoleUpdate {
                        poll_id,
                        peer_id: peer,
                        role: Role::Moderator,
                    }),
                ),
            ] {
                let subject = command.subject(author);
                let before = Standing::of(&poll, subject);
                if poll.apply(author, &command, &limits).is_ok() {
                    size.change(before, Standing::of(&poll, subject), &command);
                }
            }
            assert_eq!(size.bytes, Size::of(&poll).bytes);
            assert_eq!(size.names, Size::of(&poll).names);
            assert!(bytes(&poll) <= size.bytes);
        }
        assert!(
            size.bytes < 2 * bytes(&poll),
            "{} for {}",
            size.bytes,
            bytes(&poll)
        );
    }
}
