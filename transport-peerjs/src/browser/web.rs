//! The page's own `WebSocket`, `RTCPeerConnection` and timer, as a backend.

use std::collections::BTreeMap;

use hustings_room::Moment;
use hustings_room::clock::{Clock, SystemClock};
use js_sys::Array;
use wasm_bindgen::JsValue;
use web_sys::{
    RtcConfiguration, RtcDataChannel, RtcIceServer, RtcIceTransportPolicy, Window, console,
};

use super::collect::Closed;
use super::listener::Listener;
use super::page;
use super::peer_connection::PeerConnection;
use super::socket::Socket;
use super::thrown::failure;
use super::timer::Timer;
use crate::config::{Config, IceServer};
use crate::shell::backend::{Backend, Failure, Input, TakenChannel};
use crate::shell::reentry::Reporter;
use crate::wire::{ChannelMessage, IceCandidate, Notice, RtcId, SocketId};

/// A page as a [`Backend`].
pub(super) struct Web {
    clock: SystemClock,
    rtc_config: RtcConfiguration,
    relay_only: bool,
    reporter: Reporter<RtcDataChannel>,
    socket: Option<Socket>,
    connections: BTreeMap<RtcId, PeerConnection>,
    closed: Closed,
    timer: Timer,
    _page: Vec<Listener>,
}

impl Web {
    pub(super) fn new(
        config: &Config,
        window: Window,
        clock: SystemClock,
        reporter: Reporter<RtcDataChannel>,
    ) -> Self {
        Self {
            clock,
            relay_only: config.relay_only,
            rtc_config: rtc_config(&config.ice_servers, config.relay_only),
            socket: None,
            connections: BTreeMap::new(),
            closed: Closed::default(),
            _page: page::listen(&window, &reporter),
            timer: Timer::new(window, reporter.clone()),
            reporter,
        }
    }

    /// A connection that cannot be made may be one too many: the next may find room.
    fn or_collect<T>(&mut self, made: Result<T, Failure>) -> Result<T, Failure> {
        if made.is_err() {
            self.closed.collect();
        }
        made
    }
}

impl Backend for Web {
    type Channel = RtcDataChannel;

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn poll_input(&mut self) -> Option<Input<RtcDataChannel>> {
        self.reporter.poll()
    }

    fn set_timer(&mut self, deadline: Option<Moment>) {
        self.timer.arm(deadline, self.clock.now());
    }

    fn open_socket(&mut self, socket: SocketId, url: &str) -> Result<(), Failure> {
        let opened = Socket::open(socket, url, &self.reporter).map_err(|error| {
            console::warn_1(&error);
            failure(error)
        })?;
        self.socket = Some(opened);
        Ok(())
    }

    fn send_socket(&mut self, text: &str) {
        if let Some(socket) = &self.socket {
            socket.send(text);
        }
    }

    fn close_socket(&mut self) {
        self.socket = None;
    }

    fn set_ice_servers(&mut self, servers: &[IceServer]) {
        self.rtc_config = rtc_config(servers, self.relay_only);
    }

    fn create_offer(&mut self, rtc: RtcId, label: &str) -> Result<(), Failure> {
        let made = PeerConnection::offer(rtc, label, &self.rtc_config, &self.reporter);
        let made = self.or_collect(made)?;
        self.connections.insert(rtc, made);
        Ok(())
    }

    fn create_answer(&mut self, rtc: RtcId, offer: &str) -> Result<(), Failure> {
        let made = PeerConnection::answer(rtc, offer, &self.rtc_config, &self.reporter);
        let made = self.or_collect(made)?;
        self.connections.insert(rtc, made);
        Ok(())
    }

    fn set_answer(&mut self, rtc: RtcId, answer: &str) {
        if let Some(connection) = self.connections.get_mut(&rtc) {
            connection.set_answer(answer);
        }
    }

    fn add_candidate(&mut self, rtc: RtcId, candidate: &IceCandidate) {
        if let Some(connection) = self.connections.get(&rtc) {
            connection.add_candidate(candidate);
        }
    }

    fn take_channel(&mut self, rtc: RtcId, channel: RtcDataChannel) -> Option<TakenChannel> {
        let connection = self.connections.get_mut(&rtc)?;
        Some(connection.take_channel(channel))
    }

    fn send(&mut self, rtc: RtcId, message: &ChannelMessage) -> Result<(), Failure> {
        match self.connections.get(&rtc) {
            Some(connection) => connection.send(message),
            None => Err(Failure("there is no channel".into())),
        }
    }

    fn buffered(&mut self, rtc: RtcId) -> Option<usize> {
        self.connections.get(&rtc)?.buffered()
    }

    fn set_low_water(&mut self, rtc: RtcId, bytes: usize) {
        if let Some(connection) = self.connections.get(&rtc) {
            connection.set_low_water(bytes);
        }
    }

    fn close_channel(&mut self, rtc: RtcId) {
        if let Some(connection) = self.connections.get(&rtc) {
            connection.close_channel();
        }
    }

    fn close(&mut self, rtc: RtcId) {
        if self.connections.remove(&rtc).is_some() {
            self.closed.add();
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let text = match notice {
            Notice::Malformed(error) => format!("hustings: from the signalling server: {error}"),
            Notice::Refused { from, refusal } => format!("hustings: refused {from:?}: {refusal}"),
        };
        console::debug_1(&text.into());
    }
}

fn rtc_config(ice_servers: &[IceServer], relay_only: bool) -> RtcConfiguration {
    let servers = Array::new();
    for server in ice_servers {
        let urls: Array = server.urls.iter().map(JsValue::from).collect();
        let ice = RtcIceServer::new();
        ice.set_urls(&urls);
        if let Some(username) = &server.username {
            ice.set_username(username);
        }
        if let Some(credential) = &server.credential {
            ice.set_credential(credential);
        }
        servers.push(&ice);
    }
    let made = RtcConfiguration::new();
    made.set_ice_servers(&servers);
    if relay_only {
        made.set_ice_transport_policy(RtcIceTransportPolicy::Relay);
    }
    made
}
