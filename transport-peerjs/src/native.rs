//! The [`Transport`] of a program: the wire's [`Endpoint`](crate::wire::Endpoint) on tokio's
//! sockets and str0m's WebRTC.
//!
//! The shell that all backends share does it over what a program has (backend): the socket to the
//! signalling server (signalling), sockets for datagrams (udp), a peer connection with its channel
//! (rtc), the connection that a datagram is for (routes), and the moments at which each wants to be
//! heard of (timers). Tasks of the runtime and whoever uses the transport take turns (shared).

mod backend;
mod routes;
mod rtc;
mod shared;
mod signalling;
mod timers;
mod udp;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::clock::SystemClock;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{LinkId, Moment};
use tokio::runtime::Handle;

use crate::config::{Config, ConfigError, Token};
use crate::shell::Shell;
use crate::wire::{Endpoint, RegistrationState};
use backend::Native;
use shared::Shared;
use udp::Port;

pub use udp::Listen;

/// One address on PeerJS's network, from a program.
///
/// It registers at once, keeps itself registered, and goes on without a signalling server for as
/// long as its links last. It works on tasks of the tokio runtime that it is opened in, which needs
/// its I/O and time enabled; whoever uses the transport may be on any thread and executor.
///
/// - A link that is hung up, and every link when this is dropped, first sends what waits on it, for
///   at most [`Timing::linger`](crate::Timing::linger). The id is free at once. A program that is
///   about to end waits for [`Status::gone`] after that.
/// - Any number of peers is served by one UDP socket for each family of addresses. A dial has
///   sockets of its own.
/// - Others are told this machine's own addresses. A peer behind another NAT than this side's is
///   reached if one of the two can be: STUN and TURN servers are not asked yet.
/// - Where a copy of the identity takes the address over, this side leaves it to it
///   ([`RegistrationState::Yielded`]) until [`Status::claim`] is called, or the copy is gone.
/// - A link whose frames are not taken for so long that megabytes of them wait is lost.
///
/// ```no_run
/// use hustings_protocol::{Address, PeerId};
/// use hustings_room::clock::SystemClock;
/// use hustings_transport_peerjs::{Config, Listen, OpenError, PeerJs, Token};
///
/// fn open(me: PeerId, kept_token: Token) -> Result<PeerJs, OpenError> {
///     let config = Config { host: "peers.example.org".into(), ..Config::default() };
///     // The port that the firewall lets in.
///     let listen = Listen { port: 40_000, ..Listen::default() };
///     PeerJs::open_at(&listen, &config, &Address::Owner(me), &kept_token, SystemClock::new())
/// }
/// ```
pub struct PeerJs {
    shared: Arc<Shared>,
}

impl PeerJs {
    /// Begins to register `address` with the signalling server, and to listen at any free port of
    /// this machine's addresses. The moments of [`RegistrationState`] are on `clock`.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a configuration that cannot work, outside of a tokio runtime, or where
    /// there is no socket to be had. A server that is away is not an error: it is tried until it is
    /// there.
    pub fn open(
        config: &Config,
        address: &Address,
        token: &Token,
        clock: SystemClock,
    ) -> Result<Self, OpenError> {
        Self::open_at(&Listen::default(), config, address, token, clock)
    }

    /// The same, at a port and at addresses that one chooses.
    ///
    /// # Errors
    ///
    /// Likewise, and if the port is taken.
    pub fn open_at(
        listen: &Listen,
        config: &Config,
        address: &Address,
        token: &Token,
        clock: SystemClock,
    ) -> Result<Self, OpenError> {
        use hustings_room::clock::Clock;

        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        if config.secure {
            return Err(OpenError::NoTls);
        }
        if config.relay_only {
            return Err(OpenError::NoRelay);
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| OpenError::Randomness(error.to_string()))?;
        let endpoint = Endpoint::new(config, address, token, seed, clock.now())?;
        let port = Port::open(listen.port, &runtime).map_err(|error| OpenError::Port {
            port: listen.port,
            error,
        })?;
        let shared = Shared::new(|reporter| {
            let native = Native::new(config, listen, port, clock, runtime, reporter);
            Shell::new(config.limits, endpoint, native)
        });
        shared.act(Shell::run);
        Ok(Self { shared })
    }

    /// A handle that tells how this side stands with the signalling server, to keep when the
    /// transport goes to a driver.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            shared: Arc::downgrade(&self.shared),
        }
    }
}

impl Transport for PeerJs {
    fn dial(&mut self, link: LinkId, to: &Address) {
        self.shared.act(|shell| shell.dial(link, to));
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        self.shared.act(|shell| shell.send(link, frame))
    }

    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        full: &mut Vec<LinkId>,
    ) {
        let to = links.iter().filter(|link| Some(**link) != except);
        self.shared
            .act(|shell| shell.broadcast(to.copied(), frame, full));
    }

    fn hangup(&mut self, link: LinkId) {
        self.shared.act(|shell| shell.hangup(link));
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.shared.act(|shell| shell.poll_event(cx))
    }
}

impl Drop for PeerJs {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl fmt::Debug for PeerJs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerJs")
            .field("registration", &self.shared.read(Shell::registration))
            .finish_non_exhaustive()
    }
}

/// The state of a [`PeerJs`] with the signalling server, and how much it holds. Links that are up
/// do not depend on the server.
#[derive(Clone)]
pub struct Status {
    shared: Weak<Shared>,
}

impl Status {
    /// The registration; `None` once the transport is gone.
    #[must_use]
    pub fn registration(&self) -> Option<RegistrationState> {
        let shared = self.shared.upgrade()?;
        Some(shared.read(Shell::registration))
    }

    /// Puts this side at its address, also if it has [yielded](RegistrationState::Yielded) it to a
    /// copy of the identity, which yields then.
    pub fn claim(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.act(Shell::claim);
        }
    }

    /// Tries the signalling server now rather than at the end of the wait, for whoever knows that
    /// the network is back. An address that was [yielded](RegistrationState::Yielded) is not taken
    /// back: [`claim`](Self::claim) does that.
    pub fn retry(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.act(Shell::retry);
        }
    }

    /// The moment at which somebody was last refused because there was no room for them, on the
    /// clock that the transport was opened with. They were told so, and may try again.
    #[must_use]
    pub fn turned_away(&self) -> Option<Moment> {
        self.shared.upgrade()?.read(Shell::turned_away)
    }

    /// The number of peer connections, in whatever state.
    #[must_use]
    pub fn connections(&self) -> usize {
        let shared = self.shared.upgrade();
        shared.map_or(0, |shared| shared.read(Shell::connections))
    }

    /// Resolves once the transport was dropped, and its links have sent what waited on them. The
    /// runtime has to go on until then.
    pub fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let gone = self.shared.upgrade().map(|shared| shared.gone());
        async move {
            if let Some(mut gone) = gone {
                // Nothing is ever said on it: it ends.
                while gone.changed().await.is_ok() {}
            }
        }
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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The platform gives no random bytes.
    #[error("no source of random numbers: {0}")]
    Randomness(String),
    /// This is no task of a tokio runtime, and none was entered.
    #[error("not in a tokio runtime, which the transport needs for its tasks")]
    NoRuntime,
    /// The signalling server is to be reached by TLS.
    #[error("a signalling server with TLS cannot be reached by this build")]
    NoTls,
    /// Nothing but TURN servers is to be used.
    #[error("connecting by TURN servers alone is not possible by this build")]
    NoRelay,
    /// There is no UDP socket to be had.
    #[error("cannot listen at UDP port {port}: {error}")]
    Port {
        /// The port; 0 is any.
        port: u16,
        /// The system's reason.
        #[source]
        error: io::Error,
    },
}
