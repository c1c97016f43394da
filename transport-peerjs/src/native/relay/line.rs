//! The sockets to TURN servers, by UDP, TCP and TLS.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use turn_client_proto::types::TurnCredentials;

use super::Plan;
use crate::config::IceServer;
use crate::ice::IceUrl;

/// Most servers that are tried.
const MAX_SERVERS: usize = 8;

/// The time for which a server by TCP may not read.
const STUCK: Duration = Duration::from_secs(10);

/// A server, and what it wants to be shown.
#[derive(Clone)]
pub(in crate::native) struct TurnServer {
    host: String,
    port: u16,
    pub(super) by_tcp: bool,
    is_secure: bool,
    pub(super) credentials: TurnCredentials,
}

impl TurnServer {
    /// The servers of a list, in the order in which they are tried: UDP is the quicker way, and
    /// where it is blocked, TCP may not be.
    pub(in crate::native) fn all(servers: &[IceServer]) -> Vec<Self> {
        let mut all: Vec<_> = servers.iter().flat_map(Self::of).collect();
        all.sort_by_key(|server| (server.by_tcp, server.is_secure));
        all.truncate(MAX_SERVERS);
        all
    }

    fn of(server: &IceServer) -> impl Iterator<Item = Self> {
        let credentials = server.username.as_deref().zip(server.credential.as_deref());
        let urls = server.urls.iter().filter_map(|url| IceUrl::read(url).ok());
        urls.filter_map(move |url| {
            let (username, password) = credentials?;
            let by_tcp = url.by_tcp.unwrap_or(url.is_secure);
            // There is no DTLS to servers.
            let is_known = url.is_turn && (by_tcp || !url.is_secure);
            is_known.then(|| Self {
                host: url.host,
                port: url
                    .port
                    .unwrap_or(if url.is_secure { 5_349 } else { 3_478 }),
                by_tcp,
                is_secure: url.is_secure,
                credentials: TurnCredentials::new(username, password),
            })
        })
    }
}

/// True if one of the servers is reached by TLS.
pub(in crate::native) fn need_tls(servers: &[IceServer]) -> bool {
    TurnServer::all(servers)
        .iter()
        .any(|server| server.is_secure)
}

/// A socket to a server.
pub(super) enum Line {
    Udp(UdpSocket),
    Stream(ReadHalf<Box<dyn Stream>>, WriteHalf<Box<dyn Stream>>),
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Line {
    /// A socket, its own address, and the server's.
    pub(super) async fn connect(
        server: &TurnServer,
        plan: &Plan,
    ) -> Option<(Self, SocketAddr, SocketAddr)> {
        let found = lookup_host((&*server.host, server.port)).await.ok()?;
        let mut last = None;
        for remote in found {
            last = Self::connect_to(remote, server, plan).await;
            if last.is_some() {
                break;
            }
        }
        last
    }

    async fn connect_to(
        remote: SocketAddr,
        server: &TurnServer,
        plan: &Plan,
    ) -> Option<(Self, SocketAddr, SocketAddr)> {
        if !server.by_tcp {
            let own = plan.own.iter().find(|ip| ip.is_ipv4() == remote.is_ipv4());
            let any = match remote {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let own = own.copied().unwrap_or(any);
            let socket = UdpSocket::bind((own, 0)).await.ok()?;
            socket.connect(remote).await.ok()?;
            let local = socket.local_addr().ok()?;
            return Some((Self::Udp(socket), local, remote));
        }
        let stream = TcpStream::connect(remote).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let local = stream.local_addr().ok()?;
        let stream: Box<dyn Stream> = if server.is_secure {
            let name = ServerName::try_from(server.host.clone()).ok()?;
            let connector = TlsConnector::from(plan.tls.clone()?);
            Box::new(connector.connect(name, stream).await.ok()?)
        } else {
            Box::new(stream)
        };
        let (reader, writer) = split(stream);
        Some((Self::Stream(reader, writer), local, remote))
    }

    /// The number of bytes that came. Can be given up and begun again.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self {
            // An error of a datagram is one of those that were sent before.
            Self::Udp(socket) => Some(socket.recv(buffer).await.unwrap_or(0)),
            Self::Stream(reader, _) => reader.read(buffer).await.ok().filter(|count| *count > 0),
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        match self {
            Self::Udp(socket) => {
                let _ = socket.send(bytes).await;
                Some(())
            }
            Self::Stream(_, writer) => {
                let written = timeout(STUCK, writer.write_all(bytes)).await;
                written.ok()?.ok()
            }
        }
    }
}
