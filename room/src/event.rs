//! What an application is told.

use hustings_protocol::{CommandId, Outcome, PeerId, PeerInfo, Rejection, Revision};

use crate::{DownReason, LinkId, Moment};

/// Something that an application may want to show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A participant's connection to the owner changed.
    Connection(Connection),
    /// The poll is at a new revision.
    PollChanged {
        /// Which.
        revision: Revision,
    },
    /// A command of this side is one step further.
    Command {
        /// Which command.
        command_id: CommandId,
        /// How far it is.
        state: CommandState,
    },
    /// These peers came or went, or the list is new as a whole; see the machine's `peers`.
    PeersChanged(Vec<PeerInfo>),
    /// A peer did something that it should not have done. The room goes on.
    Fault {
        /// On which link.
        link: LinkId,
        /// Who, as far as the handshake has proved it.
        peer: Option<PeerId>,
        /// What was wrong.
        rejection: Rejection,
    },
    /// The owner's journal is an old copy: a participant has seen a later revision of it. The
    /// journal goes on as a new epoch, without what was lost.
    JournalRolledBack {
        /// What this owner has.
        have: Revision,
        /// What the participant has seen.
        seen: Revision,
    },
}

/// A participant's connection to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// A link is being opened, or the handshake is under way.
    Connecting,
    /// The owner has proved who it is and has let this participant in.
    Connected,
    /// There is no link; the next attempt is at `retry_at`.
    Disconnected {
        /// When the next attempt is due.
        retry_at: Moment,
        /// Why the last link ended.
        reason: DownReason,
    },
    /// The owner, or whoever is at its address, cannot be joined, and trying again by itself will
    /// not help. Only [`Participant::reconnect`](crate::Participant::reconnect) tries again.
    Refused(Refused),
    /// This side has left the room, or what ran it has stopped.
    Closed,
}

/// Why there is no joining.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Whoever answers at the owner's address does not hold the owner's key, or somebody sits in
    /// between. Nothing was sent to them.
    #[error(
        "whoever answers at the owner's address could not prove to be the owner; \
         nothing was sent to them"
    )]
    NotTheOwner,
    /// The owner proved who it is and refused.
    #[error("the owner refused: {0}")]
    ByOwner(Rejection),
}

/// How far a command of this side is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// It was submitted and is on its way to the disk. A crash now loses it.
    Queued,
    /// It is durable and will be sent as soon as it can be.
    Persisted,
    /// It was sent on the present link. Whether it arrived is not known yet.
    Sent,
    /// The owner has applied it, durably, at this revision.
    Applied(Revision),
    /// The owner has rejected it, for good.
    Rejected(Rejection),
}

impl CommandState {
    /// Whether nothing more will happen to the command.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Applied(_) | Self::Rejected(_))
    }
}

impl From<Outcome> for CommandState {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Applied(revision) => Self::Applied(revision),
            Outcome::Rejected(rejection) => Self::Rejected(rejection),
        }
    }
}
