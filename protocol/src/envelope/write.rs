//! Writing frames: an envelope, by hand, around a payload.

use bytes::Bytes;
use serde::Serialize;

use super::{Fields, Kind};
use crate::{Ack, CommandId, OptionId, Refusal, Rejection};

/// Writes a message: its type, then the fields beside the payload, then the payload.
pub(crate) fn encode<P: Serialize + ?Sized>(kind: Kind, fields: Fields, payload: &P) -> Bytes {
    /// To give back less than this costs more than it is worth.
    const SLACK: usize = 1_024;

    let mut frame = begin(kind, fields, 256);
    serde_json::to_writer(&mut frame, payload)
        .expect("payloads are structs with text keys, which always serialise");
    frame.push(b'}');
    // A snapshot is kept, and has grown by doubling.
    if frame.capacity() - frame.len() > SLACK {
        frame.shrink_to_fit();
    }
    frame.into()
}

/// Writes a message around a payload that is already JSON, with a ballot beside it unless that is
/// empty.
pub(crate) fn encode_beside(
    kind: Kind,
    fields: Fields,
    ballot: &[OptionId],
    payload: &[u8],
) -> Bytes {
    const PAYLOAD: &[u8] = b",\"payload\":";

    let mut frame = begin(kind, fields, payload.len() + ballot.len() * 39 + 16);
    if !ballot.is_empty() {
        frame.truncate(frame.len() - PAYLOAD.len());
        name(&mut frame, "ballot");
        for (index, choice) in ballot.iter().enumerate() {
            frame.extend_from_slice(if index == 0 { b"[\"" } else { b",\"" });
            frame.extend_from_slice(choice.to_string().as_bytes());
            frame.push(b'"');
        }
        frame.push(b']');
        frame.extend_from_slice(PAYLOAD);
    }
    frame.extend_from_slice(payload);
    frame.push(b'}');
    frame.into()
}

/// Writes an `ack`. By hand, like [`begin`] and for its reason.
pub(crate) fn encode_ack(ack: &Ack) -> Bytes {
    /// Names, id, revision and mark, at most.
    const PAYLOAD: usize = 128;

    let mut frame = begin(Kind::Ack, Fields::default(), PAYLOAD);
    frame.push(b'{');
    let start = frame.len();
    ack.command_id
        .with_text(|text| text_field(&mut frame, "commandId", text));
    // The first field of an object has no comma before it.
    frame.remove(start);
    number_field(&mut frame, "revision", ack.revision.get());
    if let Some(history) = ack.history {
        history.with_text(|text| text_field(&mut frame, "history", text));
    }
    frame.extend_from_slice(b"}}");
    frame.into()
}

/// Writes an `error`. By hand, too: whoever floods an owner with what it refuses has one for each.
pub(crate) fn encode_error(refusal: &Refusal) -> Bytes {
    const NAMES: usize = 48;

    let Rejection { code, message } = &refusal.rejection;
    let mut frame = begin(
        Kind::Error,
        Fields::default(),
        NAMES + CommandId::TEXT_LEN + code.as_str().len() + message.len(),
    );
    frame.extend_from_slice(b"{\"commandId\":");
    match refusal.command_id {
        Some(command_id) => command_id.with_text(|text| {
            frame.push(b'"');
            frame.extend_from_slice(text.as_bytes());
            frame.push(b'"');
        }),
        None => frame.extend_from_slice(b"null"),
    }
    frame.extend_from_slice(b",\"code\":");
    any_text(&mut frame, code.as_str());
    frame.extend_from_slice(b",\"message\":");
    any_text(&mut frame, message);
    frame.extend_from_slice(b"}}");
    frame.into()
}

/// A text that may have anything in it, in its quotation marks.
fn any_text(frame: &mut Vec<u8>, text: &str) {
    // All bytes, and not up to the first that is found: so several are looked at at once.
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    let is_plain = !text
        .bytes()
        .fold(false, |found, byte| found | is_escaped(byte));
    if is_plain {
        frame.push(b'"');
        frame.extend_from_slice(text.as_bytes());
        frame.push(b'"');
    } else {
        serde_json::to_writer(frame, text).expect("a text always serialises");
    }
}

/// Writes a message around a payload that is already JSON.
pub(super) fn wrap(kind: Kind, fields: Fields, payload: &str) -> Bytes {
    let mut frame = begin(kind, fields, payload.len());
    frame.extend_from_slice(payload.as_bytes());
    frame.push(b'}');
    frame.into()
}

/// The envelope of a message, while its length is not known.
struct Start {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Start {
    /// The length of the longest envelope, in bytes: type, names and all nine fields.
    const MOST: usize = 384;

    fn put(&mut self, part: &[u8]) {
        let end = self.len + part.len();
        self.bytes[self.len..end].copy_from_slice(part);
        self.len = end;
    }

    fn name(&mut self, name: &str) {
        self.put(b",\"");
        self.put(name.as_bytes());
        self.put(b"\":");
    }

    fn text(&mut self, field: &str, text: &str) {
        self.name(field);
        self.put(b"\"");
        self.put(text.as_bytes());
        self.put(b"\"");
    }

    fn number(&mut self, field: &str, number: u64) {
        self.name(field);
        self.put(itoa::Buffer::new().format(number).as_bytes());
    }
}

/// Writes everything before the payload, with room for the payload and the brace after it: an owner
/// keeps thousands of frames, and none has room that nobody uses.
///
/// By hand, because an owner does it for every command: types and ids have no characters that JSON
/// escapes, and a search for them in 150 characters would cost more than all the rest.
fn begin(kind: Kind, fields: Fields, payload: usize) -> Vec<u8> {
    let Fields {
        command_id,
        seq,
        seen,
        author,
        device,
        after,
        revision,
        epoch,
        history,
    } = fields;
    let mut start = Start {
        bytes: [0; Start::MOST],
        len: 0,
    };
    start.put(b"{\"type\":\"");
    start.put(kind.as_str().as_bytes());
    start.put(b"\"");
    if let Some(command_id) = command_id {
        command_id.with_text(|text| start.text("commandId", text));
    }
    if let Some(seq) = seq {
        start.number("seq", seq.get());
    }
    if let Some(seen) = seen {
        start.number("seen", seen.get());
    }
    if let Some(author) = author {
        author.with_text(|text| start.text("author", text));
    }
    if let Some(device) = device {
        device.with_text(|text| start.text("device", text));
    }
    if let Some(after) = after {
        start.number("after", after.get());
    }
    if let Some(revision) = revision {
        start.number("revision", revision.get());
    }
    if let Some(epoch) = epoch {
        epoch.with_text(|text| start.text("epoch", text));
    }
    if let Some(history) = history {
        history.with_text(|text| start.text("history", text));
    }
    start.put(b",\"payload\":");
    let mut frame = Vec::with_capacity(start.len + payload + 1);
    frame.extend_from_slice(&start.bytes[..start.len]);
    frame
}

fn name(frame: &mut Vec<u8>, name: &str) {
    frame.extend_from_slice(b",\"");
    frame.extend_from_slice(name.as_bytes());
    frame.extend_from_slice(b"\":");
}

fn text_field(frame: &mut Vec<u8>, field: &str, text: &str) {
    name(frame, field);
    frame.push(b'"');
    frame.extend_from_slice(text.as_bytes());
    frame.push(b'"');
}

fn number_field(frame: &mut Vec<u8>, field: &str, number: u64) {
    name(frame, field);
    frame.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
