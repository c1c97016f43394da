//! PeerJS's wire protocol, without I/O, clock or randomness of its own.
//!
//! [`Endpoint`] is the machine to drive. What it is made of has a file each: what goes over the
//! socket to the signalling server (messages), being known there (registration), showing it that an
//! address is one's own (proof), the STUN and TURN servers that it hands out (ice_servers), one
//! connection from its offer to its end (connection), the certificate in a session description
//! (sdp), and how frames become messages of a data channel (framing).

mod admission;
mod backoff;
mod connection;
mod contest;
mod early;
mod endpoint;
mod framing;
mod held;
pub(crate) mod ice_servers;
mod messages;
mod outgoing;
mod output;
pub(crate) mod proof;
mod registration;
mod sdp;
pub(crate) mod signalling;
#[cfg(test)]
pub(crate) mod testing;

pub use endpoint::Endpoint;
pub use framing::{
    ChannelMessage, FramingError, Incoming, Joiner, MAX_JSON_MESSAGE, MAX_MESSAGE, Serialization,
    split,
};
pub use ice_servers::HandedServers;
pub use messages::{
    Answer, Candidate, DecodeError, FromServer, IceCandidate, Offer, Refused, ServerFault,
    ToServer, is_peer_id,
};
pub use output::{
    ChannelKind, Notice, Output, Refusal, RegistrationError, RegistrationState, RtcAction, RtcId,
    RtcState, SocketId, TimeoutReason,
};
pub use sdp::{Fingerprint, SdpError};
pub use signalling::{PEERJS_VERSION, socket_url};
