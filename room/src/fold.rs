//! A stored log, read again. A damaged record is an error that names it, never a gap.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Epoch, ErrorCode, Limits, Message, Poll, PollState, Rejection, Revision, StoredLog, Update,
};

use crate::RestoreError;

/// A log with its tail applied to its snapshot.
pub(crate) struct Folded {
    pub(crate) epoch: Epoch,
    pub(crate) poll: Arc<Poll>,
    pub(crate) revision: Revision,
    /// The number of updates in the tail that are not newer than the snapshot.
    pub(crate) older: usize,
}

/// Applies the tail of a log to its snapshot. No limit is in the way: all of it was applied before.
pub(crate) fn fold(log: &StoredLog) -> Result<Folded, RestoreError> {
    let limits = &Limits::unbounded();
    let (at, snapshot) = &log.snapshot;
    let PollState {
        revision: mut present,
        epoch,
        mut poll,
    } = decode_state(*at, snapshot, limits)?;
    let mut older = 0;
    for (revision, frame) in &log.tail {
        let update = decode_update(*revision, frame, limits)?;
        if update.revision <= *at {
            older += 1;
            continue;
        }
        let what = || format!("the stored update {revision}");
        if update.revision != present.next() {
            let reason = format!("the update after revision {present} is missing");
            let reason = Rejection::new(ErrorCode::SeqGap, reason);
            return Err(RestoreError::new(what(), reason));
        }
        poll.apply(update.author, &update.numbered.command, limits)
            .map_err(|reason| RestoreError::new(what(), reason))?;
        present = update.revision;
    }
    Ok(Folded {
        epoch,
        poll: Arc::new(poll),
        revision: present,
        older,
    })
}

/// Reads the `poll:state` that was stored under this revision.
fn decode_state(at: Revision, frame: &Bytes, limits: &Limits) -> Result<PollState, RestoreError> {
    match Message::decode(frame, limits) {
        Ok(Message::PollState(state)) if state.revision == at => Ok(state),
        Ok(_) => Err(RestoreError::misplaced("the stored snapshot")),
        Err(error) => Err(RestoreError::new("the stored snapshot", error.rejection)),
    }
}

/// Reads the update that was stored under this revision.
fn decode_update(at: Revision, frame: &Bytes, limits: &Limits) -> Result<Update, RestoreError> {
    let what = || format!("the stored update {at}");
    match Message::decode(frame, limits) {
        Ok(Message::Update(update)) if update.revision == at => Ok(update),
        Ok(_) => Err(RestoreError::misplaced(what())),
        Err(error) => Err(RestoreError::new(what(), error.rejection)),
    }
}
