//! An owner that starts again, and reads what it has kept.

use std::hint::black_box;

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::{Durability, MemoryStore, Store};
use hustings_protocol::StoredJournal;
use hustings_room::Owner;
use hustings_room::driver::records;
use serde::de::IgnoredAny;

use crate::common::journal::written;
use crate::common::{room_id, setup};
use crate::{Scenario, measured};

pub(crate) const SCENARIOS: [Scenario; 2] = [
    Scenario::new(
        "restart",
        restart,
        "an owner is started from its journal after # votes, until it can be joined",
    )
    .sizes(&[100_000])
    .weight(1_000),
    Scenario::new(
        "read",
        read,
        "the yardstick for that: serde_json reads the live bytes, and keeps nothing",
    )
    .sizes(&[100_000])
    .weight(1_000),
];

fn restart(iterations: usize, votes: u64) {
    let store = MemoryStore::new();
    written(votes, |batch| commit(&store, batch));
    for _ in 0..iterations {
        measured(|| {
            let journal = load(&store);
            black_box(Owner::restore(setup(), journal).expect("a sound journal"));
        });
    }
}

fn commit(store: &MemoryStore, batch: hustings_outbox::Batch) {
    block_on(store.commit(batch, Durability::Strict)).expect("memory does not fail");
}

fn load(store: &MemoryStore) -> StoredJournal {
    let journal = block_on(records::load_journal(store, room_id()));
    journal.expect("memory does not fail").expect("it is there")
}

fn read(iterations: usize, votes: u64) {
    let store = MemoryStore::new();
    written(votes, |batch| commit(&store, batch));
    let StoredJournal { log, receipts } = load(&store);
    let (_, snapshot) = log.snapshot;
    let tail = log.tail.into_iter().map(|(_, frame)| frame);
    let receipts = receipts.iter().map(|(_, _, receipt)| {
        Bytes::from(serde_json::to_vec(receipt).expect("it was read from JSON"))
    });
    let live: Vec<Bytes> = [snapshot].into_iter().chain(tail).chain(receipts).collect();
    measured(|| {
        for _ in 0..iterations {
            for record in &live {
                let read = serde_json::from_slice::<IgnoredAny>(record);
                black_box(read.expect("a record is JSON"));
            }
        }
    });
}
