//! Outputs: the things that a machine wants done.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{Address, DeviceId, PeerId, PollId, Receipt, Revision, RoomId, Seq};

use crate::{Event, LinkId};

/// Something that a machine wants done.
///
/// # The write-ahead rule
///
/// Outputs come in order, and **an output that comes after a [`Persist`](Output::Persist) may be
/// done only when that record is durable**. A driver may take many outputs, commit all their
/// records as one batch, and then do the rest. If the commit fails, the driver does nothing more:
/// it drops the machine and starts again from the durable data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Store a record. In a box, which keeps every other output at the half of its size.
    Persist(Box<Persist>),
    /// Send a frame.
    Send {
        /// The link.
        link: LinkId,
        /// The frame.
        frame: Bytes,
    },
    /// Send one frame on many links. It is encoded once, and a copy is only a copied pointer.
    Broadcast {
        /// The links.
        links: Arc<[LinkId]>,
        /// The one of these that does not get it.
        except: Option<LinkId>,
        /// The frame.
        frame: Bytes,
    },
    /// Open a link.
    Dial {
        /// The id that the link will have.
        link: LinkId,
        /// The address to dial.
        to: Address,
    },
    /// Close a link, after the frames sent on it.
    Hangup {
        /// The link.
        link: LinkId,
    },
    /// Tell the application.
    Event {
        /// The poll, if the event is about one.
        poll_id: Option<PollId>,
        /// The event.
        event: Event,
    },
}

/// A record to store, and the room that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persist {
    /// The room.
    pub room: RoomId,
    /// The record.
    pub record: Record,
}

/// One thing to store, as a whole or not at all. The frames are messages as they cross the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Outbox: a command that was submitted.
    Queued {
        /// Its number.
        seq: Seq,
        /// The command's frame, the same each time that it is sent.
        frame: Bytes,
    },
    /// Outbox: a command that is settled, that is, has its outcome.
    Settled {
        /// Its number.
        seq: Seq,
        /// Its frame, if it was applied: an owner whose journal is an old copy has lost it, and is
        /// offered it again.
        applied: Option<Bytes>,
    },
    /// Cache: the whole poll, in place of everything cached before.
    CacheSnapshot {
        /// The revision of the snapshot.
        revision: Revision,
        /// A `poll:state`.
        frame: Bytes,
    },
    /// Cache: one more update.
    CacheUpdate {
        /// The revision that it made.
        revision: Revision,
        /// The relayed command.
        frame: Bytes,
    },
    /// Journal: the whole poll. Updates up to and including `keep_after` may go.
    JournalSnapshot {
        /// The revision of the snapshot.
        revision: Revision,
        /// The last update that nobody needs any more.
        keep_after: Revision,
        /// A `poll:state`.
        frame: Bytes,
    },
    /// Journal: one more update, and the receipt of its command. They are one record, so that
    /// either both are stored or neither: an update without its receipt would be applied again, and
    /// a receipt without its update would be a false answer.
    JournalUpdate {
        /// The revision that it made.
        revision: Revision,
        /// The relayed command.
        frame: Bytes,
        /// The author of the command.
        author: PeerId,
        /// The author's device.
        device: DeviceId,
        /// The outcome that the author is told.
        receipt: Receipt,
    },
    /// Journal: a command that was rejected, and so made no update.
    JournalRejection {
        /// The author of the command.
        author: PeerId,
        /// The author's device.
        device: DeviceId,
        /// The outcome that the author is told.
        receipt: Receipt,
    },
}

impl Record {
    /// True if the loss of the record in a power cut would break a promise. A cache only saves a
    /// transfer; everything else has been promised to somebody, or is about to be.
    #[must_use]
    pub const fn must_survive_power_loss(&self) -> bool {
        match self {
            Self::CacheSnapshot { .. } | Self::CacheUpdate { .. } => false,
            Self::Queued { .. }
            | Self::Settled { .. }
            | Self::JournalSnapshot { .. }
            | Self::JournalUpdate { .. }
            | Self::JournalRejection { .. } => true,
        }
    }
}
