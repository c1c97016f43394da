//! A stored log, read again. A damaged record is an error that names it, never a gap.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Cast, DecodeError, Envelope, Epoch, ErrorCode, HistoryMark, Limits, Message, PeerId, Poll,
    PollState, PollTally, Rejection, Revision, StoredLog, Update,
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

/// Applies the tail of a participant's copy to its snapshot. No limit is in the way: all of it was
/// applied before.
pub(crate) fn fold(log: &StoredLog, peer: PeerId) -> Result<Folded, RestoreError> {
    let limits = &Limits::unbounded();
    fold_with(log, Some(peer), limits, Message::decode, |_, _| {})
}

/// The same for an owner's journal, which also says how each choice was cast.
pub(crate) fn fold_journal(log: &StoredLog) -> Result<Folded, RestoreError> {
    let decode = |frame: &[u8], limits: &Limits| {
        PollState::decode_journaled(frame, limits).map(Message::PollState)
    };
    fold_with(log, None, &Limits::unbounded(), decode, |poll, update| {
        let cast = Cast {
            revision: update.revision,
            command_id: update.numbered.command_id,
            device: update.device,
        };
        poll.remember_cast(update.author, &update.numbered.command, cast);
    })
}

/// `peer` is the member whose copy this is; there is none of a journal.
fn fold_with(
    log: &StoredLog,
    peer: Option<PeerId>,
    limits: &Limits,
    decode: impl FnOnce(&[u8], &Limits) -> Result<Message, DecodeError>,
    applied: impl Fn(&mut Poll, &Update),
) -> Result<Folded, RestoreError> {
    let (at, snapshot) = &log.snapshot;
    let state = state_at(*at, decode(snapshot, limits))?;
    let (mut present, mut poll) = (state.revision, state.poll);
    if let Some(peer) = peer {
        poll.set_ballot(peer, &state.ballot);
    }
    let older = log.tail.partition_point(|(revision, _)| *revision <= *at);
    let (before, since) = log.tail.split_at(older);
    let mut chain = Chain::default();
    for (revision, frame) in before {
        decode_step(*revision, frame, &mut chain, limits)?;
    }
    if !chain.meet(state.history) {
        return Err(discontinued("the stored snapshot".to_owned()));
    }
    for (revision, frame) in since {
        let step = decode_step(*revision, frame, &mut chain, limits)?;
        if step.after() > present {
            let reason = format!("the update after revision {present} is missing");
            let reason = Rejection::new(ErrorCode::SeqGap, reason);
            return Err(RestoreError::new(stored(*revision), reason));
        }
        let done = match &step {
            Step::Update(update) => poll.apply(update.author, &update.numbered.command, limits),
            Step::Tally(tally) => poll.take_tally(tally, present, limits),
        };
        done.map_err(|reason| RestoreError::new(stored(*revision), reason))?;
        if let Step::Update(update) = &step {
            applied(&mut poll, update);
        }
        present = *revision;
    }
    Ok(Folded {
        epoch: state.epoch,
        poll: Arc::new(poll),
        revision: present,
        older,
        chain,
    })
}

/// The `poll:state` that was stored under this revision.
fn state_at(
    at: Revision,
    message: Result<Message, DecodeError>,
) -> Result<PollState, RestoreError> {
    match message {
        Ok(Message::PollState(state)) if state.revision == at => Ok(state),
        Ok(_) => Err(RestoreError::misplaced("the stored snapshot")),
        Err(error) => Err(RestoreError::new("the stored snapshot", error.rejection)),
    }
}

/// A frame that was stored after a snapshot.
enum Step {
    Update(Update),
    Tally(PollTally),
}

impl Step {
    /// The least revision of a poll to which it can be applied.
    fn after(&self) -> Revision {
        match self {
            Self::Update(update) => {
                let before = update.revision.get().checked_sub(1);
                // No update makes revision zero: there is nothing that it could follow.
                before.and_then(Revision::new).unwrap_or(Revision::MAX)
            }
            Self::Tally(tally) => tally.after,
        }
    }
}

/// Reads the frame that was stored under this revision, and goes on by it.
fn decode_step(
    at: Revision,
    frame: &Bytes,
    chain: &mut Chain,
    limits: &Limits,
) -> Result<Step, RestoreError> {
    let read = Envelope::parse(frame, frame.len(), limits).and_then(|envelope| {
        let message = Message::from_envelope(&envelope, limits)?;
        Ok((envelope, message))
    });
    match read {
        Ok((envelope, Message::Update(update))) if update.revision == at => {
            let before = chain.digests.back();
            let Update { author, device, .. } = update;
            let told = update.numbered.command.told();
            let made = before.map(|before| match &told {
                Some(told) => envelope.chained_told(told, *before, author, device),
                None => envelope.chained(*before, author, device),
            });
            if chain.go_on(update.history, made) {
                Ok(Step::Update(update))
            } else {
                Err(discontinued(stored(at)))
            }
        }
        Ok((_, Message::PollTally(tally))) if tally.revision == at => {
            // It does not tell the updates from which the digest was made.
            chain.digests.clear();
            chain.mark = tally.history;
            Ok(Step::Tally(tally))
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
