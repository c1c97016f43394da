//! `cargo xtask test`: every test there is. It needs Rust and nothing else.

use std::ffi::OsString;
use std::fs;
use std::process::Output;

use crate::error::Error;
use crate::process::{self, Report};
use crate::purity;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Given anything, only `cargo test` is run and gets it: a filter, `-p hustings-room`, …
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<OsString>,
}

/// Runs the tests that were asked for.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    if !args.args.is_empty() {
        let mut test = process::cargo(["test", "--all-features"]);
        let packages = ["-p", "--package", "--workspace"];
        if !args
            .args
            .iter()
            .any(|arg| packages.iter().any(|package| arg == package))
        {
            test.arg("--workspace");
        }
        return process::step("the tests asked for", || {
            process::run(test.args(&args.args))
        });
    }
    let mut report = Report::default();
    all(&mut report);
    report.finish("test")
}

/// Runs every test.
pub(crate) fn all(report: &mut Report) {
    report.step(
        "the core is pure: its dependencies and its sources",
        purity::check,
    );
    report.step("the core compiles without features", || {
        let core = [
            "-p",
            "hustings-protocol",
            "-p",
            "hustings-room",
            "--no-default-features",
        ];
        process::run(process::cargo(["check"]).args(core))
    });
    report.step("every test of every crate, doc tests too", || {
        process::run(&mut process::cargo([
            "test",
            "--workspace",
            "--all-features",
        ]))
    });
    report.step("the demo builds", || {
        process::run(&mut process::cargo([
            "build",
            "--release",
            "--package",
            "native-demo",
        ]))
    });
    report.step("the demo: 20 voters, 200 votes", || {
        process::run(demo().args(["--voters", "20", "--votes", "200", "--seed", "7", "--plain"]))
    });
    report.step("the demo: a poll file that is none is refused", bad_poll);
}

fn demo() -> std::process::Command {
    process::cargo(["run", "-q", "--release", "-p", "native-demo", "--"])
}

fn bad_poll() -> Result<(), Error> {
    let file = process::scratch()?.join("bad-poll.json");
    fs::write(&file, r#"{"question": "Which "#).map_err(Error::file("write", &file))?;
    let output = process::capture(demo().arg("--plain").arg("--poll").arg(&file))?;
    refused(&output).map_err(|what| {
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        Error::Because(format!("with a poll file that is not JSON the demo {what}"))
    })
}

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// Whether a program refused its input in the way a person can use: with a reason and an exit
/// code, not with a panic.
fn refused(output: &Output) -> Result<(), &'static str> {
    match output.status.code() {
        Some(0) => Err("succeeded"),
        Some(PANICKED) => Err("panicked"),
        None => Err("was killed"),
        Some(_) if output.stderr.is_empty() => Err("failed without a word on stderr"),
        Some(_) => Ok(()),
    }
}
