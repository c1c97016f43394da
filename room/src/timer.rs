//! Deadlines, each with its reason.

use crate::Moment;

/// The purpose of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeoutReason {
    /// A dial has taken too long.
    Dial,
    /// A handshake has taken too long.
    Handshake,
    /// It is time to dial again.
    Retry,
    /// A link has been silent, or has not answered.
    Liveness,
    /// A connection has lasted long enough to count as good.
    Stable,
    /// It is time to tell who came and went.
    Presence,
    /// It is time to tell how many votes there are.
    Tally,
    /// A poll has reached its deadline.
    Deadline,
}

impl TimeoutReason {
    const COUNT: usize = 8;
}

/// One deadline for each reason. To set one again moves it. A timeout that finds nothing due is
/// harmless, so a driver may call too often or too late, and never has to cancel anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimerTable {
    deadlines: [Option<Moment>; TimeoutReason::COUNT],
}

impl TimerTable {
    const REASONS: [TimeoutReason; TimeoutReason::COUNT] = [
        TimeoutReason::Dial,
        TimeoutReason::Handshake,
        TimeoutReason::Retry,
        TimeoutReason::Liveness,
        TimeoutReason::Stable,
        TimeoutReason::Presence,
        TimeoutReason::Tally,
        TimeoutReason::Deadline,
    ];

    pub(crate) fn set(&mut self, reason: TimeoutReason, at: Moment) {
        self.deadlines[reason as usize] = Some(at);
    }

    pub(crate) fn stop(&mut self, reason: TimeoutReason) {
        self.deadlines[reason as usize] = None;
    }

    pub(crate) fn stop_all(&mut self) {
        self.deadlines = Default::default();
    }

    /// The first deadline; of several at one moment, the one with the first reason.
    pub(crate) fn next(&self) -> Option<(Moment, TimeoutReason)> {
        Self::REASONS
            .into_iter()
            .filter_map(|reason| self.deadlines[reason as usize].map(|at| (at, reason)))
            .min()
    }

    /// The reasons whose deadlines have come, in their order. What is set while they are served is
    /// not among them: at the end of time it would be due at once, again and again.
    pub(crate) fn due(&self, now: Moment) -> impl Iterator<Item = TimeoutReason> + use<> {
        // The table is a few moments: a copy to take from is less code to load than sorting.
        let mut rest = self.clone();
        std::iter::from_fn(move || {
            let (at, reason) = rest.next()?;
            (at <= now).then(|| {
                rest.stop(reason);
                reason
            })
        })
    }

    /// Takes a deadline, if it has come.
    pub(crate) fn take(&mut self, reason: TimeoutReason, now: Moment) -> bool {
        self.deadlines[reason as usize]
            .take_if(|at| *at <= now)
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_goes_once() {
        let mut timers = TimerTable::default();
        timers.set(TimeoutReason::Stable, Moment::from_millis(5));
        timers.set(TimeoutReason::Retry, Moment::from_millis(9));
        timers.set(TimeoutReason::Retry, Moment::from_millis(3));
        assert_eq!(
            timers.next(),
            Some((Moment::from_millis(3), TimeoutReason::Retry))
        );
        assert_eq!(timers.due(Moment::from_millis(2)).next(), None);
        let now = Moment::from_millis(7);
        assert!(
            timers
                .due(now)
                .eq([TimeoutReason::Retry, TimeoutReason::Stable])
        );
        assert!(timers.take(TimeoutReason::Retry, now));
        assert!(!timers.take(TimeoutReason::Retry, now));
        assert!(timers.due(now).eq([TimeoutReason::Stable]));
        assert!(!timers.take(TimeoutReason::Stable, Moment::from_millis(2)));
        assert!(timers.take(TimeoutReason::Stable, now));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_table_and_the_reasons_agree() {
        for (index, reason) in TimerTable::REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }
}
