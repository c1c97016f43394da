//! The cost of a picture that is read after every update.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::sync::Arc;

use allocation_counter::measure;
use common::bench::{Bench, state};
use common::people::{BOB, CAROL, numbered, option, poll, revision, room, vote};
use hustings_protocol::{Command, Limits, Message, PeerId, Update, UserProfile};
use hustings_room::{Config, Participant};

/// The `number`th thing that Carol does: she votes.
fn update(number: u64) -> Message {
    let command = vote(room().poll_id, option(u128::from(number % 2)));
    let frame = numbered(number, command);
    let Ok(Message::Command(numbered)) = Message::decode(&frame, &Limits::default()) else {
        panic!("a command");
    };
    Message::Update(Update {
        author: CAROL.peer(),
        device: CAROL.device(),
        revision: revision(number),
        history: None,
        numbered,
    })
}

/// The bytes that an update allocates at a participant who shows a poll of so many members.
fn cost_of_an_update(members: u32) -> u64 {
    let config = Config {
        limits: Limits::unbounded(),
        ..Config::default()
    };
    let mut large = poll();
    for number in 0..members {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let name = format!("Member {number}");
        let profile = Command::SetProfile(UserProfile { name });
        let who = PeerId::from_bytes(bytes);
        large.apply(who, &profile, &config.limits).unwrap();
    }
    let mut bob = Bench::<Participant>::joining_with(BOB, 0, config);
    let link = bob.joins();
    bob.hears(link, state(2, 0, &large));
    // Her first vote makes her a member, and what is read first is made once.
    bob.hears(link, update(1).encode());
    let mut shown = bob.machine.view().unwrap();
    let frames: Vec<_> = (2..10).map(|number| update(number).encode()).collect();
    let measured = measure(|| {
        for frame in &frames {
            bob.machine.handle_frame(link, frame, bob.now);
            while bob.machine.poll_output().is_some() {}
            // The last picture is held until the next is there.
            shown = bob.machine.view().unwrap();
        }
    });
    assert_eq!(bob.machine.revision(), Some(revision(9)));
    assert_eq!(Arc::clone(&shown).choices(CAROL.peer()), [option(1)]);
    measured.bytes_total / frames.len() as u64
}

#[test]
fn an_update_costs_what_it_changes_while_the_poll_is_shown() {
    let (small, large) = (cost_of_an_update(10), cost_of_an_update(5_000));
    println!("{small} bytes for an update with 10 members, {large} with 5,000");
    // The path to one member among them: the logarithm of their number.
    assert!(
        large < 6 * small,
        "{large} bytes, and {small} in a small poll"
    );
}
