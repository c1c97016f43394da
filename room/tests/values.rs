//! The values that machines, drivers and transports hand to each other: links, moments, reasons.

#![cfg(not(target_family = "wasm"))]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::bench::Bench;
use common::people::{BOB, call_me, draft, hello, queueing, room};
use common::world::World;
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;
use hustings_protocol::{Address, ErrorCode, Message};
use hustings_room::clock::{Clock, SystemClock, unix_millis};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{DownReason, Event, LinkId, Output, SubmitError};

// Links.

#[test]
fn a_link_is_dialled_or_accepted_whatever_its_number() {
    for number in [0, 1, 7, u64::MAX >> 1] {
        let (dialled, accepted) = (LinkId::dialled(number), LinkId::accepted(number));
        assert!(accepted.is_accepted() && !dialled.is_accepted());
        // The highest bit is no part of the number.
        let high = number | 1 << 63;
        assert_eq!(LinkId::dialled(high), dialled);
        assert_eq!(LinkId::accepted(high), accepted);
        assert_eq!(dialled.to_string(), format!("out{number}"));
        assert_eq!(accepted.to_string(), format!("in{number}"));
        assert_eq!(format!("{dialled:?}"), format!("LinkId(dialled {number})"));
        assert_eq!(
            format!("{accepted:?}"),
            format!("LinkId(accepted {number})")
        );
    }
}

#[test]
fn a_refusal_by_anybody_is_told_in_words_of_this_side() {
    for (code, words) in [
        (ErrorCode::Busy, "no room"),
        (ErrorCode::UnknownPoll, "no such poll"),
        (ErrorCode::UnsupportedVersion, "another version"),
        (ErrorCode::BadSignature, "the handshake failed"),
        (ErrorCode::Other("buy-this".into()), "the handshake failed"),
    ] {
        let reason = DownReason::refused(code).to_string();
        assert!(reason.contains(words), "{reason}");
        assert!(!reason.contains("buy"), "{reason}");
    }
}

/// A transport of three links, of which the middle one is full and the last is gone.
#[derive(Default)]
struct Three(Vec<LinkId>);

impl Transport for Three {
    fn dial(&mut self, _: LinkId, _: &Address) {}

    fn send(&mut self, link: LinkId, _: Bytes) -> SendOutcome {
        self.0.push(link);
        match link {
            _ if link == LinkId::accepted(1) => SendOutcome::Blocked,
            _ if link == LinkId::accepted(2) => SendOutcome::Gone,
            _ => SendOutcome::Queued,
        }
    }

    fn hangup(&mut self, _: LinkId) {}

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<TransportEvent> {
        Poll::Pending
    }
}

#[test]
fn a_transport_that_cannot_fan_out_sends_to_one_after_the_other() {
    let links = [0, 1, 2].map(LinkId::accepted);
    let frame = Message::Ping.encode();
    for except in [None, Some(links[0]), Some(links[1]), Some(links[2])] {
        let (mut three, mut blocked) = (Three::default(), Vec::new());
        three.broadcast(&links, except, &frame, &mut blocked);
        let to = |link: &&LinkId| Some(**link) != except;
        assert_eq!(
            three.0,
            links.iter().filter(to).copied().collect::<Vec<_>>()
        );
        let full: &[LinkId] = if except == Some(links[1]) {
            &[]
        } else {
            &[links[1]]
        };
        assert_eq!(blocked, full);
    }
}

// Time.

#[test]
fn whoever_sleeps_until_a_moment_wakes_when_the_clock_has_reached_it() {
    let clock = SystemClock::new();
    let sleeps = [0_u64, 1, 2, 3, 4, 5].map(|millis| {
        let moment = clock.now() + Duration::from_millis(millis);
        let (sleep, clock) = (clock.sleep_until(moment), clock.clone());
        async move {
            sleep.await;
            assert!(clock.now() >= moment, "{millis} ms");
        }
    });
    block_on(join_all(sleeps));
    let hour = clock.now() + Duration::from_secs(3_600);
    assert!(clock.sleep_until(hour).now_or_never().is_none());
}

#[test]
fn the_wall_clock_is_in_this_century() {
    assert!((1_700_000_000_000..4_000_000_000_000).contains(&unix_millis()));
}

#[test]
fn a_handle_tells_the_time_of_its_driver() {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    for room in [&alice.room, &bob.room] {
        let before = room.now();
        world.run_for(Duration::from_millis(1_234));
        assert_eq!(room.now() - before, Duration::from_millis(1_234));
    }
    assert_eq!(alice.room.now(), world.now());
}

// Sizes.

#[test]
fn a_command_may_be_as_large_as_its_owner_accepts() {
    let command = || call_me("Bob");
    let submits = |max: usize| {
        let mut config = queueing();
        config.limits.max_command_bytes = max;
        let mut bob = Bench::joining_with(BOB, 0, config);
        let (submitted, said) = bob.tell(|bob, now| bob.submit(command(), now));
        submitted.map(|_| said.keeps_anything())
    };
    let Err(SubmitError::TooLarge { bytes, max: 0 }) = submits(0) else {
        panic!("nothing fits");
    };
    assert_eq!(submits(bytes), Ok(true));
    let max = bytes - 1;
    assert_eq!(submits(max), Err(SubmitError::TooLarge { bytes, max }));
}

// Randomness.

#[test]
fn no_two_polls_of_one_host_draw_the_same() {
    let mut world = World::new();
    let alice = world.host();
    let lunch = world
        .wait_for(alice.hosting.create(draft()))
        .expect("a sound draft");
    let drawn = [&alice.room, &lunch].map(|room| {
        let (at, submitted) = (world.now(), world.submit(room, call_me("Alice")));
        assert_eq!(world.now(), at, "the time in both names is the same");
        submitted.command_id()
    });
    assert_ne!(drawn[0], drawn[1]);
}

// Events.

#[test]
fn a_fault_in_the_handshake_names_the_poll_once_the_link_has_its_challenge() {
    let fault_after = |frames: &[Bytes]| {
        let mut alice = Bench::hosting();
        let (link, _) = alice.link();
        let mut said = alice.hears(link, &frames[0]);
        for frame in &frames[1..] {
            said = alice.hears(link, frame);
        }
        assert!(said.hangs_up(link));
        let mut outputs = said.0.into_iter();
        outputs.find_map(|output| match output {
            Output::Event {
                poll_id,
                event: Event::Fault { .. },
            } => Some(poll_id),
            _ => None,
        })
    };
    let (greeting, ping) = (
        Message::Hello(hello(BOB, room())).encode(),
        Message::Ping.encode(),
    );
    let poll_id = Some(Some(room().poll_id));
    assert_eq!(fault_after(std::slice::from_ref(&ping)), Some(None));
    assert_eq!(fault_after(&[greeting.clone(), ping]), poll_id);
    assert_eq!(fault_after(&[greeting, Bytes::from_static(b"{{")]), poll_id);
}

#[test]
fn an_open_poll_needs_no_connection_of_its_owner() {
    let mut world = World::new();
    let alice = world.host();
    assert_eq!(world.wait_for(alice.room.reconnect()), Ok(()));
}

// Who and where.

#[test]
fn machines_say_whose_they_are() {
    let (alice, bob) = (Bench::hosting(), Bench::joining(BOB));
    assert_eq!(alice.machine.polls().collect::<Vec<_>>(), [room().poll_id]);
    assert_eq!(bob.machine.room_id(), room());
    assert_eq!(bob.machine.peer(), BOB.peer());
}

#[test]
fn a_setup_shows_neither_key_nor_seed() {
    let shown = format!("{:?}", BOB.setup(0, queueing()));
    assert!(shown.contains(&BOB.device().to_string()), "{shown}");
    for secret in ["2, 2, 2", "0202", "seed", "key"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
