//! STUN and TURN servers that the signalling server hands out, at the endpoint.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

use std::time::Duration;

use hustings_protocol::{Address, PeerId};
use hustings_room::{LinkId, Moment};
use hustings_transport_peerjs::wire::{Endpoint, Notice, Output, RtcAction, SocketId};
use hustings_transport_peerjs::{Config, IceServer, Token};

const OPEN: &str = r#"{"type":"OPEN"}"#;
const ASKS: &str = r#"{"type":"HUSTINGS-ICE"}"#;
const HOUR: Duration = Duration::from_secs(60 * 60);

fn handed(name: &str) -> String {
    format!(
        r#"{{"type":"HUSTINGS-ICE","payload":{{"iceServers":[{{"urls":["turn:t"],"username":"{name}","credential":"c"}}],"lifetime":7200}}}}"#
    )
}

fn owner(n: u8) -> Address {
    Address::Owner(PeerId::from_bytes([n; 32]))
}

struct Side {
    endpoint: Endpoint,
    socket: SocketId,
    url: String,
    now: Moment,
    said: Vec<String>,
    /// What it does with connections, and with which servers: in order.
    does: Vec<String>,
    notices: Vec<Notice>,
}

impl Side {
    fn open() -> Self {
        let config = Config {
            ice_servers: vec![IceServer::new("stun:own")],
            ..Config::default()
        };
        let token = Token::from_random([0; 20]);
        let now = Moment::START;
        let mut endpoint = Endpoint::new(&config, &owner(1), &token, [0; 32], now).unwrap();
        let Some(Output::Registration(_)) = endpoint.poll_output() else {
            panic!("it connects");
        };
        let Some(Output::OpenSocket { socket, url }) = endpoint.poll_output() else {
            panic!("by a socket");
        };
        let mut side = Self {
            endpoint,
            socket,
            url,
            now,
            said: Vec::new(),
            does: Vec::new(),
            notices: Vec::new(),
        };
        side.endpoint.handle_socket_open(side.socket, side.now);
        side.pump();
        side
    }

    fn hears(&mut self, text: &str) {
        self.endpoint
            .handle_socket_text(self.socket, text, self.now);
        self.pump();
    }

    fn pump(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::OpenSocket { socket, url } => {
                    (self.socket, self.url) = (socket, url);
                }
                Output::SendSocket { text, .. } => self.said.push(text),
                Output::IceServers(servers) => {
                    let names = servers.iter().map(|server| {
                        let name = server.username.as_deref();
                        name.unwrap_or(&server.urls[0]).to_owned()
                    });
                    self.does.push(names.collect::<Vec<_>>().join(" "));
                }
                Output::Rtc {
                    action: RtcAction::CreateOffer { .. },
                    ..
                } => self.does.push("dials".into()),
                Output::Notice(notice) => self.notices.push(notice),
                Output::CloseSocket { .. }
                | Output::Rtc { .. }
                | Output::Event(_)
                | Output::Registration(_) => {}
            }
        }
    }

    /// Time passes, in which the server returns every echo.
    fn waits(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((at, _)) = self.endpoint.poll_timeout()
            && at <= until
        {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.pump();
            let echoes = std::mem::take(&mut self.said);
            for text in echoes {
                if text.contains("CANDIDATE") {
                    let start = text.strip_suffix('}').unwrap();
                    self.hears(&format!(r#"{start},"src":"{}"}}"#, owner(1)));
                } else {
                    self.said.push(text);
                }
            }
        }
        self.now = until;
    }

    fn asked(&self) -> usize {
        self.said.iter().filter(|text| *text == ASKS).count()
    }
}

#[test]
fn the_first_dial_has_them() {
    let mut side = Side::open();
    assert!(side.url.contains("&ice=1"), "{}", side.url);
    side.endpoint.dial(LinkId::dialled(0), &owner(2), side.now);
    side.pump();
    side.hears(&handed("first"));
    side.hears(OPEN);
    assert_eq!(side.does, ["stun:own first", "dials"]);
}

#[test]
fn new_ones_are_asked_for_before_the_old_ones_are_over() {
    let mut side = Side::open();
    side.hears(&handed("first"));
    side.hears(OPEN);
    side.waits(HOUR - Duration::from_secs(1));
    assert_eq!(side.asked(), 0);
    side.waits(Duration::from_secs(2));
    assert_eq!(side.asked(), 1);
    side.hears(&handed("second"));
    side.waits(HOUR - Duration::from_secs(2));
    assert_eq!(side.asked(), 1);
    assert_eq!(side.does, ["stun:own first", "stun:own second"]);
    // Without an answer it asks again, and in the end does without.
    side.waits(2 * HOUR);
    assert!(side.asked() > 30, "{}", side.asked());
    assert_eq!(side.does.last().unwrap(), "stun:own");
    let asked = side.asked();
    side.waits(2 * HOUR);
    assert_eq!(side.asked(), asked, "nor does it ask for them then");
}

#[test]
fn a_server_that_hands_out_none_is_asked_for_none() {
    let mut side = Side::open();
    side.hears(OPEN);
    side.waits(3 * HOUR);
    assert_eq!((side.asked(), side.does.len()), (0, 0));
    // Neither is another one, which is there after a restart.
    let mut side = Side::open();
    side.hears(&handed("first"));
    side.hears(OPEN);
    let first = side.socket;
    side.endpoint.handle_socket_closed(first, None, side.now);
    side.pump();
    while side.socket == first {
        side.waits(Duration::from_secs(1));
    }
    side.endpoint.handle_socket_open(side.socket, side.now);
    side.hears(OPEN);
    side.waits(3 * HOUR);
    assert_eq!(side.asked(), 0);
    assert_eq!(side.does, ["stun:own first", "stun:own"]);
}

#[test]
fn what_no_browser_would_take_and_what_a_peer_says_is_ignored() {
    let mut side = Side::open();
    side.hears(OPEN);
    let from_a_peer = handed("first").replacen('{', r#"{"src":"peer","#, 1);
    for text in [
        &from_a_peer,
        &handed(""),
        &handed("first").replace("turn:t", "http:t"),
        &handed("first").replace("7200", "\"long\""),
        r#"{"type":"HUSTINGS-ICE"}"#,
    ] {
        side.hears(text);
    }
    assert_eq!(side.does.len(), 0);
    assert_eq!(side.notices.len(), 5, "{:?}", side.notices);
}
