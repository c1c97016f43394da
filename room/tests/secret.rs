//! Secret ballots, and results that are shown when they are due: what members are told, what they
//! are not, and when.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use std::time::Duration;

use common::people::{ALICE, BOB, CAROL, Person, add_option, call_me, close_poll, option};
use common::world::{Hosted, Joined, World, choice_of, vote_in};
use hustings_protocol::{
    Ballots, Command, Message, OptionId, Outcome, PollDraft, Results, SettingsUpdate, Shown,
};
use hustings_room::Config;
use hustings_room::driver::Room;

fn draft(ballots: Ballots, results: Results) -> PollDraft {
    common::people::draft().ballots(ballots).results(results)
}

/// Alice hosts such a poll, and Bob and Carol are in it.
fn three(world: &mut World, ballots: Ballots, results: Results) -> (Hosted, Joined, Joined) {
    let alice = world.host_draft(draft(ballots, results), Config::default());
    let bob = world.join(BOB, alice.room.id());
    let carol = world.join(CAROL, alice.room.id());
    (alice, bob, carol)
}

/// Votes for the option with this number, and lets everything be told.
fn votes(world: &mut World, who: &Joined, number: usize) {
    let outcome = world.get_done(&who.room, vote_in(&who.room, number));
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    world.run_for(Config::default().tally_interval);
    world.quiesce();
}

fn takes_back(world: &mut World, who: &Joined) {
    let nothing = hustings_protocol::Vote {
        poll_id: who.room.id().poll_id,
        option_ids: Vec::new(),
    };
    world.get_done(&who.room, Command::Vote(nothing));
    world.run_for(Config::default().tally_interval);
    world.quiesce();
}

/// The votes of each option as a room shows them; `None` where they are hidden.
fn tally(room: &Room) -> Option<Vec<u64>> {
    let tally = room.poll().expect("it has arrived").tally()?;
    Some(tally.options.iter().map(|option| option.votes).collect())
}

fn shown(room: &Room) -> Shown {
    room.poll().expect("it has arrived").shown()
}

/// Everything that Alice has sent to somebody, as messages.
fn told(world: &World, who: Person) -> Vec<Message> {
    let links = world.net.links_to(&ALICE.as_owner(), &who.as_participant());
    let sent = world.wire.from(ALICE.as_owner()).into_iter();
    let to_them = sent.filter(|sent| links.contains(&sent.link));
    to_them.map(|sent| sent.message()).collect()
}

/// The choices of others that are in a message to somebody.
fn choices_of_others(message: &Message, me: Person) -> Vec<OptionId> {
    let of_updates = |updates: &[hustings_protocol::Update]| {
        let others = updates.iter().filter(|update| update.author != me.peer());
        let votes = others.filter_map(|update| match &update.numbered.command {
            Command::Vote(vote) => Some(vote.option_ids.clone()),
            _ => None,
        });
        votes.flatten().collect::<Vec<_>>()
    };
    match message {
        Message::PollState(state) => {
            let others = state.poll.members().filter(|(peer, _)| *peer != me.peer());
            others
                .flat_map(|(_, member)| member.choices.clone())
                .collect()
        }
        Message::Update(update) => of_updates(std::slice::from_ref(update)),
        Message::PollTally(tally) => of_updates(&tally.updates),
        _ => Vec::new(),
    }
}

/// Nobody is told another's choice, in nothing that Alice has sent.
fn nobody_is_told_of_others(world: &World) {
    for who in [BOB, CAROL] {
        for message in told(world, who) {
            assert_eq!(choices_of_others(&message, who), [], "{who:?}: {message:?}");
        }
    }
}

/// In nothing that Alice has sent is there a number of votes.
fn nobody_is_told_numbers(world: &World) {
    for sent in world.wire.from(ALICE.as_owner()) {
        let text = String::from_utf8_lossy(&sent.frame).into_owned();
        assert!(!text.contains(r#""tally":["#), "{text}");
    }
}

#[test]
fn of_a_secret_poll_members_are_told_the_numbers_and_who_voted() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Secret, Results::Live);
    votes(world, &bob, 1);
    votes(world, &carol, 2);
    votes(world, &bob, 0);
    nobody_is_told_of_others(world);
    for member in [&bob, &carol] {
        assert_eq!(tally(&member.room), Some(vec![1, 0, 1]));
        let poll = member.room.confirmed().unwrap();
        assert_eq!(poll.voters(), 2);
        assert!(poll.has_voted(BOB.peer()) && poll.has_voted(CAROL.peer()));
        let owner = alice.room.poll().unwrap();
        assert_eq!(*poll, owner.told_to(member.person.peer()));
    }
    assert_eq!(choice_of(&bob.room, BOB).len(), 1, "one's own is shown");
    assert!(choice_of(&bob.room, CAROL).is_empty());
    assert_eq!(
        choice_of(&alice.room, CAROL).len(),
        1,
        "the owner counts them"
    );
}

#[test]
fn whoever_comes_later_is_told_no_more() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Secret, Results::Live);
    votes(world, &bob, 1);
    votes(world, &carol, 2);
    // She comes back on the same disk, and her own vote is there.
    let disk = world.crash_participant(carol);
    votes(world, &bob, 2);
    let carol = world.enter(CAROL, &disk, alice.room.id());
    world.wait_for(carol.room.connected()).unwrap();
    world.quiesce();
    assert_eq!(tally(&carol.room), Some(vec![0, 0, 2]));
    assert_eq!(choice_of(&carol.room, CAROL), choice_of(&alice.room, CAROL));
    nobody_is_told_of_others(world);
}

#[test]
fn whoever_was_away_is_told_what_they_missed_and_not_the_whole_poll() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Secret, Results::Live);
    votes(world, &carol, 2);
    for number in 0..40 {
        let label = format!("Something else, number {number}");
        world.get_done(
            &alice.room,
            add_option(alice.room.id().poll_id, option(100 + number), &label),
        );
    }
    world.wire.clear();
    world.cut(CAROL);
    world.quiesce();
    votes(world, &bob, 1);
    world.get_done(&bob.room, call_me("Bob"));
    world.wait_for(carol.room.connected()).unwrap();
    world.quiesce();
    let told = told(world, CAROL);
    let is_whole = |message: &Message| matches!(message, Message::PollState(_));
    let is_part = |message: &Message| matches!(message, Message::PollTally(_));
    assert!(
        !told.iter().any(is_whole) && told.iter().any(is_part),
        "{told:?}"
    );
    let owner = alice.room.poll().unwrap();
    assert_eq!(
        *carol.room.confirmed().unwrap(),
        owner.told_to(CAROL.peer())
    );
    nobody_is_told_of_others(world);
}

#[test]
fn after_the_vote_results_are_there_and_taking_it_back_hides_them() {
    for ballots in [Ballots::Open, Ballots::Secret] {
        let world = &mut World::new();
        let (alice, bob, carol) = three(world, ballots, Results::AfterVote);
        votes(world, &carol, 2);
        assert_eq!(tally(&bob.room), None);
        assert_eq!(
            bob.room.poll().unwrap().voters(),
            1,
            "how many is no secret"
        );
        votes(world, &bob, 1);
        assert_eq!(tally(&bob.room), Some(vec![0, 1, 1]));
        takes_back(world, &bob);
        assert_eq!(tally(&bob.room), None);
        votes(world, &carol, 1);
        assert_eq!(tally(&carol.room), Some(vec![0, 1, 0]));
        for member in [&bob, &carol] {
            let owner = alice.room.poll().unwrap();
            assert_eq!(
                *member.room.confirmed().unwrap(),
                owner.told_to(member.person.peer())
            );
        }
    }
}

#[test]
fn results_after_the_close_are_in_no_frame_before_it() {
    for ballots in [Ballots::Open, Ballots::Secret] {
        let world = &mut World::new();
        let (alice, bob, carol) = three(world, ballots, Results::AfterClose);
        let poll_id = alice.room.id().poll_id;
        votes(world, &bob, 1);
        votes(world, &carol, 2);
        assert_eq!([shown(&bob.room), shown(&carol.room)], [Shown::Turnout; 2]);
        assert_eq!(
            tally(&alice.room),
            Some(vec![0, 1, 1]),
            "the owner's own page may"
        );
        nobody_is_told_of_others(world);
        nobody_is_told_numbers(world);
        world.get_done(&alice.room, close_poll(poll_id));
        assert_eq!(tally(&bob.room), Some(vec![0, 1, 1]));
        assert_eq!(
            choice_of(&bob.room, CAROL).is_empty(),
            ballots == Ballots::Secret
        );
        let reopen = SettingsUpdate::new(poll_id).closed(false);
        world.get_done(&alice.room, Command::UpdateSettings(reopen));
        assert_eq!([shown(&bob.room), shown(&carol.room)], [Shown::Turnout; 2]);
    }
}

#[test]
fn the_owner_may_show_results_earlier_or_later() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Secret, Results::AfterClose);
    votes(world, &carol, 2);
    let mut set = |results, expected: Option<Vec<u64>>| {
        let settings = SettingsUpdate::new(alice.room.id().poll_id).results(results);
        world.get_done(&alice.room, Command::UpdateSettings(settings));
        assert_eq!(tally(&bob.room), expected, "{results:?}");
    };
    set(Results::Live, Some(vec![0, 0, 1]));
    set(Results::AfterVote, None);
    set(Results::Live, Some(vec![0, 0, 1]));
}

/// The first of a crowd of votes is told at once, and the others after a while, together.
#[test]
fn votes_are_told_together() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Secret, Results::Live);
    world.run_for(Duration::from_secs(1));
    world.wire.clear();
    let voters: Vec<_> = (10..40)
        .map(|number| world.join(Person(number), alice.room.id()))
        .collect();
    world.run_for(Duration::from_secs(1));
    world.wire.clear();
    all_vote(world, &voters);
    // Each sees its own at once, whatever it has been told of the others.
    for voter in &voters {
        assert_eq!(choice_of(&voter.room, voter.person).len(), 1);
    }
    world.run_for(Config::default().tally_interval);
    world.quiesce();
    let tallies: Vec<_> = told(world, CAROL)
        .into_iter()
        .filter_map(|message| match message {
            Message::PollTally(tally) => Some(tally.tally.expect("it is live")[1]),
            _ => None,
        })
        .collect();
    assert_eq!(tallies, [1, 30]);
    for member in voters.iter().chain([&bob, &carol]) {
        assert_eq!(tally(&member.room), Some(vec![0, 30, 0]));
        assert!(member.room.pending().is_empty());
    }
}

/// All of them vote at once, and have their answers.
fn all_vote(world: &mut World, voters: &[Joined]) {
    let votes: Vec<_> = voters
        .iter()
        .map(|voter| world.submit(&voter.room, vote_in(&voter.room, 1)))
        .collect();
    for vote in votes {
        world.outcome(vote);
    }
}

/// To tell a crowd costs its owner for each of them, so it is told less often the larger it is.
#[test]
fn a_crowd_is_told_less_often() {
    let world = &mut World::new();
    let config = Config {
        tally_interval: Duration::from_nanos(1),
        ..Config::default()
    };
    let alice = world.host_draft(draft(Ballots::Secret, Results::Live), config);
    let _carol = world.join(CAROL, alice.room.id());
    let voters: Vec<_> = (10..110)
        .map(|number| world.join(Person(number), alice.room.id()))
        .collect();
    let mut tallies = |voters: &[Joined]| {
        world.run_for(Duration::from_secs(1));
        world.wire.clear();
        all_vote(world, voters);
        world.run_for(Duration::from_secs(1));
        let tally = |message: &Message| matches!(message, Message::PollTally(_));
        told(world, CAROL)
            .iter()
            .filter(|message| tally(message))
            .count()
    };
    // The first at once, the others together.
    assert_eq!(tallies(&voters[..50]), 2);
    assert_eq!(tallies(&voters[50..]), 2);
}

/// Whatever else happens is told after the votes before it, so that what a member has is always the
/// poll of one revision.
#[test]
fn votes_are_told_before_anything_else() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Secret, Results::Live);
    votes(world, &carol, 0);
    world.wire.clear();
    let first = world.submit(&bob.room, vote_in(&bob.room, 1));
    world.outcome(first);
    let second = world.submit(&bob.room, vote_in(&bob.room, 2));
    world.outcome(second);
    let poll_id = alice.room.id().poll_id;
    world.get_done(&alice.room, add_option(poll_id, option(9), "Juice"));
    let kinds: Vec<_> = told(world, CAROL)
        .iter()
        .filter_map(|message| match message {
            Message::PollTally(tally) => tally.tally.clone(),
            Message::Update(update) => u32::try_from(update.revision.get()).ok().map(|it| vec![it]),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [vec![1, 1, 0], vec![1, 0, 1], vec![4]]);
    assert_eq!(tally(&carol.room), Some(vec![1, 0, 1, 0]));
}

/// A member that is told by an impostor of an owner, or by a fault, what does not fit asks for the
/// whole poll.
#[test]
fn a_tally_that_does_not_fit_is_asked_about() {
    use common::bench::{Bench, state};
    use hustings_protocol::{PollTally, Revision};
    use hustings_room::Participant;

    let mut bob = Bench::<Participant>::joining(BOB);
    let link = bob.joins();
    let poll = common::people::poll_of(draft(Ballots::Secret, Results::Live));
    bob.hears(link, state(2, 5, &poll.told_to(BOB.peer())));
    let revision = |number| Revision::new(number).unwrap();
    let tally = |after, to, tally: &[u32]| {
        let tally = PollTally {
            after: revision(after),
            revision: revision(to),
            tally: Some(tally.to_vec()),
            ..PollTally::default()
        };
        Message::PollTally(tally).encode()
    };
    let asks = |said: &common::bench::Outputs| {
        said.to(link).into_iter().find_map(|message| match message {
            Message::SyncRequest(request) => Some(request.known.map(|at| at.revision.get())),
            _ => None,
        })
    };
    let said = bob.hears(link, tally(6, 7, &[0, 0, 1]));
    assert_eq!(asks(&said), Some(Some(5)), "something is missing before it");
    let said = bob.hears(link, tally(5, 7, &[0, 1]));
    assert_eq!(asks(&said), Some(None), "a number is missing in it");
    bob.hears(link, tally(4, 7, &[0, 0, 1]));
    assert_eq!(
        bob.machine.revision(),
        Some(revision(7)),
        "overlaps are no fault"
    );
    bob.hears(link, tally(4, 6, &[9, 9, 9]));
    assert_eq!(
        bob.machine.revision(),
        Some(revision(7)),
        "what is older is nothing new"
    );
}

#[cfg(feature = "planted")]
#[test]
fn without_the_mendings_these_fail() {
    use common::without;
    use hustings_protocol::planted::Fault;

    let cases: [(Fault, fn()); 4] = [
        (
            Fault::TellsVotes,
            of_a_secret_poll_members_are_told_the_numbers_and_who_voted,
        ),
        (Fault::TellsVotes, votes_are_told_together),
        (
            Fault::ShowsEarly,
            results_after_the_close_are_in_no_frame_before_it,
        ),
        (Fault::TellsLate, votes_are_told_before_anything_else),
    ];
    for (fault, test) in cases {
        without(fault, test);
    }
}
