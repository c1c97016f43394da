//! The stored data of machines, as it is read back: frames by number.
//!
//! Records are frames as they cross the wire. A store writes and reads them without looking inside.
//! A machine that starts from them checks them, and names the record that is damaged.

use bytes::Bytes;

use crate::{DeviceId, PeerId, Receipt, Revision, Seq};

/// A poll as a journal or a cache stores it: a snapshot, and the frames of updates around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLog {
    /// The latest snapshot: its revision, and its frame, a `poll:state`.
    pub snapshot: (Revision, Bytes),
    /// The frames of updates by revision, +1 each without a gap. The first is at most the
    /// snapshot's revision + 1 and the last is at least the snapshot's revision. So the tail
    /// continues where the snapshot ends and, with older updates, also serves participants that are
    /// a little behind.
    pub tail: Vec<(Revision, Bytes)>,
}

impl StoredLog {
    /// The revision of the newest update: that of the tail's last frame or, without a tail, of the
    /// snapshot.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.tail
            .last()
            .map_or(self.snapshot.0, |(revision, _)| *revision)
    }
}

/// An owner's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJournal {
    /// The poll and its updates.
    pub log: StoredLog,
    /// The outcomes that authors were told: those of one device of an author stand together, in the
    /// order of the numbers. There are at most [`WINDOW`](crate::WINDOW) of one device.
    pub receipts: Vec<(PeerId, DeviceId, Receipt)>,
}

/// A participant's outbox for one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOutbox {
    /// The number of the next command. It never goes back, even without entries.
    pub next_seq: Seq,
    /// The frame of each command without an outcome, in the order of the numbers, all below
    /// `next_seq`.
    pub entries: Vec<(Seq, Bytes)>,
    /// The frames of the last commands that were applied, [`WINDOW`](crate::WINDOW) at most, in no
    /// order: an owner whose journal is an old copy has lost some, and is offered them again.
    pub applied: Vec<Bytes>,
}

impl Default for StoredOutbox {
    /// An outbox that was never used.
    fn default() -> Self {
        Self {
            next_seq: Seq::FIRST,
            entries: Vec::new(),
            applied: Vec::new(),
        }
    }
}
