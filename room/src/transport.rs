//! Transports: networks that carry frames between peers.
//!
//! The core never names this module: it asks for a dial, a send or a hang-up as an
//! [`Output`](crate::Output), and the driver passes it on.

use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::Address;

use crate::{ChannelBinding, DownReason, LinkId};

#[cfg(feature = "contract")]
pub mod contract;

/// A network that carries whole frames, in order, over links that can fail.
///
/// # Contract
///
/// - A frame is bytes, whatever is in it. It arrives whole or not at all, in the order of its link,
///   at most once.
/// - No method blocks, and no method calls back: everything that happens is a
///   [`TransportEvent`] of [`poll_event`](Transport::poll_event).
/// - Every link that was dialled or that came [`LinkUp`](TransportEvent::LinkUp) ends with exactly
///   one [`LinkDown`](TransportEvent::LinkDown), unless this side hung up: after
///   [`hangup`](Transport::hangup) no event names that link again.
/// - The queue of each link is bounded. While it is over the bound, a send is answered with
///   [`SendOutcome::Blocked`], and [`Writable`](TransportEvent::Writable) follows when there is
///   room again. Below the bound a frame of any size is taken whole.
/// - The events, frames and dials of one address belong to one `Transport`. Dropping it closes
///   every link.
///
/// The suite of the feature `contract` holds a transport to this.
pub trait Transport {
    /// Begins to dial `to`. Ends in `LinkUp` or `LinkDown` of `link`, which the caller made with
    /// [`LinkId::dialled`] and never uses again.
    fn dial(&mut self, link: LinkId, to: &Address);

    /// Queues a frame.
    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome;

    /// Queues one frame on many links but `except`, and adds those that had no room to `blocked`.
    ///
    /// A transport that can fan out faster than one link after the other does so here.
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

    /// Closes a link after its queued frames have been sent, as far as the network lets it.
    fn hangup(&mut self, link: LinkId);

    /// The next event. Wakes the task when there is more.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent>;
}

/// The result of [`Transport::send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The frame is queued. It may still not arrive: only an `ack` shows that it did.
    Queued,
    /// The link is blocked: its queue is full, and the frame was not taken.
    Blocked,
    /// There is no such link, or it has ended.
    Gone,
}

/// An event of a transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// A dialled link is open, or somebody dialled this address.
    LinkUp {
        /// The link; [`LinkId::is_accepted`] tells the two cases apart.
        link: LinkId,
        /// The values that the handshake has to sign.
        binding: ChannelBinding,
    },
    /// A whole frame arrived.
    Frame {
        /// The link.
        link: LinkId,
        /// Its bytes.
        frame: Bytes,
    },
    /// A link that was blocked has room again.
    Writable {
        /// The link.
        link: LinkId,
    },
    /// A link ended, or a dial failed.
    LinkDown {
        /// The link.
        link: LinkId,
        /// The reason.
        reason: DownReason,
    },
    /// An attempt to connect may succeed now, and links may be dead: the network is back, the page is
    /// visible, or the machine has slept.
    Wake,
    /// The transport cannot go on; no event follows.
    Failed(TransportError),
}

impl TransportEvent {
    /// The link that the event is about; `None` for one that is about the whole transport.
    #[must_use]
    pub const fn link(&self) -> Option<LinkId> {
        match self {
            Self::LinkUp { link, .. }
            | Self::Frame { link, .. }
            | Self::Writable { link }
            | Self::LinkDown { link, .. } => Some(*link),
            Self::Wake | Self::Failed(_) => None,
        }
    }
}

/// The reason why a whole transport cannot go on.
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
