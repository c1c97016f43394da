//! The store of a browser and its tabs, in a browser.
//!
//! `cargo xtask test --browsers` runs it. A page cannot kill itself, fill the disk or have a second
//! tab at will: [`page`] uses frames for some of this, and replaces the browser's answers for the
//! rest.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod contract;
mod export;
mod indexeddb;
mod lease;
mod locks;
mod page;
mod tabs;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
