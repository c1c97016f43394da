//! `cargo xtask crates`: what would be published, packaged and built from its packages.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::error::Error;
use crate::process;

/// The name of the step.
pub(crate) const WHAT: &str = "every crate to be published packages, and builds from its package";

/// The crates to be published and their folders, each after those that it needs.
pub(crate) const PUBLISHED: [(&str, &str); 5] = [
    ("hustings-protocol", "protocol"),
    ("hustings-outbox", "outbox"),
    ("hustings-room", "room"),
    ("hustings-transport-mem", "transport-mem"),
    ("hustings-transport-peerjs", "transport-peerjs"),
];

/// For cargo: all of them.
pub(crate) fn published() -> impl Iterator<Item = &'static str> {
    PUBLISHED.iter().flat_map(|(name, _)| ["--package", name])
}

/// Packages all of them, and builds each from the packages alone.
///
/// `cargo package` would build them, too. But what an earlier run has unpacked and built of the
/// crates that a crate depends on it takes for what it has just packed, because the version is the
/// same, or, in a target folder of its own, it builds every dependency anew.
pub(crate) fn check() -> Result<(), Error> {
    let mut package = process::cargo(["package", "--no-verify", "--allow-dirty", "--quiet"]);
    package.args(published());
    process::run(package.env("CARGO_TARGET_DIR", process::target()))?;

    let to = process::scratch()?.join("crates");
    if to.exists() {
        fs::remove_dir_all(&to).map_err(Error::file("empty", &to))?;
    }
    fs::create_dir_all(&to).map_err(Error::file("make", &to))?;
    for (name, _) in PUBLISHED {
        let file = process::target()
            .join("package")
            .join(format!("{}.crate", versioned(name)));
        let mut tar = Command::new("tar");
        process::run(tar.arg("-xzf").arg(file).arg("-C").arg(&to))?;
    }
    let manifest = to.join("Cargo.toml");
    fs::write(&manifest, workspace()).map_err(Error::file("write", &manifest))?;
    // The versions that are here anyway, of everything else.
    let lock = process::root().join("Cargo.lock");
    fs::copy(&lock, to.join("Cargo.lock")).map_err(Error::file("copy", &lock))?;

    let cargo = |args: &[&str]| {
        let mut cargo = process::cargo(args);
        cargo.args(["--quiet", "--offline"]).current_dir(&to);
        process::run(cargo.env("CARGO_TARGET_DIR", process::target()))
    };
    // As it comes: together they would have each other's features.
    for (name, _) in PUBLISHED {
        cargo(&["build", "--package", name])?;
    }
    // The tests that are in the packages, with every file that they need.
    cargo(&["check", "--workspace", "--all-targets", "--all-features"])
}

/// A workspace of the packages, in which they find each other.
fn workspace() -> String {
    let members = PUBLISHED.map(|(name, _)| format!("{:?}", versioned(name)));
    let mut text = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[patch.crates-io]\n",
        members.join(", ")
    );
    for ((name, _), folder) in PUBLISHED.iter().zip(members) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} = {{ path = {folder} }}");
    }
    text
}

fn versioned(name: &str) -> String {
    format!("{name}-{}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value beside a key of a manifest, quotes and all.
    fn value<'a>(manifest: &'a str, key: &str) -> Option<&'a str> {
        let mut lines = manifest.lines();
        lines.find_map(|line| {
            Some(
                line.strip_prefix(key)?
                    .trim_start()
                    .strip_prefix('=')?
                    .trim(),
            )
        })
    }

    #[test]
    fn those_at_the_top_are_published_and_no_others() {
        let members = process::stdout(&mut process::cargo([
            "metadata",
            "--no-deps",
            "--format-version=1",
        ]))
        .unwrap();
        let may_be_published = members.matches(r#""publish":null"#).count();
        // And `hustings-browser`, which says why.
        assert_eq!(may_be_published, PUBLISHED.len() + 1);
        for (name, folder) in PUBLISHED {
            let manifest = process::root().join(folder).join("Cargo.toml");
            let manifest = fs::read_to_string(manifest).unwrap();
            assert_eq!(value(&manifest, "name"), Some(format!("{name:?}").as_str()));
            assert_eq!(value(&manifest, "publish.workspace"), None);
        }
    }

    #[test]
    fn every_crate_says_what_a_registry_shows() {
        for (name, folder) in PUBLISHED {
            let folder = process::root().join(folder);
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            for key in [
                "description",
                "keywords",
                "categories",
                "repository.workspace",
            ] {
                assert!(value(&manifest, key).is_some(), "{name} has no {key}");
            }
            assert!(manifest.contains("[package.metadata.docs.rs]"), "{name}");
            let readme = fs::read_to_string(folder.join("README.md")).unwrap();
            assert!(readme.starts_with(&format!("# {name}\n")), "{name}");
            assert!(readme.contains("```rust\n"), "{name} has no example");
        }
    }

    #[test]
    fn a_dependency_has_the_version_of_all() {
        let manifest = fs::read_to_string(process::root().join("Cargo.toml")).unwrap();
        for (name, folder) in PUBLISHED {
            let version = env!("CARGO_PKG_VERSION");
            let begin = format!("{{ version = {version:?}, path = {folder:?}");
            let dependency = value(&manifest, name).unwrap();
            assert!(dependency.starts_with(&begin), "{dependency}");
        }
    }
}
