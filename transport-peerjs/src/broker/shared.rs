//! The state that all sockets share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::config::BrokerConfig;
use super::rate::Rate;
use super::realm::Realm;

/// The things that all sockets share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: BrokerConfig,
    /// `config.path` with its slashes.
    pub(crate) path: String,
    realm: Mutex<Realm>,
    /// Of all peers together.
    rate: Mutex<Rate>,
}

impl Shared {
    /// A broker that nobody has come to, at a path with its slashes.
    pub(super) fn new(config: BrokerConfig, path: String, now: Instant) -> Self {
        let per_second = config.limits.total_messages_per_second;
        Self {
            realm: Mutex::new(Realm::new(&config)),
            rate: Mutex::new(Rate::new(per_second, per_second, now)),
            path,
            config,
        }
    }

    /// A lock that a panicking task has left behind is taken over: the realm is consistent after
    /// each of its calls.
    pub(crate) fn realm(&self) -> MutexGuard<'_, Realm> {
        self.realm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that a message has to wait because of all that come.
    pub(crate) fn total_delay(&self, now: Instant) -> Duration {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.take(now)
    }
}
