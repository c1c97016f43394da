//! The golden vectors of the protocol: a browser reads and writes the same bytes as every other
//! target, and its signatures are the same.

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Nonce, Side, Signature, Transcript};
use hustings_protocol::{DeviceId, Limits, Message, PeerId, PollId, batch};
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

macro_rules! vectors {
    ($($name:literal,)*) => {
        [$(($name, include_bytes!(concat!("../../../protocol/vectors/", $name)).as_slice()),)*]
    };
}

#[wasm_bindgen_test]
fn every_message_is_read_and_written_as_everywhere() {
    let vectors = vectors![
        "ack.json",
        "auth-challenge.json",
        "auth-hello-known.json",
        "auth-hello.json",
        "auth-proof.json",
        "error-without-command.json",
        "error.json",
        "peer-discovery.json",
        "ping.json",
        "poll-option-add-update.json",
        "poll-option-add.json",
        "poll-role-update-update.json",
        "poll-role-update.json",
        "poll-settings-one.json",
        "poll-settings-update.json",
        "poll-settings.json",
        "poll-state.json",
        "poll-vote-update.json",
        "poll-vote-withdrawn.json",
        "poll-vote.json",
        "pong.json",
        "sync-request-known.json",
        "sync-request.json",
        "user-profile-update.json",
        "user-profile.json",
    ];
    for (name, file) in vectors {
        let frame = file.strip_suffix(b"\n").unwrap();
        let message = Message::decode(frame, &Limits::default()).unwrap();
        assert_eq!(message.encode(), frame, "{name}");
    }
}

#[wasm_bindgen_test]
fn the_batch_is_read_and_written_as_everywhere() {
    let file = include_bytes!("../../../protocol/vectors/batch.json");
    let frame = file.strip_suffix(b"\n").unwrap();
    let messages = batch::messages(frame, batch::MAX_BYTES).unwrap();
    let messages = messages.into_iter();
    let read = messages.map(|it| Message::decode(it, &Limits::default()).unwrap());
    let written: Vec<_> = read.map(|message| message.encode()).collect();
    assert_eq!(batch::join(&written), frame);
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

fn hex<const N: usize>(value: &Value, field: &str) -> [u8; N] {
    let bytes = HEXLOWER.decode(text(value, field).as_bytes()).unwrap();
    bytes.try_into().unwrap()
}

fn nonce(value: &Value) -> Nonce {
    serde_json::from_value(value["nonce"].clone()).unwrap()
}

#[wasm_bindgen_test]
fn the_handshake_is_signed_and_verified_as_everywhere() {
    let file = include_str!("../../../protocol/vectors/handshake.json");
    let vector: Value = serde_json::from_str(file).unwrap();
    let (owner, participant) = (&vector["owner"], &vector["participant"]);
    let poll_id: PollId = text(&vector, "pollId").parse().unwrap();
    let device: DeviceId = text(&vector, "device").parse().unwrap();
    let bindings = [owner, participant].map(|side| hex::<32>(side, "binding"));
    let transcript = Transcript {
        owner: text(owner, "peerId").parse().unwrap(),
        participant: text(participant, "peerId").parse().unwrap(),
        poll_id,
        device,
        participant_nonce: nonce(participant),
        owner_nonce: nonce(owner),
        owner_binding: &bindings[0],
        participant_binding: &bindings[1],
    };
    for (side, of) in [(Side::Owner, owner), (Side::Participant, participant)] {
        let key = SigningKey::from_bytes(&hex(of, "secretKey"));
        assert_eq!(PeerId::of(&key).as_bytes(), &hex::<32>(of, "publicKey"));
        let signature = transcript.sign(side, &key);
        assert_eq!(signature, Signature::from_bytes(hex(of, "signatureHex")));
        transcript.verify(side, &signature).unwrap();

        let other = Transcript {
            owner_binding: &[0; 32],
            ..transcript
        };
        assert!(other.verify(side, &signature).is_err(), "another channel");
        let mut forged = hex::<64>(of, "signatureHex");
        forged[0] ^= 1;
        assert!(
            transcript
                .verify(side, &Signature::from_bytes(forged))
                .is_err()
        );
    }
}
