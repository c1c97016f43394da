//! The envelope: a frame taken apart as far as its routing needs, in one pass, borrowed, with the
//! payload left as it is.

mod kind;
mod usual;
mod write;

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::handshake::VERSION;
use crate::limits::is_shallow;
use crate::strict::{Object, Word};
use crate::{
    Command, CommandId, DeviceId, Epoch, ErrorCode, HistoryMark, Limits, Numbered, OptionId,
    PeerId, Position, Rejection, Revision, Seen, Seq,
};

pub use self::kind::Kind;
use self::usual::Usual;
use self::write::wrap;
pub(crate) use self::write::{encode, encode_ack, encode_beside, encode_error};

/// The reason why a frame was refused, and the command that it named, if that could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rejection}")]
pub struct DecodeError {
    /// The code and the sentence.
    pub rejection: Rejection,
    /// The command that the frame named.
    pub command_id: Option<CommandId>,
}

impl DecodeError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<Arc<str>>) -> Self {
        Self {
            rejection: Rejection::new(code, message),
            command_id: None,
        }
    }
}

/// The fields beside the payload, but for the [ballot](Envelope::ballot). An absent field and
/// `null` mean the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) command_id: Option<CommandId>,
    pub(crate) seq: Option<Seq>,
    pub(crate) seen: Option<Revision>,
    pub(crate) author: Option<PeerId>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) after: Option<Revision>,
    pub(crate) revision: Option<Revision>,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) history: Option<HistoryMark>,
}

impl Fields {
    /// Those of a snapshot at this place.
    pub(crate) fn at(at: Position) -> Self {
        Self {
            revision: Some(at.revision),
            epoch: Some(at.epoch),
            history: at.history,
            ..Self::default()
        }
    }

    /// Those of a command on its way to the owner.
    pub(crate) fn of(numbered: &Numbered) -> Self {
        Self {
            command_id: Some(numbered.command_id),
            seq: Some(numbered.seq),
            seen: numbered.seen.map(|seen| seen.revision),
            epoch: numbered.seen.map(|seen| seen.epoch),
            ..Self::default()
        }
    }
}

/// A frame whose envelope has been read and whose payload has not.
///
/// An owner needs only this to recognise a command that it has answered before. It journals and
/// relays the payload's exact bytes.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    word: Cow<'a, str>,
    kind: Option<Kind>,
    pub(crate) fields: Fields,
    /// The recipient's own choice, beside a poll that shows no other.
    pub(crate) ballot: Option<&'a RawValue>,
    payload: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// Reads a frame of at most `max_bytes` bytes.
    ///
    /// # Errors
    ///
    /// `too-large`, `malformed` (not UTF-8, not a JSON object, no `type`), `too-deep`, or
    /// `bad-field` (an envelope field of the wrong form, or no payload).
    pub fn parse(frame: &'a [u8], max_bytes: usize, limits: &Limits) -> Result<Self, DecodeError> {
        // Flat rather than `#[serde(flatten)]`, which would buffer the payload as a tree.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            #[serde(borrow, rename = "type")]
            kind: Option<Word<'a>>,
            command_id: Option<CommandId>,
            seq: Option<Seq>,
            seen: Option<Revision>,
            author: Option<PeerId>,
            device: Option<DeviceId>,
            after: Option<Revision>,
            revision: Option<Revision>,
            epoch: Option<Epoch>,
            history: Option<HistoryMark>,
            #[serde(borrow)]
            ballot: Option<&'a RawValue>,
            #[serde(borrow)]
            payload: Option<&'a RawValue>,
        }

        if frame.len() > max_bytes {
            return Err(DecodeError::new(
                ErrorCode::TooLarge,
                format!(
                    "the frame has {} bytes, the limit is {max_bytes}",
                    frame.len()
                ),
            ));
        }
        let text = std::str::from_utf8(frame).map_err(|error| {
            DecodeError::new(
                ErrorCode::Malformed,
                format!("the frame is not UTF-8 text: {error}"),
            )
        })?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(DecodeError::new(
                ErrorCode::Malformed,
                "the frame is not a JSON object",
            ));
        }
        if !is_shallow(text, limits.max_depth) {
            return Err(DecodeError::new(
                ErrorCode::TooDeep,
                format!("the frame nests deeper than {} levels", limits.max_depth),
            ));
        }
        // Before any of it is read: a frame that is cut off is no more work than this.
        if !text.trim_ascii_end().ends_with('}') {
            return Err(DecodeError::new(
                ErrorCode::Malformed,
                "the frame is not a JSON object: it does not end like one",
            ));
        }
        match usual::read(text) {
            Usual::Sound(envelope) => return Ok(envelope),
            Usual::Broken(word, error) => {
                let message = format!("{word}: {}", said(&error));
                return Err(DecodeError::new(ErrorCode::Malformed, message));
            }
            Usual::Not => {}
        }
        let wire: Wire<'a> = serde_json::from_str(text).map_err(|error| {
            let code = if error.is_data() {
                ErrorCode::BadField
            } else {
                ErrorCode::Malformed
            };
            DecodeError::new(code, said(&error))
        })?;
        let refuse = |code, message| DecodeError {
            rejection: Rejection::new(code, message),
            command_id: wire.command_id,
        };
        let Some(Word(word)) = wire.kind else {
            return Err(refuse(
                ErrorCode::Malformed,
                "the message has no type".to_owned(),
            ));
        };
        let Some(payload) = wire.payload else {
            return Err(refuse(
                ErrorCode::BadField,
                format!("{} has no payload", shown(&word)),
            ));
        };
        let fields = Fields {
            command_id: wire.command_id,
            seq: wire.seq,
            seen: wire.seen,
            author: wire.author,
            device: wire.device,
            after: wire.after,
            revision: wire.revision,
            epoch: wire.epoch,
            history: wire.history,
        };
        Ok(Self {
            kind: Kind::from_word(&word),
            word,
            fields,
            ballot: wire.ballot,
            payload,
        })
    }

    /// The name and number of a command of which no more is read than its beginning, because the
    /// frame is too large: with them it can be rejected in its order.
    ///
    /// They are found where [`Message::encode`](crate::Message::encode) writes them, right after
    /// the type.
    #[must_use]
    pub fn numbering_at_start(frame: &[u8]) -> Option<(CommandId, Seq)> {
        /// The bytes before the payload of a command, at most.
        const START: usize = 256;

        let start = &frame[..frame.len().min(START)];
        // Step by step: a frame that does not begin like a command is no work.
        let word = start.strip_prefix(br#"{"type":""#)?;
        let end = word.iter().position(|byte| *byte == b'"')?;
        let rest = word[end..].strip_prefix(br#"","commandId":""#)?;
        let (command_id, rest) = rest.split_at_checked(CommandId::TEXT_LEN)?;
        let command_id = std::str::from_utf8(command_id).ok()?.parse().ok()?;
        let mut seq = 0_u64;
        for byte in rest.strip_prefix(br#"","seq":"#)? {
            match byte {
                b'0'..=b'9' => seq = seq.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
                b',' => return Some((command_id, Seq::new(seq)?)),
                _ => return None,
            }
        }
        None
    }

    /// A digest of a frame that is too large to be read, in place of [`digest`](Self::digest): of
    /// its beginning and its length, which is enough to know it again.
    #[must_use]
    pub fn digest_of_unread(frame: &[u8]) -> u64 {
        let start = &frame[..frame.len().min(1_024)];
        xxh3_64_with_seed(start, frame.len() as u64)
    }

    /// The type of the message.
    ///
    /// # Errors
    ///
    /// `unknown-type`: later versions may have more types.
    pub fn kind(&self) -> Result<Kind, DecodeError> {
        self.kind.ok_or_else(|| {
            let message = format!("unknown message type {:?}", shown(&self.word));
            self.refuse(ErrorCode::UnknownType, message)
        })
    }

    /// The payload as it was sent, byte for byte.
    #[must_use]
    pub fn payload(&self) -> &'a str {
        self.payload.get()
    }

    /// The command that the envelope names.
    #[must_use]
    pub const fn command_id(&self) -> Option<CommandId> {
        self.fields.command_id
    }

    /// The name and number of the command that this message carries.
    ///
    /// # Errors
    ///
    /// `bad-field` if one of the two is missing.
    pub fn numbering(&self) -> Result<(CommandId, Seq), DecodeError> {
        let command_id = self.require(self.fields.command_id, "commandId")?;
        Ok((command_id, self.require(self.fields.seq, "seq")?))
    }

    /// The place in the history that the device had seen which submitted this command. `None` if
    /// the revision or the epoch is missing: the one says nothing without the other.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        Some(Seen {
            epoch: self.fields.epoch?,
            revision: self.fields.seen?,
        })
    }

    /// The author that the envelope names.
    #[must_use]
    pub const fn author(&self) -> Option<PeerId> {
        self.fields.author
    }

    /// The revision that the envelope names.
    #[must_use]
    pub const fn revision(&self) -> Option<Revision> {
        self.fields.revision
    }

    /// A digest of the message's type and payload, which tells the same command from another one
    /// under the same id. Not cryptographic: see [`Receipt::digest`](crate::Receipt::digest).
    #[must_use]
    pub fn digest(&self) -> u64 {
        xxh3_64_with_seed(self.payload.get().as_bytes(), xxh3_64(self.word.as_bytes()))
    }

    /// The running digest of a history after this command of `author`, who sent it from `device`;
    /// `before` is the digest before it.
    #[must_use]
    pub fn chained(&self, before: u64, author: PeerId, device: DeviceId) -> u64 {
        self.chained_as(self.digest(), before, author, device)
    }

    /// The same of a command that is [told](crate::Command::told) with another payload, so that
    /// the owner's history and everybody's copy of it have the same digests.
    #[must_use]
    pub fn chained_told(
        &self,
        told: &Command,
        before: u64,
        author: PeerId,
        device: DeviceId,
    ) -> u64 {
        let frame = told.encode(Fields::default());
        // Always read: it was written just now.
        let told = Envelope::parse(&frame, frame.len(), &Limits::unbounded());
        let digest = told.map(|told| told.digest());
        self.chained_as(digest.unwrap_or_default(), before, author, device)
    }

    fn chained_as(&self, digest: u64, before: u64, author: PeerId, device: DeviceId) -> u64 {
        let mut text = [0; 32 + 5 + 16 + 8 + 8];
        text[..32].copy_from_slice(author.as_bytes());
        text[32..37].copy_from_slice(device.as_bytes());
        if let (Some(command_id), Some(seq)) = (self.fields.command_id, self.fields.seq) {
            text[37..53].copy_from_slice(command_id.as_uuid().as_bytes());
            text[53..61].copy_from_slice(&seq.get().to_be_bytes());
        }
        text[61..].copy_from_slice(&digest.to_be_bytes());
        xxh3_64_with_seed(&text, before)
    }

    /// The message as an owner relays and journals it: this payload, byte for byte, with its author
    /// and device, the revision that it made, and the mark of the history up to it, and without
    /// what its device had seen, which is the owner's to know.
    ///
    /// # Errors
    ///
    /// `bad-field` if it has no name or number, `unexpected` if it is not a command,
    /// `unknown-type`.
    pub fn relayed(
        &self,
        author: PeerId,
        device: DeviceId,
        revision: Revision,
        history: Option<HistoryMark>,
    ) -> Result<Bytes, DecodeError> {
        let (command_id, seq) = self.numbering()?;
        let fields = Fields {
            command_id: Some(command_id),
            seq: Some(seq),
            author: Some(author),
            device: Some(device),
            revision: Some(revision),
            history,
            ..Fields::default()
        };
        let kind = self.kind()?;
        if !kind.is_command() {
            return Err(self.refuse(ErrorCode::Unexpected, format!("{kind} is not a command")));
        }
        Ok(wrap(kind, fields, self.payload()))
    }

    /// The command under another number, its payload byte for byte, with what its device had seen
    /// when it was submitted.
    ///
    /// # Errors
    ///
    /// As [`relayed`](Self::relayed).
    pub fn renumbered(&self, seq: Seq) -> Result<Bytes, DecodeError> {
        let kind = self.kind()?;
        let fields = Fields {
            command_id: Some(self.numbering()?.0),
            seq: Some(seq),
            seen: self.fields.seen,
            epoch: self.fields.epoch,
            ..Fields::default()
        };
        Ok(wrap(kind, fields, self.payload()))
    }

    /// The recipient's own choice, beside a poll that shows no other. Empty if there is none.
    pub(crate) fn ballot(&self) -> Result<Vec<OptionId>, DecodeError> {
        let Some(ballot) = self.ballot else {
            return Ok(Vec::new());
        };
        serde_json::from_str(ballot.get()).map_err(|error| self.unreadable(&error))
    }

    /// The payload, which is an object.
    pub(crate) fn object<T: Deserialize<'a>>(&self) -> Result<T, DecodeError> {
        self.decode().map(|Object(value)| value)
    }

    /// The payload, which is an object with a version. If it cannot be read but states another
    /// version, that is the error, whatever else is wrong with it.
    pub(crate) fn versioned<T: Deserialize<'a>>(&self) -> Result<T, DecodeError> {
        match self.object() {
            Ok(payload) => Ok(payload),
            Err(error) => Err(self.other_version().unwrap_or(error)),
        }
    }

    /// The error that the payload is of another version, if it states one.
    fn other_version(&self) -> Option<DecodeError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }

        let Version { v } = self.object().ok()?;
        (v != VERSION).then(|| {
            self.refuse(
                ErrorCode::UnsupportedVersion,
                format!("protocol version {v} is not supported, only {VERSION}"),
            )
        })
    }

    /// The payload, which is a list of objects.
    pub(crate) fn objects<T: Deserialize<'a>>(&self) -> Result<Vec<T>, DecodeError> {
        let objects: Vec<Object<T>> = self.decode()?;
        Ok(objects.into_iter().map(|Object(value)| value).collect())
    }

    fn decode<T: Deserialize<'a>>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.payload.get()).map_err(|error| self.unreadable(&error))
    }

    pub(crate) fn require<T>(&self, field: Option<T>, name: &str) -> Result<T, DecodeError> {
        field.ok_or_else(|| self.missing(name))
    }

    // Errors are made in functions of their own: their callers are compiled once for each payload
    // type.

    #[inline(never)]
    fn unreadable(&self, error: &serde_json::Error) -> DecodeError {
        let message = format!("{}: {}", shown(&self.word), said(error));
        self.refuse(ErrorCode::BadField, message)
    }

    #[inline(never)]
    fn missing(&self, name: &str) -> DecodeError {
        let message = format!("{} has no {name}", shown(&self.word));
        self.refuse(ErrorCode::BadField, message)
    }

    pub(crate) fn refuse(&self, code: ErrorCode, message: impl Into<Arc<str>>) -> DecodeError {
        self.refuse_with(Rejection::new(code, message))
    }

    pub(crate) fn refuse_with(&self, rejection: Rejection) -> DecodeError {
        DecodeError {
            rejection,
            command_id: self.fields.command_id,
        }
    }
}

/// The start of a type's word, at most 64 characters: as much as an error repeats.
fn shown(word: &str) -> &str {
    let end = word.char_indices().nth(64).map_or(word.len(), |(at, _)| at);
    &word[..end]
}

/// The start of an error's text, at most 200 bytes. serde quotes the value that it did not expect,
/// and that value may be the whole frame.
fn said(error: &serde_json::Error) -> String {
    const MOST: usize = 200;

    struct Bounded(String);
    impl Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            if text.len() <= MOST - self.0.len() {
                self.0.push_str(text);
                return Ok(());
            }
            let fitting = text
                .char_indices()
                .take_while(|(at, character)| self.0.len() + at + character.len_utf8() <= MOST);
            let end = fitting.last().map_or(0, |(at, it)| at + it.len_utf8());
            self.0.push_str(&text[..end]);
            Err(fmt::Error)
        }
    }

    let mut said = Bounded(String::with_capacity(MOST));
    // An error here means that the text is cut at `MOST` bytes, which is the purpose.
    let _ = write!(said, "{error}");
    said.0
}
