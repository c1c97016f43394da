//! Sleep: a gap in the endpoint's own timers.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

mod harness;

use std::time::Duration;

use harness::{Bench, Relay, SocketDo, owner, participant};
use hustings_room::transport::TransportEvent;
use hustings_room::{DownReason, LinkId};
use hustings_transport_peerjs::Config;
use hustings_transport_peerjs::wire::RtcState;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const NIGHT: Duration = secs(8 * 3_600);

/// Time passes, and the timers are served at its end.
fn sleep(bench: &mut Bench, relay: &mut Relay, time: Duration) {
    bench.advance(time);
    relay.run(bench);
}

/// Lets time pass in steps, with the timers served.
fn pass(bench: &mut Bench, relay: &mut Relay, time: Duration) {
    for _ in 0..time.as_millis() / 100 {
        sleep(bench, relay, Duration::from_millis(100));
    }
}

/// A participant at 0, registered.
fn lone() -> (Bench, Relay) {
    let (mut bench, mut relay) = (Bench::new(), Relay::default());
    bench.add(&Config::default(), &participant(2), "t");
    relay.run(&mut bench);
    (bench, relay)
}

/// The number of echoes that wait to be sent.
fn echoes(bench: &Bench) -> usize {
    let is_echo =
        |wanted: &&SocketDo| matches!(wanted, SocketDo::Send(_, text) if text.contains("echo_"));
    bench.sides[0].sockets.iter().filter(is_echo).count()
}

#[test]
fn whoever_slept_asks_the_server_at_once_and_wakes_whoever_uses_it() {
    let (mut bench, mut relay) = lone();
    let opened = relay.opened;
    bench.advance(secs(20));
    bench.pump();
    assert_eq!(echoes(&bench), 1);
    assert_eq!(bench.sides[0].events, [TransportEvent::Wake]);
    relay.run(&mut bench);
    pass(&mut bench, &mut relay, secs(20));
    assert_eq!(relay.opened, opened, "the socket was good");
    assert_eq!(bench.sides[0].events, [TransportEvent::Wake]);
}

#[test]
fn an_echo_whose_time_was_slept_through_is_asked_for_again() {
    let (mut bench, mut relay) = lone();
    let (opened, now) = (relay.opened, bench.now);
    bench.sides[0].endpoint.wake(now);
    // It is on its way, and comes when everything goes on.
    sleep(&mut bench, &mut relay, secs(40));
    assert_eq!(relay.opened, opened);
    pass(&mut bench, &mut relay, secs(20));
    assert_eq!(relay.opened, opened);
}

#[test]
fn a_hidden_tab_finds_a_dead_socket() {
    let (mut bench, mut relay) = lone();
    let opened = relay.opened;
    relay.dead = true;
    let minutes = (1..10).find(|_| {
        sleep(&mut bench, &mut relay, secs(60));
        relay.opened > opened
    });
    assert_eq!(minutes, Some(3));
}

/// The two are linked; the connection of 1 is disconnected.
fn disconnected() -> (Bench, Relay, LinkId) {
    let (mut bench, mut relay) = (Bench::new(), Relay::default());
    bench.add(&Config::default(), &owner(1), "owner");
    bench.add(&Config::default(), &participant(2), "t");
    relay.run(&mut bench);
    let link = bench.sides[1].dial(&owner(1), bench.now);
    relay.run(&mut bench);
    let (rtc, now) = (bench.last_rtc(1), bench.now);
    let endpoint = &mut bench.sides[1].endpoint;
    endpoint.handle_state(rtc, RtcState::Disconnected, now);
    (bench, relay, link)
}

fn is_lost(bench: &Bench, link: LinkId) -> bool {
    let events = bench.sides[1].events.iter();
    let lost = |event: &TransportEvent| matches!(event, TransportEvent::LinkDown { link: down, reason: DownReason::Lost(_) } if *down == link);
    events.into_iter().any(lost)
}

#[test]
fn a_link_that_was_disconnected_has_its_whole_time_after_a_sleep() {
    let (mut bench, mut relay, link) = disconnected();
    sleep(&mut bench, &mut relay, NIGHT);
    pass(&mut bench, &mut relay, secs(29));
    assert!(!is_lost(&bench, link));
    pass(&mut bench, &mut relay, secs(2));
    assert!(is_lost(&bench, link), "and not for ever");
}

#[test]
fn a_hidden_tab_loses_a_link_that_stays_disconnected() {
    let (mut bench, mut relay, link) = disconnected();
    sleep(&mut bench, &mut relay, secs(60));
    assert!(is_lost(&bench, link));
}
