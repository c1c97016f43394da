//! The authority: each command in turn becomes a revision or is rejected, once.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Command, DecodeError, DeviceId, Envelope, Epoch, ErrorCode, Limits, Outcome, PeerId, Poll,
    Receipt, Rejection, Revision, Seq, StoredJournal, StoredLog,
};

use super::dedup::{Dedup, Seen};
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
    pub(crate) dedup: Dedup,
}

/// The decision on a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sequenced {
    /// It was applied. The frame goes to the journal and to everybody else.
    Applied { receipt: Receipt, frame: Bytes },
    /// It was rejected. This is final.
    Rejected { receipt: Receipt },
    /// It already had this outcome, and gets it again.
    Duplicate(Outcome),
    /// It contradicts an earlier command of its sender. Nothing is recorded.
    Violation(Rejection),
    /// Commands before it are missing: the link has lost frames.
    Gap(Rejection),
}

impl Sequencer {
    /// The authority over a new poll.
    pub(crate) fn new(poll: Poll, epoch: Epoch) -> Self {
        let revision = Revision::ZERO;
        let snapshot = poll.encode_state(revision, epoch);
        Self {
            poll: Arc::new(poll),
            revision,
            epoch,
            log: Log::new(revision, snapshot),
            dedup: Dedup::default(),
        }
    }

    /// The authority over a poll from its journal.
    pub(crate) fn restore(journal: StoredJournal) -> Result<Self, RestoreError> {
        let folded = fold(&journal.log)?;
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
        Ok(Self {
            poll: folded.poll,
            revision: folded.revision,
            epoch: folded.epoch,
            log,
            dedup,
        })
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
                Ok(Sequenced::Rejected { receipt })
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
        let frame = envelope
            .relayed(author, device, self.revision.next())
            .map_err(|error| error.rejection)?;
        Arc::make_mut(&mut self.poll).apply(author, &command, limits)?;
        Ok(frame)
    }

    /// The frames that bring a peer from `known` to the present revision.
    pub(crate) fn catch_up(&mut self, known: Option<(Epoch, Revision)>) -> Vec<Bytes> {
        let known = known.and_then(|(epoch, revision)| (epoch == self.epoch).then_some(revision));
        let (poll, revision, epoch) = (&self.poll, self.revision, self.epoch);
        self.log
            .catch_up(known, revision, || poll.encode_state(revision, epoch))
    }

    /// The present poll as one frame.
    pub(crate) fn snapshot(&mut self) -> Bytes {
        let (poll, revision, epoch) = (&self.poll, self.revision, self.epoch);
        self.log
            .present(revision, || poll.encode_state(revision, epoch))
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
        self.log = Log::new(self.revision, self.poll.encode_state(self.revision, epoch));
    }
}
