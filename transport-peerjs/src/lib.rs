//! PeerJS's wire protocol: links between peers that any PeerServer can introduce to each other, and
//! that stock PeerJS pages can join.
//!
//! [`wire`] is the core: an [`Endpoint`](wire::Endpoint) registers an address with the signalling
//! server, stays registered, dials, answers, and makes frames of what comes on the data channels.
//! It is a machine without I/O, clock or randomness: a backend opens the sockets and peer
//! connections that it asks for, and tells it what happened. The same source compiles natively and
//! for the browser.
//!
//! In a browser `PeerJs` is that backend, and the
//! [`Transport`](hustings_room::transport::Transport) of `hustings-room` on the page's own
//! WebSocket and WebRTC.
//!
//! With the feature `broker` there is also `broker`, a small signalling server in place of the
//! PeerServer, as a library and as the program `hustings-broker`.
//!
//! # What it never does
//!
//! - trust anybody. An id is whatever the server says; who the other side is, only the handshake of
//!   `hustings-room` shows, for which a link comes with the certificates of both ends.
//! - send a link's frames by the server: it sees descriptions and addresses, never a vote.
//! - grow with what strangers send: everything they can cause has a bound in [`WireLimits`].
//! - panic over what it is sent, or wait for it for ever: every attempt ends by itself.
//! - lose or reorder frames of a link that is up. Lossy channels are refused.
//!
//! # A dial, as a backend sees it
//!
//! ```
//! use hustings_protocol::{Address, DeviceId, PeerId};
//! use hustings_room::{LinkId, Moment};
//! use hustings_transport_peerjs::wire::{Endpoint, Output, RtcAction};
//! use hustings_transport_peerjs::{Config, Token};
//!
//! let (owner, device) = (PeerId::from_bytes([1; 32]), DeviceId::from_bytes([3; 5]));
//! let me = Address::Participant(PeerId::from_bytes([2; 32]), device);
//! let token = Token::from_random([4; 20]); // in earnest: random, and kept with the identity
//! let seed = [5; 32]; // in earnest: random
//! let now = Moment::START;
//! let mut endpoint = Endpoint::new(&Config::default(), &me, &token, seed, now)?;
//! endpoint.dial(LinkId::dialled(1), &Address::Owner(owner), now);
//!
//! let (mut sent, mut events) = (Vec::new(), Vec::new());
//! while let Some(output) = endpoint.poll_output() {
//!     match output {
//!         Output::OpenSocket { socket, url } => {
//!             assert!(url.starts_with("ws://localhost:9000/peerjs?key=peerjs&id="));
//!             // A backend opens it. Once it is open, and once the server has answered:
//!             endpoint.handle_socket_open(socket, now);
//!             endpoint.handle_socket_text(socket, r#"{"type":"OPEN"}"#, now);
//!         }
//!         Output::SendSocket { text, .. } => sent.push(text),
//!         Output::Rtc { rtc, action: RtcAction::CreateOffer { .. } } => {
//!             // A backend makes a peer connection with a channel, and describes it:
//!             let fingerprint = ["AB"; 32].join(":");
//!             let sdp = format!("v=0\r\na=fingerprint:sha-256 {fingerprint}\r\n");
//!             endpoint.handle_description(rtc, sdp, now);
//!         }
//!         Output::Event(event) => events.push(event), // for whoever uses the transport
//!         _ => {}
//!     }
//! }
//! assert_eq!(sent[0], r#"{"type":"HEARTBEAT"}"#);
//! assert!(sent[1].starts_with(r#"{"type":"OFFER""#));
//! # Ok::<(), hustings_transport_peerjs::ConfigError>(())
//! ```
//!
//! # Stock pages
//!
//! A page joins with `peer.connect(owner, { reliable: true, serialization: "raw" })` or with
//! `"json"`. PeerJS's default serialization and its unreliable default are refused, and the reason
//! is a [`Notice`](wire::Notice) for a log. The page's `Peer` has an `error` of the type
//! `peer-unavailable` at once: the message by which it is told has the reason in words, which stock
//! PeerJS does not show.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "broker", not(target_family = "wasm")))]
pub mod broker;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod browser;
mod config;
mod ice;
#[cfg(all(feature = "native", not(target_family = "wasm")))]
mod native;
#[cfg_attr(
    not(all(target_family = "wasm", target_os = "unknown")),
    allow(
        dead_code,
        reason = "a browser uses all of it, a program has no page, and its tests need neither"
    )
)]
mod shell;
mod trace;
pub mod wire;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use browser::{OpenError, PeerJs, Status};
pub use config::{Budget, Config, ConfigError, IceServer, Timing, Token, WireLimits};
pub use ice::IceFault;
#[cfg(all(feature = "native", not(target_family = "wasm")))]
pub use native::{
    Listen, NativeConfig, OpenError, PeerJs, RootCertificate, RootError, SignallingFault, Status,
};

/// The crate's own front page: its code is compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
