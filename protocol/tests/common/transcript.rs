//! One handshake with everything about it fixed, from which the vectors and the tests start.

use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Nonce, Side, Transcript, VERSION};
use hustings_protocol::{Challenge, Epoch, Hello, HistoryMark, PeerId, Proof, Revision, Seq};

use super::{device, poll_id, spread};

/// A SHA-256 fingerprint of a certificate has 32 bytes.
const OWNER_BINDING: [u8; 32] = spread(0xa0);
const PARTICIPANT_BINDING: [u8; 32] = spread(0xb1);

pub(crate) fn owner_key() -> SigningKey {
    SigningKey::from_bytes(&spread(1))
}

pub(crate) fn participant_key() -> SigningKey {
    SigningKey::from_bytes(&spread(2))
}

pub(crate) fn transcript() -> Transcript<'static> {
    Transcript {
        owner: PeerId::of(&owner_key()),
        participant: PeerId::of(&participant_key()),
        poll_id: poll_id(3),
        device: device(4),
        participant_nonce: Nonce::from_bytes(spread(5)),
        owner_nonce: Nonce::from_bytes(spread(6)),
        owner_binding: &OWNER_BINDING,
        participant_binding: &PARTICIPANT_BINDING,
    }
}

/// The participant has been here before.
pub(crate) fn hello() -> Hello {
    let transcript = transcript();
    Hello {
        v: VERSION,
        poll_id: transcript.poll_id,
        peer_id: transcript.participant,
        device: transcript.device,
        nonce: transcript.participant_nonce,
        epoch: Some(Epoch::new(0x00c0_ffee_0000_0001)),
        revision: Revision::new(41),
        history: Some(HistoryMark::new(
            0x0123_4567_89ab_cdef,
            0xfedc_ba98_7654_3210,
        )),
        oldest_seq: Seq::new(7).expect("not 0"),
    }
}

pub(crate) fn challenge() -> Challenge {
    let transcript = transcript();
    Challenge {
        v: VERSION,
        peer_id: transcript.owner,
        nonce: transcript.owner_nonce,
        last_seq: Seq::new(9),
        time: Some(1_790_000_000_000),
        signature: transcript.sign(Side::Owner, &owner_key()),
    }
}

pub(crate) fn proof() -> Proof {
    Proof {
        signature: transcript().sign(Side::Participant, &participant_key()),
    }
}
