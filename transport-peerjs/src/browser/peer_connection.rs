//! One `RTCPeerConnection` with its channel.

use bytes::Bytes;
use futures::future::{AbortHandle, abortable};
use js_sys::{ArrayBuffer, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    EventTarget, MessageEvent, RtcConfiguration, RtcDataChannel, RtcDataChannelEvent,
    RtcDataChannelState, RtcDataChannelType, RtcIceCandidate, RtcIceCandidateInit,
    RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState, RtcSdpType,
    RtcSessionDescriptionInit,
};

use super::listener::Listener;
use super::thrown::failure;
use crate::shell::backend::{Failure, Input, RtcInput, TakenChannel};
use crate::shell::reentry::Reporter;
use crate::wire::{ChannelKind, ChannelMessage, IceCandidate, RtcId, RtcState};

/// A peer connection with its channel. Dropping it closes both; nothing is heard of them then.
pub(super) struct PeerConnection {
    to: Report,
    rtc: RtcPeerConnection,
    channel: Option<RtcDataChannel>,
    listeners: Vec<Listener>,
    /// Promises that are awaited. Those of a closed peer connection never end, and would keep it
    /// for ever.
    awaited: Vec<AbortHandle>,
}

/// The way to report what happens to one connection.
#[derive(Clone)]
struct Report {
    id: RtcId,
    to: Reporter<RtcDataChannel>,
}

impl Report {
    fn report(&self, input: RtcInput<RtcDataChannel>) {
        self.to.report(Input::Rtc(self.id, input));
    }

    fn on<E: JsCast>(
        &self,
        target: &EventTarget,
        kind: &'static str,
        heard: impl Fn(&E) -> Option<RtcInput<RtcDataChannel>> + 'static,
    ) -> Listener {
        let to = self.clone();
        Listener::new(target, kind, move |event| {
            // Each kind of event is always of its own class. To ask the browser costs a call for
            // each message.
            if let Some(input) = heard(event.unchecked_ref()) {
                to.report(input);
            }
        })
    }
}

impl PeerConnection {
    /// Dials.
    pub(super) fn offer(
        id: RtcId,
        label: &str,
        config: &RtcConfiguration,
        reporter: &Reporter<RtcDataChannel>,
    ) -> Result<Self, Failure> {
        let mut connection = Self::new(id, config, reporter)?;
        // Without options a channel is ordered, reliable and not negotiated.
        let channel = connection.rtc.create_data_channel(label);
        connection.keep(channel);
        let rtc = connection.rtc.clone();
        connection.describe(async move {
            let offer = JsFuture::from(rtc.create_offer()).await?;
            describe_here(&rtc, offer).await
        });
        Ok(connection)
    }

    /// Answers.
    pub(super) fn answer(
        id: RtcId,
        offer: &str,
        config: &RtcConfiguration,
        reporter: &Reporter<RtcDataChannel>,
    ) -> Result<Self, Failure> {
        let mut connection = Self::new(id, config, reporter)?;
        let offered = set_remote(&connection.rtc, RtcSdpType::Offer, offer);
        let rtc = connection.rtc.clone();
        connection.describe(async move {
            JsFuture::from(offered).await?;
            let answer = JsFuture::from(rtc.create_answer()).await?;
            describe_here(&rtc, answer).await
        });
        Ok(connection)
    }

    fn new(
        id: RtcId,
        config: &RtcConfiguration,
        reporter: &Reporter<RtcDataChannel>,
    ) -> Result<Self, Failure> {
        let rtc = RtcPeerConnection::new_with_configuration(config).map_err(failure)?;
        let to = Report {
            id,
            to: reporter.clone(),
        };
        let state_of = rtc.clone();
        let listeners = vec![
            to.on(&rtc, "icecandidate", |event: &RtcPeerConnectionIceEvent| {
                // `null` is the end of them, which PeerJS does not send.
                event
                    .candidate()
                    .map(|ice| RtcInput::Candidate(candidate(&ice)))
            }),
            to.on(&rtc, "connectionstatechange", move |_: &web_sys::Event| {
                state(state_of.connection_state()).map(RtcInput::State)
            }),
            to.on(&rtc, "datachannel", |event: &RtcDataChannelEvent| {
                Some(RtcInput::Channel(event.channel()))
            }),
        ];
        Ok(Self {
            to,
            rtc,
            channel: None,
            listeners,
            awaited: Vec::new(),
        })
    }

    /// The other side has answered.
    pub(super) fn set_answer(&mut self, answer: &str) {
        let set = set_remote(&self.rtc, RtcSdpType::Answer, answer);
        self.attempt(async move { JsFuture::from(set).await.map(|_| None) });
    }

    /// The other side has an address to try.
    pub(super) fn add_candidate(&self, ice: &IceCandidate) {
        let init = RtcIceCandidateInit::new(&ice.candidate);
        init.set_sdp_mid(ice.sdp_mid.as_deref());
        init.set_sdp_m_line_index(ice.sdp_m_line_index);
        if let Some(fragment) = &ice.username_fragment {
            // Nothing forbids it on a plain object.
            let _ = Reflect::set(&init, &"usernameFragment".into(), &fragment.into());
        }
        let added = self
            .rtc
            .add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
        // One that cannot be added is ignored: others may do. But a rejection that nobody looks at
        // is an error of the page.
        spawn_local(async move {
            let _ = JsFuture::from(added).await;
        });
    }

    /// Takes the channel that the other side has opened. There is to be one; a second is not
    /// listened to.
    pub(super) fn take_channel(&mut self, channel: RtcDataChannel) -> TakenChannel {
        let taken = TakenChannel {
            kind: kind(&channel),
            is_open: channel.ready_state() == RtcDataChannelState::Open,
        };
        if self.channel.is_none() {
            self.keep(channel);
        }
        taken
    }

    /// Sends on the channel.
    pub(super) fn send(&self, message: &ChannelMessage) -> Result<(), Failure> {
        let channel = self.channel.as_ref();
        let channel = channel.ok_or_else(|| Failure("there is no channel".into()))?;
        match message {
            ChannelMessage::Text(text) => channel.send_with_str(text),
            ChannelMessage::Binary(bytes) => channel.send_with_u8_array(bytes),
        }
        .map_err(failure)
    }

    /// The number of bytes that the channel holds.
    pub(super) fn buffered(&self) -> Option<usize> {
        let bytes = self.channel.as_ref()?.buffered_amount();
        Some(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// The amount below which the browser reports that the channel holds little.
    pub(super) fn set_low_water(&self, bytes: usize) {
        if let Some(channel) = &self.channel {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            channel.set_buffered_amount_low_threshold(bytes);
        }
    }

    /// Closes the channel. Chromium throws away what it holds.
    pub(super) fn close_channel(&self) {
        if let Some(channel) = &self.channel {
            channel.close();
        }
    }

    fn keep(&mut self, channel: RtcDataChannel) {
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        let on = |kind, heard: fn() -> RtcInput<RtcDataChannel>| {
            self.to
                .on(&channel, kind, move |_: &web_sys::Event| Some(heard()))
        };
        let listeners = [
            on("open", || RtcInput::ChannelOpen),
            on("bufferedamountlow", || RtcInput::Buffered),
            // An `error` is always followed by it.
            on("close", || RtcInput::ChannelClosed),
            self.to.on(&channel, "message", |event: &MessageEvent| {
                Some(match message(&event.data()) {
                    Some(message) => RtcInput::Message(message),
                    None => RtcInput::Failed("a message that is neither text nor bytes".into()),
                })
            }),
        ];
        self.listeners.extend(listeners);
        self.channel = Some(channel);
    }

    /// Awaits this side's description and reports it.
    fn describe(&mut self, made: impl Future<Output = Result<String, JsValue>> + 'static) {
        self.attempt(async move { made.await.map(|sdp| Some(RtcInput::Description(sdp))) });
    }

    /// Awaits something that may fail, and reports what comes of it.
    fn attempt(
        &mut self,
        attempt: impl Future<Output = Result<Option<RtcInput<RtcDataChannel>>, JsValue>> + 'static,
    ) {
        let (attempt, handle) = abortable(attempt);
        self.awaited.push(handle);
        let to = self.to.clone();
        spawn_local(async move {
            match attempt.await {
                Ok(Ok(Some(input))) => to.report(input),
                Ok(Ok(None)) | Err(_) => {}
                Ok(Err(error)) => to.report(RtcInput::Failed(failure(error).0)),
            }
        });
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        self.listeners.clear();
        for awaited in &self.awaited {
            awaited.abort();
        }
        if let Some(channel) = &self.channel {
            channel.close();
        }
        self.rtc.close();
    }
}

fn set_remote(rtc: &RtcPeerConnection, kind: RtcSdpType, sdp: &str) -> Promise {
    let description = RtcSessionDescriptionInit::new(kind);
    description.set_sdp(sdp);
    rtc.set_remote_description(&description)
}

/// Sets what was made as this side's description, and says what has become of it: that is what the
/// handshake has to sign.
async fn describe_here(rtc: &RtcPeerConnection, made: JsValue) -> Result<String, JsValue> {
    JsFuture::from(rtc.set_local_description(made.unchecked_ref())).await?;
    let description = rtc.local_description();
    let description = description.ok_or("there is no description of this side")?;
    Ok(description.sdp())
}

fn candidate(ice: &RtcIceCandidate) -> IceCandidate {
    let fragment = Reflect::get(ice, &"usernameFragment".into()).ok();
    IceCandidate {
        candidate: ice.candidate(),
        sdp_mid: ice.sdp_mid(),
        sdp_m_line_index: ice.sdp_m_line_index(),
        username_fragment: fragment.and_then(|fragment| fragment.as_string()),
    }
}

fn message(data: &JsValue) -> Option<ChannelMessage> {
    if let Some(text) = data.as_string() {
        return Some(ChannelMessage::Text(text));
    }
    let buffer = data.dyn_ref::<ArrayBuffer>()?;
    let bytes = Uint8Array::new(buffer).to_vec();
    Some(ChannelMessage::Binary(Bytes::from(bytes)))
}

fn state(state: RtcPeerConnectionState) -> Option<RtcState> {
    Some(match state {
        RtcPeerConnectionState::New => RtcState::New,
        RtcPeerConnectionState::Connecting => RtcState::Connecting,
        RtcPeerConnectionState::Connected => RtcState::Connected,
        RtcPeerConnectionState::Disconnected => RtcState::Disconnected,
        RtcPeerConnectionState::Failed => RtcState::Failed,
        RtcPeerConnectionState::Closed => RtcState::Closed,
        // One of a later standard.
        _ => return None,
    })
}

fn kind(channel: &RtcDataChannel) -> ChannelKind {
    let is = |property: &str| {
        Reflect::get(channel, &property.into()).is_ok_and(|value| value.is_truthy())
    };
    ChannelKind {
        ordered: is("ordered"),
        lossy: channel.max_retransmits().is_some() || channel.max_packet_life_time().is_some(),
        negotiated: is("negotiated"),
    }
}
