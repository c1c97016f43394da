//! Being known to the signalling server, and staying known.
//!
//! The server keeps an id for the first socket that claims it, and lets another socket with the
//! same token take it over. It says OPEN to a new registration, ID-TAKEN to a stranger and
//! **nothing** to a socket that takes over, so a socket that is open and hears no objection counts
//! as registered.

use std::time::Duration;

use hustings_room::Moment;
use rand_chacha::ChaCha8Rng;

use super::backoff::Backoff;
use super::messages::{ServerFault, ToServer};
use super::output::{
    Output, Outputs, RegistrationError, RegistrationState, RtcId, SocketId, TimeoutReason,
};
use crate::config::Timing;

/// Most messages that are kept while the server is away, before candidates are dropped.
/// Descriptions, of which each connection has one, are always kept.
const MAX_UNSENT: usize = 1_024;

/// The machine of one registration.
#[derive(Debug)]
pub(crate) struct Registration {
    url: String,
    timing: Timing,
    phase: Phase,
    last_socket: u64,
    backoff: Backoff,
    /// The moment since which the address has been taken, without a registration in between.
    taken_since: Option<Moment>,
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
    },
    Registered {
        socket: SocketId,
        since: Moment,
        heartbeat: Heartbeat,
    },
    Waiting {
        retry_at: Moment,
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
    /// Begins to register.
    pub(crate) fn new(url: String, timing: Timing, now: Moment, out: &mut Outputs) -> Self {
        let mut registration = Self {
            url,
            timing,
            phase: Phase::Over,
            last_socket: 0,
            backoff: Backoff::default(),
            taken_since: None,
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
            | Phase::Registered { socket, .. } => Some(*socket),
            Phase::Waiting { .. } | Phase::Over => None,
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
            Phase::Registered { heartbeat, .. } => Some((heartbeat.next, TimeoutReason::Heartbeat)),
            Phase::Waiting { retry_at } => Some((*retry_at, TimeoutReason::Retry)),
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
            Phase::Opening { .. } | Phase::Asking { .. } | Phase::Waiting { .. } => {
                let is_candidate = matches!(message, ToServer::Candidate { .. });
                if !is_candidate || self.unsent.len() < MAX_UNSENT {
                    self.unsent.push((rtc, text));
                }
            }
            Phase::Over => {}
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
            };
            // Whoever takes over hears nothing, and an impatient server counts from the last one.
            out.push(Output::SendSocket {
                socket,
                text: ToServer::Heartbeat.to_string(),
            });
        }
    }

    /// The server has said OPEN, or something that it says only to those who are registered.
    pub(crate) fn handle_accepted(&mut self, now: Moment, out: &mut Outputs) {
        if let Phase::Asking {
            socket, heartbeat, ..
        } = self.phase
        {
            self.taken_since = None;
            self.verdict = None;
            self.phase = Phase::Registered {
                socket,
                since: now,
                heartbeat,
            };
            out.push(Output::Registration(RegistrationState::Registered));
            for (_, text) in std::mem::take(&mut self.unsent) {
                out.push(Output::SendSocket { socket, text });
            }
        }
    }

    pub(crate) fn handle_taken(&mut self, now: Moment, rng: &mut ChaCha8Rng, out: &mut Outputs) {
        let Some(socket) = self.socket() else { return };
        out.push(Output::CloseSocket { socket });
        let since = *self.taken_since.get_or_insert(now);
        if now - since >= self.timing.taken_patience {
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
                self.wait(Some(fault), now, rng, out);
                return;
            }
        };
        out.push(Output::CloseSocket { socket });
        self.phase = Phase::Over;
        self.verdict = Some(error.clone());
        out.push(Output::Registration(RegistrationState::Failed(error)));
    }

    /// The socket has closed or would not open.
    pub(crate) fn handle_closed(&mut self, now: Moment, rng: &mut ChaCha8Rng, out: &mut Outputs) {
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
                self.wait(None, now, rng, out);
            }
            Phase::Waiting { retry_at } if retry_at <= now => self.open(now, out),
            Phase::Asking { until, .. } => {
                if until <= now {
                    self.handle_accepted(now, out);
                }
                self.beat(now, out);
            }
            Phase::Registered { .. } => self.beat(now, out),
            Phase::Opening { .. } | Phase::Waiting { .. } | Phase::Over => {}
        }
    }

    /// Something suggests that it is worth trying now.
    pub(crate) fn wake(&mut self, now: Moment, out: &mut Outputs) {
        match &mut self.phase {
            Phase::Waiting { .. } => self.open(now, out),
            Phase::Registered { heartbeat, .. } => {
                // A socket that died while nobody looked shows it when something is sent.
                heartbeat.next = now;
                self.beat(now, out);
            }
            Phase::Opening { .. } | Phase::Asking { .. } | Phase::Over => {}
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
            url: self.url.clone(),
        });
    }

    fn wait(
        &mut self,
        fault: Option<ServerFault>,
        now: Moment,
        rng: &mut ChaCha8Rng,
        out: &mut Outputs,
    ) {
        let max = self.timing.backoff.max;
        let retry_at = now + self.backoff.next_delay(&self.timing.backoff, max, rng);
        self.phase = Phase::Waiting { retry_at };
        let state = RegistrationState::Disconnected { retry_at, fault };
        out.push(Output::Registration(state));
    }
}
