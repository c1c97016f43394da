//! The memory that one input takes, where it is often the same.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use allocation_counter::measure;
use common::bench::{Bench, state, who_is_here};
use common::people::{
    BOB, CAROL, command_id, decode, numbered, option, poll, revision, room, seq, vote,
};
use hustings_protocol::{
    Command, ErrorCode, Limits, Message, Numbered, PeerId, Poll, Update, UserProfile,
};
use hustings_room::{Event, Output, Participant};

/// The frames that an owner refuses for their length have one answer, which is there already.
#[test]
fn the_answer_to_a_frame_that_is_too_large_is_written_once() {
    let mut alice = Bench::hosting();
    let bob = alice.admits(BOB);
    let max = Limits::default().max_command_bytes;
    let large = vec![b' '; max + 1];
    let mut outputs = Vec::with_capacity(8);
    alice.hears(bob, &large);
    let now = alice.now;
    let measured = measure(|| {
        alice.machine.handle_frame(bob, &large, now);
        while let Some(output) = alice.machine.poll_output() {
            outputs.push(output);
        }
    });
    assert_eq!(measured.count_total, 0, "{measured:?}");
    let [
        Output::Send { link, frame },
        Output::Event {
            event: Event::Fault {
                peer, rejection, ..
            },
            ..
        },
    ] = &outputs[..]
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((*link, *peer), (bob, Some(BOB.peer())));
    let sentence = format!("the frame is larger than the limit of {max} bytes");
    assert_eq!(rejection.code, ErrorCode::TooLarge);
    assert_eq!(*rejection.message, *sentence);
    let Message::Error(told) = decode(frame) else {
        panic!("{frame:?}");
    };
    assert_eq!((told.command_id, &told.rejection), (None, rejection));
}

/// The poll with so many people who have a name.
fn poll_of(people: u16) -> Poll {
    let mut poll = poll();
    for number in 0..people {
        let mut peer = [9; 32];
        peer[..2].copy_from_slice(&number.to_be_bytes());
        let name = number.to_string();
        let named = Command::SetProfile(UserProfile { name });
        let limits = Limits::default();
        poll.apply(PeerId::from_bytes(peer), &named, &limits)
            .unwrap();
    }
    poll
}

/// Allocations of a participant that hears of Bob's vote among so many people.
fn allocations(people: u16) -> u64 {
    let mut carol = Bench::<Participant>::joining(CAROL);
    let said = carol.drain();
    let (link, _) = carol.is_let_in(&said);
    carol.hears(link, state(1, 0, &poll_of(people)));
    carol.hears(link, who_is_here().encode());
    let update = |number: u64| {
        Message::Update(Update {
            author: BOB.peer(),
            device: BOB.device(),
            revision: revision(number),
            history: None,
            numbered: Numbered {
                command_id: command_id(number),
                seq: seq(number),
                seen: None,
                command: vote(room().poll_id, option(number as u128 % 2)),
            },
        })
        .encode()
    };
    // The first makes a member of Bob.
    carol.hears(link, update(1));
    let shown = carol.machine.view().unwrap();
    assert_eq!(shown.voters(), 1);
    drop(shown);
    let next = update(2);
    let now = carol.now;
    let measured = measure(|| {
        carol.machine.handle_frame(link, &next, now);
        while carol.machine.poll_output().is_some() {}
    });
    assert_eq!(carol.machine.revision(), Some(revision(2)));
    measured.count_total
}

/// A poll that was shown and let go of is not copied by the next update.
#[test]
fn an_update_takes_no_more_memory_among_many_people() {
    let (few, many) = (allocations(3), allocations(1_000));
    assert_eq!(few, many);
}

/// The same for the owner, whose poll nobody else holds.
#[test]
fn a_command_takes_no_more_memory_among_many_people() {
    let of = |people| {
        let mut alice = Bench::hosting_poll(poll_of(people), Default::default());
        let bob = alice.admits(BOB);
        alice.hears(bob, numbered(1, vote(room().poll_id, option(0))));
        let next = numbered(2, vote(room().poll_id, option(1)));
        let now = alice.now;
        let measured = measure(|| {
            alice.machine.handle_frame(bob, &next, now);
            while alice.machine.poll_output().is_some() {}
        });
        measured.count_total
    };
    assert_eq!(of(3), of(1_000));
}
