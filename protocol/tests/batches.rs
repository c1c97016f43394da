//! Batches: several messages in one frame, and what a frame is refused for.

mod common;

use bytes::Bytes;
use hustings_protocol::{ErrorCode, Limits, Message, batch};
use proptest::prelude::*;

use common::messages::any_message;

const MAX: usize = batch::MAX_BYTES;
const PING: &str = r#"{"type":"ping","payload":{}}"#;

/// The code and the sentence by which a frame is refused.
fn refused(frame: &[u8], max_bytes: usize) -> (ErrorCode, String) {
    let error = batch::messages(frame, max_bytes).expect_err("it is refused");
    assert_eq!(error.command_id, None);
    (error.rejection.code, error.rejection.message.to_string())
}

fn of(count: usize) -> String {
    format!("[{}]", vec![PING; count].join(","))
}

proptest! {
    #[test]
    fn what_was_joined_is_read_byte_for_byte_in_its_order(
        all in prop::collection::vec(any_message(), 1..12),
    ) {
        let frames: Vec<Bytes> = all.iter().map(Message::encode).collect();
        let frame = batch::join(&frames);
        if let [message] = &frames[..] {
            prop_assert!(!batch::is_batch(&frame), "one alone is never wrapped");
            prop_assert_eq!(&frame, message);
            prop_assert_eq!(frame.as_ptr(), message.as_ptr(), "nor copied");
        } else {
            prop_assert!(batch::is_batch(&frame));
            let size: usize = frames.iter().map(Bytes::len).sum();
            prop_assert_eq!(frame.len(), size + frames.len() + 1);
            let read = batch::messages(&frame, frame.len()).expect("it was written here");
            prop_assert_eq!(&read, &frames);
            for (read, message) in read.into_iter().zip(all) {
                prop_assert_eq!(Message::decode(read, &Limits::default()), Ok(message));
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..60_usize) {
        let _ = batch::messages(&bytes, MAX);
        let frame = of(2);
        let mut damaged = frame.as_bytes()[..cut.min(frame.len())].to_vec();
        damaged.extend(bytes);
        let _ = (batch::is_batch(&damaged), batch::messages(&damaged, MAX));
    }
}

#[test]
fn blanks_between_messages_are_no_part_of_them() {
    let frame = format!(" \n[\t{PING} ,\r\n {PING}\n] ");
    assert!(batch::is_batch(frame.as_bytes()));
    let read = batch::messages(frame.as_bytes(), MAX).expect("JSON lets them be");
    assert_eq!(read, [PING.as_bytes(); 2]);
}

/// A frame that is too long is refused without a look at all of it.
#[test]
fn only_so_many_blanks_come_before_a_batch() {
    for (blanks, is_batch) in [(0, true), (64, true), (65, false), (1 << 20, false)] {
        let frame = format!("{}{}", " ".repeat(blanks), of(2));
        assert_eq!(batch::is_batch(frame.as_bytes()), is_batch, "{blanks}");
    }
}

#[test]
fn messages_are_borrowed_from_the_frame() {
    let frame = of(3);
    for message in batch::messages(frame.as_bytes(), MAX).expect("it is one") {
        assert!(frame.as_bytes().as_ptr_range().contains(&message.as_ptr()));
    }
}

#[test]
fn a_message_and_nonsense_are_no_batch() {
    for frame in [PING, "", " ", "null", "x[", "\"[\"", "1"] {
        assert!(!batch::is_batch(frame.as_bytes()), "{frame:?}");
        let (code, message) = refused(frame.as_bytes(), MAX);
        assert_eq!(code, ErrorCode::Malformed, "{frame:?}");
        assert_eq!(message, "the batch is not a JSON array", "{frame:?}");
    }
}

#[test]
fn as_many_messages_as_a_batch_may_have_are_read_and_one_more_is_refused() {
    let most = of(batch::MAX_MESSAGES);
    let read = batch::messages(most.as_bytes(), MAX).expect("as many as may be");
    assert_eq!(read.len(), batch::MAX_MESSAGES);
    let (code, message) = refused(of(batch::MAX_MESSAGES + 1).as_bytes(), MAX);
    assert_eq!(code, ErrorCode::TooLarge);
    assert_eq!(message, "the batch has more than 256 messages");
}

#[test]
fn a_batch_is_as_large_as_its_reader_lets_it_be() {
    let frame = of(3);
    let read = batch::messages(frame.as_bytes(), frame.len());
    assert_eq!(read.map(|all| all.len()), Ok(3));
    let (code, message) = refused(frame.as_bytes(), frame.len() - 1);
    assert_eq!(code, ErrorCode::TooLarge);
    assert_eq!(message, "the batch has 88 bytes, the limit is 87");
}

#[test]
fn arrays_that_are_no_batch_are_refused_with_a_sentence() {
    let not_a_message = "the batch has something in it that is not a message";
    let not_an_array = "the batch is not a JSON array";
    for (frame, sentence) in [
        ("[]".to_owned(), "the batch is empty"),
        (" [ ] ".to_owned(), "the batch is empty"),
        (format!("[{PING},[{PING}]]"), not_a_message),
        (format!("[{PING},null]"), not_a_message),
        (format!("[{PING},1]"), not_a_message),
        (format!("[{PING},{PING:?}]"), not_a_message),
        (format!("[{PING},]"), not_an_array),
        (format!("[{PING} {PING}]"), not_an_array),
        (format!("[{PING}"), not_an_array),
        (format!("[{PING}}}"), not_an_array),
        (format!("[{PING}]]"), not_an_array),
        (format!("[{PING},{{\"type\":}}]"), not_an_array),
    ] {
        let (code, message) = refused(frame.as_bytes(), MAX);
        assert_eq!(code, ErrorCode::Malformed, "{frame}");
        assert_eq!(message, sentence, "{frame}");
    }
    let (code, message) = refused(b"[{\"type\":\"\xff\"}]", MAX);
    assert_eq!(code, ErrorCode::Malformed);
    assert_eq!(message, "the batch is not UTF-8 text");
}

/// An array of any depth costs a look at its bytes, and no stack.
#[test]
fn depth_is_the_business_of_whoever_reads_a_message() {
    let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(100_000), "]".repeat(100_000));
    let read = batch::messages(deep.as_bytes(), deep.len()).expect("it is an array of one object");
    let error = Message::decode(read[0], &Limits::default()).expect_err("it is too deep");
    assert_eq!(error.rejection.code, ErrorCode::TooDeep);
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        refused(nested.as_bytes(), nested.len()).0,
        ErrorCode::Malformed
    );
}

/// A batch is not a message: nothing that reads one message takes it for one.
#[test]
fn a_batch_is_not_read_as_one_message() {
    let error = Message::decode(of(2).as_bytes(), &Limits::default()).expect_err("it is two");
    assert_eq!(error.rejection.code, ErrorCode::Malformed);
}
