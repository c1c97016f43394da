//! Places without Web Locks: holders that are gone, frozen or damaged, and tabs that cannot talk.

use bytes::Bytes;
use futures::FutureExt;
use futures::future::join;
use hustings_outbox::{
    Batch, Durability, HostingLock, IndexedDbStore, Slot, Store, StoreError, TabError,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{Broken, Tab, insecure};
use crate::tabs::{ALICE, ask, page, profile, write};

/// Everybody in this page is frozen until it is dropped: nobody says that they are there.
fn frozen() -> Broken {
    let silent = "if (!String(args[0]).startsWith('here')) return original.apply(this, args)";
    Broken::method("BroadcastChannel.prototype", "postMessage", silent)
}

/// Answers in another tab for whoever is asked for.
const ANSWER: &str = "
    const channel = new tab.BroadcastChannel(`hustings/${name}`);
    channel.onmessage = ({ data }) => {
        if (data.startsWith('ask ')) channel.postMessage(data.replace('ask', 'here'));
    };
    tab.kept = channel";

/// The record of slot 0, and the one that says that somebody is there.
async fn records(store: &IndexedDbStore) -> Vec<(Bytes, Bytes)> {
    let range = Bytes::from_static(&[2, 0])..Bytes::from_static(&[2, 1]);
    store.scan(range).await.unwrap()
}

#[wasm_bindgen_test]
async fn a_tab_that_lives_keeps_its_place_and_one_that_died_does_not() {
    let _insecure = insecure();
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let host = HostingLock::take(&profile, &store, ALICE).await.unwrap();
    let dead = [slot.guard(store.clone()), host.guard(store.clone())];
    // Only the other tab answers, in a window of its own.
    let tab = Tab::open().await;
    tab.js(&profile, ANSWER).await;
    let _frozen = frozen();
    let zero = async || Slot::try_take(&profile, &store, 0).await.unwrap();
    assert!(zero().await.is_none());
    assert!(HostingLock::take(&profile, &store, ALICE).await.is_err());

    tab.close();
    let mine = zero().await.expect("nobody answers");
    let hosts = HostingLock::take(&profile, &store, ALICE).await.unwrap();
    assert_eq!(write(&mine.guard(store.clone())).await, Ok(()));
    assert_eq!(write(&hosts.guard(store.clone())).await, Ok(()));
    for dead in &dead {
        assert_eq!(write(dead).await, Err(StoreError::TakenOver));
    }
}

#[wasm_bindgen_test]
async fn a_holder_that_was_frozen_wakes_without_its_place_and_disturbs_nobody() {
    let _insecure = insecure();
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let woken = slot.guard(store.clone());
    assert_eq!(write(&woken).await, Ok(()));
    let next = {
        let _frozen = frozen();
        Slot::try_take(&profile, &store, 0).await.unwrap().unwrap()
    };
    // It has not noticed yet, and does not answer for the other one's place.
    assert!(Slot::try_take(&profile, &store, 0).await.unwrap().is_none());
    assert_eq!(ask(&woken).await, Err(StoreError::TakenOver));
    assert_eq!(write(&woken).await, Err(StoreError::TakenOver));
    // Neither does it free that when it goes, as a page or as a value.
    page("pagehide", true).await;
    page("pageshow", true).await;
    assert_eq!(write(&woken).await, Err(StoreError::TakenOver));
    drop(slot);
    assert!(Slot::try_take(&profile, &store, 0).await.unwrap().is_none());
    assert_eq!(write(&next.guard(store.clone())).await, Ok(()));
    // Nothing is left of it, and nothing of those that asked.
    assert_eq!(records(&store).await.len(), 2);
    drop(next);
    assert_eq!(records(&store).await.len(), 1);
}

/// A commit that was on its way when the page was frozen.
#[wasm_bindgen_test]
async fn what_was_begun_before_a_takeover_does_not_come_after_it() {
    let _insecure = insecure();
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let mine = slot.guard(store.clone());
    let mut late = Box::pin(write(&mine));
    let _frozen = frozen();
    let next = Slot::try_take(&profile, &store, 0).await.unwrap().unwrap();
    assert_eq!((&mut late).await, Err(StoreError::TakenOver));
    assert_eq!(write(&next.guard(store.clone())).await, Ok(()));
}

#[wasm_bindgen_test]
async fn of_two_that_take_over_together_one_has_the_place() {
    let _insecure = insecure();
    let (profile, store) = profile().await;
    let dead = Slot::take(&profile, &store).await.unwrap();
    let other = IndexedDbStore::open(&profile).await.unwrap();
    let frozen = frozen();
    // Both have asked the dead one before it is known that nobody answers.
    let two = join(
        Slot::try_take(&profile, &store, 0),
        Slot::try_take(&profile, &other, 0),
    );
    // The one that is second asks the first, which lives.
    let thaw = async {
        while records(&store).await.len() != 2 || is_held(&dead, &store).await {}
        drop(frozen);
    };
    let ((one, two), ()) = join(two, thaw).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(
        [&one, &two]
            .map(Option::is_some)
            .iter()
            .filter(|is| **is)
            .count(),
        1
    );
    let slot = one.or(two).unwrap();
    assert_eq!(write(&slot.guard(store.clone())).await, Ok(()));
}

async fn is_held(slot: &Slot, store: &IndexedDbStore) -> bool {
    ask(&slot.guard(store.clone())).await.is_ok()
}

#[wasm_bindgen_test]
async fn a_damaged_record_holds_nobody_up_and_nobody_writes_by_it() {
    let _insecure = insecure();
    let (profile, store) = profile().await;
    let slot = Slot::take(&profile, &store).await.unwrap();
    let damaged = slot.guard(store.clone());
    let (key, record) = records(&store).await.swap_remove(0);
    let mut batch = Batch::new();
    let mut flipped = record.to_vec();
    flipped[12] ^= 1;
    batch.put(key, flipped);
    store.commit(batch, Durability::Strict).await.unwrap();
    let next = Slot::take(&profile, &store).await.unwrap();
    assert_eq!(next.number(), 0);
    assert_eq!(write(&damaged).await, Err(StoreError::TakenOver));
    assert_eq!(write(&next.guard(store.clone())).await, Ok(()));
}

#[wasm_bindgen_test]
async fn whoever_gives_up_while_taking_leaves_nobody_there() {
    let _insecure = insecure();
    // So many steps of it are taken, and then no more.
    for steps in 1.. {
        let (profile, store) = profile().await;
        let mut taking = Box::pin(Slot::take(&profile, &store));
        let mut is_done = false;
        for _ in 0..steps {
            is_done = (&mut taking).now_or_never().is_some();
            if is_done {
                break;
            }
            // The store has dealt by then with what it was asked.
            records(&store).await;
        }
        if is_done {
            assert!(steps > 2, "it is not done at once");
            break;
        }
        drop(taking);
        assert!(records(&store).await.len() < 2, "after {steps} steps");
        let next = Slot::take(&profile, &store).await.unwrap();
        assert_eq!((next.number(), records(&store).await.len()), (0, 2));
    }
}

#[wasm_bindgen_test]
async fn a_page_with_neither_says_what_it_lacks() {
    let _insecure = insecure();
    let (profile, store) = profile().await;
    let _alone = Broken::getter("window", "BroadcastChannel", "return undefined");
    let error = Slot::take(&profile, &store).await.unwrap_err();
    assert!(matches!(error, TabError::NoLocks(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("neither https nor localhost"), "{text}");
    assert!(text.contains("other tabs"), "{text}");
    assert!(records(&store).await.is_empty());
}
