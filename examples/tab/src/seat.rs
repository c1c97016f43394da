//! A place in somebody's poll.

use std::rc::Rc;

use hustings_outbox::TabError;
use hustings_protocol::RoomLink;
use hustings_room::Config;
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Room};
use hustings_transport_peerjs::Status;

use crate::place::Place;
use crate::running::Running;

/// Why there is no joining.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The tab has no identity.
    #[error(transparent)]
    Tab(#[from] TabError),
    /// What is kept of the room cannot be used.
    #[error(transparent)]
    Room(#[from] driver::OpenError),
    /// PeerJS cannot be used as it is configured.
    #[error(transparent)]
    PeerJs(#[from] hustings_transport_peerjs::OpenError),
}

/// A room that this tab has joined. It is cheap to clone; the room is left when the last clone is gone,
/// or by [`Room::close`], which first sends what waits.
#[derive(Clone)]
pub struct Seat {
    room: Room,
    status: Status,
    running: Running,
}

impl Seat {
    pub(crate) async fn take(place: Place, link: RoomLink) -> Result<Self, JoinError> {
        Self::share(&Rc::new(place), link).await
    }

    pub(crate) async fn share(place: &Rc<Place>, link: RoomLink) -> Result<Self, JoinError> {
        let setup = driver::setup(&place.identity, Config::default())?;
        let transport = place.transport(&place.address())?;
        let status = transport.status();
        let store = Rc::clone(&place.profile.store);
        let (room, driver) =
            driver::join(setup, link, transport, store, SystemClock::new()).await?;
        // The device is this room's until its outbox has no writer any more.
        let running = Running::start(driver.run(), Rc::clone(place));
        Ok(Self {
            room,
            status,
            running,
        })
    }

    /// The room.
    #[must_use]
    pub const fn room(&self) -> &Room {
        &self.room
    }

    /// How this tab stands with the signalling server.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// Why the room has stopped, if it has: the storage is full, for instance. Everything that was
    /// acknowledged or shown as pending is kept, and opening the page again goes on from there.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.running.failure()
    }
}
