//! One connection: from the offer to its end.
//!
//! ```text
//! dialled    Describing -> Offered -> Connecting -> Up -> Closing
//! accepted   Describing ------------> Connecting -> Up -> Closing
//! ```
//!
//! Whoever is described has its candidates sent, never before: stock PeerJS loses those that arrive
//! before the answer. Candidates of the other side are held until its description is in place.
//! There is no second offer: PeerJS closes a connection over it, so a connection that fails is
//! dialled anew.

use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::ErrorCode;
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{ChannelBinding, DownReason, LinkId, Moment};

use super::framing::{ChannelMessage, Incoming, Joiner, Serialization, Splitter};
use super::messages::{Answer, Candidate, IceCandidate, Offer, ToServer};
use super::outgoing::Outgoing;
use super::output::{ChannelKind, Outputs, Refusal, RtcAction, RtcId, RtcState, TimeoutReason};
use super::registration::Registration;
use super::sdp::{Fingerprint, check_offer};
use crate::config::{Timing, WireLimits};

/// The things that a connection needs of its endpoint.
pub(crate) struct Cx<'a> {
    pub(crate) now: Moment,
    pub(crate) timing: &'a Timing,
    pub(crate) limits: &'a WireLimits,
    pub(crate) registration: &'a mut Registration,
    pub(crate) out: &'a mut Outputs,
}

/// The end of a connection. It is an event only for those who know of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Because(DownReason),
    Refused(Refusal),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The names of a connection, and of those between whom it is.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) rtc: RtcId,
    pub(crate) link: LinkId,
    /// The id of the other side.
    pub(crate) remote: String,
    /// The dialler's name for the connection.
    pub(crate) connection_id: String,
}

/// An offer that a connection may be made for.
#[derive(Debug)]
pub(crate) struct AcceptableOffer {
    /// The dialler's name for the connection.
    pub(crate) connection_id: String,
    pub(crate) sdp: String,
    serialization: Serialization,
    fingerprint: Fingerprint,
}

/// The machine of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) names: Names,
    serialization: Serialization,
    phase: Phase,
    deadline: Option<(Moment, TimeoutReason)>,
    local: Option<Fingerprint>,
    remote: Option<Fingerprint>,
    /// Of this side, until it is described.
    local_candidates: Vec<IceCandidate>,
    /// Of the other side, until it is described.
    remote_candidates: Vec<IceCandidate>,
    candidates_taken: usize,
    channel: Channel,
    /// True from the start for whoever dials. Chromium loses the beginning of what is sent on an
    /// accepted channel before anything has come on it, although the channel is open and reliable.
    may_speak: bool,
    /// WebRTC has reached the other side.
    is_reached: bool,
    accepted_at: Option<Moment>,
    up_since: Option<Moment>,
    joiner: Joiner,
    outgoing: Outgoing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// This side's description is being made.
    Describing,
    /// The offer has been sent.
    Offered,
    /// Both sides are described.
    Connecting,
    /// The link is up.
    Up,
    /// This side hung up; what waits is being sent.
    Closing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Absent,
    There,
    Open,
    /// This side has asked for its end.
    Ending,
}

impl Connection {
    /// Dials.
    pub(crate) fn dial(names: Names, until: Moment, cx: &mut Cx<'_>) -> Self {
        let label = names.connection_id.clone();
        cx.out.rtc(names.rtc, RtcAction::CreateOffer { label });
        let joiner = Joiner::new(Serialization::Raw, cx.limits.max_dialled_frame_bytes);
        Self {
            // The channel of whoever dials is its own.
            channel: Channel::There,
            may_speak: true,
            ..Self::new(names, Serialization::Raw, joiner, until)
        }
    }

    /// Answers an offer.
    pub(crate) fn accept(
        names: Names,
        offer: AcceptableOffer,
        early: Vec<IceCandidate>,
        cx: &mut Cx<'_>,
    ) -> Self {
        let AcceptableOffer {
            sdp,
            serialization,
            fingerprint,
            ..
        } = offer;
        cx.out
            .rtc(names.rtc, RtcAction::CreateAnswer { offer: sdp });
        let joiner = Joiner::new(serialization, cx.limits.max_accepted_frame_bytes);
        let until = cx.now + cx.timing.connect_timeout;
        Self {
            remote: Some(fingerprint),
            accepted_at: Some(cx.now),
            candidates_taken: early.len(),
            remote_candidates: early,
            ..Self::new(names, serialization, joiner, until)
        }
    }

    /// Checks what can be known of an offer before anything is made for it.
    pub(crate) fn check(offer: Offer) -> Result<AcceptableOffer, Refusal> {
        if offer.kind != "data" {
            return Err(Refusal::Kind(offer.kind));
        }
        let serialization = Serialization::offered(&offer.serialization)?;
        if !offer.reliable {
            return Err(Refusal::Unreliable);
        }
        let fingerprint = Fingerprint::of(&offer.sdp)?;
        check_offer(&offer.sdp)?;
        Ok(AcceptableOffer {
            connection_id: offer.connection_id,
            sdp: offer.sdp,
            serialization,
            fingerprint,
        })
    }

    fn new(names: Names, serialization: Serialization, joiner: Joiner, until: Moment) -> Self {
        Self {
            names,
            serialization,
            phase: Phase::Describing,
            deadline: Some((until, TimeoutReason::Connect)),
            local: None,
            remote: None,
            local_candidates: Vec::new(),
            remote_candidates: Vec::new(),
            candidates_taken: 0,
            channel: Channel::Absent,
            may_speak: false,
            is_reached: false,
            accepted_at: None,
            up_since: None,
            joiner,
            outgoing: Outgoing::default(),
        }
    }

    fn is_caller(&self) -> bool {
        !self.names.link.is_accepted()
    }

    /// True while the link is up and has not been hung up.
    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// True while the link has neither come up nor been hung up.
    pub(crate) fn is_coming_up(&self) -> bool {
        match self.phase {
            Phase::Describing | Phase::Offered | Phase::Connecting => true,
            Phase::Up | Phase::Closing => false,
        }
    }

    /// True while the other side has not answered.
    pub(crate) fn is_offered(&self) -> bool {
        self.phase == Phase::Offered
    }

    /// True while somebody waits to hear of the link's end.
    pub(crate) fn is_awaited(&self) -> bool {
        match self.phase {
            Phase::Describing | Phase::Offered | Phase::Connecting => self.is_caller(),
            Phase::Up => true,
            Phase::Closing => false,
        }
    }

    /// The moment at which the link came up.
    pub(crate) fn up_since(&self) -> Option<Moment> {
        self.up_since
    }

    /// The time that it took to come up, of one that somebody else has asked for.
    pub(crate) fn took(&self) -> Option<Duration> {
        Some(self.up_since? - self.accepted_at?)
    }

    /// The moment of the offer, of one that somebody else has asked for and that is coming up.
    pub(crate) fn incoming_since(&self) -> Option<Moment> {
        self.accepted_at.filter(|_| self.is_coming_up())
    }

    /// True once WebRTC has reached the other side.
    pub(crate) fn is_reached(&self) -> bool {
        self.is_reached
    }

    pub(crate) fn timeout(&self) -> Option<(Moment, TimeoutReason)> {
        self.deadline
    }

    /// This side's description is made.
    pub(crate) fn handle_description(&mut self, sdp: String, cx: &mut Cx<'_>) -> Result<(), End> {
        if self.phase != Phase::Describing {
            return Ok(());
        }
        self.local = Some(Fingerprint::of(&sdp).map_err(Refusal::from)?);
        let dst = self.names.remote.clone();
        let connection_id = self.names.connection_id.clone();
        let message = if self.is_caller() {
            self.phase = Phase::Offered;
            let offer = Offer {
                label: connection_id.clone(),
                connection_id,
                sdp,
                kind: "data".into(),
                reliable: true,
                serialization: self.serialization.name().into(),
            };
            ToServer::Offer { dst, offer }
        } else {
            self.phase = Phase::Connecting;
            let answer = Answer { connection_id, sdp };
            ToServer::Answer { dst, answer }
        };
        cx.registration.send(self.names.rtc, &message, cx.out);
        for candidate in std::mem::take(&mut self.local_candidates) {
            self.send_candidate(candidate, cx);
        }
        self.add_held_candidates(cx);
        self.come_up_if_ready(cx);
        Ok(())
    }

    /// This side has an address to try.
    pub(crate) fn handle_local_candidate(&mut self, candidate: IceCandidate, cx: &mut Cx<'_>) {
        // The end of candidates is an empty one, which PeerJS does not send.
        if candidate.candidate.is_empty() {
            return;
        }
        match self.phase {
            Phase::Describing if self.local_candidates.len() < cx.limits.max_candidates => {
                self.local_candidates.push(candidate);
            }
            Phase::Offered | Phase::Connecting => self.send_candidate(candidate, cx),
            Phase::Describing | Phase::Up | Phase::Closing => {}
        }
    }

    /// The other side has answered.
    pub(crate) fn handle_answer(&mut self, answer: String, cx: &mut Cx<'_>) -> Result<(), End> {
        if self.phase != Phase::Offered {
            return Ok(());
        }
        self.remote = Some(Fingerprint::of(&answer).map_err(Refusal::from)?);
        self.phase = Phase::Connecting;
        cx.out.rtc(self.names.rtc, RtcAction::SetRemote { answer });
        self.add_held_candidates(cx);
        self.come_up_if_ready(cx);
        Ok(())
    }

    /// The other side has an address to try.
    pub(crate) fn handle_candidate(&mut self, candidate: IceCandidate, cx: &mut Cx<'_>) {
        if candidate.candidate.is_empty() || self.candidates_taken >= cx.limits.max_candidates {
            return;
        }
        self.candidates_taken += 1;
        match self.phase {
            Phase::Describing | Phase::Offered => self.remote_candidates.push(candidate),
            Phase::Connecting | Phase::Up => {
                cx.out
                    .rtc(self.names.rtc, RtcAction::AddCandidate(candidate));
            }
            Phase::Closing => {}
        }
    }

    /// The other side was not there to fetch the offer, or has left.
    pub(crate) fn handle_absent(&mut self) -> Result<(), End> {
        match self.phase {
            Phase::Describing | Phase::Offered => Err(End::Because(DownReason::Unreachable)),
            // The channel knows better than the server.
            Phase::Connecting | Phase::Up | Phase::Closing => Ok(()),
        }
    }

    /// The other side does not take the offer.
    pub(crate) fn handle_refused(&mut self, code: ErrorCode) -> Result<(), End> {
        if self.phase == Phase::Offered {
            return Err(End::Because(DownReason::refused(code)));
        }
        Ok(())
    }

    /// The other side has opened a channel.
    pub(crate) fn handle_channel(&mut self, kind: ChannelKind) -> Result<(), End> {
        if self.channel != Channel::Absent {
            return Err(Refusal::SecondChannel.into());
        }
        if kind != ChannelKind::RELIABLE {
            return Err(Refusal::Channel.into());
        }
        self.channel = Channel::There;
        Ok(())
    }

    /// Messages can be sent.
    pub(crate) fn handle_channel_open(&mut self, cx: &mut Cx<'_>) {
        if self.channel == Channel::There {
            self.channel = Channel::Open;
            self.come_up_if_ready(cx);
        }
    }

    /// The channel is closed.
    pub(crate) fn handle_channel_closed(&mut self) -> End {
        let lost = matches!(self.deadline, Some((_, TimeoutReason::Disconnected)));
        End::Because(match self.phase {
            Phase::Up if lost => DownReason::Lost("the connection broke".into()),
            Phase::Up | Phase::Closing => DownReason::ClosedByPeer,
            Phase::Describing | Phase::Offered | Phase::Connecting => {
                DownReason::DialFailed("the channel closed before it was open".into())
            }
        })
    }

    /// A message of the other side.
    pub(crate) fn handle_message(
        &mut self,
        message: ChannelMessage,
        cx: &mut Cx<'_>,
    ) -> Result<(), End> {
        // What brings a message is open, even if nobody has said so yet.
        self.handle_channel_open(cx);
        if !self.may_speak {
            self.may_speak = true;
            self.pump(cx);
        }
        if self.phase != Phase::Up {
            return Ok(());
        }
        match self.joiner.push(message).map_err(Refusal::from)? {
            Some(Incoming::Frame(frame)) => {
                let link = self.names.link;
                cx.out.event(TransportEvent::Frame { link, frame });
                Ok(())
            }
            Some(Incoming::Goodbye) => Err(End::Because(DownReason::ClosedByPeer)),
            None => Ok(()),
        }
    }

    /// The peer connection is in another state.
    pub(crate) fn handle_state(&mut self, state: RtcState, cx: &mut Cx<'_>) -> Result<(), End> {
        let is_up = self.is_up();
        match state {
            RtcState::New | RtcState::Connecting => {}
            RtcState::Connected => {
                self.is_reached = true;
                if is_up {
                    self.deadline = None;
                }
            }
            RtcState::Disconnected => {
                if is_up && self.deadline.is_none() {
                    let until = cx.now + cx.timing.disconnected_timeout;
                    self.deadline = Some((until, TimeoutReason::Disconnected));
                }
            }
            RtcState::Failed => {
                return Err(self.broken("no way to the other side works"));
            }
            RtcState::Closed => return Err(self.broken("the peer connection closed")),
        }
        Ok(())
    }

    /// The backend could not do what it was told.
    pub(crate) fn broken(&self, why: &str) -> End {
        End::Because(if self.is_coming_up() {
            DownReason::DialFailed(why.into())
        } else {
            DownReason::Lost(why.into())
        })
    }

    /// This side slept: a connection that has not come back meanwhile gets its whole time for that
    /// once more.
    pub(crate) fn slept(&mut self, cx: &Cx<'_>) {
        if let Some((until, TimeoutReason::Disconnected)) = &mut self.deadline {
            *until = cx.now + cx.timing.disconnected_timeout;
        }
    }

    /// The deadline has passed.
    pub(crate) fn timed_out(&self) -> End {
        self.broken(match self.deadline {
            Some((_, TimeoutReason::Disconnected)) => "the connection broke and did not come back",
            Some(_) | None if self.phase == Phase::Offered => "no answer in time",
            Some(_) | None => "the connection took too long",
        })
    }

    /// The channel holds this many bytes.
    pub(crate) fn handle_buffered(&mut self, bytes: usize, cx: &mut Cx<'_>) {
        self.outgoing.set_in_channel(bytes);
        self.pump(cx);
        if self.is_up() && self.outgoing.take_writable(cx.limits) {
            let link = self.names.link;
            cx.out.event(TransportEvent::Writable { link });
        }
    }

    pub(crate) fn send(&mut self, frame: Bytes, cx: &mut Cx<'_>) -> (SendOutcome, Result<(), End>) {
        if !self.is_up() {
            return (SendOutcome::Gone, Ok(()));
        }
        if self.outgoing.blocks(cx.limits) {
            return (SendOutcome::Blocked, Ok(()));
        }
        match Splitter::new(self.serialization, frame) {
            Ok(frame) => {
                self.outgoing.push(frame);
                self.pump(cx);
                (SendOutcome::Queued, Ok(()))
            }
            // The other side would miss it without knowing.
            Err(error) => (SendOutcome::Queued, Err(Refusal::from(error).into())),
        }
    }

    /// Closes after what waits has been sent. Says whether the connection is over at once.
    pub(crate) fn hang_up(&mut self, cx: &mut Cx<'_>) -> bool {
        match self.phase {
            Phase::Describing | Phase::Offered | Phase::Connecting => true,
            Phase::Up => {
                self.phase = Phase::Closing;
                self.deadline = Some((cx.now + cx.timing.linger, TimeoutReason::Linger));
                self.pump(cx);
                false
            }
            Phase::Closing => false,
        }
    }

    fn pump(&mut self, cx: &mut Cx<'_>) {
        let rtc = self.names.rtc;
        if self.channel != Channel::Open {
            return;
        }
        if self.may_speak {
            while let Some(message) = self.outgoing.next(cx.limits) {
                cx.out.rtc(rtc, RtcAction::Send(message));
            }
        }
        if self.phase == Phase::Closing && self.outgoing.is_empty() {
            if let Some(goodbye) = self.serialization.goodbye()
                && self.may_speak
            {
                cx.out.rtc(rtc, RtcAction::Send(goodbye));
            }
            self.channel = Channel::Ending;
            cx.out.rtc(rtc, RtcAction::CloseChannel);
        }
    }

    fn send_candidate(&self, ice: IceCandidate, cx: &mut Cx<'_>) {
        let candidate = Candidate {
            connection_id: self.names.connection_id.clone(),
            ice,
        };
        let dst = self.names.remote.clone();
        let message = ToServer::Candidate { dst, candidate };
        cx.registration.send(self.names.rtc, &message, cx.out);
    }

    fn add_held_candidates(&mut self, cx: &mut Cx<'_>) {
        if self.phase == Phase::Connecting {
            for candidate in std::mem::take(&mut self.remote_candidates) {
                cx.out
                    .rtc(self.names.rtc, RtcAction::AddCandidate(candidate));
            }
        }
    }

    fn come_up_if_ready(&mut self, cx: &mut Cx<'_>) {
        let (Some(local), Some(remote)) = (self.local, self.remote) else {
            return;
        };
        if self.phase == Phase::Connecting && self.channel == Channel::Open {
            self.phase = Phase::Up;
            self.up_since = Some(cx.now);
            self.deadline = None;
            let binding = ChannelBinding {
                local: Bytes::copy_from_slice(local.as_bytes()),
                remote: Bytes::copy_from_slice(remote.as_bytes()),
            };
            let link = self.names.link;
            cx.out.event(TransportEvent::LinkUp { link, binding });
        }
    }
}
