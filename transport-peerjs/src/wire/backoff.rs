//! The delays before the server is tried again.

use std::time::Duration;

use hustings_room::BackoffConfig;
use rand_core::Rng;

/// The number of attempts that have failed in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay before the next attempt, after one more failure: drawn evenly from zero to a bound
    /// that doubles up to `max`, so that those who lost the same server do not come back at once.
    pub(crate) fn next_delay(
        &mut self,
        config: &BackoffConfig,
        max: Duration,
        rng: &mut impl Rng,
    ) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let bound = config.initial.saturating_mul(factor).min(max);
        let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(rng.next_u64() % millis.saturating_add(1).max(1))
    }

    /// The registration was good: the next failure is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
