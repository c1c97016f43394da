//! The signs that a copy of this identity takes the address away, on servers that do not say so.
//!
//! The npm server hands an id to any socket with its token and tells neither side. The socket that
//! had it stays open, and what it sends is passed on, but nothing reaches it any more: from within
//! it is like one whose other end is gone. So it brings no echo and is opened anew, which takes the
//! address back from the copy, which notices no sooner, and so on for ever.

use std::time::Duration;

use hustings_room::Moment;

/// The time for which a sign counts. Two copies that ask for an echo every 30 s, and wait for 10,
/// lose the address in turn within two minutes.
const WINDOW: Duration = Duration::from_secs(600);

/// The number of times that the address is taken back without a sign of a copy. A phone between two
/// networks may have to as often: the server still has the socket by which it was there before.
const WITHOUT_A_SIGN: usize = 2;

/// The number of times that it is taken back although a copy was heard. Not none: the one that had
/// the address first loses it first, so it is the first to give in, and whoever came last stays.
const WITH_A_SIGN: usize = 1;

/// The signs so far.
#[derive(Debug, Default)]
pub(crate) struct Contest {
    /// The socket has fallen silent, and it is not known yet if the server had forgotten this side.
    is_silent: bool,
    /// The moments at which the address was taken back although the server had it for somebody: the
    /// last ones, in their order.
    taken_back: Vec<Moment>,
    /// The moment at which an echo of a copy was heard last.
    heard: Option<Moment>,
}

impl Contest {
    /// Somebody with this side's id asks the server for an echo.
    pub(crate) fn heard_a_copy(&mut self, now: Moment) {
        self.heard = Some(now);
    }

    /// The server was asked for an echo, and none came. True if that is because of a copy.
    pub(crate) fn fell_silent(&mut self, now: Moment) -> bool {
        let is_recent = |moment: &Moment| now - *moment < WINDOW;
        self.taken_back.retain(is_recent);
        let enough = match self.heard.filter(is_recent) {
            Some(_) => WITH_A_SIGN,
            None => WITHOUT_A_SIGN,
        };
        self.is_silent = true;
        self.taken_back.len() >= enough
    }

    /// This side is registered again. `had_it` is true if the server had the id for somebody.
    pub(crate) fn registered(&mut self, had_it: bool, now: Moment) {
        if std::mem::take(&mut self.is_silent) && had_it {
            // There are never more than are enough: then this side has given in.
            self.taken_back.push(now);
        }
    }

    /// It begins anew: this side has given in, or has been told to have the address.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}
