//! The chores that need several browsers: the last of the tests in a browser, and a comparison.

use std::ffi::OsString;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::error::Error;
use crate::site::{self, Settings};
use crate::{broker, browsers, command, package, process, setup, wasm};

/// The scenarios that run at a time: one for each core. A scenario has two or three browsers, one
/// of which works while the others wait for it, and the bounds are for a machine that is not
/// overburdened by the tests themselves.
fn at_a_time() -> usize {
    // Where it cannot be told, one after the other is always right.
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Builds what the scenarios are played with, and plays them in Chromium. `args` go to cargo: a
/// filter, for instance.
pub(crate) fn run(args: &[OsString]) -> Result<(), Error> {
    run_with(args, &[])
}

/// The same, with these settings in the environment.
pub(crate) fn run_with(args: &[OsString], settings: &[(&str, String)]) -> Result<(), Error> {
    let driver = browsers::chromium()?;
    // Not the quick build: what is tested is what people get.
    process::step("build the JavaScript package", || {
        package::build(package::Speed::Small)
    })?;
    process::step("build the web app", || site::build(&Settings::default()))?;
    // Unless `args` name one.
    let programs: &[&str] = match args.iter().any(|arg| arg == "--test") {
        true => &[],
        false => &["app", "rooms"],
    };
    let mut scenarios = process::tests(programs);
    scenarios
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .args(args)
        .args(["--", "--ignored", "--show-output"])
        .args(["--test-threads", &at_a_time().to_string()]);
    with_parts(&mut scenarios, &driver)?;
    let command = process::step("build the command", command::build)?;
    scenarios.env("HUSTINGS_E2E_COMMAND", command);
    process::step("the scenarios with several browsers", || {
        process::run(&mut scenarios)
    })
}

/// Measures the transport against stock PeerJS, in Chromium. Returns what is said about it, a table
/// among it.
pub(crate) fn compare() -> Result<String, Error> {
    let driver = browsers::chromium()?;
    process::step("install stock PeerJS", process::npm_packages)?;
    process::step("build the transport alone", bare)?;
    said_by("compare", &driver, "compare it with stock PeerJS")
}

/// Measures what it takes to keep votes in Chromium beside a bare transaction. Returns what is said
/// about it, a table among it.
pub(crate) fn stored() -> Result<String, Error> {
    let driver = browsers::chromium()?;
    // What people get.
    process::step("build the JavaScript package", || {
        package::build(package::Speed::Small)
    })?;
    said_by(
        "stored",
        &driver,
        "compare what is kept with a bare transaction",
    )
}

/// Runs one of the programs that measure. Returns what it says.
fn said_by(program: &str, driver: &Path, step: &str) -> Result<String, Error> {
    let mut measure = process::cargo(["run", "--quiet", "--package", "hustings-e2e"]);
    with_parts(measure.args(["--bin", program]), driver)?;
    measure.stderr(Stdio::inherit());
    process::step(step, || process::stdout(&mut measure))
}

/// Builds what a crowd in browsers is measured with. Returns the command that measures one.
pub(crate) fn crowd() -> Result<impl Fn() -> Result<Command, Error>, Error> {
    let driver = browsers::chromium()?;
    // What people get.
    process::step("build the JavaScript package", || {
        package::build(package::Speed::Small)
    })?;
    let mut command = process::cargo(["build", "--package", "hustings-e2e", "--bin", "crowd"]);
    process::step("build what measures", || process::run(&mut command))?;
    let broker = process::step("build the signalling server", broker::build)?;
    Ok(move || {
        let mut crowd = Command::new(process::target().join("debug/crowd"));
        crowd
            .env("HUSTINGS_E2E_BROKER", &broker)
            .env("HUSTINGS_E2E_BUILT", process::scratch()?)
            .env("CHROMEDRIVER", &driver);
        Ok(crowd)
    })
}

/// Measures the first vote in the web app and in a page on stock PeerJS, in Chromium; returns what
/// the measuring program says.
pub(crate) fn first_vote() -> Result<String, Error> {
    let driver = browsers::chromium()?;
    process::step("install stock PeerJS", process::npm_packages)?;
    process::step("build the web app", || site::build(&Settings::default()))?;
    let ballot = process::step("make the page on stock PeerJS", ballot)?;
    let program = ["--package", "hustings-e2e", "--bin", "first-vote"];
    let mut measure = process::cargo(["run", "--quiet"]);
    measure.env("HUSTINGS_E2E_BALLOT", ballot);
    with_parts(measure.args(program), &driver)?;
    process::step("vote", || process::stdout(&mut measure))
}

/// The page on stock PeerJS, compressed like the web app.
fn ballot() -> Result<PathBuf, Error> {
    let root = process::root();
    let to = process::scratch()?.join("ballot");
    fs::create_dir_all(&to).map_err(Error::file("make", &to))?;
    let mut compress = Command::new(wasm::tool()?);
    compress.arg("compress");
    for file in [
        "xtask/e2e/pages/ballot/index.html",
        "xtask/e2e/pages/ballot/ballot.js",
        "transport-peerjs/tests/npm/node_modules/peerjs/dist/peerjs.min.js",
    ] {
        let (file, name) = (root.join(file), file.rsplit('/').next().unwrap_or(file));
        fs::copy(&file, to.join(name)).map_err(Error::file("copy", &file))?;
        compress.arg(to.join(name));
    }
    process::run(&mut compress)?;
    Ok(to)
}

/// Names in the environment of a command what is needed for several browsers.
pub(crate) fn with_parts(command: &mut Command, driver: &Path) -> Result<(), Error> {
    let broker = process::step("build the signalling server", broker::build)?;
    command
        .env("HUSTINGS_E2E_BROKER", broker)
        .env("HUSTINGS_E2E_BUILT", process::scratch()?)
        .env("CHROMEDRIVER", driver);
    Ok(())
}

/// Builds `xtask/bench/bare`.
fn bare() -> Result<(), Error> {
    let (cargo, tool) = (setup::wasm()?, wasm::tool()?);
    let mut build = cargo.build(setup::PROFILE);
    process::run(build.args(["-p", "hustings-bench-bare"]))?;
    let to = process::scratch()?.join("bare");
    fs::create_dir_all(&to).map_err(Error::file("make", &to))?;
    let built = process::target().join(setup::WASM).join(setup::PROFILE);
    let mut bindgen = Command::new(tool);
    bindgen.args(["bindgen", "--target", "web", "--no-typescript"]);
    bindgen.args(["--out-name", "bare", "--out-dir"]);
    process::run(bindgen.arg(&to).arg(built.join("hustings_bench_bare.wasm")))
}

/// Has the picture on the front page taken anew by the scenario that takes it, and takes it over.
pub(crate) fn pictures() -> Result<(), Error> {
    let taken = process::target().join("e2e/pictures/poll.png");
    // An old one is not taken for a new one.
    let _ = fs::remove_file(&taken);
    let args = ["--test", "app", "three_people_vote_and_see_the_same"];
    run(&args.map(OsString::from))?;
    let kept = process::root().join("examples/poll-web/pictures/poll.png");
    fs::copy(&taken, &kept).map_err(Error::file("copy", &taken))?;
    println!("{}", kept.display());
    Ok(())
}
