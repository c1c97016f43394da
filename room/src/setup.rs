//! Setup: the identity of this side, and its settings.

use std::fmt;

use ed25519_dalek::SigningKey;
use hustings_protocol::{DeviceId, PeerId};

use crate::{Config, Moment};

/// Everything that a machine gets when it is made.
#[derive(Clone)]
pub struct Setup {
    /// The identity. Its public half is the [`PeerId`].
    pub key: SigningKey,
    /// The installation, or the browser tab slot, of this identity.
    pub device: DeviceId,
    /// 32 random bytes, never used before: nonces, jitter and names are drawn from them. The same
    /// seed and the same inputs give the same outputs, byte for byte.
    pub seed: [u8; 32],
    /// The Unix time at [`Moment::START`](crate::Moment::START) in milliseconds. It goes into the
    /// names of commands, and an owner closes a poll by it that has a
    /// [deadline](hustings_protocol::Poll::closes_at).
    pub unix_millis: u64,
    /// The settings.
    pub config: Config,
}

impl Setup {
    /// The Unix time at a moment, in milliseconds.
    pub(crate) fn unix_at(unix_millis: u64, now: Moment) -> u64 {
        unix_millis.saturating_add(now.as_millis())
    }

    /// The identity of this side, as others see it.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        PeerId::of(&self.key)
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the seed, which would let a reader predict the nonces.
        f.debug_struct("Setup")
            .field("device", &self.device)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
