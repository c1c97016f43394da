//! A network between peers and their broker, and between peers: it hears what is said to the
//! broker, leads their datagrams through itself, and breaks off or stands still when told to.
//!
//! A peer is the id that it registers. Each of the addresses that it tells others is replaced by a
//! relay's, which looks like one of a NAT's: what is sent there reaches the peer, and comes from
//! the relay of its sender.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{accept_hdr_async, connect_async};

use crate::doors::Door;

/// Most datagrams that are kept while a way stands still; the others are lost, as in any queue.
const MAX_HELD: usize = 256;

/// The state of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// All that is sent is lost; sockets are cut off, and none is let through.
    Cut,
    /// All that is sent waits.
    Still,
}

/// The network. It ends with this.
pub(crate) struct Network {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
    doors: Vec<AbortHandle>,
}

pub(crate) struct Shared {
    broker: SocketAddr,
    state: Mutex<State>,
    /// Something has changed in the state of a way.
    pub(crate) changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    heard: Vec<String>,
    to_broker: BTreeMap<String, Way>,
    between: BTreeMap<String, Way>,
    /// By the address that is a peer's own.
    relays: BTreeMap<SocketAddr, Relay>,
    /// There are to be no more of them.
    is_over: bool,
    held: Vec<Datagram>,
}

struct Relay {
    of: Option<String>,
    socket: Arc<UdpSocket>,
    reading: AbortHandle,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// A datagram between two own addresses.
struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Network {
    /// A network in front of a broker, with nothing wrong with it.
    pub(crate) async fn start(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            broker,
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut sockets = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                sockets.spawn(Arc::clone(&serving).serve(stream));
                while sockets.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            shared,
            accepting: accepting.abort_handle(),
            doors: Vec::new(),
        }
    }

    /// The address of a peer's own door to a server that relays, by datagrams and by connections.
    pub(crate) async fn door(&mut self, peer: &str, server: SocketAddr) -> SocketAddr {
        let (socket, listener) = loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            // The port may be somebody's by datagrams.
            if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
                break (socket, listener);
            }
        };
        let address = listener.local_addr().unwrap();
        let door = Door {
            network: Arc::clone(&self.shared),
            peer: peer.to_owned(),
            server,
        };
        let datagrams = tokio::spawn(door.clone().datagrams(socket));
        let connections = tokio::spawn(door.connections(listener));
        self.doors
            .extend([datagrams.abort_handle(), connections.abort_handle()]);
        address
    }

    /// The number of offers that peers have made.
    pub(crate) fn dials(&self) -> usize {
        let state = self.shared.state();
        let is_offer = |text: &&String| text.starts_with(r#"{"type":"OFFER""#);
        state.heard.iter().filter(is_offer).count()
    }

    /// Everything that peers have said to the broker.
    pub(crate) fn heard(&self) -> String {
        self.shared.state().heard.join("\n")
    }

    /// Changes the way of a peer to the broker.
    pub(crate) fn to_broker(&self, peer: &str, way: Way) {
        self.shared.state().to_broker.insert(peer.to_owned(), way);
        self.shared.changed.send_replace(());
    }

    /// Changes the way of a peer to all others. What has waited on it goes on.
    pub(crate) fn between(&self, peer: &str, way: Way) {
        let mut state = self.shared.state();
        state.between.insert(peer.to_owned(), way);
        let held = std::mem::take(&mut state.held);
        drop(state);
        self.shared.changed.send_replace(());
        for datagram in held {
            self.shared.forward(datagram);
        }
    }

    /// Every way is open.
    pub(crate) fn mend(&self) {
        let mut state = self.shared.state();
        state.to_broker.clear();
        state.between.clear();
        let held = std::mem::take(&mut state.held);
        drop(state);
        self.shared.changed.send_replace(());
        for datagram in held {
            self.shared.forward(datagram);
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.accepting.abort();
        self.doors.iter().for_each(AbortHandle::abort);
        // They have the network, which has them.
        let mut state = self.shared.state();
        state.is_over = true;
        let relays = std::mem::take(&mut state.relays);
        drop(state);
        drop(relays);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on what a peer and the broker say to each other, until one of them ends it or the
    /// way is cut.
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        // Not even a greeting comes through a way that stands still. Whose it is one cannot know
        // before that.
        let mut changed = self.changed.subscribe();
        while self
            .state()
            .to_broker
            .values()
            .any(|way| *way == Way::Still)
        {
            if changed.changed().await.is_err() {
                return;
            }
        }
        let mut asked = None;
        #[expect(clippy::result_large_err, reason = "the library's callback is so")]
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            asked = Some((
                request.uri().clone(),
                request.headers().get("host").cloned(),
            ));
            Ok(response)
        };
        let Ok(mut peer) = accept_hdr_async(stream, look).await else {
            return;
        };
        let (uri, host) = asked.expect("a request comes before its answer");
        let id = id_in(uri.query().unwrap_or_default());
        if self.way_to_broker(&id) == Way::Cut {
            return;
        }
        let mut request = format!("ws://{}{uri}", self.broker)
            .into_client_request()
            .unwrap();
        if let Some(host) = host {
            // What a client signs has the name in it that it has called.
            request.headers_mut().insert("host", host);
        }
        let Ok((mut broker, _)) = connect_async(request).await else {
            return;
        };
        loop {
            let way = self.way_to_broker(&id);
            if way == Way::Cut {
                return;
            }
            tokio::select! {
                _ = changed.changed() => {}
                said = peer.next(), if way == Way::Open => match said {
                    Some(Ok(Message::Text(text))) => {
                        let text = self.lead_through(&id, text.as_str());
                        if broker.send(Message::text(text)).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(other)) if broker.send(other.clone()).await.is_ok() => {}
                    _ => return,
                },
                said = broker.next(), if way == Way::Open => match said {
                    Some(Ok(said)) if peer.send(said.clone()).await.is_ok() => {}
                    _ => return,
                },
            }
        }
    }

    fn way_to_broker(&self, id: &str) -> Way {
        let state = self.state();
        state.to_broker.get(id).copied().unwrap_or(Way::Open)
    }

    /// The way of a peer to all others.
    pub(crate) fn way_between(&self, id: &str) -> Way {
        let state = self.state();
        state.between.get(id).copied().unwrap_or(Way::Open)
    }

    /// The words of a peer, with relays in place of its addresses.
    fn lead_through(self: &Arc<Self>, id: &str, text: &str) -> String {
        const HOST: &str = "127.0.0.1 ";
        self.state().heard.push(text.to_owned());
        let mut parts = text.split(HOST);
        let mut led = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            led.push_str(HOST);
            let end = part.find(|it: char| !it.is_ascii_digit());
            let (port, rest) = part.split_at(end.unwrap_or(part.len()));
            match port.parse::<u16>() {
                Ok(port) if rest.starts_with(" typ host") => {
                    let own = (Ipv4Addr::LOCALHOST, port).into();
                    let relay = self.relay(own, Some(id)).unwrap_or(own);
                    led.push_str(&relay.port().to_string());
                }
                _ => led.push_str(port),
            }
            led.push_str(rest);
        }
        led
    }

    /// The address of the relay that stands for one's own; none once the network is gone.
    fn relay(self: &Arc<Self>, own: SocketAddr, of: Option<&str>) -> Option<SocketAddr> {
        let mut state = self.state();
        if state.is_over {
            return None;
        }
        let relay = state.relays.entry(own).or_insert_with(|| {
            let socket = StdSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            let socket = Arc::new(UdpSocket::from_std(socket).unwrap());
            let reading = tokio::spawn(Arc::clone(self).read(Arc::clone(&socket), own));
            Relay {
                of: of.map(str::to_owned),
                socket,
                reading: reading.abort_handle(),
            }
        });
        Some(relay.socket.local_addr().unwrap())
    }

    /// Passes on what is sent to a relay to the peer that it stands for.
    async fn read(self: Arc<Self>, socket: Arc<UdpSocket>, to: SocketAddr) {
        let mut buffer = vec![0; 2_048];
        loop {
            // An error is of a datagram that was sent before.
            let Ok((len, from)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            self.relay(from, None);
            self.forward(Datagram {
                from,
                to,
                bytes: buffer[..len].to_vec(),
            });
        }
    }

    fn forward(&self, datagram: Datagram) {
        let mut state = self.state();
        let Datagram { from, to, .. } = datagram;
        let way_of = |own: SocketAddr| {
            let relay = state.relays.get(&own)?;
            state.between.get(relay.of.as_ref()?).copied()
        };
        let ways = [way_of(from), way_of(to)];
        if ways.contains(&Some(Way::Cut)) {
            return;
        }
        if ways.contains(&Some(Way::Still)) {
            if state.held.len() < MAX_HELD {
                state.held.push(datagram);
            }
            return;
        }
        if let Some(relay) = state.relays.get(&from) {
            // What finds no room is lost.
            let _ = relay.socket.try_send_to(&datagram.bytes, to);
        }
    }
}

/// The id that somebody registers.
fn id_in(query: &str) -> String {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let id = pairs.find(|(name, _)| *name == "id");
    id.map(|(_, id)| id.to_owned()).unwrap_or_default()
}
