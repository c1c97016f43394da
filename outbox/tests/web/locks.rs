//! Web Locks, and a browser that does not give them.

use hustings_outbox::{HostingError, HostingLock, Slot, TabError};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{Broken, Tab, impatient, js};
use crate::tabs::{ALICE, profile};

/// Takes the lock of a slot in another tab.
const HOLD: &str = "
    await new Promise(resolve => tab.navigator.locks.request(
        `hustings/${name}/slot/0`, () => { resolve(); return new Promise(() => {}) }));";

#[wasm_bindgen_test]
async fn a_tab_that_dies_frees_its_slot() {
    let (profile, store) = profile().await;
    let tab = Tab::open().await;
    tab.js(&profile, HOLD).await;
    let mine = Slot::take(&profile, &store).await.unwrap();
    assert_eq!(mine.number(), 1);
    let free = async || Slot::try_take(&profile, &store, 0).await.unwrap();
    assert!(free().await.is_none());

    tab.close();
    // The browser needs a moment to see it.
    while free().await.is_none() {}
}

#[wasm_bindgen_test]
async fn a_tab_that_dies_hosts_no_longer() {
    let (profile, store) = profile().await;
    let tab = Tab::open().await;
    let hold = HOLD.replace("slot/0", &format!("host/{ALICE}"));
    tab.js(&profile, &hold).await;
    let host = async || HostingLock::take(&profile, &store, ALICE).await;
    assert_eq!(
        host().await.unwrap_err(),
        HostingError::AlreadyHosting(ALICE)
    );
    tab.close();
    while host().await.is_err() {}
}

#[wasm_bindgen_test]
async fn a_browser_that_refuses_locks_is_said_to() {
    let (profile, store) = profile().await;
    let _refused = Broken::method(
        "LockManager.prototype",
        "request",
        "return Promise.reject(new DOMException('not here', 'SecurityError'))",
    );
    let error = HostingLock::take(&profile, &store, ALICE)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "tabs cannot be told apart: SecurityError: not here"
    );
}

#[wasm_bindgen_test]
async fn locks_that_are_never_granted_are_given_up_after_a_time() {
    let (profile, store) = profile().await;
    {
        let _impatient = impatient();
        let _deaf = Broken::method(
            "LockManager.prototype",
            "request",
            "return new Promise(() => {})",
        );
        let error = Slot::take(&profile, &store).await.unwrap_err();
        assert!(matches!(error, TabError::Unanswered(_)), "{error}");
        let error = HostingLock::take(&profile, &store, ALICE)
            .await
            .unwrap_err();
        assert!(
            matches!(error, HostingError::Tab(TabError::Unanswered(_))),
            "{error}"
        );
    }
    assert_eq!(Slot::take(&profile, &store).await.unwrap().number(), 0);
}

#[wasm_bindgen_test]
async fn a_lock_that_comes_too_late_is_free_again() {
    let (profile, store) = profile().await;
    {
        let _impatient = impatient();
        let _slow = Broken::method(
            "LockManager.prototype",
            "request",
            "return new Promise(resolve => {
                window.grant = () => resolve(original.apply(this, args));
            })",
        );
        let error = Slot::take(&profile, &store).await.unwrap_err();
        assert!(matches!(error, TabError::Unanswered(_)), "{error}");
    }
    js("", "window.grant()").await;
    while Slot::try_take(&profile, &store, 0).await.unwrap().is_none() {}
}
