//! The command as people and scripts have it: processes, the broker, and the disk.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect fails it"
)]

mod crowd;
mod documents;
mod ends;
mod everyday;
mod invited;
mod kept;
mod refused;
mod scene;
mod secrets;
mod watched;
