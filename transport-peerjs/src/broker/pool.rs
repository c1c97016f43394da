//! A bounded amount that clients share.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The address by which clients are told apart: one of IPv4, or a network of IPv6, whose addresses
/// cost nothing to whoever has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Self(IpAddr::V6(Ipv6Addr::from(network)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// A bounded amount of which nobody takes more than they leave.
///
/// Somebody alone gets half of it, and two who want all of it a third each, with a third to spare:
/// whoever has little always finds room, and whoever has most is the first to be refused. Nothing
/// that was granted has to be taken back for that.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Mutex<Amounts>>);

#[derive(Debug)]
struct Amounts {
    max: usize,
    used: usize,
    by: BTreeMap<Source, usize>,
}

impl Pool {
    pub(crate) fn new(max: usize) -> Self {
        let by = BTreeMap::new();
        Self(Arc::new(Mutex::new(Amounts { max, used: 0, by })))
    }

    fn amounts(&self) -> MutexGuard<'_, Amounts> {
        // Nothing panics between two of its changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an amount, until it is dropped. None if there is no room for it.
    pub(crate) fn take(&self, source: Source, amount: usize) -> Option<Held> {
        let mut amounts = self.amounts();
        let own = amounts.by.get(&source).copied().unwrap_or(0);
        let wanted = own.checked_add(amount)?;
        if wanted > amounts.max.saturating_sub(amounts.used) {
            return None;
        }
        amounts.used += amount;
        amounts.by.insert(source, wanted);
        Some(Held {
            pool: self.clone(),
            source,
            amount,
        })
    }

    /// The amount that is taken.
    pub(crate) fn used(&self) -> usize {
        self.amounts().used
    }
}

/// An amount that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pool: Pool,
    source: Source,
    amount: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut amounts = self.pool.amounts();
        amounts.used -= self.amount;
        let own = amounts.by.remove(&self.source).unwrap_or(0) - self.amount;
        if own > 0 {
            amounts.by.insert(self.source, own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        address
            .parse::<IpAddr>()
            .expect("it is an address of a test")
            .into()
    }

    #[test]
    fn whoever_has_little_finds_room_beside_whoever_wants_all() {
        let pool = Pool::new(100);
        let [a, b, c] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(source);
        let taken = |source| std::iter::from_fn(|| pool.take(source, 1)).collect::<Vec<_>>();
        let of_a = taken(a);
        assert_eq!(of_a.len(), 50);
        let of_b = taken(b);
        assert_eq!(of_b.len(), 25);
        assert!(pool.take(c, 25).is_some());
        assert!(pool.take(a, 1).is_none());
        drop((of_a, of_b));
        assert_eq!(pool.used(), 0);
        assert!(pool.amounts().by.is_empty(), "nobody is remembered");
    }

    #[test]
    fn a_network_of_many_addresses_is_one_client() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:10.0.0.1"), source("10.0.0.1"));
    }
}
