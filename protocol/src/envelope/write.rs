//! Writing frames: an envelope, by hand, around a payload.

use bytes::Bytes;
use serde::Serialize;

use super::{Fields, Kind};
use crate::{Ack, OptionId};

/// Writes a message: its type, then the fields beside the payload, then the payload.
pub(crate) fn encode<P: Serialize + ?Sized>(kind: Kind, fields: Fields, payload: &P) -> Bytes {
    let mut frame = begin(kind, fields, 256);
    serde_json::to_writer(&mut frame, payload)
        .expect("payloads are structs with text keys, which always serialise");
    frame.push(b'}');
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
    let mut frame = begin(Kind::Ack, Fields::default(), 0);
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

/// Writes a message around a payload that is already JSON.
pub(super) fn wrap(kind: Kind, fields: Fields, payload: &str) -> Bytes {
    let mut frame = begin(kind, fields, payload.len());
    frame.extend_from_slice(payload.as_bytes());
    frame.push(b'}');
    frame.into()
}

/// Writes everything before the payload.
///
/// By hand, because an owner does it for every command: types and ids have no characters that JSON
/// escapes, and a search for them in 150 characters would cost more than all the rest.
fn begin(kind: Kind, fields: Fields, payload: usize) -> Vec<u8> {
    /// The length of the longest envelope, in bytes: type, names, all nine fields, and the brace
    /// after the payload.
    const ENVELOPE: usize = 384;

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
    let mut frame = Vec::with_capacity(ENVELOPE + payload);
    frame.extend_from_slice(b"{\"type\":\"");
    frame.extend_from_slice(kind.as_str().as_bytes());
    frame.push(b'"');
    if let Some(command_id) = command_id {
        command_id.with_text(|text| text_field(&mut frame, "commandId", text));
    }
    if let Some(seq) = seq {
        number_field(&mut frame, "seq", seq.get());
    }
    if let Some(seen) = seen {
        number_field(&mut frame, "seen", seen.get());
    }
    if let Some(author) = author {
        author.with_text(|text| text_field(&mut frame, "author", text));
    }
    if let Some(device) = device {
        device.with_text(|text| text_field(&mut frame, "device", text));
    }
    if let Some(after) = after {
        number_field(&mut frame, "after", after.get());
    }
    if let Some(revision) = revision {
        number_field(&mut frame, "revision", revision.get());
    }
    if let Some(epoch) = epoch {
        epoch.with_text(|text| text_field(&mut frame, "epoch", text));
    }
    if let Some(history) = history {
        history.with_text(|text| text_field(&mut frame, "history", text));
    }
    frame.extend_from_slice(b",\"payload\":");
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
