//! `cargo xtask conformance`: the tests of PeerJS and of PeerServer that the broker can be asked.
//!
//! They come from their repositories, at the versions that npm has, and nothing of them is kept.
//! Tests that say nothing about the broker are in `xtask/e2e/conformance/not-applicable.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process::{self, Report};
use crate::{broker, browsers, e2e};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// PeerJS's repository: an address, or a folder
    #[arg(
        long,
        value_name = "GIT",
        default_value = "https://github.com/peers/peerjs.git"
    )]
    peerjs: String,
    /// PeerServer's repository: an address, or a folder
    #[arg(
        long,
        value_name = "GIT",
        default_value = "https://github.com/peers/peerjs-server.git"
    )]
    peerserver: String,
}

/// A version of somebody else's: its tag, and the commit that it has to be.
struct Pinned {
    name: &'static str,
    tag: &'static str,
    commit: &'static str,
}

const PEERJS: Pinned = Pinned {
    name: "peerjs",
    tag: "v1.5.5",
    commit: "2d4605470188777e15be4ea47354cf9732b5c394",
};

const PEERSERVER: Pinned = Pinned {
    name: "peerserver",
    tag: "v1.0.2",
    commit: "9a3e509ec2b567a7f13608dfa53aef8732dc0578",
};

/// Runs both.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut report = Report::default();
    report.step(
        "PeerServer's own tests, with the broker in its place",
        || peerserver(&args.peerserver),
    );
    report.step(
        "PeerJS's own pages, with the broker as their server",
        || peerjs(&args.peerjs),
    );
    report.finish("conformance")
}

fn peerserver(source: &str) -> Result<(), Error> {
    let repository = fetch(&PEERSERVER, source)?;
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    process::run(Command::new("npm").args(install).current_dir(&repository))?;
    let script = process::root().join("xtask/e2e/conformance/peerserver/run.js");
    let mut tests = Command::new("node");
    tests
        .arg("--no-warnings")
        .arg(script)
        .env("HUSTINGS_E2E_PEERSERVER", &repository)
        .env("HUSTINGS_E2E_BROKER", broker::build()?);
    process::run(&mut tests)
}

fn peerjs(source: &str) -> Result<(), Error> {
    let driver = browsers::chromium()?;
    let repository = fetch(&PEERJS, source)?;
    process::npm_packages()?;
    let program = ["--package", "hustings-e2e", "--bin", "conformance"];
    let mut pages = process::cargo(["run", "--quiet"]);
    pages.args(program).env("HUSTINGS_E2E_PEERJS", &repository);
    e2e::with_parts(&mut pages, &driver)?;
    process::run(&mut pages)
}

/// Puts a version of a repository into a folder of the target folder.
fn fetch(pinned: &Pinned, source: &str) -> Result<PathBuf, Error> {
    let folder = process::scratch()?.join("conformance").join(pinned.name);
    fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
    git(&folder, &["init", "--quiet"])?;
    let tag = format!("refs/tags/{}", pinned.tag);
    git(&folder, &["fetch", "--quiet", "--depth", "1", source, &tag])?;
    // A tag can be moved.
    let found = process::stdout(
        Command::new("git")
            .args(["rev-parse", "FETCH_HEAD^{commit}"])
            .current_dir(&folder),
    )?;
    if found.trim() != pinned.commit {
        return Err(Error::Because(format!(
            "{} of {source} is {} and not {}",
            pinned.tag,
            found.trim(),
            pinned.commit
        )));
    }
    git(&folder, &["checkout", "--quiet", "--force", pinned.commit])?;
    Ok(folder)
}

fn git(folder: &Path, args: &[&str]) -> Result<(), Error> {
    process::run(Command::new("git").args(args).current_dir(folder))
}
