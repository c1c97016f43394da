//! Stores that an earlier version has written. Each file in `stored/` is a whole store, a record a
//! line: key and value as hexadecimal digits. None of them is ever written again; a version that
//! changes the format adds its own.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use bytes::Bytes;
use common::disk::Disk;
use common::people::{BOB, option};
use common::world::World;
use futures::FutureExt;
use hustings_outbox::{Batch, Durability, Identity, Store};
use hustings_protocol::{Ballots, Command, OptionId, Revision, RoomId};

const OWNER: &str = include_str!("stored/owner-0.1.hex");
const PARTICIPANT: &str = include_str!("stored/participant-0.1.hex");

const ROOM: &str =
    "rkeohxlubhyzl7ks3mwtzos5olfgocn7dwkbeg7toseadnapn5oa/aaf8f5cf-1ead-4d4e-9035-6687abaf2a21";

/// The option that the pending vote is for.
const FIRST: &str = "0b1c7868-b745-495c-bd25-f034940b2c51";

fn disk(records: &str) -> Disk {
    let mut batch = Batch::new();
    for record in records.lines() {
        let (key, value) = record.split_once(' ').unwrap();
        batch.put(bytes(key), bytes(value));
    }
    let disk = Disk::default();
    let written = disk.commit(batch, Durability::Strict).now_or_never();
    written.unwrap().unwrap();
    disk
}

fn bytes(digits: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn votes(poll: &hustings_protocol::Poll) -> Vec<u64> {
    assert_eq!(poll.ballots(), Ballots::Open);
    let tally = poll.tally().expect("an old poll is open");
    tally.options.iter().map(|option| option.votes).collect()
}

#[test]
fn an_owner_and_a_participant_go_on_from_version_0_1() {
    let room: RoomId = ROOM.parse().unwrap();
    let first: OptionId = FIRST.parse().unwrap();
    let (owners, bobs) = (disk(OWNER), disk(PARTICIPANT));
    let mut world = World::new();

    // What the participant has is there while the owner is away.
    let bob = world.enter(BOB, &bobs, room);
    assert_eq!(bob.room.revision(), Revision::new(6));
    assert_eq!(votes(&bob.room.confirmed().unwrap()), [0, 2, 0, 0]);
    let pending: Vec<_> = bob
        .room
        .pending()
        .into_iter()
        .map(|it| it.command)
        .collect();
    let [Command::Vote(vote), Command::AddOption(water)] = &pending[..] else {
        panic!("{pending:?}");
    };
    assert_eq!(vote.option_ids, [first]);
    assert_eq!(water.option_id, option(8));

    // The owner goes on, knows what it has answered, and gets what waited, once. The poll has a
    // "Water" already, which was no reason in that version, and is one now.
    let alice = world.host_again(&owners, room.poll_id);
    world.wait_for(bob.room.connected()).unwrap();
    world.quiesce();
    assert!(bob.room.pending().is_empty());
    for room in [&alice.room, &bob.room] {
        assert_eq!(room.revision(), Revision::new(7));
        assert_eq!(votes(&room.poll().unwrap()), [1, 1, 0, 0]);
    }
}

#[test]
fn an_identity_of_version_0_1_is_the_same_person() {
    for (records, who) in [
        (
            OWNER,
            "eexhme2uqtocaezpynisrb3qjocjutsjd5hnm4hhsp44xs3ajuea",
        ),
        (
            PARTICIPANT,
            "mtlmhxlh2faatkoswxf3t6blqrulolee3g45zl2lo7xh2kh2xqbq",
        ),
    ] {
        let identity = Identity::load_or_create(&*disk(records), 0).now_or_never();
        let identity = identity.unwrap().unwrap();
        assert_eq!(identity.peer_id().to_string(), who);
    }
}
