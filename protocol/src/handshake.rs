//! The handshake: the three frames that open every link, and the bytes that they sign.
//!
//! The signalling server lets anybody claim any free address and sees every session description, so
//! neither an address nor DTLS proves an identity. Only the keys do:
//!
//! ```text
//! participant -> owner   auth:hello      who I say I am, which poll, what I have, a nonce
//! owner -> participant   auth:challenge  a nonce, and a signature over all of it
//! participant -> owner   auth:proof      a signature over all of it
//! ```
//!
//! Both sign the same [`Transcript`], each under its own role. It names both people, the poll, the
//! device, both nonces, and the binding that each end presents on this very channel. So a signature
//! cannot be replayed, reflected, moved to another poll or relayed over another channel.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::ids::base32_id;
use crate::message::known;
use crate::{DeviceId, Epoch, HistoryMark, PeerId, PollId, Position, Revision, Seq, planted};

/// The version of the wire that this crate speaks.
pub const VERSION: u32 = 2;

base32_id! {
    /// 32 random bytes, used once.
    Nonce, 32, 52, "a nonce"
}

base32_id! {
    /// An Ed25519 signature, 103 characters of lower-case base32.
    Signature, 64, 103, "a signature"
}

/// Payload of `auth:hello`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The version that the participant speaks, [`VERSION`].
    pub v: u32,
    /// The poll that it wants to join.
    pub poll_id: PollId,
    /// The identity that it claims.
    pub peer_id: PeerId,
    /// The participant's device.
    pub device: DeviceId,
    /// The participant's nonce.
    pub nonce: Nonce,
    /// The epoch of the journal of which it has a copy, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The revision of that copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The owner's mark of the history up to there, as the owner has told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryMark>,
    /// The lowest number that it may still send: every earlier command has had its outcome.
    pub oldest_seq: Seq,
}

impl Hello {
    /// The place in the history that the participant's copy is at, if it has one.
    #[must_use]
    pub fn known(&self) -> Option<Position> {
        known(self.epoch, self.revision, self.history)
    }
}

/// Payload of `auth:challenge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    /// The version that the owner speaks, [`VERSION`].
    pub v: u32,
    /// The identity that the owner claims.
    pub peer_id: PeerId,
    /// The owner's nonce.
    pub nonce: Nonce,
    /// The last number of this device that has its outcome at the owner; absent if it has none. A
    /// device whose outbox is an old copy goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq: Option<Seq>,
    /// The owner's clock, in milliseconds of Unix time; absent if it only refuses. By it the time
    /// until a [deadline](crate::Poll::closes_at) can be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// The owner's signature over the transcript, as [`Side::Owner`].
    pub signature: Signature,
}

/// Payload of `auth:proof`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The participant's signature over the transcript, as [`Side::Participant`].
    pub signature: Signature,
}

/// The end of a link that signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The owner of the poll.
    Owner,
    /// The one who joins it.
    Participant,
}

/// Everything that a handshake signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcript<'a> {
    /// The owner's key.
    pub owner: PeerId,
    /// The participant's key.
    pub participant: PeerId,
    /// The poll.
    pub poll_id: PollId,
    /// The participant's device.
    pub device: DeviceId,
    /// The nonce of `auth:hello`.
    pub participant_nonce: Nonce,
    /// The nonce of `auth:challenge`.
    pub owner_nonce: Nonce,
    /// The binding that the owner's end of the channel presents: the fingerprint of its DTLS
    /// certificate, or the channel's id if the transport has no certificates.
    pub owner_binding: &'a [u8],
    /// The binding that the participant's end presents, likewise.
    pub participant_binding: &'a [u8],
}

/// A signature does not prove what it should. No reason is given: there is nothing to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not prove the identity {0} on this connection")]
pub struct BadSignature(
    /// The peer that should have signed.
    pub PeerId,
);

impl Transcript<'_> {
    /// The signed bytes: each field with its length before it (32 bits, big-endian), ids and
    /// nonces in their text form, in the order of the fields of [`Transcript`], and first of all
    /// `hustings/2/owner` or `hustings/2/participant`.
    #[must_use]
    pub fn bytes(&self, side: Side) -> Vec<u8> {
        let domain = match side {
            Side::Owner => "hustings/2/owner",
            Side::Participant => "hustings/2/participant",
        };
        let mut bytes = Vec::with_capacity(512);
        let mut field = |field: &[u8]| {
            // Every field is far below 4 GiB; a saturated length would only make a signature that
            // fails.
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(field);
        };
        field(domain.as_bytes());
        field(self.owner.to_string().as_bytes());
        field(self.participant.to_string().as_bytes());
        field(self.poll_id.to_string().as_bytes());
        field(self.device.to_string().as_bytes());
        field(self.participant_nonce.to_string().as_bytes());
        field(self.owner_nonce.to_string().as_bytes());
        field(self.owner_binding);
        field(self.participant_binding);
        bytes
    }

    /// Signs as this side.
    #[must_use]
    pub fn sign(&self, side: Side, key: &SigningKey) -> Signature {
        let bytes = self.bytes(side);
        planted::stub(PeerId::of(key), &bytes)
            .unwrap_or_else(|| Signature::from_bytes(key.sign(&bytes).to_bytes()))
    }

    /// Checks that `signature` is by this side, over this transcript.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it is not, or if the peer id is not a usable key.
    pub fn verify(&self, side: Side, signature: &Signature) -> Result<(), BadSignature> {
        let peer = match side {
            Side::Owner => self.owner,
            Side::Participant => self.participant,
        };
        let bytes = self.bytes(side);
        if let Some(stub) = planted::stub(peer, &bytes) {
            return (stub == *signature).then_some(()).ok_or(BadSignature(peer));
        }
        // `verify_strict` also refuses keys and signatures of small order, with which one
        // signature would fit many messages.
        VerifyingKey::from_bytes(peer.as_bytes())
            .and_then(|key| {
                let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
                key.verify_strict(&bytes, &signature)
            })
            .map_err(|_| BadSignature(peer))
    }
}

impl PeerId {
    /// The id of the person who holds this key.
    #[must_use]
    pub fn of(key: &SigningKey) -> Self {
        Self::from_bytes(key.verifying_key().to_bytes())
    }
}
