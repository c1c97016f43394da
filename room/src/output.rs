//! What a machine wants done.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{Address, DeviceId, PeerId, PollId, Receipt, Revision, RoomId, Seq};

use crate::{Event, LinkId};

/// Something that a machine wants done.
///
/// # The write-ahead rule
///
/// Outputs come in order, and **nothing that comes after a [`Persist`](Output::Persist) may be done
/// before that record is durable**. A driver may take many outputs, commit all their records as one
/// batch, and then do the rest. If the commit fails, it does nothing more: it drops the machine and
/// starts again from what is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Store a record.
    Persist(Persist),
    /// Send a frame.
    Send {
        /// On which link.
        link: LinkId,
        /// The frame.
        frame: Bytes,
    },
    /// Send one frame to many. It was encoded once, and copying it is copying a pointer.
    Broadcast {
        /// To whom.
        links: Arc<[LinkId]>,
        /// And to whom of these not.
        except: Option<LinkId>,
        /// The frame.
        frame: Bytes,
    },
    /// Open a link.
    Dial {
        /// What the link will be called.
        link: LinkId,
        /// Whom to dial.
        to: Address,
    },
    /// Close a link, after what was sent on it.
    Hangup {
        /// Which link.
        link: LinkId,
    },
    /// Tell the application.
    Event {
        /// Of which poll, where it is of one.
        poll_id: Option<PollId>,
        /// What happened.
        event: Event,
    },
}

/// A record to store, and the room that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persist {
    /// Which room.
    pub room: RoomId,
    /// What to store.
    pub record: Record,
}

/// One thing to store, all of it or nothing. The frames are messages as they cross the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Outbox: a command that was submitted.
    Queued {
        /// Its number.
        seq: Seq,
        /// The command as it will be sent, each time alike.
        frame: Bytes,
    },
    /// Outbox: a command that is settled, which is to say, has its outcome.
    Settled {
        /// Its number.
        seq: Seq,
    },
    /// Cache: the whole poll, in place of everything cached before.
    CacheSnapshot {
        /// At which revision.
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
        /// At which revision.
        revision: Revision,
        /// The last update that nobody needs any more.
        keep_after: Revision,
        /// A `poll:state`.
        frame: Bytes,
    },
    /// Journal: one more update, and the receipt of the command that it is. They are one record, so
    /// that both are there or none: an update without its receipt would be applied again, a receipt
    /// without its update would be an answer that is not true.
    JournalUpdate {
        /// The revision that it made.
        revision: Revision,
        /// The relayed command.
        frame: Bytes,
        /// Whose command it was.
        author: PeerId,
        /// From which device.
        device: DeviceId,
        /// What the author is told.
        receipt: Receipt,
    },
    /// Journal: a command that was rejected, and so made no update.
    JournalRejection {
        /// Whose command it was.
        author: PeerId,
        /// From which device.
        device: DeviceId,
        /// What the author is told.
        receipt: Receipt,
    },
}

impl Record {
    /// Whether losing the record in a power cut would break a promise. A cache only saves a
    /// transfer; everything else has been, or is about to be, promised to somebody.
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
