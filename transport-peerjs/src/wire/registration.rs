//! Being known to the signalling server, and staying known.
//!
//! The server keeps an id for the first socket that claims it, and lets another socket with the
//! same token take it over. It says OPEN to a new registration, ID-TAKEN to a stranger and
//! **nothing** to a socket that takes over, so a socket that is open and hears no objection counts
//! as registered.
//!
//! Heartbeats are never answered, and a socket whose other end is gone takes them for hours. So
//! something is always asked for that has to come back: an echo, which is a message to oneself by
//! the server. A socket that brings none is replaced.
//!
//! A copy of this identity has the token, too. Whoever hears that it was replaced yields: it does
//! not take the address back by itself, and only asks now and then, as a stranger who takes it from
//! nobody, if it is free. Servers that do not say so are seen through by the contest, and this
//! side's own sockets of before by the ghosts.

mod echo;
mod ghosts;
mod taken;

use std::time::Duration;

use hustings_protocol::handshake::Nonce;
use hustings_room::Moment;
use rand_chacha::ChaCha8Rng;

pub(crate) use self::echo::is_late;
use self::echo::{ECHO, Echo};
use self::ghosts::Ghosts;
pub(crate) use self::taken::Urls;
use self::taken::{REPLACED, Taken};
use super::backoff::Backoff;
use super::contest::Contest;
use super::messages::{ServerFault, ToServer};
use super::output::{
    Output, Outputs, RegistrationError, RegistrationState, RtcId, SocketId, TimeoutReason,
};
use super::proof::Prover;
use crate::config::Timing;

/// Most messages that are kept while the server is away, before candidates are dropped.
/// Descriptions, of which each connection has one, are always kept.
const MAX_UNSENT: usize = 1_024;

/// The machine of one registration.
#[derive(Debug)]
pub(crate) struct Registration {
    urls: Urls,
    own_id: String,
    /// This side can show that the id is its own.
    prover: Option<Prover>,
    /// The last socket by which it has. It does so once for each, for a signature costs a
    /// millisecond.
    proved_by: Option<SocketId>,
    /// The beginning of the names of this side's echoes, which nobody else's have.
    echo_name: String,
    /// The number of echoes that were asked for.
    echoes: u64,
    timing: Timing,
    phase: Phase,
    last_socket: u64,
    backoff: Backoff,
    taken: Taken,
    contest: Contest,
    ghosts: Ghosts,
    /// Set once there is no more hope. An address that is taken is tried on nevertheless.
    verdict: Option<RegistrationError>,
    /// Messages to be sent once registered, each with the connection that it is for.
    unsent: Vec<(RtcId, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The socket is being opened.
    Opening {
        socket: SocketId,
        until: Moment,
    },
    /// The socket is open, the server may object.
    Asking {
        socket: SocketId,
        until: Moment,
        heartbeat: Heartbeat,
        /// It has asked for a proof, and got it. Such a server says OPEN, so silence is no yes.
        answers: bool,
    },
    Registered {
        socket: SocketId,
        since: Moment,
        heartbeat: Heartbeat,
        echo: Echo,
    },
    Waiting {
        retry_at: Moment,
    },
    /// A copy of this identity has the address.
    Yielded {
        ask_at: Moment,
    },
    /// The same, and a socket asks if the address is free.
    Probing {
        socket: SocketId,
        until: Moment,
    },
    /// Nothing is tried any more.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heartbeat {
    last: Moment,
    next: Moment,
}

impl Heartbeat {
    fn after(last: Moment, every: Duration) -> Self {
        let next = last + every;
        Self { last, next }
    }
}

impl Registration {
    /// Begins to register `own_id`, of which the prover is, if there is one. `nonce` is this side's
    /// alone.
    pub(crate) fn new(
        urls: Urls,
        own_id: String,
        prover: Option<Prover>,
        nonce: u64,
        timing: Timing,
        now: Moment,
        out: &mut Outputs,
    ) -> Self {
        let mut registration = Self {
            urls,
            own_id,
            prover,
            proved_by: None,
            echo_name: format!("{ECHO}{nonce:016x}_"),
            echoes: 0,
            timing,
            phase: Phase::Over,
            last_socket: 0,
            backoff: Backoff::default(),
            taken: Taken::default(),
            contest: Contest::default(),
            ghosts: Ghosts::default(),
            verdict: None,
            unsent: Vec::new(),
        };
        registration.open(now, out);
        registration
    }

    /// True while this side can dial.
    pub(crate) fn is_registered(&self) -> bool {
        matches!(self.phase, Phase::Registered { .. })
    }

    /// The reason why there is no hope, if there is none.
    pub(crate) fn verdict(&self) -> Option<&RegistrationError> {
        self.verdict.as_ref()
    }

    /// True if this is the socket that counts.
    pub(crate) fn is_current(&self, socket: SocketId) -> bool {
        self.socket() == Some(socket)
    }

    fn socket(&self) -> Option<SocketId> {
        match &self.phase {
            Phase::Opening { socket, .. }
            | Phase::Asking { socket, .. }
            | Phase::Registered { socket, .. }
            | Phase::Probing { socket, .. } => Some(*socket),
            Phase::Waiting { .. } | Phase::Yielded { .. } | Phase::Over => None,
        }
    }

    /// The first thing to be done by itself, and when.
    pub(crate) fn timeout(&self) -> Option<(Moment, TimeoutReason)> {
        match &self.phase {
            Phase::Opening { until, .. } => Some((*until, TimeoutReason::Socket)),
            Phase::Asking {
                until, heartbeat, ..
            } => Some(
                (*until, TimeoutReason::Registration)
                    .min((heartbeat.next, TimeoutReason::Heartbeat)),
            ),
            Phase::Registered {
                heartbeat, echo, ..
            } => Some(
                (heartbeat.next, TimeoutReason::Heartbeat)
                    .min((echo.deadline(), TimeoutReason::Echo)),
            ),
            Phase::Waiting { retry_at } => Some((*retry_at, TimeoutReason::Retry)),
            Phase::Yielded { ask_at } => Some((*ask_at, TimeoutReason::Probe)),
            Phase::Probing { until, .. } => Some((*until, TimeoutReason::Socket)),
            Phase::Over => None,
        }
    }

    /// Sends now, or once registered if the connection is still there by then.
    pub(crate) fn send(&mut self, rtc: RtcId, message: &ToServer, out: &mut Outputs) {
        let text = message.to_string();
        match &self.phase {
            Phase::Registered { socket, .. } => out.push(Output::SendSocket {
                socket: *socket,
                text,
            }),
            Phase::Opening { .. }
            | Phase::Asking { .. }
            | Phase::Waiting { .. }
            | Phase::Yielded { .. }
            | Phase::Probing { .. } => {
                let is_candidate = matches!(message, ToServer::Candidate { .. });
                if !is_candidate || self.unsent.len() < MAX_UNSENT {
                    self.unsent.push((rtc, text));
                }
            }
            Phase::Over => {}
        }
    }

    /// Sends a message that belongs to no connection. Without a registration it is left out.
    pub(crate) fn say(&self, message: &ToServer, out: &mut Outputs) {
        if let Phase::Registered { socket, .. } = &self.phase {
            out.push(Output::SendSocket {
                socket: *socket,
                text: message.to_string(),
            });
        }
    }

    /// A connection is over: what it has not sent is of no use. A candidate without its description
    /// would even do harm.
    pub(crate) fn forget(&mut self, rtc: RtcId) {
        self.unsent.retain(|(of, _)| *of != rtc);
    }

    pub(crate) fn handle_open(&mut self, now: Moment, out: &mut Outputs) {
        if let Phase::Opening { socket, .. } = self.phase {
            let heartbeat = Heartbeat::after(now, self.timing.heartbeat_every);
            self.phase = Phase::Asking {
                socket,
                until: now + self.timing.assume_registered_after,
                heartbeat,
                answers: false,
            };
            // Whoever takes over hears nothing, and an impatient server counts from the last one.
            out.push(Output::SendSocket {
                socket,
                text: ToServer::Heartbeat.to_string(),
            });
        }
    }

    /// The server asks this side to show that the id is its own.
    pub(crate) fn handle_nonce(&mut self, nonce: Nonce, now: Moment, out: &mut Outputs) {
        // On a slow line it counts as registered before the question comes.
        let (Phase::Asking {
            socket, heartbeat, ..
        }
        | Phase::Registered {
            socket, heartbeat, ..
        }) = self.phase
        else {
            return;
        };
        let Some(prover) = &self.prover else { return };
        if self.proved_by.replace(socket) == Some(socket) {
            return;
        }
        if self.is_registered() {
            out.push(Output::Registration(RegistrationState::Connecting));
        }
        self.phase = Phase::Asking {
            socket,
            until: now + self.timing.socket_timeout,
            heartbeat,
            answers: true,
        };
        out.push(Output::SendSocket {
            socket,
            text: prover.answer(nonce).to_string(),
        });
    }

    /// The server has said OPEN: nobody had the id.
    pub(crate) fn handle_free(&mut self, now: Moment, out: &mut Outputs) {
        self.contest.registered(false, now);
        self.handle_accepted(now, out);
    }

    /// This side is registered: the server has said something that it says only to those who are,
    /// or has not objected.
    pub(crate) fn handle_accepted(&mut self, now: Moment, out: &mut Outputs) {
        if let Phase::Probing { .. } = self.phase {
            self.found_free(now, out);
        } else if let Phase::Asking {
            socket, heartbeat, ..
        } = self.phase
        {
            self.contest.registered(true, now);
            self.taken = Taken::default();
            self.verdict = None;
            self.phase = Phase::Registered {
                socket,
                since: now,
                heartbeat,
                echo: Echo::Due(now + self.timing.echo_every),
            };
            out.push(Output::Registration(RegistrationState::Registered));
            for (_, text) in std::mem::take(&mut self.unsent) {
                out.push(Output::SendSocket { socket, text });
            }
        }
    }

    /// Somebody else has the id; or nobody is there, and the server keeps it for them.
    pub(crate) fn handle_taken(
        &mut self,
        is_kept: bool,
        now: Moment,
        rng: &mut ChaCha8Rng,
        out: &mut Outputs,
    ) {
        let Some(socket) = self.socket() else { return };
        out.push(Output::CloseSocket { socket });
        if is_kept && matches!(self.phase, Phase::Probing { .. }) {
            // For this identity, which shows itself with its token or its key, and not as the
            // stranger who asked.
            return self.found_free(now, out);
        }
        if self.has_yielded() {
            return self.rest(now, out);
        }
        if self.taken.said(&self.timing, now) >= self.timing.taken_patience {
            self.verdict = Some(RegistrationError::AddressTaken);
        }
        let max = self.timing.taken_retry_max;
        let retry_at = now + self.backoff.next_delay(&self.timing.backoff, max, rng);
        self.phase = Phase::Waiting { retry_at };
        let state = RegistrationState::AddressTaken { retry_at };
        out.push(Output::Registration(state));
    }

    pub(crate) fn handle_fault(
        &mut self,
        fault: ServerFault,
        now: Moment,
        rng: &mut ChaCha8Rng,
        out: &mut Outputs,
    ) {
        let Some(socket) = self.socket() else { return };
        let error = match &fault {
            ServerFault::InvalidKey => RegistrationError::InvalidKey,
            ServerFault::InvalidId => RegistrationError::InvalidId,
            // About a message and not of the registration: PeerJS's server never does, others
            // may.
            ServerFault::Other(_) if self.is_registered() => return,
            ServerFault::Full | ServerFault::Other(_) => {
                out.push(Output::CloseSocket { socket });
                if self.has_yielded() {
                    return self.rest(now, out);
                }
                self.wait(Some(fault), now, rng, out);
                return;
            }
        };
        out.push(Output::CloseSocket { socket });
        self.phase = Phase::Over;
        self.verdict = Some(error.clone());
        out.push(Output::Registration(RegistrationState::Failed(error)));
    }

    /// The socket has closed, with this code if it was the server, or would not open.
    pub(crate) fn handle_closed(
        &mut self,
        code: Option<u16>,
        now: Moment,
        rng: &mut ChaCha8Rng,
        out: &mut Outputs,
    ) {
        let is_replaced = code == Some(REPLACED) && !self.has_yielded();
        if is_replaced && self.ghosts.may_have_replaced(now) {
            return self.open(now, out);
        }
        if code == Some(REPLACED) || self.has_yielded() {
            return self.rest(now, out);
        }
        if let Phase::Registered { since, .. } = self.phase
            && now - since >= self.timing.backoff.stable_after
        {
            self.backoff.reset();
        }
        self.wait(None, now, rng, out);
    }

    pub(crate) fn handle_timeout(&mut self, now: Moment, rng: &mut ChaCha8Rng, out: &mut Outputs) {
        match self.phase.clone() {
            Phase::Opening { socket, until } if until <= now => {
                out.push(Output::CloseSocket { socket });
                self.ghosts.add(now);
                self.wait(None, now, rng, out);
            }
            Phase::Waiting { retry_at } if retry_at <= now => self.open(now, out),
            Phase::Yielded { ask_at } if ask_at <= now => self.probe(now, out),
            Phase::Probing { socket, until } if until <= now => {
                out.push(Output::CloseSocket { socket });
                self.rest(now, out);
            }
            Phase::Asking {
                socket,
                until,
                answers,
                ..
            } => {
                if until <= now && answers {
                    out.push(Output::CloseSocket { socket });
                    self.ghosts.add(now);
                    return self.wait(None, now, rng, out);
                }
                if until <= now {
                    self.handle_accepted(now, out);
                    // Nobody has said so.
                    self.ask_echo(now, out);
                }
                self.beat(now, out);
            }
            Phase::Registered { echo, .. } => {
                match echo {
                    Echo::Asked { until, .. } if until <= now => return self.fell_silent(now, out),
                    Echo::Due(at) if at <= now => self.ask_echo(now, out),
                    Echo::Asked { .. } | Echo::Due(_) => {}
                }
                self.beat(now, out);
            }
            Phase::Opening { .. }
            | Phase::Waiting { .. }
            | Phase::Yielded { .. }
            | Phase::Probing { .. }
            | Phase::Over => {}
        }
    }

    /// Something suggests that it is worth trying now.
    pub(crate) fn wake(&mut self, now: Moment, out: &mut Outputs) {
        match &mut self.phase {
            Phase::Waiting { .. } => self.open(now, out),
            Phase::Yielded { .. } => self.probe(now, out),
            Phase::Registered { heartbeat, .. } => {
                // A socket that died while nobody looked shows it when something is sent.
                heartbeat.next = now;
                self.beat(now, out);
                self.ask_echo(now, out);
            }
            Phase::Opening { .. } | Phase::Asking { .. } | Phase::Probing { .. } | Phase::Over => {}
        }
    }

    /// Closes the socket and tries nothing any more.
    pub(crate) fn close(&mut self, out: &mut Outputs) {
        if let Some(socket) = self.socket() {
            out.push(Output::CloseSocket { socket });
        }
        self.phase = Phase::Over;
        self.unsent.clear();
    }

    fn beat(&mut self, now: Moment, out: &mut Outputs) {
        let every = self.timing.heartbeat_every;
        let (Phase::Asking {
            socket, heartbeat, ..
        }
        | Phase::Registered {
            socket, heartbeat, ..
        }) = &mut self.phase
        else {
            return;
        };
        if heartbeat.next > now {
            return;
        }
        let asleep = now - heartbeat.last >= self.timing.asleep_after;
        *heartbeat = Heartbeat::after(now, every);
        if asleep {
            // The server has let go of this side, and the socket may never say so.
            self.open(now, out);
            return;
        }
        out.push(Output::SendSocket {
            socket: *socket,
            text: ToServer::Heartbeat.to_string(),
        });
    }

    fn open(&mut self, now: Moment, out: &mut Outputs) {
        if let Some(socket) = self.socket() {
            out.push(Output::CloseSocket { socket });
        }
        self.last_socket += 1;
        let socket = SocketId(self.last_socket);
        self.phase = Phase::Opening {
            socket,
            until: now + self.timing.socket_timeout,
        };
        out.push(Output::Registration(RegistrationState::Connecting));
        out.push(Output::OpenSocket {
            socket,
            url: self.urls.url.clone(),
        });
    }

    fn wait(
        &mut self,
        fault: Option<ServerFault>,
        now: Moment,
        rng: &mut ChaCha8Rng,
        out: &mut Outputs,
    ) {
        // It is not known who has the address while the server cannot be asked.
        self.taken.last = None;
        let max = self.timing.backoff.max;
        let retry_at = now + self.backoff.next_delay(&self.timing.backoff, max, rng);
        self.phase = Phase::Waiting { retry_at };
        let state = RegistrationState::Disconnected { retry_at, fault };
        out.push(Output::Registration(state));
    }
}
