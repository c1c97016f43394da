//! Passing datagrams on, from clients to whom they may send to, and back.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::allocation::{Client, Way};
use super::networks::Networks;
use super::replies::{channel_data, indication};
use super::table::Table;

/// The largest datagram that is relayed, in bytes: a packet of an Ethernet, of which WebRTC uses
/// 1,200. A larger one is lost.
pub(crate) const MAX_DATAGRAM: usize = 1_500;

/// The reason why a datagram is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Its peer relays more than it may.
    Rate,
    /// It goes to, or comes from, a network that is not relayed to.
    Network,
    /// Nobody has asked for it.
    Permission,
    /// It is larger than what is relayed.
    Size,
}

impl Lost {
    /// The word under which it is counted.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Network => "network",
            Self::Permission => "permission",
            Self::Size => "size",
        }
    }
}

/// The address that a client sends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Channel(u16),
    Address(SocketAddr),
}

/// The next step of a datagram.
#[derive(Debug)]
pub(crate) enum Step {
    /// Out of this socket, to this address.
    Out(Arc<UdpSocket>, SocketAddr),
    /// To another client of this server's, in these bytes.
    Back(Way, Vec<u8>),
}

impl Table {
    /// A client sends something.
    pub(crate) fn outgoing(
        &mut self,
        client: &Client,
        target: Target,
        data: &[u8],
        networks: &Networks,
        now: Instant,
    ) -> Result<Step, Lost> {
        let living = self.by_client.get(client).filter(|of| of.until > now);
        let allocation = living.ok_or(Lost::Permission)?;
        let to = match target {
            Target::Channel(number) => allocation.permissions.peer(number, now),
            Target::Address(address) => Some(address),
        };
        let to = to.filter(|to| allocation.permissions.has(to.ip(), now));
        let to = to.ok_or(Lost::Permission)?;
        if data.len() > MAX_DATAGRAM {
            return Err(Lost::Size);
        }
        if !self.usage.spend(&allocation.peer, data.len(), now) {
            return Err(Lost::Rate);
        }
        // From one client of this server's to another it goes at once: the outside may not lead
        // back in, and need not be allowed to.
        if let Some(other) = self.by_relayed.get(&to) {
            let (from, other) = (allocation.relayed, *other);
            return self
                .arrive(&other, from, data, now)
                .map(|(way, bytes)| Step::Back(way, bytes));
        }
        if !networks.may_reach(to.ip()) {
            return Err(Lost::Network);
        }
        Ok(Step::Out(Arc::clone(&allocation.socket), to))
    }

    /// Something comes to a client's relayed address from outside.
    pub(crate) fn incoming(
        &mut self,
        client: &Client,
        from: SocketAddr,
        data: &[u8],
        networks: &Networks,
        now: Instant,
    ) -> Result<(Way, Vec<u8>), Lost> {
        if !networks.may_reach(from.ip()) {
            return Err(Lost::Network);
        }
        self.arrive(client, from, data, now)
    }

    fn arrive(
        &mut self,
        client: &Client,
        from: SocketAddr,
        data: &[u8],
        now: Instant,
    ) -> Result<(Way, Vec<u8>), Lost> {
        let living = self.by_client.get(client).filter(|of| of.until > now);
        let allocation = living.ok_or(Lost::Permission)?;
        if !allocation.permissions.has(from.ip(), now) {
            return Err(Lost::Permission);
        }
        if data.len() > MAX_DATAGRAM {
            return Err(Lost::Size);
        }
        if !self.usage.spend(&allocation.peer, data.len(), now) {
            return Err(Lost::Rate);
        }
        let way = allocation.way.clone();
        let bytes = match allocation.permissions.channel(from, now) {
            Some(number) => channel_data(number, data, way.is_stream()),
            None => indication(from, data),
        };
        Ok((way, bytes))
    }
}
