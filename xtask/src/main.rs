//! Every chore of the workspace: `cargo xtask <chore>`, one file each.

mod bench;
mod broker;
mod browsers;
mod ci;
mod command;
mod conformance;
mod coverage;
mod crash;
mod crates;
mod demo;
mod e2e;
mod error;
mod floods;
mod fuzz;
mod hashed;
mod lighthouse;
mod mutants;
mod package;
mod process;
mod purity;
mod release;
mod session;
mod setup;
mod sim;
mod site;
mod starters;
mod test;
mod versions;
mod wasm;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Every chore of the hustings workspace",
    version
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the web app and serve it with all that it needs; with a program as the owner
    /// (--headless); or an owner and many voters in one process, with everything that can go wrong
    /// (--native)
    Demo(demo::Args),
    /// Build the web app as a folder of files to serve, and say how large it is
    Site,
    /// Run every test; the last step needs a browser, and installs it on Debian
    Test(test::Args),
    /// Run the formatter, clippy (native and wasm) and rustdoc, with warnings as errors
    Lint,
    /// Run the lints and then every test, as `.ci/run` does
    Ci,
    /// Run the simulator over many seeds, or replay one
    Sim(sim::Args),
    /// Change the code, a little at a time, and see that a test turns red each time, with
    /// cargo-mutants
    Mutants(mutants::Args),
    /// Say which lines of the core no test runs, with cargo-llvm-cov
    Coverage(coverage::Args),
    /// Kill an owner hundreds of times under load, and look whether anything is lost
    Crash(crash::Args),
    /// Ask the broker what PeerJS's and PeerServer's own tests ask; they come from their
    /// repositories
    Conformance(conformance::Args),
    /// Play an hour of real use, by a seed: a host and many voters, in a browser each
    Session(session::Args),
    /// Look with libFuzzer for inputs that show a fault; needs a C++ compiler
    Fuzz(fuzz::Args),
    /// Flood the broker and npm's PeerServer alike, and say what honest peers notice
    Floods,
    /// Count the instructions of one operation of each kind, with valgrind
    Bench(bench::Args),
    /// Build the library for browsers and say how large it is
    Wasm,
    /// Build the library for JavaScript, as an npm package in examples/poll-js/pkg
    Package(package::Args),
    /// Package every crate that is to be published, and build each from its package
    Crates,
    /// Check the licences, sources, duplicates and advisories of all dependencies, with cargo-deny
    Deny,
    /// Say what has changed in the APIs, with cargo-semver-checks
    Semver(release::Baseline),
    /// Compile with the oldest Rust that is promised
    Msrv,
    /// Compile with every set of features, natively and for browsers, with cargo-hack
    Powerset,
    /// Look at every view of the web app with Lighthouse: accessibility and best practices
    Lighthouse,
    /// Take the picture of the web app on the front page anew
    Pictures,
    /// Install what the wasm builds need
    Setup(setup::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Demo(args) => return demo::run(&args),
        Chore::Site => site::run(),
        Chore::Test(args) => test::run(&args),
        Chore::Lint => ci::lint(),
        Chore::Ci => ci::run(),
        Chore::Sim(args) => sim::run(&args),
        Chore::Mutants(args) => mutants::run(&args),
        Chore::Coverage(args) => coverage::run(&args),
        Chore::Crash(args) => crash::run(&args),
        Chore::Conformance(args) => conformance::run(&args),
        Chore::Session(args) => session::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Floods => floods::run(),
        Chore::Bench(args) => bench::run(&args),
        Chore::Wasm => wasm::run(),
        Chore::Package(args) => package::run(&args),
        Chore::Crates => process::step(crates::WHAT, crates::check),
        Chore::Deny => release::deny(),
        Chore::Semver(args) => release::semver(&args),
        Chore::Msrv => release::msrv(),
        Chore::Powerset => release::powerset(),
        Chore::Lighthouse => lighthouse::run(),
        Chore::Pictures => e2e::pictures(),
        Chore::Setup(args) => setup::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
