//! Backoff: the wait before the next attempt.

use std::time::Duration;

use rand_core::Rng;

/// Exponential backoff with full jitter: each delay is drawn evenly between zero and a bound that
/// doubles, so that a thousand participants that lost the same owner do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffConfig {
    /// The bound of the first delay. Default 500 ms.
    pub initial: Duration,
    /// The bound that no delay exceeds. Default 30 s.
    pub max: Duration,
    /// The time that a connection has to last before the next failure counts as the first again.
    /// Default 10 s.
    pub stable_after: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
        }
    }
}

/// The count of attempts that have failed in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay before the next attempt, after one more failure.
    pub(crate) fn next_delay(&mut self, config: &BackoffConfig, rng: &mut impl Rng) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let bound = config.initial.saturating_mul(factor).min(config.max);
        let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        // The bias of this remainder of 64 random bits is far below a millisecond.
        Duration::from_millis(rng.next_u64() % millis.saturating_add(1).max(1))
    }

    /// The connection was good: the next failure counts as the first.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    /// The largest of many delays after this many failures: near the bound, never above it.
    fn largest(failures: u32) -> Duration {
        let mut rng = ChaCha8Rng::from_seed([1; 32]);
        let config = BackoffConfig::default();
        (0..2_000)
            .map(|_| Backoff { failures }.next_delay(&config, &mut rng))
            .max()
            .unwrap()
    }

    #[test]
    fn bounds_double_up_to_the_cap() {
        for (failures, bound) in [(0, 500), (1, 1_000), (2, 2_000), (5, 16_000), (6, 30_000)] {
            let largest = largest(failures).as_millis();
            assert!(largest <= bound, "after {failures}: {largest} > {bound}");
            assert!(largest > bound * 9 / 10, "after {failures}: {largest}");
        }
    }

    #[test]
    fn the_cap_holds_however_long_the_owner_is_away() {
        for failures in [31, 32, 33, u32::MAX] {
            assert!(largest(failures) <= Duration::from_secs(30));
        }
    }

    #[test]
    fn jitter_reaches_down_to_zero() {
        let mut rng = ChaCha8Rng::from_seed([2; 32]);
        let config = BackoffConfig::default();
        let least = (0..2_000)
            .map(|_| Backoff { failures: 6 }.next_delay(&config, &mut rng))
            .min();
        assert!(least < Some(Duration::from_millis(300)));
    }
}
