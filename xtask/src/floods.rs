//! `cargo xtask floods`: the same floods at the broker and at npm's PeerServer, as a table.

use crate::error::Error;
use crate::process;

/// Runs them. It fails where the broker does not serve; what PeerServer does is only printed.
pub(crate) fn run() -> Result<(), Error> {
    process::npm_packages()?;
    let mut floods = process::tests(&["side_by_side"]);
    process::run(floods.args(["--", "--ignored", "--nocapture"]))
}
