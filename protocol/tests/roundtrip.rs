//! Round trips: a written value is read back as the same value, and nothing has two spellings.

mod common;

use std::fmt::{Debug, Display};
use std::str::FromStr;

use hustings_protocol::handshake::{Nonce, Signature};
use hustings_protocol::{
    Address, CommandId, DeviceId, Envelope, Epoch, Kind, Limits, Message, Numbered, OptionId,
    PeerId, PollId, RoomId, Update,
};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use common::messages::{
    any_address, any_command_id, any_device, any_epoch, any_mark, any_message, any_nonce,
    any_numbered, any_option_id, any_peer, any_poll_id, any_revision, any_room_link, any_signature,
};
use common::{config, device, peer, poll_id};

/// The text form is one, by `Display` as by serde, and is read back as the same value.
fn text_round_trips<T>(id: T) -> Result<(), TestCaseError>
where
    T: Display + FromStr + PartialEq + Debug,
    T::Err: Debug + PartialEq,
{
    prop_assert_eq!(id.to_string().parse(), Ok(id));
    Ok(())
}

fn json_round_trips<T>(id: T) -> Result<(), TestCaseError>
where
    T: Display + serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug,
{
    let json = serde_json::to_string(&id).expect("ids are texts");
    prop_assert_eq!(&json, &format!("\"{id}\""));
    prop_assert_eq!(serde_json::from_str::<T>(&json).ok(), Some(id));
    Ok(())
}

/// The same JSON value with white space wherever JSON lets it be, drawn from `spaces` in turn.
fn spaced(json: &str, spaces: &[&str]) -> String {
    let mut spaces = spaces.iter().copied().cycle();
    let mut out = String::new();
    let mut in_text = false;
    let mut escaped = false;
    for character in json.chars() {
        let structural = !in_text && matches!(character, '{' | '}' | '[' | ']' | ':' | ',');
        if structural {
            out.extend(spaces.next());
        }
        out.push(character);
        if structural {
            out.extend(spaces.next());
        }
        if character == '"' && !escaped {
            in_text = !in_text;
        }
        escaped = in_text && character == '\\' && !escaped;
    }
    out
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_message_is_read_back_as_it_was(message in any_message()) {
        let frame = message.encode();
        prop_assert_eq!(Message::decode(&frame, &Limits::default()), Ok(message.clone()));
        prop_assert_eq!(message.encode(), frame, "equal messages make equal bytes");
    }

    #[test]
    fn white_space_between_tokens_means_nothing(
        message in any_message(),
        spaces in proptest::collection::vec(
            proptest::sample::select(vec!["", " ", "\t", "\r\n", "  \n"]),
            1..6,
        ),
    ) {
        let frame = String::from_utf8(message.encode().to_vec()).unwrap();
        let frame = spaced(&frame, &spaces);
        prop_assert_eq!(Message::decode(frame.as_bytes(), &Limits::default()), Ok(message));
    }

    #[test]
    fn fields_come_in_any_order(message in any_message()) {
        // serde_json's own map is sorted by name, which is not the order in which we write.
        let value: Value = serde_json::from_slice(&message.encode()).unwrap();
        let sorted = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(Message::decode(&sorted, &Limits::default()), Ok(message));
    }

    #[test]
    fn a_relayed_command_is_the_update(
        numbered in any_numbered(),
        author in any_peer(),
        device in any_device(),
        revision in any_revision(),
        history in option::of(any_mark()),
    ) {
        let frame = Message::Command(numbered.clone()).encode();
        let sent = Envelope::parse(&frame, frame.len(), &Limits::default()).unwrap();
        let relayed = sent.relayed(author, device, revision, history).unwrap();

        let numbered = Numbered { seen: None, ..numbered };
        let update = Message::Update(Update { author, device, revision, history, numbered });
        prop_assert_eq!(&relayed, &update.encode(), "relaying and encoding agree");
        prop_assert_eq!(Message::decode(&relayed, &Limits::default()), Ok(update));
    }

    #[test]
    fn a_relayed_payload_keeps_its_bytes(
        numbered in any_numbered(),
        author in any_peer(),
        device in any_device(),
        revision in any_revision(),
        history in option::of(any_mark()),
    ) {
        let frame = String::from_utf8(Message::Command(numbered.clone()).encode().to_vec()).unwrap();
        let (head, payload) = frame.split_once(r#""payload":"#).unwrap();
        let payload = payload.strip_suffix('}').unwrap();
        // A later version's field, with a number and an escape that a re-encoding would alter.
        let payload = payload.replacen('{', r#"{"later": [1.50, "\u0041\/"],"#, 1);
        let payload = spaced(&payload, &["\n", " \t ", ""]);
        let payload = payload.trim();
        let frame = format!("{head}\"payload\" : {payload} }}");

        let sent = Envelope::parse(frame.as_bytes(), frame.len(), &Limits::default()).unwrap();
        prop_assert_eq!(sent.payload(), payload);
        let relayed = sent.relayed(author, device, revision, history).unwrap();
        let received = Envelope::parse(&relayed, relayed.len(), &Limits::default()).unwrap();
        prop_assert_eq!(received.payload(), payload);
        prop_assert_eq!(received.digest(), sent.digest());
        let numbered = Numbered { seen: None, ..numbered };
        prop_assert_eq!(
            Message::from_envelope(&received, &Limits::default()),
            Ok(Message::Update(Update { author, device, revision, history, numbered }))
        );
    }

    #[test]
    fn ids_are_read_back_as_they_were(
        peer in any_peer(),
        device in any_device(),
        poll in any_poll_id(),
        option in any_option_id(),
        command in any_command_id(),
        nonce in any_nonce(),
        signature in any_signature(),
        epoch in any_epoch(),
        room in any_room_link(),
        address in any_address(),
    ) {
        text_round_trips(peer)?;
        text_round_trips(device)?;
        text_round_trips(poll)?;
        text_round_trips(option)?;
        text_round_trips(command)?;
        text_round_trips(nonce)?;
        text_round_trips(signature)?;
        text_round_trips(epoch)?;
        text_round_trips(room)?;
        text_round_trips(address)?;
        json_round_trips(peer)?;
        json_round_trips(device)?;
        json_round_trips(poll)?;
        json_round_trips(option)?;
        json_round_trips(command)?;
        json_round_trips(nonce)?;
        json_round_trips(signature)?;
        json_round_trips(epoch)?;
    }

    #[test]
    fn one_changed_character_makes_another_id_or_none(
        peer in any_peer(),
        poll in any_poll_id(),
        epoch in any_epoch(),
        at in any::<prop::sample::Index>(),
        character in any::<char>(),
    ) {
        fn changed<T: FromStr + Display + PartialEq>(id: &T, at: prop::sample::Index, to: char) -> bool {
            let text = id.to_string();
            let at = at.index(text.len());
            let other: String =
                text.char_indices().map(|(index, old)| if index == at { to } else { old }).collect();
            // Whatever is accepted is the one spelling of what it is read as.
            other.parse::<T>().is_ok_and(|read| read.to_string() != other || (&read == id) != (text == other))
        }
        prop_assert!(!changed(&peer, at, character));
        prop_assert!(!changed(&poll, at, character));
        prop_assert!(!changed(&epoch, at, character));
    }

    #[test]
    fn an_address_suits_peerjs(address in any_address()) {
        // ^[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*$
        let text = address.to_string();
        let good = text
            .split([' ', '_', '-'])
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        prop_assert!(good, "{}", text);
    }
}

/// Every one of these is refused, as text and as JSON.
fn refused<T: FromStr + serde::de::DeserializeOwned>(what: &str, texts: &[String]) {
    for text in texts {
        assert!(text.parse::<T>().is_err(), "{what} {text:?} was accepted");
        let json = serde_json::to_string(text).expect("a text is JSON");
        assert!(
            serde_json::from_str::<T>(&json).is_err(),
            "{what} {json} was accepted"
        );
    }
}

#[test]
fn base32_has_one_spelling() {
    /// `spare` is a last character whose lowest bits are beyond the last byte and are set.
    fn misspelt(canonical: &str, spare: Option<char>) -> Vec<String> {
        let short = &canonical[..canonical.len() - 1];
        let mut texts = vec![
            String::new(),
            canonical.to_uppercase(),
            format!("A{}", &canonical[1..]),
            short.to_owned(),
            format!("{canonical}a"),
            format!("{canonical}="),
            format!("{short}="),
            format!(" {canonical}"),
            format!("{short} "),
            format!("{short}\n"),
            format!("{short}-"),
            // The digits that RFC 4648 leaves out because they look like letters.
            format!("{short}0"),
            format!("{short}1"),
            format!("{short}8"),
            // As many bytes as an id has, and fewer characters.
            format!("{}é", &canonical[..canonical.len() - 2]),
        ];
        texts.extend(spare.map(|last| format!("{short}{last}")));
        texts
    }

    // 52 × 5 = 260 bits for 256, 8 × 5 = 40 for 40, 103 × 5 = 515 for 512.
    refused::<PeerId>("peer id", &misspelt(&"a".repeat(52), Some('b')));
    refused::<Nonce>("nonce", &misspelt(&"a".repeat(52), Some('p')));
    refused::<DeviceId>("device id", &misspelt(&"a".repeat(8), None));
    refused::<Signature>("signature", &misspelt(&"a".repeat(103), Some('e')));
}

#[test]
fn uuids_have_one_spelling() {
    let canonical = "5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e5f";
    let simple = canonical.replace('-', "");
    let texts = [
        String::new(),
        canonical.to_uppercase(),
        canonical.replacen('f', "F", 1),
        simple.clone(),
        format!("{{{canonical}}}"),
        format!("{{{}}}", &canonical[..34]),
        format!("urn:uuid:{canonical}"),
        format!("{canonical} "),
        canonical[..35].to_owned(),
        format!("{canonical}0"),
        // 36 characters, with the hyphens elsewhere or too few of them.
        format!(
            "{}-{}-{}-{}-{}",
            &simple[..7],
            &simple[7..13],
            &simple[13..17],
            &simple[17..21],
            &simple[21..]
        ),
        format!("{simple}0000"),
        canonical.replace('-', "_"),
        canonical.replacen('5', "g", 1),
        canonical.replacen("5f", "é", 1),
    ];
    assert_eq!(canonical.parse::<PollId>().unwrap().to_string(), canonical);
    refused::<PollId>("poll id", &texts);
    refused::<OptionId>("option id", &texts);
    refused::<CommandId>("command id", &texts);
}

#[test]
fn an_epoch_has_one_spelling() {
    refused::<Epoch>(
        "epoch",
        &[
            "".to_owned(),
            "0".to_owned(),
            "00000000000000AB".to_owned(),
            "0x000000000000ab".to_owned(),
            "+00000000000000a".to_owned(),
            "00000000000000ab0".to_owned(),
            "00000000000000g0".to_owned(),
            " 0000000000000ab".to_owned(),
        ],
    );
}

#[test]
fn addresses_and_room_links_have_one_spelling() {
    let (peer, device, poll) = (peer(1), device(2), poll_id(0xab));
    for text in [
        format!("{peer}"),
        format!("{peer}/"),
        format!("/{poll}"),
        format!("{peer}//{poll}"),
        format!("{peer}/{poll}/"),
        format!("{peer}-{poll}"),
        format!("{poll}/{peer}"),
        format!("{peer}/{}", poll.to_string().to_uppercase()),
    ] {
        assert!(text.parse::<RoomId>().is_err(), "{text:?} was accepted");
    }
    for text in [
        String::new(),
        format!("{peer}-"),
        format!("-{device}"),
        format!("{peer}_{device}"),
        format!("{peer} {device}"),
        format!("{peer}--{device}"),
        format!("{peer}-{device}-{device}"),
        format!("{peer}{device}"),
        format!("{device}-{peer}"),
    ] {
        assert!(text.parse::<Address>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn every_kind_has_its_own_word() {
    for kind in Kind::all() {
        assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
    }
    assert_eq!(Kind::from_word("poll"), None);
    assert_eq!(Kind::from_word("Ping"), None);
}

#[test]
fn every_error_code_has_its_own_word() {
    use hustings_protocol::ErrorCode;

    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from(code.as_str()), *code);
    }
    let later = ErrorCode::from("of-a-later-version");
    assert_eq!(later.as_str(), "of-a-later-version");
}
