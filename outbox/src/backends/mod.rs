//! The stores that come with this crate.

pub(crate) mod memory;
#[cfg(all(feature = "redb", not(target_family = "wasm")))]
pub(crate) mod redb;
