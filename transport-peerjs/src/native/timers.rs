//! The moments at which connections want to be heard of again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::wire::RtcId;

/// The next moment of each connection. To move one to a later moment costs next to nothing: it is
/// looked at again when the earlier one has come. Nothing is left of one that is removed, which may
/// have been due in years.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, RtcId)>,
    timers: BTreeMap<RtcId, Timer>,
}

#[derive(Debug, Clone, Copy)]
struct Timer {
    due: Instant,
    /// Its moment in the queue, which may be earlier.
    queued: Instant,
}

impl Timers {
    /// A connection is to be heard of at this moment, and at none before.
    pub(super) fn set(&mut self, rtc: RtcId, due: Instant) {
        if let Some(timer) = self.timers.get_mut(&rtc)
            && timer.queued <= due
        {
            timer.due = due;
            return;
        }
        self.remove(rtc);
        self.queue.insert((due, rtc));
        self.timers.insert(rtc, Timer { due, queued: due });
    }

    /// A connection is not to be heard of.
    pub(super) fn remove(&mut self, rtc: RtcId) {
        if let Some(timer) = self.timers.remove(&rtc) {
            self.queue.remove(&(timer.queued, rtc));
        }
    }

    /// A moment at which it is to be seen whether [`next`](Self::next) has something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// A connection whose moment has come. It has none from then on.
    pub(super) fn next(&mut self, now: Instant) -> Option<RtcId> {
        while self.deadline()? <= now {
            let (_, rtc) = self.queue.pop_first()?;
            let timer = self.timers.get_mut(&rtc)?;
            if timer.due <= now {
                self.timers.remove(&rtc);
                return Some(rtc);
            }
            timer.queued = timer.due;
            self.queue.insert((timer.due, rtc));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn due(timers: &mut Timers, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| timers.next(now))
            .map(|rtc| rtc.0)
            .collect()
    }

    #[test]
    fn each_comes_at_its_last_moment_and_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.set(RtcId(1), at(10));
        timers.set(RtcId(2), at(5));
        timers.set(RtcId(3), at(5));
        timers.set(RtcId(4), at(1));
        timers.set(RtcId(1), at(2));
        timers.set(RtcId(2), at(20));
        timers.remove(RtcId(4));
        assert_eq!(timers.next(at(1)), None);
        assert_eq!(due(&mut timers, at(2)), [1]);
        assert_eq!(due(&mut timers, at(10)), [3]);
        assert_eq!(timers.deadline(), Some(at(20)));
        assert_eq!(due(&mut timers, at(20)), [2]);
        assert_eq!(timers.deadline(), None);
    }

    #[test]
    fn nothing_is_left_of_one_that_is_removed() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for seconds in [9, 4, 7] {
            timers.set(RtcId(1), start + Duration::from_secs(seconds));
        }
        timers.remove(RtcId(1));
        assert!(timers.queue.is_empty() && timers.timers.is_empty());
    }

    #[test]
    fn one_that_is_moved_ever_later_takes_no_room() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for millis in 0..1_000 {
            timers.set(RtcId(1), start + Duration::from_millis(millis));
        }
        assert_eq!(timers.queue.len(), 1);
        assert_eq!(timers.next(start + Duration::from_millis(998)), None);
        assert_eq!(due(&mut timers, start + Duration::from_millis(999)), [1]);
    }
}
