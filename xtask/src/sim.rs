//! `cargo xtask sim`: the simulator, over many seeds or once more over one that failed.

use crate::error::Error;
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Replay this seed alone, with its whole trace
    #[arg(long, value_name = "N", conflicts_with = "runs")]
    seed: Option<u64>,
    /// Stop the replay after so many steps, as a failure says that was found with fewer
    #[arg(long, value_name = "N", requires = "seed")]
    steps: Option<u64>,
    /// The number of seeds to run
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
}

/// The one test that looks at the seed; a replay runs no other.
const REPLAYED: &str = "random_schedules_keep_every_guarantee";

/// Runs the simulator.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut test = process::cargo(["test", "--package", "hustings-room", "--test", "simulation"]);
    let mut what = "the simulator".to_owned();
    if let Some(seed) = args.seed {
        what = format!("the simulator with seed {seed}");
        test.arg(REPLAYED).env("HUSTINGS_SEED", seed.to_string());
    }
    if let Some(steps) = args.steps {
        test.env("HUSTINGS_STEPS", steps.to_string());
    }
    if let Some(runs) = args.runs {
        what = format!("the simulator, {runs} runs");
        test.env("HUSTINGS_RUNS", runs.to_string());
    }
    test.args(["--", "--nocapture"]);
    process::step(&what, || process::run(&mut test))
}
