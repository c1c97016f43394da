//! The stores that come with this crate.

#[cfg(target_family = "wasm")]
pub(crate) mod indexeddb;
pub(crate) mod memory;
#[cfg(all(feature = "redb", not(target_family = "wasm")))]
pub(crate) mod redb;
