//! The [`Transport`] in a browser: the wire's [`Endpoint`](crate::wire::Endpoint) on the page's own
//! `WebSocket` and `RTCPeerConnection`.
//!
//! What is where: who holds the machine and does what it says (shell), the events that wait for the
//! driver (inbox), the socket to the signalling server (socket), one peer connection with its channel
//! (connection), a count in it that stands still (stalls), what the page says of itself (page), and how one
//! listens (listener) and waits (timer).

mod connection;
mod inbox;
mod listener;
mod page;
mod shell;
mod socket;
mod stalls;
mod timer;

use std::fmt;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::LinkId;
use hustings_room::clock::SystemClock;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};

use crate::config::{Config, ConfigError, Token};
use crate::wire::{Endpoint, RegistrationState};
use shell::Shell;

/// One address on PeerJS's network, from a page.
///
/// It works in a window; workers have no WebRTC. It registers at once, keeps itself registered, and
/// goes on without a signalling server for as long as its links last.
///
/// - A link that is hung up, and every link when this is dropped, first sends what waits on it, for at
///   most [`Timing::linger`](crate::Timing::linger). The id is free at once.
/// - When the page goes away every link is closed, so that the others need not find out for
///   themselves. A page that comes back from the back/forward cache finds its links lost, and dials
///   anew.
/// - `online`, and the page being visible again, are a [`Wake`](TransportEvent::Wake).
/// - A link whose frames are not taken for so long that megabytes of them wait is lost.
///
/// ```no_run
/// use hustings_protocol::{Address, PeerId};
/// use hustings_room::clock::SystemClock;
/// use hustings_transport_peerjs::{Config, OpenError, PeerJs, Token};
///
/// fn open(me: PeerId, kept_token: Token) -> Result<PeerJs, OpenError> {
///     let config = Config {
///         host: "peers.example.org".into(),
///         port: 443,
///         secure: true,
///         ..Config::default()
///     };
///     PeerJs::open(&config, &Address::Owner(me), &kept_token, SystemClock::new())
/// }
/// ```
pub struct PeerJs {
    shell: Rc<Shell>,
}

impl PeerJs {
    /// Begins to register `address` with the signalling server. The moments of
    /// [`RegistrationState`] are on `clock`.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a configuration that cannot work, or outside of a window. A server that is
    /// away is not an error: it is tried until it is there.
    pub fn open(
        config: &Config,
        address: &Address,
        token: &Token,
        clock: SystemClock,
    ) -> Result<Self, OpenError> {
        use hustings_room::clock::Clock;

        let window = web_sys::window().ok_or(OpenError::NoWindow)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| OpenError::Randomness(error.to_string()))?;
        let endpoint = Endpoint::new(config, address, token, seed, clock.now())?;
        let shell = Shell::new(config, endpoint, window, clock);
        shell.run();
        Ok(Self { shell })
    }

    /// A handle that tells how this side stands with the signalling server, to keep when the
    /// transport goes to a driver.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            shell: Rc::downgrade(&self.shell),
        }
    }
}

impl Transport for PeerJs {
    fn dial(&mut self, link: LinkId, to: &Address) {
        self.shell.dial(link, to);
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        self.shell.send(link, frame)
    }

    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        full: &mut Vec<LinkId>,
    ) {
        let to = links.iter().filter(|link| Some(**link) != except);
        self.shell.broadcast(to.copied(), frame, full);
    }

    fn hangup(&mut self, link: LinkId) {
        self.shell.hangup(link);
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.shell.poll_event(cx)
    }
}

impl Drop for PeerJs {
    fn drop(&mut self) {
        self.shell.leave();
    }
}

impl fmt::Debug for PeerJs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerJs")
            .field("registration", &self.shell.registration())
            .finish_non_exhaustive()
    }
}

/// How a [`PeerJs`] stands with the signalling server, and how much it holds. Links that are up do not
/// depend on the server.
#[derive(Clone)]
pub struct Status {
    shell: Weak<Shell>,
}

impl Status {
    /// The registration; `None` once the transport is gone.
    #[must_use]
    pub fn registration(&self) -> Option<RegistrationState> {
        self.shell.upgrade().map(|shell| shell.registration())
    }

    /// How many peer connections there are, in whatever state. A browser allows a page some 500.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shell.upgrade().map_or(0, |shell| shell.connections())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status")
            .field("registration", &self.registration())
            .field("connections", &self.connections())
            .finish()
    }
}

/// Why a transport could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The platform gives no random bytes.
    #[error("there is no source of randomness: {0}")]
    Randomness(String),
    /// This runs in a worker, or in no browser.
    #[error("WebRTC works in a window only")]
    NoWindow,
}

/// What a browser has thrown, for people.
fn thrown(value: &wasm_bindgen::JsValue) -> String {
    use wasm_bindgen::JsCast;

    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.to_string()),
        None => format!("{value:?}"),
    }
}
