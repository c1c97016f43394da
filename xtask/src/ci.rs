//! `cargo xtask ci` and `cargo xtask lint`: what a change has to pass.

use std::env;

use crate::error::Error;
use crate::process::{self, Report};
use crate::{setup, test};

/// The lints, then every test.
pub(crate) fn run() -> Result<(), Error> {
    let mut report = Report::default();
    lints(&mut report);
    test::all(&mut report);
    report.finish("ci")
}

/// The lints alone.
pub(crate) fn lint() -> Result<(), Error> {
    let mut report = Report::default();
    lints(&mut report);
    report.finish("lint")
}

fn lints(report: &mut Report) {
    report.step("clippy and rustfmt are installed", setup::components);
    report.step("formatting", || {
        process::run(&mut process::cargo(["fmt", "--all", "--check"]))
    });
    report.step("clippy", || {
        let all = ["clippy", "--workspace", "--all-targets", "--all-features"];
        process::run(process::cargo(all).args(DENY))
    });
    report.step("clippy for wasm", wasm_clippy);
    report.step("documentation", || {
        // Added to what is set already: a fresh value would throw away the user's own flags.
        let flags = env::var("RUSTDOCFLAGS").unwrap_or_default();
        let all = ["doc", "--workspace", "--no-deps", "--all-features"];
        process::run(process::cargo(all).env("RUSTDOCFLAGS", format!("{flags} -D warnings")))
    });
}

const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// The libraries that run in a browser, once as the pure core and once with the driver.
fn wasm_clippy() -> Result<(), Error> {
    let cargo = setup::wasm()?;
    let core = [
        "-p",
        "hustings-protocol",
        "-p",
        "hustings-room",
        "--no-default-features",
    ];
    let with_driver = [
        "-p",
        "hustings-outbox",
        "-p",
        "hustings-room",
        "--all-features",
    ];
    for crates in [&core[..], &with_driver[..]] {
        let mut clippy = cargo.command();
        clippy
            .args(["clippy", "--lib", "--target", setup::WASM])
            .args(crates)
            .args(DENY);
        process::step(&process::typed(&clippy), || process::run(&mut clippy))?;
    }
    Ok(())
}
