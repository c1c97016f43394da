//! All allocations, by their clients and by the addresses that they relay from.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::time::Instant;

use super::super::pool::{Held, Pool};
use super::allocation::{Allocation, Bounds, Client};
use super::config::TurnLimits;
use super::usage::Usage;

/// The present amounts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TurnAmounts {
    pub(crate) allocations: usize,
    pub(crate) permissions: usize,
    pub(crate) connections: usize,
}

/// The reason why there is no room for an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The peer has as many as it may.
    Quota,
    /// There are as many as there may be, or as many of one network address.
    Full,
}

/// The table of all allocations.
#[derive(Debug)]
pub(crate) struct Table {
    limits: TurnLimits,
    pub(super) by_client: BTreeMap<Client, Allocation>,
    pub(super) by_relayed: BTreeMap<SocketAddr, Client>,
    pub(super) usage: Usage,
    places: Pool,
    permissions: Pool,
}

impl Table {
    pub(crate) fn new(limits: TurnLimits) -> Self {
        Self {
            limits,
            by_client: BTreeMap::new(),
            by_relayed: BTreeMap::new(),
            usage: Usage::new(limits),
            places: Pool::new(limits.max_allocations),
            permissions: Pool::new(limits.max_permissions),
        }
    }

    pub(crate) fn amounts(&self) -> TurnAmounts {
        TurnAmounts {
            allocations: self.by_client.len(),
            permissions: self.permissions.used(),
            connections: 0,
        }
    }

    /// The allocation of a client, unless it is over.
    pub(crate) fn get(&mut self, client: &Client, now: Instant) -> Option<&mut Allocation> {
        let allocation = self.by_client.get_mut(client)?;
        (allocation.until > now).then_some(allocation)
    }

    /// Makes room for an allocation of this peer's. What is granted is to be given to
    /// [`insert`](Self::insert) or to [`give_up`](Self::give_up).
    pub(crate) fn make_room(
        &mut self,
        client: &Client,
        peer: &str,
        now: Instant,
    ) -> Result<(Held, Bounds), NoRoom> {
        let source = client.source();
        let held = self.places.take(source, 1).ok_or(NoRoom::Full)?;
        if !self.usage.add(peer, now) {
            return Err(NoRoom::Quota);
        }
        let bounds = Bounds {
            max: self.limits.max_permissions_each,
            pool: self.permissions.clone(),
            source,
        };
        Ok((held, bounds))
    }

    /// The allocation that there was room for has not come to be.
    pub(crate) fn give_up(&mut self, peer: &str) {
        self.usage.remove(peer);
    }

    pub(crate) fn insert(&mut self, client: Client, allocation: Allocation) {
        self.by_relayed.insert(allocation.relayed, client);
        self.by_client.insert(client, allocation);
    }

    pub(crate) fn remove(&mut self, client: &Client) {
        if let Some(allocation) = self.by_client.remove(client) {
            self.by_relayed.remove(&allocation.relayed);
            self.usage.remove(&allocation.peer);
        }
    }

    /// Removes all of them.
    pub(crate) fn clear(&mut self) {
        while let Some(client) = self.by_client.keys().next().copied() {
            self.remove(&client);
        }
    }

    /// Removes what is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        let over = |(client, allocation): (&Client, &Allocation)| {
            (allocation.until <= now).then_some(*client)
        };
        // Collected first, because each is in two maps.
        let over: Vec<_> = self.by_client.iter().filter_map(over).collect();
        for client in over {
            self.remove(&client);
        }
        for allocation in self.by_client.values_mut() {
            allocation.permissions.forget(now);
        }
        self.usage.forget(now);
    }
}
