//! An address at a TURN server, by which others reach this side where nothing else leads to it.
//!
//! A relay is a task with a socket of its own: a server gives one address for each pair of sockets,
//! and what it passes on is not to be taken for what comes by itself. It asks one server after the
//! other until one gives it an address, keeps that, and gives it back when nobody wants it any
//! more.

mod line;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use turn_client_proto::api::{Transmit, TransmitBuild, TurnConfig, TurnEvent, TurnPollRet};
use turn_client_proto::api::{TurnClientApi, TurnRecvRet};
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::{Instant as TurnInstant, TransportType};
use turn_client_proto::udp::TurnClientUdp;

use line::Line;
pub(super) use line::{TurnServer, need_tls};

/// The time for one server to give an address: two round trips, and two or three more by TCP and
/// TLS. The one after it has to have its turn before the dial is given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// The time for a server to say that it has taken an address back. If that is lost, the address
/// ends by itself after ten minutes at most.
const GOODBYE: Duration = Duration::from_secs(1);

/// Most datagrams that wait to be sent. One that finds no room is lost, as any may be.
const MAX_WAITING: usize = 512;

/// Most people's addresses that a relay lets in.
pub(super) const MAX_PERMITTED: usize = 64;

/// Longest message of a server: a datagram, with what is written around it.
const LONGEST: usize = 66_000;

/// The needs of a relay.
#[derive(Clone)]
pub(super) struct Plan {
    /// The servers, and the number of the one to begin with.
    pub(super) servers: Vec<TurnServer>,
    pub(super) first: usize,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The addresses to send from, where they were chosen.
    pub(super) own: Vec<IpAddr>,
}

/// Something that a relay says.
#[derive(Debug)]
pub(super) enum Told {
    /// Others reach this side here. By the server of this number, to which datagrams go by an
    /// address of this machine.
    Open {
        address: SocketAddr,
        server: usize,
        local: IpAddr,
    },
    /// A datagram came from somebody.
    Datagram { source: SocketAddr, bytes: Vec<u8> },
    /// It is over. Nothing follows.
    Over,
}

/// A relay. Dropping it gives its address back.
pub(super) struct Relay {
    permits: mpsc::Sender<IpAddr>,
    datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>,
}

impl Relay {
    /// Begins to ask for one, on a task of the runtime, which has a share in `present` until the
    /// address is given back.
    pub(super) fn open(
        plan: Plan,
        runtime: &Handle,
        present: Option<watch::Sender<()>>,
        tell: impl Fn(Told) + Send + Sync + 'static,
    ) -> Self {
        let (permits, permitted) = mpsc::channel(MAX_PERMITTED);
        let (datagrams, waiting) = mpsc::channel(MAX_WAITING);
        let mut orders = Orders {
            permits: permitted,
            datagrams: waiting,
            permitted: BTreeSet::new(),
        };
        runtime.spawn(async move {
            let over = Over(tell);
            over.serve(&plan, &mut orders).await;
            drop(present);
        });
        Self { permits, datagrams }
    }

    /// Lets somebody in. Of more than [`MAX_PERMITTED`] some are not.
    pub(super) fn permit(&self, ip: IpAddr) {
        let _ = self.permits.try_send(ip);
    }

    /// Sends a datagram by it.
    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let _ = self.datagrams.try_send((to, bytes.to_vec()));
    }
}

/// A request to a relay.
struct Orders {
    permits: mpsc::Receiver<IpAddr>,
    datagrams: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    /// Everybody who is to be let in.
    permitted: BTreeSet<IpAddr>,
}

/// The reason why a server is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody wants the relay any more.
    Unwanted,
    /// It has given no address.
    Refused,
    /// It has given one, and that is gone.
    Lost,
}

/// Tells that all is over when it is, also after a fault in the library that speaks to servers.
struct Over<F: Fn(Told)>(F);

impl<F: Fn(Told)> Drop for Over<F> {
    fn drop(&mut self) {
        (self.0)(Told::Over);
    }
}

impl<F: Fn(Told)> Over<F> {
    async fn serve(&self, plan: &Plan, orders: &mut Orders) {
        let count = plan.servers.len();
        for number in (0..count).map(|step| (plan.first + step) % count) {
            match self.try_server(plan, number, orders).await {
                End::Unwanted | End::Lost => return,
                End::Refused => {}
            }
        }
    }

    async fn try_server(&self, plan: &Plan, number: usize, orders: &mut Orders) -> End {
        let Some(server) = plan.servers.get(number) else {
            return End::Refused;
        };
        let until = Instant::now() + PATIENCE;
        let connected = timeout(PATIENCE, Line::connect(server, plan)).await;
        let Ok(Some((line, local, remote))) = connected else {
            return End::Refused;
        };
        let config = TurnConfig::new(server.credentials.clone());
        let talk = Talk {
            number,
            local,
            remote,
            base: Instant::now(),
            until: Some(until),
            address: None,
            is_leaving: false,
        };
        if server.by_tcp {
            let client = TurnClientTcp::allocate(local, remote, config);
            talk.hold(client, line, orders, &self.0).await
        } else {
            let client = TurnClientUdp::allocate(local, remote, config);
            talk.hold(client, line, orders, &self.0).await
        }
    }
}

/// A conversation with one server.
struct Talk {
    number: usize,
    local: SocketAddr,
    remote: SocketAddr,
    /// The beginning of the library's time.
    base: Instant,
    /// The moment at which it has to have given an address, or to have taken it back.
    until: Option<Instant>,
    address: Option<SocketAddr>,
    is_leaving: bool,
}

impl Talk {
    fn now(&self) -> TurnInstant {
        let nanos = self.base.elapsed().as_nanos();
        TurnInstant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    fn end(&self) -> End {
        match (self.is_leaving, self.address) {
            (true, _) => End::Unwanted,
            (false, Some(_)) => End::Lost,
            (false, None) => End::Refused,
        }
    }

    async fn hold<C: TurnClientApi>(
        mut self,
        mut client: C,
        mut line: Line,
        orders: &mut Orders,
        tell: &impl Fn(Told),
    ) -> End {
        let mut buffer = vec![0; LONGEST];
        loop {
            let Some(due) = self.advance(&mut client, &mut line, orders, tell).await else {
                return self.end();
            };
            let due = self.until.map_or(due, |until| until.min(due));
            tokio::select! {
                permit = orders.permits.recv(), if !self.is_leaving => match permit {
                    Some(ip) => {
                        orders.permitted.insert(ip);
                        self.permit(&mut client, ip);
                    }
                    None => {
                        while let Ok((to, bytes)) = orders.datagrams.try_recv() {
                            self.send(&mut client, &mut line, to, bytes).await;
                        }
                        self.leave(&mut client);
                    }
                },
                datagram = orders.datagrams.recv(), if !self.is_leaving => {
                    if let Some((to, bytes)) = datagram
                        && !self.send(&mut client, &mut line, to, bytes).await
                    {
                        return self.end();
                    }
                }
                count = line.read(&mut buffer) => {
                    let Some(count) = count else {
                        return self.end();
                    };
                    self.receive(&mut client, &buffer[..count], tell);
                }
                () = sleep_until(due.into()) => {
                    if self.until.is_some_and(|until| until <= Instant::now()) {
                        return self.end();
                    }
                }
            }
        }
    }

    /// Does all that follows. Returns the moment at which there is more, or nothing at the end.
    async fn advance<C: TurnClientApi>(
        &mut self,
        client: &mut C,
        line: &mut Line,
        orders: &Orders,
        tell: &impl Fn(Told),
    ) -> Option<Instant> {
        loop {
            let polled = client.poll(self.now());
            while let Some(transmit) = client.poll_transmit(self.now()) {
                line.write(&transmit.data).await?;
            }
            while let Some(event) = client.poll_event() {
                self.heard(client, event, orders, tell)?;
            }
            if self.address.is_some() && client.relayed_addresses().next().is_none() {
                return None;
            }
            match polled {
                TurnPollRet::WaitUntil(at) => {
                    let left = at.saturating_duration_since(self.now());
                    // What was just heard may have made more to say.
                    if let Some(transmit) = client.poll_transmit(self.now()) {
                        line.write(&transmit.data).await?;
                        continue;
                    }
                    // A library that is due all the time must not take the processor.
                    let left = left.clamp(Duration::from_millis(1), Duration::from_secs(3_600));
                    return Some(Instant::now() + left);
                }
                TurnPollRet::Closed => return None,
                // Nobody has asked for such.
                TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {}
            }
        }
    }

    fn heard<C: TurnClientApi>(
        &mut self,
        client: &mut C,
        event: TurnEvent,
        orders: &Orders,
        tell: &impl Fn(Told),
    ) -> Option<()> {
        match event {
            TurnEvent::AllocationCreated(TransportType::Udp, address) if self.address.is_none() => {
                self.address = Some(address);
                if self.is_leaving {
                    self.leave(client);
                    return Some(());
                }
                self.until = None;
                for ip in &orders.permitted {
                    self.permit(client, *ip);
                }
                tell(Told::Open {
                    address,
                    server: self.number,
                    local: self.local.ip(),
                });
            }
            TurnEvent::AllocationCreateFailed(_) => return None,
            // Whoever may not be let in is reached in another way, or not at all.
            TurnEvent::AllocationCreated(..)
            | TurnEvent::PermissionCreated(..)
            | TurnEvent::PermissionCreateFailed(..)
            | TurnEvent::ChannelCreated(..)
            | TurnEvent::ChannelCreateFailed(..)
            | TurnEvent::TcpConnected(_)
            | TurnEvent::TcpConnectFailed(_) => {}
        }
        Some(())
    }

    fn permit<C: TurnClientApi>(&self, client: &mut C, ip: IpAddr) {
        // An address of the other family does not get there.
        let is_reached = |address: SocketAddr| address.is_ipv4() == ip.is_ipv4();
        if self.address.is_some_and(is_reached) {
            let _ = client.create_permission(TransportType::Udp, ip, self.now());
        }
    }

    async fn send<C: TurnClientApi>(
        &self,
        client: &mut C,
        line: &mut Line,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) -> bool {
        // Whoever is not let in yet is not sent to either. It is tried again.
        let sent = client.send_to(TransportType::Udp, to, bytes, self.now());
        match sent.map(|sent| sent.map(TransmitBuild::build)) {
            Ok(Some(transmit)) => line.write(&transmit.data).await.is_some(),
            Ok(None) | Err(_) => true,
        }
    }

    fn receive<C: TurnClientApi>(&self, client: &mut C, bytes: &[u8], tell: &impl Fn(Told)) {
        let (transport, now) = (client.transport(), self.now());
        let came = Transmit::new(bytes, transport, self.remote, self.local);
        if let TurnRecvRet::PeerData(data) = client.recv(came, now) {
            tell(Told::Datagram {
                source: data.peer,
                bytes: data.data().to_vec(),
            });
        }
        while let Some(data) = client.poll_recv(now) {
            tell(Told::Datagram {
                source: data.peer,
                bytes: data.data().to_vec(),
            });
        }
    }

    /// Gives the address back, also one that is still to come.
    fn leave<C: TurnClientApi>(&mut self, client: &mut C) {
        self.is_leaving = true;
        if self.address.is_some() {
            self.until = Some(Instant::now() + GOODBYE);
            // It fails if there is none any more.
            let _ = client.delete(self.now());
        }
    }
}
