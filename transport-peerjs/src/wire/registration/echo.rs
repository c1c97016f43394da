//! The echo: a message to oneself by the server, which shows that the socket works.

use std::time::Duration;

use hustings_room::Moment;

use super::{Phase, Registration};
use crate::wire::messages::{Candidate, IceCandidate, ToServer};
use crate::wire::output::{Output, Outputs};

/// The beginning of the names of all echoes.
pub(super) const ECHO: &str = "echo_";

/// A message to oneself that shows that the socket works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    /// It is to be asked for at this moment.
    Due(Moment),
    /// It has been asked for, by this number, and has to come until then. `again` if that is because
    /// the time for the one before was slept through.
    Asked {
        number: u64,
        until: Moment,
        again: bool,
    },
}

impl Echo {
    pub(super) const fn deadline(self) -> Moment {
        match self {
            Self::Due(at) => at,
            Self::Asked { until, .. } => until,
        }
    }
}

/// A deadline that is served so late was slept through, or held back in a hidden tab: nothing can
/// be concluded from what was not heard.
const HELD_BACK: Duration = Duration::from_secs(10);

/// True if a deadline is served so late.
pub(crate) fn is_late(due: Moment, now: Moment) -> bool {
    now - due >= HELD_BACK
}

impl Registration {
    /// Lets the socket show that it works, unless that is being asked already.
    pub(crate) fn ask_echo(&mut self, now: Moment, out: &mut Outputs) {
        let Phase::Registered { socket, echo, .. } = &mut self.phase else {
            return;
        };
        let again = match echo {
            Echo::Due(_) => false,
            // Nobody listened for it. Once, for a hidden tab is late each time.
            Echo::Asked {
                until,
                again: false,
                ..
            } if is_late(*until, now) => true,
            Echo::Asked { .. } => return,
        };
        self.echoes += 1;
        let number = self.echoes;
        let until = now + self.timing.echo_timeout;
        *echo = Echo::Asked {
            number,
            until,
            again,
        };
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
        if name.starts_with(ECHO) && !name.starts_with(&self.echo_name) {
            self.contest.heard_a_copy(now);
        }
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

    /// No echo has come.
    pub(super) fn fell_silent(&mut self, now: Moment, out: &mut Outputs) {
        if self.contest.fell_silent(now) {
            if let Some(socket) = self.socket() {
                out.push(Output::CloseSocket { socket });
            }
            return self.rest(now, out);
        }
        // The other end is gone, and the socket may never say so.
        self.open(now, out);
    }
}
