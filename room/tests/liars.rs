//! Claims that cannot be true, floods, and stored data that nobody would take today.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::bench::{Bench, Outputs, ready, state};
use common::people::{
    ALICE, BOB, CAROL, add_option, call_me, command_id, decode, frame_of, hello, numbered, option,
    poll, queueing, revision, room, seq, vote,
};
use futures::FutureExt;
use hustings_outbox::{Batch, Cache, Durability, MemoryStore, Outbox, Store};
use hustings_protocol::{
    Command, DeviceId, Epoch, ErrorCode, Hello, HistoryMark, Message, Position, Revision,
    SyncRequest, Vote, WINDOW,
};
use hustings_room::{Config, Event, Host, LinkId, Moment, Output, SubmitError, TimeoutReason};

/// A question of somebody who says that they have seen this revision.
fn has_seen(epoch: Epoch, number: u64) -> Bytes {
    asks_from(Position {
        epoch,
        revision: revision(number),
        history: None,
    })
}

fn asks_from(known: Position) -> Bytes {
    let request = SyncRequest {
        poll_id: room().poll_id,
        known: Some(known),
    };
    Message::SyncRequest(request).encode()
}

fn is_renewed(events: &[Event]) -> bool {
    let mut events = events.iter();
    events.any(|event| matches!(event, Event::JournalRolledBack { .. }))
}

fn alice_bob_and_carol() -> (Bench<Host>, LinkId, LinkId) {
    let mut alice = Bench::hosting();
    let (bob, carol) = (alice.admits(BOB), alice.admits(CAROL));
    (alice, bob, carol)
}

#[test]
fn nobody_has_seen_more_than_there_is_of_a_journal_that_began_here() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    let epoch = alice.owner().epoch();
    let said = alice.hears(bob, has_seen(epoch, 1_000_000));
    assert_eq!(said.faults(), [ErrorCode::BadField]);
    assert!(said.hangs_up(bob));
    assert!(!said.keeps_anything() && !is_renewed(&said.events()));
    let told: Vec<_> = said.to(carol).into_iter().collect();
    assert!(
        matches!(told[..], [Message::Discovery(_)]),
        "that Bob has gone: {told:?}"
    );
    assert_eq!(alice.owner().epoch(), epoch);

    let (link, _) = alice.link();
    let greeting = Hello {
        epoch: Some(epoch),
        revision: Some(revision(1_000_000)),
        ..hello(BOB, room())
    };
    let (_, said) = alice.proves(link, BOB, greeting);
    assert!(said.hangs_up(link) && !is_renewed(&said.events()));
}

#[test]
fn nobody_can_make_up_what_the_owner_has_told() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    alice.hears(bob, numbered(1, call_me("Bob")));
    alice.restarts();
    let (bob, carol_again) = (alice.admits(BOB), alice.admits(CAROL));
    let epoch = alice.owner().epoch();
    for (link, number, mark) in [
        (bob, 7, HistoryMark::new(1, 2)),
        (carol_again, 1, HistoryMark::new(1, 2)),
    ] {
        let said = alice.hears(
            link,
            asks_from(Position {
                epoch,
                revision: revision(number),
                history: Some(mark),
            }),
        );
        assert_eq!(said.faults(), [ErrorCode::BadField]);
        assert!(said.hangs_up(link) && !is_renewed(&said.events()));
    }
    assert_eq!(alice.owner().epoch(), epoch);
    assert!(!alice.is_served(carol), "it was another life's");
}

#[test]
fn whoever_asks_for_the_poll_again_and_again_is_let_go() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    let everything = Message::SyncRequest(SyncRequest {
        poll_id: room().poll_id,
        known: None,
    })
    .encode();
    let asks = |alice: &mut Bench<Host>| alice.hears(bob, &everything);
    let answered = |said: &Outputs| matches!(said.to(bob)[..], [Message::PollState(_)]);
    for _ in 0..16 {
        assert!(answered(&asks(&mut alice)));
    }
    // One that comes from time to time is answered, however many there were.
    for _ in 0..9 {
        alice.waits(Duration::from_secs(1));
        assert!(answered(&asks(&mut alice)));
    }
    let said = asks(&mut alice);
    assert_eq!(said.refusal(bob), (None, ErrorCode::Busy));
    assert!(said.hangs_up(bob));
    assert!(alice.is_served(carol));
}

#[test]
fn what_is_owed_to_a_blocked_link_is_bounded_by_the_window() {
    let (mut alice, bob, _) = alice_bob_and_carol();
    let ack = alice.hears(bob, numbered(1, call_me("Bob"))).frames(bob);
    alice.tell(|host, now| host.handle_blocked(bob, &ack[0], now));
    // The first number again and again, for something else each time.
    let mut frames = 2..;
    let mut flood = || frame_of(1, command_id(frames.next().unwrap()), call_me("Rob"));
    for owed in 1..WINDOW {
        let said = alice.hears(bob, flood());
        assert!(!said.hangs_up(bob), "{owed} answers are owed");
    }
    assert!(alice.hears(bob, flood()).hangs_up(bob));
    assert_eq!(alice.hears(bob, flood()).0, []);
}

#[test]
fn a_link_that_is_writable_again_gets_the_poll_and_then_every_answer() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    let ack = alice.hears(bob, numbered(1, call_me("Bob"))).frames(bob);
    alice.tell(|host, now| host.handle_blocked(bob, &ack[0], now));
    // What others do, a vote, and a number that was used for something else.
    alice.hears(carol, numbered(1, call_me("Carol")));
    alice.hears(bob, numbered(2, vote(room().poll_id, option(1))));
    let reused = frame_of(1, command_id(99), call_me("Rob"));
    assert_eq!(
        alice.hears(bob, reused).frames(bob).len(),
        0,
        "it is blocked"
    );

    let (_, said) = alice.tell(|host, now| host.handle_writable(bob, now));
    let messages = said.to(bob);
    let [
        Message::PollState(poll),
        Message::Ack(first),
        Message::Ack(second),
        Message::Error(refusal),
    ] = &messages[..]
    else {
        panic!("{messages:?}");
    };
    assert_eq!(poll.revision, revision(3));
    assert_eq!(poll.poll.choices(BOB.peer()), [option(1)]);
    assert_eq!(
        [first.command_id, second.command_id],
        [1, 2].map(command_id)
    );
    assert_eq!(refusal.command_id, Some(command_id(99)));
    assert_eq!(refusal.rejection.code, ErrorCode::SeqReused);
}

#[test]
fn the_device_that_hosts_does_not_join() {
    let (mut alice, bob, _) = alice_bob_and_carol();
    let (link, _) = alice.link();
    let (_, said) = alice.proves(link, ALICE, hello(ALICE, room()));
    assert_eq!(said.refusal(link), (None, ErrorCode::HandshakeFailed));
    assert!(said.hangs_up(link));
    assert_eq!(said.to(bob), [], "nobody hears of it");
    // Another device of hers does.
    let (link, _) = alice.link();
    let elsewhere = Hello {
        device: DeviceId::from_bytes([9; 5]),
        ..hello(ALICE, room())
    };
    let (_, said) = alice.proves(link, ALICE, elsewhere);
    assert!(!said.hangs_up(link));
}

#[test]
fn the_end_of_time_is_survived() {
    let end = Moment::from_millis(u64::MAX);
    let (mut alice, bob, _) = alice_bob_and_carol();
    alice.now = end;
    let said = alice.serves_timers();
    assert_eq!(said.to(bob), [Message::Ping], "once");
    alice.serves_timers();
    assert!(alice.serves_timers().hangs_up(bob), "two went unanswered");

    let mut bob = Bench::joining(BOB);
    bob.drain();
    bob.now = end;
    let said = bob.serves_timers();
    let dials = said.0.iter();
    let dials = dials.filter(|output| matches!(output, Output::Dial { .. }));
    assert!(dials.count() <= 1, "{said:?}");
    assert!(matches!(
        bob.machine.poll_timeout(),
        Some((at, TimeoutReason::Dial | TimeoutReason::Retry)) if at == end
    ));
}

/// Commands that no poll would take.
fn too_long() -> [Command; 3] {
    let option_ids = (0..101).map(option).collect();
    [
        add_option(room().poll_id, option(9), &"x".repeat(201)),
        call_me(&"x".repeat(65)),
        Command::Vote(Vote {
            poll_id: room().poll_id,
            option_ids,
        }),
    ]
}

#[test]
fn what_is_too_long_is_refused_when_it_is_submitted() {
    let mut bob = Bench::joining(BOB);
    let link = bob.joins();
    let mut alice = Bench::hosting();
    for command in too_long() {
        let (submitted, said) = bob.tell(|bob, now| bob.submit(command.clone(), now));
        let is_too_long = |it: &SubmitError| matches!(it, SubmitError::Invalid(why) if why.code == ErrorCode::TooLong);
        assert!(submitted.is_err_and(|error| is_too_long(&error)));
        assert_eq!(said.0, []);
        let poll_id = room().poll_id;
        let (submitted, said) = alice.tell(|host, now| host.submit(poll_id, command, now));
        assert!(submitted.is_err_and(|error| is_too_long(&error)));
        assert_eq!(said.0, []);
    }
    let (submitted, said) = bob.tell(|bob, now| bob.submit(call_me("Bob"), now));
    submitted.unwrap();
    let sent = said.to(link);
    assert!(
        matches!(&sent[..], [Message::Command(it)] if it.seq == seq(1)),
        "{sent:?}"
    );
}

#[test]
fn what_an_earlier_build_took_is_sent_and_rejected() {
    let disk = MemoryStore::new();
    let mut batch = Batch::new();
    let outbox = Outbox::new(BOB.device(), room());
    for (number, command) in (1..).zip(too_long()) {
        outbox.put(&mut batch, seq(number), numbered(number, command));
    }
    ready(disk.commit(batch, Durability::Strict));
    let mut bob = Bench::starting(BOB, 0, queueing(), disk, Moment::START);
    assert_eq!(bob.machine.pending().len(), 3);
    let said = bob.drain();
    let (link, said) = bob.is_let_in(&said);
    let mut alice = Bench::hosting();
    let at_alice = alice.admits(BOB);
    let sent = said.frames(link).into_iter();
    for frame in sent.filter(|frame| {
        frame.starts_with(br#"{"type":"poll:"#) || frame.starts_with(br#"{"type":"user:"#)
    }) {
        for answer in alice.hears(at_alice, &frame).frames(at_alice) {
            assert!(
                matches!(decode(&answer), Message::Error(it) if it.rejection.code == ErrorCode::TooLong)
            );
            bob.hears(link, answer);
        }
    }
    assert!(bob.machine.pending().is_empty());
}

#[test]
fn a_cache_that_does_not_read_is_fetched_again() {
    let disk = MemoryStore::new();
    let mut batch = Batch::new();
    let cache = Cache::new(BOB.device(), room());
    cache.begin(&mut batch, Revision::ZERO, b"not a poll");
    ready(disk.commit(batch, Durability::Relaxed));
    let mut bob = Bench::starting(BOB, 0, Config::default(), disk.clone(), Moment::START);
    assert_eq!(bob.machine.confirmed(), None);
    bob.joins();
    let stored = cache.load(&disk).now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(stored.snapshot.1, state(1, 0, &poll()));
}

/// Each mending is needed: without it one of the tests here goes red.
#[cfg(feature = "planted")]
#[test]
fn without_the_mendings_these_fail() {
    use common::without;
    use hustings_protocol::planted::Fault;

    let cases: [(Fault, fn()); 8] = [
        (
            Fault::BelieveRevisions,
            nobody_has_seen_more_than_there_is_of_a_journal_that_began_here,
        ),
        (
            Fault::BelieveRevisions,
            nobody_can_make_up_what_the_owner_has_told,
        ),
        (
            Fault::OweWithoutBound,
            what_is_owed_to_a_blocked_link_is_bounded_by_the_window,
        ),
        (
            Fault::AnswersBeforePoll,
            a_link_that_is_writable_again_gets_the_poll_and_then_every_answer,
        ),
        (
            Fault::ViolationUnanswered,
            a_link_that_is_writable_again_gets_the_poll_and_then_every_answer,
        ),
        (Fault::OwnerJoins, the_device_that_hosts_does_not_join),
        (
            Fault::UncheckedSubmit,
            what_is_too_long_is_refused_when_it_is_submitted,
        ),
        (
            Fault::StoredCommandBlocks,
            what_an_earlier_build_took_is_sent_and_rejected,
        ),
    ];
    for (fault, test) in cases {
        without(fault, test);
    }
}
