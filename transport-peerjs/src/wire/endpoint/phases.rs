//! The connections that something is due of, or that have not come up, without a look at all.
//!
//! An endpoint is asked for its next moment after every datagram, and an owner has thousands of
//! links: most of them are up, and nothing is due of them.

use hustings_room::Moment;

use crate::wire::connection::Connection;
use crate::wire::output::RtcId;

/// The connections, to be found by something else than their names. To be told of every
/// [change](Self::change).
#[derive(Debug, Default)]
pub(super) struct Phases {
    /// The moments at which something is due, sorted.
    due: Vec<(Moment, RtcId)>,
    /// Those that have not come up, sorted.
    coming_up: Vec<RtcId>,
    up: usize,
}

/// The things that are known of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Phase {
    due: Option<Moment>,
    is_coming_up: bool,
    is_up: bool,
}

impl Phase {
    /// Before a connection is there, and when it is gone.
    pub(super) const ABSENT: Self = Self {
        due: None,
        is_coming_up: false,
        is_up: false,
    };

    pub(super) fn of(connection: &Connection) -> Self {
        Self {
            due: connection.timeout().map(|(at, _)| at),
            is_coming_up: connection.is_coming_up(),
            is_up: connection.is_up(),
        }
    }

    /// True if that was one that had not come up, and this is one that has.
    pub(super) fn has_come_up_since(self, before: Self) -> bool {
        before.is_coming_up && self.is_up
    }
}

impl Phases {
    /// The one of which something is due first.
    pub(super) fn first_due(&self) -> Option<RtcId> {
        self.due.first().map(|(_, rtc)| *rtc)
    }

    /// Those of which something is due by now.
    pub(super) fn due(&self, now: Moment) -> Vec<RtcId> {
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, rtc)| *rtc).collect()
    }

    /// Those that have not come up, in their order.
    pub(super) fn coming_up(&self) -> impl Iterator<Item = RtcId> {
        self.coming_up.iter().copied()
    }

    /// True while any is up.
    pub(super) fn any_up(&self) -> bool {
        self.up > 0
    }

    /// One was this and is that now.
    pub(super) fn change(&mut self, rtc: RtcId, old: Phase, new: Phase) {
        if old == new {
            return;
        }
        if old.due != new.due {
            move_to(
                &mut self.due,
                old.due.map(|at| (at, rtc)),
                new.due.map(|at| (at, rtc)),
            );
        }
        let listed = |phase: Phase| phase.is_coming_up.then_some(rtc);
        move_to(&mut self.coming_up, listed(old), listed(new));
        self.up = self.up + usize::from(new.is_up) - usize::from(old.is_up);
    }
}

/// Takes one out of a sorted list, and puts another in. Most belong near its end: later moments and
/// newer connections.
fn move_to<T: Ord + Copy>(list: &mut Vec<T>, old: Option<T>, new: Option<T>) {
    if let Some(at) = old.and_then(|old| list.binary_search(&old).ok()) {
        list.remove(at);
    }
    if let Some(new) = new
        && let Err(at) = list.binary_search(&new)
    {
        list.insert(at, new);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn phase() -> impl Strategy<Value = Phase> {
        let due = prop::option::of(0..5_u64);
        let phase = (due, any::<bool>(), any::<bool>());
        phase.prop_map(|(due, is_coming_up, is_up)| Phase {
            due: due.map(Moment::from_millis),
            is_coming_up,
            is_up,
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_a_look_at_all_of_them_finds(
            changes in prop::collection::vec((0..8_u64, phase()), 0..60),
        ) {
            let mut all = BTreeMap::new();
            let mut phases = Phases::default();
            for (rtc, new) in changes {
                let rtc = RtcId(rtc);
                let old = all.insert(rtc, new).unwrap_or(Phase::ABSENT);
                phases.change(rtc, old, new);
            }
            let mut due: Vec<_> = all.iter().filter_map(|(rtc, it)| Some((it.due?, *rtc))).collect();
            due.sort_unstable();
            prop_assert_eq!(phases.first_due(), due.first().map(|(_, rtc)| *rtc));
            let now = Moment::from_millis(2);
            let by_now = due.iter().filter(|(at, _)| *at <= now).map(|(_, rtc)| *rtc);
            prop_assert_eq!(phases.due(now), by_now.collect::<Vec<_>>());
            let coming_up = all.iter().filter(|(_, it)| it.is_coming_up).map(|(rtc, _)| *rtc);
            prop_assert_eq!(phases.coming_up().collect::<Vec<_>>(), coming_up.collect::<Vec<_>>());
            prop_assert_eq!(phases.any_up(), all.values().any(|it| it.is_up));
            for (rtc, old) in all {
                phases.change(rtc, old, Phase::ABSENT);
            }
            prop_assert!(phases.due.is_empty() && phases.coming_up.is_empty() && phases.up == 0);
        }
    }
}
