//! A server that stood still reads what has waited there: also the requests of sockets that were
//! given up meanwhile, each of which takes the address from the one that is there.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

use std::time::Duration;

use hustings_protocol::{Address, PeerId};
use hustings_room::Moment;
use hustings_transport_peerjs::wire::{Endpoint, Output, RegistrationState, SocketId};
use hustings_transport_peerjs::{Config, Token};

const OPEN: &str = r#"{"type":"OPEN"}"#;
const REPLACED: Option<u16> = Some(4001);
/// Longer than a socket may take to open, and than the wait after that.
const A_WHILE: Duration = Duration::from_secs(45);

struct Side {
    endpoint: Endpoint,
    now: Moment,
    socket: Option<SocketId>,
    state: Option<RegistrationState>,
}

impl Side {
    fn new() -> Self {
        let address = Address::Owner(PeerId::from_bytes([1; 32]));
        let token = Token::new("t0k").unwrap();
        let now = Moment::START;
        let endpoint = Endpoint::new(&Config::default(), &address, &token, [1; 32], now).unwrap();
        let mut side = Self {
            endpoint,
            now,
            socket: None,
            state: None,
        };
        side.pump();
        side
    }

    fn pump(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::OpenSocket { socket, .. } => self.socket = Some(socket),
                Output::Registration(state) => self.state = Some(state),
                Output::SendSocket { .. }
                | Output::CloseSocket { .. }
                | Output::Rtc { .. }
                | Output::IceServers(_)
                | Output::Event(_)
                | Output::Notice(_) => {}
            }
        }
    }

    fn waits(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.pump();
        }
        self.now = end;
    }

    /// The server answers the present socket.
    fn is_answered(&mut self) {
        let socket = self.socket.unwrap();
        self.endpoint.handle_socket_open(socket, self.now);
        self.endpoint.handle_socket_text(socket, OPEN, self.now);
        self.pump();
        assert_eq!(self.state, Some(RegistrationState::Registered));
    }

    fn is_replaced(&mut self) {
        let socket = self.socket.unwrap();
        self.endpoint
            .handle_socket_closed(socket, REPLACED, self.now);
        self.pump();
    }

    /// Goes on as somebody who has not been replaced, and has the address back.
    fn takes_it_back(&mut self) -> bool {
        if self.state != Some(RegistrationState::Connecting) {
            return false;
        }
        self.is_answered();
        true
    }
}

#[test]
fn each_socket_that_was_given_up_may_take_the_address_once() {
    let mut side = Side::new();
    // Not answered, given up and tried again, a few times.
    let first = side.socket;
    while side.socket == first {
        side.waits(Duration::from_millis(100));
    }
    let second = side.socket;
    while side.socket == second {
        side.waits(Duration::from_millis(100));
    }
    side.is_answered();
    for _ in 0..2 {
        side.is_replaced();
        assert!(side.takes_it_back(), "{:?}", side.state);
    }
    // There were no more of them: this one is a copy.
    side.is_replaced();
    assert!(!side.takes_it_back());
    assert!(matches!(
        side.state,
        Some(RegistrationState::Yielded { .. })
    ));
}

#[test]
fn what_was_given_up_long_ago_is_no_excuse_and_there_is_no_end_of_excuses_either() {
    let mut side = Side::new();
    side.waits(A_WHILE);
    side.waits(Duration::from_secs(5));
    side.is_answered_when_it_asks();
    side.waits(Duration::from_secs(601));
    side.is_replaced();
    assert!(!side.takes_it_back(), "{:?}", side.state);

    let mut side = Side::new();
    side.waits(Duration::from_secs(1_800));
    side.is_answered_when_it_asks();
    let mut times = 0;
    loop {
        side.is_replaced();
        if !side.takes_it_back() {
            break;
        }
        times += 1;
    }
    assert_eq!(times, 16);
}

impl Side {
    /// Waits for the next socket, and has it answered.
    fn is_answered_when_it_asks(&mut self) {
        let before = self.socket;
        while self.socket == before || self.state != Some(RegistrationState::Connecting) {
            self.waits(Duration::from_millis(100));
        }
        self.is_answered();
    }
}
