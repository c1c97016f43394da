//! Two copies of one identity: one browser profile copied to another machine, say.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

mod harness;

use std::time::Duration;

use harness::{Bench, Relay, owner, participant};
use hustings_room::DownReason;
use hustings_room::transport::{TransportError, TransportEvent};
use hustings_transport_peerjs::Config;
use hustings_transport_peerjs::wire::RegistrationState;

const HOUR: u64 = 3_600;

/// Lets time pass in steps, with the timers served.
fn pass(bench: &mut Bench, relay: &mut Relay, seconds: u64) {
    for _ in 0..seconds * 10 {
        bench.advance(Duration::from_millis(100));
        relay.run(bench);
    }
}

/// A server that says that a socket was replaced, or one that does not.
fn server(says_replaced: bool) -> Relay {
    Relay {
        says_replaced,
        ..Relay::default()
    }
}

/// The first copy at 0 for 50 s, and then the second at 1.
fn copies(says_replaced: bool) -> (Bench, Relay) {
    let (mut bench, mut relay) = (Bench::new(), server(says_replaced));
    bench.add(&Config::default(), &owner(1), "same");
    pass(&mut bench, &mut relay, 50);
    bench.add(&Config::default(), &owner(1), "same");
    relay.run(&mut bench);
    (bench, relay)
}

fn has_yielded(bench: &Bench, at: usize) -> bool {
    let last = bench.sides[at].states.last();
    matches!(last, Some(RegistrationState::Yielded { .. }))
}

fn is_registered(bench: &Bench, at: usize) -> bool {
    bench.sides[at].states.last() == Some(&RegistrationState::Registered)
}

#[test]
fn two_copies_do_not_take_their_address_from_each_other_for_ever() {
    for (says_replaced, most) in [(true, 1), (false, 3)] {
        let (mut bench, mut relay) = copies(says_replaced);
        pass(&mut bench, &mut relay, HOUR);
        assert_eq!(relay.takeovers, most, "{says_replaced}");
        assert!(has_yielded(&bench, 0), "{:?}", bench.sides[0].states);
        assert!(is_registered(&bench, 1), "{:?}", bench.sides[1].states);
    }
}

#[test]
fn whoever_was_replaced_says_so_at_once_and_dials_nobody() {
    let (mut bench, mut relay) = copies(true);
    assert!(has_yielded(&bench, 0));
    let link = bench.sides[0].dial(&owner(2), bench.now);
    relay.run(&mut bench);
    let reason = DownReason::AddressInUse;
    let down = TransportEvent::LinkDown { link, reason };
    assert_eq!(bench.sides[0].events, [down]);
}

#[test]
fn a_dial_that_waits_ends_when_the_address_is_yielded() {
    let (mut bench, mut relay) = (Bench::new(), server(true));
    relay.silent = true;
    for _ in 0..2 {
        bench.add(&Config::default(), &participant(1), "same");
    }
    let link = bench.sides[0].dial(&owner(2), bench.now);
    relay.run(&mut bench);
    let reason = DownReason::AddressInUse;
    let down = TransportEvent::LinkDown { link, reason };
    assert_eq!(bench.sides[0].events, [down]);
}

#[test]
fn links_stay_when_the_address_is_yielded() {
    let (mut bench, mut relay) = (Bench::new(), server(true));
    bench.add(&Config::default(), &owner(1), "same");
    bench.add(&Config::default(), &participant(2), "participant");
    relay.run(&mut bench);
    bench.sides[1].dial(&owner(1), bench.now);
    relay.run(&mut bench);
    bench.add(&Config::default(), &owner(1), "same");
    pass(&mut bench, &mut relay, 300);
    assert!(has_yielded(&bench, 0));
    assert_eq!(bench.sides[0].promises.links_up(), 1);
    assert_eq!(bench.sides[1].promises.links_up(), 1);
}

#[test]
fn whoever_is_looked_at_takes_the_address_back_and_the_other_yields() {
    for says_replaced in [true, false] {
        let (mut bench, mut relay) = copies(says_replaced);
        pass(&mut bench, &mut relay, HOUR);
        let before = relay.takeovers;
        let now = bench.now;
        bench.sides[0].endpoint.claim(now);
        pass(&mut bench, &mut relay, HOUR);
        assert!(is_registered(&bench, 0), "{:?}", bench.sides[0].states);
        assert!(has_yielded(&bench, 1), "{:?}", bench.sides[1].states);
        assert!(relay.takeovers - before <= 3, "{}", relay.takeovers);
    }
}

#[test]
fn a_wake_takes_no_address_back() {
    let (mut bench, mut relay) = copies(true);
    let now = bench.now;
    bench.sides[0].endpoint.wake(now);
    pass(&mut bench, &mut relay, 10);
    assert!(has_yielded(&bench, 0));
    assert_eq!(relay.takeovers, 1);
}

/// The copy goes, and the server keeps its id for whoever has its token, or does not.
fn is_found_free(is_kept: bool) {
    let (mut bench, mut relay) = copies(true);
    pass(&mut bench, &mut relay, 30);
    let (.., token) = relay.registered.values().next().expect("the copy has it");
    relay.kept = is_kept.then(|| token.clone());
    bench.sides[1].endpoint.close();
    pass(&mut bench, &mut relay, 40);
    assert!(is_registered(&bench, 0), "{:?}", bench.sides[0].states);
    // Whoever waits for it need not wait any longer.
    assert_eq!(bench.sides[0].events, [TransportEvent::Wake]);
    assert_eq!(relay.takeovers, 1);
}

#[test]
fn an_address_that_the_copy_has_left_is_found_free() {
    is_found_free(false);
}

/// The copy has crashed. Its token is this side's, too.
#[test]
fn an_address_that_is_kept_for_the_copy_is_this_sides_as_well() {
    is_found_free(true);
}

#[test]
fn a_server_that_is_away_takes_nothing_from_whoever_yielded() {
    let (mut bench, mut relay) = copies(true);
    relay.down = true;
    pass(&mut bench, &mut relay, HOUR);
    assert!(has_yielded(&bench, 0));
    relay.down = false;
    pass(&mut bench, &mut relay, 120);
    assert!(is_registered(&bench, 1));
    assert!(has_yielded(&bench, 0));
}

/// A phone goes from one network to another: the server still has the socket of before.
#[test]
fn two_sockets_that_fell_silent_are_no_copy() {
    let (mut bench, mut relay) = (Bench::new(), server(false));
    bench.add(&Config::default(), &participant(1), "phone");
    relay.run(&mut bench);
    for _ in 0..2 {
        relay.dead = true;
        let (opened, now) = (relay.opened, bench.now);
        bench.sides[0].endpoint.wake(now);
        while relay.opened == opened {
            pass(&mut bench, &mut relay, 1);
        }
        relay.dead = false;
        pass(&mut bench, &mut relay, 60);
        assert!(is_registered(&bench, 0), "{:?}", bench.sides[0].states);
    }
    let yields = |state: &RegistrationState| matches!(state, RegistrationState::Yielded { .. });
    assert!(!bench.sides[0].states.iter().any(yields));
}

#[test]
fn time_without_a_network_is_no_patience_with_a_taken_address() {
    let mut bench = Bench::new();
    let mut relay = Relay::default();
    let events = |bench: &Bench| {
        let mut events = bench.sides[1].events.clone();
        events.retain(|event| *event != TransportEvent::Wake);
        events
    };
    bench.add(&Config::default(), &owner(1), "old");
    relay.run(&mut bench);
    bench.add(&Config::default(), &owner(1), "new");
    pass(&mut bench, &mut relay, 60);
    // The network comes and goes.
    for _ in 0..10 {
        relay.down = true;
        pass(&mut bench, &mut relay, 60);
        relay.down = false;
        let now = bench.now;
        bench.sides[1].endpoint.wake(now);
        pass(&mut bench, &mut relay, 1);
    }
    bench.sides[1]
        .events
        .retain(|event| *event != TransportEvent::Wake);
    assert_eq!(bench.sides[1].events, []);
    bench.advance(Duration::from_secs(HOUR));
    pass(&mut bench, &mut relay, 1);
    assert_eq!(events(&bench), [], "asleep is not online");
    pass(&mut bench, &mut relay, 80);
    let failed = TransportEvent::Failed(TransportError::AddressTaken(owner(1)));
    assert_eq!(events(&bench), [failed]);
}
