//! The protocol and the room in a browser: the same code as everywhere, on the page's clock,
//! timers, randomness and storage.
//!
//! `cargo xtask test --browsers` runs it. The rules and the state machines do not depend on the
//! target and are tested natively; these are the tests of the parts that do.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod clock;
mod crash;
mod vectors;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
