//! What hustings keeps, and how it stays true when a process, a tab or the power goes away.
//!
//! A [`Store`] is an ordered map from bytes to bytes with atomic batches and a stated durability.
//! Everything durable goes through one, and each kind of data has a type that knows where its
//! records are and what makes them valid:
//!
//! - [`Outbox`]: what a device has submitted and not yet heard the outcome of
//! - [`Journal`]: what an owner keeps of a poll that it hosts: snapshot, updates, receipts
//! - [`Cache`]: what a participant keeps of a poll, to show it while the owner is away
//! - [`Identity`]: who the user is: the key, the device, the signalling token
//!
//! The first three are names without state. Their changing methods are pure: they add to a
//! [`Batch`], and whoever holds the batch commits it, several changes of several of them in one.
//! So the caller decides what is atomic: an update, its receipt and nothing between them.
//!
//! # What it never does
//!
//! - It never decides when something is durable enough: the caller names the [`Durability`].
//! - It never skips a record. A record that does not read as what was written, or that is missing
//!   between two others, is [`StoreError::Corrupt`] with the record's name.
//! - It never reads a clock, retries, logs, or repairs in silence.
//! - It never knows what is in a frame. Frames are the bytes that went over the wire.
//!
//! # Stores
//!
//! | store | where | [`Strict`](Durability::Strict) | [`Relaxed`](Durability::Relaxed) |
//! |---|---|---|---|
//! | [`MemoryStore`] | memory; tests and simulations | survives [`crash`](MemoryStore::crash) | does not |
//! | `RedbStore` (feature `redb`, on by default, native) | one file | synced | synced |
//! | `IndexedDbStore` (browsers) | a database of the page's origin | strict | relaxed |
//!
//! A store of your own implements [`Store`] and passes the suite of the feature `contract`.
//!
//! # One store, several tabs
//!
//! A file has one process; a browser's database has as many tabs as the user opens. There (on wasm)
//! `Slot` makes each tab a device of its own, lets a tab deliver what a closed one left pending, and
//! makes tabs that open a new profile together get one identity. `HostingLock` sees to it that one
//! tab hosts. Natively the lock on the file does the same.
//!
//! # Keys
//!
//! Fixed-width fields, one after the other, integers big-endian, so that the order of the keys is
//! the order of what they mean. `room` is the owner's peer id (32 bytes) and the poll id (16):
//! two owners may host polls of one id, and a device may take part in both.
//!
//! | tag | then | value |
//! |---|---|---|
//! | `01` | | identity: secret key (32), token (26 characters) |
//! | `01` | slot (4) | device id (5) of the slot |
//! | `10` | room, device (5) | outbox: next seq (8) |
//! | `10` | room, device (5), seq (8) | outbox: a pending command's frame |
//! | `20` | room | nothing: there is a journal of this room |
//! | `21` | room, `00` | journal: revision (8), the snapshot's frame |
//! | `21` | room, `01`, revision (8) | journal: an update's frame |
//! | `21` | room, `02`, author (32), device (5), seq mod 64 (1) | journal: a receipt, as JSON |
//! | `30` | device, room, `00` | cache: revision (8), the snapshot's frame |
//! | `30` | device, room, `01`, revision (8) | cache: an update's frame |
//!
//! What is loaded together is one range, so one scan reads it as of one moment. A kind of record
//! whose layout changes gets a new tag; an old tag is never used for something else.
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

mod backends;
#[cfg(target_family = "wasm")]
mod browser;
mod cache;
#[cfg(any(feature = "contract", test))]
pub mod contract;
mod identity;
mod journal;
mod keys;
mod log;
mod outbox;
mod store;
#[cfg(target_family = "wasm")]
mod tabs;

#[cfg(target_family = "wasm")]
pub use backends::indexeddb::{IndexedDbStore, StorageEstimate};
pub use backends::memory::{Fault, MemoryStore};
#[cfg(all(feature = "redb", not(target_family = "wasm")))]
pub use backends::redb::RedbStore;
pub use cache::Cache;
pub use identity::Identity;
pub use journal::Journal;
pub use outbox::Outbox;
pub use store::{Batch, Durability, MaybeSend, Store, StoreError, Write};
#[cfg(target_family = "wasm")]
pub use tabs::{Adopted, HostingError, HostingLock, NoLocks, Slot, TabError};
