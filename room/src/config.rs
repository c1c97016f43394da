//! Settings, with defaults that need no change.

use std::time::Duration;

use hustings_protocol::Limits;

use crate::backoff::BackoffConfig;

/// The settings of a machine. The type is the same for owners and participants, so that both ends
/// of a room can share one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The largest sizes of frames, texts and polls.
    pub limits: Limits,
    /// The waits of a participant between attempts.
    pub backoff: BackoffConfig,
    /// The treatment of commands while the owner is away.
    pub offline: OfflinePolicy,
    /// The longest time that a dial may take. Default 20 s: PeerServer reports an absent peer after
    /// 5 to 6 s, and an ICE negotiation that never starts reports nothing at all.
    pub dial_timeout: Duration,
    /// The longest time that the three frames of the handshake may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// The time for which a host lets a participant wait for a poll that is not open and may be
    /// opened yet; then it is turned away, and comes back. Default 5 s. A host that restarts is at
    /// its address a moment before it has opened its polls.
    pub opening_grace: Duration,
    /// The silence after which a `ping` is sent. Default 30 s.
    pub ping_after: Duration,
    /// The longest time that a `pong` may take, counted from the moment when the timer really ran.
    /// Default 30 s. A link is given up after two pings in a row without an answer: a hidden tab
    /// whose timers run once a minute, or a page that was frozen, answers the second.
    pub pong_timeout: Duration,
    /// Most commands that wait in the outbox. Default 10,000.
    pub max_pending: usize,
    /// Most links of members that a host has at a time. Default 2,000. When they are all taken, a
    /// link of somebody who is in no list of members makes room for a member.
    pub max_links: usize,
    /// Most links in the handshake that a host has at a time. Default 256. When they are all taken,
    /// a new one takes the place of the oldest: a handshake takes two round trips, and whoever only
    /// holds links open loses them first.
    pub max_handshakes: usize,
    /// Most links of one identity to a poll at a time. Default 16. A new one takes the place of
    /// that identity's oldest.
    pub max_links_per_peer: usize,
    /// Most devices of one identity that an owner remembers. Default 32. It remembers each that
    /// has sent a command for ever, because each may send it again.
    pub max_devices_per_peer: usize,
    /// Most rejections that an owner remembers of people who are in no list of members. Default
    /// 16,384, some 4 MB. Whoever comes after that is asked to try again later.
    pub max_stranger_receipts: usize,
    /// The time between two messages about who came and went. Default 200 ms: the first is sent at
    /// once, and a crowd that comes after it is told of together. Among more than forty links it is
    /// five milliseconds for each: nobody reads a long list that often. Zero is zero for any
    /// number.
    pub presence_interval: Duration,
    /// Most links of members to a poll with open ballots where each vote is told by itself. Default
    /// 16. Among more, votes are told together, as those are that not everybody is shown.
    pub tell_each_vote_up_to: usize,
    /// The time between two messages about votes that are told together. Default 200 ms: the
    /// first is sent at once, and the votes that come after it are told of together. Among more
    /// than a thousand links it is a fifth of a millisecond for each, so that an owner who tells
    /// everybody has time left for those who vote. Zero is zero for any number.
    pub tally_interval: Duration,
    /// Most devices of which an owner tells the others that they are there. Default 256: nobody
    /// reads a longer list, and telling everybody of everybody costs the square of their number.
    /// They are those that came first. The owner's own application hears of all.
    pub max_listed_peers: usize,
    /// The bytes of updates that the journal gathers before it takes a new snapshot, unless the
    /// last snapshot is larger than that. Default 256 KiB, about a thousand votes.
    pub snapshot_after_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            backoff: BackoffConfig::default(),
            offline: OfflinePolicy::default(),
            dial_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            opening_grace: Duration::from_secs(5),
            ping_after: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(30),
            max_pending: 10_000,
            max_links: 2_000,
            max_handshakes: 256,
            max_links_per_peer: 16,
            max_devices_per_peer: 32,
            max_stranger_receipts: 16_384,
            presence_interval: Duration::from_millis(200),
            tell_each_vote_up_to: 16,
            tally_interval: Duration::from_millis(200),
            max_listed_peers: 256,
            snapshot_after_bytes: 256 * 1024,
        }
    }
}

/// The treatment of commands while the owner is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OfflinePolicy {
    /// They fail with [`SubmitError::OwnerOffline`](crate::SubmitError::OwnerOffline), so that
    /// nobody relies on a vote that may arrive too late.
    #[default]
    Refuse,
    /// They wait in the outbox and are sent when the owner is back.
    Queue,
}
