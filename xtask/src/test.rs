//! `cargo xtask test`: every test. All but the last two steps need only Rust. The last but one
//! needs wasm's standard library, which is installed, and npm for a part of it. The last one needs
//! a browser; if there is none and none can be installed, it is left out with a clear message,
//! except in CI, where it fails.

use std::ffi::OsString;
use std::fs;
use std::process::Output;

use crate::error::Error;
use crate::process::{self, Report};
use crate::versions::{self, Browsers};
use crate::{browsers, crates, e2e, floods, purity, setup, site, starters, web};

/// The name of the last step.
const IN_BROWSERS: &str = "the tests in a browser";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the tests that run in browsers
    #[arg(long, conflicts_with = "no_browsers")]
    browsers: bool,
    /// Leave out the tests that run in browsers, and what is only built for them
    #[arg(long)]
    no_browsers: bool,
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
    if args.browsers {
        let done = process::step(IN_BROWSERS, || in_browsers(&args.args));
        versions::print(Browsers::Tested);
        return done;
    }
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
    native(&mut report);
    if args.no_browsers {
        eprintln!("==> {}: left out", starters::WHAT);
        eprintln!("==> {IN_BROWSERS}: left out");
        versions::print(Browsers::LeftOut);
        return report.finish("test");
    }
    report.step(starters::WHAT, starters::build);
    if let Err(missing) = browsers::can_be_had()
        && std::env::var_os("CI").is_none()
    {
        // All the rest needs Rust alone, and has passed or not without it.
        eprintln!("==> {IN_BROWSERS}: LEFT OUT, {missing}");
        versions::print(Browsers::LeftOut);
    } else {
        report.step(IN_BROWSERS, || in_browsers(&[]));
        versions::print(Browsers::Tested);
    }
    report.finish("test")
}

/// Runs every test.
pub(crate) fn all(report: &mut Report) {
    native(report);
    report.step(starters::WHAT, starters::build);
    report.step(IN_BROWSERS, || in_browsers(&[]));
    versions::print(Browsers::Tested);
}

/// The tests that run in a page, then those of a program with stock PeerJS in a page, then the
/// scenarios with several browsers. `args` go to all of them: a filter, for instance.
fn in_browsers(args: &[OsString]) -> Result<(), Error> {
    web::run(args)?;
    program_and_stock_peerjs(args)?;
    e2e::run(args)
}

/// The native transport together with stock PeerJS, which is installed for the tests in a page.
fn program_and_stock_peerjs(args: &[OsString]) -> Result<(), Error> {
    let mut test = process::tests(&["native"]);
    test.args(args).args(["--", "--ignored"]);
    // Its driver is not used: the page begins by itself.
    if let Some(browser) = browsers::CHROMIUM.program() {
        test.env("CHROMIUM", browser);
    }
    process::step("a program together with stock PeerJS", || {
        process::run(&mut test)
    })
}

/// The programs by which the tests of programs behind NATs make their networks. Where there are
/// none these tests say so and pass, so it is no fault if they cannot be installed.
fn programs_for_networks() {
    let is_missing = |program| process::on_path(program).is_none();
    if ["ip", "nft"].into_iter().any(is_missing)
        && setup::root_on_debian()
        && let Err(error) = setup::install(&["iproute2", "nftables"])
    {
        eprintln!("{error}");
    }
}

/// Runs every test that needs no browser.
fn native(report: &mut Report) {
    programs_for_networks();
    report.step(
        "the core is pure: its dependencies and its sources",
        purity::check,
    );
    report.step("the core compiles without features", || {
        let core = "check -p hustings-protocol -p hustings-room --no-default-features";
        process::run(&mut process::cargo(core.split_whitespace()))
    });
    report.step("every test of every crate, doc tests too", || {
        let test = "test --workspace --all-features";
        process::run(&mut process::cargo(test.split_whitespace()))
    });
    report.step(crates::WHAT, crates::check);
    let npm = "the broker's tests against the original PeerServer";
    if process::has_npm() {
        report.step(npm, original_peerserver);
        report.step(
            "the same floods at the broker and at PeerServer",
            floods::run,
        );
    } else {
        eprintln!("==> {npm}: LEFT OUT, they need Node.js and npm");
    }
    report.step("the demo builds", || {
        let build = "build --release --package hustings-native-demo";
        process::run(&mut process::cargo(build.split_whitespace()))
    });
    report.step("the demo: 20 voters, 200 votes", || {
        let crowd = "--voters 20 --votes 200 --seed 7 --plain";
        process::run(demo().args(crowd.split_whitespace()))
    });
    report.step("the demo: an invalid poll file is refused", bad_poll);
    report.step("the web app builds and is served", || {
        site::check().map(drop)
    });
}

/// The same behaviours that the broker's own tests ask for, asked of npm's `peer`.
fn original_peerserver() -> Result<(), Error> {
    process::npm_packages()?;
    process::run(process::tests(&["broker"]).args(["--", "--ignored"]))
}

fn demo() -> std::process::Command {
    process::cargo(["run", "-q", "--release", "-p", "hustings-native-demo", "--"])
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

/// Checks that a program refused its input in a useful way: with a reason and an exit code, not
/// with a panic.
fn refused(output: &Output) -> Result<(), &'static str> {
    match output.status.code() {
        Some(0) => Err("succeeded"),
        Some(PANICKED) => Err("panicked"),
        None => Err("was killed"),
        Some(_) if output.stderr.is_empty() => Err("failed without a word on stderr"),
        Some(_) => Ok(()),
    }
}
