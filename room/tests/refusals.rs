//! Refusals: each wrong frame or command, its error word, and its cost for the sender.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::bench::{Bench, error, state};
use common::people::{
    ALICE, BOB, CAROL, Person, add_option, another_hello, call_me, close_poll, command_id, decode,
    draft, frame_of, hello, make, numbered, option, other_poll, poll, queueing, revision, room,
    seq, vote,
};
use hustings_protocol::{
    Ack, Challenge, CommandId, DeviceId, Epoch, ErrorCode, Hello, Limits, Message, Numbered,
    PeerInfo, Poll, Position, Refusal, Rejection, Revision, Role, RoomId, SyncRequest, Update,
};
use hustings_room::{
    CommandState, Config, Connection, DownReason, Event, Host, LinkId, Owner, Participant, Refused,
    SubmitError,
};

fn poll_id() -> hustings_protocol::PollId {
    room().poll_id
}

/// Alice hosts, and Bob is in.
fn alice_and_bob() -> (Bench<Host>, LinkId) {
    let mut alice = Bench::hosting();
    let bob = alice.admits(BOB);
    (alice, bob)
}

/// A frame with this payload, as somebody would type it.
fn raw(kind: &str, number: u64, payload: &str) -> Bytes {
    let id = command_id(number);
    Bytes::from(format!(
        r#"{{"type":"{kind}","commandId":"{id}","seq":{number},"payload":{payload}}}"#
    ))
}

/// A frame that is not a command, or is unreadable, leads to the error word and nothing else.
#[track_caller]
fn is_refused_and_forgotten(frame: &[u8], about: Option<CommandId>, code: ErrorCode) {
    let (mut alice, bob) = alice_and_bob();
    let said = alice.hears(bob, frame);
    assert_eq!(said.refusal(bob), (about, code.clone()));
    assert_eq!(said.faults(), [code]);
    assert!(!said.hangs_up(bob));
    assert!(!said.keeps_anything(), "it is no command's outcome");
    assert!(alice.is_served(bob), "the link goes on");
    // What comes behind it is not held up.
    let next = alice.hears(bob, numbered(1, call_me("Bob")));
    assert_eq!(next.to(bob), [ack(1, 1)]);
}

/// A wrong command with a number leads to its outcome, which is final.
#[track_caller]
fn is_rejected_for_good(frame: &[u8], code: ErrorCode) {
    let (mut alice, bob) = alice_and_bob();
    let said = alice.hears(bob, frame);
    assert_eq!(said.refusal(bob), (Some(command_id(1)), code));
    assert!(!said.hangs_up(bob));
    assert!(said.keeps_anything(), "the answer is remembered");
    assert_eq!(alice.owner().revision(), Revision::ZERO);
    assert_eq!(**alice.owner().poll(), poll());
    let answer = said.frames(bob);
    assert_eq!(alice.hears(bob, frame).frames(bob), answer, "and repeated");
    alice.restarts();
    let (bob, _) = alice.admits_with(BOB, hello(BOB, room()));
    assert_eq!(alice.hears(bob, frame).frames(bob), answer, "for good");
    // The next one goes on, as the first revision.
    let next = alice.hears(bob, numbered(2, call_me("Bob")));
    assert_eq!(next.to(bob), [ack(2, 1)]);
}

fn ack(number: u64, at: u64) -> Message {
    Message::Ack(Ack {
        command_id: command_id(number),
        revision: revision(at),
        history: None,
    })
}

// At a running owner: frames.

#[test]
fn a_type_of_a_later_version_is_refused_and_the_link_goes_on() {
    let frame = br#"{"type":"poll:confetti","payload":{"amount":9000}}"#;
    is_refused_and_forgotten(frame, None, ErrorCode::UnknownType);
}

#[test]
fn a_command_of_a_later_version_is_rejected_in_its_turn() {
    let frame = raw("poll:confetti", 1, r#"{"amount":9000}"#);
    is_rejected_for_good(&frame, ErrorCode::UnknownType);
}

#[test]
fn what_is_no_message_is_malformed() {
    let not_messages: [&[u8]; 7] = [
        b"",
        b"hello",
        b"[]",
        br#"{"type":"ping","payload":{}"#,
        br#"{"payload":{}}"#,
        b"\xff\xfe{}",
        b"{\"type\":\"ping\",\"payload\":{}} and more",
    ];
    for frame in not_messages {
        is_refused_and_forgotten(frame, None, ErrorCode::Malformed);
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_unread() {
    let max = Limits::default().max_command_bytes;
    is_refused_and_forgotten("x".repeat(max + 1).as_bytes(), None, ErrorCode::TooLarge);
    // The limit itself is within it.
    let mut frame = br#"{"type":"pong","payload":{}}"#.to_vec();
    frame.resize(max, b' ');
    let (mut alice, bob) = alice_and_bob();
    assert_eq!(alice.hears(bob, &frame).0, []);
    frame.push(b' ');
    let refusal = alice.hears(bob, &frame).refusal(bob);
    assert_eq!(refusal, (None, ErrorCode::TooLarge));
}

#[test]
fn a_frame_that_nests_too_deep_is_refused_unread() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let ping = format!(r#"{{"type":"ping","payload":{deep}}}"#);
    is_refused_and_forgotten(ping.as_bytes(), None, ErrorCode::TooDeep);
    // One that begins as a command has its place among the others.
    let (mut alice, bob) = alice_and_bob();
    let said = alice.hears(bob, raw("poll:vote", 1, &deep));
    assert_eq!(said.refusal(bob), (Some(command_id(1)), ErrorCode::TooDeep));
    let said = alice.hears(bob, numbered(2, call_me("Bob")));
    assert_eq!(said.to(bob), [ack(2, 1)]);
}

#[test]
fn an_envelope_with_a_bad_field_is_refused_and_names_the_command_where_it_can() {
    let id = command_id(1);
    let no_seq = format!(r#"{{"type":"poll:vote","commandId":"{id}","payload":{{}}}}"#);
    is_refused_and_forgotten(no_seq.as_bytes(), Some(id), ErrorCode::BadField);
    let no_payload = format!(r#"{{"type":"poll:vote","commandId":"{id}","seq":1}}"#);
    is_refused_and_forgotten(no_payload.as_bytes(), Some(id), ErrorCode::BadField);
    let no_id = br#"{"type":"poll:vote","seq":1,"payload":{}}"#;
    is_refused_and_forgotten(no_id, None, ErrorCode::BadField);
    let seq_zero = format!(r#"{{"type":"poll:vote","commandId":"{id}","seq":0,"payload":{{}}}}"#);
    is_refused_and_forgotten(seq_zero.as_bytes(), None, ErrorCode::BadField);
    let nobody = br#"{"type":"ping","author":"nobody","payload":{}}"#;
    is_refused_and_forgotten(nobody, None, ErrorCode::BadField);
}

#[test]
fn a_payload_with_a_bad_field_is_the_commands_rejection() {
    let payloads = [
        ("poll:vote", "{}".to_owned()),
        ("poll:vote", "7".to_owned()),
        (
            "poll:vote",
            format!(r#"{{"pollId":"{}","optionIds":["x"]}}"#, poll_id()),
        ),
        (
            "poll:vote",
            format!(r#"{{"pollId":"{}","optionIds":"x"}}"#, poll_id()),
        ),
        ("user:profile", r#"{"name":null}"#.to_owned()),
        (
            "poll:role:update",
            format!(
                r#"{{"pollId":"{}","peerId":"{}","role":"king"}}"#,
                poll_id(),
                BOB.peer()
            ),
        ),
    ];
    for (kind, payload) in payloads {
        is_rejected_for_good(&raw(kind, 1, &payload), ErrorCode::BadField);
    }
}

#[test]
fn texts_and_lists_over_the_limit_are_too_long() {
    let limits = Limits::default();
    let label = "x".repeat(limits.max_label_chars + 1);
    let long_label = numbered(1, add_option(poll_id(), option(9), &label));
    is_rejected_for_good(&long_label, ErrorCode::TooLong);
    let name = "é".repeat(limits.max_name_chars + 1);
    is_rejected_for_good(&numbered(1, call_me(&name)), ErrorCode::TooLong);
    let choices = vec![format!("{:?}", option(0).to_string()); limits.max_choices + 1].join(",");
    let payload = format!(r#"{{"pollId":"{}","optionIds":[{choices}]}}"#, poll_id());
    is_rejected_for_good(&raw("poll:vote", 1, &payload), ErrorCode::TooLong);
}

#[test]
fn what_only_an_owner_says_is_unexpected() {
    let nothing_new = hello(BOB, room());
    let messages = [
        decode(&state(1, 0, &poll())),
        ack(1, 1),
        common::bench::who_is_here(),
        Message::Hello(nothing_new),
    ];
    for message in messages {
        is_refused_and_forgotten(&message.encode(), None, ErrorCode::Unexpected);
    }
    is_refused_and_forgotten(&error(ErrorCode::Busy), None, ErrorCode::Unexpected);
}

// At a running owner: what is asked for.

#[test]
fn a_command_for_another_poll_is_rejected() {
    let frame = numbered(1, vote(other_poll(), option(0)));
    is_rejected_for_good(&frame, ErrorCode::WrongPoll);
}

#[test]
fn a_question_about_another_poll_is_refused() {
    let frame = Message::SyncRequest(SyncRequest {
        poll_id: other_poll(),
        known: None,
    });
    is_refused_and_forgotten(&frame.encode(), None, ErrorCode::WrongPoll);
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let (mut alice, bob) = alice_and_bob();
    let carols = format!(
        r#"{{"type":"user:profile","commandId":"{}","seq":1,"author":"{}","payload":{{"name":"Eve"}}}}"#,
        command_id(1),
        CAROL.peer()
    );
    let said = alice.hears(bob, &carols);
    let refusal = said.refusal(bob);
    assert_eq!(refusal, (Some(command_id(1)), ErrorCode::WrongAuthor));
    assert!(alice.owner().poll().member(CAROL.peer()).is_none());
    assert!(alice.is_served(bob));

    // One's own name is no offence.
    let own = carols
        .replace(&CAROL.peer().to_string(), &BOB.peer().to_string())
        .replace(&command_id(1).to_string(), &command_id(2).to_string())
        .replace(r#""seq":1"#, r#""seq":2"#);
    assert_eq!(alice.hears(bob, own).to(bob), [ack(2, 1)]);
}

#[test]
fn what_the_rules_refuse_is_rejected_with_their_word() {
    let unknown = numbered(1, vote(poll_id(), option(404)));
    is_rejected_for_good(&unknown, ErrorCode::UnknownOption);
    let again = numbered(1, add_option(poll_id(), option(0), "Tea"));
    is_rejected_for_good(&again, ErrorCode::OptionExists);
    let too_high = numbered(1, make(poll_id(), BOB, Role::Moderator));
    is_rejected_for_good(&too_high, ErrorCode::NotAllowed);
    is_rejected_for_good(&numbered(1, close_poll(poll_id())), ErrorCode::NotAllowed);
}

#[test]
fn a_rejection_stays_when_its_reason_has_gone() {
    let (mut alice, bob) = alice_and_bob();
    let carol = alice.admits(CAROL);
    let early = numbered(1, vote(poll_id(), option(9)));
    let answer = alice.hears(bob, &early).frames(bob);
    alice.hears(
        carol,
        numbered(1, add_option(poll_id(), option(9), "Juice")),
    );
    assert_eq!(alice.hears(bob, &early).frames(bob), answer);
    assert!(alice.owner().poll().choices(BOB.peer()).is_empty());
    // It takes a new command.
    let late = alice.hears(bob, numbered(2, vote(poll_id(), option(9))));
    assert_eq!(late.to(bob), [ack(2, 2)]);
}

#[test]
fn commands_behind_a_rejected_one_go_on() {
    let (mut alice, bob) = alice_and_bob();
    let carol = alice.admits(CAROL);
    alice.hears(bob, numbered(1, vote(poll_id(), option(0))));
    let rejected = alice.hears(bob, numbered(2, vote(poll_id(), option(404))));
    assert_eq!(rejected.to(carol), [], "nobody else hears of it");
    let next = alice.hears(bob, numbered(3, vote(poll_id(), option(1))));
    assert_eq!(next.to(bob), [ack(3, 2)]);
    let relayed = Update {
        author: BOB.peer(),
        device: BOB.device(),
        revision: revision(2),
        history: None,
        numbered: Numbered {
            command_id: command_id(3),
            seq: seq(3),
            seen: None,
            command: vote(poll_id(), option(1)),
        },
    };
    assert_eq!(next.to(carol), [Message::Update(relayed)]);
}

// At a running owner: numbers and names of commands.

#[test]
fn a_gap_ends_the_link_and_is_not_the_commands_outcome() {
    let (mut alice, bob) = alice_and_bob();
    let early = numbered(3, call_me("Bob"));
    let said = alice.hears(bob, &early);
    assert_eq!(said.refusal(bob), (None, ErrorCode::SeqGap));
    assert!(said.hangs_up(bob));
    assert!(!said.keeps_anything());
    assert!(!alice.is_served(bob));

    // The same command, in its turn, is as good as any.
    let bob = alice.admits(BOB);
    alice.hears(bob, numbered(1, call_me("B")));
    alice.hears(bob, numbered(2, call_me("Bo")));
    assert_eq!(alice.hears(bob, early).to(bob), [ack(3, 3)]);
}

#[test]
fn one_number_is_one_command() {
    let (mut alice, bob) = alice_and_bob();
    alice.hears(bob, numbered(1, call_me("Bob")));
    let other = frame_of(1, command_id(77), call_me("Eve"));
    let said = alice.hears(bob, other);
    assert_eq!(
        said.refusal(bob),
        (Some(command_id(77)), ErrorCode::SeqReused)
    );
    assert!(!said.keeps_anything());
    assert!(alice.is_served(bob));
    assert_eq!(alice.owner().revision(), revision(1));
}

#[test]
fn one_name_is_one_command() {
    let (mut alice, bob) = alice_and_bob();
    alice.hears(bob, numbered(1, call_me("Bob")));
    // Under its old number with other content, and under a new number.
    for number in [1, 2] {
        let said = alice.hears(bob, frame_of(number, command_id(1), call_me("Eve")));
        assert_eq!(
            said.refusal(bob),
            (Some(command_id(1)), ErrorCode::CommandReused)
        );
        assert!(!said.keeps_anything());
        assert!(alice.is_served(bob));
    }
    assert_eq!(alice.owner().revision(), revision(1));
    // The first is still answered as it was.
    let again = alice.hears(bob, numbered(1, call_me("Bob")));
    assert_eq!(again.to(bob), [ack(1, 1)]);
}

#[test]
fn what_is_older_than_the_last_64_is_forgotten() {
    let (mut alice, bob) = alice_and_bob();
    for number in 1..=65 {
        alice.hears(bob, numbered(number, call_me("Bob")));
    }
    let said = alice.hears(bob, numbered(1, call_me("Bob")));
    assert_eq!(
        said.refusal(bob),
        (Some(command_id(1)), ErrorCode::SeqForgotten)
    );
    assert!(alice.is_served(bob));
    let kept = alice.hears(bob, numbered(2, call_me("Bob")));
    assert_eq!(kept.to(bob), [ack(2, 2)]);
}

#[test]
fn devices_of_one_person_count_for_themselves() {
    let (mut alice, bob) = alice_and_bob();
    alice.hears(bob, numbered(1, call_me("Bob")));
    let phone = Hello {
        device: CAROL.device(),
        ..another_hello(BOB, 9)
    };
    let (phone, _) = alice.admits_with(BOB, phone);
    let said = alice.hears(phone, frame_of(1, command_id(50), call_me("Robert")));
    assert_eq!(said.to(phone), [ack(50, 2)]);
    assert!(alice.is_served(bob), "both stay");
}

// In the handshake.

/// A first frame that is not the handshake's leads to the error word and the end of the link.
#[track_caller]
fn is_turned_away(first: &[u8], code: ErrorCode) {
    let mut alice = Bench::hosting();
    let (link, _) = alice.link();
    let said = alice.hears(link, first);
    assert_eq!(said.refusal(link), (None, code));
    assert_eq!(said.to(link).len(), 1, "{said:?}");
    assert!(said.hangs_up(link));
    assert!(!alice.is_served(link));
    assert_eq!(alice.owner().peers().len(), 1);
}

#[test]
fn any_other_first_frame_ends_the_link() {
    let others = [
        Message::Ping.encode(),
        numbered(1, call_me("Bob")),
        state(1, 0, &poll()),
        Message::SyncRequest(SyncRequest {
            poll_id: poll_id(),
            known: None,
        })
        .encode(),
    ];
    for frame in others {
        is_turned_away(&frame, ErrorCode::HandshakeFailed);
    }
    is_turned_away(b"GET / HTTP/1.1", ErrorCode::Malformed);
    is_turned_away(
        br#"{"type":"poll:confetti","payload":{}}"#,
        ErrorCode::UnknownType,
    );
    is_turned_away(
        br#"{"type":"auth:hello","payload":{}}"#,
        ErrorCode::BadField,
    );
    is_turned_away(&[b' '; 20_000], ErrorCode::TooLarge);
}

#[test]
fn a_second_frame_that_is_no_proof_ends_the_link() {
    let others = [
        (Message::Ping.encode(), ErrorCode::HandshakeFailed),
        (numbered(1, call_me("Bob")), ErrorCode::HandshakeFailed),
        (
            Message::Hello(hello(BOB, room())).encode(),
            ErrorCode::HandshakeFailed,
        ),
        (Bytes::from_static(b"{"), ErrorCode::Malformed),
    ];
    for (frame, code) in others {
        let mut alice = Bench::hosting();
        let (link, _) = alice.link();
        alice.hears(link, Message::Hello(hello(BOB, room())).encode());
        let said = alice.hears(link, frame);
        assert_eq!(said.refusal(link), (None, code));
        assert!(said.hangs_up(link));
        assert_eq!(alice.owner().revision(), Revision::ZERO);
    }
}

#[test]
fn another_version_is_refused() {
    for v in [0, 1, 3] {
        let hello = Hello {
            v,
            ..hello(BOB, room())
        };
        is_turned_away(
            &Message::Hello(hello).encode(),
            ErrorCode::UnsupportedVersion,
        );
        let elsewhere = Hello {
            poll_id: other_poll(),
            ..hello
        };
        let first = Message::Hello(elsewhere).encode();
        is_turned_away(&first, ErrorCode::UnsupportedVersion);
    }
}

#[test]
fn a_handshake_has_ten_seconds() {
    let mut alice = Bench::hosting();
    let (silent, _) = alice.link();
    let (halfway, _) = alice.link();
    alice.hears(halfway, Message::Hello(hello(BOB, room())).encode());
    let carol = alice.admits(CAROL);

    let early = alice.waits(Duration::from_millis(9_999));
    assert_eq!(early.0, []);
    let late = alice.waits(Duration::from_millis(1));
    for link in [silent, halfway] {
        assert_eq!(late.refusal(link), (None, ErrorCode::HandshakeFailed));
        assert!(late.hangs_up(link));
    }
    assert!(alice.is_served(carol));
}

#[test]
fn an_unknown_poll_is_refused_by_somebody_who_has_proved_to_be_the_owner() {
    let mut alice = Bench::hosting();
    alice.tell(|host, _| host.know([]));
    let (link, _) = alice.link();
    let elsewhere = RoomId {
        poll_id: other_poll(),
        ..room()
    };
    let said = alice.hears(link, Message::Hello(hello(BOB, elsewhere)).encode());
    let messages = said.to(link);
    assert!(matches!(messages[0], Message::Challenge(_)), "{messages:?}");
    assert_eq!(said.refusal(link), (None, ErrorCode::UnknownPoll));
    assert_eq!(messages.len(), 2);
    assert!(said.hangs_up(link));
}

#[test]
fn who_asks_for_a_poll_that_may_be_opened_yet_waits_for_five_seconds_and_comes_back() {
    let mut alice = Bench::hosting();
    let elsewhere = RoomId {
        poll_id: other_poll(),
        ..room()
    };
    let asks = |alice: &mut Bench<Host>, who| {
        let (link, _) = alice.link();
        let said = alice.hears(link, Message::Hello(hello(who, elsewhere)).encode());
        (link, said)
    };
    // Alice has not looked through her journals; and then she has, and that poll is not open.
    for has_looked in [false, true] {
        if has_looked {
            let both = [room().poll_id, other_poll()];
            alice.tell(|host, _| host.know(both));
        }
        let (patient, said) = asks(&mut alice, BOB);
        assert_eq!(said.0, []);
        let (hasty, _) = asks(&mut alice, CAROL);
        let said = alice.hears(hasty, Message::Ping.encode());
        assert_eq!(said.refusal(hasty), (None, ErrorCode::HandshakeFailed));
        assert!(said.hangs_up(hasty));

        assert_eq!(alice.waits(Duration::from_millis(4_999)).0, []);
        let said = alice.waits(Duration::from_millis(1));
        assert_eq!(said.refusal(patient), (None, ErrorCode::PollNotOpen));
        assert!(said.hangs_up(patient));
    }
    // There is no such poll, after all.
    let (waiting, _) = asks(&mut alice, BOB);
    let (_, said) = alice.tell(|host, _| host.know([room().poll_id]));
    assert!(matches!(said.to(waiting)[0], Message::Challenge(_)));
    assert_eq!(said.refusal(waiting), (None, ErrorCode::UnknownPoll));
    assert!(said.hangs_up(waiting));
}

#[test]
fn who_waits_for_a_poll_is_let_in_when_it_is_opened() {
    let mut alice = Bench::hosting();
    let poll_id = room().poll_id;
    let owner = alice.restored_owner();
    alice.tell(|host, _| host.close_poll(poll_id));
    let (link, _) = alice.link();
    let said = alice.hears(link, Message::Hello(hello(BOB, room())).encode());
    assert_eq!(said.0, []);
    let (_, said) = alice.tell(|host, now| host.open(owner, now));
    assert!(matches!(said.to(link)[..], [Message::Challenge(_)]));
}

// A participant, facing an owner of a later version, or one that means no good.

/// Bob is in, at revision zero.
fn bob() -> (Bench<Participant>, LinkId) {
    let mut bob = Bench::joining(BOB);
    let link = bob.joins();
    (bob, link)
}

/// The frame in which Alice relays a command of Carol.
fn carols(number: u64, command: hustings_protocol::Command) -> Bytes {
    let numbered = Numbered {
        command_id: command_id(100 + number),
        seq: seq(number),
        seen: None,
        command,
    };
    Message::Update(Update {
        author: CAROL.peer(),
        device: CAROL.device(),
        revision: revision(number),
        history: None,
        numbered,
    })
    .encode()
}

/// The `number`th thing that Carol does: she votes.
fn update(number: u64) -> Bytes {
    carols(number, vote(poll_id(), option(u128::from(number % 3))))
}

fn asks_for(known: Option<u64>) -> Message {
    Message::SyncRequest(SyncRequest {
        poll_id: poll_id(),
        known: known.map(|number| Position {
            epoch: Epoch::new(1),
            revision: revision(number),
            history: None,
        }),
    })
}

#[test]
fn a_participant_lives_with_messages_that_it_does_not_know_or_cannot_read() {
    let (mut bob, link) = bob();
    let nonsense: [(&[u8], ErrorCode); 5] = [
        (
            br#"{"type":"poll:confetti","payload":{}}"#,
            ErrorCode::UnknownType,
        ),
        (b"{{{{", ErrorCode::Malformed),
        (
            br#"{"type":"poll:state","payload":{},"revision":1,"epoch":"0000000000000001"}"#,
            ErrorCode::BadField,
        ),
        (br#"{"type":"ack","payload":{}}"#, ErrorCode::BadField),
        (b"", ErrorCode::Malformed),
    ];
    let mut asked = Vec::new();
    for (frame, code) in nonsense {
        let said = bob.hears(link, frame);
        assert_eq!(said.faults(), [code]);
        asked.append(&mut said.to(link));
        assert!(bob.is_connected());
    }
    // What cannot be read may have been an update. The whole poll is asked for at most once.
    assert_eq!(asked, [asks_for(Some(0)), asks_for(None)]);
    for unexpected in [
        numbered(1, call_me("Bob")),
        Message::Hello(hello(BOB, room())).encode(),
    ] {
        assert_eq!(
            bob.hears(link, unexpected).faults(),
            [ErrorCode::Unexpected]
        );
    }
    bob.hears(link, update(1));
    assert_eq!(bob.machine.revision(), Some(revision(1)));
}

#[test]
fn an_answer_to_a_command_that_was_never_given_is_nothing() {
    let (mut bob, link) = bob();
    let confirmed = bob.machine.confirmed().cloned();
    for answer in [ack(9, 1), ack(9, 1_000_000)] {
        assert_eq!(bob.hears(link, answer.encode()).0, []);
    }
    let refusal = Message::Error(Refusal {
        command_id: Some(command_id(9)),
        rejection: Rejection::new(ErrorCode::PollClosed, "no"),
    });
    assert_eq!(bob.hears(link, refusal.encode()).0, []);
    assert_eq!(bob.machine.confirmed().cloned(), confirmed);
}

#[test]
fn a_gap_makes_a_participant_ask_once() {
    let (mut bob, link) = bob();
    bob.hears(link, update(1));
    assert_eq!(bob.hears(link, update(3)).to(link), [asks_for(Some(1))]);
    assert_eq!(bob.hears(link, update(4)).to(link), [], "it has asked");
    assert_eq!(bob.machine.revision(), Some(revision(1)));

    for number in 2..=4 {
        assert_eq!(bob.hears(link, update(number)).to(link), []);
    }
    assert_eq!(bob.machine.revision(), Some(revision(4)));
    // The next gap is another one.
    assert_eq!(bob.hears(link, update(6)).to(link), [asks_for(Some(4))]);
}

#[test]
fn an_answer_that_cannot_be_read_makes_it_ask_for_everything_once() {
    let (mut bob, link) = bob();
    bob.hears(link, update(2));
    let unreadable = br#"{"type":"poll:confetti","revision":1,"payload":{}}"#;
    assert_eq!(bob.hears(link, unreadable).to(link), [asks_for(None)]);
    assert_eq!(bob.hears(link, unreadable).to(link), [], "not for ever");
    bob.hears(link, state(1, 2, &poll()));
    assert_eq!(bob.machine.revision(), Some(revision(2)));
}

#[test]
fn an_update_that_does_not_fit_makes_it_ask_for_everything() {
    let (mut bob, link) = bob();
    let nonsense = carols(1, vote(poll_id(), option(404)));
    let said = bob.hears(link, nonsense);
    assert_eq!(said.faults(), [ErrorCode::Unexpected]);
    assert_eq!(said.to(link), [asks_for(None)]);
    assert_eq!(**bob.machine.confirmed().unwrap(), poll());
}

#[test]
fn a_question_that_found_no_room_is_asked_again() {
    let (mut bob, link) = bob();
    let asked = bob.hears(link, update(2)).frames(link);
    let (_, said) = bob.tell(|bob, now| bob.handle_blocked(link, &asked[0], now));
    assert_eq!(said.frames(link).len(), 0);
    let (_, said) = bob.tell(|bob, now| bob.handle_writable(link, now));
    assert_eq!(said.to(link), [asks_for(Some(0))]);
}

#[test]
fn a_state_that_is_not_newer_is_ignored() {
    let (mut bob, link) = bob();
    for number in 1..=5 {
        bob.hears(link, update(number));
    }
    let confirmed = bob.machine.confirmed().cloned();
    for old in [0, 4, 5] {
        let said = bob.hears(link, state(1, old, &poll()));
        assert_eq!(said.0, [], "revision {old}");
    }
    assert_eq!(bob.hears(link, update(3)).0, []);
    assert_eq!(bob.machine.revision(), Some(revision(5)));
    assert_eq!(bob.machine.confirmed().cloned(), confirmed);
}

#[test]
fn a_new_epoch_is_taken_whatever_its_revision() {
    let (mut bob, link) = bob();
    for number in 1..=5 {
        bob.hears(link, update(number));
    }
    let said = bob.hears(link, state(2, 1, &poll()));
    let revision = revision(1);
    assert!(said.events().contains(&Event::PollChanged { revision }));
    assert_eq!(bob.machine.revision(), Some(revision));
    assert_eq!(**bob.machine.confirmed().unwrap(), poll());
    // It goes on in the new one.
    bob.hears(link, update(2));
    assert_eq!(bob.machine.revision(), Some(revision.next()));
}

#[test]
fn a_state_of_another_poll_is_not_taken() {
    let (mut bob, link) = bob();
    let text = String::from_utf8(state(1, 7, &poll()).to_vec()).unwrap();
    let other_id = text.replace(&poll_id().to_string(), &other_poll().to_string());
    let other_owner = text.replace(&ALICE.peer().to_string(), &CAROL.peer().to_string());
    for foreign in [other_id, other_owner] {
        let said = bob.hears(link, foreign);
        assert_eq!(said.faults(), [ErrorCode::Unexpected]);
        assert_eq!(**bob.machine.confirmed().unwrap(), poll());
    }
    assert_eq!(bob.machine.revision(), Some(Revision::ZERO));
}

#[test]
fn an_error_about_the_link_alone_costs_no_command() {
    let (mut bob, link) = bob();
    let (submitted, _) = bob.tell(|bob, now| bob.submit(vote(poll_id(), option(0)), now));
    submitted.unwrap();
    let said = bob.hears(link, error(ErrorCode::SeqGap));
    assert_eq!(said.faults(), [ErrorCode::SeqGap]);
    assert_eq!(bob.machine.pending().len(), 1);
    assert!(bob.is_connected(), "it is for the owner to end the link");
}

#[test]
fn a_rejection_is_final_whatever_comes_later() {
    let (mut bob, link) = bob();
    let (submitted, _) = bob.tell(|bob, now| bob.submit(vote(poll_id(), option(0)), now));
    let command_id = submitted.unwrap();
    let rejection = Rejection::new(ErrorCode::Other("later-rule".into()), "of a later version");
    let refusal = Message::Error(Refusal {
        command_id: Some(command_id),
        rejection: rejection.clone(),
    });
    let said = bob.hears(link, refusal.encode());
    let state = CommandState::Rejected(rejection);
    assert!(
        said.events()
            .contains(&Event::Command { command_id, state })
    );
    assert!(bob.machine.pending().is_empty());
    let ack = Message::Ack(Ack {
        command_id,
        revision: revision(1),
        history: None,
    });
    assert_eq!(bob.hears(link, ack.encode()).0, []);
}

#[test]
fn what_an_owner_would_refuse_unread_is_not_submitted() {
    let max = 160;
    let limits = Limits {
        max_command_bytes: max,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    let mut bob = Bench::joining_with(BOB, 0, config);
    let link = bob.joins();
    let long = call_me(&"x".repeat(64));
    let (submitted, said) = bob.tell(|bob, now| bob.submit(long, now));
    assert!(matches!(submitted, Err(SubmitError::TooLarge { max: it, .. }) if it == max));
    assert_eq!(said.0, []);
    let elsewhere = vote(other_poll(), option(0));
    let (submitted, said) = bob.tell(|bob, now| bob.submit(elsewhere, now));
    assert_eq!(submitted, Err(SubmitError::WrongPoll(other_poll())));
    assert_eq!(said.0, []);
    let (submitted, said) = bob.tell(|bob, now| bob.submit(call_me("Bob"), now));
    submitted.unwrap();
    // The numbers have no gap.
    let sent = said.to(link);
    assert!(matches!(&sent[..], [Message::Command(it)] if it.seq == seq(1)));
}

#[test]
fn a_handshake_that_finds_no_room_is_begun_anew() {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, hello) = bob.is_answered(&said);
    let said = bob.hears(link, bob.challenge(&hello).encode());
    let proof = said.frames(link).remove(0);
    let (_, said) = bob.tell(|bob, now| bob.handle_blocked(link, &proof, now));
    assert!(said.hangs_up(link));
    assert!(bob.idle().is_some(), "it dials again");
}

#[test]
fn a_host_that_closes_hangs_up_on_everybody_who_is_on_the_way_in() {
    let mut alice = Bench::hosting();
    let member = alice.admits(BOB);
    let elsewhere = RoomId {
        poll_id: other_poll(),
        ..room()
    };
    let [silent, waiting, challenged] = [(); 3].map(|()| alice.link().0);
    let greeting = |room| Message::Hello(hello(CAROL, room)).encode();
    assert_eq!(alice.hears(waiting, greeting(elsewhere)).0, []);
    assert_eq!(
        alice
            .hears(challenged, greeting(room()))
            .to(challenged)
            .len(),
        1
    );
    let (_, said) = alice.tell(|host, _| host.close());
    for link in [member, silent, waiting, challenged] {
        assert!(said.hangs_up(link), "{link}");
        assert_eq!(alice.hears(link, greeting(room())).0, [], "{link}");
    }
}

#[test]
fn a_poll_that_is_closed_ends_its_own_handshakes_alone() {
    let mut alice = Bench::hosting();
    let elsewhere = RoomId {
        poll_id: other_poll(),
        ..room()
    };
    let mut numbers = 0..;
    let next = || option(numbers.next().unwrap());
    let limits = Limits::default();
    let other = Poll::new(other_poll(), ALICE.peer(), draft(), next, &limits).unwrap();
    let other = Owner::create(ALICE.setup(5, Config::default()), other).unwrap();
    alice.tell(|host, now| host.open(other, now));
    let mut asks = |room| {
        let (link, _) = alice.link();
        let said = alice.hears(link, Message::Hello(hello(BOB, room)).encode());
        assert!(matches!(said.to(link)[..], [Message::Challenge(_)]));
        link
    };
    let (here, there) = (asks(room()), asks(elsewhere));
    let (_, said) = alice.tell(|host, _| host.close_poll(room().poll_id));
    assert!(said.hangs_up(here) && !said.hangs_up(there));
    assert_eq!(alice.hears(here, Message::Ping.encode()).0, []);
    let said = alice.hears(there, Message::Ping.encode());
    assert_eq!(said.refusal(there), (None, ErrorCode::HandshakeFailed));
}

#[test]
fn a_complete_list_of_peers_replaces_the_one_before() {
    let (mut bob, link) = bob();
    let device = |who: Person, number: u8| PeerInfo {
        peer_id: who.peer(),
        device: DeviceId::from_bytes([number; 5]),
        online: true,
    };
    let (at_home, at_work) = (device(ALICE, ALICE.0), device(ALICE, 9));
    let (carol, dave) = (device(CAROL, 3), device(Person(4), 4));
    let gone = |peer: PeerInfo| PeerInfo {
        online: false,
        ..peer
    };
    let told = |bob: &mut Bench<Participant>, link, peers: &[PeerInfo]| {
        bob.hears(link, Message::Discovery(peers.to_vec()).encode());
        let mut here = bob.machine.peers();
        here.sort_by_key(|it| (it.device != at_home.device, it.device));
        here
    };
    assert_eq!(told(&mut bob, link, &[carol]), [at_home, carol], "a change");
    assert_eq!(told(&mut bob, link, &[at_home, dave]), [at_home, dave]);
    assert_eq!(told(&mut bob, link, &[gone(dave), carol]), [at_home, carol]);
    assert_eq!(told(&mut bob, link, &[]), [at_home, carol]);

    // Alice hosts from another device now.
    bob.loses(link, DownReason::Unreachable);
    let (_, said) = bob.tell(Participant::handle_wake);
    let (link, hello) = bob.is_answered(&said);
    let challenge = bob.challenge(&hello).encode();
    bob.hears(link, challenge);
    assert_eq!(told(&mut bob, link, &[at_work, carol]), [carol, at_work]);
    assert_eq!(told(&mut bob, link, &[at_work, dave]), [dave, at_work]);
}

#[test]
fn an_outbox_has_room_for_as_many_commands_as_the_settings_say() {
    let mut bob = Bench::joining_with(
        BOB,
        0,
        Config {
            max_pending: 3,
            ..queueing()
        },
    );
    let mut submits = || bob.tell(|bob, now| bob.submit(call_me("Bob"), now)).0;
    for _ in 0..3 {
        assert!(submits().is_ok());
    }
    assert_eq!(submits(), Err(SubmitError::OutboxFull(3)));
    assert_eq!(bob.machine.pending().len(), 3);
}

#[test]
fn an_update_of_ones_own_is_as_good_as_the_answer_and_anothers_is_not() {
    let (mut bob, link) = bob();
    let (submitted, _) = bob.tell(|bob, now| bob.submit(call_me("Bob"), now));
    let command_id = submitted.unwrap();
    let update = |author: Person, device: Person, at: u64| {
        Message::Update(Update {
            author: author.peer(),
            device: device.device(),
            revision: revision(at),
            history: None,
            numbered: Numbered {
                command_id,
                seq: seq(1),
                seen: None,
                command: call_me("Bob"),
            },
        })
        .encode()
    };
    // Whoever gives the same name to something of theirs, from whatever device.
    bob.hears(link, update(CAROL, CAROL, 1));
    bob.hears(link, update(CAROL, BOB, 2));
    bob.hears(link, update(BOB, CAROL, 3));
    assert_eq!(bob.machine.pending().len(), 1);
    let said = bob.hears(link, update(BOB, BOB, 4));
    assert_eq!(bob.machine.pending(), []);
    let applied = CommandState::Applied(revision(4));
    assert!(said.events().contains(&Event::Command {
        command_id,
        state: applied
    }));
}

#[test]
fn a_number_that_was_given_meanwhile_is_somebody_elses_doing() {
    let (mut bob, link) = bob();
    let (submitted, _) = bob.tell(|bob, now| bob.submit(call_me("Bob"), now));
    let refusal = Message::Error(Refusal {
        command_id: Some(submitted.unwrap()),
        rejection: Rejection::new(ErrorCode::SeqReused, "it is another's"),
    });
    assert!(bob.hears(link, refusal.encode()).hangs_up(link));
    assert_eq!(
        bob.machine.pending().len(),
        1,
        "a new link tells what is free"
    );
}

#[test]
fn a_question_that_cannot_be_read_is_refused() {
    let frame = br#"{"type":"sync:request","payload":{}}"#;
    is_refused_and_forgotten(frame, None, ErrorCode::BadField);
}

#[test]
fn a_command_under_another_number_has_the_outcome_that_it_had() {
    let (mut alice, bob) = alice_and_bob();
    let first = alice.hears(bob, numbered(1, call_me("Bob"))).to(bob);
    let again = alice.hears(bob, frame_of(2, command_id(1), call_me("Bob")));
    assert_eq!(again.to(bob), first);
    assert!(again.keeps_anything(), "the number is used");
    assert_eq!(alice.owner().revision(), revision(1));
    assert_eq!(
        alice.hears(bob, numbered(3, call_me("Rob"))).to(bob),
        [ack(3, 2)]
    );
}

#[test]
fn an_owner_of_another_version_that_has_proved_itself_is_left_for_good() {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, hello) = bob.is_answered(&said);
    let Message::Challenge(challenge) = bob.challenge(&hello) else {
        unreachable!("it is one");
    };
    let later = Challenge {
        v: challenge.v + 1,
        ..challenge
    };
    let said = bob.hears(link, Message::Challenge(later).encode());
    assert!(said.hangs_up(link));
    let Connection::Refused(Refused::ByOwner(why)) = bob.machine.connection() else {
        panic!("{:?}", bob.machine.connection());
    };
    assert_eq!(why.code, ErrorCode::UnsupportedVersion);
}

#[test]
fn what_comes_before_a_link_is_up_is_not_heard() {
    let mut bob = Bench::joining(BOB);
    let link = bob.drain().dialled().unwrap();
    assert_eq!(bob.hears(link, Message::Ping.encode()).0, []);
}

#[test]
fn an_update_before_the_poll_makes_it_ask_for_the_poll() {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, _) = bob.is_let_in(&said);
    assert_eq!(bob.hears(link, update(1)).to(link), [asks_for(None)]);
    assert_eq!(bob.machine.confirmed(), None);
}
