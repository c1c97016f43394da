//! `cargo xtask bench --native`: a poll of programs over real WebRTC on loopback.
//!
//! These are times and bytes, and no instructions: other work on the machine makes them worse. The
//! program is `xtask/bench/native`; `transport-mem` stands beside WebRTC, to see what that costs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use super::report::{grouped, yes_or_no};
use crate::error::Error;
use crate::process;

/// The participants of each poll, unless somebody asks for another number.
const PARTICIPANTS: [u64; 3] = [100, 1_000, 5_000];

/// Most participants of a poll with open ballots: everybody is told of every vote, which grows with
/// the square.
const MOST_OPEN: u64 = 1_000;

/// Most bytes of a quiet link at its owner.
const GOAL_BYTES: f64 = 150.0 * 1024.0;

/// Participants from which on all vote within a minute, and not at once.
const MANY: u64 = 5_000;
const MINUTE: u64 = 60;

/// The figures of one poll, by the names that the program gives them.
struct Measured {
    participants: u64,
    is_secret: bool,
    is_webrtc: bool,
    figures: BTreeMap<String, f64>,
}

/// Builds the program, measures all polls and writes a table.
pub(super) fn run(out: &Path, participants: Option<u64>) -> Result<(), Error> {
    let program = process::step("build xtask/bench/native", || {
        process::run(&mut process::cargo([
            "build",
            "--release",
            "--package",
            "hustings-bench-native",
        ]))?;
        Ok(process::target().join("release/hustings-bench-native"))
    })?;
    let sizes = participants.map_or(PARTICIPANTS.to_vec(), |one| vec![one]);
    let mut all = Vec::new();
    for participants in sizes {
        for is_secret in [false, true] {
            let is_left_out = !is_secret && participants > MOST_OPEN && all.len() > 1;
            for is_webrtc in [true, false] {
                if is_left_out {
                    continue;
                }
                let what = format!(
                    "{participants} people, {}, {}",
                    ballots(is_secret),
                    network(is_webrtc)
                );
                all.push(process::step(&what, || {
                    measure(&program, participants, is_secret, is_webrtc)
                })?);
            }
            // The last ones take minutes: whoever stops them has the others.
            super::write(out, "native.md", &markdown(&all))?;
        }
    }
    print!("{}", markdown(&all));
    Ok(())
}

fn measure(
    program: &Path,
    participants: u64,
    is_secret: bool,
    is_webrtc: bool,
) -> Result<Measured, Error> {
    let mut command = Command::new(program);
    command.args(["run", "--participants", &participants.to_string()]);
    command.args(is_secret.then_some("--secret"));
    command.args((!is_webrtc).then_some("--mem"));
    command.args(["--over", &over(participants).to_string()]);
    command.stderr(Stdio::inherit());
    let said = process::stdout(&mut command)?;
    Ok(Measured {
        participants,
        is_secret,
        is_webrtc,
        figures: figures(&said)?,
    })
}

/// The figures that the program says: a name and a number on each line.
fn figures(said: &str) -> Result<BTreeMap<String, f64>, Error> {
    let figure = |line: &str| {
        let (name, number) = line.split_once('\t')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    said.lines()
        .map(|line| {
            let unexpected = || Error::Because(format!("the program says {line:?}"));
            figure(line).ok_or_else(unexpected)
        })
        .collect()
}

/// The seconds within which all vote.
fn over(participants: u64) -> u64 {
    if participants < MANY { 0 } else { MINUTE }
}

fn ballots(is_secret: bool) -> &'static str {
    if is_secret { "secret" } else { "open" }
}

fn network(is_webrtc: bool) -> &'static str {
    if is_webrtc { "WebRTC" } else { "in memory" }
}

impl Measured {
    fn get(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }

    /// A figure for each participant, in other units.
    fn each(&self, name: &str, factor: f64) -> Option<f64> {
        Some(self.get(name)? * factor / self.participants as f64)
    }

    fn in_a_second(&self, name: &str) -> Option<f64> {
        Some(self.participants as f64 * 1_000.0 / self.get(name)?.max(1.0))
    }

    fn kept(&self, name: &str) -> Option<f64> {
        let more = self.get(name)? - self.get("idle KiB before")?;
        Some(more / self.participants as f64)
    }

    fn idle(&self) -> Option<f64> {
        Some(self.each("idle owner us", 1.0)? / self.get("idle s")?)
    }

    fn row(&self) -> Vec<String> {
        let number = |value: Option<f64>| match value {
            Some(value) => grouped(value.round()),
            None => String::new(),
        };
        let kept = "idle KiB";
        vec![
            number(Some(self.participants as f64)),
            ballots(self.is_secret).to_owned(),
            network(self.is_webrtc).to_owned(),
            number(self.in_a_second("join ms")),
            number(self.each("join owner us", 1.0)),
            number(self.each("join all us", 1.0)),
            number(self.kept(kept)),
            number(self.idle()),
            number(self.in_a_second("vote ms")),
            number(self.get("tally ms")),
            number(self.each("tally owner us", 1.0)),
            number(self.each("tally all us", 1.0)),
            number(self.kept("after KiB")),
        ]
    }
}

const HEADS: [&str; 13] = [
    "people",
    "ballots",
    "network",
    "joins a second",
    "a join at the owner, µs",
    "a join at both ends, µs",
    "a quiet link at the owner, KiB",
    "and its time in a second, µs",
    "votes a second, to acknowledged",
    "all votes in one tally at everybody, ms",
    "a vote at the owner, µs",
    "a vote at everybody, µs",
    "a link afterwards, KiB",
];

fn markdown(all: &[Measured]) -> String {
    let mut text = format!("| {} |\n", HEADS.join(" | "));
    text += "| ---: | --- | --- |";
    text += &" ---: |".repeat(HEADS.len() - 3);
    text += "\n";
    for measured in all {
        text += &format!("| {} |\n", measured.row().join(" | "));
    }
    text += "\nEverybody votes at once, and 5,000 within a minute. µs are of a processor. Of what is in \
             memory, owner and people are one process, so that a link has both its ends.\n";
    let largest = all.iter().rfind(|it| it.is_webrtc && it.is_secret);
    if let Some(largest) = largest {
        let people = grouped(largest.participants as f64);
        if let Some(kept) = largest.kept("idle KiB") {
            let met = yes_or_no(kept * 1024.0 <= GOAL_BYTES);
            text += &format!("\n- {people} links in one process, at most 150 KiB each: {met}\n");
        }
        if let Some(tally) = largest.get("tally ms") {
            let seconds = tally / 1_000.0;
            text += &format!(
                "- a secret poll in which all of them vote ends with one tally: yes, everybody has it \
                 {seconds:.1} s after the first vote\n"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_made_of_what_the_program_says() {
        let said = "join ms\t2000\njoin owner us\t1000000\nidle KiB before\t500\nidle KiB\t60500\n\
                    idle owner us\t200000\nidle s\t10\nvote ms\t500\ntally ms\t900\nafter KiB\t61500\n";
        let measured = Measured {
            participants: 1_000,
            is_secret: true,
            is_webrtc: true,
            figures: figures(said).unwrap(),
        };
        let text = markdown(&[measured]);
        let row =
            "| 1,000 | secret | WebRTC | 500 | 1,000 |  | 60 | 20 | 2,000 | 900 |  |  | 61 |\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("at most 150 KiB each: yes"));
        assert!(text.contains("everybody has it 0.9 s after"));
        assert!(figures("hello").is_err());
    }
}
