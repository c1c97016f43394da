//! The driver: what is durable when, what the handles show, and how a process ends.

mod common;

use std::time::Duration;

use common::disk::Disk;
use common::people::{
    ALICE, BOB, CAROL, add_option, call_me, close_poll, draft, option, queueing, revision, vote,
};
use common::world::{
    A_MOMENT, Hosted, Joined, World, choice_of, connections, option_of, told, vote_in,
};
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use hustings_outbox::{Durability, Fault, StoreError};
use hustings_protocol::{ErrorCode, Kind, Limits, Outcome, Revision, WINDOW};
use hustings_room::driver::{CallError, DriverError, OpenError, Room};
use hustings_room::{CommandState, Config, Connection, Event, Refused};

fn applied(number: u64) -> Outcome {
    Outcome::Applied(revision(number))
}

fn disk_full() -> StoreError {
    StoreError::Full("for this test".into())
}

fn states(room: &Room) -> Vec<CommandState> {
    let pending = room.pending().into_iter();
    pending.map(|command| command.state).collect()
}

/// The driver of this room has stopped, and every call on a handle says why.
#[track_caller]
fn assert_stopped(world: &mut World, room: &Room, why: CallError) {
    let stopped = Err(why);
    let submitted = world.try_submit(room, call_me("Nobody"));
    assert_eq!(submitted.map(drop), stopped);
    assert_eq!(world.wait_for(room.reconnect()), stopped);
    assert_eq!(world.wait_for(room.connected()), stopped);
    assert_eq!(world.wait_for(room.events().next()), None);
    world.wait_for(room.close());
}

/// Alice hosts, and Bob is in.
fn alice_and_bob() -> (World, Hosted, Joined) {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    (world, alice, bob)
}

// Write-ahead.

#[test]
fn an_owner_whose_disk_fails_says_nothing_and_goes_on_from_what_is_durable() {
    // Whether the batch of a failed commit is there or not, nobody may have heard of it.
    for (fault, is_there) in [(Fault::Commit, 0), (Fault::CommitReport, 1)] {
        let (mut world, alice, bob) = alice_and_bob();
        let submitted = world.submit(&bob.room, vote_in(&bob.room, 0));
        alice.disk.fail_next(fault, disk_full());
        world.wire.clear();

        let ended = world.end_of(ALICE.as_owner());
        assert_eq!(ended, Err(DriverError::Store(disk_full())));
        assert_eq!(world.wire.from(ALICE.as_owner()).len(), 0, "{fault:?}");
        let submitted_at_owner = world.try_submit(&alice.room, vote_in(&alice.room, 0));
        let full = DriverError::Store(disk_full());
        let why = CallError::Failed(full.clone());
        assert_eq!(submitted_at_owner.unwrap_err(), why);
        let expected =
            "the room is closed, because the store failed: storage is full: for this test";
        assert_eq!(why.to_string(), expected);
        let (hosting, poll_id) = (alice.hosting.clone(), alice.room.id().poll_id);
        let created = world.wait_for(hosting.create(draft()));
        assert_eq!(created.unwrap_err(), OpenError::Failed(full.clone()));
        let opened = world.wait_for(hosting.open(poll_id));
        assert_eq!(opened.unwrap_err(), OpenError::Failed(full.clone()));
        drop(hosting);

        let alice = world.host_again(&alice.disk, alice.room.id().poll_id);
        assert_eq!(alice.room.revision(), Some(revision(is_there)));
        assert_eq!(world.outcome(submitted), applied(1));
        assert_eq!(alice.room.revision(), Some(revision(1)));
    }
}

#[test]
fn a_participant_whose_disk_fails_sends_nothing_and_goes_on_from_what_is_durable() {
    for (fault, is_there) in [(Fault::Commit, 0), (Fault::CommitReport, 1)] {
        let (mut world, alice, bob) = alice_and_bob();
        bob.disk.fail_next(fault, disk_full());
        world.wire.clear();
        let submitted = world.try_submit(&bob.room, vote_in(&bob.room, 0));
        let full = CallError::Failed(DriverError::Store(disk_full()));
        assert_eq!(submitted.unwrap_err(), full, "in the call itself");
        let ended = world.end_of(BOB.as_participant());
        assert_eq!(ended, Err(DriverError::Store(disk_full())));
        assert_eq!(world.wire.from(BOB.as_participant()).len(), 0, "{fault:?}");
        assert_stopped(&mut world, &bob.room, full);

        let bob = world.enter(BOB, &bob.disk, alice.room.id()).room;
        assert_eq!(bob.pending().len(), is_there);
        world.wait_for(bob.connected()).unwrap();
        world.quiesce();
        assert_eq!(alice.room.revision(), Some(revision(is_there as u64)));
        let next = revision(is_there as u64 + 1);
        let outcome = world.get_done(&bob, call_me("Bob"));
        assert_eq!(outcome, Outcome::Applied(next));
    }
}

#[test]
fn submit_resolves_when_the_command_is_durable_and_nothing_is_sent_before() {
    let (mut world, _alice, bob) = alice_and_bob();
    bob.disk.hold();
    world.wire.clear();
    let mut submitting = {
        let (room, command) = (bob.room.clone(), vote_in(&bob.room, 0));
        Box::pin(async move { room.submit(command).await })
    };
    assert!((&mut submitting).now_or_never().is_none());
    world.quiesce();
    assert!((&mut submitting).now_or_never().is_none());
    assert_eq!(world.wire.from(BOB.as_participant()).len(), 0);
    // It shows already, as what it is.
    assert_eq!(states(&bob.room), [CommandState::Queued]);
    assert_eq!(choice_of(&bob.room, BOB), [option_of(&bob.room, 0)]);

    bob.disk.release();
    let submitted = world.wait_for(submitting).unwrap();
    assert_eq!(bob.disk.last_durability(), Some(Durability::Strict));
    assert_eq!(states(&bob.room), [CommandState::Sent]);
    assert_eq!(world.wire.from(BOB.as_participant()).len(), 1);
    assert_eq!(world.outcome(submitted), applied(1));
    assert_eq!(states(&bob.room), []);
}

#[test]
fn an_owner_answers_when_it_is_durable() {
    let (mut world, alice, bob) = alice_and_bob();
    alice.disk.hold();
    world.wire.clear();
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 0));
    world.quiesce();
    assert_eq!(world.wire.from(ALICE.as_owner()).len(), 0);
    assert_eq!(bob.room.revision(), Some(Revision::ZERO));

    alice.disk.release();
    assert_eq!(world.outcome(submitted), applied(1));
    // What was answered survives the next power cut.
    let disk = world.crash_owner(alice);
    disk.crash();
    let alice = world.host_again(&disk, bob.room.id().poll_id);
    assert_eq!(alice.room.revision(), Some(revision(1)));
}

#[test]
fn a_power_cut_costs_a_participant_its_cache_at_most() {
    let (mut world, alice, bob) = alice_and_bob();
    let room = alice.room.id();
    world.get_done(&bob.room, vote_in(&bob.room, 0));
    world.get_done(&alice.room, vote_in(&alice.room, 1));
    assert_eq!(bob.disk.last_durability(), Some(Durability::Relaxed));
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 2));
    let command = submitted.command_id();

    let disk = world.crash_participant(bob);
    disk.crash();
    let bob = world.enter(BOB, &disk, room).room;
    assert_eq!(bob.pending()[0].command_id, command);
    world.wait_for(bob.connected()).unwrap();
    world.quiesce();
    assert_eq!(bob.poll(), alice.room.poll());
    assert_eq!(bob.revision(), Some(revision(3)));
}

#[test]
fn many_submits_at_once_are_few_commits() {
    let (mut world, alice, bob) = alice_and_bob();
    let (bobs, alices) = (bob.disk.commits(), alice.disk.commits());
    let names = (0..50).map(|number| bob.room.submit(call_me(&format!("Bob {number}"))));
    let submitted = world.wait_for(join_all(names));
    assert!(submitted.iter().all(Result::is_ok));
    let commits = bob.disk.commits() - bobs;
    assert!(commits <= 3, "{commits} commits for 50 commands");

    world.quiesce();
    assert_eq!(alice.room.revision(), Some(revision(50)));
    let commits = alice.disk.commits() - alices;
    assert!(commits <= 3, "{commits} commits for 50 commands");
}

// What the handles show.

#[test]
fn a_pending_vote_shows_on_top_of_what_is_confirmed() {
    let (mut world, _alice, bob) = alice_and_bob();
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 1));
    assert_eq!(choice_of(&bob.room, BOB), [option_of(&bob.room, 1)]);
    let confirmed = bob.room.confirmed().unwrap();
    assert!(confirmed.choices(BOB.peer()).is_empty());
    assert_eq!(bob.room.revision(), Some(Revision::ZERO));

    assert_eq!(world.outcome(submitted), applied(1));
    assert_eq!(bob.room.confirmed(), bob.room.poll());
    assert_eq!(choice_of(&bob.room, BOB), [option_of(&bob.room, 1)]);
}

#[test]
fn a_pending_command_that_is_rejected_disappears_from_the_view() {
    let (mut world, alice, bob) = alice_and_bob();
    let poll_id = alice.room.id().poll_id;
    // At the same moment Alice closes the poll, which Bob does not know yet.
    let closed = world.submit(&alice.room, close_poll(poll_id));
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 1));
    let command_id = submitted.command_id();
    let mut events = bob.room.events();
    assert_eq!(choice_of(&bob.room, BOB).len(), 1);
    assert_eq!(world.outcome(closed), applied(1));

    let Outcome::Rejected(why) = world.outcome(submitted) else {
        panic!("the poll was closed before");
    };
    assert_eq!(why.code, ErrorCode::PollClosed);
    assert_eq!(choice_of(&bob.room, BOB), []);
    assert_eq!(bob.room.poll(), bob.room.confirmed());
    assert_eq!(bob.room.poll(), alice.room.poll());
    assert!(bob.room.pending().is_empty());
    let state = CommandState::Rejected(why);
    assert!(told(&mut events).contains(&Event::Command { command_id, state }));
}

/// Nothing else happens that would make the view anew.
#[test]
fn what_only_the_owner_refuses_disappears_from_the_view() {
    let mut world = World::new();
    let limits = Limits {
        max_label_chars: 10,
        ..Limits::default()
    };
    let alice = world.host_with(Config {
        limits,
        ..Config::default()
    });
    let bob = world.join(BOB, alice.room.id()).room;
    let long = add_option(bob.id().poll_id, option(9), "Juice of the season");
    let submitted = world.submit(&bob, long);
    assert_eq!(bob.poll().unwrap().options().len(), 4);
    let outcome = world.outcome(submitted);
    assert!(matches!(outcome, Outcome::Rejected(why) if why.code == ErrorCode::TooLong));
    assert_eq!(bob.poll().unwrap().options().len(), 3);
    assert_eq!(bob.poll(), bob.confirmed());
}

#[test]
fn a_command_is_told_of_step_by_step() {
    let (mut world, _alice, bob) = alice_and_bob();
    let mut events = bob.room.events();
    world.get_done(&bob.room, vote_in(&bob.room, 0));
    let states: Vec<CommandState> = told(&mut events)
        .into_iter()
        .filter_map(|event| {
            let Event::Command { state, .. } = event else {
                return None;
            };
            Some(state)
        })
        .collect();
    assert_eq!(
        states,
        [
            CommandState::Queued,
            CommandState::Persisted,
            CommandState::Sent,
            CommandState::Applied(revision(1)),
        ]
    );
}

// Waiting for the owner.

#[test]
fn commands_that_were_queued_offline_survive_a_restart_and_are_applied_in_order() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let bob = world.enter_with(BOB, &Disk::default(), room, queueing());
    world.wait_for(bob.room.connected()).unwrap();
    world.quiesce();
    let alices_disk = world.crash_owner(alice);
    world.run_for(Duration::from_secs(10));

    for choice in 0..3 {
        world.submit(&bob.room, vote_in(&bob.room, choice));
    }
    let persisted = vec![CommandState::Persisted; 3];
    assert_eq!(states(&bob.room), persisted);
    let pending = bob.room.pending();

    let disk = world.crash_participant(bob);
    disk.crash();
    let bob = world.enter_with(BOB, &disk, room, queueing()).room;
    assert_eq!(bob.pending(), pending);
    assert_eq!(choice_of(&bob, BOB), [option_of(&bob, 2)], "the last wins");

    let alice = world.host_again(&alices_disk, room.poll_id).room;
    let mut events = bob.events();
    world.wait_for(bob.connected()).unwrap();
    world.quiesce();
    let applied: Vec<_> = told(&mut events)
        .into_iter()
        .filter_map(|event| {
            let Event::Command {
                command_id,
                state: CommandState::Applied(revision),
            } = event
            else {
                return None;
            };
            Some((command_id, revision))
        })
        .collect();
    let expected: Vec<_> = pending.iter().map(|command| command.command_id).collect();
    let expected: Vec<_> = expected.into_iter().zip((1..).map(revision)).collect();
    assert_eq!(applied, expected);
    assert_eq!(choice_of(&alice, BOB), [option_of(&alice, 2)]);
    assert!(bob.pending().is_empty());
}

#[test]
fn of_many_pending_commands_64_are_under_way_at_a_time() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let alices_disk = world.crash_owner(alice);
    let bob = world
        .enter_with(BOB, &Disk::default(), room, queueing())
        .room;
    for number in 0..200 {
        world.submit(&bob, call_me(&format!("Bob {number}")));
    }

    let alice = world.host_again(&alices_disk, room.poll_id).room;
    let mut most = 0;
    while !bob.pending().is_empty() {
        let pending = states(&bob).into_iter();
        most = most.max(pending.filter(|it| *it == CommandState::Sent).count());
        world.run_for(Duration::from_millis(5));
    }
    assert_eq!(most as u64, WINDOW);
    assert_eq!(alice.revision(), Some(revision(200)));
    let poll = alice.poll().unwrap();
    let name = &poll
        .member(BOB.peer())
        .unwrap()
        .profile
        .as_ref()
        .unwrap()
        .name;
    assert_eq!(name, "Bob 199", "in their order");
}

// Several polls.

#[test]
fn one_host_has_several_polls_and_each_hears_of_its_own() {
    let (mut world, alice, bob) = alice_and_bob();
    let lunch = world.wait_for(alice.hosting.create(draft())).unwrap();
    assert_ne!(lunch.id(), alice.room.id());
    let carol = world.join(CAROL, lunch.id()).room;
    let mut about_tea = alice.room.events();
    let mut about_lunch = lunch.events();

    world.get_done(&bob.room, vote_in(&bob.room, 0));
    assert!(!told(&mut about_tea).is_empty());
    assert_eq!(told(&mut about_lunch), []);
    assert_eq!(carol.revision(), Some(Revision::ZERO));

    world.get_done(&carol, vote_in(&carol, 1));
    assert_eq!(told(&mut about_tea), []);
    assert!(!told(&mut about_lunch).is_empty());
    assert_eq!(bob.room.poll(), alice.room.poll());
    assert_eq!(carol.poll(), lunch.poll());
    let here = |room: &Room| room.peers().len();
    assert_eq!((here(&alice.room), here(&lunch)), (2, 2));

    let mut journals = world.wait_for(alice.hosting.journals()).unwrap();
    journals.sort();
    let mut rooms = [alice.room.id(), lunch.id()];
    rooms.sort();
    assert_eq!(journals, rooms);
}

#[test]
fn a_poll_that_is_closed_turns_its_people_away_until_it_is_opened_again() {
    let (mut world, alice, bob) = alice_and_bob();
    let lunch = world.wait_for(alice.hosting.create(draft())).unwrap();
    let carol = world.join(CAROL, lunch.id()).room;
    world.get_done(&bob.room, vote_in(&bob.room, 0));

    world.wait_for(alice.room.close());
    assert_eq!(alice.room.poll(), None);
    // It has a journal, and may be opened again.
    world.run_for(Duration::from_secs(60));
    assert!(
        !matches!(
            bob.room.connection(),
            Connection::Connected | Connection::Refused(_)
        ),
        "{:?}",
        bob.room.connection()
    );
    assert_eq!(carol.connection(), Connection::Connected);

    let unknown = common::people::other_poll();
    let opened = world.wait_for(alice.hosting.open(unknown));
    assert_eq!(opened.unwrap_err(), OpenError::NoJournal(unknown));
    let tea = world.wait_for(alice.hosting.open(alice.room.id().poll_id));
    assert_eq!(tea.unwrap().revision(), Some(revision(1)));
    world.wait_for(bob.room.connected()).unwrap();
    assert_eq!(world.get_done(&bob.room, vote_in(&bob.room, 1)), applied(2));
}

#[test]
fn a_poll_that_is_deleted_is_gone_for_good_and_no_other_is() {
    let (mut world, alice, bob) = alice_and_bob();
    let lunch = world.wait_for(alice.hosting.create(draft())).unwrap();
    let carol = world.join(CAROL, lunch.id()).room;
    world.get_done(&carol, vote_in(&carol, 1));
    let poll_id = lunch.id().poll_id;

    world.wait_for(alice.hosting.delete(poll_id)).unwrap();
    assert_eq!(lunch.connection(), Connection::Closed);
    let opened = world.wait_for(alice.hosting.open(poll_id));
    assert_eq!(opened.unwrap_err(), OpenError::NoJournal(poll_id));
    // It is not away for a while: who asks for it need not ask again.
    world.run_for(Duration::from_secs(60));
    let Connection::Refused(Refused::ByOwner(why)) = carol.connection() else {
        panic!("{:?}", carol.connection());
    };
    assert_eq!(why.code, ErrorCode::UnknownPoll);
    assert!(carol.poll().is_some(), "a copy is whose it is");
    let journals = world.wait_for(alice.hosting.journals()).unwrap();
    assert_eq!(journals, [alice.room.id()]);

    assert_eq!(world.get_done(&bob.room, vote_in(&bob.room, 0)), applied(1));
    // To delete what there is not changes nothing.
    world.wait_for(alice.hosting.delete(poll_id)).unwrap();
}

/// An opening of a poll that is being deleted has read a journal that is gone by then.
#[test]
fn a_journal_that_was_read_before_the_poll_was_deleted_opens_nothing() {
    let (mut world, alice, _bob) = alice_and_bob();
    let poll_id = alice.room.id().poll_id;
    let opening = world.opens_what_was(&alice);
    world.wait_for(alice.hosting.delete(poll_id)).unwrap();
    alice.disk.catch_up();
    let opened = world.wait_for(opening);
    assert_eq!(opened.unwrap_err(), OpenError::NoJournal(poll_id));
}

/// The journal of a poll that is opened while its removal is under way is removed with all that came
/// to it since.
#[test]
fn a_poll_that_is_opened_and_voted_in_while_it_is_deleted_leaves_nothing() {
    let (mut world, alice, _bob) = alice_and_bob();
    let poll_id = alice.room.id().poll_id;
    world.wait_for(alice.room.close());
    alice.disk.hold();
    let hosting = alice.hosting.clone();
    let mut deleting = Box::pin(async move { hosting.delete(poll_id).await });
    for _ in 0..3 {
        assert!((&mut deleting).now_or_never().is_none());
        world.quiesce();
    }
    let room = world.wait_for(alice.hosting.open(poll_id)).unwrap();
    let (voter, vote) = (room.clone(), vote_in(&room, 0));
    let mut voting = Box::pin(async move { voter.submit(vote).await.map(drop) });
    assert!((&mut voting).now_or_never().is_none());
    world.quiesce();
    alice.disk.release();
    world.wait_for(deleting).unwrap();
    assert_eq!(room.connection(), Connection::Closed);
    assert_eq!(world.wait_for(alice.hosting.journals()), Ok(Vec::new()));
    let opened = world.wait_for(alice.hosting.open(poll_id));
    assert_eq!(opened.unwrap_err(), OpenError::NoJournal(poll_id));
}

/// An answer that was given while the journal was read is not in the read journal.
#[test]
fn to_open_a_poll_that_is_hosted_takes_nothing_back() {
    let (mut world, alice, bob) = alice_and_bob();
    let poll_id = alice.room.id().poll_id;
    alice.disk.hold();
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 0));
    world.quiesce();
    let hosting = alice.hosting.clone();
    let mut opening = Box::pin(async move { hosting.open(poll_id).await });
    assert!((&mut opening).now_or_never().is_none());
    alice.disk.release();
    let again = world.wait_for(opening).unwrap();

    assert_eq!(world.outcome(submitted), applied(1));
    world.run_for(Duration::from_secs(60));
    assert_eq!(again.revision(), Some(revision(1)));
    assert_eq!(bob.room.poll(), again.poll());
    assert_eq!(world.get_done(&bob.room, vote_in(&bob.room, 1)), applied(2));
    assert_eq!(again.poll(), alice.room.poll());
}

// Slow readers and lost journals.

#[test]
fn who_reads_slowly_gets_a_snapshot_later_and_costs_the_owner_nothing() {
    const LIMIT: usize = 8 * 1024;
    let (mut world, alice, bob) = alice_and_bob();
    let carol = world.join(CAROL, alice.room.id()).room;
    world.net.set_queue_limit(LIMIT);
    let bobs_link = world.net.links(&BOB.as_participant())[0];
    let to_bob = world.net.links_to(&ALICE.as_owner(), &BOB.as_participant())[0];
    world.net.stall(&BOB.as_participant(), bobs_link);
    world.wire.clear();

    // One of Bob's own is among what is held up.
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 2));
    for number in 0..200 {
        world.submit(&carol, vote_in(&carol, number % 3));
        world.run_for(Duration::from_millis(50));
    }
    assert_eq!(alice.room.revision(), Some(revision(201)));
    world.net.resume(&BOB.as_participant(), bobs_link);
    let sent = world.wire.from(ALICE.as_owner()).into_iter();
    let held_up: Vec<_> = sent.filter(|sent| sent.link == to_bob).collect();
    let bytes: usize = held_up.iter().map(|sent| sent.frame.len()).sum();
    assert!(bytes <= 2 * LIMIT, "{bytes} bytes wait for Bob");

    world.wire.clear();
    world.quiesce();
    let after: Vec<Kind> = world
        .wire
        .from(ALICE.as_owner())
        .iter()
        .filter(|sent| sent.link == to_bob)
        .map(|sent| sent.kind())
        .collect();
    assert!(after.contains(&Kind::PollState), "{after:?}");
    assert!(after.len() <= 3, "{after:?}");
    assert_eq!(bob.room.poll(), alice.room.poll());
    assert_eq!(bob.room.revision(), Some(revision(201)));
    assert_eq!(world.outcome(submitted), applied(1));
    assert_eq!(bob.room.connection(), Connection::Connected);

    // And then goes on like everybody.
    world.get_done(&carol, vote_in(&carol, 0));
    assert_eq!(bob.room.poll(), alice.room.poll());
}

#[test]
fn an_answer_that_found_no_room_comes_when_there_is() {
    let (mut world, alice, bob) = alice_and_bob();
    world.net.set_queue_limit(0);
    let bobs_link = world.net.links(&BOB.as_participant())[0];
    world.net.stall(&BOB.as_participant(), bobs_link);
    let good = world.submit(&bob.room, vote_in(&bob.room, 0));
    let poll_id = alice.room.id().poll_id;
    let bad = world.submit(&bob.room, vote(poll_id, option(404)));
    let last = world.submit(&bob.room, call_me("Bob"));
    world.quiesce();
    assert_eq!(bob.room.pending().len(), 3);

    world.net.resume(&BOB.as_participant(), bobs_link);
    assert_eq!(world.outcome(good), applied(1));
    assert!(matches!(world.outcome(bad), Outcome::Rejected(_)));
    assert_eq!(world.outcome(last), applied(2));
    world.quiesce();
    assert_eq!(bob.room.poll(), alice.room.poll());
}

#[test]
fn a_participant_whose_link_is_full_sends_the_rest_in_order_when_there_is_room() {
    let (mut world, alice, bob) = alice_and_bob();
    world.net.set_queue_limit(0);
    let alices_link = world.net.links(&ALICE.as_owner())[0];
    world.net.stall(&ALICE.as_owner(), alices_link);
    // The first by itself: what is submitted at once is one frame.
    world.submit(&bob.room, call_me("Bob"));
    let names = (1..10).map(|number| bob.room.submit(call_me(&format!("Bob {number}"))));
    world.wait_for(join_all(names));
    world.quiesce();
    let expected: Vec<_> = std::iter::once(CommandState::Sent)
        .chain(std::iter::repeat_n(CommandState::Persisted, 9))
        .collect();
    assert_eq!(states(&bob.room), expected);

    world.net.resume(&ALICE.as_owner(), alices_link);
    world.quiesce();
    assert_eq!(states(&bob.room), []);
    assert_eq!(alice.room.revision(), Some(revision(10)));
    assert_eq!(bob.room.poll(), alice.room.poll());
}

/// A transport may have room again at once: what comes behind must not overtake.
#[test]
fn a_command_that_found_no_room_is_not_overtaken() {
    let (mut world, alice, bob) = alice_and_bob();
    let mut events = bob.room.events();
    world.wire.has_no_room_once(BOB.as_participant(), 0);
    // More than one frame of them.
    let poll_id = alice.room.id().poll_id;
    let label = |number: u128| format!("{number} {}", "x".repeat(190));
    let more = (0..60).map(|number| add_option(poll_id, option(10 + number), &label(number)));
    world.wait_for(join_all(more.map(|command| bob.room.submit(command))));
    world.quiesce();
    assert!(world.wire.frames_from(BOB.as_participant()).len() > 3);
    assert_eq!(connections(&mut events), [], "the link was good");
    assert_eq!(alice.room.revision(), Some(revision(60)));
    assert_eq!(bob.room.poll(), alice.room.poll());
    assert!(bob.room.pending().is_empty());
}

#[test]
fn an_owner_that_restored_an_old_copy_says_so_and_everybody_follows() {
    let (mut world, alice, bob) = alice_and_bob();
    let room = alice.room.id();
    let carol = world.join(CAROL, room).room;
    world.get_done(&bob.room, vote_in(&bob.room, 0));
    let backup = alice.disk.fork();
    world.get_done(&bob.room, vote_in(&bob.room, 1));
    world.get_done(&carol, vote_in(&carol, 1));

    let disk = world.crash_owner(alice);
    disk.restore(&backup);
    let alice = world.host_again(&disk, room.poll_id).room;
    assert_eq!(alice.revision(), Some(revision(1)));
    let mut events = alice.events();
    for room in [&bob.room, &carol] {
        world.wait_for(room.connected()).unwrap();
    }
    // Both have to notice first that the old owner is gone.
    world.run_for(Duration::from_secs(30));
    let rolled_back: Vec<Event> = told(&mut events)
        .into_iter()
        .filter(|event| matches!(event, Event::JournalRolledBack { .. }))
        .collect();
    let (have, seen) = (revision(1), revision(3));
    assert_eq!(rolled_back, [Event::JournalRolledBack { have, seen }]);
    assert_eq!(bob.room.poll(), alice.poll());
    assert_eq!(carol.poll(), alice.poll());

    // The votes that were lost have been given again, under the same revisions.
    assert_eq!(alice.revision(), Some(revision(3)));
    assert_eq!(world.get_done(&bob.room, vote_in(&bob.room, 2)), applied(4));
    assert_eq!(world.get_done(&carol, vote_in(&carol, 2)), applied(5));
    for room in [&bob.room, &carol] {
        assert_eq!(room.poll(), alice.poll());
    }
    // It is another journal for good: once it is started again nobody is surprised.
    world.crash(ALICE.as_owner());
    let alice = world.host_again(&disk, room.poll_id).room;
    let mut events = alice.events();
    world.run_for(Duration::from_secs(30));
    let told = told(&mut events);
    assert!(
        !told
            .iter()
            .any(|it| matches!(it, Event::JournalRolledBack { .. }))
    );
    assert_eq!(bob.room.poll(), alice.poll());
}

// How it ends.

#[test]
fn close_keeps_and_sends_what_was_submitted() {
    let (mut world, alice, bob) = alice_and_bob();
    bob.disk.hold();
    let leaving = {
        let (room, command) = (bob.room.clone(), vote_in(&bob.room, 0));
        async move { futures::join!(room.submit(command), room.close()) }
    };
    let mut leaving = Box::pin(leaving);
    assert!((&mut leaving).now_or_never().is_none());
    world.quiesce();
    assert!(
        (&mut leaving).now_or_never().is_none(),
        "not before it is kept"
    );
    bob.disk.release();
    let (submitted, ()) = world.wait_for(leaving);
    submitted.unwrap();
    assert_eq!(world.end_of(BOB.as_participant()), Ok(()));
    world.quiesce();
    assert_eq!(alice.room.revision(), Some(revision(1)), "it was sent");
    assert_eq!(alice.room.peers().len(), 1);
    assert_stopped(&mut world, &bob.room, CallError::Stopped);

    // Its outcome was not awaited, so it is asked for again.
    let bob = world.enter(BOB, &bob.disk, alice.room.id()).room;
    assert_eq!(bob.pending().len(), 1);
    world.wait_for(bob.connected()).unwrap();
    world.quiesce();
    assert!(bob.pending().is_empty());
    assert_eq!(alice.room.revision(), Some(revision(1)));
}

#[test]
fn an_owner_that_closes_says_goodbye() {
    let (mut world, alice, bob) = alice_and_bob();
    world.wait_for(alice.hosting.close());
    assert_eq!(world.end_of(ALICE.as_owner()), Ok(()));
    world.run_for(A_MOMENT / 10);
    assert!(
        !matches!(bob.room.connection(), Connection::Connected),
        "at once"
    );
    assert!(bob.room.peers().is_empty());
    let opened = world.wait_for(alice.hosting.create(draft()));
    assert_eq!(opened.unwrap_err(), OpenError::Stopped);
}

#[test]
fn a_transport_that_fails_ends_the_driver_with_the_reason() {
    let (mut world, _alice, bob) = alice_and_bob();
    world.net.crash(&BOB.as_participant());
    let ended = world.end_of(BOB.as_participant());
    assert!(matches!(ended, Err(DriverError::Transport(_))), "{ended:?}");
    let why = CallError::Failed(ended.unwrap_err());
    assert_stopped(&mut world, &bob.room, why);
}

#[test]
fn a_disk_that_cannot_be_read_is_an_error_and_not_an_empty_disk() {
    let (mut world, alice, bob) = alice_and_bob();
    let room = alice.room.id();
    world.get_done(&bob.room, vote_in(&bob.room, 0));
    let disk = world.crash_participant(bob);
    let broken = StoreError::Io("for this test".into());
    disk.fail_next(Fault::Read, broken.clone());
    let entered = world.try_enter(BOB, &disk, room, Config::default());
    assert_eq!(entered.map(drop), Err(OpenError::Store(broken.clone())));
    let bob = world.enter(BOB, &disk, room);
    assert_eq!(bob.room.revision(), Some(revision(1)));

    alice.disk.fail_next(Fault::Read, broken.clone());
    let opened = world.wait_for(alice.hosting.journals());
    assert_eq!(opened, Err(OpenError::Store(broken)));
}

#[test]
fn a_driver_ends_with_its_last_handle() {
    let (mut world, alice, bob) = alice_and_bob();
    let second = bob.room.clone();
    drop(bob.room);
    world.quiesce();
    assert_eq!(second.connection(), Connection::Connected);

    let mut events = second.events();
    drop(second);
    assert_eq!(world.end_of(BOB.as_participant()), Ok(()));
    while world.wait_for(events.next()).is_some() {}
    world.quiesce();
    assert_eq!(alice.room.peers().len(), 1);

    let Hosted { hosting, room, .. } = alice;
    drop(hosting);
    world.quiesce();
    assert!(room.poll().is_some());
    drop(room);
    assert_eq!(world.end_of(ALICE.as_owner()), Ok(()));
}

#[test]
fn who_waits_for_an_outcome_is_told_when_the_driver_stops() {
    let (mut world, alice, bob) = alice_and_bob();
    world.crash_owner(alice);
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 0));
    world.wait_for(bob.room.close());
    let outcome = world.try_wait_for(submitted.outcome());
    assert_eq!(outcome, Ok(Err(CallError::Stopped)));
    assert_eq!(bob.room.pending().len(), 1, "it is in the outbox");
}

#[test]
fn who_waits_for_an_outcome_is_told_what_failed() {
    let (mut world, alice, bob) = alice_and_bob();
    world.crash_owner(alice);
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 0));
    bob.disk.fail_next(Fault::Commit, disk_full());
    let full = CallError::Failed(DriverError::Store(disk_full()));
    let second = world.try_submit(&bob.room, vote_in(&bob.room, 1));
    assert_eq!(second.unwrap_err(), full);
    let outcome = world.try_wait_for(submitted.outcome());
    assert_eq!(outcome, Ok(Err(full)));
}

#[test]
fn a_driver_whose_process_is_dropped_leaves_its_handles_stopped() {
    let (mut world, _alice, bob) = alice_and_bob();
    let submitted = world.submit(&bob.room, vote_in(&bob.room, 0));
    let room = bob.room.clone();
    world.crash_participant(bob);
    let outcome = world.try_wait_for(submitted.outcome());
    assert_eq!(outcome, Ok(Err(CallError::Stopped)));
    assert_stopped(&mut world, &room, CallError::Stopped);
}
