//! A room that this tab has joined.

use std::rc::Rc;

use hustings_outbox::TabError;
use hustings_protocol::RoomId;
use hustings_room::Config;
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Room};
use hustings_transport_peerjs::Status;

use crate::device::Device;
use crate::running::Running;

/// The reason why this tab cannot join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The tab has no identity.
    #[error(transparent)]
    Tab(#[from] TabError),
    /// The stored data of the room cannot be used.
    #[error(transparent)]
    Room(#[from] driver::OpenError),
    /// PeerJS cannot be used as it is configured.
    #[error(transparent)]
    PeerJs(#[from] hustings_transport_peerjs::OpenError),
}

/// A room that this tab has joined. It is cheap to clone; the tab leaves the room when the last
/// clone is gone, or by [`Room::close`], which first sends the waiting commands.
#[derive(Clone)]
pub struct Joined {
    room: Room,
    status: Status,
    running: Running,
}

impl Joined {
    pub(crate) async fn take(device: Device, link: RoomId) -> Result<Self, JoinError> {
        Self::share(&Rc::new(device), link).await
    }

    pub(crate) async fn share(device: &Rc<Device>, link: RoomId) -> Result<Self, JoinError> {
        let setup = driver::setup(&device.identity, Config::default())?;
        let transport = device.transport(&device.address())?;
        let status = transport.status();
        let store = device.store();
        let watched = Rc::clone(&store);
        let (room, driver) =
            driver::join(setup, link, transport, store, SystemClock::new()).await?;
        // The device is this room's until its outbox has no writer any more.
        let running = Running::start(driver.run(), watched, Rc::clone(device));
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

    /// The state of this tab's registration at the signalling server.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// True if it still runs: it was not closed and has not failed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.running.is_on()
    }

    /// The reason why the room has stopped, if it has: the storage is full, for instance. All
    /// acknowledged and pending commands are stored, and a new visit to the page continues from
    /// there.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.running.failure()
    }

    /// True if it has stopped because the browser's data for this page was deleted. What was stored
    /// is gone, unlike after every other [`failure`](Self::failure).
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.running.is_deleted()
    }

    /// Leaves the room, as [`Room::close`] does, and resolves once its device is free for another.
    pub async fn close(&self) {
        self.room.close().await;
        self.running.ended().await;
    }
}
