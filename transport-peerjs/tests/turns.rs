//! More people come at once than can come up together.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect fails it"
)]

mod harness;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use harness::{Bench, Relay, SocketDo, owner, sdp};
use hustings_transport_peerjs::Config;
use hustings_transport_peerjs::wire::{Refusal, RtcAction, RtcId, SocketId};

const TICK: Duration = Duration::from_millis(100);

/// An owner with make-believe people.
struct Room {
    bench: Bench,
    socket: SocketId,
    /// The names of those who were told that they are not taken, since they were last looked at.
    told: Vec<String>,
    seen: usize,
    /// The connections that have been made and not come up, by the name of their offer.
    begun: VecDeque<(String, RtcId)>,
    closed: BTreeSet<RtcId>,
}

impl Room {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let mut bench = Bench::new();
        bench.add(&config, &owner(1), "owner");
        let mut relay = Relay::default();
        relay.run(&mut bench);
        let (_, socket, _) = relay.registered[&owner(1).to_string()];
        Self {
            bench,
            socket,
            told: Vec::new(),
            seen: 0,
            begun: VecDeque::new(),
            closed: BTreeSet::new(),
        }
    }

    fn hears(&mut self, message: &serde_json::Value) {
        let now = self.bench.now;
        let endpoint = &mut self.bench.sides[0].endpoint;
        endpoint.handle_socket_text(self.socket, &message.to_string(), now);
        self.look();
    }

    /// An offer, whose name is `name`.
    fn offer(&mut self, src: &str, name: &str) {
        self.offer_of(src, name, &sdp(9, "0/99999"));
    }

    fn offer_of(&mut self, src: &str, name: &str, sdp: &str) {
        let sdp = format!("{sdp}a=note:{name}\r\n");
        self.hears(&harness::offer_of(src, name, &sdp));
    }

    fn candidate(&mut self, src: &str, name: &str, line: &str) {
        self.hears(&serde_json::json!({
            "type": "CANDIDATE", "src": src, "dst": "me",
            "payload": {
                "candidate": { "candidate": line, "sdpMid": "0", "sdpMLineIndex": 0 },
                "type": "data", "connectionId": name,
            },
        }));
    }

    fn goes_on(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / TICK.as_millis() {
            self.bench.advance(TICK);
            self.look();
        }
    }

    fn look(&mut self) {
        self.bench.pump();
        let side = &mut self.bench.sides[0];
        for (rtc, action) in &side.actions[self.seen..] {
            match action {
                RtcAction::CreateAnswer { offer } => {
                    let name = offer.lines().find_map(|it| it.strip_prefix("a=note:"));
                    self.begun.push_back((name.unwrap().to_owned(), *rtc));
                }
                RtcAction::Close => _ = self.closed.insert(*rtc),
                _ => {}
            }
        }
        self.seen = side.actions.len();
        let closed = &self.closed;
        self.begun.retain(|(_, rtc)| !closed.contains(rtc));
        for wanted in side.sockets.drain(..) {
            if let SocketDo::Send(_, text) = wanted
                && text.contains("EXPIRE")
            {
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(message["payload"]["reason"], "busy");
                let name = message["payload"]["connectionId"].as_str().unwrap();
                self.told.push(name.to_owned());
            }
        }
    }

    /// The one who has waited longest comes up.
    fn one_comes_up(&mut self) -> Option<String> {
        let (name, rtc) = self.begun.front().cloned()?;
        self.comes_up(rtc);
        Some(name)
    }

    fn comes_up(&mut self, rtc: RtcId) {
        self.begun.retain(|(_, other)| *other != rtc);
        self.bench.comes_up(0, rtc);
        self.look();
    }

    fn answers(&mut self, rtc: RtcId) {
        let now = self.bench.now;
        let endpoint = &mut self.bench.sides[0].endpoint;
        endpoint.handle_description(rtc, sdp(1, "0/0"), now);
        self.look();
    }

    fn begun(&self) -> Vec<&str> {
        self.begun.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn refused(&self, reason: &Refusal) -> usize {
        self.bench.sides[0].refused(reason)
    }
}

fn one_at_a_time(config: &mut Config) {
    config.limits.max_incoming = 1;
}

/// The keys of what is so.
fn those<K: Clone + Ord, V>(map: &BTreeMap<K, V>, is_so: impl Fn(&V) -> bool) -> Vec<K> {
    let so = map.iter().filter(|(_, value)| is_so(value));
    so.map(|(key, _)| key.clone()).collect()
}

/// The time of the owner's processor that a connection takes: half of it for the answer.
const WORK: f64 = 80.0;

/// People who all come at once to an owner whose processor works on all that have been begun, a bit
/// on each. Their machines wait for as long as a dial may take, and come again a second or two after
/// it failed, as a driver does. Returns the milliseconds until all are up, the offers, and the work
/// that was for nothing.
fn crowd(people: usize) -> (u64, usize, f64) {
    const STEP: Duration = Duration::from_millis(10);
    let mut room = Room::new(|_| {});
    room.bench.answers = false;
    // Who asked when, by the name of the offer; and who asks again when.
    let mut asked: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    let mut due: BTreeMap<usize, u64> = (0..people).map(|person| (person, 0)).collect();
    let mut done: BTreeMap<RtcId, f64> = BTreeMap::new();
    let (mut up, mut offers, mut now, mut spent) = (0, 0, 0, 0.0);
    while up < people && now < 200_000 {
        for person in those(&due, |at| *at <= now) {
            due.remove(&person);
            let name = format!("dc_{offers}");
            offers += 1;
            room.offer(&format!("person-{person}"), &name);
            asked.insert(name, (person, now));
        }
        let share = 10.0 / room.begun.len() as f64;
        for (name, rtc) in room.begun.clone() {
            let before = *done.get(&rtc).unwrap_or(&0.0);
            let after = before + share;
            spent += share;
            done.insert(rtc, after);
            if before < WORK / 2.0 && after >= WORK / 2.0 {
                room.answers(rtc);
            } else if after >= WORK && room.begun.contains(&(name.clone(), rtc)) {
                room.comes_up(rtc);
                up += usize::from(asked.remove(&name).is_some());
            }
        }
        now += 10;
        room.bench.advance(STEP);
        room.look();
        for name in std::mem::take(&mut room.told) {
            if let Some((person, _)) = asked.remove(&name) {
                due.insert(person, now + 1_000 + person as u64 % 10 * 100);
            }
        }
        for name in those(&asked, |(_, at)| *at + 15_000 <= now) {
            if let Some((person, _)) = asked.remove(&name) {
                due.insert(person, now + 1_000);
            }
        }
    }
    assert_eq!(up, people, "so many are up after {now} ms");
    (now, offers, spent - WORK * people as f64)
}

#[test]
fn four_hundred_who_come_at_once_come_up_as_fast_as_they_can() {
    let (took, offers, wasted) = crowd(400);
    // Of a processor that is never idle it would be 32 s.
    assert!(took < 45_000, "{took} ms");
    assert!(offers < 4 * 400, "{offers} offers");
    assert!(wasted < 400.0 * WORK / 4.0, "{wasted} ms for nothing");
}

#[test]
fn whoever_waits_is_answered_when_there_is_room_with_all_that_came_meanwhile() {
    let mut room = Room::new(one_at_a_time);
    room.offer("ann", "a");
    room.candidate("bob", "b", "early");
    room.offer("bob", "b");
    room.candidate("bob", "b", "late");
    room.candidate("bob", "another", "of another");
    assert_eq!(room.begun(), ["a"]);
    room.one_comes_up();
    assert_eq!(room.begun(), ["b"]);
    let added = room.bench.sides[0].actions.iter();
    let added = added.filter_map(|(_, action)| match action {
        RtcAction::AddCandidate(added) => Some(added.candidate.as_str()),
        _ => None,
    });
    assert_eq!(added.collect::<Vec<_>>(), ["early", "late"]);
    assert!(room.told.is_empty());
}

#[test]
fn whoever_waits_for_too_long_is_told_and_not_begun() {
    let mut room = Room::new(|config| {
        one_at_a_time(config);
        // Nobody has to make room.
        config.budget.first_turn = Duration::from_secs(60);
    });
    room.offer("ann", "a");
    room.offer("bob", "b");
    room.goes_on(Duration::from_millis(7_900));
    assert!(room.told.is_empty());
    room.goes_on(Duration::from_millis(200));
    assert_eq!(room.told, ["b"]);
    assert_eq!(room.refused(&Refusal::Waited), 1);
    room.one_comes_up();
    assert!(room.begun().is_empty());
}

#[test]
fn a_late_look_begins_nobody_who_has_stopped_waiting() {
    let mut room = Room::new(one_at_a_time);
    room.offer("ann", "a");
    room.offer("bob", "b");
    room.bench.advance(Duration::from_secs(60));
    room.look();
    assert!(room.begun().is_empty());
    assert_eq!(room.bench.sides[0].endpoint.connections(), 0);
}

#[test]
fn a_sender_waits_once_with_the_last_offer() {
    let mut room = Room::new(one_at_a_time);
    room.offer("ann", "a");
    room.offer("bob", "b1");
    room.offer("cem", "c");
    room.offer("bob", "b2");
    let mut order = Vec::new();
    while let Some(name) = room.one_comes_up() {
        order.push(name);
    }
    assert_eq!(order, ["a", "c", "b2"]);
}

#[test]
fn an_offer_that_waits_is_not_taken_twice() {
    let mut room = Room::new(one_at_a_time);
    room.offer("ann", "a");
    room.offer("bob", "b");
    room.offer("bob", "b");
    assert_eq!(room.refused(&Refusal::Duplicate), 1);
    room.one_comes_up();
    assert_eq!(room.begun(), ["b"]);
}

#[test]
fn whoever_has_left_is_not_begun() {
    let mut room = Room::new(one_at_a_time);
    room.offer("ann", "a");
    room.offer("bob", "b");
    room.hears(&serde_json::json!({ "type": "LEAVE", "src": "bob", "dst": "me" }));
    room.one_comes_up();
    assert!(room.begun().is_empty());
    assert!(room.told.is_empty());
}

#[test]
fn members_come_before_strangers_who_came_before_them() {
    let mut room = Room::new(|config| {
        one_at_a_time(config);
        config.limits.max_held = 2;
        config.budget.first_turn = Duration::from_secs(60);
    });
    room.offer("member", "m1");
    room.one_comes_up();
    room.goes_on(Duration::from_secs(21));
    // Known by now; a device that is known does not have to give way either.
    room.offer("member", "m2");
    for stranger in ["s1", "s2"] {
        room.offer(stranger, stranger);
    }
    room.offer("member", "m3");
    assert_eq!(room.told, ["s2"], "for whom there is no room");
    assert_eq!(room.begun(), ["m2"]);
    room.one_comes_up();
    assert_eq!(room.begun(), ["m3"]);
    room.one_comes_up();
    assert_eq!(room.begun(), ["s1"]);
}

#[test]
fn strangers_have_a_bounded_number_of_offers_and_bytes_kept() {
    let mut room = Room::new(one_at_a_time);
    for n in 0..1_000 {
        room.offer(&format!("stranger{n}"), &format!("dc_{n}"));
    }
    assert_eq!(
        room.refused(&Refusal::TooMany) + room.refused(&Refusal::TooOften),
        743
    );
    let mut room = Room::new(one_at_a_time);
    let large = sdp(9, "0/99999") + &format!("a=x:{:>70}\r\n", "").repeat(400);
    for n in 0..1_000 {
        room.offer_of(&format!("stranger{n}"), &format!("dc_{n}"), &large);
    }
    let refused = room.refused(&Refusal::TooMany) + room.refused(&Refusal::TooOften);
    let kept = 1_000 - 1 - refused;
    let bytes = [kept, kept + 2].map(|offers| offers * large.len());
    assert!(
        bytes[0] <= 1024 * 1024 && bytes[1] > 1024 * 1024,
        "{kept} of {}",
        large.len()
    );
    room.candidate("stranger1", "dc_1", &"c".repeat(60_000));
    room.one_comes_up();
    let added = room.bench.sides[0].actions.iter();
    let added = added.filter(|(_, action)| matches!(action, RtcAction::AddCandidate(_)));
    assert_eq!(added.count(), 0, "there was no room for it");
}

#[test]
fn an_owner_all_of_whose_places_are_up_turns_people_away_at_once() {
    let mut room = Room::new(|config| config.limits.max_connections = 1);
    room.offer("ann", "a");
    room.one_comes_up();
    room.offer("bob", "b");
    assert_eq!(room.told, ["b"]);
    assert_eq!(room.refused(&Refusal::TooMany), 1);
}

#[test]
fn without_time_to_wait_whoever_finds_no_place_is_turned_away_at_once() {
    let mut room = Room::new(|config| {
        one_at_a_time(config);
        config.timing.hold_for = Duration::ZERO;
    });
    room.offer("ann", "a");
    room.offer("bob", "b");
    assert_eq!(room.told, ["b"]);
    assert_eq!(room.refused(&Refusal::TooMany), 1);
}
