//! Counting: the programs of `room/benches`, and callgrind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::{process, setup};

/// The function of `room/benches/cost` in which everything happens that counts.
const MEASURED: &str = "*measured*";

/// Something whose cost the program can count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// It runs so much less often than others.
    weight: u64,
    /// Threads share the work, so the difference of two runs is taken.
    is_whole: bool,
    /// The work of one iteration.
    pub(super) what: String,
}

impl Scenario {
    /// The same of another size.
    pub(super) fn of_size(&self, name: String) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }
}

/// A count that the program takes by itself: a name, a number, its unit and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) unit: String,
    pub(super) what: String,
}

/// Says what is missing, or installs it where that can be done.
pub(super) fn valgrind() -> Result<(), Error> {
    let is_there = || process::capture(Command::new("valgrind").arg("--version")).is_ok();
    if is_there() {
        return Ok(());
    }
    if setup::root_on_debian() {
        setup::install(&["valgrind"])?;
    }
    if is_there() {
        return Ok(());
    }
    let missing = "cargo xtask bench needs valgrind: install it (Debian's package valgrind)";
    Err(Error::Because(missing.to_owned()))
}

/// Builds one of the programs in `room/benches`, and says where it is.
pub(super) fn build(bench: &str) -> Result<PathBuf, Error> {
    let mut build = process::cargo(["build", "--release", "--features", "driver"]);
    build.args(["--package", "hustings-room", "--bench", bench]);
    build.arg("--message-format=json-render-diagnostics");
    build.stderr(Stdio::inherit());
    executable(&process::stdout(&mut build)?).ok_or_else(|| {
        Error::Because(format!(
            "cargo does not say where it has put room/benches/{bench}"
        ))
    })
}

/// The program that cargo has built, by its messages: a JSON object on each line.
pub(super) fn executable(messages: &str) -> Option<PathBuf> {
    let mut programs = messages.lines().filter_map(|line| {
        let (_, path) = line.split_once(r#""executable":""#)?;
        Some(path.split_once('"')?.0)
    });
    programs.next_back().map(PathBuf::from)
}

/// The scenarios of the program.
pub(super) fn scenarios(program: &Path) -> Result<Vec<Scenario>, Error> {
    let list = process::stdout(Command::new(program).arg("--list"))?;
    list.lines().map(listed).collect()
}

/// A line of the program's list: a name, its weight, what is counted, and what it is.
fn listed(line: &str) -> Result<Scenario, Error> {
    let fields: Vec<&str> = line.split('\t').collect();
    if let [name, weight, counted @ ("measured" | "whole"), what] = fields[..]
        && let Ok(weight) = weight.parse()
    {
        return Ok(Scenario {
            name: name.to_owned(),
            weight,
            is_whole: counted == "whole",
            what: what.to_owned(),
        });
    }
    Err(unexpected(line))
}

/// Everything that the other program counts.
pub(super) fn kept(program: &Path) -> Result<Vec<Kept>, Error> {
    let lines = process::stdout(&mut Command::new(program))?;
    lines.lines().map(counted).collect()
}

fn counted(line: &str) -> Result<Kept, Error> {
    let fields: Vec<&str> = line.split('\t').collect();
    if let [name, count, unit, what] = fields[..]
        && let Ok(count) = count.parse()
    {
        return Ok(Kept {
            name: name.to_owned(),
            count,
            unit: unit.to_owned(),
            what: what.to_owned(),
        });
    }
    Err(unexpected(line))
}

fn unexpected(line: &str) -> Error {
    Error::Because(format!("a benchmark says what nobody expects: {line:?}"))
}

/// Instructions of one operation, which is done so often, or less if it is a heavy one.
pub(super) fn cost(program: &Path, scenario: &Scenario, iterations: u64) -> Result<f64, Error> {
    let iterations = iterations.div_ceil(scenario.weight);
    let name = &scenario.name;
    if !scenario.is_whole {
        let measured = format!("--toggle-collect={MEASURED}");
        let all = total(program, name, iterations, Some(measured))?;
        return Ok(all as f64 / iterations as f64);
    }
    let once = total(program, name, iterations, None)?;
    let twice = total(program, name, iterations.saturating_mul(2), None)?;
    let difference = twice.checked_sub(once).ok_or_else(|| {
        Error::Because(format!(
            "{name} cost less with more iterations: nothing was measured"
        ))
    })?;
    Ok(difference as f64 / iterations as f64)
}

/// Instructions of a whole run, or of what is measured in it.
fn total(
    program: &Path,
    scenario: &str,
    iterations: u64,
    option: Option<String>,
) -> Result<u64, Error> {
    let mut run = Command::new(program);
    run.arg(scenario).arg(iterations.to_string());
    callgrind(&run, scenario, option)
}

/// Instructions of a command.
pub(super) fn callgrind(run: &Command, name: &str, option: Option<String>) -> Result<u64, Error> {
    let profile = process::scratch()?.join(format!("callgrind.{name}"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]).args(option);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(run.get_program()).args(run.get_args());
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A scenario of this name.
    pub(crate) fn named(name: &str) -> Scenario {
        listed(&format!("{name}\t1\tmeasured\t")).unwrap()
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
    fn a_list_has_names_weights_and_sentences() {
        let read = listed("durable\t20\twhole\tone command on a disk").unwrap();
        let expected = Scenario {
            name: "durable".to_owned(),
            weight: 20,
            is_whole: true,
            what: "one command on a disk".to_owned(),
        };
        assert_eq!(read, expected);
        assert!(listed("durable\tmany\twhole\tone command").is_err());
        assert!(listed("durable").is_err());
    }

    #[test]
    fn bytes_have_a_unit() {
        let read = counted("idle\t253\tbytes\tmemory for one").unwrap();
        let expected = Kept {
            name: "idle".to_owned(),
            count: 253,
            unit: "bytes".to_owned(),
            what: "memory for one".to_owned(),
        };
        assert_eq!(read, expected);
        assert!(counted("idle\ta lot\tbytes\tmemory").is_err());
    }
}
