//! The bytes that each peer relays, and the number of its allocations.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::super::rate::Rate;
use super::config::TurnLimits;

/// The use of all peers that have an allocation, or had one a moment ago.
#[derive(Debug)]
pub(crate) struct Usage {
    limits: TurnLimits,
    of: BTreeMap<String, Use>,
}

#[derive(Debug)]
struct Use {
    allocations: usize,
    rate: Rate,
}

impl Usage {
    pub(crate) fn new(limits: TurnLimits) -> Self {
        let of = BTreeMap::new();
        Self { limits, of }
    }

    /// Counts one more allocation of a peer's. False if it has as many as it may.
    pub(crate) fn add(&mut self, peer: &str, now: Instant) -> bool {
        if let Some(used) = self.of.get_mut(peer) {
            if used.allocations >= self.limits.max_allocations_each {
                return false;
            }
            used.allocations += 1;
            return true;
        }
        // Those who have gone are remembered until they may send a burst again, or going would be a
        // way to. They are no more than all the others.
        if self.of.len() >= self.limits.max_allocations.saturating_mul(2)
            || self.limits.max_allocations_each == 0
        {
            return false;
        }
        let (per_second, burst) = (self.limits.bytes_per_second, self.limits.byte_burst);
        let used = Use {
            allocations: 1,
            rate: Rate::new(per_second, burst, now),
        };
        self.of.insert(peer.to_owned(), used);
        true
    }

    /// One allocation of a peer's is over.
    pub(crate) fn remove(&mut self, peer: &str) {
        if let Some(used) = self.of.get_mut(peer) {
            used.allocations = used.allocations.saturating_sub(1);
        }
    }

    /// True if a peer may relay so many bytes now.
    pub(crate) fn spend(&mut self, peer: &str, bytes: usize, now: Instant) -> bool {
        // There are far fewer than this can count.
        let peers = u32::try_from(self.of.len()).unwrap_or(u32::MAX).max(1);
        let part = f64::from(self.limits.total_bytes_per_second) / f64::from(peers);
        let Some(used) = self.of.get_mut(peer) else {
            return false;
        };
        let per_second = f64::from(self.limits.bytes_per_second).min(part);
        let burst = f64::from(self.limits.byte_burst);
        used.rate.set(per_second, burst);
        // No datagram is as large as what this cannot count.
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        used.rate.try_take(now, bytes)
    }

    /// Forgets who is gone.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.of
            .retain(|_, used| used.allocations > 0 || !used.rate.is_full(now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn usage() -> Usage {
        Usage::new(TurnLimits {
            max_allocations: 2,
            max_allocations_each: 2,
            bytes_per_second: 100,
            byte_burst: 300,
            total_bytes_per_second: 150,
            ..TurnLimits::default()
        })
    }

    #[test]
    fn a_peer_has_so_many_allocations_and_bytes() {
        let start = Instant::now();
        let mut usage = usage();
        let added: Vec<_> = (0..3).map(|_| usage.add("a", start)).collect();
        assert_eq!(added, [true, true, false]);
        usage.remove("a");
        assert!(usage.add("a", start));
        assert!(usage.spend("a", 300, start) && !usage.spend("a", 1, start));
        let later = start + Duration::from_secs(1);
        assert!(usage.spend("a", 100, later) && !usage.spend("a", 1, later));
        assert!(!usage.spend("b", 1, later), "it has none");
    }

    #[test]
    fn peers_share_what_all_may_relay() {
        let start = Instant::now();
        let mut usage = usage();
        assert!(usage.add("a", start) && usage.add("b", start));
        assert!(usage.spend("a", 300, start) && usage.spend("b", 300, start));
        let later = start + Duration::from_secs(1);
        assert!(usage.spend("a", 75, later) && !usage.spend("a", 1, later));
        assert!(usage.spend("b", 75, later));
    }

    #[test]
    fn to_go_and_to_come_back_gives_no_second_burst() {
        let start = Instant::now();
        let mut usage = usage();
        assert!(usage.add("a", start) && usage.spend("a", 300, start));
        usage.remove("a");
        usage.forget(start);
        assert!(usage.add("a", start) && !usage.spend("a", 100, start));
        usage.remove("a");
        usage.forget(start + Duration::from_secs(3));
        assert!(usage.of.is_empty(), "nobody is remembered for long");
    }

    #[test]
    fn those_who_have_gone_are_a_bounded_number() {
        let start = Instant::now();
        let mut usage = usage();
        for peer in ["a", "b", "c", "d"] {
            assert!(usage.add(peer, start) && usage.spend(peer, 200, start));
            usage.remove(peer);
        }
        assert!(!usage.add("e", start));
    }
}
