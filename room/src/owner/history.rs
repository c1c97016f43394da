//! The owner's memory of its own history: a running digest at each of the last revisions, and the
//! seal by which it knows its own marks again.

use std::collections::VecDeque;

use ed25519_dalek::{Signer, SigningKey};
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{Epoch, HistoryMark, PollId, Position, Revision};
use rand_core::Rng;
use siphasher::sip::SipHasher24;

/// The number of revisions of which the digest is remembered, 8 bytes each: a participant that is
/// further behind gets the whole poll, whatever its history was.
const REMEMBERED: usize = 16_384;

/// The secret behind the seals of one poll.
///
/// Participants only repeat marks. Without a seal, each could make up one, and have the owner
/// believe that its journal is an old copy. SipHash is a keyed hash for short inputs: a forger has
/// one guess of 2^64 for each link.
#[derive(Clone, Copy)]
pub(crate) struct Seal(SipHasher24);

impl Seal {
    /// The seal of a poll's owner; the same whenever the same key hosts the same poll.
    pub(crate) fn of(key: &SigningKey, poll_id: PollId) -> Self {
        // An Ed25519 signature is a function of key and text, and nobody ever sees this one.
        let secret = key.sign(format!("hustings/2/history/{poll_id}").as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&secret.to_bytes()[..16]);
        Self(SipHasher24::new_with_key(&short))
    }

    fn mark(self, epoch: Epoch, revision: Revision, digest: u64) -> HistoryMark {
        let mut text = [0; 24];
        text[..8].copy_from_slice(&epoch.get().to_be_bytes());
        text[8..16].copy_from_slice(&revision.get().to_be_bytes());
        text[16..].copy_from_slice(&digest.to_be_bytes());
        HistoryMark::new(digest, self.0.hash(&text))
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

/// The epoch of a new poll: random, and in the lower half, so that many can follow it.
pub(crate) fn first_epoch(rng: &mut impl Rng) -> Epoch {
    Epoch::new(rng.next_u64() >> 1)
}

/// An epoch after this one, which nobody who begins another from the same copy would choose.
pub(crate) fn epoch_after(last: Epoch, rng: &mut impl Rng) -> Epoch {
    // An earlier version has used both halves. One that begins again at zero is a new epoch, too;
    // only that it is later nobody sees.
    Epoch::new(last.get().wrapping_add(1 + u64::from(rng.next_u32())))
}

/// The history up to the present revision.
#[derive(Debug, Clone)]
pub(crate) struct History {
    seal: Seal,
    /// The digests at the last revisions; that of the present one is the last.
    digests: VecDeque<u64>,
    /// The last mark that was made: first for an update, and then for its `ack`.
    last: Option<Position>,
}

/// The owner's opinion of a position that a peer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A copy of this history, at this revision.
    Known(Revision),
    /// No copy, or one that cannot be compared: the peer needs the whole poll.
    Foreign,
    /// A copy of a history that this owner has made and does not have: its journal is an old copy.
    Lost,
    /// A position that this owner has never made.
    Impossible,
}

impl History {
    /// The history with these digests, of which the last is the present one's.
    pub(crate) fn new(seal: Seal, digests: VecDeque<u64>) -> Self {
        Self {
            seal,
            digests,
            last: None,
        }
    }

    /// The digest at the present revision.
    pub(crate) fn present(&self) -> u64 {
        // Zero is not reached: there is always one.
        self.digests.back().copied().unwrap_or_default()
    }

    /// The digest at a revision; `None` if that is too long ago, or has not come yet.
    pub(crate) fn digest_at(&self, revision: Revision, present: Revision) -> Option<u64> {
        let behind = present.get().checked_sub(revision.get())?;
        let at = self.digests.len().checked_sub(1)?;
        let at = at.checked_sub(usize::try_from(behind).ok()?)?;
        self.digests.get(at).copied()
    }

    /// Goes on by one update, which makes this digest.
    pub(crate) fn push(&mut self, digest: u64) {
        if self.digests.len() == REMEMBERED {
            self.digests.pop_front();
        }
        self.digests.push_back(digest);
    }

    /// The mark of a digest at a revision of this epoch.
    pub(crate) fn mark(&self, epoch: Epoch, revision: Revision, digest: u64) -> HistoryMark {
        self.seal.mark(epoch, revision, digest)
    }

    /// Makes the mark of the next revision, and keeps it at hand.
    pub(crate) fn next_mark(
        &mut self,
        epoch: Epoch,
        revision: Revision,
        digest: u64,
    ) -> HistoryMark {
        let mark = self.mark(epoch, revision, digest);
        self.last = Some(Position {
            epoch,
            revision,
            history: Some(mark),
        });
        mark
    }

    /// The mark at a revision of this epoch, if it is not too long ago.
    pub(crate) fn mark_at(
        &self,
        epoch: Epoch,
        revision: Revision,
        present: Revision,
    ) -> Option<HistoryMark> {
        let digest = self.digest_at(revision, present)?;
        let last = self.last.and_then(|last| {
            // The same revision may have been tried before, for a command that was rejected.
            let is_it = last.epoch == epoch && last.revision == revision;
            last.history.filter(|mark| is_it && mark.digest() == digest)
        });
        Some(last.unwrap_or_else(|| self.mark(epoch, revision, digest)))
    }

    /// Compares a position that a peer names with the present one.
    pub(crate) fn judge(
        &self,
        (epoch, present): (Epoch, Revision),
        known: Option<Position>,
    ) -> Claim {
        // An earlier epoch is over.
        let Some(known) = known.filter(|known| known.epoch >= epoch) else {
            return Claim::Foreign;
        };
        let is_ours = known.history.is_some_and(|mark| {
            mark == self.mark(known.epoch, known.revision, mark.digest())
                || planted::is_on(Fault::BelieveRevisions)
        });
        if known.epoch > epoch {
            // Epochs grow: this one of the poll began in a life that the journal has lost.
            return match is_ours {
                true => Claim::Lost,
                false => Claim::Foreign,
            };
        }
        if known.revision > present {
            return if is_ours || planted::is_on(Fault::BelieveRevisions) {
                Claim::Lost
            } else {
                Claim::Impossible
            };
        }
        let Some(mark) = known.history else {
            // A copy from before there were marks.
            return Claim::Known(known.revision);
        };
        if !is_ours {
            return Claim::Impossible;
        }
        match self.digest_at(known.revision, present) {
            Some(digest) if digest == mark.digest() || planted::is_on(Fault::NoHistoryDigest) => {
                Claim::Known(known.revision)
            }
            Some(_) => Claim::Lost,
            None => Claim::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_remembered_for_so_long_and_no_longer() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let poll_id = PollId::from_uuid(uuid::Uuid::nil());
        let mut history = History::new(Seal::of(&key, poll_id), [0].into());
        let last = REMEMBERED as u64 + 10;
        for digest in 1..=last {
            history.push(digest);
        }
        let revision = |number| Revision::new(number).unwrap();
        let at = |number| history.digest_at(revision(number), revision(last));
        assert_eq!(at(last), Some(last));
        assert_eq!(at(11), Some(11));
        assert_eq!(at(10), None, "too long ago");
        assert_eq!(at(last + 1), None, "not yet");
        assert_eq!(history.digests.len(), REMEMBERED);
    }
}
