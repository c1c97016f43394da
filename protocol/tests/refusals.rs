//! Each way in which a message is refused: with which word, and whether the command that it spoke
//! of is named, so that its sender knows what the refusal ends.

mod common;

use hustings_protocol::{
    Command, DecodeError, Envelope, ErrorCode, Limits, Message, Revision, Seq,
};

use common::{command_id, device, option_id, peer, poll_id};

/// A refused frame, the word, and whether the refusal names the command.
struct Case {
    what: &'static str,
    frame: Vec<u8>,
    code: ErrorCode,
    names_command: bool,
}

fn case(
    what: &'static str,
    frame: impl Into<Vec<u8>>,
    code: ErrorCode,
    names_command: bool,
) -> Case {
    Case {
        what,
        frame: frame.into(),
        code,
        names_command,
    }
}

/// Small enough to be passed in a line of a table.
fn limits() -> Limits {
    Limits {
        max_frame_bytes: 1_000,
        max_depth: 5,
        max_title_chars: 10,
        max_label_chars: 10,
        max_name_chars: 10,
        max_message_chars: 200,
        max_choices: 3,
        max_options: 3,
        max_members: 3,
        ..Limits::default()
    }
}

fn decode(frame: &[u8]) -> Result<Message, DecodeError> {
    Message::decode(frame, &limits())
}

fn check(cases: Vec<Case>) {
    let mut failures = Vec::new();
    for Case {
        what,
        frame,
        code,
        names_command,
    } in cases
    {
        let named = names_command.then(|| command_id(9));
        let result = decode(&frame);
        let is_as_expected = result.as_ref().is_err_and(|error| {
            error.rejection.code == code
                && error.command_id == named
                && !error.rejection.message.is_empty()
        });
        if !is_as_expected {
            let frame = String::from_utf8_lossy(&frame).into_owned();
            failures.push(format!("{what}: not {code}: {result:?}: {frame}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A frame of a command with this type and payload.
fn command(kind: &str, payload: &str) -> String {
    let id = command_id(9);
    format!(r#"{{"type":"{kind}","commandId":"{id}","seq":7,"payload":{payload}}}"#)
}

/// A frame without anything beside type and payload.
fn frame(kind: &str, payload: &str) -> String {
    format!(r#"{{"type":"{kind}","payload":{payload}}}"#)
}

/// A frame of a vote whose envelope has these further fields.
fn vote_with(fields: &str) -> String {
    format!(
        r#"{{"type":"poll:vote",{fields}"payload":{}}}"#,
        vote_payload()
    )
}

fn vote_payload() -> String {
    format!(
        r#"{{"pollId":"{}","optionIds":["{}"]}}"#,
        poll_id(3),
        option_id(1)
    )
}

fn vote() -> String {
    command("poll:vote", &vote_payload())
}

fn state(options: &str, members: &str) -> String {
    state_with("title", options, members)
}

fn state_with(title: &str, options: &str, members: &str) -> String {
    let (poll, owner) = (poll_id(3), peer(0));
    format!(
        r#"{{"type":"poll:state","revision":1,"epoch":"00000000000000ab","payload":{{"pollId":"{poll}","owner":"{owner}","title":"{title}","multipleChoice":false,"votersMayAddOptions":false,"closed":false,"options":{options},"members":{members}}}}}"#
    )
}

fn option(number: u8, label: &str) -> String {
    format!(
        r#"{{"optionId":"{}","label":"{label}"}}"#,
        option_id(number)
    )
}

#[test]
fn what_the_table_starts_from_is_accepted() {
    for frame in [
        vote(),
        state("[]", "{}"),
        state(&format!("[{}]", option(1, "one")), "{}"),
        frame("ping", "{}"),
        command("user:profile", r#"{"name":"Olga"}"#),
    ] {
        decode(frame.as_bytes()).unwrap_or_else(|error| panic!("{error}: {frame}"));
    }
}

#[test]
fn too_large() {
    let at_most = limits().max_frame_bytes;
    let mut fits = vote().into_bytes();
    fits.resize(at_most, b' ');
    assert!(decode(&fits).is_ok(), "a frame of exactly {at_most} bytes");
    fits.push(b' ');
    check(vec![case(
        "a byte too much",
        fits,
        ErrorCode::TooLarge,
        false,
    )]);

    // An owner has a bound of its own.
    let frame = vote();
    assert!(Envelope::parse(frame.as_bytes(), frame.len(), &limits()).is_ok());
    let error = Envelope::parse(frame.as_bytes(), frame.len() - 1, &limits()).unwrap_err();
    assert_eq!(error.rejection.code, ErrorCode::TooLarge);
}

#[test]
fn too_deep() {
    // Two levels are the frame's and the payload's own.
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        command(
            "user:profile",
            &format!(r#"{{"name":"x","later":{open}{close}}}"#),
        )
    };
    assert!(
        decode(nested(3).as_bytes()).is_ok(),
        "{} levels",
        limits().max_depth
    );
    check(vec![
        case("a level too much", nested(4), ErrorCode::TooDeep, false),
        case("many levels", nested(400), ErrorCode::TooDeep, false),
        case(
            "levels beside the payload",
            vote_with(r#""later":[[[[[]]]]],"#),
            ErrorCode::TooDeep,
            false,
        ),
        case(
            "levels that never close",
            "{\"a\":[[[[[",
            ErrorCode::TooDeep,
            false,
        ),
    ]);
}

#[test]
fn malformed() {
    let bom = format!("\u{feff}{}", vote());
    let truncated = vote()[..vote().len() - 1].to_owned();
    let mut not_text = vote().into_bytes();
    let middle = not_text.len() / 2;
    not_text[middle] = 0xff;
    check(
        [
            ("nothing", Vec::new()),
            ("a space", b" ".to_vec()),
            ("no UTF-8", not_text),
            (
                "a surrogate as UTF-8",
                b"{\"type\":\"\xed\xa0\x80\"}".to_vec(),
            ),
            ("a byte order mark", bom.into_bytes()),
            ("no JSON", b"hello".to_vec()),
            ("a number", b"1".to_vec()),
            ("a text", b"\"ping\"".to_vec()),
            ("null", b"null".to_vec()),
            ("an array", format!("[{}]", vote()).into_bytes()),
            (
                "an array of fields",
                br#"["ping",null,null,null,null,null,null,{}]"#.to_vec(),
            ),
            ("an empty object", b"{}".to_vec()),
            ("no type", br#"{"payload":{}}"#.to_vec()),
            (
                "a type that is null",
                br#"{"type":null,"payload":{}}"#.to_vec(),
            ),
            ("a frame that ends early", truncated.into_bytes()),
            ("two messages", format!("{}{}", vote(), vote()).into_bytes()),
            ("something behind", format!("{},", vote()).into_bytes()),
            ("NUL behind", format!("{}\0", vote()).into_bytes()),
            ("a form feed before", format!("\x0c{}", vote()).into_bytes()),
            ("single quotes", b"{'type':'ping','payload':{}}".to_vec()),
            ("a comment", br#"{/**/"type":"ping","payload":{}}"#.to_vec()),
            (
                "a trailing comma",
                br#"{"type":"ping","payload":{},}"#.to_vec(),
            ),
            (
                "a broken payload",
                br#"{"type":"ping","payload":{"a"}}"#.to_vec(),
            ),
            ("NaN", br#"{"type":"ping","payload":{"a":NaN}}"#.to_vec()),
            (
                "a lone surrogate as the type",
                br#"{"type":"\ud800","payload":{}}"#.to_vec(),
            ),
            (
                "a line break in a text",
                b"{\"type\":\"pi\nng\",\"payload\":{}}".to_vec(),
            ),
        ]
        .into_iter()
        .map(|(what, frame)| case(what, frame, ErrorCode::Malformed, false))
        .collect(),
    );

    // This much was read: the command has a name even where the type has not.
    let id = command_id(9);
    check(vec![case(
        "a command without a type",
        format!(
            r#"{{"commandId":"{id}","seq":7,"payload":{}}}"#,
            vote_payload()
        ),
        ErrorCode::Malformed,
        true,
    )]);
}

#[test]
fn unknown_type() {
    let word = "x".repeat(500);
    check(vec![
        case(
            "a later type",
            frame("poll:later", "{}"),
            ErrorCode::UnknownType,
            false,
        ),
        case(
            "a later command",
            command("poll:later", "{}"),
            ErrorCode::UnknownType,
            true,
        ),
        case(
            "upper case",
            frame("PING", "{}"),
            ErrorCode::UnknownType,
            false,
        ),
        case(
            "a space",
            frame("ping ", "{}"),
            ErrorCode::UnknownType,
            false,
        ),
        case(
            "an empty word",
            frame("", "{}"),
            ErrorCode::UnknownType,
            false,
        ),
        case(
            "a long word",
            frame(&word, "{}"),
            ErrorCode::UnknownType,
            false,
        ),
    ]);
}

/// An owner must answer a later version's command under its number, and know it again.
#[test]
fn an_unknown_command_has_a_number_and_a_digest() {
    let parse = |frame: &str| {
        let envelope = Envelope::parse(frame.as_bytes(), frame.len(), &limits()).unwrap();
        assert_eq!(
            envelope.kind().unwrap_err().rejection.code,
            ErrorCode::UnknownType
        );
        assert_eq!(
            envelope.numbering(),
            Ok((command_id(9), Seq::new(7).unwrap()))
        );
        let relayed = envelope.relayed(peer(1), device(1), Revision::ZERO, None);
        assert_eq!(relayed.unwrap_err().rejection.code, ErrorCode::UnknownType);
        envelope.digest()
    };
    let later = parse(&command("poll:later", "{}"));
    assert_eq!(parse(&command("poll:later", "{}")), later);
    assert_ne!(parse(&command("poll:latest", "{}")), later);
    assert_ne!(parse(&command("poll:later", "{ }")), later);
}

#[test]
fn what_is_no_command_is_not_read_as_one() {
    for frame in [
        command("ping", "{}"),
        command("ack", "{}"),
        state("[]", "{}"),
    ] {
        let envelope = Envelope::parse(frame.as_bytes(), frame.len(), &limits()).unwrap();
        let error = Command::from_envelope(&envelope, &limits()).unwrap_err();
        assert_eq!(error.rejection.code, ErrorCode::Unexpected, "{frame}");
    }
}

/// The envelope is read in one pass, so a field of the wrong form there leaves no command to name.
#[test]
fn bad_field_beside_the_payload() {
    let id = command_id(9);
    let upper = id.to_string().to_uppercase();
    let braced = format!("{{{id}}}");
    let author = peer(1);
    check(
        [
            (
                "a type that is a number",
                r#"{"type":1,"payload":{}}"#.to_owned(),
            ),
            (
                "a type that is an object",
                r#"{"type":{},"payload":{}}"#.to_owned(),
            ),
            (
                "seq 0",
                vote_with(&format!(r#""commandId":"{id}","seq":0,"#)),
            ),
            (
                "a negative seq",
                vote_with(&format!(r#""commandId":"{id}","seq":-1,"#)),
            ),
            (
                "minus zero",
                vote_with(&format!(r#""commandId":"{id}","seq":-0,"#)),
            ),
            (
                "half a seq",
                vote_with(&format!(r#""commandId":"{id}","seq":1.5,"#)),
            ),
            (
                "a seq like a float",
                vote_with(&format!(r#""commandId":"{id}","seq":1.0,"#)),
            ),
            (
                "a seq with an exponent",
                vote_with(&format!(r#""commandId":"{id}","seq":1e0,"#)),
            ),
            (
                "a seq in quotes",
                vote_with(&format!(r#""commandId":"{id}","seq":"1","#)),
            ),
            (
                "seq 2^53",
                vote_with(&format!(r#""commandId":"{id}","seq":9007199254740992,"#)),
            ),
            (
                "seq 2^64",
                vote_with(&format!(
                    r#""commandId":"{id}","seq":18446744073709551616,"#
                )),
            ),
            (
                "a command id in upper case",
                vote_with(&format!(r#""commandId":"{upper}","seq":7,"#)),
            ),
            (
                "a command id in braces",
                vote_with(&format!(r#""commandId":"{braced}","seq":7,"#)),
            ),
            (
                "a command id as a urn",
                vote_with(&format!(r#""commandId":"urn:uuid:{id}","seq":7,"#)),
            ),
            (
                "a command id that is a number",
                vote_with(r#""commandId":7,"seq":7,"#),
            ),
            (
                "revision 2^53",
                vote_with(&format!(
                    r#""commandId":"{id}","seq":7,"revision":9007199254740992,"#
                )),
            ),
            (
                "a negative revision",
                vote_with(&format!(r#""commandId":"{id}","seq":7,"revision":-1,"#)),
            ),
            (
                "an author that is no id",
                vote_with(&format!(r#""commandId":"{id}","seq":7,"author":"me","#)),
            ),
            (
                "an author in upper case",
                vote_with(&format!(
                    r#""commandId":"{id}","seq":7,"author":"{}","#,
                    author.to_string().to_uppercase()
                )),
            ),
            (
                "a device that is too short",
                vote_with(&format!(
                    r#""commandId":"{id}","seq":7,"device":"aaaaaaa","#
                )),
            ),
            (
                "an epoch that is a number",
                frame("sync:request", "{}").replace("{\"type", "{\"epoch\":1,\"type"),
            ),
            (
                "type twice",
                r#"{"type":"ping","type":"ping","payload":{}}"#.to_owned(),
            ),
            (
                "payload twice",
                r#"{"type":"ping","payload":{},"payload":{}}"#.to_owned(),
            ),
            (
                "seq twice",
                vote_with(&format!(r#""commandId":"{id}","seq":7,"seq":7,"#)),
            ),
            (
                "a command id twice",
                vote_with(&format!(
                    r#""commandId":"{id}","seq":7,"commandId":"{id}","#
                )),
            ),
            (
                "seq twice, once with escapes",
                vote_with(&format!(r#""commandId":"{id}","seq":7,"s\u0065q":7,"#)),
            ),
            (
                "a field twice, once null",
                vote_with(&format!(r#""commandId":"{id}","seq":null,"seq":7,"#)),
            ),
        ]
        .into_iter()
        .map(|(what, frame)| case(what, frame, ErrorCode::BadField, false))
        .collect(),
    );
}

#[test]
fn missing_beside_the_payload() {
    let id = command_id(9);
    let (author, device) = (peer(1), device(1));
    check(vec![
        case(
            "no command id",
            vote_with(r#""seq":7,"#),
            ErrorCode::BadField,
            false,
        ),
        case(
            "a command id that is null",
            vote_with(r#""commandId":null,"seq":7,"#),
            ErrorCode::BadField,
            false,
        ),
        case(
            "no seq",
            vote_with(&format!(r#""commandId":"{id}","#)),
            ErrorCode::BadField,
            true,
        ),
        case(
            "a seq that is null",
            vote_with(&format!(r#""commandId":"{id}","seq":null,"#)),
            ErrorCode::BadField,
            true,
        ),
        case(
            "no payload",
            format!(r#"{{"type":"poll:vote","commandId":"{id}","seq":7}}"#),
            ErrorCode::BadField,
            true,
        ),
        case(
            "a payload that is null",
            command("poll:vote", "null"),
            ErrorCode::BadField,
            true,
        ),
        case(
            "an update without an author",
            vote_with(&format!(
                r#""commandId":"{id}","seq":7,"revision":1,"device":"{device}","#
            )),
            ErrorCode::BadField,
            true,
        ),
        case(
            "an update without a device",
            vote_with(&format!(
                r#""commandId":"{id}","seq":7,"revision":1,"author":"{author}","#
            )),
            ErrorCode::BadField,
            true,
        ),
        case(
            "a ping without a payload",
            r#"{"type":"ping"}"#,
            ErrorCode::BadField,
            false,
        ),
        case(
            "a state without a revision",
            state("[]", "{}").replace(r#""revision":1,"#, ""),
            ErrorCode::BadField,
            false,
        ),
        case(
            "a state without an epoch",
            state("[]", "{}").replace(r#""epoch":"00000000000000ab","#, ""),
            ErrorCode::BadField,
            false,
        ),
    ]);
}

#[test]
fn bad_field_in_the_payload_of_a_command() {
    let (poll, option, peer) = (poll_id(3), option_id(1), peer(1));
    let upper = poll_id(0xab).to_string().to_uppercase();
    check(
        [
            ("no poll id", command("poll:vote", r#"{"optionIds":[]}"#)),
            (
                "no options",
                command("poll:vote", &format!(r#"{{"pollId":"{poll}"}}"#)),
            ),
            (
                "options that are null",
                command(
                    "poll:vote",
                    &format!(r#"{{"pollId":"{poll}","optionIds":null}}"#),
                ),
            ),
            (
                "one option for a list",
                command(
                    "poll:vote",
                    &format!(r#"{{"pollId":"{poll}","optionIds":"{option}"}}"#),
                ),
            ),
            (
                "an object for a list",
                command(
                    "poll:vote",
                    &format!(r#"{{"pollId":"{poll}","optionIds":{{}}}}"#),
                ),
            ),
            (
                "null in a list",
                command(
                    "poll:vote",
                    &format!(r#"{{"pollId":"{poll}","optionIds":[null]}}"#),
                ),
            ),
            (
                "a poll id that is null",
                command("poll:vote", r#"{"pollId":null,"optionIds":[]}"#),
            ),
            (
                "a poll id in upper case",
                command(
                    "poll:vote",
                    &format!(r#"{{"pollId":"{upper}","optionIds":[]}}"#),
                ),
            ),
            (
                "a poll id without hyphens",
                command(
                    "poll:vote",
                    &format!(
                        r#"{{"pollId":"{}","optionIds":[]}}"#,
                        poll.to_string().replace('-', "")
                    ),
                ),
            ),
            (
                "a poll id twice",
                command(
                    "poll:vote",
                    &format!(r#"{{"pollId":"{poll}","pollId":"{poll}","optionIds":[]}}"#),
                ),
            ),
            (
                "a name in snake case",
                command(
                    "poll:vote",
                    &format!(r#"{{"poll_id":"{poll}","optionIds":[]}}"#),
                ),
            ),
            (
                "a payload that is a list",
                command("poll:vote", &format!(r#"["{poll}",["{option}"]]"#)),
            ),
            ("a payload that is a text", command("poll:vote", r#""{}""#)),
            ("a payload that is a number", command("poll:vote", "7")),
            ("a payload that is a truth", command("user:profile", "true")),
            (
                "a profile that is a list",
                command("user:profile", r#"["Olga"]"#),
            ),
            (
                "a name that is null",
                command("user:profile", r#"{"name":null}"#),
            ),
            (
                "a name that is a number",
                command("user:profile", r#"{"name":7}"#),
            ),
            (
                "a name that is a list of bytes",
                command("user:profile", r#"{"name":[79]}"#),
            ),
            (
                "a name that is a lone surrogate",
                command("user:profile", r#"{"name":"\ud83c"}"#),
            ),
            (
                "a name with surrogates swapped",
                command("user:profile", r#"{"name":"\udf4e\ud83c"}"#),
            ),
            (
                "no label",
                command(
                    "poll:option:add",
                    &format!(r#"{{"pollId":"{poll}","optionId":"{option}"}}"#),
                ),
            ),
            (
                "a label twice",
                command(
                    "poll:option:add",
                    &format!(
                        r#"{{"pollId":"{poll}","optionId":"{option}","label":"a","label":"b"}}"#
                    ),
                ),
            ),
            (
                "an unknown role",
                command(
                    "poll:role:update",
                    &format!(r#"{{"pollId":"{poll}","peerId":"{peer}","role":"king"}}"#),
                ),
            ),
            (
                "a role in upper case",
                command(
                    "poll:role:update",
                    &format!(r#"{{"pollId":"{poll}","peerId":"{peer}","role":"Voter"}}"#),
                ),
            ),
            (
                "a role that is an object",
                command(
                    "poll:role:update",
                    &format!(r#"{{"pollId":"{poll}","peerId":"{peer}","role":{{"voter":null}}}}"#),
                ),
            ),
            (
                "a role that is a number",
                command(
                    "poll:role:update",
                    &format!(r#"{{"pollId":"{poll}","peerId":"{peer}","role":1}}"#),
                ),
            ),
            (
                "a peer id in upper case",
                command(
                    "poll:role:update",
                    &format!(
                        r#"{{"pollId":"{poll}","peerId":"{}","role":"voter"}}"#,
                        peer.to_string().to_uppercase()
                    ),
                ),
            ),
            (
                "a peer id with set trailing bits",
                command(
                    "poll:role:update",
                    &format!(
                        r#"{{"pollId":"{poll}","peerId":"{}b","role":"voter"}}"#,
                        "a".repeat(51)
                    ),
                ),
            ),
            (
                "a truth in quotes",
                command(
                    "poll:settings",
                    &format!(r#"{{"pollId":"{poll}","closed":"true"}}"#),
                ),
            ),
            (
                "a truth that is a number",
                command(
                    "poll:settings",
                    &format!(r#"{{"pollId":"{poll}","closed":1}}"#),
                ),
            ),
        ]
        .into_iter()
        .map(|(what, frame)| case(what, frame, ErrorCode::BadField, true))
        .collect(),
    );
}

#[test]
fn bad_text() {
    use ErrorCode::BadText;
    let label = state(&format!("[{}]", option(1, " ")), "{}");
    check(vec![
        case(
            "a title of white space",
            state_with("  ", "[]", "{}"),
            BadText,
            false,
        ),
        case("a label of white space", label, BadText, false),
    ]);
}

#[test]
fn bad_field_in_other_payloads() {
    let (id, poll, voter) = (command_id(9), poll_id(3), peer(1));
    let (voter_device, nonce) = (device(1), "a".repeat(52));
    let hello = |v: &str, oldest: &str| {
        frame(
            "auth:hello",
            &format!(
                r#"{{"v":{v},"pollId":"{poll}","peerId":"{voter}","device":"{voter_device}","nonce":"{nonce}"{oldest}}}"#
            ),
        )
    };
    assert!(decode(hello("2", r#","oldestSeq":1"#).as_bytes()).is_ok());
    let one = option(1, "one");
    check(
        [
            ("a ping that is a list", frame("ping", "[]")),
            ("a pong that is a text", frame("pong", r#""""#)),
            ("a hello without its oldest seq", hello("2", "")),
            ("a hello from seq 0", hello("2", r#","oldestSeq":0"#)),
            (
                "a hello with half a version",
                hello("1.5", r#","oldestSeq":1"#),
            ),
            (
                "a hello with a version of 33 bits",
                hello("4294967296", r#","oldestSeq":1"#),
            ),
            (
                "a hello with an epoch that is a number",
                hello("2", r#","oldestSeq":1,"epoch":1"#),
            ),
            (
                "a hello with a revision of 2^53",
                hello("2", r#","oldestSeq":1,"revision":9007199254740992"#),
            ),
            ("a proof without a signature", frame("auth:proof", "{}")),
            (
                "a proof that is a list",
                frame("auth:proof", &format!(r#"["{}"]"#, "a".repeat(103))),
            ),
            (
                "a signature that is too short",
                frame(
                    "auth:proof",
                    &format!(r#"{{"signature":"{}"}}"#, "a".repeat(102)),
                ),
            ),
            ("a sync request without a poll", frame("sync:request", "{}")),
            (
                "an ack without a revision",
                frame("ack", &format!(r#"{{"commandId":"{id}"}}"#)),
            ),
            (
                "an ack of nothing",
                frame("ack", r#"{"commandId":null,"revision":1}"#),
            ),
            (
                "an ack that is a list",
                frame("ack", &format!(r#"["{id}",1]"#)),
            ),
            (
                "an ack of revision 2^53",
                frame(
                    "ack",
                    &format!(r#"{{"commandId":"{id}","revision":9007199254740992}}"#),
                ),
            ),
            (
                "an error without a code",
                frame("error", r#"{"commandId":null,"message":"no"}"#),
            ),
            (
                "an error without a message",
                frame("error", r#"{"commandId":null,"code":"busy"}"#),
            ),
            (
                "an error with two codes",
                frame(
                    "error",
                    r#"{"commandId":null,"code":"busy","code":"busy","message":"no"}"#,
                ),
            ),
            (
                "an error about two commands",
                frame(
                    "error",
                    &format!(
                        r#"{{"commandId":null,"commandId":"{id}","code":"busy","message":"no"}}"#
                    ),
                ),
            ),
            (
                "an error that is a list",
                frame("error", r#"[null,"busy","no"]"#),
            ),
            (
                "a code that is a number",
                frame("error", r#"{"commandId":null,"code":7,"message":"no"}"#),
            ),
            (
                "a discovery that is an object",
                frame("peer:discovery", "{}"),
            ),
            (
                "a peer that is a list",
                frame(
                    "peer:discovery",
                    &format!(r#"[["{voter}","{voter_device}",true]]"#),
                ),
            ),
            (
                "a peer without a device",
                frame(
                    "peer:discovery",
                    &format!(r#"[{{"peerId":"{voter}","online":true}}]"#),
                ),
            ),
            (
                "a state that is a list",
                format!(
                    r#"{{"type":"poll:state","revision":1,"epoch":"00000000000000ab","payload":["{poll}","{voter}","title",false,false,false,[],{{}}]}}"#
                ),
            ),
            ("options that are an object", state("{}", "{}")),
            ("members that are a list", state("[]", "[]")),
            ("members that are null", state("[]", "null")),
            (
                "an option that is a list",
                state(&format!(r#"[["{}","one"]]"#, option_id(1)), "{}"),
            ),
            (
                "a member that is a list",
                state("[]", &format!(r#"{{"{voter}":["voter"]}}"#)),
            ),
            (
                "a member without a role",
                state("[]", &format!(r#"{{"{voter}":{{}}}}"#)),
            ),
            (
                "a member's profile that is a list",
                state(
                    "[]",
                    &format!(r#"{{"{voter}":{{"role":"voter","profile":["Olga"]}}}}"#),
                ),
            ),
            (
                "a member with a name of no peer",
                state("[]", r#"{"me":{"role":"voter"}}"#),
            ),
            (
                "a member twice",
                state(
                    "[]",
                    &format!(r#"{{"{voter}":{{"role":"voter"}},"{voter}":{{"role":"viewer"}}}}"#),
                ),
            ),
            (
                "a second owner",
                state("[]", &format!(r#"{{"{voter}":{{"role":"owner"}}}}"#)),
            ),
            (
                "an owner who is a voter",
                state("[]", &format!(r#"{{"{}":{{"role":"voter"}}}}"#, peer(0))),
            ),
        ]
        .into_iter()
        .map(|(what, frame)| case(what, frame, ErrorCode::BadField, false))
        .collect(),
    );

    // What a state says of itself must fit together.
    let member = |role: &str, choices: &str| {
        format!(r#"{{"{voter}":{{"role":"{role}","choices":[{choices}]}}}}"#)
    };
    let (first, second) = (option_id(1), option_id(2));
    let both = format!("[{one},{}]", option(2, "two"));
    check(vec![
        case(
            "an option twice",
            state(&format!("[{one},{one}]"), "{}"),
            ErrorCode::OptionExists,
            false,
        ),
        case(
            "a choice that is no option",
            state(
                &format!("[{one}]"),
                &member("voter", &format!(r#""{second}""#)),
            ),
            ErrorCode::UnknownOption,
            false,
        ),
        case(
            "two choices where one is allowed",
            state(&both, &member("voter", &format!(r#""{first}","{second}""#))),
            ErrorCode::SingleChoice,
            false,
        ),
        case(
            "one choice that counts twice",
            state(&both, &member("voter", &format!(r#""{first}","{first}""#)))
                .replace(r#""multipleChoice":false"#, r#""multipleChoice":true"#),
            ErrorCode::DuplicateChoice,
            false,
        ),
    ]);
}

#[test]
fn too_long() {
    let poll = poll_id(3);
    let options = |number: usize| {
        let ids: Vec<String> = (0..number)
            .map(|_| format!("\"{}\"", option_id(1)))
            .collect();
        command(
            "poll:vote",
            &format!(r#"{{"pollId":"{poll}","optionIds":[{}]}}"#, ids.join(",")),
        )
    };
    let label = |label: &str| {
        command(
            "poll:option:add",
            &format!(
                r#"{{"pollId":"{poll}","optionId":"{}","label":"{label}"}}"#,
                option_id(1)
            ),
        )
    };
    let name = |name: &str| command("user:profile", &format!(r#"{{"name":"{name}"}}"#));
    let error = |code: &str, message: &str| {
        frame(
            "error",
            &format!(r#"{{"commandId":null,"code":"{code}","message":"{message}"}}"#),
        )
    };
    // Ten characters are twenty or forty bytes, and escapes are one character each.
    for fits in [
        options(3),
        label(&"é".repeat(10)),
        label(r"\u00e9\n\\\u00e9\ud83c\udf4e\n\n\n\n\n"),
        name(&"🍎".repeat(10)),
        error("busy", &"é".repeat(200)),
        state_with(&"é".repeat(10), "[]", "{}"),
    ] {
        decode(fits.as_bytes()).unwrap_or_else(|error| panic!("{error}: {fits}"));
    }
    let many = |number: u8| {
        let options: Vec<String> = (0..number).map(|number| option(number, "x")).collect();
        state(&format!("[{}]", options.join(",")), "{}")
    };
    let crowd = |number: u8| {
        let members: Vec<String> = (1..=number)
            .map(|number| format!(r#""{}":{{"role":"voter"}}"#, peer(number)))
            .collect();
        state("[]", &format!("{{{}}}", members.join(",")))
    };
    assert!(decode(many(3).as_bytes()).is_ok());
    assert!(decode(crowd(3).as_bytes()).is_ok());
    let eleven = "é".repeat(11);
    check(vec![
        case("four choices", options(4), ErrorCode::TooLong, true),
        case("a label", label(&eleven), ErrorCode::TooLong, true),
        case("a name", name(&eleven), ErrorCode::TooLong, true),
        case(
            "an error's message",
            error("busy", &"x".repeat(201)),
            ErrorCode::TooLong,
            false,
        ),
        case(
            "an error's code",
            error(&"x".repeat(201), "no"),
            ErrorCode::TooLong,
            false,
        ),
        case(
            "a title",
            state_with(&eleven, "[]", "{}"),
            ErrorCode::TooLong,
            false,
        ),
        case(
            "a label in a state",
            state(&format!("[{}]", option(1, &eleven)), "{}"),
            ErrorCode::TooLong,
            false,
        ),
        case(
            "a name in a state",
            state(
                "[]",
                &format!(
                    r#"{{"{}":{{"role":"voter","profile":{{"name":"{eleven}"}}}}}}"#,
                    peer(1)
                ),
            ),
            ErrorCode::TooLong,
            false,
        ),
        case("options in a state", many(4), ErrorCode::PollFull, false),
        case("members in a state", crowd(4), ErrorCode::PollFull, false),
    ]);
}

/// A later version may say more, anywhere.
#[test]
fn unknown_fields_are_ignored() {
    let known = decode(vote().as_bytes()).unwrap();
    let beside = vote().replacen('{', r#"{"later":{"a":[1e999]},"later":"\ud800","#, 1);
    assert_eq!(decode(beside.as_bytes()), Ok(known.clone()));
    let inside = vote().replacen(r#""payload":{"#, r#""payload":{"later":null,"later":1,"#, 1);
    assert_eq!(decode(inside.as_bytes()), Ok(known));

    let ping = frame("ping", r#"{"later":1}"#);
    assert_eq!(decode(ping.as_bytes()), Ok(Message::Ping));
    let error = frame(
        "error",
        r#"{"commandId":null,"code":"busy","message":"no","retryAfter":[7]}"#,
    );
    assert!(decode(error.as_bytes()).is_ok());

    let one = format!("[{}]", option(1, "one"));
    let members = format!(r#"{{"{}":{{"role":"voter"}}}}"#, peer(1));
    let known = decode(state(&one, &members).as_bytes()).unwrap();
    let one = one.replace(r#""label""#, r#""later":1,"label""#);
    let members = members.replace(r#""role""#, r#""later":1,"role""#);
    assert_eq!(decode(state(&one, &members).as_bytes()), Ok(known));
}

/// A field that may be absent may be `null`: a page that writes `undefined ?? null` is read.
#[test]
fn null_is_absence_where_absence_is_allowed() {
    let plain = frame("sync:request", &format!(r#"{{"pollId":"{}"}}"#, poll_id(3)));
    let nulls = plain.replacen('{', r#"{"epoch":null,"revision":null,"author":null,"#, 1);
    assert_eq!(decode(nulls.as_bytes()), decode(plain.as_bytes()));
    assert!(decode(plain.as_bytes()).is_ok());

    let settings = |fields: &str| {
        command(
            "poll:settings",
            &format!(r#"{{"pollId":"{}"{fields}}}"#, poll_id(3)),
        )
    };
    let plain = settings("");
    assert!(decode(plain.as_bytes()).is_ok());
    let nulls = settings(r#","closed":null,"votersMayAddOptions":null"#);
    assert_eq!(decode(nulls.as_bytes()), decode(plain.as_bytes()));
}

#[test]
fn a_handshake_of_another_version_is_refused_as_such_whatever_its_fields() {
    for (frame, code) in [
        (
            r#"{"type":"auth:hello","payload":{"v":3}}"#,
            ErrorCode::UnsupportedVersion,
        ),
        (
            r#"{"type":"auth:hello","payload":{"v":1,"nonce":7}}"#,
            ErrorCode::UnsupportedVersion,
        ),
        (
            r#"{"type":"auth:challenge","payload":{"v":9}}"#,
            ErrorCode::UnsupportedVersion,
        ),
        (
            r#"{"type":"auth:hello","payload":{"v":2}}"#,
            ErrorCode::BadField,
        ),
        (
            r#"{"type":"auth:hello","payload":{"v":"2"}}"#,
            ErrorCode::BadField,
        ),
    ] {
        let error = Message::decode(frame.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(error.rejection.code, code, "{frame}");
    }
}

#[test]
fn only_commands_are_relayed() {
    let frame = br#"{"type":"ping","commandId":"01a0c454-5b69-72ab-9251-d0962685785e","seq":1,"payload":{}}"#;
    let envelope = Envelope::parse(frame, 1_000, &Limits::default()).unwrap();
    let error = envelope
        .relayed(peer(1), device(1), Revision::ZERO, None)
        .unwrap_err();
    assert_eq!(error.rejection.code, ErrorCode::Unexpected);
}
