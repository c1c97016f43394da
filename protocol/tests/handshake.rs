//! A signature proves one key, on one channel, in one handshake, on one side: and nothing else.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

mod common;

use ed25519_dalek::{SigningKey, Verifier, VerifyingKey};
use hustings_protocol::handshake::{BadSignature, Nonce, Side, Signature, Transcript};
use hustings_protocol::{DeviceId, PeerId, PollId};
use proptest::collection::vec;
use proptest::prelude::*;

use common::config;
use common::messages::{any_device, any_nonce, any_poll_id, any_signature};
use common::transcript::{owner_key, participant_key, transcript};

const SIDES: [Side; 2] = [Side::Owner, Side::Participant];

fn key_of(side: Side) -> SigningKey {
    match side {
        Side::Owner => owner_key(),
        Side::Participant => participant_key(),
    }
}

/// A transcript that owns what it speaks of, as a strategy must.
#[derive(Debug, Clone)]
struct Owned {
    owner: SigningKey,
    participant: SigningKey,
    poll_id: PollId,
    device: DeviceId,
    nonces: (Nonce, Nonce),
    owner_binding: Vec<u8>,
    participant_binding: Vec<u8>,
}

impl Owned {
    fn transcript(&self) -> Transcript<'_> {
        Transcript {
            owner: PeerId::of(&self.owner),
            participant: PeerId::of(&self.participant),
            poll_id: self.poll_id,
            device: self.device,
            participant_nonce: self.nonces.0,
            owner_nonce: self.nonces.1,
            owner_binding: &self.owner_binding,
            participant_binding: &self.participant_binding,
        }
    }
}

fn any_key() -> impl Strategy<Value = SigningKey> {
    any::<[u8; 32]>().prop_map(|seed| SigningKey::from_bytes(&seed))
}

fn any_transcript() -> impl Strategy<Value = Owned> {
    (
        any_key(),
        any_key(),
        any_poll_id(),
        any_device(),
        (any_nonce(), any_nonce()),
        vec(any::<u8>(), 0..40),
        vec(any::<u8>(), 0..40),
    )
        .prop_map(
            |(owner, participant, poll_id, device, nonces, owner_binding, participant_binding)| {
                Owned {
                    owner,
                    participant,
                    poll_id,
                    device,
                    nonces,
                    owner_binding,
                    participant_binding,
                }
            },
        )
}

/// The fields of transcript bytes, by their lengths alone.
fn fields(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut fields = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (field, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        fields.push(field);
        bytes = rest;
    }
    assert!(bytes.is_empty(), "bytes beyond the last field");
    fields
}

/// The transcript with each field changed in turn.
fn changes(of: Transcript<'static>) -> Vec<(&'static str, Transcript<'static>)> {
    let stranger = PeerId::of(&SigningKey::from_bytes(&[99; 32]));
    vec![
        (
            "owner",
            Transcript {
                owner: stranger,
                ..of
            },
        ),
        (
            "participant",
            Transcript {
                participant: stranger,
                ..of
            },
        ),
        (
            "poll id",
            Transcript {
                poll_id: common::poll_id(99),
                ..of
            },
        ),
        (
            "device",
            Transcript {
                device: common::device(99),
                ..of
            },
        ),
        (
            "participant's nonce",
            Transcript {
                participant_nonce: Nonce::from_bytes([99; 32]),
                ..of
            },
        ),
        (
            "owner's nonce",
            Transcript {
                owner_nonce: Nonce::from_bytes([99; 32]),
                ..of
            },
        ),
        (
            "owner's binding",
            Transcript {
                owner_binding: &[99; 32],
                ..of
            },
        ),
        (
            "participant's binding",
            Transcript {
                participant_binding: &[99; 32],
                ..of
            },
        ),
        (
            "people, swapped",
            Transcript {
                owner: of.participant,
                participant: of.owner,
                ..of
            },
        ),
        (
            "nonces, swapped",
            Transcript {
                participant_nonce: of.owner_nonce,
                owner_nonce: of.participant_nonce,
                ..of
            },
        ),
        (
            "bindings, swapped",
            Transcript {
                owner_binding: of.participant_binding,
                participant_binding: of.owner_binding,
                ..of
            },
        ),
        (
            "owner's binding, cut",
            Transcript {
                owner_binding: &of.owner_binding[..31],
                ..of
            },
        ),
        (
            "owner's binding, absent",
            Transcript {
                owner_binding: &[],
                ..of
            },
        ),
    ]
}

#[test]
fn each_field_is_signed() {
    for side in SIDES {
        let signature = transcript().sign(side, &key_of(side));
        assert_eq!(transcript().verify(side, &signature), Ok(()));
        for (what, changed) in changes(transcript()) {
            assert!(
                changed.verify(side, &signature).is_err(),
                "{side:?} verifies with another {what}"
            );
        }
    }
}

/// A man in the middle has a channel to each side, with other certificates on each, and can only
/// hand on what the one signed to the other.
#[test]
fn a_relayed_handshake_fails() {
    let to_owner = Transcript {
        participant_binding: &[0xee; 32],
        ..transcript()
    };
    let to_participant = Transcript {
        owner_binding: &[0xee; 32],
        ..transcript()
    };
    let owners = to_owner.sign(Side::Owner, &owner_key());
    assert!(to_participant.verify(Side::Owner, &owners).is_err());
    let participants = to_participant.sign(Side::Participant, &participant_key());
    assert!(to_owner.verify(Side::Participant, &participants).is_err());
}

#[test]
fn one_side_cannot_be_answered_with_its_own_signature() {
    // The owner joins its own poll from another device: one key, both sides. This is where only
    // the domain tells the sides apart.
    let key = owner_key();
    let own = Transcript {
        participant: PeerId::of(&key),
        ..transcript()
    };
    let as_owner = own.sign(Side::Owner, &key);
    let as_participant = own.sign(Side::Participant, &key);
    assert_eq!(own.verify(Side::Owner, &as_owner), Ok(()));
    assert_eq!(own.verify(Side::Participant, &as_participant), Ok(()));
    assert!(own.verify(Side::Participant, &as_owner).is_err());
    assert!(own.verify(Side::Owner, &as_participant).is_err());
}

#[test]
fn a_failure_names_who_it_should_have_been() {
    let (owner, participant) = (transcript().owner, transcript().participant);
    let nonsense = Signature::from_bytes([7; 64]);
    assert_eq!(
        transcript().verify(Side::Owner, &nonsense),
        Err(BadSignature(owner))
    );
    assert_eq!(
        transcript().verify(Side::Participant, &nonsense),
        Err(BadSignature(participant))
    );
}

/// The points of small order, with their spellings that are not canonical (RFC 8032, 5.1.3; the
/// low halves are y, the highest bit is the sign of x).
fn weak_keys() -> Vec<[u8; 32]> {
    fn y(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    fn hex(text: &str) -> [u8; 32] {
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }
    vec![
        // y = 0, order 4: the key of all zeros is one of them.
        [0; 32],
        y(0, 0, 0x80),
        // y = 1, the identity.
        y(1, 0, 0),
        y(1, 0, 0x80),
        // y = -1, order 2.
        y(0xec, 0xff, 0x7f),
        y(0xec, 0xff, 0xff),
        // y = p and y = p + 1: 0 and 1 again.
        y(0xed, 0xff, 0x7f),
        y(0xed, 0xff, 0xff),
        y(0xee, 0xff, 0x7f),
        y(0xee, 0xff, 0xff),
        // Order 8.
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    ]
}

/// With a key of small order, one signature fits one message in eight or more, and nobody needs a
/// secret to make it. Verification by the letter of the equation takes it; ours must not.
#[test]
fn weak_keys_prove_nothing() {
    // R = r·B and S = r: S·B = R + k·A holds whenever k·A is the identity.
    let commitment = SigningKey::from_bytes(&[77; 32]);
    let mut forged = [0; 64];
    forged[..32].copy_from_slice(commitment.verifying_key().as_bytes());
    forged[32..].copy_from_slice(&commitment.to_scalar().to_bytes());
    let forged = Signature::from_bytes(forged);

    let mut fooled = 0;
    for key in weak_keys() {
        let owner = PeerId::from_bytes(key);
        let is_fooled = (0..=u8::MAX).any(|nonce| {
            let transcript = Transcript {
                owner,
                owner_nonce: Nonce::from_bytes([nonce; 32]),
                ..transcript()
            };
            assert_eq!(
                transcript.verify(Side::Owner, &forged),
                Err(BadSignature(owner)),
                "a weak key proved itself: {owner}"
            );
            VerifyingKey::from_bytes(&key).is_ok_and(|key| {
                let signature = ed25519_dalek::Signature::from_bytes(forged.as_bytes());
                key.verify(&transcript.bytes(Side::Owner), &signature)
                    .is_ok()
            })
        });
        fooled += usize::from(is_fooled);
    }
    // Otherwise the forgery is none and this test shows nothing.
    assert!(fooled >= 8, "the forgery works on {fooled} keys only");
}

/// The same signature with S + L in place of S satisfies the equation too. A signature that can be
/// respelt could be told apart as new by whoever remembers signatures.
#[test]
fn a_signature_cannot_be_respelt() {
    // L = 2^252 + 27742317777372353535851937790883648493, little-endian.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let signature = transcript().sign(Side::Owner, &owner_key());
    let mut bytes = *signature.as_bytes();
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    let respelt = Signature::from_bytes(bytes);
    assert!(transcript().verify(Side::Owner, &respelt).is_err());
}

#[test]
fn a_peer_id_that_is_no_point_proves_nothing() {
    // y = 2 is on no point of the curve.
    let mut bytes = [0; 32];
    bytes[0] = 2;
    assert!(VerifyingKey::from_bytes(&bytes).is_err());
    let owner = PeerId::from_bytes(bytes);
    let signature = transcript().sign(Side::Owner, &owner_key());
    assert_eq!(
        Transcript {
            owner,
            ..transcript()
        }
        .verify(Side::Owner, &signature),
        Err(BadSignature(owner))
    );
}

#[test]
fn a_byte_that_moves_to_the_next_field_changes_what_is_signed() {
    let before = Transcript {
        owner_binding: b"abc",
        participant_binding: b"def",
        ..transcript()
    };
    let after = Transcript {
        owner_binding: b"ab",
        participant_binding: b"cdef",
        ..before
    };
    for side in SIDES {
        assert_ne!(before.bytes(side), after.bytes(side));
        let signature = before.sign(side, &key_of(side));
        assert!(after.verify(side, &signature).is_err());
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whoever_signs_is_believed(owned in any_transcript()) {
        let transcript = owned.transcript();
        let owners = transcript.sign(Side::Owner, &owned.owner);
        let participants = transcript.sign(Side::Participant, &owned.participant);
        prop_assert_eq!(transcript.verify(Side::Owner, &owners), Ok(()));
        prop_assert_eq!(transcript.verify(Side::Participant, &participants), Ok(()));
        prop_assert!(transcript.verify(Side::Participant, &owners).is_err());
        prop_assert!(transcript.verify(Side::Owner, &participants).is_err());
    }

    /// The fields can be read back from the bytes, so no two transcripts have the same bytes.
    #[test]
    fn the_bytes_tell_each_field(owned in any_transcript()) {
        let transcript = owned.transcript();
        for (side, domain) in [
            (Side::Owner, "hustings/2/owner"),
            (Side::Participant, "hustings/2/participant"),
        ] {
            let bytes = transcript.bytes(side);
            let texts = [
                domain.to_owned(),
                transcript.owner.to_string(),
                transcript.participant.to_string(),
                transcript.poll_id.to_string(),
                transcript.device.to_string(),
                transcript.participant_nonce.to_string(),
                transcript.owner_nonce.to_string(),
            ];
            let expected: Vec<&[u8]> = texts
                .iter()
                .map(String::as_bytes)
                .chain([transcript.owner_binding, transcript.participant_binding])
                .collect();
            prop_assert_eq!(fields(&bytes), expected);
        }
    }

    #[test]
    fn no_other_signature_is_taken(owned in any_transcript(), signature in any_signature()) {
        for side in SIDES {
            prop_assert!(owned.transcript().verify(side, &signature).is_err());
        }
    }

    #[test]
    fn one_flipped_bit_is_enough(owned in any_transcript(), bit in 0..512_usize) {
        let transcript = owned.transcript();
        let mut bytes = *transcript.sign(Side::Owner, &owned.owner).as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = Signature::from_bytes(bytes);
        prop_assert!(transcript.verify(Side::Owner, &flipped).is_err());
    }
}
