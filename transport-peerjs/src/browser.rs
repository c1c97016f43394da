//! The [`Transport`] in a browser: the wire's [`Endpoint`](crate::wire::Endpoint) on the page's own
//! `WebSocket` and `RTCPeerConnection`.
//!
//! The shell that all backends share does it over a page (web): the socket to the signalling server
//! (socket), a peer connection with its channel (peer_connection), those that are closed (collect),
//! the page's own events (page), how one listens (listener) and waits (timer), and the text of what
//! browsers throw (thrown).

mod collect;
mod listener;
mod page;
mod peer_connection;
mod socket;
mod thrown;
mod timer;
mod web;

use std::fmt;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::clock::SystemClock;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{LinkId, Moment};

use crate::config::{Config, ConfigError, Token};
use crate::shell::Shell;
use crate::shell::reentry::Reentrant;
use crate::wire::{Endpoint, RegistrationState};
use web::Web;

/// One address on PeerJS's network, from a page.
///
/// It works in a window; workers have no WebRTC. It registers at once, keeps itself registered, and
/// goes on without a signalling server for as long as its links last.
///
/// - A link that is hung up, and every link when this is dropped, first sends what waits on it, for
///   at most [`Timing::linger`](crate::Timing::linger). The id is free at once.
/// - When the page goes away every link is closed, so that the others need not find out for
///   themselves. A page that comes back from the back/forward cache finds its links lost, and dials
///   anew.
/// - `online`, and the page being visible again, are a [`Wake`](TransportEvent::Wake).
/// - Where a copy of the identity takes the address over, this side leaves it to it
///   ([`RegistrationState::Yielded`]) until the page is visible again, [`Status::claim`] is called,
///   or the copy is gone.
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
    shell: Rc<Reentrant<Web>>,
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
        // Where it is switched off it may be there, as `undefined`.
        let webrtc = js_sys::Reflect::get(&window, &"RTCPeerConnection".into());
        if !webrtc.is_ok_and(|class| class.is_function()) {
            return Err(OpenError::NoWebRtc);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| OpenError::Randomness(error.to_string()))?;
        let endpoint = Endpoint::new(config, address, token, seed, clock.now())?;
        let shell = Reentrant::new(|reporter| {
            let web = Web::new(config, window, clock, reporter);
            Shell::new(config.limits, endpoint, web)
        });
        shell.act(Shell::run);
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
        self.shell.act(|shell| shell.dial(link, to));
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        self.shell.act(|shell| shell.send(link, frame))
    }

    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        full: &mut Vec<LinkId>,
    ) {
        let to = links.iter().filter(|link| Some(**link) != except);
        self.shell
            .act(|shell| shell.broadcast(to.copied(), frame, full));
    }

    fn hangup(&mut self, link: LinkId) {
        self.shell.act(|shell| shell.hangup(link));
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.shell.act(|shell| shell.poll_event(cx))
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
            .field("registration", &self.shell.read(Shell::registration))
            .finish_non_exhaustive()
    }
}

/// The state of a [`PeerJs`] with the signalling server, and how much it holds. Links that are up
/// do not depend on the server.
#[derive(Clone)]
pub struct Status {
    shell: Weak<Reentrant<Web>>,
}

impl Status {
    /// The registration; `None` once the transport is gone.
    #[must_use]
    pub fn registration(&self) -> Option<RegistrationState> {
        let shell = self.shell.upgrade()?;
        Some(shell.read(Shell::registration))
    }

    /// Puts this side at its address, also if it has [yielded](RegistrationState::Yielded) it to a
    /// copy of the identity, which yields then. A page that comes into view does so by itself.
    pub fn claim(&self) {
        if let Some(shell) = self.shell.upgrade() {
            shell.act(Shell::claim);
        }
    }

    /// Tries the signalling server now rather than at the end of the wait, as the page does when
    /// the network is back. An address that was [yielded](RegistrationState::Yielded) is not taken
    /// back: [`claim`](Self::claim) does that.
    pub fn retry(&self) {
        if let Some(shell) = self.shell.upgrade() {
            shell.act(Shell::retry);
        }
    }

    /// The moment at which somebody was last refused because there was no room for them, on the
    /// clock that the transport was opened with. They were told so, and may try again.
    #[must_use]
    pub fn turned_away(&self) -> Option<Moment> {
        self.shell.upgrade()?.read(Shell::turned_away)
    }

    /// The number of peer connections, in whatever state. A browser allows a page some 500.
    #[must_use]
    pub fn connections(&self) -> usize {
        let shell = self.shell.upgrade();
        shell.map_or(0, |shell| shell.read(Shell::connections))
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

/// The reason why a transport could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The platform gives no random bytes.
    #[error("no source of random numbers: {0}")]
    Randomness(String),
    /// This runs in a worker, or in no browser.
    #[error("not in a browser window, and WebRTC is nowhere else")]
    NoWindow,
    /// The window has no `RTCPeerConnection`: it is switched off, or an extension took it away.
    #[error("this browser has no WebRTC (RTCPeerConnection is missing), so nobody can be reached")]
    NoWebRtc,
}
