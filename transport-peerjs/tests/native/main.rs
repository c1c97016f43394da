//! The transport for programs, with others of its kind, through the broker and on loopback.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect fails it"
)]

mod contract;
mod crowded;
mod cuts;
mod diagnostics;
mod doors;
mod hostile;
mod moving;
#[cfg(target_os = "linux")]
mod nats;
mod network;
mod opening;
mod outside;
mod person;
mod relayed;
mod rooms;
mod side;
mod stock;
mod tls;
