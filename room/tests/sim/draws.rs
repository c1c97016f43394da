//! The source of a schedule's choices: bytes that somebody has thought of, while there are
//! any, and then a seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

pub(super) struct Draws {
    bytes: std::vec::IntoIter<u8>,
    rng: ChaCha8Rng,
}

impl Draws {
    pub(super) fn new(bytes: Vec<u8>, seed: u64) -> Self {
        Self {
            bytes: bytes.into_iter(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A number below this one, which a byte can say up to 256 and two bytes above.
    pub(super) fn below(&mut self, below: u64) -> u64 {
        let byte = self.bytes.next().map(u64::from);
        let number = match byte {
            None => self.rng.next_u64(),
            Some(byte) if below <= 256 => byte,
            Some(byte) => byte << 8 | u64::from(self.bytes.next().unwrap_or(0)),
        };
        number % below
    }
}
