//! Ways of a peer's own to a server that it relays by: a door that looks like the server, and
//! breaks off or stands still with the peer's other ways.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::network::{Shared, Way};

/// A door of a peer.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) network: Arc<Shared>,
    pub(crate) peer: String,
    pub(crate) server: SocketAddr,
}

impl Door {
    /// The way as it is now; waits while it stands still, as what comes meanwhile does.
    async fn way(&self) -> Way {
        let mut changed = self.network.changed.subscribe();
        loop {
            let way = self.network.way_between(&self.peer);
            if way != Way::Still || changed.changed().await.is_err() {
                return way;
            }
        }
    }

    /// Leads datagrams through. Each of the peer's addresses is another's to the server.
    pub(crate) async fn datagrams(self, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let mut answers = JoinSet::new();
        let mut flows: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
        let mut buffer = vec![0; 2_048];
        loop {
            let Ok((len, from)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            if self.way().await == Way::Cut {
                continue;
            }
            let flow = match flows.get(&from) {
                Some(flow) => flow,
                None => {
                    let flow = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                    let flow = Arc::new(flow);
                    let (door, back) = (self.clone(), Arc::clone(&socket));
                    answers.spawn(door.answers(Arc::clone(&flow), back, from));
                    flows.entry(from).or_insert(flow)
                }
            };
            // What finds no room is lost.
            let _ = flow.try_send_to(&buffer[..len], self.server);
        }
    }

    async fn answers(self, flow: Arc<UdpSocket>, back: Arc<UdpSocket>, to: SocketAddr) {
        let mut buffer = vec![0; 2_048];
        loop {
            let Ok((len, _)) = flow.recv_from(&mut buffer).await else {
                continue;
            };
            if self.way().await == Way::Open {
                let _ = back.try_send_to(&buffer[..len], to);
            }
        }
    }

    /// Leads connections through.
    pub(crate) async fn connections(self, listener: TcpListener) {
        let mut all = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            all.spawn(self.clone().connection(stream));
            while all.try_join_next().is_some() {}
        }
    }

    async fn connection(self, mut peer: TcpStream) {
        let mut changed = self.network.changed.subscribe();
        if self.way().await == Way::Cut {
            return;
        }
        let Ok(mut server) = TcpStream::connect(self.server).await else {
            return;
        };
        let (mut said, mut answered) = (vec![0; 8_192], vec![0; 8_192]);
        while self.way().await == Way::Open {
            tokio::select! {
                _ = changed.changed() => {}
                read = peer.read(&mut said) => match read {
                    Ok(len @ 1..) if server.write_all(&said[..len]).await.is_ok() => {}
                    _ => return,
                },
                read = server.read(&mut answered) => match read {
                    Ok(len @ 1..) if peer.write_all(&answered[..len]).await.is_ok() => {}
                    _ => return,
                },
            }
        }
    }
}
