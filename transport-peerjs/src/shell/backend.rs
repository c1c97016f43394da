//! The contract between the shell and the platform that it runs on.

use hustings_room::Moment;

use crate::config::IceServer;
use crate::wire::{ChannelKind, ChannelMessage, IceCandidate, Notice, RtcId, RtcState, SocketId};

/// A platform's socket, peer connections and timer, for a [`Shell`](super::Shell) to serve an
/// address with.
///
/// # Contract
///
/// - **No call reaches the shell.** Whatever happens, also while the shell is in a call of this
///   trait, is queued by the backend and handed over by [`poll_input`](Self::poll_input), in the
///   order in which it happened. After a call or when something happens by itself, somebody calls
///   [`Shell::run`](super::Shell::run): whoever owns the shell, or, where a platform calls back as
///   it likes, a [`Reporter`](super::reentry::Reporter).
/// - **No call waits.** What takes time is begun, and what comes of it is an input.
/// - **There is one socket and one timer.** Each new one is in place of the one before it.
/// - **What is closed is silent.** After [`close_socket`](Self::close_socket) and
///   [`close`](Self::close) nothing more is reported of it. What was queued before does no harm.
/// - The shell names no peer connection before `create_…` and none after [`close`](Self::close),
///   also if its creation has failed.
pub(crate) trait Backend {
    /// A data channel that the other side has opened, as the platform has it.
    type Channel;

    /// The present moment, on a clock that never goes back.
    fn now(&self) -> Moment;

    /// The next thing that has happened.
    fn poll_input(&mut self) -> Option<Input<Self::Channel>>;

    /// Sees that [`Input::Timeout`] is reported at `deadline`, or not at all. One that comes too
    /// early is harmless, and is answered with the next deadline.
    fn set_timer(&mut self, deadline: Option<Moment>);

    /// Opens a WebSocket, in place of the one before it.
    fn open_socket(&mut self, socket: SocketId, url: &str) -> Result<(), Failure>;

    /// Sends a text on the socket. A failure is reported as the end of the socket, if at all.
    fn send_socket(&mut self, text: &str);

    /// Closes the socket, if there is one.
    fn close_socket(&mut self);

    /// Uses these STUN and TURN servers for the connections that are made from now on.
    fn set_ice_servers(&mut self, servers: &[IceServer]);

    /// Makes a peer connection with one channel of this label, ordered, reliable and not
    /// negotiated, and begins to describe it: [`RtcInput::Description`] follows.
    fn create_offer(&mut self, rtc: RtcId, label: &str) -> Result<(), Failure>;

    /// Makes a peer connection that answers this offer, and begins to describe it, likewise.
    fn create_answer(&mut self, rtc: RtcId, offer: &str) -> Result<(), Failure>;

    /// Sets the other side's description. [`RtcInput::Failed`] follows if it cannot be.
    fn set_answer(&mut self, rtc: RtcId, answer: &str);

    /// Adds an address of the other side. One that cannot be added is ignored: others may do.
    fn add_candidate(&mut self, rtc: RtcId, candidate: &IceCandidate);

    /// Begins to listen to a channel that was reported, unless the connection has one already.
    /// `None` if there is no such connection.
    fn take_channel(&mut self, rtc: RtcId, channel: Self::Channel) -> Option<TakenChannel>;

    /// Sends on the channel.
    fn send(&mut self, rtc: RtcId, message: &ChannelMessage) -> Result<(), Failure>;

    /// The number of bytes that the channel holds; `None` without a channel.
    fn buffered(&mut self, rtc: RtcId) -> Option<usize>;

    /// Sees that [`RtcInput::Buffered`] is reported when the channel comes to hold no more than
    /// this.
    fn set_low_water(&mut self, rtc: RtcId, bytes: usize);

    /// Closes the channel, which may drop what it holds. [`RtcInput::ChannelClosed`] follows.
    fn close_channel(&mut self, rtc: RtcId);

    /// Closes a peer connection and its channel, and forgets them.
    fn close(&mut self, rtc: RtcId);

    /// Writes something to a log, for whoever wonders why a peer of theirs is not let in.
    fn notice(&mut self, notice: &Notice);
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Input<C> {
    SocketOpen(SocketId),
    SocketText(SocketId, String),
    /// Also of a socket that did not open. With the server's code, if it gave one.
    SocketClosed(SocketId, Option<u16>),
    Rtc(RtcId, RtcInput<C>),
    /// The network is back.
    Wake,
    /// People look at this side again.
    Seen,
    Timeout,
    /// This side may not run any further, for this reason. It may come back.
    Suspended(&'static str),
}

/// Something that happened to one peer connection.
#[derive(Debug, Clone)]
pub(crate) enum RtcInput<C> {
    /// This side is described.
    Description(String),
    /// This side has an address to try.
    Candidate(IceCandidate),
    State(RtcState),
    /// The other side has opened a channel.
    Channel(C),
    ChannelOpen,
    Message(ChannelMessage),
    /// The channel holds less than it did.
    Buffered,
    ChannelClosed,
    /// It is of no use any more, for this reason.
    Failed(String),
}

/// A channel that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TakenChannel {
    pub(crate) kind: ChannelKind,
    /// True if messages can be sent on it already. Browsers differ in whether they report that
    /// afterwards.
    pub(crate) is_open: bool,
}

/// The reason why something could not be done, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);
