//! The ends that a browser can give a database, and the store's answer to each.

use bytes::Bytes;
use futures::future::join;
use hustings_outbox::{Batch, Durability, IndexedDbStore, Store, StoreError};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::{Broken, Tab, impatient, js, unique_name};

fn batch(key: &'static str) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, "value");
    batch
}

async fn put(store: &IndexedDbStore, key: &'static str) -> Result<(), StoreError> {
    store.commit(batch(key), Durability::Strict).await
}

async fn has(store: &IndexedDbStore, key: &str) -> Result<bool, StoreError> {
    Ok(store.get(key.as_bytes()).await?.is_some())
}

async fn open(name: &str) -> IndexedDbStore {
    IndexedDbStore::open(name).await.unwrap()
}

const DELETE: &str = "
    await new Promise((resolve, reject) => {
        const request = tab.indexedDB.deleteDatabase(name);
        request.onsuccess = resolve;
        request.onerror = reject;
        request.onblocked = () => reject('blocked');
    });";

/// Opens the database by hand and keeps it, deaf to everybody.
const KEEP: &str = "
    await new Promise((resolve, reject) => {
        const request = tab.indexedDB.open(name, 1);
        request.onupgradeneeded = () => request.result.createObjectStore('records');
        request.onsuccess = resolve;
        request.onerror = reject;
        tab.kept = request;
    });";

#[wasm_bindgen_test]
async fn a_commit_asks_for_its_durability() {
    let store = open(&unique_name()).await;
    let _asked = Broken::method(
        "IDBTransaction.prototype",
        "commit",
        "(window.asked ??= []).push(this.durability); original.call(this);",
    );
    for durability in [Durability::Strict, Durability::Relaxed] {
        store.commit(batch("key"), durability).await.unwrap();
    }
    // An empty one, too, has to make strict what came before.
    let empty = Batch::new();
    store.commit(empty, Durability::Strict).await.unwrap();
    let asked = js("", "return window.asked.join()").await;
    assert_eq!(asked, "strict,relaxed,strict");
}

#[wasm_bindgen_test]
async fn a_tab_that_deletes_the_database_gets_it_and_the_store_knows_it_is_gone() {
    let name = unique_name();
    let (store, other) = (open(&name).await, open(&name).await);
    put(&store, "key").await.unwrap();

    let tab = Tab::open().await;
    tab.js(&name, DELETE).await;
    for store in [&store, &store.clone(), &other] {
        assert_eq!(has(store, "key").await, Err(deleted(&name)));
        assert_eq!(put(store, "key").await, Err(deleted(&name)));
    }
    assert_eq!(has(&open(&name).await, "key").await, Ok(false));
    tab.close();
}

#[wasm_bindgen_test]
async fn a_commit_under_way_is_finished_before_the_database_is_given_up() {
    let name = unique_name();
    let store = open(&name).await;
    let tab = Tab::open().await;
    let upgrade = "
        await new Promise((resolve, reject) => {
            const request = tab.indexedDB.open(name, 3);
            request.onsuccess = () => resolve(request.result.close());
            request.onerror = reject;
            request.onblocked = () => reject('blocked');
        });";
    let (committed, _) = join(put(&store, "key"), tab.js(&name, upgrade)).await;
    assert_eq!(committed, Ok(()));
    let found = "
        return await new Promise((resolve, reject) => {
            const open = tab.indexedDB.open(name);
            open.onsuccess = () => {
                const records = open.result.transaction('records').objectStore('records');
                const count = records.count();
                count.onsuccess = () => { open.result.close(); resolve(count.result) };
            };
        });";
    assert_eq!(
        tab.js(&name, found).await,
        2,
        "the record, and the birth id"
    );
    let said = "another tab has a newer version of the database".to_owned();
    assert_eq!(put(&store, "key").await, Err(StoreError::Closed(said)));

    // This program is the older one now.
    let error = IndexedDbStore::open(&name).await.unwrap_err();
    assert_eq!(error, StoreError::Newer(format!("the database {name}")));
    assert!(error.to_string().contains("newer version of hustings"));
    tab.close();
}

#[wasm_bindgen_test]
async fn a_tab_that_does_not_let_go_blocks_an_upgrade() {
    let name = unique_name();
    let tab = Tab::open().await;
    tab.js(&name, KEEP).await;
    {
        let _newer = Broken::method(
            "IDBFactory.prototype",
            "open",
            "return original.call(this, args[0], 3)",
        );
        let error = IndexedDbStore::open(&name).await.unwrap_err();
        assert_eq!(error, StoreError::Blocked(name.clone()));
    }
    // The upgrade that was given up does not stay in the way of the next, nor without its effect.
    tab.js(&name, "tab.kept.result.close()").await;
    let _newer = Broken::method(
        "IDBFactory.prototype",
        "open",
        "return original.call(this, args[0], 4)",
    );
    let store = open(&name).await;
    put(&store, "key").await.unwrap();
    tab.close();
}

/// Keeps the databases that are opened, so that a test can do to them what the browser might.
fn watch() -> Broken {
    Broken::method(
        "IDBFactory.prototype",
        "open",
        "window.times = (window.times ?? 0) + 1;
        return window.opened = original.apply(this, args)",
    )
}

#[wasm_bindgen_test]
async fn a_connection_that_the_browser_closed_is_opened_again() {
    let _watched = watch();
    let store = open(&unique_name()).await;
    put(&store, "one").await.unwrap();
    for event in ["", "window.opened.result.dispatchEvent(new Event('close'))"] {
        js("", &format!("window.opened.result.close(); {event}")).await;
        // Everybody at once, and it is opened once.
        js("", "window.times = 0").await;
        let handle = store.clone();
        let (found, committed) = join(has(&handle, "one"), put(&store, "two")).await;
        assert_eq!((found, committed), (Ok(true), Ok(())));
        assert_eq!(js("", "return window.times").await, 1);
        assert_eq!(has(&store, "two").await, Ok(true));
    }
}

#[wasm_bindgen_test]
async fn a_connection_that_cannot_be_had_again_is_closed() {
    let store = open(&unique_name()).await;
    put(&store, "key").await.unwrap();
    {
        let _broken = Broken::method(
            "IDBDatabase.prototype",
            "transaction",
            "throw new DOMException('it is closing', 'InvalidStateError')",
        );
        let error = put(&store, "key").await.unwrap_err();
        assert!(matches!(error, StoreError::Closed(_)), "{error}");
    }
    // That was no decision.
    assert_eq!(has(&store, "key").await, Ok(true));
}

#[wasm_bindgen_test]
async fn a_database_that_was_forgotten_is_not_replaced_in_silence() {
    let name = unique_name();
    let _watched = watch();
    let store = open(&name).await;
    put(&store, "key").await.unwrap();
    js("", "window.opened.result.close()").await;
    let tab = Tab::open().await;
    tab.js(&name, DELETE).await;
    for _ in 0..2 {
        assert_eq!(has(&store, "key").await, Err(deleted(&name)));
    }
    // Who begins anew may.
    let store = open(&name).await;
    assert_eq!(has(&store, "key").await, Ok(false));
    put(&store, "key").await.unwrap();
    tab.close();
}

fn deleted(name: &str) -> StoreError {
    StoreError::Deleted(format!("the database {name}"))
}

#[wasm_bindgen_test]
async fn a_database_that_somebody_else_made_anew_is_not_taken_for_the_one_before() {
    let name = unique_name();
    let _watched = watch();
    let store = open(&name).await;
    put(&store, "key").await.unwrap();
    // The site's data is cleared: the connection ends, and the database with it.
    js("", "window.opened.result.close()").await;
    let tab = Tab::open().await;
    tab.js(&name, DELETE).await;
    // Another tab is faster than whoever still has it open.
    let other = open(&name).await;
    for _ in 0..2 {
        assert_eq!(put(&store, "lost").await, Err(deleted(&name)));
        assert_eq!(has(&store.clone(), "key").await, Err(deleted(&name)));
    }
    let sentence = deleted(&name).to_string();
    assert!(sentence.starts_with("the stored data was deleted while it was open"));
    // Nothing of it is in the new one, which goes on.
    assert_eq!(has(&other, "lost").await, Ok(false));
    put(&other, "key").await.unwrap();
    assert_eq!(has(&other, "key").await, Ok(true));
    tab.close();
}

#[wasm_bindgen_test]
async fn a_database_of_before_the_birth_ids_gets_one_and_keeps_what_it_has() {
    let name = unique_name();
    let first_version = "
        await new Promise((resolve, reject) => {
            const open = indexedDB.open(name, 1);
            open.onerror = reject;
            open.onupgradeneeded = () => open.result.createObjectStore('records');
            open.onsuccess = () => {
                const change = open.result.transaction('records', 'readwrite');
                change.objectStore('records').put(new Uint8Array([7]), new Uint8Array([1, 2]));
                change.oncomplete = () => { open.result.close(); resolve() };
            };
        });";
    js(&name, first_version).await;
    let _watched = watch();
    // Two tabs at once agree on it.
    let (one, other) = join(open(&name), open(&name)).await;
    put(&one, "key").await.unwrap();
    // The connection that was opened last is lost, and the data is still the same.
    js("", "window.opened.result.close()").await;
    for store in [&one, &other, &open(&name).await] {
        let old = store.get(&[1, 2]).await.unwrap();
        assert_eq!(old.as_deref(), Some(&[7][..]));
        assert_eq!(has(store, "key").await, Ok(true));
        // And the birth id is no record.
        let all = Bytes::new()..Bytes::from_static(&[0xff]);
        assert_eq!(store.scan(all).await.unwrap().len(), 2);
    }
}

#[wasm_bindgen_test]
async fn a_full_disk_is_full_and_nothing_is_half_done() {
    let store = open(&unique_name()).await;
    put(&store, "before").await.unwrap();
    let both = || {
        let mut both = batch("one");
        both.put("two", "value");
        both.delete("before");
        both
    };
    let full = "new DOMException('no room', 'QuotaExceededError')";
    {
        // Said at once, at the second record.
        let throws =
            format!("if (window.second ^= 1) return original.apply(this, args); throw {full}");
        let _full = Broken::method("IDBObjectStore.prototype", "put", &throws);
        let error = store.commit(both(), Durability::Strict).await.unwrap_err();
        assert_eq!(
            error,
            StoreError::Full("QuotaExceededError: no room".to_owned())
        );
    }
    {
        // Said at the commit, which no request hears of.
        let _aborts = Broken::method("IDBTransaction.prototype", "commit", "this.abort()");
        let _says = Broken::getter(
            "IDBTransaction.prototype",
            "error",
            &format!("return {full}"),
        );
        let error = store.commit(both(), Durability::Strict).await.unwrap_err();
        assert!(matches!(error, StoreError::Full(_)), "{error}");
    }
    assert_eq!(has(&store, "one").await, Ok(false));
    assert_eq!(has(&store, "before").await, Ok(true));
    store.commit(both(), Durability::Strict).await.unwrap();
    assert_eq!(has(&store, "before").await, Ok(false));
}

#[wasm_bindgen_test]
async fn where_there_is_no_storage_that_is_said() {
    let name = unique_name();
    for says in [
        "return undefined",
        "return null",
        "throw new DOMException('not here', 'SecurityError')",
    ] {
        let _none = Broken::getter("window", "indexedDB", says);
        let error = IndexedDbStore::open(&name).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Unavailable(_)),
            "{says}: {error}"
        );
    }
    let _private = Broken::method(
        "IDBFactory.prototype",
        "open",
        "throw new DOMException('private', 'SecurityError')",
    );
    let error = IndexedDbStore::open(&name).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}

#[wasm_bindgen_test]
async fn a_browser_that_does_not_answer_is_given_up_after_a_time() {
    let name = unique_name();
    let unanswered = StoreError::Unanswered(format!("the database {name}"));
    {
        let _impatient = impatient();
        let _deaf = Broken::method("IDBFactory.prototype", "open", "return new EventTarget()");
        let error = IndexedDbStore::open(&name).await.unwrap_err();
        assert_eq!(error, unanswered);
        assert!(error.to_string().contains("close the other tabs"));
    }
    // That was no decision.
    let store = open(&name).await;
    put(&store, "key").await.unwrap();
}

#[wasm_bindgen_test]
async fn a_connection_that_is_not_opened_again_in_time_may_be_later() {
    let name = unique_name();
    let _watched = watch();
    let store = open(&name).await;
    put(&store, "key").await.unwrap();
    js(
        "",
        "window.opened.result.close(); window.opened.result.dispatchEvent(new Event('close'))",
    )
    .await;
    {
        let _impatient = impatient();
        let _deaf = Broken::method("IDBFactory.prototype", "open", "return new EventTarget()");
        let unanswered = StoreError::Unanswered(format!("the database {name}"));
        assert_eq!(has(&store, "key").await, Err(unanswered));
    }
    assert_eq!(has(&store, "key").await, Ok(true));
}

#[wasm_bindgen_test]
async fn a_record_that_is_not_bytes_is_corrupt() {
    let name = unique_name();
    let store = open(&name).await;
    let foreign = "
        await new Promise((resolve, reject) => {
            const open = indexedDB.open(name);
            open.onsuccess = () => {
                const change = open.result.transaction('records', 'readwrite');
                change.objectStore('records').put('a text', new Uint8Array([7]));
                change.oncomplete = () => { open.result.close(); resolve() };
            };
        });";
    js(&name, foreign).await;
    let corrupt = StoreError::Corrupt {
        record: "[07]".to_owned(),
        reason: "it is not made of bytes".to_owned(),
    };
    assert_eq!(store.get(&[7]).await, Err(corrupt.clone()));
    let all = Bytes::new()..Bytes::from_static(&[0xff]);
    assert_eq!(store.scan(all).await, Err(corrupt));
    assert_eq!(store.get(&[8]).await, Ok(None));
}

#[wasm_bindgen_test]
async fn the_browser_says_how_much_room_there_is() {
    let store = open(&unique_name()).await;
    let mut batch = Batch::new();
    batch.put("large", vec![7; 1 << 20]);
    store.commit(batch, Durability::Strict).await.unwrap();
    let estimate = IndexedDbStore::estimate().await.unwrap();
    assert!(estimate.quota > 1 << 20, "{estimate:?}");
    assert!(estimate.usage < estimate.quota, "{estimate:?}");

    // Whether it is granted is the browser's affair; Firefox asks the user, who is not here.
    for (answer, granted) in [("true", true), ("false", false)] {
        let _says = Broken::method(
            "StorageManager.prototype",
            "persist",
            &format!("return Promise.resolve({answer})"),
        );
        assert_eq!(IndexedDbStore::persist().await, Ok(granted));
    }
    let _insecure = Broken::getter("Navigator.prototype", "storage", "return undefined");
    for error in [
        IndexedDbStore::persist().await.unwrap_err(),
        IndexedDbStore::estimate().await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
}
