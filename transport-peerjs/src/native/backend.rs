//! A program's sockets, str0m's connections and tokio's time, as a backend.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hustings_room::Moment;
use hustings_room::clock::{Clock, SystemClock};
use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::farewell::{Farewell, Ways};
use super::moving::Present;
use super::reflexive::Reflexive;
use super::relays::{RelayId, Relays, ip_of, ips_of};
use super::routes::Routes;
use super::rtc::{self, Opened, Rtc};
use super::shared::Reporter;
use super::signalling::{SignallingFault, Socket, Told};
use super::timers::Timers;
use super::udp::{Datagram, Listen, Port};
use crate::config::{Config, IceServer, WireLimits};
use crate::shell::backend::{Backend, Failure, Input, RtcInput, TakenChannel};
use crate::trace::trace;
use crate::wire::{ChannelMessage, IceCandidate, Notice, RtcId, SocketId};

/// Bytes that a channel may hold beyond what the machine gives it: the longest message.
const ONE_MESSAGE: usize = 256 * 1024;

/// A program as a [`Backend`].
pub(super) struct Native {
    clock: SystemClock,
    pub(super) listen: Listen,
    limits: WireLimits,
    pub(super) runtime: Handle,
    pub(super) reporter: Reporter,
    pub(super) inputs: VecDeque<Input<Opened>>,
    pub(super) socket: Option<(SocketId, Socket)>,
    /// For a signalling server that is to be reached by TLS.
    tls: Option<Arc<ClientConfig>>,
    /// The reason why the last socket did not open.
    fault: Option<SignallingFault>,
    /// The port of everybody who dials this side.
    pub(super) port: Arc<Port>,
    routes: Routes,
    pub(super) present: Present,
    pub(super) reflexive: Reflexive,
    pub(super) relays: Relays,
    /// Nobody is told any address but those of relays.
    pub(super) relay_only: bool,
    pub(super) connections: BTreeMap<RtcId, Connection>,
    timers: Timers,
    /// The moment at which the shell wants to be told.
    deadline: Option<Instant>,
    /// The moment for which the task that keeps time waits.
    alarm: watch::Sender<Option<Instant>>,
}

/// A connection, and what it has of its own.
pub(super) struct Connection {
    pub(super) rtc: Rtc,
    /// The port of a dial. Two connections between the same two ports could not be told apart,
    /// since DTLS does not name them: of two sides that dial each other both would have that.
    pub(super) own_port: Option<Arc<Port>>,
    /// A relay that it may go by.
    pub(super) relay: Option<RelayId>,
    /// The addresses at which its other side may be, as many as a relay lets in.
    pub(super) remotes: BTreeSet<IpAddr>,
    /// The address by which it has sent last.
    pub(super) sends_from: Option<SocketAddr>,
    /// Its last words, once it has said them.
    farewell: Option<Farewell>,
}

impl Native {
    /// A backend that has nothing but its port, and tasks of the runtime that serve it.
    pub(super) fn new(
        config: &Config,
        listen: &Listen,
        mut port: Port,
        tls: Option<Arc<ClientConfig>>,
        clock: SystemClock,
        runtime: Handle,
        reporter: Reporter,
    ) -> Self {
        port.read(&runtime, &reporter.of_everybody(&runtime));
        let alarm = watch::Sender::new(None);
        runtime.spawn(reporter.clone().keep_time(alarm.subscribe()));
        Self {
            clock,
            listen: listen.clone(),
            limits: config.limits,
            runtime,
            reporter,
            inputs: VecDeque::new(),
            socket: None,
            tls: tls.clone().filter(|_| config.secure),
            fault: None,
            port: Arc::new(port),
            routes: Routes::default(),
            present: Present::default(),
            reflexive: Reflexive::default(),
            relays: Relays::new(tls),
            relay_only: config.relay_only,
            connections: BTreeMap::new(),
            timers: Timers::default(),
            deadline: None,
            alarm,
        }
    }

    /// Something happened to a socket.
    pub(super) fn report(&mut self, socket: SocketId, told: Told) {
        let present = self.socket.as_mut().filter(|(id, _)| *id == socket);
        match told {
            Told::Input(input) => {
                if let (Input::SocketOpen(_), Some((_, socket))) = (&input, present) {
                    socket.opened();
                    self.fault = None;
                }
                self.inputs.push_back(input);
            }
            Told::Local(local) => {
                if let Some((_, socket)) = present {
                    socket.goes_by(local);
                }
            }
            Told::Fault(fault) => {
                trace! {
                    let why = fault.to_string();
                    let why = crate::trace::texts::cut(&why);
                    tracing::warn!(%why, "the signalling server is not reached")
                }
                if present.is_some() {
                    self.fault = Some(fault);
                }
            }
        }
    }

    /// The reason why the last socket did not open.
    pub(super) fn signalling_fault(&self) -> Option<&SignallingFault> {
        self.fault.as_ref()
    }

    /// A datagram came: at a dial's own port, or at that of everybody.
    pub(super) fn receive(&mut self, dial: Option<RtcId>, datagram: Datagram<'_>) {
        if rtc::is_stun(datagram.bytes)
            && let Some((Kind::Answer, number)) = transaction(datagram.bytes)
            && self.take_answer(dial, datagram, &number)
        {
            return;
        }
        let found = dial.or_else(|| self.find(datagram));
        let Some(id) = found else {
            return;
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Datagram {
            source,
            destination,
            bytes,
        } = datagram;
        let came = connection
            .rtc
            .receive(source, destination, bytes, Instant::now());
        if connection.own_port.is_none() && matches!(came, Ok(true)) {
            match transaction(bytes) {
                Some((Kind::Answer, _)) => self.routes.show(id, source),
                Some((Kind::Request, _)) => self.routes.hint(id, source),
                None => {}
            }
        }
        self.settle(id, came.map(drop));
    }

    /// The connection that a datagram at everybody's port is for.
    fn find(&self, datagram: Datagram<'_>) -> Option<RtcId> {
        if !rtc::is_stun(datagram.bytes) {
            return self.routes.by_address(datagram.source);
        }
        match transaction(datagram.bytes)? {
            (Kind::Request, _) => self.routes.by_name(&rtc::asked_for(datagram.bytes)?),
            (Kind::Answer, id) => self.routes.by_transaction(&id),
        }
    }

    /// The alarm went off, for connections or for the shell.
    pub(super) fn handle_alarm(&mut self) {
        let now = Instant::now();
        while let Some(id) = self.timers.next(now) {
            if let Some(connection) = self.connections.get_mut(&id) {
                let done = connection.rtc.handle_timeout(now);
                self.settle(id, done);
            }
        }
        self.serve_moving(now);
        self.serve_outside(now);
        self.serve_relays(now);
        if self.deadline.is_some_and(|at| at <= now) {
            self.inputs.push_back(Input::Timeout);
        }
        // What was due is done: it may be set to the same moment again.
        self.alarm.send_replace(None);
    }

    /// Does all that follows for a connection from what was done with it.
    pub(super) fn settle(&mut self, id: RtcId, done: Result<(), Failure>) {
        if let Err(Failure(why)) = done {
            let input = Input::Rtc(id, RtcInput::Failed(why));
            self.inputs.push_back(input);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Connection { rtc, own_port, .. } = connection;
        let sends_from = &mut connection.sends_from;
        let farewell = &mut connection.farewell;
        let (inputs, routes, port) = (&mut self.inputs, &mut self.routes, &self.port);
        let relays = &self.relays;
        let next = rtc.drain(
            |from, to, bytes| {
                if own_port.is_none()
                    && let Some((Kind::Request, transaction)) = transaction(bytes)
                {
                    routes.asks(id, transaction);
                }
                if !rtc::is_stun(bytes) {
                    // ICE tries every way, and all else takes the one that it has found.
                    *sends_from = Some(from);
                    if let Some(farewell) = farewell {
                        farewell.add(from, to, bytes);
                    }
                }
                if !relays.send(from, to, bytes) {
                    let port = own_port.as_ref().unwrap_or(port);
                    port.send(Some(from.ip()), to, bytes);
                }
            },
            |input| inputs.push_back(Input::Rtc(id, input)),
        );
        match next {
            Some(due) => self.timers.set(id, due),
            None => self.timers.remove(id),
        }
    }

    /// Lets a connection begin with what it has just been told: what that makes it do is done at
    /// its next moment, which it does not name.
    pub(super) fn begin(&mut self, id: RtcId) {
        self.with(id, |rtc| rtc.handle_timeout(Instant::now()));
    }

    fn with(&mut self, id: RtcId, act: impl FnOnce(&mut Rtc) -> Result<(), Failure>) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let done = act(&mut connection.rtc);
            self.settle(id, done);
        }
    }

    fn add(&mut self, id: RtcId, rtc: Rtc, own_port: Option<Arc<Port>>, sdp: String) {
        let is_dial = own_port.is_some();
        if !is_dial {
            self.routes.add(id, rtc.ufrag());
        }
        let made = Connection {
            rtc,
            own_port,
            relay: None,
            remotes: BTreeSet::new(),
            sends_from: None,
            farewell: None,
        };
        self.connections.insert(id, made);
        let input = Input::Rtc(id, RtcInput::Description(sdp));
        self.inputs.push_back(input);
        self.settle(id, Ok(()));
        self.begin(id);
        if !self.relay_only {
            self.show_from_outside(id);
        }
        if !is_dial {
            self.may_be_relayed(id);
        }
    }

    fn max_buffered(&self) -> usize {
        self.limits.channel_high_water.saturating_add(ONE_MESSAGE)
    }

    fn hosts(&self, port: &Port) -> Result<Vec<SocketAddr>, Failure> {
        if self.relay_only {
            return Ok(Vec::new());
        }
        let hosts = port.hosts(&self.listen);
        if hosts.is_empty() {
            return Err(Failure("this machine has no network address".into()));
        }
        Ok(hosts)
    }
}

impl Backend for Native {
    type Channel = Opened;

    fn set_ice_servers(&mut self, servers: &[IceServer]) {
        self.use_servers(servers);
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn poll_input(&mut self) -> Option<Input<Opened>> {
        self.inputs.pop_front()
    }

    fn set_timer(&mut self, deadline: Option<Moment>) {
        // A millisecond more: `now` rounds down, and must not find the deadline ahead of it.
        let left = deadline.map(|at| (at - self.clock.now()) + Duration::from_millis(1));
        self.deadline = left.and_then(|left| Instant::now().checked_add(left));
        let others = [
            self.timers.deadline(),
            self.reflexive.deadline(),
            self.relays.deadline(),
            self.present.deadline(),
        ];
        let next = others.into_iter().flatten().chain(self.deadline).min();
        // The task is woken for an earlier moment alone: one that finds nothing due is answered
        // with the next.
        self.alarm.send_if_modified(|at| {
            let is_earlier = next.is_some_and(|next| at.is_none_or(|at| next < at));
            if is_earlier {
                *at = next;
            }
            is_earlier
        });
    }

    fn open_socket(&mut self, socket: SocketId, url: &str) -> Result<(), Failure> {
        let reporter = self.reporter.clone();
        let report = move |told| reporter.report(socket, told);
        let opened = Socket::open(socket, url, self.tls.clone(), &self.runtime, report);
        self.socket = Some((socket, opened));
        Ok(())
    }

    fn send_socket(&mut self, text: &str) {
        if let Some((id, socket)) = &self.socket
            && !socket.send(text)
        {
            let input = Input::SocketClosed(*id, None);
            self.inputs.push_back(input);
        }
    }

    fn close_socket(&mut self) {
        self.socket = None;
    }

    fn create_offer(&mut self, rtc: RtcId, label: &str) -> Result<(), Failure> {
        let mut own = Port::open(0, &self.runtime)
            .map_err(|error| Failure(format!("no port for it: {error}")))?;
        own.read(&self.runtime, &self.reporter.of_dial(rtc));
        let hosts = self.hosts(&own)?;
        let (made, sdp) = Rtc::offer(label, &hosts, self.max_buffered(), Instant::now())?;
        self.add(rtc, made, Some(Arc::new(own)), sdp);
        Ok(())
    }

    fn create_answer(&mut self, rtc: RtcId, offer: &str) -> Result<(), Failure> {
        let hosts = self.hosts(&self.port)?;
        let (made, sdp) = Rtc::answer(offer, &hosts, self.max_buffered(), Instant::now())?;
        self.add(rtc, made, None, sdp);
        for ip in ips_of(offer) {
            self.may_come_from(rtc, ip);
        }
        Ok(())
    }

    fn set_answer(&mut self, rtc: RtcId, answer: &str) {
        for ip in ips_of(answer) {
            self.may_come_from(rtc, ip);
        }
        self.with(rtc, |rtc| rtc.set_answer(answer));
        self.begin(rtc);
        // Not before: whoever is not there is not reached by a relay either.
        self.may_be_relayed(rtc);
    }

    fn add_candidate(&mut self, rtc: RtcId, candidate: &IceCandidate) {
        if let Some(ip) = ip_of(&candidate.candidate) {
            self.may_come_from(rtc, ip);
        }
        self.with(rtc, |rtc| rtc.add_candidate(candidate));
        self.begin(rtc);
    }

    fn take_channel(&mut self, rtc: RtcId, channel: Opened) -> Option<TakenChannel> {
        self.connections.contains_key(&rtc).then(|| channel.taken())
    }

    fn send(&mut self, rtc: RtcId, message: &ChannelMessage) -> Result<(), Failure> {
        let connection = self.connections.get_mut(&rtc);
        let connection = connection.ok_or_else(|| Failure("there is no connection".into()))?;
        let sent = connection.rtc.send(message);
        self.settle(rtc, Ok(()));
        sent
    }

    fn buffered(&mut self, rtc: RtcId) -> Option<usize> {
        self.connections.get_mut(&rtc)?.rtc.buffered()
    }

    fn set_low_water(&mut self, rtc: RtcId, bytes: usize) {
        self.with(rtc, |rtc| {
            rtc.set_low_water(bytes);
            Ok(())
        });
    }

    fn close_channel(&mut self, rtc: RtcId) {
        self.with(rtc, |rtc| {
            rtc.close_channel();
            Ok(())
        });
    }

    fn close(&mut self, rtc: RtcId) {
        if let Some(connection) = self.connections.get_mut(&rtc) {
            connection.farewell = Some(Farewell::default());
        }
        self.with(rtc, |rtc| {
            rtc.close();
            Ok(())
        });
        let relay = self.way_by_relay(rtc);
        self.forget_relayed(rtc);
        if let Some(connection) = self.connections.remove(&rtc)
            && let Some(farewell) = connection.farewell
        {
            let port = connection
                .own_port
                .unwrap_or_else(|| Arc::clone(&self.port));
            farewell.repeat(Ways { port, relay }, &self.runtime, self.reporter.present());
        }
        self.routes.remove(rtc);
        self.timers.remove(rtc);
        self.reflexive.forget(rtc);
    }

    fn notice(&mut self, notice: &Notice) {
        // The shell has told whoever traces.
        let _ = notice;
    }
}

/// The two kinds of STUN messages that connections know each other by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Answer,
}

/// The kind and number of a STUN message, by RFC 8489, section 5.
fn transaction(datagram: &[u8]) -> Option<(Kind, [u8; 12])> {
    let (head, rest) = datagram.split_first_chunk::<8>()?;
    let (id, _) = rest.split_first_chunk::<12>()?;
    let kind = match (head[0], head[1]) {
        (0, 1) => Kind::Request,
        (1, 1 | 0x11) => Kind::Answer,
        _ => return None,
    };
    Some((kind, *id))
}
