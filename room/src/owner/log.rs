//! The owner's history, as far back as a participant may need it: a snapshot, and the updates
//! since.
//!
//! The bytes of updates are the same here, in the journal and on the wire.

use std::collections::VecDeque;

use bytes::Bytes;
use hustings_protocol::Revision;

/// The recent updates, and the snapshot that a newcomer gets.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    /// The snapshot in the journal: its revision, and its size in bytes.
    journaled: (Revision, usize),
    /// A snapshot for newcomers, once one has come: that in the journal is for nobody else. It is
    /// renewed only if a peer needs one and enough updates have come since, so that a thousand
    /// joins do not encode a thousand polls.
    fresh: Option<(Revision, Bytes)>,
    /// The updates after `tail_start`, each with the running size in bytes up to and including it.
    tail: VecDeque<(u64, Bytes)>,
    tail_start: Revision,
    /// The running size at the beginning of the tail.
    tail_start_bytes: u64,
    /// The running size at the journaled snapshot.
    journaled_bytes: u64,
}

impl Log {
    /// A log that begins with the snapshot in the journal, which has so many bytes.
    pub(crate) fn new(revision: Revision, journaled_bytes: usize) -> Self {
        Self {
            journaled: (revision, journaled_bytes),
            fresh: None,
            tail: VecDeque::new(),
            tail_start: revision,
            tail_start_bytes: 0,
            journaled_bytes: 0,
        }
    }

    /// Adds older updates from the journal, which serve participants that are behind.
    pub(crate) fn with_older(mut self, older: impl DoubleEndedIterator<Item = Bytes>) -> Self {
        for frame in older.rev() {
            // There is no revision before zero, so no update can be older.
            let Some(before) = self.tail_start.get().checked_sub(1).and_then(Revision::new) else {
                break;
            };
            self.tail_start = before;
            // The sizes are set below, once the first update is known.
            self.tail.push_front((0, frame));
        }
        let mut size = 0;
        for (end, frame) in &mut self.tail {
            size += frame.len() as u64;
            *end = size;
        }
        self.journaled_bytes = size;
        self
    }

    /// Adds the update that made the next revision.
    pub(crate) fn push(&mut self, frame: Bytes) {
        let end = self.size() + frame.len() as u64;
        self.tail.push_back((end, frame));
    }

    /// Forgets the oldest updates but for so many bytes of them, or one more: whoever has missed more
    /// than a poll has gets the poll.
    pub(crate) fn keep(&mut self, bytes: usize) {
        let size = self.size();
        let is_too_old = |(end, _): &(u64, Bytes)| size - *end >= bytes as u64;
        while self.tail.front().is_some_and(is_too_old) {
            self.forget_oldest();
        }
    }

    /// False if there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some((end, _)) = self.tail.pop_front() else {
            return false;
        };
        self.tail_start = self.tail_start.next();
        self.tail_start_bytes = end;
        true
    }

    /// True if the updates since the last snapshot are worth a new one. Each snapshot waits for at
    /// least its own size in updates, so all snapshots together cost no more bytes than the
    /// updates.
    pub(crate) fn wants_snapshot(&self, after_bytes: usize) -> bool {
        let since = self.size() - self.journaled_bytes;
        since >= after_bytes.max(self.journaled.1) as u64
    }

    /// The journal takes a new snapshot, of so many bytes. Returns the revision up to which updates
    /// may go from the journal: those since the previous snapshot stay for participants that are
    /// behind when the owner has started again.
    pub(crate) fn journal(&mut self, revision: Revision, bytes: usize) -> Revision {
        let keep_after = self.journaled.0;
        while self.tail_start < keep_after && self.forget_oldest() {}
        self.journaled = (revision, bytes);
        self.journaled_bytes = self.size();
        keep_after
    }

    /// The frames that bring a peer from `known` to the present revision: the updates since, if the
    /// tail has them and they are not larger than the poll; otherwise a snapshot and the few
    /// updates after it.
    pub(crate) fn catch_up(
        &mut self,
        known: Option<Revision>,
        present: Revision,
        snapshot: impl FnOnce() -> Bytes,
    ) -> Vec<Bytes> {
        let missing = known.and_then(|known| Some((known, self.bytes_after(known)?)));
        let is_less_than = |fresh: &Bytes| missing.filter(|(_, it)| *it <= fresh.len() as u64);
        if let Some((_, fresh)) = &self.fresh
            && let Some((known, _)) = is_less_than(fresh)
        {
            return self.after(known).collect();
        }
        // Up to half its size in updates, the old snapshot and the updates cost less than a new
        // one.
        let is_stale = |(at, fresh): &(Revision, Bytes)| {
            let bytes = self.bytes_after(*at);
            bytes.is_none_or(|bytes| bytes > fresh.len() as u64 / 2)
        };
        let fresh = self.fresh.clone().filter(|fresh| !is_stale(fresh));
        let (revision, fresh) = fresh.unwrap_or_else(|| (present, snapshot()));
        self.fresh = Some((revision, fresh.clone()));
        // The poll may have grown since the last snapshot.
        if let Some((known, _)) = is_less_than(&fresh) {
            return self.after(known).collect();
        }
        std::iter::once(fresh).chain(self.after(revision)).collect()
    }

    /// The revision of the last update in the tail that begins so.
    pub(crate) fn last_of(&self, beginning: &[u8]) -> Option<Revision> {
        let at = self
            .tail
            .iter()
            .rposition(|(_, it)| it.starts_with(beginning))?;
        Revision::new(self.tail_start.get() + 1 + at as u64)
    }

    /// The revision of the snapshot that a newcomer gets, if there is one, unless it has to be
    /// renewed.
    pub(crate) fn fresh_at(&self) -> Option<Revision> {
        self.fresh.as_ref().map(|(revision, _)| *revision)
    }

    /// The updates after `revision` and their bytes; `None` if the tail does not have them all.
    pub(crate) fn since(&self, revision: Revision) -> Option<(u64, impl Iterator<Item = Bytes>)> {
        Some((self.bytes_after(revision)?, self.after(revision)))
    }

    /// The present poll as one frame.
    pub(crate) fn present(&mut self, present: Revision, snapshot: impl FnOnce() -> Bytes) -> Bytes {
        let fresh = self.fresh.take().filter(|(at, _)| *at == present);
        let (_, fresh) = fresh.unwrap_or_else(|| (present, snapshot()));
        self.fresh = Some((present, fresh.clone()));
        fresh
    }

    fn size(&self) -> u64 {
        self.tail
            .back()
            .map_or(self.tail_start_bytes, |(end, _)| *end)
    }

    /// The number of updates in the tail up to and including `revision`; `None` outside of it.
    fn index_after(&self, revision: Revision) -> Option<usize> {
        let index = revision.get().checked_sub(self.tail_start.get())?;
        usize::try_from(index)
            .ok()
            .filter(|index| *index <= self.tail.len())
    }

    fn bytes_after(&self, revision: Revision) -> Option<u64> {
        let index = self.index_after(revision)?;
        let before = match index.checked_sub(1) {
            Some(last) => self.tail[last].0,
            None => self.tail_start_bytes,
        };
        Some(self.size() - before)
    }

    fn after(&self, revision: Revision) -> impl Iterator<Item = Bytes> {
        // Outside of the tail there is nothing to send.
        let index = self.index_after(revision).unwrap_or(self.tail.len());
        self.tail.range(index..).map(|(_, frame)| frame.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u64) -> Revision {
        Revision::new(number).unwrap()
    }

    fn snapshot(at: u64) -> Bytes {
        Bytes::from(format!("{at:>40}"))
    }

    /// A log that has this snapshot at 10, for its journal and for newcomers.
    fn fresh(snapshot: Bytes) -> Log {
        Log {
            fresh: Some((revision(10), snapshot.clone())),
            ..Log::new(revision(10), snapshot.len())
        }
    }

    /// A log with a 40-byte snapshot at 10 and the 10-byte updates 11 to `last`.
    fn log(last: u64) -> Log {
        let mut log = fresh(snapshot(10));
        for number in 11..=last {
            log.push(Bytes::from(format!("{number:>10}")));
        }
        log
    }

    fn numbers(frames: Vec<Bytes>) -> Vec<(usize, u64)> {
        frames
            .iter()
            .map(|frame| {
                let text = std::str::from_utf8(frame).unwrap();
                (frame.len(), text.trim().parse().unwrap())
            })
            .collect()
    }

    fn catch_up(log: &mut Log, known: Option<u64>, present: u64) -> Vec<(usize, u64)> {
        let known = known.map(revision);
        numbers(log.catch_up(known, revision(present), || snapshot(present)))
    }

    #[test]
    fn who_is_a_little_behind_gets_what_is_missing() {
        let mut log = log(14);
        assert_eq!(catch_up(&mut log, Some(12), 14), [(10, 13), (10, 14)]);
        assert_eq!(catch_up(&mut log, Some(14), 14), []);
    }

    #[test]
    fn who_is_far_behind_or_new_gets_a_snapshot_that_is_renewed_when_stale() {
        let mut log = log(12);
        let expected = [(40, 10), (10, 11), (10, 12)];
        assert_eq!(catch_up(&mut log, None, 12), expected);
        assert_eq!(catch_up(&mut log, Some(9), 12), expected, "before the tail");
        log.push(Bytes::from("        13"));
        assert_eq!(catch_up(&mut log, None, 13), [(40, 13)]);
        assert_eq!(
            catch_up(&mut log, Some(10), 13).len(),
            3,
            "30 bytes beat 40"
        );
    }

    #[test]
    fn what_the_journal_keeps_is_for_nobody_else() {
        let mut log = Log::new(revision(10), 80);
        log.push(Bytes::from("        11"));
        assert_eq!(catch_up(&mut log, None, 11), [(40, 11)]);
        assert_eq!(log.journal(revision(11), 80), revision(10));
        log.push(Bytes::from("        12"));
        assert_eq!(log.present(revision(12), || snapshot(12)), snapshot(12));
        assert_eq!(catch_up(&mut log, Some(11), 12), [(10, 12)]);
    }

    #[test]
    fn no_more_updates_are_kept_than_anybody_is_sent() {
        let mut log = log(20);
        log.keep(35);
        assert_eq!(log.tail.len(), 4);
        assert_eq!(catch_up(&mut log, Some(16), 20).len(), 4);
        assert_eq!(catch_up(&mut log, Some(15), 20), [(40, 20)]);
        log.push(Bytes::from("        21"));
        assert_eq!(log.journal(revision(21), 10), revision(10));
        assert_eq!(catch_up(&mut log, Some(19), 21), [(10, 20), (10, 21)]);
        log.keep(0);
        log.push(Bytes::from("        22"));
        assert_eq!(catch_up(&mut log, Some(21), 22), [(10, 22)]);
        assert!(log.wants_snapshot(10) && !log.wants_snapshot(11));
    }

    #[test]
    fn more_than_a_poll_of_updates_is_sent_as_a_poll() {
        let mut log = log(15);
        assert_eq!(catch_up(&mut log, Some(10), 15), [(40, 15)]);
    }

    #[test]
    fn what_is_missed_is_compared_with_the_poll_as_it_is() {
        let mut log = log(15);
        let grown = || Bytes::from(format!("{:>400}", 15));
        let frames = log.catch_up(Some(revision(10)), revision(15), grown);
        assert_eq!(frames.len(), 5, "50 bytes beat 400");
    }

    #[test]
    fn a_snapshot_waits_for_its_own_size_and_drops_what_is_two_snapshots_old() {
        let mut log = log(13);
        assert!(
            !log.wants_snapshot(0),
            "30 bytes of updates, a snapshot of 40"
        );
        log.push(Bytes::from("        14"));
        assert!(log.wants_snapshot(0));
        assert!(!log.wants_snapshot(41));
        assert_eq!(log.journal(revision(14), 40), revision(10));
        assert!(!log.wants_snapshot(0));
        assert_eq!(
            catch_up(&mut log, Some(12), 14).len(),
            2,
            "the tail is kept"
        );
        for number in 15..=18 {
            log.push(Bytes::from(format!("{number:>10}")));
        }
        assert_eq!(log.journal(revision(18), 40), revision(14));
        assert_eq!(catch_up(&mut log, Some(14), 18).len(), 4);
        assert_eq!(catch_up(&mut log, Some(13), 18), [(40, 18)]);
    }

    #[test]
    fn older_updates_from_the_journal_serve_those_who_are_behind() {
        let older = ["         9", "        10"].map(Bytes::from);
        let mut log = fresh(snapshot(10)).with_older(older.into_iter());
        assert_eq!(catch_up(&mut log, Some(8), 10), [(10, 9), (10, 10)]);
        log.push(Bytes::from("        11"));
        assert_eq!(catch_up(&mut log, Some(9), 11), [(10, 10), (10, 11)]);
        assert!(
            !log.wants_snapshot(0),
            "only what came after the snapshot counts"
        );
    }

    #[test]
    fn the_size_of_older_updates_counts() {
        let older = (6..=10).map(|number| Bytes::from(format!("{number:>10}")));
        let mut log = fresh(snapshot(10)).with_older(older);
        assert_eq!(
            catch_up(&mut log, Some(6), 10).len(),
            4,
            "40 bytes, as many"
        );
        assert_eq!(catch_up(&mut log, Some(5), 10), [(40, 10)], "50 bytes");
    }

    #[test]
    fn of_a_large_poll_the_updates_since_the_snapshot_before_the_last_are_kept() {
        let large = |at: u64| Bytes::from(format!("{at:>400}"));
        let mut log = fresh(large(10));
        for (last, keep_after) in [(14, 10), (18, 14), (22, 18)] {
            for number in last - 3..=last {
                log.push(Bytes::from(format!("{number:>10}")));
            }
            assert_eq!(log.journal(revision(last), 400), revision(keep_after));
        }
        let served =
            |log: &mut Log, known| log.catch_up(Some(revision(known)), revision(22), || large(22));
        assert_eq!(
            numbers(served(&mut log, 18)),
            [(10, 19), (10, 20), (10, 21), (10, 22)]
        );
        assert_eq!(numbers(served(&mut log, 17)), [(400, 22)], "these are gone");
    }
}
