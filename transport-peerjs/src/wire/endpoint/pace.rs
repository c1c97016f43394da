//! The number of connections that are begun at a time for those who offer.
//!
//! A room's people who all come at once would all come up, if not all together: where each that is
//! being made slows the others down, none is done before somebody gives it up. How busy this side
//! is shows in the time that its own part takes, which is the making of the description. While that
//! is short, as many are begun as there are places; while it is long, fewer are, and each keeps its
//! place for longer. Nobody else can make it longer but by having more made.

use std::time::Duration;

use hustings_room::Moment;

use crate::config::{Budget, WireLimits};

/// The number that is begun before anything is known.
const FIRST: usize = 32;

/// However busy this side is, so many are begun.
const LEAST: usize = 8;

/// A description that was made within this time leaves room for one more. Chromium makes one in
/// some 10 ms if it has nothing else to do.
const QUICK: Duration = Duration::from_millis(150);

/// After one that took so long, fewer are begun.
const SLOW: Duration = Duration::from_millis(500);

/// A connection that works comes up in so many times the time that its description takes, or less.
const OF_DESCRIPTION: u32 = 20;

/// The share of the last connections that came up, in 256ths: of sixteen, roughly.
const ALL: u32 = 256;
const LAST: u32 = 16;

/// The fate of the connections that others have asked for, of late.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    /// Those that were begun before this moment have had their effect.
    cut_at: Moment,
    /// The time that a description takes.
    described: Duration,
    /// The time that it took those that came up.
    usual: Duration,
    came_up: u32,
}

/// What was, and a quarter of what is.
fn averaged(before: Duration, took: Duration) -> Duration {
    (before * 3 + took) / 4
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            most: FIRST,
            cut_at: Moment::START,
            described: Duration::ZERO,
            usual: Duration::ZERO,
            came_up: ALL,
        }
    }

    /// The description of one that was begun at this moment is made.
    pub(super) fn described(&mut self, begun: Moment, limits: &WireLimits, now: Moment) {
        let took = now - begun;
        self.described = averaged(self.described, took);
        if took <= QUICK {
            self.most = (self.most + 1).min(limits.max_incoming);
        } else if took >= SLOW && begun >= self.cut_at {
            self.most = (self.most - self.most / 4).max(LEAST);
            self.cut_at = now;
        }
    }

    /// One has come up in this time.
    pub(super) fn came_up(&mut self, took: Duration) {
        self.came_up += ALL / LAST - self.came_up / LAST;
        self.usual = averaged(self.usual, took);
    }

    /// One has ended before it came up. If this side is busy, that says nothing of the others.
    pub(super) fn failed(&mut self) {
        if self.described < SLOW {
            self.came_up -= self.came_up / LAST;
        }
    }

    /// The number of them that may be coming up at a time.
    pub(super) fn most(&self, limits: &WireLimits) -> usize {
        self.most.min(limits.max_incoming)
    }

    /// The time in which one that is coming up keeps its place, see [`Budget::first_turn`].
    pub(super) fn first_turn(&self, budget: &Budget) -> Duration {
        let least = budget.first_turn;
        let by_description = self.described * OF_DESCRIPTION;
        // Of a flood hardly any comes up, and those that do must not make room for it.
        let usual = match self.came_up > ALL / 2 {
            true => self.usual * 3 / 2,
            false => Duration::ZERO,
        };
        by_description.max(usual).clamp(least, least * 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn as_many_are_begun_as_this_side_can_make() {
        let limits = WireLimits::default();
        let mut pace = Pace::new();
        assert_eq!(pace.most(&limits), 32);
        for _ in 0..1_000 {
            pace.described(after(0), &limits, after(150));
        }
        assert_eq!(pace.most(&limits), 160);
        // Those that are slow together count once.
        for n in 0..100 {
            pace.described(after(1_000), &limits, after(1_500 + n));
        }
        assert_eq!(pace.most(&limits), 120);
        pace.described(after(2_000), &limits, after(2_300));
        assert_eq!(pace.most(&limits), 120, "neither quick nor slow");
        for n in 3..100 {
            pace.described(after(n * 1_000), &limits, after(n * 1_000 + 999));
        }
        assert_eq!(pace.most(&limits), 8);
    }

    #[test]
    fn each_keeps_its_place_for_as_long_as_it_may_take() {
        let (limits, budget) = (WireLimits::default(), Budget::default());
        let turn = |pace: &Pace| pace.first_turn(&budget).as_secs_f64();
        let mut pace = Pace::new();
        assert_eq!(turn(&pace), 3.0);
        for _ in 0..20 {
            pace.came_up(Duration::from_secs(4));
        }
        assert!((5.9..=6.0).contains(&turn(&pace)), "{}", turn(&pace));
        // A flood, some of which comes up to look better than it is.
        for _ in 0..100 {
            pace.came_up(Duration::from_secs(14));
            pace.failed();
            pace.failed();
        }
        assert_eq!(turn(&pace), 3.0);
        for n in 0..20 {
            pace.described(after(n), &limits, after(n + 600));
        }
        assert!((11.9..=12.0).contains(&turn(&pace)), "{}", turn(&pace));
        for n in 0..20 {
            pace.described(after(n), &limits, after(n + 5_000));
        }
        assert_eq!(turn(&pace), 15.0);
    }

    #[test]
    fn whoever_fails_while_this_side_is_busy_is_no_flood() {
        let (limits, mut pace) = (WireLimits::default(), Pace::new());
        for _ in 0..20 {
            pace.described(after(0), &limits, after(1_000));
        }
        for _ in 0..1_000 {
            pace.failed();
        }
        assert_eq!(pace.came_up, ALL);
    }

    #[test]
    fn the_share_stays_a_share() {
        let mut pace = Pace::new();
        for _ in 0..1_000 {
            pace.came_up(Duration::ZERO);
        }
        assert!((ALL - LAST..=ALL).contains(&pace.came_up));
        for _ in 0..1_000 {
            pace.failed();
        }
        assert!(pace.came_up < LAST);
        for _ in 0..1_000 {
            pace.came_up(Duration::ZERO);
        }
        assert!(pace.came_up > ALL / 2);
    }
}
