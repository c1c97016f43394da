//! The signalling server's messages, each given to whom it is for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hustings_room::{LinkId, Moment};

use super::Endpoint;
use crate::config::WireLimits;
use crate::wire::admission::Allowed;
use crate::wire::connection::{AcceptableOffer, Connection, Names};
use crate::wire::held::HeldOffer;
use crate::wire::messages::{FromServer, IceCandidate, Offer, Refused, ToServer};
use crate::wire::output::{Output, Refusal, RtcId};

impl Endpoint {
    pub(super) fn handle_server(&mut self, message: FromServer, now: Moment) {
        let Self {
            registration,
            rng,
            out,
            ..
        } = self;
        match message {
            FromServer::Open => registration.handle_free(now, out),
            FromServer::IdTaken { is_kept } => registration.handle_taken(is_kept, now, rng, out),
            FromServer::Error(fault) => registration.handle_fault(fault, now, rng, out),
            // The server passes messages on to those alone who are registered.
            FromServer::Expire { src } | FromServer::Leave { src } => {
                registration.handle_accepted(now, out);
                self.handle_absent(&src, now);
            }
            FromServer::Offer { src, offer } => {
                registration.handle_accepted(now, out);
                let connection_id = offer.connection_id.clone();
                if let Err(refusal) = self.take_offer(&src, offer, now) {
                    self.refuse(&src, connection_id, refusal, now);
                }
            }
            FromServer::Refused { src, refused } => {
                registration.handle_accepted(now, out);
                if let Some(rtc) = self.names.get(&(src, refused.connection_id)).copied() {
                    self.with(rtc, now, |connection, _| {
                        connection.handle_refused(refused.code)
                    });
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
                } else if let Some(candidate) = self.held.keep(&key.0, candidate, &self.limits) {
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
            FromServer::IceServers(handed) => {
                let all = self.ice.take(handed, now);
                out.push(Output::IceServers(all));
            }
            FromServer::Unknown => {}
        }
    }

    fn handle_absent(&mut self, src: &str, now: Moment) {
        self.held.forget(src);
        let there: Vec<RtcId> = self.with_remote(src).collect();
        for rtc in there {
            self.with(rtc, now, |connection, _| connection.handle_absent());
        }
    }

    /// Accepts an offer, or holds it until it is its turn.
    fn take_offer(&mut self, src: &str, offer: Offer, now: Moment) -> Result<(), Refusal> {
        let offer = Connection::check(offer)?;
        let key = (src.to_owned(), offer.connection_id.clone());
        if self.names.contains_key(&key) || self.held.has(src, &key.1) {
            return Err(Refusal::Duplicate);
        }
        self.remember_lasting(src, now);
        let refusal = match self.admission.allows(src, now) {
            Allowed::Now => match self.place_for(src, now) {
                Ok(given_way) => {
                    self.accept(src, offer, Vec::new(), given_way, now);
                    return Ok(());
                }
                // Where all who are there are up, nobody's turn comes soon.
                Err(refusal) if self.phases.coming_up().next().is_none() => return Err(refusal),
                Err(refusal) => refusal,
            },
            Allowed::Later => Refusal::TooOften,
            Allowed::Not => return Err(Refusal::TooOften),
        };
        if self.timing.hold_for.is_zero() {
            return Err(refusal);
        }
        self.hold(src, offer, refusal, now)
    }

    /// Holds an offer. Somebody who is known does not find all the room taken by strangers: the one
    /// who came last goes without.
    fn hold(
        &mut self,
        src: &str,
        offer: AcceptableOffer,
        refusal: Refusal,
        now: Moment,
    ) -> Result<(), Refusal> {
        let age = self.timing.connect_timeout;
        let candidates = self.early.take(src, &offer.connection_id, now, age);
        let offer = HeldOffer {
            since: now,
            src: src.to_owned(),
            offer,
            candidates,
        };
        let Err(offer) = self.held.hold(offer, &self.limits) else {
            return Ok(());
        };
        let is_known = |sender: &&str| self.admission.is_known(sender);
        let last = self.held.senders().rev().find(|sender| !is_known(sender));
        let last = last.filter(|_| is_known(&src)).map(str::to_owned);
        let Some(turned_away) = last.and_then(|last| self.held.forget(&last)) else {
            return Err(refusal);
        };
        let HeldOffer {
            src: last,
            offer: theirs,
            ..
        } = turned_away;
        self.refuse(&last, theirs.connection_id, Refusal::TooMany, now);
        let held = self.held.hold(*offer, &self.limits);
        held.map_err(|_| refusal)
    }

    /// Begins the connections of those who wait, as far as there is room; members first, and then
    /// whoever came first. Those who have waited for too long are told so.
    pub(super) fn take_turns(&mut self, now: Moment) {
        if self.held.is_empty() {
            return;
        }
        self.held.looked(now);
        while let Some((src, waited)) = self.held.overdue(self.timing.hold_for, now) {
            // Those who cannot be told yet are a little later, as long as they listen.
            if waited < self.timing.connect_timeout && !self.admission.may_answer(now) {
                break;
            }
            let src = src.to_owned();
            if let Some(held) = self.held.forget(&src) {
                self.refuse(&src, held.offer.connection_id, Refusal::Waited, now);
            }
        }
        while let Some(src) = self.next_turn(now)
            && let Ok(given_way) = self.place_for(&src, now)
            && let Some(held) = self.held.forget(&src)
        {
            self.accept(&src, held.offer, held.candidates, given_way, now);
        }
    }

    /// The one among those who wait for whom a connection may be made.
    fn next_turn(&self, now: Moment) -> Option<String> {
        let is_known = |sender: &&str| self.admission.is_known(sender);
        let may = |sender: &&str| self.admission.allows(sender, now) == Allowed::Now;
        let all = || self.held.in_turn(self.timing.hold_for, now);
        let next = all().filter(is_known).find(may).or_else(|| all().find(may));
        next.map(str::to_owned)
    }

    /// Accepts an offer, in the place of another connection if one has to give way.
    fn accept(
        &mut self,
        src: &str,
        offer: AcceptableOffer,
        mut candidates: Vec<IceCandidate>,
        given_way: Option<RtcId>,
        now: Moment,
    ) {
        if let Some(given_way) = given_way {
            if let Some(connection) = self.connections.get(&given_way) {
                let Names {
                    remote,
                    connection_id,
                    ..
                } = &connection.names;
                let (remote, connection_id) = (remote.clone(), connection_id.clone());
                self.refuse(&remote, connection_id, Refusal::GaveWay, now);
            }
            self.remove(given_way);
        }
        self.admission.made(src, now);
        // A candidate older than that belongs to an attempt that is over.
        let age = self.timing.connect_timeout;
        candidates.extend(self.early.take(src, &offer.connection_id, now, age));
        self.last_accepted += 1;
        let link = LinkId::accepted(self.last_accepted);
        let names = self.name(link, (src.to_owned(), offer.connection_id.clone()));
        let (rtc, mut cx) = (names.rtc, self.cx(now));
        let connection = Connection::accept(names, offer, candidates, &mut cx);
        self.add(rtc, connection);
    }

    /// Notes that an offer is not accepted, and tells the sender, unless too many were told lately.
    fn refuse(&mut self, src: &str, connection_id: String, refusal: Refusal, now: Moment) {
        // The connection of that name lives, and its sender would take the refusal for its end.
        let is_told = refusal != Refusal::Duplicate && self.admission.answers(now);
        if is_told {
            let refused = Refused {
                connection_id,
                code: refusal.code(),
                message: refusal.to_string(),
            };
            let dst = src.to_owned();
            let message = ToServer::Refuse { dst, refused };
            self.registration.say(&message, &mut self.out);
        }
        self.out.refused(src, refusal);
    }

    /// A sender whose link is still up is known by then, too.
    fn remember_lasting(&mut self, src: &str, now: Moment) {
        let own = self.with_remote(src);
        let own = own.filter_map(|rtc| self.connections.get(&rtc)?.up_since());
        if let Some(since) = own.min() {
            self.admission.lasted(src, now - since);
        }
    }

    /// Finds a place for one more connection of a sender: the connection that has to give way, if
    /// one has to.
    ///
    /// Only those that have not come up count and give way: whoever is in does not keep others out,
    /// and is not put out by them.
    fn place_for(&self, src: &str, now: Moment) -> Result<Option<RtcId>, Refusal> {
        let mut each: BTreeMap<&str, usize> = BTreeMap::new();
        let mut incoming = Vec::new();
        for (rtc, connection) in self.coming_up() {
            if let Some(since) = connection.incoming_since() {
                *each.entry(&connection.names.remote).or_default() += 1;
                incoming.push((rtc, connection, since));
            }
        }
        let own = each.get(src).copied().unwrap_or(0);
        let is_own_full = own >= self.limits.max_incoming_each;
        if !is_own_full
            && incoming.len() < self.pace.most(&self.limits)
            && self.connections.len() < self.limits.max_connections
        {
            return Ok(None);
        }
        let is_known = self.admission.is_known(src);
        let first_turn = self.pace.first_turn(&self.budget);
        let gives_way = |remote: &str, of_sender: usize, since: Moment| {
            if is_own_full {
                return remote == src;
            }
            of_sender > own + 1
                || now - since >= first_turn
                || (is_known && !self.admission.is_known(remote))
        };
        incoming
            .into_iter()
            .map(|(rtc, connection, since)| {
                let remote = connection.names.remote.as_str();
                (rtc, connection, remote, each[remote], since)
            })
            .filter(|(_, _, remote, of_sender, since)| gives_way(remote, *of_sender, *since))
            // Strangers first, then whoever has most, the least advanced, and the oldest.
            .min_by_key(|(rtc, connection, remote, of_sender, _)| {
                let is_known = self.admission.is_known(remote);
                (is_known, Reverse(*of_sender), connection.is_reached(), *rtc)
            })
            .map(|(rtc, ..)| Some(rtc))
            .ok_or(Refusal::TooMany)
    }
}
