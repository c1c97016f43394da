//! The last datagrams of a connection, sent again for a while.
//!
//! They say that it is over, and nobody answers them: one that was lost left the other side waiting
//! for half a minute. Whoever has had them already takes their copies for nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::relay::Relay;
use super::udp::Port;

/// The times after which they are sent again, each after the one before it. Losses come in bursts,
/// as where a phone changes its cell.
const AGAIN: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// Most datagrams of one connection. There are two: of SCTP and of DTLS.
const MAX_DATAGRAMS: usize = 8;

/// Most connections that say goodbye at a time. Those beyond have said so once.
const MAX_AT_A_TIME: usize = 1_024;

/// The datagrams, with the addresses that they go from and to.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    datagrams: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
}

/// The ways that a connection's datagrams may go.
pub(super) struct Ways {
    pub(super) port: Arc<Port>,
    pub(super) relay: Option<(SocketAddr, Arc<Relay>)>,
}

impl Ways {
    fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        match &self.relay {
            Some((address, relay)) if *address == from => relay.send(to, bytes),
            Some(_) | None => self.port.send(Some(from.ip()), to, bytes),
        }
    }
}

impl Farewell {
    /// One more datagram was sent.
    pub(super) fn add(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if self.datagrams.len() < MAX_DATAGRAMS {
            self.datagrams.push((from, to, bytes.to_vec()));
        }
    }

    /// Sends them again on a task of the runtime, which has its share in `present` until that is
    /// done. Without one it is too late.
    pub(super) fn repeat(self, ways: Ways, runtime: &Handle, present: Option<watch::Sender<()>>) {
        let Some(present) = present else {
            return;
        };
        if self.datagrams.is_empty() || present.sender_count() > MAX_AT_A_TIME {
            return;
        }
        runtime.spawn(async move {
            for delay in AGAIN {
                sleep(delay).await;
                for (from, to, bytes) in &self.datagrams {
                    ways.send(*from, *to, bytes);
                }
            }
            drop(present);
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn each_is_sent_again_in_its_order_and_nothing_is_left() {
        let (other, runtime) = (
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            Handle::current(),
        );
        let to = other.local_addr().unwrap();
        let port = Arc::new(Port::open(0, &runtime).unwrap());
        let from: SocketAddr = ([127, 0, 0, 1], 0).into();
        let mut farewell = Farewell::default();
        for number in 0..100 {
            farewell.add(from, to, &[number]);
        }
        let present = watch::Sender::new(());
        let mut gone = present.subscribe();
        let ways = Ways { port, relay: None };
        farewell.repeat(ways, &runtime, Some(present));
        let mut came = Vec::new();
        while came.len() < AGAIN.len() * MAX_DATAGRAMS {
            let mut datagram = [0; 8];
            let received = timeout(Duration::from_secs(30), other.recv(&mut datagram)).await;
            assert_eq!(received.unwrap().unwrap(), 1);
            came.push(datagram[0]);
        }
        let once: Vec<_> = (0..8).collect();
        assert_eq!(came, once.repeat(AGAIN.len()));
        assert!(gone.changed().await.is_err());
    }

    #[tokio::test]
    async fn nothing_is_kept_where_there_is_nothing_to_say() {
        let runtime = Handle::current();
        let ways = Ways {
            port: Arc::new(Port::open(0, &runtime).unwrap()),
            relay: None,
        };
        let present = watch::Sender::new(());
        Farewell::default().repeat(ways, &runtime, Some(present.clone()));
        assert_eq!(present.sender_count(), 1);
    }
}
