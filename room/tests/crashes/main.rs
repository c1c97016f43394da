//! Real crashes: an owner that is killed under load, with its participants, and disks that are
//! full. Real processes, files, sockets and signals, and the real driver on redb.
//!
//! The owner's process is this test binary, started once more, as are the participants that are
//! killed. `cargo xtask crash --kills 300` kills as many as one likes.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod contract;
mod disks;
mod host;
mod kills;
mod ledger;
mod member;
mod places;
mod process;
mod scene;
mod sockets;

use std::thread;

use futures::StreamExt;
use futures::channel::mpsc::unbounded;
use futures::executor::block_on;

use crate::host::{Fullness, fill_percent};
use crate::member::{End, Member, Order};
use crate::process::{plays, say};

/// The room that a participant is to join.
const ROOM: &str = "HUSTINGS_CRASH_ROOM";

/// Played by another process: hosts a poll.
#[test]
fn part_of_an_owner() {
    if plays() {
        host::play();
    }
}

/// Played by another process: takes part in a poll.
#[test]
fn part_of_a_participant() {
    if !plays() {
        return;
    }
    let member = Member {
        store: host::path(host::STORE),
        sockets: host::path(host::SOCKETS),
        room: host::setting(ROOM)
            .unwrap()
            .to_str()
            .unwrap()
            .parse()
            .unwrap(),
        seed: host::seed(),
    };
    let disk = Fullness::of_this_process();
    let (orders, mut to_member) = unbounded();
    let (make_room, mut has_room) = unbounded();
    let store = member.store.clone();
    let mut lines = host::orders();
    thread::spawn(move || {
        while let Some(line) = block_on(lines.next()) {
            let disk = || disk.expect("it can be full");
            if let Some(percent) = fill_percent(&line) {
                disk().fill(&store, percent);
                say("filled");
            } else if line == "room" {
                disk().make_room(&store);
                let _ = make_room.unbounded_send(());
            } else {
                let _ = orders.unbounded_send(order(&line));
            }
        }
    });
    let pool = member::pool();
    let tell = |news: member::News| say(&news.to_line());
    while block_on(member.run(&pool, &mut to_member, tell)) == End::Failed {
        say("waits");
        block_on(has_room.next()).unwrap();
    }
    if let Some(to) = host::setting(host::EXPORT) {
        std::fs::copy(&member.store, to).unwrap();
    }
}

/// An order as a line.
fn line(order: Order) -> String {
    match order {
        Order::Stop => "stop".to_owned(),
        Order::ShowAt(revision) => format!("show {revision}"),
        Order::Close => "close".to_owned(),
    }
}

fn order(line: &str) -> Order {
    match line.split_once(' ') {
        None if line == "stop" => Order::Stop,
        None if line == "close" => Order::Close,
        Some(("show", revision)) => Order::ShowAt(revision.parse().unwrap()),
        _ => panic!("{line} is no order"),
    }
}
