//! A frame is read or refused, the same way by every reader, and what was read is written and read
//! again as itself.

#[path = "../../../../protocol/tests/common/alike.rs"]
mod alike;

use bytes::Bytes;
use hustings_protocol::{DeviceId, Envelope, Limits, Message, PeerId, Revision, batch};

/// Limits that a short frame can be over.
fn tight() -> Limits {
    Limits {
        max_command_bytes: 200,
        max_frame_bytes: 400,
        max_depth: 4,
        max_title_chars: 5,
        max_label_chars: 5,
        max_name_chars: 5,
        max_message_chars: 5,
        max_choices: 1,
        max_options: 2,
        max_members: 2,
        max_invitations: 2,
        max_invitations_at_once: 1,
    }
}

pub(super) fn run(bytes: &[u8]) {
    let tightly = reads(bytes, &tight());
    let usually = reads(bytes, &Limits::default());
    let freely = reads(bytes, &Limits::unbounded());
    // Limits refuse, and change nothing.
    for (less, more) in [(&tightly, &usually), (&usually, &freely)] {
        if less.is_some() {
            assert_eq!(less, more, "a tighter limit reads something else");
        }
    }
    are_apart(bytes);
    alike::is_read_alike(bytes);
    let _ = Envelope::numbering_at_start(bytes);
    let _ = Envelope::digest_of_unread(bytes);
}

/// The messages of a batch are in the bytes, and joined again they are the same messages.
fn are_apart(bytes: &[u8]) {
    let Ok(messages) = batch::messages(bytes, bytes.len()) else {
        return;
    };
    assert!(!messages.is_empty() && messages.len() <= batch::MAX_MESSAGES);
    let copies: Vec<Bytes> = messages
        .iter()
        .map(|it| Bytes::copy_from_slice(it))
        .collect();
    let joined = batch::join(&copies);
    assert!(joined.len() <= bytes.len());
    assert_eq!(batch::is_batch(&joined), copies.len() > 1);
    if copies.len() > 1 {
        assert_eq!(batch::messages(&joined, joined.len()), Ok(messages));
    }
}

fn reads(frame: &[u8], limits: &Limits) -> Option<Message> {
    let read = Message::decode(frame, limits);
    let in_two_steps = Envelope::parse(frame, limits.max_frame_bytes, limits);
    match &in_two_steps {
        Ok(envelope) => {
            assert_eq!(Message::from_envelope(envelope, limits), read);
            is_relayed_as_it_is(envelope);
        }
        Err(error) => assert_eq!(read.as_ref(), Err(error), "refused in one step only"),
    }
    let message = match read {
        Ok(message) => message,
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.is_empty());
            assert!(
                sentence.len() < 2_000,
                "{} bytes of reasons",
                sentence.len()
            );
            return None;
        }
    };
    let encoded = message.encode();
    let again = Message::decode(&encoded, &Limits::unbounded());
    assert_eq!(again.as_ref(), Ok(&message), "{}", encoded.escape_ascii());
    if let Message::Command(command) = &message {
        let numbering = Some((command.command_id, command.seq));
        assert_eq!(Envelope::numbering_at_start(&encoded), numbering);
    }
    Some(message)
}

/// A command that an owner relays keeps its payload, its name and its digest.
fn is_relayed_as_it_is(envelope: &Envelope<'_>) {
    let author = PeerId::from_bytes([7; 32]);
    let device = DeviceId::from_bytes([7; 5]);
    let revision = Revision::new(7).unwrap();
    let Ok(relayed) = envelope.relayed(author, device, revision, None) else {
        return;
    };
    let unbounded = Limits::unbounded();
    let read = Envelope::parse(&relayed, usize::MAX, &unbounded).unwrap();
    assert_eq!(read.payload(), envelope.payload());
    assert_eq!(read.kind(), envelope.kind());
    assert_eq!(read.numbering(), envelope.numbering());
    assert_eq!(read.digest(), envelope.digest());
    assert_eq!(
        (read.author(), read.revision()),
        (Some(author), Some(revision))
    );
}
