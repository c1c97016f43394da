//! Atomicity: all of a batch or nothing, for every reader.

use bytes::Bytes;
use futures::future::join_all;

use super::{Harness, commit, contents, get, put};
use crate::{Batch, Durability, Store, StoreError};

const CLONES: u8 = 8;
const COMMITS: u8 = 8;

/// A read that begins after a commit sees it, whichever handle it uses.
pub async fn every_handle_reads_what_was_committed<H: Harness>() {
    let harness = H::fresh().await;
    let (one, other) = (harness.store(), harness.store());
    put(&one, b"key", b"one", Durability::Relaxed).await;
    assert_eq!(get(&other, b"key").await.as_deref(), Some(&b"one"[..]));
    put(&other, b"key", b"two", Durability::Strict).await;
    assert_eq!(get(&one, b"key").await.as_deref(), Some(&b"two"[..]));
    drop(one);
    assert_eq!(
        get(&other.clone(), b"key").await.as_deref(),
        Some(&b"two"[..])
    );
}

/// Commits that are under way together are applied one after the other, and none is lost.
pub async fn commits_of_many_handles_all_take_effect<H: Harness>() {
    let mut harness = H::fresh().await;
    let writers = (0..CLONES).map(|clone| {
        let store = harness.store();
        async move {
            for number in 0..COMMITS {
                let durability = match (clone + number) % 3 {
                    0 => Durability::Strict,
                    _ => Durability::Relaxed,
                };
                let mut batch = Batch::new();
                batch.put(vec![clone, number], vec![number; 64]);
                batch.put(&b"last"[..], vec![clone, number]);
                commit(&store, batch, durability).await;
                let own = store.get(&[clone, number]).await.expect("a get succeeds");
                assert_eq!(own.as_deref(), Some(&[number; 64][..]));
            }
        }
    });
    join_all(writers).await;
    for _ in 0..2 {
        let found = contents(&harness.store()).await;
        assert_eq!(found.len(), usize::from(CLONES) * usize::from(COMMITS) + 1);
        let last = &found[&b"last"[..]];
        assert_eq!(
            last[1],
            COMMITS - 1,
            "a writer's own commits keep their order"
        );
        harness = harness.reopen().await;
    }
}

/// A scan during other commits sees each batch whole or not at all.
pub async fn a_scan_never_sees_half_a_batch<H: Harness>() {
    let harness = H::fresh().await;
    let tasks = (0..CLONES).map(|clone| {
        let store = harness.store();
        async move {
            for number in 0..COMMITS {
                let mut batch = Batch::new();
                let value = Bytes::from(vec![clone, number]);
                for key in [&b"a"[..], b"m", b"z"] {
                    batch.delete(key);
                    batch.put(key, value.clone());
                }
                commit(&store, batch, Durability::Relaxed).await;
                let found = contents(&store).await;
                assert_eq!(found.len(), 3);
                let first = &found[&b"a"[..]];
                assert!(found.values().all(|value| value == first), "{found:?}");
            }
        }
    });
    join_all(tasks).await;
}

/// A commit that reports an error has no effect, and removes nothing that was there.
pub async fn a_failed_commit_leaves_nothing<H: Harness>() {
    let mut harness = H::fresh().await;
    put(&harness.store(), b"a", b"before", Durability::Strict).await;
    put(&harness.store(), b"b", b"before", Durability::Relaxed).await;
    let before = contents(&harness.store()).await;
    if !harness.fail_next_commit() {
        return;
    }
    let mut batch = Batch::new();
    batch.put(&b"a"[..], &b"after"[..]);
    batch.delete(&b"b"[..]);
    batch.put(&b"c"[..], vec![7; 100_000]);
    let failed = harness.store().commit(batch, Durability::Strict).await;
    assert!(failed.is_err());
    // A backend may want to be opened again after a failure.
    harness = harness.reopen().await;
    assert_eq!(contents(&harness.store()).await, before);
    put(&harness.store(), b"a", b"after", Durability::Strict).await;
    assert_eq!(
        get(&harness.store(), b"a").await.as_deref(),
        Some(&b"after"[..])
    );
}

/// A batch that requires something that is not so changes nothing, and one of those who require the
/// same is first.
pub async fn a_batch_that_requires_what_is_not_so_changes_nothing<H: Harness>() {
    let mut harness = H::fresh().await;
    let store = harness.store();
    put(&store, b"a", b"one", Durability::Strict).await;
    let values = [None, Some(&b"one"[..]), Some(b"on"), Some(b"")];
    for (key, is) in [(&b"a"[..], Some(&b"one"[..])), (b"b", None)] {
        for value in values {
            let mut batch = Batch::new();
            batch.require(&b"a"[..], Some(Bytes::from_static(b"one")));
            batch.require(key, value.map(Bytes::from_static));
            batch.put(&b"c"[..], &b"new"[..]);
            let committed = store.commit(batch, Durability::Relaxed).await;
            if value == is {
                assert_eq!(committed, Ok(()));
                let mut undo = Batch::new();
                undo.delete(&b"c"[..]);
                commit(&store, undo, Durability::Relaxed).await;
            } else {
                assert_eq!(committed, Err(StoreError::unmet(key)), "{value:?}");
            }
            assert_eq!(contents(&store).await.len(), 1);
        }
    }
    // It is about the records before the batch.
    let mut batch = Batch::new();
    batch.put(&b"a"[..], &b"two"[..]);
    batch.require(&b"a"[..], Some(Bytes::from_static(b"one")));
    commit(&store, batch, Durability::Strict).await;
    // And it may be all that there is.
    let mut batch = Batch::new();
    batch.require(&b"a"[..], None);
    let committed = store.commit(batch, Durability::Relaxed).await;
    assert_eq!(committed, Err(StoreError::unmet(b"a")));

    let writers = (0..CLONES).map(|clone| {
        let store = harness.store();
        async move {
            let mut batch = Batch::new();
            batch.require(&b"first"[..], None);
            batch.put(&b"first"[..], vec![clone]);
            batch.put(vec![clone], &b"mine"[..]);
            let committed = store.commit(batch, Durability::Strict).await;
            assert!(committed.is_ok() || committed == Err(StoreError::unmet(b"first")));
            u8::from(committed.is_ok())
        }
    });
    let first: u8 = join_all(writers).await.into_iter().sum();
    assert_eq!(first, 1);
    drop(store);
    harness = harness.reopen().await;
    let found = contents(&harness.store()).await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[&found[&b"first"[..]]], b"mine"[..]);
}
