//! The outbox of a device.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::{Batch, Durability, MemoryStore, Outbox, Store, StoreError, Write};
use hustings_protocol::{DeviceId, PeerId, PollId, RoomId, Seq, StoredOutbox, WINDOW};
use proptest::prelude::*;
use uuid::Uuid;

fn room(owner: u8, poll: u8) -> RoomId {
    RoomId {
        owner: PeerId::from_bytes([owner; 32]),
        poll_id: PollId::from_uuid(Uuid::from_bytes([poll; 16])),
    }
}

fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 5])
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn commit(store: &MemoryStore, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    block_on(store.commit(batch, Durability::Strict)).unwrap();
}

fn put(store: &MemoryStore, outbox: &Outbox, number: u64) {
    commit(store, |batch| {
        outbox.put(batch, seq(number), Bytes::from(format!("frame {number}")));
    });
}

fn load(store: &MemoryStore, outbox: &Outbox) -> StoredOutbox {
    block_on(outbox.load(store)).unwrap()
}

fn numbers(contents: &StoredOutbox) -> Vec<u64> {
    contents.entries.iter().map(|(seq, _)| seq.get()).collect()
}

#[test]
fn the_counter_goes_on_when_every_entry_is_gone() {
    let store = MemoryStore::new();
    let outbox = Outbox::new(device(1), room(1, 1));
    let new = load(&store, &outbox);
    assert_eq!((new.next_seq, new.entries), (Seq::FIRST, vec![]));
    for number in 1..=3 {
        put(&store, &outbox, number);
    }
    for number in [2, 1, 3] {
        commit(&store, |batch| outbox.remove(batch, seq(number)));
    }
    store.crash();
    let contents = load(&store, &outbox);
    assert_eq!((contents.next_seq, contents.entries), (seq(4), vec![]));
}

#[test]
fn what_is_given_up_is_gone_and_its_numbers_with_it_and_no_other_outbox_is() {
    let store = MemoryStore::new();
    let outbox = Outbox::new(device(1), room(1, 1));
    let other = Outbox::new(device(1), room(1, 2));
    for number in [1, 2] {
        put(&store, &outbox, number);
        put(&store, &other, number);
    }
    commit(&store, |batch| {
        outbox.keep_applied(batch, seq(1), b"frame 1");
    });
    assert_eq!(block_on(outbox.give_up(&store)), Ok(1));
    store.crash();
    let contents = load(&store, &outbox);
    assert_eq!((contents.next_seq, contents.entries), (seq(3), vec![]));
    assert_eq!(contents.applied.len(), 1, "what was applied stays");
    assert_eq!(numbers(&load(&store, &other)), [1, 2]);
    assert_eq!(block_on(outbox.give_up(&store)), Ok(0));
}

#[test]
fn entries_come_in_the_order_of_their_numbers() {
    let store = MemoryStore::new();
    let outbox = Outbox::new(device(1), room(1, 1));
    for number in [1, 2, 255, 256, 257, 65_536] {
        put(&store, &outbox, number);
    }
    let contents = load(&store, &outbox);
    assert_eq!(numbers(&contents), [1, 2, 255, 256, 257, 65_536]);
    assert_eq!(contents.entries[3].1, "frame 256");
    assert_eq!(contents.next_seq, seq(65_537));
}

#[test]
fn devices_owners_and_polls_have_outboxes_of_their_own() {
    let store = MemoryStore::new();
    let all = [
        Outbox::new(device(1), room(1, 1)),
        Outbox::new(device(2), room(1, 1)),
        Outbox::new(device(1), room(1, 2)),
        // A stranger who hosts a poll of the same id.
        Outbox::new(device(1), room(2, 1)),
        Outbox::new(device(0xff), room(0xff, 0xff)),
    ];
    for (index, outbox) in (1..).zip(&all) {
        for number in 1..=index {
            put(&store, outbox, number);
        }
    }
    for (index, outbox) in (1..).zip(&all) {
        let contents = load(&store, outbox);
        assert_eq!(contents.next_seq, seq(index + 1));
        assert_eq!(numbers(&contents), (1..=index).collect::<Vec<_>>());
    }
    commit(&store, |batch| all[0].remove(batch, seq(1)));
    assert_eq!(load(&store, &all[3]).entries.len(), 4);

    let listed = block_on(Outbox::list(&store)).unwrap().found;
    let expected = [
        (device(1), room(1, 2), 3),
        (device(1), room(2, 1), 4),
        (device(0xff), room(0xff, 0xff), 5),
    ];
    assert_eq!(listed[0], (device(2), room(1, 1), 2));
    assert_eq!(listed[1..], expected, "nothing is pending in the first");
}

#[test]
fn an_entry_that_cannot_be_is_named() {
    let outbox = Outbox::new(device(1), room(1, 1));
    let error = |store: &MemoryStore| match block_on(outbox.load(store)) {
        Err(StoreError::Corrupt { record, reason }) => (record, reason),
        other => panic!("{other:?}"),
    };
    let name = format!("outbox of device {} for {}", device(1), room(1, 1));
    let keys = |fill: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::new();
        fill(&mut batch);
        let key = |write| match write {
            Write::Put { key, .. } | Write::Delete { key } => key,
            Write::DeleteRange { range } => panic!("{range:?}"),
        };
        batch.into_writes().into_iter().map(key).collect::<Vec<_>>()
    };
    let written = keys(&|batch| outbox.put(batch, seq(7), Bytes::new()));
    let [entry, counter] = written.try_into().unwrap();

    let store = MemoryStore::new();
    put(&store, &outbox, 7);
    commit(&store, |batch| {
        batch.put(counter.clone(), 7_u64.to_be_bytes().to_vec())
    });
    let at_counter = (format!("{name}, seq 7"), "the next number is 7".to_owned());
    assert_eq!(error(&store), at_counter);

    commit(&store, |batch| batch.delete(counter.clone()));
    assert_eq!(error(&store).0, format!("{name}, seq 7"));

    for bad in [&[][..], &[0; 8], &[0xff; 8], &[0; 9]] {
        commit(&store, |batch| batch.put(counter.clone(), bad.to_vec()));
        assert_eq!(error(&store).0, format!("{name}, next number"));
    }

    put(&store, &outbox, 7);
    let mut long = entry.to_vec();
    long.push(0);
    commit(&store, |batch| batch.put(long.clone(), ""));
    assert!(error(&store).0.starts_with(&format!("{name}, key 10")));
    let listed = block_on(Outbox::list(&store)).unwrap();
    assert_eq!((listed.found.len(), listed.damaged.len()), (0, 1));
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8),
    Remove(usize),
    /// Puts and a removal in one batch.
    Both(u8),
    Lost,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Put),
        4 => (0..64_usize).prop_map(Step::Remove),
        2 => any::<u8>().prop_map(Step::Both),
        1 => Just(Step::Lost),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #[test]
    fn any_steps_leave_what_a_map_of_the_same_steps_has(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let store = MemoryStore::new();
        let outbox = Outbox::new(device(1), room(1, 1));
        let neighbour = Outbox::new(device(2), room(1, 1));
        put(&store, &neighbour, 1);
        let mut model: BTreeMap<Seq, Bytes> = BTreeMap::new();
        let mut next = Seq::FIRST;
        for step in steps {
            let before = (model.clone(), next);
            let mut batch = Batch::new();
            let mut add = |batch: &mut Batch, model: &mut BTreeMap<_, _>, byte: u8| {
                let frame = Bytes::from(vec![byte; usize::from(byte)]);
                outbox.put(batch, next, frame.clone());
                model.insert(next, frame);
                next = next.next();
            };
            let remove = |batch: &mut Batch, model: &mut BTreeMap<Seq, Bytes>, at: usize| {
                if let Some(seq) = model.keys().nth(at % model.len().max(1)).copied() {
                    outbox.remove(batch, seq);
                    model.remove(&seq);
                }
            };
            let mut durability = Durability::Strict;
            match step {
                Step::Put(byte) => add(&mut batch, &mut model, byte),
                Step::Remove(at) => remove(&mut batch, &mut model, at),
                Step::Both(byte) => {
                    add(&mut batch, &mut model, byte);
                    add(&mut batch, &mut model, 0);
                    remove(&mut batch, &mut model, usize::from(byte));
                }
                Step::Lost => {
                    add(&mut batch, &mut model, 1);
                    durability = Durability::Relaxed;
                }
                Step::Crash => {}
            }
            block_on(store.commit(batch, durability)).unwrap();
            match step {
                Step::Lost => {
                    store.crash();
                    (model, next) = before;
                }
                Step::Crash => store.crash(),
                Step::Put(_) | Step::Remove(_) | Step::Both(_) => {}
            }
            let contents = load(&store, &outbox);
            prop_assert_eq!(contents.next_seq, next);
            prop_assert_eq!(&contents.entries, &model.clone().into_iter().collect::<Vec<_>>());
            let listed = block_on(Outbox::list(&store)).unwrap().found;
            let count = |of| {
                listed.iter().find(|(device, _, _)| *device == of).map_or(0, |(_, _, n)| *n)
            };
            prop_assert_eq!(count(device(1)), model.len());
            prop_assert_eq!(count(device(2)), 1);
        }
    }
}

#[test]
fn the_last_applied_commands_are_kept_and_a_damaged_one_is_left_out() {
    let (store, outbox) = (MemoryStore::new(), Outbox::new(device(1), room(1, 1)));
    for number in 1..=WINDOW + 1 {
        put(&store, &outbox, number);
        let frame = format!("frame {number}");
        commit(&store, |batch| {
            outbox.keep_applied(batch, seq(number), frame.as_bytes());
        });
    }
    let has = |contents: &StoredOutbox, frame: &str| {
        let mut applied = contents.applied.iter();
        applied.any(|kept| kept == frame.as_bytes())
    };
    let kept = load(&store, &outbox);
    assert_eq!(
        (numbers(&kept), kept.applied.len() as u64),
        (vec![], WINDOW)
    );
    assert!(!has(&kept, "frame 1"));

    let all = block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff]))).unwrap();
    let of_two = |(_, value): &&(Bytes, Bytes)| value.ends_with(b"frame 2");
    let (key, value) = all.iter().find(of_two).unwrap();
    commit(&store, |batch| batch.put(key.clone(), value.slice(1..)));
    let kept = load(&store, &outbox);
    assert_eq!(kept.applied.len() as u64, WINDOW - 1);
    assert!(!has(&kept, "frame 2"));
}
