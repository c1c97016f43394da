//! The processes on the network, each with an inbox of its own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use bytes::Bytes;
use hustings_protocol::Address;
use hustings_room::{DownReason, LinkId, Moment};

use crate::endpoint::{AddressTaken, Endpoint};
use crate::wires::WireKey;

/// An event in an inbox.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// Of one end of a wire. Whether it is still news shows when it is taken.
    Wire {
        key: WireKey,
        side: usize,
        event: WireEvent,
    },
    /// Of the process as a whole.
    Wake,
}

/// An event at one end of a wire.
#[derive(Debug)]
pub(crate) enum WireEvent {
    Up,
    Frame(Bytes),
    Writable,
    Down(DownReason),
}

/// A live process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) address: Address,
    /// By the process's own names for them.
    pub(crate) links: BTreeMap<LinkId, WireKey>,
    /// The number of links that it has accepted.
    pub(crate) accepted: u64,
    /// Parcels that were delivered and not yet taken, each with its number in the global order.
    inbox: VecDeque<(u64, Parcel)>,
    /// Set while [`Processes::ready`] holds an entry of it.
    listed: bool,
    /// Moments at which something may arrive. One stays here when what it announced was lost.
    expected: BinaryHeap<Reverse<Moment>>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    process: Option<Process>,
    /// Set while [`Processes::touched`] holds this slot.
    touched: bool,
}

/// All processes, and which of them has something to take.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_address: BTreeMap<Address, Endpoint>,
    /// At most one entry for each process: the number of a parcel that is, or was, its first. The
    /// real number is never smaller, so an outdated entry is put right when it comes up.
    ready: BinaryHeap<Reverse<(u64, Endpoint)>>,
    /// Slots to look at again, because something arrived or the next arrival is sooner.
    touched: VecDeque<u32>,
    delivered: u64,
}

impl Processes {
    pub(crate) fn attach(&mut self, address: Address) -> Result<Endpoint, AddressTaken> {
        if self.by_address.contains_key(&address) {
            return Err(AddressTaken(address));
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("memory ends before 2^32 processes do")
        });
        let entry = &mut self.slots[slot as usize];
        entry.process = Some(Process {
            address,
            links: BTreeMap::new(),
            accepted: 0,
            inbox: VecDeque::new(),
            listed: false,
            expected: BinaryHeap::new(),
        });
        let endpoint = Endpoint {
            slot,
            generation: entry.generation,
        };
        self.by_address.insert(address, endpoint);
        Ok(endpoint)
    }

    pub(crate) fn remove(&mut self, endpoint: Endpoint) -> Option<Process> {
        let entry = self.slots.get_mut(endpoint.slot as usize)?;
        if entry.generation != endpoint.generation {
            return None;
        }
        let process = entry.process.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(endpoint.slot);
        self.by_address.remove(&process.address);
        self.touch(endpoint.slot);
        if self.ready.len() > 2 * self.by_address.len() + 64 {
            let slots = &self.slots;
            self.ready
                .retain(|Reverse((_, endpoint))| live(slots, *endpoint).is_some());
        }
        Some(process)
    }

    pub(crate) fn at(&self, address: &Address) -> Option<Endpoint> {
        self.by_address.get(address).copied()
    }

    pub(crate) fn get(&self, endpoint: Endpoint) -> Option<&Process> {
        live(&self.slots, endpoint)
    }

    pub(crate) fn get_mut(&mut self, endpoint: Endpoint) -> Option<&mut Process> {
        let entry = self.slots.get_mut(endpoint.slot as usize)?;
        if entry.generation == endpoint.generation {
            entry.process.as_mut()
        } else {
            None
        }
    }

    /// Puts an event into an inbox.
    pub(crate) fn post(&mut self, endpoint: Endpoint, parcel: Parcel) {
        let number = self.delivered;
        self.delivered += 1;
        let Some(process) = self.get_mut(endpoint) else {
            return;
        };
        process.inbox.push_back((number, parcel));
        // A process that had something to take before was told so then.
        if process.inbox.len() == 1 {
            let listed = std::mem::replace(&mut process.listed, true);
            if !listed {
                self.ready.push(Reverse((number, endpoint)));
            }
            self.touch(endpoint.slot);
        }
    }

    /// Takes the first event of one process.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<Parcel> {
        let (_, parcel) = self.get_mut(endpoint)?.inbox.pop_front()?;
        Some(parcel)
    }

    /// Takes the event that was delivered before all others.
    pub(crate) fn take_first(&mut self) -> Option<(Endpoint, Parcel)> {
        self.put_right()?;
        let Reverse((_, endpoint)) = self.ready.pop()?;
        let process = self.get_mut(endpoint)?;
        let (_, parcel) = process.inbox.pop_front()?;
        let next = process.inbox.front().map(|(number, _)| *number);
        process.listed = next.is_some();
        if let Some(number) = next {
            self.ready.push(Reverse((number, endpoint)));
        }
        Some((endpoint, parcel))
    }

    /// True if there is anything to take, for anybody.
    pub(crate) fn anything_ready(&mut self) -> bool {
        self.put_right().is_some()
    }

    /// Corrects outdated entries until the first of `ready` is right.
    fn put_right(&mut self) -> Option<()> {
        loop {
            let Reverse((listed, endpoint)) = *self.ready.peek()?;
            let front = self.get(endpoint).and_then(|process| process.inbox.front());
            match front.map(|(number, _)| *number) {
                Some(number) if number == listed => return Some(()),
                Some(number) => {
                    self.ready.pop();
                    self.ready.push(Reverse((number, endpoint)));
                }
                None => {
                    self.ready.pop();
                    if let Some(process) = self.get_mut(endpoint) {
                        process.listed = false;
                    }
                }
            }
        }
    }

    /// Notes that something may arrive at `due`, which lies in the future.
    pub(crate) fn expect(&mut self, endpoint: Endpoint, due: Moment, now: Moment) {
        let next = self.next_expected(endpoint, now);
        let Some(process) = self.get_mut(endpoint) else {
            return;
        };
        process.expected.push(Reverse(due));
        if next.is_none_or(|next| due < next) {
            self.touch(endpoint.slot);
        }
    }

    /// The next moment at which something may arrive.
    pub(crate) fn next_expected(&mut self, endpoint: Endpoint, now: Moment) -> Option<Moment> {
        let expected = &mut self.get_mut(endpoint)?.expected;
        while expected.peek().is_some_and(|Reverse(due)| *due <= now) {
            expected.pop();
        }
        expected.peek().map(|Reverse(due)| *due)
    }

    fn touch(&mut self, slot: u32) {
        let entry = &mut self.slots[slot as usize];
        if !entry.touched {
            entry.touched = true;
            self.touched.push_back(slot);
        }
    }

    /// The next slot that somebody should look at again.
    pub(crate) fn next_touched(&mut self) -> Option<u32> {
        let slot = self.touched.pop_front()?;
        self.slots[slot as usize].touched = false;
        Some(slot)
    }
}

fn live(slots: &[Slot], endpoint: Endpoint) -> Option<&Process> {
    let entry = slots.get(endpoint.slot as usize)?;
    if entry.generation == endpoint.generation {
        entry.process.as_ref()
    } else {
        None
    }
}
