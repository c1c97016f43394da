//! The part of a poll that each person is told, and the messages by which it is kept up to date.

mod common;

use hustings_protocol::{
    Ballots, Command, CommandId, DeviceId, ErrorCode, Limits, Message, Numbered, PeerId, Poll,
    PollDraft, PollState, PollTally, Position, Results, Revision, Role, RoleUpdate, Seq,
    SettingsUpdate, Shown, Update, UserProfile, Vote,
};
use proptest::collection::vec;
use proptest::prelude::*;

use common::polls::{HERE, OWNER, any_deeds, any_new_poll, poll_of};
use common::{option_id, peer, poll_id};

const ANN: u8 = 1;
const BEN: u8 = 2;

fn poll(ballots: Ballots, results: Results) -> Poll {
    let draft = PollDraft::new("Which?")
        .options(["A", "B", "C"])
        .ballots(ballots)
        .results(results);
    poll_of(draft, &Limits::default())
}

fn vote(options: &[u8]) -> Command {
    Command::Vote(Vote {
        poll_id: poll_id(HERE),
        option_ids: options.iter().copied().map(option_id).collect(),
    })
}

fn settings() -> SettingsUpdate {
    SettingsUpdate::new(poll_id(HERE))
}

fn act(poll: &mut Poll, who: u8, command: Command) {
    poll.apply(peer(who), &command, &Limits::default())
        .expect("it may");
}

#[test]
fn a_new_poll_is_secret_and_shows_its_results() {
    let poll = poll_of(PollDraft::new("Which?"), &Limits::default());
    assert_eq!(
        (poll.ballots(), poll.results()),
        (Ballots::Secret, Results::Live)
    );
    assert_eq!(poll.shown(), Shown::Ballots, "the owner's has every vote");
}

#[test]
fn of_a_secret_poll_one_is_told_the_tally_who_voted_and_ones_own_choice() {
    let mut poll = poll(Ballots::Secret, Results::Live);
    act(&mut poll, ANN, vote(&[1]));
    act(&mut poll, BEN, vote(&[2]));
    let told = poll.told_to(peer(ANN));
    assert_eq!(told.shown(), Shown::Tally);
    assert_eq!(told.counts(), Some(vec![0, 1, 1]));
    assert_eq!(told.choices(peer(ANN)), [option_id(1)]);
    assert!(told.choices(peer(BEN)).is_empty());
    assert!(told.has_voted(peer(BEN)) && !told.has_voted(peer(OWNER)));
    assert_eq!(told.voters(), 2);
    assert_eq!(poll.told_to(peer(OWNER)), poll);
}

#[test]
fn results_are_told_when_they_are_due() {
    let told = |ballots, results| {
        let mut poll = poll(ballots, results);
        act(&mut poll, ANN, vote(&[1]));
        let open = [ANN, BEN].map(|who| poll.told_to(peer(who)).shown());
        act(
            &mut poll,
            OWNER,
            Command::UpdateSettings(settings().closed(true)),
        );
        let closed = [ANN, BEN].map(|who| poll.told_to(peer(who)).shown());
        (open, closed)
    };
    let (ballots, tally, turnout) = (Shown::Ballots, Shown::Tally, Shown::Turnout);
    for (results, open) in [
        (Results::Live, [true, true]),
        (Results::AfterVote, [true, false]),
        (Results::AfterClose, [false, false]),
    ] {
        let of = |full| open.map(|is_due| if is_due { full } else { turnout });
        assert_eq!(told(Ballots::Open, results), (of(ballots), [ballots; 2]));
        assert_eq!(told(Ballots::Secret, results), (of(tally), [tally; 2]));
    }
}

#[test]
fn of_results_that_are_not_due_there_is_nothing_in_the_bytes() {
    let mut poll = poll(Ballots::Secret, Results::AfterClose);
    act(&mut poll, ANN, vote(&[1]));
    let told = poll.told_to(peer(BEN));
    assert_eq!(told.tally(), None);
    let state = told.encode_state(position(1));
    let text = std::str::from_utf8(&state).unwrap();
    assert!(
        !text.contains("\"tally\":") && !text.contains("choices"),
        "{text}"
    );
    assert!(
        text.contains(r#""voted":true"#) && text.contains(r#""shown":"turnout""#),
        "{text}"
    );
}

#[test]
fn a_poll_for_many_carries_the_ballot_of_one_beside_it() {
    let mut poll = poll(Ballots::Secret, Results::Live);
    act(&mut poll, ANN, vote(&[1]));
    let payload = poll.told(Shown::Tally).encode_payload();
    for (who, ballot) in [(ANN, vec![option_id(1)]), (BEN, Vec::new())] {
        let frame = Poll::encode_told(&payload, position(1), &ballot);
        let Ok(Message::PollState(mut state)) = Message::decode(&frame, &Limits::default()) else {
            panic!("{frame:?}");
        };
        assert_eq!(state.ballot, ballot);
        state.poll.set_ballot(peer(who), &state.ballot);
        assert_eq!(state.poll, poll.told_to(peer(who)));
    }
}

#[test]
fn a_copy_that_contradicts_itself_is_refused() {
    let sound = poll(Ballots::Secret, Results::Live).told(Shown::Tally);
    let text = String::from_utf8(sound.encode_state(position(0)).to_vec()).unwrap();
    for (from, to) in [
        (r#""tally":[0,0,0]"#, r#""tally":[0,0]"#),
        (r#""shown":"tally""#, r#""shown":"turnout""#),
        (r#""tally":[0,0,0],"#, ""),
        (
            r#""payload""#,
            r#""ballot":["00000000-0000-4000-8000-0000000000ff"],"payload""#,
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let frame = text.replace(from, to);
        let error = Message::decode(frame.as_bytes(), &Limits::default()).unwrap_err();
        let code = error.rejection.code;
        assert!(
            [ErrorCode::BadField, ErrorCode::UnknownOption].contains(&code),
            "{to}: {code:?}"
        );
    }
}

#[test]
fn a_tally_is_refused_where_every_vote_is_shown_and_where_it_does_not_fit() {
    let open = poll(Ballots::Open, Results::Live);
    let tally = |numbers: &[u32]| PollTally {
        revision: revision(1),
        tally: Some(numbers.to_vec()),
        ..PollTally::default()
    };
    let take = |mut poll: Poll, numbers: &[u32]| {
        let before = poll.clone();
        let taken = poll.take_tally(&tally(numbers), Revision::ZERO, &Limits::default());
        assert!(
            taken.is_ok() || poll == before,
            "what is refused changes nothing"
        );
        taken.map_err(|rejection| rejection.code)
    };
    let secret = poll(Ballots::Secret, Results::Live).told(Shown::Turnout);
    assert_eq!(take(open, &[0, 0, 0]), Err(ErrorCode::Unexpected));
    assert_eq!(take(secret.clone(), &[0, 0]), Err(ErrorCode::BadField));
    assert_eq!(take(secret, &[0, 0, 0]), Ok(()));
}

/// A secret poll of so few named voters in which Ann has voted, and Ben, and there are others who
/// only have a name or a role.
fn counted(up_to: u32) -> Poll {
    let draft = PollDraft::new("Which?")
        .options(["A", "B", "C"])
        .voters_named_up_to(up_to);
    let mut poll = poll_of(draft, &Limits::default());
    act(&mut poll, ANN, vote(&[1]));
    act(&mut poll, BEN, vote(&[2]));
    act(
        &mut poll,
        3,
        Command::SetProfile(UserProfile { name: "Cy".into() }),
    );
    let role = RoleUpdate {
        poll_id: poll_id(HERE),
        peer_id: peer(4),
        role: Role::Viewer,
    };
    act(&mut poll, OWNER, Command::UpdateRole(role));
    poll
}

#[test]
fn of_more_members_than_that_it_is_told_how_many_have_voted_and_not_who() {
    let few = counted(4).told_to(peer(ANN));
    assert_eq!((few.voters(), few.turnout()), (2, None));
    assert!(few.names_voters() && few.has_voted(peer(BEN)));

    let poll = counted(3);
    assert_eq!((poll.voters(), poll.turnout()), (2, Some(2)));
    assert!(poll.names_voters(), "the owner counts them");
    let many = poll.told_to(peer(ANN));
    assert_eq!((many.voters(), many.turnout()), (2, Some(2)));
    assert!(!many.names_voters() && !many.has_voted(peer(BEN)));
    assert_eq!(many.tally().map(|tally| tally.voters), Some(2));
    assert!(many.has_voted(peer(ANN)), "of oneself one knows");
    let known: Vec<_> = many.members().map(|(peer, _)| peer).collect();
    assert_eq!(
        known,
        [ANN, 3, 4].map(peer),
        "those of whom there is more to say"
    );
    let text = String::from_utf8(many.encode_state(position(1)).to_vec()).unwrap();
    assert!(!text.contains(&peer(BEN).to_string()), "{text}");
}

#[test]
fn ones_own_vote_may_be_the_one_with_which_voters_are_named_no_more() {
    let mut poll = counted(4);
    let mut copy = poll.told_to(peer(5));
    for (choice, voters) in [(vote(&[1]), 3), (vote(&[]), 2), (vote(&[2]), 3)] {
        act(&mut poll, 5, choice.clone());
        act(&mut copy, 5, choice);
        assert_eq!((&copy, copy.voters()), (&poll.told_to(peer(5)), voters));
        assert!(!copy.names_voters(), "and never again");
    }
}

#[test]
fn a_copy_that_names_voters_and_counts_them_is_refused() {
    let text = |poll: &Poll| String::from_utf8(poll.encode_state(position(0)).to_vec()).unwrap();
    let counted = text(&counted(0).told(Shown::Tally));
    let named = text(&poll(Ballots::Secret, Results::Live));
    for (frame, from, to) in [
        (
            &counted,
            r#""role":"viewer""#,
            r#""role":"viewer","voted":true"#,
        ),
        (&named, r#""closed":false"#, r#""closed":false,"turnout":0"#),
    ] {
        assert!(frame.contains(from), "{frame}");
        let wrong = frame.replace(from, to);
        let error = Message::decode(wrong.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(error.rejection.code, ErrorCode::BadField, "{wrong}");
    }

    let tally = PollTally {
        revision: revision(1),
        turnout: Some(2),
        voted: vec![peer(BEN)],
        ..PollTally::default()
    };
    let frame = Message::PollTally(tally).encode();
    let error = Message::decode(&frame, &Limits::default()).unwrap_err();
    assert_eq!(error.rejection.code, ErrorCode::BadField);
}

#[test]
fn a_tally_that_names_voters_is_refused_where_they_are_counted() {
    let tally = PollTally {
        revision: revision(1),
        voted: vec![peer(BEN)],
        ..PollTally::default()
    };
    for up_to in [0, 2] {
        let mut copy = counted(up_to).told(Shown::Turnout);
        let before = copy.clone();
        let refused = copy.take_tally(&tally, Revision::ZERO, &Limits::default());
        assert_eq!(refused.map_err(|it| it.code), Err(ErrorCode::Unexpected));
        assert_eq!(copy, before);
    }
}

fn revision(number: usize) -> Revision {
    Revision::new(number as u64).expect("few revisions")
}

fn position(number: usize) -> Position {
    Position {
        epoch: hustings_protocol::Epoch::new(1),
        revision: revision(number),
        history: None,
    }
}

/// One command of a history, as it is relayed.
fn update(number: usize, author: PeerId, command: Command) -> Update {
    Update {
        author,
        device: DeviceId::from_bytes([1; 5]),
        revision: revision(number),
        history: None,
        numbered: Numbered {
            command_id: CommandId::new(number as u64, [0; 10]),
            seq: Seq::FIRST,
            seen: None,
            command,
        },
    }
}

/// The states of a poll that come of these deeds, as long as it is so, each with its update.
fn history(
    poll: Poll,
    deeds: Vec<(PeerId, Command)>,
    is_so: impl Fn(&Poll) -> bool,
) -> Vec<(Poll, Option<Update>)> {
    let mut history = vec![(poll, None)];
    for (author, command) in deeds {
        let mut poll = history[history.len() - 1].0.clone();
        if poll.apply(author, &command, &Limits::default()).is_ok() && is_so(&poll) {
            let number = history.len();
            history.push((poll, Some(update(number, author, command))));
        }
    }
    history
}

/// Everything from one state of a poll to another, for somebody who has the first.
fn tally(history: &[(Poll, Option<Update>)], from: usize, to: usize, who: PeerId) -> PollTally {
    let poll = &history[to].0;
    // Everybody who has voted, and of whom it is news that they have a vote, or have none.
    let before = &history[from].0;
    let all = poll.members().map(|(peer, _)| peer);
    let mut changed: Vec<_> = all
        .filter(|peer| poll.has_voted(*peer) != before.has_voted(*peer))
        .collect();
    let mut updates = Vec::new();
    for update in history[from + 1..=to]
        .iter()
        .filter_map(|(_, it)| it.as_ref())
    {
        let is_vote = matches!(update.numbered.command, Command::Vote(_));
        if is_vote {
            changed.push(update.author);
        }
        if !is_vote || update.author == who && poll.ballots() == Ballots::Secret {
            let mut update = update.clone();
            if let Some(told) = update.numbered.command.told() {
                update.numbered.command = told;
            }
            updates.push(update);
        }
    }
    if poll.ballots() == Ballots::Open {
        return PollTally {
            after: revision(from),
            revision: revision(to),
            updates,
            choices: poll.choices_by_place(changed.into_iter()),
            ..PollTally::default()
        };
    }
    let turnout = poll.turnout();
    let (voted, withdrew) = match turnout {
        Some(_) => (Vec::new(), Vec::new()),
        None => changed.into_iter().partition(|peer| poll.has_voted(*peer)),
    };
    let counts = (poll.shown_to(who) == Shown::Tally).then(|| poll.counts().expect("it has all"));
    PollTally {
        after: revision(from),
        revision: revision(to),
        history: None,
        updates,
        tally: counts,
        turnout,
        voted,
        withdrew,
        choices: Vec::new(),
    }
}

/// The message is read as it was written, and brings a copy from one revision to another: there it
/// is this poll, and stays so if the message comes once more, as everything in it is absolute.
fn brings(
    told: &PollTally,
    copy: &mut Poll,
    (from, to): (usize, usize),
    poll: &Poll,
) -> Result<(), TestCaseError> {
    let frame = Message::PollTally(told.clone()).encode();
    prop_assert_eq!(
        Message::decode(&frame, &Limits::default()),
        Ok(Message::PollTally(told.clone()))
    );
    for at in [from, to] {
        let taken = copy.take_tally(told, revision(at), &Limits::default());
        prop_assert_eq!(taken, Ok(()));
        prop_assert_eq!(&*copy, poll);
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::config())]

    /// However a history is cut into messages, what a person has after each is what they would be
    /// told now.
    #[test]
    fn tallies_keep_a_copy_up_to_date(
        poll in any_new_poll().prop_filter("secret", |it| it.ballots() == Ballots::Secret),
        deeds in any_deeds(),
        cuts in vec(any::<bool>(), 60),
        who in 0_u8..6,
    ) {
        let who = peer(who);
        let history = history(poll, deeds, |_| true);
        if who == history[0].0.owner() {
            return Ok(());
        }
        let (mut copy, mut at) = (history[0].0.told_to(who), 0);
        for now in 1..history.len() {
            if !cuts[now % cuts.len()] && now + 1 < history.len() {
                continue;
            }
            let told = tally(&history, at, now, who);
            brings(&told, &mut copy, (at, now), &history[now].0.told_to(who))?;
            at = now;
        }
    }

    /// The same with open ballots.
    #[test]
    fn choices_keep_a_copy_up_to_date(
        poll in any_new_poll().prop_filter("open", Poll::is_open),
        deeds in any_deeds(),
        cuts in vec(any::<bool>(), 60),
        who in 0_u8..6,
    ) {
        let who = peer(who);
        let history = history(poll, deeds, Poll::is_open);
        let (mut copy, mut at) = (history[0].0.told_to(who), 0);
        for now in 1..history.len() {
            let told = tally(&history, at, now, who);
            if told.choices.is_empty() || !cuts[now % cuts.len()] && now + 1 < history.len() {
                continue;
            }
            brings(&told, &mut copy, (at, now), &history[now].0.told_to(who))?;
            at = now;
        }
    }

    /// The same, where one's own votes and what is no vote come one by one, and others' votes not
    /// at all: the numbers follow one's own.
    #[test]
    fn ones_own_vote_is_counted_at_once(
        poll in any_new_poll().prop_filter("secret", |it| it.ballots() == Ballots::Secret),
        deeds in any_deeds(),
    ) {
        let who = peer(ANN);
        let mut poll = poll;
        let mut copy = poll.told_to(who);
        for (author, command) in deeds {
            if matches!(command, Command::Vote(_)) && author != who
                || matches!(
                    command,
                    Command::UpdateSettings(_) | Command::UpdateOption(_) | Command::RemovePeer(_)
                )
            {
                continue;
            }
            let applied = poll.apply(author, &command, &Limits::default());
            match command.told() {
                // The owner alone knows which invitations there are.
                Some(_) if applied.is_err() => continue,
                Some(told) => copy.apply(author, &told, &Limits::default()).unwrap(),
                None => {
                    prop_assert_eq!(copy.apply(author, &command, &Limits::default()), applied);
                }
            }
            if poll.results() != Results::AfterVote {
                prop_assert_eq!(&copy, &poll.told_to(who));
            }
        }
    }

    /// A poll as it is told to somebody is read back as it was.
    #[test]
    fn what_is_told_is_read_back(poll in common::polls::any_poll(), who in 0_u8..6) {
        let told = poll.told_to(peer(who));
        let frame = told.encode_state(position(0));
        let read = Message::decode(&frame, &Limits::default());
        let state = PollState {
            revision: Revision::ZERO,
            epoch: position(0).epoch,
            history: None,
            poll: told,
            ballot: Vec::new(),
        };
        prop_assert_eq!(read, Ok(Message::PollState(state)));
    }
}
