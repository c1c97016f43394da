//! `cargo xtask floods`: the same floods at the broker and at npm's PeerServer, as a table.

use crate::error::Error;
use crate::process;

/// Runs them. It fails where the broker does not serve; what PeerServer does is only printed.
pub(crate) fn run() -> Result<(), Error> {
    process::npm_packages()?;
    let test = "test --workspace --all-features --test side_by_side -- \
                --ignored --nocapture";
    process::run(&mut process::cargo(test.split_whitespace()))
}
