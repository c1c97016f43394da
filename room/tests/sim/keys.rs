//! The keys of people, each made once for all schedules: to make one costs more than most of what
//! is done with it.

use std::sync::OnceLock;

use ed25519_dalek::SigningKey;

/// Those whom a schedule names.
const NAMED: usize = 256;
/// Those who come once, in one schedule.
const PASSING: usize = 4096;

static KEYS: [OnceLock<SigningKey>; NAMED + PASSING] = [const { OnceLock::new() }; NAMED + PASSING];

/// The key of somebody who has a place in the schedule.
pub(super) fn named(mark: u8) -> SigningKey {
    made(usize::from(mark), [mark; 32])
}

/// The key of the `n`th of those who come once.
pub(super) fn passing(n: usize) -> SigningKey {
    let at = NAMED + n % PASSING;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(at as u64).to_be_bytes());
    made(at, seed)
}

fn made(at: usize, seed: [u8; 32]) -> SigningKey {
    KEYS[at]
        .get_or_init(|| SigningKey::from_bytes(&seed))
        .clone()
}
