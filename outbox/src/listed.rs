//! The things of a kind that a store has, and those of them that do not read.

use bytes::Bytes;

use crate::StoreError;

/// Everything of a kind that a store has: what reads, and beside it what does not.
///
/// A damaged record costs what it is a record of, and nothing else, so a listing goes on after it.
/// An app that shows the list shows the damage, too: nobody else will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The readable ones, in the order of the keys.
    pub found: Vec<T>,
    /// The damaged ones.
    pub damaged: Vec<Damaged>,
}

/// A record that does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The key under which it stands: a [`get`](crate::Store::get) gives its bytes, to keep them
    /// elsewhere, and a [`delete`](crate::Batch::delete) removes it.
    pub key: Bytes,
    /// The name of the record and the fault in it, [`StoreError::Corrupt`].
    pub error: StoreError,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            damaged: Vec::new(),
        }
    }
}

impl<T> Listed<T> {
    pub(crate) fn damage(&mut self, key: &Bytes, error: StoreError) {
        self.damaged.push(Damaged {
            key: key.clone(),
            error,
        });
    }

    /// The whole list, with what is damaged in it.
    pub(crate) fn complete(self) -> Result<Self, StoreError> {
        use hustings_protocol::planted::{Fault, is_on};

        match self.damaged.first() {
            Some(first) if is_on(Fault::DamageSpreads) => Err(first.error.clone()),
            Some(_) | None => Ok(self),
        }
    }
}
