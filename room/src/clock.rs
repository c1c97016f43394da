//! Clocks: the driver's source of time.
//!
//! The core never names this module: it takes a [`Moment`] with each input.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_timer::Delay;
use hustings_outbox::MaybeSend;
use web_time::Instant;

use crate::Moment;

/// The future of a timer.
#[cfg(not(target_family = "wasm"))]
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;
/// The future of a timer.
#[cfg(target_family = "wasm")]
pub type Sleep = Pin<Box<dyn Future<Output = ()>>>;

/// A clock that can be read and waited for.
pub trait Clock: MaybeSend {
    /// Milliseconds since this clock started.
    fn now(&self) -> Moment;

    /// Resolves once [`now`](Clock::now) has reached `moment`, at once if it already has.
    fn sleep_until(&self, moment: Moment) -> Sleep;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Moment {
        (**self).now()
    }

    fn sleep_until(&self, moment: Moment) -> Sleep {
        (**self).sleep_until(moment)
    }
}

/// The platform's monotonic clock: `Instant` natively, `performance.now()` in a browser. It runs on
/// any executor; timers come from one thread of their own, in a browser from the page.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::START + self.start.elapsed()
    }

    fn sleep_until(&self, moment: Moment) -> Sleep {
        // A millisecond more: `now` rounds down, and must not be before the deadline when this
        // resolves.
        let delay = (moment - self.now()) + Duration::from_millis(1);
        Box::pin(Delay::new(delay))
    }
}

/// The Unix time in milliseconds, for [`Setup::unix_millis`](crate::Setup::unix_millis). A wall
/// clock before 1970 counts as standing at its beginning: the time only makes ids sort.
#[must_use]
pub fn unix_millis() -> u64 {
    wall_clock()
}

/// Not `web_time`'s `SystemTime`, which panics before 1970.
#[cfg(target_family = "wasm")]
fn wall_clock() -> u64 {
    // A cast of a float ends at the bounds, and makes 0 of what is no number.
    js_sys::Date::now() as u64
}

#[cfg(not(target_family = "wasm"))]
fn wall_clock() -> u64 {
    millis_at(std::time::SystemTime::now())
}

#[cfg(not(target_family = "wasm"))]
fn millis_at(time: std::time::SystemTime) -> u64 {
    time.duration_since(std::time::SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::millis_at;

    #[test]
    fn a_wall_clock_before_1970_stands_at_its_beginning() {
        let moment = Duration::from_micros(1_500);
        assert_eq!(millis_at(SystemTime::UNIX_EPOCH + moment), 1);
        assert_eq!(millis_at(SystemTime::UNIX_EPOCH), 0);
        assert_eq!(millis_at(SystemTime::UNIX_EPOCH - moment), 0);
    }
}
