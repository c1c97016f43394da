//! Tabs of one browser that share a profile: who is which device, and who hosts.

mod locks;

use std::fmt;

use hustings_protocol::{DeviceId, PeerId, RoomId};

use self::locks::{Held, WebLocks};
use crate::{Identity, Outbox, Store, StoreError};

/// The place of this tab among those that have a profile open: 0 for the first, and for each other
/// the first that is free.
///
/// A slot is a device of the profile's identity, with an outbox of its own, so no two tabs number
/// their commands in the same order. It is held with a Web Lock until it is dropped or the tab is
/// gone, however it went: nothing has to be cleaned up after a crash. A tab that the browser froze
/// keeps its slot and disturbs nobody.
///
/// A profile is a store; its name serves well. Natively the lock on the file of the store does all
/// this: one process has the store, and its slot is 0.
///
/// ```no_run
/// # use hustings_outbox::{Identity, IndexedDbStore, Slot, TabError};
/// # async fn start() -> Result<(), TabError> {
/// let store = IndexedDbStore::open("hustings").await?;
/// let slot = Slot::take("hustings").await?;
/// let me = slot.identity(&store).await?;
/// // … join rooms as `me`; then deliver what closed tabs have left behind:
/// for left in Slot::adopt("hustings", &store).await? {
///     let then = left.slot.identity(&store).await?;
///     // … join each of `left.rooms` as `then`, and drop `left.slot` when nothing is pending
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a slot is free again when it is dropped"]
pub struct Slot {
    profile: String,
    number: u32,
    _held: Held,
}

/// A slot that nobody held, whose device has commands that nobody would deliver.
#[derive(Debug)]
pub struct Adopted {
    /// The slot, now held.
    pub slot: Slot,
    /// The device whose commands they are.
    pub device: DeviceId,
    /// The rooms they are for, in order.
    pub rooms: Vec<RoomId>,
}

impl Slot {
    /// Takes the first slot that no other tab holds.
    ///
    /// # Errors
    ///
    /// [`TabError::NoLocks`] where the browser has no Web Locks for this page.
    pub async fn take(profile: &str) -> Result<Self, TabError> {
        let mut number = 0;
        loop {
            if let Some(slot) = Self::try_take(profile, number).await? {
                return Ok(slot);
            }
            number += 1;
        }
    }

    /// Takes this slot unless another tab holds it.
    ///
    /// # Errors
    ///
    /// [`TabError::NoLocks`] where the browser has no Web Locks for this page.
    pub async fn try_take(profile: &str, number: u32) -> Result<Option<Self>, TabError> {
        let held = WebLocks::of_the_page()?
            .try_hold(&name(profile, format_args!("slot/{number}")))
            .await?;
        Ok(held.map(|held| Self {
            profile: profile.to_owned(),
            number,
            _held: held,
        }))
    }

    /// Takes every slot that nobody holds and whose device has pending commands. Tabs that do so at
    /// the same time share them out.
    ///
    /// # Errors
    ///
    /// [`TabError::NoLocks`], and what the store says: [`StoreError::Corrupt`] for an outbox whose
    /// device has no slot, for instance.
    pub async fn adopt(profile: &str, store: &impl Store) -> Result<Vec<Adopted>, TabError> {
        let mut held = Vec::new();
        for (number, device, _) in pending(store).await? {
            if let Some(slot) = Self::try_take(profile, number).await? {
                held.push((slot, device));
            }
        }
        // Whoever held a slot a moment ago may have delivered what was in it: what is read now,
        // nobody changes.
        let mut left = pending(store).await?;
        let adopted = held.into_iter().filter_map(|(slot, device)| {
            let index = left.iter().position(|(_, of, _)| *of == device)?;
            let (_, device, rooms) = left.swap_remove(index);
            Some(Adopted {
                slot,
                device,
                rooms,
            })
        });
        Ok(adopted.collect())
    }

    /// Which slot it is.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Reads this slot's identity from the profile's store, or makes it. Tabs that open a new profile
    /// at the same time get the same one: only one at a time is in here.
    ///
    /// # Errors
    ///
    /// [`TabError::NoLocks`], and what [`Identity::load_or_create`] says.
    pub async fn identity(&self, store: &impl Store) -> Result<Identity, TabError> {
        let _one_at_a_time = WebLocks::of_the_page()?
            .hold(&name(&self.profile, format_args!("identity")))
            .await?;
        Ok(Identity::load_or_create(store, self.number).await?)
    }
}

/// The pending outboxes of a store by device: its slot, and the rooms.
async fn pending(store: &impl Store) -> Result<Vec<(u32, DeviceId, Vec<RoomId>)>, StoreError> {
    let outboxes = Outbox::list(store).await?;
    if outboxes.is_empty() {
        return Ok(Vec::new());
    }
    let slots = Identity::slots(store).await?;
    let mut pending: Vec<(u32, DeviceId, Vec<RoomId>)> = Vec::new();
    for (device, room, _) in outboxes {
        if let Some((_, _, rooms)) = pending.iter_mut().find(|(_, of, _)| *of == device) {
            rooms.push(room);
            continue;
        }
        let slot = slots.iter().find(|(_, of)| *of == device);
        let Some((slot, _)) = slot else {
            return Err(crate::keys::corrupt(
                format_args!("outbox of device {device} for {room}"),
                "no slot has this device",
            ));
        };
        pending.push((*slot, device, vec![room]));
    }
    Ok(pending)
}

/// The right of one tab to host the polls of an identity.
///
/// An owner has one address, and a journal has one writer, so only one tab can host. It is held until
/// it is dropped or the tab is gone. A second tab of the owner can join the poll as a participant,
/// with a device and an address of its own.
///
/// Natively the lock on the file of the store does this.
#[derive(Debug)]
#[must_use = "another tab may host once it is dropped"]
pub struct HostingLock {
    _held: Held,
}

impl HostingLock {
    /// Takes the right to host as `owner`.
    ///
    /// # Errors
    ///
    /// [`HostingError::AlreadyHosting`] while another tab has it.
    pub async fn take(profile: &str, owner: PeerId) -> Result<Self, HostingError> {
        let held = WebLocks::of_the_page()?
            .try_hold(&name(profile, format_args!("host/{owner}")))
            .await?;
        match held {
            Some(held) => Ok(Self { _held: held }),
            None => Err(HostingError::AlreadyHosting(owner)),
        }
    }
}

fn name(profile: &str, of: fmt::Arguments<'_>) -> String {
    format!("hustings/{profile}/{of}")
}

/// Why a tab has no slot, or no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TabError {
    /// The browser has no Web Locks for this page.
    #[error(transparent)]
    NoLocks(#[from] NoLocks),
    /// The store could not be read, or not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a tab does not host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostingError {
    /// Another tab does. It can be joined from here.
    #[error("another tab hosts the polls of {0}")]
    AlreadyHosting(PeerId),
    /// The browser has no Web Locks for this page.
    #[error(transparent)]
    NoLocks(#[from] NoLocks),
}

/// The browser gives this page no Web Locks, for the reason that is said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tabs cannot be told apart: {0}")]
pub struct NoLocks(String);
