//! Reading frames in the usual spelling: that in which [`write`](super::write) writes them.
//!
//! Nearly every frame is written by this crate, or by a client that follows its vectors: the same
//! fields in the same order, without a blank or an escape. To read just that takes half of the
//! work. Whatever is spelt in another way is no fault, and is left to the parser that knows all of
//! JSON.

use std::borrow::Cow;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Envelope, Fields, Kind};
use crate::{CommandId, DeviceId, Epoch, HistoryMark, PeerId, Revision, Seq};

/// A text that may be spelt as usual.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every frame is the large one, and it is taken apart at once"
)]
pub(super) enum Usual<'a> {
    /// It is, and this is its envelope: never another one than the parser would make of it.
    Sound(Envelope<'a>),
    /// It is, up to a payload that is no JSON, so it is none either. The type, and the error, whose
    /// place is one in the payload.
    Broken(&'a str, serde_json::Error),
    /// It is spelt in another way, sound or not.
    Not,
}

pub(super) fn read(text: &str) -> Usual<'_> {
    let Some((word, kind, fields, payload)) = beside(text) else {
        return Usual::Not;
    };
    // One value, and no blank around it; what comes behind it may be a further field.
    let mut parser = serde_json::Deserializer::from_str(payload);
    match <&RawValue>::deserialize(&mut parser) {
        Ok(raw) if raw.get().len() == payload.len() => Usual::Sound(Envelope {
            word: Cow::Borrowed(word),
            kind: Some(kind),
            fields,
            ballot: None,
            payload: raw,
        }),
        // The parser would meet it, too, and at the same place. An end that comes too early is none
        // of these: the brace that was taken off may belong to the payload.
        Err(error) if error.is_syntax() => Usual::Broken(word, error),
        Ok(_) | Err(_) => Usual::Not,
    }
}

/// Everything before the payload, and the text of that, which begins like an object.
fn beside(text: &str) -> Option<(&str, Kind, Fields, &str)> {
    // First, because it costs nothing: a frame that is cut off is not read twice.
    let inside = text.strip_prefix("{\"type\":\"")?.strip_suffix('}')?;
    let (word, rest) = inside.split_once('"')?;
    let kind = Kind::from_word(word)?;
    let mut rest = Rest(rest);
    // As they are written: in the order of evaluation.
    let fields = Fields {
        command_id: rest.text(",\"commandId\":\"", CommandId::TEXT_LEN)?,
        seq: rest.number(",\"seq\":", Seq::new)?,
        seen: rest.number(",\"seen\":", Revision::new)?,
        author: rest.text(",\"author\":\"", PeerId::TEXT_LEN)?,
        device: rest.text(",\"device\":\"", DeviceId::TEXT_LEN)?,
        after: rest.number(",\"after\":", Revision::new)?,
        revision: rest.number(",\"revision\":", Revision::new)?,
        epoch: rest.text(",\"epoch\":\"", Epoch::TEXT_LEN)?,
        history: rest.text(",\"history\":\"", HistoryMark::TEXT_LEN)?,
    };
    // An object, as every payload is: of any other value, and of `null`, which is as good as none,
    // the parser has to say what is wrong.
    let payload = rest.0.strip_prefix(",\"payload\":")?;
    payload
        .starts_with('{')
        .then_some((word, kind, fields, payload))
}

/// The part of a text that has not been read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// The value of a text field, if this is the next one; `None` if it is spelt in another way.
    ///
    /// `name` goes up to the quotation mark at the beginning of the value.
    fn text<T: FromStr>(&mut self, name: &str, len: usize) -> Option<Option<T>> {
        let Some(behind) = self.0.strip_prefix(name) else {
            return Some(None);
        };
        let (value, behind) = behind.split_at_checked(len)?;
        self.0 = behind.strip_prefix('"')?;
        value.parse().ok().map(Some)
    }

    /// The same of a field that is a number.
    fn number<T>(&mut self, name: &str, of: impl Fn(u64) -> Option<T>) -> Option<Option<T>> {
        let Some(behind) = self.0.strip_prefix(name) else {
            return Some(None);
        };
        let (mut value, mut len) = (0_u64, 0);
        for digit in behind.bytes().take_while(u8::is_ascii_digit) {
            value = value
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            len += 1;
        }
        let has_zeros = len > 1 && behind.starts_with('0');
        self.0 = &behind[len..];
        (len > 0 && !has_zeros).then_some(Some(of(value)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorCode, Limits};

    fn is_usual(text: &str) -> bool {
        matches!(read(text), Usual::Sound(_))
    }

    #[test]
    fn what_is_written_here_is_spelt_as_usual() {
        for vector in [
            include_str!("../../vectors/poll-vote.json"),
            include_str!("../../vectors/poll-vote-update.json"),
            include_str!("../../vectors/poll-option-add.json"),
            include_str!("../../vectors/poll-settings-update.json"),
            include_str!("../../vectors/poll-invitation-redeem.json"),
            include_str!("../../vectors/poll-tally.json"),
            include_str!("../../vectors/poll-state.json"),
            include_str!("../../vectors/ack.json"),
            include_str!("../../vectors/ping.json"),
        ] {
            let text = vector.trim_end();
            assert!(is_usual(text), "{text}");
            let other = text.replacen("\",\"", "\", \"", 1);
            assert!(other == text || !is_usual(&other), "{other}");
        }
    }

    #[test]
    fn another_spelling_is_left_to_the_parser() {
        let usual = r#"{"type":"poll:vote","seq":12,"seen":0,"payload":{"a":[1, 2]}}"#;
        assert!(is_usual(usual));
        for (from, to) in [
            ("{\"type", "{ \"type"),
            ("poll:vote", "poll:votes"),
            ("poll:vote", "poll\\u003avote"),
            (":12", ":012"),
            (":12", ": 12"),
            (":12", ":-12"),
            (":12", ":1.2"),
            (":12", ":1e2"),
            (":12", ":"),
            (":12", ":null"),
            (":12", ":\"12\""),
            (":12", ":0"),
            (":12", ":99999999999999999999999"),
            (",\"seen\":0", ",\"seen\":0,\"seq\":12"),
            ("\"seq\":12,\"seen\":0", "\"seen\":0,\"seq\":12"),
            ("\"payload\":{", "\"payload\": {"),
            ("{\"a\":[1, 2]}", "null"),
            ("{\"a\":[1, 2]}", "[1, 2]"),
            ("{\"a\":[1, 2]}", "1"),
            ("]}}", "]} }"),
            ("]}}", "]},\"seq\":12}"),
            ("]}}", "]}}}"),
            ("]}}", "]}} "),
            ("]}}", "]}"),
        ] {
            let other = usual.replacen(from, to, 1);
            assert_ne!(other, usual);
            assert!(!is_usual(&other), "{other}");
        }
    }

    /// One fault at a time at each place of a sound text: if this module says that the JSON is
    /// broken, so does the parser that knows all of it.
    #[test]
    fn broken_payloads_are_broken_for_every_parser() {
        let usual = include_str!("../../vectors/poll-vote.json").trim_end();
        let start = usual.find("\"payload\"").expect("it has one");
        let (mut broken, mut left) = (0, 0);
        for at in start..usual.len() {
            for with in ["", "}", "]", "{", ",", "\"", "\\", "\n", "x", " "] {
                for until in [at, at + 1] {
                    let text = [&usual[..at], with, &usual[until..]].concat();
                    let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&text);
                    match read(&text) {
                        Usual::Broken(word, _) => {
                            assert_eq!(word, "poll:vote");
                            assert!(parsed.is_err_and(|error| error.is_syntax()), "{text}");
                            broken += 1;
                        }
                        Usual::Sound(_) => assert!(parsed.is_ok(), "{text}"),
                        Usual::Not => left += 1,
                    }
                }
            }
        }
        assert!(broken > 500 && left > 100, "{broken} {left}");
        let cut = usual.replacen("]}}", "]]}", 1);
        let error = Envelope::parse(cut.as_bytes(), cut.len(), &Limits::default());
        let rejection = error.expect_err("it is no JSON").rejection;
        assert_eq!(rejection.code, ErrorCode::Malformed);
        assert!(
            rejection
                .message
                .starts_with("poll:vote: expected `,` or `}` at line 1 column ")
        );
    }
}
