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
    /// It has shown that the id, a key, is its own.
    pub(crate) is_proven: bool,
    /// The address that it comes from.
    pub(crate) source: Source,
    /// The moment since which it has had the id, absences that were reserved included.
    pub(crate) since: Instant,
}

impl Holder {
    /// True if somebody else may have the id that this one has: it is the same one, as far as can
    /// be told, or the rightful one.
    pub(crate) fn yields_to(&self, other: &Self) -> bool {
        match (self.is_proven, other.is_proven) {
            (_, true) => true,
            (true, false) => false,
            (false, false) => self.token == other.token,
        }
    }

    /// The order in which ids stay where there is not room for all: whoever has proved to be the one, then
    /// whoever has been there longer.
    const fn rank(&self) -> Rank {
        (!self.is_proven, self.since)
    }
}

type Rank = (bool, Instant);

#[derive(Debug)]
struct Reservation {
    holder: Holder,
    /// The moment at which it left.
    at: Instant,
    _room: Held,
}

/// The times that ids are kept for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) plain: Duration,
    pub(crate) proven: Duration,
}

impl Times {
    const fn of(&self, holder: &Holder) -> Duration {
        if holder.is_proven {
            self.proven
        } else {
            self.plain
        }
    }
}

/// Ids that wait for their last holder for a while.
///
/// They have a bound, of which no address takes more than it leaves. Where it has no room for one
/// more, whoever has proved nothing goes first, and has had an id for the shortest time: ids that a
/// stranger takes one after the other do not displace an owner's.
#[derive(Debug)]
pub(crate) struct Reserved {
    times: Times,
    room: Pool,
    by_id: BTreeMap<String, Reservation>,
    /// The same by where they come from, those that go first last.
    by_source: BTreeMap<Source, BTreeSet<(Rank, String)>>,
}

impl Reserved {
    pub(crate) fn new(times: Times, max: usize) -> Self {
        Self {
            times,
            room: Pool::new(max),
            by_id: BTreeMap::new(),
            by_source: BTreeMap::new(),
        }
    }

    /// The number of ids that are kept.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Keeps the id of somebody who is gone.
    pub(crate) fn keep(&mut self, id: &str, holder: Holder, now: Instant) {
        if self.times.of(&holder).is_zero() {
            return;
        }
        let source = holder.source;
        let _room = loop {
            if let Some(room) = self.room.take(source, 1) {
                break room;
            }
            let own = self.by_source.get(&source).and_then(BTreeSet::last);
            match own {
                Some((rank, last)) if *rank > holder.rank() => {
                    let last = last.clone();
                    self.remove(&last);
                }
                Some(_) | None => return,
            }
        };
        let place = (holder.rank(), id.to_owned());
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
            !is_back && now - reservation.at < self.times.of(last)
        })
    }

    /// Somebody has the id again. Says who had it last.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Holder> {
        let Reservation { holder, .. } = self.by_id.remove(id)?;
        if let Some(own) = self.by_source.get_mut(&holder.source) {
            own.remove(&(holder.rank(), id.to_owned()));
            if own.is_empty() {
                self.by_source.remove(&holder.source);
            }
        }
        Some(holder)
    }

    /// Lets go of what has waited for long enough.
    pub(crate) fn tick(&mut self, now: Instant) {
        let is_over =
            |reservation: &Reservation| now - reservation.at >= self.times.of(&reservation.holder);
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
