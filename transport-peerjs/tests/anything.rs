//! Whatever a server, a stranger and a WebRTC stack do, the endpoint keeps its promises.

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
use ed25519_dalek::SigningKey;
use harness::{Promises, candidate, owner, sdp};
use hustings_protocol::handshake::Nonce;
use hustings_protocol::{Address, PeerId};
use hustings_room::transport::TransportEvent;
use hustings_room::{LinkId, Moment};
use hustings_transport_peerjs::wire::{
    ChannelKind, ChannelMessage, Endpoint, Output, RtcAction, RtcId, RtcState, SocketId,
};
use hustings_transport_peerjs::{Config, Token};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    SocketOpen,
    SocketClosed(Option<u16>),
    Text(usize, usize),
    Dial(u8),
    Hangup(usize),
    Send(usize, usize),
    Description(usize, bool),
    Candidate(usize),
    State(usize, usize),
    Failure(usize),
    Channel(usize, bool),
    ChannelOpen(usize),
    ChannelClosed(usize),
    Message(usize, usize),
    Buffered(usize, usize),
    Wake,
    Claim,
    Pass(u64),
    TurnBack(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..6_usize;
    prop_oneof![
        2 => Just(Step::SocketOpen),
        1 => proptest::option::of(Just(4001)).prop_map(Step::SocketClosed),
        6 => (0..15_usize, n.clone()).prop_map(|(kind, which)| Step::Text(kind, which)),
        3 => (1..4_u8).prop_map(Step::Dial),
        1 => n.clone().prop_map(Step::Hangup),
        2 => (n.clone(), 0..60_000_usize).prop_map(|(which, len)| Step::Send(which, len)),
        5 => (n.clone(), proptest::bool::weighted(0.9)).prop_map(|(w, good)| Step::Description(w, good)),
        3 => n.clone().prop_map(Step::Candidate),
        2 => (n.clone(), 0..6_usize).prop_map(|(which, state)| Step::State(which, state)),
        1 => n.clone().prop_map(Step::Failure),
        3 => (n.clone(), proptest::bool::weighted(0.9)).prop_map(|(which, good)| Step::Channel(which, good)),
        5 => n.clone().prop_map(Step::ChannelOpen),
        1 => n.clone().prop_map(Step::ChannelClosed),
        3 => (n.clone(), 0..5_usize).prop_map(|(which, kind)| Step::Message(which, kind)),
        1 => (n, 0..5_000_000_usize).prop_map(|(which, bytes)| Step::Buffered(which, bytes)),
        1 => Just(Step::Wake),
        1 => Just(Step::Claim),
        3 => (0..20_000_u64).prop_map(Step::Pass),
        1 => (0..5_000_u64).prop_map(Step::TurnBack),
    ]
}

struct Run {
    endpoint: Endpoint,
    now: Moment,
    promises: Promises,
    socket: Option<SocketId>,
    rtcs: Vec<RtcId>,
    links: Vec<LinkId>,
    dialled: u64,
    /// Of the offers that were sent.
    connection_ids: Vec<String>,
    failed: bool,
}

impl Run {
    fn new() -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        let token = Token::new("t").unwrap().with_key(&key);
        let (me, now) = (Address::Owner(PeerId::of(&key)), Moment::START);
        let endpoint = Endpoint::new(&Config::default(), &me, &token, [3; 32], now).unwrap();
        let mut run = Self {
            endpoint,
            now,
            promises: Promises::default(),
            socket: None,
            rtcs: Vec::new(),
            links: Vec::new(),
            dialled: 0,
            connection_ids: Vec::new(),
            failed: false,
        };
        run.drain();
        run
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            self.promises.check(&output);
            match output {
                Output::OpenSocket { socket, .. } => self.socket = Some(socket),
                Output::SendSocket { socket, text } => {
                    assert_eq!(Some(socket), self.socket, "only the last socket is used");
                    let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == "OFFER" {
                        let id = message["payload"]["connectionId"].as_str();
                        self.connection_ids.push(id.unwrap().to_owned());
                    }
                }
                Output::Rtc {
                    rtc,
                    action: RtcAction::CreateOffer { .. } | RtcAction::CreateAnswer { .. },
                } => self.rtcs.push(rtc),
                Output::Event(TransportEvent::LinkUp { link, .. }) if link.is_accepted() => {
                    self.links.push(link);
                }
                Output::Event(TransportEvent::Failed(_)) => {
                    assert!(!self.failed);
                    self.failed = true;
                }
                Output::CloseSocket { .. }
                | Output::Rtc { .. }
                | Output::Event(_)
                | Output::IceServers(_)
                | Output::Registration(_)
                | Output::Notice(_) => {}
            }
        }
        assert!(self.endpoint.connections() <= 8 + 64 + self.promises.links_up() + 6);
    }

    fn text(&self, kind: usize, which: usize) -> String {
        let ours = self.connection_ids.iter().rev().nth(which).cloned();
        let src = owner(u8::try_from(which % 3).unwrap() + 1).to_string();
        let id = ours.unwrap_or_else(|| format!("c{which}"));
        match kind {
            0 => r#"{"type":"OPEN"}"#.into(),
            1 => r#"{"type":"ID-TAKEN"}"#.into(),
            2 => r#"{"type":"ERROR","payload":{"msg":"hm"}}"#.into(),
            3 => format!(r#"{{"type":"EXPIRE","src":"{src}"}}"#),
            4 => format!(r#"{{"type":"LEAVE","src":"{src}"}}"#),
            5 | 6 => {
                let sdp = serde_json::to_string(&sdp(4, "0/0")).unwrap();
                format!(
                    r#"{{"type":"OFFER","src":"{src}","payload":{{"sdp":{{"type":"offer","sdp":{sdp}}},"type":"data","connectionId":"c{which}","reliable":true,"serialization":"{}"}}}}"#,
                    ["raw", "json", "binary"][which % 3],
                )
            }
            7..=10 => {
                let sdp = serde_json::to_string(&sdp(4, "0/0")).unwrap();
                format!(
                    r#"{{"type":"ANSWER","src":"{src}","payload":{{"sdp":{{"type":"answer","sdp":{sdp}}},"connectionId":"{id}"}}}}"#
                )
            }
            11 => format!(
                r#"{{"type":"CANDIDATE","src":"{src}","payload":{{"candidate":{{"candidate":"x"}},"connectionId":"{id}"}}}}"#
            ),
            12 => format!(
                r#"{{"type":"CANDIDATE","src":"{src}","payload":{{"candidate":{{"candidate":"x"}},"connectionId":"c{which}"}}}}"#
            ),
            13 => {
                let nonce = Nonce::from_bytes([u8::try_from(which).unwrap(); 32]);
                format!(r#"{{"type":"HUSTINGS-NONCE","payload":{{"nonce":"{nonce}"}}}}"#)
            }
            _ => "junk".into(),
        }
    }

    fn take(&mut self, step: Step) {
        let now = self.now;
        let rtc = |which: usize| self.rtcs.iter().rev().nth(which).copied();
        let link = |which: usize| self.links.iter().rev().nth(which).copied();
        match step {
            Step::SocketOpen => {
                if let Some(socket) = self.socket {
                    self.endpoint.handle_socket_open(socket, now);
                }
            }
            Step::SocketClosed(code) => {
                if let Some(socket) = self.socket {
                    self.endpoint.handle_socket_closed(socket, code, now);
                }
            }
            Step::Text(kind, which) => {
                let text = self.text(kind, which);
                if let Some(socket) = self.socket {
                    self.endpoint.handle_socket_text(socket, &text, now);
                }
            }
            Step::Dial(to) => {
                let link = LinkId::dialled(self.dialled);
                self.dialled += 1;
                self.links.push(link);
                self.promises.dialled(link);
                self.endpoint.dial(link, &owner(to), now);
            }
            Step::Hangup(which) => {
                if let Some(link) = link(which) {
                    self.endpoint.hangup(link, now);
                    self.drain();
                    if !self.failed {
                        self.promises.hung_up(link);
                    }
                }
            }
            Step::Send(which, len) => {
                if let Some(link) = link(which) {
                    self.endpoint.send(link, Bytes::from(vec![b'x'; len]), now);
                }
            }
            Step::Description(which, good) => {
                if let Some(rtc) = rtc(which) {
                    let sdp = if good { sdp(5, "0/0") } else { "v=0".into() };
                    self.endpoint.handle_description(rtc, sdp, now);
                }
            }
            Step::Candidate(which) => {
                if let Some(rtc) = rtc(which) {
                    self.endpoint.handle_candidate(rtc, candidate("c"), now);
                }
            }
            Step::State(which, state) => {
                use RtcState::{Closed, Connected, Connecting, Disconnected, Failed, New};
                if let Some(rtc) = rtc(which) {
                    let state = [New, Connecting, Connected, Disconnected, Failed, Closed][state];
                    self.endpoint.handle_state(rtc, state, now);
                }
            }
            Step::Failure(which) => {
                if let Some(rtc) = rtc(which) {
                    self.endpoint.handle_failure(rtc, "broken", now);
                }
            }
            Step::Channel(which, good) => {
                if let Some(rtc) = rtc(which) {
                    let ordered = good;
                    let kind = ChannelKind {
                        ordered,
                        ..ChannelKind::RELIABLE
                    };
                    self.endpoint.handle_channel(rtc, kind, now);
                }
            }
            Step::ChannelOpen(which) => {
                if let Some(rtc) = rtc(which) {
                    self.endpoint.handle_channel_open(rtc, now);
                }
            }
            Step::ChannelClosed(which) => {
                if let Some(rtc) = rtc(which) {
                    self.endpoint.handle_channel_closed(rtc, now);
                }
            }
            Step::Message(which, kind) => {
                if let Some(rtc) = rtc(which) {
                    let binary =
                        |bytes: &'static [u8]| ChannelMessage::Binary(Bytes::from_static(bytes));
                    let message = match kind {
                        0 => ChannelMessage::Text("{}".into()),
                        1 => binary(b"{}"),
                        2 => binary(&[3, 0, 0, 0, 2, 7]),
                        3 => binary(&[0, 7]),
                        _ => binary(br#"{"__peerData":{"type":"close"}}"#),
                    };
                    self.promises.heard(rtc);
                    self.endpoint.handle_message(rtc, message, now);
                }
            }
            Step::Buffered(which, bytes) => {
                if let Some(rtc) = rtc(which) {
                    self.endpoint.handle_buffered(rtc, bytes, now);
                }
            }
            Step::Wake => self.endpoint.wake(now),
            Step::Claim => self.endpoint.claim(now),
            Step::Pass(millis) => {
                self.now = now + Duration::from_millis(millis);
                self.endpoint.handle_timeout(self.now);
            }
            Step::TurnBack(millis) => {
                self.now = Moment::from_millis(now.as_millis().saturating_sub(millis));
                self.endpoint.handle_timeout(self.now);
            }
        }
        self.drain();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn promises_are_kept(steps in proptest::collection::vec(step(), 0..120)) {
        let mut run = Run::new();
        for step in steps {
            run.take(step);
        }
        // Nothing more happens but time: every attempt comes to an end by itself, and only what is
        // up stays.
        for _ in 0..60 {
            run.take(Step::Pass(1_000));
        }
        prop_assert_eq!(run.promises.undecided(), []);
        prop_assert_eq!(run.endpoint.connections(), run.promises.links_up());
    }
}
