//! Ids whose holder is gone and may come back: a page that is being loaded again, a phone that has
//! lost its network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hustings_protocol::Address;
use tokio::time::Instant;

use crate::broker::pool::{Held, Pool, Source};

/// The one who has an id, or had it last.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) token: String,
    /// The address that it comes from.
    pub(crate) source: Source,
    /// The moment since which it has had the id, absences that were reserved included.
    pub(crate) since: Instant,
}

impl Holder {
    /// True if somebody else may have the id that this one has: it is the same one.
    pub(crate) fn yields_to(&self, other: &Self) -> bool {
        self.token == other.token
    }
}

#[derive(Debug)]
struct Reservation {
    holder: Holder,
    /// The moment at which it left.
    at: Instant,
    _room: Held,
}

/// Ids that wait for their last holder for a while.
///
/// They have a bound, of which no address takes more than it leaves. Where it has no room for one
/// more, whoever has had an id for the shortest time goes first: ids that a stranger takes one
/// after the other do not displace an owner's.
#[derive(Debug)]
pub(crate) struct Reserved {
    keep: Duration,
    room: Pool,
    by_id: BTreeMap<String, Reservation>,
    /// The same by where they come from, the longest held first.
    by_source: BTreeMap<Source, BTreeSet<(Instant, String)>>,
}

impl Reserved {
    pub(crate) fn new(keep: Duration, max: usize) -> Self {
        Self {
            keep,
            room: Pool::new(max),
            by_id: BTreeMap::new(),
            by_source: BTreeMap::new(),
        }
    }

    /// Keeps the id of somebody who is gone.
    pub(crate) fn keep(&mut self, id: &str, holder: Holder, now: Instant) {
        if self.keep.is_zero() {
            return;
        }
        let source = holder.source;
        let _room = loop {
            if let Some(room) = self.room.take(source, 1) {
                break room;
            }
            let own = self.by_source.get(&source).and_then(BTreeSet::last);
            match own {
                Some((since, youngest)) if *since > holder.since => {
                    let youngest = youngest.clone();
                    self.remove(&youngest);
                }
                Some(_) | None => return,
            }
        };
        let place = (holder.since, id.to_owned());
        self.by_source.entry(source).or_default().insert(place);
        let at = now;
        let reservation = Reservation { holder, at, _room };
        self.by_id.insert(id.to_owned(), reservation);
    }

    /// True if the id waits for somebody else.
    pub(crate) fn is_for_another(&self, id: &str, who: &Holder, now: Instant) -> bool {
        self.by_id.get(id).is_some_and(|reservation| {
            let last = &reservation.holder;
            // Stock pages make a new token each time that they are loaded. Whose id is a key knows
            // of this, and has one to keep.
            let is_back = last.yields_to(who)
                || (last.source == who.source && id.parse::<Address>().is_err());
            !is_back && now - reservation.at < self.keep
        })
    }

    /// Somebody has the id again. Says who had it last.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Holder> {
        let Reservation { holder, .. } = self.by_id.remove(id)?;
        if let Some(own) = self.by_source.get_mut(&holder.source) {
            own.remove(&(holder.since, id.to_owned()));
            if own.is_empty() {
                self.by_source.remove(&holder.source);
            }
        }
        Some(holder)
    }

    /// Lets go of what has waited for long enough.
    pub(crate) fn tick(&mut self, now: Instant) {
        let is_over = |reservation: &Reservation| now - reservation.at >= self.keep;
        let by_id = self.by_id.iter();
        let over: Vec<String> = by_id
            .filter(|(_, reservation)| is_over(reservation))
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            self.remove(&id);
        }
    }

    /// The number of ids that wait, counted in each of the three ways.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> [usize; 3] {
        let by_source = self.by_source.values().map(BTreeSet::len).sum();
        [self.by_id.len(), by_source, self.room.used()]
    }
}
