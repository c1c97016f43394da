//! `cargo xtask ci` and `cargo xtask lint`: what a change has to pass.

use std::env;

use crate::error::Error;
use crate::process::{self, Report};
use crate::{bench, setup, test, web};

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
    report.step(
        "the other workspace's lock file is up to date",
        bench::check_neighbours,
    );
    report.step("clippy", || {
        let all = ["clippy", "--workspace", "--all-targets", "--all-features"];
        process::run(process::cargo(all).args(DENY))
    });
    report.step("clippy and documentation for wasm", wasm);
    report.step("documentation", || {
        let all = ["doc", "--workspace", "--no-deps", "--all-features"];
        process::run(process::cargo(all).env("RUSTDOCFLAGS", rustdoc_flags()))
    });
}

fn rustdoc_flags() -> String {
    // Added to what is set already: a fresh value would throw away the user's own flags.
    let flags = env::var("RUSTDOCFLAGS").unwrap_or_default();
    format!("{flags} -D warnings")
}

const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// The parts that run in a browser: the libraries, once as the pure core and once with the driver,
/// and the tests.
fn wasm() -> Result<(), Error> {
    let cargo = setup::wasm()?;
    let core = "-p hustings-protocol -p hustings-room --no-default-features";
    let with_driver = "-p hustings-outbox -p hustings-room --all-features";
    // Without the broker, which is native.
    let wire = "-p hustings-bench-bare -p hustings-transport-peerjs -p hustings-bench-size \
        -p hustings-starter-trunk -p hustings-browser -p hustings-poll-js";
    for crates in [core, with_driver, wire] {
        let mut clippy = cargo.command();
        clippy
            .args(["clippy", "--lib", "--target", setup::WASM])
            .args(crates.split_whitespace())
            .args(DENY);
        process::step(&process::typed(&clippy), || process::run(&mut clippy))?;
    }
    let mut app = cargo.command();
    app.args(["clippy", "--bins", "-p", "hustings-poll-web"])
        .args(["--target", setup::WASM])
        .args(DENY);
    process::step(&process::typed(&app), || process::run(&mut app))?;
    let mut tests = cargo.command();
    tests
        .args(["clippy", "--target", setup::WASM])
        .args(web::TESTS.split_whitespace())
        .args(DENY);
    process::step(&process::typed(&tests), || process::run(&mut tests))?;
    // What only browsers have is documented only there.
    let mut doc = cargo.command();
    doc.args(["doc", "--no-deps", "--target", setup::WASM])
        .args(["-p", "hustings-outbox", "--features", "contract"])
        .args(["-p", "hustings-transport-peerjs"])
        .env("RUSTDOCFLAGS", rustdoc_flags());
    process::step(&process::typed(&doc), || process::run(&mut doc))
}
