//! The relays of this side, and who is reached by them.
//!
//! A relay costs its server an address and a part of its bandwidth, so there is none before it is
//! needed: a connection has one if it is not there a second after its other side is known to be,
//! for as long as it goes that way. A dial has its own, as it has a port of its own. All those who
//! dial this side share one, which lets in whom it was told of by those who dial. A server forgets
//! nobody who was let in while an address lasts; so that does not last: those who come later have
//! another.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::backend::Native;
use super::relay::{MAX_PERMITTED, Plan, Relay, Told, TurnServer};
use super::timers::Timers;
use super::udp::Datagram;
use crate::config::IceServer;
use crate::shell::backend::{Input, RtcInput};
use crate::wire::RtcId;

/// The time for a connection to come about without a relay: a few round trips, and candidates that
/// go by the signalling server.
const RELAY_AFTER: Duration = Duration::from_secs(1);

/// The interval at which it is seen whether a connection still has a use for its relay. ICE has
/// settled for one way by then.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The time for which those who come share a relay.
const SHARED_FOR: Duration = Duration::from_secs(600);

/// Most relays at a time. When there are so many, who comes next has none.
const MAX_RELAYS: usize = 16;

/// Most addresses of one connection's other side that a relay lets in.
pub(super) const MAX_REMOTES: usize = 16;

/// The name of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RelayId(u64);

/// The relays.
pub(super) struct Relays {
    servers: Vec<TurnServer>,
    tls: Option<Arc<ClientConfig>>,
    /// The server that has given an address last.
    preferred: usize,
    made: BTreeMap<RelayId, Made>,
    addresses: BTreeMap<SocketAddr, RelayId>,
    /// The moments at which connections have, or have no more, a use for a relay.
    timers: Timers,
    last: u64,
}

struct Made {
    relay: Arc<Relay>,
    /// The dial whose own it is.
    dial: Option<RtcId>,
    users: BTreeSet<RtcId>,
    permitted: BTreeSet<IpAddr>,
    since: Instant,
    address: Option<SocketAddr>,
    /// The address of this machine that it goes by.
    local: Option<IpAddr>,
}

impl Relays {
    /// There is none yet, and no server.
    pub(super) fn new(tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            servers: Vec::new(),
            tls,
            preferred: 0,
            made: BTreeMap::new(),
            addresses: BTreeMap::new(),
            timers: Timers::default(),
            last: 0,
        }
    }

    /// These are the servers from now on. A relay that there is stays.
    pub(super) fn set_servers(&mut self, servers: &[IceServer]) {
        self.servers = TurnServer::all(servers);
        self.preferred = 0;
    }

    /// A moment at which there is something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// Sends a datagram from the address of a relay, if it is one.
    pub(super) fn send(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        let made = self.addresses.get(&from).and_then(|id| self.made.get(id));
        if let Some(made) = made {
            made.relay.send(to, bytes);
        }
        made.is_some()
    }

    /// A relay that those who come may share.
    fn shared(&self, more: usize, now: Instant) -> Option<RelayId> {
        let fits = |made: &Made| {
            made.dial.is_none()
                && now < made.since + SHARED_FOR
                && made.permitted.len() + more <= MAX_PERMITTED
        };
        let mut newest = self.made.iter().rev();
        newest.find(|(_, made)| fits(made)).map(|(id, _)| *id)
    }

    /// A connection has no use for its relay any more. One that nobody uses is given back.
    fn leave(&mut self, relay: RelayId, rtc: RtcId) {
        if let Some(made) = self.made.get_mut(&relay) {
            made.users.remove(&rtc);
            if made.users.is_empty() {
                self.remove(relay);
            }
        }
    }

    fn remove(&mut self, relay: RelayId) -> Option<Made> {
        let made = self.made.remove(&relay)?;
        if let Some(address) = made.address
            && self.addresses.get(&address) == Some(&relay)
        {
            self.addresses.remove(&address);
        }
        Some(made)
    }
}

impl Native {
    /// The other side of a connection is there: it may come to need a relay.
    pub(super) fn may_be_relayed(&mut self, id: RtcId) {
        if self.connections.contains_key(&id) && !self.relays.servers.is_empty() {
            let delay = if self.relay_only {
                Duration::ZERO
            } else {
                RELAY_AFTER
            };
            self.relays.timers.set(id, Instant::now() + delay);
        }
    }

    /// Does what is due.
    pub(super) fn serve_relays(&mut self, now: Instant) {
        while let Some(id) = self.relays.timers.next(now) {
            let Some(made) = self.connections.get(&id) else {
                continue;
            };
            let is_relayed = made.relay.is_some();
            let goes_by_it = made.sends_from.is_some_and(|from| {
                let relay = self.relays.addresses.get(&from);
                relay.is_some() && relay.copied() == made.relay
            });
            match (made.rtc.is_connected(), is_relayed) {
                (false, false) => self.relay(id, now),
                (true, true) if !goes_by_it => self.leave_relay(id),
                (_, true) => self.relays.timers.set(id, now + LOOK_AGAIN),
                (true, false) => {}
            }
        }
    }

    /// Has a connection relayed.
    fn relay(&mut self, id: RtcId, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let dial = connection.own_port.is_some().then_some(id);
        let shared = match dial {
            Some(_) => None,
            None => self.relays.shared(connection.remotes.len(), now),
        };
        let relay = match shared {
            Some(relay) => relay,
            None if self.relays.made.len() < MAX_RELAYS => self.open_relay(dial, now),
            None => return,
        };
        self.relays.timers.set(id, now + LOOK_AGAIN);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.relay = Some(relay);
        let remotes = connection.remotes.clone();
        let Some(made) = self.relays.made.get_mut(&relay) else {
            return;
        };
        made.users.insert(id);
        let address = made.address;
        for ip in remotes {
            self.let_in(relay, ip);
        }
        if let Some(address) = address {
            self.tell_relayed(id, address);
        }
    }

    fn open_relay(&mut self, dial: Option<RtcId>, now: Instant) -> RelayId {
        let relays = &mut self.relays;
        relays.last += 1;
        let id = RelayId(relays.last);
        let plan = Plan {
            servers: relays.servers.clone(),
            first: relays.preferred,
            tls: relays.tls.clone(),
            own: self.listen.addresses.clone(),
        };
        let reporter = self.reporter.clone();
        let tell = move |told| reporter.relay_told(id, told);
        let made = Made {
            relay: Arc::new(Relay::open(
                plan,
                &self.runtime,
                self.reporter.present(),
                tell,
            )),
            dial,
            users: BTreeSet::new(),
            permitted: BTreeSet::new(),
            since: now,
            address: None,
            local: None,
        };
        relays.made.insert(id, made);
        id
    }

    fn let_in(&mut self, relay: RelayId, ip: IpAddr) {
        if let Some(made) = self.relays.made.get_mut(&relay)
            && made.permitted.len() < MAX_PERMITTED
            && made.permitted.insert(ip)
        {
            made.relay.permit(ip);
        }
    }

    /// The other side of a connection may be at an address.
    pub(super) fn may_come_from(&mut self, id: RtcId, ip: IpAddr) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.remotes.len() < MAX_REMOTES && connection.remotes.insert(ip) {
            let relay = connection.relay;
            if let Some(relay) = relay {
                self.let_in(relay, ip);
            }
        }
    }

    /// A relay says something.
    pub(super) fn relay_told(&mut self, relay: RelayId, told: Told) {
        match told {
            Told::Open {
                address,
                server,
                local,
            } => {
                let Some(made) = self.relays.made.get_mut(&relay) else {
                    return;
                };
                made.address = Some(address);
                made.local = Some(local);
                let users: Vec<_> = made.users.iter().copied().collect();
                self.relays.addresses.insert(address, relay);
                self.relays.preferred = server;
                for id in users {
                    self.tell_relayed(id, address);
                }
            }
            Told::Datagram { source, bytes } => {
                let made = self.relays.made.get(&relay);
                let Some((dial, Some(destination))) = made.map(|made| (made.dial, made.address))
                else {
                    return;
                };
                let datagram = Datagram {
                    source,
                    destination,
                    bytes: &bytes,
                };
                self.receive(dial, datagram);
            }
            Told::Over => self.relay_is_over(relay),
        }
    }

    /// A connection has one more address of its own.
    fn tell_relayed(&mut self, id: RtcId, address: SocketAddr) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match connection.rtc.add_relayed(address) {
            Ok(candidate) => {
                let input = Input::Rtc(id, RtcInput::Candidate(candidate));
                self.inputs.push_back(input);
                self.settle(id, Ok(()));
                self.begin(id);
            }
            Err(failure) => self.settle(id, Err(failure)),
        }
    }

    /// A relay has ended by itself: those that go by it end at once, and are dialled anew.
    fn relay_is_over(&mut self, relay: RelayId) {
        let Some(made) = self.relays.remove(relay) else {
            return;
        };
        for id in made.users {
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            connection.relay = None;
            let goes_by_it =
                connection.sends_from.is_some() && connection.sends_from == made.address;
            if goes_by_it {
                let why = "the relay at the TURN server is gone".to_owned();
                let input = Input::Rtc(id, RtcInput::Failed(why));
                self.inputs.push_back(input);
            }
        }
    }

    /// This machine has lost these addresses, and with them what went by them.
    pub(super) fn end_relays(&mut self, gone: &BTreeSet<IpAddr>) {
        let made = self.relays.made.iter();
        let lost = made.filter(|(_, made)| made.local.is_some_and(|ip| gone.contains(&ip)));
        let lost: Vec<_> = lost.map(|(id, _)| *id).collect();
        for id in lost {
            self.relay_is_over(id);
        }
    }

    /// A connection goes another way now, or is over.
    pub(super) fn leave_relay(&mut self, id: RtcId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && let Some(relay) = connection.relay.take()
        {
            self.relays.leave(relay, id);
        }
    }

    /// The relay that a connection has, and its address.
    pub(super) fn way_by_relay(&self, id: RtcId) -> Option<(SocketAddr, Arc<Relay>)> {
        let made = self.relays.made.get(&self.connections.get(&id)?.relay?)?;
        Some((made.address?, Arc::clone(&made.relay)))
    }

    /// A connection is over.
    pub(super) fn forget_relayed(&mut self, id: RtcId) {
        self.relays.timers.remove(id);
        self.leave_relay(id);
    }
}

/// The address that a candidate names, if it is one rather than a name.
pub(super) fn ip_of(candidate: &str) -> Option<IpAddr> {
    candidate.split_whitespace().nth(4)?.parse().ok()
}

/// The addresses that a description's candidates name, some of them.
pub(super) fn ips_of(sdp: &str) -> impl Iterator<Item = IpAddr> {
    let lines = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=candidate:"));
    lines.filter_map(ip_of).take(MAX_REMOTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_of_candidates() {
        let host = "candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host";
        assert_eq!(ip_of(host), Some([203, 0, 113, 100].into()));
        let hidden = "candidate:1 1 udp 2113929471 4f1e.local 10100 typ host";
        assert_eq!(ip_of(hidden), None);
        assert_eq!(ip_of("candidate:1 1 udp"), None);
        let sdp = format!("v=0\r\na={host}\r\na={hidden}\r\na=mid:0\r\n");
        assert_eq!(ips_of(&sdp).count(), 1);
        let many = format!("a={host}\r\n").repeat(1_000);
        assert_eq!(ips_of(&many).count(), MAX_REMOTES);
    }
}
