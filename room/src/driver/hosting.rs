//! The handle of an owner.

use std::fmt;
use std::sync::Arc;

use hustings_outbox::{Aside, Batch, Durability, Journal, Store, StoreError};
use hustings_protocol::planted::{Fault, is_on};
use hustings_protocol::{OptionId, Poll, PollDraft, PollId, Rejection, RoomId};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::open::OpenError;
use super::opened::Opened;
use super::records;
use super::room::{Room, Side};
use super::run::Driver;
use super::shared::{Notes, Shared};
use super::trace::{Trace, poll_is};
use crate::clock::Clock;
use crate::transport::Transport;
use crate::{Host, Owner, Setup};

/// Hosts polls at one address.
///
/// The transport has to be at [`Address::Owner`](hustings_protocol::Address) of this identity. The
/// store is shared with the driver, so it has to be cheap to clone.
///
/// An identity's journals in a store are one driver's at a time: two would give out the same
/// revisions. What keeps them apart is the caller's, as with [`join`](super::join).
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
    let driver = Driver::new(ends, transport, store, device, Trace::of_owner());
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
    /// If the future is dropped before, the poll may be there all the same, among the
    /// [`journals`](Self::journals).
    ///
    /// # Errors
    ///
    /// [`OpenError::Draft`] with the fault in the draft.
    pub async fn create(&self, draft: PollDraft) -> Result<Room, OpenError> {
        self.look_through().await?;
        let setup = Arc::clone(&self.setup);
        let (room, opening) = self
            .shared
            .call(move |host, notes, now| {
                let poll = new_poll(&setup, host.new_seed(), draft).map_err(OpenError::Draft)?;
                let owner = Owner::create(fresh(&setup, host.new_seed()), poll)?;
                let room = owner.room_id();
                host.open(owner, now);
                Ok::<_, OpenError>((room, notes.openings.begin(room.poll_id)))
            })
            .await??;
        poll_is(room.poll_id, "created");
        Ok(self.room(room, opening))
    }

    /// Opens a poll from its journal. A poll that is open already stays as it is.
    ///
    /// If the future is dropped before, the poll may be open all the same; to open it again gives
    /// the handle.
    ///
    /// # Errors
    ///
    /// [`OpenError::NoJournal`] if the poll was never hosted from this store,
    /// [`OpenError::PutAside`] if it was moved away or archived; otherwise the journal cannot be
    /// read, and the error names the record.
    pub async fn open(&self, poll_id: PollId) -> Result<Room, OpenError> {
        self.look_through().await?;
        let room = self.room_id(poll_id);
        let is_hosted = move |host: &Host| host.owner(poll_id).is_some();
        // Again only after somebody else has opened and closed the poll, so it comes to an end.
        loop {
            // Resolves once everything is durable that came before, so that the journal has it.
            let look = move |host: &mut Host, notes: &mut Notes, _| {
                (is_hosted(host), notes.openings.last(poll_id))
            };
            let (is_open, last) = self.shared.call(look).await?;
            if is_open {
                return Ok(self.room(room, last));
            }
            let read = records::load_journal(&self.store, room).await;
            let setup = Arc::clone(&self.setup);
            let opening = self
                .shared
                .call(move |host, notes, now| {
                    let present = notes.openings.last(poll_id);
                    // Somebody else was faster.
                    if is_hosted(host) {
                        return Ok(Some(present));
                    }
                    // The poll was open meanwhile, so the journal has more than what was read of
                    // it, if that is sound at all.
                    if present != last && !is_on(Fault::OpenFromOldJournal) {
                        return Ok(None);
                    }
                    if let Err(StoreError::PutAside(why)) = read {
                        return Err(OpenError::PutAside(why));
                    }
                    let journal = read?.ok_or(OpenError::NoJournal(poll_id))?;
                    let owner = Owner::restore(fresh(&setup, host.new_seed()), journal)?;
                    host.open(owner, now);
                    Ok::<_, OpenError>(Some(notes.openings.begin(poll_id)))
                })
                .await??;
            if let Some(opening) = opening {
                poll_is(poll_id, "opened");
                return Ok(self.room(room, opening));
            }
        }
    }

    /// Deletes a poll for good: closes it, and removes its journal, damaged or not. Resolves once that
    /// is durable. Whoever asks for the poll is told from then on that there is none; what others
    /// have copied of it, and their votes that wait, are theirs. A poll that there is not is deleted
    /// already.
    ///
    /// If the future is dropped before, the poll may be closed only, or deleted.
    ///
    /// # Errors
    ///
    /// [`OpenError::Store`] if the journal cannot be removed: the poll is closed then, and can be
    /// opened again.
    pub async fn delete(&self, poll_id: PollId) -> Result<(), OpenError> {
        let journal = Journal::new(self.room_id(poll_id));
        self.end(&[poll_id], true, move |batch| journal.remove(batch))
            .await?;
        poll_is(poll_id, "deleted");
        Ok(())
    }

    /// Puts polls aside, all or none: closes them, and marks their journals, so that they cannot be
    /// [opened](Self::open) until they are [taken back](Self::take_back). Resolves once that is
    /// durable. Whoever asks for one of them is told to come back later, and reads the copy that
    /// they have.
    ///
    /// A poll that was moved away stays so, whatever else it is put aside for.
    ///
    /// If the future is dropped before, the polls may be closed only, or put aside.
    ///
    /// # Errors
    ///
    /// [`OpenError::NoJournal`] for a poll that is not in the store; otherwise a journal cannot be
    /// read or marked. The polls may be closed then, and can be opened again.
    pub async fn put_aside(&self, polls: &[PollId], why: Aside) -> Result<(), OpenError> {
        let mut marked = Vec::with_capacity(polls.len());
        for &poll_id in polls {
            let journal = Journal::new(self.room_id(poll_id));
            match journal.load_any(&self.store).await? {
                None => return Err(OpenError::NoJournal(poll_id)),
                Some((_, Some(Aside::Moved { .. }))) => {}
                Some((_, Some(_) | None)) => marked.push(journal),
            }
        }
        let mark = |batch: &mut Batch| marked.iter().for_each(|it| it.put_aside(batch, why));
        self.end(polls, false, mark).await?;
        polls
            .iter()
            .for_each(|&poll_id| poll_is(poll_id, "put aside"));
        Ok(())
    }

    /// Takes polls back that were put aside, all or none: they can be opened again. A poll that is
    /// not put aside stays as it is.
    ///
    /// One that was moved to another device must not go on there: the two would give the same
    /// numbers to different votes.
    ///
    /// # Errors
    ///
    /// [`OpenError::Store`] if the journals cannot be written.
    pub async fn take_back(&self, polls: &[PollId]) -> Result<(), OpenError> {
        let mut batch = Batch::new();
        for &poll_id in polls {
            Journal::new(self.room_id(poll_id)).take_back(&mut batch);
        }
        self.store.commit(batch, Durability::Strict).await?;
        polls
            .iter()
            .for_each(|&poll_id| poll_is(poll_id, "taken back"));
        Ok(())
    }

    /// Closes polls, and commits a change of their journals by which they are not opened any more.
    async fn end(
        &self,
        polls: &[PollId],
        is_gone: bool,
        change: impl Fn(&mut Batch),
    ) -> Result<(), OpenError> {
        let polls: Arc<[PollId]> = polls.into();
        // Again only if somebody has opened a poll from its journal meanwhile.
        loop {
            // Resolves once everything is durable that came before: nothing is written behind it.
            let closed = Arc::clone(&polls);
            let close = move |host: &mut Host, _: &mut Notes, _| {
                closed.iter().for_each(|poll_id| host.close_poll(*poll_id));
            };
            self.shared.call(close).await?;
            let mut batch = Batch::new();
            change(&mut batch);
            self.store.commit(batch, Durability::Strict).await?;
            let ended = Arc::clone(&polls);
            let end = move |host: &mut Host, notes: &mut Notes, _| {
                if ended.iter().any(|poll_id| host.owner(*poll_id).is_some()) {
                    return false;
                }
                for poll_id in ended.iter() {
                    if is_gone {
                        host.forget(*poll_id);
                    }
                    notes.openings.end(*poll_id);
                }
                true
            };
            if self.shared.call(end).await? {
                return Ok(());
            }
        }
    }

    /// The polls of this identity whose journals are in the store, open, closed or put aside. A
    /// record of the list that does not read is left out, and costs the others nothing;
    /// [`Journal::list`] names it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Store`] if the store cannot be read.
    pub async fn journals(&self) -> Result<Vec<RoomId>, OpenError> {
        let listed = Journal::list(&self.store).await?;
        let mut rooms = listed.found;
        rooms.retain(|room| room.owner == self.setup.peer());
        // One that is damaged may be any poll's.
        if listed.damaged.is_empty() {
            let polls: Vec<PollId> = rooms.iter().map(|room| room.poll_id).collect();
            self.shared.call(|host, _, _| host.know(polls)).await?;
        }
        Ok(rooms)
    }

    /// The polls that are open here, in the order of their ids; none once this has been closed or
    /// has failed. It never waits.
    #[must_use]
    pub fn polls(&self) -> Vec<Arc<Poll>> {
        if self.shared.is_stopped() {
            return Vec::new();
        }
        let state = self.shared.lock();
        let owners = state.machine.polls();
        let owners = owners.filter_map(|poll_id| state.machine.owner(poll_id));
        owners.map(|owner| Arc::clone(owner.poll())).collect()
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

    fn room_id(&self, poll_id: PollId) -> RoomId {
        RoomId {
            owner: self.setup.peer(),
            poll_id,
        }
    }

    #[cfg_attr(
        target_family = "wasm",
        expect(
            clippy::arc_with_non_send_sync,
            reason = "natively a handle goes to other threads; here there are none"
        )
    )]
    fn room(&self, room: RoomId, opening: u64) -> Room {
        let opened = Opened {
            shared: Arc::clone(&self.shared),
            poll_id: room.poll_id,
            opening,
        };
        Room::new(Side::Owner(Arc::new(opened)), room, room.owner)
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
