//! Time, as an input of the core.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds since the driver started.
///
/// The core has no `now()`: every input carries its moment. A clock that jumps, stalls or runs
/// backwards changes when timers run, and nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The start of the driver.
    pub const START: Self = Self(0);

    /// The last moment there is. A deadline at it never comes.
    pub const END: Self = Self(u64::MAX);

    /// The moment this many milliseconds after the start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates: a deadline after the last moment is the last moment.
    fn add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// Zero if `earlier` is later than `self`, as when a clock ran backwards.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
