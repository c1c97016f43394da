//! A user of TURN: `turn-client-proto` with real sockets.
//!
//! By TCP it leaves out what fills a channel's data up to a multiple of four (RFC 8656, 12.5),
//! which browsers and coturn do not, so that is done here.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant as StdInstant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};
use turn_client_proto::api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet};
use turn_client_proto::client::TurnClient;
use turn_client_proto::prelude::*;
use turn_client_proto::stun::Instant;
use turn_client_proto::stun::agent::Transmit;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::{TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use crate::served::PATIENCE;

enum Socket {
    Udp(UdpSocket),
    /// With what has come and is no whole message.
    Tcp(TcpStream, Vec<u8>),
}

/// Takes a whole message from the beginning of what has come.
fn message(came: &mut Vec<u8>) -> Option<Vec<u8>> {
    let [first, _, high, low, ..] = came[..] else {
        return None;
    };
    let body = usize::from(u16::from_be_bytes([high, low]));
    let length = body + if first < 0x40 { 20 } else { 4 };
    let filled = length.next_multiple_of(4);
    (came.len() >= filled).then(|| {
        let mut message: Vec<u8> = came.drain(..filled).collect();
        message.truncate(length);
        message
    })
}

impl Socket {
    async fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Udp(socket) => assert_eq!(socket.send(bytes).await.unwrap(), bytes.len()),
            Self::Tcp(stream, _) => {
                let mut bytes = bytes.to_vec();
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                stream.write_all(&bytes).await.unwrap();
            }
        }
    }

    /// The next message. To stop waiting for it loses nothing.
    async fn receive(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 4_096];
        match self {
            Self::Udp(socket) => {
                let length = socket.recv(&mut buffer).await.unwrap();
                buffer.truncate(length);
                buffer
            }
            Self::Tcp(stream, came) => loop {
                if let Some(message) = message(came) {
                    return message;
                }
                let length = stream.read(&mut buffer).await.unwrap();
                assert!(length > 0, "closed");
                came.extend_from_slice(&buffer[..length]);
            },
        }
    }
}

pub(crate) struct User {
    turn: TurnClient,
    socket: Socket,
    start: StdInstant,
    events: VecDeque<TurnEvent>,
    came: VecDeque<(SocketAddr, Vec<u8>)>,
}

/// The way that a user comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Udp,
    Tcp,
}

impl User {
    /// Asks for an allocation.
    pub(crate) async fn come(by: By, server: SocketAddr, who: &(String, String)) -> Self {
        let config = TurnConfig::new(TurnCredentials::new(&who.0, &who.1));
        let (turn, socket) = match by {
            By::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                socket.connect(server).await.unwrap();
                let local = socket.local_addr().unwrap();
                let turn = TurnClientUdp::allocate(local, server, config);
                (turn.into(), Socket::Udp(socket))
            }
            By::Tcp => {
                let stream = TcpStream::connect(server).await.unwrap();
                let local = stream.local_addr().unwrap();
                let turn = TurnClientTcp::allocate(local, server, config);
                (turn.into(), Socket::Tcp(stream, Vec::new()))
            }
        };
        Self {
            turn,
            socket,
            start: StdInstant::now(),
            events: VecDeque::new(),
            came: VecDeque::new(),
        }
    }

    /// The same, and waits for it.
    pub(crate) async fn allocated(
        by: By,
        server: SocketAddr,
        who: &(String, String),
    ) -> (Self, SocketAddr) {
        let mut user = Self::come(by, server, who).await;
        let relayed = user.relayed().await.expect("an allocation");
        (user, relayed)
    }

    fn now(&self) -> Instant {
        Instant::from_std(self.start)
    }

    /// Waits for the answer: the relayed address, or none.
    pub(crate) async fn relayed(&mut self) -> Option<SocketAddr> {
        match self.event().await {
            TurnEvent::AllocationCreated(TransportType::Udp, relayed) => Some(relayed),
            TurnEvent::AllocationCreateFailed(_) => None,
            other => panic!("{other:?}"),
        }
    }

    async fn event(&mut self) -> TurnEvent {
        self.until("an event", |user| user.events.pop_front()).await
    }

    /// Asks that datagrams of this address pass. True if it is granted.
    pub(crate) async fn permit(&mut self, peer: SocketAddr) -> bool {
        let now = self.now();
        self.turn
            .create_permission(TransportType::Udp, peer.ip(), now)
            .unwrap();
        match self.event().await {
            TurnEvent::PermissionCreated(..) => true,
            TurnEvent::PermissionCreateFailed(..) => false,
            other => panic!("{other:?}"),
        }
    }

    /// Asks for a channel. True if it is granted.
    pub(crate) async fn bind(&mut self, peer: SocketAddr) -> bool {
        let now = self.now();
        self.turn
            .bind_channel(TransportType::Udp, peer, now)
            .unwrap();
        loop {
            match self.event().await {
                TurnEvent::ChannelCreated(..) => return true,
                TurnEvent::ChannelCreateFailed(..) => return false,
                TurnEvent::PermissionCreated(..) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn send(&mut self, to: SocketAddr, data: &[u8]) {
        let now = self.now();
        let sent = self.turn.send_to(TransportType::Udp, to, data, now);
        if let Some(transmit) = sent.unwrap() {
            let bytes = transmit.build().data;
            self.socket.send(&bytes).await;
        }
        self.flush().await;
    }

    /// The next datagram, and where it is from.
    pub(crate) async fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        self.until("a datagram", |user| user.came.pop_front()).await
    }

    /// Gives the allocation back.
    pub(crate) async fn delete(&mut self) {
        let now = self.now();
        self.turn.delete(now).unwrap();
        // Between two requests it waits a little.
        loop {
            if let Some(transmit) = self.turn.poll_transmit(self.now()) {
                return self.socket.send(&transmit.data).await;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends bytes by TCP for which the server closes the connection.
    pub(crate) async fn ends_with(mut self, bytes: &[u8]) {
        let Socket::Tcp(stream, _) = &mut self.socket else {
            panic!("it is not by TCP");
        };
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        // A reset is an end, too.
        let _ = end.expect("it closes");
    }

    async fn flush(&mut self) {
        while let Some(transmit) = self.turn.poll_transmit(self.now()) {
            self.socket.send(&transmit.data).await;
        }
    }

    async fn until<T>(&mut self, what: &str, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        let search = async {
            loop {
                let now = self.now();
                let next = self.turn.poll(now);
                self.flush().await;
                while let Some(event) = self.turn.poll_event() {
                    self.events.push_back(event);
                }
                if let Some(found) = found(self) {
                    return found;
                }
                let wait = match next {
                    TurnPollRet::WaitUntil(at) => at.saturating_duration_since(self.now()),
                    TurnPollRet::Closed => PATIENCE,
                    other => panic!("{other:?}"),
                };
                tokio::select! {
                    bytes = self.socket.receive() => self.take(bytes),
                    () = sleep(wait) => {}
                }
            }
        };
        let found = timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("never {what}"))
    }

    fn take(&mut self, bytes: Vec<u8>) {
        let (from, to) = (self.turn.remote_addr(), self.turn.local_addr());
        let transport = self.turn.transport();
        let now = self.now();
        let transmit = Transmit::new(bytes, transport, from, to);
        if let TurnRecvRet::PeerData(data) = self.turn.recv(transmit, now) {
            self.came.push_back((data.peer, data.data().to_vec()));
        }
    }
}
