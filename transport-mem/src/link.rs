//! One link as the network knows it: its two ends and the two lanes between them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::{DownReason, LinkId, Moment};

use crate::endpoint::Endpoint;

/// The end that dialled, as an index into [`Wire::ends`] and [`Wire::lanes`].
pub(crate) const DIALLER: usize = 0;
/// The end that was dialled.
pub(crate) const ACCEPTOR: usize = 1;

/// The end of its wire that a process has which calls the wire `link`.
pub(crate) fn side_of(link: LinkId) -> usize {
    if link.is_accepted() {
        ACCEPTOR
    } else {
        DIALLER
    }
}

/// The end across.
pub(crate) const fn across(side: usize) -> usize {
    1 - side
}

/// One link, seen from above.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Never reused, unlike the wire's place in the slab.
    pub(crate) id: u64,
    /// The bytes that the two handshakes sign.
    pub(crate) binding: Bytes,
    pub(crate) dialled_at: Moment,
    pub(crate) ends: [End; 2],
    /// `lanes[side]` carries what the end of that side sends.
    pub(crate) lanes: [Lane; 2],
    /// Something vanished on it, so it can never again deliver without a gap.
    pub(crate) broken: bool,
    /// The cable of one of the two addresses is unplugged.
    pub(crate) unplugged: bool,
    /// The entry of the agenda that gives up a dial of which a part vanished.
    pub(crate) dial_timeout: Option<u64>,
}

impl Wire {
    /// True if everything vanishes that this side sends.
    pub(crate) fn is_dark(&self, side: usize) -> bool {
        self.unplugged || self.lanes[side].silent
    }

    /// True if neither end will ever hear of this wire again.
    pub(crate) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.state == EndState::Over)
    }

    /// True if it joins these two addresses, in either direction.
    pub(crate) fn joins(&self, a: &Address, b: &Address) -> bool {
        let [dialler, acceptor] = &self.ends;
        (dialler.address == *a && acceptor.address == *b)
            || (dialler.address == *b && acceptor.address == *a)
    }
}

/// One end of a wire.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) address: Address,
    /// The name that the process at this end has for the wire.
    pub(crate) link: LinkId,
    pub(crate) state: EndState,
}

/// The events that the process at one end has had, and so those that it may still have.
///
/// `Absent -> Up` or `Dialling -> Up`, then `-> Ending -> Over`; a hang-up or the end of the
/// process leads to `Over` from anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndState {
    /// The dial has not arrived yet.
    Absent,
    /// The answer has not arrived yet.
    Dialling(Endpoint),
    /// `LinkUp` was delivered.
    Up(Endpoint),
    /// `LinkDown` was delivered and not yet taken.
    Ending(Endpoint),
    /// Nothing more will be said: `LinkDown` was taken, this end hung up, or nobody is there.
    Over,
}

/// One direction of a wire: an ordered queue of what is on its way.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Begins with `Syn`, ends with `Fin`; the moments never decrease.
    pub(crate) items: VecDeque<InFlight>,
    /// The entry of the agenda that delivers the first item. Only the first has one.
    pub(crate) booked: Option<u64>,
    /// Bytes that were sent and not yet taken by the process across.
    pub(crate) bytes: usize,
    /// A send was blocked, so `Writable` is owed.
    pub(crate) blocked: bool,
    /// The process across does not read.
    pub(crate) stalled: bool,
    /// Everything that is sent vanishes.
    pub(crate) silent: bool,
}

impl Lane {
    /// Loses everything that is on its way.
    pub(crate) fn clear(&mut self) {
        self.keep(0);
    }

    /// Loses all but the first `count` items that are on their way.
    pub(crate) fn keep(&mut self, count: usize) {
        self.items.truncate(count);
        if self.items.is_empty() {
            self.booked = None;
        }
    }
}

/// An item with the moment it arrives and its place in the global order.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) due: Moment,
    pub(crate) number: u64,
    pub(crate) item: Item,
}

/// A thing that travels on a lane.
#[derive(Debug)]
pub(crate) enum Item {
    /// The dial, and on the other lane its answer.
    Syn,
    Frame(Bytes),
    /// The last item of its lane.
    Fin(DownReason),
}

/// The weight of a frame in a lane; an empty one weighs too, or there could be any number of them.
pub(crate) fn weight(frame: &Bytes) -> usize {
    frame.len().max(1)
}

/// The time that a frame travels one way, drawn anew for each frame.
///
/// Time is counted in whole milliseconds, so what is shorter than one is none. Frames of one link
/// and direction never overtake each other, whatever is drawn; frames of different links do.
///
/// ```
/// use std::time::Duration;
/// use hustings_transport_mem::Latency;
///
/// let lan = Latency::fixed(Duration::from_millis(1));
/// let mobile = Latency { min: Duration::from_millis(40), max: Duration::from_millis(400) };
/// assert_ne!(lan, mobile);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// The shortest.
    pub min: Duration,
    /// The longest; at least `min`, whatever it says.
    pub max: Duration,
}

impl Latency {
    /// Everything arrives the moment it is sent. This is the fast path.
    pub const ZERO: Self = Self::fixed(Duration::ZERO);

    /// Always the same.
    #[must_use]
    pub const fn fixed(latency: Duration) -> Self {
        Self {
            min: latency,
            max: latency,
        }
    }
}
