//! The mission's demands on the networking layer, as far as they need no browser.

mod common;

use std::time::Duration;

use common::people::{
    ALICE, BOB, CAROL, add_option, call_me, close_poll, command_id, make, numbered, option,
    revision, vote,
};
use common::world::{LATENCY, Puppet, World, choice_of, connections, option_of, vote_in};
use futures::StreamExt;
use hustings_protocol::{ErrorCode, Kind, Message, Outcome, Role};
use hustings_room::driver::{CallError, Room};
use hustings_room::{CommandState, Connection, SubmitError};

#[test]
fn what_one_does_everybody_sees() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    let carol = world.join(CAROL, alice.id()).room;
    let poll_id = alice.id().poll_id;

    let everybody_sees = |seen: &dyn Fn(&Room) -> bool| {
        for room in [&alice, &bob, &carol] {
            assert!(seen(room), "{} does not see it", room.peer());
        }
        assert_eq!(alice.poll(), bob.poll());
        assert_eq!(alice.poll(), carol.poll());
        assert_eq!(bob.confirmed(), bob.poll(), "nothing is pending");
    };

    let juice = add_option(poll_id, option(9), "Juice");
    assert_eq!(world.get_done(&carol, juice), Outcome::Applied(revision(1)));
    everybody_sees(&|room| option_of(room, 3) == option(9));

    let outcome = world.get_done(&bob, vote(poll_id, option(9)));
    assert_eq!(outcome, Outcome::Applied(revision(2)));
    everybody_sees(&|room| choice_of(room, BOB) == [option(9)]);

    world.get_done(&bob, call_me("Bob"));
    everybody_sees(&|room| {
        let poll = room.poll().unwrap();
        poll.member(BOB.peer())
            .is_some_and(|bob| bob.profile.as_ref().is_some_and(|it| it.name == "Bob"))
    });

    world.get_done(&alice, make(poll_id, CAROL, Role::Moderator));
    everybody_sees(&|room| room.poll().unwrap().role(CAROL.peer()) == Role::Moderator);
    world.get_done(&carol, make(poll_id, BOB, Role::Viewer));
    everybody_sees(&|room| room.poll().unwrap().role(BOB.peer()) == Role::Viewer);

    let outcome = world.get_done(&alice, close_poll(poll_id));
    assert_eq!(outcome, Outcome::Applied(revision(6)));
    everybody_sees(&|room| room.poll().unwrap().is_closed());

    // What the poll refuses changes nothing for anybody, and its author is told why.
    let refused = world.get_done(&carol, vote(poll_id, option(9)));
    assert!(matches!(refused, Outcome::Rejected(why) if why.code == ErrorCode::PollClosed));
    for room in [&alice, &bob, &carol] {
        assert_eq!(room.revision(), Some(revision(6)));
        assert!(room.pending().is_empty());
    }
}

#[test]
fn everybody_knows_who_is_here() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id());
    let carol = world.join(CAROL, alice.id());
    let here = |room: &Room| {
        let mut here: Vec<_> = room.peers().iter().map(|peer| peer.peer_id).collect();
        here.sort();
        here
    };
    let mut all = [ALICE, BOB, CAROL].map(|person| person.peer());
    all.sort();
    for room in [&alice, &bob.room, &carol.room] {
        assert_eq!(here(room), all);
    }

    world.wait_for(carol.room.close());
    world.quiesce();
    for room in [&alice, &bob.room] {
        assert!(!here(room).contains(&CAROL.peer()));
    }
}

#[test]
fn after_a_disconnect_a_participant_waits_dials_and_is_back() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    assert_eq!(bob.connection(), Connection::Connected);

    let mut events = bob.events();
    let cut_at = world.now();
    world.cut(BOB);
    world.quiesce();

    let seen = connections(&mut events);
    let [
        Connection::Disconnected { retry_at, .. },
        Connection::Connecting,
        Connection::Connected,
    ] = &seen[..]
    else {
        panic!("{seen:?}");
    };
    let wait = *retry_at - cut_at;
    assert!(
        wait <= Duration::from_millis(500),
        "the first retry is soon"
    );

    // It is as good as before.
    let outcome = world.get_done(&bob, vote_in(&bob, 0));
    assert_eq!(outcome, Outcome::Applied(revision(1)));
}

#[test]
fn what_was_missed_meanwhile_is_caught_up() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    // A poll of some size: one that is smaller than what was missed is sent as a whole.
    for number in 10..20 {
        let label = format!("{number}: {}", "Juice! ".repeat(20));
        let juice = add_option(alice.id().poll_id, option(number), &label);
        world.get_done(&alice, juice);
    }
    let carol = world.join(CAROL, alice.id()).room;

    world.net.isolate(&BOB.as_participant(), true);
    world.get_done(&carol, vote_in(&carol, 1));
    world.get_done(&alice, vote_in(&alice, 2));
    assert_eq!(bob.revision(), Some(revision(10)));

    world.wire.clear();
    world.net.isolate(&BOB.as_participant(), false);
    world.quiesce();
    assert_eq!(bob.revision(), Some(revision(12)));
    assert_eq!(bob.poll(), alice.poll());
    // Just the two updates, and not the poll over again.
    let sent = world.wire.from(ALICE.as_owner());
    let kinds: Vec<Kind> = sent.iter().map(|sent| sent.kind()).collect();
    assert!(!kinds.contains(&Kind::PollState), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|it| it.is_command()).count(), 2);
}

/// Also: what was sent is not believed to have arrived.
#[test]
fn a_command_whose_ack_was_lost_is_sent_again_and_applied_once() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    let carol = world.join(CAROL, alice.id()).room;

    let submitted = world.submit(&bob, vote_in(&bob, 0));
    let command = submitted.command_id();
    // The vote is there and the ack is under way.
    world.run_for(LATENCY + LATENCY / 2);
    assert_eq!(alice.revision(), Some(revision(1)));
    assert_eq!(bob.pending()[0].state, CommandState::Sent);
    world.cut(BOB);
    world.act();
    assert_eq!(bob.pending()[0].state, CommandState::Persisted);

    let outcome = world.outcome(submitted);
    world.quiesce();
    assert_eq!(outcome, Outcome::Applied(revision(1)));
    assert_eq!(world.wire.times_sent(BOB.as_participant(), command), 2);
    for room in [&alice, &bob, &carol] {
        assert_eq!(room.revision(), Some(revision(1)), "one effect");
        assert_eq!(room.poll().unwrap().voters(), 1);
    }
    assert!(bob.pending().is_empty());
}

#[test]
fn commands_that_never_arrived_are_sent_again_in_their_order() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    let submitted = [0, 1, 2].map(|choice| world.submit(&bob, vote_in(&bob, choice)));
    world.run_for(LATENCY / 2);
    world.cut(BOB);

    let outcomes = submitted.map(|it| world.outcome(it));
    assert_eq!(
        outcomes,
        [1, 2, 3].map(|number| Outcome::Applied(revision(number)))
    );
    assert_eq!(choice_of(&alice, BOB), [option_of(&alice, 2)]);
}

#[test]
fn the_same_command_twice_is_one_revision_and_the_same_answer() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let mut bob = Puppet::new(&world, BOB);
    world.wait_for(bob.join(room));

    let good = numbered(1, vote(room.poll_id, option_of(&alice.room, 0)));
    let bad = numbered(2, vote(room.poll_id, option(404)));
    let mut ask = |world: &mut World, frame: &bytes::Bytes| {
        bob.say(frame.clone());
        world.wait_for(bob.answer())
    };
    let first = [ask(&mut world, &good), ask(&mut world, &bad)];
    let again = [ask(&mut world, &good), ask(&mut world, &bad)];
    assert_eq!(first, again, "byte for byte");
    assert!(matches!(
        common::people::decode(&first[0]),
        Message::Ack(ack) if ack.command_id == command_id(1) && ack.revision == revision(1)
    ));
    assert!(matches!(
        common::people::decode(&first[1]),
        Message::Error(why) if why.command_id == Some(command_id(2))
            && why.rejection.code == ErrorCode::UnknownOption
    ));
    assert_eq!(alice.room.revision(), Some(revision(1)));

    // Nor does the owner forget when it is started again.
    let disk = world.crash_owner(alice);
    disk.crash();
    let alice = world.host_again(&disk, room.poll_id);
    world.wait_for(bob.join(room));
    let mut ask = |frame: &bytes::Bytes| {
        bob.say(frame.clone());
        world.wait_for(bob.answer())
    };
    assert_eq!([ask(&good), ask(&bad)], first);
    assert_eq!(alice.room.revision(), Some(revision(1)));
    assert_eq!(alice.room.poll().unwrap().voters(), 1);
}

#[test]
fn while_the_owner_is_away_the_poll_is_readable_and_commands_are_refused() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let bob = world.join(BOB, room);
    world.get_done(&bob.room, vote_in(&bob.room, 1));
    let last_seen = alice.room.poll();

    let owners_disk = world.crash_owner(alice);
    let mut events = bob.room.events();
    let away = async {
        while !matches!(bob.room.connection(), Connection::Disconnected { .. }) {
            events.next().await;
        }
    };
    world.wait_for(away);
    assert_eq!(bob.room.poll(), last_seen);
    let refused = world.try_submit(&bob.room, vote_in(&bob.room, 0));
    assert_eq!(
        refused.unwrap_err(),
        CallError::Submit(SubmitError::OwnerOffline)
    );
    assert!(bob.room.pending().is_empty(), "nothing was queued");

    // Started anew, with nobody there, it still knows the poll.
    let disk = world.crash_participant(bob);
    let bob = world.enter(BOB, &disk, room);
    assert_eq!(bob.room.poll(), last_seen, "before anything was dialled");
    world.run_for(Duration::from_secs(60));
    assert!(!matches!(bob.room.connection(), Connection::Connected));
    assert_eq!(bob.room.poll(), last_seen);
    assert_eq!(bob.room.revision(), Some(revision(1)));
    let refused = world.try_submit(&bob.room, vote_in(&bob.room, 0));
    assert_eq!(
        refused.unwrap_err(),
        CallError::Submit(SubmitError::OwnerOffline)
    );

    // And when the owner is back, so is everything.
    let _alice = world.host_again(&owners_disk, room.poll_id);
    let back_at = world.now();
    world.wait_for(bob.room.connected()).unwrap();
    assert!(world.now() - back_at <= Duration::from_secs(31));
    let outcome = world.get_done(&bob.room, vote_in(&bob.room, 0));
    assert_eq!(outcome, Outcome::Applied(revision(2)));
}

#[test]
fn a_participant_that_has_never_seen_the_poll_has_nothing_to_show() {
    let mut world = World::new();
    let bob = world
        .enter(BOB, &Default::default(), common::people::room())
        .room;
    world.run_for(Duration::from_secs(120));
    assert_eq!(bob.poll(), None);
    assert_eq!(bob.revision(), None);
    assert!(bob.peers().is_empty());
    let refused = world.try_submit(&bob, call_me("Bob"));
    assert_eq!(
        refused.unwrap_err(),
        CallError::Submit(SubmitError::OwnerOffline)
    );
}
