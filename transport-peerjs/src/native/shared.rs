//! The shell of one address, and the ways to it from tasks and threads.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::sleep_until;

use super::arrivals::Arrivals;
use super::backend::Native;
use super::relay;
use super::relays::RelayId;
use super::signalling::Told;
use super::udp::Datagram;
use crate::shell::Shell;
use crate::trace::trace;
use crate::wire::{RtcId, SocketId};

/// Most datagrams in one turn.
const BATCH: usize = 256;

/// A shell that tasks and the transport's user take turns with. No turn waits for anything, and
/// nobody is woken in one.
pub(super) struct Shared {
    shell: Mutex<Shell<Native>>,
    /// Told after each turn, for tasks that wait for one: a thread of the runtime that waited would
    /// read no socket meanwhile.
    free: Notify,
    /// Itself, after the transport was dropped, until its connections have sent what they have.
    leaving: Mutex<Option<Arc<Self>>>,
    /// Closed when all this is gone, and what it has left to be done is done.
    present: watch::Sender<()>,
}

impl Shared {
    pub(super) fn new(make: impl FnOnce(Reporter) -> Shell<Native>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            shell: Mutex::new(make(Reporter { to: me.clone() })),
            free: Notify::new(),
            leaving: Mutex::new(None),
            present: watch::Sender::new(()),
        })
    }

    /// Looks at the shell.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Shell<Native>) -> R) -> R {
        let seen = read(&lock(&self.shell));
        self.free.notify_one();
        seen
    }

    /// Lets the shell do something, and then wakes whom that concerns.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut Shell<Native>) -> R) -> R {
        self.act_in(lock(&self.shell), act)
    }

    /// The same in a turn that one has.
    fn act_in<R>(
        &self,
        mut shell: MutexGuard<'_, Shell<Native>>,
        act: impl FnOnce(&mut Shell<Native>) -> R,
    ) -> R {
        let result = act(&mut shell);
        let (waker, is_over) = (shell.take_waker(), shell.is_over());
        drop(shell);
        self.free.notify_one();
        if is_over {
            // Whoever called has a reference of its own.
            drop(lock(&self.leaving).take());
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// A turn, if nobody has it.
    fn try_turn(&self) -> Option<MutexGuard<'_, Shell<Native>>> {
        match self.shell.try_lock() {
            Ok(shell) => Some(shell),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Ends as [`Shell::leave`] does, and stays alive until that is done.
    pub(super) fn leave(self: &Arc<Self>) {
        *lock(&self.leaving) = Some(Arc::clone(self));
        self.act(Shell::leave);
    }

    /// Something by which one sees that all this is gone.
    pub(super) fn gone(&self) -> watch::Receiver<()> {
        self.present.subscribe()
    }
}

/// A panic while it was held has left nothing half done that others would see: the shell goes on,
/// or says that it is over.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way by which tasks reach the shell. It does not keep it alive.
#[derive(Clone)]
pub(super) struct Reporter {
    to: Weak<Shared>,
}

impl Reporter {
    /// A share in what is to be over before all this is gone. There is none to be had afterwards.
    pub(super) fn present(&self) -> Option<watch::Sender<()>> {
        Some(self.to.upgrade()?.present.clone())
    }

    /// Something happened to a socket.
    pub(super) fn report(&self, socket: SocketId, told: Told) {
        self.run(|native| native.report(socket, told));
    }

    /// A STUN server's name was looked up.
    pub(super) fn looked_up(&self, host: &str, port: u16, found: &[SocketAddr]) {
        self.run(|native| native.looked_up(host, port, found));
    }

    /// A relay says something.
    pub(super) fn relay_told(&self, relay: RelayId, told: relay::Told) {
        self.run(|native| native.relay_told(relay, told));
    }

    /// A way to hand over datagrams of a dial's own port.
    pub(super) fn of_dial(&self, dial: RtcId) -> impl Fn(&[Datagram<'_>]) + Clone + Send + use<> {
        let reporter = self.clone();
        move |datagrams| {
            reporter.run(|native| {
                for datagram in datagrams {
                    native.receive(Some(dial), *datagram);
                }
            });
        }
    }

    /// A way to hand over datagrams of everybody's port, on a task of the runtime. Whoever reads
    /// the socket only puts them there, however long others have their turn.
    pub(super) fn of_everybody(
        &self,
        runtime: &Handle,
    ) -> impl Fn(&[Datagram<'_>]) + Clone + Send + use<> {
        let arrivals = Arc::new(Arrivals::default());
        runtime.spawn(self.clone().serve(Arc::clone(&arrivals)));
        // With the last of the sockets that have this, the task ends.
        let sockets = Arc::new(Sockets(arrivals));
        move |datagrams| sockets.0.put(datagrams)
    }

    /// Hands over what waits, turn by turn, until nobody puts anything there.
    async fn serve(self, arrivals: Arc<Arrivals>) {
        while arrivals.some().await {
            let done = self.in_turn(|native| {
                for arrived in arrivals.take(BATCH) {
                    native.receive(None, arrived.datagram());
                }
            });
            if done.await.is_none() {
                return;
            }
            let lost = arrivals.lost();
            if lost > 0 {
                trace! { tracing::warn!(lost, "datagrams found no room") }
            }
        }
    }

    /// Keeps time: tells the backend at the moments that it sets, until it is gone.
    pub(super) async fn keep_time(self, mut alarm: watch::Receiver<Option<Instant>>) {
        loop {
            let at = *alarm.borrow_and_update();
            let due = async {
                match at {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = alarm.changed() => if changed.is_err() {
                    return;
                },
                () = due => {
                    self.in_turn(Native::handle_alarm).await;
                }
            }
        }
    }

    /// Waits for a turn; `None` when the shell is gone.
    async fn in_turn(&self, tell: impl FnOnce(&mut Native)) -> Option<()> {
        loop {
            let shared = self.to.upgrade()?;
            if let Some(turn) = shared.try_turn() {
                shared.act_in(turn, |shell| {
                    tell(shell.backend());
                    shell.run();
                });
                return Some(());
            }
            shared.free.notified().await;
        }
    }

    fn run(&self, tell: impl FnOnce(&mut Native)) {
        if let Some(shared) = self.to.upgrade() {
            shared.act(|shell| {
                tell(shell.backend());
                shell.run();
            });
        }
    }
}

/// The sockets that put datagrams there.
struct Sockets(Arc<Arrivals>);

impl Drop for Sockets {
    fn drop(&mut self) {
        self.0.end();
    }
}
