//! The faults that a test injects, and those that are drawn.

use hustings_protocol::Address;
use hustings_room::{LinkId, Moment};

use super::Network;
use crate::endpoint::Endpoint;
use crate::faults::{Direction, Faults};
use crate::link::{ACCEPTOR, DIALLER, across};
use crate::process::Parcel;
use crate::wires::WireKey;

const CUT: &str = "it was cut";

/// The faults that a test injects.
///
/// A frame that was delivered before the fault stays delivered, also if nobody has taken it yet.
impl Network {
    /// Sets the faults that happen by themselves from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Cuts every link between two addresses: at each end [`DownReason::Lost`] (at the end of a
    /// dialler who has no answer yet, [`DownReason::DialFailed`]) is the next and last event.
    ///
    /// Everything on its way is lost, so what arrives is a prefix of what was sent: the cut falls
    /// between two frames and never into one.
    ///
    /// [`DownReason::Lost`]: hustings_room::DownReason::Lost
    /// [`DownReason::DialFailed`]: hustings_room::DownReason::DialFailed
    pub fn cut(&mut self, a: &Address, b: &Address, now: Moment) {
        self.advance(now);
        for key in self.wires.keys() {
            if self.wires.get(key).is_some_and(|wire| wire.joins(a, b)) {
                self.sever(key, CUT);
            }
        }
    }

    /// Cuts one link of a process, as [`cut`](Self::cut) does.
    pub fn cut_link(&mut self, of: Endpoint, link: LinkId, now: Moment) {
        self.advance(now);
        if let Some((key, _)) = self.find(of, link) {
            self.sever(key, CUT);
        }
    }

    /// Makes one or both directions of a link silent: what is or was sent there vanishes, and
    /// neither end is told, until [`heal`](Self::heal) or a cut.
    ///
    /// Frames that vanish count against the queue limit, as bytes do that nobody acknowledges, so
    /// the link becomes full in the end.
    pub fn half_open(&mut self, of: Endpoint, link: LinkId, direction: Direction, now: Moment) {
        self.advance(now);
        let Some((key, side)) = self.find(of, link) else {
            return;
        };
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if direction != Direction::Incoming {
            wire.lanes[side].silent = true;
        }
        if direction != Direction::Outgoing {
            wire.lanes[across(side)].silent = true;
        }
    }

    /// Ends the silence of a link in both directions.
    ///
    /// If nothing has vanished, the link goes on. Otherwise it would have a gap, which no reliable
    /// link ever has, so both ends are told that it is lost.
    pub fn heal(&mut self, of: Endpoint, link: LinkId, now: Moment) {
        self.advance(now);
        let Some((key, _)) = self.find(of, link) else {
            return;
        };
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        for lane in &mut wire.lanes {
            lane.silent = false;
        }
        self.mourn(key);
    }

    /// Makes a process stop reading from a link: what is sent to it is held up, and the process
    /// across finds the link full in time. A cut or a crash does not wait for it.
    pub fn stall(&mut self, reader: Endpoint, link: LinkId, now: Moment) {
        self.advance(now);
        let Some((key, side)) = self.find(reader, link) else {
            return;
        };
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let lane = &mut wire.lanes[across(side)];
        lane.stalled = true;
        lane.booked = None;
    }

    /// Lets a process read again. What was held up arrives at once, as far as it is due.
    pub fn resume(&mut self, reader: Endpoint, link: LinkId, now: Moment) {
        self.advance(now);
        let Some((key, side)) = self.find(reader, link) else {
            return;
        };
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let lane = &mut wire.lanes[across(side)];
        if std::mem::take(&mut lane.stalled) {
            self.book(key, across(side));
            self.advance(now);
        }
    }

    /// Makes dials that arrive at an address fail as [`DownReason::Unreachable`], or lets them
    /// through again. Links that are up stay up.
    ///
    /// [`DownReason::Unreachable`]: hustings_room::DownReason::Unreachable
    pub fn refuse(&mut self, address: &Address, refuse: bool) {
        if refuse {
            self.refused.insert(*address);
        } else {
            self.refused.remove(address);
        }
    }

    /// Pulls the cable of an address, or plugs it in again.
    ///
    /// While it is out, all links of the address are silent in both directions, and dials from and
    /// to it are not answered; they end after the [dial timeout](Self::set_dial_timeout). This goes
    /// for whichever process is at the address, also after a restart. When it is in again, every
    /// link on which something has vanished is lost, as after [`heal`](Self::heal), and the process
    /// gets [`TransportEvent::Wake`], as a browser that is online again.
    ///
    /// [`TransportEvent::Wake`]: hustings_room::transport::TransportEvent::Wake
    pub fn isolate(&mut self, address: &Address, isolate: bool, now: Moment) {
        self.advance(now);
        let changed = if isolate {
            self.unplugged.insert(*address)
        } else {
            self.unplugged.remove(address)
        };
        if !changed {
            return;
        }
        for key in self.wires.keys() {
            let Some(wire) = self.wires.get_mut(key) else {
                continue;
            };
            if wire.ends.iter().any(|end| end.address == *address) {
                wire.unplugged = wire
                    .ends
                    .iter()
                    .any(|end| self.unplugged.contains(&end.address));
                self.mourn(key);
            }
        }
        if let Some(endpoint) = self.processes.at(address)
            && !isolate
        {
            self.processes.post(endpoint, Parcel::Wake);
        }
    }

    /// Ends a wire that has a gap, as soon as its ends can hear of it.
    fn mourn(&mut self, key: WireKey) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        if wire.broken && !wire.is_dark(DIALLER) && !wire.is_dark(ACCEPTOR) {
            self.sever(key, "frames vanished on it");
        }
    }

    /// Draws whether a fault takes the frame that is being sent.
    pub(crate) fn draw_fault(&mut self, key: WireKey, side: usize) -> bool {
        if self.chance(self.faults.cut_per_frame) {
            self.sever(key, CUT);
            return true;
        }
        if self.chance(self.faults.silence_per_frame)
            && let Some(wire) = self.wires.get_mut(key)
        {
            wire.lanes[side].silent = true;
        }
        false
    }

    /// Draws whether a dial that arrives is refused.
    pub(crate) fn draw_refusal(&mut self) -> bool {
        self.chance(self.faults.refuse_per_dial)
    }
}
