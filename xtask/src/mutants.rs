//! `cargo xtask mutants`: small changes of the code, one at a time, each of which has to turn a test
//! red.

use std::path::PathBuf;

use crate::error::Error;
use crate::{process, release};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change these files alone, such as `room/src/owner.rs`; without any, all of `protocol`,
    /// `outbox` and `room`
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// List the changes, and make none
    #[arg(long)]
    list: bool,
    /// Leave out what an earlier run has found to be noticed
    #[arg(long)]
    iterate: bool,
    /// The number of changes that are tested at a time, each in a copy of the workspace
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
}

/// The crates whose tests have to notice every change.
const PACKAGES: [&str; 3] = ["hustings-protocol", "hustings-outbox", "hustings-room"];

/// The schedules of the simulator for each change: enough to find what no scenario finds, and over
/// in two seconds.
const SEEDS: &str = "20";

/// Runs cargo-mutants, whose settings are in `.cargo/mutants.toml`.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    release::tool("mutants")?;
    let mut mutants = process::cargo(["mutants", "--no-shuffle", "--colors", "never"]);
    mutants.env("HUSTINGS_SEEDS", SEEDS);
    // A test of changed code needs no symbols, and the copies are linked a thousand times.
    mutants.env("CARGO_PROFILE_DEV_DEBUG", "0");
    for package in PACKAGES {
        mutants.args(["--package", package]);
    }
    for file in &args.files {
        mutants.arg("--file").arg(file);
    }
    if args.list {
        mutants.arg("--list");
        return process::run(&mut mutants);
    }
    if args.iterate {
        mutants.arg("--iterate");
    }
    mutants.args(["--jobs", &args.jobs.to_string(), "--output"]);
    mutants.arg(process::target());
    process::step("cargo mutants", || process::run(&mut mutants))
}
