//! The polls that this tab hosts.

use std::cell::RefCell;
use std::rc::Rc;

use hustings_outbox::{Batch, Durability, HostingError, HostingLock, Journal, Store, TabError};
use hustings_protocol::{Address, PeerId, RoomId};
use hustings_room::Config;
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Hosting, OpenError};
use hustings_transport_peerjs::Status;

use crate::damage::{Damage, RemoveError, is_of_one_poll};
use crate::device::Device;
use crate::running::Running;

/// The reason why this tab does not host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Another tab of this user does. Its polls can be joined from here.
    #[error("another tab hosts the polls of {0}; join them from this one, or close that one")]
    Elsewhere(PeerId),
    /// The tab has no identity.
    #[error(transparent)]
    Tab(#[from] TabError),
    /// The stored data of a poll cannot be used.
    #[error(transparent)]
    Poll(#[from] driver::OpenError),
    /// PeerJS cannot be used as it is configured.
    #[error(transparent)]
    PeerJs(#[from] hustings_transport_peerjs::OpenError),
}

impl From<HostingError> for HostError {
    fn from(error: HostingError) -> Self {
        match error {
            HostingError::AlreadyHosting(owner) => Self::Elsewhere(owner),
            HostingError::Tab(error) => Self::Tab(error),
        }
    }
}

/// All polls of the user, hosted by this tab. It is cheap to clone.
#[derive(Clone)]
pub struct Hosted {
    hosting: Hosting<Rc<dyn Store>>,
    status: Status,
    running: Running,
    /// The store, which is written to only while this tab hosts.
    store: Rc<dyn Store>,
    /// The polls that could not be opened, and why.
    unopened: Rc<RefCell<Vec<(RoomId, String)>>>,
}

impl Hosted {
    pub(crate) async fn start(device: Device) -> Result<Self, HostError> {
        let (profile, owner) = (&device.profile, device.identity.peer_id());
        let lock = match profile.is_shared {
            true => Some(HostingLock::take(&profile.name, &profile.store, owner).await?),
            false => None,
        };
        let setup = driver::setup(&device.identity, Config::default())?;
        let transport = device.transport(&Address::Owner(owner))?;
        let status = transport.status();
        let store: Rc<dyn Store> = match &lock {
            Some(lock) => Rc::new(lock.guard(device.store())),
            None => device.store(),
        };
        let watched = Rc::clone(&store);
        let (hosting, driver) =
            driver::host(setup, transport, Rc::clone(&store), SystemClock::new());
        // No other tab hosts until the journals have no writer any more.
        let running = Running::start(driver.run(), watched, (device, lock));
        // Those who come before their poll is open are made to wait.
        let (mut sound, mut unopened) = (Vec::new(), Vec::new());
        for room in hosting.journals().await? {
            match hosting.open(room.poll_id).await {
                // What is put aside is sound, and is not hosted.
                Ok(_) | Err(OpenError::PutAside(_)) => sound.push(room),
                Err(error) if is_of_one_poll(&error) => unopened.push((room, error.to_string())),
                Err(error) => return Err(error.into()),
            }
        }
        let hosted = Self {
            hosting,
            status,
            running,
            store,
            unopened: Rc::new(RefCell::new(unopened)),
        };
        hosted.mend_list(&sound).await?;
        Ok(hosted)
    }

    /// Writes the list of polls anew where it is damaged, for the polls that can be read. Until it
    /// is whole, nobody can be told for good that there is no such poll.
    async fn mend_list(&self, sound: &[RoomId]) -> Result<(), OpenError> {
        if Journal::list(&self.store).await?.damaged.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for room in sound {
            Journal::new(*room).enlist(&mut batch);
        }
        self.store.commit(batch, Durability::Strict).await?;
        self.hosting.journals().await?;
        Ok(())
    }

    /// The polls that could not be opened when hosting began, and why.
    pub(crate) fn unopened(&self) -> Vec<(RoomId, String)> {
        self.unopened.borrow().clone()
    }

    /// Removes what cannot be read, after it was tried once more.
    pub(crate) async fn remove(&self, damage: &Damage) -> Result<(), RemoveError> {
        let mut batch = Batch::new();
        if let Some(link) = damage.link {
            match self.hosting.open(link.poll_id).await {
                Ok(_) | Err(OpenError::PutAside(_)) => {
                    self.forget(link);
                    return Err(RemoveError::Sound);
                }
                Err(OpenError::NoJournal(_)) => {}
                Err(error) if is_of_one_poll(&error) => {}
                Err(error) => return Err(HostError::from(error).into()),
            }
            Journal::new(link).remove(&mut batch);
        }
        for key in damage.strays() {
            batch.delete(key.clone());
        }
        self.store.commit(batch, Durability::Strict).await?;
        if let Some(link) = damage.link {
            self.forget(link);
        }
        // Those who ask for it are told for good that it is no more.
        self.hosting.journals().await.map_err(HostError::from)?;
        Ok(())
    }

    fn forget(&self, link: RoomId) {
        self.unopened.borrow_mut().retain(|(of, _)| *of != link);
    }

    /// The handle that creates and opens polls.
    #[must_use]
    pub const fn hosting(&self) -> &Hosting<Rc<dyn Store>> {
        &self.hosting
    }

    /// The state of this tab's registration at the signalling server: nobody can join before it is
    /// registered.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// True if it still runs: it was not closed and has not failed.
    pub(crate) fn is_on(&self) -> bool {
        self.running.is_on()
    }

    /// The reason why hosting has stopped, if it has failed. Acknowledged commands are stored, and
    /// a new visit to the page continues from there.
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

    /// Ends hosting, as [`Hosting::close`] does, and resolves once another tab can host.
    pub async fn close(&self) {
        self.hosting.close().await;
        self.running.ended().await;
    }
}
