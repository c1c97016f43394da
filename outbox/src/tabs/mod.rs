//! Tabs of one browser that share a profile: each gets its device, and one may host.

mod claim;
mod lease;
mod locks;
mod page;
mod place;

use futures::future::try_join_all;
use hustings_protocol::{DeviceId, PeerId, RoomId};

use self::claim::{Name, Part};
pub use self::place::Guarded;
use self::place::Place;
use crate::keys::corrupt;
use crate::{Identity, Listed, Outbox, Store, StoreError};

/// The place of this tab among those that have a profile open: the lowest number, from 0, that is
/// free.
///
/// A slot is a device of the profile's identity, with an outbox of its own, so every tab numbers
/// its own commands. It is held until it is dropped or the tab is gone, for any reason: nothing has
/// to be cleaned up after a crash. A page that was left, and may be shown again by the back button,
/// gives it up; so it writes through a store that is [guarded](Self::guard).
///
/// It is held with a Web Lock; a tab that the browser froze keeps that, and disturbs nobody. A page
/// that is neither https nor localhost has no Web Locks. There a record in the store and a question
/// to the other tabs serve as one: a tab that does not answer for three seconds is taken for gone,
/// and if it was only frozen, its writes fail.
///
/// A profile is a store, and the store's name can name it. Natively the lock on the store's file
/// does all this: one process has the store, and its slot is 0.
///
/// ```no_run
/// # use hustings_outbox::{Identity, IndexedDbStore, Slot, TabError};
/// # async fn start() -> Result<(), TabError> {
/// let store = IndexedDbStore::open("hustings").await?;
/// let slot = Slot::take("hustings", &store).await?;
/// let me = slot.identity(&store).await?;
/// let mine = slot.guard(store.clone());
/// // … join rooms as `me`, with `mine`; then deliver what closed tabs have left behind:
/// for left in Slot::adopt("hustings", &store).await?.found {
///     let then = left.slot.identity(&store).await?;
///     // … join each of `left.rooms` as `then`, and drop `left.slot` when nothing is pending
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a slot is free again when it is dropped"]
pub struct Slot {
    number: u32,
    place: Place,
}

/// A slot that nobody held, whose device has commands that nobody else would deliver.
#[derive(Debug)]
pub struct Adopted {
    /// The slot, now held.
    pub slot: Slot,
    /// The device of the commands.
    pub device: DeviceId,
    /// The rooms to which they go, in order.
    pub rooms: Vec<RoomId>,
}

impl Slot {
    /// Takes the first slot that no other tab holds.
    ///
    /// # Errors
    ///
    /// [`TabError::NoLocks`] if nothing tells the tabs of this page apart,
    /// [`TabError::Unanswered`] if the browser does not answer, and the store's own errors.
    pub async fn take<S>(profile: &str, store: &S) -> Result<Self, TabError>
    where
        S: Store + Clone + 'static,
    {
        let mut number = 0;
        loop {
            if let Some(slot) = Self::try_take(profile, store, number).await? {
                return Ok(slot);
            }
            number += 1;
        }
    }

    /// Takes this slot unless another tab holds it.
    ///
    /// # Errors
    ///
    /// Those of [`take`](Self::take).
    pub async fn try_take<S>(
        profile: &str,
        store: &S,
        number: u32,
    ) -> Result<Option<Self>, TabError>
    where
        S: Store + Clone + 'static,
    {
        let place = Place::try_take(name(profile, Part::Slot(number)), store).await?;
        Ok(place.map(|place| Self { number, place }))
    }

    /// Takes every slot that nobody holds and whose device has pending commands. Several tabs that
    /// do so at the same time share them out.
    ///
    /// A damaged outbox, and one whose device has no slot, is named and costs the others nothing.
    ///
    /// # Errors
    ///
    /// Those of [`take`](Self::take).
    pub async fn adopt<S>(profile: &str, store: &S) -> Result<Listed<Adopted>, TabError>
    where
        S: Store + Clone + 'static,
    {
        let found = pending(store).await?.found;
        // All at once: a tab that is gone may be waited for.
        let held = found.into_iter().map(async |(number, device, _)| {
            let slot = Self::try_take(profile, store, number).await?;
            Ok::<_, TabError>(slot.map(|slot| (slot, device)))
        });
        let held = try_join_all(held).await?;
        // The last holder of a slot may have delivered its commands a moment ago, so they are read
        // again: now that the slots are held, nobody else changes them.
        let mut left = pending(store).await?;
        let adopted = held.into_iter().flatten().filter_map(|(slot, device)| {
            let index = left.found.iter().position(|(_, of, _)| *of == device)?;
            let (_, device, rooms) = left.found.swap_remove(index);
            Some(Adopted {
                slot,
                device,
                rooms,
            })
        });
        Ok(Listed {
            found: adopted.collect(),
            damaged: left.damaged,
        })
    }

    /// A store that writes only while this tab has the slot: see [`Guarded`].
    pub fn guard<S: Store>(&self, store: S) -> Guarded<S> {
        self.place.guard(store)
    }

    /// The number of the slot.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Reads this slot's identity from the profile's store, or makes it. Tabs that open a new
    /// profile at the same time get the same one.
    ///
    /// # Errors
    ///
    /// Those of [`Identity::load_or_create`].
    pub async fn identity(&self, store: &impl Store) -> Result<Identity, StoreError> {
        Identity::load_or_create(store, self.number).await
    }
}

/// The pending outboxes of a store by device: its slot, and the rooms.
async fn pending(store: &impl Store) -> Result<Listed<(u32, DeviceId, Vec<RoomId>)>, StoreError> {
    let outboxes = Outbox::list(store).await?;
    let mut pending = Listed {
        found: Vec::<(u32, DeviceId, Vec<RoomId>)>::new(),
        damaged: outboxes.damaged,
    };
    if outboxes.found.is_empty() {
        return Ok(pending);
    }
    let slots = Identity::slots(store).await?;
    pending.damaged.extend(slots.damaged);
    for (device, room, _) in outboxes.found {
        let mut found = pending.found.iter_mut();
        if let Some((_, _, rooms)) = found.find(|(_, of, _)| *of == device) {
            rooms.push(room);
            continue;
        }
        match slots.found.iter().find(|(_, of)| *of == device) {
            Some((slot, _)) => pending.found.push((*slot, device, vec![room])),
            None => {
                let outbox = Outbox::new(device, room);
                let error = corrupt(outbox.name(), "no slot has this device");
                pending.damage(&outbox.key().bytes(), error);
            }
        }
    }
    pending.complete()
}

/// The right of one tab to host the polls of an identity.
///
/// An owner has one address, and a journal has one writer, so only one tab can host. The right is
/// held until it is dropped or the tab is gone, or has gone into the back/forward cache: a host
/// writes through a store that is [guarded](Self::guard). A second tab of the owner can join the
/// poll as a participant, with its own device and address.
///
/// Natively the lock on the file of the store does this.
#[derive(Debug)]
#[must_use = "another tab may host once it is dropped"]
pub struct HostingLock {
    place: Place,
}

impl HostingLock {
    /// Takes the right to host as `owner`.
    ///
    /// # Errors
    ///
    /// [`HostingError::AlreadyHosting`] while another tab has it; otherwise see [`Slot::take`].
    pub async fn take<S>(profile: &str, store: &S, owner: PeerId) -> Result<Self, HostingError>
    where
        S: Store + Clone + 'static,
    {
        match Place::try_take(name(profile, Part::Host(owner)), store).await? {
            Some(place) => Ok(Self { place }),
            None => Err(HostingError::AlreadyHosting(owner)),
        }
    }

    /// A store that writes only while this tab has the right to host: see [`Guarded`].
    pub fn guard<S: Store>(&self, store: S) -> Guarded<S> {
        self.place.guard(store)
    }
}

fn name(profile: &str, part: Part) -> Name {
    Name {
        profile: profile.to_owned(),
        part,
    }
}

/// The reason why a tab has no slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TabError {
    /// The browser refuses its Web Locks, or has none for this page, and nothing that would serve
    /// as one.
    #[error(transparent)]
    NoLocks(#[from] NoLocks),
    /// The browser was asked for this lock, and has not answered in ten seconds. To ask again may
    /// help.
    #[error(
        "the browser does not answer when it is asked for the lock {0}; close the other tabs of \
         this page, or start the browser again"
    )]
    Unanswered(String),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The reason why a tab does not host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostingError {
    /// Another tab hosts. Its polls can be joined from this one.
    #[error("another tab hosts the polls of {0}")]
    AlreadyHosting(PeerId),
    /// It cannot be told.
    #[error(transparent)]
    Tab(#[from] TabError),
}

/// The browser gives this page nothing to tell its tabs apart by, for this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tabs cannot be told apart: {0}")]
pub struct NoLocks(String);
