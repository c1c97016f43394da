//! The handle of one room.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_broadcast::{Receiver, RecvError};
use futures::channel::oneshot;
use futures::{Stream, StreamExt};
use hustings_protocol::planted::{Fault, is_on};
use hustings_protocol::{
    Command, CommandId, Outcome, PeerId, PeerInfo, Poll as PollState, PollId, Revision, RoomId,
};

use super::opened::OwnerSide;
use super::run::DriverError;
use super::shared::{AnyMachine, Core, Notes, RoomEvent, Shared, Stopped};
use crate::{Connection, Event, Machine, Moment, Participant, Pending, Refused, SubmitError};

/// The reason why a call on a handle failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The command was not taken.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The owner cannot be joined.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The room is closed because something failed, perhaps in this call: the disk is full, for
    /// instance. Once that is mended, open the same store again.
    #[error("the room is closed, because {0}")]
    Failed(DriverError),
    /// The room is closed: [`Room::close`] was called on this handle or another, or the driver was
    /// dropped.
    #[error("the room is closed")]
    Stopped,
}

impl From<Stopped> for CallError {
    fn from(Stopped(failure): Stopped) -> Self {
        failure.map_or(Self::Stopped, Self::Failed)
    }
}

/// A room, for code that shows it and acts in it: the same for a participant and for the owner.
///
/// It is cheap to clone. The getters never wait.
///
/// A room that is closed stays closed: whoever opens the poll again gets a new handle.
#[derive(Clone)]
pub struct Room {
    side: Side,
    room: RoomId,
    peer: PeerId,
}

/// The side from which this handle sees the room.
#[derive(Clone)]
pub(super) enum Side {
    Participant(Arc<Shared<Participant>>),
    Owner(Arc<dyn OwnerSide>),
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}

impl Room {
    pub(super) const fn new(side: Side, room: RoomId, peer: PeerId) -> Self {
        Self { side, room, peer }
    }

    /// The room's id; its text is the room link that people share.
    #[must_use]
    pub const fn id(&self) -> RoomId {
        self.room
    }

    /// The identity of this side.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Submits a command. Resolves when it is durable here (and, at the owner, applied or
    /// rejected). [`Submitted::outcome`] and the events tell its further states.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`]; [`CallError::Stopped`] if the room is closed, [`CallError::Failed`] if
    /// that is because something failed. If it happened meanwhile the command may or may not be
    /// durable: it is if it is [`pending`](Self::pending) once the store is open again.
    pub async fn submit(&self, command: Command) -> Result<Submitted, CallError> {
        let (tell, outcome) = oneshot::channel();
        let command_id = match &self.side {
            Side::Participant(shared) => {
                let submit = move |machine: &mut Participant, notes: &mut Notes, now| {
                    let submitted = machine.submit(command, now);
                    notes.commands.wait_for(&submitted, tell);
                    submitted
                };
                shared.call(submit).await??
            }
            Side::Owner(owner) => owner.submit(command, tell).await?,
        };
        let core: Arc<Core<AnyMachine>> = match &self.side {
            Side::Participant(shared) => shared.core(),
            Side::Owner(owner) => owner.core(),
        };
        Ok(Submitted {
            command_id,
            outcome,
            core,
        })
    }

    /// The present poll, with this side's pending commands applied on top; `None` until it has
    /// arrived once, and if it is not open (any more). While the owner is away it is the cached
    /// copy.
    #[must_use]
    pub fn poll(&self) -> Option<Arc<PollState>> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.view(),
            Side::Owner(owner) => owner.poll(),
        }
    }

    /// The poll as the owner has confirmed it, without pending commands.
    #[must_use]
    pub fn confirmed(&self) -> Option<Arc<PollState>> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.confirmed().cloned(),
            Side::Owner(..) => self.poll(),
        }
    }

    /// The milliseconds to add to this side's clock to have the owner's, by which the poll's
    /// deadline counts: see [`Participant::clock_offset`](crate::Participant::clock_offset). Zero
    /// for an owner.
    #[must_use]
    pub fn clock_offset(&self) -> Option<i64> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.clock_offset(),
            Side::Owner(..) => Some(0),
        }
    }

    /// The revision of the confirmed poll.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.revision(),
            Side::Owner(owner) => owner.revision(),
        }
    }

    /// This side's commands without an outcome, in their order; an app shows them as "Pending
    /// sync". An owner has none.
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        let Side::Participant(shared) = &self.side else {
            return Vec::new();
        };
        let state = shared.lock();
        let mut pending = state.machine.pending();
        for command in &mut pending {
            command.state = state.notes.commands.state_of(command.command_id);
        }
        pending
    }

    /// The connection to the owner. An owner is connected as long as its poll is open.
    #[must_use]
    pub fn connection(&self) -> Connection {
        match &self.side {
            Side::Participant(shared) if !shared.is_stopped() => {
                shared.lock().machine.connection().clone()
            }
            Side::Owner(owner) if !owner.is_stopped() && owner.poll().is_some() => {
                Connection::Connected
            }
            Side::Participant(_) | Side::Owner(..) => Connection::Closed,
        }
    }

    /// The peers that are online: each device that is connected to the owner, and the owner's own.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.peers(),
            Side::Owner(owner) => owner.peers(),
        }
    }

    /// True if this is the host, somebody was turned away because all its links are taken
    /// ([`Config::max_links`](crate::Config::max_links)), and all still are. [`Event::Full`] tells
    /// of each change. A transport may have a smaller limit, of which it tells itself.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match &self.side {
            Side::Participant(_) => false,
            Side::Owner(owner) => owner.is_full(),
        }
    }

    /// The present moment on the clock of [`Connection::Disconnected`], for a countdown to its
    /// `retry_at`.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.side {
            Side::Participant(shared) => shared.now(),
            Side::Owner(owner) => owner.now(),
        }
    }

    /// The events from now on. A listener that is more than 1,024 events behind misses the oldest,
    /// and is told so by [`Event::Missed`]; the getters always show the present state.
    #[must_use]
    pub fn events(&self) -> Events {
        match &self.side {
            Side::Participant(shared) => Events::of(shared, self.room.poll_id, 0),
            Side::Owner(owner) => owner.events(),
        }
    }

    /// Resolves once the owner has let this side in.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] if the owner will not, [`CallError::Stopped`] or
    /// [`CallError::Failed`] if the room is closed.
    pub async fn connected(&self) -> Result<(), CallError> {
        let mut events = self.events();
        loop {
            match self.connection() {
                Connection::Connected => return Ok(()),
                Connection::Refused(reason) => return Err(reason.into()),
                Connection::Closed => return Err(self.stopped()),
                Connection::Connecting | Connection::Disconnected { .. } => {}
            }
            events.next().await.ok_or_else(|| self.stopped())?;
        }
    }

    /// Tries to connect now rather than at the end of the wait, even after a refusal.
    ///
    /// # Errors
    ///
    /// [`CallError::Stopped`] or [`CallError::Failed`] if the room is closed.
    pub async fn reconnect(&self) -> Result<(), CallError> {
        match &self.side {
            Side::Participant(shared) => {
                let again = |machine: &mut Participant, _: &mut Notes, now| machine.reconnect(now);
                Ok(shared.call(again).await?)
            }
            Side::Owner(..) if self.connection() == Connection::Closed => Err(self.stopped()),
            Side::Owner(..) => Ok(()),
        }
    }

    /// Leaves the room: submitted commands become durable and are sent as far as the transport
    /// takes them, then the link is closed. Pending commands stay in the outbox. At the owner this
    /// closes the poll; its journal stays.
    ///
    /// The room is closed for every handle to it, and their events end with
    /// [`Connection::Closed`].
    pub async fn close(&self) {
        match &self.side {
            Side::Participant(shared) => shared.close().await,
            Side::Owner(owner) => owner.close().await,
        }
    }

    /// The error of a call on a room that is closed.
    fn stopped(&self) -> CallError {
        let stopped = match &self.side {
            Side::Participant(shared) => shared.stopped(),
            Side::Owner(owner) => owner.stopped(),
        };
        stopped.into()
    }
}

/// A command that is durable.
pub struct Submitted {
    command_id: CommandId,
    outcome: oneshot::Receiver<Outcome>,
    core: Arc<Core<AnyMachine>>,
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted")
            .field("command_id", &self.command_id)
            .finish_non_exhaustive()
    }
}

impl Submitted {
    /// The command's id.
    #[must_use]
    pub const fn command_id(&self) -> CommandId {
        self.command_id
    }

    /// Resolves with the outcome, however long the owner takes.
    ///
    /// # Errors
    ///
    /// [`CallError::Stopped`] or [`CallError::Failed`] if the room is closed first. The command is
    /// still in the outbox.
    pub async fn outcome(self) -> Result<Outcome, CallError> {
        self.outcome.await.map_err(|_| self.core.stopped().into())
    }
}

/// The events of one room. They end once the room is closed.
pub struct Events {
    events: Receiver<RoomEvent>,
    core: Arc<Core<AnyMachine>>,
    poll_id: PollId,
    opening: u64,
    is_over: bool,
}

impl Events {
    pub(super) fn of<M: Machine + Send + 'static>(
        shared: &Shared<M>,
        poll_id: PollId,
        opening: u64,
    ) -> Self {
        // In one step, so that the end is either among the events or was told before.
        let state = shared.lock();
        let is_over = state.notes.openings.is_over(poll_id, opening);
        let (events, core) = shared.listen();
        drop(state);
        Self {
            events,
            core,
            poll_id,
            opening,
            is_over,
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        while !self.is_over {
            match ready!(Pin::new(&mut self.events).poll_recv(cx)) {
                Some(Ok((poll_id, event))) => {
                    if poll_id.is_none_or(|poll_id| poll_id == self.poll_id) {
                        self.is_over = matches!(event, Event::Connection(Connection::Closed));
                        return Poll::Ready(Some(event));
                    }
                }
                Some(Err(RecvError::Overflowed(count))) => {
                    // The end may be among what was missed.
                    let state = self.core.lock();
                    let is_over = state.notes.openings.is_over(self.poll_id, self.opening);
                    drop(state);
                    self.is_over = is_over;
                    if !is_on(Fault::SilentLag) {
                        return Poll::Ready(Some(Event::Missed { count }));
                    }
                }
                Some(Err(RecvError::Closed)) | None => self.is_over = true,
            }
        }
        Poll::Ready(None)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("poll", &self.poll_id)
            .finish_non_exhaustive()
    }
}
