//! The choice of a person that counts, of two; and the place where it is remembered how it was
//! cast.

mod common;

use bytes::Bytes;
use hustings_protocol::{
    Cast, Command, CommandId, DeviceId, Envelope, Epoch, ErrorCode, Limits, Message, Numbered,
    OptionId, PeerId, Poll, PollDraft, PollState, Position, Revision, Seen, Seq, Shown,
    UserProfile, Vote,
};
use proptest::prelude::*;

use common::polls::{any_deeds, any_new_poll};
use common::{command_id, device, option_id, peer, poll_id};

const TAB_1: u8 = 1;
const TAB_2: u8 = 2;

fn revision(number: u64) -> Revision {
    Revision::new(number).expect("a revision that there can be")
}

fn at(number: u64) -> Position {
    Position {
        epoch: Epoch::new(7),
        revision: revision(number),
        history: None,
    }
}

fn tea_or_coffee() -> Poll {
    let draft = PollDraft::new("What to drink?").options(["Tea", "Coffee"]);
    let mut ids = (1..).map(option_id);
    let next = || ids.next().expect("there are enough");
    Poll::new(poll_id(3), peer(1), draft, next, &Limits::default()).expect("a sound draft")
}

fn vote(option_ids: impl Into<Vec<OptionId>>) -> Command {
    Command::Vote(Vote {
        poll_id: poll_id(3),
        option_ids: option_ids.into(),
    })
}

/// The casting of a vote, at this minute by the clock of its device.
fn cast(revision_made: u64, minute: u64, from: u8) -> Cast {
    Cast {
        revision: revision(revision_made),
        command_id: CommandId::new(1_790_000_000_000 + minute * 60_000, [0; 10]),
        device: device(from),
    }
}

/// The owner applies what it has decided on.
fn applies(poll: &mut Poll, author: PeerId, command: &Command, cast: Cast) {
    poll.apply(author, command, &Limits::default())
        .expect("a good command");
    poll.remember_cast(author, command, cast);
}

/// Somebody has voted for tea, as revision 5, at minute 10, in tab 1.
fn with_tea() -> Poll {
    let mut poll = tea_or_coffee();
    applies(
        &mut poll,
        peer(2),
        &vote([option_id(1)]),
        cast(5, 10, TAB_1),
    );
    poll
}

#[test]
fn of_two_choices_the_one_counts_that_knew_of_the_other_or_else_the_later_one() {
    let coffee = vote([option_id(2)]);
    for (minute, from, seen, counts, why) in [
        (11, TAB_2, 0, true, "made later, elsewhere"),
        (9, TAB_2, 0, false, "made earlier, elsewhere"),
        (9, TAB_2, 4, false, "it had not come to the other yet"),
        (9, TAB_2, 5, true, "a slow clock, and it knew of the other"),
        (9, TAB_2, 6, true, "and of more"),
        (10, TAB_2, 0, false, "the very same id"),
        (
            9,
            TAB_1,
            0,
            true,
            "the commands of one device keep their order",
        ),
    ] {
        let poll = with_tea();
        let next = cast(6, minute, from);
        let checked = poll.check_cast(peer(2), &coffee, &next, revision(seen));
        let expected = match counts {
            true => Ok(()),
            false => Err(ErrorCode::Superseded),
        };
        assert_eq!(checked.map_err(|it| it.code), expected, "{why}");
    }
}

#[test]
fn ids_of_one_millisecond_are_told_apart() {
    let mut poll = tea_or_coffee();
    let of = |random: u8| Cast {
        command_id: CommandId::new(1_790_000_000_000, [random; 10]),
        ..cast(5, 0, TAB_1)
    };
    applies(&mut poll, peer(2), &vote([option_id(1)]), of(4));
    let elsewhere = |random| Cast {
        device: device(TAB_2),
        ..of(random)
    };
    let coffee = vote([option_id(2)]);
    let check = |cast| poll.check_cast(peer(2), &coffee, &cast, Revision::ZERO);
    assert!(check(elsewhere(5)).is_ok());
    assert!(check(elsewhere(3)).is_err());
}

#[test]
fn a_choice_that_was_taken_back_stays_taken_back() {
    let mut poll = with_tea();
    applies(&mut poll, peer(2), &vote([]), cast(6, 20, TAB_2));
    assert!(poll.choices(peer(2)).is_empty());
    let tea = vote([option_id(1)]);
    let late = cast(7, 15, TAB_1);
    let checked = poll.check_cast(peer(2), &tea, &late, revision(5));
    assert_eq!(checked.map_err(|it| it.code), Err(ErrorCode::Superseded));
    // And taking back comes too late as well.
    let checked = poll.check_cast(peer(2), &vote([]), &late, revision(5));
    assert_eq!(checked.map_err(|it| it.code), Err(ErrorCode::Superseded));
}

#[test]
fn it_is_about_votes_of_one_person_in_one_poll() {
    let poll = with_tea();
    let early = cast(6, 1, TAB_2);
    let check = |author, command| poll.check_cast(author, &command, &early, Revision::ZERO);
    assert!(check(peer(2), vote([option_id(2)])).is_err());
    assert!(check(peer(3), vote([option_id(2)])).is_ok());
    let name = Command::SetProfile(UserProfile {
        name: "Bob".to_owned(),
    });
    assert!(check(peer(2), name).is_ok());
    // That it is for another poll is the reason then.
    let elsewhere = Command::Vote(Vote {
        poll_id: poll_id(4),
        option_ids: Vec::new(),
    });
    assert!(check(peer(2), elsewhere).is_ok());
}

#[test]
fn where_it_is_not_known_how_a_choice_was_cast_any_other_replaces_it() {
    let mut poll = tea_or_coffee();
    let tea = vote([option_id(1)]);
    poll.apply(peer(2), &tea, &Limits::default())
        .expect("a good command");
    assert_eq!(poll.cast(peer(2)), None);
    let coffee = vote([option_id(2)]);
    let checked = poll.check_cast(peer(2), &coffee, &cast(6, 0, TAB_2), Revision::ZERO);
    assert_eq!(checked, Ok(()));
}

// Where it is remembered.

/// All that is told of a poll, as text.
fn told(frame: &Bytes) -> String {
    String::from_utf8(frame.to_vec()).expect("JSON")
}

#[test]
fn only_the_journal_says_how_a_choice_was_cast() {
    let poll = with_tea();
    let (others, journal) = (poll.encode_state(at(5)), poll.encode_journaled(at(5)));
    let how = [
        cast(5, 10, TAB_1).command_id.to_string(),
        device(TAB_1).to_string(),
    ];
    for part in how.map(|text| format!("\"{text}\"")) {
        assert!(told(&journal).contains(&part), "{part}");
        assert!(!told(&others).contains(&part), "{part}");
    }
    let limits = Limits::default();
    let read = PollState::decode_journaled(&journal, &limits).expect("it was written so");
    assert_eq!(read.poll.cast(peer(2)), Some(cast(5, 10, TAB_1)));
    assert_eq!(read.poll.encode_journaled(at(5)), journal);
    // Whoever is sent it all the same knows nothing of it.
    let Ok(Message::PollState(state)) = Message::decode(&journal, &limits) else {
        panic!("it is a snapshot");
    };
    assert_eq!(state.poll.cast(peer(2)), None);
    assert_eq!(state.poll.encode_journaled(at(5)), others);
    assert_eq!(state.poll, poll, "it is the same poll");
}

#[test]
fn a_snapshot_that_says_nothing_of_casts_is_read_and_damaged_ones_are_not() {
    let (poll, limits) = (with_tea(), Limits::default());
    let old = poll.encode_state(at(5));
    let read = PollState::decode_journaled(&old, &limits).expect("as it was written before");
    assert_eq!(read.poll.cast(peer(2)), None);

    let journal = told(&poll.encode_journaled(at(5)));
    let (before, casts) = journal.split_once(r#""casts":"#).expect("there is one");
    let of_nobody = casts.replace(&peer(2).to_string(), &peer(9).to_string());
    for casts in [
        of_nobody,
        casts.replace("[[", "[[1,"),
        casts.replace(",5,", ",-5,"),
    ] {
        let damaged = format!(r#"{before}"casts":{casts}"#);
        let error = PollState::decode_journaled(damaged.as_bytes(), &limits).unwrap_err();
        assert_eq!(error.rejection.code, ErrorCode::BadField, "{error}");
    }
    let ping = Message::Ping.encode();
    let error = PollState::decode_journaled(&ping, &limits).unwrap_err();
    assert_eq!(error.rejection.code, ErrorCode::Unexpected);
}

proptest! {
    /// The journal's snapshot and the updates after it are the whole, and so are those of others.
    #[test]
    fn a_journaled_snapshot_and_the_rest_make_the_whole(
        start in any_new_poll(),
        deeds in any_deeds(),
        cut in any::<prop::sample::Index>(),
    ) {
        let limits = Limits::default();
        let fold = |poll: &mut Poll, first: u64, deeds: &[(PeerId, Command)], remembers: bool| {
            for (number, (author, command)) in (first..).zip(deeds) {
                if poll.apply(*author, command, &limits).is_ok() && remembers {
                    let of = u8::try_from(number % 251).expect("below 251");
                    poll.remember_cast(*author, command, Cast {
                        revision: revision(number),
                        command_id: command_id(of),
                        device: device(of),
                    });
                }
            }
        };
        let cut = cut.index(deeds.len() + 1);
        let (early, late) = deeds.split_at(cut);
        let (mut whole, mut half, mut copy) = (start.clone(), start.clone(), start);
        fold(&mut whole, 1, &deeds, true);
        fold(&mut copy, 1, &deeds, false);
        fold(&mut half, 1, early, true);

        let kept = half.encode_journaled(at(9));
        let mut read = PollState::decode_journaled(&kept, &limits).expect("it was written so").poll;
        prop_assert_eq!(read.encode_journaled(at(9)), kept);
        fold(&mut read, 1 + cut as u64, late, true);
        prop_assert_eq!(read.encode_journaled(at(9)), whole.encode_journaled(at(9)));
        prop_assert_eq!(copy.encode_state(at(9)), whole.encode_state(at(9)));
        // Of somebody else's copy there is nothing more to keep.
        let copy = copy.told(Shown::Ballots);
        prop_assert_eq!(copy.encode_journaled(at(9)), copy.encode_state(at(9)));
    }
}

// What a device had seen.

fn sent(seen: Option<Seen>) -> Bytes {
    Message::Command(Numbered {
        command_id: command_id(1),
        seq: Seq::FIRST,
        seen,
        command: vote([option_id(1)]),
    })
    .encode()
}

#[test]
fn a_command_says_what_its_device_had_seen_and_a_relayed_one_does_not() {
    let seen = Some(Seen {
        epoch: Epoch::new(7),
        revision: revision(5),
    });
    let (frame, limits) = (sent(seen), Limits::default());
    let parse = |frame| Envelope::parse(frame, 1_000, &limits).expect("a sound frame");
    let envelope = parse(&frame);
    assert_eq!(envelope.seen(), seen);
    // Under another number it is the same command.
    let renumbered = envelope.renumbered(Seq::FIRST.next()).expect("a command");
    assert_eq!(parse(&renumbered).seen(), seen);
    assert_eq!(parse(&renumbered).digest(), envelope.digest());
    let relayed = envelope
        .relayed(peer(2), DeviceId::from_bytes([1; 5]), revision(6), None)
        .expect("a command");
    assert_eq!(parse(&relayed).seen(), None);
    assert!(!told(&relayed).contains("seen"));
    assert_eq!(
        parse(&sent(None)).seen(),
        None,
        "as an older build has sent it"
    );
}

#[test]
fn a_revision_says_nothing_without_its_epoch() {
    let frame = told(&sent(Some(Seen {
        epoch: Epoch::new(7),
        revision: revision(5),
    })));
    let limits = Limits::default();
    for without in [r#","seen":5"#, r#","epoch":"0000000000000007""#] {
        let frame = frame.replace(without, "");
        let envelope = Envelope::parse(frame.as_bytes(), 1_000, &limits).expect("a sound frame");
        assert_eq!(envelope.seen(), None, "{frame}");
    }
    for wrong in ["-1", "1.5", "\"5\"", "9007199254740992"] {
        let frame = frame.replace(r#""seen":5"#, &format!(r#""seen":{wrong}"#));
        let error = Envelope::parse(frame.as_bytes(), 1_000, &limits).unwrap_err();
        assert_eq!(error.rejection.code, ErrorCode::BadField, "{wrong}");
    }
}
