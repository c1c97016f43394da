//! Bounds of the connections that are made because others ask for them.

use std::time::Duration;

/// The connections that others can have this side make, over time. Whoever knows an id can send it
/// offers, and each that is accepted costs a browser a peer connection, also one that never works.
///
/// Each connection is taken from two buckets, one for each sender and one for all, which fill again
/// with time. The less there is left for all, the fewer of them one sender gets, so that those who
/// come for the first time are the last to be refused; and a part is for those who are known.
///
/// A sender is an id. The signalling server lets nobody send under the id of somebody else who is
/// there, while any part of an id can be had by everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Most connections made for all senders at once. Default 256: a room's people come back
    /// together when the network does.
    pub made: u32,
    /// The time after which one of them may be made again. Default 16 ms, which is 62 a second.
    pub made_every: Duration,
    /// The part of [`made`](Self::made) that is for known senders alone. Default 64.
    pub made_for_known: u32,
    /// Most connections made for one sender at once. Default 8.
    pub made_each: u32,
    /// The time after which one of them may be made again. Default 2 s.
    pub made_each_every: Duration,
    /// The time that a link has to be up until its sender is known. Default 20 s: an owner hangs up
    /// on whoever has not proved who they are within half of that.
    pub known_after: Duration,
    /// The time in which a connection that is coming up does not have to make room for another,
    /// unless its sender has more of them than the newcomer, or is not known and the newcomer is.
    /// Default 3 s: those that work take less than one. Where most of them come up and take longer,
    /// it is half as long again as they take; and while this side is busy, twenty times as long as
    /// it takes to answer an offer; at most five times as long as this.
    pub first_turn: Duration,
    /// Most senders of whom something is remembered. Default 1,024.
    pub max_senders: usize,
    /// Most senders who are told at once that they are refused; the others find out by themselves
    /// when nothing comes. Default 64.
    pub refusals: u32,
    /// The time after which one more may be told. Default 20 ms: servers let a peer send some 200
    /// messages a second, and those of members come first.
    pub refusal_every: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            made: 256,
            made_every: Duration::from_millis(16),
            made_for_known: 64,
            made_each: 8,
            made_each_every: Duration::from_secs(2),
            known_after: Duration::from_secs(20),
            first_turn: Duration::from_secs(3),
            max_senders: 1_024,
            refusals: 64,
            refusal_every: Duration::from_millis(20),
        }
    }
}

impl Budget {
    /// Bounds for a program, to which a connection that never works costs nothing but time: to
    /// answer and to be let in takes 1 to 2 ms of a processor, so that 250 a second leave it half
    /// of one.
    #[must_use]
    pub fn native() -> Self {
        Self {
            made: 2_048,
            made_every: Duration::from_millis(4),
            made_for_known: 512,
            max_senders: 16_384,
            ..Self::default()
        }
    }
}
