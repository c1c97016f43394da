//! Opening: from a store to a running machine.

use std::sync::Arc;

use hustings_outbox::{Aside, Identity, Store, StoreError};
use hustings_protocol::{PollId, Rejection, RoomId};

use super::records;
use super::room::{Room, Side};
use super::run::{Driver, DriverError};
use super::shared::{Shared, Stopped};
use super::trace::Trace;
use crate::clock::{Clock, unix_millis};
use crate::transport::Transport;
use crate::{Config, Participant, RestoreError, Setup};

/// The reason why a room could not be opened. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored data does not make a room.
    #[error("the stored data cannot be used: {0}")]
    Kept(#[from] RestoreError),
    /// The draft does not make a poll.
    #[error("the poll draft is invalid: {0}")]
    Draft(Rejection),
    /// The store has no journal of that poll.
    #[error("this store has no journal of the poll {0}")]
    NoJournal(PollId),
    /// The poll is in the store and not to be hosted from there: it was moved away, or archived.
    #[error("{0}")]
    PutAside(Aside),
    /// The platform gives no random bytes.
    #[error("there is no source of randomness: {0}")]
    Randomness(String),
    /// The driver has stopped because something failed, perhaps in this call.
    #[error("the host is closed, because {0}")]
    Failed(DriverError),
    /// The driver has stopped.
    #[error("the host is closed")]
    Stopped,
}

impl From<Stopped> for OpenError {
    fn from(Stopped(failure): Stopped) -> Self {
        failure.map_or(Self::Stopped, Self::Failed)
    }
}

/// The setup of an identity: with a fresh seed, and the wall clock.
///
/// # Errors
///
/// [`OpenError::Randomness`] if the platform gives no random bytes.
pub fn setup(identity: &Identity, config: Config) -> Result<Setup, OpenError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| OpenError::Randomness(error.to_string()))?;
    Ok(Setup {
        key: identity.signing_key().clone(),
        device: identity.device(),
        seed,
        unix_millis: unix_millis(),
        config,
    })
}

/// Joins a room, with the outbox and the cached copy that are stored for it.
///
/// The cached copy can be read at once, even if the owner is away. Nothing is dialled until the
/// driver runs.
///
/// # One at a time
///
/// What a device has stored for a room is one driver's at a time, from this call on until the
/// driver has ended ([`Room::close`] resolves after that). Two would give the same numbers to
/// different commands, and the later record would take the place of the earlier, which was promised
/// to be durable. A driver cannot see another one that has the same store; what keeps them apart is
/// the caller's: in a browser the slot of a tab (`Slot` in `hustings-outbox`), between processes
/// the lock on the store's file, and within a process that there is one [`Room`], of which all have
/// clones.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn join<T: Transport, S: Store>(
    setup: Setup,
    room: RoomId,
    transport: T,
    store: S,
    clock: impl Clock + 'static,
) -> Result<(Room, Driver<T, S>), OpenError> {
    let (device, peer) = (setup.device, setup.peer());
    let (outbox, cache) = records::load_participant(&store, device, room).await?;
    let participant = Participant::new(setup, room, outbox, cache.as_ref(), clock.now())?;
    let stored = participant.pending();
    let (shared, ends) = Shared::new(participant, Arc::new(clock));
    let mut state = shared.lock();
    for command in stored {
        state
            .notes
            .commands
            .restore(command.command_id, command.state);
    }
    drop(state);
    let handle = Room::new(Side::Participant(Arc::clone(&shared)), room, peer);
    let driver = Driver::new(ends, transport, store, device, Trace::of_participant(room));
    Ok((handle, driver))
}
