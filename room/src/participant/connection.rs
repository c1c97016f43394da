//! The link to the owner: dialling, losing it, trying again, giving up.

use hustings_protocol::{Address, Message};

use super::{Participant, Phase, Session};
use crate::liveness::Verdict;
use crate::{Connection, DownReason, Event, LinkId, Moment, Output, Refused, TimeoutReason};

impl Participant {
    pub(super) fn link(&self) -> Option<LinkId> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Dialling { link } | Phase::AwaitChallenge { link, .. } => Some(*link),
            Phase::Joining(session) | Phase::Joined(session) => Some(session.link),
        }
    }

    pub(super) fn session_mut(&mut self, link: LinkId) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Joining(session) | Phase::Joined(session) if session.link == link => {
                Some(session)
            }
            Phase::Idle
            | Phase::Dialling { .. }
            | Phase::AwaitChallenge { .. }
            | Phase::Joining(_)
            | Phase::Joined(_) => None,
        }
    }

    pub(super) fn dial(&mut self, now: Moment) {
        let link = LinkId::dialled(self.dials);
        self.dials += 1;
        // The retry, too, if a wake came before it.
        self.timers.stop_all();
        self.timers
            .set(TimeoutReason::Dial, now + self.config.dial_timeout);
        self.phase = Phase::Dialling { link };
        self.set_connection(Connection::Connecting);
        self.outputs.push_back(Output::Dial {
            link,
            to: Address::Owner(self.room.owner),
        });
    }

    /// The link is down, or never came up: waits, then tries again.
    pub(super) fn disconnect(&mut self, reason: DownReason, now: Moment) {
        self.leave_link();
        let delay = self.backoff.next_delay(&self.config.backoff, &mut self.rng);
        let retry_at = now + delay;
        self.timers.set(TimeoutReason::Retry, retry_at);
        self.set_connection(Connection::Disconnected { retry_at, reason });
    }

    pub(super) fn hang_up(&mut self, reason: DownReason, now: Moment) {
        if let Some(link) = self.link() {
            self.outputs.push_back(Output::Hangup { link });
        }
        self.disconnect(reason, now);
    }

    pub(super) fn refused(&mut self, reason: Refused) {
        if let Some(link) = self.link() {
            self.outputs.push_back(Output::Hangup { link });
        }
        self.leave_link();
        self.set_connection(Connection::Refused(reason));
    }

    pub(super) fn leave_link(&mut self) {
        self.phase = Phase::Idle;
        self.timers.stop_all();
        // Nothing that was sent on this link is assumed to have arrived.
        self.unsend();
        if !self.peers.is_empty() {
            self.peers.clear();
            self.event(Event::PeersChanged(Vec::new()));
        }
    }

    pub(super) fn set_connection(&mut self, connection: Connection) {
        if self.connection != connection {
            self.connection = connection.clone();
            self.event(Event::Connection(connection));
        }
    }

    /// Nothing is known of the link for now: it is asked if it is alive.
    pub(super) fn suspect(&mut self, now: Moment) {
        let (Phase::Joining(session) | Phase::Joined(session)) = &mut self.phase else {
            return;
        };
        if session.liveness.suspect(&self.config, now) {
            let (link, deadline) = (session.link, session.liveness.deadline());
            self.timers.set(TimeoutReason::Liveness, deadline);
            self.send(link, &Message::Ping);
        }
    }

    pub(super) fn judge_liveness(&mut self, now: Moment) {
        let (Phase::Joining(session) | Phase::Joined(session)) = &mut self.phase else {
            return;
        };
        let verdict = session.liveness.judge(&self.config, now);
        let (link, deadline) = (session.link, session.liveness.deadline());
        match verdict {
            Verdict::Alive => {}
            Verdict::Ping => self.send(link, &Message::Ping),
            Verdict::Dead => {
                let reason = DownReason::Lost("the owner does not answer".into());
                return self.hang_up(reason, now);
            }
        }
        self.timers.set(TimeoutReason::Liveness, deadline);
    }
}
