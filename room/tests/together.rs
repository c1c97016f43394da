//! Votes with open ballots among few people, who are told each by itself, and among many, who are
//! told them together.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use std::time::Duration;

use common::bench::{Bench, Outputs, state};
use common::people::{ALICE, BOB, CAROL, Person, add_option, option, poll};
use common::world::{Hosted, Joined, World, choice_of, option_of, vote_in};
use hustings_protocol::{Command, Message, PollTally, Revision, Vote};
use hustings_room::{Config, LinkId, Participant};

/// Alice hosts a poll, Carol looks on, and so many others are there, too.
fn poll_of_many(world: &mut World, others: u8) -> (Hosted, Joined, Vec<Joined>) {
    let alice = world.host();
    let carol = world.join(CAROL, alice.room.id());
    let others = (10..10 + others).map(|number| world.join(Person(number), alice.room.id()));
    let others = others.collect();
    world.run_for(Duration::from_secs(1));
    world.wire.clear();
    (alice, carol, others)
}

/// All of them vote for the option with this number at once, and have their answers.
fn all_vote(world: &mut World, voters: &[Joined], number: usize) {
    let votes: Vec<_> = voters
        .iter()
        .map(|voter| world.submit(&voter.room, vote_in(&voter.room, number)))
        .collect();
    for vote in votes {
        world.outcome(vote);
    }
}

fn everything_is_told(world: &mut World) {
    world.run_for(Config::default().tally_interval);
    world.quiesce();
}

/// Everything about votes that Carol has been sent, with its bytes.
fn told(world: &World) -> Vec<(Message, usize)> {
    let links = world
        .net
        .links_to(&ALICE.as_owner(), &CAROL.as_participant());
    let sent = world.wire.from(ALICE.as_owner()).into_iter();
    let to_her = sent.filter(|sent| links.contains(&sent.link));
    let messages = to_her.map(|sent| (sent.message(), sent.frame.len()));
    let is_about_votes =
        |message: &Message| matches!(message, Message::Update(_) | Message::PollTally(_));
    messages.filter(|(it, _)| is_about_votes(it)).collect()
}

fn tally(told: &Message) -> &PollTally {
    match told {
        Message::PollTally(tally) => tally,
        other => panic!("{other:?} is no tally"),
    }
}

#[test]
fn few_are_told_each_vote_by_itself() {
    let world = &mut World::new();
    let (_alice, carol, voters) = poll_of_many(world, 14);
    all_vote(world, &voters, 1);
    assert_eq!(choice_of(&carol.room, voters[13].person).len(), 1);
    let told = told(world);
    assert_eq!(told.len(), 14);
    let is_update = |(message, _): &(Message, usize)| matches!(message, Message::Update(_));
    assert!(told.iter().all(is_update));
}

/// The first is told at once, the others after a while, and it is a fifth of what updates would be.
#[test]
fn many_are_told_votes_together() {
    let world = &mut World::new();
    let (alice, carol, voters) = poll_of_many(world, 40);
    all_vote(world, &voters, 1);
    // Each sees its own at once, whatever it has been told of the others.
    for voter in &voters {
        assert_eq!(choice_of(&voter.room, voter.person).len(), 1);
        assert!(voter.room.pending().is_empty());
    }
    everything_is_told(world);
    let told = told(world);
    let choices: Vec<_> = told.iter().map(|(it, _)| tally(it).choices.len()).collect();
    assert_eq!(choices, [1, 39]);
    let bytes: usize = told.iter().map(|(_, bytes)| bytes).sum();
    assert!(bytes < 40 * 80, "{bytes} bytes for 40 votes");
    let chosen = option_of(&alice.room, 1);
    for member in voters.iter().chain([&carol]) {
        for voter in &voters {
            assert_eq!(choice_of(&member.room, voter.person), [chosen]);
        }
    }
}

/// People who change their minds meanwhile are told of once, and those who take a vote back have
/// none.
#[test]
fn the_last_choice_of_each_is_told() {
    let world = &mut World::new();
    let (_alice, carol, voters) = poll_of_many(world, 20);
    all_vote(world, &voters, 0);
    all_vote(world, &voters, 1);
    let nothing = Vote {
        poll_id: carol.room.id().poll_id,
        option_ids: Vec::new(),
    };
    world.get_done(&voters[7].room, Command::Vote(nothing));
    everything_is_told(world);
    let told = told(world);
    let choices: Vec<_> = told.iter().map(|(it, _)| tally(it).choices.len()).collect();
    assert_eq!(choices, [1, 20]);
    assert_eq!(choice_of(&carol.room, voters[7].person), []);
    assert_eq!(
        choice_of(&carol.room, voters[8].person),
        [option_of(&carol.room, 1)]
    );
}

/// Anything else that happens is told after the votes before it.
#[test]
fn votes_are_told_before_anything_else() {
    let world = &mut World::new();
    let (alice, carol, voters) = poll_of_many(world, 20);
    all_vote(world, &voters, 0);
    let poll_id = alice.room.id().poll_id;
    world.get_done(&alice.room, add_option(poll_id, option(9), "Juice"));
    let kinds: Vec<_> = told(world)
        .iter()
        .map(|(it, _)| match it {
            Message::PollTally(tally) => tally.choices.len(),
            _ => 0,
        })
        .collect();
    assert_eq!(kinds, [1, 19, 0]);
    assert_eq!(carol.room.poll().unwrap().options().len(), 4);
}

/// A copy on a disk has what was told together, as well.
#[test]
fn what_was_told_together_is_there_after_a_restart() {
    let world = &mut World::new();
    let (alice, carol, voters) = poll_of_many(world, 20);
    all_vote(world, &voters, 2);
    everything_is_told(world);
    let room = carol.room.id();
    let chosen = option_of(&carol.room, 2);
    let disk = world.crash_participant(carol);
    world.crash_owner(alice);
    let carol = world.enter(CAROL, &disk, room);
    for voter in &voters {
        assert_eq!(choice_of(&carol.room, voter.person), [chosen]);
    }
}

/// An owner that tells choices that do not fit is asked for the whole poll.
#[test]
fn choices_that_do_not_fit_are_asked_about() {
    let mut bob = Bench::<Participant>::joining(BOB);
    let link = bob.joins();
    bob.hears(link, state(2, 5, &poll()));
    let revision = |number| Revision::new(number).unwrap();
    let tally = |after, to, choices| {
        let tally = PollTally {
            after: revision(after),
            revision: revision(to),
            choices,
            ..PollTally::default()
        };
        Message::PollTally(tally).encode()
    };
    let of_carol = |places: &[u32]| vec![(CAROL.peer(), places.to_vec())];
    let said = bob.hears(link, tally(6, 7, of_carol(&[0])));
    assert_eq!(
        asks(&said, link),
        Some(Some(5)),
        "something is missing before it"
    );
    let said = bob.hears(link, tally(5, 7, of_carol(&[3])));
    assert_eq!(asks(&said, link), Some(None), "there is no such option");
    for (at, choices, why) in [
        (6, of_carol(&[0, 1]), "one may be chosen"),
        (7, Vec::new(), "it shows no choices, and this copy does"),
    ] {
        bob.hears(link, state(2, at, &poll()));
        let said = bob.hears(link, tally(5, 9, choices));
        assert_eq!(asks(&said, link), Some(None), "{why}");
    }
    bob.hears(link, tally(4, 8, of_carol(&[1])));
    assert_eq!(
        bob.machine.revision(),
        Some(revision(8)),
        "overlaps are no fault"
    );
}

/// The revision in a request for what is missing; none in one for everything.
fn asks(said: &Outputs, link: LinkId) -> Option<Option<u64>> {
    said.to(link).into_iter().find_map(|message| match message {
        Message::SyncRequest(request) => Some(request.known.map(|at| at.revision.get())),
        _ => None,
    })
}
