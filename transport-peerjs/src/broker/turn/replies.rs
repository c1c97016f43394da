//! The messages that are written.

use std::net::SocketAddr;

use turn_types::attribute::{Data, XorPeerAddress};
use turn_types::message::DATA;
use turn_types::stun::attribute::{AttributeType, ErrorCode, UnknownAttributes};
use turn_types::stun::message::{
    IntegrityAlgorithm, IntegrityKey, Message, MessageWrite, MessageWriteExt, MessageWriteVec,
};
use turn_types::stun::prelude::AttributeWrite;

/// An answer that is being written.
pub(crate) struct Reply(MessageWriteVec);

impl Reply {
    pub(crate) fn success(request: &Message<'_>) -> Self {
        let room = MessageWriteVec::with_capacity(128);
        Self(Message::builder_success(request, room))
    }

    pub(crate) fn error(request: &Message<'_>, code: u16) -> Self {
        let room = MessageWriteVec::with_capacity(128);
        let reason = ErrorCode::default_reason_for_code(code);
        let error = ErrorCode::new(code, reason).expect("it is one of STUN's codes");
        Self(Message::builder_error(request, room)).with(&error)
    }

    /// An answer to a request with attributes that nobody here knows.
    pub(crate) fn unknown(request: &Message<'_>, attributes: &[AttributeType]) -> Self {
        let unknown = UnknownAttributes::new(attributes);
        Self::error(request, ErrorCode::UNKNOWN_ATTRIBUTE).with(&unknown)
    }

    pub(crate) fn with(mut self, attribute: &dyn AttributeWrite) -> Self {
        let written = self.0.add_attribute(attribute);
        written.expect("nothing is signed yet, and there is room in memory");
        self
    }

    /// The bytes, with a signature.
    pub(crate) fn signed(mut self, key: &IntegrityKey) -> Vec<u8> {
        let signed = self
            .0
            .add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1);
        signed.expect("it is not signed yet, and there is room in memory");
        self.plain()
    }

    /// The bytes, as they are.
    pub(crate) fn plain(mut self) -> Vec<u8> {
        let written = self.0.add_fingerprint();
        written.expect("nothing is written after it, and there is room in memory");
        self.0.finish()
    }
}

/// A datagram of `peer`, for a client without a channel for it.
pub(crate) fn indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    let room = MessageWriteVec::with_capacity(64 + data.len());
    let mut written = Message::builder_indication(DATA, room);
    let peer = XorPeerAddress::new(peer, written.transaction_id());
    let both = written
        .add_attribute(&peer)
        .and_then(|()| written.add_attribute(&Data::new(data)));
    both.expect("nothing is signed, and there is room in memory for a datagram");
    written.finish()
}

/// A datagram for a client that has a channel for where it is from.
pub(crate) fn channel_data(number: u16, data: &[u8], is_stream: bool) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a datagram is shorter than 64 KiB");
    let mut bytes = Vec::with_capacity(8 + data.len());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(data);
    if is_stream {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
