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
}

impl TimeoutReason {
    const COUNT: usize = 5;
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

    /// Takes the first deadline that is due.
    pub(crate) fn take_due(&mut self, now: Moment) -> Option<TimeoutReason> {
        let (at, reason) = self.next()?;
        (at <= now).then(|| {
            self.stop(reason);
            reason
        })
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
        assert_eq!(timers.take_due(Moment::from_millis(2)), None);
        let now = Moment::from_millis(7);
        assert_eq!(timers.take_due(now), Some(TimeoutReason::Retry));
        assert_eq!(timers.take_due(now), Some(TimeoutReason::Stable));
        assert_eq!(timers.take_due(now), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_table_and_the_reasons_agree() {
        for (index, reason) in TimerTable::REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }
}
