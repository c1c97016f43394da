//! Runs the demo as a user does, and looks at what it says and at its exit code.

use std::path::Path;
use std::process::{Command, Output};

fn demo(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hustings-native-demo"));
    command.args(args).output().expect("it is built")
}

/// The demo, which has to end well. Returns what it said.
fn play(args: &[&str]) -> String {
    let output = demo(&[&["--plain", "--quick"], args].concat());
    let said = String::from_utf8(output.stdout).expect("it is text");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}\n{complaints}");
    assert_eq!(complaints, "");
    said
}

/// The demo with a bad poll. Returns what it says about it.
fn complaint(poll: &Path) -> String {
    let output = demo(&["--plain", "--poll", poll.to_str().expect("it is UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "nothing is played");
    String::from_utf8(output.stderr).expect("it is text")
}

#[test]
fn everything_that_goes_wrong_is_shown_and_the_count_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().expect("it is UTF-8");

    let said = play(&["--voters", "6", "--votes", "30", "--dir", dir]);
    for line in [
        "has 6 participants",
        "● ",
        "○ ",
        "the link was lost: it was cut; the next attempt is in",
        "pending, sent again (2 times by now)",
        "3 votes came twice, and nothing was applied twice",
        "is killed at revision",
        "cannot vote for Ramen bar: the poll's owner is offline",
        "reads its own copy: revision",
        "is back from its journal: revision",
        "(unknown-option)",
        "this poll is closed (poll-closed)",
        "yes  the count by hand is what the seed says it has to be",
        "yes  the owner has the same, from 30 votes of 6 voters",
        "yes  so have 6 of 6 participants, with nothing pending",
        "yes  so has the owner after one more restart from its journal",
        // 30 votes, 6 names, and the poll was closed.
        "yes  each of the 37 revisions was acknowledged once: none applied twice",
    ] {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert!(!said.contains("earlier"), "{said}");
    assert!(!said.contains('\x1b'), "plain is plain");

    // The same folder again: the owner is who it was, and knows what it asked before.
    let owner = |said: &str| {
        let line = said.lines().find(|line| line.contains("owner       is "));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    let again = play(&[
        "--voters", "13", "--votes", "40", "--seed", "2", "--dir", dir,
    ]);
    assert_eq!(owner(&again), owner(&said));
    for line in [
        "finds a poll from earlier in this folder",
        "voters, revision 37",
    ] {
        assert!(again.contains(line), "{line:?} is not in\n{again}");
    }
}

#[test]
fn a_crowd_goes_through_cuts_and_a_crash_of_the_owner() {
    let output = demo(&["--voters", "30", "--votes", "600", "--quick", "--plain"]);
    let said = String::from_utf8(output.stdout).expect("it is text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        "100 %  600 of 600",
        "is killed at about revision",
        "yes  so have 30 of 30 participants, with nothing pending",
        "yes  each of the 631 revisions was acknowledged once: none applied twice",
    ] {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
}

#[test]
fn a_bad_poll_is_one_sentence_that_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let many: String = (0..1_001).map(|n| format!(", \"{n}\"")).collect();
    let many = format!("{{\n  \"title\": \"Lunch?\",\n  \"options\": [\"first\"{many}]\n}}");
    let cases: [(&str, &[u8], &str); 11] = [
        ("empty", b"", ":1:1: EOF while parsing a value"),
        ("no-json", b"title: Lunch?\n", ":1:2: expected ident"),
        (
            "cut-off",
            b"{\n  \"title\": \"Lunch?\",\n  \"options\": [\"A\",",
            ":3:18: EOF while parsing a value",
        ),
        (
            "misspelt",
            b"{\n  \"titel\": \"Lunch?\"\n}",
            ":2:9: unknown field `titel`, expected one of",
        ),
        (
            "no-list",
            b"{\n  \"title\": \"Lunch?\",\n  \"options\": \"A\"\n}",
            ":3:16: invalid type: string \"A\", expected a sequence",
        ),
        (
            "no-title",
            b"{\n  \"options\": [\"A\", \"B\"]\n}",
            ":3:1: missing field `title`",
        ),
        (
            "empty-title",
            b"{\n  \"title\": \" \",\n  \"options\": [\"A\", \"B\"]\n}",
            ":2:12: the title is empty",
        ),
        (
            "empty-option",
            "{\n  \"title\": \"Où?\",\n  \"options\": [\"Là\",  \"\"]\n}".as_bytes(),
            ":3:22: an option's label is empty",
        ),
        (
            "one-option",
            b"{\n  \"title\": \"Lunch?\",\n  \"options\": [\"A\"]\n}",
            ":3:14: a poll to vote in needs two options or more, this has 1",
        ),
        (
            "too-many",
            many.as_bytes(),
            ":3:14: a poll has at most 1000 options",
        ),
        (
            "no-text",
            b"{\n  \"title\": \"\xff\"",
            ":2:13: this is not UTF-8 text",
        ),
    ];
    for (name, content, expected) in cases {
        let path = dir.path().join(format!("{name}.json"));
        std::fs::write(&path, content).unwrap();
        let said = complaint(&path);
        let expected = format!("error: {}{expected}", path.display());
        assert!(said.starts_with(&expected), "{said:?} is not {expected:?}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }

    let missing = dir.path().join("missing.json");
    let said = complaint(&missing);
    assert!(
        said.contains("missing.json: the poll cannot be read: No such file"),
        "{said}"
    );
}

#[test]
fn a_folder_that_cannot_be_used_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = demo(&["--plain", "--dir", file.to_str().expect("it is UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("it is text");
    assert!(
        said.starts_with(&format!("error: {}: ", file.display())),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
