//! The state that all sockets share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::config::BrokerConfig;
use super::pool::Source;
use super::rate::Rate;
use super::realm::Realm;
use super::turn::Issuer;

/// The things that all sockets share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: BrokerConfig,
    /// `config.path` with its slashes.
    pub(crate) path: String,
    realm: Mutex<Realm>,
    /// It hands out TURN servers, if there are any.
    pub(crate) issuer: Option<Issuer>,
    /// Of all peers together, by where they come from.
    rates: Arc<Mutex<Rates>>,
}

impl Shared {
    /// A broker that nobody has come to, at a path with its slashes.
    pub(super) fn new(config: BrokerConfig, path: String, issuer: Option<Issuer>) -> Self {
        Self {
            issuer,
            realm: Mutex::new(Realm::new(&config)),
            rates: Arc::new(Mutex::new(Rates {
                total: config.limits.total_messages_per_second,
                by: BTreeMap::new(),
            })),
            path,
            config,
        }
    }

    /// A lock that a panicking task has left behind is taken over: the realm is consistent after
    /// each of its calls.
    pub(crate) fn realm(&self) -> MutexGuard<'_, Realm> {
        self.realm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of a client in the messages that are taken of all.
    pub(crate) fn share(&self, source: Source, now: Instant) -> Share {
        let rates = Arc::clone(&self.rates);
        let mut locked = rates.lock().unwrap_or_else(PoisonError::into_inner);
        let total = locked.total;
        let of = locked.by.entry(source).or_insert_with(|| OfSource {
            sockets: 0,
            rate: Rate::new(total, total, now),
        });
        of.sockets += 1;
        drop(locked);
        Share { rates, source }
    }
}

/// The rate of all clients, in equal parts for each address that there is a socket of: a flood
/// empties its own part, and somebody alone has everything.
#[derive(Debug)]
struct Rates {
    total: u32,
    by: BTreeMap<Source, OfSource>,
}

#[derive(Debug)]
struct OfSource {
    sockets: usize,
    rate: Rate,
}

/// One socket's way to the part of its client, which ends with the last of them.
#[derive(Debug)]
pub(crate) struct Share {
    rates: Arc<Mutex<Rates>>,
    source: Source,
}

impl Share {
    fn locked(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that a message has to wait because of all that come.
    pub(crate) fn take(&self, now: Instant) -> Duration {
        let mut rates = self.locked();
        // There are no more clients than peers, and those are far fewer than this can count.
        let clients = u32::try_from(rates.by.len()).unwrap_or(u32::MAX).max(1);
        let part = f64::from(rates.total) / f64::from(clients);
        rates.by.get_mut(&self.source).map_or(Duration::ZERO, |of| {
            of.rate.set(part, part);
            of.rate.take(now, 1.0)
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut rates = self.locked();
        if let Some(of) = rates.by.get_mut(&self.source) {
            of.sockets -= 1;
            if of.sockets == 0 {
                rates.by.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_flood_empties_its_own_part_and_no_other() {
        let now = Instant::now();
        let mut config = BrokerConfig::default();
        config.limits.total_messages_per_second = 100;
        let shared = Shared::new(config, "/".into(), None);
        let share = |last| shared.share(IpAddr::from([10, 0, 0, last]).into(), now);
        let (flood, same, other) = (share(1), share(1), share(2));
        for _ in 0..500 {
            flood.take(now);
        }
        assert!(!same.take(now).is_zero(), "it comes from there, too");
        assert!(other.take(now).is_zero());
        drop((flood, same, other));
        assert!(
            shared
                .share(IpAddr::from([10, 0, 0, 1]).into(), now)
                .locked()
                .by
                .len()
                == 1
        );
    }
}
