//! The contract, and what a test does to a memory store.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::contract::Harness;
use hustings_outbox::{Batch, Durability, Fault, MemoryStore, Store, StoreError, store_contract};

struct Memory(MemoryStore);

impl Harness for Memory {
    type Store = MemoryStore;

    async fn fresh() -> Self {
        Self(MemoryStore::new())
    }

    fn store(&self) -> MemoryStore {
        self.0.clone()
    }

    async fn reopen(self) -> Self {
        self
    }

    async fn crash(self) -> Result<Self, Self> {
        Ok(self)
    }

    async fn lose_power(self, _seed: u64) -> Result<Self, Self> {
        self.0.crash();
        Ok(self)
    }

    fn fail_next_commit(&self) -> bool {
        self.0.fail_next(Fault::Commit, full());
        true
    }
}

store_contract!(Memory, #[test], block_on);

fn full() -> StoreError {
    StoreError::Full("planned".to_owned())
}

fn put(store: &MemoryStore, key: &'static str, durability: Durability) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.put(key, "value");
    block_on(store.commit(batch, durability))
}

fn has(store: &MemoryStore, key: &str) -> bool {
    block_on(store.get(key.as_bytes())).unwrap().is_some()
}

#[test]
fn a_crash_takes_what_is_only_relaxed() {
    let store = MemoryStore::new();
    put(&store, "a", Durability::Relaxed).unwrap();
    put(&store, "b", Durability::Strict).unwrap();
    put(&store, "c", Durability::Relaxed).unwrap();
    let mut batch = Batch::new();
    batch.delete_range(Bytes::from_static(b"a")..Bytes::from_static(b"b"));
    batch.delete("b");
    batch.put("b", "other");
    block_on(store.commit(batch, Durability::Relaxed)).unwrap();
    assert!(!has(&store, "a"));
    store.clone().crash();
    assert!(has(&store, "a") && has(&store, "b") && !has(&store, "c"));
    assert_eq!(
        block_on(store.get(b"b")).unwrap().as_deref(),
        Some(&b"value"[..])
    );
}

#[test]
fn a_fork_is_a_store_of_its_own_and_can_be_restored() {
    let store = MemoryStore::new();
    put(&store, "old", Durability::Strict).unwrap();
    let backup = store.fork();
    put(&store, "new", Durability::Strict).unwrap();
    assert!(!has(&backup, "new"));
    let handle = store.clone();
    store.restore(&backup);
    assert!(has(&handle, "old") && !has(&handle, "new"));
    put(&backup, "later", Durability::Strict).unwrap();
    assert!(!has(&store, "later"));
    store.restore(&store);
    assert!(has(&store, "old"));
}

#[test]
fn planned_faults_strike_once_and_in_their_order() {
    let store = MemoryStore::new();
    let io = StoreError::Io("planned".to_owned());
    store.fail_next(Fault::Commit, full());
    store.fail_next(Fault::Commit, io.clone());
    store.fail_next(Fault::Read, io.clone());
    assert_eq!(put(&store, "a", Durability::Strict), Err(full()));
    assert_eq!(put(&store, "a", Durability::Strict), Err(io.clone()));
    assert_eq!(block_on(store.get(b"a")), Err(io.clone()));
    assert!(!has(&store, "a"));

    store.fail_next(Fault::CommitReport, io.clone());
    assert_eq!(put(&store, "a", Durability::Strict), Err(io.clone()));
    assert!(has(&store, "a"));

    store.fail_next(Fault::Commit, io);
    store.crash();
    put(&store, "b", Durability::Strict).unwrap();
    assert!(!has(&store.fork(), "c"));
}

#[test]
fn a_shared_store_is_the_store() {
    let store = MemoryStore::new();
    let shared = std::sync::Arc::new(store.clone());
    put(&store, "a", Durability::Strict).unwrap();
    let mut batch = Batch::new();
    assert!(batch.is_empty());
    batch.put("b", "value");
    batch.delete("c");
    assert_eq!((batch.is_empty(), batch.len()), (false, 2));
    block_on(Store::commit(&shared, batch, Durability::Strict)).unwrap();
    assert!(has(&store, "b"));
    assert_eq!(
        block_on(Store::get(&shared, b"a")).unwrap().unwrap(),
        "value"
    );
    assert_eq!(block_on(Store::get(&shared, b"c")), Ok(None));
    let all = Bytes::new()..Bytes::from_static(&[0xff]);
    let found = block_on(Store::scan(&shared, all)).unwrap();
    let keys: Vec<_> = found.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(keys, [b"a", b"b"]);
}
