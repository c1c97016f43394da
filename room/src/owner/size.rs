//! The size of a poll: how near it is to what a snapshot and its list of members may have.

use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Ballots, Command, ErrorCode, Limits, Member, PeerId, Poll, Rejection, Role,
};

/// The bytes of a member in a snapshot without name and vote, at most: the id, the longest role,
/// and that they were removed.
const MEMBER: usize = 90;

/// The bytes that a name has beside its text.
const NAME: usize = 22;

/// The bytes of a vote without its choices, where these are told and where they are not.
const VOTE: usize = 13;

/// The bytes of one choice: a UUID in quotes, and a comma.
const CHOICE: usize = 39;

/// The bytes of an option without its label, at most, with its number of votes.
const OPTION: usize = 100;

/// The bytes of a snapshot without options and members, at most, apart from the title.
const REST: usize = 736;

/// As many missed bytes are worth less than a look at how large the poll is.
pub(super) const FEW_BYTES: usize = 1_024;

/// The bytes of one choice in what members are told: nothing where these are secret.
const fn choice(poll: &Poll) -> usize {
    match poll.ballots() {
        Ballots::Open => CHOICE,
        Ballots::Secret => 0,
    }
}

/// The bytes of an option without its label, at most, in what members are told: where choices are
/// secret, the recipient's own ballot goes with it.
const fn option(poll: &Poll) -> usize {
    OPTION + CHOICE - choice(poll)
}

/// The bytes of a vote for so many options; none without one.
const fn vote_bytes(choices: usize, choice: usize) -> usize {
    match choices {
        0 => 0,
        _ => VOTE + choice * choices,
    }
}

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
    /// The person whose entry a command changes, with the text that it may change.
    pub(crate) fn of(poll: &Poll, peer: PeerId, command: &Command) -> Self {
        let member = poll.member(peer);
        let mut standing = member
            .map(|member| Self::of_member(member, choice(poll)))
            .unwrap_or_default();
        standing.bytes += match command {
            Command::UpdateSettings(_) => text(poll.title()),
            Command::UpdateOption(update) => {
                let option = poll.option(update.option_id);
                option.map_or(0, |option| text(&option.label))
            }
            Command::Vote(_)
            | Command::AddOption(_)
            | Command::UpdateRole(_)
            | Command::RemovePeer(_)
            | Command::ReadmitPeer(_)
            | Command::IssueInvitations(_)
            | Command::WithdrawInvitations(_)
            | Command::RedeemInvitation(_)
            | Command::SetProfile(_)
            | _ => 0,
        };
        standing
    }

    fn of_member(member: &Member, choice: usize) -> Self {
        let name = member.profile.as_ref();
        let name = name.map_or(0, |it| NAME + text(&it.name));
        Self {
            is_member: true,
            bytes: MEMBER + name + vote_bytes(member.choices.len(), choice),
            has_only_a_name: member.choices.is_empty() && member.role == Role::Voter,
        }
    }
}

impl Size {
    /// The bytes of updates that anybody who has missed them is sent, at most: of those who have
    /// missed more, each gets the poll, which has no more bytes than this.
    pub(crate) fn most_missed(&self) -> usize {
        self.bytes.max(FEW_BYTES)
    }

    pub(crate) fn of(poll: &Poll) -> Self {
        let labels = poll.options().iter();
        let options: usize = labels.map(|it| option(poll) + text(&it.label)).sum();
        let mut size = Self {
            bytes: REST + text(poll.title()) + options,
            names: 0,
        };
        for (_, member) in poll.members() {
            let standing = Standing::of_member(member, choice(poll));
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
    pub(crate) fn change(
        &mut self,
        poll: &Poll,
        before: Standing,
        after: Standing,
        command: &Command,
    ) {
        if let Command::AddOption(added) = command {
            self.bytes += option(poll) + text(&added.label);
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
        Command::Vote(cast) => {
            let choice = choice(poll);
            let before = vote_bytes(poll.choices(author).len(), choice);
            entry(author) + vote_bytes(cast.option_ids.len(), choice).saturating_sub(before)
        }
        Command::AddOption(added) => option(poll) + text(&added.label),
        Command::UpdateRole(update) => entry(update.peer_id),
        Command::RemovePeer(removal) => entry(removal.peer_id),
        Command::ReadmitPeer(readmission) => entry(readmission.peer_id),
        Command::UpdateOption(update) => update.label.as_deref().map_or(0, text),
        Command::UpdateSettings(update) => update.title.as_deref().map_or(0, text),
        Command::SetProfile(profile) => {
            let has_name = poll.member(author).is_some_and(|it| it.profile.is_some());
            let beside = if has_name { 0 } else { NAME };
            entry(author) + beside + text(&profile.name)
        }
        Command::RedeemInvitation(_) => entry(author),
        // Numbers. Later commands, too, are small, or they come with their own line here.
        Command::IssueInvitations(_) | Command::WithdrawInvitations(_) | _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hustings_protocol::{
        Epoch, OptionAdd, OptionId, PeerRemoval, PollDraft, PollId, Position, Revision, RoleUpdate,
        UserProfile, Vote,
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
        // The largest ballot beside it that there can be.
        let ballot: Vec<_> = match poll.ballots() {
            Ballots::Open => Vec::new(),
            Ballots::Secret => poll.options().iter().map(|it| it.option_id).collect(),
        };
        let told = poll.told(poll.shown_to(PeerId::from_bytes([0xff; 32])));
        Poll::encode_told(&told.encode_payload(), nowhere, &ballot).len()
    }

    #[test]
    fn the_bound_is_above_every_snapshot_and_not_far() {
        for ballots in [Ballots::Open, Ballots::Secret] {
            the_bound_is_near(ballots);
        }
    }

    fn the_bound_is_near(ballots: Ballots) {
        let poll_id = PollId::from_uuid(Uuid::nil());
        let draft = PollDraft::new("\"Tea\"?")
            .options(["Tea", "Coffee"])
            .ballots(ballots)
            .multiple_choice(true);
        let mut ids = 1..;
        let next = || id(ids.next().unwrap());
        let limits = Limits::default();
        let mut poll = Poll::new(poll_id, OWNER, draft, next, &limits).unwrap();
        let mut size = Size::of(&poll);
        for number in 0..200_u8 {
            let peer = PeerId::from_bytes([number; 32]);
            let choices = (1..=1 + u128::from(number) % 2).map(id).collect();
            // Every other one, so that there are members with all that a member may have.
            let removed = PeerId::from_bytes([number - number % 2; 32]);
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
                (
                    OWNER,
                    Command::RemovePeer(PeerRemoval {
                        poll_id,
                        peer_id: removed,
                        keep_vote: true,
                    }),
                ),
            ] {
                let subject = command.subject(author);
                let before = Standing::of(&poll, subject, &command);
                if poll.apply(author, &command, &limits).is_ok() {
                    size.change(
                        &poll,
                        before,
                        Standing::of(&poll, subject, &command),
                        &command,
                    );
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

    fn poll_of(title: &str, labels: &[&str], limits: &Limits) -> Poll {
        let draft = PollDraft::new(title)
            .options(labels.iter().copied())
            .ballots(Ballots::Open)
            .multiple_choice(true);
        let mut ids = 1..;
        let next = || id(ids.next().unwrap());
        Poll::new(PollId::from_uuid(Uuid::nil()), OWNER, draft, next, limits).unwrap()
    }

    fn vote(options: std::ops::RangeInclusive<u128>) -> Command {
        let poll_id = PollId::from_uuid(Uuid::nil());
        let option_ids = options.map(id).collect();
        Command::Vote(Vote {
            poll_id,
            option_ids,
        })
    }

    fn call_me(name: &str) -> Command {
        let name = name.to_owned();
        Command::SetProfile(UserProfile { name })
    }

    /// Applies a command, and returns by how many bytes the bound has grown with it.
    fn grown(poll: &mut Poll, size: &mut Size, author: PeerId, command: &Command) -> usize {
        let (subject, bytes) = (command.subject(author), size.bytes);
        let before = Standing::of(poll, subject, command);
        poll.apply(author, command, &Limits::default()).unwrap();
        size.change(poll, before, Standing::of(poll, subject, command), command);
        assert_eq!(size.bytes, Size::of(poll).bytes);
        size.bytes.saturating_sub(bytes)
    }

    #[test]
    fn the_bound_holds_for_texts_of_which_every_character_is_escaped() {
        let limits = Limits::default();
        let [title, label, name] = [
            limits.max_title_chars,
            limits.max_label_chars,
            limits.max_name_chars,
        ]
        .map(|most| "\"".repeat(most));
        let labels: Vec<String> = (0..50).map(|it| format!("{}{it}", &label[2..])).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let mut poll = poll_of(&title, &labels, &limits);
        assert!(bytes(&poll) <= Size::of(&poll).bytes);
        for number in 0..50 {
            let peer = PeerId::from_bytes([number; 32]);
            poll.apply(peer, &call_me(&name), &limits).unwrap();
            poll.apply(peer, &vote(1..=50), &limits).unwrap();
        }
        assert!(bytes(&poll) <= Size::of(&poll).bytes);
    }

    /// A member with everything that a member may have is reckoned to the byte, but for the text.
    #[test]
    fn a_member_has_as_many_bytes_as_is_reckoned() {
        let limits = Limits::default();
        let mut poll = poll_of("Tea?", &["Tea", "Coffee"], &limits);
        let poll_id = poll.poll_id();
        let mut add = |number: u8| {
            let peer_id = PeerId::from_bytes([number; 32]);
            let before = (bytes(&poll), Size::of(&poll).bytes);
            for (author, command) in [
                (peer_id, call_me("Ann")),
                (peer_id, vote(1..=2)),
                (
                    OWNER,
                    Command::UpdateRole(RoleUpdate {
                        poll_id,
                        peer_id,
                        role: Role::Moderator,
                    }),
                ),
                (
                    OWNER,
                    Command::RemovePeer(PeerRemoval {
                        poll_id,
                        peer_id,
                        keep_vote: true,
                    }),
                ),
            ] {
                poll.apply(author, &command, &limits).unwrap();
            }
            (bytes(&poll) - before.0, Size::of(&poll).bytes - before.1)
        };
        add(10);
        let (has, reckoned) = add(11);
        assert_eq!(reckoned, has + text("Ann") - "Ann".len());
    }

    #[test]
    fn what_a_command_adds_is_known_before_it_is_applied() {
        let mut poll = poll_of("Tea?", &["Tea", "Coffee", "Water"], &Limits::default());
        let mut size = Size::of(&poll);
        let [one, two, three] = [1, 2, 3].map(|it| PeerId::from_bytes([it + 10; 32]));
        let poll_id = PollId::from_uuid(Uuid::nil());
        let role = Command::UpdateRole(RoleUpdate {
            poll_id,
            peer_id: three,
            role: Role::Viewer,
        });
        let option = Command::AddOption(OptionAdd {
            poll_id,
            option_id: id(9),
            label: "Milk".to_owned(),
        });
        for (author, command) in [
            (one, vote(1..=2)),
            (one, vote(1..=3)),
            (one, vote(2..=2)),
            (two, call_me("Bob")),
            (OWNER, role.clone()),
            (OWNER, role),
            (OWNER, option),
        ] {
            let expected = growth(&poll, author, &command);
            let grown = grown(&mut poll, &mut size, author, &command);
            assert_eq!(grown, expected, "{command:?}");
        }
        // Of a new name in place of another, all of it may be more.
        let command = call_me("Robert");
        let expected = growth(&poll, two, &command);
        assert_eq!(expected, text("Robert"));
        assert!(grown(&mut poll, &mut size, two, &command) <= expected);
    }

    #[test]
    fn a_poll_may_be_as_large_as_a_frame_and_no_larger() {
        let poll = poll_of("Tea?", &["Tea", "Coffee"], &Limits::default());
        let size = Size::of(&poll);
        assert!(size.bytes < 1_024, "{} for so little", size.bytes);
        let code = |max_frame_bytes: usize, command: &Command| {
            let limits = Limits {
                max_frame_bytes,
                ..Limits::default()
            };
            let author = PeerId::from_bytes([9; 32]);
            size.check(&poll, author, command, &limits)
                .map_err(|it| it.code)
        };
        let (one, full) = (vote(1..=1), Err(ErrorCode::PollFull));
        let with_it = size.bytes + growth(&poll, PeerId::from_bytes([9; 32]), &one);
        assert_eq!(code(with_it, &one), Ok(()));
        assert_eq!(code(with_it - 1, &one), full);
        // What adds nothing is taken even where there is too much already.
        let nothing = Command::UpdateSettings(hustings_protocol::SettingsUpdate::new(
            PollId::from_uuid(Uuid::nil()),
        ));
        assert_eq!(code(size.bytes - 1, &nothing), Ok(()));
    }
}
