//! A backend that does what a test says, and a shell on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::{Address, PeerId};
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{LinkId, Moment};
use serde_json::{Value, json};

use crate::config::{Config, IceServer, Timing, Token, WireLimits};
use crate::shell::Shell;
use crate::shell::backend::{Backend, Failure, Input, RtcInput, TakenChannel};
use crate::shell::reentry::{Reentrant, Reporter};
use crate::wire::testing::chromium_sdp;
use crate::wire::{
    ChannelKind, ChannelMessage, Endpoint, IceCandidate, Notice, RtcId, Serialization, SocketId,
    split,
};

/// A call of the backend, as far as a test wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    OpenSocket(SocketId),
    SendSocket(String),
    CloseSocket,
    IceServers(usize),
    Offer(RtcId),
    Answer(RtcId),
    SetAnswer(RtcId),
    Candidate(RtcId),
    TakeChannel(RtcId),
    Send(RtcId, usize),
    LowWater(RtcId, usize),
    CloseChannel(RtcId),
    Close(RtcId),
    Timer(Option<Moment>),
    Notice,
}

/// The inputs that a call causes before it returns, as a platform does that calls back at once.
type Script = Box<dyn FnMut(&Call) -> Vec<Input<ChannelKind>>>;

#[derive(Default)]
pub(super) struct State {
    pub(super) now: Moment,
    pub(super) calls: Vec<Call>,
    pub(super) script: Option<Script>,
    /// Calls that fail, with these words.
    pub(super) failing: Option<(Call, &'static str)>,
    /// Bytes that each channel holds: what was sent, until the test says otherwise.
    pub(super) held: BTreeMap<RtcId, usize>,
    /// The number of times that the shell has asked.
    pub(super) asked: usize,
}

impl State {
    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }
}

pub(super) struct Fake {
    state: Rc<RefCell<State>>,
    reporter: Reporter<ChannelKind>,
}

impl Fake {
    fn call(&mut self, call: Call) -> Result<(), Failure> {
        let caused = {
            let mut state = self.state.borrow_mut();
            let mut script = state.script.take();
            let caused = script.as_mut().map(|script| script(&call));
            state.script = script;
            state.calls.push(call.clone());
            caused.unwrap_or_default()
        };
        for input in caused {
            self.reporter.report(input);
        }
        match &self.state.borrow().failing {
            Some((failing, why)) if *failing == call => Err(Failure((*why).into())),
            Some(_) | None => Ok(()),
        }
    }

    fn note(&mut self, call: Call) {
        self.call(call).expect("a call that cannot fail");
    }
}

impl Backend for Fake {
    type Channel = ChannelKind;

    fn now(&self) -> Moment {
        self.state.borrow().now
    }

    fn poll_input(&mut self) -> Option<Input<ChannelKind>> {
        self.reporter.poll()
    }

    fn set_timer(&mut self, deadline: Option<Moment>) {
        self.note(Call::Timer(deadline));
    }

    fn open_socket(&mut self, socket: SocketId, _: &str) -> Result<(), Failure> {
        self.call(Call::OpenSocket(socket))
    }

    fn send_socket(&mut self, text: &str) {
        self.note(Call::SendSocket(text.into()));
    }

    fn close_socket(&mut self) {
        self.note(Call::CloseSocket);
    }

    fn set_ice_servers(&mut self, servers: &[IceServer]) {
        self.note(Call::IceServers(servers.len()));
    }

    fn create_offer(&mut self, rtc: RtcId, _: &str) -> Result<(), Failure> {
        self.state.borrow_mut().held.insert(rtc, 0);
        self.call(Call::Offer(rtc))
    }

    fn create_answer(&mut self, rtc: RtcId, _: &str) -> Result<(), Failure> {
        self.call(Call::Answer(rtc))
    }

    fn set_answer(&mut self, rtc: RtcId, _: &str) {
        self.note(Call::SetAnswer(rtc));
    }

    fn add_candidate(&mut self, rtc: RtcId, _: &IceCandidate) {
        self.note(Call::Candidate(rtc));
    }

    fn take_channel(&mut self, rtc: RtcId, kind: ChannelKind) -> Option<TakenChannel> {
        self.state.borrow_mut().held.insert(rtc, 0);
        self.note(Call::TakeChannel(rtc));
        let is_open = true;
        Some(TakenChannel { kind, is_open })
    }

    fn send(&mut self, rtc: RtcId, message: &ChannelMessage) -> Result<(), Failure> {
        *self.state.borrow_mut().held.entry(rtc).or_default() += message.len();
        self.call(Call::Send(rtc, message.len()))
    }

    fn buffered(&mut self, rtc: RtcId) -> Option<usize> {
        let mut state = self.state.borrow_mut();
        state.asked += 1;
        state.held.get(&rtc).copied()
    }

    fn set_low_water(&mut self, rtc: RtcId, bytes: usize) {
        self.note(Call::LowWater(rtc, bytes));
    }

    fn close_channel(&mut self, rtc: RtcId) {
        self.note(Call::CloseChannel(rtc));
    }

    fn close(&mut self, rtc: RtcId) {
        self.state.borrow_mut().held.remove(&rtc);
        self.note(Call::Close(rtc));
    }

    fn notice(&mut self, _: &Notice) {
        self.note(Call::Notice);
    }
}

pub(super) fn address(n: u8) -> Address {
    Address::Owner(PeerId::from_bytes([n; 32]))
}

/// The token of every side in these tests.
pub(super) const TOKEN: &str = "token-of-this-test";

/// A shell on a [`Fake`].
pub(super) struct Side {
    pub(super) shell: Rc<Reentrant<Fake>>,
    pub(super) state: Rc<RefCell<State>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Side {
    /// A side that has not begun.
    pub(super) fn new(limits: WireLimits) -> Self {
        let config = Config {
            limits,
            timing: Timing {
                // Of no interest here, and every one would be another call.
                echo_every: Duration::from_secs(3_600),
                heartbeat_every: Duration::from_secs(3_600),
                asleep_after: Duration::from_secs(36_000),
                ..Timing::default()
            },
            ..Config::default()
        };
        let token = Token::new(TOKEN).unwrap();
        let endpoint = Endpoint::new(&config, &address(1), &token, [0; 32], Moment::START).unwrap();
        let state = Rc::new(RefCell::new(State::default()));
        let shell = Reentrant::new(|reporter| {
            let state = Rc::clone(&state);
            Shell::new(limits, endpoint, Fake { state, reporter })
        });
        let woken = Arc::default();
        Self {
            shell,
            state,
            woken,
        }
    }

    /// A side that has just registered.
    pub(super) fn registered(limits: WireLimits) -> Self {
        let side = Self::new(limits);
        side.shell.act(Shell::run);
        let socket = SocketId(1);
        side.report(Input::SocketOpen(socket));
        side.server_says(&json!({ "type": "OPEN" }));
        side.calls();
        side
    }

    /// A side that has dialled and whose link is up.
    pub(super) fn dialled(limits: WireLimits) -> (Self, LinkId, RtcId) {
        let side = Self::registered(limits);
        let (link, rtc) = (LinkId::dialled(1), RtcId(1));
        side.shell.act(|shell| shell.dial(link, &address(2)));
        side.rtc(rtc, RtcInput::Description(chromium_sdp([1; 32])));
        let offer = side.sent_to_server("OFFER").expect("an offer");
        let connection = &offer["payload"]["connectionId"];
        side.server_says(
            &json!({ "type": "ANSWER", "src": address(2).to_string(), "payload": {
                "sdp": { "type": "answer", "sdp": chromium_sdp([2; 32]) },
                "type": "data", "connectionId": connection,
            }}),
        );
        side.rtc(rtc, RtcInput::ChannelOpen);
        side.is_up(link);
        (side, link, rtc)
    }

    /// A side that was dialled, whose link is up, and that has heard the other side.
    pub(super) fn accepted(limits: WireLimits) -> (Self, LinkId, RtcId) {
        let side = Self::registered(limits);
        let (link, rtc) = (LinkId::accepted(1), RtcId(1));
        side.offer();
        side.rtc(rtc, RtcInput::Description(chromium_sdp([1; 32])));
        side.rtc(rtc, RtcInput::Channel(ChannelKind::RELIABLE));
        side.is_up(link);
        side.frame(rtc, 0);
        assert!(matches!(side.event(), Some(TransportEvent::Frame { .. })));
        (side, link, rtc)
    }

    fn is_up(&self, link: LinkId) {
        let event = self.event();
        assert!(
            matches!(event, Some(TransportEvent::LinkUp { link: up, .. }) if up == link),
            "{event:?}"
        );
        assert_eq!(self.event(), None);
        self.calls();
    }

    /// Somebody dials.
    pub(super) fn offer(&self) {
        self.server_says(
            &json!({ "type": "OFFER", "src": address(2).to_string(), "payload": {
                "sdp": { "type": "offer", "sdp": chromium_sdp([2; 32]) }, "type": "data",
                "connectionId": "dc_1", "label": "dc_1", "reliable": true, "serialization": "raw",
            }}),
        );
    }

    pub(super) fn report(&self, input: Input<ChannelKind>) {
        let reporter = self.shell.read(|shell| shell.backend.reporter.clone());
        reporter.report(input);
    }

    pub(super) fn rtc(&self, rtc: RtcId, input: RtcInput<ChannelKind>) {
        self.report(Input::Rtc(rtc, input));
    }

    pub(super) fn server_says(&self, message: &Value) {
        self.report(Input::SocketText(SocketId(1), message.to_string()));
    }

    /// A whole frame comes on a channel.
    pub(super) fn frame(&self, rtc: RtcId, len: usize) {
        for message in messages(len) {
            self.rtc(rtc, RtcInput::Message(message));
        }
    }

    pub(super) fn send(&self, link: LinkId, len: usize) -> SendOutcome {
        self.shell
            .act(|shell| shell.send(link, Bytes::from(vec![b'x'; len])))
    }

    /// Time passes, and the timer fires.
    pub(super) fn after(&self, time: Duration) {
        self.state.borrow_mut().pass(time);
        self.report(Input::Timeout);
    }

    /// The channel holds this from now on, as the platform reports it.
    pub(super) fn holds(&self, rtc: RtcId, bytes: usize) {
        self.state.borrow_mut().held.insert(rtc, bytes);
        self.rtc(rtc, RtcInput::Buffered);
    }

    /// The calls since this was last asked, without those of the timer.
    pub(super) fn calls(&self) -> Vec<Call> {
        let calls = std::mem::take(&mut self.state.borrow_mut().calls);
        let is_timer = |call: &Call| matches!(call, Call::Timer(_));
        calls.into_iter().filter(|call| !is_timer(call)).collect()
    }

    /// The deadline of the timer as it was last set, unless the calls were taken since.
    pub(super) fn timer(&self) -> Option<Moment> {
        let state = self.state.borrow();
        let timers = state.calls.iter().rev();
        timers
            .filter_map(|call| match call {
                Call::Timer(deadline) => Some(*deadline),
                _ => None,
            })
            .next()
            .expect("the timer was set")
    }

    fn sent_to_server(&self, kind: &str) -> Option<Value> {
        let calls = self.calls();
        let mut sent = calls.iter().filter_map(|call| match call {
            Call::SendSocket(text) => Some(serde_json::from_str::<Value>(text).unwrap()),
            _ => None,
        });
        sent.rfind(|message| message["type"] == kind)
    }

    pub(super) fn event(&self) -> Option<TransportEvent> {
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut cx = Context::from_waker(&waker);
        match self.shell.act(|shell| shell.poll_event(&mut cx)) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }

    /// All events that wait.
    pub(super) fn events(&self) -> Vec<TransportEvent> {
        std::iter::from_fn(|| self.event()).collect()
    }

    /// The number of times that somebody was woken so far.
    pub(super) fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }

    /// Drops the transport, and returns what is left of it.
    pub(super) fn leave(self) -> (Weak<Reentrant<Fake>>, Reporter<ChannelKind>) {
        let reporter = self.shell.read(|shell| shell.backend.reporter.clone());
        self.shell.leave();
        (Rc::downgrade(&self.shell), reporter)
    }
}

/// A frame of this length, as it comes on a channel.
pub(super) fn messages(len: usize) -> Vec<ChannelMessage> {
    split(Serialization::Raw, &Bytes::from(vec![b'y'; len])).unwrap()
}
