//! A participant's machine, between an owner that costs nothing and a screen.

use std::hint::black_box;

use hustings_protocol::handshake::Side;
use hustings_protocol::{Ballots, Message, Poll};
use hustings_room::{LinkId, Participant};

use crate::common::hall::{Hall, NOW, dialled, frames, over};
use crate::common::{
    Votes, binding, hello, key_of, poll, poll_id, poll_with_members, poll_with_options, room_id,
    setup_of, transcript,
};
use crate::{Scenario, measured};

pub(crate) const SCENARIOS: [Scenario; 4] = [
    Scenario::new(
        "update",
        update,
        "at a participant: another's vote among # members, and the view is read",
    )
    .sizes(&[10, 10_000]),
    Scenario::new(
        "update-options",
        update_options,
        "the same in a poll of # options",
    )
    .sizes(&[10, 1_000]),
    Scenario::new(
        "submit",
        submit,
        "at a participant: a vote is submitted, the view is read, the ack comes, it is read again",
    ),
    Scenario::new(
        "greet",
        greet,
        "a participant's end of a handshake, until it has the poll",
    )
    .weight(10),
];

/// Somebody in a poll with another voter, who is the first.
fn watcher(poll: Poll) -> (Hall, Participant, (LinkId, LinkId)) {
    let mut hall = Hall::new(1, poll);
    let setup = setup_of(1);
    let none = Default::default();
    let mut watcher = Participant::new(setup, room_id(), none, None, NOW).expect("it is new");
    let ends = hall.admit(&mut watcher, NOW);
    assert!(watcher.confirmed().is_some(), "it has been told the poll");
    (hall, watcher, ends)
}

fn update(iterations: usize, members: u64) {
    updates(iterations, poll_with_members(members));
}

fn update_options(iterations: usize, options: u64) {
    updates(iterations, poll_with_options(options, Ballots::Open));
}

fn updates(iterations: usize, poll: Poll) {
    let mut votes = Votes::of(&poll);
    let (mut hall, mut watcher, (_, link)) = watcher(poll);
    for _ in 0..iterations {
        hall.say(hall.links[0], &votes.frame(), NOW);
        let frame = hall.last(1).expect("it was told").clone();
        measured(|| {
            watcher.handle_frame(link, &frame, NOW);
            black_box(frames(&mut watcher));
            black_box(watcher.view());
        });
    }
    let told = hall.host.owner(poll_id()).map(|owner| owner.poll());
    assert_eq!(watcher.confirmed(), told, "it has had every update");
}

fn submit(iterations: usize, _: u64) {
    let mut votes = Votes::of(&poll());
    let (mut hall, mut voter, (at, link)) = watcher(poll());
    for _ in 0..iterations {
        let command = votes.command();
        let sent = measured(|| {
            voter.submit(command, NOW).expect("it is connected");
            let sent = frames(&mut voter);
            black_box(voter.view());
            sent
        });
        for frame in &sent {
            hall.say(at, frame, NOW);
            for frame in &std::mem::take(&mut hall.sent) {
                measured(|| {
                    voter.handle_frame(link, frame, NOW);
                    black_box(frames(&mut voter));
                    black_box(voter.view());
                });
            }
        }
        assert!(voter.pending().is_empty(), "it is acknowledged");
    }
}

fn greet(iterations: usize, _: u64) {
    let (mut hall, mut watcher, mut ends) = watcher(poll());
    for _ in 0..iterations {
        hall.leave(ends.0, NOW);
        watcher.handle_link_down(ends.1, over(), NOW);
        watcher.handle_wake(NOW);
        ends = (hall.connect(NOW), dialled(&mut watcher));
        let mut up = measured(|| {
            watcher.handle_link_up(ends.1, binding(), NOW);
            frames(&mut watcher)
        });
        while !up.is_empty() {
            let mut next = Vec::new();
            for frame in &up {
                hall.say(ends.0, frame, NOW);
                for frame in &std::mem::take(&mut hall.sent) {
                    next.extend(measured(|| {
                        watcher.handle_frame(ends.1, frame, NOW);
                        frames(&mut watcher)
                    }));
                }
            }
            up = next;
        }
    }
}

/// The work of either end of a handshake that no library can save.
pub(crate) fn sign_verify(iterations: usize, _: u64) {
    let (owner, participant) = (key_of(0), key_of(1));
    let hello = hello(&participant, poll_id());
    let binding = binding();
    let mut hall = Hall::new(0, poll());
    let link = hall.connect(NOW);
    hall.say(link, &Message::Hello(hello).encode(), NOW);
    let challenge = hall.challenge();
    let transcript = transcript(&hello, &challenge, &binding);
    let proof = transcript.sign(Side::Participant, &participant);
    measured(|| {
        for _ in 0..iterations {
            black_box(transcript.sign(Side::Owner, &owner));
            let verified = black_box(&transcript).verify(Side::Participant, &proof);
            verified.expect("it is the participant's");
        }
    });
}
