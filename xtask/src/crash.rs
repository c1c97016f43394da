//! `cargo xtask crash`: an owner on a real disk, killed under load as often as one likes.

use crate::error::Error;
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number of times that the owner is killed, while its participants go on
    #[arg(long, value_name = "N", default_value_t = 300)]
    kills: u64,
    /// The seed of the moments; what the machine makes of them is never twice the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Kills.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut test = process::room_test("crashes");
    test.env("HUSTINGS_KILLS", args.kills.to_string())
        .env("HUSTINGS_SEED", args.seed.to_string())
        // One test after the other: the numbers that each prints are read by people.
        .args(["kills::", "--", "--nocapture", "--test-threads=1"]);
    let what = format!("{} kills of an owner, with seed {}", args.kills, args.seed);
    process::step(&what, || process::run(&mut test))
}
