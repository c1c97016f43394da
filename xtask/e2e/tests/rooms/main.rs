//! Rooms in several real browsers: the library as its JavaScript package, with PeerJS and IndexedDB
//! together.
//!
//! Each scenario waits for something that happens, and for how long at most. What was measured is
//! printed: `cargo xtask test --browsers` shows it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod absent;
mod away;
mod frozen;
mod gone;
mod large;
mod member;
mod mission;
mod relayed;
mod stranger;
