//! The authority: each command in turn becomes a revision or is rejected, once.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Command, DecodeError, DeviceId, Envelope, Epoch, ErrorCode, HistoryMark, Limits, Outcome,
    PeerId, Poll, PollId, Position, Receipt, Rejection, Revision, Seq, StoredJournal, StoredLog,
};

use super::dedup::{Dedup, Seen};
use super::history::{Claim, History, Seal};
use super::log::Log;
use crate::RestoreError;
use crate::fold::fold;

/// The poll, its revision, and the outcomes so far.
#[derive(Debug, Clone)]
pub(crate) struct Sequencer {
    pub(crate) poll: Arc<Poll>,
    pub(crate) revision: Revision,
    pub(crate) epoch: Epoch,
    pub(crate) log: Log,
    pub(crate) history: History,
    pub(crate) dedup: Dedup,
}

/// The decision on a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sequenced {
    /// It was applied. The frame goes to the journal and to everybody else.
    Applied { receipt: Receipt, frame: Bytes },
    /// It has its outcome and changes nothing: it was rejected, which is final, or its sender has
    /// numbered it anew and it has the outcome that it had under its first number.
    Settled { receipt: Receipt },
    /// It already had this outcome, and gets it again.
    Duplicate(Outcome),
    /// It contradicts an earlier command of its sender. Nothing is recorded.
    Violation(Rejection),
    /// Commands before it are missing: the link has lost frames.
    Gap(Rejection),
}

impl Sequencer {
    /// The authority over a new poll.
    pub(crate) fn new(poll: Poll, epoch: Epoch, seal: Seal) -> Self {
        let revision = Revision::ZERO;
        let history = History::new(seal, [epoch.get()].into());
        let snapshot = poll.encode_state(position(&history, epoch, revision));
        Self {
            poll: Arc::new(poll),
            revision,
            epoch,
            log: Log::new(revision, snapshot),
            history,
            dedup: Dedup::default(),
        }
    }

    /// The authority over a poll from its journal. True with it if the journal is from before there
    /// were marks, so that it needs a new snapshot, which has one.
    pub(crate) fn restore(
        journal: StoredJournal,
        seal_of: impl FnOnce(PollId) -> Seal,
    ) -> Result<(Self, bool), RestoreError> {
        let folded = fold(&journal.log)?;
        let seal = seal_of(folded.poll.poll_id());
        let StoredLog { snapshot, mut tail } = journal.log;
        let newer = tail.split_off(folded.older);
        let older = tail.into_iter().map(|(_, frame)| frame);
        let mut log = Log::new(snapshot.0, snapshot.1).with_older(older);
        for (_, frame) in newer {
            log.push(frame);
        }
        let mut dedup = Dedup::default();
        for (author, device, receipt) in journal.receipts {
            dedup.record(author, device, receipt);
        }
        let mut digests = folded.chain.digests;
        let is_unmarked = digests.is_empty();
        if is_unmarked {
            digests.push_back(folded.epoch.get());
        }
        let mut sequencer = Self {
            poll: folded.poll,
            revision: folded.revision,
            epoch: folded.epoch,
            log,
            history: History::new(seal, digests),
            dedup,
        };
        if is_unmarked {
            sequencer.begin_epoch(folded.epoch);
        }
        Ok((sequencer, is_unmarked))
    }

    /// Decides on a command that `author` sent from `device`.
    ///
    /// A command that was answered before is recognised by its envelope; its payload is not read.
    pub(crate) fn sequence(
        &mut self,
        envelope: &Envelope<'_>,
        author: PeerId,
        device: DeviceId,
        oldest: Seq,
        limits: &Limits,
    ) -> Result<Sequenced, DecodeError> {
        let (command_id, seq) = envelope.numbering()?;
        let digest = envelope.digest();
        let key = (command_id, seq, digest);
        match self.dedup.look_up(author, device, oldest, key) {
            Seen::New => {}
            Seen::Before(outcome) => return Ok(Sequenced::Duplicate(outcome)),
            Seen::Renumbered(outcome) => {
                let receipt = Receipt {
                    seq,
                    command_id,
                    digest,
                    outcome,
                };
                self.dedup.record(author, device, receipt.clone());
                return Ok(Sequenced::Settled { receipt });
            }
            Seen::Violation(rejection) => return Ok(Sequenced::Violation(rejection)),
            Seen::Gap(rejection) => return Ok(Sequenced::Gap(rejection)),
        }
        let receipt = |outcome| Receipt {
            seq,
            command_id,
            digest,
            outcome,
        };
        match self.apply(envelope, author, device, limits) {
            Ok(frame) => {
                self.revision = self.revision.next();
                self.log.push(frame.clone());
                let receipt = receipt(Outcome::Applied(self.revision));
                self.dedup.record(author, device, receipt.clone());
                Ok(Sequenced::Applied { receipt, frame })
            }
            // A rejection takes its number, too: otherwise the commands behind it would wait for
            // ever.
            Err(rejection) => {
                let receipt = receipt(Outcome::Rejected(rejection));
                self.dedup.record(author, device, receipt.clone());
                Ok(Sequenced::Settled { receipt })
            }
        }
    }

    /// Changes the poll, and returns the frame for everybody else; or rejects the command.
    fn apply(
        &mut self,
        envelope: &Envelope<'_>,
        author: PeerId,
        device: DeviceId,
        limits: &Limits,
    ) -> Result<Bytes, Rejection> {
        if envelope.author().is_some_and(|claimed| claimed != author) {
            return Err(Rejection::new(
                ErrorCode::WrongAuthor,
                "the command names another author than the sender",
            ));
        }
        let command = Command::from_envelope(envelope, limits).map_err(|error| error.rejection)?;
        // Before `apply`, which cannot be undone: nothing may fail after it.
        let revision = self.revision.next();
        let digest = envelope.chained(self.history.present(), author, device);
        let mark = self.history.mark(self.epoch, revision, digest);
        let frame = envelope
            .relayed(author, device, revision, Some(mark))
            .map_err(|error| error.rejection)?;
        Arc::make_mut(&mut self.poll).apply(author, &command, limits)?;
        self.history.push(digest);
        Ok(frame)
    }

    /// The opinion of a position that a peer names.
    pub(crate) fn judge(&self, known: Option<Position>) -> Claim {
        self.history.judge((self.epoch, self.revision), known)
    }

    /// The owner's mark at this revision, if it is not too long ago.
    pub(crate) fn mark_at(&self, revision: Revision) -> Option<HistoryMark> {
        let digest = self.history.digest_at(revision, self.revision)?;
        Some(self.history.mark(self.epoch, revision, digest))
    }

    /// The frames that bring a peer from `known` to the present revision.
    pub(crate) fn catch_up(&mut self, known: Option<Revision>) -> Vec<Bytes> {
        let at = position(&self.history, self.epoch, self.revision);
        let poll = &self.poll;
        self.log
            .catch_up(known, self.revision, || poll.encode_state(at))
    }

    /// The present poll as one frame.
    pub(crate) fn snapshot(&mut self) -> Bytes {
        let at = position(&self.history, self.epoch, self.revision);
        let poll = &self.poll;
        self.log.present(self.revision, || poll.encode_state(at))
    }

    /// A new snapshot for the journal, and the revision up to which updates may go.
    pub(crate) fn journal_snapshot(&mut self) -> (Bytes, Revision) {
        let snapshot = self.snapshot();
        let keep_after = self.log.journal(self.revision, snapshot.clone());
        (snapshot, keep_after)
    }

    /// Begins a new epoch, after the journal turned out to be an old copy.
    pub(crate) fn begin_epoch(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        let at = position(&self.history, epoch, self.revision);
        self.log = Log::new(self.revision, self.poll.encode_state(at));
    }
}

/// The owner's own position, with its mark.
fn position(history: &History, epoch: Epoch, revision: Revision) -> Position {
    Position {
        epoch,
        revision,
        history: Some(history.mark(epoch, revision, history.present())),
    }
}
