//! This machine's addresses, and what ends when one of them is gone.
//!
//! A machine that changes its network keeps its sockets, which are at every address, and loses what
//! went by an address that it has no more. Nobody says so: datagrams are sent to nowhere, and ICE
//! takes half a minute to find that out. So the addresses are looked at, and what went by one that
//! is gone ends at once: it is dialled anew over what is there.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::backend::Native;
use super::udp;
use crate::shell::backend::{Input, RtcInput};
use crate::trace::trace;

/// The interval at which the system is asked, which costs it some microseconds.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// The addresses, as they were when they were looked at.
#[derive(Debug, Default)]
pub(super) struct Present {
    ips: BTreeSet<IpAddr>,
    /// The moment at which they are looked at again, unless somebody tells them.
    look: Option<Instant>,
}

impl Present {
    /// A moment at which there is something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.look
    }
}

impl Native {
    /// Sees where this machine is.
    pub(super) fn look_around(&mut self) {
        self.present.ips = self.ips();
        self.look_again();
    }

    /// This machine has these addresses now, in place of those that were told before. With none the
    /// system is asked.
    pub(super) fn move_to(&mut self, addresses: Vec<IpAddr>) {
        self.listen.addresses = addresses;
        self.compare();
        self.look_again();
    }

    /// Does what is due.
    pub(super) fn serve_moving(&mut self, now: Instant) {
        if self.present.look.is_some_and(|at| at <= now) {
            self.compare();
            self.look_again();
        }
    }

    fn look_again(&mut self) {
        let is_told = !self.listen.addresses.is_empty();
        self.present.look = (!is_told).then(|| Instant::now() + LOOK_EVERY);
    }

    fn ips(&self) -> BTreeSet<IpAddr> {
        if self.listen.addresses.is_empty() {
            udp::of_this_machine()
        } else {
            self.listen.addresses.iter().copied().collect()
        }
    }

    /// Compares the addresses with those of before.
    fn compare(&mut self) {
        let now = self.ips();
        let before = std::mem::replace(&mut self.present.ips, now);
        let now = &self.present.ips;
        if before == *now {
            return;
        }
        let gone: BTreeSet<_> = before.difference(now).copied().collect();
        trace! {
            tracing::info!(gone = gone.len(), now = now.len(), "this machine's addresses changed");
        }
        self.end_connections(&gone);
        self.end_relays(&gone);
        self.end_socket(&gone);
        self.ask_anew();
        // Whoever waits for a better moment has one.
        self.inputs.push_back(Input::Wake);
    }

    fn end_connections(&mut self, gone: &BTreeSet<IpAddr>) {
        for (id, made) in &self.connections {
            let lost = made.sends_from.map(|from| from.ip());
            let lost = lost.filter(|ip| gone.contains(ip));
            // A dial has told addresses that are none any more. Whoever dials this side has its
            // own.
            let is_dialling = made.own_port.is_some() && !made.rtc.is_connected();
            let why = match lost {
                Some(ip) => format!("this machine has lost its network address {ip}"),
                None if is_dialling && !gone.is_empty() => {
                    "this machine has changed its network".to_owned()
                }
                None => continue,
            };
            let input = Input::Rtc(*id, RtcInput::Failed(why));
            self.inputs.push_back(input);
        }
    }

    fn end_socket(&mut self, gone: &BTreeSet<IpAddr>) {
        if let Some((id, socket)) = &self.socket
            && socket.local().is_some_and(|ip| gone.contains(&ip))
        {
            let input = Input::SocketClosed(*id, None);
            self.inputs.push_back(input);
            self.socket = None;
        }
    }
}
