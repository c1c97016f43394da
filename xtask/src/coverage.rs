//! `cargo xtask coverage`: the lines of the core that no test and no schedule of the simulator runs.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::{process, release};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number of the simulator's schedules
    #[arg(long, value_name = "N", default_value_t = 300)]
    seeds: u64,
    /// Show the code, and the lines that are not run, rather than a table
    #[arg(long)]
    text: bool,
}

/// Everything beside the core: drivers, transports, suites for others, and the tests themselves.
const BESIDE: &str =
    "(outbox|transport-[a-z]*|tests|benches)/|room/src/(driver|transport|clock|contract)";

/// Runs cargo-llvm-cov over the tests of `protocol` and `room`.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    release::tool("llvm-cov")?;
    if !has_llvm()? {
        let missing = "this needs the LLVM tools of this Rust: rustup component add llvm-tools, or \
                       the paths of others as new in LLVM_COV and LLVM_PROFDATA";
        return Err(Error::Because(missing.to_owned()));
    }
    let mut coverage = process::cargo(["llvm-cov", "test", "--all-features", "--lib", "--tests"]);
    coverage.args([
        "--package",
        "hustings-protocol",
        "--package",
        "hustings-room",
    ]);
    coverage.args(["--ignore-filename-regex", BESIDE]);
    coverage.env("HUSTINGS_SEEDS", args.seeds.to_string());
    if args.text {
        coverage.arg("--text");
    }
    process::step("cargo llvm-cov", || process::run(&mut coverage))
}

/// True if the tools that read a profile are beside the compiler, or named.
fn has_llvm() -> Result<bool, Error> {
    if env::var_os("LLVM_COV").is_some() && env::var_os("LLVM_PROFDATA").is_some() {
        return Ok(true);
    }
    let libraries = process::stdout(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let tools = Path::new(libraries.trim()).with_file_name("bin");
    let name = format!("llvm-cov{}", env::consts::EXE_SUFFIX);
    Ok(tools.join(name).is_file())
}
