//! Disks that are put back to what they were: an owner's journal, a participant's outbox.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use common::bench::{Bench, Outputs, Pair, copy, ready};
use common::people::{BOB, CAROL, call_me, option, queueing, revision, room, seq, vote};
use hustings_outbox::{Batch, Durability, Outbox, Store};
use hustings_protocol::{
    Challenge, Command, ErrorCode, Hello, Message, Refusal, Rejection, Revision, WINDOW,
};
use hustings_room::{CommandState, Event, Host, Moment, Participant};

/// Somebody who queues what they submit while the owner is away.
fn bob() -> Bench<Participant> {
    Bench::joining_with(BOB, 0, queueing())
}

fn for_option(number: u128) -> Command {
    vote(room().poll_id, option(number))
}

fn joins(alice: &mut Bench<Host>, bob: &mut Bench<Participant>) -> Pair {
    let said = bob.drain();
    let (pair, ..) = Pair::connect(alice, bob, &said);
    assert!(bob.is_connected());
    pair
}

/// Bob submits something, and hears the answer.
fn submits(
    alice: &mut Bench<Host>,
    bob: &mut Bench<Participant>,
    pair: Pair,
    command: Command,
) -> Outputs {
    let (submitted, said) = bob.tell(|bob, now| bob.submit(command, now));
    submitted.unwrap();
    pair.deliver(alice, bob, said).1
}

fn applied(number: u64) -> CommandState {
    CommandState::Applied(revision(number))
}

fn rolled_back(said: &Outputs) -> Option<(Revision, Revision)> {
    let mut events = said.events().into_iter();
    events.find_map(|event| match event {
        Event::JournalRolledBack { have, seen } => Some((have, seen)),
        _ => None,
    })
}

fn replaced(said: &Outputs) -> Option<(Revision, Revision)> {
    let mut events = said.events().into_iter();
    events.find_map(|event| match event {
        Event::HistoryReplaced { had, has } => Some((had, has)),
        _ => None,
    })
}

/// Both have the same poll, and nothing is on its way.
fn are_one(alice: &Bench<Host>, bob: &Bench<Participant>) {
    assert_eq!(bob.machine.confirmed(), Some(alice.owner().poll()));
    assert_eq!(bob.machine.revision(), Some(alice.owner().revision()));
    assert!(bob.machine.pending().is_empty());
}

#[test]
fn an_owner_that_lost_what_it_had_acknowledged_is_offered_it_again() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let pair = joins(&mut alice, &mut bob);
    submits(&mut alice, &mut bob, pair, call_me("Bob"));
    let old = copy(&alice.disk);
    submits(&mut alice, &mut bob, pair, for_option(1));
    submits(&mut alice, &mut bob, pair, for_option(2));

    alice.disk = old;
    alice.restarts();
    let said = pair.breaks(&mut alice, &mut bob);
    let (_, at_alice, at_bob) = Pair::connect(&mut alice, &mut bob, &said);
    assert_eq!(rolled_back(&at_alice), Some((revision(1), revision(3))));
    assert_eq!(replaced(&at_bob), Some((revision(3), revision(1))));
    assert_eq!(at_bob.outcomes(), [applied(2), applied(3)]);
    assert_eq!(alice.owner().poll().choices(BOB.peer()), [option(2)]);
    are_one(&alice, &bob);
}

#[test]
fn a_participant_that_starts_anew_offers_it_again_too() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let pair = joins(&mut alice, &mut bob);
    submits(&mut alice, &mut bob, pair, call_me("Bob"));
    let old = copy(&alice.disk);
    submits(&mut alice, &mut bob, pair, for_option(1));
    submits(&mut alice, &mut bob, pair, for_option(99));
    submits(&mut alice, &mut bob, pair, for_option(2));

    for life in 0..3 {
        // Also what was offered again is remembered, once, under the number that it has then.
        alice.disk = copy(&old);
        alice.restarts();
        let disk = copy(&bob.disk);
        bob = again(&bob, disk);
        let said = bob.drain();
        let (_, at_alice, at_bob) = Pair::connect(&mut alice, &mut bob, &said);
        assert_eq!(rolled_back(&at_alice), Some((revision(1), revision(3))));
        assert_eq!(at_bob.outcomes(), [applied(2), applied(3)], "life {life}");
        assert_eq!(alice.owner().poll().choices(BOB.peer()), [option(2)]);
        are_one(&alice, &bob);
    }
}

#[test]
fn an_old_copy_that_has_caught_up_with_other_content_is_noticed() {
    let (mut alice, mut bob, mut carol) = (Bench::hosting(), bob(), Bench::joining(CAROL));
    let old = copy(&alice.disk);
    let pair = joins(&mut alice, &mut bob);
    submits(&mut alice, &mut bob, pair, for_option(1));

    alice.disk = old;
    alice.restarts();
    let with_carol = joins(&mut alice, &mut carol);
    submits(&mut alice, &mut carol, with_carol, for_option(2));
    assert_eq!(bob.machine.revision(), Some(alice.owner().revision()));

    let said = pair.breaks(&mut alice, &mut bob);
    let (_, at_alice, at_bob) = Pair::connect(&mut alice, &mut bob, &said);
    assert_eq!(rolled_back(&at_alice), Some((revision(1), revision(1))));
    assert_eq!(replaced(&at_bob), Some((revision(1), revision(1))));
    assert_eq!(at_bob.outcomes(), [applied(2)]);
    are_one(&alice, &bob);
    assert_eq!(alice.owner().poll().choices(BOB.peer()), [option(1)]);
    assert_eq!(alice.owner().poll().choices(CAROL.peer()), [option(2)]);
}

#[test]
fn what_was_told_in_one_life_holds_in_the_next() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let mut pair = joins(&mut alice, &mut bob);
    submits(&mut alice, &mut bob, pair, for_option(1));
    for _ in 0..3 {
        alice.restarts();
        let said = pair.breaks(&mut alice, &mut bob);
        let (next, at_alice, at_bob) = Pair::connect(&mut alice, &mut bob, &said);
        pair = next;
        assert_eq!((rolled_back(&at_alice), replaced(&at_bob)), (None, None));
        are_one(&alice, &bob);
    }
}

/// Bob starts again from this disk.
fn again(bob: &Bench<Participant>, disk: hustings_outbox::MemoryStore) -> Bench<Participant> {
    drop(bob.machine.pending());
    Bench::starting(BOB, 9, queueing(), disk, Moment::START)
}

#[test]
fn an_outbox_that_is_an_old_copy_goes_on_after_the_last_number() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let pair = joins(&mut alice, &mut bob);
    let old = copy(&bob.disk);
    for _ in 0..150 {
        let said = submits(&mut alice, &mut bob, pair, for_option(1));
        assert_eq!(said.outcomes().len(), 1);
    }
    alice.loses(pair.at_owner, hustings_room::DownReason::Unreachable);
    let mut bob = again(&bob, old);
    // Before it hears of its numbers, and after.
    let (early, _) = bob.tell(|bob, now| bob.submit(for_option(2), now));
    early.unwrap();
    let said = bob.drain();
    assert_eq!(said.0, []);
    let mut bob = again(&bob, copy(&bob.disk));
    let (_, second) = bob.tell(|bob, now| bob.submit(call_me("Bob"), now));
    let (pair, _, at_bob) = Pair::connect(&mut alice, &mut bob, &second);
    // Stored in an earlier start under a number that the owner has forgotten: it may have been
    // answered.
    assert_eq!(
        at_bob.outcomes(),
        [CommandState::OutcomeUnknown, applied(151)]
    );
    let said = submits(&mut alice, &mut bob, pair, for_option(1));
    assert_eq!(said.outcomes(), [applied(152)]);
    are_one(&alice, &bob);
    let confirmed = bob.machine.confirmed().unwrap();
    let profile = confirmed.member(BOB.peer()).unwrap().profile.as_ref();
    assert_eq!(profile.unwrap().name, "Bob");
}

#[test]
fn what_was_answered_after_the_copy_was_made_is_told_as_it_was() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let (_, said) = bob.tell(|bob, now| bob.submit(for_option(1), now));
    let old = copy(&bob.disk);
    let (pair, ..) = Pair::connect(&mut alice, &mut bob, &said);
    submits(&mut alice, &mut bob, pair, for_option(2));
    alice.loses(pair.at_owner, hustings_room::DownReason::Unreachable);

    let mut bob = again(&bob, old);
    // Its numbers are those of the two that went before, in another life.
    let (_, mut said) = bob.tell(|bob, now| bob.submit(call_me("Bob"), now));
    said.0
        .append(&mut bob.tell(|bob, now| bob.submit(for_option(2), now)).1.0);
    let (_, _, at_bob) = Pair::connect(&mut alice, &mut bob, &said);
    let states = at_bob.outcomes();
    assert_eq!(states, [applied(1), applied(3), applied(4)]);
    are_one(&alice, &bob);
    assert_eq!(alice.owner().poll().choices(BOB.peer()), [option(2)]);
}

#[test]
fn a_number_that_is_missing_in_the_outbox_keeps_nobody_waiting() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    for number in 1..=4 {
        let (submitted, _) = bob.tell(|bob, now| bob.submit(for_option(number % 2 + 1), now));
        submitted.unwrap();
    }
    let mut batch = Batch::new();
    Outbox::new(BOB.device(), room()).remove(&mut batch, seq(3));
    ready(bob.disk.commit(batch, Durability::Strict));
    let mut bob = again(&bob, copy(&bob.disk));
    let said = bob.drain();
    let (pair, _, at_bob) = Pair::connect(&mut alice, &mut bob, &said);
    assert_eq!(at_bob.outcomes(), [applied(1), applied(2), applied(3)]);
    let said = submits(&mut alice, &mut bob, pair, call_me("Bob"));
    assert_eq!(said.outcomes(), [applied(4)]);
    are_one(&alice, &bob);
    // And its disk is whole again.
    again(&bob, copy(&bob.disk));
}

#[test]
fn an_owner_that_lost_much_is_offered_the_window() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let old = copy(&alice.disk);
    let pair = joins(&mut alice, &mut bob);
    for _ in 0..WINDOW + 10 {
        submits(&mut alice, &mut bob, pair, for_option(1));
    }
    alice.disk = old;
    alice.restarts();
    let said = pair.breaks(&mut alice, &mut bob);
    let (pair, _, at_bob) = Pair::connect(&mut alice, &mut bob, &said);
    assert_eq!(at_bob.outcomes().len() as u64, WINDOW);
    let said = submits(&mut alice, &mut bob, pair, for_option(2));
    assert_eq!(said.outcomes(), [applied(WINDOW + 1)]);
    are_one(&alice, &bob);
}

#[test]
fn the_greeting_repeats_what_the_owner_has_told() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let pair = joins(&mut alice, &mut bob);
    submits(&mut alice, &mut bob, pair, for_option(1));
    // From the memory, and from the disk.
    for bob in [&mut again(&bob, copy(&bob.disk)), &mut bob] {
        let said = match bob.machine.connection() {
            hustings_room::Connection::Connected => pair.breaks(&mut alice, bob),
            _ => bob.drain(),
        };
        let (_, hello) = bob.is_answered(&said);
        let Hello {
            epoch,
            revision: known,
            history,
            ..
        } = hello;
        assert_eq!(
            (epoch, known),
            (Some(alice.owner().epoch()), Some(revision(1)))
        );
        assert!(history.is_some());
        assert!(matches!(Message::Hello(hello).encode().len(), 1..=1_024));
    }
}

#[test]
fn what_is_offered_again_is_stored_again_under_its_new_number() {
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let old = copy(&alice.disk);
    let pair = joins(&mut alice, &mut bob);
    // The second is rejected, so its number is not needed again.
    for command in [call_me("Bob"), for_option(404), for_option(1)] {
        submits(&mut alice, &mut bob, pair, command);
    }
    alice.disk = old;
    let said = pair.breaks(&mut alice, &mut bob);
    let (submitted, _) = bob.tell(|bob, now| bob.submit(for_option(2), now));
    submitted.unwrap();
    let (link, hello) = bob.is_answered(&said);
    let challenge = bob.challenge(&hello);
    bob.hears(link, challenge.encode());
    let offered = [
        (seq(1), call_me("Bob")),
        (seq(2), for_option(1)),
        (seq(3), for_option(2)),
    ];
    let pending = |bob: &Bench<Participant>| {
        let pending = bob.machine.pending().into_iter();
        pending.map(|it| (it.seq, it.command)).collect::<Vec<_>>()
    };
    assert_eq!(pending(&bob), offered);
    // Bob crashes before there is an answer.
    let bob = again(&bob, copy(&bob.disk));
    assert_eq!(pending(&bob), offered);
}

#[test]
fn what_is_numbered_anew_is_stored_with_all_that_is_behind_it() {
    let meets = |bob: &mut Bench<Participant>, said: &Outputs, last_seq| {
        let (link, hello) = bob.is_answered(said);
        let Message::Challenge(challenge) = bob.challenge(&hello) else {
            unreachable!("it is one");
        };
        let challenge = Challenge {
            last_seq,
            time: None,
            ..challenge
        };
        bob.hears(link, Message::Challenge(challenge).encode());
        link
    };
    let after_a_crash = |bob: &Bench<Participant>| {
        let pending = again(bob, copy(&bob.disk)).machine.pending();
        let pending = pending.into_iter().map(|it| (it.seq, it.command));
        pending.collect::<Vec<_>>()
    };
    // The outbox is an old copy: the owner has five of this device, and the first was another.
    let mut old = bob();
    let (submitted, _) = old.tell(|bob, now| bob.submit(for_option(1), now));
    let command_id = submitted.unwrap();
    let mut old = again(&old, copy(&old.disk));
    let said = old.drain();
    let link = meets(&mut old, &said, Some(seq(5)));
    let reused = Message::Error(Refusal {
        command_id: Some(command_id),
        rejection: Rejection::new(ErrorCode::SeqReused, "it was another"),
    });
    old.hears(link, reused.encode());
    assert_eq!(after_a_crash(&old), [(seq(6), for_option(1))]);

    // The owner is one: the first goes back into the store, before the one that is there.
    let (mut alice, mut bob) = (Bench::hosting(), bob());
    let pair = joins(&mut alice, &mut bob);
    submits(&mut alice, &mut bob, pair, for_option(1));
    let said = pair.breaks(&mut alice, &mut bob);
    let (submitted, _) = bob.tell(|bob, now| bob.submit(for_option(2), now));
    submitted.unwrap();
    meets(&mut bob, &said, None);
    let both = [(seq(1), for_option(1)), (seq(2), for_option(2))];
    assert_eq!(after_a_crash(&bob), both);
}

/// Each mending is needed: without it one of the tests here goes red.
#[cfg(feature = "planted")]
#[test]
fn without_the_mendings_these_fail() {
    use common::without;
    use hustings_protocol::planted::Fault;

    without(
        Fault::NoHistoryDigest,
        an_old_copy_that_has_caught_up_with_other_content_is_noticed,
    );
    without(
        Fault::NumbersFromOldOutbox,
        an_outbox_that_is_an_old_copy_goes_on_after_the_last_number,
    );
    without(
        Fault::HoleInOutbox,
        a_number_that_is_missing_in_the_outbox_keeps_nobody_waiting,
    );
}
