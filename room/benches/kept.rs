//! Bytes that are kept and written: `cargo xtask bench`.
//!
//! It prints a line for each: a name, a number, its unit and the rest of the sentence, with tabs
//! between. Nothing here is an instruction, so it runs as it is, with an allocator that counts.

#[path = "common/mod.rs"]
#[allow(dead_code, reason = "the other program beside this one uses the rest")]
mod common;
#[path = "../tests/common/drain.rs"]
mod drain;

use std::fs;

use allocation_counter::measure;
use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::{Durability, RedbStore, Store};

use common::driven::{Spy, drive, drive_on_disk, redb_alone};
use common::hall::{Hall, NOW};
use common::journal::written;
use common::{Votes, poll};

/// Votes that are cast before a file is looked at.
const VOTES: u64 = 100_000;

fn main() {
    idle();
    device();
    file();
    commits();
    bytes_written();
}

fn say(name: &str, number: u64, unit: &str, what: &str) {
    println!("{name}\t{number}\t{unit}\t{what}");
}

/// Only the other program has something that is measured.
fn measured<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// A hall in which only the owner keeps anything.
fn hall(people: u64) -> Hall {
    let mut hall = Hall::keeping(poll(), None);
    hall.is_deaf = true;
    hall.links.reserve(10_000);
    for number in 0..people {
        hall.join(number);
    }
    hall
}

fn bytes_each(of: u64, work: impl FnOnce()) -> u64 {
    let left = u64::try_from(measure(work).bytes_current).unwrap_or(0);
    left.div_ceil(of)
}

fn idle() {
    const PEOPLE: u64 = 1_024;
    let mut hall = hall(PEOPLE);
    let each = bytes_each(PEOPLE, || {
        for number in PEOPLE..2 * PEOPLE {
            hall.join(number);
        }
    });
    let what = "memory of the owner for one participant who is there and has said nothing";
    say("idle", each, "bytes", what);
}

/// The first half fills what the owner keeps of its history, which has a bound; the second half
/// adds only people and outcomes.
fn device() {
    const PEOPLE: u64 = 1_024;
    const OUTCOMES: usize = 64;
    let mut hall = hall(2 * PEOPLE);
    let mut vote = |people: std::ops::Range<u64>| {
        for person in people {
            let link = hall.links[person as usize];
            let mut votes = Votes::of(&poll());
            for _ in 0..OUTCOMES {
                hall.say(link, &votes.frame(), NOW);
            }
        }
    };
    vote(0..PEOPLE);
    let each = bytes_each(PEOPLE, || vote(PEOPLE..2 * PEOPLE));
    let what = "memory of the owner for one voter's device: its last 64 outcomes, and the voter";
    say("device", each, "bytes", what);
}

fn file() {
    let folder = tempfile::tempdir().expect("there is room for a file");
    let path = folder.path().join("store.redb");
    let store = RedbStore::open(&path).expect("it is new");
    written(VOTES, |batch| {
        block_on(store.commit(batch, Durability::Strict)).expect("the disk works");
    });
    let everything = Bytes::new()..Bytes::from_static(&[0xff; 64]);
    let records = block_on(store.scan(everything)).expect("the disk works");
    let live = records.iter().map(|(key, value)| key.len() + value.len());
    let live = live.sum::<usize>() as u64;
    drop(store);
    // As whoever hosts again finds it.
    drop(RedbStore::open(&path).expect("it is sound"));
    let file = fs::metadata(&path).expect("it is there").len();
    let after = format!("after {VOTES} votes of a thousand people");
    let what = format!("keys and values in the owner's store {after}");
    say("live", live, "bytes", &what);
    say("file", file, "bytes", &format!("the store's file {after}"));
}

/// Commits of the driver for 64 commands that come as one batch.
fn commits() {
    let commits = |batches: usize| {
        let spy = Spy::default();
        drive(64 * batches, 64, spy.clone());
        spy.take().len() as u64
    };
    let what = "commits of the owner's store for 64 commands that come together";
    say("commits-64", commits(2) - commits(1), "commits", what);
}

/// Bytes that go to the operating system for one command, and those of redb alone.
fn bytes_written() {
    const COMMANDS: usize = 200;
    let each = |work: fn(&std::path::Path, usize, u64)| {
        let of = |commands| {
            let folder = tempfile::tempdir().expect("there is room for a file");
            let before = written_by_now()?;
            work(folder.path(), commands, 1);
            Some(written_by_now()? - before)
        };
        Some((of(2 * COMMANDS)? - of(COMMANDS)?) / COMMANDS as u64)
    };
    // Only Linux says.
    if let (Some(durable), Some(alone)) = (each(drive_on_disk), each(redb_alone)) {
        let what = "bytes to the disk for one command";
        say("durable-bytes", durable, "bytes", what);
        let what = "the yardstick for that: redb alone writes the same records";
        say("redb-bytes", alone, "bytes", what);
    }
}

/// The bytes that this process has given to the operating system.
fn written_by_now() -> Option<u64> {
    let numbers = fs::read_to_string("/proc/self/io").ok()?;
    let mut lines = numbers.lines();
    lines.find_map(|line| line.strip_prefix("wchar: ")?.trim().parse().ok())
}
