//! Limits: the largest sizes of frames, texts and polls.

/// Bounds on what is accepted from a peer, and on how large a poll may grow.
///
/// Both ends of a room should have the same limits: a participant with tighter ones than its owner
/// refuses frames that the owner relays to everybody. Texts are counted in characters (Unicode
/// scalar values), because a person who hits the limit can count those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message that an owner accepts, in bytes. A batch may have 16 KiB if that is more.
    /// Default 16 KiB: the largest vote (of
    /// [`max_choices`](Self::max_choices) options) takes 4 KiB, and one WebRTC message carries
    /// 16 KiB everywhere.
    pub max_command_bytes: usize,
    /// Largest frame that a participant accepts, in bytes; a batch may have 16 KiB if that is more.
    /// Default 64 MiB; it bounds a snapshot.
    pub max_frame_bytes: usize,
    /// Deepest nesting of objects and arrays in a frame. Default 16; a snapshot needs 6.
    pub max_depth: usize,
    /// Longest title of a poll, in characters. Default 300.
    pub max_title_chars: usize,
    /// Longest label of an option, in characters. Default 200.
    pub max_label_chars: usize,
    /// Longest name in a profile, in characters. Default 64.
    pub max_name_chars: usize,
    /// Longest sentence of an `error`, in characters. Default 500.
    pub max_message_chars: usize,
    /// Most options in one vote. Default 100.
    pub max_choices: usize,
    /// Most options in a poll. Default 1,000.
    pub max_options: usize,
    /// Most members in a poll, which are all who voted, have a name or were given a role. Default
    /// 100,000.
    pub max_members: usize,
    /// Most invitations in a poll, with those that were redeemed or withdrawn. Default 10,000.
    pub max_invitations: usize,
    /// Most invitations in one command. Default 256, which take half of
    /// [`max_command_bytes`](Self::max_command_bytes).
    pub max_invitations_at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_command_bytes: 16 * 1024,
            max_frame_bytes: 64 * 1024 * 1024,
            max_depth: 16,
            max_title_chars: 300,
            max_label_chars: 200,
            max_name_chars: 64,
            max_message_chars: 500,
            max_choices: 100,
            max_options: 1_000,
            max_members: 100_000,
            max_invitations: 10_000,
            max_invitations_at_once: 256,
        }
    }
}

impl Limits {
    /// No limits, for records that this side has stored itself: they were held against the limits
    /// of their day, and a later build with tighter ones has to read them all the same.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            max_command_bytes: usize::MAX,
            max_frame_bytes: usize::MAX,
            // The parser has a bound of its own.
            max_depth: usize::MAX,
            max_title_chars: usize::MAX,
            max_label_chars: usize::MAX,
            max_name_chars: usize::MAX,
            max_message_chars: usize::MAX,
            max_choices: usize::MAX,
            max_options: usize::MAX,
            max_members: usize::MAX,
            max_invitations: usize::MAX,
            max_invitations_at_once: usize::MAX,
        }
    }
}

/// True if a text has at most `max` characters. The bytes are compared first, which is enough for
/// nearly every text.
pub(crate) fn fits(text: &str, max: usize) -> bool {
    text.len() <= max || text.chars().count() <= max
}

/// True if no object or array of this JSON text lies deeper than `max`.
///
/// It runs before the parser, which would skip an unknown field of any depth.
pub(crate) fn is_shallow(json: &str, max: usize) -> bool {
    // A command has fewer brackets in total than it may have levels. To count them costs a tenth of
    // the work of matching them.
    if memchr::memchr2_iter(b'{', b'[', json.as_bytes())
        .nth(max)
        .is_none()
    {
        return true;
    }
    let mut depth = 0_usize;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => {
                        bytes.next();
                    }
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_texts() {
        assert!(is_shallow(r#"{"a":[{}]}"#, 3));
        assert!(!is_shallow(r#"{"a":[{}]}"#, 2));
        assert!(is_shallow(r#"{"a":"[[[[\"[[[["}"#, 1));
        assert!(is_shallow("[][][][]", 1), "siblings do not nest");
        assert!(
            is_shallow("}}}}[", 1),
            "stray closings are the parser's business"
        );
        assert!(is_shallow("\"\\", 1), "an unfinished text ends the scan");
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert!(fits("ééé", 3));
        assert!(!fits("éééé", 3));
    }
}
