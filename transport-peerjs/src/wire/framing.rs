//! Framing: a frame becomes messages of a data channel, and they a frame again.
//!
//! A message of at most 16 KiB passes every WebRTC stack; larger ones pass some and close the
//! channel of others. So a frame that is longer travels in pieces, each a binary message of one
//! flag byte and then bytes. The flag is the sum of 1 (more follows) and 2 (this is the first
//! piece); in the first one the length of the whole frame, 32 bits big-endian, is between the flag
//! and the bytes. Stacks that call a channel reliable have lost pieces of it, so pieces that do not
//! make what the first has said are no frame and end the link.
//!
//! A shorter frame is one text message, which a stock page reads as a string. Pages that connect
//! with PeerJS's `json` send and get one binary message of UTF-8 for each frame.
//!
//! ```
//! use bytes::Bytes;
//! use hustings_transport_peerjs::wire::{Incoming, Joiner, Serialization, split};
//!
//! let frame = Bytes::from("x".repeat(40_000));
//! let messages = split(Serialization::Raw, &frame)?;
//! assert_eq!(messages.len(), 3);
//!
//! let mut joiner = Joiner::new(Serialization::Raw, 64 * 1024);
//! let mut whole = None;
//! for message in messages {
//!     whole = joiner.push(message)?;
//! }
//! assert_eq!(whole, Some(Incoming::Frame(frame)));
//! # Ok::<(), hustings_transport_peerjs::wire::FramingError>(())
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Deserialize;

/// Largest message of a `raw` channel, in bytes, with its flag.
pub const MAX_MESSAGE: usize = 16 * 1024;
/// Largest message of a `json` channel, in bytes: what Chromium and Firefox both take.
pub const MAX_JSON_MESSAGE: usize = 262_144;

/// More pieces follow.
const MORE: u8 = 1;
/// This is the first piece, and says how long the frame is.
const FIRST: u8 = 2;

/// The goodbye of a `json` channel.
const JSON_CLOSE: &str = r#"{"__peerData":{"type":"close"}}"#;

/// The way in which frames are written on a channel. Whoever offers the connection says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serialization {
    /// Text messages, and flagged pieces of what is longer.
    Raw,
    /// One binary message of UTF-8 for each frame, as stock pages write JSON.
    Json,
}

impl Serialization {
    /// The serialization of this name, if it is one of these.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "raw" => Some(Self::Raw),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// PeerJS's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Json => "json",
        }
    }

    /// The message that says goodbye, if there is one.
    #[must_use]
    pub fn goodbye(self) -> Option<ChannelMessage> {
        match self {
            Self::Raw => None,
            Self::Json => Some(ChannelMessage::Binary(Bytes::from_static(
                JSON_CLOSE.as_bytes(),
            ))),
        }
    }
}

/// One message of a data channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelMessage {
    /// A text message, which is UTF-8.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

impl ChannelMessage {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// True if it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A thing that the messages of a channel make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A whole frame.
    Frame(Bytes),
    /// The other side says goodbye.
    Goodbye,
}

/// The reason why a channel's messages make no frames, or a frame no message. It ends the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The frame is longer than this side accepts.
    #[error("frame too long: at most {max} bytes are accepted")]
    TooLong {
        /// The length that it may have.
        max: usize,
    },
    /// A piece without bytes.
    #[error("empty piece of a frame")]
    Empty,
    /// A flag above 3.
    #[error("unknown flag {0} on a piece of a frame")]
    Flag(u8),
    /// A text message between the pieces of a frame.
    #[error("text message between the pieces of a frame")]
    TextInside,
    /// A first piece between the pieces of another frame: the end of that one is missing.
    #[error("piece missing: a frame of {said} bytes has ended after {came}")]
    Cut {
        /// The length that the first piece has said, in bytes.
        said: usize,
        /// The bytes that have come.
        came: usize,
    },
    /// A piece of a frame whose first piece is missing.
    #[error("piece missing: the beginning of a frame has not come")]
    NoBeginning,
    /// More bytes than the first piece has said, or a frame that goes on after all of them.
    #[error("piece too many: a frame of {said} bytes goes on after that")]
    TooMany {
        /// The length that the first piece has said, in bytes.
        said: usize,
    },
    /// A text message on a channel that is `json`, where stock pages send none.
    #[error("text message on a json channel")]
    TextOnJson,
    /// A message on a channel that is `json` that is not UTF-8.
    #[error("invalid UTF-8 in a json message")]
    NotUtf8,
}

/// The bytes before those of the frame in the first piece: the flag and the length.
const FIRST_HEAD: usize = 5;

/// The messages of one frame, made one after the other, so that a snapshot of many megabytes is not
/// copied before the channel has room for it.
#[derive(Debug, Clone)]
pub(crate) struct Splitter {
    serialization: Serialization,
    /// Of the whole frame, as the first piece says it.
    len: u32,
    rest: Bytes,
    started: bool,
}

impl Splitter {
    /// The splitter of one frame.
    pub(crate) fn new(serialization: Serialization, frame: Bytes) -> Result<Self, FramingError> {
        if serialization == Serialization::Json {
            if frame.len() > MAX_JSON_MESSAGE {
                return Err(FramingError::TooLong {
                    max: MAX_JSON_MESSAGE,
                });
            }
            if std::str::from_utf8(&frame).is_err() {
                return Err(FramingError::NotUtf8);
            }
        }
        let len = u32::try_from(frame.len()).map_err(|_| FramingError::TooLong {
            max: usize::try_from(u32::MAX).unwrap_or(usize::MAX),
        })?;
        Ok(Self {
            serialization,
            len,
            rest: frame,
            started: false,
        })
    }

    /// The number of bytes that are still to come.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl Iterator for Splitter {
    type Item = ChannelMessage;

    fn next(&mut self) -> Option<ChannelMessage> {
        if self.started && self.rest.is_empty() {
            return None;
        }
        let first = !self.started;
        self.started = true;
        match self.serialization {
            Serialization::Json => {
                return Some(ChannelMessage::Binary(std::mem::take(&mut self.rest)));
            }
            Serialization::Raw if first && self.rest.len() <= MAX_MESSAGE => {
                if let Ok(text) = std::str::from_utf8(&self.rest) {
                    let message = ChannelMessage::Text(text.to_owned());
                    self.rest.clear();
                    return Some(message);
                }
            }
            Serialization::Raw => {}
        }
        let head = if first { FIRST_HEAD } else { 1 };
        let piece = self.rest.split_to(self.rest.len().min(MAX_MESSAGE - head));
        let mut message = BytesMut::with_capacity(head + piece.len());
        let more = if self.rest.is_empty() { 0 } else { MORE };
        if first {
            message.put_u8(FIRST | more);
            message.put_u32(self.len);
        } else {
            message.put_u8(more);
        }
        message.put(piece);
        Some(ChannelMessage::Binary(message.freeze()))
    }
}

/// All messages of one frame.
///
/// # Errors
///
/// [`FramingError`] if a `json` channel cannot carry the frame; a `raw` one carries any below 4 GiB.
pub fn split(
    serialization: Serialization,
    frame: &Bytes,
) -> Result<Vec<ChannelMessage>, FramingError> {
    Ok(Splitter::new(serialization, frame.clone())?.collect())
}

/// Makes frames of a channel's messages. After an error it is of no more use.
#[derive(Debug, Clone)]
pub struct Joiner {
    serialization: Serialization,
    max: usize,
    /// The length of the frame whose pieces come, as its first one has said it.
    said: Option<usize>,
    pieces: BytesMut,
}

impl Joiner {
    /// A joiner of frames of at most `max` bytes. It keeps no more than that.
    #[must_use]
    pub fn new(serialization: Serialization, max: usize) -> Self {
        Self {
            serialization,
            max,
            said: None,
            pieces: BytesMut::new(),
        }
    }

    /// Takes the next message, which may complete a frame.
    ///
    /// # Errors
    ///
    /// [`FramingError`] if the messages are no frames, or too long ones.
    pub fn push(&mut self, message: ChannelMessage) -> Result<Option<Incoming>, FramingError> {
        match (self.serialization, message) {
            (Serialization::Json, ChannelMessage::Text(_)) => Err(FramingError::TextOnJson),
            (Serialization::Json, ChannelMessage::Binary(bytes)) => self.json(bytes).map(Some),
            (Serialization::Raw, ChannelMessage::Text(text)) => {
                if self.said.is_some() {
                    return Err(FramingError::TextInside);
                }
                self.whole(Bytes::from(text)).map(Some)
            }
            (Serialization::Raw, ChannelMessage::Binary(bytes)) => self.piece(bytes),
        }
    }

    /// The number of bytes of an incomplete frame that are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.pieces.len()
    }

    fn whole(&self, frame: Bytes) -> Result<Incoming, FramingError> {
        if frame.len() > self.max {
            return Err(FramingError::TooLong { max: self.max });
        }
        Ok(Incoming::Frame(frame))
    }

    fn json(&self, bytes: Bytes) -> Result<Incoming, FramingError> {
        let text = std::str::from_utf8(&bytes).map_err(|_| FramingError::NotUtf8)?;
        if is_goodbye(text) {
            return Ok(Incoming::Goodbye);
        }
        self.whole(bytes)
    }

    fn piece(&mut self, mut bytes: Bytes) -> Result<Option<Incoming>, FramingError> {
        let flag = bytes.try_get_u8().map_err(|_| FramingError::Empty)?;
        if flag > FIRST | MORE {
            return Err(FramingError::Flag(flag));
        }
        let came = self.pieces.len();
        let said = match (flag & FIRST == FIRST, self.said) {
            (true, None) => {
                let said = bytes.try_get_u32().map_err(|_| FramingError::Empty)?;
                // Nothing is kept before the whole is known to fit.
                usize::try_from(said)
                    .ok()
                    .filter(|said| *said <= self.max)
                    .ok_or(FramingError::TooLong { max: self.max })?
            }
            (true, Some(said)) => return Err(FramingError::Cut { said, came }),
            (false, Some(said)) => said,
            (false, None) => return Err(FramingError::NoBeginning),
        };
        if bytes.is_empty() {
            return Err(FramingError::Empty);
        }
        let is_last = flag & MORE == 0;
        let came = came + bytes.len();
        if came > said || (came == said && !is_last) {
            return Err(FramingError::TooMany { said });
        }
        if is_last && came < said {
            return Err(FramingError::Cut { said, came });
        }
        if !is_last {
            self.said = Some(said);
            self.pieces.put(bytes);
            return Ok(None);
        }
        self.said = None;
        if self.pieces.is_empty() {
            return Ok(Some(Incoming::Frame(bytes)));
        }
        self.pieces.put(bytes);
        let frame = std::mem::take(&mut self.pieces).freeze();
        Ok(Some(Incoming::Frame(frame)))
    }
}

/// True if a message of a `json` channel is PeerJS's own. It has nothing else in it.
fn is_goodbye(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Outer {
        #[serde(rename = "__peerData")]
        data: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(rename = "type")]
        kind: String,
    }
    text.len() < 4 * JSON_CLOSE.len()
        && text.trim_start().starts_with('{')
        && text.contains("__peerData")
        && serde_json::from_str::<Outer>(text).is_ok_and(|outer| outer.data.kind == "close")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw() -> Joiner {
        Joiner::new(Serialization::Raw, 100)
    }

    fn binary(bytes: &[u8]) -> ChannelMessage {
        ChannelMessage::Binary(Bytes::copy_from_slice(bytes))
    }

    fn text(text: &str) -> ChannelMessage {
        ChannelMessage::Text(text.into())
    }

    fn frame(bytes: &[u8]) -> Option<Incoming> {
        Some(Incoming::Frame(Bytes::copy_from_slice(bytes)))
    }

    #[test]
    fn a_short_text_is_one_text_message() {
        let max = "é".repeat(MAX_MESSAGE / 2);
        for short in ["", "{}", &max] {
            let messages = split(Serialization::Raw, &Bytes::from(short.to_owned())).unwrap();
            assert_eq!(messages, [text(short)]);
        }
    }

    #[test]
    fn what_is_longer_goes_in_flagged_pieces_that_fit() {
        let frame = Bytes::from(vec![b'x'; MAX_MESSAGE + 1]);
        let messages = split(Serialization::Raw, &frame).unwrap();
        assert!(
            matches!(&messages[0], ChannelMessage::Binary(first) if first[1..5] == [0, 0, 64, 1])
        );
        let heads: Vec<_> = messages
            .iter()
            .map(|message| match message {
                ChannelMessage::Binary(bytes) => (bytes[0], bytes.len()),
                ChannelMessage::Text(_) => panic!("a text"),
            })
            .collect();
        assert_eq!(heads, [(FIRST | MORE, MAX_MESSAGE), (0, 7)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_one_piece() {
        let messages = split(Serialization::Raw, &Bytes::from_static(&[0xFF])).unwrap();
        assert_eq!(messages, [binary(&[FIRST, 0, 0, 0, 1, 0xFF])]);
    }

    #[test]
    fn a_json_page_gets_and_sends_binary_messages() {
        let json = Bytes::from_static(b"{\"type\":\"ping\"}");
        let messages = split(Serialization::Json, &json).unwrap();
        assert_eq!(messages, [ChannelMessage::Binary(json.clone())]);
        let mut joiner = Joiner::new(Serialization::Json, 100);
        assert_eq!(joiner.push(binary(&json)), Ok(frame(&json)));
        assert_eq!(joiner.push(text("{}")), Err(FramingError::TextOnJson));
        assert_eq!(joiner.push(binary(&[0xFF])), Err(FramingError::NotUtf8));
    }

    #[test]
    fn a_json_page_cannot_get_what_its_stack_would_not_take() {
        let long = Bytes::from(vec![b' '; MAX_JSON_MESSAGE + 1]);
        assert!(matches!(
            split(Serialization::Json, &long),
            Err(FramingError::TooLong {
                max: MAX_JSON_MESSAGE
            })
        ));
        assert_eq!(
            split(Serialization::Json, &Bytes::from_static(&[0xFF])),
            Err(FramingError::NotUtf8)
        );
    }

    #[test]
    fn a_json_page_says_goodbye() {
        let mut joiner = Joiner::new(Serialization::Json, 200);
        let goodbye = Serialization::Json.goodbye().unwrap();
        assert_eq!(joiner.push(goodbye), Ok(Some(Incoming::Goodbye)));
        for other in [
            r#"{"__peerData":{"type":"later"}}"#,
            r#"{"__peerData":7}"#,
            r#"{"x":"__peerData"}"#,
        ] {
            assert_eq!(
                joiner.push(binary(other.as_bytes())),
                Ok(frame(other.as_bytes()))
            );
        }
    }

    /// The first piece of a frame that is said to have `said` bytes.
    fn begin(more: u8, said: u8, bytes: &[u8]) -> ChannelMessage {
        binary(&[&[FIRST | more, 0, 0, 0, said], bytes].concat())
    }

    #[test]
    fn malformed_sequences_are_errors() {
        assert_eq!(raw().push(binary(&[])), Err(FramingError::Empty));
        assert_eq!(raw().push(binary(&[FIRST, 0, 0])), Err(FramingError::Empty));
        assert_eq!(raw().push(begin(MORE, 9, &[])), Err(FramingError::Empty));
        assert_eq!(raw().push(binary(&[4, 0])), Err(FramingError::Flag(4)));
        let mut joiner = raw();
        assert_eq!(joiner.push(begin(MORE, 2, &[1])), Ok(None));
        assert_eq!(
            joiner.clone().push(text("x")),
            Err(FramingError::TextInside)
        );
        assert_eq!(joiner.push(binary(&[0])), Err(FramingError::Empty));
    }

    #[test]
    fn a_frame_with_another_number_of_bytes_than_it_has_said_is_none() {
        let cut = |said, came| Err(FramingError::Cut { said, came });
        let too_many = Err(FramingError::TooMany { said: 2 });
        assert_eq!(raw().push(binary(&[0, 7])), Err(FramingError::NoBeginning));
        assert_eq!(
            raw().push(binary(&[MORE, 7])),
            Err(FramingError::NoBeginning)
        );
        assert_eq!(raw().push(begin(0, 2, &[1])), cut(2, 1));
        assert_eq!(raw().push(begin(0, 2, &[1, 2, 3])), too_many);
        assert_eq!(raw().push(begin(MORE, 2, &[1, 2])), too_many);
        let mut joiner = raw();
        assert_eq!(joiner.push(begin(MORE, 2, &[1])), Ok(None));
        assert_eq!(joiner.clone().push(binary(&[0, 2, 3])), too_many);
        assert_eq!(joiner.clone().push(begin(MORE, 2, &[1])), cut(2, 1));
        assert_eq!(joiner.push(binary(&[0, 2])), Ok(frame(&[1, 2])));
    }

    #[test]
    fn the_bound_is_exact() {
        let too_long = Err(FramingError::TooLong { max: 100 });
        let longest = "x".repeat(100);
        assert_eq!(raw().push(text(&longest)), Ok(frame(longest.as_bytes())));
        assert_eq!(raw().push(text(&"x".repeat(101))), too_long);
        assert_eq!(raw().push(begin(MORE, 100, &[7])), Ok(None));
        // Before any of it is kept.
        assert_eq!(raw().push(begin(MORE, 101, &[7])), too_long);
    }

    fn message() -> impl Strategy<Value = ChannelMessage> {
        prop_oneof![
            ".{0,40}".prop_map(ChannelMessage::Text),
            (0..=4_u8, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
                |(flag, mut bytes)| {
                    bytes.insert(0, flag);
                    ChannelMessage::Binary(bytes.into())
                }
            ),
            (
                0..=1_u8,
                0..60_u8,
                proptest::collection::vec(any::<u8>(), 0..40)
            )
                .prop_map(|(more, said, bytes)| begin(more, said, &bytes)),
            proptest::collection::vec(any::<u8>(), 0..3)
                .prop_map(|bytes| ChannelMessage::Binary(bytes.into())),
        ]
    }

    fn serialization() -> impl Strategy<Value = Serialization> {
        prop_oneof![Just(Serialization::Raw), Just(Serialization::Json)]
    }

    proptest! {
        #[test]
        fn what_was_split_is_joined(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            times in prop_oneof![Just(1_usize), 1..400_usize],
            more in ".{0,20}",
        ) {
            let mut joiner = Joiner::new(Serialization::Raw, 1 << 20);
            for sent in [Bytes::from(bytes.repeat(times)), Bytes::from(more)] {
                let mut joined = Vec::new();
                for message in split(Serialization::Raw, &sent).unwrap() {
                    prop_assert!(message.len() <= MAX_MESSAGE);
                    joined.extend(joiner.push(message).unwrap());
                }
                prop_assert_eq!(joined, [Incoming::Frame(sent)]);
                prop_assert_eq!(joiner.kept(), 0);
            }
        }

        #[test]
        fn no_frame_comes_of_pieces_of_which_one_is_missing_or_twice_there(
            len in MAX_MESSAGE + 1..200_000_usize,
            which in any::<proptest::sample::Index>(),
            is_missing in any::<bool>(),
        ) {
            let sent = Bytes::from(vec![b'x'; len]);
            let mut messages = split(Serialization::Raw, &sent).unwrap();
            let at = which.index(messages.len());
            if is_missing {
                messages.remove(at);
            } else {
                messages.insert(at, messages[at].clone());
            }
            // The next frame shows that the last piece of this one is missing.
            messages.push(text("{}"));
            let mut joiner = Joiner::new(Serialization::Raw, 1 << 20);
            let mut frames = Vec::new();
            let end = messages.into_iter().try_for_each(|message| {
                frames.extend(joiner.push(message)?);
                Ok::<_, FramingError>(())
            });
            prop_assert!(end.is_err());
            // A last piece that is twice there comes after a whole frame.
            frames.retain(|frame| *frame != Incoming::Frame(sent.clone()));
            prop_assert_eq!(frames, []);
        }

        #[test]
        fn nothing_makes_it_panic_or_keep_more_than_its_bound(
            serialization in serialization(),
            max in 0..100_usize,
            messages in proptest::collection::vec(message(), 0..20),
        ) {
            let mut joiner = Joiner::new(serialization, max);
            for message in messages {
                match joiner.push(message) {
                    Ok(Some(Incoming::Frame(frame))) => prop_assert!(frame.len() <= max),
                    Ok(Some(Incoming::Goodbye) | None) => {}
                    Err(_) => break,
                }
                prop_assert!(joiner.kept() <= max);
            }
        }
    }
}
