//! People in real browsers, several at a time.
//!
//! A [`scenario`] gets a [`World`]: a signalling server and a page server on free ports of this
//! machine. It invites each [`Person`], who is a browser with a profile of its own, opens each
//! [`Tab`] of theirs, and says what it waits for and for how long at most:
//!
//! ```no_run
//! use hustings_e2e::bounds::SOON;
//!
//! hustings_e2e::scenario(async |world| {
//!     let ann = world.person("ann").await?;
//!     let tab = ann.open(&world.page("room.html")).await?;
//!     tab.wait_for("the database", "app.storage === 'database'", SOON).await?;
//!     let title: String = tab.run("return document.title").await?;
//!     assert_eq!(title, "A room");
//!     ann.kill();
//!     ann.reopen().await
//! });
//! ```
//!
//! A tab that is opened, sent somewhere or loaded again is there when the [`Page`] itself says that
//! it is ready: each of ours does in its last line. How long that and everything else is waited for
//! is in [`bounds`], and nothing else is about time.
//!
//! Somebody may have a [`Terminal`] instead of a browser, and that one may have its network from a
//! [`Cable`].
//!
//! A browser can be killed and opened again with the same profile, frozen and thawed, and cut off
//! from the network. When a scenario fails, what every tab shows and has logged is in `target/e2e`,
//! and nothing that it has started goes on running.
//!
//! A scenario needs what `cargo xtask test --browsers` builds and names in its environment: see
//! [`Parts`].

#![cfg(unix)]

pub mod bounds;
mod broker;
mod cable;
mod group;
mod median;
mod page;
mod pages;
mod parts;
mod person;
mod poll;
mod scenario;
mod session;
mod spy;
mod tab;
mod terminal;
mod world;

pub use broker::Broker;
pub use cable::Cable;
pub use median::median;
pub use page::Page;
pub use pages::Pages;
pub use parts::Parts;
pub use person::{Frozen, Person};
pub use poll::{Poll, TakesPart};
pub use scenario::scenario;
pub use spy::{SPY, Wait};
pub use tab::Tab;
pub use terminal::{Host, Running, Terminal};
pub use world::World;
