//! Liveness: pings that find out if the other end of a silent link is still there.

use std::time::Duration;

use crate::{Config, Moment};

/// The watch over one link.
///
/// Any frame that arrives is a sign of life. After [`Config::ping_after`] of silence a `ping` is
/// sent; after two in a row without an answer the link is dead. Each wait begins when the timer
/// *ran*, not when it was due: a tab whose timers were held back for a minute has not listened in
/// that minute either, and must not conclude anything from it.
///
/// A timer that ran late may mean that the machine slept. Then a link is not alive because it was
/// heard not long ago by the clock, nor dead because nothing was heard meanwhile: it is asked once
/// more, at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Liveness {
    last_heard: Moment,
    deadline: Moment,
    unanswered: u8,
}

/// The action for a silent link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Alive,
    Ping,
    Dead,
}

/// The number of pings in a row that may go unanswered.
const MAX_UNANSWERED: u8 = 2;

/// A timer that runs so late was held back: by a hidden tab, in which it runs once a minute, a busy
/// machine, or sleep.
const HELD_BACK: Duration = Duration::from_secs(10);

/// One that runs so late was held back by sleep.
const ASLEEP: Duration = Duration::from_secs(90);

/// True if a deadline is served so late that nothing can be concluded from what was not heard.
pub(crate) fn is_late(due: Option<Moment>, now: Moment) -> bool {
    due.is_some_and(|at| now - at >= HELD_BACK)
}

impl Liveness {
    pub(crate) fn new(config: &Config, now: Moment) -> Self {
        Self {
            last_heard: now,
            deadline: now + config.ping_after,
            unanswered: 0,
        }
    }

    /// A frame arrived. The deadline stays and is checked when it comes: to move a timer for each
    /// frame would cost more than the frame.
    pub(crate) fn heard(&mut self, now: Moment) {
        self.last_heard = now;
        self.unanswered = 0;
    }

    pub(crate) fn deadline(&self) -> Moment {
        self.deadline
    }

    /// Call it once the deadline has come; it sets the next one. If the deadline [is late](is_late),
    /// [`suspect`](Self::suspect) the links that are alive by it.
    pub(crate) fn judge(&mut self, config: &Config, now: Moment) -> Verdict {
        let silent_since = self.last_heard + config.ping_after;
        let late = now - self.deadline;
        if self.unanswered == 0 && now < silent_since {
            self.deadline = silent_since;
            return Verdict::Alive;
        }
        let most = if late < HELD_BACK {
            MAX_UNANSWERED
        } else {
            // Once, for a hidden tab is late each time.
            MAX_UNANSWERED + 1
        };
        if late >= ASLEEP {
            self.unanswered = self.unanswered.min(MAX_UNANSWERED - 1);
        }
        if self.unanswered >= most {
            return Verdict::Dead;
        }
        self.ask(config, now);
        Verdict::Ping
    }

    /// Something suggests that time has passed unseen. True if the link is to be pinged, which it
    /// is not while an answer is awaited.
    pub(crate) fn suspect(&mut self, config: &Config, now: Moment) -> bool {
        let is_new = self.unanswered == 0;
        if is_new {
            self.ask(config, now);
        }
        is_new
    }

    fn ask(&mut self, config: &Config, now: Moment) {
        self.unanswered += 1;
        self.deadline = now + config.pong_timeout;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    #[test]
    fn silence_is_pinged_twice_and_then_is_death() {
        let config = Config::default();
        let mut link = Liveness::new(&config, at(0));
        assert_eq!(link.deadline(), at(30));
        assert_eq!(link.judge(&config, at(30)), Verdict::Ping);
        assert_eq!(link.judge(&config, at(60)), Verdict::Ping);
        assert_eq!(link.judge(&config, at(90)), Verdict::Dead);
    }

    #[test]
    fn anything_heard_starts_anew() {
        let config = Config::default();
        let mut link = Liveness::new(&config, at(0));
        link.heard(at(20));
        assert_eq!(link.judge(&config, at(30)), Verdict::Alive);
        assert_eq!(link.deadline(), at(50));
        assert_eq!(link.judge(&config, at(50)), Verdict::Ping);
        link.heard(at(51));
        assert_eq!(link.judge(&config, at(80)), Verdict::Alive);
        assert_eq!(link.deadline(), at(81));
    }

    #[test]
    fn a_timer_that_was_held_back_does_not_kill() {
        let config = Config::default();
        let mut link = Liveness::new(&config, at(0));
        assert_eq!(link.judge(&config, at(600)), Verdict::Ping);
        assert_eq!(
            link.deadline(),
            at(630),
            "the wait begins when it is served"
        );
    }
}
