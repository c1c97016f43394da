//! What a driver and its handles share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_broadcast::{InactiveReceiver, Receiver, Sender};
use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use hustings_protocol::{CommandId, Outcome, PollId};
use litemap::LiteMap;

use crate::clock::Clock;
use crate::{CommandState, Event, Machine, Moment};

/// How many events a slow listener may be behind before it misses the oldest.
const EVENT_BUFFER: usize = 1_024;

/// How many requests may wait for the driver before a handle has to wait for it.
const REQUEST_BUFFER: usize = 64;

/// To be called once what a request has caused is durable.
pub(super) type Reply = Box<dyn FnOnce() + Send>;

/// A machine whose kind the driver need not know: one driver is compiled, whatever it drives.
pub(super) type AnyMachine = dyn Machine + Send;

/// What the driver does with what a step led to, before anybody else looks at the machine.
pub(super) type Then<'a> = &'a mut dyn FnMut(&mut State<AnyMachine>);

/// One step of the machine, and the reply to it.
pub(super) type Run = dyn FnOnce(Moment, Then<'_>) -> Reply + Send;

/// Something that a handle wants of the machine.
pub(super) enum Request {
    /// Run this, commit what comes of it, then reply.
    Run(Box<Run>),
    /// Leave in good order.
    Close(Reply),
}

/// An event, and the poll that it is of.
pub(super) type RoomEvent = (Option<PollId>, Event);

/// The machine, and what has to change in one step with it.
pub(super) struct State<M: ?Sized> {
    /// How far each command without an outcome is, as it was told last. The machine is ahead of it by
    /// what waits for the next commit.
    pub(super) told: LiteMap<CommandId, CommandState>,
    /// Who waits for the outcome of what.
    pub(super) waiters: LiteMap<CommandId, oneshot::Sender<Outcome>>,
    pub(super) machine: M,
}

/// What both sides see.
pub(super) struct Core<M: ?Sized>(Mutex<State<M>>);

/// The handles' side of a driver. The driver holds none: with the last of them the requests end, and
/// so does it.
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

/// The driver has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

impl<M: ?Sized> Core<M> {
    /// The machine. A thread that panicked while it had it leaves it as it is: every step of a
    /// machine is complete before anything of it is acted upon.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ends {
    /// However the driver came to its end, nobody gets an outcome from it any more.
    fn drop(&mut self) {
        let waiters = std::mem::take(&mut self.core.lock().waiters);
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
            told: LiteMap::new(),
            waiters: LiteMap::new(),
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

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Whether the driver has stopped, for whatever reason.
    pub(super) fn is_stopped(&self) -> bool {
        self.requests.is_closed()
    }

    /// A new listener, who hears what happens from now on.
    pub(super) fn listen(&self) -> Receiver<RoomEvent> {
        self.events.activate_cloned()
    }

    /// Has the driver run something on the machine; resolves once what came of it is durable.
    pub(super) async fn call<R: Send + 'static>(
        &self,
        run: impl FnOnce(&mut State<M>, Moment) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        let core = Arc::clone(&self.core);
        let request = Request::Run(Box::new(move |now, then| {
            let mut state = core.lock();
            let result = run(&mut state, now);
            then(&mut *state);
            Box::new(move || {
                // Whoever asked may have stopped waiting.
                let _ = reply.send(result);
            })
        }));
        self.send(request).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Has the driver close; resolves once it has. One that has stopped already is closed.
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
        requests.send(request).await.map_err(|_| Stopped)
    }
}

impl<M: ?Sized> State<M> {
    /// Remembers who wants to know how a command ends. In the same step as its submission: the
    /// answer may be quick.
    pub(super) fn wait_for<E>(
        &mut self,
        submitted: &Result<CommandId, E>,
        waiter: oneshot::Sender<Outcome>,
    ) {
        if let Ok(command_id) = submitted {
            self.waiters.insert(*command_id, waiter);
        }
    }

    /// Notes how far a command is that an event tells of. Returns who waits for its outcome, if it
    /// is that.
    pub(super) fn note(&mut self, event: &Event) -> Option<(oneshot::Sender<Outcome>, Outcome)> {
        let Event::Command { command_id, state } = event else {
            return None;
        };
        let Some(outcome) = outcome(state) else {
            self.told.insert(*command_id, state.clone());
            return None;
        };
        self.told.remove(command_id);
        Some((self.waiters.remove(command_id)?, outcome))
    }
}

fn outcome(state: &CommandState) -> Option<Outcome> {
    match state {
        CommandState::Applied(revision) => Some(Outcome::Applied(*revision)),
        CommandState::Rejected(rejection) => Some(Outcome::Rejected(rejection.clone())),
        CommandState::Queued | CommandState::Persisted | CommandState::Sent => None,
    }
}
