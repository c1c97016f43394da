//! The endpoint's outputs: things that it wants done.

use std::collections::VecDeque;
use std::fmt;

use hustings_protocol::ErrorCode;
use hustings_room::Moment;
use hustings_room::transport::TransportEvent;

use super::framing::{ChannelMessage, FramingError, Serialization};
use super::messages::{DecodeError, IceCandidate, ServerFault};
use super::sdp::SdpError;
use crate::config::IceServer;

/// One WebSocket to the signalling server. Each has a number of its own, so that what an earlier
/// one still says is not taken for the present one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub(crate) u64);

/// One WebRTC peer connection, with its one data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RtcId(pub(crate) u64);

impl fmt::Display for RtcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtc{}", self.0)
    }
}

/// A thing that the endpoint wants done, in the order of its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a WebSocket. The one before it is closed and never heard of again.
    OpenSocket {
        /// Its number.
        socket: SocketId,
        /// Its URL, which has the token in it.
        url: String,
    },
    /// Send a text frame on the open socket.
    SendSocket {
        /// The socket.
        socket: SocketId,
        /// The text.
        text: String,
    },
    /// Close the socket, and say nothing more of it.
    CloseSocket {
        /// The socket.
        socket: SocketId,
    },
    /// Do something with a peer connection.
    Rtc {
        /// The peer connection.
        rtc: RtcId,
        /// The action.
        action: RtcAction,
    },
    /// Use these STUN and TURN servers for the peer connections that are made from now on, in place
    /// of those before: the configured ones, and those that the signalling server has handed out.
    IceServers(Vec<IceServer>),
    /// Tell whoever uses the transport.
    Event(TransportEvent),
    /// The registration with the server has changed.
    Registration(RegistrationState),
    /// Something for a log: what was ignored or refused, and why. Strangers can cause any number.
    Notice(Notice),
}

/// A thing to be done with a peer connection.
///
/// Whatever fails is reported with [`handle_failure`](super::Endpoint::handle_failure).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RtcAction {
    /// Make a peer connection with one channel of this label, ordered and reliable and not
    /// negotiated; make an offer, set it as the local description, and report the description.
    CreateOffer {
        /// The channel's label.
        label: String,
    },
    /// Make a peer connection, set this offer as the remote description; make an answer, set it as
    /// the local description, and report the description.
    CreateAnswer {
        /// The other side's description.
        offer: String,
    },
    /// Set this answer as the remote description.
    SetRemote {
        /// The other side's description.
        answer: String,
    },
    /// Add a candidate of the other side. One that cannot be added is ignored: others may do.
    AddCandidate(IceCandidate),
    /// Send a message on the channel.
    Send(ChannelMessage),
    /// Close the channel in good order, after what it holds has been sent, and report when it is
    /// closed.
    CloseChannel,
    /// Close the peer connection and forget it. Nothing more is to be said of it.
    Close,
}

/// The state of this side with the signalling server. Links that are up do not depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationState {
    /// A socket is being opened, or the server has not answered yet.
    Connecting,
    /// This side can dial and be dialled.
    Registered,
    /// Somebody else is registered with this side's id: a stranger, a copy of this identity without
    /// its token, or what is left of a vanished connection.
    AddressTaken {
        /// The moment at which it is tried again.
        retry_at: Moment,
    },
    /// A copy of this identity has taken the address over, and this side has left it to it: two that
    /// take it from each other would never end. [`claim`](super::Endpoint::claim) takes it back.
    Yielded {
        /// The moment at which the server is asked if the address is free.
        ask_at: Moment,
    },
    /// The server is away or refuses for now.
    Disconnected {
        /// The moment at which it is tried again.
        retry_at: Moment,
        /// The server's own reason, if it gave one.
        fault: Option<ServerFault>,
    },
    /// The server refuses for good.
    Failed(RegistrationError),
}

/// The reason why this side cannot register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The key is not the server's.
    #[error("the signalling server does not know the key")]
    InvalidKey,
    /// The server does not accept the id or the token.
    #[error("the signalling server does not accept the id")]
    InvalidId,
    /// Somebody else stayed registered with this side's id for longer than they would if they had
    /// just vanished.
    #[error("the address is taken")]
    AddressTaken,
}

/// Something for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A message of the signalling server was not understood and ignored.
    Malformed(DecodeError),
    /// An offer was not accepted.
    Refused {
        /// The id of the peer that offered.
        from: String,
        /// The reason.
        refusal: Refusal,
    },
}

/// The reason why a connection is not accepted, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is a call and not a data connection.
    #[error("unsupported kind of connection {0:?}: only data connections are accepted")]
    Kind(String),
    /// Frames would be written in a way that is not understood here. PeerJS's default is one of
    /// them.
    #[error("unsupported serialization {0:?}: connect with `raw` or `json`")]
    Serialization(String),
    /// Messages could be lost or overtake each other. That is PeerJS's default.
    #[error("unreliable channel: connect with `reliable: true`")]
    Unreliable,
    /// The description cannot be bound to a handshake.
    #[error(transparent)]
    Description(#[from] SdpError),
    /// The connection id is in use.
    #[error("this connection exists already")]
    Duplicate,
    /// There are too many connections, or too many that have not come up.
    #[error("too many connections")]
    TooMany,
    /// Too many connections were made lately, for this sender or for all of them.
    #[error("too many connections in a short time")]
    TooOften,
    /// There were so many others that its turn did not come while its sender would have waited.
    #[error("too many came at once, and its turn did not come")]
    Waited,
    /// Another connection needed its place, before it had come up.
    #[error("it did not come up and had to make room for another")]
    GaveWay,
    /// The channel is not the one that the offer has promised.
    #[error("unsupported channel: it is unordered, unreliable or negotiated beforehand")]
    Channel,
    /// There is a channel already.
    #[error("unexpected second channel")]
    SecondChannel,
    /// The messages are no frames.
    #[error(transparent)]
    Framing(#[from] FramingError),
}

impl Refusal {
    /// The reason as the sender of the offer is told it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooMany | Self::TooOften | Self::Waited | Self::GaveWay => ErrorCode::Busy,
            Self::Kind(_)
            | Self::Serialization(_)
            | Self::Unreliable
            | Self::Description(_)
            | Self::Duplicate
            | Self::Channel
            | Self::SecondChannel
            | Self::Framing(_) => ErrorCode::HandshakeFailed,
        }
    }
}

/// The outputs that have not been drained.
#[derive(Debug, Default)]
pub(crate) struct Outputs(VecDeque<Output>);

impl Outputs {
    pub(crate) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    pub(crate) fn rtc(&mut self, rtc: RtcId, action: RtcAction) {
        self.push(Output::Rtc { rtc, action });
    }

    pub(crate) fn event(&mut self, event: TransportEvent) {
        self.push(Output::Event(event));
    }

    pub(crate) fn refused(&mut self, from: &str, refusal: Refusal) {
        self.push(Output::Notice(Notice::Refused {
            from: from.to_owned(),
            refusal,
        }));
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.0.pop_front()
    }
}

/// A description of how a channel came to be, for
/// [`handle_channel`](super::Endpoint::handle_channel).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelKind {
    /// Messages arrive in the order in which they were sent.
    pub ordered: bool,
    /// A message may be given up (`maxRetransmits` or `maxPacketLifeTime` is set).
    pub lossy: bool,
    /// Both sides had agreed on it beforehand.
    pub negotiated: bool,
}

impl ChannelKind {
    /// The kind that is accepted.
    pub const RELIABLE: Self = Self {
        ordered: true,
        lossy: false,
        negotiated: false,
    };
}

/// A peer connection's state, as WebRTC names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcState {
    /// Nothing has been tried.
    New,
    /// It is being tried.
    Connecting,
    /// It works.
    Connected,
    /// It has stopped working and may come back.
    Disconnected,
    /// It does not work.
    Failed,
    /// It is closed.
    Closed,
}

/// The purpose of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeoutReason {
    /// The socket has not opened.
    Socket,
    /// The server has not objected to the registration.
    Registration,
    /// It is time for a heartbeat.
    Heartbeat,
    /// It is time to ask the server for an echo, or too late for one that was asked for.
    Echo,
    /// It is time to try the server again.
    Retry,
    /// It is time to ask if the address that was yielded is free.
    Probe,
    /// It is time to ask the server for new STUN and TURN servers, or to do without those that it
    /// has handed out.
    IceServers,
    /// It is time to see whose turn it is among those whose offers wait.
    Turn,
    /// A connection has not come up.
    Connect,
    /// A connection has been disconnected for too long.
    Disconnected,
    /// A connection that was hung up has not closed.
    Linger,
}

impl Serialization {
    pub(crate) fn offered(name: &str) -> Result<Self, Refusal> {
        Self::of(name).ok_or_else(|| Refusal::Serialization(name.to_owned()))
    }
}
