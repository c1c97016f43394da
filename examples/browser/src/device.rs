//! A device of the user: a tab's slot of the profile, and the identity that it has there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hustings_outbox::{Adopted, Identity, Outbox, Slot, Store, StoreError, TabError};
use hustings_protocol::{Address, RoomId};
use hustings_room::clock::SystemClock;
use hustings_transport_peerjs::{Config, OpenError, PeerJs, Token};

/// The parts that all tabs of a user share.
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) store: Rc<dyn Store>,
    /// True if other tabs have the same store.
    pub(crate) is_shared: bool,
    pub(crate) peerjs: Config,
    /// The number of devices so far, if there are no other tabs.
    taken: Cell<u32>,
    /// The records of this user's devices that do not read and are left aside, each once.
    left_aside: RefCell<Vec<StoreError>>,
}

impl Profile {
    pub(crate) fn new(name: String, store: Rc<dyn Store>, is_shared: bool, peerjs: Config) -> Self {
        Self {
            name,
            store,
            is_shared,
            peerjs,
            taken: Cell::new(0),
            left_aside: RefCell::default(),
        }
    }

    /// Notes records that do not read, and without which everything goes on.
    pub(crate) fn leave_aside(&self, damaged: impl IntoIterator<Item = StoreError>) {
        let mut left = self.left_aside.borrow_mut();
        for error in damaged {
            if !left.contains(&error) {
                left.push(error);
            }
        }
    }

    pub(crate) fn left_aside(&self) -> Vec<StoreError> {
        self.left_aside.borrow().clone()
    }
}

/// A device of the user, which nobody else is for as long as this lives.
pub(crate) struct Device {
    pub(crate) profile: Rc<Profile>,
    pub(crate) identity: Identity,
    slot: Option<Slot>,
}

impl Device {
    /// Takes the first one that is free and has nothing to deliver, except to this room: a device
    /// has one address, and the others are left to [`left_behind`](Self::left_behind). One that is
    /// damaged is left aside, and named.
    pub(crate) async fn take(
        profile: &Rc<Profile>,
        room: Option<RoomId>,
    ) -> Result<Self, TabError> {
        if !profile.is_shared {
            // This tab is alone with its memory, and numbers its devices itself.
            let slot = profile.taken.replace(profile.taken.get() + 1);
            return Ok(Self {
                identity: Identity::load_or_create(&profile.store, slot).await?,
                profile: Rc::clone(profile),
                slot: None,
            });
        }
        let mut number = 0;
        let mut damaged = Vec::new();
        loop {
            if let Some(slot) = Slot::try_take(&profile.name, &profile.store, number).await? {
                match Self::to_use(profile, slot, room).await {
                    Ok(Some(device)) => {
                        profile.leave_aside(damaged);
                        return Ok(device);
                    }
                    Ok(None) => {}
                    // The next one has records of its own. What is wrong with two of them is wrong
                    // with all.
                    Err(error @ StoreError::Corrupt { .. }) if damaged.last() != Some(&error) => {
                        damaged.push(error);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            number += 1;
        }
    }

    /// The device in this slot, unless it has something to deliver to another room. Its own records
    /// are read, and those of its outbox for the room.
    async fn to_use(
        profile: &Rc<Profile>,
        slot: Slot,
        room: Option<RoomId>,
    ) -> Result<Option<Self>, StoreError> {
        let device = Self::in_slot(profile, slot).await?;
        let device_id = device.identity.device();
        let outboxes = Outbox::list(&profile.store).await?;
        let mut own = outboxes.found.iter().filter(|(of, _, _)| *of == device_id);
        if !own.all(|(_, of, _)| Some(*of) == room) {
            return Ok(None);
        }
        if let Some(room) = room {
            Outbox::new(device_id, room).load(&profile.store).await?;
        }
        Ok(Some(device))
    }

    /// Takes those that closed tabs have left commands in, with the rooms that these are for.
    pub(crate) async fn left_behind(
        profile: &Rc<Profile>,
    ) -> Result<Vec<(Self, Vec<RoomId>)>, TabError> {
        let mut left = Vec::new();
        let adopted = Slot::adopt(&profile.name, &profile.store).await?;
        profile.leave_aside(adopted.damaged.into_iter().map(|damaged| damaged.error));
        for Adopted { slot, rooms, .. } in adopted.found {
            left.push((Self::in_slot(profile, slot).await?, rooms));
        }
        Ok(left)
    }

    async fn in_slot(profile: &Rc<Profile>, slot: Slot) -> Result<Self, StoreError> {
        Ok(Self {
            profile: Rc::clone(profile),
            identity: slot.identity(&profile.store).await?,
            slot: Some(slot),
        })
    }

    /// The store, which this device writes to only while it has its slot.
    pub(crate) fn store(&self) -> Rc<dyn Store> {
        let store = Rc::clone(&self.profile.store);
        match &self.slot {
            Some(slot) => Rc::new(slot.guard(store)),
            None => store,
        }
    }

    /// The address of this device as a participant.
    pub(crate) fn address(&self) -> Address {
        Address::Participant(self.identity.peer_id(), self.identity.device())
    }

    /// PeerJS at one of this user's addresses.
    pub(crate) fn transport(&self, address: &Address) -> Result<PeerJs, OpenError> {
        let config = &self.profile.peerjs;
        // With the key nobody else gets the address, nor has it while this page is loaded again.
        let token = Token::new(self.identity.token())?.with_key(self.identity.signing_key());
        PeerJs::open(config, address, &token, SystemClock::new())
    }
}
