//! The half of a transport that no platform has to offer: it holds the machine, gives it inputs,
//! does its outputs, and bounds and counts what comes of that.
//!
//! [`Shell`] does it over a [`Backend`], the platform's socket, peer connections and
//! timer. Its parts have a file each: what the machine says is done (perform), what the channels
//! hold is counted (counting, with the books in channels), a count that stands still is noticed
//! (stalls), and events wait for the driver (inbox). Where a platform calls back as it likes, a
//! [`Reentrant`](reentry::Reentrant) keeps the shell from being entered twice.

pub(crate) mod backend;
mod channels;
mod counting;
mod inbox;
mod perform;
pub(crate) mod reentry;
mod stalls;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{LinkId, Moment};

use self::backend::{Backend, Input, RtcInput};
use self::channels::Channels;
use self::inbox::Inbox;
use self::stalls::Stalls;
use crate::config::WireLimits;
use crate::trace::trace;
use crate::wire::{Endpoint, RegistrationState, RtcId, SocketId};

/// Holds the machine, gives it what happens, and does what it says.
///
/// Every command does everything that follows from it before it returns. [`run`](Self::run) does
/// the same for what the backend has reported, and is to be called whenever that is something.
pub(crate) struct Shell<B: Backend> {
    backend: B,
    limits: WireLimits,
    endpoint: Endpoint,
    /// Inputs that came before any that the backend still has.
    inputs: VecDeque<Input<B::Channel>>,
    /// The socket that the backend has.
    socket: Option<SocketId>,
    /// The peer connections that the backend has.
    channels: Channels,
    inbox: Inbox,
    /// Those that whoever uses the transport knows: what is to be hung up at the end.
    links: BTreeSet<LinkId>,
    registration: RegistrationState,
    turned_away: Option<Moment>,
    stalls: Stalls,
    #[cfg(feature = "tracing")]
    traced: crate::trace::links::Links,
    is_leaving: bool,
    is_over: bool,
}

impl<B: Backend> Shell<B> {
    /// A shell that has not done anything yet: [`run`](Self::run) lets it begin.
    pub(crate) fn new(limits: WireLimits, endpoint: Endpoint, backend: B) -> Self {
        Self {
            backend,
            limits,
            endpoint,
            inputs: VecDeque::new(),
            socket: None,
            channels: Channels::default(),
            inbox: Inbox::default(),
            links: BTreeSet::new(),
            registration: RegistrationState::Connecting,
            turned_away: None,
            stalls: Stalls::default(),
            #[cfg(feature = "tracing")]
            traced: crate::trace::links::Links::default(),
            is_leaving: false,
            is_over: false,
        }
    }

    /// The state of the registration with the signalling server.
    pub(crate) fn registration(&self) -> RegistrationState {
        self.registration.clone()
    }

    /// The moment at which somebody was last refused because there was no room for them.
    pub(crate) fn turned_away(&self) -> Option<Moment> {
        self.turned_away
    }

    /// The number of peer connections, in whatever state.
    pub(crate) fn connections(&self) -> usize {
        self.channels.len()
    }

    /// The backend, for whoever tells it what has happened. [`run`](Self::run) is to be called
    /// afterwards.
    #[cfg(all(feature = "native", not(target_family = "wasm")))]
    pub(crate) fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// True once it has left, and nothing is left to be done.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn dial(&mut self, link: LinkId, to: &Address) {
        self.links.insert(link);
        trace! { self.traced.dial(link, to) }
        self.endpoint.dial(link, to, self.backend.now());
        self.run();
    }

    pub(crate) fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        let outcome = self.endpoint.send(link, frame, self.backend.now());
        if outcome == SendOutcome::Blocked {
            trace! { self.traced.blocked(link) }
        }
        self.run();
        outcome
    }

    pub(crate) fn broadcast(
        &mut self,
        links: impl Iterator<Item = LinkId>,
        frame: &Bytes,
        full: &mut Vec<LinkId>,
    ) {
        let now = self.backend.now();
        for link in links {
            if self.endpoint.send(link, frame.clone(), now) == SendOutcome::Blocked {
                trace! { self.traced.blocked(link) }
                full.push(link);
            }
        }
        self.run();
    }

    pub(crate) fn hangup(&mut self, link: LinkId) {
        self.links.remove(&link);
        trace! { self.traced.hang_up(link) }
        self.endpoint.hangup(link, self.backend.now());
        self.run();
        self.inbox.forget(link);
    }

    pub(crate) fn claim(&mut self) {
        self.endpoint.claim(self.backend.now());
        self.run();
    }

    pub(crate) fn retry(&mut self) {
        self.endpoint.wake(self.backend.now());
        self.run();
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.inbox.poll(cx)
    }

    /// Whoever waits for an event, if there is one. To be woken without a borrow of the shell.
    pub(crate) fn take_waker(&mut self) -> Option<Waker> {
        self.inbox.take_waker()
    }

    /// Frees the id at once, and is [over](Self::is_over) once the links have sent what waits.
    pub(crate) fn leave(&mut self) {
        self.is_leaving = true;
        // Without it there are no new connections. The machine does not know, and need not.
        self.close_socket();
        for link in std::mem::take(&mut self.links) {
            trace! { self.traced.hang_up(link) }
            self.endpoint.hangup(link, self.backend.now());
        }
        self.inbox.clear();
        self.run();
    }

    /// Does what is to be done: what the machine says, and then what has happened, until there is
    /// neither.
    pub(crate) fn run(&mut self) {
        let mut speaker = None;
        loop {
            self.perform_all(speaker);
            let Some(input) = self.next_input() else {
                break;
            };
            speaker = self.handle(input);
        }
        if self.is_leaving && !self.is_over && self.channels.is_empty() {
            self.endpoint.close();
            self.perform_all(None);
            self.is_over = true;
        }
        let deadline = self.endpoint.poll_timeout().map(|(at, _)| at);
        let stall = self.stalls.deadline();
        self.backend
            .set_timer(deadline.into_iter().chain(stall).min());
    }

    fn next_input(&mut self) -> Option<Input<B::Channel>> {
        let first = self.inputs.pop_front();
        first.or_else(|| self.backend.poll_input())
    }

    /// Adds something that happened to the shell itself, after what has been reported so far.
    fn queue(&mut self, input: Input<B::Channel>) {
        while let Some(earlier) = self.backend.poll_input() {
            self.inputs.push_back(earlier);
        }
        self.inputs.push_back(input);
    }

    /// Passes an input on to the machine. Returns the connection whose message it was, if it was
    /// one.
    fn handle(&mut self, input: Input<B::Channel>) -> Option<RtcId> {
        let now = self.backend.now();
        match input {
            Input::SocketOpen(socket) => self.endpoint.handle_socket_open(socket, now),
            Input::SocketText(socket, text) => {
                self.endpoint.handle_socket_text(socket, &text, now);
            }
            Input::SocketClosed(socket, code) => {
                self.endpoint.handle_socket_closed(socket, code, now);
            }
            Input::Rtc(rtc, input) => return self.handle_rtc(rtc, input, now),
            Input::Wake => self.endpoint.wake(now),
            Input::Seen => self.endpoint.claim(now),
            Input::Timeout => {
                self.endpoint.handle_timeout(now);
                self.nudge_stalled(now);
            }
            Input::Suspended(why) => self.lose_everything(why, now),
        }
        None
    }

    fn handle_rtc(
        &mut self,
        rtc: RtcId,
        input: RtcInput<B::Channel>,
        now: Moment,
    ) -> Option<RtcId> {
        match input {
            RtcInput::Description(sdp) => self.endpoint.handle_description(rtc, sdp, now),
            RtcInput::Candidate(candidate) => self.endpoint.handle_candidate(rtc, candidate, now),
            RtcInput::State(state) => {
                trace! { tracing::debug!(%rtc, ?state, "state") }
                self.endpoint.handle_state(rtc, state, now);
            }
            RtcInput::Channel(channel) => self.handle_channel(rtc, channel, now),
            RtcInput::ChannelOpen => self.endpoint.handle_channel_open(rtc, now),
            RtcInput::Message(message) => {
                self.endpoint.handle_message(rtc, message, now);
                return Some(rtc);
            }
            RtcInput::Buffered => self.count(rtc, now),
            RtcInput::ChannelClosed => self.endpoint.handle_channel_closed(rtc, now),
            RtcInput::Failed(why) => {
                trace! { tracing::warn!(%rtc, why = %crate::trace::texts::cut(&why), "fault") }
                self.endpoint.handle_failure(rtc, &why, now);
            }
        }
        None
    }

    fn handle_channel(&mut self, rtc: RtcId, channel: B::Channel, now: Moment) {
        let Some(taken) = self.backend.take_channel(rtc, channel) else {
            return;
        };
        self.watch(rtc);
        self.endpoint.handle_channel(rtc, taken.kind, now);
        if taken.is_open {
            self.endpoint.handle_channel_open(rtc, now);
        }
    }

    /// This side may not run any further, so the others are told now. If it comes back, it comes
    /// back to broken links and a broken socket.
    fn lose_everything(&mut self, why: &str, now: Moment) {
        trace! { tracing::info!(why, "suspended") }
        for rtc in self.channels.take() {
            self.backend.close(rtc);
            self.endpoint.handle_failure(rtc, why, now);
        }
        if let Some(socket) = self.socket {
            self.close_socket();
            self.endpoint.handle_socket_closed(socket, None, now);
        }
    }
}
