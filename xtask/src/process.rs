//! Running commands where everybody can see which one runs and how long it took.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::error::Error;

/// The root of the workspace that this is run for.
pub(crate) fn root() -> PathBuf {
    // Cargo sets it again at run time, which is right even where the build was copied.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_owned)
}

/// The folder in which cargo puts its builds: this program came from there.
pub(crate) fn target() -> PathBuf {
    let exe = env::current_exe().unwrap_or_default();
    exe.ancestors()
        .nth(2)
        .map_or_else(|| root().join("target"), Path::to_owned)
}

/// A folder of the target folder for files that chores write.
pub(crate) fn scratch() -> Result<PathBuf, Error> {
    let scratch = target().join("xtask");
    fs::create_dir_all(&scratch).map_err(Error::file("make", &scratch))?;
    Ok(scratch)
}

/// The cargo that runs this, in the root of the workspace.
pub(crate) fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// `cargo test` of one of `room`'s test programs, for chores that run it in their own way.
pub(crate) fn room_test(program: &str) -> Command {
    let test = ["test", "--package", "hustings-room", "--all-features"];
    let mut test = cargo(test);
    test.args(["--test", program]);
    test
}

/// `cargo test` of these test programs. Of the workspace, whosever they are: of one package alone
/// cargo takes other features, and would build everything anew.
pub(crate) fn tests(programs: &[&str]) -> Command {
    let mut test = cargo(["test", "--workspace", "--all-features"]);
    for program in programs {
        test.args(["--test", program]);
    }
    test
}

/// True if npm's packages can be installed.
pub(crate) fn has_npm() -> bool {
    on_path("npm").is_some() && on_path("node").is_some()
}

/// Installs stock PeerJS and PeerServer, which only tests use, as their lock file says.
pub(crate) fn npm_packages() -> Result<(), Error> {
    npm_ci("transport-peerjs/tests/npm").map(drop)
}

/// Installs the packages of the lock file in a folder of the workspace; returns the folder of the
/// programs.
pub(crate) fn npm_ci(folder: &str) -> Result<PathBuf, Error> {
    npm(folder, &["ci", "--no-audit", "--no-fund"])?;
    Ok(root().join(folder).join("node_modules/.bin"))
}

/// Runs npm in a folder of the workspace.
pub(crate) fn npm(folder: &str, args: &[&str]) -> Result<(), Error> {
    run(Command::new("npm")
        .args(args)
        .current_dir(root().join(folder)))
}

/// The path of a program.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let program = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(&program))
        .find(|path| fs::metadata(path).is_ok_and(|file| file.is_file()))
}

/// A command the way one would type it.
pub(crate) fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words = [program].into_iter().chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a command whose output everybody sees.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status = command
        .status()
        .map_err(|source| not_started(command, source))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Failed {
            command: typed(command),
            status,
        })
    }
}

/// Runs a command and keeps what it says, however it ends.
pub(crate) fn capture(command: &mut Command) -> Result<Output, Error> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| not_started(command, source))
}

/// The output of a command on stdout; its stderr is shown if it fails.
pub(crate) fn stdout(command: &mut Command) -> Result<String, Error> {
    let Output {
        status,
        stdout,
        stderr,
    } = capture(command)?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    eprint!("{}", String::from_utf8_lossy(&stderr));
    Err(Error::Failed {
        command: typed(command),
        status,
    })
}

pub(crate) fn not_started(command: &Command, source: std::io::Error) -> Error {
    Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

/// Does one step of a chore, with its name before and its time after it.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    timed(what, work).0
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T, Error>) -> (Result<T, Error>, Duration) {
    eprintln!("==> {what}");
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    match &result {
        Ok(_) => eprintln!("    {:.1} s", took.as_secs_f64()),
        Err(error) => eprintln!("    failed after {:.1} s: {error}", took.as_secs_f64()),
    }
    (result, took)
}

/// Steps that are all done, even after one has failed, and what became of each.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

struct Line {
    what: String,
    took: Duration,
    failure: Option<Error>,
}

impl Report {
    /// Does one step.
    pub(crate) fn step(&mut self, what: &str, work: impl FnOnce() -> Result<(), Error>) {
        let (result, took) = timed(what, work);
        self.lines.push(Line {
            what: what.to_owned(),
            took,
            failure: result.err(),
        });
    }

    /// Prints what was done; an error if any of it failed.
    pub(crate) fn finish(self, title: &str) -> Result<(), Error> {
        eprintln!("==> {title}: what was run");
        for Line {
            what,
            took,
            failure,
        } in &self.lines
        {
            let verdict = if failure.is_some() { "FAILED" } else { "ok" };
            eprintln!("    {verdict:<6} {:>6.1} s  {what}", took.as_secs_f64());
            if let Some(failure) = failure {
                eprintln!("           {failure}");
            }
        }
        let failed = self
            .lines
            .iter()
            .filter(|line| line.failure.is_some())
            .count();
        let all = self.lines.len();
        if failed == 0 {
            eprintln!("    all {all} passed");
            return Ok(());
        }
        Err(Error::Because(format!("{title}: {failed} of {all} failed")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name() {
        assert!(on_path("cargo").is_some_and(|path| path.is_absolute()));
        assert_eq!(on_path("no-such-browser"), None);
    }

    #[test]
    fn a_report_goes_on_after_a_failure_and_fails() {
        let mut report = Report::default();
        let mut second = false;
        report.step("first", || Err(Error::Because("broken".to_owned())));
        report.step("second", || {
            second = true;
            Ok(())
        });
        assert!(second);
        assert_eq!(
            report.finish("lint").unwrap_err().to_string(),
            "lint: 1 of 2 failed"
        );
    }

    #[test]
    fn the_root_has_the_workspace_in_it() {
        assert!(root().join("protocol/Cargo.toml").is_file());
    }

    #[test]
    fn a_command_is_shown_without_the_folder_of_its_program() {
        assert_eq!(
            typed(Command::new("/opt/rust/bin/cargo").arg("test")),
            "cargo test"
        );
    }
}
