//! The rules of a poll: the commands that each role may give, their changes, and no others.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use hustings_protocol::{
    Command, Epoch, ErrorCode, Limits, Message, OptionAdd, OptionId, OptionUpdate, PeerId, Poll,
    PollDraft, PollState, Position, Rejection, Revision, Role, RoleUpdate, SettingsUpdate, Tally,
    UserProfile, Vote,
};
use proptest::prelude::*;
use proptest::sample::Index;

use common::polls::{any_deed, any_deeds, any_new_poll, any_poll};
use common::{config, option_id, peer, poll_id};

/// The four of every poll here. Nobody has said anything of the voter yet.
const OWNER: u8 = 0;
const MODERATOR: u8 = 1;
const VOTER: u8 = 2;
const VIEWER: u8 = 3;
const ALL: [u8; 4] = [OWNER, MODERATOR, VOTER, VIEWER];

fn draft() -> PollDraft {
    PollDraft::new("Which fruit?").options(["Apple", "Pear", "Plum"])
}

fn new_poll(draft: PollDraft, limits: &Limits) -> Result<Poll, Rejection> {
    let mut ids = (0..).map(option_id);
    Poll::new(
        poll_id(1),
        peer(OWNER),
        draft,
        || ids.next().unwrap(),
        limits,
    )
}

/// A poll with the options 0, 1, 2 and the four.
fn poll_from(draft: PollDraft) -> Poll {
    let mut poll = new_poll(draft, &Limits::default()).unwrap();
    act(&mut poll, OWNER, set_role(MODERATOR, Role::Moderator)).unwrap();
    act(&mut poll, OWNER, set_role(VIEWER, Role::Viewer)).unwrap();
    poll
}

fn poll() -> Poll {
    poll_from(draft())
}

/// Applies with the default limits, and holds `apply` to what it promises on the way.
fn act(poll: &mut Poll, author: u8, command: Command) -> Result<(), ErrorCode> {
    act_within(poll, author, command, &Limits::default())
}

fn act_within(
    poll: &mut Poll,
    author: u8,
    command: Command,
    limits: &Limits,
) -> Result<(), ErrorCode> {
    let before = poll.clone();
    let result = poll.apply(peer(author), &command, limits);
    match &result {
        Ok(()) => assert_eq!(poll.check(limits), Ok(()), "after {command:?}"),
        Err(_) => assert_eq!(
            *poll, before,
            "{command:?} was refused and changed something"
        ),
    }
    result.map_err(|rejection| rejection.code)
}

fn vote(options: &[u8]) -> Command {
    Command::Vote(Vote {
        poll_id: poll_id(1),
        option_ids: options.iter().copied().map(option_id).collect(),
    })
}

fn add(option: u8, label: &str) -> Command {
    Command::AddOption(OptionAdd {
        poll_id: poll_id(1),
        option_id: option_id(option),
        label: label.to_owned(),
    })
}

fn set_role(of: u8, role: Role) -> Command {
    Command::UpdateRole(RoleUpdate {
        poll_id: poll_id(1),
        peer_id: peer(of),
        role,
    })
}

fn set_name(name: &str) -> Command {
    Command::SetProfile(UserProfile {
        name: name.to_owned(),
    })
}

fn settings(closed: Option<bool>, voters_may_add_options: Option<bool>) -> Command {
    Command::UpdateSettings(
        SettingsUpdate::new(poll_id(1))
            .closed(closed)
            .voters_may_add_options(voters_may_add_options),
    )
}

fn choices(options: &[u8]) -> Vec<OptionId> {
    options.iter().copied().map(option_id).collect()
}

fn tally(poll: &Poll) -> Tally {
    poll.tally().expect("all is shown")
}

fn votes(poll: &Poll) -> Vec<u64> {
    tally(poll)
        .options
        .iter()
        .map(|option| option.votes)
        .collect()
}

// A new poll.

#[test]
fn a_new_poll_is_what_its_draft_says() {
    let poll = new_poll(draft().multiple_choice(true), &Limits::default()).unwrap();
    assert_eq!(poll.poll_id(), poll_id(1));
    assert_eq!(poll.owner(), peer(OWNER));
    assert_eq!(poll.title(), "Which fruit?");
    assert!(poll.multiple_choice());
    assert!(!poll.voters_may_add_options());
    assert!(!poll.is_closed());
    let options: Vec<_> = poll
        .options()
        .iter()
        .map(|option| (option.option_id, option.label.as_str()))
        .collect();
    assert_eq!(
        options,
        [
            (option_id(0), "Apple"),
            (option_id(1), "Pear"),
            (option_id(2), "Plum")
        ]
    );
    assert_eq!(poll.members().len(), 0);
    assert_eq!(votes(&poll), [0, 0, 0]);
    assert_eq!(poll.voters(), 0);
}

#[test]
fn a_draft_keeps_to_the_limits() {
    let limits = Limits {
        max_title_chars: 5,
        max_label_chars: 4,
        max_options: 2,
        ..Limits::default()
    };
    let code = |title: &str, options: &[&str]| {
        let draft = PollDraft::new(title).options(options.iter().copied());
        new_poll(draft, &limits)
            .map(drop)
            .map_err(|rejection| rejection.code)
    };
    assert_eq!(code("ééééé", &["éééé", "b"]), Ok(()));
    assert_eq!(code("title", &[]), Ok(()), "options may come later");
    assert_eq!(code("titles", &[]), Err(ErrorCode::TooLong));
    assert_eq!(code("", &[]), Err(ErrorCode::BadText));
    assert_eq!(code(" \t\n", &[]), Err(ErrorCode::BadText));
    assert_eq!(code("title", &["", "b"]), Err(ErrorCode::BadText));
    assert_eq!(code("title", &["label"]), Err(ErrorCode::TooLong));
    assert_eq!(code("title", &["a", "b", "c"]), Err(ErrorCode::PollFull));

    let same = Poll::new(
        poll_id(1),
        peer(OWNER),
        draft(),
        || option_id(1),
        &Limits::default(),
    );
    assert_eq!(same.unwrap_err().code, ErrorCode::OptionExists);
}

// Votes.

#[test]
fn all_but_viewers_vote() {
    for (author, expected) in [
        (OWNER, Ok(())),
        (MODERATOR, Ok(())),
        (VOTER, Ok(())),
        (VIEWER, Err(ErrorCode::NotAllowed)),
    ] {
        assert_eq!(act(&mut poll(), author, vote(&[1])), expected, "{author}");
    }
}

#[test]
fn a_vote_replaces_the_one_before() {
    let mut poll = poll();
    act(&mut poll, VOTER, vote(&[1])).unwrap();
    assert_eq!(votes(&poll), [0, 1, 0]);
    act(&mut poll, VOTER, vote(&[2])).unwrap();
    assert_eq!(votes(&poll), [0, 0, 1]);
    assert_eq!(poll.choices(peer(VOTER)), choices(&[2]));
    assert_eq!(poll.voters(), 1);
    act(&mut poll, VOTER, vote(&[])).unwrap();
    assert_eq!(votes(&poll), [0, 0, 0]);
    assert_eq!(poll.voters(), 0, "the vote was taken back");
}

#[test]
fn one_choice_where_one_is_allowed() {
    assert_eq!(
        act(&mut poll(), VOTER, vote(&[0, 1])),
        Err(ErrorCode::SingleChoice)
    );
}

#[test]
fn several_choices_where_several_are_allowed() {
    let mut poll = poll_from(draft().multiple_choice(true));
    act(&mut poll, VOTER, vote(&[2, 0])).unwrap();
    act(&mut poll, MODERATOR, vote(&[0])).unwrap();
    assert_eq!(
        poll.choices(peer(VOTER)),
        choices(&[2, 0]),
        "in the order of the voter"
    );
    assert_eq!(votes(&poll), [2, 0, 1]);
    assert_eq!(poll.voters(), 2);

    for twice in [&[0, 0][..], &[0, 1, 0]] {
        assert_eq!(
            act(&mut poll, VOTER, vote(twice)),
            Err(ErrorCode::DuplicateChoice)
        );
    }
    assert_eq!(
        act(&mut poll, VOTER, vote(&[0, 9])),
        Err(ErrorCode::UnknownOption)
    );

    let limits = Limits {
        max_choices: 2,
        ..Limits::default()
    };
    assert_eq!(act_within(&mut poll, VOTER, vote(&[0, 1]), &limits), Ok(()));
    assert_eq!(
        act_within(&mut poll, VOTER, vote(&[0, 1, 2]), &limits),
        Err(ErrorCode::TooLong)
    );
}

#[test]
fn only_what_is_there_is_chosen() {
    let mut poll = poll();
    assert_eq!(
        act(&mut poll, VOTER, vote(&[9])),
        Err(ErrorCode::UnknownOption)
    );
    act(&mut poll, OWNER, add(9, "Fig")).unwrap();
    assert_eq!(act(&mut poll, VOTER, vote(&[9])), Ok(()));
}

// Options.

#[test]
fn moderators_add_options_and_voters_where_the_poll_lets_them() {
    use ErrorCode::NotAllowed;
    for (voters_may, expected) in [
        (false, [Ok(()), Ok(()), Err(NotAllowed), Err(NotAllowed)]),
        (true, [Ok(()), Ok(()), Ok(()), Err(NotAllowed)]),
    ] {
        for (author, expected) in ALL.into_iter().zip(expected) {
            let mut poll = poll_from(draft().voters_may_add_options(voters_may));
            assert_eq!(
                act(&mut poll, author, add(9, "Fig")),
                expected,
                "{author}, {voters_may}"
            );
        }
    }
}

#[test]
fn an_option_comes_last_and_stays_as_it_is() {
    let mut poll = poll();
    act(&mut poll, OWNER, add(9, "Fig")).unwrap();
    assert_eq!(poll.options()[3].option_id, option_id(9));
    assert_eq!(poll.option(option_id(9)).unwrap().label, "Fig");
    for author in [OWNER, MODERATOR] {
        assert_eq!(
            act(&mut poll, author, add(9, "Date")),
            Err(ErrorCode::OptionExists)
        );
    }
    assert_eq!(
        act(&mut poll, OWNER, add(8, "Fig")),
        Ok(()),
        "where an owner has decided so"
    );
}

#[test]
fn a_label_says_something_and_not_too_much() {
    let limits = Limits {
        max_label_chars: 3,
        ..Limits::default()
    };
    let mut poll = new_poll(PollDraft::new("Which fruit?"), &limits).unwrap();
    for (label, expected) in [
        ("", Err(ErrorCode::BadText)),
        ("\u{2003}\n", Err(ErrorCode::BadText)),
        ("Plum", Err(ErrorCode::TooLong)),
        ("ééé", Ok(())),
    ] {
        assert_eq!(
            act_within(&mut poll, OWNER, add(9, label), &limits),
            expected,
            "{label:?}"
        );
    }
}

#[test]
fn a_poll_has_room_for_so_many_options() {
    let limits = Limits {
        max_options: 4,
        ..Limits::default()
    };
    let mut poll = poll();
    assert_eq!(act_within(&mut poll, OWNER, add(8, "Fig"), &limits), Ok(()));
    assert_eq!(
        act_within(&mut poll, OWNER, add(9, "Date"), &limits),
        Err(ErrorCode::PollFull)
    );
}

// Roles.

/// Every author, target and role there is, against the rule in one line.
#[test]
fn roles_are_set_below_ones_own() {
    const ROLES: [Role; 4] = [Role::Viewer, Role::Voter, Role::Moderator, Role::Owner];
    // Each of the four once more, so that there are two of a kind. There is one owner.
    let second_moderator = 4;
    let named_voter = 5;
    let stranger = 6;
    let mut start = poll();
    act(
        &mut start,
        OWNER,
        set_role(second_moderator, Role::Moderator),
    )
    .unwrap();
    act(&mut start, named_voter, set_name("Nora")).unwrap();

    for author in ALL {
        for target in [
            OWNER,
            MODERATOR,
            VOTER,
            VIEWER,
            second_moderator,
            named_voter,
            stranger,
        ] {
            for role in ROLES {
                let (own, was) = (start.role(peer(author)), start.role(peer(target)));
                let may = own >= Role::Moderator && role < own && was < own;
                let mut poll = start.clone();
                let result = act(&mut poll, author, set_role(target, role));
                assert_eq!(
                    result,
                    if may {
                        Ok(())
                    } else {
                        Err(ErrorCode::NotAllowed)
                    },
                    "{own:?} makes a {was:?} ({target}) a {role:?}"
                );
                assert_eq!(poll.role(peer(target)), if may { role } else { was });
            }
        }
    }
}

#[test]
fn the_owner_stays_and_stays_alone() {
    let mut poll = poll();
    for author in ALL {
        for role in [Role::Viewer, Role::Voter, Role::Moderator, Role::Owner] {
            assert_eq!(
                act(&mut poll, author, set_role(OWNER, role)),
                Err(ErrorCode::NotAllowed)
            );
        }
        let _ = act(&mut poll, author, set_role(VOTER, Role::Owner));
    }
    assert_eq!(poll.role(peer(OWNER)), Role::Owner);
    assert_eq!(poll.role(peer(VOTER)), Role::Voter);
}

#[test]
fn a_role_counts_from_the_next_command_on() {
    let mut poll = poll();
    act(&mut poll, OWNER, set_role(VOTER, Role::Moderator)).unwrap();
    assert_eq!(act(&mut poll, VOTER, add(9, "Fig")), Ok(()));
    act(&mut poll, OWNER, set_role(VOTER, Role::Viewer)).unwrap();
    assert_eq!(
        act(&mut poll, VOTER, vote(&[9])),
        Err(ErrorCode::NotAllowed)
    );
    act(&mut poll, MODERATOR, set_role(VOTER, Role::Voter)).unwrap();
    assert_eq!(act(&mut poll, VOTER, vote(&[9])), Ok(()));
}

#[test]
fn a_vote_outlives_the_right_to_vote() {
    let mut poll = poll();
    act(&mut poll, VOTER, vote(&[1])).unwrap();
    act(&mut poll, VOTER, set_name("Vera")).unwrap();
    act(&mut poll, OWNER, set_role(VOTER, Role::Viewer)).unwrap();
    assert_eq!(votes(&poll), [0, 1, 0]);
    let member = poll.member(peer(VOTER)).unwrap();
    assert_eq!(member.profile.as_ref().unwrap().name, "Vera");
}

// Profiles.

#[test]
fn everybody_has_a_name_of_their_own() {
    let mut poll = poll();
    for author in ALL {
        let before = poll.role(peer(author));
        assert_eq!(act(&mut poll, author, set_name("A")), Ok(()));
        assert_eq!(act(&mut poll, author, set_name("B")), Ok(()));
        let member = poll.member(peer(author)).unwrap();
        assert_eq!(member.profile.as_ref().unwrap().name, "B");
        assert_eq!(member.role, before, "a name is no promotion");
    }
    let limits = Limits {
        max_name_chars: 3,
        ..Limits::default()
    };
    for (name, expected) in [
        ("", Err(ErrorCode::BadText)),
        (" ", Err(ErrorCode::BadText)),
        ("Vera", Err(ErrorCode::TooLong)),
        ("Éva", Ok(())),
    ] {
        assert_eq!(
            act_within(&mut poll, VOTER, set_name(name), &limits),
            expected,
            "{name:?}"
        );
    }
}

// Settings.

#[test]
fn settings_are_the_owners() {
    for author in [MODERATOR, VOTER, VIEWER] {
        for command in [
            settings(Some(true), None),
            settings(None, Some(true)),
            settings(None, None),
        ] {
            assert_eq!(
                act(&mut poll(), author, command),
                Err(ErrorCode::NotAllowed),
                "{author}"
            );
        }
    }
}

#[test]
fn what_settings_do_not_name_stays() {
    let mut poll = poll();
    let state = |poll: &Poll| (poll.is_closed(), poll.voters_may_add_options());
    for (command, expected) in [
        (settings(None, None), (false, false)),
        (settings(Some(true), None), (true, false)),
        (settings(None, Some(true)), (true, true)),
        (settings(None, None), (true, true)),
        (settings(Some(false), Some(false)), (false, false)),
    ] {
        act(&mut poll, OWNER, command).unwrap();
        assert_eq!(state(&poll), expected);
    }
}

#[test]
fn a_closed_poll_takes_no_votes_and_no_options_until_it_opens_again() {
    let mut poll = poll();
    act(&mut poll, VOTER, vote(&[1])).unwrap();
    act(&mut poll, OWNER, settings(Some(true), None)).unwrap();
    for author in ALL {
        for command in [vote(&[0]), vote(&[]), add(9, "Fig")] {
            assert_eq!(
                act(&mut poll, author, command),
                Err(ErrorCode::PollClosed),
                "{author}"
            );
        }
        assert_eq!(
            act(&mut poll, author, set_name("Still here")),
            Ok(()),
            "{author}"
        );
    }
    assert_eq!(
        act(&mut poll, OWNER, set_role(VOTER, Role::Moderator)),
        Ok(())
    );
    assert_eq!(votes(&poll), [0, 1, 0]);

    act(&mut poll, OWNER, settings(Some(false), None)).unwrap();
    assert_eq!(act(&mut poll, VOTER, vote(&[0])), Ok(()));
    assert_eq!(act(&mut poll, VOTER, add(9, "Fig")), Ok(()));
}

// The poll as a whole.

#[test]
fn a_command_for_another_poll_is_refused() {
    let elsewhere = poll_id(2);
    for command in [
        Command::Vote(Vote {
            poll_id: elsewhere,
            option_ids: choices(&[1]),
        }),
        Command::AddOption(OptionAdd {
            poll_id: elsewhere,
            option_id: option_id(9),
            label: "Fig".to_owned(),
        }),
        Command::UpdateRole(RoleUpdate {
            poll_id: elsewhere,
            peer_id: peer(VOTER),
            role: Role::Viewer,
        }),
        Command::UpdateSettings(SettingsUpdate::new(elsewhere).closed(true)),
    ] {
        assert_eq!(act(&mut poll(), OWNER, command), Err(ErrorCode::WrongPoll));
    }
}

#[test]
fn a_full_poll_takes_nobody_new() {
    let mut poll = poll();
    act(&mut poll, VOTER, vote(&[1])).unwrap();
    let limits = Limits {
        max_members: poll.members().len(),
        ..Limits::default()
    };
    let (stranger, full) = (7, Err(ErrorCode::PollFull));
    assert_eq!(act_within(&mut poll, stranger, vote(&[1]), &limits), full);
    assert_eq!(
        act_within(&mut poll, stranger, set_name("Nina"), &limits),
        full
    );
    assert_eq!(
        act_within(&mut poll, OWNER, set_role(stranger, Role::Viewer), &limits),
        full
    );
    // Who is in it goes on as before.
    assert_eq!(act_within(&mut poll, VOTER, vote(&[2]), &limits), Ok(()));
    assert_eq!(
        act_within(&mut poll, VOTER, set_name("Vera"), &limits),
        Ok(())
    );
    assert_eq!(
        act_within(&mut poll, OWNER, set_role(VOTER, Role::Viewer), &limits),
        Ok(())
    );

    let room = Limits {
        max_members: limits.max_members + 1,
        ..limits
    };
    assert_eq!(act_within(&mut poll, stranger, vote(&[1]), &room), Ok(()));
}

/// The state as its message, at a revision that counts what was applied.
fn snapshot(poll: &Poll, applied: u64) -> Message {
    Message::PollState(PollState {
        revision: Revision::new(applied).unwrap(),
        epoch: Epoch::new(1),
        history: None,
        poll: poll.clone(),
        ballot: Vec::new(),
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_refusal_changes_nothing_and_a_success_keeps_the_poll_whole(
        mut poll in any_poll(),
        (author, command) in any_deed(),
        (max_options, max_members, max_choices) in (3..9_usize, 6..9_usize, 1..5_usize),
    ) {
        let limits = Limits { max_options, max_members, max_choices, ..Limits::default() };
        let before = poll.clone();
        let was_whole = poll.check(&limits).is_ok();
        match poll.apply(author, &command, &limits) {
            Err(_) => prop_assert_eq!(poll, before),
            // Limits that were lowered below what is there are not the command's fault.
            Ok(()) if was_whole => prop_assert_eq!(poll.check(&limits), Ok(())),
            Ok(()) => {}
        }
    }

    #[test]
    fn nobody_becomes_owner(mut poll in any_new_poll(), deeds in any_deeds()) {
        for (author, command) in deeds {
            let _ = poll.apply(author, &command, &Limits::default());
            prop_assert_eq!(poll.owner(), peer(OWNER));
            prop_assert_eq!(poll.role(peer(OWNER)), Role::Owner);
            for (peer, member) in poll.members() {
                prop_assert_eq!(member.role == Role::Owner, peer == poll.owner());
            }
        }
    }

    /// Nobody's vote, name or role changes but by a command that may.
    #[test]
    fn a_command_touches_nobody_else(mut poll in any_poll(), (author, command) in any_deed()) {
        let before = poll.clone();
        if poll.apply(author, &command, &Limits::default()).is_err() {
            return Ok(());
        }
        let touched = match &command {
            Command::UpdateRole(update) => Some(update.peer_id),
            Command::RemovePeer(removal) => Some(removal.peer_id),
            Command::ReadmitPeer(readmission) => Some(readmission.peer_id),
            Command::Vote(_) | Command::SetProfile(_) | Command::RedeemInvitation(_) => Some(author),
            // Options, settings and invitations are of nobody.
            Command::AddOption(_)
            | Command::UpdateOption(_)
            | Command::UpdateSettings(_)
            | Command::IssueInvitations(_)
            | Command::WithdrawInvitations(_)
            | _ => None,
        };
        for (peer, member) in poll.members() {
            if Some(peer) != touched {
                prop_assert_eq!(Some(member), before.member(peer));
            }
        }
        prop_assert!(before.members().all(|(peer, _)| poll.member(peer).is_some()));
        let ids = |poll: &Poll| poll.options().iter().map(|it| it.option_id).collect::<Vec<_>>();
        prop_assert!(ids(&poll).starts_with(&ids(&before)), "options only grow");
    }

    /// G5, "snapshot + updates = full replay, byte for byte": whoever starts from a snapshot ends
    /// where whoever saw everything ends.
    #[test]
    fn a_snapshot_and_the_rest_make_the_whole(
        start in any_new_poll(),
        deeds in any_deeds(),
        cut in any::<Index>(),
    ) {
        let limits = Limits::default();
        let fold = |mut poll: Poll, mut applied: u64, deeds: &[(PeerId, Command)]| {
            for (author, command) in deeds {
                applied += u64::from(poll.apply(*author, command, &limits).is_ok());
            }
            snapshot(&poll, applied)
        };
        let (early, late) = deeds.split_at(cut.index(deeds.len() + 1));

        let whole = fold(start.clone(), 0, &deeds);
        let Message::PollState(state) = fold(start, 0, early) else {
            panic!("it is a state");
        };
        let at = Position {
            epoch: state.epoch,
            revision: state.revision,
            history: None,
        };
        // An owner's: a copy of somebody else does not know which invitations there are.
        let read = PollState::decode_journaled(&state.poll.encode_journaled(at), &limits);
        let PollState { revision, poll, .. } = read.unwrap();
        let resumed = fold(poll, revision.get(), late);
        prop_assert_eq!(&resumed, &whole);
        prop_assert_eq!(resumed.encode(), whole.encode());
    }

    /// Counted from what was accepted, not from what the poll keeps.
    #[test]
    fn the_tally_is_the_count_of_the_last_votes(mut poll in any_new_poll(), deeds in any_deeds()) {
        let mut last: BTreeMap<PeerId, Vec<OptionId>> = BTreeMap::new();
        let mut withdrawn = BTreeSet::new();
        for (author, command) in deeds {
            let is_applied = poll.apply(author, &command, &Limits::default()).is_ok();
            match command {
                Command::Vote(vote) if is_applied => {
                    last.insert(author, vote.option_ids);
                }
                Command::RemovePeer(removal) if is_applied && !removal.keep_vote => {
                    last.remove(&removal.peer_id);
                }
                Command::UpdateOption(OptionUpdate {
                    option_id,
                    withdrawn: Some(is_withdrawn),
                    ..
                }) if is_applied => {
                    match is_withdrawn {
                        true => withdrawn.insert(option_id),
                        false => withdrawn.remove(&option_id),
                    };
                }
                Command::Vote(_)
                | Command::AddOption(_)
                | Command::UpdateRole(_)
                | Command::UpdateSettings(_)
                | Command::UpdateOption(_)
                | Command::RemovePeer(_)
                | Command::ReadmitPeer(_)
                | Command::SetProfile(_)
                | Command::IssueInvitations(_)
                | Command::WithdrawInvitations(_)
                | Command::RedeemInvitation(_)
                | _ => {}
            }
        }
        for choices in last.values_mut() {
            choices.retain(|choice| !withdrawn.contains(choice));
        }
        let tally = tally(&poll);
        prop_assert_eq!(tally.options.len(), poll.options().len());
        for (option, counted) in poll.options().iter().zip(&tally.options) {
            let by_hand =
                last.values().filter(|choices| choices.contains(&option.option_id)).count();
            prop_assert_eq!(option.option_id, counted.option_id);
            prop_assert_eq!(u64::try_from(by_hand).unwrap(), counted.votes);
        }
        let voters = last.values().filter(|choices| !choices.is_empty()).count();
        prop_assert_eq!(u64::try_from(voters).unwrap(), tally.voters);
    }
}

#[test]
fn a_poll_says_what_its_draft_has_said() {
    for yes in [false, true] {
        let draft = draft().multiple_choice(yes).voters_may_add_options(yes);
        let poll = poll_from(draft);
        assert_eq!(poll.multiple_choice(), yes);
        assert_eq!(poll.voters_may_add_options(), yes);
        assert_eq!(poll.title(), "Which fruit?");
        assert!(!poll.is_closed());
    }
}
