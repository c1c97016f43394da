//! A clock that moves only when it is told to.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hustings_room::Moment;
use hustings_room::clock::{Clock, Sleep};

/// Virtual time: a [`Clock`] that stands still until somebody moves it.
///
/// Clones are handles to the same clock. Those who sleep are woken in the order (deadline, first
/// poll of the sleep), so a test that sleeps an hour takes no time and always runs the same. A
/// sleep that is dropped is forgotten.
///
/// ```
/// use futures::FutureExt;
/// use hustings_room::Moment;
/// use hustings_room::clock::Clock;
/// use hustings_transport_mem::VirtualClock;
///
/// let clock = VirtualClock::new();
/// let hour = Moment::from_millis(3_600_000);
/// let mut sleep = clock.sleep_until(hour);
/// assert_eq!((&mut sleep).now_or_never(), None);
///
/// assert_eq!(clock.next_deadline(), Some(hour));
/// assert!(clock.advance_to_next());
/// assert_eq!((&mut sleep).now_or_never(), Some(()));
/// ```
#[derive(Clone, Default)]
pub struct VirtualClock {
    time: Arc<Mutex<Time>>,
}

#[derive(Default)]
struct Time {
    now: Moment,
    registered: u64,
    sleepers: BTreeMap<Registration, Waker>,
}

/// The order in which sleepers are woken.
type Registration = (Moment, u64);

impl VirtualClock {
    /// A clock that shows [`Moment::START`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The earliest moment that anybody sleeps until.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.time()
            .sleepers
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }

    /// Moves to `moment` and wakes those whose deadline that reaches, in their order. Time never
    /// goes back: for an earlier moment nothing happens.
    ///
    /// All of them wake up at `moment`. To let each wake up at its own deadline, go there in steps
    /// with [`advance_to_next`](Self::advance_to_next).
    pub fn advance_to(&self, moment: Moment) {
        let reached = {
            let mut time = self.time();
            time.now = time.now.max(moment);
            let later = match time.now.as_millis().checked_add(1) {
                Some(next) => time.sleepers.split_off(&(Moment::from_millis(next), 0)),
                None => BTreeMap::new(),
            };
            std::mem::replace(&mut time.sleepers, later)
        };
        for waker in reached.into_values() {
            waker.wake();
        }
    }

    /// Moves on by `duration`, as [`advance_to`](Self::advance_to) does.
    pub fn advance_by(&self, duration: Duration) {
        self.advance_to(self.now() + duration);
    }

    /// Moves to the next deadline; `false` when nobody sleeps.
    pub fn advance_to_next(&self) -> bool {
        let Some(deadline) = self.next_deadline() else {
            return false;
        };
        self.advance_to(deadline);
        true
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        self.time().now
    }

    fn sleep_until(&self, moment: Moment) -> Sleep {
        Box::pin(VirtualSleep {
            clock: self.clone(),
            deadline: moment,
            registration: None,
        })
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time();
        f.debug_struct("VirtualClock")
            .field("now", &time.now)
            .field("sleepers", &time.sleepers.len())
            .finish()
    }
}

struct VirtualSleep {
    clock: VirtualClock,
    deadline: Moment,
    registration: Option<Registration>,
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        let mut time = sleep.clock.time();
        if time.now >= sleep.deadline {
            // If it was registered, it was also woken, unless somebody else's poll came first.
            if let Some(registration) = sleep.registration.take() {
                time.sleepers.remove(&registration);
            }
            return Poll::Ready(());
        }
        let registration = *sleep.registration.get_or_insert_with(|| {
            time.registered += 1;
            (sleep.deadline, time.registered)
        });
        time.sleepers
            .entry(registration)
            .and_modify(|waker| waker.clone_from(cx.waker()))
            .or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        if let Some(registration) = self.registration {
            // The waker is dropped outside the lock: it may be the last handle to a task that owns
            // another sleep.
            let _waker = self.clock.time().sleepers.remove(&registration);
        }
    }
}
