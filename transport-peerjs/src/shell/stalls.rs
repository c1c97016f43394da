//! Channels whose count stands still.
//!
//! Chromium 156 sometimes loses count of a channel that somebody else has opened, when much is sent
//! on it right after it has come up: everything arrives, but `bufferedAmount` stays where it was
//! and `bufferedamountlow` never comes. The next message that is sent sets the count right. So a
//! count that does not move for a while is nudged with one.

use std::collections::BTreeMap;
use std::time::Duration;

use hustings_room::Moment;

use crate::wire::RtcId;

/// The time that a count may stand still. It also does when the other side is gone; one message
/// more for each second of that does no harm.
const PATIENCE: Duration = Duration::from_secs(1);

/// The channels that are expected to have less soon.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    counts: BTreeMap<RtcId, Count>,
    /// A moment before which none has stood still for long enough.
    next: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    bytes: usize,
    since: Moment,
}

impl Stalls {
    /// A channel has this much; nothing is said of it while it has no more than `low_water`.
    pub(super) fn count(&mut self, rtc: RtcId, bytes: usize, low_water: usize, now: Moment) {
        if bytes <= low_water {
            self.forget(rtc);
            return;
        }
        let count = self.counts.entry(rtc);
        let count = count.or_insert(Count { bytes, since: now });
        if count.bytes != bytes {
            *count = Count { bytes, since: now };
        }
        let due = count.since + PATIENCE;
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
    }

    /// It is not to be watched any longer.
    pub(super) fn forget(&mut self, rtc: RtcId) {
        self.counts.remove(&rtc);
        if self.counts.is_empty() {
            self.next = None;
        }
    }

    /// A moment at which it is to be seen whether any of them has stood still for long enough. It
    /// is asked for after everything that happens, so it is not looked for among all of them.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.next
    }

    /// Those that have stood still for long enough, as far as is known, and at what.
    pub(super) fn due(&mut self, now: Moment) -> Vec<(RtcId, usize)> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let all = self.counts.values();
        self.next = all.map(|count| count.since + PATIENCE).min();
        self.counts
            .iter()
            .filter(|(_, count)| count.since + PATIENCE <= now)
            .map(|(rtc, count)| (*rtc, count.bytes))
            .collect()
    }
}
