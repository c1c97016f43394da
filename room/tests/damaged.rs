//! Damaged records cost what they are records of, and nothing else.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use bytes::Bytes;
use common::disk::Disk;
use common::people::{BOB, draft};
use common::world::{World, vote_in};
use futures::FutureExt;
use hustings_outbox::{Batch, Durability, Store, StoreError};
use hustings_protocol::Revision;
use hustings_room::Config;
use hustings_room::driver::OpenError;

const OUTBOX: u8 = 0x10;
const JOURNAL: u8 = 0x21;
const CACHE: u8 = 0x30;

/// One bit of the last record with this tag is another.
fn damage(disk: &Disk, tag: u8) {
    let range = Bytes::copy_from_slice(&[tag])..Bytes::copy_from_slice(&[tag + 1]);
    let mut records = disk.scan(range).now_or_never().unwrap().unwrap();
    let (key, value) = records.pop().unwrap();
    let mut value = value.to_vec();
    *value.last_mut().unwrap() ^= 1;
    let mut batch = Batch::new();
    batch.put(key, value);
    let committed = disk.commit(batch, Durability::Strict).now_or_never();
    committed.unwrap().unwrap();
}

#[test]
fn a_damaged_cache_is_fetched_again_and_what_is_pending_stays() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let bob = world.join(BOB, room);
    world.get_done(&bob.room, vote_in(&bob.room, 0));
    world.submit(&bob.room, vote_in(&bob.room, 1));
    let disk = world.crash_participant(bob);
    damage(&disk, CACHE);

    #[cfg(feature = "planted")]
    {
        use hustings_protocol::planted::{self, Fault};
        let blocked = planted::with(Some(Fault::UnreadableCacheBlocks), || {
            world.try_enter(BOB, &disk, room, Config::default())
        });
        let error = blocked.map(drop).unwrap_err().to_string();
        assert!(error.contains("cache of"), "{error}");
    }

    let bob = world.enter(BOB, &disk, room);
    assert_eq!(bob.room.revision(), None, "there is no copy");
    assert_eq!(bob.room.pending().len(), 1);
    world.wait_for(bob.room.connected()).unwrap();
    world.quiesce();
    assert_eq!(bob.room.revision(), Revision::new(2));
    assert_eq!(bob.room.poll(), alice.room.poll());

    // And the new copy is stored.
    let disk = world.crash_participant(bob);
    let bob = world.enter(BOB, &disk, room);
    assert_eq!(bob.room.poll(), alice.room.poll());
}

#[test]
fn a_damaged_outbox_is_an_error_that_names_it() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let bob = world.join(BOB, room);
    world.get_done(&bob.room, vote_in(&bob.room, 0));
    let disk = world.crash_participant(bob);
    damage(&disk, OUTBOX);
    let entered = world.try_enter(BOB, &disk, room, Config::default());
    let Err(OpenError::Store(StoreError::Corrupt { record, .. })) = entered.map(drop) else {
        panic!("a number that was used may be used again");
    };
    let name = format!("outbox of device {} for {room}", BOB.device());
    assert!(record.starts_with(&name), "{record}");
}

#[test]
fn a_damaged_journal_is_named_and_the_other_polls_open() {
    let mut world = World::new();
    let alice = world.host();
    let lunch = world.wait_for(alice.hosting.create(draft())).unwrap();
    let mut rooms = [alice.room.id(), lunch.id()];
    rooms.sort();
    let [sound, damaged] = rooms;
    drop(lunch);
    let disk = world.crash_owner(alice);
    damage(&disk, JOURNAL);

    let alice = world.host_again(&disk, sound.poll_id);
    assert_eq!(world.wait_for(alice.hosting.journals()).unwrap(), rooms);
    let opened = world.wait_for(alice.hosting.open(damaged.poll_id));
    let Err(OpenError::Store(StoreError::Corrupt { record, .. })) = opened.map(drop) else {
        panic!("it is damaged");
    };
    assert!(
        record.starts_with(&format!("journal of {damaged}")),
        "{record}"
    );
    let bob = world.join(BOB, sound);
    world.get_done(&bob.room, vote_in(&bob.room, 0));
}
