//! `cargo xtask bench`: the cost of an operation, in instructions.
//!
//! Instructions, counted by callgrind, are the same on every run and on a loaded machine; times
//! are not. Each scenario runs `n` and `2n` times, and the difference leaves out what starting the
//! program and preparing the scenario cost.
//!
//! Between browsers there is nothing to count: `--browser` takes times, of this transport and of
//! stock PeerJS in turn, and compares their ratio.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::{e2e, process};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number of times that each operation runs in the shorter of the two runs
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(1..=u64::MAX / 2))]
    iterations: u64,
    /// Measure the transport against stock PeerJS between two browsers instead
    #[arg(long, conflicts_with_all = ["iterations", "scenarios"])]
    browser: bool,
    /// The scenarios to run; all of them if none is named
    scenarios: Vec<String>,
}

/// The scenario that all others are compared with: decoding one command and encoding its ack.
const FLOOR: &str = "floor";

/// Something whose cost the program can count.
#[derive(Debug, PartialEq, Eq)]
struct Scenario {
    name: String,
    /// The work of one iteration.
    unit: String,
}

/// Counts and prints a table.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    if args.browser {
        return e2e::compare();
    }
    if process::capture(Command::new("valgrind").arg("--version")).is_err() {
        let missing = "cargo xtask bench needs valgrind: install it (Debian's package valgrind)";
        return Err(Error::Because(missing.to_owned()));
    }
    let program = process::step("build the scenarios", build)?;
    let all = scenarios(&process::stdout(Command::new(&program).arg("--list"))?);
    let chosen = choose(all, &args.scenarios)?;
    let mut costs = Vec::new();
    for scenario in chosen {
        let what = format!("{}: {} and twice as many", scenario.name, args.iterations);
        let cost = process::step(&what, || cost(&program, &scenario.name, args.iterations))?;
        costs.push((scenario, cost));
    }
    print!("{}", table(&costs));
    Ok(())
}

/// Builds `room/benches/cost.rs`, and says where the program is.
fn build() -> Result<PathBuf, Error> {
    let cost = ["--package", "hustings-room", "--bench", "cost"];
    let mut build = process::cargo(["build", "--release", "--features", "driver"]);
    build
        .args(cost)
        .arg("--message-format=json-render-diagnostics");
    build.stderr(Stdio::inherit());
    executable(&process::stdout(&mut build)?).ok_or_else(|| {
        Error::Because("cargo does not say where it has put room/benches/cost.rs".to_owned())
    })
}

/// The program that cargo has built, by its messages: a JSON object on each line.
fn executable(messages: &str) -> Option<PathBuf> {
    let mut programs = messages.lines().filter_map(|line| {
        let (_, path) = line.split_once(r#""executable":""#)?;
        Some(path.split_once('"')?.0)
    });
    programs.next_back().map(PathBuf::from)
}

/// The scenarios in the program's list: a name, a tab and the unit on each line.
fn scenarios(list: &str) -> Vec<Scenario> {
    let named = list.lines().filter(|line| !line.trim().is_empty());
    named
        .map(|line| {
            let (name, unit) = line.split_once('\t').unwrap_or((line, ""));
            Scenario {
                name: name.trim().to_owned(),
                unit: unit.trim().to_owned(),
            }
        })
        .collect()
}

/// Those with the given names and the floor, or all of them.
fn choose(all: Vec<Scenario>, names: &[String]) -> Result<Vec<Scenario>, Error> {
    let known = |name: &str| all.iter().any(|scenario| scenario.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<_> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        let known = known.join(", ");
        return Err(Error::Because(format!(
            "there is no scenario {unknown}, only {known}"
        )));
    }
    let chosen = |scenario: &Scenario| {
        names.is_empty() || scenario.name == FLOOR || names.contains(&scenario.name)
    };
    Ok(all.into_iter().filter(chosen).collect())
}

/// Instructions of one operation.
fn cost(program: &Path, scenario: &str, iterations: u64) -> Result<u64, Error> {
    let once = total(program, scenario, iterations)?;
    let twice = total(program, scenario, 2 * iterations)?;
    let difference = twice.checked_sub(once).ok_or_else(|| {
        Error::Because(format!(
            "{scenario} cost less with more iterations: nothing was measured"
        ))
    })?;
    Ok((difference + iterations / 2) / iterations)
}

/// Instructions of a whole run.
fn total(program: &Path, scenario: &str, iterations: u64) -> Result<u64, Error> {
    let profile = process::scratch()?.join(format!("callgrind.{scenario}.{iterations}"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind
        .arg(program)
        .arg(scenario)
        .arg(iterations.to_string());
    process::stdout(&mut valgrind)?;
    let text = fs::read(&profile).map_err(Error::file("read", &profile))?;
    instructions(&String::from_utf8_lossy(&text)).ok_or_else(|| {
        Error::Because(format!(
            "callgrind left no instruction count in {}",
            profile.display()
        ))
    })
}

/// The sum in a callgrind profile, whose one event is `Ir`.
fn instructions(profile: &str) -> Option<u64> {
    let sums = profile.lines().rev().filter_map(|line| {
        line.strip_prefix("totals:")
            .or_else(|| line.strip_prefix("summary:"))
    });
    sums.filter_map(|sum| sum.split_whitespace().next()?.parse().ok())
        .next()
}

fn table(costs: &[(Scenario, u64)]) -> String {
    let floor = costs
        .iter()
        .find(|(scenario, _)| scenario.name == FLOOR)
        .map(|(_, cost)| *cost);
    let width = costs
        .iter()
        .map(|(scenario, _)| scenario.name.len())
        .max()
        .unwrap_or(0)
        .max(8);
    let mut table = format!(
        "{:<width$}  {:>12}  {:>7}  what\n",
        "scenario", "instructions", "of F"
    );
    for (Scenario { name, unit }, cost) in costs {
        let ratio = match floor {
            Some(floor) if floor > 0 => format!("{:.2}", *cost as f64 / floor as f64),
            Some(_) | None => "-".to_owned(),
        };
        table += &format!("{name:<width$}  {cost:>12}  {ratio:>7}  {unit}\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(name: &str, unit: &str) -> Scenario {
        Scenario {
            name: name.to_owned(),
            unit: unit.to_owned(),
        }
    }

    #[test]
    fn a_profile_ends_with_its_total() {
        let profile = "version: 1\nevents: Ir\nsummary: 7\n\nfn=(0)\n16 3\n\ntotals: 8213\n";
        assert_eq!(instructions(profile), Some(8213));
        assert_eq!(instructions("events: Ir\nsummary: 7 \n"), Some(7));
        assert_eq!(instructions("events: Ir\n"), None);
    }

    #[test]
    fn the_program_is_the_one_that_was_built() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","executable":null,"fresh":true}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/built/cost-1","fresh":true}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/built/cost-1")));
        assert_eq!(executable(r#"{"executable":null}"#), None);
    }

    #[test]
    fn a_list_has_names_and_units() {
        let list = "floor\tdecode a command, encode its ack\ncommand\tone vote\n\nbare\n";
        let expected = [
            scenario("floor", "decode a command, encode its ack"),
            scenario("command", "one vote"),
            scenario("bare", ""),
        ];
        assert_eq!(scenarios(list), expected);
    }

    #[test]
    fn the_floor_is_always_among_the_chosen() {
        let all = || vec![scenario("floor", ""), scenario("a", ""), scenario("b", "")];
        let chosen = choose(all(), &["b".to_owned()]).unwrap();
        assert_eq!(chosen, [scenario("floor", ""), scenario("b", "")]);
        let unknown = choose(all(), &["c".to_owned()]).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "there is no scenario c, only floor, a, b"
        );
    }

    #[test]
    fn the_table_compares_with_the_floor() {
        let costs = [
            (scenario("floor", "F"), 8000),
            (scenario("command", "one vote"), 14_000),
        ];
        let expected = "\
scenario  instructions     of F  what
floor             8000     1.00  F
command          14000     1.75  one vote
";
        assert_eq!(table(&costs), expected);
    }
}
