//! `cargo xtask fuzz`: libFuzzer on the targets of `xtask/fuzz`, with the stable compiler.

use std::fs;
use std::process::Command;

use crate::error::Error;
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The targets, such as `decoder`; without any, each folder of `xtask/fuzz/corpus`
    targets: Vec<String>,
    /// The time for which each of them runs, in seconds
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Afterwards, put the fewest inputs that reach as much into the repository
    #[arg(long)]
    keep: bool,
}

/// The compiler's flags for coverage, as cargo-fuzz gives them; all of them are stable.
const FLAGS: [&str; 8] = [
    "--cfg=hustings_fuzz",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
];

/// Looks for inputs that show a fault. The first one ends it, and is in `target/fuzz`.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let folder = process::target().join("fuzz");
    let mut rustc = Command::new("rustc");
    let host = process::stdout(rustc.args(["--print", "host-tuple"]))?;
    let host = host.trim();
    process::step("building the targets with coverage", || {
        let mut build = process::cargo(["build", "--release", "--package", "hustings-fuzz"]);
        build.args(["--features", "stubbed"]);
        // Without it link-time optimisation leaves no coverage.
        build.args(["--config", "profile.release.lto=false"]);
        // With a target named, build scripts and macros have no coverage, which they cannot link.
        build.args(["--target", host]);
        build.arg("--target-dir").arg(&folder);
        build.env("RUSTFLAGS", FLAGS.join(" "));
        process::run(&mut build)
    })?;
    let program = folder.join(host).join("release/hustings-fuzz");
    let corpus = process::root().join("xtask/fuzz/corpus");
    let mut targets = args.targets.clone();
    if targets.is_empty() {
        for entry in fs::read_dir(&corpus).map_err(Error::file("read", &corpus))? {
            let entry = entry.map_err(Error::file("read", &corpus))?;
            targets.push(entry.file_name().to_string_lossy().into_owned());
        }
        targets.sort();
    }
    for target in &targets {
        if !corpus.join(target).is_dir() {
            let sentence = format!("{target} is no target: xtask/fuzz/corpus has no such folder");
            return Err(Error::Because(sentence));
        }
        let (kept, found) = (corpus.join(target), folder.join("found").join(target));
        fs::create_dir_all(&found).map_err(Error::file("make", &found))?;
        let libfuzzer = || {
            let mut command = Command::new(&program);
            command.env("HUSTINGS_TARGET", target).current_dir(&folder);
            command
        };
        process::step(&format!("{target}, for {} s", args.seconds), || {
            let mut command = libfuzzer();
            command.arg(format!("-max_total_time={}", args.seconds));
            command.args([
                "-max_len=2048",
                "-len_control=0",
                "-timeout=20",
                "-print_final_stats=1",
            ]);
            command.arg(format!("-artifact_prefix={target}-"));
            command.arg(&found).arg(&kept);
            if target == "decoder" {
                command.arg(process::root().join("protocol/vectors"));
            }
            process::run(&mut command)
        })?;
        if args.keep {
            process::step(&format!("{target}, the fewest inputs"), || {
                process::run(libfuzzer().arg("-set_cover_merge=1").arg(&kept).arg(&found))
            })?;
        }
    }
    Ok(())
}
