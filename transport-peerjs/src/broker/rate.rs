//! The rate at which messages are taken.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket of permissions that fills at a steady rate.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self {
            per_second: f64::from(per_second.max(1)),
            burst,
            left: burst,
            at: now,
        }
    }

    /// Changes the rate from now on. What has been saved up beyond the burst is lost.
    pub(crate) fn set(&mut self, per_second: f64, burst: f64) {
        self.per_second = per_second.max(1.0);
        self.burst = burst.max(1.0);
    }

    /// Takes so many permissions if they are there, and none otherwise.
    pub(crate) fn try_take(&mut self, now: Instant, amount: f64) -> bool {
        self.fill(now);
        let has = self.left >= amount;
        if has {
            self.left -= amount;
        }
        has
    }

    /// True if as much is there as ever can be.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= self.burst
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * self.per_second).min(self.burst);
    }

    /// Takes so many permissions and says how long to wait for them.
    pub(crate) fn take(&mut self, now: Instant, amount: f64) -> Duration {
        self.fill(now);
        self.left -= amount;
        if self.left >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.left / self.per_second)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_taken() {
        let start = Instant::now();
        let mut rate = Rate::new(10, 3, start);
        assert!(rate.is_full(start) && rate.try_take(start, 2.0));
        assert!(!rate.try_take(start, 2.0) && rate.try_take(start, 1.0));
        let later = start + Duration::from_millis(200);
        assert!(rate.try_take(later, 2.0) && !rate.is_full(later));
        assert!(rate.is_full(later + Duration::from_millis(300)));
    }

    #[test]
    fn a_burst_is_free_and_the_rest_waits() {
        let start = Instant::now();
        let mut rate = Rate::new(10, 3, start);
        let waits: Vec<_> = (0..5).map(|_| rate.take(start, 1.0).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        let mut bytes = Rate::new(100, 1_000, start);
        let waits: Vec<_> = (0..3)
            .map(|_| bytes.take(start, 600.0).as_millis())
            .collect();
        assert_eq!(waits, [0, 2_000, 8_000], "a large message takes more");
        let later = start + Duration::from_secs(60);
        assert_eq!(rate.take(later, 1.0), Duration::ZERO);
        assert_eq!(
            rate.take(start, 1.0),
            Duration::ZERO,
            "a clock that ran backwards"
        );
    }
}
