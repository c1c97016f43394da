//! `cargo xtask sim`: the simulator, over many seeds or once more over one that failed.

use crate::error::Error;
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Replay this seed alone, with its whole trace
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Stop each schedule after so many steps, as a failure says that was found with fewer
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Only schedules of this kind, such as `hostile`; without it each seed says what goes wrong
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Put back a fault that was mended, such as `OwnerJoins`
    #[arg(long, value_name = "FAULT")]
    fault: Option<String>,
    /// The number of seeds to run
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// The number of threads [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Tell every short story with a crash at every boundary, and at every two
    #[arg(long, conflicts_with_all = ["seed", "story"])]
    points: bool,
    /// Tell this short story alone, such as `a vote`, with its whole trace
    #[arg(long, value_name = "NAME", conflicts_with = "seed")]
    story: Option<String>,
    /// The boundaries at which it crashes, such as `12,15`
    #[arg(long, value_name = "NUMBERS", requires = "story")]
    crash: Option<String>,
    /// The crashes are those of the machine, with all that is not synced
    #[arg(long, requires = "story")]
    power: bool,
}

/// The one test that looks at the seeds.
const FRONT_END: &str = "random_schedules_keep_every_guarantee";

/// The one that tells stories.
const STORIES: &str = "every_crash_point_keeps_every_guarantee";

/// Runs the simulator.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut test = process::room_test("simulation");
    let mut front_end = FRONT_END;
    let what = if let Some(story) = &args.story {
        front_end = STORIES;
        test.env("HUSTINGS_STORY", story)
            .env("HUSTINGS_CRASH", args.crash.as_deref().unwrap_or_default())
            .env("HUSTINGS_POWER", args.power.to_string());
        format!("the story of {story}")
    } else if args.points {
        front_end = STORIES;
        test.arg("--release").env("HUSTINGS_POINTS", "true");
        "the stories, with every two crashes".to_owned()
    } else if let Some(seed) = args.seed {
        test.env("HUSTINGS_SEED", seed.to_string());
        format!("the simulator with seed {seed}")
    } else {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = args.jobs.unwrap_or(cores);
        test.arg("--release")
            .env("HUSTINGS_SEEDS", args.seeds.to_string())
            .env("HUSTINGS_FROM", args.from.to_string())
            .env("HUSTINGS_JOBS", jobs.to_string());
        format!("the simulator, {} seeds on {jobs} threads", args.seeds)
    };
    if let Some(steps) = args.steps {
        test.env("HUSTINGS_STEPS", steps.to_string());
    }
    if let Some(kind) = &args.kind {
        test.env("HUSTINGS_KIND", kind);
    }
    if let Some(fault) = &args.fault {
        test.env("HUSTINGS_FAULT", fault);
    }
    test.args([front_end, "--", "--nocapture"]);
    process::step(&what, || process::run(&mut test))
}
