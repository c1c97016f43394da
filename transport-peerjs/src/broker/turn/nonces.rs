//! Challenges that are computed, so that a stranger's costs nothing that has to be kept.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tokio::time::Instant;

use super::config::TurnError;

/// The time that a nonce is taken. A client that comes later is told a new one.
const GOOD_FOR: Duration = Duration::from_secs(60 * 60);
/// The bytes of the hash that are told: as many as nobody finds by trying.
const HASH: usize = 12;

/// The nonces of one process, each good for one address.
pub(crate) struct Nonces {
    key: [u8; 32],
    start: Instant,
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces")
    }
}

impl Nonces {
    pub(crate) fn new(now: Instant) -> Result<Self, TurnError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| TurnError::Random(error.to_string()))?;
        Ok(Self { key, start: now })
    }

    /// The one for this address, now.
    pub(crate) fn make(&self, remote: SocketAddr, now: Instant) -> String {
        let at = now.saturating_duration_since(self.start).as_secs();
        self.at(remote, at)
    }

    fn at(&self, remote: SocketAddr, at: u64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.key).expect("HMAC has keys of any length");
        mac.update(&at.to_be_bytes());
        mac.update(remote.to_string().as_bytes());
        let hash = mac.finalize().into_bytes();
        let hash = HEXLOWER.encode(&hash[..HASH]);
        format!("{at:x}-{hash}")
    }

    /// True if it was told to this address, not too long ago.
    pub(crate) fn is_good(&self, nonce: &str, remote: SocketAddr, now: Instant) -> bool {
        let Some((at, _)) = nonce.split_once('-') else {
            return false;
        };
        let Ok(at) = u64::from_str_radix(at, 16) else {
            return false;
        };
        let since = now.saturating_duration_since(self.start).as_secs();
        // What is compared is no secret to whoever was told it, and of no use to anybody else.
        since
            .checked_sub(at)
            .is_some_and(|age| age < GOOD_FOR.as_secs())
            && self.at(remote, at) == nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_address_and_its_hour() {
        let start = Instant::now();
        let nonces = Nonces::new(start).expect("there are random numbers");
        let [a, b] = [1, 2].map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
        let now = start + Duration::from_secs(100);
        let nonce = nonces.make(a, now);
        assert!(nonces.is_good(&nonce, a, now));
        assert!(!nonces.is_good(&nonce, b, now));
        assert!(nonces.is_good(&nonce, a, now + GOOD_FOR - Duration::from_secs(1)));
        assert!(!nonces.is_good(&nonce, a, now + GOOD_FOR));
        assert!(!nonces.is_good(&nonce, a, start), "it is of later");
        let other = Nonces::new(start).expect("there are random numbers");
        assert!(!other.is_good(&nonce, a, now));
        for text in ["", "-", "64", "zz-00", &nonce.replace('-', "")] {
            assert!(!nonces.is_good(text, a, now), "{text}");
        }
    }
}
