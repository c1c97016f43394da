//! One address: its registration and all of its connections.

mod incoming;
mod pace;
mod phases;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::{Address, PeerId};
use hustings_room::transport::{SendOutcome, TransportError, TransportEvent};
use hustings_room::{DownReason, LinkId, Moment};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use self::pace::Pace;
use self::phases::{Phase, Phases};
use super::admission::Admission;
use super::connection::{Connection, Cx, End, Names};
use super::early::Early;
use super::framing::ChannelMessage;
use super::held::Held;
use super::ice_servers::{Due, IceServers};
use super::messages::{FromServer, IceCandidate, ToServer};
use super::output::{
    ChannelKind, Notice, Output, Outputs, Refusal, RegistrationError, RtcAction, RtcId, RtcState,
    SocketId, TimeoutReason,
};
use super::proof::Prover;
use super::registration::{Registration, Urls, is_late};
use super::signalling::{PROBE, socket_url};
use crate::config::{Budget, Config, ConfigError, Timing, Token, WireLimits};

/// One address: its registration with the signalling server and all of its connections, without any
/// I/O.
///
/// # How to drive it
///
/// Give it every input that there is, and after each of them
///
/// 1. drain [`poll_output`](Self::poll_output) and do what it says, in that order; then
/// 2. ask [`poll_timeout`](Self::poll_timeout) and see that
///    [`handle_timeout`](Self::handle_timeout) is called at that moment. Any call may have changed
///    it. A timeout that is served late, or without need, is harmless.
///
/// Inputs of a socket or a peer connection that is over are ignored, so a backend need not be exact
/// about what it still reports.
///
/// - commands: [`dial`](Self::dial), [`send`](Self::send), [`hangup`](Self::hangup),
///   [`wake`](Self::wake), [`claim`](Self::claim), [`close`](Self::close)
/// - from the socket: [`handle_socket_open`](Self::handle_socket_open),
///   [`handle_socket_text`](Self::handle_socket_text),
///   [`handle_socket_closed`](Self::handle_socket_closed)
/// - from a peer connection: [`handle_description`](Self::handle_description),
///   [`handle_candidate`](Self::handle_candidate), [`handle_state`](Self::handle_state),
///   [`handle_failure`](Self::handle_failure)
/// - from its channel: [`handle_channel`](Self::handle_channel),
///   [`handle_channel_open`](Self::handle_channel_open),
///   [`handle_message`](Self::handle_message), [`handle_buffered`](Self::handle_buffered),
///   [`handle_channel_closed`](Self::handle_channel_closed)
///
/// # What it promises
///
/// Every link that was dialled or came up ends with exactly one `LinkDown`, unless this side hung
/// up; every dial and every offer comes to an end by itself. No candidate is sent before the
/// description it belongs to. The same inputs give the same outputs.
#[derive(Debug)]
pub struct Endpoint {
    own_id: String,
    timing: Timing,
    limits: WireLimits,
    rng: ChaCha8Rng,
    out: Outputs,
    registration: Registration,
    connections: BTreeMap<RtcId, Connection>,
    phases: Phases,
    /// Links that are dialled or up, by their ids.
    links: BTreeMap<LinkId, RtcId>,
    /// By the other side's id and the dialler's name for the connection.
    names: BTreeMap<(String, String), RtcId>,
    /// Dials that wait for the registration.
    waiting: Vec<Waiting>,
    early: Early,
    held: Held,
    ice: IceServers,
    budget: Budget,
    admission: Admission,
    pace: Pace,
    last_rtc: u64,
    last_accepted: u64,
    over: bool,
}

#[derive(Debug)]
struct Waiting {
    link: LinkId,
    to: String,
    until: Moment,
}

impl Endpoint {
    /// Begins to register `address`. All randomness comes from `seed`: 32 random bytes, never used
    /// before.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the server's URL cannot be made, a STUN or TURN server is one that no
    /// browser would take, or the token's key is not that of the address.
    pub fn new(
        config: &Config,
        address: &Address,
        token: &Token,
        seed: [u8; 32],
        now: Moment,
    ) -> Result<Self, ConfigError> {
        let url = socket_url(config, address, token)?;
        crate::ice::check(&config.ice_servers)?;
        let mut out = Outputs::default();
        let mut rng = ChaCha8Rng::from_seed(seed);
        let own_id = address.to_string();
        let prover = match token.key() {
            Some(key) if PeerId::of(key) != address.peer() => return Err(ConfigError::ForeignKey),
            key => key.map(|key| Prover::new(key, *address, token.as_str(), config)),
        };
        let nonce = rng.next_u64();
        // Nobody's: with it the server says who is there, and lets nobody go.
        let mut stranger = [0; 20];
        rng.fill_bytes(&mut stranger);
        let probe_url = socket_url(config, address, &Token::from_random(stranger))?;
        let (name, value) = PROBE;
        let probe_url = format!("{probe_url}&{name}={value}");
        let registration = Registration::new(
            Urls { url, probe_url },
            own_id.clone(),
            prover,
            nonce,
            config.timing.clone(),
            now,
            &mut out,
        );
        Ok(Self {
            own_id,
            timing: config.timing.clone(),
            limits: config.limits,
            rng,
            out,
            registration,
            connections: BTreeMap::new(),
            phases: Phases::default(),
            links: BTreeMap::new(),
            names: BTreeMap::new(),
            waiting: Vec::new(),
            early: Early::default(),
            held: Held::default(),
            ice: IceServers::new(&config.ice_servers),
            budget: config.budget,
            admission: Admission::new(config.budget),
            pace: Pace::new(),
            last_rtc: 0,
            last_accepted: 0,
            over: false,
        })
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// The moment at which [`handle_timeout`](Self::handle_timeout) is to be called, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
        let dials = self
            .waiting
            .iter()
            .map(|dial| (dial.until, TimeoutReason::Connect));
        let first = self.phases.first_due();
        let connection = first.and_then(|rtc| self.connections.get(&rtc)?.timeout());
        dials
            .chain(connection)
            .chain(self.registration.timeout())
            .chain(self.ice.timeout().filter(|_| !self.over))
            .chain(self.held.timeout().map(|at| (at, TimeoutReason::Turn)))
            .min()
    }

    /// True while this side is registered with the server.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registration.is_registered()
    }

    /// The number of peer connections, in whatever state.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Dials. While this side is not registered the dial waits, which counts towards its time.
    pub fn dial(&mut self, link: LinkId, to: &Address, now: Moment) {
        let to = to.to_string();
        if self.links.contains_key(&link) || self.waiting.iter().any(|dial| dial.link == link) {
            return; // misuse: a link id is used once
        }
        let obstacle = if self.over {
            Some("the transport has ended")
        } else if to == self.own_id {
            // The server would pass the offer on, and this side would answer itself.
            Some("this is your own address")
        } else if self.dials() >= self.limits.max_dials {
            // Each dial is a peer connection, which a browser counts long after it is closed.
            Some("too many dials at a time")
        } else {
            None
        };
        if let Some(obstacle) = obstacle {
            let reason = DownReason::DialFailed(obstacle.into());
            self.out.event(TransportEvent::LinkDown { link, reason });
            return;
        }
        if self.registration.has_yielded() {
            return self.yielded(link);
        }
        // Counted from here: whoever dials does not care what the time is spent on.
        let until = now + self.timing.connect_timeout;
        self.waiting.push(Waiting { link, to, until });
        self.follow_registration(now);
    }

    /// Queues a frame.
    pub fn send(&mut self, link: LinkId, frame: Bytes, now: Moment) -> SendOutcome {
        let Some(rtc) = self.links.get(&link).copied() else {
            return SendOutcome::Gone;
        };
        let mut outcome = SendOutcome::Gone;
        self.with(rtc, now, |connection, cx| {
            let (queued, end) = connection.send(frame, cx);
            outcome = queued;
            end
        });
        outcome
    }

    /// Closes a link after what is queued has been sent, if that does not take too long.
    pub fn hangup(&mut self, link: LinkId, now: Moment) {
        self.waiting.retain(|dial| dial.link != link);
        // The link is gone for whoever uses the transport. Its connection lives on until it has
        // sent what waits.
        let Some(rtc) = self.links.remove(&link) else {
            return;
        };
        let mut over = false;
        self.with(rtc, now, |connection, cx| {
            over = connection.hang_up(cx);
            Ok(())
        });
        if over {
            self.remove(rtc);
        }
    }

    /// The user of this side wants it to have its address: they have said so, or look at it now.
    /// It takes the address back if it has yielded it, and otherwise [wakes](Self::wake).
    pub fn claim(&mut self, now: Moment) {
        if !self.over {
            self.registration.claim(now, &mut self.out);
        }
        self.wake(now);
    }

    /// Something suggests that a retry is worth it now: the network is back, the page is visible.
    pub fn wake(&mut self, now: Moment) {
        if self.over {
            return;
        }
        self.registration.wake(now, &mut self.out);
        self.out.event(TransportEvent::Wake);
    }

    /// Closes everything at once, without a word to whoever uses the transport.
    pub fn close(&mut self) {
        self.over = true;
        self.registration.close(&mut self.out);
        self.waiting.clear();
        self.held.clear();
        while let Some(rtc) = self.connections.keys().next().copied() {
            self.remove(rtc);
        }
    }

    /// The socket is open.
    pub fn handle_socket_open(&mut self, socket: SocketId, now: Moment) {
        if self.registration.is_current(socket) {
            self.ice.socket_opened();
            self.registration.handle_open(now, &mut self.out);
        }
    }

    /// A text frame came on the socket. Binary frames are to be ignored.
    pub fn handle_socket_text(&mut self, socket: SocketId, text: &str, now: Moment) {
        if !self.registration.is_current(socket) {
            return;
        }
        match FromServer::decode(text, self.limits.max_signal_bytes) {
            Ok(message) => self.handle_server(message, now),
            // Anybody can have the server pass something on, so it is no reason to leave the
            // server.
            Err(error) => self.out.push(Output::Notice(Notice::Malformed(error))),
        }
        // It may have been the answer to the registration.
        self.follow_registration(now);
    }

    /// The socket has closed, with this code of the server's if it gave one, or did not open.
    pub fn handle_socket_closed(&mut self, socket: SocketId, code: Option<u16>, now: Moment) {
        if self.registration.is_current(socket) {
            self.registration
                .handle_closed(code, now, &mut self.rng, &mut self.out);
            self.follow_registration(now);
        }
    }

    /// The description that was asked for is made and set.
    pub fn handle_description(&mut self, rtc: RtcId, sdp: String, now: Moment) {
        let connection = self.connections.get(&rtc);
        if let Some(begun) = connection.and_then(Connection::incoming_since) {
            self.pace.described(begun, &self.limits, now);
        }
        self.with(rtc, now, |connection, cx| {
            connection.handle_description(sdp, cx)
        });
        self.take_turns(now);
    }

    /// This side has found an address of its own to try.
    pub fn handle_candidate(&mut self, rtc: RtcId, candidate: IceCandidate, now: Moment) {
        self.with(rtc, now, |connection, cx| {
            connection.handle_local_candidate(candidate, cx);
            Ok(())
        });
    }

    /// The peer connection is in another state.
    pub fn handle_state(&mut self, rtc: RtcId, state: RtcState, now: Moment) {
        self.with(rtc, now, |connection, cx| {
            connection.handle_state(state, cx)
        });
    }

    /// Something that was asked for could not be done. The connection ends; `why` is for people.
    pub fn handle_failure(&mut self, rtc: RtcId, why: &str, now: Moment) {
        self.with(rtc, now, |connection, _| Err(connection.broken(why)));
    }

    /// The other side has opened a channel.
    pub fn handle_channel(&mut self, rtc: RtcId, kind: ChannelKind, now: Moment) {
        self.with(rtc, now, |connection, _| connection.handle_channel(kind));
    }

    /// The channel is open, whoever opened it.
    pub fn handle_channel_open(&mut self, rtc: RtcId, now: Moment) {
        self.with(rtc, now, |connection, cx| {
            connection.handle_channel_open(cx);
            Ok(())
        });
    }

    /// A message came on the channel.
    pub fn handle_message(&mut self, rtc: RtcId, message: ChannelMessage, now: Moment) {
        self.with(rtc, now, |connection, cx| {
            connection.handle_message(message, cx)
        });
    }

    /// The channel holds this many bytes that have not been sent. To be reported whenever the
    /// amount has fallen below [`WireLimits::channel_low_water`], and now and then while there are
    /// [`Send`](RtcAction::Send)s of it: until it is, all of them count as held.
    pub fn handle_buffered(&mut self, rtc: RtcId, bytes: usize, now: Moment) {
        self.with(rtc, now, |connection, cx| {
            connection.handle_buffered(bytes, cx);
            Ok(())
        });
    }

    /// The channel has closed, whoever closed it.
    pub fn handle_channel_closed(&mut self, rtc: RtcId, now: Moment) {
        self.with(rtc, now, |connection, _| {
            Err(connection.handle_channel_closed())
        });
    }

    /// Does what is due by itself.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.over {
            return;
        }
        if let Some((due, _)) = self.poll_timeout()
            && is_late(due, now)
        {
            self.slept(now - due, now);
        }
        self.registration
            .handle_timeout(now, &mut self.rng, &mut self.out);
        while let Some(due) = self.ice.due(now) {
            match due {
                Due::Ask => self
                    .registration
                    .say(&ToServer::AskIceServers, &mut self.out),
                Due::Use(servers) => self.out.push(Output::IceServers(servers)),
            }
        }
        // A dial that still waits has waited for the server alone, so the server is the reason.
        let why = match self.registration.verdict() {
            Some(error) => error.to_string(),
            None => "no signalling server".into(),
        };
        for dial in self.waiting.extract_if(.., |dial| dial.until <= now) {
            let reason = DownReason::DialFailed(why.clone());
            let link = dial.link;
            self.out.event(TransportEvent::LinkDown { link, reason });
        }
        for rtc in self.phases.due(now) {
            self.with(rtc, now, |connection, cx| {
                // Perhaps it is not the other side that is gone, but the server.
                if connection.is_offered() {
                    cx.registration.ask_echo(now, cx.out);
                }
                Err(connection.timed_out())
            });
        }
        self.take_turns(now);
        self.follow_registration(now);
    }

    /// This side's own timer ran late by this much. Nothing is dead because it was not heard
    /// meanwhile, and nothing is alive: whatever can be asked is.
    fn slept(&mut self, late: Duration, now: Moment) {
        // Not a hidden tab, which is late each time and would wait for ever.
        if late >= self.timing.asleep_after {
            let rtcs: Vec<RtcId> = self.connections.keys().copied().collect();
            for rtc in rtcs {
                self.with(rtc, now, |connection, cx| {
                    connection.slept(cx);
                    Ok(())
                });
            }
        }
        self.registration.ask_echo(now, &mut self.out);
        self.out.event(TransportEvent::Wake);
    }

    /// Dials what waits, once registered, and ends it all once there is no hope.
    fn follow_registration(&mut self, now: Moment) {
        if self.registration.has_yielded() {
            for dial in std::mem::take(&mut self.waiting) {
                self.yielded(dial.link);
            }
        }
        if self.registration.is_registered() {
            for dial in std::mem::take(&mut self.waiting) {
                self.begin_dial(dial, now);
            }
        }
        // Links that are up do not need the server. When the last of them has ended, this is asked
        // again.
        if let Some(error) = self.registration.verdict().cloned()
            && !self.phases.any_up()
            && !self.over
        {
            self.fail(error);
        }
    }

    /// A dial fails because the address is in use elsewhere.
    fn yielded(&mut self, link: LinkId) {
        let reason = DownReason::AddressInUse;
        self.out.event(TransportEvent::LinkDown { link, reason });
    }

    fn begin_dial(&mut self, dial: Waiting, now: Moment) {
        let Waiting { link, to, until } = dial;
        // Looked at here and not when it was dialled: until now it was none.
        if self.connections.len() >= self.limits.max_connections {
            let reason = DownReason::DialFailed(Refusal::TooMany.to_string());
            self.out.event(TransportEvent::LinkDown { link, reason });
            return;
        }
        // PeerJS's names look like this. A new one for every attempt: stock PeerJS closes a
        // connection over a second offer of the same name.
        let connection_id = format!(
            "dc_{:016x}{:016x}",
            self.rng.next_u64(),
            self.rng.next_u64()
        );
        let names = self.name(link, (to, connection_id));
        let (rtc, mut cx) = (names.rtc, self.cx(now));
        let connection = Connection::dial(names, until, &mut cx);
        self.add(rtc, connection);
    }

    fn add(&mut self, rtc: RtcId, connection: Connection) {
        let phase = Phase::of(&connection);
        self.phases.change(rtc, Phase::ABSENT, phase);
        self.connections.insert(rtc, connection);
    }

    fn name(&mut self, link: LinkId, key: (String, String)) -> Names {
        self.last_rtc += 1;
        let rtc = RtcId(self.last_rtc);
        self.names.insert(key.clone(), rtc);
        self.links.insert(link, rtc);
        let (remote, connection_id) = key;
        Names {
            rtc,
            link,
            remote,
            connection_id,
        }
    }

    fn fail(&mut self, error: RegistrationError) {
        let mut down = Vec::new();
        down.extend(self.waiting.iter().map(|dial| dial.link));
        let connections = self.connections.values();
        down.extend(connections.filter(|c| c.is_awaited()).map(|c| c.names.link));
        for link in down {
            let reason = DownReason::DialFailed(error.to_string());
            self.out.event(TransportEvent::LinkDown { link, reason });
        }
        self.close();
        // Last: whoever hears that the transport failed need not listen any further.
        let error = match (error, self.own_id.parse()) {
            (RegistrationError::AddressTaken, Ok(address)) => TransportError::AddressTaken(address),
            (error, _) => TransportError::Other(error.to_string()),
        };
        self.out.event(TransportEvent::Failed(error));
    }

    fn dials(&self) -> usize {
        let coming = self.coming_up();
        let dials = coming.filter(|(_, connection)| !connection.names.link.is_accepted());
        self.waiting.len() + dials.count()
    }

    /// The connections that have not come up, which have a bound.
    fn coming_up(&self) -> impl Iterator<Item = (RtcId, &Connection)> {
        let all = self.phases.coming_up();
        all.filter_map(|rtc| Some((rtc, self.connections.get(&rtc)?)))
    }

    /// The connections with one other side.
    fn with_remote<'a>(&'a self, remote: &'a str) -> impl Iterator<Item = RtcId> + 'a {
        let from = (remote.to_owned(), String::new());
        let all = self.names.range(from..);
        let own = all.take_while(move |((other, _), _)| other == remote);
        own.map(|(_, rtc)| *rtc)
    }

    fn cx(&mut self, now: Moment) -> Cx<'_> {
        Cx {
            now,
            timing: &self.timing,
            limits: &self.limits,
            registration: &mut self.registration,
            out: &mut self.out,
        }
    }

    /// Does something with a connection, if it is there, and ends it if that says so.
    fn with(
        &mut self,
        rtc: RtcId,
        now: Moment,
        then: impl FnOnce(&mut Connection, &mut Cx<'_>) -> Result<(), End>,
    ) {
        let Some(connection) = self.connections.get_mut(&rtc) else {
            return;
        };
        // Not `cx()`, which would borrow the connections, too.
        let mut cx = Cx {
            now,
            timing: &self.timing,
            limits: &self.limits,
            registration: &mut self.registration,
            out: &mut self.out,
        };
        let before = Phase::of(connection);
        let done = then(connection, &mut cx);
        let after = Phase::of(connection);
        let has_come_up = after.has_come_up_since(before);
        if has_come_up && let Some(took) = connection.took() {
            self.pace.came_up(took);
        }
        self.phases.change(rtc, before, after);
        match done {
            Err(end) => self.end(rtc, end, now),
            Ok(()) if has_come_up => self.take_turns(now),
            Ok(()) => {}
        }
    }

    fn end(&mut self, rtc: RtcId, end: End, now: Moment) {
        let Some(connection) = self.connections.get(&rtc) else {
            return;
        };
        let reason = match end {
            End::Because(reason) => reason,
            End::Refused(refusal) => {
                let why = refusal.to_string();
                self.out.refused(&connection.names.remote, refusal);
                if connection.is_up() {
                    DownReason::Lost(why)
                } else {
                    DownReason::DialFailed(why)
                }
            }
        };
        if let Some(since) = connection.up_since() {
            self.admission.lasted(&connection.names.remote, now - since);
        }
        // An accepted link that never came up, and one that was hung up, are nothing that whoever
        // uses the transport knows of.
        if connection.is_awaited() {
            let link = connection.names.link;
            self.out.event(TransportEvent::LinkDown { link, reason });
        }
        self.remove(rtc);
        // It may have been the last link that was up, and with it the last reason to go on.
        self.follow_registration(now);
        self.take_turns(now);
    }

    fn remove(&mut self, rtc: RtcId) {
        let Some(connection) = self.connections.remove(&rtc) else {
            return;
        };
        let phase = Phase::of(&connection);
        self.phases.change(rtc, phase, Phase::ABSENT);
        if connection.incoming_since().is_some() {
            self.pace.failed();
        }
        let Names {
            link,
            remote,
            connection_id,
            ..
        } = connection.names;
        self.links.remove(&link);
        self.names.remove(&(remote, connection_id));
        // What waits for the server on its behalf would reach somebody who knows nothing of it.
        self.registration.forget(rtc);
        self.out.rtc(rtc, RtcAction::Close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::chromium_sdp;
    use hustings_protocol::PeerId;

    #[test]
    fn nothing_is_left_of_a_connection_that_is_over() {
        let [me, other] = [1, 2].map(|n| Address::Owner(PeerId::from_bytes([n; 32])));
        let now = Moment::START;
        let token = Token::from_random([0; 20]);
        let mut endpoint = Endpoint::new(&Config::default(), &me, &token, [0; 32], now).unwrap();
        let socket = SocketId(1);
        endpoint.handle_socket_open(socket, now);
        endpoint.handle_socket_text(socket, r#"{"type":"OPEN"}"#, now);
        endpoint.dial(LinkId::dialled(0), &other, now);
        assert_eq!((endpoint.links.len(), endpoint.names.len()), (1, 1));
        endpoint.handle_description(RtcId(1), chromium_sdp([1; 32]), now);
        let expire = format!(r#"{{"type":"EXPIRE","src":"{other}"}}"#);
        endpoint.handle_socket_text(socket, &expire, now);
        assert_eq!(endpoint.connections(), 0);
        assert!(endpoint.links.is_empty() && endpoint.names.is_empty());
    }
}
