//! The transport in a browser: real WebRTC between the sides of one page.
//!
//! The tests need a signalling server, whose port they are built with: `HUSTINGS_BROKER=9000`.
//! Those of attacks (attacker.rs) need one more, `HUSTINGS_ATTACKER=9001`, which is
//! `xtask/attacker`. Those with stock PeerJS (stock.rs, js_client.rs) need `npm ci` in
//! `tests/npm`.

#![cfg(target_family = "wasm")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod attacker;
mod contract;
mod ends;
mod floods;
mod js_client;
mod links;
mod page;
mod people;
mod rooms;
mod side;
mod stock;
mod wiretap;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
