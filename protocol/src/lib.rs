//! The pure values of hustings, the networking layer of a peer-to-peer polling app.
//!
//! A **poll** is a room. Its **owner** is the authority: every mutation is a [`Command`] that goes
//! to the owner, is applied there by the poll's rules ([`Poll::apply`]), makes a [`Revision`], and
//! comes back to everybody as an [`Update`]. This crate defines these values, their form on a wire
//! ([`Message`]), their largest sizes ([`Limits`]), and the proof by which two peers show each
//! other who they are ([`handshake`]).
//!
//! It never does I/O, reads a clock, makes randomness or waits: time and randomness are arguments.
//! It never trusts its input: decoding is total, and every refusal has a stable [`ErrorCode`] and a
//! sentence.
//!
//! # The wire
//!
//! One JSON object is one message: `{"type": …, "payload": …}` with the fields of the envelope
//! beside them, all names in camelCase. A frame is one message, or a [`batch`] of them.
//!
//! ```
//! use hustings_protocol::{Command, CommandId, Limits, Message, Numbered, Seq, Vote};
//!
//! let command_id = CommandId::new(1_790_000_000_000, [7; 10]);
//! let message = Message::Command(Numbered {
//!     command_id,
//!     seq: Seq::FIRST,
//!     seen: None,
//!     command: Command::Vote(Vote {
//!         poll_id: "5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e5f".parse()?,
//!         option_ids: vec!["00000000-0000-4000-8000-000000000001".parse()?],
//!     }),
//! });
//!
//! let frame = message.encode();
//! assert!(frame.starts_with(br#"{"type":"poll:vote","commandId":"01"#));
//! assert_eq!(Message::decode(&frame, &Limits::default()).as_ref(), Ok(&message));
//!
//! let error = Message::decode(br#"{"type":"poll:vote"}"#, &Limits::default()).unwrap_err();
//! assert_eq!(error.to_string(), "poll:vote has no payload (bad-field)");
//! # Ok::<(), hustings_protocol::IdError>(())
//! ```
//!
//! An owner reads a frame in two steps. [`Envelope::parse`] takes it apart without touching the
//! payload, which is enough to recognise a command that was answered before;
//! [`Message::from_envelope`] reads the rest. The owner journals and relays the payload's exact
//! bytes.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod batch;
mod cast;
mod command;
mod envelope;
mod error;
pub mod handshake;
mod history;
mod ids;
mod invitation;
mod limits;
mod link;
mod message;
mod outcome;
#[doc(hidden)]
pub mod planted;
mod poll;
mod projection;
mod revision;
mod rules;
mod short;
mod stored;
mod strict;
mod tally;
pub mod text;
mod turnout;

pub use cast::{Cast, Seen};
pub use command::{
    Command, CommandKind, InvitationIssue, InvitationRedemption, InvitationWithdrawal, Numbered,
    OptionAdd, OptionUpdate, PeerReadmission, PeerRemoval, RoleUpdate, SettingsUpdate, Update,
    UserProfile, Vote,
};
pub use envelope::{DecodeError, Envelope, Kind};
pub use error::ErrorCode;
pub use handshake::{Challenge, Hello, Proof};
pub use history::{HistoryMark, Position};
pub use ids::{Address, CommandId, DeviceId, IdError, OptionId, PeerId, PollId, RoomId};
pub use invitation::{Invitation, InvitationCounts, InvitationId, InvitationSecret};
pub use limits::Limits;
pub use link::{FindLinkError, RoomLink};
pub use message::{Ack, Message, PeerInfo, PollState, Refusal, SyncRequest};
pub use outcome::{Outcome, Receipt, Rejection};
pub use poll::{Member, OptionTally, Poll, PollDraft, PollOption, Role, Tally};
pub use projection::{Admission, Ballots, Results, Shown};
pub use revision::{Epoch, MAX_SAFE_INTEGER, Revision, Seq, WINDOW};
pub use short::{Excerpt, Short};
pub use stored::{StoredJournal, StoredLog, StoredOutbox};
pub use tally::PollTally;

/// The crate's own front page: its code is compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
