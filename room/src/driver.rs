//! The driver: joins a machine, a transport and a store, and runs them on any executor.
//!
//! The core says what to do; this module does it. [`setup`] makes the setup of an identity,
//! [`join`] makes a participant and [`host`] an owner. Each of these two gives a handle, which is
//! cheap to clone, and a [`Driver`], whose [`run`](Driver::run) is a future to spawn on any
//! executor: a thread pool, `spawn_local` in a browser, a test that turns the clock by hand.
//!
//! # By hand
//!
//! Transport, store and clock are the consumer's choice. Here all are in memory:
//!
//! ```
//! use std::sync::Arc;
//!
//! use futures::executor::block_on;
//! use futures::task::SpawnExt;
//! use hustings_outbox::{Identity, MemoryStore};
//! use hustings_protocol::{Address, Command, DeviceId, Outcome, PollDraft, Vote};
//! use hustings_room::clock::SystemClock;
//! use hustings_room::driver::{self, OpenError};
//! use hustings_room::{Config, Setup};
//! use hustings_transport_mem::{Latency, MemoryNet};
//!
//! // In earnest: `Identity::load_or_create(&store, 0).await?`.
//! fn somebody(seed: u8) -> Result<Setup, OpenError> {
//!     let identity = Identity::from_seed([seed; 32], DeviceId::from_bytes([seed; 5]));
//!     driver::setup(&identity, Config::default())
//! }
//!
//! let clock = Arc::new(SystemClock::new());
//! let net = MemoryNet::new(1, Latency::ZERO, clock.clone());
//! let pool = futures::executor::ThreadPool::new()?;
//!
//! // The owner.
//! let owner = somebody(1)?;
//! let address = Address::Owner(owner.peer());
//! let (hosting, driver) =
//!     driver::host(owner, net.transport(address)?, MemoryStore::new(), clock.clone());
//! pool.spawn(async { driver.run().await.expect("memory does not fail") })?;
//!
//! // Somebody who joins.
//! let voter = somebody(2)?;
//! let address = Address::Participant(voter.peer(), voter.device);
//! let transport = net.transport(address)?;
//!
//! block_on(async {
//!     let draft = PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"]);
//!     let poll = hosting.create(draft).await?;
//!
//!     let (room, driver) =
//!         driver::join(voter, poll.id(), transport, MemoryStore::new(), clock).await?;
//!     pool.spawn(async { driver.run().await.expect("memory does not fail") })?;
//!     room.connected().await?;
//!
//!     let tea = room.poll().expect("it has been seen").options()[0].option_id;
//!     let vote = Vote { poll_id: poll.id().poll_id, option_ids: vec![tea] };
//!     let submitted = room.submit(Command::Vote(vote)).await?; // durable now
//!     assert!(matches!(submitted.outcome().await?, Outcome::Applied(_)));
//!     assert_eq!(poll.poll().expect("it is hosted").tally().expect("it is shown").options[0].votes, 1);
//!
//!     room.close().await;
//!     hosting.close().await;
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Diagnostics
//!
//! With the feature `tracing` a driver tells the application's subscriber what happens: polls and
//! links as spans, their lives at info, each attempt and commit at debug. Nothing of what people
//! chose, wrote or hold is in it, and of ids 8 characters
//! ([`Short`](hustings_protocol::Short)). In a browser `tracing-wasm` is such a subscriber.

mod commands;
mod hosting;
mod open;
mod opened;
mod openings;
pub mod records;
mod room;
mod run;
mod shared;
mod together;
mod trace;

pub use hosting::{Hosting, host};
pub use open::{OpenError, join, setup};
pub use room::{CallError, Events, Room, Submitted};
pub use run::{Driver, DriverError};
