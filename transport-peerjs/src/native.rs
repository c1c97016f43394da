//! The [`Transport`] of a program: the wire's [`Endpoint`](crate::wire::Endpoint) on tokio's
//! sockets and str0m's WebRTC.
//!
//! The shell that all backends share does it over what a program has (backend): the socket to the
//! signalling server (signalling, by tls), sockets for datagrams (udp) and those that wait
//! (arrivals), a peer connection with its channel (rtc), the connection that a datagram is for
//! (routes), the moments at which each wants to be heard of (timers), how others reach this side
//! from outside (outside), which STUN servers say (reflexive), and addresses at TURN servers for
//! those whom nothing else leads to (relays, of which each is a relay). What went by an address
//! that is gone ends (moving). What a connection says last is said again (farewell). Tasks of the
//! runtime and whoever uses the transport take turns (shared).

mod arrivals;
mod backend;
mod farewell;
mod moving;
mod outside;
mod reflexive;
mod relay;
mod relays;
mod routes;
mod rtc;
mod shared;
mod signalling;
mod timers;
mod tls;
mod udp;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
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
use crate::trace::trace;
use crate::wire::{Endpoint, RegistrationState};
use backend::Native;
use shared::Shared;
use udp::Port;

pub use signalling::SignallingFault;
pub use tls::{RootCertificate, RootError};
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
/// - Others are told this machine's own addresses, and those at which the STUN servers of
///   [`Config::ice_servers`] see it. A link that is not there after a second is relayed by one of
///   the TURN servers there, if that helps: they are tried one after the other, first by UDP.
/// - Where a copy of the identity takes the address over, this side leaves it to it
///   ([`RegistrationState::Yielded`]) until [`Status::claim`] is called, or the copy is gone.
/// - When this machine loses an address, as where it goes from one network to another, the links
///   that went by it end within 3 s.
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
        let native = NativeConfig {
            listen: listen.clone(),
            ..NativeConfig::default()
        };
        Self::open_with(&native, config, address, token, clock)
    }

    /// The same, with all the settings that only a program has.
    ///
    /// # Errors
    ///
    /// Likewise, and if a server with TLS is to be reached and there is no authority to trust.
    pub fn open_with(
        native: &NativeConfig,
        config: &Config,
        address: &Address,
        token: &Token,
        clock: SystemClock,
    ) -> Result<Self, OpenError> {
        use hustings_room::clock::Clock;

        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| OpenError::Randomness(error.to_string()))?;
        let endpoint = Endpoint::new(config, address, token, seed, clock.now())?;
        let needs_tls = config.secure || relay::need_tls(&config.ice_servers);
        let tls = needs_tls.then(|| tls::client(&native.roots));
        let tls = tls.transpose()?;
        let listen = &native.listen;
        let port = Port::open(listen.port, &runtime).map_err(|error| OpenError::Port {
            port: listen.port,
            error,
        })?;
        trace! { tracing::info!(peer = %hustings_protocol::Short::of(address), "opened") }
        let shared = Shared::new(|reporter| {
            let native = Native::new(config, listen, port, tls, clock, runtime, reporter);
            Shell::new(config.limits, endpoint, native)
        });
        shared.act(|shell| {
            let native = shell.backend();
            native.look_around();
            native.use_servers(&config.ice_servers);
            shell.run();
        });
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

/// Settings that only a program has: what a page may not choose, its browser does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NativeConfig {
    /// The port and the addresses at which others reach this side.
    pub listen: Listen,
    /// Authorities that may vouch for the signalling server, beside those that the platform
    /// trusts: for a server whose certificate one has signed oneself.
    pub roots: Vec<RootCertificate>,
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
        trace! { tracing::info!("left") }
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

    /// This machine has these addresses from now on, in place of [`Listen::addresses`], for whoever
    /// chose some there or is told by the system. What went by one that is gone ends at once, and
    /// is dialled anew. With an empty list they are those of all interfaces again, which are looked
    /// at every 3 s.
    pub fn set_addresses(&self, addresses: &[IpAddr]) {
        if let Some(shared) = self.shared.upgrade() {
            shared.act(|shell| {
                shell.backend().move_to(addresses.to_vec());
                shell.run();
            });
        }
    }

    /// The moment at which somebody was last refused because there was no room for them, on the
    /// clock that the transport was opened with. They were told so, and may try again.
    #[must_use]
    pub fn turned_away(&self) -> Option<Moment> {
        self.shared.upgrade()?.read(Shell::turned_away)
    }

    /// The reason why the last attempt to reach the signalling server failed; `None` while it is
    /// reached, and before it was tried.
    #[must_use]
    pub fn signalling_fault(&self) -> Option<SignallingFault> {
        let shared = self.shared.upgrade()?;
        shared.act(|shell| shell.backend().signalling_fault().cloned())
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
    /// The signalling server is to be reached by TLS, and nobody could vouch for it.
    #[error(
        "no root certificates, neither this machine's nor given ones, to know the signalling \
         server by: {0}"
    )]
    NoRoots(String),
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
