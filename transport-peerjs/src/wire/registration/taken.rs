//! An address that somebody else has: a stranger, who is waited for, or a copy of this identity,
//! to whom it is left.

use std::time::Duration;

use hustings_room::Moment;
use hustings_room::transport::TransportEvent;

use super::{Phase, Registration};
use crate::config::Timing;
use crate::wire::output::{Output, Outputs, RegistrationState, SocketId};

/// The code with which a server closes a socket whose address another has taken over.
pub(super) const REPLACED: u16 = 4001;

/// The addresses of sockets by which this side is known.
#[derive(Debug)]
pub(crate) struct Urls {
    /// With its own token.
    pub(crate) url: String,
    /// With a token that nobody has.
    pub(crate) probe_url: String,
}

/// The time for which the address has been somebody else's, without a registration in between.
#[derive(Debug, Default)]
pub(super) struct Taken {
    waited: Duration,
    /// The moment at which the server said so last, with nothing but such answers since.
    pub(super) last: Option<Moment>,
}

impl Taken {
    /// The server says so. Returns the time for which it has.
    pub(super) fn said(&mut self, timing: &Timing, now: Moment) -> Duration {
        if let Some(last) = self.last.replace(now) {
            // Whoever slept has not asked either.
            let longest = timing.taken_retry_max + timing.socket_timeout;
            self.waited += (now - last).min(longest);
        }
        self.waited
    }
}

impl Registration {
    /// True while this side leaves its address to a copy of its identity.
    pub(crate) fn has_yielded(&self) -> bool {
        matches!(self.phase, Phase::Yielded { .. } | Phase::Probing { .. })
    }

    /// Takes the address, whoever else has it.
    pub(crate) fn claim(&mut self, now: Moment, out: &mut Outputs) {
        self.contest.forget();
        if self.has_yielded() {
            self.open(now, out);
        }
    }

    /// Leaves the address to a copy of this identity, for now.
    pub(super) fn rest(&mut self, now: Moment, out: &mut Outputs) {
        self.contest.forget();
        self.taken = Taken::default();
        let ask_at = now + self.timing.yielded_probe_every;
        self.phase = Phase::Yielded { ask_at };
        out.push(Output::Registration(RegistrationState::Yielded { ask_at }));
    }

    /// The copy has left the address, and whoever waits for it need not wait any longer.
    pub(super) fn found_free(&mut self, now: Moment, out: &mut Outputs) {
        self.open(now, out);
        out.event(TransportEvent::Wake);
    }

    /// Asks if the address is free.
    pub(super) fn probe(&mut self, now: Moment, out: &mut Outputs) {
        self.last_socket += 1;
        let socket = SocketId(self.last_socket);
        let until = now + self.timing.socket_timeout;
        self.phase = Phase::Probing { socket, until };
        let url = self.urls.probe_url.clone();
        out.push(Output::OpenSocket { socket, url });
    }
}
