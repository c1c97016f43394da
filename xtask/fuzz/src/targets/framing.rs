//! Pieces of frames make frames, or end the channel, and no more is kept than one frame may have.

use bytes::Bytes;
use hustings_transport_peerjs::wire::{ChannelMessage, Incoming, Joiner, Serialization, split};

use crate::input::Input;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let serialization = match input.below(2) {
        0 => Serialization::Raw,
        _ => Serialization::Json,
    };
    let max = usize::from(input.number());
    whole(serialization, Bytes::copy_from_slice(bytes), max);

    let mut joiner = Joiner::new(serialization, max);
    // Of a frame that is not complete.
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let is_text = input.below(8) == 7;
        let piece = input.some();
        let message = match std::str::from_utf8(piece) {
            Ok(text) if is_text => ChannelMessage::Text(text.to_owned()),
            _ => ChannelMessage::Binary(Bytes::copy_from_slice(piece)),
        };
        let is_raw_piece =
            serialization == Serialization::Raw && matches!(message, ChannelMessage::Binary(_));
        let made = joiner.push(message);
        assert!(
            joiner.kept() <= max + 1,
            "{} bytes kept of {max}",
            joiner.kept()
        );
        let Ok(made) = made else { return };
        if is_raw_piece {
            pieces.extend_from_slice(&piece[1..]);
        }
        match made {
            Some(Incoming::Frame(frame)) => {
                assert!(frame.len() <= max);
                let expected = if is_raw_piece { &pieces[..] } else { piece };
                assert_eq!(frame, expected, "a frame is its pieces");
                assert_eq!(joiner.kept(), 0);
                pieces.clear();
            }
            Some(Incoming::Goodbye) => assert_eq!(serialization, Serialization::Json),
            None => assert!(is_raw_piece),
        }
    }
}

/// A frame that is cut comes out whole, or not at all where it is too long.
fn whole(serialization: Serialization, frame: Bytes, max: usize) {
    // Several messages, too, and often none of them full.
    let frame = Bytes::from(frame.repeat(if max.is_multiple_of(3) { 40 } else { 1 }));
    let Ok(messages) = split(serialization, &frame) else {
        return;
    };
    for (max, fits) in [(frame.len(), true), (max, frame.len() <= max)] {
        let mut joiner = Joiner::new(serialization, max);
        let mut made = Vec::new();
        for message in &messages {
            match joiner.push(message.clone()) {
                Ok(incoming) => made.extend(incoming),
                Err(error) => {
                    assert!(!fits, "{error}");
                    return;
                }
            }
        }
        assert!(fits, "{} bytes where {max} may be", frame.len());
        assert_eq!(made, [Incoming::Frame(frame.clone())]);
    }
}
