//! The identity of a store.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::mem::replace;
use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use ed25519_dalek::{Signer, Verifier, VerifyingKey};
use futures::executor::block_on;
use futures::future::join_all;
use hustings_outbox::{Batch, Durability, Fault, Identity, MemoryStore, Outbox, Store, StoreError};
use hustings_protocol::{Address, DeviceId, PollId, RoomId};
use uuid::Uuid;

fn load(store: &impl Store, slot: u32) -> Identity {
    block_on(Identity::load_or_create(store, slot)).unwrap()
}

#[test]
fn it_is_made_once_and_survives_a_loss_of_power() {
    let store = MemoryStore::new();
    let made = load(&store, 0);
    store.crash();
    let loaded = load(&store, 0);
    assert_eq!(loaded, made);
    assert_eq!(loaded.token(), made.token());
    let other = load(&MemoryStore::new(), 0);
    assert_ne!(other.peer_id(), made.peer_id());
    assert_ne!(other.device(), made.device());
    assert_ne!(other.token(), made.token());
}

#[test]
fn slots_are_devices_of_one_person() {
    let store = MemoryStore::new();
    let slots = [0, 1, 2, 256, u32::MAX].map(|slot| (slot, load(&store, slot)));
    let devices: BTreeSet<DeviceId> = slots.iter().map(|(_, of)| of.device()).collect();
    assert_eq!(devices.len(), slots.len());
    for (slot, identity) in &slots {
        assert_eq!(identity.peer_id(), slots[0].1.peer_id());
        assert_eq!(identity.token(), slots[0].1.token());
        assert_eq!(&load(&store, *slot), identity);
    }
}

#[test]
fn the_token_needs_no_escaping() {
    for identity in [
        load(&MemoryStore::new(), 0),
        Identity::from_seed([9; 32], DeviceId::from_bytes([1; 5])),
    ] {
        assert_eq!(identity.token().len(), 26);
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(identity.token().chars().all(fits), "{}", identity.token());
    }
}

#[test]
fn a_seed_gives_the_same_person() {
    let (one, other) = (DeviceId::from_bytes([1; 5]), DeviceId::from_bytes([2; 5]));
    let first = Identity::from_seed([7; 32], one);
    assert_eq!(first, Identity::from_seed([7; 32], one));
    let second = Identity::from_seed([7; 32], other);
    assert_eq!(second.peer_id(), first.peer_id());
    assert_eq!((first.device(), second.device()), (one, other));
    let stranger = Identity::from_seed([8; 32], one);
    assert_ne!(stranger.peer_id(), first.peer_id());
    assert_ne!(stranger.token(), first.token());
}

#[test]
fn the_peer_id_is_the_key_that_verifies() {
    let identity = load(&MemoryStore::new(), 0);
    let signature = identity.signing_key().sign(b"words");
    let key = VerifyingKey::from_bytes(identity.peer_id().as_bytes()).unwrap();
    key.verify(b"words", &signature).unwrap();
}

#[test]
fn debug_shows_who_it_is_and_no_secret() {
    let identity = Identity::from_seed([0xab; 32], DeviceId::from_bytes([1; 5]));
    let text = format!("{identity:?} {identity:#?}");
    let address = Address::Owner(identity.peer_id()).to_string();
    assert!(text.contains(&address), "{text}");
    assert!(text.contains(&identity.device().to_string()), "{text}");
    assert!(!text.contains(identity.token()), "{text}");
    for secret in ["171, 171", "abab", "ABAB", "0xab"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_commit_that_fails_makes_nobody() {
    let store = MemoryStore::new();
    let full = StoreError::Full("planned".to_owned());
    store.fail_next(Fault::Commit, full.clone());
    assert_eq!(block_on(Identity::load_or_create(&store, 0)), Err(full));
    let range = Bytes::new()..Bytes::from_static(&[0xff]);
    assert_eq!(block_on(store.scan(range)).unwrap(), []);
}

#[test]
fn a_damaged_identity_is_named_and_not_replaced() {
    let store = MemoryStore::new();
    let made = load(&store, 0);
    let records = block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff]))).unwrap();
    let [(key, secret), (slot, _)] = records.try_into().unwrap();
    let harm = |fill: &dyn Fn(&mut Batch)| {
        let store = store.fork();
        let mut batch = Batch::new();
        fill(&mut batch);
        block_on(store.commit(batch, Durability::Strict)).unwrap();
        let before = block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff])));
        let result = block_on(Identity::load_or_create(&store, 0));
        let Err(StoreError::Corrupt { record, .. }) = result else {
            panic!("{result:?}");
        };
        let after = block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff])));
        assert_eq!(before, after);
        record
    };
    let mut capital = secret.to_vec();
    capital[40] = b'A';
    for bad in [
        vec![],
        secret[..31].to_vec(),
        secret[..57].to_vec(),
        capital,
    ] {
        assert_eq!(
            harm(&|batch| batch.put(key.clone(), bad.clone())),
            "the identity"
        );
    }
    assert_eq!(harm(&|batch| batch.delete(key.clone())), "the identity");
    assert_eq!(
        harm(&|batch| batch.put(slot.clone(), "four")),
        "the device of slot 0"
    );
    let stray = harm(&|batch| batch.put(&[0x01, 0x02][..], ""));
    assert!(stray.starts_with("the identity, key 0102"), "{stray}");
    assert_eq!(load(&store, 0), made);
}

/// A store in which whoever can come between a read and a write does.
struct Slow(MemoryStore);

#[async_trait]
impl Store for Slow {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let found = self.0.scan(range).await;
        let mut others_were_here = false;
        poll_fn(|context| {
            if replace(&mut others_were_here, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        found
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.0.commit(batch, durability).await
    }
}

#[test]
fn those_who_open_a_new_store_together_are_one_person() {
    let store = Slow(MemoryStore::new());
    let all = join_all([0, 1, 2, 0].map(|slot| Identity::load_or_create(&store, slot)));
    let made: Vec<Identity> = block_on(all).into_iter().map(Result::unwrap).collect();
    for identity in &made {
        assert_eq!(identity.peer_id(), made[0].peer_id());
        assert_eq!(identity.token(), made[0].token());
    }
    assert_eq!(made[0], made[3], "one slot is one device");
    assert_eq!(load(&store.0, 1), made[1], "and it is the one that is kept");
    let devices: BTreeSet<DeviceId> = made.iter().map(Identity::device).collect();
    assert_eq!(devices.len(), 3);
}

/// A store that counts how often it is read. In a browser each time is a transaction.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    reads: AtomicUsize,
}

#[async_trait]
impl Store for Counting {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.reads.fetch_add(1, Relaxed);
        self.store.get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.reads.fetch_add(1, Relaxed);
        self.store.scan(range).await
    }

    async fn scan_each(
        &self,
        ranges: Vec<Range<Bytes>>,
    ) -> Result<Vec<Vec<(Bytes, Bytes)>>, StoreError> {
        self.reads.fetch_add(1, Relaxed);
        self.store.scan_each(ranges).await
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.store.commit(batch, durability).await
    }
}

/// Of somebody new everything is missing, and what is missing is looked for under other keys.
#[test]
fn whoever_is_new_costs_few_reads() {
    let store = Counting::default();
    let new = load(&store, 0);
    let of_identity = store.reads.swap(0, Relaxed);
    let room = RoomId {
        owner: new.peer_id(),
        poll_id: PollId::from_uuid(Uuid::nil()),
    };
    block_on(Outbox::new(new.device(), room).load(&store)).unwrap();
    let of_outbox = store.reads.swap(0, Relaxed);
    assert!(
        of_identity <= 4 && of_outbox <= 3,
        "{of_identity}, {of_outbox}"
    );
}
