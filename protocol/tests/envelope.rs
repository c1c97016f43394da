//! The envelope: what an owner knows of a frame without its payload, and what it makes of it.

mod common;

use bytes::Bytes;
use hustings_protocol::handshake::{Nonce, VERSION};
use hustings_protocol::{
    Address, Command, DeviceId, Envelope, Epoch, Hello, HistoryMark, Kind, Limits,
    MAX_SAFE_INTEGER, Message, Numbered, OptionAdd, PeerId, Position, Revision, Seq, StoredLog,
    StoredOutbox, UserProfile,
};

use common::{command_id, device, option_id, peer, poll_id, spread};

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("a number that a command can have")
}

fn revision(number: u64) -> Revision {
    Revision::new(number).expect("a revision that there can be")
}

fn call_me(name: &str) -> Command {
    Command::SetProfile(UserProfile {
        name: name.to_owned(),
    })
}

fn frame(id: u8, number: u64, command: Command) -> Bytes {
    Message::Command(Numbered {
        command_id: command_id(id),
        seq: seq(number),
        seen: None,
        command,
    })
    .encode()
}

#[track_caller]
fn parsed(frame: &[u8]) -> Envelope<'_> {
    Envelope::parse(frame, frame.len(), &Limits::default()).expect("a sound frame")
}

// What is too large to be read.

#[test]
fn a_command_that_is_not_read_is_known_by_its_beginning() {
    for number in [1, 9, 10, 64, 1_203_456_789, MAX_SAFE_INTEGER] {
        let large = frame(1, number, call_me(&"x".repeat(2_000)));
        let named = Some((command_id(1), seq(number)));
        assert_eq!(Envelope::numbering_at_start(&large), named, "{number}");
        assert_eq!(Envelope::numbering_at_start(&large[..256]), named);
    }
}

#[test]
fn what_does_not_begin_like_a_command_has_no_name() {
    let sound = String::from_utf8(frame(1, 12, call_me("Bob")).to_vec()).expect("JSON");
    let id = command_id(1).to_string();
    let cut = &sound[..sound.find("12").expect("the number") + 2];
    for other in [
        "",
        "{",
        // An `ack` names a command, too, but in its payload, and without a number.
        &sound.replace(r#""seq":12,"#, ""),
        &sound.replace(r#""seq":12"#, r#""seq":"12""#),
        &sound.replace(r#""seq":12"#, r#""seq":0"#),
        &sound.replace(r#""seq":12"#, r#""seq":-1"#),
        &sound.replace(r#""seq":12"#, r#""seq":1.5"#),
        &sound.replace(r#""seq":12"#, &format!(r#""seq":{}"#, u64::MAX)),
        &sound.replace(r#""seq":12"#, &format!(r#""seq":{}0"#, u64::MAX)),
        &sound.replace(&id, &id.replace('-', "_")),
        &sound.replace(&id, ""),
        // Further in it may be what somebody has typed.
        &sound.replace(
            r#"","commandId"#,
            &format!(r#"","x":"{}","commandId"#, "x".repeat(256)),
        ),
        cut,
    ] {
        assert_eq!(
            Envelope::numbering_at_start(other.as_bytes()),
            None,
            "{other}"
        );
    }
}

#[test]
fn what_is_not_read_is_told_apart_by_its_beginning_and_its_length() {
    let large = "x".repeat(5_000).into_bytes();
    let changed_at = |at: usize| {
        let mut changed = large.clone();
        changed[at] = b'y';
        Envelope::digest_of_unread(&changed)
    };
    let digest = Envelope::digest_of_unread(&large);
    assert_eq!(Envelope::digest_of_unread(&large.clone()), digest);
    for other in [
        changed_at(0),
        changed_at(1_023),
        Envelope::digest_of_unread(&large[1..]),
    ] {
        assert_ne!(other, digest);
    }
    assert_eq!(changed_at(1_024), digest, "the rest is not looked at");
}

// What is beside the payload.

#[test]
fn an_envelope_has_what_is_written_beside_the_payload() {
    let mark = HistoryMark::new(1, 2);
    let sent = frame(1, 7, call_me("Bob"));
    let bare = parsed(&sent);
    assert_eq!(bare.command_id(), Some(command_id(1)));
    assert_eq!((bare.author(), bare.revision()), (None, None));

    let relayed = bare.relayed(peer(2), device(3), revision(4), Some(mark));
    let relayed = relayed.expect("a command");
    let envelope = parsed(&relayed);
    assert_eq!(envelope.command_id(), Some(command_id(1)));
    assert_eq!(envelope.author(), Some(peer(2)));
    assert_eq!(envelope.revision(), Some(revision(4)));
    assert_eq!(envelope.payload(), bare.payload());

    let ping = Message::Ping.encode();
    assert_eq!(parsed(&ping).command_id(), None);
    assert_eq!(parsed(&ping).kind().unwrap().to_string(), "ping");
}

#[test]
fn a_command_gets_another_number_and_nothing_else() {
    let sent = frame(1, 7, call_me("Bob"));
    let renumbered = parsed(&sent).renumbered(seq(8)).expect("a command");
    assert_eq!(renumbered, frame(1, 8, call_me("Bob")));
    assert!(parsed(&Message::Ping.encode()).renumbered(seq(8)).is_err());
}

/// An owner writes one for each command and keeps it, so that is one piece of memory, and no larger
/// than needed.
#[test]
fn a_relayed_command_is_written_without_moving_it() {
    for name in ["Bob", &"x".repeat(2_000)] {
        let sent = frame(1, 7, call_me(name));
        let envelope = parsed(&sent);
        let mut relayed = Bytes::new();
        let measured = allocation_counter::measure(|| {
            let mark = Some(HistoryMark::new(1, 2));
            let frame = envelope.relayed(peer(2), device(3), revision(4), mark);
            relayed = frame.expect("a command");
        });
        assert_eq!(measured.count_total, 1, "{measured:?}");
        assert_eq!(measured.bytes_total, relayed.len() as u64);
    }
}

// The digest of a history.

#[test]
fn a_history_is_another_with_any_other_command() {
    let chained = |before: u64, frame: &Bytes, author: PeerId, device: DeviceId| {
        parsed(frame).chained(before, author, device)
    };
    let sent = frame(1, 7, call_me("Bob"));
    let digest = chained(9, &sent, peer(2), device(3));
    let option = |label: &str| {
        Command::AddOption(OptionAdd {
            poll_id: poll_id(1),
            option_id: option_id(1),
            label: label.to_owned(),
        })
    };
    let retyped = |to: Kind| {
        let text = String::from_utf8(sent.to_vec()).expect("JSON");
        Bytes::from(text.replace("user:profile", to.as_str()))
    };
    let all = [
        digest,
        chained(8, &sent, peer(2), device(3)),
        chained(9, &sent, peer(4), device(3)),
        chained(9, &sent, peer(2), device(4)),
        chained(9, &frame(2, 7, call_me("Bob")), peer(2), device(3)),
        chained(9, &frame(1, 8, call_me("Bob")), peer(2), device(3)),
        chained(9, &frame(1, 7, call_me("Rob")), peer(2), device(3)),
        chained(9, &frame(1, 7, option("Bob")), peer(2), device(3)),
        chained(9, &retyped(Kind::Ack), peer(2), device(3)),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "number {at} is a copy");
    }
    // Whoever has the update makes the same of it as the owner has of the command.
    let relayed = parsed(&sent).relayed(peer(2), device(3), revision(4), None);
    let relayed = relayed.expect("a command");
    assert_eq!(chained(9, &relayed, peer(2), device(3)), digest);
    // It is stored, so it stays what it is.
    assert_eq!(format!("{digest:016x}"), "a6d82796a0ff391e");
}

// What an error says.

#[test]
fn an_error_names_the_type_and_the_reason_and_no_more_than_its_share() {
    let limits = Limits::default();
    let message = |frame: &str| {
        let error = Message::decode(&Bytes::copy_from_slice(frame.as_bytes()), &limits);
        error
            .expect_err("it is wrong")
            .rejection
            .message
            .to_string()
    };
    let long = "x".repeat(1_000);
    let unknown = message(&format!(r#"{{"type":"poll:{long}","payload":{{}}}}"#));
    assert!(
        unknown.contains(&format!("poll:{}", &long[..59])),
        "{unknown}"
    );
    assert!(!unknown.contains(&long[..60]), "{unknown}");

    let missing = message(r#"{"type":"ack"}"#);
    assert!(missing.starts_with("ack "), "{missing}");
    let wrong = message(&format!(
        r#"{{"type":"user:profile","commandId":"{}","seq":1,"payload":{{"name":7}}}}"#,
        command_id(1)
    ));
    assert!(
        wrong.starts_with("user:profile: ") && wrong.ends_with("a string at line 1 column 9"),
        "{wrong}"
    );

    // serde quotes what it did not expect, which is cut between characters.
    for wide in ["x", "é", "✓", "🗳"] {
        let flood = wide.repeat(1_000);
        let text = message(&format!(r#"{{"type":"ack","payload":"{flood}"}}"#));
        let said = text.strip_prefix("ack: ").expect("the type first");
        let bounds = 201 - wide.len()..=200;
        assert!(bounds.contains(&said.len()), "{}: {said}", said.len());
        assert!(
            said.ends_with(wide),
            "nothing is said after the cut: {said}"
        );
    }
}

// The numbers.

#[test]
fn the_next_number_is_one_more_up_to_the_last_that_there_is() {
    for number in [1, 2, 41, MAX_SAFE_INTEGER - 1] {
        assert_eq!(revision(number).next(), revision(number + 1));
        assert_eq!(seq(number).next(), seq(number + 1));
    }
    assert_eq!(Revision::ZERO.next(), revision(1));
    assert_eq!(Revision::MAX.next(), Revision::MAX);
    assert_eq!(seq(MAX_SAFE_INTEGER).next(), seq(MAX_SAFE_INTEGER));
    assert_eq!(Revision::new(MAX_SAFE_INTEGER + 1), None);
    assert_eq!(Seq::new(MAX_SAFE_INTEGER + 1), None);
    assert_eq!(Seq::new(0), None);
}

#[test]
fn an_epoch_is_its_number() {
    for number in [0, 7, u64::MAX] {
        assert_eq!(Epoch::new(number).get(), number);
    }
}

#[test]
fn a_stored_log_is_at_its_last_record() {
    let snapshot = (revision(7), Bytes::new());
    let log = |tail: &[u64]| StoredLog {
        snapshot: snapshot.clone(),
        tail: tail
            .iter()
            .map(|it| (revision(*it), Bytes::new()))
            .collect(),
    };
    assert_eq!(log(&[]).revision(), revision(7));
    assert_eq!(log(&[6, 7]).revision(), revision(7));
    assert_eq!(log(&[7, 8, 9]).revision(), revision(9));
}

#[test]
fn what_this_side_has_stored_is_read_whatever_its_size() {
    let limits = Limits::default();
    let name = "x".repeat(limits.max_name_chars + 1);
    let stored = frame(1, 1, call_me(&name));
    assert!(Message::decode(&stored, &limits).is_err());
    assert!(Message::decode(&stored, &Limits::unbounded()).is_ok());
}

#[test]
fn a_greeting_tells_where_its_copy_is_if_it_has_one() {
    let here = Position {
        epoch: Epoch::new(5),
        revision: revision(6),
        history: Some(HistoryMark::new(1, 2)),
    };
    let told = Hello {
        v: VERSION,
        poll_id: poll_id(1),
        peer_id: peer(2),
        device: device(3),
        nonce: Nonce::from_bytes(spread(4)),
        oldest_seq: Seq::FIRST,
        epoch: Some(here.epoch),
        revision: Some(here.revision),
        history: here.history,
    };
    assert_eq!(told.known(), Some(here));
    for half in [
        Hello {
            epoch: None,
            ..told
        },
        Hello {
            revision: None,
            ..told
        },
    ] {
        assert_eq!(half.known(), None, "half a place is none");
    }
}

#[test]
fn an_address_names_its_person_and_a_new_outbox_begins_at_one() {
    assert_eq!(Address::Owner(peer(1)).peer(), peer(1));
    assert_eq!(Address::Participant(peer(1), device(2)).peer(), peer(1));
    let new = StoredOutbox::default();
    assert_eq!((new.next_seq, new.entries.len()), (Seq::FIRST, 0));
}
