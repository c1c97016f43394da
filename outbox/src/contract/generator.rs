//! Repeatable random operations.

use bytes::Bytes;

use crate::{Batch, Durability};

/// A small generator (a Weyl sequence and a mixing step), for tests and nothing else.
pub(super) struct Generator(u64);

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        for shift in [32, 29] {
            mixed = (mixed ^ (mixed >> shift)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        (mixed ^ (mixed >> 32)) % bound
    }

    /// A key of up to 3 bytes out of few, so that keys meet and begin each other.
    pub(super) fn key(&mut self) -> Bytes {
        const BYTES: [u8; 5] = [0x00, 0x01, 0x61, 0x80, 0xff];
        (0..self.below(4))
            .map(|_| BYTES[usize::try_from(self.below(5)).expect("5 is small")])
            .collect()
    }

    fn value(&mut self) -> Bytes {
        let len = match self.below(8) {
            0 => 0,
            1 => self.below(9_000),
            _ => self.below(40),
        };
        (0..len)
            .map(|_| u8::try_from(self.below(256)).expect("256 values fit a byte"))
            .collect()
    }

    pub(super) fn batch(&mut self) -> Batch {
        let mut batch = Batch::new();
        for _ in 0..self.below(7) {
            match self.below(8) {
                0 | 1 => batch.delete(self.key()),
                2 => batch.delete_range(self.key()..self.key()),
                _ => {
                    let key = self.key();
                    batch.put(key, self.value());
                }
            }
        }
        batch
    }

    pub(super) fn durability(&mut self) -> Durability {
        match self.below(3) {
            0 => Durability::Strict,
            _ => Durability::Relaxed,
        }
    }
}
