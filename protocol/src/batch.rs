//! Batches: several messages in one frame, as a JSON array.
//!
//! A frame is one message, or an array of messages in their order. Whoever has several things to
//! say at once says them in one frame: each costs less, at both ends and between them. A batch
//! means what its messages would mean one after the other, each in a frame of its own.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{DecodeError, ErrorCode};

/// The largest batch that is made, in bytes, brackets and commas with it: one message of a data
/// channel carries as much everywhere. A message that is larger by itself is sent by itself.
pub const MAX_BYTES: usize = 16 * 1024;

/// Most messages in a batch, made or read.
pub const MAX_MESSAGES: usize = 256;

/// The blanks that are looked at before a frame counts as something else than a batch: a frame of
/// blanks costs no more for its length.
const MAX_BLANKS: usize = 64;

/// True if a frame is an array, and not one message. A batch begins with at most 64 blanks.
#[must_use]
pub fn is_batch(frame: &[u8]) -> bool {
    let start = &frame[..frame.len().min(MAX_BLANKS + 1)];
    start.trim_ascii_start().first() == Some(&b'[')
}

/// The messages of a batch of at most `max_bytes` bytes, in their order, each as it was sent, byte
/// for byte. They are JSON objects, and nothing more is known of them.
///
/// # Errors
///
/// `too-large` for too many bytes or more than [`MAX_MESSAGES`] messages; `malformed` for what is
/// no JSON array, or an array that is empty or has anything but objects in it.
pub fn messages(frame: &[u8], max_bytes: usize) -> Result<Vec<&[u8]>, DecodeError> {
    if frame.len() > max_bytes {
        let message = format!(
            "the batch has {} bytes, the limit is {max_bytes}",
            frame.len()
        );
        return Err(DecodeError::new(ErrorCode::TooLarge, message));
    }
    let refuse = |message: &str| DecodeError::new(ErrorCode::Malformed, message);
    let text = std::str::from_utf8(frame).map_err(|_| refuse("the batch is not UTF-8 text"))?;
    // The raw values are found without recursion, so no depth is too deep for this; each message
    // is held to the limits by whoever reads it.
    let Messages(messages) = serde_json::from_str(text).map_err(|error| {
        // The one thing about the data that is said: everything else is about the JSON.
        if error.is_data() && is_batch(frame) {
            let message = format!("the batch has more than {MAX_MESSAGES} messages");
            return DecodeError::new(ErrorCode::TooLarge, message);
        }
        refuse("the batch is not a JSON array")
    })?;
    if messages.is_empty() {
        return Err(refuse("the batch is empty"));
    }
    if !messages.iter().all(|message| message.starts_with(b"{")) {
        return Err(refuse(
            "the batch has something in it that is not a message",
        ));
    }
    Ok(messages)
}

/// The frame that carries these messages in their order: the message itself, without a copy, if
/// it is one alone.
///
/// The bounds are the caller's to keep, which knows what belongs together.
///
/// ```
/// use bytes::Bytes;
/// use hustings_protocol::{Message, batch};
///
/// let (ping, pong) = (Message::Ping.encode(), Message::Pong.encode());
/// let frame = batch::join(&[ping.clone(), pong.clone()]);
/// assert!(batch::is_batch(&frame));
/// assert_eq!(batch::messages(&frame, batch::MAX_BYTES)?, [&ping[..], &pong[..]]);
///
/// assert_eq!(batch::join(&[ping.clone()]), ping);
/// # Ok::<(), hustings_protocol::DecodeError>(())
/// ```
#[must_use]
pub fn join(messages: &[Bytes]) -> Bytes {
    if let [message] = messages {
        return message.clone();
    }
    let size: usize = messages.iter().map(|message| message.len() + 1).sum();
    let mut frame = Vec::with_capacity(size + 1);
    for message in messages {
        frame.push(if frame.is_empty() { b'[' } else { b',' });
        frame.extend_from_slice(message);
    }
    frame.push(b']');
    frame.into()
}

/// The elements of an array, as many as a batch may have.
struct Messages<'a>(Vec<&'a [u8]>);

impl<'de> Deserialize<'de> for Messages<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = Messages<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut messages = Vec::new();
                while let Some(element) = array.next_element::<&RawValue>()? {
                    if messages.len() == MAX_MESSAGES {
                        // The rest is looked at by nobody.
                        return Err(A::Error::invalid_length(MAX_MESSAGES + 1, &self));
                    }
                    messages.push(element.get().as_bytes());
                }
                Ok(Messages(messages))
            }
        }

        deserializer.deserialize_seq(Elements)
    }
}
