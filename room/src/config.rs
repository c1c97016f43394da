//! What can be set, with defaults that need no change.

use std::time::Duration;

use hustings_protocol::Limits;

use crate::backoff::BackoffConfig;

/// How a machine behaves. The same type for owners and participants, so that both ends of a room
/// can share one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How large things may be.
    pub limits: Limits,
    /// When a participant tries again.
    pub backoff: BackoffConfig,
    /// What becomes of commands while the owner is away.
    pub offline: OfflinePolicy,
    /// How long a dial may take. Default 20 s: PeerServer reports an absent peer after 5 to 6 s, and
    /// an ICE negotiation that never starts reports nothing at all.
    pub dial_timeout: Duration,
    /// How long the three frames of the handshake may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// For how long after its start a host lets those wait who ask for a poll that it does not host.
    /// Default 5 s. A host that restarts is at its address a moment before it has opened its polls,
    /// and "unknown poll" is final: who comes back in that moment must not be told so.
    pub opening_grace: Duration,
    /// After how much silence a `ping` is sent. Default 30 s.
    pub ping_after: Duration,
    /// How long a `pong` may take, counted from when the timer was really served. Default 30 s. A
    /// link is given up after two pings in a row have gone unanswered: a hidden tab whose timers run
    /// once a minute, or a page that was frozen, answers the second.
    pub pong_timeout: Duration,
    /// Most commands that wait in the outbox. Default 10,000.
    pub max_pending: usize,
    /// Most links that an owner keeps at a time, those in the handshake included. Default 2,000.
    pub max_links: usize,
    /// How many bytes of updates the journal gathers before it takes a new snapshot, if the last
    /// snapshot is not larger than that. Default 256 KiB, about a thousand votes.
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
            snapshot_after_bytes: 256 * 1024,
        }
    }
}

/// What becomes of commands while the owner is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OfflinePolicy {
    /// They are refused with [`SubmitError::OwnerOffline`](crate::SubmitError::OwnerOffline), so
    /// that nobody takes a vote for given that may come too late.
    #[default]
    Refuse,
    /// They wait in the outbox and are sent when the owner is back.
    Queue,
}
