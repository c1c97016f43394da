//! The ways by which others reach this side from outside of its networks: what STUN servers say is
//! told to those who are being connected, one after the other as it becomes known.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tokio::net::lookup_host;

use super::backend::Native;
use super::reflexive::{Answer, Asker};
use super::udp::{Datagram, Port};
use crate::config::IceServer;
use crate::shell::backend::{Input, RtcInput};
use crate::wire::RtcId;

impl Native {
    /// Uses these servers for the connections that are made from now on.
    pub(super) fn use_servers(&mut self, servers: &[IceServer]) {
        self.relays.set_servers(servers);
        if !self.relay_only {
            let now = Instant::now();
            self.reflexive.set_servers(servers);
            self.reflexive.ask(None, &[], now);
            self.look_up(now);
        }
    }

    /// The way out has changed, and what servers have said of it holds no longer.
    pub(super) fn ask_anew(&mut self) {
        let now = Instant::now();
        self.reflexive.forget_mapped();
        self.look_up(now);
        let servers = self.reflexive.servers();
        self.reflexive.ask(None, &servers, now);
        self.send_requests(now);
    }

    /// Looks up the names of servers where that is due.
    fn look_up(&mut self, now: Instant) {
        for (host, port) in self.reflexive.names_due(now) {
            let reporter = self.reporter.clone();
            self.runtime.spawn(async move {
                let found = lookup_host((&*host, port)).await;
                // A name that is not known may be known later.
                let found: Vec<_> = found.map(Iterator::collect).unwrap_or_default();
                reporter.looked_up(&host, port, &found);
            });
        }
    }

    /// A server has these addresses. Whoever is being connected asks at new ones.
    pub(super) fn looked_up(&mut self, host: &str, port: u16, found: &[SocketAddr]) {
        let now = Instant::now();
        let new = self.reflexive.looked_up(host, port, found);
        if new.is_empty() {
            return;
        }
        let dials = self.connections.iter();
        let dials = dials.filter(|(_, made)| made.own_port.is_some() && !made.rtc.is_connected());
        let askers = dials.map(|(id, _)| Some(*id)).chain([None]);
        for asker in askers {
            self.reflexive.ask(asker, &new, now);
        }
        self.send_requests(now);
    }

    /// A connection is there: it is told how its port is seen, or its port asks.
    pub(super) fn show_from_outside(&mut self, id: RtcId) {
        let is_dial = |made: &super::backend::Connection| made.own_port.is_some();
        if self.connections.get(&id).is_some_and(is_dial) {
            let (servers, now) = (self.reflexive.servers(), Instant::now());
            self.reflexive.ask(Some(id), &servers, now);
            self.send_requests(now);
        } else {
            for seen in self.reflexive.mapped() {
                self.tell_reflexive(id, seen);
            }
        }
    }

    /// Does what is due.
    pub(super) fn serve_outside(&mut self, now: Instant) {
        if self.reflexive.is_to_refresh(now) {
            self.look_up(now);
            let servers = self.reflexive.servers();
            self.reflexive.ask(None, &servers, now);
        }
        self.send_requests(now);
    }

    fn send_requests(&mut self, now: Instant) {
        for (asker, server, bytes) in self.reflexive.poll(now) {
            if let Some(port) = self.port_of(asker) {
                port.send(self.own_ip(server), server, &bytes);
            }
        }
    }

    /// The address to send from, where it was chosen.
    fn own_ip(&self, to: SocketAddr) -> Option<IpAddr> {
        let mut own = self.listen.addresses.iter();
        own.find(|ip| ip.is_ipv4() == to.is_ipv4()).copied()
    }

    fn port_of(&self, asker: Asker) -> Option<&Port> {
        match asker {
            None => Some(&self.port),
            Some(id) => self.connections.get(&id)?.own_port.as_deref(),
        }
    }

    /// Takes what answers a request of this side's. Returns whether it was that.
    pub(super) fn take_answer(
        &mut self,
        asker: Asker,
        datagram: Datagram<'_>,
        transaction: &[u8; 12],
    ) -> bool {
        let Datagram { source, bytes, .. } = datagram;
        let answer = self.reflexive.receive(asker, source, bytes, transaction);
        match answer {
            None => return false,
            Some(Answer { new: None, .. }) => {}
            Some(Answer {
                asker: Some(id),
                new: Some(seen),
            }) => self.tell_reflexive(id, seen),
            Some(Answer {
                asker: None,
                new: Some(seen),
            }) => {
                let waiting = self.connections.iter();
                let waiting =
                    waiting.filter(|(_, made)| made.own_port.is_none() && !made.rtc.is_connected());
                let waiting: Vec<_> = waiting.map(|(id, _)| *id).collect();
                for id in waiting {
                    self.tell_reflexive(id, seen);
                }
            }
        }
        true
    }

    /// The other side hears of an address, unless it has it as one of this machine's.
    fn tell_reflexive(&mut self, id: RtcId, seen: SocketAddr) {
        let Some(made) = self.connections.get(&id) else {
            return;
        };
        let port = made.own_port.as_ref().unwrap_or(&self.port);
        if port.hosts(&self.listen).contains(&seen) {
            return;
        }
        if let Some(candidate) = made.rtc.reflexive(seen) {
            let input = Input::Rtc(id, RtcInput::Candidate(candidate));
            self.inputs.push_back(input);
        }
    }
}
