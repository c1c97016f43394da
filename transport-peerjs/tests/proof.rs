//! An endpoint shows whose its address is, to a server that asks, and registers as ever with one
//! that does not.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

use std::time::Duration;

use ed25519_dalek::{SigningKey, VerifyingKey};
use hustings_protocol::handshake::{Nonce, Signature};
use hustings_protocol::{Address, DeviceId, PeerId};
use hustings_room::Moment;
use hustings_transport_peerjs::wire::{Endpoint, Output, RegistrationState, SocketId};
use hustings_transport_peerjs::{Config, ConfigError, Token};

const TOKEN: &str = "t0k";
const HOST: &str = "polls.example:9000";
const OPEN: &str = r#"{"type":"OPEN"}"#;
const HEARTBEAT: &str = r#"{"type":"HEARTBEAT"}"#;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn token() -> Token {
    Token::new(TOKEN).unwrap().with_key(&key())
}

fn address() -> Address {
    Address::Participant(PeerId::of(&key()), DeviceId::from_bytes([1; 5]))
}

fn nonce(n: u8) -> String {
    let nonce = Nonce::from_bytes([n; 32]);
    format!(r#"{{"type":"HUSTINGS-NONCE","payload":{{"nonce":"{nonce}"}}}}"#)
}

fn signs(answer: &str, n: u8) -> bool {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["type"], "HUSTINGS-PROOF");
    assert_eq!(answer["payload"]["host"], HOST);
    let signature: Signature = answer["payload"]["signature"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let (id, nonce) = (
        address().to_string(),
        Nonce::from_bytes([n; 32]).to_string(),
    );
    // As the protocol's description has it, by hand.
    let mut bytes = Vec::new();
    for field in ["hustings/2/registration", &id, TOKEN, &nonce, HOST] {
        bytes.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    let key = VerifyingKey::from_bytes(address().peer().as_bytes()).unwrap();
    key.verify_strict(&bytes, &signature).is_ok()
}

/// An endpoint, and what it has said on its sockets.
struct Side {
    endpoint: Endpoint,
    now: Moment,
    socket: Option<(SocketId, String)>,
    sent: Vec<String>,
    states: Vec<RegistrationState>,
    closed: usize,
}

impl Side {
    fn open(token: &Token) -> Self {
        let config = Config {
            host: "Polls.example".into(),
            ..Config::default()
        };
        let endpoint = Endpoint::new(&config, &address(), token, [1; 32], Moment::START).unwrap();
        let mut side = Self {
            endpoint,
            now: Moment::START,
            socket: None,
            sent: Vec::new(),
            states: Vec::new(),
            closed: 0,
        };
        side.pump();
        side.opened();
        side
    }

    fn socket(&self) -> SocketId {
        self.socket.as_ref().unwrap().0
    }

    fn opened(&mut self) {
        self.endpoint.handle_socket_open(self.socket(), self.now);
        self.pump();
    }

    fn hears(&mut self, text: &str) {
        let socket = self.socket();
        self.endpoint.handle_socket_text(socket, text, self.now);
        self.pump();
    }

    fn waits(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((at, _)) = self.endpoint.poll_timeout()
            && at <= until
        {
            self.now = at;
            self.endpoint.handle_timeout(at);
            self.pump();
        }
        self.now = until;
    }

    fn pump(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::OpenSocket { socket, url } => self.socket = Some((socket, url)),
                Output::SendSocket { text, .. } if text != HEARTBEAT => self.sent.push(text),
                Output::CloseSocket { .. } => self.closed += 1,
                Output::Registration(state) => self.states.push(state),
                Output::SendSocket { .. }
                | Output::IceServers(_)
                | Output::Rtc { .. }
                | Output::Event(_)
                | Output::Notice(_) => {}
            }
        }
    }
}

#[test]
fn it_signs_once_for_a_socket_and_waits_for_the_answer() {
    let mut side = Side::open(&token());
    side.hears(&nonce(1));
    assert_eq!(side.sent.len(), 1);
    assert!(signs(&side.sent[0], 1));
    // Somebody else's nonce would be as good.
    side.hears(&nonce(2));
    assert_eq!(side.sent.len(), 1);
    side.waits(Duration::from_secs(5));
    assert!(!side.endpoint.is_registered(), "silence is no yes");
    side.hears(OPEN);
    assert!(side.endpoint.is_registered());
    assert_eq!(side.closed, 0);
}

#[test]
fn a_server_that_does_not_ask_registers_as_ever() {
    for answer in [Some(OPEN), None] {
        let mut side = Side::open(&token());
        let (_, url) = side.socket.as_ref().unwrap();
        assert!(url.ends_with("&version=1.5.5&ice=1&proof=ed25519"), "{url}");
        match answer {
            Some(answer) => side.hears(answer),
            // It says nothing to whoever takes over.
            None => side.waits(Duration::from_secs(1)),
        }
        assert!(side.endpoint.is_registered());
        assert!(!side.sent.iter().any(|text| text.contains("PROOF")));
    }
}

#[test]
fn a_question_that_comes_late_is_answered() {
    let mut side = Side::open(&token());
    side.waits(Duration::from_secs(1));
    assert!(side.endpoint.is_registered());
    side.hears(&nonce(1));
    assert!(signs(side.sent.last().unwrap(), 1));
    assert!(!side.endpoint.is_registered());
    side.hears(OPEN);
    assert!(side.endpoint.is_registered());
    // It says so meanwhile.
    let (connecting, registered) = (RegistrationState::Connecting, RegistrationState::Registered);
    let told = [&connecting, &registered, &connecting, &registered];
    assert_eq!(side.states.iter().collect::<Vec<_>>(), told);
}

#[test]
fn a_server_that_asks_and_says_nothing_more_is_tried_again() {
    let mut side = Side::open(&token());
    side.hears(&nonce(1));
    let first = side.socket();
    side.waits(Duration::from_secs(12));
    assert_ne!(side.socket(), first);
    assert!(!side.endpoint.is_registered());
    side.opened();
    side.hears(&nonce(2));
    assert!(signs(&side.sent[1], 2), "another socket, another signature");
    side.hears(OPEN);
    assert!(side.endpoint.is_registered());
}

#[test]
fn a_taken_id_is_waited_for_after_a_proof_as_before() {
    let mut side = Side::open(&token());
    side.hears(&nonce(1));
    side.hears(r#"{"type":"ID-TAKEN"}"#);
    assert!(matches!(
        side.states.last(),
        Some(RegistrationState::AddressTaken { .. })
    ));
}

#[test]
fn whoever_has_yielded_only_asks_if_the_id_is_free() {
    let mut side = Side::open(&token());
    side.hears(OPEN);
    let (socket, now) = (side.socket(), side.now);
    side.endpoint.handle_socket_closed(socket, Some(4001), now);
    side.pump();
    side.waits(Duration::from_secs(61));
    let (asking, url) = side.socket.clone().unwrap();
    assert_ne!(asking, socket);
    // With a token of nobody's, for servers that register it.
    assert!(url.ends_with("&probe=1"), "{url}");
    assert!(!url.contains(TOKEN) && !url.contains("proof="), "{url}");
}

#[test]
fn nobody_but_the_server_says_what_is_signed() {
    let mut side = Side::open(&token());
    let foreign = nonce(1).replacen('{', r#"{"src":"somebody","#, 1);
    side.hears(&foreign);
    side.hears(r#"{"type":"HUSTINGS-NONCE","payload":{"nonce":"short"}}"#);
    side.hears(r#"{"type":"HUSTINGS-NONCE"}"#);
    assert_eq!(side.sent, [""; 0]);
}

#[test]
fn without_a_key_it_neither_offers_a_proof_nor_gives_one() {
    let mut side = Side::open(&Token::new(TOKEN).unwrap());
    let (_, url) = side.socket.as_ref().unwrap();
    assert!(!url.contains("proof"), "{url}");
    side.hears(&nonce(1));
    assert_eq!(side.sent, [""; 0]);
    side.hears(OPEN);
    assert!(side.endpoint.is_registered());
}

#[test]
fn a_key_that_is_not_the_addresss_is_refused() {
    let other = token().with_key(&SigningKey::from_bytes(&[8; 32]));
    let config = Config::default();
    let made = Endpoint::new(&config, &address(), &other, [1; 32], Moment::START);
    assert_eq!(made.map(|_| ()), Err(ConfigError::ForeignKey));
    assert!(!format!("{:?}", token()).contains(TOKEN));
}
