//! The whole way of a command: network, driver and store around the owner's machine.

use hustings_outbox::MemoryStore;

use crate::Scenario;
use crate::common::driven::{drive, drive_on_disk, redb_alone};

pub(crate) const SCENARIOS: [Scenario; 5] = [
    Scenario::new(
        "driven",
        driven,
        "one command from its frame to the ack: driver, store and network in memory",
    ),
    Scenario::new(
        "driven-together",
        driven_together,
        "the same for one of # commands that come as one batch",
    )
    .sizes(&[64]),
    Scenario::new(
        "durable",
        durable,
        "the same as driven, on a disk: redb writes it before the ack",
    )
    .weight(20)
    .whole(),
    Scenario::new(
        "durable-together",
        durable_together,
        "# commands that come as one batch, on a disk",
    )
    .sizes(&[64])
    .weight(50)
    .whole(),
    Scenario::new(
        "redb",
        redb,
        "the yardstick for that: redb alone writes the same records, # commands in each commit",
    )
    .sizes(&[1, 64])
    .weight(20)
    .whole(),
];

fn driven(iterations: usize, _: u64) {
    drive(iterations, 1, MemoryStore::new());
}

fn driven_together(iterations: usize, at_a_time: u64) {
    drive(iterations, at_a_time, MemoryStore::new());
}

fn durable(iterations: usize, _: u64) {
    durable_together(iterations, 1);
}

/// Each iteration is a batch.
fn durable_together(iterations: usize, at_a_time: u64) {
    let folder = tempfile::tempdir().expect("there is room for a file");
    drive_on_disk(folder.path(), iterations * at_a_time as usize, at_a_time);
}

/// Each iteration is a commit.
fn redb(iterations: usize, at_a_time: u64) {
    let folder = tempfile::tempdir().expect("there is room for a file");
    redb_alone(folder.path(), iterations * at_a_time as usize, at_a_time);
}
