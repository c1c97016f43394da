//! Sleep: a gap in a side's own timers, after which no link is dead, and none is believed.

mod common;

use std::time::Duration;

use common::bench::{Bench, Outputs};
use common::people::{BOB, CAROL, queueing};
use hustings_protocol::Message;
use hustings_room::{Connection, Host, LinkId, Machine, Participant};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const NIGHT: Duration = secs(8 * 3_600);

/// Time passes, and the timers are served at its end.
fn sleeps<M: Machine>(bench: &mut Bench<M>, time: Duration) -> Outputs {
    bench.now = bench.now + time;
    let now = bench.now;
    bench.tell(|machine, _| machine.handle_timeout(now)).1
}

fn is_seen<M: Machine>(bench: &mut Bench<M>) -> Outputs {
    bench.tell(|machine, now| machine.handle_wake(now)).1
}

/// Bob, let in.
fn bob() -> (Bench<Participant>, LinkId) {
    let mut bob = Bench::joining_with(BOB, 1, queueing());
    let link = bob.joins();
    (bob, link)
}

fn alice() -> (Bench<Host>, [LinkId; 2]) {
    let mut alice = Bench::hosting();
    let bob = alice.admits(BOB);
    // Not due when Bob is.
    alice.waits(secs(20));
    let carol = alice.admits(CAROL);
    (alice, [bob, carol])
}

#[test]
fn a_participant_that_slept_asks_at_once_and_gives_its_owner_the_usual_time() {
    let (mut bob, link) = bob();
    assert_eq!(sleeps(&mut bob, NIGHT).to(link), [Message::Ping]);
    assert_eq!(*bob.machine.connection(), Connection::Connected);
    // Not answered, it is left after as long as ever.
    let said = bob.waits(secs(59));
    assert_eq!(said.to(link), [Message::Ping]);
    assert!(!said.hangs_up(link));
    assert!(bob.waits(secs(1)).hangs_up(link));
}

#[test]
fn an_owner_that_slept_asks_everybody_at_once() {
    let (mut alice, links) = alice();
    // Only Bob is due by then.
    let said = sleeps(&mut alice, secs(21));
    for link in links {
        assert_eq!(said.to(link), [Message::Ping], "{link}");
        assert!(!said.hangs_up(link));
    }
    let said = sleeps(&mut alice, NIGHT);
    for link in links {
        assert_eq!(said.to(link), [Message::Ping], "{link}");
        assert!(alice.is_served(link));
    }
}

#[test]
fn a_link_that_was_asked_twice_before_is_asked_once_more() {
    let (mut bob, link) = bob();
    bob.waits(secs(30));
    assert_eq!(bob.waits(secs(30)).to(link), [Message::Ping]);
    for time in [secs(45), NIGHT] {
        let said = sleeps(&mut bob, time);
        assert_eq!(said.to(link), [Message::Ping], "{time:?}");
        assert!(!said.hangs_up(link));
    }
    bob.hears(link, Message::Pong.encode());
    assert_eq!(*bob.machine.connection(), Connection::Connected);
    assert!(!bob.waits(secs(89)).hangs_up(link));
    assert!(bob.waits(secs(1)).hangs_up(link));
}

#[test]
fn a_machine_that_wakes_for_moments_all_night_loses_no_link() {
    let (mut bob, link) = bob();
    for _ in 0..10 {
        assert!(!sleeps(&mut bob, secs(1_800)).hangs_up(link));
        assert!(!bob.waits(secs(5)).hangs_up(link));
    }
    bob.hears(link, Message::Pong.encode());
    assert_eq!(*bob.machine.connection(), Connection::Connected);
}

/// A frame that was heard may have waited since before.
#[test]
fn something_heard_on_waking_is_no_answer() {
    let (mut bob, link) = bob();
    bob.now = bob.now + NIGHT;
    bob.hears(link, Message::Pong.encode());
    assert_eq!(bob.serves_timers().to(link), [Message::Ping]);
}

#[test]
fn a_hidden_tab_whose_timers_run_once_a_minute_finds_a_dead_link() {
    let (mut bob, link) = bob();
    let dead = (1..10).find(|_| sleeps(&mut bob, secs(60)).hangs_up(link));
    assert_eq!(dead, Some(4));
}

#[test]
fn whoever_is_seen_asks_at_once_and_not_again_before_there_is_an_answer() {
    let (mut bob, link) = bob();
    for _ in 0..2 {
        assert_eq!(is_seen(&mut bob).to(link), [Message::Ping]);
        assert_eq!(is_seen(&mut bob).to(link), []);
        bob.hears(link, Message::Pong.encode());
    }
    let (mut alice, links) = alice();
    for link in links {
        assert_eq!(is_seen(&mut alice).to(link), [Message::Ping]);
        assert_eq!(is_seen(&mut alice).to(link), []);
        for link in links {
            alice.hears(link, Message::Pong.encode());
        }
    }
}
