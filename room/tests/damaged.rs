//! Damaged records cost what they are records of, and nothing else.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use bytes::Bytes;
use common::bench::{Bench, Pair, ready};
use common::disk::Disk;
use common::people::{
    ALICE, BOB, Person, call_me, decode, draft, numbered, option, revision, room, seq, vote,
};
use common::world::{World, vote_in};
use futures::FutureExt;
use hustings_outbox::{Batch, Durability, Store, StoreError};
use hustings_protocol::{
    ErrorCode, Message, PollState, Revision, Seq, StoredJournal, StoredOutbox, Update,
};
use hustings_room::driver::{OpenError, records};
use hustings_room::{Config, Host, Moment, Owner, Participant, RestoreError};

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

// Records that read, and are not what was stored there.

/// The owner's journal after two commands of Bob's, and the poll at the second as it was told to
/// him.
fn journal_and_snapshot(second: &str) -> (Bench<Host>, StoredJournal, Bytes) {
    let mut alice = Bench::hosting();
    let bob = alice.admits(BOB);
    alice.hears(bob, numbered(1, call_me("Bob")));
    let told = alice.hears(bob, numbered(2, call_me(second))).frames(bob);
    // A link that had no room is told the whole poll.
    alice.tell(|host, now| host.handle_blocked(bob, &told[0], now));
    let poll = vote(room().poll_id, option(1));
    alice
        .tell(|host, now| host.submit(room().poll_id, poll, now).map(drop))
        .0
        .unwrap();
    let (_, said) = alice.tell(|host, now| host.handle_writable(bob, now));
    let journal = ready(records::load_journal(&alice.disk, room())).unwrap();
    (alice, journal, said.frames(bob)[0].clone())
}

fn restored(journal: StoredJournal) -> Result<Revision, RestoreError> {
    let setup = ALICE.setup(9, Config::default());
    Owner::restore(setup, journal).map(|owner| owner.revision())
}

#[test]
fn an_owner_restores_nothing_that_was_stored_in_another_place() {
    let (_, journal, snapshot) = journal_and_snapshot("Rob");
    let revisions: Vec<_> = journal.log.tail.iter().map(|(at, _)| at.get()).collect();
    assert_eq!(revisions, [1, 2, 3]);
    assert_eq!(restored(journal.clone()), Ok(revision(3)));
    let changed = |change: &dyn Fn(&mut StoredJournal)| {
        let mut journal = journal.clone();
        change(&mut journal);
        let error = restored(journal).unwrap_err();
        (error.what, error.reason.code)
    };
    let named = |what: &str, code: ErrorCode| (what.to_owned(), code);
    let unexpected = ErrorCode::Unexpected;

    // A snapshot or an update under another revision, or another message in its place.
    let other = changed(&|it| it.log.snapshot.0 = revision(1));
    assert_eq!(other, named("the stored snapshot", unexpected.clone()));
    let other = changed(&|it| {
        it.log.snapshot.0 = revision(1);
        it.log.tail.clear();
    });
    assert_eq!(other, named("the stored snapshot", unexpected.clone()));
    let other = changed(&|it| it.log.tail = vec![(revision(2), it.log.tail[0].1.clone())]);
    assert_eq!(other, named("the stored update 2", unexpected.clone()));
    let other = changed(&|it| drop(it.log.tail.remove(1)));
    assert_eq!(other, named("the stored update 3", unexpected.clone()));
    let other = changed(&|it| it.log.tail[2].1 = it.log.tail[1].1.clone());
    assert_eq!(other, named("the stored update 3", unexpected.clone()));
    let other = changed(&|it| it.log.tail[0].1 = it.log.snapshot.1.clone());
    assert_eq!(other, named("the stored update 1", unexpected.clone()));
    let other = changed(&|it| it.log.tail[1].1 = Bytes::from_static(b"{{"));
    assert_eq!(other, named("the stored update 2", ErrorCode::Malformed));

    // The updates before a snapshot are of its own history, or it is none.
    let with_older = |older: &StoredJournal| {
        let mut journal = journal.clone();
        journal.log.snapshot = (revision(3), snapshot.clone());
        journal.log.tail = older.log.tail.clone();
        restored(journal)
    };
    assert_eq!(with_older(&journal), Ok(revision(3)));
    let (_, other, _) = journal_and_snapshot("Robert");
    assert_eq!(restored(other.clone()), Ok(revision(3)));
    let error = with_older(&other).unwrap_err();
    let error = (error.what, error.reason.code);
    assert_eq!(error, named("the stored snapshot", unexpected));
}

#[test]
fn a_participant_restores_no_command_under_anothers_number() {
    let command = |number: u64| (seq(number), numbered(number, call_me("Bob")));
    let restored = |entries: Vec<(Seq, Bytes)>| {
        let setup = BOB.setup(0, Config::default());
        let next_seq = seq(9);
        let outbox = StoredOutbox {
            next_seq,
            entries,
            applied: Vec::new(),
        };
        let bob = Participant::new(setup, room(), outbox, None, Moment::START);
        bob.map(|bob| bob.pending().len())
    };
    assert_eq!(restored(vec![command(1), command(2)]), Ok(2));
    let swapped = vec![command(1), (seq(2), command(3).1)];
    let error = restored(swapped).unwrap_err();
    assert_eq!(error.what, "the stored command 2");
    assert_eq!(error.reason.code, ErrorCode::Unexpected);
}

#[test]
fn a_journal_grows_with_its_poll_and_not_with_its_history() {
    let mut alice = Bench::hosting_with(Config {
        snapshot_after_bytes: 1,
        ..Config::default()
    });
    let bob = alice.admits(BOB);
    for number in 1..=100 {
        let choice = option(u128::from(number % 3));
        alice.hears(bob, numbered(number, vote(room().poll_id, choice)));
    }
    let journal = ready(records::load_journal(&alice.disk, room())).unwrap();
    assert!(journal.log.snapshot.0 > revision(50), "{journal:?}");
    assert!(journal.log.tail.len() < 50, "{}", journal.log.tail.len());
    assert_eq!(restored(journal), Ok(revision(100)));
    assert_eq!(alice.restored_owner().poll(), alice.owner().poll());
}

#[test]
fn a_cache_grows_with_its_poll_and_not_with_its_history() {
    let config = Config {
        snapshot_after_bytes: 1,
        ..Config::default()
    };
    let mut alice = Bench::hosting();
    let carol = alice.admits(Person(3));
    let mut bob = Bench::joining_with(BOB, 0, config);
    let said = bob.drain();
    let (pair, ..) = Pair::connect(&mut alice, &mut bob, &said);
    for number in 1..=100 {
        let choice = option(u128::from(number % 3));
        let said = alice.hears(carol, numbered(number, vote(room().poll_id, choice)));
        for frame in said.frames(pair.at_owner) {
            bob.hears(pair.at_participant, frame);
        }
    }
    assert_eq!(bob.machine.confirmed(), Some(alice.owner().poll()));
    let kept = ready(records::load_participant(&bob.disk, BOB.device(), room()));
    let cache = kept.1.unwrap();
    assert!(cache.tail.len() < 50, "{}", cache.tail.len());
    assert_eq!(cache.revision(), revision(100));
}

/// As the first version has written it, whose updates follow each other by their numbers alone.
#[test]
fn a_journal_without_marks_has_no_gaps_either() {
    let (_, mut journal, _) = journal_and_snapshot("Rob");
    let unmarked = |frame: &Bytes| match decode(frame) {
        Message::Update(update) => Message::Update(Update {
            history: None,
            ..update
        }),
        Message::PollState(state) => Message::PollState(PollState {
            history: None,
            ..state
        }),
        other => panic!("{other:?}"),
    };
    journal.log.snapshot.1 = unmarked(&journal.log.snapshot.1).encode();
    for (_, frame) in &mut journal.log.tail {
        *frame = unmarked(frame).encode();
    }
    assert_eq!(restored(journal.clone()), Ok(revision(3)));
    journal.log.tail.remove(1);
    let error = restored(journal).unwrap_err();
    assert_eq!(error.what, "the stored update 3");
    assert_eq!(error.reason.code, ErrorCode::SeqGap);
}
