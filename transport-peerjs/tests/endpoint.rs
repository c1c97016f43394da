//! The endpoint, driven by a make-believe server and WebRTC.

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

use bytes::Bytes;
use harness::{Bench, Relay, SocketDo, candidate, owner, participant, sdp};
use hustings_protocol::ErrorCode;
use hustings_room::transport::{SendOutcome, TransportError, TransportEvent};
use hustings_room::{DownReason, LinkId, Moment};
use hustings_transport_peerjs::Config;
use hustings_transport_peerjs::wire::{
    ChannelKind, ChannelMessage, Notice, Refusal, RegistrationError, RegistrationState, RtcAction,
    RtcState, SdpError, Serialization, TimeoutReason, split,
};

/// An owner at 0, a participant at 1, both registered.
fn star() -> (Bench, Relay) {
    let mut bench = Bench::new();
    bench.add(&Config::default(), &owner(1), "owner");
    bench.add(&Config::default(), &participant(2), "participant");
    let mut relay = Relay::default();
    relay.run(&mut bench);
    assert!(bench.sides.iter().all(|side| side.endpoint.is_registered()));
    (bench, relay)
}

/// The same, connected.
fn connected() -> (Bench, Relay, LinkId, LinkId) {
    let (mut bench, mut relay) = star();
    let dialled = bench.sides[1].dial(&owner(1), bench.now);
    relay.run(&mut bench);
    let accepted = bench.sides[0].last_up().expect("the owner's link is up");
    assert_eq!(bench.sides[1].last_up(), Some(dialled));
    (bench, relay, dialled, accepted)
}

fn last_event(bench: &Bench, at: usize) -> TransportEvent {
    bench.sides[at].events.last().expect("an event").clone()
}

fn down(link: LinkId, reason: DownReason) -> TransportEvent {
    TransportEvent::LinkDown { link, reason }
}

/// Lets time pass in steps, with the timers served.
fn pass(bench: &mut Bench, relay: &mut Relay, time: Duration) {
    for _ in 0..time.as_millis() / 100 {
        bench.advance(Duration::from_millis(100));
        relay.run(bench);
    }
}

fn last_refusal(bench: &Bench, at: usize) -> Option<Refusal> {
    bench.sides[at]
        .notices
        .iter()
        .rev()
        .find_map(|notice| match notice {
            Notice::Refused { refusal, .. } => Some(refusal.clone()),
            Notice::Malformed(_) => None,
        })
}

#[test]
fn two_meet_and_agree_on_the_certificates() {
    let (bench, ..) = connected();
    let binding = |at: usize| match &bench.sides[at].events[0] {
        TransportEvent::LinkUp { binding, .. } => binding.clone(),
        other => panic!("{other:?}"),
    };
    let (owner, participant) = (binding(0), binding(1));
    assert_eq!(owner.local, vec![1; 32]);
    assert_eq!(
        (owner.local, owner.remote),
        (participant.remote, participant.local)
    );
}

#[test]
fn frames_of_any_size_pass_both_ways() {
    let (mut bench, mut relay, dialled, accepted) = connected();
    let large = Bytes::from(vec![b'x'; 3_000_000]);
    let now = bench.now;
    for (at, link, frame) in [
        (0, accepted, large.clone()),
        (1, dialled, Bytes::from_static(b"{}")),
        (1, dialled, Bytes::from(vec![b'y'; 60_000])),
    ] {
        assert_eq!(
            bench.sides[at].endpoint.send(link, frame, now),
            SendOutcome::Queued
        );
        relay.run(&mut bench);
    }
    let frames = |at: usize| {
        let events = bench.sides[at].events.iter();
        events
            .filter_map(|event| match event {
                TransportEvent::Frame { frame, .. } => Some(frame.len()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(frames(0), [2, 60_000]);
    assert_eq!(frames(1), [large.len()]);
}

#[test]
fn whoever_was_dialled_sends_nothing_before_it_has_heard_something() {
    let (mut bench, mut relay, dialled, accepted) = connected();
    let rtc = bench.last_rtc(0);
    let now = bench.now;
    let sends = |bench: &Bench| {
        let actions = bench.sides[0].actions.iter();
        let is_send = |(of, action): &&(_, _)| *of == rtc && matches!(action, RtcAction::Send(_));
        actions.filter(is_send).count()
    };
    let frame = Bytes::from_static(b"first");
    let side = &mut bench.sides[0].endpoint;
    assert_eq!(side.send(accepted, frame.clone(), now), SendOutcome::Queued);
    side.handle_buffered(rtc, 0, now);
    relay.run(&mut bench);
    assert_eq!(sends(&bench), 0, "Chromium would lose it");
    let word = Bytes::from_static(b"hello");
    bench.sides[1].endpoint.send(dialled, word, now);
    relay.run(&mut bench);
    assert_eq!(sends(&bench), 1);
    let link = dialled;
    assert_eq!(last_event(&bench, 1), TransportEvent::Frame { link, frame });
}

#[test]
fn whoever_was_dialled_and_hangs_up_unheard_still_sends_what_waits() {
    let (mut bench, mut relay, dialled, accepted) = connected();
    let (rtc, now) = (bench.last_rtc(0), bench.now);
    let frame = Bytes::from_static(b"first and last");
    bench.sides[0].endpoint.send(accepted, frame.clone(), now);
    bench.sides[0].hangup(accepted, now);
    relay.run(&mut bench);
    assert_eq!(bench.sides[0].endpoint.connections(), 1, "it waits");
    bench.inject(0, rtc, ChannelMessage::Text("hello".into()));
    let [.., arrived, end] = &bench.sides[1].events[..] else {
        panic!("{:?}", bench.sides[1].events);
    };
    let link = dialled;
    assert_eq!(*arrived, TransportEvent::Frame { link, frame });
    assert_eq!(*end, down(link, DownReason::ClosedByPeer));
    assert_eq!(bench.sides[0].endpoint.connections(), 0);
}

#[test]
fn a_piece_that_got_lost_ends_the_link_and_says_so() {
    let (mut bench, _, _, accepted) = connected();
    let rtc = bench.last_rtc(0);
    let frame = Bytes::from(vec![b'x'; 60_000]);
    let mut pieces = split(Serialization::Raw, &frame).unwrap();
    pieces.remove(1);
    for piece in pieces {
        bench.inject(0, rtc, piece);
    }
    let why = "piece missing: a frame of 60000 bytes has ended after 43617";
    let lost = down(accepted, DownReason::Lost(why.into()));
    assert_eq!(last_event(&bench, 0), lost);
}

#[test]
fn an_owner_takes_no_large_frames_from_strangers() {
    let (mut bench, mut relay, dialled, accepted) = connected();
    let now = bench.now;
    bench.sides[1]
        .endpoint
        .send(dialled, Bytes::from(vec![b'x'; 70_000]), now);
    relay.run(&mut bench);
    assert!(matches!(
        last_event(&bench, 0),
        TransportEvent::LinkDown { link, reason: DownReason::Lost(_) } if link == accepted
    ));
    assert_eq!(
        last_event(&bench, 1),
        down(dialled, DownReason::ClosedByPeer)
    );
}

#[test]
fn a_hang_up_sends_what_waits_and_says_nothing_more() {
    let (mut bench, mut relay, dialled, accepted) = connected();
    let now = bench.now;
    let seen = bench.sides[1].events.len();
    bench.sides[1]
        .endpoint
        .send(dialled, Bytes::from(vec![b'x'; 50_000]), now);
    bench.sides[1].hangup(dialled, now);
    assert_eq!(
        bench.sides[1].endpoint.send(dialled, Bytes::new(), now),
        SendOutcome::Gone
    );
    relay.run(&mut bench);
    let [.., frame, end] = &bench.sides[0].events[..] else {
        panic!("{:?}", bench.sides[0].events);
    };
    assert!(matches!(frame, TransportEvent::Frame { .. }), "{frame:?}");
    assert_eq!(*end, down(accepted, DownReason::ClosedByPeer));
    assert_eq!(bench.sides[1].events.len(), seen);
    assert_eq!(bench.sides[1].endpoint.connections(), 0);
}

#[test]
fn a_hang_up_that_cannot_be_sent_ends_by_itself() {
    let (mut bench, mut relay, dialled, _) = connected();
    let rtc = bench.last_rtc(1);
    let now = bench.now;
    bench.sides[1].endpoint.handle_buffered(rtc, 2 << 20, now);
    bench.sides[1].endpoint.send(dialled, Bytes::new(), now);
    bench.sides[1].hangup(dialled, now);
    relay.run(&mut bench);
    assert_eq!(bench.sides[1].endpoint.connections(), 1);
    let (at, reason) = bench.sides[1].endpoint.poll_timeout().unwrap();
    assert_eq!(reason, TimeoutReason::Heartbeat, "{at:?}");
    pass(&mut bench, &mut relay, Duration::from_secs(11));
    assert_eq!(bench.sides[1].endpoint.connections(), 0);
}

#[test]
fn a_full_queue_refuses_until_it_has_drained() {
    let (mut bench, mut relay, _, accepted) = connected();
    let rtc = bench.last_rtc(0);
    let now = bench.now;
    bench.inject(0, rtc, ChannelMessage::Text("hello".into()));
    let side = &mut bench.sides[0].endpoint;
    side.handle_buffered(rtc, 1 << 20, now);
    let frame = Bytes::from(vec![b'x'; 1 << 20]);
    let taken =
        (0..).take_while(|_| side.send(accepted, frame.clone(), now) == SendOutcome::Queued);
    assert_eq!(
        taken.count(),
        3,
        "with what the channel holds these are 4 MiB"
    );
    side.handle_buffered(rtc, 0, now);
    relay.run(&mut bench);
    assert_eq!(
        last_event(&bench, 0),
        TransportEvent::Writable { link: accepted }
    );
}

#[test]
fn nobody_at_the_address() {
    let (mut bench, mut relay) = star();
    let link = bench.sides[1].dial(&owner(9), bench.now);
    relay.run(&mut bench);
    assert_eq!(last_event(&bench, 1), down(link, DownReason::Unreachable));
    assert_eq!(bench.sides[1].endpoint.connections(), 0);
}

#[test]
fn an_absent_owner_costs_a_bounded_number_of_connections() {
    let mut bench = Bench::new();
    bench.add(&Config::default(), &participant(2), "t");
    let mut relay = Relay::default();
    relay.run(&mut bench);
    let mut most = 0;
    for _ in 0..100 {
        bench.sides[0].dial(&owner(1), bench.now);
        // The server says nothing, as it does of a half-open owner.
        bench.pump();
        bench.sides[0].sockets.clear();
        most = most.max(bench.sides[0].endpoint.connections());
    }
    assert_eq!(most, 8);
    pass(&mut bench, &mut relay, Duration::from_secs(16));
    assert_eq!(bench.sides[0].endpoint.connections(), 0);
    assert!(bench.sides[0].promises.undecided().is_empty());
}

#[test]
fn two_dials_of_one_owner_are_two_links() {
    let (mut bench, mut relay) = star();
    let links = [(); 2].map(|()| bench.sides[1].dial(&owner(1), bench.now));
    relay.run(&mut bench);
    assert_eq!(bench.sides[1].promises.links_up(), 2);
    assert_eq!(bench.sides[0].promises.links_up(), 2);
    assert_ne!(links[0], links[1]);
}

#[test]
fn two_that_dial_each_other_get_two_links() {
    let (mut bench, mut relay) = star();
    bench.sides[0].dial(&participant(2), bench.now);
    bench.sides[1].dial(&owner(1), bench.now);
    relay.run(&mut bench);
    assert!(bench.sides.iter().all(|side| side.promises.links_up() == 2));
}

#[test]
fn ice_that_never_starts_times_out_on_both_sides() {
    let (mut bench, mut relay) = star();
    bench.connects = false;
    let link = bench.sides[1].dial(&owner(1), bench.now);
    pass(&mut bench, &mut relay, Duration::from_secs(14));
    assert!(
        bench
            .sides
            .iter()
            .all(|side| side.endpoint.connections() == 1)
    );
    pass(&mut bench, &mut relay, Duration::from_secs(2));
    assert!(
        bench
            .sides
            .iter()
            .all(|side| side.endpoint.connections() == 0)
    );
    assert!(matches!(
        last_event(&bench, 1),
        TransportEvent::LinkDown { link: of, reason: DownReason::DialFailed(_) } if of == link
    ));
    assert_eq!(
        bench.sides[0].events,
        [],
        "nobody is told of what never came up"
    );
}

#[test]
fn a_link_that_breaks_comes_back_or_is_lost() {
    let (mut bench, mut relay, dialled, _) = connected();
    let rtc = bench.last_rtc(1);
    for state in [
        RtcState::Disconnected,
        RtcState::Connected,
        RtcState::Disconnected,
    ] {
        let now = bench.now;
        bench.sides[1].endpoint.handle_state(rtc, state, now);
        pass(&mut bench, &mut relay, Duration::from_secs(20));
    }
    assert!(matches!(
        last_event(&bench, 1),
        TransportEvent::LinkUp { .. }
    ));
    pass(&mut bench, &mut relay, Duration::from_secs(11));
    assert!(matches!(
        last_event(&bench, 1),
        TransportEvent::LinkDown { link, reason: DownReason::Lost(_) } if link == dialled
    ));
}

#[test]
fn links_outlive_the_server_and_dials_wait_for_it() {
    let (mut bench, mut relay, dialled, accepted) = connected();
    relay.down = true;
    relay.cut(&mut bench);
    pass(&mut bench, &mut relay, Duration::from_secs(100));
    let now = bench.now;
    assert!(matches!(
        bench.sides[1].states.last(),
        Some(RegistrationState::Disconnected { .. })
    ));
    bench.sides[1]
        .endpoint
        .send(dialled, Bytes::from_static(b"still"), now);
    relay.run(&mut bench);
    let frame = Bytes::from_static(b"still");
    assert_eq!(
        last_event(&bench, 0),
        TransportEvent::Frame {
            link: accepted,
            frame
        }
    );

    let link = bench.sides[1].dial(&owner(1), now);
    pass(&mut bench, &mut relay, Duration::from_secs(3));
    relay.down = false;
    for side in &mut bench.sides {
        side.endpoint.wake(bench.now);
    }
    relay.run(&mut bench);
    assert_eq!(
        bench.sides[1].last_up(),
        Some(link),
        "wake ends the waiting"
    );
}

#[test]
fn what_was_not_sent_before_its_end_is_not_sent_after() {
    let mut bench = lone_owner();
    let link = bench.sides[0].dial(&owner(2), bench.now);
    // The server goes before the offer is made.
    let SocketDo::Open(socket, _) = bench.sides[0].sockets[0].clone() else {
        panic!()
    };
    let now = bench.now;
    bench.sides[0]
        .endpoint
        .handle_socket_closed(socket, None, now);
    bench.pump();
    bench.sides[0].hangup(link, now);
    bench.sides[0].sockets.clear();
    bench.sides[0].endpoint.wake(now);
    bench.pump();
    let SocketDo::Open(socket, _) = bench.sides[0].sockets[0].clone() else {
        panic!()
    };
    bench.sides[0].endpoint.handle_socket_open(socket, now);
    say(&mut bench, 0, r#"{"type":"OPEN"}"#);
    assert!(bench.sides[0].endpoint.is_registered());
    assert_eq!(sent(&bench, 0), ["HEARTBEAT"]);
}

#[test]
fn a_dial_does_not_wait_for_the_server_for_ever() {
    let mut bench = Bench::new();
    bench.add(&Config::default(), &participant(2), "t");
    let mut relay = Relay {
        down: true,
        ..Relay::default()
    };
    let link = bench.sides[0].dial(&owner(1), bench.now);
    pass(&mut bench, &mut relay, Duration::from_secs(16));
    let why = DownReason::DialFailed("no signalling server".into());
    assert!(bench.sides[0].events.contains(&down(link, why)));
}

#[test]
fn an_open_socket_without_an_objection_counts_as_registered() {
    let mut bench = Bench::new();
    bench.add(&Config::default(), &owner(1), "t");
    let mut relay = Relay {
        silent: true,
        ..Relay::default()
    };
    pass(&mut bench, &mut relay, Duration::from_millis(900));
    assert!(!bench.sides[0].endpoint.is_registered());
    pass(&mut bench, &mut relay, Duration::from_millis(200));
    assert!(bench.sides[0].endpoint.is_registered());
}

#[test]
fn a_taken_address_is_tried_until_it_is_free() {
    let mut bench = Bench::new();
    bench.add(&Config::default(), &owner(1), "old");
    let mut relay = Relay::default();
    relay.run(&mut bench);
    bench.add(&Config::default(), &owner(1), "new");
    pass(&mut bench, &mut relay, Duration::from_secs(95));
    assert!(matches!(
        bench.sides[1].states.last(),
        Some(RegistrationState::AddressTaken { .. })
    ));
    let tries = relay.opened;
    assert!((20..200).contains(&tries), "{tries} tries in 95 s");
    bench.sides[0].endpoint.close();
    pass(&mut bench, &mut relay, Duration::from_secs(6));
    assert!(bench.sides[1].endpoint.is_registered());
    assert_eq!(bench.sides[1].events, []);
}

#[test]
fn an_address_that_stays_taken_is_somebody_elses() {
    let mut bench = Bench::new();
    for token in ["old", "new"] {
        bench.add(&Config::default(), &owner(1), token);
    }
    let mut relay = Relay::default();
    pass(&mut bench, &mut relay, Duration::from_secs(130));
    let failed = TransportEvent::Failed(TransportError::AddressTaken(owner(1)));
    assert_eq!(bench.sides[1].events, [failed]);
    assert_eq!(bench.sides[1].endpoint.poll_timeout(), None);
}

#[test]
fn a_wrong_key_is_final_but_links_stay() {
    let (mut bench, mut relay, dialled, _) = connected();
    relay.cut(&mut bench);
    relay.down = true;
    bench.pump();
    // The server comes back with another key.
    let error = r#"{"type":"ERROR","payload":{"msg":"Invalid key provided"}}"#;
    for _ in 0..50 {
        bench.advance(Duration::from_secs(1));
        bench.pump();
        let sockets = std::mem::take(&mut bench.sides[1].sockets);
        for wanted in sockets {
            if let SocketDo::Open(socket, _) = wanted {
                let now = bench.now;
                bench.sides[1].endpoint.handle_socket_open(socket, now);
                bench.sides[1]
                    .endpoint
                    .handle_socket_text(socket, error, now);
            }
        }
    }
    bench.pump();
    let failed = RegistrationState::Failed(RegistrationError::InvalidKey);
    assert_eq!(bench.sides[1].states.last(), Some(&failed));
    assert!(
        matches!(last_event(&bench, 1), TransportEvent::LinkUp { .. }),
        "the link is up"
    );
    // Once the last link is down, nothing is left to hope for.
    let (rtc, now) = (bench.last_rtc(1), bench.now);
    bench.sides[1].endpoint.handle_channel_closed(rtc, now);
    bench.pump();
    let [.., end, failed] = &bench.sides[1].events[..] else {
        panic!()
    };
    assert_eq!(*end, down(dialled, DownReason::ClosedByPeer));
    assert!(matches!(
        failed,
        TransportEvent::Failed(TransportError::Other(_))
    ));
}

#[test]
fn a_machine_that_slept_registers_anew() {
    let (mut bench, mut relay) = star();
    let opened = relay.opened;
    bench.advance(Duration::from_secs(60));
    relay.run(&mut bench);
    assert_eq!(relay.opened, opened, "a hidden tab beats once a minute");
    bench.advance(Duration::from_secs(100));
    relay.run(&mut bench);
    assert_eq!(relay.opened, opened + 2);
}

/// A participant at 0, registered, whose socket's other end is gone without a word.
fn half_open() -> (Bench, Relay) {
    let mut bench = Bench::new();
    bench.add(&Config::default(), &participant(2), "t");
    let mut relay = Relay::default();
    pass(&mut bench, &mut relay, Duration::from_secs(5));
    assert!(bench.sides[0].endpoint.is_registered());
    relay.dead = true;
    (bench, relay)
}

/// Lets time pass until a socket is opened anew, and returns how much it was.
fn until_reopened(bench: &mut Bench, relay: &mut Relay, patience: Duration) -> Duration {
    let (opened, before) = (relay.opened, bench.now);
    while relay.opened == opened {
        assert!(bench.now - before <= patience, "it is registered for ever");
        pass(bench, relay, Duration::from_millis(100));
    }
    relay.dead = false;
    pass(bench, relay, Duration::from_secs(2));
    assert!(bench.sides[0].endpoint.is_registered());
    bench.now - before
}

#[test]
fn a_socket_that_brings_no_echo_is_opened_anew() {
    let (mut bench, mut relay) = half_open();
    until_reopened(&mut bench, &mut relay, Duration::from_secs(41));
    // The new one takes over, and works: it stays.
    let opened = relay.opened;
    pass(&mut bench, &mut relay, Duration::from_secs(600));
    assert_eq!(relay.opened, opened);
}

#[test]
fn a_wake_asks_for_an_echo_at_once() {
    let (mut bench, mut relay) = half_open();
    bench.sides[0].endpoint.wake(bench.now);
    until_reopened(&mut bench, &mut relay, Duration::from_secs(11));
}

#[test]
fn a_dial_without_an_answer_asks_for_an_echo() {
    let mut config = Config::default();
    config.timing.echo_every = Duration::from_secs(3_600);
    let mut bench = Bench::new();
    bench.add(&config, &participant(2), "t");
    let mut relay = Relay::default();
    relay.run(&mut bench);
    relay.dead = true;
    let link = bench.sides[0].dial(&owner(1), bench.now);
    until_reopened(&mut bench, &mut relay, Duration::from_secs(26));
    let why = DownReason::DialFailed("no answer in time".into());
    assert!(bench.sides[0].events.contains(&down(link, why)));
}

#[test]
fn an_echo_that_was_asked_for_earlier_proves_nothing() {
    let mut bench = lone_owner();
    let echo = |bench: &mut Bench| {
        bench.sides[0].endpoint.wake(bench.now);
        bench.pump();
        let asked = bench.sides[0].sockets.iter().rev();
        let asked = asked.into_iter().find_map(|wanted| match wanted {
            SocketDo::Send(_, text) if text.contains("echo_") => Some(text.clone()),
            _ => None,
        });
        let mut message: serde_json::Value = serde_json::from_str(&asked.unwrap()).unwrap();
        message["src"] = owner(1).to_string().into();
        message.to_string()
    };
    let first = echo(&mut bench);
    say(&mut bench, 0, &first);
    let second = echo(&mut bench);
    assert_ne!(first, second);
    say(&mut bench, 0, &first);
    let (at, _) = bench.sides[0].endpoint.poll_timeout().unwrap();
    bench.advance(at - bench.now + Duration::from_secs(5));
    bench.pump();
    let last = bench.sides[0].sockets.last();
    assert!(matches!(last, Some(SocketDo::Open(..))), "{last:?}");
}

/// An offer of a stock page, with something changed.
fn offer(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut offer = harness::offer_of("stock-page", "dc_stock", &sdp(9, "0/99"));
    change(&mut offer["payload"]);
    offer.to_string()
}

fn say(bench: &mut Bench, at: usize, text: &str) {
    let socket = bench.sides[at]
        .sockets
        .iter()
        .rev()
        .find_map(|wanted| match wanted {
            SocketDo::Open(socket, _) => Some(*socket),
            SocketDo::Send(..) | SocketDo::Close(_) => None,
        });
    let now = bench.now;
    bench.sides[at]
        .endpoint
        .handle_socket_text(socket.expect("a socket"), text, now);
    bench.pump();
}

/// An owner whose socket the test holds.
fn lone_owner() -> Bench {
    let mut bench = Bench::new();
    bench.add(&Config::default(), &owner(1), "t");
    bench.pump();
    let SocketDo::Open(socket, _) = bench.sides[0].sockets[0].clone() else {
        panic!()
    };
    bench.sides[0]
        .endpoint
        .handle_socket_open(socket, bench.now);
    say(&mut bench, 0, r#"{"type":"OPEN"}"#);
    bench
}

fn sent(bench: &Bench, at: usize) -> Vec<String> {
    let types = bench.sides[at]
        .sockets
        .iter()
        .filter_map(|wanted| match wanted {
            SocketDo::Send(_, text) => {
                let message: serde_json::Value = serde_json::from_str(text).unwrap();
                Some(message["type"].as_str().unwrap().to_owned())
            }
            SocketDo::Open(..) | SocketDo::Close(_) => None,
        });
    types.collect()
}

#[test]
fn an_answer_comes_before_every_candidate() {
    let mut bench = lone_owner();
    say(&mut bench, 0, &offer(|_| {}));
    assert_eq!(
        sent(&bench, 0),
        ["HEARTBEAT", "ANSWER", "CANDIDATE", "CANDIDATE"]
    );
}

#[test]
fn candidates_that_overtook_their_offer_are_used() {
    let mut bench = lone_owner();
    for line in ["one", "two"] {
        let text = format!(
            r#"{{"type":"CANDIDATE","src":"stock-page","payload":{{"candidate":{{"candidate":"{line}","sdpMid":"0","sdpMLineIndex":0}},"type":"data","connectionId":"dc_stock"}}}}"#
        );
        say(&mut bench, 0, &text);
    }
    say(&mut bench, 0, &offer(|_| {}));
    let actions: Vec<_> = bench.sides[0]
        .actions
        .iter()
        .map(|(_, action)| action.clone())
        .collect();
    let added = |line| RtcAction::AddCandidate(candidate(line));
    assert!(matches!(actions[0], RtcAction::CreateAnswer { .. }));
    assert_eq!(actions[1..], [added("one"), added("two")]);
}

#[test]
fn offers_that_cannot_work_are_refused_with_a_reason() {
    use Refusal::{Description, Kind, Unreliable};
    let cases: [(&str, serde_json::Value, Refusal); 9] = [
        (
            "serialization",
            "binary".into(),
            Refusal::Serialization("binary".into()),
        ),
        (
            "serialization",
            "binary-utf8".into(),
            Refusal::Serialization("binary-utf8".into()),
        ),
        (
            "serialization",
            serde_json::Value::Null,
            Refusal::Serialization(String::new()),
        ),
        ("reliable", false.into(), Unreliable),
        ("reliable", serde_json::Value::Null, Unreliable),
        ("type", "media".into(), Kind("media".into())),
        (
            "sdp",
            serde_json::json!({ "type": "offer", "sdp": "v=0" }),
            Description(SdpError::Missing),
        ),
        (
            "sdp",
            serde_json::json!({ "type": "offer", "sdp": sdp(1, "x") + &sdp(2, "x") }),
            Description(SdpError::Several),
        ),
        (
            "sdp",
            serde_json::json!({ "type": "offer", "sdp": sdp(1, "x") + "garbage" }),
            Description(SdpError::Line(8)),
        ),
    ];
    for (field, value, refusal) in cases {
        let mut bench = lone_owner();
        say(&mut bench, 0, &offer(|payload| payload[field] = value));
        assert_eq!(last_refusal(&bench, 0), Some(refusal));
        assert_eq!(bench.sides[0].actions, []);
    }
}

/// The words of a side about offers that it refused: for which connection, and why.
fn said_no(bench: &Bench, at: usize) -> Vec<(String, String)> {
    let sockets = bench.sides[at].sockets.iter();
    let refusals = sockets.filter_map(|wanted| match wanted {
        SocketDo::Send(_, text) if text.contains(r#""type":"EXPIRE""#) => {
            let message: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(message["dst"], "stock-page");
            let text = |field: &str| message["payload"][field].as_str().unwrap().to_owned();
            Some((
                text("connectionId"),
                text("reason") + ": " + &text("message"),
            ))
        }
        _ => None,
    });
    refusals.collect()
}

#[test]
fn whoever_offers_what_cannot_work_is_told_at_once() {
    let mut bench = lone_owner();
    let binary = |payload: &mut serde_json::Value| payload["serialization"] = "binary".into();
    say(&mut bench, 0, &offer(binary));
    assert_eq!(
        said_no(&bench, 0),
        [(
            "dc_stock".into(),
            "handshake-failed: unsupported serialization \"binary\": connect with `raw` or `json`"
                .into()
        )]
    );
    // And not for ever: whoever serves the members has to have its turn to speak.
    for _ in 0..100 {
        say(&mut bench, 0, &offer(binary));
    }
    assert_eq!(said_no(&bench, 0).len(), 64);
    bench.advance(Duration::from_millis(20));
    for _ in 0..100 {
        say(&mut bench, 0, &offer(binary));
    }
    assert_eq!(said_no(&bench, 0).len(), 65);
}

#[test]
fn a_name_that_is_in_use_is_not_refused_aloud() {
    let mut bench = lone_owner();
    say(&mut bench, 0, &offer(|_| {}));
    say(&mut bench, 0, &offer(|_| {}));
    assert_eq!(last_refusal(&bench, 0), Some(Refusal::Duplicate));
    assert_eq!(said_no(&bench, 0), []);
}

#[test]
fn a_dial_to_an_owner_without_room_is_refused_at_once() {
    let mut bench = Bench::new();
    let mut config = Config::default();
    config.limits.max_connections = 1;
    bench.add(&config, &owner(1), "owner");
    for n in 2..4 {
        bench.add(&Config::default(), &participant(n), "participant");
    }
    let mut relay = Relay::default();
    relay.run(&mut bench);
    let first = bench.sides[1].dial(&owner(1), bench.now);
    relay.run(&mut bench);
    let second = bench.sides[2].dial(&owner(1), bench.now);
    relay.run(&mut bench);
    let reason = DownReason::Refused(ErrorCode::Busy);
    assert_eq!(last_event(&bench, 2), down(second, reason));
    assert_eq!(last_refusal(&bench, 0), Some(Refusal::TooMany));
    // Nobody else is the worse for it, and there is room again.
    bench.sides[1].hangup(first, bench.now);
    relay.run(&mut bench);
    let third = bench.sides[2].dial(&owner(1), bench.now);
    relay.run(&mut bench);
    assert_eq!(bench.sides[2].last_up(), Some(third));
}

#[test]
fn a_refusal_ends_the_dial_that_it_names_and_no_other() {
    let (mut bench, mut relay) = star();
    bench.connects = false;
    let links = [0, 1].map(|_| bench.sides[1].dial(&owner(9), bench.now));
    bench.pump();
    let names: Vec<String> = bench.sides[1]
        .sockets
        .drain(..)
        .filter_map(|wanted| match wanted {
            SocketDo::Send(_, text) if text.contains("OFFER") => {
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                Some(
                    message["payload"]["connectionId"]
                        .as_str()
                        .unwrap()
                        .to_owned(),
                )
            }
            _ => None,
        })
        .collect();
    let (_, socket, _) = relay.registered[&participant(2).to_string()];
    let refuse = |bench: &mut Bench, src: &str, name: &str, reason: &str| {
        let text = serde_json::json!({ "type": "EXPIRE", "src": src, "payload": {
            "connectionId": name, "reason": reason,
        }});
        let now = bench.now;
        let endpoint = &mut bench.sides[1].endpoint;
        endpoint.handle_socket_text(socket, &text.to_string(), now);
        bench.pump();
    };
    let src = owner(9).to_string();
    refuse(&mut bench, "somebody-else", &names[0], "busy");
    refuse(&mut bench, &src, "dc_other", "busy");
    assert_eq!(bench.sides[1].events, []);
    // Words of theirs are not passed on.
    refuse(&mut bench, &src, &names[1], "come to my place instead");
    let reason = DownReason::Refused(ErrorCode::HandshakeFailed);
    assert_eq!(bench.sides[1].events, [down(links[1], reason)]);
    refuse(&mut bench, &src, &names[0], "busy");
    let reason = DownReason::Refused(ErrorCode::Busy);
    assert_eq!(last_event(&bench, 1), down(links[0], reason));
    relay.run(&mut bench);
}

#[test]
fn a_refusal_ends_no_link_that_is_up() {
    let (mut bench, mut relay, dialled, _) = connected();
    let name = bench.sides[1]
        .actions
        .iter()
        .find_map(|(_, action)| match action {
            RtcAction::CreateOffer { label } => Some(label.clone()),
            _ => None,
        });
    let text = serde_json::json!({ "type": "EXPIRE", "src": owner(1).to_string(), "payload": {
        "connectionId": name.unwrap(), "reason": "busy",
    }});
    let (_, socket, _) = relay.registered[&participant(2).to_string()];
    let now = bench.now;
    let endpoint = &mut bench.sides[1].endpoint;
    endpoint.handle_socket_text(socket, &text.to_string(), now);
    relay.run(&mut bench);
    let outcome = bench.sides[1]
        .endpoint
        .send(dialled, Bytes::from_static(b"x"), now);
    assert_eq!(outcome, SendOutcome::Queued);
}

#[test]
fn a_connection_id_is_used_once_at_a_time() {
    let mut bench = lone_owner();
    say(&mut bench, 0, &offer(|_| {}));
    say(&mut bench, 0, &offer(|_| {}));
    assert_eq!(last_refusal(&bench, 0), Some(Refusal::Duplicate));
    assert_eq!(bench.sides[0].endpoint.connections(), 1);
}

#[test]
fn strangers_cannot_make_connections_without_end() {
    let mut bench = lone_owner();
    for n in 0..10 {
        say(
            &mut bench,
            0,
            &offer(|payload| payload["connectionId"] = format!("c{n}").into()),
        );
    }
    assert_eq!(bench.sides[0].endpoint.connections(), 4, "of one sender");
    for n in 0..600 {
        let text = offer(|_| {}).replace("stock-page", &format!("page{n}"));
        say(&mut bench, 0, &text);
    }
    assert_eq!(bench.sides[0].endpoint.connections(), 160, "of all senders");
    assert_eq!(last_refusal(&bench, 0), Some(Refusal::TooMany));
    bench.advance(Duration::from_secs(16));
    bench.pump();
    assert_eq!(bench.sides[0].endpoint.connections(), 0);
}

#[test]
fn the_channel_has_to_be_the_one_that_was_promised() {
    for (kinds, refusal) in [
        (
            vec![ChannelKind {
                ordered: false,
                ..ChannelKind::RELIABLE
            }],
            Refusal::Channel,
        ),
        (
            vec![ChannelKind {
                lossy: true,
                ..ChannelKind::RELIABLE
            }],
            Refusal::Channel,
        ),
        (
            vec![ChannelKind {
                negotiated: true,
                ..ChannelKind::RELIABLE
            }],
            Refusal::Channel,
        ),
        (vec![ChannelKind::RELIABLE; 2], Refusal::SecondChannel),
    ] {
        let mut bench = lone_owner();
        say(&mut bench, 0, &offer(|_| {}));
        let (rtc, now) = (bench.last_rtc(0), bench.now);
        for kind in kinds {
            bench.sides[0].endpoint.handle_channel(rtc, kind, now);
        }
        bench.pump();
        assert_eq!(last_refusal(&bench, 0), Some(refusal));
        assert_eq!(bench.sides[0].endpoint.connections(), 0);
    }
}

/// The owner's link to a stock page that connects with this serialization.
fn stock_page(serialization: &str) -> Bench {
    let mut bench = lone_owner();
    say(
        &mut bench,
        0,
        &offer(|payload| payload["serialization"] = serialization.into()),
    );
    let (rtc, now) = (bench.last_rtc(0), bench.now);
    bench.sides[0]
        .endpoint
        .handle_channel(rtc, ChannelKind::RELIABLE, now);
    bench.sides[0].endpoint.handle_channel_open(rtc, now);
    bench.pump();
    bench
}

#[test]
fn a_json_page_is_answered_in_its_own_way() {
    let mut bench = stock_page("json");
    let (link, rtc, now) = (
        bench.sides[0].last_up().unwrap(),
        bench.last_rtc(0),
        bench.now,
    );
    let json = Bytes::from_static(b"{\"a\":1}");
    bench.inject(0, rtc, ChannelMessage::Binary(json.clone()));
    assert_eq!(
        last_event(&bench, 0),
        TransportEvent::Frame {
            link,
            frame: json.clone()
        }
    );
    bench.sides[0].endpoint.send(link, json.clone(), now);
    bench.sides[0].hangup(link, now);
    bench.pump();
    let goodbye = Bytes::from_static(br#"{"__peerData":{"type":"close"}}"#);
    let [.., first, second, close, _] = &bench.sides[0].actions[..] else {
        panic!()
    };
    assert_eq!(first.1, RtcAction::Send(ChannelMessage::Binary(json)));
    assert_eq!(second.1, RtcAction::Send(ChannelMessage::Binary(goodbye)));
    assert_eq!(close.1, RtcAction::CloseChannel);
}

#[test]
fn a_json_page_says_goodbye() {
    let mut bench = stock_page("json");
    let (link, rtc) = (bench.sides[0].last_up().unwrap(), bench.last_rtc(0));
    let goodbye = Bytes::from_static(br#"{"__peerData":{"type":"close"}}"#);
    bench.inject(0, rtc, ChannelMessage::Binary(goodbye));
    assert_eq!(last_event(&bench, 0), down(link, DownReason::ClosedByPeer));
}

#[test]
fn junk_on_the_channel_ends_the_link_and_nothing_else() {
    let mut bench = stock_page("raw");
    let (link, rtc) = (bench.sides[0].last_up().unwrap(), bench.last_rtc(0));
    bench.inject(0, rtc, ChannelMessage::Binary(Bytes::from_static(&[9, 9])));
    assert!(matches!(
        last_event(&bench, 0),
        TransportEvent::LinkDown { link: of, reason: DownReason::Lost(_) } if of == link
    ));
    assert!(bench.sides[0].endpoint.is_registered());
}

#[test]
fn an_answer_of_somebody_else_is_no_answer() {
    let mut bench = lone_owner();
    bench.sides[0].dial(&owner(2), bench.now);
    bench.pump();
    let text = bench.sides[0]
        .sockets
        .iter()
        .find_map(|wanted| match wanted {
            SocketDo::Send(_, text) if text.contains("OFFER") => Some(text.clone()),
            _ => None,
        });
    let offer: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
    let answer = |src: &str| {
        serde_json::json!({
            "type": "ANSWER", "src": src,
            "payload": {
                "sdp": { "type": "answer", "sdp": sdp(7, "0/0") }, "type": "data",
                "connectionId": offer["payload"]["connectionId"],
            },
        })
        .to_string()
    };
    say(&mut bench, 0, &answer("mallory"));
    assert!(matches!(
        bench.sides[0].actions[..],
        [(_, RtcAction::CreateOffer { .. })]
    ));
    say(&mut bench, 0, &answer(&owner(2).to_string()));
    assert!(matches!(
        bench.sides[0].actions[..],
        [_, (_, RtcAction::SetRemote { .. })]
    ));
    // A server that says the answerer was never there is too late.
    say(
        &mut bench,
        0,
        &format!(r#"{{"type":"EXPIRE","src":"{}"}}"#, owner(2)),
    );
    assert_eq!(bench.sides[0].endpoint.connections(), 1);
}

#[test]
fn the_same_seed_gives_the_same_outputs() {
    let trace = || {
        let (mut bench, mut relay, ..) = connected();
        relay.down = true;
        relay.cut(&mut bench);
        pass(&mut bench, &mut relay, Duration::from_secs(20));
        let side = bench.sides.remove(1);
        format!("{:?} {:?} {:?}", side.actions, side.states, side.events)
    };
    assert_eq!(trace(), trace());
    assert_eq!(Moment::START.as_millis(), 0);
}
