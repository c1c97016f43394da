//! A stored log, read again. A damaged record is an error that names it, never a gap.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Envelope, Epoch, ErrorCode, HistoryMark, Limits, Message, Poll, PollState, Rejection, Revision,
    StoredLog, Update,
};

use crate::RestoreError;

/// A log with its tail applied to its snapshot.
pub(crate) struct Folded {
    pub(crate) epoch: Epoch,
    pub(crate) poll: Arc<Poll>,
    pub(crate) revision: Revision,
    /// The number of updates in the tail that are not newer than the snapshot.
    pub(crate) older: usize,
    pub(crate) chain: Chain,
}

/// The running digests of a history, as far back from its present revision as they are there
/// without a gap. Empty for a log that was written before there were marks.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) digests: VecDeque<u64>,
    /// The owner's mark at the present revision.
    pub(crate) mark: Option<HistoryMark>,
}

impl Chain {
    /// Goes on with this mark. False if the digest before it makes another one.
    fn go_on(&mut self, mark: Option<HistoryMark>, made: Option<u64>) -> bool {
        self.mark = mark;
        let Some(mark) = mark else {
            self.digests.clear();
            return true;
        };
        self.digests.push_back(mark.digest());
        made.is_none_or(|made| made == mark.digest())
    }

    /// Takes the mark of a snapshot at this place. False if the updates before it make another one.
    fn meet(&mut self, mark: Option<HistoryMark>) -> bool {
        let made = self.digests.pop_back();
        self.go_on(mark, made)
    }
}

/// Applies the tail of a log to its snapshot. No limit is in the way: all of it was applied before.
pub(crate) fn fold(log: &StoredLog) -> Result<Folded, RestoreError> {
    let limits = &Limits::unbounded();
    let (at, snapshot) = &log.snapshot;
    let state = decode_state(*at, snapshot, limits)?;
    let (mut present, mut poll) = (state.revision, state.poll);
    let older = log.tail.partition_point(|(revision, _)| *revision <= *at);
    let (before, since) = log.tail.split_at(older);
    let mut chain = Chain::default();
    for (revision, frame) in before {
        decode_update(*revision, frame, &mut chain, limits)?;
    }
    if !chain.meet(state.history) {
        return Err(discontinued("the stored snapshot".to_owned()));
    }
    for (revision, frame) in since {
        let update = decode_update(*revision, frame, &mut chain, limits)?;
        let what = || stored(*revision);
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
        epoch: state.epoch,
        poll: Arc::new(poll),
        revision: present,
        older,
        chain,
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

/// Reads the update that was stored under this revision, and goes on by it.
fn decode_update(
    at: Revision,
    frame: &Bytes,
    chain: &mut Chain,
    limits: &Limits,
) -> Result<Update, RestoreError> {
    let read = Envelope::parse(frame, frame.len(), limits).and_then(|envelope| {
        let message = Message::from_envelope(&envelope, limits)?;
        Ok((envelope, message))
    });
    match read {
        Ok((envelope, Message::Update(update))) if update.revision == at => {
            let before = chain.digests.back();
            let made = before.map(|it| envelope.chained(*it, update.author, update.device));
            if chain.go_on(update.history, made) {
                Ok(update)
            } else {
                Err(discontinued(stored(at)))
            }
        }
        Ok(_) => Err(RestoreError::misplaced(stored(at))),
        Err(error) => Err(RestoreError::new(stored(at), error.rejection)),
    }
}

fn stored(at: Revision) -> String {
    format!("the stored update {at}")
}

fn discontinued(what: String) -> RestoreError {
    let reason = "it does not continue the history before it";
    RestoreError::new(what, Rejection::new(ErrorCode::Unexpected, reason))
}
