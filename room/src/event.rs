//! Events: the news that an application is told.

use hustings_protocol::{CommandId, Outcome, PeerId, PeerInfo, Rejection, Revision};

use crate::{DownReason, LinkId, Moment};

/// Something that an application may want to show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// This side's connection to the owner changed. An owner only hears of its end, which is
    /// [`Connection::Closed`] at both sides; nothing is told after it.
    Connection(Connection),
    /// The poll is at a new revision.
    PollChanged {
        /// The new revision.
        revision: Revision,
    },
    /// A command of this side is one step further.
    Command {
        /// The command.
        command_id: CommandId,
        /// Its new state.
        state: CommandState,
    },
    /// These peers came or went, or the whole list is new; see the machine's `peers`.
    PeersChanged(Vec<PeerInfo>),
    /// A peer did something wrong. The room goes on.
    Fault {
        /// The link.
        link: LinkId,
        /// The peer, if the handshake has proved who it is.
        peer: Option<PeerId>,
        /// The fault.
        rejection: Rejection,
    },
    /// A host has turned somebody away because all its links are taken (`true`), or has room again
    /// after that (`false`). It is about all its polls, and told once for each change, however many
    /// come. They were told so, and try again. A transport may have a smaller limit of its own.
    Full(bool),
    /// The owner's journal is an old copy: a participant has seen what it does not have, and can
    /// prove it. The journal continues as a new epoch, without the lost updates; who made them
    /// offers them again.
    JournalRolledBack {
        /// The revision of this journal.
        have: Revision,
        /// The revision that the participant has seen. It may be no later than this journal's: then
        /// the two have gone on with different commands.
        seen: Revision,
    },
    /// The owner's journal is another than the one of which this participant had a copy, usually
    /// because the owner has restored an old one. What was confirmed after that is no longer so,
    /// until those who made it have offered it again.
    HistoryReplaced {
        /// The revision of the copy until now.
        had: Revision,
        /// The revision of the new one.
        has: Revision,
    },
    /// The listener was too slow, and has missed events at this place in their order. The machines
    /// never say so: it is the driver's stream of events that does. The getters have the present
    /// state, and whoever follows the events reads it anew; the outcome of a command that is not
    /// pending any more was among what was missed.
    Missed {
        /// The number of events. All the polls of a host count: some may have been another's.
        count: u64,
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
        /// The moment when the next attempt is due.
        retry_at: Moment,
        /// The reason why the last link ended.
        reason: DownReason,
    },
    /// The owner has refused, and trying again by itself will not help. Only
    /// [`Participant::reconnect`](crate::Participant::reconnect) tries again.
    Refused(Refused),
    /// This side has left the room, or its driver has stopped.
    Closed,
}

/// The reason why a participant cannot join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The owner proved who it is, and refused this participant.
    #[error("the owner refused the connection: {0}")]
    ByOwner(Rejection),
}

/// The state of a command of this side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// It was submitted and is on its way to the disk. A crash now loses it.
    Queued,
    /// It is durable and will be sent as soon as possible.
    Persisted,
    /// It was sent on the present link. It may not have arrived.
    Sent,
    /// The owner has applied it, durably, at this revision.
    Applied(Revision),
    /// The owner has rejected it. This is final.
    Rejected(Rejection),
    /// The owner has answered it, so long ago that it no longer knows how: this device's outbox is
    /// an old copy. This is final; the poll shows if it was applied.
    OutcomeUnknown,
}

impl CommandState {
    /// True if the command has its outcome, so that nothing more will happen to it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Applied(_) | Self::Rejected(_) | Self::OutcomeUnknown => true,
            Self::Queued | Self::Persisted | Self::Sent => false,
        }
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
