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

use std::time::Duration;

use hustings_protocol::handshake::Nonce;
use hustings_room::Moment;
use rand_chacha::ChaCha8Rng;

use super::backoff::Backoff;
use super::messages::{Candidate, IceCandidate, ServerFault, ToServer};
use super::output::{
    Output, Outputs, RegistrationError, RegistrationState, RtcId, SocketId, TimeoutReason,
};
use super::proof::Prover;
use crate::config::Timing;

/// Most messages that are kept while the server is away, before candidates are dropped.
/// Descriptions, of which each connection has one, are always kept.
const MAX_UNSENT: usize = 1_024;

/// The beginning of the names of all echoes.
pub(crate) const ECHO: &str = "echo_";

/// The machine of one registration.
#[derive(Debug)]
pub(crate) struct Registration {
    url: String,
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
    /// Nothing is tried any more.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heartbeat {
    last: Moment,
    next: Moment,
}

/// A message to oneself that shows that the socket works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    /// It is to be asked for at this moment.
    Due(Moment),
    /// It has been asked for, by this number, and has to come until then.
    Asked { number: u64, until: Moment },
}

impl Echo {
    const fn deadline(self) -> Moment {
        match self {
            Self::Due(at) => at,
            Self::Asked { until, .. } => until,
        }
    }
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
        url: String,
        own_id: String,
        prover: Option<Prover>,
        nonce: u64,
        timing: Timing,
        now: Moment,
        out: &mut Outputs,
    ) -> Self {
        let mut registration = Self {
            url,
            own_id,
            prover,
            proved_by: None,
            echo_name: format!("{ECHO}{nonce:016x}_"),
            echoes: 0,
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
            Phase::Registered {
                heartbeat, echo, ..
            } => Some(
                (heartbeat.next, TimeoutReason::Heartbeat)
                    .min((echo.deadline(), TimeoutReason::Echo)),
            ),
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

    /// Has the socket show that it works, unless that is being asked already.
    pub(crate) fn ask_echo(&mut self, now: Moment, out: &mut Outputs) {
        let Phase::Registered { socket, echo, .. } = &mut self.phase else {
            return;
        };
        if let Echo::Asked { .. } = echo {
            return;
        }
        self.echoes += 1;
        let number = self.echoes;
        let until = now + self.timing.echo_timeout;
        *echo = Echo::Asked { number, until };
        let candidate = Candidate {
            connection_id: format!("{}{number}", self.echo_name),
            // Nothing to try, so it does no harm wherever it arrives.
            ice: IceCandidate::default(),
        };
        let dst = self.own_id.clone();
        out.push(Output::SendSocket {
            socket: *socket,
            text: ToServer::Candidate { dst, candidate }.to_string(),
        });
    }

    /// A message to oneself has come, by this name.
    pub(crate) fn handle_echo(&mut self, name: &str, now: Moment) {
        let heard = name.strip_prefix(&self.echo_name);
        let heard = heard.and_then(|number| number.parse::<u64>().ok());
        if let Phase::Registered { echo, .. } = &mut self.phase
            && let Echo::Asked { number, .. } = *echo
            // Not one from before: it may have waited in a buffer while everything stood still.
            && heard == Some(number)
        {
            *echo = Echo::Due(now + self.timing.echo_every);
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
                echo: Echo::Due(now + self.timing.echo_every),
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
            Phase::Asking {
                socket,
                until,
                answers,
                ..
            } => {
                if until <= now && answers {
                    out.push(Output::CloseSocket { socket });
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
                    // The other end is gone, and the socket may never say so.
                    Echo::Asked { until, .. } if until <= now => return self.open(now, out),
                    Echo::Due(at) if at <= now => self.ask_echo(now, out),
                    Echo::Asked { .. } | Echo::Due(_) => {}
                }
                self.beat(now, out);
            }
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
                self.ask_echo(now, out);
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
