//! `cargo xtask bench --first-vote`: from a click on a link to a vote that is counted, on a slow
//! line.
//!
//! The program that measures is `xtask/e2e/src/bin/first-vote.rs`.

use std::path::Path;

use crate::e2e;
use crate::error::Error;

/// The sentences below the table.
const NOTE: &str = "\nChromium, with the voter's network as DevTools emulates it: 150 ms of latency, 1.44 Mbit/s down, 675 kbit/s \
                    up; without a cache, and whoever votes does so as soon as the page lets them. The host's browser is on the \
                    same machine and is not slowed down. Medians of five, and the slowest of them. Goals: 350 KB, 2.5 s, and \
                    4 s on the slow processor. The page on stock PeerJS keeps nothing, and proves nobody's identity.\n";

/// Measures both and writes a table.
pub(super) fn run(out: &Path) -> Result<(), Error> {
    let table = super::table(&e2e::first_vote()?) + NOTE;
    print!("{table}");
    super::write(out, "first-vote.md", &table)
}
