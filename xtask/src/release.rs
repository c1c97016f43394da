//! Chores before a release, each with a tool that is installed if it is missing: `deny`, `semver`,
//! `msrv` and `powerset`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use crate::error::Error;
use crate::{crates, process, setup};

#[derive(clap::Args)]
pub(crate) struct Baseline {
    /// The commit to compare with; the last tag, or where this branch left main, if it is not said
    #[arg(long, value_name = "REV")]
    baseline: Option<String>,
}

/// The oldest Rust that the crates promise to build with.
const MSRV: &str = env!("CARGO_PKG_RUST_VERSION");

/// The time that rustup may take for a toolchain.
const RUSTUP_TIME: Duration = Duration::from_secs(300);

/// Licences, sources and duplicates of all dependencies, and what is known against them:
/// `deny.toml` says what they may be.
pub(crate) fn deny() -> Result<(), Error> {
    tool("deny")?;
    let check = |what: &[&str]| {
        let deny = [
            "deny",
            "--log-level",
            "error",
            "check",
            "--hide-inclusion-graph",
        ];
        process::run(process::cargo(deny).args(what))
    };
    process::step("licences, duplicates and sources", || {
        check(&["licenses", "bans", "sources"])
    })?;
    // Where there is no way to the database, an old copy of it is better than nothing.
    let fetched = process::capture(&mut process::cargo(["deny", "fetch", "db"]))?;
    if !fetched.status.success() && !has_database() {
        left_out("advisories", "their database cannot be had here");
        return Ok(());
    }
    process::step("advisories", || check(&["--disable-fetch", "advisories"]))
}

/// True if there is a copy of the database of advisories, where cargo-deny keeps it.
fn has_database() -> bool {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let copies = home.and_then(|home| fs::read_dir(home.join("advisory-dbs")).ok());
    let mut copies = copies.into_iter().flatten().filter_map(Result::ok);
    copies.any(|copy| copy.path().join(".git").exists())
}

/// Lists the changes of the APIs since a commit, by the rules of semantic versions.
pub(crate) fn semver(args: &Baseline) -> Result<(), Error> {
    tool("semver-checks")?;
    let tag = git(&["describe", "--tags", "--abbrev=0"]);
    let (baseline, released) = match (&args.baseline, tag) {
        (Some(asked), _) => (asked.clone(), true),
        (None, Some(tag)) => (tag, true),
        (None, None) => (before_this_branch()?, false),
    };
    eprintln!("==> the baseline is {baseline}");
    let mut checks = process::cargo(["semver-checks", "--all-features", "--baseline-rev"]);
    checks.arg(baseline).args(crates::published());
    let verdict = process::step("cargo semver-checks", || process::run(&mut checks));
    match verdict {
        Err(Error::Failed { .. }) if !released => {
            eprintln!("    no version is released yet, so this breaks nobody");
            Ok(())
        }
        verdict => verdict,
    }
}

/// The commit at which this branch left the main one; on that, the commit before.
fn before_this_branch() -> Result<String, Error> {
    let head = git(&["rev-parse", "HEAD"]);
    let main = ["origin/main", "main"];
    let mut bases = main
        .iter()
        .filter_map(|main| git(&["merge-base", "HEAD", main]));
    let base = bases.find(|base| Some(base) != head.as_ref());
    base.or_else(|| git(&["rev-parse", "HEAD^"]))
        .ok_or_else(|| {
            let missing = "there is no earlier commit to compare with: name one with --baseline";
            Error::Because(missing.to_owned())
        })
}

/// Git's answer; nothing if it has none.
fn git(args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = process::capture(git.args(args).current_dir(process::root())).ok()?;
    let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !answer.is_empty()).then_some(answer)
}

/// Checks that the published crates compile with the oldest Rust that they promise.
pub(crate) fn msrv() -> Result<(), Error> {
    let toolchain = format!("+{MSRV}");
    let cargo = || {
        let mut cargo = Command::new("cargo");
        cargo.arg(&toolchain).current_dir(process::root());
        cargo
    };
    let is_there =
        || process::capture(cargo().arg("--version")).is_ok_and(|it| it.status.success());
    if !is_there() {
        let _ = process::step(&format!("rustup toolchain install {MSRV}"), || {
            let mut rustup = Command::new("rustup");
            rustup.args(["toolchain", "install", MSRV, "--profile", "minimal"]);
            setup::run_for(&mut rustup, RUSTUP_TIME)
        });
    }
    if !is_there() {
        let why = "rustup does not have it here and cannot install it";
        left_out(&format!("Rust {MSRV}"), why);
        return Ok(());
    }
    process::step(&format!("Rust {MSRV} compiles what is published"), || {
        let check = ["check", "--locked", "--all-features"];
        process::run(cargo().args(check).args(crates::published()))
    })
}

/// Checks that the published crates compile without a warning with every set of their features,
/// natively and for a browser.
pub(crate) fn powerset() -> Result<(), Error> {
    tool("hack")?;
    setup::components()?;
    let hack = ["hack", "clippy", "--feature-powerset", "--lib"];
    let deny = ["--", "-D", "warnings"];
    process::step("every set of features", || {
        let mut native = process::cargo(hack);
        process::run(native.args(crates::published()).args(deny))
    })?;
    let wasm = setup::wasm()?;
    process::step("every set of features, for wasm", || {
        let mut wasm = wasm.command();
        wasm.args(hack).args(["--target", setup::WASM]);
        process::run(wasm.args(crates::published()).args(deny))
    })
}

/// Sees to it that cargo has a subcommand.
pub(crate) fn tool(name: &str) -> Result<(), Error> {
    let is_there =
        || process::capture(&mut process::cargo([name, "--version"])).map(|it| it.status.success());
    if is_there()? {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    process::step(&format!("cargo install --locked {package}"), || {
        process::run(&mut process::cargo(["install", "--locked", &package]))
    })
    .map_err(|_| {
        Error::Because(format!(
            "this needs {package}, which is missing here and cannot be installed"
        ))
    })
}

/// Says that a check was left out.
fn left_out(what: &str, why: &str) {
    eprintln!("==> {what}: LEFT OUT, {why}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rust_is_the_one_in_the_manifest() {
        let manifest = fs::read_to_string(process::root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("rust-version = {MSRV:?}\n")));
    }
}
