//! Two journals of one poll: whether one continues the other.

use bytes::Bytes;
use hustings_protocol::{Epoch, Limits, Message, Revision, RoomId, StoredJournal, StoredLog};

/// A journal from a file, beside the one in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// They end at the same place.
    Same,
    /// The file's continues the store's.
    Ahead,
    /// The store's is newer, or may be.
    Behind,
    /// Each has what the other has not.
    Fork,
    /// The file's is newer, and begins after the end of the store's.
    Apart,
}

/// A journal's places in its history.
pub(super) struct Course<'a> {
    log: &'a StoredLog,
    epoch: Epoch,
    /// The digest at the snapshot.
    digest: Option<u64>,
    pub(super) title: String,
}

impl<'a> Course<'a> {
    /// The course of a journal; `None` if its snapshot is not one of this room.
    pub(super) fn of(room: RoomId, journal: &'a StoredJournal) -> Option<Self> {
        let log = &journal.log;
        let (revision, frame) = &log.snapshot;
        let Ok(Message::PollState(state)) = Message::decode(frame, &Limits::unbounded()) else {
            return None;
        };
        let is_it = state.revision == *revision
            && state.poll.poll_id() == room.poll_id
            && state.poll.owner() == room.owner;
        is_it.then(|| Self {
            log,
            epoch: state.epoch,
            digest: state.history.map(|mark| mark.digest()),
            title: state.poll.title().to_owned(),
        })
    }

    fn end(&self) -> Revision {
        self.log.revision()
    }

    fn frame(&self, at: Revision) -> Option<&Bytes> {
        let tail = &self.log.tail;
        let place = tail.binary_search_by_key(&at, |(revision, _)| *revision);
        place.ok().map(|place| &tail[place].1)
    }

    fn digest(&self, at: Revision) -> Option<u64> {
        if at == self.log.snapshot.0 && self.digest.is_some() {
            return self.digest;
        }
        let Ok(Message::Update(update)) = Message::decode(self.frame(at)?, &Limits::unbounded())
        else {
            return None;
        };
        update.history.map(|mark| mark.digest())
    }

    /// True if both have the same history up to there; `None` if that cannot be said.
    fn agrees(&self, other: &Self, at: Revision) -> Option<bool> {
        if let (Some(one), Some(two)) = (self.digest(at), other.digest(at)) {
            return Some(one == two);
        }
        // From before there were digests.
        if (at, &self.log.snapshot) == (other.log.snapshot.0, &other.log.snapshot) {
            return Some(true);
        }
        Some(self.frame(at)? == other.frame(at)?)
    }

    /// Compares the file's course with the store's.
    pub(super) fn beside(&self, store: &Self) -> Relation {
        let (here, there) = (store.end(), self.end());
        // A digest is that of everything before, too.
        match (self.agrees(store, here.min(there)), there > here) {
            (Some(true), _) => {}
            (Some(false), _) => return Relation::Fork,
            (None, true) if self.epoch >= store.epoch => return Relation::Apart,
            (None, true) => return Relation::Fork,
            (None, false) => return Relation::Behind,
        }
        // A later epoch has given up what an earlier one has had after the place where it began.
        match (self.epoch.cmp(&store.epoch), there.cmp(&here)) {
            (std::cmp::Ordering::Equal, std::cmp::Ordering::Equal) => Relation::Same,
            (epoch, end) if epoch.is_ge() && end.is_ge() => Relation::Ahead,
            (epoch, end) if epoch.is_le() && end.is_le() => Relation::Behind,
            (_, _) => Relation::Fork,
        }
    }
}
