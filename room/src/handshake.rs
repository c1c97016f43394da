//! The parts of the handshake that both ends share.

use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Nonce, Side, Transcript, VERSION};
use hustings_protocol::{Challenge, ErrorCode, Hello, Message, PeerId, PollId, Rejection};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::ChannelBinding;

/// The owner's answer to a hello.
///
/// # Errors
///
/// When the two speak different versions.
pub(crate) fn challenge(
    key: &SigningKey,
    hello: &Hello,
    nonce: Nonce,
    binding: &ChannelBinding,
) -> Result<Message, Rejection> {
    if hello.v != VERSION {
        return Err(Rejection::new(
            ErrorCode::UnsupportedVersion,
            format!("this owner speaks version {VERSION}, not {}", hello.v),
        ));
    }
    let peer_id = PeerId::of(key);
    let signature = owner_transcript(peer_id, hello, nonce, binding).sign(Side::Owner, key);
    Ok(Message::Challenge(Challenge {
        v: VERSION,
        peer_id,
        nonce,
        signature,
    }))
}

/// The refusal of a poll that this owner does not host. It is sent after the challenge: a
/// participant believes it of somebody who has proved to be the owner, and of nobody else.
pub(crate) fn unknown_poll(poll_id: PollId) -> Rejection {
    Rejection::new(
        ErrorCode::UnknownPoll,
        format!("this owner hosts no poll {poll_id}"),
    )
}

/// The refusal of one link more than there may be.
pub(crate) fn busy() -> Rejection {
    Rejection::new(ErrorCode::Busy, "the owner has as many links as it may")
}

/// The refusal of a handshake that is not done in time.
pub(crate) fn too_late() -> Rejection {
    let message = "the handshake has taken too long";
    Rejection::new(ErrorCode::HandshakeFailed, message)
}

/// What both sign, as the owner sees the channel.
pub(crate) fn owner_transcript<'a>(
    owner: PeerId,
    hello: &Hello,
    owner_nonce: Nonce,
    binding: &'a ChannelBinding,
) -> Transcript<'a> {
    Transcript {
        owner,
        participant: hello.peer_id,
        poll_id: hello.poll_id,
        device: hello.device,
        participant_nonce: hello.nonce,
        owner_nonce,
        owner_binding: &binding.local,
        participant_binding: &binding.remote,
    }
}

/// What both sign, as the participant sees the channel: its local end is the participant's.
pub(crate) fn participant_transcript<'a>(
    owner: PeerId,
    hello: &Hello,
    owner_nonce: Nonce,
    binding: &'a ChannelBinding,
) -> Transcript<'a> {
    Transcript {
        owner_binding: &binding.remote,
        participant_binding: &binding.local,
        ..owner_transcript(owner, hello, owner_nonce, binding)
    }
}

pub(crate) fn new_nonce(rng: &mut ChaCha20Rng) -> Nonce {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    Nonce::from_bytes(bytes)
}
