//! `cargo xtask bench`: the cost of an operation, in instructions.
//!
//! Instructions, counted by callgrind, are the same on every run and on a loaded machine; times
//! are not. Only what a scenario measures is counted, and not what it has to prepare. Beside them
//! stand bytes: what is kept in memory and on disk.
//!
//! `--neighbours` has the same poll done by libraries that keep documents alike.
//!
//! `--native` has a poll of thousands of programs over real WebRTC, which takes times and bytes,
//! too.
//!
//! `--first-vote` takes the time until somebody's first vote on a slow line is counted.
//!
//! Between browsers there is nothing to count: `--browser` takes times, of this transport and of
//! stock PeerJS in turn, and compares their ratios. `--crowd` has hundreds of people of one poll in
//! four browsers.

mod broker;
mod budget;
mod count;
mod crowd;
mod first_vote;
mod growth;
mod native;
mod neighbours;
mod plot;
mod report;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use self::neighbours::check as check_neighbours;

use self::count::Scenario;
use self::report::Table;
use self::rows::{FLOOR, INSTRUCTIONS, Row};
use crate::error::Error;
use crate::{e2e, process};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number of times that each operation runs; heavy ones run less often
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(1..=u64::MAX / 2))]
    iterations: u64,
    /// Measure the transport against stock PeerJS between two browsers instead
    #[arg(long, conflicts_with_all = ["iterations", "scenarios"])]
    browser: bool,
    /// Count the same poll at automerge, yrs and samod instead
    #[arg(long, conflicts_with_all = ["browser", "iterations", "scenarios", "growth", "budget"])]
    neighbours: bool,
    /// Measure a poll of 100, 1,000 and 5,000 programs over WebRTC on this machine instead
    #[arg(long, group = "people", conflicts_with_all = ["browser", "neighbours", "iterations", "scenarios", "growth", "budget"])]
    native: bool,
    /// Measure what sockets and messages cost the broker and npm's PeerServer instead
    #[arg(long, conflicts_with_all = ["browser", "native", "neighbours", "iterations", "scenarios", "growth", "budget"])]
    broker: bool,
    /// Take the time from a link to the first vote, on a slow line, in the web app and in a page on
    /// stock PeerJS instead
    #[arg(long, conflicts_with_all = ["broker", "browser", "native", "crowd", "neighbours", "iterations", "scenarios", "growth", "budget"])]
    first_vote: bool,
    /// Measure polls in which 30, 90 and 300 people in browsers vote at once instead
    #[arg(long, group = "people", conflicts_with_all = ["browser", "native", "broker", "neighbours", "iterations", "scenarios", "growth", "budget"])]
    crowd: bool,
    /// The number of programs, or of people in browsers, in place of these
    #[arg(long, value_name = "N", requires = "people", value_parser = clap::value_parser!(u64).range(1..=9_000))]
    participants: Option<u64>,
    /// Count, in some minutes, how costs grow with recipients, history, options and people instead
    #[arg(long, conflicts_with_all = ["browser", "scenarios", "budget"])]
    growth: bool,
    /// Count a few hot paths, and fail if one costs more than its budget
    #[arg(long, conflicts_with_all = ["browser", "iterations", "scenarios"])]
    budget: bool,
    /// Keep the counts in this file
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Compare with the counts that were kept in this file
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// The folder for tables and pictures; without it, a folder of the target folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The scenarios to run; all of them if none is named
    scenarios: Vec<String>,
}

/// Counts and prints a table.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    if args.browser {
        return browser(&out(args)?);
    }
    if args.crowd {
        return crowd::run(&out(args)?, args.participants);
    }
    if args.broker {
        return broker::run(&out(args)?);
    }
    if args.first_vote {
        return first_vote::run(&out(args)?);
    }
    if args.native {
        return native::run(&out(args)?, args.participants);
    }
    count::valgrind()?;
    if args.neighbours {
        return neighbours::run(&out(args)?);
    }
    if args.budget {
        return within_budget();
    }
    let program = process::step("build room/benches/cost", || count::build("cost"))?;
    let all = count::scenarios(&program)?;
    if args.growth {
        return grow(args, &program, &all);
    }
    // What cannot be read is said before the work of minutes.
    let before = args.against.as_deref().map(read).transpose()?;
    let chosen = choose(&all, &args.scenarios)?;
    let mut rows = counted(&program, &chosen, args.iterations)?;
    if args.scenarios.is_empty() {
        rows.extend(kept()?);
    }
    let table = Table::new(&rows, before.as_ref());
    print!("{}", table.text());
    write(&out(args)?, "costs.md", &table.markdown())?;
    args.keep
        .as_deref()
        .map_or(Ok(()), |file| keep(file, &rows))
}

/// The sentences below the table of two browsers.
const BROWSER: &str = "\nTwo pages of Chromium on one machine, medians of 15 rounds; a ratio is the median of the ratios of each \
                       round, whose parts had the same machine. Bytes are those of WebRTC's transport: channel, SCTP and DTLS, \
                       without UDP and IP.\n";

/// The sentences below the table of what is kept.
const STORED: &str = "\nVotes in the first seconds after the owner is gone, so each is sent as well, to nobody; medians of 101 rounds, and of 21 where \
                      there are a hundred. Either follows so long a pause, as a person's vote does, or none. The bare transaction has the \
                      bytes that a vote has in the store, and nothing else: no tabs that share it, and no checksums. What ours takes \
                      more is the page's own work, which no disk changes: the ratio is that of a disk that syncs as fast as this one.\n";

/// Measures between two browsers, and in one what is kept, and writes both tables.
fn browser(out: &Path) -> Result<(), Error> {
    let compared = table(&e2e::compare()?) + BROWSER;
    let stored = table(&e2e::stored()?) + STORED;
    let both = format!("{compared}\n{stored}");
    print!("{both}");
    write(out, "browser.md", &both)
}

/// The lines of a table, among all that a program says.
fn table(said: &str) -> String {
    let lines = said.lines().filter(|line| line.starts_with('|'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The rows of some scenarios, and those that are made of them.
fn counted(program: &Path, chosen: &[Scenario], iterations: u64) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for scenario in chosen {
        let count = process::step(&scenario.name, || {
            count::cost(program, scenario, iterations)
        })?;
        rows.push(Row {
            name: scenario.name.clone(),
            count,
            unit: INSTRUCTIONS.to_owned(),
            what: scenario.what.clone(),
        });
    }
    rows.extend(rows::derived(&rows));
    Ok(rows)
}

/// The rows that are no instructions.
fn kept() -> Result<Vec<Row>, Error> {
    let program = process::step("build room/benches/kept", || count::build("kept"))?;
    let kept = process::step("what is kept and written", || count::kept(&program))?;
    let rows = kept.into_iter().map(|kept| Row {
        name: kept.name,
        count: kept.count as f64,
        unit: kept.unit,
        what: kept.what,
    });
    Ok(rows.collect())
}

/// Those with the given names and what they are compared with, or all of them.
fn choose(all: &[Scenario], names: &[String]) -> Result<Vec<Scenario>, Error> {
    let is_there = |name: &str| all.iter().any(|scenario| scenario.name == name);
    let known = |name: &str| is_there(name) || rows::names_of_derived().any(|it| it == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<_> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        let known = known.join(", ");
        return Err(Error::Because(format!(
            "there is no scenario {unknown}, only {known}"
        )));
    }
    let mut needed: BTreeSet<&str> = names.iter().flat_map(|name| rows::needed(name)).collect();
    needed.insert(FLOOR);
    let chosen = |scenario: &&Scenario| names.is_empty() || needed.contains(scenario.name.as_str());
    Ok(all.iter().filter(chosen).cloned().collect())
}

fn within_budget() -> Result<(), Error> {
    let budget = budget::read()?;
    let program = process::step("build room/benches/cost", || count::build("cost"))?;
    let names: Vec<String> = budget.keys().cloned().collect();
    let chosen = choose(&count::scenarios(&program)?, &names)?;
    let rows = counted(&program, &chosen, budget::ITERATIONS)?;
    print!("{}", budget::judge(&rows, &budget)?);
    Ok(())
}

fn grow(args: &Args, program: &Path, scenarios: &[Scenario]) -> Result<(), Error> {
    let panels = growth::measure(program, scenarios, args.iterations)?;
    let tables = growth::markdown(&panels);
    print!("{tables}");
    let out = out(args)?;
    write(&out, "growth.md", tables.trim_start())?;
    let title = "Instructions for one operation, as things grow";
    write(&out, "growth.svg", &plot::svg(title, &panels))
}

fn out(args: &Args) -> Result<PathBuf, Error> {
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => process::scratch()?.join("bench"),
    };
    fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
    Ok(folder)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(Error::file("write", &path))?;
    eprintln!("==> {}", path.display());
    Ok(())
}

/// Keeps counts for a later comparison: a JSON object of numbers.
fn keep(file: &Path, rows: &[Row]) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(&rows::by_name(rows))
        .expect("a map of texts to numbers is JSON");
    fs::write(file, text + "\n").map_err(Error::file("write", file))
}

fn read(file: &Path) -> Result<BTreeMap<String, f64>, Error> {
    let text = fs::read(file).map_err(Error::file("read", file))?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::Because(format!(
            "{} was not written by --keep: {error}",
            file.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Result<Vec<String>, Error> {
        let all = ["floor", "command", "handshake", "sign-verify", "envelope"];
        let all: Vec<_> = all.map(count::tests::named).to_vec();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let chosen = choose(&all, &names)?.into_iter();
        Ok(chosen.map(|scenario| scenario.name).collect())
    }

    #[test]
    fn what_one_is_compared_with_is_among_the_chosen() {
        assert_eq!(chosen(&["command"]).unwrap(), ["floor", "command"]);
        let with_yardstick = ["floor", "handshake", "sign-verify"];
        assert_eq!(chosen(&["handshake"]).unwrap(), with_yardstick);
        assert_eq!(chosen(&[]).unwrap().len(), 5);
        assert_eq!(
            chosen(&["c"]).unwrap_err().to_string(),
            "there is no scenario c, only floor, command, handshake, sign-verify, envelope"
        );
    }

    #[test]
    fn a_table_is_found_among_all_that_a_program_says() {
        let said = "running 1 test\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\nok\n";
        assert_eq!(table(said), "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
    }

    #[test]
    fn what_is_kept_can_be_read() {
        let folder = process::scratch().unwrap();
        let file = folder.join("kept-by-a-test.json");
        let row = Row {
            name: "command".to_owned(),
            count: 15_539.2,
            unit: INSTRUCTIONS.to_owned(),
            what: String::new(),
        };
        keep(&file, &[row]).unwrap();
        assert_eq!(read(&file).unwrap()["command"], 15_539.2);
        fs::write(&file, "[]").unwrap();
        assert!(read(&file).is_err());
        fs::remove_file(&file).unwrap();
    }
}
