//! Common parts of the scenarios.
//!
//! [`people`] has the people and their frames. [`world`] runs whole processes: drivers over the
//! in-memory network, in virtual time. [`bench`] has one machine by itself, with a test at the
//! other end of its links.

#![allow(dead_code, reason = "every test crate uses another part of it")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

pub(crate) mod bench;
pub(crate) mod disk;
pub(crate) mod drain;
pub(crate) mod people;
pub(crate) mod world;

/// Runs a test with the mending of a fault taken out: it has to fail.
#[cfg(feature = "planted")]
pub(crate) fn without(mending: hustings_protocol::planted::Fault, test: fn()) {
    let ended = hustings_protocol::planted::with(Some(mending), || std::panic::catch_unwind(test));
    assert!(ended.is_err(), "without {mending:?} mended all is well");
}
