//! Polls that are put aside: moved to another device, or archived.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::time::Duration;

use common::people::{BOB, CAROL, draft, revision};
use common::world::{Hosted, Joined, World, vote_in};
use hustings_outbox::Aside;
use hustings_protocol::{Outcome, PollId};
use hustings_room::Connection;
use hustings_room::driver::OpenError;

const MOVED: Aside = Aside::Moved {
    at: 1_795_651_200_000,
};
const ARCHIVED: Aside = Aside::Archived {
    at: 1_795_651_200_000,
};

fn applied(number: u64) -> Outcome {
    Outcome::Applied(revision(number))
}

fn alice_and_bob() -> (World, Hosted, Joined) {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    (world, alice, bob)
}

#[test]
fn a_poll_that_is_put_aside_is_closed_waits_and_comes_back_as_it_was() {
    for why in [MOVED, ARCHIVED] {
        let (mut world, alice, bob) = alice_and_bob();
        let lunch = world.wait_for(alice.hosting.create(draft())).unwrap();
        let carol = world.join(CAROL, lunch.id()).room;
        assert_eq!(world.get_done(&carol, vote_in(&carol, 1)), applied(1));
        let poll_id = lunch.id().poll_id;
        world
            .wait_for(alice.hosting.put_aside(&[poll_id], why))
            .unwrap();
        assert_eq!(lunch.connection(), Connection::Closed);
        let opened = world.wait_for(alice.hosting.open(poll_id));
        assert_eq!(opened.unwrap_err(), OpenError::PutAside(why));
        // Nobody is told that there is no such poll: it may come back.
        world.run_for(Duration::from_secs(60));
        let waits = carol.connection();
        assert!(
            matches!(
                waits,
                Connection::Connecting | Connection::Disconnected { .. }
            ),
            "{waits:?}"
        );
        assert!(carol.poll().is_some(), "the copy is there to be read");
        assert_eq!(world.get_done(&bob.room, vote_in(&bob.room, 0)), applied(1));

        // Another life of the process knows it, too.
        let tea = alice.room.id().poll_id;
        let disk = world.crash_owner(alice);
        let alice = world.host_again(&disk, tea);
        let opened = world.wait_for(alice.hosting.open(poll_id));
        assert_eq!(opened.unwrap_err(), OpenError::PutAside(why));
        let journals = world.wait_for(alice.hosting.journals()).unwrap();
        assert_eq!(journals.len(), 2);

        world.wait_for(alice.hosting.take_back(&[poll_id])).unwrap();
        world.wait_for(alice.hosting.open(poll_id)).unwrap();
        world.wait_for(carol.connected()).unwrap();
        assert_eq!(world.get_done(&carol, vote_in(&carol, 0)), applied(2));
    }
}

#[test]
fn all_polls_are_put_aside_or_none() {
    let (mut world, alice, bob) = alice_and_bob();
    let (poll_id, none) = (
        alice.room.id().poll_id,
        PollId::from_uuid(Default::default()),
    );
    let failed = world.wait_for(alice.hosting.put_aside(&[poll_id, none], MOVED));
    assert_eq!(failed, Err(OpenError::NoJournal(none)));
    assert_eq!(world.get_done(&bob.room, vote_in(&bob.room, 0)), applied(1));
}

#[test]
fn an_archived_poll_can_be_moved_and_a_moved_one_stays_moved() {
    let (mut world, alice, _bob) = alice_and_bob();
    let poll_id = alice.room.id().poll_id;
    for why in [ARCHIVED, MOVED, ARCHIVED] {
        world
            .wait_for(alice.hosting.put_aside(&[poll_id], why))
            .unwrap();
    }
    let opened = world.wait_for(alice.hosting.open(poll_id));
    assert_eq!(opened.unwrap_err(), OpenError::PutAside(MOVED));
}

/// An opening that was under way has read a journal that was not put aside yet.
#[test]
fn a_journal_that_was_read_before_the_poll_was_put_aside_opens_nothing() {
    let (mut world, alice, _bob) = alice_and_bob();
    let poll_id = alice.room.id().poll_id;
    let opening = world.opens_what_was(&alice);
    world
        .wait_for(alice.hosting.put_aside(&[poll_id], MOVED))
        .unwrap();
    alice.disk.catch_up();
    let opened = world.wait_for(opening);
    assert_eq!(opened.unwrap_err(), OpenError::PutAside(MOVED));
}
