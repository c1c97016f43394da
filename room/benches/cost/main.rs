//! The cost of one operation, as a count of instructions: `cargo xtask bench`.
//!
//! `cost --list` names the scenarios; `cost <scenario> <iterations>` runs one. A name that ends in
//! a number (`broadcast-1000`) may have any other in its place. Everything that a scenario needs is
//! made outside of [`measured`], which alone callgrind is told to count; where other threads take
//! part it counts whole runs, and the difference between two leaves the preparations out.

mod driven;
mod members;
mod owner;
mod stored;

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the other programs beside this one use the rest")]
mod common;
#[path = "../../tests/common/drain.rs"]
mod drain;

use std::process::ExitCode;

use bytes::Bytes;

/// The part of a run that counts.
#[derive(Clone, Copy)]
enum Counted {
    /// The functions that are [`measured`].
    Measured,
    /// All of it: others threads do a part of the work.
    Whole,
}

/// A scenario's iterations, with a size where it has one.
type Run = fn(usize, u64);

/// Something whose cost can be counted.
struct Scenario {
    name: &'static str,
    /// The sizes that are measured if nobody asks for another; none if there is no size.
    sizes: &'static [u64],
    /// The cost of an iteration, very roughly in thousands of votes at an owner: it runs so much
    /// less often.
    weight: u64,
    counted: Counted,
    what: &'static str,
    run: Run,
}

impl Scenario {
    const fn new(name: &'static str, run: Run, what: &'static str) -> Self {
        Self {
            name,
            sizes: &[],
            weight: 1,
            counted: Counted::Measured,
            what,
            run,
        }
    }

    const fn sizes(mut self, sizes: &'static [u64]) -> Self {
        self.sizes = sizes;
        self
    }

    const fn weight(mut self, weight: u64) -> Self {
        self.weight = weight;
        self
    }

    const fn whole(mut self) -> Self {
        self.counted = Counted::Whole;
        self
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        // `cargo bench` says the second: there is nothing to time.
        ["--list" | "--bench"] => {
            for scenario in scenarios() {
                list(&scenario);
            }
            ExitCode::SUCCESS
        }
        [name, iterations] => {
            if let (Some((run, size)), Ok(iterations)) = (find(name), iterations.parse()) {
                run(iterations, size);
                return ExitCode::SUCCESS;
            }
            eprintln!("cost: there is no scenario {name}, or {iterations} is no number");
            ExitCode::from(2)
        }
        _ => {
            eprintln!("usage: cost --list | cost <scenario> <iterations>");
            ExitCode::from(2)
        }
    }
}

fn scenarios() -> impl Iterator<Item = Scenario> {
    let owner = owner::SCENARIOS.into_iter();
    owner
        .chain(members::SCENARIOS)
        .chain(driven::SCENARIOS)
        .chain(stored::SCENARIOS)
}

fn list(scenario: &Scenario) {
    let Scenario {
        name,
        sizes,
        weight,
        counted,
        what,
        ..
    } = scenario;
    let counted = match counted {
        Counted::Measured => "measured",
        Counted::Whole => "whole",
    };
    if sizes.is_empty() {
        println!("{name}\t{weight}\t{counted}\t{what}");
    }
    for size in *sizes {
        let what = what.replace('#', &size.to_string());
        println!("{name}-{size}\t{weight}\t{counted}\t{what}");
    }
}

fn find(name: &str) -> Option<(Run, u64)> {
    let with_size = name
        .rsplit_once('-')
        .and_then(|(name, size)| Some((name, size.parse().ok()?)));
    scenarios().find_map(|scenario| match with_size {
        Some((name, size)) if !scenario.sizes.is_empty() && name == scenario.name => {
            Some((scenario.run, size))
        }
        _ => (scenario.sizes.is_empty() && name == scenario.name).then_some((scenario.run, 0)),
    })
}

/// The work that is counted; callgrind knows it by this name. It must not lie in itself.
#[inline(never)]
fn measured<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Frames, made some at a time, so that any number of them fits into memory, and outside of what is
/// counted.
fn each_frame(iterations: usize, mut make: impl FnMut() -> Bytes, mut work: impl FnMut(&Bytes)) {
    let mut left = iterations;
    while left > 0 {
        let frames: Vec<Bytes> = (0..left.min(1_024)).map(|_| make()).collect();
        left -= frames.len();
        measured(|| frames.iter().for_each(&mut work));
    }
}
