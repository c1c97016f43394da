//! A check of the reader of frames, which the fuzzer runs, too.

use hustings_protocol::{Envelope, Limits};

/// A frame in the usual spelling has a reader of its own; a blank before it leaves it to the
/// parser, which has to find the same.
pub(crate) fn is_read_alike(frame: &[u8]) {
    let limits = Limits::unbounded();
    let with_blank = [b" ", frame].concat();
    let [usual, other] = [frame, &with_blank].map(|frame| {
        let envelope = Envelope::parse(frame, frame.len(), &limits);
        envelope
            .map(|it| format!("{it:?}"))
            .map_err(|error| (error.rejection.code, error.command_id))
    });
    assert_eq!(usual, other, "{}", frame.escape_ascii());
}
