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

/// Why a handle could not do what it was asked.
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

/// A room, for those who show it and act in it: the same for a participant and for the owner.
///
/// It is cheap to clone. The getters never wait.
#[derive(Clone)]
pub struct Room {
    side: Side,
    room: RoomId,
    peer: PeerId,
}

/// From which side one looks at the room.
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

    /// Where the room is: what people share.
    #[must_use]
    pub const fn id(&self) -> RoomId {
        self.room
    }

    /// Who this side is.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Asks for something. Resolves when the command is durable here (and, at the owner, applied or
    /// refused); what becomes of it then is told by [`Submitted::outcome`] and by the events.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`]; [`CallError::Stopped`] when the driver is gone, in which case the
    /// command may or may not have become durable.
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

    /// The poll as it is, with this side's pending commands applied on top; `None` until it has been
    /// seen once, or when it is not hosted (any more). While the owner is away it is the cached
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

    /// The poll as the owner has confirmed it, without anything that is pending.
    #[must_use]
    pub fn confirmed(&self) -> Option<Arc<PollState>> {
        match &self.side {
            Side::Participant(shared) => shared.lock().machine.confirmed().cloned(),
            Side::Owner(_) => self.poll(),
        }
    }

    /// At which revision the confirmed poll is.
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

    /// This side's commands without an outcome, in their order: what shows as "Pending sync". An
    /// owner has none.
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

    /// The connection to the owner. An owner is connected for as long as it hosts the poll.
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

    /// Who is here: each device that is connected to the owner, and the owner's own.
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

    /// The moment, on the clock of [`Connection::Disconnected`], to count down from.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.side {
            Side::Participant(shared) => shared.now(),
            Side::Owner(shared) => shared.now(),
        }
    }

    /// What happens from now on. A listener that is more than 1,024 events behind misses the oldest;
    /// the getters always say how things are.
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
    /// [`CallError::Refused`] when it will not, [`CallError::Stopped`] when the driver is gone.
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
    /// [`CallError::Stopped`] when the driver is gone.
    pub async fn reconnect(&self) -> Result<(), CallError> {
        if let Side::Participant(shared) = &self.side {
            shared
                .call(|machine, _, now| machine.reconnect(now))
                .await?;
        }
        Ok(())
    }

    /// Leaves: what was submitted is durable and sent as far as the transport takes it, then the
    /// link is closed. What is pending stays in the outbox. At the owner the poll is no longer
    /// hosted; its journal stays.
    pub async fn close(&self) {
        match &self.side {
            Side::Participant(shared) => shared.close().await,
            Side::Owner(shared) => {
                let poll_id = self.room.poll_id;
                // A driver that has stopped hosts nothing.
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
    /// The command's name.
    #[must_use]
    pub const fn command_id(&self) -> CommandId {
        self.command_id
    }

    /// Resolves with the owner's answer, however long that takes.
    ///
    /// # Errors
    ///
    /// [`CallError::Stopped`] when the driver stops first. The command is still in the outbox.
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
