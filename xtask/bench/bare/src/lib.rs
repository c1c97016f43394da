//! The transport alone in a page, to be compared with stock PeerJS.
//!
//! It does what `stock.html` does with stock PeerJS, with the same messages; the page takes the
//! times.

#![cfg(target_family = "wasm")]

use std::future::poll_fn;

use bytes::Bytes;
use hustings_protocol::{Address, DeviceId, PeerId};
use hustings_room::LinkId;
use hustings_room::clock::SystemClock;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_transport_peerjs::wire::RegistrationState;
use hustings_transport_peerjs::{Config, PeerJs, Status, Token};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

/// The message behind a stream, which comes back when all of it has come.
const END: &[u8] = b"end";

/// The beginning of a message that is to come back.
const ECHO: &[u8] = b"{\"echo\"";

/// One address on PeerJS's network.
#[wasm_bindgen]
pub struct Bare {
    transport: PeerJs,
    status: Status,
    address: Address,
}

#[wasm_bindgen]
impl Bare {
    /// Begins to register an address that nobody has had before, with the signalling server at a
    /// port of this machine.
    ///
    /// # Errors
    ///
    /// The page has no WebRTC or no randomness.
    pub fn open(port: u16) -> Result<Self, JsError> {
        let (mut peer, mut device, mut token) = ([0; 32], [0; 5], [0; 20]);
        for random in [&mut peer[..], &mut device, &mut token] {
            getrandom::fill(random)?;
        }
        let address = Address::Participant(PeerId::from_bytes(peer), DeviceId::from_bytes(device));
        let config = Config {
            host: "127.0.0.1".into(),
            port,
            ice_servers: Vec::new(),
            ..Config::default()
        };
        let token = Token::from_random(token);
        let transport = PeerJs::open(&config, &address, &token, SystemClock::new())?;
        Ok(Self {
            status: transport.status(),
            transport,
            address,
        })
    }

    /// The address.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// True once others can dial it.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn registered(&self) -> bool {
        self.status.registration() == Some(RegistrationState::Registered)
    }

    /// Answers everybody, for as long as the page is there.
    pub fn serve(mut self) {
        spawn_local(async move {
            loop {
                if let TransportEvent::Frame { link, frame } = self.event().await
                    && (frame.starts_with(ECHO) || frame == END)
                {
                    self.transport.send(link, frame);
                }
            }
        });
    }

    /// Dials. Resolves once the link is up.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub async fn dial(&mut self, to: &str) -> Result<(), JsError> {
        let to: Address = to.parse()?;
        self.transport.dial(LINK, &to);
        loop {
            match self.event().await {
                TransportEvent::LinkUp { .. } => return Ok(()),
                TransportEvent::LinkDown { reason, .. } => {
                    return Err(JsError::new(&reason.to_string()));
                }
                TransportEvent::Frame { .. }
                | TransportEvent::Writable { .. }
                | TransportEvent::Wake
                | TransportEvent::Failed(_) => {}
            }
        }
    }

    /// Sends a message and waits for it to come back, so many times.
    #[wasm_bindgen(js_name = roundTrips)]
    pub async fn round_trips(&mut self, count: usize) {
        for number in 0..count {
            self.send(message("echo", number)).await;
            self.frame().await;
        }
    }

    /// Sends so many messages. Resolves once the other side has had all of them.
    pub async fn stream(&mut self, count: usize) {
        for number in 0..count {
            self.send(message("data", number)).await;
        }
        self.send(Bytes::from_static(END)).await;
        self.frame().await;
    }

    /// Closes the link and gives the address back.
    pub fn close(self) {}
}

/// A message of some 200 bytes. It is made with as little ado as a page makes its own: what is
/// compared is how messages are sent.
fn message(kind: &str, number: usize) -> Bytes {
    let mut message = String::with_capacity(256);
    message.push_str("{\"");
    message.push_str(kind);
    message.push_str("\":");
    message.push_str(&number.to_string());
    message.push_str(",\"text\":\"");
    message.extend([TEXT; 7]);
    message.push_str("\"}");
    Vec::from(message).into()
}

/// A seventh of the text of a message.
const TEXT: &str = "xxxxxxxxxxxxxxxxxxxxxxxxx";

/// There is one.
const LINK: LinkId = LinkId::dialled(1);

impl Bare {
    async fn event(&mut self) -> TransportEvent {
        poll_fn(|cx| self.transport.poll_event(cx)).await
    }

    async fn frame(&mut self) -> Bytes {
        loop {
            if let TransportEvent::Frame { frame, .. } = self.event().await {
                return frame;
            }
        }
    }

    async fn send(&mut self, message: Bytes) {
        while self.transport.send(LINK, message.clone()) == SendOutcome::Blocked {
            while !matches!(self.event().await, TransportEvent::Writable { .. }) {}
        }
    }
}
