//! The documents of the command, held against what it says of itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::scene::Scene;

const COMMANDS: [&str; 7] = [
    "host", "join", "vote", "results", "polls", "export", "import",
];

/// The words of a text that begin like this, without the beginning.
fn words(text: &str, begin: &str, is_of_word: impl Fn(char) -> bool) -> BTreeSet<String> {
    let rests = text.split(begin).skip(1);
    let words = rests.map(|rest| rest.split(|c| !is_of_word(c)).next().unwrap_or_default());
    let words = words.filter(|word| !word.is_empty());
    words
        .map(|word| word.trim_end_matches(['_', '-']).to_owned())
        .collect()
}

#[tokio::test]
async fn documents_name_flags_and_variables_that_exist() {
    let scene = Scene::begin().await;
    let mut help = String::new();
    for command in COMMANDS {
        let said = scene.run("nobody", [command, "--help"]).await;
        said.is_done();
        help.push_str(&said.out);
    }
    let is_of_flag = |c: char| c.is_ascii_lowercase() || c == '-';
    let is_of_variable = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut flags = words(&help, " --", is_of_flag);
    // Those of cargo and Podman.
    let others = [
        "release", "package", "locked", "features", "bin", "from", "rm", "network", "now",
        "headless",
    ];
    flags.extend(others.map(str::to_owned));
    let mut variables = words(&help, "HUSTINGS_", is_of_variable);
    // A secret has no flag; the number of kills is the tests'.
    variables.extend(["PASSPHRASE", "KILLS"].map(str::to_owned));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in [
        "README.md",
        "deploy/Containerfile",
        "deploy/both.sh",
        "deploy/hustings.service",
    ] {
        let text = fs::read_to_string(here.join(name)).unwrap();
        let named = words(&text, " --", is_of_flag);
        let named = named
            .iter()
            .chain(&words(&text, "`--", is_of_flag))
            .cloned()
            .collect::<BTreeSet<_>>();
        let unknown = named.difference(&flags).next();
        assert_eq!(unknown, None, "{name} names a flag that there is not");
        for variable in words(&text, "HUSTINGS_", is_of_variable).difference(&variables) {
            // The signalling server's are its own.
            assert!(
                variable.starts_with("BROKER_"),
                "{name}: there is no HUSTINGS_{variable}"
            );
        }
    }
}
