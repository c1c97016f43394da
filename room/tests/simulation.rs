//! Random schedules of joins, submits, cuts, crashes and restarts, held against the guarantees.
//!
//! `cargo xtask sim --seed S --steps N` replays one schedule and prints what happens. The environment
//! says the same: `HUSTINGS_SEED`, `HUSTINGS_STEPS`; `HUSTINGS_RUNS` sets how many are tried.

mod sim;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use sim::{Plan, Plant, run};

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let value = text.parse().ok();
    assert!(value.is_some(), "{name} is not a number: {text}");
    value
}

#[test]
fn random_schedules_keep_every_guarantee() {
    if let Some(seed) = from_environment("HUSTINGS_SEED") {
        let steps = from_environment("HUSTINGS_STEPS").unwrap_or(Plan::STEPS);
        let report = run(&Plan {
            is_verbose: true,
            ..Plan::new(seed, steps)
        });
        match report {
            Ok(report) => println!("held: {report:?}"),
            Err(violation) => panic!("{violation}"),
        }
        return;
    }
    let config = Config {
        cases: from_environment("HUSTINGS_RUNS").unwrap_or(256),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    };
    // Fewer steps of the same seed are a prefix of its schedule, so shrinking finds where it breaks.
    TestRunner::new(config)
        .run(
            &(any::<u64>().no_shrink(), 1..=Plan::STEPS),
            |(seed, steps)| {
                run(&Plan::new(seed, steps)).map(drop).map_err(|violation| {
                    TestCaseError::fail(format!(
                        "replay: cargo xtask sim --seed {seed} --steps {steps}\n{violation}"
                    ))
                })
            },
        )
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..16 {
        let plan = Plan::new(seed, Plan::STEPS);
        let (first, second) = (run(&plan).unwrap(), run(&plan).unwrap());
        assert_eq!(first, second, "seed {seed}");
    }
    let other = Plan::new(99, Plan::STEPS);
    assert_ne!(
        run(&other).unwrap().trace,
        run(&Plan::new(0, Plan::STEPS)).unwrap().trace
    );
}

#[test]
fn the_schedules_reach_what_they_should() {
    let mut total = sim::Report::default();
    for seed in 0..64 {
        total.add(&run(&Plan::new(seed, Plan::STEPS)).unwrap());
    }
    println!("{total:?}");
    let sim::Report {
        trace: _,
        applied,
        rejected,
        resent,
        crashes,
        torn,
        failed,
        links,
        snapshots,
        blocked,
    } = total;
    for (what, count) in [
        ("applied", applied),
        ("rejected", rejected),
        ("resent", resent),
        ("crashes", crashes),
        ("torn", torn),
        ("failed", failed),
        ("links", links),
        ("snapshots", snapshots),
        ("blocked", blocked),
    ] {
        assert!(count >= 50, "only {count} {what} in 64 schedules");
    }
}

#[test]
fn planted_bugs_are_caught() {
    for plant in Plant::ALL {
        let caught = (0..200).any(|seed| {
            run(&Plan {
                plant: Some(plant),
                ..Plan::new(seed, Plan::STEPS)
            })
            .is_err()
        });
        assert!(caught, "{plant:?} went unnoticed");
    }
}
