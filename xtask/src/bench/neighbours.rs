//! `cargo xtask bench --neighbours`: the same poll by hustings, and by libraries that keep
//! documents alike.
//!
//! The programs are a workspace of their own, `xtask/bench/neighbours`, so that what they are
//! compared with stays out of this one's lock file. All systems do the same work in one run; a
//! comment at the head of each says how it is used.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::count;
use super::report::{grouped, yes_or_no};
use crate::error::Error;
use crate::process;

const FOLDER: &str = "xtask/bench/neighbours";

/// The participants of each poll.
const PARTICIPANTS: [u64; 3] = [10, 100, 1_000];

/// The most participants of those that take many minutes for more.
const MOST: [(&str, u64); 2] = [("automerge", 100), ("samod", 10)];

/// The functions that callgrind counts one after the other, as the programs name them.
const PHASES: [&str; 4] = [
    "votes_at_hub",
    "votes_at_members",
    "join_at_hub",
    "join_at_member",
];

/// The milliseconds between two votes, of so many.
type Pace = fn(u64) -> u64;

/// The times between two votes of which the bytes are counted, too, and what is said of them. In
/// the other counts each vote has been heard of before the next one is cast.
const PACES: [(&str, Pace); 2] = [
    ("all within ten seconds", |votes| 10_000 / votes),
    ("one in each millisecond", |_| 1),
];

/// The things that a poll needs beside its data, and those that do them.
const DOES: [(&str, [&str; 4]); 6] = [
    (
        "refuses a vote (closed, no such option, removed)",
        ["yes", "no", "no", "a whole peer, by a policy"],
    ),
    (
        "acknowledges a vote when it is durable",
        ["yes", "no", "no", "no"],
    ),
    (
        "counts a vote that comes twice once",
        ["yes", "yes", "yes", "yes"],
    ),
    (
        "authenticates who votes",
        ["yes", "no", "no", "no, but takes an authenticated link"],
    ),
    (
        "keeps who chose what from the others",
        ["if secret", "no", "no", "no"],
    ),
    (
        "persists by itself",
        [
            "with its driver, not counted here",
            "no",
            "no",
            "yes, here in memory",
        ],
    ),
];

/// A system at work.
#[derive(Debug, Clone, PartialEq)]
struct Counted {
    system: String,
    participants: u64,
    votes: u64,
    /// Bytes on all links, for all votes.
    bytes: u64,
    /// The same with less time between the votes, as in [`PACES`].
    paced: [u64; 2],
    join_bytes: u64,
    /// At most, at a time.
    heap: u64,
    /// The hub's heap at the end, and of it the bytes that it has to keep, if it knows.
    kept: Option<(u64, u64)>,
    /// Instructions in each of the phases.
    phases: [u64; 4],
}

/// Builds the programs, counts all systems and writes a table.
pub(super) fn run(out: &Path) -> Result<(), Error> {
    let programs = process::step("build xtask/bench/neighbours", build)?;
    let list = process::stdout(Command::new(programs.join("heap")).arg("--list"))?;
    let mut all = Vec::new();
    for participants in PARTICIPANTS {
        for line in list.lines() {
            let system = line.split('\t').next().unwrap_or(line);
            let most = MOST.iter().find(|(slow, _)| *slow == system);
            if most.is_some_and(|(_, most)| participants > *most) {
                eprintln!("==> {system}: {participants} participants: LEFT OUT, it takes too long");
                continue;
            }
            let what = format!("{system}: {participants} participants");
            let counted = process::step(&what, || count(&programs, system, participants))?;
            all.push(counted);
        }
        // The last ones take minutes: whoever stops them has the others.
        super::write(out, "neighbours.md", &markdown(&all))?;
    }
    print!("{}", markdown(&all));
    Ok(())
}

/// Sees whether the lock file of their workspace is up to date. They are built for comparisons
/// alone, and whoever compares would be the first to find out.
pub(crate) fn check() -> Result<(), Error> {
    let mut update = process::cargo(["update", "--workspace", "--locked", "--quiet"]);
    process::run(update.current_dir(process::root().join(FOLDER)))
}

/// Returns the folder of the programs. They are built in a folder of their own.
fn build() -> Result<PathBuf, Error> {
    let target = process::scratch()?.join("neighbours");
    let mut build = process::cargo(["build", "--release", "--locked", "--target-dir"]);
    build.arg(&target).current_dir(process::root().join(FOLDER));
    process::run(&mut build)?;
    Ok(target.join("release"))
}

fn count(programs: &Path, system: &str, participants: u64) -> Result<Counted, Error> {
    let with_arguments = |program: &str| {
        let mut command = Command::new(programs.join(program));
        command.args([system, &participants.to_string()]);
        command
    };
    let said = process::stdout(&mut with_arguments("heap"))?;
    let ([votes, bytes, join_bytes, heap], kept) = numbers(&said)?;
    let mut paced = [0; 2];
    for (bytes, (_, between)) in paced.iter_mut().zip(PACES) {
        let mut heap = with_arguments("heap");
        let said = process::stdout(heap.arg(between(votes).to_string()))?;
        ([_, *bytes, ..], _) = numbers(&said)?;
    }
    let phases = each_phase(|phase| {
        let counted = format!("--toggle-collect=*{phase}*");
        let name = format!("neighbours.{phase}");
        count::callgrind(&with_arguments("instructions"), &name, Some(counted))
    })?;
    Ok(Counted {
        system: system.to_owned(),
        participants,
        votes,
        bytes,
        paced,
        join_bytes,
        heap,
        kept,
        phases,
    })
}

/// All phases at a time: other work on the machine changes no count.
fn each_phase(
    count: impl Fn(&'static str) -> Result<u64, Error> + Sync,
) -> Result<[u64; 4], Error> {
    let counts = thread::scope(|scope| {
        let count = &count;
        let running = PHASES.map(|phase| scope.spawn(move || count(phase)));
        running.map(|counting| counting.join().unwrap_or_else(|_| Err(panicked())))
    });
    let mut phases = [0; 4];
    for (phase, count) in phases.iter_mut().zip(counts) {
        *phase = count?;
    }
    Ok(phases)
}

fn panicked() -> Error {
    Error::Because("a count of the neighbours has panicked".to_owned())
}

/// Four numbers, and two more of a system that knows what it has to keep.
type Numbers = ([u64; 4], Option<(u64, u64)>);

/// The numbers that the program says, with tabs between.
fn numbers(said: &str) -> Result<Numbers, Error> {
    let numbers: Option<Vec<u64>> = said.split_whitespace().map(|it| it.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[a, b, c, d]) => Ok(([a, b, c, d], None)),
        Some(&[a, b, c, d, kept, content]) => Ok(([a, b, c, d], Some((kept, content)))),
        Some(_) | None => Err(Error::Because(format!(
            "a neighbour says what nobody expects: {said:?}"
        ))),
    }
}

fn markdown(all: &[Counted]) -> String {
    let heads = [
        "participants",
        "system",
        "a vote at the hub, instructions",
        "a vote at each participant",
        "bytes of a vote for each participant",
        "most heap of the hub, bytes",
        "a late join at the hub, instructions",
        "at the newcomer",
        "bytes on all links",
    ];
    let mut text = format!("| {} |\n", heads.join(" | "));
    text += "| ---: | --- |";
    text += &" ---: |".repeat(heads.len() - 2);
    text += "\n";
    for counted in all {
        let votes = counted.votes as f64;
        let people = counted.participants as f64;
        let [at_hub, at_members, join_at_hub, join_at_member] =
            counted.phases.map(|count| count as f64);
        let cells = [
            grouped(people),
            counted.system.clone(),
            grouped(at_hub / votes),
            grouped(at_members / votes / people),
            grouped(counted.bytes as f64 / votes / people),
            grouped(counted.heap as f64),
            grouped(join_at_hub),
            grouped(join_at_member),
            grouped(counted.join_bytes as f64),
        ];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text += &paces(all);
    text += &kept(all);
    text += "\n| | hustings | yrs | automerge | samod |\n| --- | --- | --- | --- | --- |\n";
    for (what, who) in DOES {
        text += &format!("| {what} | {} |\n", who.join(" | "));
    }
    text
}

/// The bytes of a vote as they depend on how many votes come in which time.
fn paces(all: &[Counted]) -> String {
    let heads = PACES.map(|(what, _)| what);
    let mut text = format!(
        "\nBytes of a vote for each participant, by when the votes come:\n\n\
         | participants | system | one after the other | {} |\n| ---: | --- | ---: |{}\n",
        heads.join(" | "),
        " ---: |".repeat(heads.len())
    );
    for counted in all {
        let each = (counted.votes * counted.participants) as f64;
        let all = [counted.bytes].into_iter().chain(counted.paced);
        let cells: Vec<String> = all.map(|bytes| grouped(bytes as f64 / each)).collect();
        let (people, system) = (grouped(counted.participants as f64), &counted.system);
        text += &format!("| {people} | {system} | {} |\n", cells.join(" | "));
    }
    text + PACES_NOTE
}

/// The goal for the hub's heap at the end, by what it has to keep.
const MOST_HEAP: f64 = 2.0;

/// The hub's heap at the end, of those that know what they have to keep.
fn kept(all: &[Counted]) -> String {
    let mut text = "\nThe hub's heap at the end, beside the bytes that it has to keep: the poll, as many bytes of updates (whoever has \
                    missed more gets the poll), the list of those who are there, and what is remembered of commands, votes and links:\n\n\
                    | participants | system | heap | has to keep | ratio | goal |\n| ---: | --- | ---: | ---: | ---: | --- |\n"
        .to_owned();
    for counted in all {
        let Some((heap, content)) = counted.kept else {
            continue;
        };
        let ratio = heap as f64 / content as f64;
        let goal = yes_or_no(ratio <= MOST_HEAP);
        let (people, system) = (grouped(counted.participants as f64), &counted.system);
        let (heap, content) = (grouped(heap as f64), grouped(content as f64));
        text += &format!(
            "| {people} | {system} | {heap} | {content} | {ratio:.1} | ≤ {MOST_HEAP}: {goal} |\n"
        );
    }
    text
}

/// The sentences below it.
const PACES_NOTE: &str = "\nOne after the other, each vote has been heard of by everybody, and 250 ms have passed, before the next \
                          one is cast. Then a secret poll tells a tally for each, which it does at most every 200 ms, by default. \
                          yrs's servers forward each update by itself, however many there are; \"yrs, merged\" is one that would \
                          tell of those of 200 ms together, as hustings does. Those who tell of each vote by itself do not depend \
                          on the time between them.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_say_four_numbers_or_six() {
        let four = [20, 67_500, 5_230, 31_958];
        let said = "20\t67500\t5230\t31958";
        assert_eq!(numbers(&format!("{said}\n")).unwrap(), (four, None));
        let six = (four, Some((17_751, 6_116)));
        assert_eq!(numbers(&format!("{said}\t17751\t6116\n")).unwrap(), six);
        assert!(numbers(&format!("{said}\t17751\n")).is_err());
        assert!(numbers("20\t67500").is_err());
        assert!(numbers("20\tmany\t1\t1").is_err());
    }

    #[test]
    fn counts_are_for_each_vote_and_each_participant() {
        let counted = Counted {
            system: "yrs".to_owned(),
            participants: 10,
            votes: 20,
            bytes: 9_400,
            paced: [9_400, 4_000],
            join_bytes: 880,
            heap: 4_528,
            kept: Some((9_000, 4_500)),
            phases: [200_000, 600_000, 7_000, 8_000],
        };
        let table = markdown(&[counted]);
        let row = "| 10 | yrs | 10,000 | 3,000 | 47 | 4,528 | 7,000 | 8,000 | 880 |";
        assert!(table.lines().any(|line| line == row), "{table}");
        let row = "| 10 | yrs | 47 | 47 | 20 |";
        assert!(table.lines().any(|line| line == row), "{table}");
        let row = "| 10 | yrs | 9,000 | 4,500 | 2.0 | ≤ 2: yes |";
        assert!(table.lines().any(|line| line == row), "{table}");
    }

    #[test]
    fn the_phases_are_those_of_the_programs() {
        let source = std::fs::read_to_string(process::root().join(FOLDER).join("src/lib.rs"));
        let source = source.unwrap();
        for phase in PHASES {
            assert!(source.contains(&format!("fn {phase}<R>(")), "{phase}");
        }
    }
}
