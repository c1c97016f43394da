//! The store, through which everything durable goes.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Aside;

/// `Send` and `Sync` where tasks move between threads: natively, but not in a browser.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSend: Send + Sync {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + Sync> MaybeSend for T {}
/// `Send` and `Sync` where tasks move between threads: natively, but not in a browser.
#[cfg(target_family = "wasm")]
pub trait MaybeSend {}
#[cfg(target_family = "wasm")]
impl<T> MaybeSend for T {}

/// The event that a successful commit survives.
///
/// The order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// A crash of the process: the bytes are with the operating system or the browser.
    Relaxed,
    /// A loss of power: the bytes are on the disk, as far as the platform can promise it.
    Strict,
}

/// One change of a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets a key, whether it is there or not.
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes a key, if it is there.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Removes every key from `range.start` up to, but not including, `range.end`.
    DeleteRange {
        /// The keys.
        range: Range<Bytes>,
    },
}

/// Changes that take effect together or not at all, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    writes: Vec<Write>,
    required: Vec<(Bytes, Option<Bytes>)>,
}

impl Batch {
    /// A batch without changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.writes.push(Write::Put {
            key: key.into(),
            value: value.into(),
        });
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        self.writes.push(Write::Delete { key: key.into() });
    }

    /// Removes every key from `range.start` up to, but not including, `range.end`.
    pub fn delete_range(&mut self, range: Range<Bytes>) {
        self.writes.push(Write::DeleteRange { range });
    }

    /// Requires that a key has this value, or that it has none, before the changes are made.
    /// Otherwise the commit fails with [`StoreError::Unmet`], and nothing is changed.
    pub fn require(&mut self, key: impl Into<Bytes>, value: Option<Bytes>) {
        self.required.push((key.into(), value));
    }

    /// The records that have to be there before the changes: each key with its value, or none.
    #[must_use]
    pub fn required(&self) -> &[(Bytes, Option<Bytes>)] {
        &self.required
    }

    /// True if there is nothing to commit, and nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.required.is_empty()
    }

    /// The number of changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The changes in their order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The changes in their order.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }
}

impl StoreError {
    /// The error of a batch that requires another value of this key.
    #[must_use]
    pub fn unmet(key: &[u8]) -> Self {
        Self::Unmet(format!("{key:02x?}"))
    }
}

/// An ordered map from bytes to bytes with atomic batches.
///
/// The smallest trait that memory, redb and IndexedDB all implement well. Keys are ordered as byte
/// strings. A store is shared by reference; a store that is cheap to clone can also have several
/// handles, whose commits take effect one after the other.
///
/// # Contract
///
/// - [`commit`](Store::commit) is atomic: after a failure or a crash either every change of the
///   batch is there, or none is.
/// - What a batch [requires](Batch::require) of the records is looked at in the same transaction as
///   its changes are made in: no other commit comes between. It is how two that share a store agree
///   on who was first.
/// - A commit that succeeded is seen by every read that begins after it.
/// - Commits are durable in their order: if one survived, so did every one that had succeeded
///   before it.
/// - A [`Strict`](Durability::Strict) commit makes every earlier relaxed one strict, too.
/// - No record is ever skipped silently: an unreadable record is an error.
///
/// The test suite of the feature `contract` checks a backend against this.
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
pub trait Store: MaybeSend {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Every record from `range.start` up to, but not including, `range.end`, in the order of the
    /// keys. An empty or inverted range has none.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError>;

    /// The records of each of these ranges, as [`scan`](Store::scan) returns them; most have none.
    /// A backend for which each read is a transaction makes one for all; commits may come between
    /// them otherwise.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    async fn scan_each(
        &self,
        ranges: Vec<Range<Bytes>>,
    ) -> Result<Vec<Vec<(Bytes, Bytes)>>, StoreError> {
        let mut all = Vec::with_capacity(ranges.len());
        for range in ranges {
            all.push(self.scan(range).await?);
        }
        Ok(all)
    }

    /// Makes every change of a batch, or none.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]. After an error no change of the batch is there, except after
    /// [`StoreError::Io`] and [`StoreError::Full`]: these may come while the batch is being synced,
    /// so the batch may be there. The caller then drops its state and loads the durable data again.
    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError>;
}

/// The reason why a store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, or the browser's share of it, is full.
    #[error("storage is full: {0}")]
    Full(String),
    /// Another process (or tab) has the store open.
    #[error("{0} is in use by another process")]
    Locked(String),
    /// The store was closed while it was in use: the backend's thread ended, or the browser closed
    /// the database. To open it again may help.
    #[error("the store was closed: {0}")]
    Closed(String),
    /// Another tab has an old version of the database open and does not close it.
    #[error("another tab blocks the upgrade of the database {0}; close that tab")]
    Blocked(String),
    /// The browser was asked for this, and has not answered in ten seconds. It may still do so, and
    /// to ask again may help.
    #[error(
        "the browser does not answer when it is asked for {0}; close the other tabs of this page, \
         or start the browser again"
    )]
    Unanswered(String),
    /// The browser deleted the database, or has none (private mode, storage switched off).
    #[error("the browser stores no data for this page: {0}")]
    Unavailable(String),
    /// The store was deleted, and perhaps made anew, under the open handle: somebody cleared the
    /// site's data, or moved the file. What was acknowledged before is gone with it, and nothing is
    /// acknowledged any more. To open it again is to begin anew.
    #[error(
        "the stored data was deleted while it was open; nothing more can be saved in {0}, and what \
         was saved there is gone"
    )]
    Deleted(String),
    /// A record is not as the batch requires it: somebody else was faster. Nothing was changed.
    #[error("somebody else has changed the record {0} meanwhile")]
    Unmet(String),
    /// Another tab has taken this one's place while the browser had put this page away, or while it
    /// was frozen. Nothing was written; to load the page again is to begin where the other one is.
    #[error("another tab has taken over while this page was away; load it again")]
    TakenOver,
    /// The data is of a version that this program does not know, and stays as it is.
    #[error("the data in {0} was written by a newer version of hustings; only that can read it")]
    Newer(String),
    /// The journal is not to be hosted from this store, for this reason. It is sound.
    #[error("{0}")]
    PutAside(Aside),
    /// A record is damaged: it cannot be read as the value that was written.
    #[error("the record {record} is corrupt: {reason}")]
    Corrupt {
        /// The record's name.
        record: String,
        /// The fault in it.
        reason: String,
    },
    /// Any other error of the platform.
    #[error("storage failed: {0}")]
    Io(String),
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        (**self).get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        (**self).scan(range).await
    }

    async fn scan_each(
        &self,
        ranges: Vec<Range<Bytes>>,
    ) -> Result<Vec<Vec<(Bytes, Bytes)>>, StoreError> {
        (**self).scan_each(ranges).await
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        (**self).commit(batch, durability).await
    }
}

/// In a browser, where nothing moves between threads, sharing needs no atomic counter.
#[cfg(target_family = "wasm")]
#[async_trait(?Send)]
impl<S: Store + ?Sized> Store for std::rc::Rc<S> {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        (**self).get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        (**self).scan(range).await
    }

    async fn scan_each(
        &self,
        ranges: Vec<Range<Bytes>>,
    ) -> Result<Vec<Vec<(Bytes, Bytes)>>, StoreError> {
        (**self).scan_each(ranges).await
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        (**self).commit(batch, durability).await
    }
}
