//! Titles, labels and names on their way: as somebody typed them, as they arrive, and as they were
//! stored before there were rules for them.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

mod common;

use bytes::Bytes;
use common::bench::Bench;
use common::people::{BOB, CAROL, add_option, call_me, numbered, option, room};
use common::world::World;
use hustings_protocol::{Command, ErrorCode, Message, Outcome, Refusal, Rejection};
use hustings_room::driver::Room;
use hustings_room::{Host, LinkId, SubmitError};

fn label(text: &str) -> Command {
    add_option(room().poll_id, option(9), text)
}

fn alice_and_bob() -> (Bench<Host>, LinkId) {
    let mut alice = Bench::hosting();
    let bob = alice.admits(BOB);
    (alice, bob)
}

fn labels(room: &Room) -> Vec<String> {
    let poll = room.poll().unwrap();
    let options = poll.options().iter();
    options.map(|option| option.label.clone()).collect()
}

/// The answer of this side to a frame of Bob's.
fn answer(frame: Bytes) -> Rejection {
    let (mut alice, bob) = alice_and_bob();
    let said = alice.hears(bob, &frame);
    assert!(!said.hangs_up(bob));
    match &said.to(bob)[..] {
        [Message::Error(Refusal { rejection, .. })] => rejection.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_somebody_typed_arrives_in_its_normal_form() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    let poll_id = alice.id().poll_id;
    for (who, number, typed) in [
        (&bob, 8, " Cafe\u{301}\n"),
        (&alice, 9, "\u{feff}The\u{301}"),
    ] {
        let submitted = world.submit(who, add_option(poll_id, option(number), typed));
        assert!(
            matches!(world.outcome(submitted), Outcome::Applied(_)),
            "{typed:?}"
        );
    }
    world.get_done(&bob, call_me("Bo\u{308}b "));
    world.quiesce();
    for room in [&alice, &bob] {
        assert_eq!(labels(room)[3..], ["Café", "Thé"]);
        let poll = room.poll().unwrap();
        let bob = poll.member(BOB.peer()).unwrap();
        assert_eq!(bob.profile.as_ref().unwrap().name, "Böb");
    }
}

#[test]
fn what_is_no_text_is_refused_when_it_is_submitted() {
    let mut bob = Bench::joining(BOB);
    bob.joins();
    let mut alice = Bench::hosting();
    for command in [
        label("\u{3164}"),
        call_me("a\u{202e}b"),
        label(" \u{200b}"),
        call_me("a\nb"),
    ] {
        let is_bad_text = |it: &SubmitError| matches!(it, SubmitError::Invalid(why) if why.code == ErrorCode::BadText);
        let (submitted, said) = bob.tell(|bob, now| bob.submit(command.clone(), now));
        assert!(
            submitted.is_err_and(|error| is_bad_text(&error)),
            "{command:?}"
        );
        assert_eq!(said.0, []);
        let poll_id = room().poll_id;
        let (submitted, said) = alice.tell(|host, now| host.submit(poll_id, command, now));
        assert!(submitted.is_err_and(|error| is_bad_text(&error)));
        assert_eq!(said.0, []);
    }
}

#[test]
fn an_owner_rejects_what_another_client_did_not_check() {
    for text in [
        "Cafe\u{301}",
        "Tea ",
        "\u{3164}",
        "a\u{202e}b",
        "a\nb",
        "  ",
        "",
    ] {
        assert_eq!(
            answer(numbered(1, label(text))).code,
            ErrorCode::BadText,
            "{text:?}"
        );
        assert_eq!(
            answer(numbered(1, call_me(text))).code,
            ErrorCode::BadText,
            "{text:?}"
        );
    }
    assert_eq!(
        answer(numbered(1, label("tea"))).code,
        ErrorCode::LabelExists
    );
}

#[test]
fn of_two_who_add_the_same_at_once_the_second_is_told_so() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    let carol = world.join(CAROL, alice.id()).room;
    let poll_id = alice.id().poll_id;
    let first = world.submit(&bob, add_option(poll_id, option(8), "Sushi"));
    let second = world.submit(&carol, add_option(poll_id, option(9), "ＳＵＳＨＩ"));
    let outcomes = [world.outcome(first), world.outcome(second)];
    let rejected: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Rejected(why) => Some(why),
            Outcome::Applied(_) => None,
        })
        .collect();
    let [why] = &rejected[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(why.code, ErrorCode::LabelExists);
    assert!(why.message.contains(&labels(&alice)[3]), "{}", why.message);
    world.quiesce();
    for room in [&alice, &bob, &carol] {
        assert_eq!(labels(room), labels(&alice));
        assert_eq!(labels(room).len(), 4);
        assert!(room.pending().is_empty());
    }
}

/// Stored by an owner that had no rules for texts: they open, and all who have them agree.
#[cfg(feature = "planted")]
#[test]
fn what_was_stored_before_the_rules_still_opens() {
    use hustings_protocol::planted::{Fault, with};

    for (fault, bad) in [
        (Fault::InvisibleText, "\u{202e}\u{3164}"),
        (Fault::SameLabels, "TEA"),
    ] {
        let (mut world, alice, bob) = with(Some(fault), || {
            let mut world = World::new();
            let alice = world.host();
            let bob = world.join(BOB, alice.room.id());
            let poll_id = alice.room.id().poll_id;
            let outcome = world.get_done(&bob.room, add_option(poll_id, option(9), bad));
            assert!(
                matches!(outcome, Outcome::Applied(_)),
                "{fault:?}: {outcome:?}"
            );
            (world, alice, bob)
        });
        let link = alice.room.id();
        let (alices, bobs) = (world.crash_owner(alice), world.crash_participant(bob));

        let alice = world.host_again(&alices, link.poll_id);
        let bob = world.enter(BOB, &bobs, link);
        let carol = world.join(CAROL, link).room;
        world.wait_for(bob.room.connected()).unwrap();
        let outcome = world.get_done(&carol, add_option(link.poll_id, option(10), "Milk"));
        assert!(matches!(outcome, Outcome::Applied(_)));
        world.quiesce();
        for room in [&alice.room, &bob.room, &carol] {
            assert_eq!(labels(room)[3..], [bad, "Milk"]);
        }
        // What is new is held to the rules.
        let again = world.get_done(&carol, add_option(link.poll_id, option(11), "milk"));
        assert!(matches!(again, Outcome::Rejected(why) if why.code == ErrorCode::LabelExists));
    }
}
