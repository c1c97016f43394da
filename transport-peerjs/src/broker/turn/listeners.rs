//! The addresses at which clients come, by UDP and by TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::super::metrics::TurnCounts;
use super::allocation::{Client, Way};
use super::config::{Secret, TurnConfig, TurnError};
use super::issue::Issuer;
use super::relay::MAX_DATAGRAM;
use super::server::Server;
use super::table::TurnAmounts;
use super::tcp;

/// The interval at which what is over is looked for.
const TICK: Duration = Duration::from_secs(1);
/// The time before a listener that failed, as without a file descriptor left, is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// Times that a free port is looked for which is free for both transports.
const TRIES: usize = 16;

/// The TURN server of a broker, which listens and does not serve yet.
#[derive(Debug)]
pub(crate) struct Turn {
    server: Arc<Server>,
    listeners: Vec<(Arc<UdpSocket>, TcpListener)>,
    addresses: Vec<SocketAddr>,
}

impl Turn {
    /// Listens. Returns what makes credentials for peers, too. None if there is to be no TURN.
    pub(crate) async fn bind(
        config: &TurnConfig,
        counts: TurnCounts,
    ) -> Result<(Option<Self>, Option<Issuer>), TurnError> {
        config.check()?;
        if !config.is_on() {
            return Ok((None, None));
        }
        let secret = match &config.secret {
            Some(secret) => secret.clone(),
            None => Secret::random()?,
        };
        if config.listen.is_empty() {
            let issuer = Issuer::new(config, secret, None, None);
            return Ok((None, Some(issuer)));
        }
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for address in &config.listen {
            let bound = bind(*address).await;
            let (udp, tcp, local) = bound.map_err(|source| TurnError::Bind {
                address: *address,
                source,
            })?;
            listeners.push((Arc::new(udp), tcp));
            addresses.push(local);
        }
        let server = Server::new(config, secret.clone(), counts, Instant::now())?;
        let at = addresses.first().copied();
        let issuer = Issuer::new(config, secret, at, server.relays_from());
        let server = Arc::new(server);
        let turn = Self {
            server,
            listeners,
            addresses,
        };
        Ok((Some(turn), Some(issuer)))
    }

    /// The addresses that it listens at.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The part of it that is watched.
    pub(crate) fn watched(&self) -> TurnWatched {
        TurnWatched(Arc::clone(&self.server))
    }

    /// Serves until it is [closed](Running::close), or dropped.
    pub(crate) fn serve(self) -> Running {
        let server = self.server;
        for (number, (udp, tcp)) in self.listeners.into_iter().enumerate() {
            server.spawn(take_datagrams(Arc::clone(&server), number, udp));
            server.spawn(take_connections(Arc::clone(&server), number, tcp));
        }
        server.spawn(look_after(Arc::clone(&server)));
        Running(server)
    }
}

/// The amounts of a server, for those who watch over it.
#[derive(Debug, Clone)]
pub(crate) struct TurnWatched(Arc<Server>);

impl TurnWatched {
    pub(crate) fn amounts(&self) -> TurnAmounts {
        self.0.amounts()
    }
}

/// A server that serves.
#[derive(Debug)]
pub(crate) struct Running(Arc<Server>);

impl Running {
    /// Ends all sockets and tasks.
    pub(crate) async fn close(self) {
        self.0.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The tasks have the server, and the server the tasks.
        self.0.abort();
    }
}

async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let mut tries = 1..=TRIES;
    loop {
        let tcp = TcpListener::bind(address).await?;
        let local = tcp.local_addr()?;
        match UdpSocket::bind(local).await {
            Ok(udp) => return Ok((udp, tcp, local)),
            Err(_) if address.port() == 0 && tries.next().is_some() => {}
            Err(error) => return Err(error),
        }
    }
}

async fn take_datagrams(server: Arc<Server>, number: usize, socket: Arc<UdpSocket>) {
    // What is said about a datagram is far shorter than this.
    let mut buffer = vec![0; MAX_DATAGRAM + 512];
    loop {
        // An error is of what was sent before.
        let Ok((length, remote)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let way = Way::Udp(Arc::clone(&socket), remote);
        server.receive(&Client::Udp(number, remote), &way, &buffer[..length]);
    }
}

async fn take_connections(server: Arc<Server>, number: usize, listener: TcpListener) {
    // The numbers of two listeners' connections are apart.
    let mut last = u64::try_from(number).unwrap_or_default() << 48;
    loop {
        let Ok((stream, remote)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        last += 1;
        let client = Client::Tcp(last, remote);
        let Some(held) = server.connections.take(client.source(), 1) else {
            server.crowded();
            continue;
        };
        server.spawn(tcp::serve(Arc::clone(&server), client, stream, held));
    }
}

async fn look_after(server: Arc<Server>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        server.tick(Instant::now());
    }
}
