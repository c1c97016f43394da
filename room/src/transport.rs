//! What carries frames between peers.
//!
//! The core never names this module: it asks for a dial, a send or a hang-up as an
//! [`Output`](crate::Output), and the driver passes it on.

use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::Address;

use crate::{ChannelBinding, DownReason, LinkId};

/// A network that carries whole frames, in order, over links that can fail.
///
/// # Contract
///
/// - A frame is one message. It arrives whole or not at all, in the order of its link, at most once.
/// - No method blocks, and no method calls back: everything that happens is a
///   [`TransportEvent`] of [`poll_event`](Transport::poll_event).
/// - Every link that was dialled or that came [`LinkUp`](TransportEvent::LinkUp) ends with exactly
///   one [`LinkDown`](TransportEvent::LinkDown), unless this side hung up: after
///   [`hangup`](Transport::hangup) nothing more is said of that link.
/// - What waits to be sent is bounded for each link. While more than the bound waits, a send is
///   answered with [`SendOutcome::Blocked`], and [`Writable`](TransportEvent::Writable) follows when
///   there is room again. Below the bound a frame of any size is taken whole.
/// - Events, frames and dials of one address are one `Transport`; dropping it closes every link.
pub trait Transport {
    /// Begins to dial `to`. Ends in `LinkUp` or `LinkDown` of `link`, which the caller made with
    /// [`LinkId::dialled`] and never uses again.
    fn dial(&mut self, link: LinkId, to: &Address);

    /// Queues a frame.
    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome;

    /// Queues one frame on many links but `except`, and adds those that had no room to `blocked`.
    ///
    /// A transport that can fan out better than one link after the other does it here.
    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        blocked: &mut Vec<LinkId>,
    ) {
        for link in links {
            if Some(*link) != except && self.send(*link, frame.clone()) == SendOutcome::Blocked {
                blocked.push(*link);
            }
        }
    }

    /// Closes a link after what is queued on it has been sent, as far as the network lets it.
    fn hangup(&mut self, link: LinkId);

    /// The next thing that happened. Wakes the task when there is more.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent>;
}

/// What became of a frame given to [`Transport::send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// It is queued. Whether it arrives is another question: only an `ack` answers that.
    Queued,
    /// The link's queue is full and the frame was not taken.
    Blocked,
    /// There is no such link (any more).
    Gone,
}

/// What a transport has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// A dialled link is open, or somebody dialled this address.
    LinkUp {
        /// The link; [`LinkId::is_accepted`] tells which of the two it was.
        link: LinkId,
        /// What the handshake has to sign.
        binding: ChannelBinding,
    },
    /// A whole frame arrived.
    Frame {
        /// On which link.
        link: LinkId,
        /// Its bytes.
        frame: Bytes,
    },
    /// A link that was blocked has room again.
    Writable {
        /// Which link.
        link: LinkId,
    },
    /// A link ended, or a dial failed.
    LinkDown {
        /// Which link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// Something suggests that a retry is worth it now: the network is back, the page is visible.
    Wake,
    /// The transport cannot go on; nothing follows.
    Failed(TransportError),
}

/// Why a transport as a whole cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Somebody else is registered at this address.
    #[error("the address {0} is taken")]
    AddressTaken(Address),
    /// Anything else, in the transport's own words.
    #[error("{0}")]
    Other(String),
}
