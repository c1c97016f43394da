//! The bytes that both ends of the handshake sign.

use hustings_protocol::handshake::{Nonce, Transcript};
use hustings_protocol::{Hello, PeerId};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::ChannelBinding;

/// The transcript that both ends sign, from the owner's view: the local binding is the owner's.
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

/// The transcript that both ends sign, from the participant's view: the local binding is the
/// participant's.
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

/// A random nonce, for one signature only.
pub(crate) fn new_nonce(rng: &mut ChaCha20Rng) -> Nonce {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    Nonce::from_bytes(bytes)
}
