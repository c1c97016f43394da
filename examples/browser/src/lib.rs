//! The wiring of one browser tab of a polling app: IndexedDB, a slot among the tabs, an identity,
//! PeerJS, and the rooms that this tab hosts or has joined.
//!
//! The library leaves the choice of parts to its user. This is one choice, for a page in a window:
//! copy it, and change the parts that you want otherwise. The web app and the JavaScript package
//! use it.
//!
//! - The tabs of a profile share one store and one identity. Each room that a tab joins gets a slot
//!   of its own: a device with its own outbox and its own address.
//! - One tab hosts, and it hosts every poll of the identity that can be read. Damage costs the poll
//!   that it is in: it is named, can be taken away as it is, and removed.
//! - The identity and its polls can be kept in a file with a passphrase, or moved by it. A poll
//!   that was moved away, or archived, stays stored and is not hosted.
//! - An open tab delivers the commands that a closed one has left without an answer.
//! - A page by plain HTTP works like any other: its tabs are told apart without Web Locks.
//! - If the browser stores nothing for the page, or cannot tell its tabs apart at all, everything
//!   works in memory, and `App::storage` tells so.

#![cfg(target_family = "wasm")]

mod app;
mod damage;
mod deliveries;
mod device;
mod hosted;
mod joined;
mod keep;
mod running;

pub use app::{App, OpenError, OwnPoll, OwnPolls, Storage, Undelivered};
pub use damage::{Damage, RemoveError};
pub use deliveries::{Deliveries, Refusal};
pub use hosted::{HostError, Hosted};
pub use hustings_outbox::Aside;
pub use hustings_outbox::export::{Imported, Intent, Outcome};
pub use joined::{JoinError, Joined};
pub use keep::KeepError;
