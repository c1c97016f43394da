//! Copies of a poll: whoever shows one keeps it while the poll goes on.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::Arc;

use allocation_counter::measure;
use hustings_protocol::{
    Command, Limits, OptionAdd, OptionId, PeerId, Poll, PollDraft, PollId, UserProfile, Vote,
};
use uuid::Uuid;

fn peer(number: u32) -> PeerId {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

fn option(number: u128) -> OptionId {
    OptionId::from_uuid(Uuid::from_u128(number))
}

const POLL: PollId = PollId::from_uuid(Uuid::from_u128(1));

fn vote(number: u128) -> Command {
    let option_ids = vec![option(number)];
    Command::Vote(Vote {
        poll_id: POLL,
        option_ids,
    })
}

/// A poll of so many options and members with names and votes.
fn poll(options: u128, members: u32) -> Poll {
    let labels = (0..options).map(|number| format!("Option {number}"));
    let draft = PollDraft::new("Which?").options(labels);
    let mut numbers = 0..;
    let limits = &Limits::unbounded();
    let ids = || option(numbers.next().unwrap());
    let mut poll = Poll::new(POLL, peer(0), draft, ids, limits).unwrap();
    for number in 1..=members {
        let name = format!("Member {number}");
        let profile = Command::SetProfile(UserProfile { name });
        poll.apply(peer(number), &profile, limits).unwrap();
        poll.apply(peer(number), &vote(1), limits).unwrap();
    }
    poll
}

/// The bytes that a vote allocates while somebody holds the poll as it was.
fn cost_of_a_vote(options: u128, members: u32) -> u64 {
    let mut poll = Arc::new(poll(options, members));
    let shown = Arc::clone(&poll);
    let measured = measure(|| {
        // As owners and participants do: the copy is made here, because somebody holds the other.
        Arc::make_mut(&mut poll)
            .apply(peer(members / 2), &vote(2), &Limits::unbounded())
            .unwrap();
    });
    assert_eq!(shown.choices(peer(members / 2)), [option(1)]);
    assert_eq!(poll.choices(peer(members / 2)), [option(2)]);
    measured.bytes_total
}

#[test]
fn a_vote_costs_what_it_changes_while_somebody_holds_the_poll() {
    let small = cost_of_a_vote(4, 10);
    let large = cost_of_a_vote(1_000, 20_000);
    println!("{small} bytes with 10 members, {large} with 20,000");
    // The path to one member among them: the logarithm of their number.
    assert!(
        large < 6 * small,
        "{large} bytes, and {small} in a small poll"
    );
}

#[test]
fn a_copy_costs_nothing() {
    let poll = poll(1_000, 20_000);
    let measured = measure(|| drop(poll.clone()));
    // Its title.
    assert!(measured.bytes_total < 100, "{}", measured.bytes_total);
}

#[test]
fn an_option_changes_nothing_for_whoever_holds_the_poll() {
    let mut poll = poll(3, 3);
    let shown = poll.clone();
    let added = Command::AddOption(OptionAdd {
        poll_id: POLL,
        option_id: option(9),
        label: "One more".to_owned(),
    });
    poll.decide(peer(0), &added, &Limits::default()).unwrap();
    assert_eq!((shown.options().len(), poll.options().len()), (3, 4));
}
