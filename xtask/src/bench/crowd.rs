//! `cargo xtask bench --crowd`: a poll of hundreds of people in browsers, who all vote at once.
//!
//! One page hosts, and three have the people, each with an identity, a database and a connection of
//! their own. All of it is one machine's, so most of the time is the people's, and not the host's.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use super::report::grouped;
use crate::error::Error;
use crate::{e2e, process};

/// The people of each poll, unless somebody asks for another number.
const PEOPLE: [u64; 4] = [30, 90, 300, 400];

const BALLOTS: [&str; 2] = ["open", "secret"];

/// The columns: what the program calls a figure, what it is, and what it is divided by.
const COLUMNS: [(&str, &str, f64); 10] = [
    ("join ms", "until all have joined, s", 1_000.0),
    ("vote ms", "until all votes are acknowledged, s", 1_000.0),
    ("tally ms", "until all have the same tally, s", 1_000.0),
    ("join ms of processors", "all browsers, joining, s", 1_000.0),
    ("vote ms of processors", "voting, s", 1_000.0),
    ("join host ms", "the host's page, joining, s", 1_000.0),
    ("vote host ms", "acknowledging, s", 1_000.0),
    ("tally host ms", "to the tally, s", 1_000.0),
    ("vote commits", "the host's commits for the votes", 1.0),
    ("people commits", "the people's", 1.0),
];

/// The sentences below the table.
const NOTE: &str = "\nOne page hosts and three have the people, each with an identity, a database and a connection of their \
                    own, in release builds. The first three are times that people wait, on a machine with two processors that others \
                    use, too; the others are times of a processor: of all processes of the four browsers, and of the main \
                    thread of the host's page. Of the sockets that a page opens at a time Chromium has those after the sixteenth \
                    wait for one to five seconds, which is most of what ninety take to join; nobody's own page has as many.\n";

struct Measured {
    people: u64,
    ballots: &'static str,
    figures: BTreeMap<String, f64>,
}

/// Builds what is needed, measures all polls and writes a table.
pub(super) fn run(out: &Path, people: Option<u64>) -> Result<(), Error> {
    let crowd = e2e::crowd()?;
    let mut all = Vec::new();
    for people in people.map_or(PEOPLE.to_vec(), |one| vec![one]) {
        for ballots in BALLOTS {
            let what = format!("{people} people, {ballots}");
            let figures = process::step(&what, || {
                let mut command = crowd()?;
                command.args([&people.to_string(), ballots]);
                figures(&process::stdout(command.stderr(Stdio::inherit()))?)
            })?;
            all.push(Measured {
                people,
                ballots,
                figures,
            });
            // The last ones take minutes: whoever stops them has the others.
            super::write(out, "crowd.md", &markdown(&all))?;
        }
    }
    print!("{}", markdown(&all));
    Ok(())
}

/// The figures that the program says: a name and a number on a line, among lines for people.
fn figures(said: &str) -> Result<BTreeMap<String, f64>, Error> {
    let figures: BTreeMap<String, f64> = said
        .lines()
        .filter_map(|line| {
            let (name, number) = line.split_once('\t')?;
            Some((name.to_owned(), number.parse().ok()?))
        })
        .collect();
    match COLUMNS
        .iter()
        .find(|(name, ..)| !figures.contains_key(*name))
    {
        Some((missing, ..)) => Err(Error::Because(format!(
            "the crowd's program does not say {missing:?}: {said:?}"
        ))),
        None => Ok(figures),
    }
}

fn markdown(all: &[Measured]) -> String {
    let heads = COLUMNS.map(|(_, head, _)| head);
    let mut text = format!("| people | ballots | {} |\n", heads.join(" | "));
    text += "| ---: | --- |";
    text += &" ---: |".repeat(heads.len());
    text += "\n";
    for measured in all {
        let cells = COLUMNS.map(|(name, _, divisor)| {
            let number = measured.figures.get(name).copied().unwrap_or(f64::NAN) / divisor;
            if divisor == 1.0 {
                grouped(number)
            } else {
                format!("{number:.1}")
            }
        });
        let Measured {
            people, ballots, ..
        } = measured;
        text += &format!("| {people} | {ballots} | {} |\n", cells.join(" | "));
    }
    text + NOTE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_made_of_what_the_program_says() {
        let said = "the browsers are Chromium 1, by ChromeDriver 1\njoin ms\t6000\nvote ms\t3400\n\
                    tally ms\t3612\njoin ms of processors\t12000\nvote ms of processors\t6500\njoin host ms\t900\nvote host ms\t380\ntally host ms\t420\n\
                    vote commits\t12\npeople commits\t8100\n";
        let measured = Measured {
            people: 90,
            ballots: "open",
            figures: figures(said).unwrap(),
        };
        let text = markdown(&[measured]);
        let row = "| 90 | open | 6.0 | 3.4 | 3.6 | 12.0 | 6.5 | 0.9 | 0.4 | 0.4 | 12 | 8,100 |\n";
        assert!(text.contains(row), "{text}");
        assert!(figures("join ms\t6000\n").is_err());
    }
}
