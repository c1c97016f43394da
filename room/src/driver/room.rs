//! The handle of one room.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_broadcast::Receiver;
use futures::channel::oneshot;
use futures::{Stream, StreamExt};
use hustings_protocol::{
    Command, CommandId, Outcome, PeerId, PeerInfo, Poll as PollState, PollId, Revision, RoomId,
};

use super::commands::Commands;
use super::shared::{RoomEvent, Shared, Stopped};
use crate::{Connection, Event, Host, Moment, Participant, Pending, Refused, SubmitError};

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
    /// The driver has stopped: it was closed, or its `run` has returned the reason.
    #[error("the room is closed")]
    Stopped,
}

impl From<Stopped> for CallError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

/// A room, for code that shows it and acts in it: the same for a participant and for the owner.
///
/// It is cheap to clone. The getters never wait.
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
    Owner(Arc<Shared<Host>>),
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
    /// See [`SubmitError`]; [`CallError::Stopped`] if the driver has stopped, and then the command
    /// may or may not be durable.
    pub async fn submit(&self, command: Command) -> Result<Submitted, CallError> {
        let (tell, outcome) = oneshot::channel();
        let poll_id = self.room.poll_id;
        let command_id = match &self.side {
            Side::Participant(shared) => {
                let submit = move |machine: &mut Participant, commands: &mut Commands, now| {
                    let submitted = machine.submit(command, now);
                    commands.wait_for(&submitted, tell);
                    submitted
                };
                shared.call(submit).await??
            }
            Side::Owner(shared) => {
                let submit = move |host: &mut Host, commands: &mut Commands, now| {
                    let submitted = host.submit(poll_id, command, now);
                    commands.wait_for(&submitted, tell);
                    submitted
                };
                shared.call(submit).await??
            }
        };
        Ok(Submitted {
            command_id,
            outcome,
        })
    }

    /// The present poll, with this side's pending commands applied on top; `None` until it has
    /// arrived once, and if it is not open (any more). While the owner is away it is the cached
    /// copy.
    #[must_use]
    pub fn poll(&self) -> Option<Arc<PollState>> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.view(),
            Side::Owner(shared) => {
                let state = shared.lock();
                state
                    .machine
                    .owner(self.room.poll_id)
                    .map(|owner| Arc::clone(owner.poll()))
            }
        }
    }

    /// The poll as the owner has confirmed it, without pending commands.
    #[must_use]
    pub fn confirmed(&self) -> Option<Arc<PollState>> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.confirmed().cloned(),
            Side::Owner(_) => self.poll(),
        }
    }

    /// The revision of the confirmed poll.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.revision(),
            Side::Owner(shared) => {
                let state = shared.lock();
                state
                    .machine
                    .owner(self.room.poll_id)
                    .map(|owner| owner.revision())
            }
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
            command.state = state.commands.state_of(command.command_id);
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
            Side::Owner(shared) if !shared.is_stopped() && self.poll().is_some() => {
                Connection::Connected
            }
            Side::Participant(_) | Side::Owner(_) => Connection::Closed,
        }
    }

    /// The peers that are online: each device that is connected to the owner, and the owner's own.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.peers(),
            Side::Owner(shared) => {
                let state = shared.lock();
                let owner = state.machine.owner(self.room.poll_id);
                owner.map(crate::Owner::peers).unwrap_or_default()
            }
        }
    }

    /// The present moment on the clock of [`Connection::Disconnected`], for a countdown to its
    /// `retry_at`.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.side {
            Side::Participant(shared) => shared.now(),
            Side::Owner(shared) => shared.now(),
        }
    }

    /// The events from now on. A listener that is more than 1,024 events behind misses the oldest;
    /// the getters always show the present state.
    #[must_use]
    pub fn events(&self) -> Events {
        let (events, poll_id) = match &self.side {
            Side::Participant(shared) => (shared.listen(), self.room.poll_id),
            Side::Owner(shared) => (shared.listen(), self.room.poll_id),
        };
        Events { events, poll_id }
    }

    /// Resolves once the owner has let this side in.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] if the owner will not, [`CallError::Stopped`] if the driver has
    /// stopped.
    pub async fn connected(&self) -> Result<(), CallError> {
        let mut events = self.events();
        loop {
            match self.connection() {
                Connection::Connected => return Ok(()),
                Connection::Refused(reason) => return Err(reason.into()),
                Connection::Closed => return Err(CallError::Stopped),
                Connection::Connecting | Connection::Disconnected { .. } => {}
            }
            events.next().await.ok_or(CallError::Stopped)?;
        }
    }

    /// Tries to connect now rather than at the end of the wait, even after a refusal.
    ///
    /// # Errors
    ///
    /// [`CallError::Stopped`] if the driver has stopped.
    pub async fn reconnect(&self) -> Result<(), CallError> {
        if let Side::Participant(shared) = &self.side {
            shared
                .call(|machine, _, now| machine.reconnect(now))
                .await?;
        }
        Ok(())
    }

    /// Leaves the room: submitted commands become durable and are sent as far as the transport
    /// takes them, then the link is closed. Pending commands stay in the outbox. At the owner this
    /// closes the poll; its journal stays.
    pub async fn close(&self) {
        match &self.side {
            Side::Participant(shared) => shared.close().await,
            Side::Owner(shared) => {
                let poll_id = self.room.poll_id;
                // A driver that has stopped has no open polls.
                let _ = shared
                    .call(move |host, _, _| host.close_poll(poll_id))
                    .await;
            }
        }
    }
}

/// A command that is durable.
#[derive(Debug)]
pub struct Submitted {
    command_id: CommandId,
    outcome: oneshot::Receiver<Outcome>,
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
    /// [`CallError::Stopped`] if the driver stops first. The command is still in the outbox.
    pub async fn outcome(self) -> Result<Outcome, CallError> {
        self.outcome.await.map_err(|_| CallError::Stopped)
    }
}

/// The events of one room.
#[derive(Debug)]
pub struct Events {
    events: Receiver<RoomEvent>,
    poll_id: PollId,
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            match self.events.poll_next_unpin(cx) {
                Poll::Ready(Some((poll_id, event))) => {
                    if poll_id.is_none_or(|poll_id| poll_id == self.poll_id) {
                        return Poll::Ready(Some(event));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
