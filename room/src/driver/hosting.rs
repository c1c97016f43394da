//! The handle of an owner.

use std::fmt;
use std::sync::Arc;

use hustings_outbox::{Journal, Store};
use hustings_protocol::{OptionId, Poll, PollDraft, PollId, Rejection, RoomId};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::open::OpenError;
use super::records;
use super::room::{Room, Side};
use super::run::Driver;
use super::shared::Shared;
use crate::clock::Clock;
use crate::transport::Transport;
use crate::{Host, Owner, Setup};

/// Hosts polls at one address.
///
/// The transport has to be at [`Address::Owner`](hustings_protocol::Address) of this identity. The
/// store is shared with the driver, so it has to be cheap to clone.
pub fn host<T: Transport, S: Store + Clone>(
    setup: Setup,
    transport: T,
    store: S,
    clock: impl Clock + 'static,
) -> (Hosting<S>, Driver<T, S>) {
    let device = setup.device;
    let machine = Host::new(&setup, clock.now());
    let (shared, ends) = Shared::new(machine, Arc::new(clock));
    let hosting = Hosting {
        shared: Arc::clone(&shared),
        setup: Arc::new(setup),
        store: store.clone(),
    };
    let driver = Driver::new(ends, transport, store, device);
    (hosting, driver)
}

/// The handle of an owner, which creates and opens its polls. It is cheap to clone.
#[derive(Clone)]
pub struct Hosting<S> {
    shared: Arc<Shared<Host>>,
    setup: Arc<Setup>,
    store: S,
}

impl<S> fmt::Debug for Hosting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosting")
            .field("setup", &self.setup)
            .finish_non_exhaustive()
    }
}

impl<S: Store> Hosting<S> {
    /// Starts a poll. Resolves once its journal is durable; from then on others can join.
    ///
    /// # Errors
    ///
    /// [`OpenError::Draft`] with the fault in the draft.
    pub async fn create(&self, draft: PollDraft) -> Result<Room, OpenError> {
        self.look_through().await?;
        let setup = Arc::clone(&self.setup);
        let room = self
            .shared
            .call(move |host, _, now| {
                let poll = new_poll(&setup, host.new_seed(), draft)?;
                let owner = Owner::create(fresh(&setup, host.new_seed()), poll);
                let room = owner.room_id();
                host.open(owner, now);
                Ok(room)
            })
            .await?
            .map_err(OpenError::Draft)?;
        Ok(self.room(room))
    }

    /// Opens a poll from its journal. A poll that is open already stays as it is.
    ///
    /// # Errors
    ///
    /// [`OpenError::NoJournal`] if the poll was never hosted from this store; otherwise the journal
    /// cannot be read, and the error names the record.
    pub async fn open(&self, poll_id: PollId) -> Result<Room, OpenError> {
        self.look_through().await?;
        let room = RoomId {
            owner: self.setup.peer(),
            poll_id,
        };
        let is_hosted = move |host: &Host| host.owner(poll_id).is_some();
        // Resolves once everything is durable that came before, so that the journal has it.
        if self.shared.call(move |host, _, _| is_hosted(host)).await? {
            return Ok(self.room(room));
        }
        let journal = records::load_journal(&self.store, room)
            .await?
            .ok_or(OpenError::NoJournal(poll_id))?;
        let setup = Arc::clone(&self.setup);
        self.shared
            .call(move |host, _, now| {
                // Somebody else was faster, and what was read may be old by now.
                if is_hosted(host) {
                    return Ok(());
                }
                let setup = fresh(&setup, host.new_seed());
                Owner::restore(setup, journal).map(|owner| host.open(owner, now))
            })
            .await??;
        Ok(self.room(room))
    }

    /// The polls of this identity whose journals are in the store, open or not. A record of the
    /// list that does not read is left out, and costs the others nothing; [`Journal::list`] names
    /// it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Store`] if the store cannot be read.
    pub async fn journals(&self) -> Result<Vec<RoomId>, OpenError> {
        let mut rooms = Journal::list(&self.store).await?.found;
        rooms.retain(|room| room.owner == self.setup.peer());
        let polls: Vec<PollId> = rooms.iter().map(|room| room.poll_id).collect();
        self.shared.call(|host, _, _| host.know(polls)).await?;
        Ok(rooms)
    }

    /// Has the host know its journals, unless it does: until then it refuses nobody for good. Where
    /// they cannot be listed it stays so.
    async fn look_through(&self) -> Result<(), OpenError> {
        if !self.shared.call(|host, _, _| host.knows_journals()).await? {
            // The error is the caller's business only when the list is what it has asked for.
            let _ = self.journals().await;
        }
        Ok(())
    }

    /// Closes every poll, after all submitted commands are durable and sent as far as the transport
    /// takes them. The journals stay.
    pub async fn close(&self) {
        self.shared.close().await;
    }

    fn room(&self, room: RoomId) -> Room {
        Room::new(Side::Owner(Arc::clone(&self.shared)), room, room.owner)
    }
}

/// The poll of a draft, under random ids.
fn new_poll(setup: &Setup, seed: [u8; 32], draft: PollDraft) -> Result<Poll, Rejection> {
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut random_uuid = || {
        let mut random = [0; 16];
        rng.fill_bytes(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid()
    };
    Poll::new(
        PollId::from_uuid(random_uuid()),
        setup.peer(),
        draft,
        || OptionId::from_uuid(random_uuid()),
        &setup.config.limits,
    )
}

/// The same identity with a seed of its own: no two polls may draw the same nonces.
fn fresh(setup: &Setup, seed: [u8; 32]) -> Setup {
    Setup {
        seed,
        ..setup.clone()
    }
}
