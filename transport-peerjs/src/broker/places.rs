//! A bounded number of places. When all are taken, the address that has the most gives one up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use super::pool::Source;

/// The word that a place has to be given up.
#[derive(Debug, Default)]
pub(crate) struct Eviction {
    is_said: AtomicBool,
    waker: AtomicWaker,
}

impl Eviction {
    fn say(&self) {
        self.is_said.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready once it is said. The task that has asked last is woken for it.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.is_said.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// The place that an address gives up when it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivesUp {
    /// The one that was taken, or used, the longest time ago.
    Oldest,
    /// The one that was taken last, which may be the one that was just asked for.
    Newest,
}

/// A bounded number of places. See the [module](self).
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    max: usize,
    max_each: usize,
    gives_up: GivesUp,
    /// The places that are taken.
    count: usize,
    /// The places that were given up, or not had, because there were no more.
    given_up: u64,
    /// The number of the place that was taken last.
    last: u64,
    by: BTreeMap<Source, BTreeMap<u64, Arc<Eviction>>>,
    /// Every address in `by`, after the number of its places.
    by_weight: BTreeSet<(usize, Source)>,
}

impl Places {
    /// So many places, of which one address gets so many.
    pub(crate) fn new(max: usize, max_each: usize, gives_up: GivesUp) -> Self {
        Self(Arc::new(Mutex::new(Taken {
            max: max.max(1),
            max_each: max_each.max(1),
            gives_up,
            count: 0,
            given_up: 0,
            last: 0,
            by: BTreeMap::new(),
            by_weight: BTreeSet::new(),
        })))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics between two of its changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The places that are taken.
    pub(crate) fn count(&self) -> usize {
        self.taken().count
    }

    /// The places that were given up, or not had, because there were no more.
    pub(crate) fn given_up(&self) -> u64 {
        self.taken().given_up
    }

    /// Takes a place, which is given back when it is dropped. `eviction` is said if it has to be
    /// given up before. None if it would be the first to go.
    pub(crate) fn take(&self, source: Source, eviction: Arc<Eviction>) -> Option<Place> {
        let mut taken = self.taken();
        taken.last += 1;
        let number = taken.last;
        taken.insert(source, number, eviction);
        let own = taken.of(source);
        let loser = if own > taken.max_each {
            Some(source)
        } else if taken.count > taken.max {
            // Of two with the same, it is the one that asks: else each of them would take
            // places from the other for ever.
            match taken.by_weight.last() {
                Some(&(weight, heaviest)) if weight > own => Some(heaviest),
                Some(_) | None => Some(source),
            }
        } else {
            None
        };
        if let Some(loser) = loser
            && let Some((gone, evicted)) = taken.give_up(loser)
        {
            taken.given_up += 1;
            if gone == number {
                return None;
            }
            evicted.say();
        }
        drop(taken);
        Some(Place {
            places: self.clone(),
            source,
            number,
        })
    }
}

impl Taken {
    fn of(&self, source: Source) -> usize {
        self.by.get(&source).map_or(0, BTreeMap::len)
    }

    fn insert(&mut self, source: Source, number: u64, eviction: Arc<Eviction>) {
        let weight = self.of(source);
        self.by.entry(source).or_default().insert(number, eviction);
        self.count += 1;
        self.weigh(source, weight);
    }

    fn remove(&mut self, source: Source, number: u64) -> Option<Arc<Eviction>> {
        let weight = self.of(source);
        let eviction = self.by.get_mut(&source)?.remove(&number)?;
        self.count -= 1;
        self.weigh(source, weight);
        Some(eviction)
    }

    /// An address had another number of places before.
    fn weigh(&mut self, source: Source, before: usize) {
        self.by_weight.remove(&(before, source));
        match self.of(source) {
            0 => {
                self.by.remove(&source);
            }
            weight => {
                self.by_weight.insert((weight, source));
            }
        }
    }

    fn give_up(&mut self, loser: Source) -> Option<(u64, Arc<Eviction>)> {
        let places = self.by.get(&loser)?;
        let (&number, _) = match self.gives_up {
            GivesUp::Oldest => places.first_key_value(),
            GivesUp::Newest => places.last_key_value(),
        }?;
        Some((number, self.remove(loser, number)?))
    }
}

/// A place that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    source: Source,
    number: u64,
}

impl Place {
    /// It is used: it counts as taken just now.
    pub(crate) fn renew(&mut self) {
        let mut taken = self.places.taken();
        if let Some(eviction) = taken.remove(self.source, self.number) {
            taken.last += 1;
            self.number = taken.last;
            taken.insert(self.source, self.number, eviction);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(self.source, self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures::task::noop_waker;

    use super::*;

    struct Taker(Places);

    /// A place, and the word that it is lost.
    struct Taking(Option<Place>, Arc<Eviction>);

    impl Taking {
        fn is_there(&self) -> bool {
            let waker = noop_waker();
            self.0.is_some() && self.1.poll(&Context::from_waker(&waker)).is_pending()
        }
    }

    impl Taker {
        fn take(&self, from: u8) -> Taking {
            let eviction = Arc::new(Eviction::default());
            let source = IpAddr::from([10, 0, 0, from]).into();
            Taking(self.0.take(source, Arc::clone(&eviction)), eviction)
        }

        fn take_all(&self, from: u8, count: usize) -> Vec<Taking> {
            (0..count).map(|_| self.take(from)).collect()
        }
    }

    fn there(takings: &[Taking]) -> Vec<bool> {
        takings.iter().map(Taking::is_there).collect()
    }

    #[test]
    fn whoever_has_most_makes_room_and_whoever_has_as_many_does_not() {
        let places = Taker(Places::new(6, 6, GivesUp::Newest));
        let a = places.take_all(1, 4);
        let b = places.take_all(2, 2);
        let c = places.take(3);
        assert!(c.is_there());
        assert_eq!(there(&a), [true, true, true, false]);
        assert_eq!(there(&b), [true, true]);
        // Three of the one, two of the other: a third would only turn it round.
        assert!(!places.take(2).is_there());
        assert!(!places.take(1).is_there());
        assert_eq!(there(&a), [true, true, true, false]);
        assert_eq!(places.0.given_up(), 3);
        drop((a, b, c));
        let taken = places.0.taken();
        assert_eq!(taken.count, 0);
        assert!(taken.by.is_empty(), "nobody is remembered");
        assert!(taken.by_weight.is_empty());
    }

    #[test]
    fn the_place_that_was_not_used_for_longest_goes_first() {
        let places = Taker(Places::new(3, 3, GivesUp::Oldest));
        let mut a = places.take_all(1, 3);
        if let Some(place) = &mut a[0].0 {
            place.renew();
        }
        a.push(places.take(1));
        assert_eq!(there(&a), [true, false, true, true]);
        let b = places.take(2);
        assert!(b.is_there());
        assert_eq!(there(&a), [true, false, false, true]);
    }

    #[test]
    fn one_address_gets_no_more_than_its_part() {
        let places = Taker(Places::new(6, 2, GivesUp::Newest));
        let a = places.take_all(1, 3);
        assert_eq!(there(&a), [true, true, false]);
        drop(a);
        assert!(places.take(1).is_there());
    }

    #[test]
    fn a_crowd_of_addresses_does_not_keep_another_out() {
        let places = Taker(Places::new(64, 64, GivesUp::Newest));
        let crowd: Vec<_> = (0..20).flat_map(|from| places.take_all(from, 64)).collect();
        let new = places.take(100);
        assert!(new.is_there());
        assert_eq!(places.0.taken().count, 64);
        drop(crowd);
    }
}
