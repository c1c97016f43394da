//! The test suite that checks every backend against the [`Store`] contract.
//!
//! A backend supplies a [`Harness`] and calls [`store_contract!`](crate::store_contract), which
//! makes one test of each case. The suite brings its own seeded generator and reads no clock, so
//! it runs in a browser, too.
//!
//! A harness that cannot cause an event returns `Err`; the cases about that event then pass without
//! a check. Test elsewhere what such a harness leaves out.
//!
//! ```
//! use hustings_outbox::MemoryStore;
//! use hustings_outbox::contract::{Harness, random_operations_match_a_model};
//!
//! struct Memory(MemoryStore);
//!
//! impl Harness for Memory {
//!     type Store = MemoryStore;
//!
//!     async fn fresh() -> Self {
//!         Self(MemoryStore::new())
//!     }
//!     fn store(&self) -> MemoryStore {
//!         self.0.clone()
//!     }
//!     async fn reopen(self) -> Self {
//!         self
//!     }
//!     async fn crash(self) -> Result<Self, Self> {
//!         Ok(self)
//!     }
//!     async fn lose_power(self, _seed: u64) -> Result<Self, Self> {
//!         self.0.crash();
//!         Ok(self)
//!     }
//! }
//!
//! // One case by hand; in a test module, `store_contract!` makes a test of each.
//! futures::executor::block_on(random_operations_match_a_model::<Memory>());
//! ```

mod atomicity;
mod durability;
mod generator;
mod map;
mod model;

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;

use bytes::Bytes;

use crate::{Batch, Durability, Store};

pub use atomicity::*;
pub use durability::*;
pub use map::*;
pub use model::*;

/// The means by which the suite opens a backend and harms it.
///
/// Whenever the suite calls a method that takes `self`, it has dropped every handle that it got; a
/// crash comes without notice because the harness itself has the store open.
pub trait Harness: Sized {
    /// A handle of the backend.
    type Store: Store + Clone + 'static;

    /// A new and empty store.
    fn fresh() -> impl Future<Output = Self>;

    /// Another handle of the open store.
    fn store(&self) -> Self::Store;

    /// Closes the store in order, and opens it again.
    fn reopen(self) -> impl Future<Output = Self>;

    /// Ends the process without notice, and opens the store in another. `Err`, with the unchanged
    /// harness, if this backend cannot do that.
    fn crash(self) -> impl Future<Output = Result<Self, Self>>;

    /// Cuts the machine's power without notice, and opens the store when it is back. Data that was
    /// not synced is gone or torn, as the seed decides. `Err`, with the unchanged harness, if this
    /// backend cannot do that.
    fn lose_power(self, seed: u64) -> impl Future<Output = Result<Self, Self>>;

    /// Makes the next commit fail. `false` if this backend cannot do that.
    fn fail_next_commit(&self) -> bool {
        false
    }
}

/// Makes a test of each case of the [contract](crate::contract).
///
/// - `store_contract!(MyHarness, #[test], futures::executor::block_on)`: functions that run a case
///   to its end
/// - `store_contract!(MyHarness, #[wasm_bindgen_test], async)`: async functions, for a test
///   attribute that takes those
///
/// The functions have the names of the cases, so each call stands in a module of its own.
#[macro_export]
macro_rules! store_contract {
    (@case (async) $harness:ty, $test:meta, $name:ident) => {
        #[$test]
        async fn $name() {
            $crate::contract::$name::<$harness>().await;
        }
    };
    (@case ($run:path) $harness:ty, $test:meta, $name:ident) => {
        #[$test]
        fn $name() {
            $run($crate::contract::$name::<$harness>());
        }
    };
    (@all $how:tt $harness:ty, $test:meta, $($name:ident)*) => {
        $($crate::store_contract!(@case $how $harness, $test, $name);)*
    };
    (@list $how:tt $harness:ty, $test:meta) => {
        $crate::store_contract!(@all $how $harness, $test,
            a_value_is_put_overwritten_and_deleted
            a_range_is_half_open_and_ordered
            an_empty_or_inverted_range_has_nothing
            several_ranges_are_each_scanned
            keys_and_values_are_any_bytes
            a_megabyte_comes_back
            an_empty_batch_is_committed
            a_batch_is_applied_in_its_order
            every_handle_reads_what_was_committed
            commits_of_many_handles_all_take_effect
            a_scan_never_sees_half_a_batch
            a_failed_commit_leaves_nothing
            a_batch_that_requires_what_is_not_so_changes_nothing
            an_orderly_end_loses_nothing
            what_a_store_keeps_of_itself_is_no_record
            a_crash_of_the_process_loses_nothing
            a_loss_of_power_loses_nothing_strict
            a_strict_commit_makes_earlier_ones_strict
            random_operations_match_a_model
        );
    };
    ($harness:ty, #[$test:meta], async) => {
        $crate::store_contract!(@list (async) $harness, $test);
    };
    ($harness:ty, #[$test:meta], $run:path) => {
        $crate::store_contract!(@list ($run) $harness, $test);
    };
}

/// Every key that the suite uses.
fn everything() -> Range<Bytes> {
    Bytes::new()..Bytes::from_static(&[0xff; 16])
}

async fn contents(store: &impl Store) -> BTreeMap<Bytes, Bytes> {
    let records = store.scan(everything()).await.expect("a scan succeeds");
    let count = records.len();
    let map: BTreeMap<Bytes, Bytes> = records.into_iter().collect();
    assert_eq!(map.len(), count, "a scan has each key once");
    map
}

async fn get(store: &impl Store, key: &'static [u8]) -> Option<Bytes> {
    store.get(key).await.expect("a get succeeds")
}

async fn put(store: &impl Store, key: &'static [u8], value: &'static [u8], durability: Durability) {
    let mut batch = Batch::new();
    batch.put(key, value);
    commit(store, batch, durability).await;
}

async fn commit(store: &impl Store, batch: Batch, durability: Durability) {
    store
        .commit(batch, durability)
        .await
        .expect("a commit succeeds");
}
