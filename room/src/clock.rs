//! Clocks: the driver's source of time.
//!
//! The core never names this module: it takes a [`Moment`] with each input.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
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

/// The platform's clock, which goes on while the machine sleeps. It runs on any executor; timers
/// come from one thread of their own, in a browser from the page.
///
/// It is `Instant` natively and `performance.now()` in a browser, both of which may stand still
/// while the machine sleeps, and so it looks at the wall clock as well: if that has gone ahead by
/// seconds more, the machine has slept, and the time is added. A wall clock that is set ahead by
/// hand looks the same; one that is set back changes nothing. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
    slept: Arc<Mutex<Slept>>,
}

/// The time that a monotonic clock has stood still.
#[derive(Debug, Default)]
struct Slept {
    /// The wall clock's lead over the monotonic one, in milliseconds, when they were last compared.
    lead: Option<i128>,
    total: Duration,
}

impl Slept {
    /// Less than this is no sleep of interest: wall clocks are set right by as much.
    const NOTICEABLE: i128 = 2_000;

    /// No machine sleeps for longer than a year, whatever its wall clock shows: time would end.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

    /// The two clocks show this. Returns the time that the monotonic one has missed so far.
    fn read(&mut self, monotonic: Duration, wall_millis: u64) -> Duration {
        let lead = i128::from(wall_millis) - i128::try_from(monotonic.as_millis()).unwrap_or(0);
        let before = *self.lead.get_or_insert(lead);
        let gained = lead - before;
        if gained.abs() >= Self::NOTICEABLE {
            self.lead = Some(lead);
            let missed = u64::try_from(gained.max(0)).unwrap_or(u64::MAX);
            let missed = Duration::from_millis(missed).min(Self::LONGEST);
            self.total = self.total.saturating_add(missed);
        }
        self.total
    }
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            slept: Arc::default(),
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
        let monotonic = self.start.elapsed();
        // A panic elsewhere leaves it whole.
        let mut slept = self.slept.lock().unwrap_or_else(PoisonError::into_inner);
        Moment::START + monotonic.saturating_add(slept.read(monotonic, wall_clock()))
    }

    fn sleep_until(&self, moment: Moment) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let left = moment - clock.now();
                // A millisecond more: `now` rounds down, and must not be before the deadline when
                // this resolves. A timer may stand still while the machine sleeps, so it is a short
                // one.
                Delay::new(left.min(LONGEST) + Duration::from_millis(1)).await;
                if clock.now() >= moment {
                    return;
                }
            }
        })
    }
}

/// The longest time for which a sleeper does not look at the clock.
const LONGEST: Duration = Duration::from_secs(10);

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

    use super::{Slept, millis_at};

    const HOUR: u64 = 3_600_000;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_clock_that_stood_still_in_sleep_is_put_right() {
        let mut slept = Slept::default();
        let wall = 1_800_000_000_000;
        assert_eq!(slept.read(at(0), wall), Duration::ZERO);
        assert_eq!(slept.read(at(HOUR), wall + HOUR), Duration::ZERO);
        // Eight hours, twice, in which one of the two stands still.
        assert_eq!(
            slept.read(at(HOUR + 10), wall + 9 * HOUR),
            at(8 * HOUR - 10)
        );
        assert_eq!(
            slept.read(at(2 * HOUR), wall + 10 * HOUR),
            at(8 * HOUR - 10)
        );
        assert_eq!(slept.read(at(2 * HOUR), wall + 18 * HOUR), at(16 * HOUR));
        // Short naps count together.
        let naps = (1..=10).map(|nap| slept.read(at(2 * HOUR), wall + 18 * HOUR + nap * 500));
        assert_eq!(naps.last(), Some(at(16 * HOUR + 4_000)));
    }

    #[test]
    fn a_clock_that_goes_on_in_sleep_counts_it_once() {
        let mut slept = Slept::default();
        slept.read(at(0), HOUR);
        assert_eq!(slept.read(at(8 * HOUR), 9 * HOUR), Duration::ZERO);
    }

    #[test]
    fn a_wall_clock_that_is_set_never_sets_the_time_back() {
        let mut slept = Slept::default();
        slept.read(at(0), 10 * HOUR);
        // Back, where it stays; by a little, as it is set right now and then; before 1970.
        assert_eq!(slept.read(at(1), HOUR), Duration::ZERO);
        for millis in 2..1_000 {
            let swing = if millis % 2 == 0 { 1_500 } else { 0 };
            assert_eq!(
                slept.read(at(millis), HOUR + millis + swing),
                Duration::ZERO
            );
        }
        assert_eq!(slept.read(at(1_001), 0), Duration::ZERO);
        // Ahead is as if it had slept.
        assert_eq!(slept.read(at(1_001), HOUR), at(HOUR));
        // But not so far that nothing could come after it.
        let most = at(HOUR) + Slept::LONGEST;
        assert_eq!(slept.read(at(1_001), u64::MAX), most);
        assert_eq!(slept.read(at(2_000), 0), most);
    }

    #[test]
    fn a_wall_clock_before_1970_stands_at_its_beginning() {
        let moment = Duration::from_micros(1_500);
        assert_eq!(millis_at(SystemTime::UNIX_EPOCH + moment), 1);
        assert_eq!(millis_at(SystemTime::UNIX_EPOCH), 0);
        assert_eq!(millis_at(SystemTime::UNIX_EPOCH - moment), 0);
    }
}
