//! The state machines of a hustings room: they decide who may do something, in which order commands
//! count, and what each peer has seen.
//!
//! A poll is a room. Its [`Owner`] is the authority and the hub of a star; each [`Participant`] has
//! one link to it. A participant stores its commands in an outbox before it sends them, and sends
//! them again on every new link until they are answered. The owner applies each exactly once. It
//! journals an update before it tells anybody, and relays it to everybody else. A participant that
//! was away gets the updates that it missed, or the whole poll if that is less.
//!
//! # The core
//!
//! [`Participant`] and [`Host`] (the [`Owner`]s of many polls behind one address) do no I/O. They
//! are told what happened, with the time as an argument, and answer with [`Output`]s, the things to
//! do. There is one rule: an output that follows a record is done only when the record is durable.
//! The machines never read a clock, never make randomness (they start with a seed), never wait and
//! never panic over the input of a peer; the same inputs give the same outputs, byte for byte.
//!
//! Here a participant joins a hosted poll, and the example carries the frames:
//!
//! ```
//! use bytes::Bytes;
//! use ed25519_dalek::SigningKey;
//! use hustings_protocol::{
//!     Command, DeviceId, OptionId, Poll, PollDraft, PollId, StoredOutbox, Vote,
//! };
//! use hustings_room::{
//!     ChannelBinding, Config, Host, LinkId, Moment, Output, Owner, Participant, Setup,
//! };
//!
//! fn setup(seed: u8) -> Setup {
//!     Setup {
//!         key: SigningKey::from_bytes(&[seed; 32]),
//!         device: DeviceId::from_bytes([seed; 5]),
//!         seed: [seed; 32], // in earnest: random
//!         unix_millis: 1_790_000_000_000,
//!         config: Config::default(),
//!     }
//! }
//!
//! let poll_id: PollId = "5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e5f".parse()?;
//! let tea: OptionId = "00000000-0000-4000-8000-000000000001".parse()?;
//! let draft = PollDraft::new("Tea?").options(["Yes"]);
//! let (ours, theirs, now) = (setup(1), setup(2), Moment::START);
//! let poll = Poll::new(poll_id, ours.peer(), draft, || tea, &ours.config.limits)?;
//! let mut host = Host::new(&ours, now);
//! let owner = Owner::create(Setup { seed: host.new_seed(), ..ours }, poll)?;
//! let room = owner.room_id();
//! host.open(owner, now);
//! let mut voter = Participant::new(theirs, room, StoredOutbox::default(), None, now)?;
//!
//! // A transport would dial and connect; here both ends are simply told.
//! let (out, into) = (LinkId::dialled(0), LinkId::accepted(0));
//! let id = Bytes::from_static(b"this channel");
//! let binding = ChannelBinding { local: id.clone(), remote: id };
//! host.handle_link_up(into, binding.clone(), now);
//! voter.handle_link_up(out, binding, now);
//!
//! // A driver would commit the records; here they are dropped.
//! let mut carry = |host: &mut Host, voter: &mut Participant| loop {
//!     let (mut up, mut down) = (Vec::new(), Vec::new());
//!     while let Some(output) = voter.poll_output() {
//!         if let Output::Send { frame, .. } = output { up.push(frame) }
//!     }
//!     up.iter().for_each(|frame| host.handle_frame(into, frame, now));
//!     while let Some(output) = host.poll_output() {
//!         if let Output::Send { frame, .. } = output { down.push(frame) }
//!     }
//!     down.iter().for_each(|frame| voter.handle_frame(out, frame, now));
//!     if up.is_empty() && down.is_empty() { break }
//! };
//! carry(&mut host, &mut voter); // the handshake, the poll, who is here
//!
//! voter.submit(Command::Vote(Vote { poll_id, option_ids: vec![tea] }), now)?;
//! assert_eq!(voter.pending().len(), 1); // shown at once, as pending
//! carry(&mut host, &mut voter);
//! assert!(voter.pending().is_empty());
//! // Ballots are secret unless the draft says otherwise: this is the part that the voter is told.
//! let told = host.owner(poll_id).map(|owner| owner.poll().told_to(voter.peer()));
//! assert_eq!(voter.confirmed().map(|poll| Poll::clone(poll)), told);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The shell
//!
//! [`transport`] has the trait of a network. With the feature `driver`, the module `driver` joins a
//! machine, a transport and a store (of `hustings-outbox`) and runs them on any executor; the core
//! does not depend on it.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
#[cfg(feature = "driver")]
pub mod clock;
mod config;
#[cfg(feature = "driver")]
pub mod driver;
mod error;
mod event;
mod fold;
mod handshake;
mod host;
mod link;
mod liveness;
mod machine;
mod moment;
mod outgoing;
mod output;
mod owner;
mod participant;
mod setup;
mod timer;
pub mod transport;

pub use backoff::BackoffConfig;
pub use config::{Config, OfflinePolicy};
pub use error::{RestoreError, SubmitError};
pub use event::{CommandState, Connection, Event, Refused};
pub use host::Host;
pub use link::{ChannelBinding, DownReason, LinkId};
pub use machine::Machine;
pub use moment::Moment;
pub use output::{Output, Persist, Record};
pub use owner::Owner;
pub use participant::{Participant, Pending};
pub use setup::Setup;
pub use timer::TimeoutReason;

/// The crate's own front page: its code is compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
