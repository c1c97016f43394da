//! The connections that others have had this side make, counted against a [`Budget`].

use std::collections::BTreeMap;
use std::time::Duration;

use hustings_room::Moment;

use crate::config::Budget;

/// An amount that was taken from a bucket, of which one flows back at a time: the moment at which
/// all of it will have.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    until: Moment,
}

impl Taken {
    fn amount(self, now: Moment, every: Duration, max: u32) -> u32 {
        let (left, every) = ((self.until - now).as_millis(), every.as_millis());
        let amount = left.div_ceil(every.max(1));
        // A clock that was turned back does not make it more than the bucket holds.
        u32::try_from(amount).unwrap_or(max).min(max)
    }

    fn take(&mut self, now: Moment, every: Duration, max: u32) {
        let full = now + every.saturating_mul(max);
        self.until = (self.until.max(now) + every).min(full);
    }
}

/// The memory of a sender.
#[derive(Debug, Clone, Copy, Default)]
struct Sender {
    taken: Taken,
    is_known: bool,
}

/// The answer to whether one more connection may be made for a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    Now,
    /// When fewer have been made for others lately.
    Later,
    /// The sender has had too many.
    Not,
}

/// The connections that were made, by sender.
#[derive(Debug)]
pub(crate) struct Admission {
    budget: Budget,
    taken: Taken,
    answered: Taken,
    senders: BTreeMap<String, Sender>,
}

impl Admission {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            budget,
            taken: Taken::default(),
            answered: Taken::default(),
            senders: BTreeMap::new(),
        }
    }

    /// True for somebody whose link has lasted.
    pub(crate) fn is_known(&self, sender: &str) -> bool {
        self.senders
            .get(sender)
            .is_some_and(|sender| sender.is_known)
    }

    /// Says whether one more connection may be made for a sender.
    pub(crate) fn allows(&self, sender: &str, now: Moment) -> Allowed {
        let Budget {
            made,
            made_every,
            made_for_known,
            made_each,
            made_each_every,
            ..
        } = self.budget;
        let sender = self.senders.get(sender).copied().unwrap_or_default();
        let shared = if sender.is_known {
            made
        } else {
            made.saturating_sub(made_for_known)
        };
        let taken = self.taken.amount(now, made_every, made);
        let left = shared.saturating_sub(taken);
        let own = sender.taken.amount(now, made_each_every, made_each);
        // In proportion: of a bucket that is half empty a sender gets half as many. Who has none
        // gets one as long as there is any.
        let is_fair = u64::from(own) * u64::from(shared) < u64::from(made_each) * u64::from(left);
        match own < made_each {
            true if is_fair => Allowed::Now,
            true => Allowed::Later,
            false => Allowed::Not,
        }
    }

    /// A connection is made for a sender.
    pub(crate) fn made(&mut self, sender: &str, now: Moment) {
        let Budget {
            made,
            made_every,
            made_each,
            made_each_every,
            ..
        } = self.budget;
        self.taken.take(now, made_every, made);
        self.entry(sender)
            .taken
            .take(now, made_each_every, made_each);
    }

    /// True if one more refusal may be said.
    pub(crate) fn may_answer(&self, now: Moment) -> bool {
        let Budget {
            refusals,
            refusal_every,
            ..
        } = self.budget;
        self.answered.amount(now, refusal_every, refusals) < refusals
    }

    /// The same; it is then taken as said.
    pub(crate) fn answers(&mut self, now: Moment) -> bool {
        let may = self.may_answer(now);
        if may {
            let (every, max) = (self.budget.refusal_every, self.budget.refusals);
            self.answered.take(now, every, max);
        }
        may
    }

    /// A sender's link has been up for this long.
    pub(crate) fn lasted(&mut self, sender: &str, time: Duration) {
        if time >= self.budget.known_after {
            self.entry(sender).is_known = true;
        }
    }

    fn entry(&mut self, sender: &str) -> &mut Sender {
        if !self.senders.contains_key(sender) && self.senders.len() >= self.budget.max_senders {
            self.forget_some();
        }
        self.senders.entry(sender.to_owned()).or_default()
    }

    /// Makes room: a sixteenth at a time, so that not everybody who comes has all looked at.
    fn forget_some(&mut self) {
        let mut all: Vec<_> = self.senders.iter().collect();
        let some = self.senders.len() / 16;
        // Strangers first, and of them whoever has waited longest.
        all.sort_by_key(|(_, sender)| (sender.is_known, sender.taken.until));
        let oldest: Vec<String> = all
            .into_iter()
            .take(some + 1)
            .map(|(id, _)| id.clone())
            .collect();
        for id in oldest {
            self.senders.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget {
        made: 20,
        made_every: Duration::from_secs(1),
        made_for_known: 4,
        made_each: 4,
        made_each_every: Duration::from_secs(10),
        known_after: Duration::from_secs(20),
        first_turn: Duration::from_secs(3),
        max_senders: 30,
        refusals: 2,
        refusal_every: Duration::from_secs(1),
    };

    fn at(secs: u64) -> Moment {
        Moment::START + Duration::from_secs(secs)
    }

    /// The number that one sender gets at a moment.
    fn gets(admission: &mut Admission, sender: &str, now: Moment) -> u32 {
        let mut got = 0;
        while admission.allows(sender, now) == Allowed::Now {
            admission.made(sender, now);
            got += 1;
        }
        got
    }

    #[test]
    fn one_sender_gets_so_many_and_one_more_each_time() {
        let mut admission = Admission::new(BUDGET);
        assert_eq!(gets(&mut admission, "a", at(0)), 4);
        assert_eq!(gets(&mut admission, "a", at(9)), 0);
        assert_eq!(gets(&mut admission, "a", at(10)), 1);
        assert_eq!(gets(&mut admission, "a", at(60)), 4);
        assert_eq!(gets(&mut admission, "b", at(60)), 3, "less is left");
    }

    #[test]
    fn whoever_comes_for_the_first_time_is_the_last_stranger_to_be_refused() {
        let mut admission = Admission::new(BUDGET);
        let greedy: Vec<u32> = ["a", "b", "c", "d", "e"]
            .map(|sender| gets(&mut admission, sender, at(0)))
            .to_vec();
        assert_eq!(greedy, [4, 3, 2, 2, 1], "each gets less");
        for name in ["f", "g", "h", "i"] {
            assert_eq!(gets(&mut admission, name, at(0)), 1, "{name}");
        }
        assert_eq!(
            admission.allows("j", at(0)),
            Allowed::Later,
            "nothing is left"
        );
        assert_eq!(
            admission.allows("a", at(1)),
            Allowed::Not,
            "there is one, but not for those"
        );
        assert_eq!(admission.allows("j", at(1)), Allowed::Now);
    }

    #[test]
    fn a_part_is_for_those_who_are_known() {
        let mut admission = Admission::new(BUDGET);
        admission.lasted("brief", Duration::from_secs(19));
        admission.lasted("member", Duration::from_secs(20));
        for n in 0..30 {
            gets(&mut admission, &format!("stranger{n}"), at(0));
        }
        assert_eq!(admission.allows("brief", at(0)), Allowed::Later);
        assert_eq!(admission.allows("member", at(0)), Allowed::Now);
        assert!(admission.is_known("member") && !admission.is_known("brief"));
    }

    #[test]
    fn so_many_refusals_are_said_and_one_more_each_time() {
        let mut admission = Admission::new(BUDGET);
        let said = [0, 0, 0, 1, 1].map(|now| admission.answers(at(now)));
        assert_eq!(said, [true, true, false, true, false]);
    }

    #[test]
    fn no_more_senders_are_remembered_and_members_last() {
        let mut admission = Admission::new(BUDGET);
        admission.lasted("member", Duration::from_secs(20));
        for n in 0..100 {
            admission.made(&format!("stranger{n}"), at(n));
        }
        assert!((28..=30).contains(&admission.senders.len()));
        assert!(admission.is_known("member"));
        assert!(admission.senders.contains_key("stranger99"));
        assert!(admission.senders.contains_key("stranger73"));
    }

    #[test]
    fn a_clock_that_is_turned_back_locks_nobody_out() {
        let mut admission = Admission::new(BUDGET);
        assert_eq!(gets(&mut admission, "a", at(100_000)), 4);
        // As little is left as can be; what comes back does so in the usual time.
        admission.made("b", at(0));
        assert_eq!(admission.allows("c", at(0)), Allowed::Later);
        assert_eq!(admission.allows("c", at(20)), Allowed::Now);
    }

    #[test]
    fn an_interval_of_nothing_is_no_bound() {
        let mut admission = Admission::new(Budget {
            made_every: Duration::ZERO,
            made_each_every: Duration::ZERO,
            ..BUDGET
        });
        for _ in 0..100 {
            assert_eq!(admission.allows("a", at(0)), Allowed::Now);
            admission.made("a", at(0));
        }
    }
}
