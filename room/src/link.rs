//! One connection to another peer, as the core knows it.

use std::fmt;

use bytes::Bytes;

/// One transport connection.
///
/// A reconnection is a new link, and nothing sent on the old one is assumed to have arrived. Ids
/// of links that were dialled here and ids of links that were accepted here never meet: whoever
/// dials numbers the first kind, the transport numbers the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

const ACCEPTED: u64 = 1 << 63;

impl LinkId {
    /// The `number`th link that this side dialled.
    #[must_use]
    pub const fn dialled(number: u64) -> Self {
        Self(number & !ACCEPTED)
    }

    /// The `number`th link that this side accepted.
    #[must_use]
    pub const fn accepted(number: u64) -> Self {
        Self(number | ACCEPTED)
    }

    /// Whether this side accepted the link, that is, whether the other side dialled.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 & ACCEPTED != 0
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_accepted() {
            "accepted"
        } else {
            "dialled"
        };
        write!(f, "LinkId({direction} {})", self.0 & !ACCEPTED)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_accepted() { "in" } else { "out" };
        write!(f, "{direction}{}", self.0 & !ACCEPTED)
    }
}

/// What ties a handshake to the channel it runs over.
///
/// Over WebRTC these are the DTLS certificate fingerprints of both ends, each taken from this
/// side's own local and remote description. A man in the middle has another certificate on each
/// leg, so the two ends sign different bytes. A transport without certificates binds the channel
/// with an id of its own on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    /// What this side presents to the other.
    pub local: Bytes,
    /// What the other side presented to this one.
    pub remote: Bytes,
}

/// Why a link is down, or never came up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownReason {
    /// The other side closed the link in good order.
    #[error("the other side closed the link")]
    ClosedByPeer,
    /// The link failed or fell silent: the network, a crash, a sleeping machine.
    #[error("the link was lost: {0}")]
    Lost(String),
    /// Nobody is at the dialled address.
    #[error("nobody is at that address")]
    Unreachable,
    /// The transport could not dial, or gave up dialling.
    #[error("the dial failed: {0}")]
    DialFailed(String),
}
