//! Runs tasks in virtual time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::task::{ArcWake, LocalSpawnExt, waker};
use hustings_room::Moment;
use hustings_room::clock::Clock;

use crate::clock::VirtualClock;

/// An executor on one thread that moves a [`VirtualClock`] on whenever no task can go on.
///
/// Tasks are polled in the order in which they were woken, so a run is the same each time. Nothing
/// ever waits for real time.
///
/// ```
/// use std::time::Duration;
///
/// use hustings_room::Moment;
/// use hustings_room::clock::Clock;
/// use hustings_transport_mem::{Stuck, VirtualRuntime};
///
/// let mut runtime = VirtualRuntime::new();
/// let clock = runtime.clock().clone();
/// let nap = clock.sleep_until(Moment::from_millis(8 * 3_600_000));
/// runtime.block_on(nap, Duration::from_secs(86_400))?;
/// assert_eq!(clock.now(), Moment::from_millis(8 * 3_600_000));
///
/// let never = std::future::pending::<()>();
/// assert!(matches!(
///     runtime.block_on(never, Duration::from_secs(1)),
///     Err(Stuck::Deadlock { .. })
/// ));
/// # Ok::<(), Stuck>(())
/// ```
#[derive(Debug)]
pub struct VirtualRuntime {
    clock: VirtualClock,
    pool: LocalPool,
}

/// The reason why a future will not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// No task can go on and nobody sleeps.
    #[error("stuck for ever: at {} ms every task waits and no timer is set", at.as_millis())]
    Deadlock {
        /// The moment of it.
        at: Moment,
    },
    /// It was not done by the limit that was set.
    #[error("not done at {} ms, which was the limit", limit.as_millis())]
    OutOfTime {
        /// The limit, in virtual time.
        limit: Moment,
    },
}

impl VirtualRuntime {
    /// A runtime with a new clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(VirtualClock::new())
    }

    /// A runtime that moves this clock.
    #[must_use]
    pub fn with_clock(clock: VirtualClock) -> Self {
        Self {
            clock,
            pool: LocalPool::new(),
        }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// A handle with which tasks spawn others.
    #[must_use]
    pub fn spawner(&self) -> LocalSpawner {
        self.pool.spawner()
    }

    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let spawned = self.pool.spawner().spawn_local(task);
        spawned.expect("the pool lives as long as the runtime");
    }

    /// Starts a task whose result can be awaited. Dropping the handle ends the task where it
    /// stands, as the end of a process does; [`RemoteHandle::forget`] does not.
    pub fn spawn_with_handle<T: 'static>(
        &self,
        task: impl Future<Output = T> + 'static,
    ) -> RemoteHandle<T> {
        let spawned = self.pool.spawner().spawn_local_with_handle(task);
        spawned.expect("the pool lives as long as the runtime")
    }

    /// Runs all tasks until `future` is done. Each timer goes off at its own moment.
    ///
    /// # Errors
    ///
    /// [`Stuck`] if that is not within `limit` from now, in virtual time, or can never be.
    pub fn block_on<F: Future>(&mut self, future: F, limit: Duration) -> Result<F::Output, Stuck> {
        let limit = self.clock.now() + limit;
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = waker(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        loop {
            while woken.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return Ok(output);
                }
                self.pool.run_until_stalled();
            }
            match self.clock.next_deadline() {
                None => {
                    return Err(Stuck::Deadlock {
                        at: self.clock.now(),
                    });
                }
                Some(deadline) if deadline > limit => {
                    self.clock.advance_to(limit);
                    return Err(Stuck::OutOfTime { limit });
                }
                Some(deadline) => self.clock.advance_to(deadline),
            }
            self.pool.run_until_stalled();
        }
    }

    /// Runs all tasks for this long, in virtual time. Afterwards no task can go on without more of
    /// it.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.clock.now() + duration;
        self.pool.run_until_stalled();
        while let Some(deadline) = self.clock.next_deadline()
            && deadline <= until
        {
            self.clock.advance_to(deadline);
            self.pool.run_until_stalled();
        }
        self.clock.advance_to(until);
    }
}

impl Default for VirtualRuntime {
    fn default() -> Self {
        Self::new()
    }
}

/// A flag: the future that is blocked on was woken.
struct Woken(AtomicBool);

impl ArcWake for Woken {
    fn wake_by_ref(woken: &Arc<Self>) {
        woken.0.store(true, Ordering::Release);
    }
}
