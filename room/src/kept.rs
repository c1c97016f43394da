//! What was kept, read again. A record that does not read as what was written is an error that
//! names it, never a gap.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    DeviceId, ErrorCode, Limits, Message, PeerId, Poll, PollState, Receipt, Rejection, Revision,
    Seq, Update,
};

use crate::RestoreError;

/// A snapshot and the updates around it, as a journal or a cache kept them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptLog {
    /// A `poll:state`.
    pub snapshot: Bytes,
    /// Relayed commands in the order of their revisions, without gaps. Those up to the snapshot's
    /// own revision serve participants who are behind.
    pub tail: Vec<Bytes>,
}

/// An owner's journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptJournal {
    /// The poll.
    pub log: KeptLog,
    /// The last outcomes of each device, in the order of their numbers.
    pub receipts: Vec<(PeerId, DeviceId, Receipt)>,
}

/// A participant's outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOutbox {
    /// The number of the next command.
    pub next_seq: Seq,
    /// The commands without an outcome, in the order of their numbers.
    pub pending: Vec<(Seq, Bytes)>,
}

impl Default for KeptOutbox {
    fn default() -> Self {
        Self {
            next_seq: Seq::FIRST,
            pending: Vec::new(),
        }
    }
}

/// A log with its tail folded in.
pub(crate) struct Folded {
    pub(crate) state: PollState,
    /// How many updates of the tail are not newer than the snapshot.
    pub(crate) older: usize,
    pub(crate) poll: Arc<Poll>,
    pub(crate) revision: Revision,
}

impl KeptLog {
    /// Applies the tail to the snapshot.
    pub(crate) fn fold(&self, limits: &Limits) -> Result<Folded, RestoreError> {
        let state = decode_state(&self.snapshot, limits)?;
        let mut poll = state.poll.clone();
        let mut revision = state.revision;
        let mut older = 0;
        for frame in &self.tail {
            let update = decode_update(frame, limits)?;
            if update.revision <= state.revision {
                older += 1;
                continue;
            }
            let what = || format!("the kept update {}", update.revision);
            if update.revision != revision.next() {
                let reason = format!("it follows revision {revision}");
                let reason = Rejection::new(ErrorCode::SeqGap, reason);
                return Err(RestoreError::new(what(), reason));
            }
            poll.apply(update.author, &update.numbered.command, limits)
                .map_err(|reason| RestoreError::new(what(), reason))?;
            revision = update.revision;
        }
        Ok(Folded {
            state,
            older,
            poll: Arc::new(poll),
            revision,
        })
    }
}

/// Reads a `poll:state` that was kept.
fn decode_state(frame: &[u8], limits: &Limits) -> Result<PollState, RestoreError> {
    match Message::decode(frame, limits) {
        Ok(Message::PollState(state)) => Ok(state),
        Ok(_) => Err(RestoreError::misplaced("the kept snapshot")),
        Err(error) => Err(RestoreError::new("the kept snapshot", error.rejection)),
    }
}

/// Reads a relayed command that was kept.
fn decode_update(frame: &[u8], limits: &Limits) -> Result<Update, RestoreError> {
    match Message::decode(frame, limits) {
        Ok(Message::Update(update)) => Ok(update),
        Ok(_) => Err(RestoreError::misplaced("a kept update")),
        Err(error) => Err(RestoreError::new("a kept update", error.rejection)),
    }
}
