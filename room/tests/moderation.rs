//! The powers of a host and its moderators: remove people and readmit them, change the title and
//! the options, and close a poll at a time.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use std::time::Duration;

use common::people::{ALICE, BOB, CAROL, Person, draft, make, option, revision, vote};
use common::world::{Hosted, Joined, World, choice_of, option_of, told, vote_in};
use hustings_protocol::{
    Ballots, Command, ErrorCode, OptionUpdate, Outcome, PeerReadmission, PeerRemoval, PollDraft,
    PollId, Results, Role, SettingsUpdate,
};
use hustings_room::driver::{CallError, Room};
use hustings_room::{Config, Connection, Event, Moment, Refused, SubmitError};

const ALL: [(Ballots, Results); 4] = [
    (Ballots::Open, Results::Live),
    (Ballots::Open, Results::AfterVote),
    (Ballots::Secret, Results::Live),
    (Ballots::Secret, Results::AfterVote),
];

/// Alice hosts a poll of each kind, and Bob and Carol are in it and have voted for 0 and 1.
fn three(world: &mut World, of: (Ballots, Results)) -> (Hosted, Joined, Joined) {
    let draft = draft().ballots(of.0).results(of.1);
    let alice = world.host_draft(draft, Config::default());
    let bob = world.join(BOB, alice.room.id());
    let carol = world.join(CAROL, alice.room.id());
    for (who, number) in [(&bob, 0), (&carol, 1)] {
        let vote = vote_in(&who.room, number);
        done(world, &who.room, vote);
    }
    (alice, bob, carol)
}

/// Submits, and lets everybody hear of it.
fn done(world: &mut World, room: &Room, command: Command) {
    let outcome = world.get_done(room, command);
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    world.run_for(Config::default().tally_interval);
    world.quiesce();
}

fn code(world: &mut World, room: &Room, command: Command) -> ErrorCode {
    // Nobody is asked about what could never be a text.
    let submitted = match world.try_submit(room, command) {
        Ok(submitted) => submitted,
        Err(CallError::Submit(SubmitError::Invalid(rejection))) => return rejection.code,
        Err(error) => panic!("{error}"),
    };
    match world.outcome(submitted) {
        Outcome::Rejected(rejection) => rejection.code,
        applied @ Outcome::Applied(_) => panic!("{applied:?}"),
    }
}

fn remove(poll_id: PollId, who: Person, keep_vote: bool) -> Command {
    Command::RemovePeer(PeerRemoval {
        poll_id,
        peer_id: who.peer(),
        keep_vote,
    })
}

fn readmit(poll_id: PollId, who: Person) -> Command {
    Command::ReadmitPeer(PeerReadmission {
        poll_id,
        peer_id: who.peer(),
    })
}

fn tally(room: &Room) -> Option<Vec<u64>> {
    let tally = room.poll().expect("it has arrived").tally()?;
    Some(tally.options.iter().map(|option| option.votes).collect())
}

/// A member has exactly what it may have of the owner's poll.
fn is_told_all(alice: &Hosted, member: &Joined) {
    let owner = alice.room.poll().expect("it is hosted");
    let confirmed = member.room.confirmed().expect("it has arrived");
    assert_eq!(*confirmed, owner.told_to(member.person.peer()));
}

#[test]
fn whoever_is_removed_is_told_so_and_stays_out_until_readmitted() {
    for kind in ALL {
        let world = &mut World::new();
        let (alice, bob, carol) = three(world, kind);
        let poll_id = alice.room.id().poll_id;
        done(world, &alice.room, remove(poll_id, BOB, true));
        let is_out = |world: &mut World, bob: &Joined| {
            world.run_for(Duration::from_secs(120));
            match bob.room.connection() {
                Connection::Refused(Refused::ByOwner(why)) => {
                    assert_eq!(why.code, ErrorCode::Removed)
                }
                other => panic!("{kind:?}: {other:?}"),
            }
        };
        is_out(world, &bob);
        assert_eq!(
            tally(&carol.room).map(|it| it[0]),
            Some(1),
            "the vote stays"
        );
        is_told_all(&alice, &carol);
        // Neither on a new start, nor after the owner's.
        let disk = world.crash_participant(bob);
        let bob = world.enter(BOB, &disk, alice.room.id());
        is_out(world, &bob);
        let owners = world.crash_owner(alice);
        let alice = world.host_again(&owners, poll_id);
        world.wait_for(bob.room.reconnect()).unwrap();
        is_out(world, &bob);
        done(world, &alice.room, readmit(poll_id, BOB));
        world.wait_for(bob.room.reconnect()).unwrap();
        world.wait_for(bob.room.connected()).unwrap();
        let again = vote_in(&bob.room, 2);
        done(world, &bob.room, again);
        assert_eq!(choice_of(&alice.room, BOB), [option_of(&alice.room, 2)]);
    }
}

#[test]
fn the_vote_of_whoever_is_removed_goes_if_the_host_says_so() {
    for kind in ALL {
        let world = &mut World::new();
        let (alice, bob, carol) = three(world, kind);
        done(
            world,
            &alice.room,
            remove(alice.room.id().poll_id, BOB, false),
        );
        assert_eq!(tally(&carol.room), Some(vec![0, 1, 0]), "{kind:?}");
        assert_eq!(carol.room.poll().unwrap().voters(), 1);
        is_told_all(&alice, &carol);
        drop(bob);
    }
}

#[test]
fn moderators_remove_those_below_them_and_nobody_else() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, ALL[2]);
    let poll_id = alice.room.id().poll_id;
    let not_allowed = ErrorCode::NotAllowed;
    assert_eq!(
        code(world, &bob.room, remove(poll_id, CAROL, true)),
        not_allowed
    );
    done(world, &alice.room, make(poll_id, BOB, Role::Moderator));
    assert_eq!(
        code(world, &bob.room, remove(poll_id, ALICE, true)),
        not_allowed
    );
    assert_eq!(
        code(world, &bob.room, remove(poll_id, BOB, true)),
        not_allowed
    );
    done(world, &bob.room, remove(poll_id, CAROL, true));
    assert!(matches!(carol.room.connection(), Connection::Refused(_)));
    // Somebody who has never been here, too.
    done(world, &bob.room, remove(poll_id, Person(77), true));
    let stranger = world.enter(Person(77), &common::disk::Disk::default(), alice.room.id());
    world.quiesce();
    assert!(matches!(stranger.room.connection(), Connection::Refused(_)));
}

#[test]
fn votes_for_an_option_that_is_withdrawn_do_not_count_and_come_back_with_it() {
    for kind in ALL {
        let world = &mut World::new();
        let (alice, bob, carol) = three(world, kind);
        let poll_id = alice.room.id().poll_id;
        let first = option_of(&alice.room, 0);
        let update = |withdrawn| {
            Command::UpdateOption(OptionUpdate::new(poll_id, first).withdrawn(withdrawn))
        };
        done(world, &alice.room, update(true));
        assert_eq!(tally(&carol.room), Some(vec![0, 1, 0]), "{kind:?}");
        let poll = bob.room.poll().unwrap();
        // Bob still sees what he had chosen, and that it is gone.
        assert_eq!(poll.choices(BOB.peer()), [first]);
        assert!(poll.options()[0].withdrawn && !poll.has_voted(BOB.peer()));
        assert_eq!(
            code(world, &carol.room, vote(poll_id, first)),
            ErrorCode::OptionWithdrawn
        );
        for member in [&bob, &carol] {
            is_told_all(&alice, member);
        }
        done(world, &alice.room, update(false));
        assert_eq!(tally(&carol.room), Some(vec![1, 1, 0]), "{kind:?}");
        for member in [&bob, &carol] {
            is_told_all(&alice, member);
        }
        done(world, &alice.room, update(true));
        let other = vote_in(&bob.room, 2);
        done(world, &bob.room, other);
        assert_eq!(tally(&bob.room), Some(vec![0, 1, 1]), "{kind:?}");
    }
}

#[test]
fn whoever_was_away_when_an_option_was_withdrawn_is_told() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, ALL[2]);
    let disk = world.crash_participant(carol);
    let first = option_of(&alice.room, 0);
    let update = OptionUpdate::new(alice.room.id().poll_id, first).withdrawn(true);
    done(world, &alice.room, Command::UpdateOption(update));
    done(
        world,
        &alice.room,
        remove(alice.room.id().poll_id, Person(77), true),
    );
    let carol = world.enter(CAROL, &disk, alice.room.id());
    world.wait_for(carol.room.connected()).unwrap();
    world.quiesce();
    assert!(!carol.room.poll().unwrap().has_voted(BOB.peer()));
    is_told_all(&alice, &carol);
    drop(bob);
}

#[test]
fn texts_are_changed_by_the_rules_for_new_ones() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, ALL[2]);
    let poll_id = alice.room.id().poll_id;
    let label = |label: &str, number| {
        Command::UpdateOption(
            OptionUpdate::new(poll_id, option_of(&alice.room, number)).label(label),
        )
    };
    let title = |title: &str| Command::UpdateSettings(SettingsUpdate::new(poll_id).title(title));
    done(world, &alice.room, label("Green tea", 0));
    done(world, &alice.room, title("Tea, coffee or water?"));
    for member in [&bob, &carol] {
        let poll = member.room.poll().unwrap();
        assert_eq!(poll.title(), "Tea, coffee or water?");
        assert_eq!(poll.options()[0].label, "Green tea");
    }
    assert_eq!(
        code(world, &alice.room, label("COFFEE", 0)),
        ErrorCode::LabelExists
    );
    assert_eq!(
        code(world, &alice.room, label("\u{200b}", 0)),
        ErrorCode::BadText
    );
    assert_eq!(
        code(world, &alice.room, title("\u{202e}eltit")),
        ErrorCode::BadText
    );
    assert_eq!(
        code(world, &bob.room, label("Mine", 0)),
        ErrorCode::NotAllowed
    );
    assert_eq!(
        code(world, &bob.room, title("Mine?")),
        ErrorCode::NotAllowed
    );
    // A label that is its own is no other's, and one that was changed is free.
    done(world, &alice.room, label("Green Tea", 0));
    let tea = common::people::add_option(poll_id, option(9), "Tea");
    done(world, &carol.room, tea);
}

// A deadline.

/// The time at which the world begins, as everybody's setup has it.
const START: u64 = 1_790_000_000_000;

fn closes_after(seconds: u64) -> PollDraft {
    draft().closes_at(START + seconds * 1_000)
}

#[test]
fn a_poll_closes_at_its_time_by_a_command_of_its_own() {
    let world = &mut World::new();
    let alice = world.host_draft(closes_after(60), Config::default());
    let bob = world.join(BOB, alice.room.id());
    let now = || vote_in(&bob.room, 0);
    done(world, &bob.room, now());
    // It has gone on since the poll was made.
    world.run_for(Moment::from_millis(59_000) - world.now());
    assert!(!bob.room.poll().unwrap().is_closed());
    let mut events = alice.room.events();
    world.run_for(Duration::from_secs(2));
    assert!(bob.room.poll().unwrap().is_closed());
    assert_eq!(bob.room.revision(), Some(revision(2)));
    let is_own = |event: &Event| matches!(event, Event::Command { .. });
    assert!(
        told(&mut events).iter().any(is_own),
        "the host sees it as a command"
    );
    assert_eq!(
        code(world, &bob.room, vote_in(&bob.room, 1)),
        ErrorCode::PollClosed
    );
    // Opened again, it has no deadline any more.
    let open = SettingsUpdate::new(alice.room.id().poll_id).closed(false);
    done(world, &alice.room, Command::UpdateSettings(open));
    world.run_for(Duration::from_secs(60));
    assert!(!bob.room.poll().unwrap().is_closed());
    assert_eq!(bob.room.poll().unwrap().closes_at(), None);
}

#[test]
fn a_deadline_that_has_passed_while_the_host_was_away_counts_at_once() {
    let world = &mut World::new();
    let alice = world.host_draft(closes_after(60), Config::default());
    let poll_id = alice.room.id().poll_id;
    let bob = world.join(BOB, alice.room.id());
    let disk = world.crash_owner(alice);
    world.run_for(Duration::from_secs(100));
    let alice = world.host_again(&disk, poll_id);
    world.wait_for(bob.room.connected()).unwrap();
    world.quiesce();
    assert!(alice.room.poll().unwrap().is_closed() && bob.room.poll().unwrap().is_closed());
    assert_eq!(
        code(world, &bob.room, vote_in(&bob.room, 1)),
        ErrorCode::PollClosed
    );
}

#[test]
fn a_deadline_is_moved_and_taken_away() {
    let world = &mut World::new();
    let alice = world.host_draft(closes_after(60), Config::default());
    let bob = world.join(BOB, alice.room.id());
    let poll_id = alice.room.id().poll_id;
    let mut set = |closes_at: Option<u64>| {
        let update = SettingsUpdate::new(poll_id).closes_at(closes_at);
        done(world, &alice.room, Command::UpdateSettings(update));
        world.run_for(Duration::from_secs(100));
        bob.room.poll().unwrap().is_closed()
    };
    assert!(!set(None));
    assert!(!set(Some(START + 1_000_000)));
    assert!(set(Some(START)), "one that has passed closes at once");
}

/// A vote that arrives at the moment of the deadline is answered, whichever the owner's timer does
/// first.
#[test]
fn a_vote_at_the_deadline_is_refused_and_not_lost() {
    use common::bench::Bench;
    use common::people::{command_id, numbered, poll_of, room};

    let mut alice = Bench::hosting_poll(poll_of(closes_after(60)), Config::default());
    let bob = alice.admits(BOB);
    // The timer is late: the frame is there first.
    alice.now = alice.now + Duration::from_secs(60);
    let said = alice.hears(bob, numbered(1, vote(room().poll_id, option(0))));
    assert_eq!(
        said.refusal(bob),
        (Some(command_id(1)), ErrorCode::PollClosed)
    );
    assert!(alice.owner().poll().is_closed());
}

#[test]
fn participants_learn_how_their_clock_differs() {
    let world = &mut World::new();
    let alice = world.host_draft(closes_after(60), Config::default());
    assert_eq!(alice.room.clock_offset(), Some(0));
    let bob = world.join(BOB, alice.room.id());
    let offset = bob.room.clock_offset().expect("it was in the handshake");
    // What a message takes, and no more.
    assert!((-100..=0).contains(&offset), "{offset}");
}
