//! The pace of requests that a member pays nothing for.

use std::time::Duration;

use crate::Moment;

/// The number of requests that are answered at once. An honest member asks once for what it has
/// missed, and again only if the answer did not help.
const AT_ONCE: u32 = 16;

/// After those, one more is answered in each of these.
const INTERVAL: Duration = Duration::from_secs(1);

/// A member's requests for the poll: each may be answered with all of it, so that a few bytes would
/// buy as many as it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The moment when all past requests are forgotten.
    idle: Moment,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self {
            idle: Moment::START,
        }
    }

    /// Counts a request; false if it comes too soon after the others. Such a one does not count.
    pub(crate) fn admits(&mut self, now: Moment) -> bool {
        let idle = self.idle.max(now) + INTERVAL;
        let is_in_time = idle <= now + INTERVAL * AT_ONCE;
        if is_in_time {
            self.idle = idle;
        }
        is_in_time
    }
}
