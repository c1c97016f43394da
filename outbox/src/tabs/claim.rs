//! The record by which the store itself knows whose a place is.
//!
//! A lock says who may write now, and a page may be put away, or frozen, between having asked and
//! writing. So whoever writes under a place leaves a random number of its own in the place's
//! record, and every commit requires, in the transaction of its changes, that this number is there.
//! Of two that take themselves for the holder, however that came, only one ever writes; and a page
//! that comes back to a place in which somebody else has written since does not go on with what it
//! remembers.

use bytes::Bytes;
use futures::lock::Mutex;
use hustings_protocol::PeerId;

use crate::identity::random;
use crate::keys::{self, Key};
use crate::seal::{self, Unsealed};
use crate::{Batch, Durability, Store, StoreError};

/// The name of a place: the profile, and the part of it.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) profile: String,
    pub(super) part: Part,
}

/// The part of a profile that one tab has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// The device of this number.
    Slot(u32),
    /// The polls of this identity.
    Host(PeerId),
}

impl Name {
    /// The name of the Web Lock.
    pub(super) fn lock(&self) -> String {
        let profile = &self.profile;
        match self.part {
            Part::Slot(number) => format!("hustings/{profile}/slot/{number}"),
            Part::Host(owner) => format!("hustings/{profile}/host/{owner}"),
        }
    }

    /// The name of the channel on which the tabs of the profile talk.
    pub(super) fn channel(&self) -> String {
        format!("hustings/{}", self.profile)
    }

    /// The key of the place's record. No place's key is a prefix of another's: the parts of a kind
    /// have one length.
    fn key(&self) -> Key {
        let key = Key::new(keys::PLACE);
        match self.part {
            Part::Slot(number) => key.byte(0).slot(number),
            Part::Host(owner) => key.byte(1).peer(owner),
        }
    }
}

/// The length of a holder's number.
const HOLDER_LEN: usize = 16;

/// The random number of one holder of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holder([u8; HOLDER_LEN]);

impl Holder {
    /// The holder that a record names; `None` if the record is damaged.
    fn of(key: &[u8], record: &Bytes) -> Option<Self> {
        let value = seal::open(key, record, Unsealed::Never).ok()?;
        <[u8; HOLDER_LEN]>::try_from(value.as_ref()).ok().map(Self)
    }

    /// The text of it: 32 hexadecimal digits.
    pub(super) fn text(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One holder's claim to a place.
#[derive(Debug)]
pub(super) struct Claim {
    name: Name,
    holder: Holder,
    key: Bytes,
    /// The record that says that the place is ours.
    own: Bytes,
    /// The record as it was last seen: our own, or the one that ours takes the place of. Locked
    /// while that is done.
    seen: Mutex<Option<Bytes>>,
}

impl Claim {
    /// A claim that is made with the first change, so that whoever only reads writes nothing. It is
    /// to be begun when nobody else holds the place, and before anything is read under it.
    pub(super) async fn begin(name: Name, store: &impl Store) -> Result<Self, StoreError> {
        let key = name.key().bytes();
        let holder = Holder(random()?);
        Ok(Self {
            own: seal::sealed(&key, &holder.0),
            seen: Mutex::new(store.get(&key).await?),
            key,
            holder,
            name,
        })
    }

    pub(super) const fn name(&self) -> &Name {
        &self.name
    }

    pub(super) const fn holder(&self) -> Holder {
        self.holder
    }

    /// The holder that the record was last seen to name, if it is another one.
    pub(super) async fn other(&self) -> Option<Holder> {
        let seen = self.seen.lock().await;
        let other = seen.as_ref().filter(|record| **record != self.own)?;
        Holder::of(&self.key, other)
    }

    /// The key of the record that is there for as long as this holder is.
    pub(super) fn presence(&self, holder: Holder) -> Bytes {
        let mut key = self.name.key();
        for byte in holder.0 {
            key = key.byte(byte);
        }
        key.bytes()
    }

    /// Sees the record once more. Only for somebody who has read nothing under the place yet: what
    /// was claimed meanwhile is then taken over.
    pub(super) async fn look_again(&self, store: &impl Store) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        *seen = store.get(&self.key).await?;
        Ok(())
    }

    /// Makes the place ours at once, and us present. False if somebody else has made it theirs
    /// since the record was seen.
    pub(super) async fn make(&self, store: &impl Store) -> Result<bool, StoreError> {
        let mut seen = self.seen.lock().await;
        let presence = self.presence(self.holder);
        let mut batch = Batch::new();
        batch.require(self.key.clone(), seen.clone());
        // The presence of the one before, too.
        batch.delete_range(self.name.key().prefix_range());
        batch.put(self.key.clone(), self.own.clone());
        batch.put(presence.clone(), seal::sealed(&presence, &[]));
        match self.told(store.commit(batch, Durability::Relaxed).await) {
            Ok(()) => *seen = Some(self.own.clone()),
            Err(StoreError::TakenOver) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Makes these changes, unless somebody else has claimed the place since: then it fails with
    /// [`StoreError::TakenOver`].
    pub(super) async fn commit(
        &self,
        store: &impl Store,
        mut batch: Batch,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        batch.require(self.key.clone(), seen.clone());
        if batch.writes().is_empty() || *seen == Some(self.own.clone()) {
            drop(seen);
            return self.told(store.commit(batch, durability).await);
        }
        batch.put(self.key.clone(), self.own.clone());
        let done = self.told(store.commit(batch, durability).await);
        let is_made = match &done {
            Ok(()) => true,
            Err(StoreError::TakenOver) => false,
            // It may have been, all the same.
            Err(_) => store.get(&self.key).await == Ok(Some(self.own.clone())),
        };
        if is_made {
            *seen = Some(self.own.clone());
        }
        done
    }

    /// An unmet requirement of ours in words; those of the batch are its own.
    fn told(&self, done: Result<(), StoreError>) -> Result<(), StoreError> {
        match done {
            Err(error) if error == StoreError::unmet(&self.key) => Err(StoreError::TakenOver),
            done => done,
        }
    }
}
