//! The core is pure: `protocol`, and `room` without features, have no executor, clock, randomness
//! of the system or target of their own.
//!
//! Two checks: of what the core depends on (an allow-list, so that a new dependency is a decision)
//! and of the words in its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::process;
use crate::setup::WASM;

/// The crates that are the core.
const CORE: [(&str, &str); 2] = [("hustings-protocol", "protocol"), ("hustings-room", "room")];

/// The packages that the core may depend on, and the core itself.
#[rustfmt::skip]
const ALLOWED: &[&str] = &[
    "hustings-protocol", "hustings-room",
    // values, their text and their errors
    "bytes", "itoa", "litemap", "memchr", "serde", "serde_core", "serde_json", "thiserror",
    "uuid", "xxhash-rust", "zmij",
    // signatures; cpufeatures asks libc about the processor on some targets
    "block-buffer", "cfg-if", "cpufeatures", "crypto-common", "curve25519-dalek", "digest",
    "ed25519", "ed25519-dalek", "hybrid-array", "libc", "sha2", "signature", "subtle", "typenum",
    "zeroize",
    // randomness from a seed
    "ppv-lite86", "rand_chacha", "rand_core", "zerocopy",
    // maps of which two copies share what is the same
    "archery", "rpds", "smallvec", "triomphe",
    // a keyed hash, by which an owner knows its own marks again
    "siphasher",
];

/// The packages and words that would end the purity of the core, each with the reason.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "an executor or I/O: the core is driven by inputs and asks by outputs",
        &[
            "async-executor",
            "async-io",
            "async-std",
            "futures",
            "futures-executor",
            "futures-util",
            "mio",
            "polling",
            "smol",
            "socket2",
            "tokio",
            "wasm-bindgen-futures",
        ],
    ),
    (
        "a clock or a timer: the core is told the time with each input",
        &[
            "chrono",
            "coarsetime",
            "futures-timer",
            "gloo-timers",
            "instant",
            "jiff",
            "quanta",
            "time",
            "wasm-timer",
            "web-time",
        ],
    ),
    (
        "randomness of the system: the core has the seed it was made with",
        &["fastrand", "getrandom", "oorandom", "rand", "rand_os"],
    ),
    (
        "the browser: the core is the same source on every target",
        &["gloo", "js-sys", "wasm-bindgen", "web-sys"],
    ),
    (
        "storage: the core asks for it with an output",
        &["hustings-outbox", "redb"],
    ),
];

/// Words that the sources of the core do not have, and why.
const WORDS: &[(&str, &str)] = &[
    ("target_arch", "the core is the same source on every target"),
    (
        "target_family",
        "the core is the same source on every target",
    ),
    ("target_os", "the core is the same source on every target"),
    ("SystemTime", "the core is told the time with each input"),
    ("Instant::now", "the core is told the time with each input"),
    ("getrandom", "the core has the seed it was made with"),
    ("OsRng", "the core has the seed it was made with"),
    ("thread::", "the core has no threads"),
    ("std::fs", "the core has no I/O"),
    ("std::net", "the core has no I/O"),
];

/// Fails with every finding, one on each line.
pub(crate) fn check() -> Result<(), Error> {
    let mut findings = dependencies()?;
    findings.extend(sources()?);
    if findings.is_empty() {
        return Ok(());
    }
    let findings = findings.join("\n");
    Err(Error::Because(format!(
        "the core is not pure:\n{findings}\n  to find where a dependency comes from: \
         cargo tree --no-default-features --target all -p <package> -i <dependency>"
    )))
}

/// The faults in the dependencies of the core, natively and for wasm.
fn dependencies() -> Result<Vec<String>, Error> {
    // A package that is wrong on both targets is one finding.
    let mut findings = BTreeSet::new();
    for (package, _) in CORE {
        for target in [None, Some(WASM)] {
            let edges = "--edges=normal,no-proc-macro";
            let mut tree = process::cargo(["tree", edges, "--prefix=none", "--format={p}"]);
            tree.args(["--package", package, "--no-default-features"]);
            tree.args(target.map(|target| format!("--target={target}")));
            findings.extend(judge(package, &packages(&process::stdout(&mut tree)?)));
        }
    }
    Ok(findings.into_iter().collect())
}

/// The names in the output of `cargo tree`, with one version of each.
fn packages(tree: &str) -> BTreeMap<&str, &str> {
    let words = tree.lines().map(str::split_whitespace);
    words
        .filter_map(|mut words| Some((words.next()?, words.next()?)))
        .collect()
}

fn judge(package: &str, found: &BTreeMap<&str, &str>) -> Vec<String> {
    let wrong = found.iter().filter(|(name, _)| !ALLOWED.contains(*name));
    wrong
        .map(|(name, version)| {
            let mut why =
                "not in the list of what the core may use, ALLOWED in xtask/src/purity.rs";
            if let Some((reason, _)) = FORBIDDEN.iter().find(|(_, names)| names.contains(name)) {
                why = reason;
            }
            format!("  {package} depends on {name} {version}, which is {why}")
        })
        .collect()
}

/// The faults in the sources of the core.
fn sources() -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    for (_, folder) in CORE {
        let src = process::root().join(folder).join("src");
        let mut files = BTreeMap::new();
        read(&src, &mut files)?;
        let outside = outside_the_core(&src, &files);
        for (path, text) in &files {
            // Unit tests in a file of their own may read and write what they like.
            let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
            if is_tests || outside.iter().any(|outside| path.starts_with(outside)) {
                continue;
            }
            let name = path.strip_prefix(process::root()).unwrap_or(path).display();
            findings.extend(
                words(text).map(|(line, word, why)| format!("  {name}:{line} has {word}: {why}")),
            );
        }
    }
    Ok(findings)
}

/// Every Rust file below a folder.
fn read(folder: &Path, files: &mut BTreeMap<PathBuf, String>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        if path.is_dir() {
            read(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
            files.insert(path, text);
        }
    }
    Ok(())
}

/// Files and folders that are only there with the feature `driver`.
fn outside_the_core(src: &Path, files: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let mut outside = vec![src.join("driver"), src.join("driver.rs")];
    for (path, text) in files {
        // Where the modules of this file are: beside lib.rs and mod.rs, below every other file.
        let stem = path.file_stem().unwrap_or_default();
        let folder = if stem == "lib" || stem == "mod" {
            path.parent().unwrap_or(src).to_owned()
        } else {
            path.with_extension("")
        };
        for module in driver_modules(text) {
            outside.push(folder.join(module));
            outside.push(folder.join(format!("{module}.rs")));
        }
    }
    outside
}

/// The modules that a file declares behind the feature `driver`.
fn driver_modules(text: &str) -> Vec<&str> {
    let mut modules = Vec::new();
    let mut behind = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[cfg(feature = \"driver\")]") {
            behind = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            let declared = line
                .strip_suffix(';')
                .and_then(|line| line.rsplit_once("mod "));
            if let Some((_, module)) = declared.filter(|_| behind) {
                modules.push(module);
            }
            behind = false;
        }
    }
    modules
}

/// The forbidden words of a file outside its comments, with their lines.
fn words(text: &str) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        let code = line.split_once("//").map_or(line, |(code, _)| code);
        let found = WORDS.iter().filter(move |(word, _)| code.contains(word));
        found.map(move |(word, why)| (index + 1, *word, *why))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_pure() {
        if let Err(error) = check() {
            panic!("{error}");
        }
    }

    #[test]
    fn a_tree_is_read_by_names() {
        let tree = "hustings-room v0.1.0 (/some/where/room)\nbytes v1.12.2\n\nbytes v1.12.2 (*)\n";
        let expected = [("bytes", "v1.12.2"), ("hustings-room", "v0.1.0")];
        assert_eq!(packages(tree), BTreeMap::from(expected));
    }

    #[test]
    fn a_forbidden_package_is_told_why() {
        let found = packages("bytes v1.0.0\ntokio v1.52.0\n");
        let [finding] = &judge("hustings-room", &found)[..] else {
            panic!("one finding")
        };
        assert!(
            finding.contains("hustings-room depends on tokio v1.52.0"),
            "{finding}"
        );
        assert!(finding.contains("an executor"), "{finding}");
    }

    #[test]
    fn an_unknown_package_is_refused() {
        let found = packages("left-pad v1.0.0\n");
        let [finding] = &judge("hustings-room", &found)[..] else {
            panic!("one finding")
        };
        assert!(finding.contains("ALLOWED"), "{finding}");
    }

    #[test]
    fn nothing_is_both_allowed_and_forbidden() {
        for (_, names) in FORBIDDEN {
            assert!(
                names.iter().all(|name| !ALLOWED.contains(name)),
                "{names:?}"
            );
        }
    }

    #[test]
    fn words_count_outside_comments_only() {
        let text = "//! No `SystemTime` here.\nlet x = 1; // nor Instant::now\nthread::spawn(x);\n";
        let found: Vec<_> = words(text).map(|(line, word, _)| (line, word)).collect();
        assert_eq!(found, [(3, "thread::")]);
    }

    #[test]
    fn modules_of_the_driver_are_outside_the_core() {
        let lib = "\
mod owner;
#[cfg(feature = \"driver\")]
/// The sources of time.
pub mod clock;
#[cfg(feature = \"driver\")]
pub use clock::Clock;
mod timer;
";
        assert_eq!(driver_modules(lib), ["clock"]);
        let files = BTreeMap::from([(PathBuf::from("src/lib.rs"), lib.to_owned())]);
        let outside = outside_the_core(Path::new("src"), &files);
        assert!(outside.contains(&PathBuf::from("src/clock.rs")));
        assert!(!outside.contains(&PathBuf::from("src/timer.rs")));
    }
}
