//! The versions that the tests were run with: the same sources pass with one browser and fail with
//! another.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::browsers::{CHROMIUM, FIREFOX};
use crate::{process, setup};

/// The part that the tests in browsers had.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browsers {
    Tested,
    LeftOut,
}

/// The packages from npm that tests are run against.
const PACKAGES: &str = "peerjs peer axe-core";

/// Prints the versions of everything that is not in the lock file of the workspace.
pub(crate) fn print(browsers: Browsers) {
    eprintln!("==> tested with");
    say(
        "rustc",
        of(Command::new("rustc").current_dir(process::root())),
    );
    if process::has_npm() {
        say("node", of(&mut Command::new("node")));
        for package in PACKAGES.split_whitespace() {
            say(package, of_package(package));
        }
    }
    if browsers == Browsers::LeftOut {
        return;
    }
    if let Ok(cargo) = setup::wasm() {
        say("rustc, for wasm", of(&mut cargo.rustc()));
    }
    for browser in [CHROMIUM, FIREFOX] {
        // A driver elsewhere knows where its browser is, and we do not.
        if browser.find().is_some() {
            say(browser.name, of_program(browser.program()));
            say(browser.driver, of_program(browser.driver()));
        } else {
            say(browser.name, Some("not tested".to_owned()));
        }
    }
}

fn say(what: &str, version: Option<String>) {
    let version = version.unwrap_or_else(|| "unknown".to_owned());
    eprintln!("    {what:<16} {version}");
}

/// The first line in which a program says what it is.
fn of(program: &mut Command) -> Option<String> {
    let output = process::capture(program.arg("--version")).ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_owned)
}

fn of_program(path: Option<PathBuf>) -> Option<String> {
    of(&mut Command::new(path?))
}

/// The version of a package that is installed for the tests.
fn of_package(name: &str) -> Option<String> {
    let folder = process::root().join("transport-peerjs/tests/npm/node_modules");
    let package = fs::read_to_string(folder.join(name).join("package.json")).ok()?;
    version_in(&package).map(str::to_owned)
}

fn version_in(package: &str) -> Option<&str> {
    let (_, rest) = package.split_once("\"version\":")?;
    rest.trim_start().strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_package_is_found() {
        let package = "{\n  \"name\": \"peer\",\n  \"version\": \"1.0.2\"\n}";
        assert_eq!(version_in(package), Some("1.0.2"));
        assert_eq!(version_in("{}"), None);
    }

    #[test]
    fn a_program_names_its_version() {
        let version = of(&mut Command::new("rustc"));
        assert!(version.is_some_and(|version| version.starts_with("rustc 1.")));
    }
}
