//! The authority: each command in turn becomes a revision or is rejected, once.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Admission, Cast, Command, CommandId, DecodeError, DeviceId, Envelope, Epoch, ErrorCode,
    HistoryMark, Limits, Message, Numbered, Outcome, PeerId, Poll, PollId, Position, Receipt,
    Rejection, Revision, Seq, StoredJournal, StoredLog, Update,
};

use super::dedup::{Dedup, Seen};
use super::history::{Claim, History, Seal};
use super::log::Log;
use super::size::{Size, Standing};
use crate::RestoreError;
use crate::fold::fold_journal;

/// The poll, its revision, and the outcomes so far.
#[derive(Debug, Clone)]
pub(crate) struct Sequencer {
    pub(crate) poll: Arc<Poll>,
    pub(crate) revision: Revision,
    pub(crate) epoch: Epoch,
    pub(crate) log: Log,
    pub(crate) history: History,
    pub(crate) dedup: Dedup,
    /// Outcomes that were [only remembered](Self::is_passing) until their author gained standing,
    /// and have to be kept from now on.
    pub(crate) unkept: Vec<(PeerId, DeviceId, Receipt)>,
    size: Size,
}

/// The bounds on what a command may make an owner keep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) limits: Limits,
    /// Most outcomes that are remembered of people without standing.
    pub(crate) stranger_receipts: usize,
}

/// The decision on a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sequenced {
    /// It was applied. The frame goes to the journal.
    Applied {
        receipt: Receipt,
        frame: Bytes,
        /// The frame for everybody else, which nearly always is the same.
        told: Bytes,
    },
    /// It has its outcome and changes nothing: it was rejected, which is final, or its sender has
    /// numbered it anew and it has the outcome that it had under its first number.
    Settled { receipt: Receipt },
    /// It already had this outcome, and gets it again.
    Duplicate(Outcome),
    /// It contradicts an earlier command of its sender. Nothing is recorded.
    Violation(Rejection),
    /// It has no outcome yet. Commands before it are missing, because the link has lost frames; or
    /// there is no room to remember one. On a new link it comes again.
    Gap(Rejection),
}

impl Sequencer {
    /// The authority over a new poll.
    pub(crate) fn new(poll: Poll, epoch: Epoch, seal: Seal) -> Self {
        let revision = Revision::ZERO;
        let history = History::new(seal, [epoch.get()].into());
        let snapshot = poll.encode_journaled(position(&history, epoch, revision));
        Self {
            size: Size::of(&poll),
            poll: Arc::new(poll),
            revision,
            epoch,
            log: Log::new(revision, snapshot.len()),
            history,
            dedup: Dedup::default(),
            unkept: Vec::new(),
        }
    }

    /// The authority over a poll from its journal. True with it if the journal is from before there
    /// were marks, so that it needs a new snapshot, which has one.
    pub(crate) fn restore(
        journal: StoredJournal,
        seal_of: impl FnOnce(PollId) -> Seal,
    ) -> Result<(Self, bool), RestoreError> {
        let folded = fold_journal(&journal.log)?;
        let seal = seal_of(folded.poll.poll_id());
        let StoredLog { snapshot, mut tail } = journal.log;
        let newer = tail.split_off(folded.older);
        let older = tail.into_iter().map(|(_, frame)| told(frame));
        let mut log = Log::new(snapshot.0, snapshot.1.len()).with_older(older);
        for (_, frame) in newer {
            log.push(told(frame));
        }
        let size = Size::of(&folded.poll);
        log.keep(size.most_missed());
        let mut dedup = Dedup::default();
        for (author, device, receipt) in journal.receipts {
            dedup.record(author, device, receipt);
        }
        let mut digests = folded.chain.digests;
        let is_unmarked = digests.is_empty();
        if is_unmarked {
            digests.push_back(folded.epoch.get());
        }
        let owner = folded.poll.owner();
        dedup.count_strangers(|peer| folded.poll.member(peer).is_none() && peer != owner);
        let mut sequencer = Self {
            size,
            poll: folded.poll,
            revision: folded.revision,
            epoch: folded.epoch,
            log,
            history: History::new(seal, digests),
            dedup,
            unkept: Vec::new(),
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
        (author, device): (PeerId, DeviceId),
        oldest: Seq,
        bounds: &Bounds,
    ) -> Result<Sequenced, DecodeError> {
        let (command_id, seq) = envelope.numbering()?;
        let key = (command_id, seq, envelope.digest());
        Ok(self.decide((author, device), oldest, key, bounds, |this| {
            this.apply(envelope, author, device, bounds)
        }))
    }

    /// Rejects a command of which no more was read than its name and number, in its order.
    pub(crate) fn reject_unread(
        &mut self,
        ((command_id, seq), digest): ((CommandId, Seq), u64),
        from: (PeerId, DeviceId),
        oldest: Seq,
        bounds: &Bounds,
        why: Rejection,
    ) -> Sequenced {
        let key = (command_id, seq, digest);
        self.decide(from, oldest, key, bounds, |_| Err(why))
    }

    fn decide(
        &mut self,
        (author, device): (PeerId, DeviceId),
        oldest: Seq,
        key: (CommandId, Seq, u64),
        bounds: &Bounds,
        apply: impl FnOnce(&mut Self) -> Result<(Bytes, Bytes), Rejection>,
    ) -> Sequenced {
        let (command_id, seq, digest) = key;
        let receipt = |outcome| Receipt {
            seq,
            command_id,
            digest,
            outcome,
        };
        let settled = match self.dedup.look_up(author, device, oldest, key) {
            Seen::New => match apply(self) {
                Ok((frame, told)) => {
                    self.revision = self.revision.next();
                    self.log.push(told.clone());
                    self.log.keep(self.size.most_missed());
                    let receipt = receipt(Outcome::Applied(self.revision));
                    self.dedup.record(author, device, receipt.clone());
                    return Sequenced::Applied {
                        receipt,
                        frame,
                        told,
                    };
                }
                // A rejection takes its number, too: otherwise the commands behind it would wait
                // for ever.
                Err(rejection) => Outcome::Rejected(rejection),
            },
            Seen::Renumbered(outcome) => outcome,
            Seen::Before(outcome) => return Sequenced::Duplicate(outcome),
            Seen::Violation(rejection) => return Sequenced::Violation(rejection),
            Seen::Gap(rejection) => return Sequenced::Gap(rejection),
        };
        let receipt = receipt(settled);
        if self.has_standing(author) {
            self.dedup.record(author, device, receipt.clone());
        } else if self.dedup.of_strangers() < bounds.stranger_receipts
            || planted::is_on(Fault::StrangersFillReceipts)
        {
            self.dedup.record_stranger(author, device, receipt.clone());
        } else {
            let message = "the owner cannot remember any more rejections, try again later";
            return Sequenced::Gap(Rejection::new(ErrorCode::Busy, message));
        }
        Sequenced::Settled { receipt }
    }

    /// True for somebody who may only look. The owner keeps nothing of what they send, and
    /// remembers its answers for as long as they are here.
    pub(crate) fn is_passing(&self, peer: PeerId) -> bool {
        self.poll.admission() == Admission::Invited
            && !self.has_standing(peer)
            && !planted::is_on(Fault::KeepsPassing)
    }

    /// True for somebody who is in the list of members, and for the owner: they have voted, have a
    /// name, or were given a role.
    pub(crate) fn has_standing(&self, peer: PeerId) -> bool {
        self.poll.member(peer).is_some() || peer == self.poll.owner()
    }

    /// Changes the poll, and returns the frame for the journal and that for everybody else; or
    /// rejects the command.
    fn apply(
        &mut self,
        envelope: &Envelope<'_>,
        author: PeerId,
        device: DeviceId,
        bounds: &Bounds,
    ) -> Result<(Bytes, Bytes), Rejection> {
        let limits = &bounds.limits;
        if envelope.author().is_some_and(|claimed| claimed != author) {
            return Err(Rejection::new(
                ErrorCode::WrongAuthor,
                "the command names another author than the sender",
            ));
        }
        let is_v7 = |id: CommandId| id.as_uuid().get_version_num() == 7;
        if !envelope.command_id().is_some_and(is_v7) && !planted::is_on(Fault::AnyCommandId) {
            let message = "a command id must be a UUID of version 7";
            return Err(Rejection::new(ErrorCode::BadField, message));
        }
        let command = Command::from_envelope(envelope, limits).map_err(|error| error.rejection)?;
        // Before `decide`, which cannot be undone: nothing may fail after it.
        let revision = self.revision.next();
        let (told, before) = (command.told(), self.history.present());
        let digest = match &told {
            Some(told) => envelope.chained_told(told, before, author, device),
            None => envelope.chained(before, author, device),
        };
        let mark = self.history.next_mark(self.epoch, revision, digest);
        let frame = envelope
            .relayed(author, device, revision, Some(mark))
            .map_err(|error| error.rejection)?;
        let (command_id, seq) = envelope.numbering().map_err(|error| error.rejection)?;
        let cast = Cast {
            revision,
            command_id,
            device,
        };
        self.poll
            .check_cast(author, &command, &cast, self.seen(envelope))?;
        self.size.check(&self.poll, author, &command, limits)?;
        let subject = command.subject(author);
        let before = Standing::of(&self.poll, subject, &command);
        let poll = Arc::make_mut(&mut self.poll);
        poll.decide(author, &command, limits)?;
        poll.remember_cast(author, &command, cast);
        let after = Standing::of(&self.poll, subject, &command);
        self.size.change(&self.poll, before, after, &command);
        if !before.is_member && after.is_member && subject != self.poll.owner() {
            if self.poll.admission() == Admission::Invited {
                let outcomes = self.dedup.outcomes_of(subject);
                let outcomes = outcomes.map(|(device, it)| (subject, device, it));
                self.unkept.extend(outcomes);
            }
            self.dedup.gains_standing(subject);
        }
        self.history.push(digest);
        let told = told.map(|command| {
            Message::Update(Update {
                author,
                device,
                revision,
                history: Some(mark),
                numbered: Numbered {
                    command_id,
                    seq,
                    seen: None,
                    command,
                },
            })
            .encode()
        });
        Ok((frame.clone(), told.unwrap_or(frame)))
    }

    /// The last update of this history that the sender of a command had seen.
    ///
    /// Nothing, if it names a revision that is not there yet, or another epoch: since the journal
    /// turned out to be an old copy, its numbers stand for other updates than those that were seen.
    /// Then of two votes the later one counts, as if neither device had known of the other.
    fn seen(&self, envelope: &Envelope<'_>) -> Revision {
        let present = envelope.seen().filter(|it| it.epoch == self.epoch);
        present
            .map(|it| it.revision)
            .filter(|it| *it <= self.revision)
            .unwrap_or_default()
    }

    /// The opinion of a position that a peer names.
    pub(crate) fn judge(&self, known: Option<Position>) -> Claim {
        self.history.judge((self.epoch, self.revision), known)
    }

    /// The owner's mark at this revision, if it is not too long ago.
    pub(crate) fn mark_at(&self, revision: Revision) -> Option<HistoryMark> {
        self.history.mark_at(self.epoch, revision, self.revision)
    }

    /// The frames that bring a peer from `known` to the present revision.
    pub(crate) fn catch_up(&mut self, known: Option<Revision>) -> Vec<Bytes> {
        let at = position(&self.history, self.epoch, self.revision);
        let poll = &self.poll;
        self.log
            .catch_up(known, self.revision, || poll.encode_state(at))
    }

    /// The present position, with its mark.
    pub(crate) fn position(&self) -> Position {
        position(&self.history, self.epoch, self.revision)
    }

    /// The present poll as one frame, with every vote.
    pub(crate) fn snapshot(&mut self) -> Bytes {
        let at = self.position();
        let poll = &self.poll;
        self.log.present(self.revision, || poll.encode_state(at))
    }

    /// The present poll as one frame, for the journal.
    pub(crate) fn journaled(&self) -> Bytes {
        let at = position(&self.history, self.epoch, self.revision);
        self.poll.encode_journaled(at)
    }

    /// A new snapshot for the journal, and the revision up to which updates may go.
    pub(crate) fn journal_snapshot(&mut self) -> (Bytes, Revision) {
        let snapshot = self.journaled();
        let keep_after = self.log.journal(self.revision, snapshot.len());
        (snapshot, keep_after)
    }

    /// Begins a new epoch, after the journal turned out to be an old copy.
    pub(crate) fn begin_epoch(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.log = Log::new(self.revision, self.journaled().len());
    }
}

/// The frame of an update in a journal as others are told it.
fn told(frame: Bytes) -> Bytes {
    if !frame.starts_with(INVITATIONS) {
        return frame;
    }
    // Nothing but an update begins like this, and each has been read before.
    let told = match Message::decode(&frame, &Limits::unbounded()) {
        Ok(Message::Update(update)) => update.encode_told(),
        Ok(_) | Err(_) => None,
    };
    told.unwrap_or(frame)
}

/// The beginning of every update about invitations.
const INVITATIONS: &[u8] = br#"{"type":"poll:invitation:"#;

/// The owner's own position, with its mark.
fn position(history: &History, epoch: Epoch, revision: Revision) -> Position {
    Position {
        epoch,
        revision,
        history: Some(history.mark(epoch, revision, history.present())),
    }
}
