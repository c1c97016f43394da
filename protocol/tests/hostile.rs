//! No bytes from outside make a panic or much memory, and every refusal can be told to the peer.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

mod common;

use hustings_protocol::{Command, Envelope, Kind, Limits, Message, Refusal, Revision};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use common::messages::any_message;
use common::{command_id, config, device, option_id, peer, poll_id};

/// Decoding a frame that is accepted holds at no moment more than this many bytes for each of its
/// own, and what it returns is among them. Measured: 2.3, for members without a name or a vote.
const ACCEPTED_FACTOR: u64 = 3;
/// The same for a frame that is refused. Measured: 15.4, for one text of control characters where
/// something else should be: `serde_json` quotes it in its error, each as the six of `\u{7f}`, in a
/// buffer that has just doubled. Nothing of that outlives the call.
const REFUSED_FACTOR: u64 = 20;
/// And this many besides, for the sentence of the refusal and the like.
const CONSTANT: u64 = 4 * 1024;

/// The most bytes that decoding this frame holds at a moment, and whether it is accepted.
fn decode_measured(frame: &[u8]) -> (u64, bool) {
    let limits = Limits::default();
    let mut is_accepted = false;
    let measured = allocation_counter::measure(|| {
        is_accepted = Message::decode(frame, &limits).is_ok();
    });
    assert_eq!(measured.bytes_current, 0, "decoding leaks");
    (measured.bytes_max, is_accepted)
}

fn bound(frame: &[u8], is_accepted: bool) -> u64 {
    let factor = if is_accepted {
        ACCEPTED_FACTOR
    } else {
        REFUSED_FACTOR
    };
    factor * u64::try_from(frame.len()).unwrap() + CONSTANT
}

/// Everything that is done with a frame from outside, and all that must hold of any.
fn endure(frame: &[u8]) {
    common::alike::is_read_alike(frame);
    let limits = Limits::default();
    let (peak, is_accepted) = decode_measured(frame);
    assert!(
        peak <= bound(frame, is_accepted),
        "{peak} bytes were held for a frame of {}",
        frame.len()
    );

    match Message::decode(frame, &limits) {
        Ok(message) => {
            let canonical = message.encode();
            assert_eq!(Message::decode(&canonical, &limits), Ok(message));
        }
        Err(error) => {
            // The refusal must reach who caused it, so it must keep to the limits itself.
            let refusal = Message::Error(Refusal::from(error));
            assert_eq!(Message::decode(&refusal.encode(), &limits), Ok(refusal));
        }
    }

    // What an owner does with it.
    let Ok(envelope) = Envelope::parse(frame, limits.max_command_bytes, &limits) else {
        return;
    };
    let _ = envelope.digest();
    let Ok(relayed) = envelope.relayed(peer(1), device(1), Revision::MAX, None) else {
        return;
    };
    let again = Envelope::parse(&relayed, limits.max_frame_bytes, &limits)
        .expect("what is relayed can be read");
    assert_eq!(again.payload(), envelope.payload());
    assert_eq!(again.numbering(), envelope.numbering());
    if envelope.kind().is_ok_and(Kind::is_command)
        && Message::from_envelope(&envelope, &limits).is_ok()
    {
        let update = Message::from_envelope(&again, &limits);
        assert!(
            matches!(update, Ok(Message::Update(_))),
            "a good command became {update:?}"
        );
    }
}

/// Bits of JSON that have broken parsers.
fn any_poison() -> impl Strategy<Value = Vec<u8>> {
    let texts: Vec<Vec<u8>> = [
        "\0",
        "\u{feff}",
        "\\ud800",
        "\\udfff",
        "\\u0000",
        "\\",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "-0",
        "1e999999999",
        "-9223372036854775809",
        "18446744073709551616",
        "NaN",
        "\"type\":\"ping\",",
        "\"payload\":{},",
        "\"commandId\":null,",
        "\"seq\":1,",
        "\"pollId\":\"\",",
        "\"__proto__\":{},",
        "\u{7f}",
        "\u{10ffff}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        b"\xff".to_vec(),
        b"\xed\xa0\x80".to_vec(),
        b"\xf4\x90\x80\x80".to_vec(),
        b"9".repeat(1_000),
        b"[".repeat(1_000),
        b"{\"a\":".repeat(1_000),
        b"\\u007f".repeat(500),
        b"\x7f".repeat(1_000),
    ])
    .collect();
    select(texts)
}

/// One thing done to the bytes of a frame.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    /// A part of the frame once more, elsewhere in it.
    Repeat(Index, Index, usize),
}

impl Damage {
    fn to(&self, frame: &mut Vec<u8>) {
        if frame.is_empty() {
            return;
        }
        let part = |at: &Index, length: usize| {
            let start = at.index(frame.len());
            start..(start + length).min(frame.len())
        };
        match self {
            Self::Flip(at, bits) => {
                let at = at.index(frame.len());
                frame[at] ^= bits;
            }
            Self::Cut(at) => frame.truncate(at.index(frame.len())),
            Self::Remove(at, length) => {
                frame.drain(part(at, *length));
            }
            Self::Insert(at, bytes) => {
                let at = at.index(frame.len());
                frame.splice(at..at, bytes.iter().copied());
            }
            Self::Repeat(from, at, length) => {
                let copy = frame[part(from, *length)].to_vec();
                let at = at.index(frame.len());
                frame.splice(at..at, copy);
            }
        }
    }
}

fn any_damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        at().prop_map(Damage::Cut),
        (at(), 1..40_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (at(), any_poison()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), at(), 1..80_usize).prop_map(|(from, at, length)| Damage::Repeat(from, at, length)),
    ]
}

/// A value where another one should be: the frame stays JSON, so that this reaches what lies
/// behind the parser.
fn strangers() -> Vec<Value> {
    let deep = (0..200).fold(json!(0), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(0.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("\0\u{feff}\u{2028}"),
        json!("\u{7f}".repeat(3_000)),
        json!("\u{10ffff}".repeat(3_000)),
        json!("x".repeat(20_000)),
        json!([]),
        json!({}),
        json!([[], {}, null]),
        json!(vec![0; 2_000]),
        json!({"voter": null}),
        deep,
    ]
}

fn any_stranger() -> impl Strategy<Value = Value> {
    select(strangers())
}

/// The number of values in this one, with itself.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0_usize,
    }
}

/// Puts `stranger` in place of the value that comes `skip`th, and says whether there was one.
fn replace(value: &mut Value, skip: &mut usize, stranger: &Value) -> bool {
    if *skip == 0 {
        value.clone_from(stranger);
        return true;
    }
    *skip -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| replace(item, skip, stranger)),
        Value::Object(fields) => fields
            .values_mut()
            .any(|field| replace(field, skip, stranger)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[test]
fn every_value_of_every_vector_by_every_stranger() {
    let vectors = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors")).unwrap();
    let strangers = strangers();
    let mut endured = 0;
    for vector in vectors {
        let frame = std::fs::read(vector.unwrap().path()).unwrap();
        let message: Value = serde_json::from_slice(&frame).unwrap();
        for place in 0..count(&message) {
            for stranger in &strangers {
                let mut strange = message.clone();
                assert!(replace(&mut strange, &mut place.clone(), stranger));
                endure(&serde_json::to_vec(&strange).unwrap());
                endured += 1;
            }
        }
    }
    assert!(endured > 5_000, "there are vectors: {endured}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..600)) {
        endure(&bytes);
    }

    #[test]
    fn any_text_in_braces(text in "\\PC{0,200}") {
        endure(format!("{{{text}}}").as_bytes());
    }

    #[test]
    fn any_string_of_poisons(poisons in vec(any_poison(), 0..12)) {
        let mut frame = b"{".to_vec();
        frame.extend(poisons.concat());
        endure(&frame);
    }

    #[test]
    fn damaged_messages(message in any_message(), damages in vec(any_damage(), 1..4)) {
        let mut frame = message.encode().to_vec();
        for damage in &damages {
            damage.to(&mut frame);
        }
        endure(&frame);
    }

    #[test]
    fn two_messages_in_one(
        (first, second) in (any_message(), any_message()),
        (end, start) in any::<(Index, Index)>(),
    ) {
        let (first, second) = (first.encode(), second.encode());
        let mut frame = first[..end.index(first.len())].to_vec();
        frame.extend_from_slice(&second[start.index(second.len())..]);
        endure(&frame);
    }

    #[test]
    fn strange_values(message in any_message(), at in any::<Index>(), stranger in any_stranger()) {
        let mut value: Value = serde_json::from_slice(&message.encode()).unwrap();
        let mut skip = at.index(count(&value));
        prop_assert!(replace(&mut value, &mut skip, &stranger));
        endure(&serde_json::to_vec(&value).unwrap());
    }

    #[test]
    fn payloads_of_other_kinds((one, other) in (any_message(), any_message())) {
        let mut value: Value = serde_json::from_slice(&one.encode()).unwrap();
        let other: Value = serde_json::from_slice(&other.encode()).unwrap();
        value["payload"] = other["payload"].clone();
        endure(&serde_json::to_vec(&value).unwrap());
    }
}

fn frame(kind: &str, payload: &str) -> Vec<u8> {
    let id = command_id(9);
    format!(
        r#"{{"type":"{kind}","commandId":"{id}","seq":1,"revision":1,"epoch":"0000000000000001","author":"{}","device":"{}","payload":{payload}}}"#,
        peer(1),
        device(1)
    )
    .into_bytes()
}

/// `item` as often as fills a frame, `#` being eight digits that are never the same, of those that
/// base32 and hexadecimal have in common.
fn many(item: &str) -> String {
    let times = 128 * 1024 / item.len();
    let items: Vec<String> = (0..times)
        .map(|number| {
            let digits = (0..8)
                .rev()
                .map(|at| char::from(b"abcdef23"[number >> (3 * at) & 7]));
            item.replace('#', &String::from_iter(digits))
        })
        .collect();
    items.join(",")
}

/// The worst frames for their length: small in JSON and large in memory.
fn greedy() -> Vec<(&'static str, Vec<u8>)> {
    let poll = poll_id(1);
    let uuid = |tail: &str| format!("00000000-0000-4000-8000-0000{tail}");
    let state = |options: &str, members: &str| {
        frame(
            "poll:state",
            &format!(
                r#"{{"pollId":"{poll}","owner":"{}","title":"t","multipleChoice":true,"votersMayAddOptions":true,"closed":false,"options":[{options}],"members":{{{members}}}}}"#,
                peer(0)
            ),
        )
    };
    let members = |rest: &str| {
        many(&format!(
            r#""{}#a":{{"role":"voter"{rest}}}"#,
            "a".repeat(43)
        ))
    };
    let option = option_id(1);
    // Escaped by Debug, this is just more than a power of two.
    let long = |character: &str| character.repeat(175_000 / character.len());
    vec![
        (
            "choices",
            frame(
                "poll:vote",
                &format!(
                    r#"{{"pollId":"{poll}","optionIds":[{}]}}"#,
                    many(&format!("\"{}\"", uuid("#")))
                ),
            ),
        ),
        (
            "wrong choices",
            frame(
                "poll:vote",
                &format!(r#"{{"pollId":"{poll}","optionIds":[{}]}}"#, many("0")),
            ),
        ),
        (
            "options",
            state(
                &many(&format!(r#"{{"optionId":"{}","label":"x"}}"#, uuid("#"))),
                "",
            ),
        ),
        ("members", state("", &members(""))),
        (
            "members with a name",
            state("", &members(r#","profile":{"name":"x"}"#)),
        ),
        (
            "members with a vote",
            state(
                &format!(r#"{{"optionId":"{option}","label":"x"}}"#),
                &members(&format!(r#","choices":["{option}"]"#)),
            ),
        ),
        (
            "peers",
            frame(
                "peer:discovery",
                &format!(
                    "[{}]",
                    many(&format!(
                        r#"{{"peerId":"{}","device":"{}","online":true}}"#,
                        peer(1),
                        device(1)
                    ))
                ),
            ),
        ),
        (
            "unknown fields of an error",
            frame(
                "error",
                &format!(
                    r#"{{"commandId":null,"code":"busy","message":"no",{}}}"#,
                    many("\"\":0")
                ),
            ),
        ),
        (
            "an unknown list in an error",
            frame(
                "error",
                &format!(
                    r#"{{"commandId":null,"code":"busy","message":"no","":[{}]}}"#,
                    many("0")
                ),
            ),
        ),
        (
            "an unknown list",
            frame("ping", &format!(r#"{{"":[{}]}}"#, many("0"))),
        ),
        (
            "an unknown list beside the payload",
            [
                br#"{"":["#,
                many("0").as_bytes(),
                br#"],"type":"ping","payload":{}}"#,
            ]
            .concat(),
        ),
        (
            "a long message",
            frame(
                "error",
                &format!(
                    r#"{{"commandId":null,"code":"busy","message":"{}"}}"#,
                    long("x")
                ),
            ),
        ),
        (
            "a long message of escapes",
            frame(
                "error",
                &format!(
                    r#"{{"commandId":null,"code":"busy","message":"{}"}}"#,
                    long("\\n")
                ),
            ),
        ),
        (
            "a long code",
            frame(
                "error",
                &format!(
                    r#"{{"commandId":null,"code":"{}","message":""}}"#,
                    long("x")
                ),
            ),
        ),
        (
            "a long name",
            frame("user:profile", &format!(r#"{{"name":"{}"}}"#, long("é"))),
        ),
        ("a long type", frame(&long("x"), "{}")),
        ("a long type of escapes", frame(&long("\\u007f"), "{}")),
        (
            "a long type of what Debug escapes",
            frame(&long("\u{7f}"), "{}"),
        ),
        (
            "a long type of what Debug makes ten characters of",
            frame(&long("\u{10ffff}"), "{}"),
        ),
        (
            "a long role",
            frame(
                "poll:role:update",
                &format!(
                    r#"{{"pollId":"{poll}","peerId":"{}","role":"{}"}}"#,
                    peer(1),
                    long("x")
                ),
            ),
        ),
        (
            "a long text for a list",
            frame(
                "poll:vote",
                &format!(r#"{{"pollId":"{poll}","optionIds":"{}"}}"#, long("x")),
            ),
        ),
        (
            "a long text that Debug escapes, for a list",
            frame(
                "poll:vote",
                &format!(r#"{{"pollId":"{poll}","optionIds":"{}"}}"#, long("\u{7f}")),
            ),
        ),
        (
            "a long text for the payload",
            frame("ping", &format!("\"{}\"", long("\u{7f}"))),
        ),
        (
            "a long text for a number",
            [
                br#"{"type":"ping","seq":""#,
                long("\u{7f}").as_bytes(),
                br#"","payload":{}}"#,
            ]
            .concat(),
        ),
        (
            "a long id",
            frame(
                "poll:vote",
                &format!(r#"{{"pollId":"{}","optionIds":[]}}"#, long("\u{7f}")),
            ),
        ),
        (
            "a long number",
            frame("user:profile", &format!(r#"{{"name":{}}}"#, long("9"))),
        ),
        (
            "a long fraction",
            frame("user:profile", &format!(r#"{{"name":0.{}}}"#, long("9"))),
        ),
        (
            "a long unknown field",
            frame("ping", &format!(r#"{{"{}":0}}"#, long("\\u007f"))),
        ),
        ("unknown depth", frame("ping", &long("["))),
        ("white space", frame("ping", &format!("{{{}}}", long(" ")))),
        (
            "no UTF-8",
            long("x").into_bytes().into_iter().chain([0xff]).collect(),
        ),
    ]
}

#[test]
fn the_greediest_frames_keep_to_the_bound() {
    let mut failures = String::new();
    for (what, frame) in greedy() {
        let (peak, is_accepted) = decode_measured(&frame);
        let percent = 100 * peak / u64::try_from(frame.len()).unwrap();
        println!("{percent:>5} % {what}, accepted: {is_accepted}");
        if peak > bound(&frame, is_accepted) {
            failures += &format!("{what}: {peak} bytes for {}\n", frame.len());
        }
    }
    assert_eq!(failures, "");
    for (_, frame) in greedy() {
        endure(&frame);
    }
}

/// The envelope of a frame, which is all that a command's repetition costs, takes no memory.
#[test]
fn an_envelope_is_borrowed() {
    let limits = Limits::default();
    let good = frame("user:profile", r#"{"name":"Olga"}"#);
    let measured = allocation_counter::measure(|| {
        let envelope = Envelope::parse(&good, limits.max_command_bytes, &limits).unwrap();
        assert!(envelope.numbering().is_ok());
        let _ = envelope.digest();
    });
    assert_eq!(measured.count_total, 0);
}

/// A frame that is refused for its length is not looked at.
#[test]
fn a_frame_too_large_costs_nothing() {
    let limits = Limits::default();
    let large = vec![b'['; 1024 * 1024];
    let measured = allocation_counter::measure(|| {
        assert!(Envelope::parse(&large, limits.max_command_bytes, &limits).is_err());
    });
    assert!(measured.bytes_total < 1024, "{measured:?}");
}

/// Not hostile, but the largest thing that a default owner sends must come through.
#[test]
fn the_largest_vote_fits_an_owners_bound() {
    let limits = Limits::default();
    let mut vote = Message::decode(
        &frame(
            "poll:vote",
            &format!(r#"{{"pollId":"{}","optionIds":[]}}"#, poll_id(1)),
        ),
        &limits,
    )
    .unwrap();
    let Message::Update(update) = &mut vote else {
        panic!("{vote:?} is no update");
    };
    let Command::Vote(choice) = &mut update.numbered.command else {
        panic!("{update:?} is no vote");
    };
    choice.option_ids = vec![option_id(1); limits.max_choices];
    assert!(vote.encode().len() <= limits.max_command_bytes);
}
