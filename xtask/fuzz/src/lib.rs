//! Targets for coverage-guided fuzzing: plain functions of bytes that panic where something that is
//! promised does not hold. `cargo xtask fuzz` looks for such bytes with libFuzzer; `tests/replay.rs`
//! runs what it has found so far, in `corpus/`, with every other test.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a panic is what a target says a fault with"
)]

mod input;
mod people;
// Where `room` has it, for its own tests.
#[allow(dead_code, unused_imports, reason = "those tests use all of it")]
#[path = "../../../room/tests/sim/mod.rs"]
mod sim;
mod targets;

pub use targets::TARGETS;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Panics if these bytes show a fault.
    pub run: fn(&[u8]),
}

impl Target {
    /// Runs it; with the feature `stubbed`, with hashes in place of signatures.
    pub fn run_quickly(self, bytes: &[u8]) {
        hustings_protocol::planted::with_stubbed_signatures(true, || (self.run)(bytes));
    }
}

/// The target with this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}
