//! File descriptors: each connection takes one, and a system gives a process only so many.

use super::config::{BrokerConfig, BrokerLimits};

/// Those that are taken by none of the connections: the listener, the runtime, the standard ones.
const SPARE: u64 = 64;

impl BrokerConfig {
    /// The file descriptors that a process needs to have as many connections as the limits allow,
    /// and as many relayed addresses.
    #[must_use]
    pub fn descriptors(&self) -> u64 {
        let turn = self.turn.descriptors();
        self.limits.descriptors().saturating_add(turn)
    }
}

impl BrokerLimits {
    /// The file descriptors that a process needs to have as many connections as these limits allow:
    /// one for each, one more for the page that each reader reads, and a few.
    #[must_use]
    pub fn descriptors(&self) -> u64 {
        let count = |places: usize| u64::try_from(places).unwrap_or(u64::MAX);
        count(self.max_connections)
            .saturating_mul(2)
            .saturating_add(count(self.sockets()))
            .saturating_add(SPARE)
    }

    /// The sockets that there may be. One that registers nobody is of no use.
    pub(super) fn sockets(&self) -> usize {
        self.max_sockets.min(self.max_peers)
    }

    /// The same limits with no more connections than a process with so many file descriptors can
    /// have: one that tried to have more would accept nobody at all for a while.
    pub(super) fn fit(mut self, descriptors: u64) -> Self {
        if self.descriptors() <= descriptors {
            return self;
        }
        let there = usize::try_from(descriptors.saturating_sub(SPARE)).unwrap_or(usize::MAX);
        // A third is for those that are no sockets and need two each, as by default.
        self.max_connections = self.max_connections.min(there / 6).max(1);
        let left = there.saturating_sub(2 * self.max_connections);
        self.max_sockets = self.sockets().min(left).max(1);
        // Or one address could take all that is left.
        self.max_sockets_each = self.max_sockets_each.min(self.max_sockets.div_ceil(2));
        self.max_connections_each = self
            .max_connections_each
            .min(self.max_connections.div_ceil(2));
        self
    }
}

/// The file descriptors that this process may have.
pub(super) fn allowed() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        // No limit is none.
        getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_many_as_there_are_descriptors_for() {
        let limits = BrokerLimits::default();
        assert_eq!(limits.fit(u64::MAX), limits);
        assert_eq!(limits.fit(limits.descriptors()), limits);
        for descriptors in [0, 63, 65, 256, 1024, 10_000] {
            let fitting = limits.fit(descriptors);
            assert!(fitting.descriptors() <= descriptors.max(SPARE + 3));
            assert!(fitting.max_sockets > 0 && fitting.max_connections > 0);
            assert!(fitting.max_sockets_each <= fitting.max_sockets);
        }
        let few = limits.fit(1024);
        assert!(
            few.max_sockets > 500 && few.max_connections > 100,
            "{few:?}"
        );
        let endless = BrokerLimits {
            max_peers: usize::MAX,
            max_sockets: usize::MAX,
            ..limits
        };
        assert!(endless.fit(1024).descriptors() <= 1024);
    }
}
