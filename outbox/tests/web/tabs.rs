//! Tabs that share a profile: what holds whether the browser has Web Locks for the page or not.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{join, join_all};
use hustings_outbox::{
    Batch, Durability, HostingError, HostingLock, Identity, IndexedDbStore, Outbox, Slot, Store,
    StoreError,
};
use hustings_protocol::{DeviceId, PeerId, PollId, RoomId, Seq};

use crate::page::{js, let_go, unique_name};

pub(crate) const ALICE: PeerId = PeerId::from_bytes([1; 32]);
const BOB: PeerId = PeerId::from_bytes([2; 32]);

/// Each test, with Web Locks and without.
macro_rules! with_and_without_web_locks {
    ($($test:ident)*) => {
        mod with_web_locks {
            $(#[wasm_bindgen_test::wasm_bindgen_test]
            async fn $test() {
                super::$test().await;
            })*
        }

        mod without_web_locks {
            $(#[wasm_bindgen_test::wasm_bindgen_test]
            async fn $test() {
                let _insecure = crate::page::insecure();
                super::$test().await;
            })*
        }
    };
}

with_and_without_web_locks! {
    each_tab_has_the_first_slot_that_is_free
    tabs_that_open_a_new_profile_together_are_one_person
    a_page_that_is_away_gives_its_place_up_and_takes_it_again
    a_slot_that_is_dropped_is_written_to_no_more
    what_a_closed_tab_left_is_adopted_by_one
    an_outbox_of_no_slot_is_named_and_holds_up_no_other
    one_tab_hosts
    whoever_stops_waiting_for_a_lock_does_not_keep_it
    a_place_in_which_another_tab_has_written_is_lost
    a_place_that_another_tab_had_and_left_as_it_was_goes_on_or_is_lost
    what_a_batch_requires_itself_is_its_own_error
    a_page_that_goes_for_good_frees_its_place
}

/// A profile that nobody has opened before, and its store.
pub(crate) async fn profile() -> (String, IndexedDbStore) {
    let profile = unique_name();
    let store = IndexedDbStore::open(&profile).await.unwrap();
    (profile, store)
}

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

async fn each_tab_has_the_first_slot_that_is_free() {
    let (profile, store) = profile().await;
    let take = || Slot::take(&profile, &store).map(Result::unwrap);
    let (first, second) = join(take(), take()).await;
    let third = take().await;
    let mut numbers = [&first, &second, &third].map(Slot::number);
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2], "two that ask together get two");

    let freed = second.number();
    drop(second);
    let_go().await;
    let again = take().await;
    assert_eq!(again.number(), freed);
    assert_eq!(take().await.number(), 3);

    // Another profile has slots of its own.
    let (profile, store) = self::profile().await;
    let other = Slot::take(&profile, &store).await.unwrap();
    assert_eq!(other.number(), 0);
}

/// A store that is so slow that whoever can come between a read and a write does.
#[derive(Clone)]
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

async fn tabs_that_open_a_new_profile_together_are_one_person() {
    let profile = unique_name();
    let identities = join_all((0..4).map(|number| {
        let profile = &profile;
        async move {
            // Each has a connection of its own, as tabs do.
            let store = Slow(IndexedDbStore::open(profile).await.unwrap());
            let slot = Slot::try_take(profile, &store, number)
                .await
                .unwrap()
                .unwrap();
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
    let slot = Slot::try_take(&profile, &store, 2).await.unwrap().unwrap();
    assert_eq!(slot.identity(&store).await.unwrap(), identities[2]);
}

/// The page goes, into the browser's cache if it is to be kept, or comes back from it.
pub(crate) async fn page(event: &str, persisted: bool) {
    let of = format!("new PageTransitionEvent(name, {{ persisted: {persisted} }})");
    js(event, &format!("dispatchEvent({of})")).await;
}

pub(crate) async fn write(store: &impl Store) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.put(&b"key"[..], &b"value"[..]);
    store.commit(batch, Durability::Strict).await
}

/// Asks whether it could be written.
pub(crate) async fn ask(store: &impl Store) -> Result<(), StoreError> {
    store.commit(Batch::new(), Durability::Relaxed).await
}

/// The back button shows the whole page again, with everything that it had.
async fn a_page_that_is_away_gives_its_place_up_and_takes_it_again() {
    let (profile, store) = profile().await;
    let slot = Slot::try_take(&profile, &store, 0).await.unwrap().unwrap();
    let host = HostingLock::take(&profile, &store, ALICE).await.unwrap();
    let (mine, hosted) = (slot.guard(store.clone()), host.guard(store.clone()));
    assert_eq!(write(&mine).await, Ok(()));

    page("pagehide", true).await;
    let_go().await;
    let mut waiting = Box::pin(write(&mine));
    assert_eq!((&mut waiting).now_or_never(), None, "nobody is there");
    page("pageshow", true).await;
    assert_eq!(waiting.await, Ok(()));
    assert_eq!(write(&hosted).await, Ok(()));
    assert!(Slot::try_take(&profile, &store, 0).await.unwrap().is_none());

    // Another tab takes both meanwhile.
    page("pagehide", true).await;
    let_go().await;
    let others = Slot::try_take(&profile, &store, 0).await.unwrap();
    let hosts = HostingLock::take(&profile, &store, ALICE).await.unwrap();
    page("pageshow", true).await;
    assert_eq!(write(&mine).await, Err(StoreError::TakenOver));
    assert_eq!(write(&hosted).await, Err(StoreError::TakenOver));
    assert_eq!(write(&hosts.guard(store.clone())).await, Ok(()));
    drop((others, hosts));
    page("pageshow", true).await;
    assert_eq!(
        write(&mine).await,
        Err(StoreError::TakenOver),
        "it stays so"
    );
    assert_eq!(mine.get(b"key").await.unwrap().unwrap(), &b"value"[..]);
}

async fn a_slot_that_is_dropped_is_written_to_no_more() {
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let mine = slot.guard(store);
    drop(slot);
    assert_eq!(write(&mine).await, Err(StoreError::TakenOver));
}

async fn what_a_closed_tab_left_is_adopted_by_one() {
    let (profile, store) = profile().await;
    assert!(
        Slot::adopt(&profile, &store)
            .await
            .unwrap()
            .found
            .is_empty()
    );

    let mut slots = Vec::new();
    for _ in 0..4 {
        let slot = Slot::take(&profile, &store).await.unwrap();
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
    let_go().await;

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
    let_go().await;
    let left = Slot::adopt(&profile, &store).await.unwrap().found;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].device, devices[2]);
    drop((left, alive));
}

async fn an_outbox_of_no_slot_is_named_and_holds_up_no_other() {
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let device = slot.identity(&store).await.unwrap().device();
    drop(slot);
    let_go().await;
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

async fn one_tab_hosts() {
    let (profile, store) = profile().await;
    let mine = HostingLock::take(&profile, &store, ALICE).await.unwrap();
    assert_eq!(
        HostingLock::take(&profile, &store, ALICE)
            .await
            .unwrap_err(),
        HostingError::AlreadyHosting(ALICE)
    );
    let _another = HostingLock::take(&profile, &store, BOB).await.unwrap();
    drop(mine);
    let_go().await;
    let _mine = HostingLock::take(&profile, &store, ALICE).await.unwrap();
}

async fn whoever_stops_waiting_for_a_lock_does_not_keep_it() {
    let (profile, store) = profile().await;
    let (one, other) = (
        Slot::take(&profile, &store).await.unwrap(),
        Slot::take(&profile, &store).await.unwrap(),
    );
    for _ in 0..3 {
        // It has asked, and is dropped before the browser answers.
        assert!(one.identity(&store).now_or_never().is_none());
        assert!(Slot::take(&profile, &store).now_or_never().is_none());
    }
    other.identity(&store).await.unwrap();
    assert_eq!(Slot::take(&profile, &store).await.unwrap().number(), 2);
}

/// It is shown again with what it remembers, which is not what is stored any more: its next number,
/// the revision of its poll. To go on from there would be to write over what the other one wrote.
async fn a_place_in_which_another_tab_has_written_is_lost() {
    let (profile, store) = profile().await;
    for has_written in [false, true] {
        let slot = Slot::try_take(&profile, &store, 0).await.unwrap().unwrap();
        let host = HostingLock::take(&profile, &store, ALICE).await.unwrap();
        let (mine, hosted) = (slot.guard(store.clone()), host.guard(store.clone()));
        if has_written {
            assert_eq!(write(&mine).await, Ok(()));
            assert_eq!(write(&hosted).await, Ok(()));
        }
        page("pagehide", true).await;
        let_go().await;
        {
            let slot = Slot::try_take(&profile, &store, 0).await.unwrap().unwrap();
            let host = HostingLock::take(&profile, &store, ALICE).await.unwrap();
            assert_eq!(write(&slot.guard(store.clone())).await, Ok(()));
            assert_eq!(write(&host.guard(store.clone())).await, Ok(()));
        }
        page("pageshow", true).await;
        assert_eq!(write(&mine).await, Err(StoreError::TakenOver));
        assert_eq!(write(&hosted).await, Err(StoreError::TakenOver));
        // And so it stays, and keeps nobody else from it.
        assert_eq!(write(&mine).await, Err(StoreError::TakenOver));
        assert_eq!(ask(&mine).await, Err(StoreError::TakenOver));
        drop((slot, host));
        let_go().await;
    }
}

async fn a_place_that_another_tab_had_and_left_as_it_was_goes_on_or_is_lost() {
    let (profile, store) = profile().await;
    let slot = Slot::try_take(&profile, &store, 0).await.unwrap().unwrap();
    let mine = slot.guard(store.clone());
    assert_eq!(write(&mine).await, Ok(()));
    page("pagehide", true).await;
    let_go().await;
    let other = Slot::try_take(&profile, &store, 0).await.unwrap().unwrap();
    drop(other);
    let_go().await;
    page("pageshow", true).await;
    let done = write(&mine).await;
    // A claim is made at once where it is what holds the place.
    let is_locked = js("", "return Boolean(navigator.locks)").await.is_truthy();
    match is_locked {
        true => assert_eq!(done, Ok(())),
        false => assert_eq!(done, Err(StoreError::TakenOver)),
    }
}

async fn what_a_batch_requires_itself_is_its_own_error() {
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let host = HostingLock::take(&profile, &store, ALICE).await.unwrap();
    // As a host's store is: guarded for its slot, too.
    let both = host.guard(slot.guard(store.clone()));
    for _ in 0..2 {
        let mut batch = Batch::new();
        batch.require(&b"missing"[..], Some(Bytes::from_static(b"value")));
        batch.put(&b"key"[..], &b"value"[..]);
        let done = both.commit(batch, Durability::Strict).await;
        assert_eq!(done, Err(StoreError::unmet(b"missing")));
        assert_eq!(write(&both).await, Ok(()));
    }
    drop(slot);
    assert_eq!(write(&both).await, Err(StoreError::TakenOver));
}

/// A page that is loaded again is gone for good, and the new one has its place at once.
async fn a_page_that_goes_for_good_frees_its_place() {
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let mine = slot.guard(store.clone());
    assert_eq!(write(&mine).await, Ok(()));
    page("pagehide", false).await;
    let_go().await;
    let next = Slot::take(&profile, &store).await.unwrap();
    assert_eq!(next.number(), 0);
    assert_eq!(write(&next.guard(store.clone())).await, Ok(()));
}
