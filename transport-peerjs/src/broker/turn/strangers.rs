//! Answers to whoever has shown no credentials. Where a datagram is from is only what it says, so
//! answers that nobody asked for would be sent to others.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use tokio::time::Instant;

use super::super::pool::Source;
use super::super::rate::Rate;

/// The number of buckets. Addresses that fall into the same one share it, which takes a thousand at
/// a time to be felt, and nobody can choose with whom.
const BUCKETS: usize = 4_096;

/// The rate of answers to strangers, in a fixed amount of memory.
pub(crate) struct Strangers {
    buckets: Vec<Rate>,
    hashes: RandomState,
}

impl fmt::Debug for Strangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Strangers")
    }
}

impl Strangers {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let bucket = || Rate::new(per_second, per_second, now);
        Self {
            buckets: std::iter::repeat_with(bucket).take(BUCKETS).collect(),
            hashes: RandomState::new(),
        }
    }

    /// True if this address may be answered once more.
    pub(crate) fn may_be_answered(&mut self, source: Source, now: Instant) -> bool {
        let hash = self.hashes.hash_one(source);
        // The remainder is smaller than the number of buckets, which a usize has room for.
        let at = usize::try_from(hash % BUCKETS as u64).unwrap_or(0);
        self.buckets[at].try_take(now, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_address_is_answered_so_often_and_no_oftener() {
        let start = Instant::now();
        let mut strangers = Strangers::new(3, start);
        let source = Source::from(IpAddr::from([192, 0, 2, 1]));
        let mut answers = |now| {
            (0..10)
                .filter(|_| strangers.may_be_answered(source, now))
                .count()
        };
        assert_eq!(answers(start), 3);
        assert_eq!(answers(start + Duration::from_secs(1)), 3);
    }
}
