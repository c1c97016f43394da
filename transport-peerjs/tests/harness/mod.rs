//! Endpoints in one process, with a make-believe WebRTC between them and the clock in the test's
//! hands. The signalling server is the test's: a few lines here, or a real one.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hustings_protocol::{Address, DeviceId, PeerId};
use hustings_room::transport::TransportEvent;
use hustings_room::{LinkId, Moment};
use hustings_transport_peerjs::wire::{
    ChannelKind, ChannelMessage, Endpoint, IceCandidate, Notice, Output, Refusal,
    RegistrationState, RtcAction, RtcId, RtcState, SocketId,
};
use hustings_transport_peerjs::{Config, IceServer, Token};
use serde_json::Value;

/// The address of the `n`th owner.
pub(crate) fn owner(n: u8) -> Address {
    Address::Owner(PeerId::from_bytes([n; 32]))
}

/// The address of the `n`th participant.
pub(crate) fn participant(n: u8) -> Address {
    Address::Participant(PeerId::from_bytes([n; 32]), DeviceId::from_bytes([n; 5]))
}

/// A description with a fingerprint, and the name of its connection in place of addresses.
pub(crate) fn sdp(fingerprint: u8, name: &str) -> String {
    let hex = vec![format!("{fingerprint:02X}"); 32].join(":");
    format!(
        "v=0\r\ns={name}\r\na=fingerprint:sha-256 {hex}\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
         a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef012345\r\n"
    )
}

/// An offer from a stranger, which may be changed before it is said.
pub(crate) fn offer_of(src: &str, connection: &str, sdp: &str) -> Value {
    serde_json::json!({
        "type": "OFFER", "src": src, "dst": "me",
        "payload": {
            "sdp": { "type": "offer", "sdp": sdp },
            "type": "data", "connectionId": connection, "label": connection,
            "reliable": true, "serialization": "raw",
        },
    })
}

fn name_of(sdp: &str) -> (usize, u64) {
    let name = sdp
        .lines()
        .find_map(|line| line.strip_prefix("s="))
        .unwrap();
    let (side, rtc) = name.split_once('/').unwrap();
    (side.parse().unwrap(), rtc.parse().unwrap())
}

pub(crate) fn candidate(line: &str) -> IceCandidate {
    IceCandidate {
        candidate: line.into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: None,
    }
}

/// A thing that a side's socket is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SocketDo {
    Open(SocketId, String),
    Send(SocketId, String),
    Close(SocketId),
}

/// Checks what every endpoint promises, output by output.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    described: BTreeSet<(String, String)>,
    dialled: BTreeSet<LinkId>,
    up: BTreeSet<LinkId>,
    over: BTreeSet<LinkId>,
    hung_up: BTreeSet<LinkId>,
    closed: BTreeSet<RtcId>,
    /// Accepted connections on which nothing has been heard.
    unheard: BTreeSet<RtcId>,
}

impl Promises {
    /// A message comes on a connection.
    pub(crate) fn heard(&mut self, rtc: RtcId) {
        self.unheard.remove(&rtc);
    }

    pub(crate) fn dialled(&mut self, link: LinkId) {
        self.dialled.insert(link);
    }

    pub(crate) fn hung_up(&mut self, link: LinkId) {
        self.hung_up.insert(link);
    }

    /// Dialled links that have neither come up nor ended.
    pub(crate) fn undecided(&self) -> Vec<LinkId> {
        let decided = |link: &&LinkId| {
            self.up.contains(link) || self.over.contains(link) || self.hung_up.contains(link)
        };
        self.dialled
            .iter()
            .filter(|link| !decided(link))
            .copied()
            .collect()
    }

    pub(crate) fn links_up(&self) -> usize {
        self.up
            .iter()
            .filter(|link| !self.over.contains(link) && !self.hung_up.contains(link))
            .count()
    }

    pub(crate) fn check(&mut self, output: &Output) {
        match output {
            Output::SendSocket { text, .. } => {
                let message: Value = serde_json::from_str(text).expect("the server needs JSON");
                let text_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let id = (
                    text_of(&message["dst"]),
                    text_of(&message["payload"]["connectionId"]),
                );
                match message["type"].as_str() {
                    Some("OFFER") => {
                        assert!(self.described.insert(id), "offered twice: {text}");
                    }
                    // Whoever dials may use a name again once its connection is over.
                    Some("ANSWER") => {
                        self.described.insert(id);
                    }
                    Some("EXPIRE") => {}
                    Some("CANDIDATE") if id.1.starts_with("echo_") => {}
                    Some("CANDIDATE") => {
                        assert!(self.described.contains(&id), "too early: {text}");
                    }
                    Some("HEARTBEAT" | "HUSTINGS-PROOF") => {}
                    other => panic!("{other:?} is nothing to be said"),
                }
            }
            Output::Rtc { rtc, action } => {
                assert!(!self.closed.contains(rtc), "{action:?} after the end");
                match action {
                    RtcAction::Close => {
                        self.closed.insert(*rtc);
                    }
                    RtcAction::CreateAnswer { .. } => {
                        self.unheard.insert(*rtc);
                    }
                    // Chromium would lose it.
                    RtcAction::Send(_) => {
                        assert!(
                            !self.unheard.contains(rtc),
                            "{rtc} speaks before it has heard"
                        );
                    }
                    RtcAction::CreateOffer { .. }
                    | RtcAction::SetRemote { .. }
                    | RtcAction::AddCandidate(_)
                    | RtcAction::CloseChannel => {}
                }
            }
            Output::Event(event) => self.check_event(event),
            Output::OpenSocket { .. }
            | Output::CloseSocket { .. }
            | Output::IceServers(_)
            | Output::Registration(_)
            | Output::Notice(_) => {}
        }
    }

    fn check_event(&mut self, event: &TransportEvent) {
        let link = match event {
            TransportEvent::LinkUp { link, .. } => {
                assert!(self.up.insert(*link), "up twice");
                assert!(link.is_accepted() || self.dialled.contains(link));
                link
            }
            TransportEvent::Frame { link, .. } | TransportEvent::Writable { link } => {
                assert!(self.up.contains(link), "{event:?} before it is up");
                link
            }
            TransportEvent::LinkDown { link, .. } => {
                assert!(self.up.contains(link) || self.dialled.contains(link));
                assert!(self.over.insert(*link), "down twice");
                assert!(!self.hung_up.contains(link), "{event:?} after the hang-up");
                return;
            }
            TransportEvent::Wake | TransportEvent::Failed(_) => return,
        };
        assert!(!self.over.contains(link), "{event:?} after the end");
        assert!(!self.hung_up.contains(link), "{event:?} after the hang-up");
    }
}

/// One endpoint and its half of the make-believe WebRTC.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) promises: Promises,
    pub(crate) events: Vec<TransportEvent>,
    pub(crate) states: Vec<RegistrationState>,
    pub(crate) ice_servers: Vec<Vec<IceServer>>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) sockets: Vec<SocketDo>,
    /// The actions of each connection, in order.
    pub(crate) actions: Vec<(RtcId, RtcAction)>,
    rtcs: BTreeMap<u64, RtcId>,
    number: BTreeMap<RtcId, u64>,
    peers: BTreeMap<RtcId, (usize, RtcId)>,
    next_link: u64,
}

impl Side {
    pub(crate) fn new(
        config: &Config,
        address: &Address,
        token: &Token,
        seed: u8,
        now: Moment,
    ) -> Self {
        Self {
            endpoint: Endpoint::new(config, address, token, [seed; 32], now).unwrap(),
            promises: Promises::default(),
            events: Vec::new(),
            states: Vec::new(),
            ice_servers: Vec::new(),
            notices: Vec::new(),
            sockets: Vec::new(),
            actions: Vec::new(),
            rtcs: BTreeMap::new(),
            number: BTreeMap::new(),
            peers: BTreeMap::new(),
            next_link: 0,
        }
    }

    pub(crate) fn dial(&mut self, to: &Address, now: Moment) -> LinkId {
        let link = LinkId::dialled(self.next_link);
        self.next_link += 1;
        self.promises.dialled(link);
        self.endpoint.dial(link, to, now);
        link
    }

    pub(crate) fn hangup(&mut self, link: LinkId, now: Moment) {
        // What was said before is not said after.
        self.endpoint.hangup(link, now);
        self.promises.hung_up(link);
    }

    /// The link that came up last.
    pub(crate) fn last_up(&self) -> Option<LinkId> {
        self.events.iter().rev().find_map(|event| match event {
            TransportEvent::LinkUp { link, .. } => Some(*link),
            TransportEvent::Frame { .. }
            | TransportEvent::Writable { .. }
            | TransportEvent::LinkDown { .. }
            | TransportEvent::Wake
            | TransportEvent::Failed(_) => None,
        })
    }

    /// The number of offers and connections that were refused for this reason.
    pub(crate) fn refused(&self, looked_for: &Refusal) -> usize {
        let refused = self
            .notices
            .iter()
            .filter(|it| matches!(it, Notice::Refused { refusal, .. } if refusal == looked_for));
        refused.count()
    }

    fn number(&mut self, rtc: RtcId) -> u64 {
        let next = self.number.len() as u64;
        let number = *self.number.entry(rtc).or_insert(next);
        self.rtcs.insert(number, rtc);
        number
    }
}

/// Several endpoints.
pub(crate) struct Bench {
    pub(crate) sides: Vec<Side>,
    pub(crate) now: Moment,
    /// WebRTC lets somebody through.
    pub(crate) connects: bool,
    /// Answers are made at once; otherwise the test does it.
    pub(crate) answers: bool,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            sides: Vec::new(),
            now: Moment::START,
            connects: true,
            answers: true,
        }
    }

    pub(crate) fn add(&mut self, config: &Config, address: &Address, token: &str) -> usize {
        self.add_with(config, address, &Token::new(token).unwrap())
    }

    pub(crate) fn add_with(&mut self, config: &Config, address: &Address, token: &Token) -> usize {
        let at = self.sides.len();
        let seed = u8::try_from(at).unwrap() + 1;
        self.sides
            .push(Side::new(config, address, token, seed, self.now));
        at
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// Serves timers and does what the endpoints want, but for their sockets.
    pub(crate) fn pump(&mut self) {
        for side in &mut self.sides {
            if side
                .endpoint
                .poll_timeout()
                .is_some_and(|(at, _)| at <= self.now)
            {
                side.endpoint.handle_timeout(self.now);
            }
        }
        while let Some((at, output)) = self.next_output() {
            self.sides[at].promises.check(&output);
            let side = &mut self.sides[at];
            match output {
                Output::OpenSocket { socket, url } => {
                    side.sockets.push(SocketDo::Open(socket, url))
                }
                Output::SendSocket { socket, text } => {
                    side.sockets.push(SocketDo::Send(socket, text))
                }
                Output::CloseSocket { socket } => side.sockets.push(SocketDo::Close(socket)),
                Output::IceServers(servers) => side.ice_servers.push(servers),
                Output::Event(event) => side.events.push(event),
                Output::Registration(state) => side.states.push(state),
                Output::Notice(notice) => side.notices.push(notice),
                Output::Rtc { rtc, action } => {
                    side.actions.push((rtc, action.clone()));
                    self.act(at, rtc, action);
                }
            }
        }
    }

    fn next_output(&mut self) -> Option<(usize, Output)> {
        self.sides
            .iter_mut()
            .enumerate()
            .find_map(|(at, side)| side.endpoint.poll_output().map(|output| (at, output)))
    }

    fn act(&mut self, at: usize, rtc: RtcId, action: RtcAction) {
        let now = self.now;
        let side = &mut self.sides[at];
        let number = side.number(rtc);
        // Every endpoint has a certificate of its own.
        let own = sdp(u8::try_from(at).unwrap() + 1, &format!("{at}/{number}"));
        match action {
            RtcAction::CreateOffer { .. } => {
                // Candidates may come before the description that they belong to.
                side.endpoint.handle_candidate(rtc, candidate("first"), now);
                side.endpoint.handle_description(rtc, own, now);
                side.endpoint
                    .handle_candidate(rtc, candidate("second"), now);
                side.endpoint.handle_candidate(rtc, candidate(""), now);
            }
            RtcAction::CreateAnswer { offer } => {
                let (other, number) = name_of(&offer);
                if let Some(caller) = self.sides[other].rtcs.get(&number).copied() {
                    self.sides[at].peers.insert(rtc, (other, caller));
                    self.sides[other].peers.insert(caller, (at, rtc));
                }
                if !self.answers {
                    return;
                }
                let side = &mut self.sides[at];
                side.endpoint.handle_candidate(rtc, candidate("first"), now);
                side.endpoint.handle_description(rtc, own, now);
                side.endpoint
                    .handle_candidate(rtc, candidate("second"), now);
            }
            RtcAction::SetRemote { .. } => {
                if self.connects {
                    self.let_through(at, rtc);
                }
            }
            RtcAction::Send(message) => {
                if let Some((other, peer)) = side.peers.get(&rtc).copied() {
                    self.sides[other].promises.heard(peer);
                    self.sides[other]
                        .endpoint
                        .handle_message(peer, message, now);
                }
                self.sides[at].endpoint.handle_buffered(rtc, 0, now);
            }
            RtcAction::CloseChannel | RtcAction::Close => {
                if let Some((other, peer)) = side.peers.remove(&rtc) {
                    self.sides[other].peers.remove(&peer);
                    self.sides[other].endpoint.handle_channel_closed(peer, now);
                }
                self.sides[at].endpoint.handle_channel_closed(rtc, now);
            }
            RtcAction::AddCandidate(_) => {}
        }
    }

    /// WebRTC finds a way for a connection that a side has dialled.
    pub(crate) fn let_through(&mut self, at: usize, rtc: RtcId) {
        let Some((other, callee)) = self.sides[at].peers.get(&rtc).copied() else {
            return;
        };
        self.comes_up(other, callee);
        let caller_side = &mut self.sides[at].endpoint;
        caller_side.handle_state(rtc, RtcState::Connected, self.now);
        caller_side.handle_channel_open(rtc, self.now);
    }

    /// A connection that a side has accepted comes up.
    pub(crate) fn comes_up(&mut self, at: usize, rtc: RtcId) {
        let endpoint = &mut self.sides[at].endpoint;
        endpoint.handle_state(rtc, RtcState::Connected, self.now);
        endpoint.handle_channel(rtc, ChannelKind::RELIABLE, self.now);
        endpoint.handle_channel_open(rtc, self.now);
    }

    /// Gives a message to a connection as if the other side had sent it.
    pub(crate) fn inject(&mut self, at: usize, rtc: RtcId, message: ChannelMessage) {
        self.sides[at].promises.heard(rtc);
        self.sides[at]
            .endpoint
            .handle_message(rtc, message, self.now);
        self.pump();
    }

    /// The connection that was made last.
    pub(crate) fn last_rtc(&self, at: usize) -> RtcId {
        self.sides[at].actions.last().expect("a connection").0
    }
}

/// A signalling server in a few lines: relays, says OPEN, ID-TAKEN, and EXPIRE at once.
#[derive(Default)]
pub(crate) struct Relay {
    pub(crate) registered: BTreeMap<String, (usize, SocketId, String)>,
    /// The sockets from which another has taken the id over. The npm server leaves them open, and
    /// passes on what they say, but nothing reaches them.
    pub(crate) replaced: BTreeMap<(usize, SocketId), String>,
    /// It keeps an id for this token, whose holder is gone, as `hustings-broker` does.
    pub(crate) kept: Option<String>,
    /// It closes them with a code, as `hustings-broker` does.
    pub(crate) says_replaced: bool,
    pub(crate) takeovers: usize,
    pub(crate) opened: usize,
    pub(crate) silent: bool,
    pub(crate) down: bool,
    /// Sockets stay open and nothing comes of what is sent on them.
    pub(crate) dead: bool,
}

impl Relay {
    /// Does what all sockets want, until there is nothing more to do.
    pub(crate) fn run(&mut self, bench: &mut Bench) {
        loop {
            bench.pump();
            let mut wanted = Vec::new();
            for (at, side) in bench.sides.iter_mut().enumerate() {
                wanted.extend(side.sockets.drain(..).map(|wanted| (at, wanted)));
            }
            if wanted.is_empty() {
                return;
            }
            for (at, wanted) in wanted {
                self.serve(bench, at, wanted);
            }
        }
    }

    /// Cuts every socket.
    pub(crate) fn cut(&mut self, bench: &mut Bench) {
        for (at, socket, _) in std::mem::take(&mut self.registered).into_values() {
            bench.sides[at]
                .endpoint
                .handle_socket_closed(socket, None, bench.now);
        }
    }

    fn serve(&mut self, bench: &mut Bench, at: usize, wanted: SocketDo) {
        let now = bench.now;
        match wanted {
            SocketDo::Open(socket, _) if self.down => {
                bench.sides[at]
                    .endpoint
                    .handle_socket_closed(socket, None, now);
            }
            SocketDo::Open(socket, url) => {
                self.opened += 1;
                let parameter = |name: &str| {
                    let from = url.find(&format!("&{name}=")).unwrap() + name.len() + 2;
                    url[from..].split('&').next().unwrap().to_owned()
                };
                let (id, token) = (parameter("id"), parameter("token"));
                let endpoint = &mut bench.sides[at].endpoint;
                endpoint.handle_socket_open(socket, now);
                match self.registered.get(&id) {
                    Some((.., other)) if *other != token => {
                        endpoint.handle_socket_text(socket, r#"{"type":"ID-TAKEN"}"#, now);
                        return;
                    }
                    // A takeover is answered with nothing.
                    Some((holder, old, _)) => {
                        self.takeovers += 1;
                        let (holder, old) = (*holder, *old);
                        if self.says_replaced {
                            let endpoint = &mut bench.sides[holder].endpoint;
                            endpoint.handle_socket_closed(old, Some(4001), now);
                        } else {
                            self.replaced.insert((holder, old), id.clone());
                        }
                    }
                    None if self.kept.as_ref().is_some_and(|kept| *kept != token) => {
                        let kept = r#"{"type":"ID-TAKEN","payload":{"msg":"","kept":true}}"#;
                        endpoint.handle_socket_text(socket, kept, now);
                        return;
                    }
                    None if self.silent => {}
                    None => endpoint.handle_socket_text(socket, r#"{"type":"OPEN"}"#, now),
                }
                self.registered.insert(id, (at, socket, token));
            }
            SocketDo::Send(..) if self.dead => {}
            SocketDo::Send(socket, text) => {
                let mut holders = self.registered.iter();
                let holds = holders.find(|(_, (holder, s, _))| (*holder, *s) == (at, socket));
                let replaced = || self.replaced.get(&(at, socket));
                let Some(src) = holds.map(|(id, _)| id).or_else(replaced) else {
                    return;
                };
                let mut message: Value = serde_json::from_str(&text).unwrap();
                message["src"] = src.as_str().into();
                let Some(dst) = message["dst"].as_str() else {
                    return;
                };
                match self.registered.get(dst) {
                    Some((to, socket, _)) => {
                        let endpoint = &mut bench.sides[*to].endpoint;
                        endpoint.handle_socket_text(*socket, &message.to_string(), now);
                    }
                    None => {
                        let expire = format!(r#"{{"type":"EXPIRE","src":"{dst}"}}"#);
                        bench.sides[at]
                            .endpoint
                            .handle_socket_text(socket, &expire, now);
                    }
                }
            }
            // Nobody hears it.
            SocketDo::Close(_) if self.dead => {}
            SocketDo::Close(socket) => {
                self.replaced.remove(&(at, socket));
                self.registered
                    .retain(|_, (holder, s, _)| (*holder, *s) != (at, socket));
            }
        }
    }
}
