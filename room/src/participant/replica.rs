//! The participant's copy of the poll: confirmed by the owner, moving forward only.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{Limits, Poll, PollState, Position, RoomId, StoredLog, Update};

use crate::Record;
use crate::fold::fold;

/// The confirmed poll, and the size of its cache.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    room: RoomId,
    confirmed: Option<Confirmed>,
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
    /// An update before it is missing.
    Gap,
    /// It does not fit the copy. One of the two is wrong, and the owner is right by definition.
    Diverged,
}

impl Replica {
    /// The replica from its cache. A cache that does not read is as good as none: the owner has the
    /// poll, and the first snapshot replaces it.
    pub(crate) fn restore(room: RoomId, stored: Option<&StoredLog>) -> Self {
        let confirmed = stored.and_then(|stored| {
            let folded = fold(stored).ok()?;
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
        Self { room, confirmed }
    }

    pub(crate) fn poll(&self) -> Option<&Arc<Poll>> {
        self.confirmed.as_ref().map(|confirmed| &confirmed.poll)
    }

    /// The place in the owner's history that this copy is at.
    pub(crate) fn known(&self) -> Option<Position> {
        self.confirmed.as_ref().map(|confirmed| confirmed.at)
    }

    /// Takes the whole poll. An older revision of the same journal is ignored.
    pub(crate) fn take_state(&mut self, state: PollState, frame: &Bytes) -> Progress {
        if state.poll.poll_id() != self.room.poll_id || state.poll.owner() != self.room.owner {
            return Progress::Diverged;
        }
        if self
            .known()
            .is_some_and(|at| at.epoch == state.epoch && state.revision <= at.revision)
        {
            return Progress::Old;
        }
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
        if update.revision != confirmed.at.revision.next() {
            return Progress::Gap;
        }
        let command = &update.numbered.command;
        if Arc::make_mut(&mut confirmed.poll)
            .apply(update.author, command, limits)
            .is_err()
        {
            return Progress::Diverged;
        }
        confirmed.at.revision = update.revision;
        confirmed.at.history = update.history;
        confirmed.tail_bytes += frame.len();
        // As in the owner's journal, a snapshot waits for its own size in updates.
        if confirmed.tail_bytes >= snapshot_after_bytes.max(confirmed.snapshot_bytes) {
            let frame = confirmed.poll.encode_state(confirmed.at);
            confirmed.snapshot_bytes = frame.len();
            confirmed.tail_bytes = 0;
            return Progress::Forward(Record::CacheSnapshot {
                revision: confirmed.at.revision,
                frame,
            });
        }
        Progress::Forward(Record::CacheUpdate {
            revision: update.revision,
            frame: frame.clone(),
        })
    }
}
