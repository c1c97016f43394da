//! The openings of a host's polls: which is the present one, and which are over.

use hustings_protocol::PollId;
use litemap::LiteMap;

use crate::{Connection, Event};

/// The number of times that this driver opened each poll, and that its end was told.
///
/// A poll that is closed can be opened again, and is another one to those who had the first: their
/// handles stay closed. And whoever reads a journal knows by it whether somebody else had the poll
/// open meanwhile. It has one entry for each poll that was ever open here.
#[derive(Default)]
pub(super) struct Openings(LiteMap<PollId, Opening>);

#[derive(Default)]
struct Opening {
    /// Changes in the step that opens the poll.
    opened: u64,
    /// Changes with the event that tells of the end, as everything in
    /// [`Commands`](super::commands::Commands) does.
    closed: u64,
}

impl Openings {
    /// The number of the last opening, from 1; 0 for a poll that was never open here.
    pub(super) fn last(&self, poll_id: PollId) -> u64 {
        self.0.get(&poll_id).map_or(0, |it| it.opened)
    }

    /// A poll is opened. Returns the number of this opening.
    pub(super) fn begin(&mut self, poll_id: PollId) -> u64 {
        let opening = self.0.entry(poll_id).or_default();
        opening.opened += 1;
        opening.opened
    }

    /// A poll is deleted or put aside. Whoever has read its journal by now has read what is not so
    /// any more, and what there was of openings is over.
    pub(super) fn end(&mut self, poll_id: PollId) {
        let opening = self.0.entry(poll_id).or_default();
        opening.opened += 1;
        opening.closed += 1;
    }

    /// An event is told.
    pub(super) fn note(&mut self, poll_id: Option<PollId>, event: &Event) {
        if matches!(event, Event::Connection(Connection::Closed))
            && let Some(opening) = poll_id.and_then(|poll_id| self.0.get_mut(&poll_id))
        {
            opening.closed += 1;
        }
    }

    /// True once the end of this opening was told.
    pub(super) fn is_over(&self, poll_id: PollId, opening: u64) -> bool {
        let of_this_poll = self.0.get(&poll_id);
        of_this_poll.is_some_and(|it| it.closed >= opening)
    }
}
