//! TURN at the broker: a client that is not ours uses it, and strangers do not.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect fails it"
)]
#![allow(dead_code, reason = "other tests use more of what they share")]

#[path = "../client/mod.rs"]
mod client;
#[path = "../harness/mod.rs"]
mod harness;

mod bounds;
mod handed_out;
mod networks;
mod raw;
mod relayed;
mod requests;
mod served;
mod user;
