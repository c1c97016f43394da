//! Holds the machine, gives it what happens, and does what it says.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{LinkId, Moment};
use js_sys::Array;
use wasm_bindgen::JsValue;
use web_sys::{RtcConfiguration, RtcDataChannel, RtcIceServer, Window, console};

use super::connection::{self, Connection};
use super::inbox::Inbox;
use super::listener::Listener;
use super::socket::Socket;
use super::stalls::Stalls;
use super::timer::Timer;
use super::{page, thrown};
use crate::config::{Config, WireLimits};
use crate::wire::{
    ChannelMessage, Endpoint, IceCandidate, Notice, Output, RegistrationState, RtcAction, RtcId,
    RtcState, SocketId,
};

/// After how many bytes the browser is asked how much a channel holds. Until then the machine takes it that
/// nothing has left.
const COUNT_EVERY: usize = 64 * 1024;

/// Something that happened.
#[derive(Debug, Clone)]
pub(super) enum Input {
    SocketOpen(SocketId),
    SocketText(SocketId, String),
    SocketClosed(SocketId),
    Rtc(RtcId, RtcInput),
    Wake,
    Timeout,
    /// The page goes away. It may come back.
    PageGone,
}

/// Something that happened to one connection.
#[derive(Debug, Clone)]
pub(super) enum RtcInput {
    Description(String),
    Candidate(IceCandidate),
    State(RtcState),
    Channel(RtcDataChannel),
    ChannelOpen,
    Message(ChannelMessage),
    Buffered,
    ChannelClosed,
    Failed(String),
}

/// Holds the machine, gives it what happens, and does what it says.
///
/// Whatever calls into the browser may find itself called back before that call returns, today or in
/// a later browser. So what happens is queued, and while something is being done nothing but the queue
/// is touched: it is handled when the present thing is done.
pub(super) struct Shell {
    clock: SystemClock,
    limits: WireLimits,
    rtc_config: RtcConfiguration,
    me: Weak<Shell>,
    endpoint: RefCell<Endpoint>,
    inputs: RefCell<VecDeque<Input>>,
    is_running: Cell<bool>,
    socket: RefCell<Option<Socket>>,
    connections: RefCell<BTreeMap<RtcId, Connection>>,
    inbox: RefCell<Inbox>,
    /// Those that the other side of [`Inbox`] knows: what is to be hung up at the end.
    links: RefCell<BTreeSet<LinkId>>,
    registration: RefCell<RegistrationState>,
    stalls: RefCell<Stalls>,
    timer: Timer,
    _page: Vec<Listener>,
    /// Itself, after the transport was dropped, until its connections have sent what they have.
    leaving: RefCell<Option<Rc<Shell>>>,
}

impl Shell {
    pub(super) fn new(
        config: &Config,
        endpoint: Endpoint,
        window: Window,
        clock: SystemClock,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            clock,
            limits: config.limits,
            rtc_config: rtc_config(config),
            me: me.clone(),
            endpoint: RefCell::new(endpoint),
            inputs: RefCell::default(),
            is_running: Cell::new(false),
            socket: RefCell::default(),
            connections: RefCell::default(),
            inbox: RefCell::default(),
            links: RefCell::default(),
            registration: RefCell::new(RegistrationState::Connecting),
            stalls: RefCell::default(),
            _page: page::listen(&window, me),
            timer: Timer::new(window, me.clone()),
            leaving: RefCell::default(),
        })
    }

    pub(super) fn registration(&self) -> RegistrationState {
        self.registration.borrow().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.borrow().len()
    }

    pub(super) fn dial(&self, link: LinkId, to: &Address) {
        self.links.borrow_mut().insert(link);
        self.endpoint.borrow_mut().dial(link, to, self.clock.now());
        self.run();
    }

    pub(super) fn send(&self, link: LinkId, frame: Bytes) -> SendOutcome {
        let now = self.clock.now();
        let outcome = self.endpoint.borrow_mut().send(link, frame, now);
        self.run();
        outcome
    }

    pub(super) fn broadcast(
        &self,
        links: impl Iterator<Item = LinkId>,
        frame: &Bytes,
        full: &mut Vec<LinkId>,
    ) {
        let now = self.clock.now();
        for link in links {
            let outcome = self.endpoint.borrow_mut().send(link, frame.clone(), now);
            if outcome == SendOutcome::Blocked {
                full.push(link);
            }
        }
        self.run();
    }

    pub(super) fn hangup(&self, link: LinkId) {
        self.links.borrow_mut().remove(&link);
        self.endpoint.borrow_mut().hangup(link, self.clock.now());
        self.run();
        self.inbox.borrow_mut().forget(link);
    }

    pub(super) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.inbox.borrow_mut().poll(cx)
    }

    /// Frees the id at once, and ends once the links have sent what waits.
    pub(super) fn leave(&self) {
        *self.leaving.borrow_mut() = self.me.upgrade();
        // Without it there are no new connections. The machine does not know, and need not.
        let socket = self.socket.borrow_mut().take();
        drop(socket);
        let links = std::mem::take(&mut *self.links.borrow_mut());
        for link in links {
            self.endpoint.borrow_mut().hangup(link, self.clock.now());
        }
        self.inbox.borrow_mut().clear();
        self.run();
    }

    /// Something happened.
    pub(super) fn input(&self, input: Input) {
        self.inputs.borrow_mut().push_back(input);
        self.run();
    }

    /// Does what is to be done, unless that is going on already.
    pub(super) fn run(&self) {
        if self.is_running.replace(true) {
            return;
        }
        let mut speaker = None;
        loop {
            self.perform_all(speaker);
            let Some(input) = self.next_input() else {
                break;
            };
            speaker = self.handle(input);
        }
        if self.is_leaving() && self.connections.borrow().is_empty() {
            self.endpoint.borrow_mut().close();
            self.perform_all(None);
            // Whoever called has a reference of its own.
            self.leaving.borrow_mut().take();
        }
        self.is_running.set(false);
        let deadline = self.endpoint.borrow().poll_timeout().map(|(at, _)| at);
        let stall = self.stalls.borrow().deadline();
        let next = deadline.into_iter().chain(stall).min();
        self.timer.arm(next, &self.clock);
        let waker = self.inbox.borrow_mut().take_waker();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_leaving(&self) -> bool {
        self.leaving.borrow().is_some()
    }

    fn next_input(&self) -> Option<Input> {
        self.inputs.borrow_mut().pop_front()
    }

    /// Tells the machine. Returns the connection whose message it was, if it was one.
    fn handle(&self, input: Input) -> Option<RtcId> {
        let now = self.clock.now();
        match input {
            Input::SocketOpen(socket) => {
                self.endpoint.borrow_mut().handle_socket_open(socket, now);
            }
            Input::SocketText(socket, text) => {
                let mut endpoint = self.endpoint.borrow_mut();
                endpoint.handle_socket_text(socket, &text, now);
            }
            Input::SocketClosed(socket) => {
                self.endpoint.borrow_mut().handle_socket_closed(socket, now);
            }
            Input::Rtc(rtc, input) => return self.handle_rtc(rtc, input, now),
            Input::Wake => self.endpoint.borrow_mut().wake(now),
            Input::Timeout => {
                self.timer.fired();
                self.endpoint.borrow_mut().handle_timeout(now);
                self.nudge_stalled(now);
            }
            Input::PageGone => self.lose_everything(now),
        }
        None
    }

    fn handle_rtc(&self, rtc: RtcId, input: RtcInput, now: Moment) -> Option<RtcId> {
        match input {
            RtcInput::Description(sdp) => {
                let mut endpoint = self.endpoint.borrow_mut();
                endpoint.handle_description(rtc, sdp, now);
            }
            RtcInput::Candidate(candidate) => {
                let mut endpoint = self.endpoint.borrow_mut();
                endpoint.handle_candidate(rtc, candidate, now);
            }
            RtcInput::State(state) => self.endpoint.borrow_mut().handle_state(rtc, state, now),
            RtcInput::Channel(channel) => self.handle_channel(rtc, &channel, now),
            RtcInput::ChannelOpen => self.endpoint.borrow_mut().handle_channel_open(rtc, now),
            RtcInput::Message(message) => {
                self.endpoint.borrow_mut().handle_message(rtc, message, now);
                return Some(rtc);
            }
            RtcInput::Buffered => self.handle_buffered(rtc, now),
            RtcInput::ChannelClosed => {
                self.endpoint.borrow_mut().handle_channel_closed(rtc, now);
            }
            RtcInput::Failed(why) => self.endpoint.borrow_mut().handle_failure(rtc, &why, now),
        }
        None
    }

    fn handle_channel(&self, rtc: RtcId, channel: &RtcDataChannel, now: Moment) {
        let kind = connection::kind(channel);
        if let Some(connection) = self.connections.borrow_mut().get_mut(&rtc) {
            connection.take_channel(channel, self.limits.channel_low_water);
        }
        self.endpoint.borrow_mut().handle_channel(rtc, kind, now);
        // Browsers differ in whether they say so afterwards.
        if connection::is_open(channel) {
            self.endpoint.borrow_mut().handle_channel_open(rtc, now);
        }
    }

    fn handle_buffered(&self, rtc: RtcId, now: Moment) {
        let Some(bytes) = self.buffered(rtc) else {
            return;
        };
        if let Some(connection) = self.connections.borrow().get(&rtc) {
            connection.finish_if(|bytes| bytes == 0);
            let low_water = connection.low_water();
            self.stalls.borrow_mut().count(rtc, bytes, low_water, now);
        }
        self.endpoint.borrow_mut().handle_buffered(rtc, bytes, now);
    }

    fn buffered(&self, rtc: RtcId) -> Option<usize> {
        self.connections.borrow().get(&rtc)?.buffered()
    }

    /// Has one message sent on every channel whose count stands still, if there is one.
    fn nudge_stalled(&self, now: Moment) {
        let due = self.stalls.borrow().due(now);
        for (rtc, bytes) in due {
            let stands_still = || self.buffered(rtc) == Some(bytes);
            if stands_still() {
                let room_for_one = self.limits.channel_high_water.saturating_sub(1);
                let mut endpoint = self.endpoint.borrow_mut();
                endpoint.handle_buffered(rtc, room_for_one, now);
                drop(endpoint);
                self.perform_all(None);
            }
            self.handle_buffered(rtc, now);
            if stands_still() {
                // Nothing waits. Whatever is sent next is counted again.
                self.stalls.borrow_mut().forget(rtc);
                if let Some(connection) = self.connections.borrow().get(&rtc) {
                    connection.finish_if(|_| true);
                }
            }
        }
    }

    /// The page may not run any further, so the others are told now. If it comes back from the
    /// back/forward cache, it comes back to broken links and a broken socket.
    fn lose_everything(&self, now: Moment) {
        let lost = std::mem::take(&mut *self.connections.borrow_mut());
        for (rtc, connection) in lost {
            drop(connection);
            let why = "the page went away";
            self.endpoint.borrow_mut().handle_failure(rtc, why, now);
        }
        let socket = self.socket.borrow_mut().take();
        if let Some(socket) = socket {
            let id = socket.id;
            drop(socket);
            self.endpoint.borrow_mut().handle_socket_closed(id, now);
        }
    }

    /// Does everything that the machine says. `speaker` is whose message made it speak.
    fn perform_all(&self, speaker: Option<RtcId>) {
        let mut to_count = BTreeSet::new();
        loop {
            while let Some(output) = self.next_output() {
                self.perform(output, speaker, &mut to_count);
            }
            let Some(rtc) = to_count.pop_first() else {
                return;
            };
            self.handle_buffered(rtc, self.clock.now());
        }
    }

    fn next_output(&self) -> Option<Output> {
        self.endpoint.borrow_mut().poll_output()
    }

    fn perform(&self, output: Output, speaker: Option<RtcId>, to_count: &mut BTreeSet<RtcId>) {
        match output {
            Output::OpenSocket { socket, url } => self.open_socket(socket, &url),
            Output::SendSocket { socket, text } => {
                if let Some(open) = &*self.socket.borrow()
                    && open.id == socket
                {
                    open.send(&text);
                }
            }
            Output::CloseSocket { socket } => {
                let closed = self.socket.borrow_mut().take_if(|open| open.id == socket);
                drop(closed);
            }
            Output::Rtc { rtc, action } => {
                if self.is_to_be_counted(rtc, &action) {
                    to_count.insert(rtc);
                }
                if let Err(error) = self.act(rtc, action) {
                    let why = thrown(&error);
                    let failed = Input::Rtc(rtc, RtcInput::Failed(why));
                    self.inputs.borrow_mut().push_back(failed);
                }
            }
            Output::Event(event) => self.tell(event, speaker),
            Output::Registration(state) => *self.registration.borrow_mut() = state,
            Output::Notice(notice) => log(&notice),
        }
    }

    fn open_socket(&self, id: SocketId, url: &str) {
        let before = self.socket.borrow_mut().take();
        drop(before);
        if self.is_leaving() {
            return;
        }
        match Socket::open(id, url, &self.me) {
            Ok(socket) => *self.socket.borrow_mut() = Some(socket),
            // A page that came by HTTPS may not open `ws:`, for instance.
            Err(error) => {
                console::warn_1(&error);
                self.inputs.borrow_mut().push_back(Input::SocketClosed(id));
            }
        }
    }

    fn act(&self, rtc: RtcId, action: RtcAction) -> Result<(), JsValue> {
        match action {
            RtcAction::CreateOffer { label } => {
                let (config, low_water) = (&self.rtc_config, self.limits.channel_low_water);
                let made = Connection::offer(rtc, &label, config, low_water, self.me.clone())?;
                self.connections.borrow_mut().insert(rtc, made);
            }
            RtcAction::CreateAnswer { offer } => {
                let made = Connection::answer(rtc, &offer, &self.rtc_config, self.me.clone())?;
                self.connections.borrow_mut().insert(rtc, made);
            }
            RtcAction::SetRemote { answer } => {
                if let Some(connection) = self.connections.borrow_mut().get_mut(&rtc) {
                    connection.set_answer(&answer);
                }
            }
            RtcAction::AddCandidate(candidate) => {
                if let Some(connection) = self.connections.borrow().get(&rtc) {
                    connection.add_candidate(&candidate);
                }
            }
            RtcAction::Send(message) => match self.connections.borrow().get(&rtc) {
                Some(connection) => connection.send(&message)?,
                None => return Err("there is no channel".into()),
            },
            RtcAction::CloseChannel => {
                if let Some(connection) = self.connections.borrow_mut().get_mut(&rtc) {
                    connection.finish();
                }
            }
            RtcAction::Close => {
                self.stalls.borrow_mut().forget(rtc);
                let closed = self.connections.borrow_mut().remove(&rtc);
                drop(closed);
            }
        }
        Ok(())
    }

    /// Whether the browser is to be asked afterwards how much a channel holds. To ask it for every message
    /// would cost as much as a tenth of sending it.
    fn is_to_be_counted(&self, rtc: RtcId, action: &RtcAction) -> bool {
        match action {
            RtcAction::Send(_) => self
                .connections
                .borrow()
                .get(&rtc)
                .is_some_and(|connection| connection.uncounted() >= COUNT_EVERY),
            // From now on it is to become empty.
            RtcAction::CloseChannel => true,
            RtcAction::CreateOffer { .. }
            | RtcAction::CreateAnswer { .. }
            | RtcAction::SetRemote { .. }
            | RtcAction::AddCandidate(_)
            | RtcAction::Close => false,
        }
    }

    fn tell(&self, event: TransportEvent, speaker: Option<RtcId>) {
        match &event {
            TransportEvent::LinkUp { link, .. } => {
                self.links.borrow_mut().insert(*link);
            }
            TransportEvent::LinkDown { link, .. } => {
                self.links.borrow_mut().remove(link);
            }
            TransportEvent::Frame { .. }
            | TransportEvent::Writable { .. }
            | TransportEvent::Wake
            | TransportEvent::Failed(_) => {}
        }
        if self.is_leaving() {
            // Nobody is there for it.
            if let TransportEvent::LinkUp { link, .. } = event {
                self.endpoint.borrow_mut().hangup(link, self.clock.now());
            }
            return;
        }
        let WireLimits {
            max_queued_bytes,
            max_dialled_frame_bytes,
            ..
        } = self.limits;
        let is_accepted =
            matches!(&event, TransportEvent::Frame { link, .. } if link.is_accepted());
        // Who dialled may be anybody.
        let bound = if is_accepted {
            max_queued_bytes
        } else {
            max_dialled_frame_bytes
        };
        let waited = self.inbox.borrow_mut().push(event);
        if let Some(rtc) = speaker
            && waited > bound
        {
            let why = "it sends faster than is read".to_owned();
            let failed = Input::Rtc(rtc, RtcInput::Failed(why));
            self.inputs.borrow_mut().push_back(failed);
        }
    }
}

fn rtc_config(config: &Config) -> RtcConfiguration {
    let servers = Array::new();
    for server in &config.ice_servers {
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
    made
}

/// For whoever wonders why a page of theirs is not let in.
fn log(notice: &Notice) {
    let text = match notice {
        Notice::Malformed(error) => format!("hustings: from the signalling server: {error}"),
        Notice::Refused { from, refusal } => format!("hustings: refused {from:?}: {refusal}"),
    };
    console::debug_1(&text.into());
}
