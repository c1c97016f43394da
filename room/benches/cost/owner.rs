//! An owner's machine, and the yardstick for it.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::{
    Ack, Ballots, CommandId, DeviceId, Envelope, Message, PeerId, Poll, Revision, Update, Vote,
};
use hustings_room::{LinkId, Moment, Participant};
use serde::{Deserialize, Serialize};

use crate::common::hall::{Hall, NOW, dialled, frames, over};
use crate::common::{
    Votes, binding, draft, hello, key_of, limits, poll, poll_id, poll_of, poll_with_options, proof,
    room_id, setup_of,
};
use crate::{Scenario, each_frame, measured};

pub(crate) const SCENARIOS: [Scenario; 18] = [
    Scenario::new(
        "floor",
        floor,
        "F: serde_json decodes a 200-byte command and encodes its ack",
    ),
    Scenario::new("command", command, "one command at the owner, in memory"),
    Scenario::new(
        "secret",
        secret,
        "one vote in a poll with secret ballots, between two tallies",
    ),
    Scenario::new("duplicate", duplicate, "a command that was answered before"),
    Scenario::new(
        "malformed",
        malformed,
        "a command that is refused because its JSON is broken",
    ),
    Scenario::new(
        "too-long",
        too_long,
        "a frame of 17 KiB that is refused for its length",
    ),
    Scenario::new(
        "too-long-command",
        too_long_command,
        "the same if it begins like a command, which is rejected in its order",
    ),
    Scenario::new(
        "envelope",
        envelope,
        "the envelope of a command, payload unread",
    ),
    Scenario::new(
        "broadcast",
        broadcast,
        "one command with # recipients, each frame queued",
    )
    .sizes(&[10, 1_000]),
    Scenario::new(
        "broadcast-secret",
        broadcast_secret,
        "one vote with secret ballots, with # recipients, between two tallies",
    )
    .sizes(&[10, 1_000]),
    Scenario::new(
        "history",
        history,
        "one command after # others of a hundred people",
    )
    .sizes(&[1_000, 100_000]),
    Scenario::new("options", options, "one command in a poll of # options").sizes(&[10, 1_000]),
    Scenario::new(
        "tally",
        tally,
        "one vote with secret ballots among # options, and the tally told at once",
    )
    .sizes(&[10, 1_000])
    .weight(10),
    Scenario::new(
        "handshake",
        handshake,
        "somebody is let in, at the owner: challenge, proof and poll",
    )
    .weight(10),
    Scenario::new(
        "join",
        join,
        "the same among # others, who are told at once",
    )
    .sizes(&[10, 1_000])
    .weight(20),
    Scenario::new(
        "reconnect",
        reconnect,
        "somebody comes back who has missed # updates, at the owner",
    )
    .sizes(&[0, 1, 10, 100])
    .weight(50),
    Scenario::new(
        "encode",
        encode,
        "the yardstick for that: # updates are encoded",
    )
    .sizes(&[1, 10, 100])
    .weight(10),
    Scenario::new(
        "sign-verify",
        crate::members::sign_verify,
        "the yardstick of a handshake: one signature is made, one verified",
    )
    .weight(10),
];

/// The work that any owner has to do that speaks JSON: the yardstick.
fn floor(iterations: usize, _: u64) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Incoming {
        r#type: String,
        command_id: CommandId,
        seq: u64,
        payload: Vote,
    }

    #[derive(Serialize)]
    struct Outgoing {
        r#type: &'static str,
        payload: Ack,
    }

    let mut votes = Votes::of(&poll());
    each_frame(
        iterations,
        || votes.frame(),
        |frame| {
            let incoming: Incoming = serde_json::from_slice(frame).expect("a vote");
            black_box((&incoming.r#type, incoming.seq, &incoming.payload));
            let payload = Ack {
                command_id: incoming.command_id,
                revision: Revision::ZERO,
                history: None,
            };
            let ack = Outgoing {
                r#type: "ack",
                payload,
            };
            black_box(serde_json::to_vec(&ack).expect("it serialises"));
        },
    );
}

fn command(iterations: usize, _: u64) {
    vote(iterations, Hall::new(1, poll()));
}

/// Time stands still: the first vote is told at once, and all others wait for their time.
fn secret(iterations: usize, _: u64) {
    vote(iterations, Hall::new(1, secret_poll()));
}

fn broadcast(iterations: usize, recipients: u64) {
    vote(iterations, Hall::new(recipients + 1, poll()));
}

fn broadcast_secret(iterations: usize, recipients: u64) {
    vote(iterations, Hall::new(recipients + 1, secret_poll()));
}

fn options(iterations: usize, options: u64) {
    let poll = poll_with_options(options, Ballots::Open);
    vote(iterations, Hall::new(1, poll));
}

fn secret_poll() -> Poll {
    poll_of(draft().ballots(Ballots::Secret))
}

/// Votes of the first participant.
fn vote(iterations: usize, mut hall: Hall) {
    let mut votes = Votes::of(poll_in(&hall));
    let link = hall.links[0];
    each_frame(
        iterations,
        || votes.frame(),
        |frame| hall.say(link, frame, NOW),
    );
    assert_eq!(poll_in(&hall).voters(), 1, "the votes counted");
}

fn poll_in(hall: &Hall) -> &Poll {
    hall.host.owner(poll_id()).expect("it is open").poll()
}

fn duplicate(iterations: usize, _: u64) {
    let mut hall = Hall::new(1, poll());
    let frame = Votes::of(&poll()).frame();
    let link = hall.links[0];
    hall.say(link, &frame, NOW);
    measured(|| (0..iterations).for_each(|_| hall.say(link, &frame, NOW)));
    assert_eq!(hall.sent.len(), 1, "each is answered");
}

fn malformed(iterations: usize, _: u64) {
    let vote = Votes::of(&poll()).frame();
    // It ends like an object, and nearly the whole of it is read before the fault is seen.
    let broken = [&vote[..vote.len() - 2], b"]}"].concat();
    refused(iterations, broken.into());
}

fn too_long(iterations: usize, _: u64) {
    refused(iterations, vec![b' '; 17 * 1024].into());
}

fn refused(iterations: usize, frame: Bytes) {
    let mut hall = Hall::new(1, poll());
    let link = hall.links[0];
    measured(|| (0..iterations).for_each(|_| hall.say(link, &frame, NOW)));
    assert_eq!(hall.sent.len(), 1, "each is answered");
}

fn too_long_command(iterations: usize, _: u64) {
    let mut hall = Hall::new(1, poll());
    let link = hall.links[0];
    let mut votes = Votes::of(&poll());
    let make = || {
        let mut frame = votes.frame().to_vec();
        frame.resize(17 * 1024, b' ');
        Bytes::from(frame)
    };
    each_frame(iterations, make, |frame| hall.say(link, frame, NOW));
    assert_eq!(hall.sent.len(), 1, "each is answered");
}

fn envelope(iterations: usize, _: u64) {
    let mut votes = Votes::of(&poll());
    let limits = limits();
    each_frame(
        iterations,
        || votes.frame(),
        |frame| {
            let _ = black_box(Envelope::parse(frame, limits.max_command_bytes, &limits));
        },
    );
}

fn history(iterations: usize, past: u64) {
    const PEOPLE: u64 = 100;
    let mut hall = Hall::new(PEOPLE, poll());
    let mut votes = vec![Votes::of(&poll()); PEOPLE as usize];
    for number in 0..past {
        let person = (number % PEOPLE) as usize;
        let frame = votes[person].frame();
        hall.say(hall.links[person], &frame, NOW);
    }
    let link = hall.links[0];
    let next = &mut votes[0];
    each_frame(
        iterations,
        || next.frame(),
        |frame| hall.say(link, frame, NOW),
    );
    assert_eq!(hall.sent.len(), 1, "each is answered");
}

fn tally(iterations: usize, options: u64) {
    let poll = poll_with_options(options, Ballots::Secret);
    let mut votes = Votes::of(&poll);
    let mut hall = Hall::new(2, poll);
    let link = hall.links[0];
    let mut now = NOW;
    each_frame(
        iterations,
        || votes.frame(),
        |frame| {
            now = now + Duration::from_secs(1);
            hall.say(link, frame, now);
            hall.host.handle_timeout(now);
            hall.drain();
        },
    );
}

fn handshake(iterations: usize, _: u64) {
    enter(iterations, Hall::new(0, poll()));
}

fn join(iterations: usize, others: u64) {
    enter(iterations, Hall::new(others, poll()));
}

/// Somebody new comes and goes, always at a time when the others are told at once.
fn enter(iterations: usize, mut hall: Hall) {
    let key = key_of(1_000_000);
    let hello = hello(&key, poll_id());
    let greeting = Message::Hello(hello).encode();
    let binding = binding();
    let mut now = NOW;
    for _ in 0..iterations {
        now = later(&mut hall, now);
        let link = hall.next_link();
        measured(|| {
            hall.host.handle_link_up(link, binding.clone(), now);
            hall.say(link, &greeting, now);
        });
        let proof = proof(&key, &hello, &hall.challenge(), &binding);
        measured(|| hall.say(link, &proof, now));
        assert!(!hall.sent.is_empty(), "the poll is told");
        hall.leave(link, now);
    }
}

/// All that was to be told is told, and it is time for the next. Nobody is pinged so soon.
fn later(hall: &mut Hall, now: Moment) -> Moment {
    let mut now = now;
    for _ in 0..2 {
        now = now + Duration::from_millis(250);
        hall.host.handle_timeout(now);
        hall.drain();
    }
    now
}

/// The poll is larger than what was missed, or else it would be sent anew.
fn reconnect(iterations: usize, missed: u64) {
    let poll = poll_with_options(1_000, Ballots::Open);
    let mut votes = Votes::of(&poll);
    let mut hall = Hall::new(1, poll);
    let voter = hall.links[0];
    let setup = setup_of(1);
    let none = Default::default();
    let mut watcher = Participant::new(setup, room_id(), none, None, NOW).expect("it is new");
    let mut now = NOW;
    let mut ends = hall.admit(&mut watcher, now);
    for _ in 0..iterations {
        now = later(&mut hall, now);
        hall.leave(ends.0, now);
        watcher.handle_link_down(ends.1, over(), now);
        for _ in 0..missed {
            hall.say(voter, &votes.frame(), now);
        }
        now = later(&mut hall, now);
        watcher.handle_wake(now);
        ends = come_back(&mut hall, &mut watcher, now);
        let told = hall.host.owner(poll_id()).map(|owner| owner.poll());
        assert_eq!(watcher.confirmed(), told, "it has what it has missed");
    }
}

/// As [`Hall::admit`], with the owner's part measured.
fn come_back(hall: &mut Hall, watcher: &mut Participant, now: Moment) -> (LinkId, LinkId) {
    let link = hall.next_link();
    let dialled = dialled(watcher);
    watcher.handle_link_up(dialled, binding(), now);
    measured(|| hall.host.handle_link_up(link, binding(), now));
    loop {
        let up = frames(watcher);
        if up.is_empty() {
            return (link, dialled);
        }
        for frame in &up {
            measured(|| hall.say(link, frame, now));
            for frame in &std::mem::take(&mut hall.sent) {
                let text = str::from_utf8(frame).expect("JSON");
                assert!(
                    !text.contains(r#""type":"poll:state""#),
                    "only updates come"
                );
                watcher.handle_frame(dialled, frame, now);
            }
        }
    }
}

fn encode(iterations: usize, updates: u64) {
    let mut votes = Votes::of(&poll());
    let author = PeerId::of(&key_of(1));
    let updates: Vec<Message> = (1..=updates)
        .map(|revision| {
            Message::Update(Update {
                author,
                device: DeviceId::from_bytes([2; 5]),
                revision: Revision::new(revision).expect("it is small"),
                history: None,
                numbered: votes.numbered(),
            })
        })
        .collect();
    measured(|| {
        for _ in 0..iterations {
            for update in &updates {
                black_box(update.encode());
            }
        }
    });
}
