//! The network: who is attached, what is on its way, and when it arrives.

mod delivery;
mod injection;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{LinkId, Moment};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::agenda::Entry;
use crate::endpoint::{AddressTaken, Endpoint};
use crate::faults::Faults;
use crate::link::{DIALLER, End, EndState, Item, Lane, Latency, Wire, across, side_of, weight};
use crate::process::Processes;
use crate::wires::{WireKey, Wires};

/// A network inside one process, without I/O, clock or tasks.
///
/// # Methods
///
/// - Processes come and go with [`attach`](Self::attach), [`detach`](Self::detach) and
///   [`crash`](Self::crash).
/// - They act through [`dial`](Self::dial), [`send`](Self::send), [`broadcast`](Self::broadcast)
///   and [`hangup`](Self::hangup), which never block and never report: everything that happens is
///   an event.
/// - Events are taken with [`poll`](Self::poll), which serves everybody in the order of delivery,
///   or with [`poll_endpoint`](Self::poll_endpoint), which serves one process. Both may be mixed.
/// - [`next_at`](Self::next_at) says when to poll again. Every call may change it.
/// - The set-up (`set_…`) and the faults ([`cut`](Self::cut), [`half_open`](Self::half_open),
///   [`stall`](Self::stall), [`isolate`](Self::isolate) …) belong to the test.
///
/// Calls with an endpoint that has ended, or with a link that it does not have, do nothing.
///
/// # Time and order
///
/// Every call that could let time pass takes the moment at which it happens; an earlier one than
/// was already seen counts as that one. What is due is delivered in the order (moment, order of
/// sending), so the same seed and the same calls give the same events, in the same order.
///
/// # Links
///
/// A dial takes one latency to arrive and one to be answered. A link is ordered and reliable until
/// it ends: what arrives of a direction is always a prefix of what was sent there, without a gap
/// and without a duplicate, whatever goes wrong.
///
/// The bytes of a frame count against the [queue limit](Self::set_queue_limit) of their direction
/// from the send until the process across takes the frame, so a process that does not read is felt
/// by those who write to it.
///
/// ```
/// use bytes::Bytes;
/// use hustings_protocol::{Address, PeerId};
/// use hustings_room::transport::TransportEvent;
/// use hustings_room::{LinkId, Moment};
/// use hustings_transport_mem::{Latency, Network};
///
/// let mut network = Network::new(7, Latency::fixed(std::time::Duration::from_millis(20)));
/// let [alice, bob] = [1, 2].map(|n| Address::Owner(PeerId::from_bytes([n; 32])));
/// let dialler = network.attach(alice)?;
/// let acceptor = network.attach(bob)?;
///
/// let link = LinkId::dialled(1);
/// network.dial(dialler, link, &bob, Moment::START);
///
/// let mut trace = Vec::new();
/// while let Some(now) = network.next_at() {
///     while let Some((endpoint, event)) = network.poll(now) {
///         if let TransportEvent::LinkUp { link, .. } = &event {
///             network.send(endpoint, *link, Bytes::from_static(b"hello"), now);
///         }
///         trace.push((now.as_millis(), endpoint, event));
///     }
/// }
/// assert!(matches!(trace[0], (20, e, TransportEvent::LinkUp { .. }) if e == acceptor));
/// assert!(matches!(trace[1], (40, e, TransportEvent::LinkUp { .. }) if e == dialler));
/// assert!(matches!(trace[2], (40, e, TransportEvent::Frame { .. }) if e == dialler));
/// assert!(matches!(trace[3], (60, e, TransportEvent::Frame { .. }) if e == acceptor));
/// # Ok::<(), hustings_transport_mem::AddressTaken>(())
/// ```
#[derive(Debug)]
pub struct Network {
    rng: ChaCha8Rng,
    now: Moment,
    latency: Latency,
    queue_limit: usize,
    detection: Duration,
    dial_timeout: Duration,
    faults: Faults,
    pub(crate) processes: Processes,
    wires: Wires,
    pub(crate) refused: BTreeSet<Address>,
    pub(crate) unplugged: BTreeSet<Address>,
    /// The things to come: for each lane the arrival of its first item, and dials to give up.
    agenda: BinaryHeap<Reverse<Entry>>,
    /// Numbers items and entries in the order in which they were made; breaks ties of the agenda.
    numbered: u64,
}

impl Network {
    /// The bytes that one direction of a link holds, unless set otherwise: 1 MiB.
    pub const QUEUE_LIMIT: usize = 1 << 20;
    /// The time that a crash goes unnoticed, unless set otherwise: 5 s, as long as WebRTC takes to
    /// call a connection disconnected.
    pub const DETECTION: Duration = Duration::from_secs(5);
    /// The time that an unanswered dial is waited for, unless set otherwise: 15 s.
    pub const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

    /// An empty network. All randomness there will be comes from `seed`.
    #[must_use]
    pub fn new(seed: u64, latency: Latency) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: Moment::START,
            latency,
            queue_limit: Self::QUEUE_LIMIT,
            detection: Self::DETECTION,
            dial_timeout: Self::DIAL_TIMEOUT,
            faults: Faults::NONE,
            processes: Processes::default(),
            wires: Wires::default(),
            refused: BTreeSet::new(),
            unplugged: BTreeSet::new(),
            agenda: BinaryHeap::new(),
            numbered: 0,
        }
    }

    /// Sets the time that frames travel which are sent from now on. Those on their way are not
    /// overtaken.
    pub fn set_latency(&mut self, latency: Latency) {
        self.latency = latency;
    }

    /// Sets the bytes that may wait in one direction of a link: while there are more, a send is
    /// [`SendOutcome::Blocked`], and [`TransportEvent::Writable`] follows when half of the limit is
    /// free. Up to the limit a frame of any size is taken.
    pub fn set_queue_limit(&mut self, bytes: usize) {
        self.queue_limit = bytes;
    }

    /// Sets the time after a [`crash`](Self::crash) until the processes across learn of it.
    pub fn set_detection(&mut self, delay: Duration) {
        self.detection = delay;
    }

    /// Sets the time after a dial that is never answered until the dialler gets
    /// [`DownReason::DialFailed`](hustings_room::DownReason::DialFailed).
    pub fn set_dial_timeout(&mut self, delay: Duration) {
        self.dial_timeout = delay;
    }

    /// The latest moment that this network was told of.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Starts a process at `address`.
    ///
    /// # Errors
    ///
    /// [`AddressTaken`] while another process is there.
    pub fn attach(&mut self, address: Address) -> Result<Endpoint, AddressTaken> {
        self.processes.attach(address)
    }

    /// The process that is at `address` now.
    #[must_use]
    pub fn endpoint_at(&self, address: &Address) -> Option<Endpoint> {
        self.processes.at(address)
    }

    /// All links of a process, in the order of their ids, from the dial or the accept until the
    /// hang-up or until `LinkDown` was taken.
    #[must_use]
    pub fn links(&self, of: Endpoint) -> Vec<LinkId> {
        let Some(process) = self.processes.get(of) else {
            return Vec::new();
        };
        process.links.keys().copied().collect()
    }

    /// Those links of a process that lead to `address`.
    #[must_use]
    pub fn links_to(&self, of: Endpoint, address: &Address) -> Vec<LinkId> {
        let Some(process) = self.processes.get(of) else {
            return Vec::new();
        };
        let leads_there = |link: LinkId, key: WireKey| {
            let across = across(side_of(link));
            self.wires
                .get(key)
                .is_some_and(|wire| wire.ends[across].address == *address)
        };
        let links = process.links.iter().map(|(link, key)| (*link, *key));
        links
            .filter(|(link, key)| leads_there(*link, *key))
            .map(|(link, _)| link)
            .collect()
    }

    /// Ends a process in good order: all its links are hung up, and its address is free.
    ///
    /// Everything that it has sent is delivered, and then the processes across get
    /// [`DownReason::ClosedByPeer`](hustings_room::DownReason::ClosedByPeer).
    pub fn detach(&mut self, endpoint: Endpoint, now: Moment) {
        self.advance(now);
        let Some(process) = self.processes.remove(endpoint) else {
            return;
        };
        for (link, key) in process.links {
            self.leave(key, side_of(link));
        }
    }

    /// Ends a process as a crash, a kill or a power cut does. Its address is free at once.
    ///
    /// Of what it has sent and what has not yet arrived, a prefix arrives in time, as much as had
    /// left the machine: for each direction, its length is drawn evenly from the seed. What a
    /// [stalled](Self::stall) reader holds up is lost, and so is what was sent to the process. The
    /// processes across get [`DownReason::Lost`](hustings_room::DownReason::Lost) after the
    /// [detection delay](Self::set_detection), and what they send until then vanishes.
    ///
    /// A link that the process had hung up before is not its any more: there everything arrives.
    pub fn crash(&mut self, endpoint: Endpoint, now: Moment) {
        self.advance(now);
        let Some(process) = self.processes.remove(endpoint) else {
            return;
        };
        for (link, key) in process.links {
            self.die(key, side_of(link));
        }
    }

    /// Dials `to`: `link` ends in `LinkUp` or `LinkDown`.
    ///
    /// `link` has to be one made with [`LinkId::dialled`] that the process has not used before;
    /// with another one the call does nothing.
    pub fn dial(&mut self, from: Endpoint, link: LinkId, to: &Address, now: Moment) {
        self.advance(now);
        let Some(process) = self.processes.get(from) else {
            return;
        };
        if link.is_accepted() || process.links.contains_key(&link) {
            return;
        }
        let address = process.address;
        let binding = self.binding();
        let key = self.wires.insert(|id| Wire {
            id,
            binding,
            dialled_at: self.now,
            ends: [
                End {
                    address,
                    link,
                    state: EndState::Dialling(from),
                },
                // The acceptor names its end when the dial arrives.
                End {
                    address: *to,
                    link,
                    state: EndState::Absent,
                },
            ],
            lanes: [Lane::default(), Lane::default()],
            broken: false,
            unplugged: self.unplugged.contains(&address) || self.unplugged.contains(to),
            dial_timeout: None,
        });
        if let Some(process) = self.processes.get_mut(from) {
            process.links.insert(link, key);
        }
        self.dispatch(key, DIALLER, Item::Syn);
    }

    /// Sends a frame.
    pub fn send(&mut self, from: Endpoint, link: LinkId, frame: Bytes, now: Moment) -> SendOutcome {
        self.advance(now);
        self.send_now(from, link, frame)
    }

    /// Sends one frame on many links but `except`, in their order, and adds those that had no room
    /// to `full`.
    pub fn broadcast(
        &mut self,
        from: Endpoint,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        full: &mut Vec<LinkId>,
        now: Moment,
    ) {
        self.advance(now);
        for link in links {
            if Some(*link) != except
                && self.send_now(from, *link, frame.clone()) == SendOutcome::Blocked
            {
                full.push(*link);
            }
        }
    }

    fn send_now(&mut self, from: Endpoint, link: LinkId, frame: Bytes) -> SendOutcome {
        let Some((key, side)) = self.find(from, link) else {
            return SendOutcome::Gone;
        };
        let Some(wire) = self.wires.get_mut(key) else {
            return SendOutcome::Gone;
        };
        if !matches!(wire.ends[side].state, EndState::Up(_)) {
            return SendOutcome::Gone;
        }
        let lane = &mut wire.lanes[side];
        if lane.bytes > self.queue_limit {
            lane.blocked = true;
            return SendOutcome::Blocked;
        }
        lane.bytes = lane.bytes.saturating_add(weight(&frame));
        if self.faults != Faults::NONE && self.draw_fault(key, side) {
            return SendOutcome::Queued;
        }
        self.dispatch(key, side, Item::Frame(frame));
        SendOutcome::Queued
    }

    /// Closes a link: what was sent on it is delivered, and then the process across gets
    /// [`DownReason::ClosedByPeer`](hustings_room::DownReason::ClosedByPeer). This process hears
    /// nothing more of it.
    pub fn hangup(&mut self, from: Endpoint, link: LinkId, now: Moment) {
        self.advance(now);
        let Some(process) = self.processes.get_mut(from) else {
            return;
        };
        if let Some(key) = process.links.remove(&link) {
            self.leave(key, side_of(link));
        }
    }

    /// The moment of the next event: at once if one waits to be taken, and never if nothing is on
    /// its way. It may come to nothing by then, never earlier.
    pub fn next_at(&mut self) -> Option<Moment> {
        if self.processes.anything_ready() {
            return Some(self.now);
        }
        while let Some(Reverse(entry)) = self.agenda.peek() {
            if self.is_live(entry) {
                return Some(entry.due.max(self.now));
            }
            self.agenda.pop();
        }
        None
    }

    /// Takes the next event that is due, of all processes in the order of delivery.
    pub fn poll(&mut self, now: Moment) -> Option<(Endpoint, TransportEvent)> {
        self.advance(now);
        while let Some((endpoint, parcel)) = self.processes.take_first() {
            if let Some(event) = self.unpack(parcel) {
                return Some((endpoint, event));
            }
        }
        None
    }

    /// Takes the next event that is due of one process.
    pub fn poll_endpoint(&mut self, endpoint: Endpoint, now: Moment) -> Option<TransportEvent> {
        self.advance(now);
        while let Some(parcel) = self.processes.take(endpoint) {
            if let Some(event) = self.unpack(parcel) {
                return Some(event);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use hustings_protocol::PeerId;

    use super::*;
    use crate::Direction;

    const LINK: LinkId = LinkId::dialled(1);
    const ACCEPTED: LinkId = LinkId::accepted(1);

    /// Lets two processes dial, goes through an ending, and looks for what is left behind.
    fn leaves_nothing(ending: impl Fn(&mut Network, Endpoint, Endpoint)) {
        let mut network = Network::new(1, Latency::fixed(Duration::from_millis(10)));
        let [a, b] = [1, 2].map(|n| Address::Owner(PeerId::from_bytes([n; 32])));
        let (dialler, acceptor) = (network.attach(a).unwrap(), network.attach(b).unwrap());
        network.dial(dialler, LINK, &b, Moment::START);
        ending(&mut network, dialler, acceptor);
        while let Some(now) = network.next_at() {
            while network.poll(now).is_some() {}
        }
        assert_eq!(network.wires.keys(), []);
        assert!(network.links(dialler).is_empty() && network.links(acceptor).is_empty());
        assert!(network.agenda.is_empty());
    }

    #[test]
    fn a_link_that_is_over_takes_no_memory() {
        let later = Moment::from_millis(25);
        leaves_nothing(|network, dialler, _| network.hangup(dialler, LINK, Moment::START));
        leaves_nothing(|network, dialler, _| network.crash(dialler, Moment::START));
        leaves_nothing(|network, _, acceptor| network.detach(acceptor, Moment::START));
        leaves_nothing(|network, dialler, _| network.cut_link(dialler, LINK, Moment::START));
        leaves_nothing(|network, dialler, _| network.hangup(dialler, LINK, later));
        leaves_nothing(|network, dialler, acceptor| {
            network.hangup(acceptor, ACCEPTED, later);
            network.hangup(dialler, LINK, later);
        });
        leaves_nothing(|network, dialler, acceptor| {
            network.crash(acceptor, later);
            network.hangup(dialler, LINK, later);
        });
        leaves_nothing(|network, dialler, _| {
            network.half_open(dialler, LINK, Direction::Both, Moment::START);
        });
        leaves_nothing(|network, dialler, _| {
            network.half_open(dialler, LINK, Direction::Both, Moment::START);
            network.hangup(dialler, LINK, Moment::START);
        });
        leaves_nothing(|network, dialler, _| {
            network.half_open(dialler, LINK, Direction::Both, Moment::START);
            network.hangup(dialler, LINK, later);
        });
    }

    #[test]
    fn processes_that_come_and_go_take_no_memory() {
        let mut network = Network::new(1, Latency::ZERO);
        let address = Address::Owner(PeerId::from_bytes([1; 32]));
        for _ in 0..1_000 {
            let endpoint = network.attach(address).unwrap();
            network.dial(endpoint, LINK, &address, Moment::START);
            network.detach(endpoint, Moment::START);
        }
        assert!(network.next_at().is_none());
        assert_eq!(network.wires.slots.len(), 1);
    }
}
