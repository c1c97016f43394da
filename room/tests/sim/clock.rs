//! The clock of a process, which jumps, stands still, and starts wherever it likes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hustings_room::Moment;
use hustings_room::clock::{Clock, Sleep};
use hustings_transport_mem::VirtualClock;

/// A process that looks at its clock so often in one moment does not come to an end.
const MAX_LOOKS: u64 = 100_000;

/// A process's own clock, beside the one that the world goes by.
#[derive(Clone)]
pub(super) struct OwnClock {
    world: VirtualClock,
    state: Arc<Mutex<State>>,
    /// Some of its timers never go off, which is a bug on purpose.
    sticks: bool,
}

struct State {
    /// This clock is so many milliseconds ahead of the world's, or behind it.
    ahead: i128,
    /// It stands still at this moment.
    stands_at: Option<Moment>,
    /// The number of times it was read at this moment of the world's.
    looks: u64,
    looked_at: Moment,
    /// Those who sleep, to be woken when it is tampered with.
    sleepers: Vec<Waker>,
}

impl OwnClock {
    /// A clock that shows `start` now.
    pub(super) fn new(world: VirtualClock, start: Moment, sticks: bool) -> Self {
        let state = State {
            ahead: millis(start) - millis(world.now()),
            stands_at: None,
            looks: 0,
            looked_at: Moment::START,
            sleepers: Vec::new(),
        };
        Self {
            world,
            state: Arc::new(Mutex::new(state)),
            sticks,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It goes ahead, as when a machine was asleep.
    pub(super) fn jump(&self, by: Duration) {
        self.state().ahead += i128::try_from(by.as_millis()).unwrap_or(i128::MAX / 4);
        self.wake();
    }

    /// It stands still, or goes on from there.
    pub(super) fn stop(&self, stops: bool) {
        let mut state = self.state();
        let shown = self.shown(&state);
        state.ahead = millis(shown) - millis(self.world.now());
        state.stands_at = stops.then_some(shown);
        drop(state);
        self.wake();
    }

    fn wake(&self) {
        let sleepers = std::mem::take(&mut self.state().sleepers);
        for sleeper in sleepers {
            sleeper.wake();
        }
    }

    fn shown(&self, state: &State) -> Moment {
        state.stands_at.unwrap_or_else(|| {
            let shown = millis(self.world.now()) + state.ahead;
            Moment::from_millis(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
        })
    }
}

fn millis(moment: Moment) -> i128 {
    moment.as_millis().into()
}

impl Clock for OwnClock {
    fn now(&self) -> Moment {
        let world = self.world.now();
        let mut state = self.state();
        if state.looked_at != world {
            state.looked_at = world;
            state.looks = 0;
        }
        state.looks += 1;
        assert!(
            state.looks < MAX_LOOKS,
            "a driver goes round and round without letting time pass"
        );
        self.shown(&state)
    }

    fn sleep_until(&self, moment: Moment) -> Sleep {
        Box::pin(OwnSleep {
            clock: self.clone(),
            deadline: moment,
            sleep: None,
        })
    }
}

struct OwnSleep {
    clock: OwnClock,
    deadline: Moment,
    /// In the world's time, as it was when it was last looked at.
    sleep: Option<(Moment, Sleep)>,
}

impl Future for OwnSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        let now = sleep.clock.now();
        if now >= sleep.deadline {
            return Poll::Ready(());
        }
        if sleep.clock.sticks && sleep.deadline.as_millis().is_multiple_of(3) {
            return Poll::Pending;
        }
        {
            let mut state = sleep.clock.state();
            if !state.sleepers.iter().any(|it| it.will_wake(cx.waker())) {
                state.sleepers.push(cx.waker().clone());
            }
            if state.stands_at.is_some() {
                return Poll::Pending;
            }
        }
        let due = sleep.clock.world.now() + (sleep.deadline - now);
        if sleep.sleep.as_ref().is_none_or(|(at, _)| *at != due) {
            sleep.sleep = Some((due, sleep.clock.world.sleep_until(due)));
        }
        let Some((_, world)) = &mut sleep.sleep else {
            return Poll::Pending;
        };
        world.as_mut().poll(cx)
    }
}
