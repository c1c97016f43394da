//! Sockets that this side has given up, and that the server may see all the same.
//!
//! What a client says while a server or a proxy stands still waits there, and is read when it goes
//! on, in any order: also the requests of sockets that the client has closed by then. Each of these
//! has the right token, so each takes the address from the socket that is there, which is told that
//! it was replaced. That is no copy of the identity.

use std::time::Duration;

use hustings_room::Moment;

/// The time for which one may still come: as long as a machine is put to sleep, or moved, that
/// keeps its connections.
const WINDOW: Duration = Duration::from_secs(600);

/// Most of them that count. It bounds the number of times that two copies of one identity, which
/// have both been cut off, take the address from each other before one of them yields.
const MOST: usize = 16;

/// The moments at which sockets were given up that had not been answered: the last ones, in their
/// order.
#[derive(Debug, Default)]
pub(super) struct Ghosts(Vec<Moment>);

impl Ghosts {
    /// A socket was closed before the server had answered.
    pub(super) fn add(&mut self, now: Moment) {
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(now);
    }

    /// This side was replaced. True if one of them may have done that, which each can do once.
    pub(super) fn may_have_replaced(&mut self, now: Moment) -> bool {
        self.0.retain(|moment| now - *moment < WINDOW);
        self.0.pop().is_some()
    }
}
