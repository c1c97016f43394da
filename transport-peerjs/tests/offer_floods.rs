//! Strangers who send offers without end, and honest people who come meanwhile.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect fails it"
)]

mod harness;

use std::time::Duration;

use harness::{Bench, Relay, owner, participant, sdp};
use hustings_room::LinkId;
use hustings_room::transport::TransportEvent;
use hustings_transport_peerjs::Config;
use hustings_transport_peerjs::wire::{Notice, Refusal, RtcAction, RtcId, RtcState};

/// Fifty of them make a second.
const TICK: Duration = Duration::from_millis(20);

/// The time that an honest connection takes. Most take a third of it.
const SLOW: Duration = Duration::from_secs(2);

/// The senders of a flood.
#[derive(Clone, Copy)]
enum From {
    One,
    Fresh,
}

/// The offers of a flood. All of them look good.
#[derive(Clone, Copy)]
enum Kind {
    /// The browser refuses them.
    Fails,
    /// Nothing comes of them.
    Hangs,
}

/// An owner, and a flood of offers.
struct Flood {
    bench: Bench,
    relay: Relay,
    from: From,
    kind: Kind,
    sent: usize,
    seen: usize,
}

impl Flood {
    fn new(from: From, kind: Kind) -> Self {
        let mut bench = Bench::new();
        bench.add(&Config::default(), &owner(1), "owner");
        let mut relay = Relay::default();
        relay.run(&mut bench);
        Self {
            bench,
            relay,
            from,
            kind,
            sent: 0,
            seen: 0,
        }
    }

    /// One more offer.
    fn offer(&mut self) {
        let n = self.sent;
        self.sent += 1;
        let src = match self.from {
            From::One => "stranger".to_owned(),
            From::Fresh => format!("stranger{n}"),
        };
        self.offer_of(&src, &format!("dc_{n}"));
        if matches!(self.kind, Kind::Fails) {
            let actions = &self.bench.sides[0].actions;
            let made: Vec<RtcId> = actions[self.seen..]
                .iter()
                .filter(|(_, action)| {
                    matches!(action, RtcAction::CreateAnswer { offer } if offer.contains("s=0/99999"))
                })
                .map(|(rtc, _)| *rtc)
                .collect();
            self.seen = actions.len();
            let now = self.bench.now;
            for rtc in made {
                let endpoint = &mut self.bench.sides[0].endpoint;
                endpoint.handle_failure(rtc, "no description", now);
            }
        }
        self.relay.run(&mut self.bench);
    }

    fn offer_of(&mut self, src: &str, connection: &str) {
        let offer = harness::offer_of(src, connection, &sdp(9, "0/99999"));
        let (_, socket, _) = &self.relay.registered[&owner(1).to_string()];
        let now = self.bench.now;
        let endpoint = &mut self.bench.sides[0].endpoint;
        endpoint.handle_socket_text(*socket, &offer.to_string(), now);
        self.relay.run(&mut self.bench);
    }

    /// Goes on, with so many offers in each tick.
    fn goes_on(&mut self, time: Duration, each: usize) {
        for _ in 0..time.as_millis() / TICK.as_millis() {
            self.bench.advance(TICK);
            for _ in 0..each {
                self.offer();
            }
            self.relay.run(&mut self.bench);
        }
    }

    /// Somebody honest, registered.
    fn person(&mut self, n: u8) -> usize {
        let at = self
            .bench
            .add(&Config::default(), &participant(n), &format!("t{n}"));
        self.relay.run(&mut self.bench);
        at
    }

    /// Somebody dials once, and their connection takes its time. True if it has come up.
    fn joins(&mut self, at: usize, each: usize) -> Option<LinkId> {
        self.bench.connects = false;
        let link = self.bench.sides[at].dial(&owner(1), self.bench.now);
        self.relay.run(&mut self.bench);
        let rtc = self.bench.last_rtc(at);
        self.goes_on(SLOW, each);
        self.bench.let_through(at, rtc);
        self.relay.run(&mut self.bench);
        let is_up = |event: &TransportEvent| matches!(event, TransportEvent::LinkUp { link: up, .. } if *up == link);
        self.bench.sides[at]
            .events
            .iter()
            .any(is_up)
            .then_some(link)
    }

    fn made(&self) -> usize {
        let actions = self.bench.sides[0].actions.iter();
        actions
            .filter(|(_, action)| matches!(action, RtcAction::CreateAnswer { .. }))
            .count()
    }

    fn refused(&self, reason: &Refusal) -> usize {
        self.bench.sides[0].refused(reason)
    }
}

#[test]
fn with_fifty_hostile_offers_a_second_everybody_joins_at_the_first_attempt() {
    for from in [From::One, From::Fresh] {
        for kind in [Kind::Fails, Kind::Hangs] {
            let mut flood = Flood::new(from, kind);
            flood.goes_on(Duration::from_secs(20), 1);
            for n in 2..12 {
                let person = flood.person(n);
                assert!(flood.joins(person, 1).is_some(), "the {n}th");
            }
        }
    }
}

#[test]
fn one_stranger_has_few_connections_made() {
    for kind in [Kind::Fails, Kind::Hangs] {
        let mut flood = Flood::new(From::One, kind);
        flood.goes_on(Duration::from_secs(60), 1);
        let made = flood.made();
        assert!((30..=40).contains(&made), "{made} of {}", flood.sent);
        assert!(flood.bench.sides[0].endpoint.connections() <= 4);
        assert_eq!(flood.refused(&Refusal::TooOften), 3_000 - made);
    }
}

#[test]
fn all_strangers_together_have_a_bounded_number_made_and_members_come_back_meanwhile() {
    for kind in [Kind::Fails, Kind::Hangs] {
        let mut flood = Flood::new(From::Fresh, kind);
        let members: Vec<usize> = (2..8).map(|n| flood.person(n)).collect();
        let links: Vec<LinkId> = members
            .iter()
            .map(|at| flood.joins(*at, 0).unwrap())
            .collect();
        flood.goes_on(Duration::from_secs(21), 0);
        let before = flood.made();
        let sent = flood.sent;
        flood.goes_on(Duration::from_secs(10), 4);
        let made = flood.made() - before;
        // 192 at once, and 62.5 a second.
        assert!(made <= 192 + 625, "{made} of {}", flood.sent - sent);
        for (at, link) in members.into_iter().zip(links) {
            flood.bench.sides[at].hangup(link, flood.bench.now);
            flood.relay.run(&mut flood.bench);
            assert!(flood.joins(at, 4).is_some(), "member {at}");
        }
    }
}

#[test]
fn a_sender_without_places_gives_up_the_oldest_of_its_own() {
    let mut flood = Flood::new(From::Fresh, Kind::Hangs);
    flood.offer_of("somebody-else", "dc_else");
    for n in 0..5 {
        flood.offer_of("reloads-a-lot", &format!("dc_{n}"));
    }
    let side = &flood.bench.sides[0];
    let closed: Vec<_> = side
        .actions
        .iter()
        .filter(|(_, action)| *action == RtcAction::Close)
        .map(|(rtc, _)| *rtc)
        .collect();
    let answered: Vec<_> = side
        .actions
        .iter()
        .filter(|(_, action)| matches!(action, RtcAction::CreateAnswer { .. }))
        .map(|(rtc, _)| *rtc)
        .collect();
    assert_eq!(closed, [answered[1]]);
    assert_eq!(
        side.notices,
        [Notice::Refused {
            from: "reloads-a-lot".into(),
            refusal: Refusal::GaveWay
        }]
    );
    assert_eq!(side.endpoint.connections(), 5);
}

#[test]
fn when_all_places_are_taken_the_least_advanced_of_whoever_has_most_gives_way() {
    let mut config = Config::default();
    config.limits.max_incoming = 4;
    let mut flood = Flood::new(From::Fresh, Kind::Hangs);
    flood.bench = Bench::new();
    flood.relay = Relay::default();
    flood.bench.add(&config, &owner(1), "owner");
    flood.relay.run(&mut flood.bench);
    let made = |flood: &Flood| flood.bench.last_rtc(0);
    flood.offer_of("light", "dc_1");
    let light = made(&flood);
    flood.offer_of("heavy", "dc_1");
    let reached = made(&flood);
    flood.offer_of("heavy", "dc_2");
    let second = made(&flood);
    flood.offer_of("heavy", "dc_3");
    let third = made(&flood);
    let now = flood.bench.now;
    let endpoint = &mut flood.bench.sides[0].endpoint;
    endpoint.handle_state(reached, RtcState::Connected, now);
    let closed = |flood: &Flood| -> Vec<RtcId> {
        let actions = flood.bench.sides[0].actions.iter();
        actions
            .filter(|(_, action)| *action == RtcAction::Close)
            .map(|(rtc, _)| *rtc)
            .collect()
    };
    flood.offer_of("new1", "dc_1");
    assert_eq!(closed(&flood), [second]);
    let new = made(&flood);
    // Nobody has more than two now, and none of them has had its time.
    flood.offer_of("new2", "dc_1");
    assert_eq!(closed(&flood), [second, third]);
    flood.offer_of("new3", "dc_1");
    assert_eq!(closed(&flood), [second, third]);
    flood.bench.advance(Duration::from_secs(3));
    flood.bench.pump();
    assert_eq!(
        closed(&flood),
        [second, third, light],
        "for the one who has waited"
    );
    flood.offer_of("new4", "dc_1");
    assert_eq!(closed(&flood), [second, third, light, new]);
}
