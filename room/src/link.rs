//! Links: connections to other peers, as the core sees them.

use std::fmt;

use bytes::Bytes;
use hustings_protocol::ErrorCode;

/// One transport connection.
///
/// A reconnection is a new link, and nothing sent on the old one is assumed to have arrived. Ids of
/// dialled links and ids of accepted links never collide: the caller of a dial numbers the former,
/// the transport numbers the latter.
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

    /// True if this side accepted the link, that is, if the other side dialled.
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

/// The values that tie a handshake to the channel on which it runs.
///
/// Over WebRTC these are the DTLS certificate fingerprints of both ends, each taken from this
/// side's own local and remote description. A man in the middle has another certificate on each
/// leg, so the two ends sign different bytes. A transport without certificates binds the channel
/// with an id of its own on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    /// The value that this side presents to the other.
    pub local: Bytes,
    /// The value that the other side presented to this one.
    pub remote: Bytes,
}

/// The reason why a link is down, or never came up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownReason {
    /// The other side closed the link in good order.
    #[error("the other side closed the link")]
    ClosedByPeer,
    /// The link failed or fell silent: the network, a crash, a sleeping machine.
    #[error("the link was lost: {0}")]
    Lost(String),
    /// The peer at the owner's address does not hold the owner's key, or somebody sits in between.
    /// Nothing was sent to them. It may be a stranger who has taken the address while the owner is
    /// away, so it is tried again.
    #[error(
        "whoever answers at the owner's address could not prove to be the owner; \
         nothing was sent to them"
    )]
    NotTheOwner,
    /// Nobody is at the dialled address.
    #[error("nobody is at this address")]
    Unreachable,
    /// The transport could not dial, or gave up dialling.
    #[error("could not connect: {0}")]
    DialFailed(String),
    /// This side's own address is in use elsewhere: in another browser, program or window that has
    /// the same identity. Without it nobody can be dialled.
    #[error("this address is in use elsewhere")]
    AddressInUse,
    /// The other side refused, before it had proved who it is. Anybody could have been it, so there
    /// is its code, and no sentence of its own; [`refused`](Self::refused) makes it.
    #[error("the other side refused, before it had proved who it is: {}", refusal(.0))]
    Refused(ErrorCode),
}

impl DownReason {
    /// A refusal by somebody who has not proved who they are. A code that is no word of this
    /// version would be words of theirs, and becomes [`ErrorCode::HandshakeFailed`].
    #[must_use]
    pub fn refused(code: ErrorCode) -> Self {
        if matches!(code, ErrorCode::Other(_)) {
            return Self::Refused(ErrorCode::HandshakeFailed);
        }
        Self::Refused(code)
    }
}

/// The reasons that an owner has during the handshake, in words of this side.
fn refusal(code: &ErrorCode) -> &'static str {
    if *code == ErrorCode::Busy {
        "it has no room for more connections"
    } else if *code == ErrorCode::UnknownPoll {
        "it has no such poll"
    } else if *code == ErrorCode::UnsupportedVersion {
        "it speaks another version of the protocol"
    } else {
        "the handshake failed"
    }
}
