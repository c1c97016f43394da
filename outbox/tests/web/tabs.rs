//! Tabs that share a profile.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{join, join_all};
use hustings_outbox::{
    Batch, Durability, HostingError, HostingLock, Identity, IndexedDbStore, Outbox, Slot, Store,
    StoreError, TabError,
};
use hustings_protocol::{DeviceId, PeerId, PollId, RoomId, Seq};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{Broken, Tab, impatient, js, unique_name};

const ALICE: PeerId = PeerId::from_bytes([1; 32]);
const BOB: PeerId = PeerId::from_bytes([2; 32]);

fn room(number: u8) -> RoomId {
    let poll = format!("5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e{number:02x}");
    let poll: PollId = poll.parse().unwrap();
    RoomId {
        owner: ALICE,
        poll_id: poll,
    }
}

async fn submit(store: &impl Store, device: DeviceId, room: RoomId) {
    let mut batch = Batch::new();
    Outbox::new(device, room).put(&mut batch, Seq::FIRST, Bytes::from_static(b"a vote"));
    store.commit(batch, Durability::Strict).await.unwrap();
}

#[wasm_bindgen_test]
async fn each_tab_has_the_first_slot_that_is_free() {
    let profile = unique_name();
    let take = || Slot::take(&profile).map(Result::unwrap);
    let (first, second) = join(take(), take()).await;
    let third = take().await;
    let mut numbers = [&first, &second, &third].map(Slot::number);
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2], "two that ask together get two");

    let freed = second.number();
    drop(second);
    let again = take().await;
    assert_eq!(again.number(), freed);
    assert_eq!(take().await.number(), 3);

    // Another profile has slots of its own.
    let other = Slot::take(&unique_name()).await.unwrap();
    assert_eq!(other.number(), 0);
}

#[wasm_bindgen_test]
async fn a_tab_that_dies_frees_its_slot() {
    let profile = unique_name();
    let tab = Tab::open().await;
    let hold = "
        await new Promise(resolve => tab.navigator.locks.request(
            `hustings/${name}/slot/0`, () => { resolve(); return new Promise(() => {}) }));";
    tab.js(&profile, hold).await;
    let mine = Slot::take(&profile).await.unwrap();
    assert_eq!(mine.number(), 1);
    assert!(Slot::try_take(&profile, 0).await.unwrap().is_none());

    tab.close();
    // The browser needs a moment to see it.
    let slot = loop {
        if let Some(slot) = Slot::try_take(&profile, 0).await.unwrap() {
            break slot;
        }
    };
    assert_eq!(slot.number(), 0);
}

/// A store that is so slow that whoever can come between a read and a write does.
struct Slow(IndexedDbStore);

#[async_trait(?Send)]
impl Store for Slow {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let found = self.0.scan(range).await;
        js("", "await new Promise(then => setTimeout(then, 20))").await;
        found
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.0.commit(batch, durability).await
    }
}

#[wasm_bindgen_test]
async fn tabs_that_open_a_new_profile_together_are_one_person() {
    let profile = unique_name();
    let identities = join_all((0..4).map(|number| {
        let profile = &profile;
        async move {
            // Each has a connection of its own, as tabs do.
            let store = Slow(IndexedDbStore::open(profile).await.unwrap());
            let slot = Slot::try_take(profile, number).await.unwrap().unwrap();
            slot.identity(&store).await.unwrap()
        }
    }))
    .await;
    let mut devices: Vec<DeviceId> = identities.iter().map(Identity::device).collect();
    for identity in &identities {
        assert_eq!(identity.peer_id(), identities[0].peer_id());
        assert_eq!(identity.token(), identities[0].token());
    }
    devices.sort_unstable();
    devices.dedup();
    assert_eq!(devices.len(), 4, "and four devices");

    // And so they stay.
    let store = IndexedDbStore::open(&profile).await.unwrap();
    let slot = Slot::try_take(&profile, 2).await.unwrap().unwrap();
    assert_eq!(slot.identity(&store).await.unwrap(), identities[2]);
}

/// The page goes into the browser's cache, or comes back from it.
async fn page(event: &str) {
    js(
        event,
        "dispatchEvent(new PageTransitionEvent(name, { persisted: true }))",
    )
    .await;
}

async fn write(store: &impl Store) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.put(&b"key"[..], &b"value"[..]);
    store.commit(batch, Durability::Strict).await
}

/// The back button shows the whole page again, with everything that it had.
#[wasm_bindgen_test]
async fn a_page_that_is_away_gives_its_place_up_and_takes_it_again() {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    let slot = Slot::try_take(&profile, 0).await.unwrap().unwrap();
    let host = HostingLock::take(&profile, ALICE).await.unwrap();
    let (mine, hosted) = (slot.guard(store.clone()), host.guard(store.clone()));
    assert_eq!(write(&mine).await, Ok(()));

    page("pagehide").await;
    let mut waiting = Box::pin(write(&mine));
    assert_eq!((&mut waiting).now_or_never(), None, "nobody is there");
    page("pageshow").await;
    assert_eq!(waiting.await, Ok(()));
    assert_eq!(write(&hosted).await, Ok(()));
    assert!(Slot::try_take(&profile, 0).await.unwrap().is_none());

    // Another tab takes both meanwhile.
    page("pagehide").await;
    let others = Slot::try_take(&profile, 0).await.unwrap();
    let hosts = HostingLock::take(&profile, ALICE).await.unwrap();
    page("pageshow").await;
    assert_eq!(write(&mine).await, Err(StoreError::TakenOver));
    assert_eq!(write(&hosted).await, Err(StoreError::TakenOver));
    assert_eq!(write(&hosts.guard(store.clone())).await, Ok(()));
    drop((others, hosts));
    page("pageshow").await;
    assert_eq!(
        write(&mine).await,
        Err(StoreError::TakenOver),
        "it stays so"
    );
    assert_eq!(mine.get(b"key").await.unwrap().unwrap(), &b"value"[..]);
}

#[wasm_bindgen_test]
async fn a_slot_that_is_dropped_is_written_to_no_more() {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    let slot = Slot::take(&profile).await.unwrap();
    let mine = slot.guard(store);
    drop(slot);
    assert_eq!(write(&mine).await, Err(StoreError::TakenOver));
}

#[wasm_bindgen_test]
async fn what_a_closed_tab_left_is_adopted_by_one() {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    assert!(
        Slot::adopt(&profile, &store)
            .await
            .unwrap()
            .found
            .is_empty()
    );

    let mut slots = Vec::new();
    for _ in 0..4 {
        let slot = Slot::take(&profile).await.unwrap();
        let device = slot.identity(&store).await.unwrap().device();
        slots.push((slot, device));
    }
    let devices: Vec<DeviceId> = slots.iter().map(|(_, device)| *device).collect();
    // 0 has nothing pending, 1 and 2 have, 3 has and is still there.
    for (device, number) in [(1, 1), (1, 2), (2, 1), (3, 1)] {
        submit(&store, devices[device], room(number)).await;
    }
    let (alive, _) = slots.pop().unwrap();
    drop(slots);

    let other = IndexedDbStore::open(&profile).await.unwrap();
    let (mine, theirs) = join(Slot::adopt(&profile, &store), Slot::adopt(&profile, &other)).await;
    let mut adopted = mine.unwrap().found;
    adopted.extend(theirs.unwrap().found);
    adopted.sort_by_key(|adopted| adopted.slot.number());
    let summary: Vec<_> = adopted
        .iter()
        .map(|adopted| (adopted.slot.number(), adopted.device, adopted.rooms.clone()))
        .collect();
    assert_eq!(
        summary,
        [
            (1, devices[1], vec![room(1), room(2)]),
            (2, devices[2], vec![room(1)]),
        ]
    );
    let identity = adopted[0].slot.identity(&store).await.unwrap();
    assert_eq!(identity.device(), devices[1]);
    assert!(
        Slot::adopt(&profile, &store)
            .await
            .unwrap()
            .found
            .is_empty(),
        "nobody else gets them"
    );

    // Delivered.
    let mut batch = Batch::new();
    Outbox::new(devices[1], room(1)).remove(&mut batch, Seq::FIRST);
    Outbox::new(devices[1], room(2)).remove(&mut batch, Seq::FIRST);
    store.commit(batch, Durability::Strict).await.unwrap();
    drop(adopted);
    let left = Slot::adopt(&profile, &store).await.unwrap().found;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].device, devices[2]);
    drop((left, alive));
}

#[wasm_bindgen_test]
async fn an_outbox_of_no_slot_is_named_and_holds_up_no_other() {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    let slot = Slot::take(&profile).await.unwrap();
    let device = slot.identity(&store).await.unwrap().device();
    drop(slot);
    let stranger = DeviceId::from_bytes([9; 5]);
    submit(&store, stranger, room(1)).await;
    submit(&store, device, room(2)).await;

    let adopted = Slot::adopt(&profile, &store).await.unwrap();
    assert_eq!(adopted.found.len(), 1);
    assert_eq!(
        (adopted.found[0].device, &adopted.found[0].rooms[..]),
        (device, &[room(2)][..])
    );
    let [damaged] = &adopted.damaged[..] else {
        panic!("{:?}", adopted.damaged);
    };
    let StoreError::Corrupt { record, .. } = &damaged.error else {
        panic!("{}", damaged.error);
    };
    let name = format!("outbox of device {stranger} for {}", room(1));
    assert_eq!(record, &name);
}

#[wasm_bindgen_test]
async fn one_tab_hosts() {
    let profile = unique_name();
    let mine = HostingLock::take(&profile, ALICE).await.unwrap();
    assert_eq!(
        HostingLock::take(&profile, ALICE).await.unwrap_err(),
        HostingError::AlreadyHosting(ALICE)
    );
    let _another = HostingLock::take(&profile, BOB).await.unwrap();
    drop(mine);
    let tab = Tab::open().await;
    let hold = format!(
        "await new Promise(resolve => tab.navigator.locks.request(
            `hustings/${{name}}/host/{ALICE}`, () => {{ resolve(); return new Promise(() => {{}}) }}));"
    );
    tab.js(&profile, &hold).await;
    assert_eq!(
        HostingLock::take(&profile, ALICE).await.unwrap_err(),
        HostingError::AlreadyHosting(ALICE)
    );
    tab.close();
    while HostingLock::take(&profile, ALICE).await.is_err() {}
}

#[wasm_bindgen_test]
async fn whoever_stops_waiting_for_a_lock_does_not_keep_it() {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    let (one, other) = (
        Slot::take(&profile).await.unwrap(),
        Slot::take(&profile).await.unwrap(),
    );
    for _ in 0..3 {
        // It has asked, and is dropped before the browser answers.
        assert!(one.identity(&store).now_or_never().is_none());
        assert!(Slot::take(&profile).now_or_never().is_none());
    }
    other.identity(&store).await.unwrap();
    assert_eq!(Slot::take(&profile).await.unwrap().number(), 2);
}

#[wasm_bindgen_test]
async fn without_web_locks_that_is_said() {
    let profile = unique_name();
    {
        let _insecure = Broken::getter("Navigator.prototype", "locks", "return undefined");
        let error = Slot::take(&profile).await.unwrap_err();
        assert!(matches!(error, TabError::NoLocks(_)), "{error}");
    }
    let _refused = Broken::method(
        "LockManager.prototype",
        "request",
        "return Promise.reject(new DOMException('not here', 'SecurityError'))",
    );
    let error = HostingLock::take(&profile, ALICE).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "tabs cannot be told apart: SecurityError: not here"
    );
}

#[wasm_bindgen_test]
async fn locks_that_are_never_granted_are_given_up_after_a_time() {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    let slot = Slot::take(&profile).await.unwrap();
    {
        let _impatient = impatient();
        let _deaf = Broken::method(
            "LockManager.prototype",
            "request",
            "return new Promise(() => {})",
        );
        for error in [
            Slot::take(&profile).await.unwrap_err(),
            slot.identity(&store).await.unwrap_err(),
        ] {
            assert!(matches!(error, TabError::Unanswered(_)), "{error}");
        }
        let error = HostingLock::take(&profile, ALICE).await.unwrap_err();
        assert!(
            matches!(error, HostingError::Tab(TabError::Unanswered(_))),
            "{error}"
        );
    }
    slot.identity(&store).await.unwrap();
}

/// A tab that is frozen while it makes the identity keeps everybody else from theirs.
#[wasm_bindgen_test]
async fn a_lock_that_comes_too_late_is_free_again() {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    let slot = Slot::take(&profile).await.unwrap();
    let tab = Tab::open().await;
    let hold = "
        await new Promise(resolve => tab.navigator.locks.request(
            `hustings/${name}/identity`, () => { resolve(); return new Promise(() => {}) }));";
    tab.js(&profile, hold).await;
    {
        let _impatient = impatient();
        let error = slot.identity(&store).await.unwrap_err();
        assert!(matches!(error, TabError::Unanswered(_)), "{error}");
    }
    tab.close();
    slot.identity(&store).await.unwrap();
    slot.identity(&store).await.unwrap();
}
