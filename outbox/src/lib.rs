//! The durable data of hustings, and how it stays correct when a process, a tab or the power goes
//! away.
//!
//! A [`Store`] is an ordered map from bytes to bytes, with atomic batches of a stated durability.
//! Everything durable goes through one. Each kind of data has a type that knows the keys of its
//! records and checks them:
//!
//! - [`Outbox`]: the commands that a device has submitted and that have no outcome yet, and copies
//!   of the last that were applied
//! - [`Journal`]: the poll that an owner hosts: snapshot, updates, receipts
//! - [`Cache`]: a participant's copy of a poll, to show it while the owner is away
//! - [`Identity`]: the user's key, device and signalling token
//!
//! The first three are names without state. Their changing methods are pure: they add to a
//! [`Batch`]. The holder of the batch commits it, with several changes of several of them in one.
//! So the caller decides what is atomic, for instance an update and its receipt.
//!
//! # What it never does
//!
//! - It never decides when something is durable enough: the caller names the [`Durability`].
//! - It never skips a record. A record that is damaged, or that is missing between two others, is
//!   [`StoreError::Corrupt`] with the record's name. (What is only a copy of what the owner has may
//!   go: a driver drops a damaged cache, and an outbox a damaged applied command.)
//! - It never reads a clock, retries, logs, or repairs in silence.
//! - It never looks into a frame. Frames are the bytes that went over the wire.
//!
//! # Example
//!
//! A device submits two commands, hears the outcome of the first, and starts again:
//!
//! ```
//! use bytes::Bytes;
//! use hustings_outbox::{Batch, Durability, Identity, MemoryStore, Outbox, Store};
//! use hustings_protocol::{RoomId, Seq};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures::executor::block_on(async {
//! let store = MemoryStore::new();
//! let me = Identity::load_or_create(&store, 0).await?;
//! let poll = "0196f1c2-8d1e-7c3a-9b55-0d2f6a1e4c77".parse()?;
//! let outbox = Outbox::new(me.device(), RoomId { owner: me.peer_id(), poll_id: poll });
//!
//! let first = outbox.load(&store).await?.next_seq;
//! assert_eq!(first, Seq::FIRST);
//! let mut batch = Batch::new();
//! outbox.put(&mut batch, first, Bytes::from_static(b"a vote"));
//! outbox.put(&mut batch, first.next(), Bytes::from_static(b"another"));
//! store.commit(batch, Durability::Strict).await?;
//!
//! let mut batch = Batch::new();
//! outbox.remove(&mut batch, first);
//! store.commit(batch, Durability::Strict).await?;
//!
//! store.crash();
//! let left = outbox.load(&store).await?;
//! assert_eq!(left.entries, [(first.next(), Bytes::from_static(b"another"))]);
//! assert_eq!(left.next_seq, first.next().next());
//! assert_eq!(Identity::load_or_create(&store, 0).await?, me);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Stores
//!
//! | store | where | [`Strict`](Durability::Strict) | [`Relaxed`](Durability::Relaxed) |
//! |---|---|---|---|
//! | [`MemoryStore`] | memory; tests and simulations | survives [`crash`](MemoryStore::crash) | does not |
//! | `RedbStore` (feature `redb`, on by default, native) | one file | synced | synced |
//! | `IndexedDbStore` (browsers) | a database of the page's origin | strict | relaxed |
//!
//! A file and a database have a version. One of an earlier version is carried up when it is opened;
//! one of a later version is refused, [`StoreError::Newer`], and stays as it is. Data that is
//! deleted under an open store, and perhaps made anew by somebody else, ends it with
//! [`StoreError::Deleted`]: nothing is acknowledged that nobody would find again.
//!
//! A store of your own implements [`Store`] and passes the suite of the feature `contract`.
//!
//! # Files
//!
//! With the feature `export`, the module of that name makes one encrypted file of an identity and
//! its polls, as a backup or to move them, and takes it into another store. A journal can be put
//! [`Aside`]: it stays, and nobody hosts it.
//!
//! # One store, several tabs
//!
//! A file has one process; a browser's database has as many tabs as the user opens. There (on wasm)
//! `Slot` makes each tab a device of its own, lets a tab deliver the commands of a closed one, and
//! gives one identity to tabs that open a new profile together. `HostingLock` lets only one tab
//! host. Either is held by a Web Lock, or on a page that has none, as it came by plain HTTP, by a
//! record in the store and questions to the other tabs. Natively the lock on the file does the
//! same.
//!
//! # Keys
//!
//! Fixed-width fields, one after the other, integers big-endian, so that the order of the keys is
//! the order of their values. `room` is the owner's peer id (32 bytes) and the poll id (16): two
//! owners may have polls with the same id, and a device may take part in both.
//!
//! | tag | then | value |
//! |---|---|---|
//! | `01` | | identity: secret key (32), token (26 characters) |
//! | `01` | slot (4) | device id (5) of the slot |
//! | `02` | `00`, slot (4) | place: the holder (16) that has written last in this slot |
//! | `02` | `00`, slot (4), holder (16) | nothing: this holder is there (without Web Locks) |
//! | `02` | `01`, owner (32) | place: the holder that has written last as this host |
//! | `02` | `01`, owner (32), holder (16) | nothing: this holder is there (without Web Locks) |
//! | `10` | room, device (5) | outbox: next seq (8) |
//! | `10` | room, device (5), seq (8) | outbox: a pending command's frame |
//! | `20` | room | nothing: there is a journal of this room |
//! | `21` | room, `00` | journal: revision (8), the snapshot's frame |
//! | `21` | room, `01`, revision (8) | journal: an update's frame |
//! | `21` | room, `02`, author (32), device (5), seq mod 64 (1) | journal: a receipt, as JSON |
//! | `21` | room, `03` | journal: why it is put aside (1), when in milliseconds (8) |
//! | `30` | device, room, `00` | cache: revision (8), the snapshot's frame |
//! | `30` | device, room, `01`, revision (8) | cache: an update's frame |
//! | `31` | room, device (5), seq mod 64 (1) | outbox: the frame of an applied command |
//!
//! Records that are loaded together are in one range, so one scan reads them as of one moment. A
//! kind of record whose layout changes gets a new tag; an old tag never gets another meaning.
//!
//! Every value stands behind a seal of 9 bytes: a mark, and a checksum over the key and the value,
//! because not every store finds a bit that has changed on its disk. A record whose checksum does
//! not match is [`StoreError::Corrupt`], and so is one that is missing in its place and stands
//! under a key that differs from its own in one bit. Values that a version without seals has
//! written are read, and have none to check.
//!
//! A damaged record costs what it is a record of. Lists go on after it, and name it ([`Listed`]); a
//! journal that does not read can be [exported](Journal::export) as it is, and
//! [removed](Journal::remove).

#![cfg_attr(docsrs, feature(doc_cfg))]

mod aside;
mod backends;
#[cfg(target_family = "wasm")]
mod browser;
mod cache;
#[cfg(any(feature = "contract", test))]
pub mod contract;
#[cfg(feature = "export")]
pub mod export;
mod identity;
mod journal;
mod keys;
mod listed;
mod log;
mod outbox;
mod seal;
mod store;
#[cfg(target_family = "wasm")]
mod tabs;

pub use aside::Aside;
#[cfg(target_family = "wasm")]
pub use backends::indexeddb::{IndexedDbStore, StorageEstimate};
pub use backends::memory::{Fault, MemoryStore};
#[cfg(all(feature = "redb", not(target_family = "wasm")))]
pub use backends::redb::RedbStore;
pub use cache::Cache;
pub use identity::Identity;
pub use journal::Journal;
pub use listed::{Damaged, Listed};
pub use outbox::Outbox;
pub use store::{Batch, Durability, MaybeSend, Store, StoreError, Write};
#[cfg(target_family = "wasm")]
pub use tabs::{Adopted, Guarded, HostingError, HostingLock, NoLocks, Slot, TabError};

/// The crate's own front page: its code is compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
