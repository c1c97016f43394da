//! Reconnection: the waits of a participant, the pings that find a dead link, and clocks that jump.

mod common;

use std::time::Duration;

use common::bench::{Bench, Outputs};
use common::disk::Disk;
use common::people::{
    ALICE, BOB, CAROL, acceptor_binding, another_hello, call_me, dialler_binding, option, queueing,
    revision, room, vote,
};
use common::world::{World, connections, told, vote_in};
use hustings_protocol::{CommandId, ErrorCode, Message, Outcome, Revision};
use hustings_room::{
    Connection, DownReason, Event, Host, LinkId, Moment, Output, Participant, TimeoutReason,
};
use hustings_transport_mem::Direction;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lost() -> DownReason {
    DownReason::Lost("for this test".into())
}

/// Bob, whose dials all fail at once. The life says which randomness he has.
fn bob(life: u64) -> (Bench<Participant>, LinkId) {
    let mut bob = Bench::joining_with(BOB, life, queueing());
    let link = bob.drain().dialled().expect("it dials at once");
    (bob, link)
}

/// The time that a participant is going to wait.
fn wait_of(bob: &Bench<Participant>) -> Duration {
    let Connection::Disconnected { retry_at, .. } = bob.machine.connection() else {
        panic!("{:?}", bob.machine.connection());
    };
    assert_eq!(bob.idle(), Some(*retry_at - bob.now), "and wakes up then");
    *retry_at - bob.now
}

/// The link fails, and the next dial is out. Returns how long that took.
fn fails_and_redials(bob: &mut Bench<Participant>, link: &mut LinkId) -> Duration {
    bob.loses(*link, DownReason::Unreachable);
    let wait = wait_of(bob);
    let said = bob.waits(wait);
    *link = said.dialled().expect("it dials when the wait is over");
    assert_eq!(*bob.machine.connection(), Connection::Connecting);
    wait
}

// How long it waits.

#[test]
fn with_an_absent_owner_the_bound_of_the_wait_doubles_up_to_thirty_seconds() {
    // Full jitter: one participant may wait less each time, of many some wait nearly as long as
    // they may, and some hardly at all.
    let mut longest = [Duration::ZERO; 12];
    let mut shortest = [Duration::MAX; 12];
    for life in 0..200 {
        let (mut bob, mut link) = bob(life);
        for failure in 0..12 {
            let wait = fails_and_redials(&mut bob, &mut link);
            longest[failure] = longest[failure].max(wait);
            shortest[failure] = shortest[failure].min(wait);
        }
    }
    let bounds = [500, 1_000, 2_000, 4_000, 8_000, 16_000];
    let bounds = bounds.into_iter().chain(std::iter::repeat(30_000));
    for (failure, bound) in bounds.take(12).enumerate() {
        let (bound, longest) = (Duration::from_millis(bound), longest[failure]);
        assert!(longest <= bound, "failure {failure}: {longest:?}");
        assert!(longest > bound * 9 / 10, "failure {failure}: {longest:?}");
        assert!(shortest[failure] < bound / 10, "failure {failure}");
    }
}

#[test]
fn an_owner_that_stays_away_is_tried_for_ever() {
    let mut world = World::new();
    let bob = world.enter(BOB, &Disk::default(), room()).room;
    let mut events = bob.events();
    let mut dials = 0;
    // Events are kept for a while only, so an hour at a time.
    for _ in 0..24 {
        world.run_for(secs(3_600));
        let dialled = connections(&mut events).into_iter();
        dials = dialled.filter(|it| *it == Connection::Connecting).count();
        assert!((120..1_000).contains(&dials), "{dials} dials in an hour");
    }
    assert!(dials > 0);
}

/// The longest wait of many participants who were connected for this long, after six failures.
fn longest_wait_after(connected: Duration) -> Duration {
    let waits = (0..200).map(|life| {
        let (mut bob, mut link) = bob(life);
        for _ in 0..6 {
            fails_and_redials(&mut bob, &mut link);
        }
        let dialled = Outputs(vec![Output::Dial {
            link,
            to: ALICE.as_owner(),
        }]);
        let (link, _) = bob.is_let_in(&dialled);
        bob.waits(connected);
        bob.loses(link, lost());
        wait_of(&bob)
    });
    waits.max().expect("there are many")
}

#[test]
fn ten_good_seconds_make_the_next_failure_the_first() {
    assert!(longest_wait_after(secs(10)) <= Duration::from_millis(500));
    assert!(longest_wait_after(secs(60)) <= Duration::from_millis(500));
    // An owner that lets in and dies at once is not stormed.
    assert!(longest_wait_after(Duration::from_millis(9_999)) > secs(20));
    assert!(longest_wait_after(Duration::ZERO) > secs(20));
}

// What cuts the wait short.

#[test]
fn a_wake_dials_at_once() {
    let (mut bob, link) = bob(1);
    bob.loses(link, DownReason::Unreachable);
    let (_, said) = bob.tell(|bob, now| bob.handle_wake(now));
    let link = said.dialled().unwrap();
    assert_eq!(bob.machine.poll_timeout().unwrap().1, TimeoutReason::Dial);
    // Where there is nothing to wake, nothing happens.
    assert_eq!(bob.tell(|bob, now| bob.handle_wake(now)).1.0, []);
    let dialled = Outputs(vec![Output::Dial {
        link,
        to: ALICE.as_owner(),
    }]);
    // Unless there is a link, which is asked.
    let (link, _) = bob.is_let_in(&dialled);
    let (_, said) = bob.tell(|bob, now| bob.handle_wake(now));
    assert_eq!((said.to(link), said.0.len()), (vec![Message::Ping], 1));
    assert!(bob.is_connected());
}

#[test]
fn who_is_online_again_is_back_at_once() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    world.net.isolate(&BOB.as_participant(), true);
    // Until the waits are long.
    world.run_for(secs(600));
    assert_ne!(bob.connection(), Connection::Connected);
    world.net.isolate(&BOB.as_participant(), false);
    world.run_for(secs(1));
    assert_eq!(bob.connection(), Connection::Connected);
}

#[test]
fn reconnect_dials_at_once() {
    let (mut bob, link) = bob(1);
    assert_eq!(bob.tell(|bob, now| bob.reconnect(now)).1.0, [], "it does");
    bob.loses(link, DownReason::Unreachable);
    let (_, said) = bob.tell(|bob, now| bob.reconnect(now));
    assert!(said.dialled().is_some_and(|again| again != link));
    assert_eq!(*bob.machine.connection(), Connection::Connecting);
}

#[test]
fn a_refusal_is_left_by_reconnect_alone() {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, hello) = bob.is_answered(&said);
    let challenge = bob.challenge(&hello);
    bob.hears(link, challenge.encode());
    bob.hears(link, common::bench::error(ErrorCode::UnknownPoll));
    let refused = bob.machine.connection().clone();
    assert!(matches!(refused, Connection::Refused(_)));

    assert_eq!(bob.waits(secs(86_400)).0, []);
    assert_eq!(bob.tell(|bob, now| bob.handle_wake(now)).1.0, []);
    assert_eq!(bob.loses(link, lost()).0, []);
    assert_eq!(*bob.machine.connection(), refused);

    let (_, said) = bob.tell(|bob, now| bob.reconnect(now));
    bob.is_let_in(&said);
}

#[test]
fn who_has_left_is_not_woken() {
    let (mut bob, link) = bob(1);
    bob.loses(link, DownReason::Unreachable);
    bob.tell(|bob, _| bob.close());
    assert_eq!(bob.idle(), None);
    assert_eq!(bob.tell(|bob, now| bob.handle_wake(now)).1.0, []);
    assert_eq!(bob.waits(secs(3_600)).0, []);
}

// Dials and handshakes that lead nowhere.

#[test]
fn a_dial_has_twenty_seconds() {
    let (mut bob, link) = bob(1);
    assert_eq!(bob.waits(Duration::from_millis(19_999)).0, []);
    let said = bob.waits(Duration::from_millis(1));
    assert!(said.hangs_up(link));
    assert!(matches!(
        bob.machine.connection(),
        Connection::Disconnected {
            reason: DownReason::DialFailed(_),
            ..
        }
    ));
    // What comes of it later is too late.
    let (_, said) = bob.tell(|bob, now| bob.handle_link_up(link, dialler_binding(1), now));
    assert!(said.hangs_up(link));
    assert_eq!(said.to(link), []);
    assert!(wait_of(&bob) <= Duration::from_millis(500));
}

#[test]
fn an_owner_that_does_not_prove_itself_is_left_after_ten_seconds() {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, hello) = bob.is_answered(&said);
    assert_eq!(bob.waits(Duration::from_millis(9_999)).0, []);
    assert!(bob.waits(Duration::from_millis(1)).hangs_up(link));
    wait_of(&bob);

    // One that has proved who it is may take its time over a large poll, but not fall silent.
    let said = bob.waits(secs(1));
    let (link, again) = bob.is_answered(&said);
    assert_ne!(again.nonce, hello.nonce);
    let challenge = bob.challenge(&again);
    bob.hears(link, challenge.encode());
    assert_eq!(bob.waits(secs(30)).to(link), [Message::Ping]);
    bob.hears(link, Message::Pong.encode());
    assert_eq!(bob.waits(secs(30)).to(link), [Message::Ping]);
    assert_eq!(bob.waits(secs(30)).to(link), [Message::Ping]);
    assert!(bob.waits(secs(30)).hangs_up(link));
    wait_of(&bob);
}

#[test]
fn what_an_old_link_says_is_not_heard() {
    let (mut bob, old) = bob(1);
    bob.loses(old, DownReason::Unreachable);
    let said = bob.waits(secs(1));
    let (link, _) = bob.is_let_in(&said);
    let before = bob.machine.connection().clone();
    assert_eq!(
        bob.hears(old, common::bench::error(ErrorCode::UnknownPoll))
            .0,
        []
    );
    assert_eq!(bob.loses(old, lost()).0, []);
    assert_eq!(*bob.machine.connection(), before);
    assert_eq!(
        bob.hears(link, Message::Ping.encode()).to(link),
        [Message::Pong]
    );
}

// Links that die without a word.

#[test]
fn a_half_open_link_is_noticed_by_both_ends_within_ninety_seconds() {
    for direction in [Direction::Incoming, Direction::Outgoing, Direction::Both] {
        let mut world = World::new();
        let alice = world.host().room;
        let bob = world.join(BOB, alice.id()).room;
        let mut events = bob.events();
        let mut alices = alice.events();
        let link = world.net.links(&BOB.as_participant())[0];
        world.net.half_open(&BOB.as_participant(), link, direction);
        // A dial of Bob's is not what tells Alice.
        world.net.refuse(&ALICE.as_owner(), true);
        world.run_for(secs(89) + common::world::LATENCY * 2);
        world.run_for(secs(1));

        let connections = connections(&mut events);
        assert!(
            matches!(connections.first(), Some(Connection::Disconnected { .. })),
            "{direction:?}: {connections:?}"
        );
        assert_eq!(alice.peers().len(), 1, "{direction:?}");
        let left = told(&mut alices)
            .into_iter()
            .any(|event| matches!(event, Event::PeersChanged(peers) if !peers[0].online));
        assert!(left, "{direction:?}");

        world.net.refuse(&ALICE.as_owner(), false);
        world.wait_for(bob.connected()).unwrap();
    }
}

#[test]
fn a_quiet_link_that_is_alive_stays() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    let mut events = bob.events();
    world.run_for(secs(86_400));
    assert_eq!(connections(&mut events), []);
    let outcome = world.get_done(&bob, vote_in(&bob, 0));
    assert!(matches!(outcome, Outcome::Applied(_)));
}

#[test]
fn a_link_that_is_frozen_for_a_minute_goes_on() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id()).room;
    let (at_bob, at_alice) = (BOB.as_participant(), ALICE.as_owner());
    let bobs_link = world.net.links(&at_bob)[0];
    let alices_link = world.net.links(&at_alice)[0];
    let mut events = bob.events();
    let mut alices = alice.events();

    world.net.stall(&at_bob, bobs_link);
    world.net.stall(&at_alice, alices_link);
    let submitted = world.submit(&bob, vote_in(&bob, 0));
    world.run_for(secs(60));
    assert_eq!(alice.revision(), Some(Revision::ZERO));
    world.net.resume(&at_bob, bobs_link);
    world.net.resume(&at_alice, alices_link);

    assert!(matches!(world.outcome(submitted), Outcome::Applied(_)));
    world.run_for(secs(600));
    assert_eq!(connections(&mut events), []);
    assert_eq!(world.net.links(&at_bob), [bobs_link]);
    let went = told(&mut alices).into_iter();
    assert_eq!(
        went.filter(|it| matches!(it, Event::PeersChanged(_)))
            .count(),
        0
    );
}

#[test]
fn a_second_link_of_the_same_device_replaces_the_first() {
    let mut alice = Bench::hosting();
    let first = alice.admits(BOB);
    let carol = alice.admits(CAROL);
    let (second, said) = alice.admits_with(BOB, another_hello(BOB, 9));
    assert!(said.hangs_up(first));
    assert!(!alice.is_served(first));
    assert!(alice.is_served(second));
    assert_eq!(alice.owner().peers().len(), 3, "Bob is there once");

    // The end of the old one is not the end of Bob, for anybody.
    let said = alice.loses(first, lost());
    assert_eq!(said.0, []);
    let said = alice.hears(carol, common::people::numbered(1, call_me("Carol")));
    assert_eq!(said.to(second).len(), 1);
    assert_eq!(said.to(first).len(), 0);
    let later = alice.waits(secs(30));
    assert_eq!(later.to(second), [Message::Ping]);
    assert_eq!(later.to(first), [], "it is forgotten");
}

#[test]
fn who_crashed_and_is_back_before_it_was_noticed_never_looks_gone() {
    let mut world = World::new();
    let alice = world.host().room;
    let bob = world.join(BOB, alice.id());
    let carol = world.join(CAROL, alice.id()).room;
    let mut events = carol.events();
    let disk = world.crash_participant(bob);
    let bob = world.enter(BOB, &disk, alice.id()).room;
    world.wait_for(bob.connected()).unwrap();
    world.run_for(secs(60));
    assert_eq!(carol.peers().len(), 3);
    for event in told(&mut events) {
        if let Event::PeersChanged(peers) = event {
            assert!(peers.iter().all(|peer| peer.online), "{peers:?}");
        }
    }
    assert_eq!(world.net.links(&ALICE.as_owner()).len(), 2);
}

// Clocks.

#[test]
fn timers_that_are_served_an_hour_late_only_delay() {
    let late = |bob: &mut Bench<Participant>| {
        bob.now = bob.now + secs(3_600);
        bob.serves_timers()
    };
    // A dial fails later, and the retry after it comes later.
    let (mut bob, link) = bob(1);
    assert!(late(&mut bob).hangs_up(link));
    assert!(wait_of(&bob) <= Duration::from_millis(500));
    let said = late(&mut bob);
    assert!(said.dialled().is_some());

    // A link that was not listened to for an hour is asked, not given up.
    let (link, _) = bob.is_let_in(&said);
    let said = late(&mut bob);
    assert_eq!(said.to(link), [Message::Ping]);
    assert!(!said.hangs_up(link));
    bob.hears(link, Message::Pong.encode());
    for _ in 0..24 {
        assert_eq!(late(&mut bob).to(link), [Message::Ping]);
        bob.hears(link, Message::Pong.encode());
    }
    assert!(bob.is_connected());

    // So does the owner.
    let mut alice = Bench::hosting();
    let (bob, carol) = (alice.admits(BOB), alice.admits(CAROL));
    for _ in 0..3 {
        alice.now = alice.now + secs(3_600);
        let said = alice.serves_timers();
        for link in [bob, carol] {
            assert_eq!(said.to(link), [Message::Ping]);
            assert!(!said.hangs_up(link));
            alice.hears(link, Message::Pong.encode());
        }
    }
    assert!(alice.is_served(bob) && alice.is_served(carol));
}

#[test]
fn a_timer_that_is_served_too_early_does_nothing() {
    let (mut bob, _) = bob(1);
    let before = bob.machine.poll_timeout();
    assert_eq!(bob.serves_timers().0, []);
    assert_eq!(bob.machine.poll_timeout(), before);
}

/// Alice and Bob, whose machines are told of the time what the test likes.
struct Session<C> {
    alice: Bench<Host>,
    bob: Bench<Participant>,
    /// The present link, as each of them calls it.
    links: (LinkId, LinkId),
    dials: u64,
    clock: C,
    names: Vec<CommandId>,
    trace: Vec<String>,
}

impl<C: FnMut() -> Moment> Session<C> {
    fn new(mut clock: C) -> Self {
        let now = clock();
        let mut session = Self {
            alice: Bench::hosting(),
            bob: Bench::starting(BOB, 1, queueing(), Default::default(), now),
            links: (LinkId::accepted(0), LinkId::dialled(0)),
            dials: 0,
            clock,
            names: Vec::new(),
            trace: Vec::new(),
        };
        let said = session.bob.drain();
        session.note(&said);
        session.connects(&said);
        session
    }

    /// Bob's dial is answered.
    fn connects(&mut self, said: &Outputs) {
        self.dials += 1;
        let alices = LinkId::accepted(self.dials);
        let bobs = said.dialled().expect("he dials");
        self.links = (alices, bobs);
        self.tick();
        let binding = acceptor_binding(self.dials);
        let (_, said) = self
            .alice
            .tell(|it, now| it.handle_link_up(alices, binding, now));
        self.carries(&said, true);
        let binding = dialler_binding(self.dials);
        let (_, said) = self
            .bob
            .tell(|it, now| it.handle_link_up(bobs, binding, now));
        self.carries(&said, true);
    }

    fn tick(&mut self) {
        self.alice.now = (self.clock)();
        self.bob.now = (self.clock)();
    }

    /// Brings what somebody said to the other, and what that leads to, until nobody says anything.
    /// `back` says whether what Alice says arrives.
    fn carries(&mut self, said: &Outputs, back: bool) {
        self.note(said);
        for frame in said.frames(self.links.1) {
            self.tick();
            let answer = self.alice.hears(self.links.0, frame);
            self.carries(&answer, back);
        }
        for frame in said.frames(self.links.0) {
            if back {
                self.tick();
                let answer = self.bob.hears(self.links.1, frame);
                self.carries(&answer, back);
            }
        }
    }

    fn bob_submits(&mut self, command: hustings_protocol::Command, back: bool) {
        self.tick();
        let (submitted, said) = self.bob.tell(|bob, now| bob.submit(command, now));
        self.names.push(submitted.expect("it is taken"));
        self.carries(&said, back);
    }

    fn breaks(&mut self) {
        self.tick();
        let said = self.alice.loses(self.links.0, lost());
        self.note(&said);
        let said = self.bob.loses(self.links.1, lost());
        self.note(&said);
        self.tick();
        let (_, said) = self.bob.tell(|bob, now| bob.handle_wake(now));
        self.note(&said);
        self.connects(&said);
    }

    /// Everything that was wanted, but for what may depend on the time: the moment of a retry, and
    /// the names of commands.
    fn note(&mut self, said: &Outputs) {
        for output in &said.0 {
            let mut output = output.clone();
            if let Output::Event {
                event: Event::Connection(Connection::Disconnected { retry_at, .. }),
                ..
            } = &mut output
            {
                *retry_at = Moment::START;
            }
            self.trace.push(format!("{output:?}"));
        }
    }

    fn trace(self) -> Vec<String> {
        let mut trace = self.trace;
        for (number, name) in self.names.iter().enumerate() {
            for line in &mut trace {
                *line = line.replace(&name.to_string(), &format!("#{number}"));
            }
        }
        // What a timer says is not compared: who came, and whether somebody is still there.
        let by_timers = ["PeersChanged", "peer:discovery", "ping", "pong"];
        trace.retain(|line| !by_timers.iter().any(|word| line.contains(word)));
        // A mark is made of everything before it, the names among it.
        let told = "\\\"history\\\":\\\"";
        for line in &mut trace {
            if let Some(at) = line.find(told) {
                let from = at + told.len();
                line.replace_range(from..from + 32, "mark");
            }
        }
        // The owner's clock, which it tells as it is, unless that is at its end.
        let clock = "\\\"time\\\":";
        for line in &mut trace {
            if let Some((before, after)) = line.split_once(clock) {
                let after = after.trim_start_matches(|it: char| it.is_ascii_digit());
                *line = format!("{before}{}", &after[1..]);
            }
        }
        trace
    }
}

/// Connects, votes, loses an answer, comes back; never because of a timer.
fn a_session(clock: impl FnMut() -> Moment) -> Vec<String> {
    let poll_id = room().poll_id;
    let mut session = Session::new(clock);
    session.bob_submits(vote(poll_id, option(0)), true);
    session.bob_submits(vote(poll_id, option(404)), true);
    session.tick();
    let (submitted, said) = session
        .alice
        .tell(|alice, now| alice.submit(poll_id, call_me("Alice"), now));
    session.names.push(submitted.expect("it is taken"));
    session.carries(&said, true);
    session.bob_submits(call_me("Bob"), false);
    session.breaks();
    session.bob_submits(vote(poll_id, option(2)), true);
    assert!(session.bob.machine.pending().is_empty());
    assert_eq!(
        session.bob.machine.confirmed(),
        Some(session.alice.owner().poll())
    );
    assert_eq!(session.alice.owner().revision(), revision(4));
    session.trace()
}

#[test]
fn clocks_that_stand_jump_or_run_backwards_change_nothing_but_timers() {
    let mut ticks = 0;
    let expected = a_session(|| {
        ticks += 10;
        Moment::from_millis(ticks)
    });
    assert!(expected.len() > 40, "{} outputs", expected.len());

    let standing = a_session(|| Moment::from_millis(5));
    assert_eq!(standing, expected);
    let mut millis = 1_000_000_000;
    let backwards = a_session(|| {
        millis -= 1_000_000;
        Moment::from_millis(millis)
    });
    assert_eq!(backwards, expected);
    let mut state = 1_u64;
    let jumping = a_session(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        Moment::from_millis(state)
    });
    assert_eq!(jumping, expected);
    let at_the_end_of_time = a_session(|| Moment::from_millis(u64::MAX));
    assert_eq!(at_the_end_of_time, expected);
}
