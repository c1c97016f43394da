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
use harness::{Relay, SocketDo, World, candidate, owner, participant, sdp};
use hustings_room::transport::{SendOutcome, TransportError, TransportEvent};
use hustings_room::{DownReason, LinkId, Moment};
use hustings_transport_peerjs::Config;
use hustings_transport_peerjs::wire::{
    ChannelKind, ChannelMessage, Notice, Refusal, RegistrationError, RegistrationState, RtcAction,
    RtcState, SdpError, TimeoutReason,
};

/// An owner at 0, a participant at 1, both registered.
fn star() -> (World, Relay) {
    let mut world = World::new();
    world.add(&Config::default(), &owner(1), "owner");
    world.add(&Config::default(), &participant(2), "participant");
    let mut relay = Relay::default();
    relay.run(&mut world);
    assert!(world.sides.iter().all(|side| side.endpoint.is_registered()));
    (world, relay)
}

/// The same, connected.
fn connected() -> (World, Relay, LinkId, LinkId) {
    let (mut world, mut relay) = star();
    let dialled = world.sides[1].dial(&owner(1), world.now);
    relay.run(&mut world);
    let accepted = world.sides[0].last_up().expect("the owner's link is up");
    assert_eq!(world.sides[1].last_up(), Some(dialled));
    (world, relay, dialled, accepted)
}

fn last_event(world: &World, at: usize) -> TransportEvent {
    world.sides[at].events.last().expect("an event").clone()
}

fn down(link: LinkId, reason: DownReason) -> TransportEvent {
    TransportEvent::LinkDown { link, reason }
}

/// Lets time pass in steps, with the timers served.
fn pass(world: &mut World, relay: &mut Relay, time: Duration) {
    for _ in 0..time.as_millis() / 100 {
        world.advance(Duration::from_millis(100));
        relay.run(world);
    }
}

fn last_refusal(world: &World, at: usize) -> Option<Refusal> {
    world.sides[at]
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
    let (world, ..) = connected();
    let binding = |at: usize| match &world.sides[at].events[0] {
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
    let (mut world, mut relay, dialled, accepted) = connected();
    let large = Bytes::from(vec![b'x'; 3_000_000]);
    let now = world.now;
    for (at, link, frame) in [
        (1, dialled, Bytes::from_static(b"{}")),
        (0, accepted, large.clone()),
        (1, dialled, Bytes::from(vec![b'y'; 60_000])),
    ] {
        assert_eq!(
            world.sides[at].endpoint.send(link, frame, now),
            SendOutcome::Queued
        );
        relay.run(&mut world);
    }
    let frames = |at: usize| {
        let events = world.sides[at].events.iter();
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
fn an_owner_takes_no_large_frames_from_strangers() {
    let (mut world, mut relay, dialled, accepted) = connected();
    let now = world.now;
    world.sides[1]
        .endpoint
        .send(dialled, Bytes::from(vec![b'x'; 70_000]), now);
    relay.run(&mut world);
    assert!(matches!(
        last_event(&world, 0),
        TransportEvent::LinkDown { link, reason: DownReason::Lost(_) } if link == accepted
    ));
    assert_eq!(
        last_event(&world, 1),
        down(dialled, DownReason::ClosedByPeer)
    );
}

#[test]
fn a_hang_up_sends_what_waits_and_says_nothing_more() {
    let (mut world, mut relay, dialled, accepted) = connected();
    let now = world.now;
    let seen = world.sides[1].events.len();
    world.sides[1]
        .endpoint
        .send(dialled, Bytes::from(vec![b'x'; 50_000]), now);
    world.sides[1].hangup(dialled, now);
    assert_eq!(
        world.sides[1].endpoint.send(dialled, Bytes::new(), now),
        SendOutcome::Gone
    );
    relay.run(&mut world);
    let [.., frame, end] = &world.sides[0].events[..] else {
        panic!("{:?}", world.sides[0].events);
    };
    assert!(matches!(frame, TransportEvent::Frame { .. }), "{frame:?}");
    assert_eq!(*end, down(accepted, DownReason::ClosedByPeer));
    assert_eq!(world.sides[1].events.len(), seen);
    assert_eq!(world.sides[1].endpoint.connections(), 0);
}

#[test]
fn a_hang_up_that_cannot_be_sent_ends_by_itself() {
    let (mut world, mut relay, dialled, _) = connected();
    let rtc = world.last_rtc(1);
    let now = world.now;
    world.sides[1].endpoint.handle_buffered(rtc, 2 << 20, now);
    world.sides[1].endpoint.send(dialled, Bytes::new(), now);
    world.sides[1].hangup(dialled, now);
    relay.run(&mut world);
    assert_eq!(world.sides[1].endpoint.connections(), 1);
    let (at, reason) = world.sides[1].endpoint.poll_timeout().unwrap();
    assert_eq!(reason, TimeoutReason::Heartbeat, "{at:?}");
    pass(&mut world, &mut relay, Duration::from_secs(11));
    assert_eq!(world.sides[1].endpoint.connections(), 0);
}

#[test]
fn a_full_queue_refuses_until_it_has_drained() {
    let (mut world, mut relay, _, accepted) = connected();
    let rtc = world.last_rtc(0);
    let now = world.now;
    let side = &mut world.sides[0].endpoint;
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
    relay.run(&mut world);
    assert_eq!(
        last_event(&world, 0),
        TransportEvent::Writable { link: accepted }
    );
}

#[test]
fn nobody_at_the_address() {
    let (mut world, mut relay) = star();
    let link = world.sides[1].dial(&owner(9), world.now);
    relay.run(&mut world);
    assert_eq!(last_event(&world, 1), down(link, DownReason::Unreachable));
    assert_eq!(world.sides[1].endpoint.connections(), 0);
}

#[test]
fn an_absent_owner_costs_a_bounded_number_of_connections() {
    let mut world = World::new();
    world.add(&Config::default(), &participant(2), "t");
    let mut relay = Relay::default();
    relay.run(&mut world);
    let mut most = 0;
    for _ in 0..100 {
        world.sides[0].dial(&owner(1), world.now);
        // The server says nothing, as it does of a half-open owner.
        world.pump();
        world.sides[0].sockets.clear();
        most = most.max(world.sides[0].endpoint.connections());
    }
    assert_eq!(most, 8);
    pass(&mut world, &mut relay, Duration::from_secs(16));
    assert_eq!(world.sides[0].endpoint.connections(), 0);
    assert!(world.sides[0].promises.undecided().is_empty());
}

#[test]
fn two_dials_of_one_owner_are_two_links() {
    let (mut world, mut relay) = star();
    let links = [(); 2].map(|()| world.sides[1].dial(&owner(1), world.now));
    relay.run(&mut world);
    assert_eq!(world.sides[1].promises.links_up(), 2);
    assert_eq!(world.sides[0].promises.links_up(), 2);
    assert_ne!(links[0], links[1]);
}

#[test]
fn two_that_dial_each_other_get_two_links() {
    let (mut world, mut relay) = star();
    world.sides[0].dial(&participant(2), world.now);
    world.sides[1].dial(&owner(1), world.now);
    relay.run(&mut world);
    assert!(world.sides.iter().all(|side| side.promises.links_up() == 2));
}

#[test]
fn ice_that_never_starts_times_out_on_both_sides() {
    let (mut world, mut relay) = star();
    world.connects = false;
    let link = world.sides[1].dial(&owner(1), world.now);
    pass(&mut world, &mut relay, Duration::from_secs(14));
    assert!(
        world
            .sides
            .iter()
            .all(|side| side.endpoint.connections() == 1)
    );
    pass(&mut world, &mut relay, Duration::from_secs(2));
    assert!(
        world
            .sides
            .iter()
            .all(|side| side.endpoint.connections() == 0)
    );
    assert!(matches!(
        last_event(&world, 1),
        TransportEvent::LinkDown { link: of, reason: DownReason::DialFailed(_) } if of == link
    ));
    assert_eq!(
        world.sides[0].events,
        [],
        "nobody is told of what never came up"
    );
}

#[test]
fn a_link_that_breaks_comes_back_or_is_lost() {
    let (mut world, mut relay, dialled, _) = connected();
    let rtc = world.last_rtc(1);
    for state in [
        RtcState::Disconnected,
        RtcState::Connected,
        RtcState::Disconnected,
    ] {
        let now = world.now;
        world.sides[1].endpoint.handle_state(rtc, state, now);
        pass(&mut world, &mut relay, Duration::from_secs(20));
    }
    assert!(matches!(
        last_event(&world, 1),
        TransportEvent::LinkUp { .. }
    ));
    pass(&mut world, &mut relay, Duration::from_secs(11));
    assert!(matches!(
        last_event(&world, 1),
        TransportEvent::LinkDown { link, reason: DownReason::Lost(_) } if link == dialled
    ));
}

#[test]
fn links_outlive_the_server_and_dials_wait_for_it() {
    let (mut world, mut relay, dialled, accepted) = connected();
    relay.down = true;
    relay.cut(&mut world);
    pass(&mut world, &mut relay, Duration::from_secs(100));
    let now = world.now;
    assert!(matches!(
        world.sides[1].states.last(),
        Some(RegistrationState::Disconnected { .. })
    ));
    world.sides[1]
        .endpoint
        .send(dialled, Bytes::from_static(b"still"), now);
    relay.run(&mut world);
    let frame = Bytes::from_static(b"still");
    assert_eq!(
        last_event(&world, 0),
        TransportEvent::Frame {
            link: accepted,
            frame
        }
    );

    let link = world.sides[1].dial(&owner(1), now);
    pass(&mut world, &mut relay, Duration::from_secs(3));
    relay.down = false;
    for side in &mut world.sides {
        side.endpoint.wake(world.now);
    }
    relay.run(&mut world);
    assert_eq!(
        world.sides[1].last_up(),
        Some(link),
        "wake ends the waiting"
    );
}

#[test]
fn what_was_not_sent_before_its_end_is_not_sent_after() {
    let mut world = lone_owner();
    let link = world.sides[0].dial(&owner(2), world.now);
    // The server goes before the offer is made.
    let SocketDo::Open(socket, _) = world.sides[0].sockets[0].clone() else {
        panic!()
    };
    let now = world.now;
    world.sides[0].endpoint.handle_socket_closed(socket, now);
    world.pump();
    world.sides[0].hangup(link, now);
    world.sides[0].sockets.clear();
    world.sides[0].endpoint.wake(now);
    world.pump();
    let SocketDo::Open(socket, _) = world.sides[0].sockets[0].clone() else {
        panic!()
    };
    world.sides[0].endpoint.handle_socket_open(socket, now);
    say(&mut world, 0, r#"{"type":"OPEN"}"#);
    assert!(world.sides[0].endpoint.is_registered());
    assert_eq!(sent(&world, 0), ["HEARTBEAT"]);
}

#[test]
fn a_dial_does_not_wait_for_the_server_for_ever() {
    let mut world = World::new();
    world.add(&Config::default(), &participant(2), "t");
    let mut relay = Relay {
        down: true,
        ..Relay::default()
    };
    let link = world.sides[0].dial(&owner(1), world.now);
    pass(&mut world, &mut relay, Duration::from_secs(16));
    let why = DownReason::DialFailed("no signalling server".into());
    assert!(world.sides[0].events.contains(&down(link, why)));
}

#[test]
fn an_open_socket_without_an_objection_counts_as_registered() {
    let mut world = World::new();
    world.add(&Config::default(), &owner(1), "t");
    let mut relay = Relay {
        silent: true,
        ..Relay::default()
    };
    pass(&mut world, &mut relay, Duration::from_millis(900));
    assert!(!world.sides[0].endpoint.is_registered());
    pass(&mut world, &mut relay, Duration::from_millis(200));
    assert!(world.sides[0].endpoint.is_registered());
}

#[test]
fn a_taken_address_is_tried_until_it_is_free() {
    let mut world = World::new();
    world.add(&Config::default(), &owner(1), "old");
    let mut relay = Relay::default();
    relay.run(&mut world);
    world.add(&Config::default(), &owner(1), "new");
    pass(&mut world, &mut relay, Duration::from_secs(95));
    assert!(matches!(
        world.sides[1].states.last(),
        Some(RegistrationState::AddressTaken { .. })
    ));
    let tries = relay.opened;
    assert!((20..200).contains(&tries), "{tries} tries in 95 s");
    world.sides[0].endpoint.close();
    pass(&mut world, &mut relay, Duration::from_secs(6));
    assert!(world.sides[1].endpoint.is_registered());
    assert_eq!(world.sides[1].events, []);
}

#[test]
fn an_address_that_stays_taken_is_somebody_elses() {
    let mut world = World::new();
    for token in ["old", "new"] {
        world.add(&Config::default(), &owner(1), token);
    }
    let mut relay = Relay::default();
    pass(&mut world, &mut relay, Duration::from_secs(130));
    let failed = TransportEvent::Failed(TransportError::AddressTaken(owner(1)));
    assert_eq!(world.sides[1].events, [failed]);
    assert_eq!(world.sides[1].endpoint.poll_timeout(), None);
}

#[test]
fn a_wrong_key_is_final_but_links_stay() {
    let (mut world, mut relay, dialled, _) = connected();
    relay.cut(&mut world);
    relay.down = true;
    world.pump();
    // The server comes back with another key.
    let error = r#"{"type":"ERROR","payload":{"msg":"Invalid key provided"}}"#;
    for _ in 0..50 {
        world.advance(Duration::from_secs(1));
        world.pump();
        let sockets = std::mem::take(&mut world.sides[1].sockets);
        for wanted in sockets {
            if let SocketDo::Open(socket, _) = wanted {
                let now = world.now;
                world.sides[1].endpoint.handle_socket_open(socket, now);
                world.sides[1]
                    .endpoint
                    .handle_socket_text(socket, error, now);
            }
        }
    }
    world.pump();
    let failed = RegistrationState::Failed(RegistrationError::InvalidKey);
    assert_eq!(world.sides[1].states.last(), Some(&failed));
    assert!(
        matches!(last_event(&world, 1), TransportEvent::LinkUp { .. }),
        "the link is up"
    );
    // Once the last link is down, nothing is left to hope for.
    let (rtc, now) = (world.last_rtc(1), world.now);
    world.sides[1].endpoint.handle_channel_closed(rtc, now);
    world.pump();
    let [.., end, failed] = &world.sides[1].events[..] else {
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
    let (mut world, mut relay) = star();
    let opened = relay.opened;
    world.advance(Duration::from_secs(60));
    relay.run(&mut world);
    assert_eq!(relay.opened, opened, "a hidden tab beats once a minute");
    world.advance(Duration::from_secs(100));
    relay.run(&mut world);
    assert_eq!(relay.opened, opened + 2);
}

/// An offer of a stock page, with something changed.
fn offer(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut offer = serde_json::json!({
        "type": "OFFER", "src": "stock-page", "dst": "me",
        "payload": {
            "sdp": { "type": "offer", "sdp": sdp(9, "0/99") },
            "type": "data", "connectionId": "dc_stock", "label": "dc_stock",
            "reliable": true, "serialization": "raw",
        },
    });
    change(&mut offer["payload"]);
    offer.to_string()
}

fn say(world: &mut World, at: usize, text: &str) {
    let socket = world.sides[at]
        .sockets
        .iter()
        .rev()
        .find_map(|wanted| match wanted {
            SocketDo::Open(socket, _) => Some(*socket),
            SocketDo::Send(..) | SocketDo::Close(_) => None,
        });
    let now = world.now;
    world.sides[at]
        .endpoint
        .handle_socket_text(socket.expect("a socket"), text, now);
    world.pump();
}

/// An owner whose socket the test holds.
fn lone_owner() -> World {
    let mut world = World::new();
    world.add(&Config::default(), &owner(1), "t");
    world.pump();
    let SocketDo::Open(socket, _) = world.sides[0].sockets[0].clone() else {
        panic!()
    };
    world.sides[0]
        .endpoint
        .handle_socket_open(socket, world.now);
    say(&mut world, 0, r#"{"type":"OPEN"}"#);
    world
}

fn sent(world: &World, at: usize) -> Vec<String> {
    let types = world.sides[at]
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
    let mut world = lone_owner();
    say(&mut world, 0, &offer(|_| {}));
    assert_eq!(
        sent(&world, 0),
        ["HEARTBEAT", "ANSWER", "CANDIDATE", "CANDIDATE"]
    );
}

#[test]
fn candidates_that_overtook_their_offer_are_used() {
    let mut world = lone_owner();
    for line in ["one", "two"] {
        let text = format!(
            r#"{{"type":"CANDIDATE","src":"stock-page","payload":{{"candidate":{{"candidate":"{line}","sdpMid":"0","sdpMLineIndex":0}},"type":"data","connectionId":"dc_stock"}}}}"#
        );
        say(&mut world, 0, &text);
    }
    say(&mut world, 0, &offer(|_| {}));
    let actions: Vec<_> = world.sides[0]
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
    use Refusal::{Description, Kind, Serialization, Unreliable};
    let cases: [(&str, serde_json::Value, Refusal); 8] = [
        (
            "serialization",
            "binary".into(),
            Serialization("binary".into()),
        ),
        (
            "serialization",
            "binary-utf8".into(),
            Serialization("binary-utf8".into()),
        ),
        (
            "serialization",
            serde_json::Value::Null,
            Serialization(String::new()),
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
    ];
    for (field, value, refusal) in cases {
        let mut world = lone_owner();
        say(&mut world, 0, &offer(|payload| payload[field] = value));
        assert_eq!(last_refusal(&world, 0), Some(refusal));
        assert_eq!(world.sides[0].actions, []);
    }
}

#[test]
fn a_connection_id_is_used_once_at_a_time() {
    let mut world = lone_owner();
    say(&mut world, 0, &offer(|_| {}));
    say(&mut world, 0, &offer(|_| {}));
    assert_eq!(last_refusal(&world, 0), Some(Refusal::Duplicate));
    assert_eq!(world.sides[0].endpoint.connections(), 1);
}

#[test]
fn strangers_cannot_make_connections_without_end() {
    let mut world = lone_owner();
    for n in 0..10 {
        say(
            &mut world,
            0,
            &offer(|payload| payload["connectionId"] = format!("c{n}").into()),
        );
    }
    assert_eq!(world.sides[0].endpoint.connections(), 4, "of one sender");
    for n in 0..100 {
        let text = offer(|_| {}).replace("stock-page", &format!("page{n}"));
        say(&mut world, 0, &text);
    }
    assert_eq!(world.sides[0].endpoint.connections(), 64, "of all senders");
    assert_eq!(last_refusal(&world, 0), Some(Refusal::TooMany));
    world.advance(Duration::from_secs(16));
    world.pump();
    assert_eq!(world.sides[0].endpoint.connections(), 0);
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
        let mut world = lone_owner();
        say(&mut world, 0, &offer(|_| {}));
        let (rtc, now) = (world.last_rtc(0), world.now);
        for kind in kinds {
            world.sides[0].endpoint.handle_channel(rtc, kind, now);
        }
        world.pump();
        assert_eq!(last_refusal(&world, 0), Some(refusal));
        assert_eq!(world.sides[0].endpoint.connections(), 0);
    }
}

/// The owner's link to a stock page that connects with this serialization.
fn stock_page(serialization: &str) -> World {
    let mut world = lone_owner();
    say(
        &mut world,
        0,
        &offer(|payload| payload["serialization"] = serialization.into()),
    );
    let (rtc, now) = (world.last_rtc(0), world.now);
    world.sides[0]
        .endpoint
        .handle_channel(rtc, ChannelKind::RELIABLE, now);
    world.sides[0].endpoint.handle_channel_open(rtc, now);
    world.pump();
    world
}

#[test]
fn a_json_page_is_answered_in_its_own_way() {
    let mut world = stock_page("json");
    let (link, rtc, now) = (
        world.sides[0].last_up().unwrap(),
        world.last_rtc(0),
        world.now,
    );
    let json = Bytes::from_static(b"{\"a\":1}");
    world.inject(0, rtc, ChannelMessage::Binary(json.clone()));
    assert_eq!(
        last_event(&world, 0),
        TransportEvent::Frame {
            link,
            frame: json.clone()
        }
    );
    world.sides[0].endpoint.send(link, json.clone(), now);
    world.sides[0].hangup(link, now);
    world.pump();
    let goodbye = Bytes::from_static(br#"{"__peerData":{"type":"close"}}"#);
    let [.., first, second, close, _] = &world.sides[0].actions[..] else {
        panic!()
    };
    assert_eq!(first.1, RtcAction::Send(ChannelMessage::Binary(json)));
    assert_eq!(second.1, RtcAction::Send(ChannelMessage::Binary(goodbye)));
    assert_eq!(close.1, RtcAction::CloseChannel);
}

#[test]
fn a_json_page_says_goodbye() {
    let mut world = stock_page("json");
    let (link, rtc) = (world.sides[0].last_up().unwrap(), world.last_rtc(0));
    let goodbye = Bytes::from_static(br#"{"__peerData":{"type":"close"}}"#);
    world.inject(0, rtc, ChannelMessage::Binary(goodbye));
    assert_eq!(last_event(&world, 0), down(link, DownReason::ClosedByPeer));
}

#[test]
fn junk_on_the_channel_ends_the_link_and_nothing_else() {
    let mut world = stock_page("raw");
    let (link, rtc) = (world.sides[0].last_up().unwrap(), world.last_rtc(0));
    world.inject(0, rtc, ChannelMessage::Binary(Bytes::from_static(&[9, 9])));
    assert!(matches!(
        last_event(&world, 0),
        TransportEvent::LinkDown { link: of, reason: DownReason::Lost(_) } if of == link
    ));
    assert!(world.sides[0].endpoint.is_registered());
}

#[test]
fn an_answer_of_somebody_else_is_no_answer() {
    let mut world = lone_owner();
    world.sides[0].dial(&owner(2), world.now);
    world.pump();
    let text = world.sides[0]
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
    say(&mut world, 0, &answer("mallory"));
    assert!(matches!(
        world.sides[0].actions[..],
        [(_, RtcAction::CreateOffer { .. })]
    ));
    say(&mut world, 0, &answer(&owner(2).to_string()));
    assert!(matches!(
        world.sides[0].actions[..],
        [_, (_, RtcAction::SetRemote { .. })]
    ));
    // A server that says the answerer was never there is too late.
    say(
        &mut world,
        0,
        &format!(r#"{{"type":"EXPIRE","src":"{}"}}"#, owner(2)),
    );
    assert_eq!(world.sides[0].endpoint.connections(), 1);
}

#[test]
fn the_same_seed_gives_the_same_outputs() {
    let trace = || {
        let (mut world, mut relay, ..) = connected();
        relay.down = true;
        relay.cut(&mut world);
        pass(&mut world, &mut relay, Duration::from_secs(20));
        let side = world.sides.remove(1);
        format!("{:?} {:?} {:?}", side.actions, side.states, side.events)
    };
    assert_eq!(trace(), trace());
    assert_eq!(Moment::START.as_millis(), 0);
}
