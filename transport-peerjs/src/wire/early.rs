//! Candidates that overtook their offer.

use std::collections::VecDeque;
use std::time::Duration;

use hustings_room::Moment;

use super::messages::{Candidate, IceCandidate};

/// Kept candidates of connections that are not known yet. Strangers can send any number, so the
/// oldest connection makes room for the newest, and each has a bound.
#[derive(Debug, Default)]
pub(crate) struct Early(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    at: Moment,
    src: String,
    connection_id: String,
    candidates: Vec<IceCandidate>,
}

impl Early {
    pub(crate) fn keep(
        &mut self,
        src: String,
        candidate: Candidate,
        now: Moment,
        max_connections: usize,
        max_each: usize,
    ) {
        let Candidate { connection_id, ice } = candidate;
        let known = self
            .0
            .iter_mut()
            .find(|entry| entry.src == src && entry.connection_id == connection_id);
        if let Some(entry) = known {
            if entry.candidates.len() < max_each {
                entry.candidates.push(ice);
            }
            return;
        }
        while self.0.len() >= max_connections.max(1) {
            self.0.pop_front();
        }
        self.0.push_back(Entry {
            at: now,
            src,
            connection_id,
            candidates: vec![ice],
        });
    }

    /// Takes what is kept for a connection, and forgets what is older than `max_age`.
    pub(crate) fn take(
        &mut self,
        src: &str,
        connection_id: &str,
        now: Moment,
        max_age: Duration,
    ) -> Vec<IceCandidate> {
        self.0.retain(|entry| now - entry.at <= max_age);
        let found = self
            .0
            .iter()
            .position(|entry| entry.src == src && entry.connection_id == connection_id);
        found
            .and_then(|at| self.0.remove(at))
            .map(|entry| entry.candidates)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(connection: &str, line: &str) -> Candidate {
        Candidate {
            connection_id: connection.into(),
            ice: IceCandidate {
                candidate: line.into(),
                ..IceCandidate::default()
            },
        }
    }

    #[test]
    fn it_is_bounded_in_every_direction() {
        let mut early = Early::default();
        let now = Moment::START;
        for n in 0..100 {
            early.keep("a".into(), candidate(&n.to_string(), "x"), now, 3, 2);
            early.keep("a".into(), candidate("last", "x"), now, 3, 2);
        }
        assert!(early.0.len() <= 3);
        for _ in 0..5 {
            early.keep("a".into(), candidate("99", "y"), now, 3, 2);
        }
        let age = Duration::from_secs(1);
        assert_eq!(early.take("a", "99", now, age).len(), 2);
        assert_eq!(early.take("a", "99", now, age).len(), 0);
        assert_eq!(early.take("b", "last", now, age).len(), 0);
        assert_eq!(early.take("a", "last", now + age * 2, age).len(), 0);
    }
}
