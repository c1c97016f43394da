//! `cargo xtask bench --broker`: sockets and messages at the broker and at npm's PeerServer.
//!
//! The test that measures is `transport-peerjs/tests/costs_beside_npm.rs`.

use std::path::Path;

use crate::error::Error;
use crate::process;

/// The sentences below the table.
const NOTE: &str = "\nBoth with their defaults, in one run: 1,000 sockets, and 20,000 offers of 300 bytes between 500 pairs, who \
                    take processors, too. Memory is what is a process's own; µs are of a processor.\n";

/// Measures both and writes a table.
pub(super) fn run(out: &Path) -> Result<(), Error> {
    process::npm_packages()?;
    let test = "test --release --package hustings-transport-peerjs --features broker \
                --test costs_beside_npm -- --ignored --nocapture";
    let said = process::stdout(&mut process::cargo(test.split_whitespace()))?;
    let table = super::table(&said) + NOTE;
    print!("{table}");
    super::write(out, "broker.md", &table)
}
