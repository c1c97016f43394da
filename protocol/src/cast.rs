//! The choice of a person that counts, where several of their devices have made one.
//!
//! An owner remembers of each member how their choice was cast. That is no part of what it tells
//! others, and of no copy of theirs: it is in the journal alone, as the invitations are.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::envelope::{Fields, encode};
use crate::invitation::Ledger;
use crate::planted::{self, Fault};
use crate::{
    Command, CommandId, DecodeError, DeviceId, Envelope, Epoch, ErrorCode, Kind, Limits, Message,
    PeerId, Poll, PollState, Position, Rejection, Revision,
};

/// The place in an owner's history that a device had come to when it submitted a command: it had
/// seen every update up to there, and none after.
///
/// It is its author's word. Whoever lies about it harms a choice of their own and nobody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The life of the owner's journal in which the revision counts.
    pub epoch: Epoch,
    /// The last update that the device had.
    pub revision: Revision,
}

/// The casting of a choice: by which command, from which device, as which revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast {
    /// The revision that the command made, or is about to make.
    pub revision: Revision,
    /// The command's id, which begins with the time at which it was made.
    pub command_id: CommandId,
    /// The device of its author.
    pub device: DeviceId,
}

impl Cast {
    /// True if `next`, another choice of the same person, takes the place of this one. Its device
    /// had seen the updates up to `seen`.
    ///
    /// - The commands of one device keep their order.
    /// - Whoever knew of a choice and made another one has changed their mind, whatever the clocks
    ///   say.
    /// - Of two that did not know of each other the later one counts, in whatever order they come.
    fn gives_way_to(&self, next: &Self, seen: Revision) -> bool {
        self.device == next.device || self.revision <= seen || self.command_id < next.command_id
    }
}

/// One cast in a journal's snapshot.
type Row = (PeerId, Revision, CommandId, DeviceId);

/// The poll in a journal's snapshot.
#[derive(Serialize)]
struct Journaled<'a> {
    #[serde(flatten)]
    poll: &'a Poll,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    casts: Vec<Row>,
    #[serde(skip_serializing_if = "Ledger::is_empty")]
    ledger: Ledger,
}

/// The rest of it, beside the poll.
#[derive(Deserialize)]
struct Casts {
    /// Absent in what was written before there were casts, and while nobody has voted.
    #[serde(default)]
    casts: Vec<Row>,
    /// Absent while there are no invitations.
    #[serde(default = "Ledger::new")]
    ledger: Ledger,
}

impl Poll {
    /// Checks that a vote is not older than the choice of its author that stands. Any other command
    /// passes, and so does any vote in place of one of which it is not known how it was cast.
    ///
    /// `next` is how it would be cast, and `seen` the last update that its device had, or
    /// [`Revision::ZERO`].
    ///
    /// # Errors
    ///
    /// `superseded`, which the author is told.
    pub fn check_cast(
        &self,
        author: PeerId,
        command: &Command,
        next: &Cast,
        seen: Revision,
    ) -> Result<(), Rejection> {
        let standing = self.cast(author).filter(|_| self.is_vote(command));
        if standing.is_none_or(|standing| standing.gives_way_to(next, seen))
            || planted::is_on(Fault::LateVoteWins)
        {
            return Ok(());
        }
        let message = "a newer choice of yours counts, this older one was dropped";
        Err(Rejection::new(ErrorCode::Superseded, message))
    }

    /// Remembers how a command was cast that has just been applied, if it was a vote. For the
    /// owner's poll only.
    pub fn remember_cast(&mut self, author: PeerId, command: &Command, cast: Cast) {
        if self.is_vote(command)
            && let Some(member) = self.members.get_mut(&author)
        {
            member.cast = Some(cast);
        }
    }

    /// The casting of a person's choice that stands, be it that they have taken it back. `None` for
    /// somebody who never voted, and where it is not known: in the copies of others, and where the
    /// vote was applied before casts were remembered.
    #[must_use]
    pub fn cast(&self, author: PeerId) -> Option<Cast> {
        self.members.get(&author)?.cast
    }

    /// True for a vote in this poll.
    fn is_vote(&self, command: &Command) -> bool {
        matches!(command, Command::Vote(vote) if vote.poll_id == self.poll_id)
    }

    /// The snapshot in an owner's journal: a `poll:state` that also says how each choice was cast.
    /// It is for nobody else; see [`encode_state`](Self::encode_state).
    #[must_use]
    pub fn encode_journaled(&self, at: Position) -> Bytes {
        let row =
            |(peer, cast): (PeerId, Cast)| (peer, cast.revision, cast.command_id, cast.device);
        let members = self.members.iter();
        let casts = members.filter_map(|(peer, member)| Some((*peer, member.cast?)));
        if planted::is_on(Fault::CastsNotKept) {
            return self.encode_state(at);
        }
        let journaled = Journaled {
            poll: self,
            casts: casts.map(row).collect(),
            ledger: self.ledger.clone(),
        };
        encode(Kind::PollState, Fields::at(at), &journaled)
    }
}

impl PollState {
    /// Reads what [`Poll::encode_journaled`] wrote. A plain `poll:state` is read as well, and says
    /// of no choice how it was cast.
    ///
    /// # Errors
    ///
    /// As [`Message::decode`]; `unexpected` for any other message, and `bad-field` for a cast of
    /// somebody who is no member.
    pub fn decode_journaled(frame: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let envelope = Envelope::parse(frame, limits.max_frame_bytes, limits)?;
        let Message::PollState(mut state) = Message::from_envelope(&envelope, limits)? else {
            return Err(envelope.refuse(ErrorCode::Unexpected, "this message is no snapshot"));
        };
        let Casts { casts, ledger } = envelope.object()?;
        for (peer, revision, command_id, device) in casts {
            let Some(member) = state.poll.members.get_mut(&peer) else {
                let message = format!("{peer} is no member and has cast a vote");
                return Err(envelope.refuse(ErrorCode::BadField, message));
            };
            member.cast = Some(Cast {
                revision,
                command_id,
                device,
            });
        }
        state.poll.ledger = ledger;
        Ok(state)
    }
}
