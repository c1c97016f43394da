//! Who this side is.

use std::fmt;

use ed25519_dalek::SigningKey;
use hustings_protocol::{DeviceId, PeerId};

use crate::Config;

/// Everything that a machine is given at birth.
#[derive(Clone)]
pub struct Setup {
    /// The identity. Its public half is the [`PeerId`](hustings_protocol::PeerId).
    pub key: SigningKey,
    /// Which installation, or which browser tab slot, of it.
    pub device: DeviceId,
    /// 32 random bytes, never used before: nonces, jitter and names are drawn from them. The same
    /// seed and the same inputs give the same outputs, byte for byte.
    pub seed: [u8; 32],
    /// The Unix time at [`Moment::START`](crate::Moment::START) in milliseconds. It only goes into
    /// the names of commands; a wrong clock does no harm.
    pub unix_millis: u64,
    /// How to behave.
    pub config: Config,
}

impl Setup {
    /// Who this is to others.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        PeerId::of(&self.key)
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the seed, from which nonces can be foretold.
        f.debug_struct("Setup")
            .field("device", &self.device)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
