//! Durability: the events that a commit survives.

use super::{Harness, commit, contents, everything, put};
use crate::{Batch, Durability};

/// The number of ways in which unsynced data is torn.
const SEEDS: u64 = 8;

/// Closing the store keeps every commit.
pub async fn an_orderly_end_loses_nothing<H: Harness>() {
    let harness = H::fresh().await;
    put(&harness.store(), b"strict", b"1", Durability::Strict).await;
    put(&harness.store(), b"relaxed", b"2", Durability::Relaxed).await;
    let before = contents(&harness.store()).await;
    let harness = harness.reopen().await;
    assert_eq!(contents(&harness.store()).await, before);
    // Once more: nothing is lost by being read.
    let harness = harness.reopen().await;
    assert_eq!(contents(&harness.store()).await, before);
}

/// The data that a store keeps of itself, its version for instance, is in no range: a scan does not
/// find it, and a batch that removes everything leaves it.
pub async fn what_a_store_keeps_of_itself_is_no_record<H: Harness>() {
    let harness = H::fresh().await;
    assert_eq!(contents(&harness.store()).await.len(), 0);
    put(&harness.store(), b"a", b"1", Durability::Strict).await;
    let mut batch = Batch::new();
    batch.delete_range(everything());
    commit(&harness.store(), batch, Durability::Strict).await;
    let mut harness = harness;
    for number in 0..3 {
        harness = harness.reopen().await;
        assert_eq!(contents(&harness.store()).await.len(), number);
        let mut batch = Batch::new();
        batch.put(vec![7; number], &b"value"[..]);
        commit(&harness.store(), batch, Durability::Strict).await;
    }
}

/// A process that ends without notice keeps every commit, the relaxed ones, too.
pub async fn a_crash_of_the_process_loses_nothing<H: Harness>() {
    let mut harness = H::fresh().await;
    for last in [Durability::Strict, Durability::Relaxed] {
        put(&harness.store(), b"first", b"1", Durability::Relaxed).await;
        put(&harness.store(), b"second", b"2", Durability::Strict).await;
        let mut batch = Batch::new();
        batch.delete(&b"first"[..]);
        batch.put(&b"third"[..], &b"3"[..]);
        commit(&harness.store(), batch, last).await;
        let before = contents(&harness.store()).await;
        let Ok(crashed) = harness.crash().await else {
            return;
        };
        harness = crashed;
        assert_eq!(contents(&harness.store()).await, before);
    }
}

/// A strict commit is there after a loss of power, whatever happens to later relaxed ones.
pub async fn a_loss_of_power_loses_nothing_strict<H: Harness>() {
    for seed in 0..SEEDS {
        let harness = H::fresh().await;
        put(&harness.store(), b"a", b"strict", Durability::Strict).await;
        put(&harness.store(), b"b", b"strict", Durability::Strict).await;
        let strict = contents(&harness.store()).await;
        let mut batch = Batch::new();
        batch.put(&b"a"[..], &b"relaxed"[..]);
        batch.delete(&b"b"[..]);
        commit(&harness.store(), batch, Durability::Relaxed).await;
        let relaxed = contents(&harness.store()).await;
        let Ok(harness) = harness.lose_power(seed).await else {
            return;
        };
        let found = contents(&harness.store()).await;
        assert!(
            found == strict || found == relaxed,
            "seed {seed}: half of the relaxed batch: {found:?}"
        );
    }
}

/// A strict commit takes every commit before it along, even an empty one.
pub async fn a_strict_commit_makes_earlier_ones_strict<H: Harness>() {
    for seed in 0..SEEDS {
        let harness = H::fresh().await;
        put(&harness.store(), b"a", b"relaxed", Durability::Relaxed).await;
        put(&harness.store(), b"b", b"relaxed", Durability::Relaxed).await;
        let mut batch = Batch::new();
        if seed % 2 == 0 {
            batch.put(&b"c"[..], &b"strict"[..]);
        }
        commit(&harness.store(), batch, Durability::Strict).await;
        let before = contents(&harness.store()).await;
        let Ok(harness) = harness.lose_power(seed).await else {
            return;
        };
        assert_eq!(contents(&harness.store()).await, before, "seed {seed}");
    }
}
