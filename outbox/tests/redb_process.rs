//! The redb store in two processes: this test binary starts itself.

#![cfg(all(feature = "redb", not(target_family = "wasm")))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, thread};

use futures::executor::block_on;
use hustings_outbox::{Batch, Durability, RedbStore, Store, StoreError};
use tempfile::TempDir;

/// Names the file for the other process; without it, that process's part is not played.
const FILE: &str = "HUSTINGS_OUTBOX_TEST_FILE";

const WRITERS: u32 = 3;

struct Other {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(part: &str, path: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", part, "--nocapture", "--test-threads=1"])
            .env(FILE, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line from the other process that is meant for this one.
    fn says(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("says:").map(|(_, said)| said.to_owned()))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // A failed assertion leaves no process behind; one that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file() -> Option<PathBuf> {
    env::var_os(FILE).map(PathBuf::from)
}

fn say(what: &str) {
    // One write of a whole line: a kill never leaves half of one.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\nsays:{what}\n").as_bytes())
        .unwrap();
    out.flush().unwrap();
}

fn key(writer: u32, number: u32) -> Vec<u8> {
    [writer.to_be_bytes(), number.to_be_bytes()].concat()
}

/// Played by the other process: commits without end and says what succeeded.
#[test]
fn part_of_a_writer() {
    let Some(path) = file() else { return };
    let store = RedbStore::open(path).unwrap();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                // Where the killed one before it ended: every commit makes new records.
                let is_free = |number: &u32| {
                    let found = block_on(store.get(&key(writer, *number)));
                    found.unwrap().is_none()
                };
                for number in (0..).skip_while(|number| !is_free(number)) {
                    let durability = match number % 4 {
                        0 => Durability::Strict,
                        _ => Durability::Relaxed,
                    };
                    let mut batch = Batch::new();
                    batch.put(key(writer, number), vec![0; 300]);
                    batch.put(key(writer + WRITERS, number), vec![1; 300]);
                    block_on(store.commit(batch, durability)).unwrap();
                    say(&format!("{writer} {number}"));
                }
            });
        }
    });
}

/// Played by the other process: opens the file and says how that went.
#[test]
fn part_of_a_second_user() {
    let Some(path) = file() else { return };
    match RedbStore::open(path) {
        Ok(_) => say("opened"),
        Err(error @ StoreError::Locked(_)) => say(&format!("locked: {error}")),
        Err(error) => say(&format!("{error:?}")),
    }
}

#[test]
fn what_a_killed_process_had_committed_is_there() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let mut committed = Vec::new();
    for round in 1..=4 {
        let mut other = Other::start("part_of_a_writer", &path);
        let mut said = Vec::new();
        while said.len() < 40 * round {
            said.push(other.says().expect("the writer writes on"));
        }
        other.kill();
        while let Some(rest) = other.says() {
            said.push(rest);
        }
        committed.extend(said.iter().map(|said| {
            let (writer, number) = said.split_once(' ').unwrap();
            (
                writer.parse::<u32>().unwrap(),
                number.parse::<u32>().unwrap(),
            )
        }));

        let store = RedbStore::open(&path).expect("the lock ended with the process");
        for (writer, number) in &committed {
            for part in [*writer, *writer + WRITERS] {
                let found = block_on(store.get(&key(part, *number))).unwrap();
                assert!(found.is_some(), "round {round}: {writer} {number} is lost");
            }
        }
    }
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    let said = Other::start("part_of_a_second_user", &path).says();
    let expected = format!("locked: {} is in use by another process", path.display());
    assert_eq!(said, Some(expected));
    drop(store);
    let said = Other::start("part_of_a_second_user", &path).says();
    assert_eq!(said.as_deref(), Some("opened"));
}
