//! The handles of rooms and of their host: polls that are opened, closed and opened again, what a
//! slow listener is told, and whose turn it is.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::bench::Bench;
use common::disk::Disk;
use common::people::{ALICE, BOB, CAROL, Person, call_me, draft, other_poll, poll, vote};
use common::world::{Hosted, World, told, vote_in};
use futures::executor::LocalPool;
use futures::future::{RemoteHandle, join_all};
use futures::task::LocalSpawnExt;
use futures::{FutureExt, StreamExt};
use hustings_outbox::{Durability, Fault as DiskFault, MemoryStore, StoreError};
use hustings_protocol::planted::Fault;
use hustings_protocol::{
    Address, ErrorCode, Limits, Message, Outcome, PollDraft, PollId, Refusal, Rejection,
};
use hustings_room::driver::{CallError, Hosting, OpenError, Room, host};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{
    ChannelBinding, Config, Connection, DownReason, Event, LinkId, Owner, RestoreError, SubmitError,
};
use hustings_transport_mem::{Direction, VirtualClock};

/// The end of a scene with a fault put back; `None` in a build that has no faults.
#[cfg(feature = "planted")]
fn with_fault<R>(fault: Fault, scene: impl FnOnce() -> R) -> Option<R> {
    Some(hustings_protocol::planted::with(Some(fault), scene))
}

#[cfg(not(feature = "planted"))]
fn with_fault<R>(_: Fault, _: impl FnOnce() -> R) -> Option<R> {
    None
}

fn applied(number: u64) -> Outcome {
    Outcome::Applied(common::people::revision(number))
}

type Opening = RemoteHandle<Result<Room, OpenError>>;

/// A poll that Alice hosted is being opened, and its journal has been read and not handed over.
fn opening(world: &mut World, alice: &Hosted, poll_id: PollId) -> Opening {
    let before = alice.disk.late();
    alice.disk.read_slowly();
    let hosting = alice.hosting.clone();
    let opening = world
        .runtime
        .spawn_with_handle(async move { hosting.open(poll_id).await });
    world.act();
    alice.disk.read_quickly();
    assert_eq!(alice.disk.late(), before + 1, "it reads");
    opening
}

/// Alice's poll, which is closed.
fn closed() -> (World, Hosted, PollId) {
    let mut world = World::new();
    let alice = world.host();
    world.wait_for(alice.room.close());
    let poll_id = alice.room.id().poll_id;
    (world, alice, poll_id)
}

fn open_again(world: &mut World, hosting: &Hosting<Disk>, poll_id: PollId) -> Room {
    world.wait_for(hosting.open(poll_id)).unwrap()
}

// Opening.

/// While its journal is read slowly, the poll is opened by somebody else, voted in and closed.
/// Returns the outcome of the next vote.
fn opened_from_what_was_read_before() -> Outcome {
    let (mut world, alice, poll_id) = closed();
    let late = opening(&mut world, &alice, poll_id);

    let quick = open_again(&mut world, &alice.hosting.clone(), poll_id);
    let first = world.get_done(&quick, vote_in(&quick, 0));
    assert_eq!(first, applied(1));
    world.wait_for(quick.close());

    alice.disk.catch_up();
    let room = world.wait_for(late).unwrap();
    world.get_done(&room, vote_in(&room, 1))
}

#[test]
fn a_poll_is_opened_from_what_is_durable_and_gives_out_no_revision_twice() {
    assert_eq!(opened_from_what_was_read_before(), applied(2));
    let faulty = with_fault(Fault::OpenFromOldJournal, opened_from_what_was_read_before);
    assert!(faulty.is_none_or(|outcome| outcome == applied(1)));
}

#[test]
fn however_many_open_a_poll_at_once_it_is_one_opening() {
    let (mut world, alice, poll_id) = closed();
    let late: Vec<Opening> = (0..20)
        .map(|_| opening(&mut world, &alice, poll_id))
        .collect();
    // The whole life of an opening in between, and more than once.
    for choice in 0..3 {
        let quick = open_again(&mut world, &alice.hosting, poll_id);
        world.get_done(&quick, vote_in(&quick, choice));
        world.wait_for(quick.close());
    }
    alice.disk.catch_up();
    let rooms = world.wait_for(join_all(late));
    let rooms: Vec<Room> = rooms.into_iter().map(Result::unwrap).collect();
    let outcome = world.get_done(&rooms[0], vote_in(&rooms[0], 1));
    assert_eq!(outcome, applied(4));
    for room in &rooms {
        assert_eq!(room.poll(), rooms[0].poll());
        assert_eq!(room.connection(), Connection::Connected);
    }
    // One for all: whoever closes it, closes it.
    world.wait_for(rooms[7].close());
    for room in &rooms {
        assert_eq!(room.connection(), Connection::Closed);
    }
}

#[test]
fn an_opening_that_is_given_up_half_way_is_in_nobodys_way() {
    let (mut world, alice, poll_id) = closed();
    let given_up = opening(&mut world, &alice, poll_id);
    let goes_on = opening(&mut world, &alice, poll_id);
    drop(given_up);
    world.act();
    assert_eq!(alice.disk.late(), 1);
    alice.disk.catch_up();
    let room = world.wait_for(goes_on).unwrap();
    assert_eq!(world.get_done(&room, vote_in(&room, 0)), applied(1));
}

/// A read that failed, or read half of one opening and half of the next, says nothing of the
/// journal as it is now.
#[test]
fn a_journal_that_could_not_be_read_while_somebody_wrote_it_is_read_again() {
    let (mut world, alice, poll_id) = closed();
    let broken = StoreError::Io("for this test".into());
    alice.disk.fail_next(DiskFault::Read, broken.clone());
    let late = opening(&mut world, &alice, poll_id);
    let quick = open_again(&mut world, &alice.hosting, poll_id);
    world.get_done(&quick, vote_in(&quick, 0));
    world.wait_for(quick.close());
    alice.disk.catch_up();
    let room = world.wait_for(late).unwrap();
    assert_eq!(room.revision(), Some(common::people::revision(1)));

    // If nobody did, it is an error.
    world.wait_for(room.close());
    alice.disk.fail_next(DiskFault::Read, broken.clone());
    let opened = world.wait_for(alice.hosting.open(poll_id));
    assert_eq!(opened.unwrap_err(), OpenError::Store(broken));
}

#[test]
fn a_poll_is_not_opened_by_a_driver_that_has_stopped_meanwhile() {
    let (mut world, alice, poll_id) = closed();
    let late = opening(&mut world, &alice, poll_id);
    world.wait_for(alice.hosting.close());
    alice.disk.catch_up();
    let opened = world.wait_for(late);
    assert_eq!(opened.unwrap_err(), OpenError::Stopped);
}

#[test]
fn a_poll_that_is_created_and_opened_at_once_is_one_poll() {
    let mut world = World::new();
    let alice = world.host();
    alice.disk.hold();
    let creating = {
        let hosting = alice.hosting.clone();
        world
            .runtime
            .spawn_with_handle(async move { hosting.create(draft()).await })
    };
    world.act();
    alice.disk.release();
    let created = world.wait_for(creating).unwrap();
    let opened = open_again(&mut world, &alice.hosting, created.id().poll_id);
    assert_eq!(world.get_done(&created, vote_in(&created, 0)), applied(1));
    assert_eq!(world.get_done(&opened, vote_in(&opened, 1)), applied(2));
}

// Closing.

/// A handle says of everything that its room is closed, and nothing else.
#[track_caller]
fn assert_closed(world: &mut World, room: &Room) {
    let closed = Err(CallError::Stopped);
    let submitted = world.try_submit(room, call_me("Nobody"));
    assert_eq!(submitted.map(drop), closed);
    assert_eq!(world.wait_for(room.connected()), closed);
    assert_eq!(world.wait_for(room.reconnect()), closed);
    assert_eq!(room.connection(), Connection::Closed);
    assert_eq!(world.wait_for(room.events().next()), None);
    world.wait_for(room.close());
}

#[test]
fn a_poll_that_is_closed_is_closed_for_all_its_handles() {
    let mut world = World::new();
    let alice = world.host();
    let poll_id = alice.room.id().poll_id;
    let lunch = world.wait_for(alice.hosting.create(draft())).unwrap();
    let other = open_again(&mut world, &alice.hosting, poll_id);
    let mut events = [&alice.room, &other, &lunch].map(Room::events);
    let submitted = world.submit(&other, vote_in(&other, 0));
    // A command for another poll is still what it is.
    let wrong = world.try_submit(&other, vote(other_poll(), common::people::option(0)));
    let wrong_poll = CallError::Submit(SubmitError::WrongPoll(other_poll()));
    assert_eq!(wrong.unwrap_err(), wrong_poll);

    world.wait_for(alice.room.close());
    assert_eq!(world.outcome(submitted), applied(1), "it had ended");
    for room in [&alice.room, &other] {
        assert_closed(&mut world, room);
        assert_eq!(room.poll(), None);
        assert_eq!(room.revision(), None);
        assert_eq!(room.peers(), []);
    }
    for events in &mut events[..2] {
        let told = told(events);
        let end = Event::Connection(Connection::Closed);
        assert_eq!(told.iter().filter(|event| **event == end).count(), 1);
        assert_eq!(told.last(), Some(&end));
        assert_eq!(world.wait_for(events.next()), None);
    }
    // The other poll goes on.
    assert_eq!(told(&mut events[2]), []);
    assert_eq!(lunch.connection(), Connection::Connected);
    assert_eq!(world.get_done(&lunch, vote_in(&lunch, 0)), applied(1));
    assert!(!told(&mut events[2]).is_empty());
}

#[test]
fn a_handle_stays_closed_when_the_poll_is_opened_again() {
    let (mut world, alice, poll_id) = closed();
    let again = open_again(&mut world, &alice.hosting, poll_id);
    let mut events = again.events();
    assert_closed(&mut world, &alice.room);
    assert_eq!(again.connection(), Connection::Connected, "not by the old");
    let bob = world.join(BOB, again.id()).room;
    assert_eq!(world.get_done(&bob, vote_in(&bob, 0)), applied(1));
    assert!(!told(&mut events).is_empty());
    assert_closed(&mut world, &alice.room);
}

#[test]
fn who_waits_for_events_hears_of_the_end_whoever_closes() {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    let end = Some(Event::Connection(Connection::Closed));
    for (room, is_host) in [(&bob.room, false), (&alice.room, true)] {
        let other = room.clone();
        let mut events = other.events();
        let heard = world.runtime.spawn_with_handle(async move {
            let mut last = None;
            while let Some(event) = events.next().await {
                last = Some(event);
            }
            last
        });
        world.quiesce();
        if is_host {
            world.wait_for(alice.hosting.close());
        } else {
            world.wait_for(room.close());
        }
        assert_eq!(world.wait_for(heard), end);
        assert_closed(&mut world, &other);
    }
}

// Slow listeners.

/// Submits so often that a listener cannot keep up, and returns the number of events.
fn flood(world: &mut World, room: &Room) -> usize {
    const COMMANDS: usize = 500;
    let names = (0..COMMANDS).map(|number| room.submit(call_me(&format!("Alice {number}"))));
    let submitted = world.wait_for(join_all(names));
    assert!(submitted.iter().all(Result::is_ok));
    world.quiesce();
    // Each is queued, changes the poll, and is applied.
    3 * COMMANDS
}

/// The events that a listener hears who listened all the time, and those that happened.
fn heard_after_a_flood() -> (Vec<Event>, usize) {
    let mut world = World::new();
    let alice = world.host();
    let mut events = alice.room.events();
    let happened = flood(&mut world, &alice.room);
    let heard = told(&mut events);
    // From there on nothing is missing.
    world.get_done(&alice.room, vote_in(&alice.room, 0));
    assert_eq!(told(&mut events).len(), 3);
    (heard, happened)
}

#[test]
fn a_listener_that_is_too_slow_is_told_where_it_has_missed_something() {
    let (heard, happened) = heard_after_a_flood();
    let Some(Event::Missed { count }) = heard.first() else {
        panic!("{:?}", heard.first());
    };
    assert_eq!(heard.len() - 1 + usize::try_from(*count).unwrap(), happened);
    let missed = |event: &&Event| matches!(event, Event::Missed { .. });
    assert_eq!(heard.iter().filter(missed).count(), 1);

    if let Some((heard, happened)) = with_fault(Fault::SilentLag, heard_after_a_flood) {
        assert!(heard.len() < happened);
        assert_eq!(heard.iter().filter(missed).count(), 0);
    }
}

#[test]
fn a_listener_that_has_missed_the_end_comes_to_an_end() {
    let mut world = World::new();
    let alice = world.host();
    let poll_id = alice.room.id().poll_id;
    let lunch = world.wait_for(alice.hosting.create(draft())).unwrap();
    let mut events = alice.room.events();
    world.wait_for(alice.room.close());
    let again = open_again(&mut world, &alice.hosting, poll_id);
    flood(&mut world, &lunch);
    // What happens now is of a room that this listener was never in.
    world.get_done(&again, vote_in(&again, 0));
    let heard = told(&mut events);
    assert!(matches!(heard[..], [Event::Missed { .. }]), "{heard:?}");
    assert_eq!(world.wait_for(events.next()), None);
}

// Whose turn it is.

/// A network on which somebody connects, and then something happens all the time.
struct Flood {
    left: Rc<Cell<u64>>,
    hung_up: Rc<RefCell<Vec<LinkId>>>,
    link: Option<LinkId>,
}

impl Flood {
    const EVENTS: u64 = 100_000;

    fn new() -> Self {
        Self {
            left: Rc::new(Cell::new(Self::EVENTS)),
            hung_up: Rc::default(),
            link: Some(LinkId::accepted(0)),
        }
    }
}

impl Transport for Flood {
    fn dial(&mut self, _: LinkId, _: &Address) {}

    fn send(&mut self, _: LinkId, _: Bytes) -> SendOutcome {
        SendOutcome::Gone
    }

    fn hangup(&mut self, link: LinkId) {
        self.hung_up.borrow_mut().push(link);
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<TransportEvent> {
        if let Some(link) = self.link.take() {
            let (local, remote) = (Bytes::from_static(b"a"), Bytes::from_static(b"b"));
            let binding = ChannelBinding { local, remote };
            return Poll::Ready(TransportEvent::LinkUp { link, binding });
        }
        let left = self.left.get();
        if left == 0 {
            return Poll::Pending;
        }
        self.left.set(left - 1);
        Poll::Ready(TransportEvent::Wake)
    }
}

/// Lets everybody else have a turn.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The numbers of events that are left of a flood when a request, a timer and the end had their
/// turn, all on one thread.
fn left_of_a_flood() -> [u64; 3] {
    let network = Flood::new();
    let (left, hung_up) = (Rc::clone(&network.left), Rc::clone(&network.hung_up));
    let clock = VirtualClock::new();
    let setup = ALICE.setup(1, Config::default());
    let (hosting, driver) = host(setup, network, MemoryStore::new(), clock.clone());
    let mut pool = LocalPool::new();
    let driver = driver.run().map(|ended| assert_eq!(ended, Ok(())));
    pool.spawner().spawn_local(driver).unwrap();

    pool.run_until(hosting.create(draft())).unwrap();
    let created = left.get();
    let told_of_time = async {
        clock.advance_by(Duration::from_secs(60));
        while hung_up.borrow().is_empty() && left.get() > 0 {
            yield_now().await;
        }
        left.get()
    };
    let timed_out = pool.run_until(pin!(told_of_time));
    pool.run_until(hosting.close());
    [created, timed_out, left.get()]
}

#[test]
fn however_much_happens_everybody_gets_their_turn() {
    let left = left_of_a_flood();
    assert!(
        left.iter().all(|left| *left > Flood::EVENTS / 2),
        "{left:?}"
    );
    let faulty = with_fault(Fault::NeverYields, left_of_a_flood);
    assert!(faulty.is_none_or(|left| left[0] == 0));
}

// What is durable, and who is told.

#[test]
fn a_batch_is_as_durable_as_its_strictest_record() {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    let before = bob.disk.commits();
    bob.disk.hold();
    let submit = |world: &mut World, number: usize| {
        let (room, command) = (bob.room.clone(), vote_in(&bob.room, number));
        let submitting = async move { room.submit(command).await };
        let submitting = world.runtime.spawn_with_handle(submitting);
        world.act();
        submitting
    };
    // While the first is being committed, an update for the cache comes, and then a second.
    let first = submit(&mut world, 0);
    world.get_done(&alice.room, vote_in(&alice.room, 1));
    let second = submit(&mut world, 2);
    bob.disk.release();
    world.act();
    let commits = bob.disk.commits_since(before);
    let [(alone, Durability::Strict), (together, Durability::Strict)] = commits[..] else {
        panic!("{commits:?}");
    };
    assert_eq!(together, alone + 1, "after the relaxed record");

    // An answer settles the command, which is strict, and then goes into the cache.
    for submitted in [first, second] {
        let submitted = world.wait_for(submitted).unwrap();
        world.outcome(submitted);
    }
    let answered = bob.disk.commits_since(before + 2);
    assert!(answered.iter().any(|(writes, _)| *writes > 1));
    let is_strict = |(_, durability): &(usize, Durability)| *durability == Durability::Strict;
    assert!(answered.iter().all(is_strict), "{answered:?}");

    // What is only for the cache costs less.
    let before = bob.disk.commits();
    world.get_done(&alice.room, vote_in(&alice.room, 0));
    let cached = bob.disk.commits_since(before);
    assert_eq!(cached, [(1, Durability::Relaxed)]);
}

#[test]
fn a_link_that_the_owner_has_left_takes_nobodys_place() {
    let config = Config {
        max_links: 2,
        ..Config::default()
    };
    let mut alice = Bench::hosting_with(config);
    // Each time the new link takes the place of the one before, which says nothing more.
    for _ in 0..10 {
        let link = alice.admits(BOB);
        assert!(alice.is_served(link));
    }
    // And each time a link ends by itself.
    for _ in 0..10 {
        let carols = alice.admits(CAROL);
        alice.loses(carols, DownReason::ClosedByPeer);
        let (silent, _) = alice.link();
        alice.loses(silent, DownReason::ClosedByPeer);
    }
    let (silent, _) = alice.link();
    assert!(
        alice
            .waits(Config::default().handshake_timeout)
            .hangs_up(silent)
    );
    alice.admits(CAROL);
}

#[test]
fn a_host_reads_what_it_hosts_and_whether_it_is_full() {
    let mut world = World::new();
    let alice = world.host_with(Config {
        max_links: 1,
        ..Config::default()
    });
    let hosted = || -> Vec<PollId> {
        let polls = alice.hosting.polls();
        polls.iter().map(|poll| poll.poll_id()).collect()
    };
    assert_eq!(hosted(), [alice.room.id().poll_id]);
    let mut events = alice.room.events();
    let bob = world.join(BOB, alice.room.id());
    assert!(!alice.room.is_full());
    let carol = world.enter(CAROL, &Disk::default(), alice.room.id());
    world.quiesce();
    assert!(alice.room.is_full());
    assert!(!carol.room.is_full(), "it is not the host");
    let full = |event: &Event| matches!(event, Event::Full(_));
    let said: Vec<Event> = told(&mut events).into_iter().filter(full).collect();
    assert_eq!(said, [Event::Full(true)]);
    world.wait_for(bob.room.close());
    world.wait_for(carol.room.connected()).unwrap();
    assert!(!alice.room.is_full());
    let said: Vec<Event> = told(&mut events).into_iter().filter(full).collect();
    assert_eq!(said, [Event::Full(false)]);

    world.wait_for(alice.room.close());
    assert_eq!(hosted(), []);
}

/// A transport may fan out as it likes, so it gets the list of links whole, but for those that are
/// blocked; of these none is remembered longer than it is there.
#[test]
fn a_blocked_link_that_has_ended_is_forgotten() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let bob = world.join(BOB, room);
    let carol = world.join(CAROL, room).room;
    let _dave = world.join(Person(4), room);
    let at_alice = |world: &World, who: Person| {
        let links = world.net.links_to(&ALICE.as_owner(), &who.as_participant());
        *links.last().unwrap()
    };
    let carols = at_alice(&world, CAROL);
    // By itself, and because the owner hangs up after a long silence.
    for is_cut in [true, false] {
        let blocked = world.net.links(&BOB.as_participant())[0];
        world.net.stall(&BOB.as_participant(), blocked);
        world.net.set_queue_limit(0);
        for choice in 0..2 {
            world.get_done(&carol, vote_in(&carol, choice));
        }
        world.wire.clear();
        world.get_done(&carol, vote_in(&carol, 2));
        let to_dave = [(1, None)];
        assert_eq!(*world.wire.broadcasts(), to_dave, "and not to Bob");
        world.net.set_queue_limit(1 << 20);
        if is_cut {
            world.cut(BOB);
        } else {
            let way = Direction::Both;
            world.net.half_open(&BOB.as_participant(), blocked, way);
        }
        world.run_for(Duration::from_secs(600));
        world.wait_for(bob.room.connected()).unwrap();
        world.quiesce();
        world.wire.clear();
        world.get_done(&carol, vote_in(&carol, 0));
        assert_eq!(*world.wire.broadcasts(), [(3, Some(carols))]);
    }
}

#[test]
fn everybody_who_waits_for_an_outcome_is_told_when_there_will_be_none() {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    world.crash_owner(alice);
    let submitted: Vec<_> = (0..3)
        .map(|choice| world.submit(&bob.room, vote_in(&bob.room, choice)))
        .collect();
    let waiting = submitted.into_iter().map(|it| it.outcome());
    let waiting = world.runtime.spawn_with_handle(join_all(waiting));
    world.act();
    // A handle is still there: it has not to go for this.
    let room = bob.room.clone();
    world.crash_participant(bob);
    let outcomes = world.try_wait_for(waiting);
    assert_eq!(outcomes, Ok(vec![Err(CallError::Stopped); 3]));
    assert_eq!(room.pending().len(), 3);
}

// What strangers say, and what an owner begins with.

/// Whoever answers at Alice's address says this in place of a challenge; the reason that Bob is
/// shown.
fn reason_after(frame: &Bytes) -> DownReason {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, _) = bob.is_answered(&said);
    let said = bob.hears(link, frame);
    let by_the_owner = |event: &Event| matches!(event, Event::Fault { peer: Some(_), .. });
    assert!(!said.events().iter().any(by_the_owner), "{said:?}");
    let Connection::Disconnected { reason, .. } = bob.machine.connection() else {
        panic!("{:?}", bob.machine.connection());
    };
    reason.clone()
}

#[test]
fn nobody_reads_the_words_of_whoever_answers_at_the_owners_address() {
    const WORDS: &str = "Your account is locked. Call 0900 and ask for Mallory.";
    let refusal = |code: ErrorCode| {
        let rejection = Rejection::new(code, WORDS);
        Message::Error(Refusal {
            command_id: None,
            rejection,
        })
        .encode()
    };
    for code in [ErrorCode::Busy, ErrorCode::UnknownPoll, ErrorCode::SeqGap] {
        let reason = reason_after(&refusal(code.clone()));
        assert_eq!(reason, DownReason::Refused(code));
        assert!(!reason.to_string().contains("Mallory"), "{reason}");
    }
    // A code can be words, too.
    let reason = reason_after(&refusal(ErrorCode::Other(WORDS.into())));
    assert_eq!(reason, DownReason::Refused(ErrorCode::HandshakeFailed));
    assert!(!reason.to_string().contains("Mallory"), "{reason}");
    let by_hand = DownReason::Refused(ErrorCode::Other(WORDS.into()));
    assert!(!by_hand.to_string().contains("Mallory"), "{by_hand}");
    // And so can a frame that is no message.
    for frame in [
        format!(r#"{{"type":"{WORDS}","payload":{{}}}}"#),
        format!(r#"{{"type":"error","payload":{{"{WORDS}":1}}}}"#),
        WORDS.to_owned(),
    ] {
        let reason = reason_after(&Bytes::from(frame));
        assert!(matches!(reason, DownReason::Lost(_)), "{reason:?}");
        assert!(!reason.to_string().contains("Mallory"), "{reason}");
    }
}

/// The fate of an owner of such polls: one is somebody else's, the other has a long title.
fn begun() -> Vec<Result<(), RestoreError>> {
    let tight = Limits {
        max_title_chars: 3,
        ..Limits::default()
    };
    let tight = Config {
        limits: tight,
        ..Config::default()
    };
    let bobs = BOB.setup(1, Config::default());
    let alices = ALICE.setup(1, tight);
    let begun = [bobs, alices].map(|setup| Owner::create(setup, poll()));
    begun.map(|owner| owner.map(drop)).to_vec()
}

#[test]
fn an_owner_begins_with_nothing_that_it_could_not_restore() {
    let codes: Vec<ErrorCode> = begun()
        .into_iter()
        .map(|begun| begun.unwrap_err().reason.code)
        .collect();
    assert_eq!(codes, [ErrorCode::WrongAuthor, ErrorCode::TooLong]);
    let faulty = with_fault(Fault::CreateUnchecked, begun);
    assert!(faulty.is_none_or(|begun| begun == [Ok(()), Ok(())]));

    let mut world = World::new();
    let alice = world.host();
    let untitled = world.wait_for(alice.hosting.create(PollDraft::new("")));
    assert!(matches!(untitled, Err(OpenError::Draft(_))), "{untitled:?}");
}
