//! The signalling server's messages, each given to whom it is for.

use hustings_room::{LinkId, Moment};

use super::Endpoint;
use crate::config::WireLimits;
use crate::wire::connection::Connection;
use crate::wire::messages::{FromServer, Offer};
use crate::wire::output::{Refusal, RtcId};

impl Endpoint {
    pub(super) fn handle_server(&mut self, message: FromServer, now: Moment) {
        let Self {
            registration,
            rng,
            out,
            ..
        } = self;
        match message {
            FromServer::Open => registration.handle_accepted(now, out),
            FromServer::IdTaken => registration.handle_taken(now, rng, out),
            FromServer::Error(fault) => registration.handle_fault(fault, now, rng, out),
            // The server passes messages on to those alone who are registered.
            FromServer::Expire { src } | FromServer::Leave { src } => {
                registration.handle_accepted(now, out);
                self.handle_absent(&src, now);
            }
            FromServer::Offer { src, offer } => {
                registration.handle_accepted(now, out);
                if let Err(refusal) = self.accept(&src, offer, now) {
                    self.out.refused(&src, refusal);
                }
            }
            FromServer::Answer { src, answer } => {
                registration.handle_accepted(now, out);
                if let Some(rtc) = self.names.get(&(src, answer.connection_id)).copied() {
                    self.with(rtc, now, |connection, cx| {
                        connection.handle_answer(answer.sdp, cx)
                    });
                }
            }
            // Nobody dials itself.
            FromServer::Candidate { src, candidate } if src == self.own_id => {
                registration.handle_accepted(now, out);
                registration.handle_echo(&candidate.connection_id, now);
            }
            FromServer::Candidate { src, candidate } => {
                registration.handle_accepted(now, out);
                let key = (src, candidate.connection_id.clone());
                if let Some(rtc) = self.names.get(&key).copied() {
                    self.with(rtc, now, |connection, cx| {
                        connection.handle_candidate(candidate.ice, cx);
                        Ok(())
                    });
                } else {
                    let WireLimits {
                        max_early,
                        max_candidates,
                        ..
                    } = self.limits;
                    self.early
                        .keep(key.0, candidate, now, max_early, max_candidates);
                }
            }
            FromServer::Nonce(nonce) => registration.handle_nonce(nonce, now, out),
            FromServer::Unknown => {}
        }
    }

    fn handle_absent(&mut self, src: &str, now: Moment) {
        let there: Vec<RtcId> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.names.remote == src)
            .map(|(rtc, _)| *rtc)
            .collect();
        for rtc in there {
            self.with(rtc, now, |connection, _| connection.handle_absent());
        }
    }

    fn accept(&mut self, src: &str, offer: Offer, now: Moment) -> Result<(), Refusal> {
        let (serialization, fingerprint) = Connection::check(&offer)?;
        let key = (src.to_owned(), offer.connection_id.clone());
        if self.names.contains_key(&key) {
            return Err(Refusal::Duplicate);
        }
        // Only those that have not come up count: whoever is in should not keep others out.
        let coming = |connection: &&Connection| {
            connection.is_coming_up() && connection.names.link.is_accepted()
        };
        let incoming = self.connections.values().filter(coming);
        let of_sender = |connection: &&Connection| connection.names.remote == src;
        if self.connections.len() >= self.limits.max_connections
            || incoming.clone().count() >= self.limits.max_incoming
            || incoming.filter(of_sender).count() >= self.limits.max_incoming_each
        {
            return Err(Refusal::TooMany);
        }
        // A candidate older than that belongs to an attempt that is over.
        let age = self.timing.connect_timeout;
        let early = self.early.take(src, &offer.connection_id, now, age);
        self.last_accepted += 1;
        let link = LinkId::accepted(self.last_accepted);
        let names = self.name(link, key);
        let (rtc, mut cx) = (names.rtc, self.cx(now));
        let connection =
            Connection::accept(names, offer, serialization, fingerprint, early, &mut cx);
        self.connections.insert(rtc, connection);
        Ok(())
    }
}
