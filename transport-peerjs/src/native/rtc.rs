//! One peer connection with its channel, by str0m. Nothing outside of this module names that.
//!
//! str0m has no I/O. It is given one thing at a time, and then asked for all that follows:
//! [`Rtc::drain`] is to be called after each of the others.

mod certificate;
mod crypto;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::config::CryptoProvider;
use str0m::ice::StunMessage;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, RtcConfig};

use crate::shell::backend::{Failure, RtcInput, TakenChannel};
use crate::wire::{ChannelKind, ChannelMessage, IceCandidate, RtcState};

/// A channel that the other side has opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened(TakenChannel);

impl Opened {
    /// It is taken already: its first message may be here before anybody has asked for it.
    pub(super) fn taken(&self) -> TakenChannel {
        self.0
    }
}

/// A peer connection with its channel.
pub(super) struct Rtc {
    rtc: str0m::Rtc,
    ufrag: String,
    /// An offer that has not been answered.
    pending: Option<SdpPendingOffer>,
    /// The one channel, once it is known.
    channel: Option<ChannelId>,
    low_water: usize,
    /// DTLS is done.
    is_connected: bool,
    /// Its end was reported.
    is_over: bool,
}

impl Rtc {
    /// Dials from these addresses, of sockets that this side has. Returns the description too. A
    /// channel holds `max_buffered` bytes and no more.
    pub(super) fn offer(
        label: &str,
        hosts: &[SocketAddr],
        max_buffered: usize,
        now: Instant,
    ) -> Result<(Self, String), Failure> {
        let mut made = Self::new(hosts, max_buffered, now)?;
        let mut changes = made.rtc.sdp_api();
        // Ordered, reliable and not negotiated, unless one says otherwise.
        made.channel = Some(changes.add_channel(label.to_owned()));
        let (offer, pending) = changes
            .apply()
            .ok_or_else(|| Failure("there is nothing to offer".into()))?;
        made.pending = Some(pending);
        Ok((made, offer.to_sdp_string()))
    }

    /// Answers an offer, likewise.
    pub(super) fn answer(
        offer: &str,
        hosts: &[SocketAddr],
        max_buffered: usize,
        now: Instant,
    ) -> Result<(Self, String), Failure> {
        let mut made = Self::new(hosts, max_buffered, now)?;
        let answer = made.guarded(|made| {
            let offer = SdpOffer::from_sdp_string(offer).map_err(failure)?;
            made.rtc.sdp_api().accept_offer(offer).map_err(failure)
        })?;
        Ok((made, answer.to_sdp_string()))
    }

    fn new(hosts: &[SocketAddr], max_buffered: usize, now: Instant) -> Result<Self, Failure> {
        static CRYPTO: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
        let crypto = CRYPTO.get_or_init(|| Arc::new(crypto::provider()));
        let certificate = certificate::of_this_process().map_err(Failure)?;
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .set_crypto_provider(Arc::clone(crypto))
            .set_dtls_cert(certificate)
            .set_sctp_max_buffered_amount(max_buffered)
            .build(now);
        for host in hosts {
            let candidate = Candidate::host(*host, Protocol::Udp).map_err(failure)?;
            rtc.add_local_candidate(candidate);
        }
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        Ok(Self {
            rtc,
            ufrag,
            pending: None,
            channel: None,
            low_water: 0,
            is_connected: false,
            is_over: false,
        })
    }

    /// The name by which a first datagram of the other side asks for this connection.
    pub(super) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// True once it has been connected.
    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// An address at which a STUN server sees the socket, as the other side is told of it. It makes
    /// no difference here: what comes by it comes at the socket.
    pub(super) fn reflexive(&self, seen: SocketAddr) -> Option<IceCandidate> {
        let base: IpAddr = match seen {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let made = Candidate::server_reflexive(seen, (base, 0).into(), Protocol::Udp);
        Some(self.told(&made.ok()?))
    }

    /// There is a relay, by which this side may send and be reached. Returns how the other side is
    /// told of it.
    pub(super) fn add_relayed(&mut self, relayed: SocketAddr) -> Result<IceCandidate, Failure> {
        self.guarded(|made| {
            // What comes by it is said to have come there.
            let candidate = Candidate::relayed(relayed, relayed, Protocol::Udp);
            let candidate = candidate.map_err(failure)?;
            made.rtc.add_local_candidate(candidate.clone());
            Ok(made.told(&candidate))
        })
    }

    fn told(&self, candidate: &Candidate) -> IceCandidate {
        IceCandidate {
            candidate: candidate.to_sdp_string(),
            sdp_mid: None,
            sdp_m_line_index: Some(0),
            username_fragment: Some(self.ufrag.clone()),
        }
    }

    /// The other side has answered.
    pub(super) fn set_answer(&mut self, answer: &str) -> Result<(), Failure> {
        let pending = self.pending.take();
        let pending = pending.ok_or_else(|| Failure("an answer to no offer".into()))?;
        self.guarded(|made| {
            let answer = SdpAnswer::from_sdp_string(answer).map_err(failure)?;
            let accepted = made.rtc.sdp_api().accept_answer(pending, answer);
            accepted.map_err(failure)
        })
    }

    /// The other side has an address to try. One that is none, or a name that only the other
    /// side's network resolves, is left out.
    pub(super) fn add_candidate(&mut self, ice: &IceCandidate) -> Result<(), Failure> {
        self.guarded(|made| {
            if let Ok(candidate) = Candidate::from_sdp_string(&ice.candidate) {
                made.rtc.add_remote_candidate(candidate);
            }
            Ok(())
        })
    }

    /// A datagram came from `source`, sent to one of this side's addresses. Returns whether it
    /// shows that whoever sent it has this connection's password, which only STUN does.
    pub(super) fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<bool, Failure> {
        self.guarded(|made| {
            let read = Receive::new(Protocol::Udp, source, destination, datagram);
            // Anybody can send anything.
            let Ok(receive) = read else {
                return Ok(false);
            };
            let input = Input::Receive(now, receive);
            let is_stun = is_stun(datagram);
            let is_known = is_stun && made.rtc.accepts(&input);
            if is_known || !is_stun {
                // What cannot be read is as good as lost. Its sender may have written somebody
                // else's address, so it must not end what is theirs.
                let _ = made.rtc.handle_input(input);
            }
            Ok(is_known)
        })
    }

    /// The moment that [`drain`](Self::drain) has named is there.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Failure> {
        self.guarded(|made| made.rtc.handle_input(Input::Timeout(now)).map_err(failure))
    }

    /// Sends on the channel.
    pub(super) fn send(&mut self, message: &ChannelMessage) -> Result<(), Failure> {
        let (is_binary, bytes) = match message {
            ChannelMessage::Text(text) => (false, text.as_bytes()),
            ChannelMessage::Binary(bytes) => (true, &bytes[..]),
        };
        self.guarded(|made| {
            let channel = made.channel.and_then(|id| made.rtc.channel(id));
            let mut channel = channel.ok_or_else(|| Failure("there is no channel".into()))?;
            if channel.write(is_binary, bytes).map_err(failure)? {
                Ok(())
            } else {
                Err(Failure("the channel holds more than it may".into()))
            }
        })
    }

    /// The number of bytes that the channel holds: that the other side has not confirmed.
    pub(super) fn buffered(&mut self) -> Option<usize> {
        let id = self.channel?;
        Some(self.rtc.channel(id)?.buffered_amount())
    }

    /// The amount at which it is reported that the channel holds little.
    pub(super) fn set_low_water(&mut self, bytes: usize) {
        self.low_water = bytes;
        if let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) {
            channel.set_buffered_amount_low_threshold(bytes);
        }
    }

    /// Closes the channel.
    pub(super) fn close_channel(&mut self) {
        if let Some(id) = self.channel {
            self.rtc.direct_api().close_data_channel(id);
        }
    }

    /// Says goodbye: what that is comes out of [`drain`](Self::drain). What happens from now on is
    /// not reported.
    pub(super) fn close(&mut self) {
        self.is_over = true;
        // It fails where there is nobody yet to say goodbye to.
        let _ = self.guarded(|made| made.rtc.close().map_err(failure));
    }

    /// Takes all that follows from what was done: datagrams to be sent, with the addresses that
    /// they go from and to, and what there is to report. Returns the moment at which it wants to
    /// be heard of again, or nothing once it is over.
    pub(super) fn drain(
        &mut self,
        mut send: impl FnMut(SocketAddr, SocketAddr, &[u8]),
        mut report: impl FnMut(RtcInput<Opened>),
    ) -> Option<Instant> {
        loop {
            let output = self.guarded(|made| made.rtc.poll_output().map_err(failure));
            match output {
                Ok(Output::Transmit(it)) => send(it.source, it.destination, &it.contents),
                Ok(Output::Event(event)) => {
                    if let Some(input) = self.heard(event)
                        && !self.is_over
                    {
                        report(input);
                    }
                }
                Ok(Output::Timeout(at)) if self.rtc.is_alive() => return Some(at),
                Ok(Output::Timeout(_)) => {
                    if !std::mem::replace(&mut self.is_over, true) {
                        report(RtcInput::State(RtcState::Closed));
                    }
                    return None;
                }
                Err(Failure(why)) => {
                    self.rtc.disconnect();
                    if !std::mem::replace(&mut self.is_over, true) {
                        report(RtcInput::Failed(why));
                    }
                    return None;
                }
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what str0m says is about media"
    )]
    fn heard(&mut self, event: Event) -> Option<RtcInput<Opened>> {
        Some(match event {
            Event::Connected => {
                self.is_connected = true;
                RtcInput::State(RtcState::Connected)
            }
            Event::IceConnectionStateChange(state) => RtcInput::State(match state {
                IceConnectionState::New => RtcState::New,
                IceConnectionState::Disconnected => RtcState::Disconnected,
                // A browser speaks of connections where there is DTLS, too.
                IceConnectionState::Connected | IceConnectionState::Completed
                    if self.is_connected =>
                {
                    RtcState::Connected
                }
                IceConnectionState::Checking
                | IceConnectionState::Connected
                | IceConnectionState::Completed => RtcState::Connecting,
            }),
            Event::ChannelOpen(id, _) => {
                let is_own = self.channel == Some(id);
                let kind = self.kind(id);
                // A second one is reported and not listened to.
                self.channel.get_or_insert(id);
                self.set_low_water(self.low_water);
                if is_own {
                    RtcInput::ChannelOpen
                } else {
                    RtcInput::Channel(Opened(TakenChannel {
                        kind,
                        is_open: true,
                    }))
                }
            }
            Event::ChannelData(data) if self.channel == Some(data.id) => {
                if data.binary {
                    RtcInput::Message(ChannelMessage::Binary(Bytes::from(data.data)))
                } else {
                    match String::from_utf8(data.data) {
                        Ok(text) => RtcInput::Message(ChannelMessage::Text(text)),
                        Err(_) => RtcInput::Failed("a text that is none".into()),
                    }
                }
            }
            Event::ChannelBufferedAmountLow(id) if self.channel == Some(id) => RtcInput::Buffered,
            Event::ChannelClose(id) if self.channel == Some(id) => RtcInput::ChannelClosed,
            Event::Closed if self.channel.is_some() => RtcInput::ChannelClosed,
            Event::Closed => RtcInput::State(RtcState::Closed),
            // The rest is about other channels, media and statistics.
            _ => return None,
        })
    }

    fn kind(&mut self, id: ChannelId) -> ChannelKind {
        let channel = self.rtc.channel(id);
        let config: Option<ChannelConfig> = channel.and_then(|channel| channel.config().cloned());
        ChannelKind {
            ordered: config.as_ref().is_some_and(|config| config.ordered),
            lossy: config
                .as_ref()
                .is_none_or(|config| config.reliability != Reliability::Reliable),
            negotiated: config
                .as_ref()
                .is_none_or(|config| config.negotiated.is_some()),
        }
    }

    /// Does something that must not take others with it: a fault in a library that the other side
    /// has found costs its own connection, which does nothing more then.
    fn guarded<R>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        match catch_unwind(AssertUnwindSafe(|| act(self))) {
            Ok(result) => result,
            Err(_) => {
                self.rtc.disconnect();
                Err(Failure(
                    "the connection met a fault in WebRTC's code".into(),
                ))
            }
        }
    }
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure(error.to_string())
}

/// True for STUN, by RFC 7983.
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(0..=3))
}

/// The connection that a STUN request asks for, by its own name.
pub(super) fn asked_for(datagram: &[u8]) -> Option<String> {
    let message = StunMessage::parse(datagram).ok()?;
    let (mine, _) = message.split_username()?;
    message.is_binding_request().then(|| mine.to_owned())
}
