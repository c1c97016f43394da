//! Messages: everything that crosses a link.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::envelope::{Fields, encode, encode_ack, encode_error};
use crate::limits::fits;
use crate::{
    Challenge, Command, CommandId, DecodeError, DeviceId, Envelope, Epoch, ErrorCode, Hello,
    HistoryMark, Kind, Limits, Numbered, OptionId, PeerId, Poll, PollId, PollTally, Position,
    Proof, Rejection, Revision, Update,
};

/// A complete message, checked against the [`Limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// `poll:state`, from the owner: the whole poll.
    PollState(PollState),
    /// `poll:tally`, from the owner: what has happened, in a poll that does not show each vote.
    PollTally(PollTally),
    /// A command on its way to the owner.
    Command(Numbered),
    /// A command that was applied, as the owner relays it.
    Update(Update),
    /// `peer:discovery`, from the owner: everybody at join, then only those who changed.
    Discovery(Vec<PeerInfo>),
    /// `ack`, from the owner: the command was applied.
    Ack(Ack),
    /// `error`, from the owner: a command was rejected, or a frame on this link was refused.
    Error(Refusal),
    /// `sync:request`, from a participant that is behind.
    SyncRequest(SyncRequest),
    /// `auth:hello`, the first frame of a link.
    Hello(Hello),
    /// `auth:challenge`, the owner's answer to it.
    Challenge(Challenge),
    /// `auth:proof`, the participant's answer to that.
    Proof(Proof),
    /// `ping`: a request for a `pong`.
    Ping,
    /// `pong`: the answer to a `ping`.
    Pong,
}

/// The whole poll at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollState {
    /// The number of commands applied so far.
    pub revision: Revision,
    /// The life of the owner's journal in which that number counts.
    pub epoch: Epoch,
    /// The owner's mark of the history up to here.
    pub history: Option<HistoryMark>,
    /// The poll, as far as the recipient is told of it.
    pub poll: Poll,
    /// The recipient's own choice, if the poll itself shows none: see [`Poll::set_ballot`].
    pub ballot: Vec<OptionId>,
}

/// One entry of `peer:discovery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerInfo {
    /// The person.
    pub peer_id: PeerId,
    /// One of their devices.
    pub device: DeviceId,
    /// True if that device is connected to the owner.
    pub online: bool,
}

/// Payload of `ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The command that was applied.
    pub command_id: CommandId,
    /// The revision that it made.
    pub revision: Revision,
    /// The owner's mark of the history up to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryMark>,
}

/// Payload of `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "RefusalPayload")]
pub struct Refusal {
    /// The rejected command; `null` if the error is about something else.
    pub command_id: Option<CommandId>,
    /// The reason.
    #[serde(flatten)]
    pub rejection: Rejection,
}

impl Refusal {
    /// The frame of a [`Message::Error`], without making the message first.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encode_error(self)
    }
}

/// [`Refusal`] in the form in which it is read. `flatten` would store every unknown field as a
/// tree, which takes forty times the memory of its text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusalPayload {
    command_id: Option<CommandId>,
    code: ErrorCode,
    message: Arc<str>,
}

impl From<RefusalPayload> for Refusal {
    fn from(payload: RefusalPayload) -> Self {
        Self {
            command_id: payload.command_id,
            rejection: Rejection {
                code: payload.code,
                message: payload.message,
            },
        }
    }
}

/// Payload of `sync:request`, with the participant's position from the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncRequest {
    /// The poll.
    pub poll_id: PollId,
    /// The place in the history that the participant's copy is at, if it has one: then only the
    /// missing updates need be sent.
    pub known: Option<Position>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SyncPayload {
    poll_id: PollId,
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

impl Message {
    /// The message as one frame of JSON. Equal messages make equal bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let none = Fields::default();
        match self {
            Self::PollState(PollState {
                revision,
                epoch,
                history,
                poll,
                ballot,
            }) => {
                let at = Position {
                    epoch: *epoch,
                    revision: *revision,
                    history: *history,
                };
                Poll::encode_told(&poll.encode_payload(), at, ballot)
            }
            Self::PollTally(tally) => tally.encode(),
            Self::Command(numbered) => numbered.command.encode(Fields::of(numbered)),
            Self::Update(Update {
                author,
                device,
                revision,
                history,
                numbered,
            }) => numbered.command.encode(Fields {
                author: Some(*author),
                device: Some(*device),
                revision: Some(*revision),
                history: *history,
                ..Fields::of(numbered)
            }),
            Self::Discovery(peers) => encode(Kind::PeerDiscovery, none, peers),
            Self::Ack(ack) => encode_ack(ack),
            Self::Error(refusal) => refusal.encode(),
            Self::SyncRequest(SyncRequest { poll_id, known }) => encode(
                Kind::SyncRequest,
                Fields {
                    epoch: known.map(|known| known.epoch),
                    revision: known.map(|known| known.revision),
                    history: known.and_then(|known| known.history),
                    ..none
                },
                &SyncPayload { poll_id: *poll_id },
            ),
            Self::Hello(hello) => encode(Kind::AuthHello, none, hello),
            Self::Challenge(challenge) => encode(Kind::AuthChallenge, none, challenge),
            Self::Proof(proof) => encode(Kind::AuthProof, none, proof),
            Self::Ping => encode(Kind::Ping, none, &Nothing {}),
            Self::Pong => encode(Kind::Pong, none, &Nothing {}),
        }
    }

    /// Reads a frame of at most [`Limits::max_frame_bytes`] bytes.
    ///
    /// # Errors
    ///
    /// See [`Envelope::parse`] and [`Message::from_envelope`].
    pub fn decode(frame: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::from_envelope(
            &Envelope::parse(frame, limits.max_frame_bytes, limits)?,
            limits,
        )
    }

    /// Reads the payload of a frame whose envelope has been read.
    ///
    /// # Errors
    ///
    /// `bad-field` for a field that is missing or of the wrong form, `too-long` for a text or a
    /// list over the limits; for a `poll:state` also the errors of [`Poll::check`].
    pub fn from_envelope(envelope: &Envelope<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let fields = &envelope.fields;
        match envelope.kind()? {
            Kind::PollState => {
                let revision = envelope.require(fields.revision, "revision")?;
                let epoch = envelope.require(fields.epoch, "epoch")?;
                let poll: Poll = envelope.object()?;
                poll.check(limits).map_err(|rejection| DecodeError {
                    rejection,
                    command_id: None,
                })?;
                let ballot = envelope.ballot()?;
                poll.check_choices(&ballot, |choice| poll.option(choice).is_some(), limits)
                    .map_err(|rejection| envelope.refuse_with(rejection))?;
                Ok(Self::PollState(PollState {
                    revision,
                    epoch,
                    history: fields.history,
                    poll,
                    ballot,
                }))
            }
            Kind::PollTally => PollTally::from_envelope(envelope, limits).map(Self::PollTally),
            Kind::Command(_) => {
                let (command_id, seq) = envelope.numbering()?;
                let numbered = Numbered {
                    command_id,
                    seq,
                    seen: envelope.seen(),
                    command: Command::from_envelope(envelope, limits)?,
                };
                let Some(revision) = fields.revision else {
                    return Ok(Self::Command(numbered));
                };
                let author = envelope.require(fields.author, "author")?;
                let device = envelope.require(fields.device, "device")?;
                Ok(Self::Update(Update {
                    author,
                    device,
                    revision,
                    history: fields.history,
                    numbered,
                }))
            }
            Kind::PeerDiscovery => envelope.objects().map(Self::Discovery),
            Kind::Ack => envelope.object().map(Self::Ack),
            Kind::Error => {
                let refusal: Refusal = envelope.object()?;
                if !fits(&refusal.rejection.message, limits.max_message_chars)
                    || !fits(refusal.rejection.code.as_str(), limits.max_message_chars)
                {
                    return Err(
                        envelope.refuse(ErrorCode::TooLong, "the error message is too long")
                    );
                }
                Ok(Self::Error(refusal))
            }
            Kind::SyncRequest => {
                let SyncPayload { poll_id } = envelope.object()?;
                Ok(Self::SyncRequest(SyncRequest {
                    poll_id,
                    known: known(fields.epoch, fields.revision, fields.history),
                }))
            }
            Kind::AuthHello => envelope.versioned().map(Self::Hello),
            Kind::AuthChallenge => envelope.versioned().map(Self::Challenge),
            Kind::AuthProof => envelope.object().map(Self::Proof),
            Kind::Ping => envelope.object().map(|Nothing {}| Self::Ping),
            Kind::Pong => envelope.object().map(|Nothing {}| Self::Pong),
        }
    }
}

/// The position of whoever names an epoch and a revision.
pub(crate) fn known(
    epoch: Option<Epoch>,
    revision: Option<Revision>,
    history: Option<HistoryMark>,
) -> Option<Position> {
    Some(Position {
        epoch: epoch?,
        revision: revision?,
        history,
    })
}

/// An `error` about a command, or about a frame that names no command.
impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self {
            command_id: error.command_id,
            rejection: error.rejection,
        }
    }
}
