//! What the scenarios share.
//!
//! [`people`] says who takes part and what they say. [`world`] runs whole processes: drivers over the
//! in-memory network, in virtual time. [`bench`] has one machine by itself, with a test at the other
//! end of its links.

#![allow(dead_code, reason = "every test crate uses another part of it")]

pub(crate) mod bench;
pub(crate) mod disk;
pub(crate) mod people;
pub(crate) mod world;
