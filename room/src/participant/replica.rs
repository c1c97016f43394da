//! The participant's copy of the poll: confirmed by the owner, moving forward only.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Command, CommandKind, Limits, Message, PeerId, Poll, PollState, PollTally, Position, Revision,
    RoomId, Seen, StoredLog, Update,
};

use crate::Record;
use crate::fold::fold;

/// The confirmed poll, and the size of its cache.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    room: RoomId,
    peer: PeerId,
    confirmed: Option<Confirmed>,
    /// The last vote of its own that the owner has applied, if there are votes of others before it
    /// that have not been told yet.
    ahead: Option<Update>,
}

#[derive(Debug, Clone)]
struct Confirmed {
    at: Position,
    poll: Arc<Poll>,
    /// Sizes in bytes of the cached snapshot, and of the updates cached since.
    snapshot_bytes: usize,
    tail_bytes: usize,
}

/// The effect of a frame from the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The copy moved forward; this record goes to the cache.
    Forward(Record),
    /// The copy already had it.
    Old,
    /// It is this side's own vote, and what comes before it is told later.
    Ahead,
    /// An update before it is missing.
    Gap,
    /// It does not fit the copy. One of the two is wrong, and the owner is right by definition.
    Diverged,
}

impl Replica {
    /// The replica from its cache. A cache that does not read is as good as none: the owner has the
    /// poll, and the first snapshot replaces it.
    pub(crate) fn restore(room: RoomId, peer: PeerId, stored: Option<&StoredLog>) -> Self {
        let confirmed = stored.and_then(|stored| {
            let folded = fold(stored, peer).ok()?;
            Some(Confirmed {
                at: Position {
                    epoch: folded.epoch,
                    revision: folded.revision,
                    history: folded.chain.mark,
                },
                poll: folded.poll,
                snapshot_bytes: stored.snapshot.1.len(),
                tail_bytes: stored.tail.iter().map(|(_, frame)| frame.len()).sum(),
            })
        });
        Self {
            room,
            peer,
            confirmed,
            ahead: None,
        }
    }

    /// The last vote of its own that the owner has applied, if the poll does not have it yet.
    pub(crate) fn ahead(&self) -> Option<&Command> {
        self.ahead.as_ref().map(|update| &update.numbered.command)
    }

    pub(crate) fn poll(&self) -> Option<&Arc<Poll>> {
        self.confirmed.as_ref().map(|confirmed| &confirmed.poll)
    }

    /// The place in the owner's history that this copy is at.
    pub(crate) fn known(&self) -> Option<Position> {
        self.confirmed.as_ref().map(|confirmed| confirmed.at)
    }

    /// The same, as it is told with a command.
    ///
    /// Not the revision of an `ack` that is ahead of this copy: between the two there may be
    /// updates that nobody has seen here, and a choice of this device's own gives way to its next
    /// one anyway.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let Position {
            epoch, revision, ..
        } = self.known()?;
        Some(Seen { epoch, revision })
    }

    /// Takes the whole poll. An older revision of the same journal is ignored.
    pub(crate) fn take_state(&mut self, mut state: PollState, frame: &Bytes) -> Progress {
        if state.poll.poll_id() != self.room.poll_id || state.poll.owner() != self.room.owner {
            return Progress::Diverged;
        }
        if self
            .known()
            .is_some_and(|at| at.epoch == state.epoch && state.revision <= at.revision)
        {
            return Progress::Old;
        }
        let is_other_epoch = self.known().is_some_and(|at| at.epoch != state.epoch);
        if is_other_epoch || !self.is_ahead_of(state.revision) {
            self.ahead = None;
        }
        state.poll.set_ballot(self.peer, &state.ballot);
        self.confirmed = Some(Confirmed {
            at: Position {
                epoch: state.epoch,
                revision: state.revision,
                history: state.history,
            },
            poll: Arc::new(state.poll),
            snapshot_bytes: frame.len(),
            tail_bytes: 0,
        });
        Progress::Forward(Record::CacheSnapshot {
            revision: state.revision,
            frame: frame.clone(),
        })
    }

    /// True for the one update that this copy can take.
    pub(crate) fn is_next(&self, update: &Update) -> bool {
        let at = self.known().map(|at| at.revision.next());
        at == Some(update.revision)
    }

    /// Takes one more update.
    pub(crate) fn take_update(
        &mut self,
        update: &Update,
        frame: &Bytes,
        limits: &Limits,
        snapshot_after_bytes: usize,
    ) -> Progress {
        let Some(confirmed) = &mut self.confirmed else {
            return Progress::Gap;
        };
        if update.revision <= confirmed.at.revision {
            return Progress::Old;
        }
        let command = &update.numbered.command;
        if update.revision != confirmed.at.revision.next() {
            let is_own_vote = update.author == self.peer && command.kind() == CommandKind::Vote;
            if !is_own_vote {
                return Progress::Gap;
            }
            let last = self.ahead.as_ref().map(|ahead| ahead.revision);
            if last >= Some(update.revision) {
                return Progress::Old;
            }
            self.ahead = Some(update.clone());
            return Progress::Ahead;
        }
        if Arc::make_mut(&mut confirmed.poll)
            .apply(update.author, command, limits)
            .is_err()
        {
            return Progress::Diverged;
        }
        confirmed.at.revision = update.revision;
        confirmed.at.history = update.history;
        Progress::Forward(confirmed.record(frame.clone(), snapshot_after_bytes))
    }

    /// Takes all that has happened since, where votes are told together.
    pub(crate) fn take_tally(
        &mut self,
        mut tally: PollTally,
        frame: &Bytes,
        limits: &Limits,
        snapshot_after_bytes: usize,
    ) -> Progress {
        let Some(confirmed) = &mut self.confirmed else {
            return Progress::Gap;
        };
        let at = confirmed.at.revision;
        if tally.revision < at {
            return Progress::Old;
        }
        if tally.after > at {
            return Progress::Gap;
        }
        let mut frame = frame.clone();
        if let Some(own) = self.ahead.take_if(|own| own.revision <= tally.revision)
            && own.revision > at
        {
            // The message says that this side has voted, but, unless it has choices, not how. Alone
            // it would not be enough for the cache.
            let is_there = |update: &Update| update.revision == own.revision;
            if tally.choices.is_empty() && !tally.updates.iter().any(is_there) {
                tally.updates.push(own);
                tally.updates.sort_by_key(|update| update.revision);
                frame = Message::PollTally(tally.clone()).encode();
            }
        }
        let mut poll = Arc::clone(&confirmed.poll);
        if Arc::make_mut(&mut poll)
            .take_tally(&tally, at, limits)
            .is_err()
        {
            return Progress::Diverged;
        }
        if tally.revision == at {
            // There is nothing new but perhaps how much is shown.
            let is_same =
                (poll.shown(), poll.tally()) == (confirmed.poll.shown(), confirmed.poll.tally());
            if is_same {
                return Progress::Old;
            }
            confirmed.poll = poll;
            return Progress::Forward(confirmed.snapshot());
        }
        confirmed.poll = poll;
        confirmed.at.revision = tally.revision;
        confirmed.at.history = tally.history;
        Progress::Forward(confirmed.record(frame, snapshot_after_bytes))
    }

    /// True if this side's own last vote is not in a poll of this revision.
    fn is_ahead_of(&self, revision: Revision) -> bool {
        self.ahead
            .as_ref()
            .is_some_and(|own| own.revision > revision)
    }
}

impl Confirmed {
    /// The record of a frame that has moved the poll forward.
    fn record(&mut self, frame: Bytes, snapshot_after_bytes: usize) -> Record {
        self.tail_bytes += frame.len();
        // As in the owner's journal, a snapshot waits for its own size in updates.
        if self.tail_bytes >= snapshot_after_bytes.max(self.snapshot_bytes) {
            return self.snapshot();
        }
        Record::CacheUpdate {
            revision: self.at.revision,
            frame,
        }
    }

    fn snapshot(&mut self) -> Record {
        let frame = self.poll.encode_state(self.at);
        self.snapshot_bytes = frame.len();
        self.tail_bytes = 0;
        Record::CacheSnapshot {
            revision: self.at.revision,
            frame,
        }
    }
}
