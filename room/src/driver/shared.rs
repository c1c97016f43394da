//! The state that a driver and its handles share.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_broadcast::{InactiveReceiver, Receiver, Sender};
use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use hustings_protocol::PollId;

use super::commands::Commands;
use super::openings::Openings;
use super::run::DriverError;
use crate::clock::Clock;
use crate::{Event, Machine, Moment};

/// The number of events that a slow listener may be behind before it misses the oldest.
const EVENT_BUFFER: usize = 1_024;

/// The number of requests that may wait for the driver before a handle has to wait, too.
const REQUEST_BUFFER: usize = 64;

/// Called once everything that a request caused is durable.
pub(super) type Reply = Box<dyn FnOnce() + Send>;

/// A machine of a kind that the driver need not know, so that one driver is compiled for all.
pub(super) type AnyMachine = dyn Machine + Send;

/// One step of the machine, and the reply to it.
pub(super) type Step = dyn FnOnce(&mut State<AnyMachine>, Moment) -> Reply + Send;

/// A request of a handle.
pub(super) enum Request {
    /// Take this step, commit what comes of it, then reply.
    Step(Box<Step>),
    /// Leave in good order.
    Close(Reply),
}

/// An event, and the poll that it is about, if any.
pub(super) type RoomEvent = (Option<PollId>, Event);

/// The machine, and the data that changes together with it.
pub(super) struct State<M: ?Sized> {
    pub(super) notes: Notes,
    pub(super) machine: M,
}

/// The driver's own data about what it has told, and about its handles.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) commands: Commands,
    pub(super) openings: Openings,
    /// The reason why the driver has stopped, if something failed: whoever calls a handle is told,
    /// and not only whoever runs the driver.
    pub(super) failure: Option<DriverError>,
}

/// The state, as both sides see it.
pub(super) struct Core<M: ?Sized>(Mutex<State<M>>);

/// The handles' side of a driver. The driver has no handle itself: when the last one is gone, the
/// requests end, and so does the driver.
pub(super) struct Shared<M> {
    core: Arc<Core<M>>,
    clock: Arc<dyn Clock>,
    requests: mpsc::Sender<Request>,
    events: InactiveReceiver<RoomEvent>,
}

/// The driver's side.
pub(super) struct Ends {
    pub(super) core: Arc<Core<AnyMachine>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: Sender<RoomEvent>,
}

/// The driver has stopped; with the failure, if that is why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stopped(pub(super) Option<DriverError>);

impl<M: ?Sized> Core<M> {
    /// The state. A thread that panicked while it had the lock leaves the state usable: every step
    /// of a machine is complete before anything of it is acted upon.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error of a call that the driver does not answer any more.
    pub(super) fn stopped(&self) -> Stopped {
        Stopped(self.lock().notes.failure.clone())
    }
}

impl Drop for Ends {
    /// However the driver ended, nobody gets an outcome from it any more.
    fn drop(&mut self) {
        let waiters = self.core.lock().notes.commands.abandon();
        // Outside the lock: it wakes them.
        drop(waiters);
    }
}

impl<M: Machine + Send + 'static> Shared<M> {
    pub(super) fn new(machine: M, clock: Arc<dyn Clock>) -> (Arc<Self>, Ends) {
        let (requests, requests_end) = mpsc::channel(REQUEST_BUFFER);
        let (mut events_end, events) = async_broadcast::broadcast(EVENT_BUFFER);
        events_end.set_overflow(true);
        let state = State {
            notes: Notes::default(),
            machine,
        };
        let core = Arc::new(Core(Mutex::new(state)));
        let shared = Self {
            core: Arc::clone(&core),
            clock: Arc::clone(&clock),
            requests,
            events: events.deactivate(),
        };
        let ends = Ends {
            core,
            clock,
            requests: requests_end,
            events: events_end,
        };
        (Arc::new(shared), ends)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.core.lock()
    }

    /// See [`Core::stopped`].
    pub(super) fn stopped(&self) -> Stopped {
        self.core.stopped()
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// True if the driver has stopped, for any reason.
    pub(super) fn is_stopped(&self) -> bool {
        self.requests.is_closed()
    }

    /// The state, as the driver sees it.
    pub(super) fn core(&self) -> Arc<Core<AnyMachine>> {
        Arc::clone(&self.core) as _
    }

    /// A new listener, for the events from now on, and the state as it is at this event.
    pub(super) fn listen(&self) -> (Receiver<RoomEvent>, Arc<Core<AnyMachine>>) {
        (self.events.activate_cloned(), self.core())
    }

    /// Has the driver take a step of the machine; resolves once what came of it is durable.
    pub(super) async fn call<R: Send + 'static>(
        &self,
        step: impl FnOnce(&mut M, &mut Notes, Moment) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Step(Box::new(move |state, now| {
            let result = step(own(&mut state.machine), &mut state.notes, now);
            Box::new(move || {
                // The caller may have stopped waiting.
                let _ = reply.send(result);
            })
        }));
        self.send(request).await?;
        answer.await.map_err(|_| self.stopped())
    }

    /// Has the driver close; resolves once it has, or at once if it has stopped already.
    pub(super) async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        let request = Request::Close(Box::new(move || {
            let _ = reply.send(());
        }));
        if self.send(request).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn send(&self, request: Request) -> Result<(), Stopped> {
        let mut requests = self.requests.clone();
        let sent = requests.send(request).await;
        sent.map_err(|_| self.stopped())
    }
}

/// The machine of these handles. Out of line: every step has it, and a browser loads each.
#[inline(never)]
fn own<M: Machine>(machine: &mut AnyMachine) -> &mut M {
    let machine: &mut dyn Any = machine;
    let machine = machine.downcast_mut();
    machine.expect("a driver and its handles are made around one machine")
}
