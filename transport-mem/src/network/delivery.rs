//! The way of things from one end of a wire to the other, and what becomes of them.

use std::cmp::Reverse;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hustings_room::transport::TransportEvent;
use hustings_room::{ChannelBinding, DownReason, LinkId, Moment};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::Network;
use crate::agenda::{Entry, EntryKind};
use crate::endpoint::Endpoint;
use crate::link::{ACCEPTOR, DIALLER, EndState, InFlight, Item, Latency, across, side_of, weight};
use crate::process::{Parcel, WireEvent};
use crate::wires::WireKey;

impl Network {
    /// Delivers everything that is due, as of the moment it was due.
    pub(crate) fn advance(&mut self, now: Moment) {
        let now = now.max(self.now);
        while let Some(Reverse(entry)) = self.agenda.peek() {
            if entry.due > now {
                break;
            }
            let entry = *entry;
            self.agenda.pop();
            if !self.is_live(&entry) {
                continue;
            }
            self.now = self.now.max(entry.due);
            let Some(key) = self.wires.key_at(entry.slot) else {
                continue;
            };
            match entry.kind {
                EntryKind::Lane(side) => self.arrive_first(key, side),
                EntryKind::DialTimeout => self.give_up_dial(key),
            }
        }
        self.now = now;
    }

    /// True if what an entry announced still holds. Numbers are unique, so an entry of an earlier
    /// wire in the same slot never looks alive.
    pub(super) fn is_live(&self, entry: &Entry) -> bool {
        let Some(wire) = self.wires.at(entry.slot) else {
            return false;
        };
        let awaited = match entry.kind {
            EntryKind::Lane(side) => wire.lanes[side].booked,
            EntryKind::DialTimeout => wire.dial_timeout,
        };
        awaited == Some(entry.number)
    }

    /// The wire of a process's link, and the side that the process is on.
    pub(crate) fn find(&self, from: Endpoint, link: LinkId) -> Option<(WireKey, usize)> {
        let key = *self.processes.get(from)?.links.get(&link)?;
        Some((key, side_of(link)))
    }

    /// Sends an item off on the lane of `side`.
    pub(super) fn dispatch(&mut self, key: WireKey, side: usize, item: Item) {
        let latency = self.draw_latency();
        self.dispatch_in(key, side, item, latency);
    }

    fn dispatch_in(&mut self, key: WireKey, side: usize, item: Item, latency: Duration) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if wire.is_dark(side) {
            self.vanish(key, side, &item);
            return;
        }
        let lane = &mut wire.lanes[side];
        if lane.items.is_empty() && !lane.stalled && latency.is_zero() {
            self.arrive(key, side, item);
            return;
        }
        let before = lane.items.back().map_or(self.now, |last| last.due);
        let due = before.max(self.now + latency);
        let number = self.numbered;
        self.numbered += 1;
        lane.items.push_back(InFlight { due, number, item });
        if lane.items.len() == 1 {
            self.book(key, side);
        }
    }

    /// Puts the first item of a lane on the agenda.
    pub(crate) fn book(&mut self, key: WireKey, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let lane = &mut wire.lanes[side];
        let Some(first) = lane.items.front() else {
            return;
        };
        if lane.stalled {
            return;
        }
        let (due, number) = (first.due, first.number);
        lane.booked = Some(number);
        let receiver = wire.ends[across(side)].state;
        // A dial arrives wherever its address is by then.
        let called = wire.ends[ACCEPTOR].address;
        let sender = wire.ends[side].state;
        self.agenda.push(Reverse(Entry {
            due,
            number,
            slot: key.slot,
            kind: EntryKind::Lane(side),
        }));
        match receiver {
            EndState::Dialling(endpoint) | EndState::Up(endpoint) => {
                self.processes.expect(endpoint, due, self.now);
            }
            EndState::Absent => {
                let called = self.processes.at(&called);
                let caller = match sender {
                    EndState::Dialling(endpoint) => Some(endpoint),
                    EndState::Absent | EndState::Up(_) | EndState::Ending(_) | EndState::Over => {
                        None
                    }
                };
                for endpoint in called.into_iter().chain(caller) {
                    self.processes.expect(endpoint, due, self.now);
                }
            }
            EndState::Ending(_) | EndState::Over => {}
        }
    }

    /// Delivers the first item of a lane.
    fn arrive_first(&mut self, key: WireKey, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let lane = &mut wire.lanes[side];
        lane.booked = None;
        let Some(first) = lane.items.pop_front() else {
            return;
        };
        self.arrive(key, side, first.item);
        self.book(key, side);
    }

    /// An item that the end of `side` sent has reached the other end.
    fn arrive(&mut self, key: WireKey, side: usize, item: Item) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if wire.is_dark(side) {
            self.vanish(key, side, &item);
            return;
        }
        let to = across(side);
        match item {
            Item::Frame(frame) => {
                if let EndState::Up(endpoint) = wire.ends[to].state {
                    let event = WireEvent::Frame(frame);
                    self.processes.post(
                        endpoint,
                        Parcel::Wire {
                            key,
                            side: to,
                            event,
                        },
                    );
                }
            }
            Item::Syn if to == ACCEPTOR => self.arrive_dial(key),
            Item::Syn => {
                if let EndState::Dialling(endpoint) = wire.ends[to].state {
                    wire.ends[to].state = EndState::Up(endpoint);
                    wire.dial_timeout = None;
                    self.processes.post(
                        endpoint,
                        Parcel::Wire {
                            key,
                            side: to,
                            event: WireEvent::Up,
                        },
                    );
                }
            }
            Item::Fin(reason) => self.end(key, to, reason),
        }
    }

    /// A dial has reached its address.
    fn arrive_dial(&mut self, key: WireKey) {
        let refused = self.draw_refusal();
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let end = &mut wire.ends[ACCEPTOR];
        let called = match self.processes.at(&end.address) {
            Some(endpoint) if !refused && !self.refused.contains(&end.address) => endpoint,
            Some(_) | None => {
                end.state = EndState::Over;
                wire.lanes[DIALLER].clear();
                if wire.is_over() {
                    self.wires.remove(key);
                } else {
                    self.dispatch(key, ACCEPTOR, Item::Fin(DownReason::Unreachable));
                }
                return;
            }
        };
        let Some(process) = self.processes.get_mut(called) else {
            return;
        };
        process.accepted += 1;
        end.link = LinkId::accepted(process.accepted);
        end.state = EndState::Up(called);
        process.links.insert(end.link, key);
        let event = WireEvent::Up;
        self.processes.post(
            called,
            Parcel::Wire {
                key,
                side: ACCEPTOR,
                event,
            },
        );
        self.dispatch(key, ACCEPTOR, Item::Syn);
    }

    /// An item was lost on a dark lane. It still counts against the lane's limit, as bytes do that
    /// nobody acknowledges.
    fn vanish(&mut self, key: WireKey, side: usize, item: &Item) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        wire.broken = true;
        if side == DIALLER && matches!(item, Item::Syn) {
            // Nobody will ever hear of this dial.
            wire.ends[ACCEPTOR].state = EndState::Over;
        }
        if let EndState::Dialling(endpoint) = wire.ends[DIALLER].state
            && wire.dial_timeout.is_none()
        {
            let due = self.now.max(wire.dialled_at + self.dial_timeout);
            let number = self.numbered;
            self.numbered += 1;
            wire.dial_timeout = Some(number);
            let (slot, kind) = (key.slot, EntryKind::DialTimeout);
            self.agenda.push(Reverse(Entry {
                due,
                number,
                slot,
                kind,
            }));
            self.processes.expect(endpoint, due, self.now);
        }
        if wire.is_over() {
            self.wires.remove(key);
        }
    }

    /// The dialler has waited long enough.
    fn give_up_dial(&mut self, key: WireKey) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if !matches!(wire.ends[DIALLER].state, EndState::Dialling(_)) {
            return;
        }
        let reason = "nobody answered in time".to_owned();
        self.end(key, DIALLER, DownReason::DialFailed(reason));
        self.farewell(key, DIALLER, DownReason::ClosedByPeer, Duration::ZERO);
    }

    /// Tells one end that the wire is down, unless it was told or does not care.
    fn end(&mut self, key: WireKey, side: usize, reason: DownReason) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        match wire.ends[side].state {
            EndState::Dialling(endpoint) | EndState::Up(endpoint) => {
                wire.ends[side].state = EndState::Ending(endpoint);
                let event = WireEvent::Down(reason);
                self.processes
                    .post(endpoint, Parcel::Wire { key, side, event });
            }
            EndState::Absent => wire.ends[side].state = EndState::Over,
            EndState::Ending(_) | EndState::Over => {}
        }
        wire.lanes[across(side)].clear();
        if wire.is_over() {
            self.wires.remove(key);
        }
    }

    /// One end leaves in good order.
    pub(super) fn leave(&mut self, key: WireKey, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        wire.ends[side].state = EndState::Over;
        wire.lanes[across(side)].clear();
        self.farewell(key, side, DownReason::ClosedByPeer, Duration::ZERO);
    }

    /// The process at one end is dead.
    pub(super) fn die(&mut self, key: WireKey, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        wire.ends[side].state = EndState::Over;
        wire.lanes[across(side)].clear();
        let lane = &mut wire.lanes[side];
        let left = match lane.items.len() {
            0 => 0,
            _ if std::mem::take(&mut lane.stalled) => 0,
            count => draw_below(&mut self.rng, count as u64 + 1) as usize,
        };
        lane.keep(left);
        if wire.ends[ACCEPTOR].state == EndState::Absent && wire.lanes[DIALLER].items.is_empty() {
            wire.ends[ACCEPTOR].state = EndState::Over;
        }
        let reason = DownReason::Lost("the process across died".to_owned());
        self.farewell(key, side, reason, self.detection);
    }

    /// Sends the last item of a lane, if anybody is left to hear it.
    fn farewell(&mut self, key: WireKey, side: usize, reason: DownReason, delay: Duration) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        if wire.is_over() {
            self.wires.remove(key);
            return;
        }
        match wire.ends[across(side)].state {
            EndState::Absent | EndState::Dialling(_) | EndState::Up(_) => {
                let latency = delay.max(self.draw_latency());
                self.dispatch_in(key, side, Item::Fin(reason), latency);
            }
            EndState::Ending(_) | EndState::Over => {}
        }
    }

    /// Ends a wire at both ends at once. What is on its way is lost.
    pub(crate) fn sever(&mut self, key: WireKey, why: &str) {
        for side in [DIALLER, ACCEPTOR] {
            let Some(wire) = self.wires.get(key) else {
                return;
            };
            let reason = match wire.ends[side].state {
                EndState::Dialling(_) => DownReason::DialFailed(why.to_owned()),
                EndState::Absent | EndState::Up(_) | EndState::Ending(_) | EndState::Over => {
                    DownReason::Lost(why.to_owned())
                }
            };
            self.end(key, side, reason);
        }
    }

    /// Makes the event of a parcel that is taken, or nothing if it is of no interest any more.
    pub(super) fn unpack(&mut self, parcel: Parcel) -> Option<TransportEvent> {
        let (key, side, event) = match parcel {
            Parcel::Wake => return Some(TransportEvent::Wake),
            Parcel::Wire { key, side, event } => (key, side, event),
        };
        let wire = self.wires.get_mut(key)?;
        let link = wire.ends[side].link;
        let state = wire.ends[side].state;
        if state == EndState::Over {
            return None;
        }
        match event {
            WireEvent::Frame(frame) => {
                self.release(key, across(side), weight(&frame));
                Some(TransportEvent::Frame { link, frame })
            }
            WireEvent::Up => {
                let (local, remote) = (wire.binding.clone(), wire.binding.clone());
                Some(TransportEvent::LinkUp {
                    link,
                    binding: ChannelBinding { local, remote },
                })
            }
            WireEvent::Writable => Some(TransportEvent::Writable { link }),
            WireEvent::Down(reason) => {
                wire.ends[side].state = EndState::Over;
                if wire.is_over() {
                    self.wires.remove(key);
                }
                if let EndState::Ending(endpoint) = state
                    && let Some(process) = self.processes.get_mut(endpoint)
                {
                    process.links.remove(&link);
                }
                Some(TransportEvent::LinkDown { link, reason })
            }
        }
    }

    /// The process across has taken a frame.
    fn release(&mut self, key: WireKey, side: usize, bytes: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let lane = &mut wire.lanes[side];
        lane.bytes = lane.bytes.saturating_sub(bytes);
        if lane.blocked && lane.bytes <= self.queue_limit / 2 {
            lane.blocked = false;
            if let EndState::Up(endpoint) = wire.ends[side].state {
                let event = WireEvent::Writable;
                self.processes
                    .post(endpoint, Parcel::Wire { key, side, event });
            }
        }
    }

    fn draw_latency(&mut self) -> Duration {
        let Latency { min, max } = self.latency;
        if max <= min {
            return min;
        }
        let span = u64::try_from((max - min).as_millis()).unwrap_or(u64::MAX - 1);
        min + Duration::from_millis(draw_below(&mut self.rng, span + 1))
    }

    /// Draws something that has this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0
            && f64::from(self.rng.next_u32()) < probability * (f64::from(u32::MAX) + 1.0)
    }

    /// A channel id that no other link of this network has.
    pub(super) fn binding(&mut self) -> Bytes {
        let mut id = BytesMut::with_capacity(16);
        id.put_u64(self.wires.inserted);
        id.put_u64(self.rng.next_u64());
        id.freeze()
    }
}

fn draw_below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound
}
