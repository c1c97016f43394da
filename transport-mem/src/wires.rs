//! All wires of a network.

use crate::link::Wire;

/// The way to a wire. A key outlives its wire and then leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireKey {
    pub(crate) slot: u32,
    id: u64,
}

/// All wires, in slots that are used again.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    pub(crate) slots: Vec<Option<Wire>>,
    free: Vec<u32>,
    /// The number of wires that there have been.
    pub(crate) inserted: u64,
}

impl Wires {
    pub(crate) fn insert(&mut self, wire: impl FnOnce(u64) -> Wire) -> WireKey {
        let id = self.inserted;
        self.inserted += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("memory ends before 2^32 wires do")
        });
        self.slots[slot as usize] = Some(wire(id));
        WireKey { slot, id }
    }

    pub(crate) fn remove(&mut self, key: WireKey) {
        if self.get(key).is_some() {
            self.slots[key.slot as usize] = None;
            self.free.push(key.slot);
        }
    }

    pub(crate) fn get(&self, key: WireKey) -> Option<&Wire> {
        self.at(key.slot).filter(|wire| wire.id == key.id)
    }

    pub(crate) fn get_mut(&mut self, key: WireKey) -> Option<&mut Wire> {
        let wire = self.slots.get_mut(key.slot as usize)?.as_mut()?;
        if wire.id == key.id { Some(wire) } else { None }
    }

    pub(crate) fn at(&self, slot: u32) -> Option<&Wire> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn key_at(&self, slot: u32) -> Option<WireKey> {
        self.at(slot).map(|wire| WireKey { slot, id: wire.id })
    }

    /// The keys of all wires, in the order of their slots.
    pub(crate) fn keys(&self) -> Vec<WireKey> {
        let slots = 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        slots.filter_map(|slot| self.key_at(slot)).collect()
    }
}
