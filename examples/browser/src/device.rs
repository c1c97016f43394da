//! A device of the user: a tab's slot of the profile, and the identity that it has there.

use std::cell::Cell;
use std::rc::Rc;

use hustings_outbox::{Adopted, Identity, Outbox, Slot, Store, TabError};
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
}

impl Profile {
    pub(crate) fn new(name: String, store: Rc<dyn Store>, is_shared: bool, peerjs: Config) -> Self {
        Self {
            name,
            store,
            is_shared,
            peerjs,
            taken: Cell::new(0),
        }
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
    /// has one address, and the others are left to [`left_behind`](Self::left_behind).
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
        loop {
            if let Some(slot) = Slot::try_take(&profile.name, &profile.store, number).await? {
                let device = Self::in_slot(profile, slot).await?;
                let device_id = device.identity.device();
                let outboxes = Outbox::list(&profile.store).await?;
                let mut own = outboxes.found.iter().filter(|(of, _, _)| *of == device_id);
                if own.all(|(_, of, _)| Some(*of) == room) {
                    return Ok(device);
                }
            }
            number += 1;
        }
    }

    /// Takes those that closed tabs have left commands in, with the rooms that these are for.
    pub(crate) async fn left_behind(
        profile: &Rc<Profile>,
    ) -> Result<Vec<(Self, Vec<RoomId>)>, TabError> {
        let mut left = Vec::new();
        let adopted = Slot::adopt(&profile.name, &profile.store).await?.found;
        for Adopted { slot, rooms, .. } in adopted {
            left.push((Self::in_slot(profile, slot).await?, rooms));
        }
        Ok(left)
    }

    async fn in_slot(profile: &Rc<Profile>, slot: Slot) -> Result<Self, TabError> {
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
