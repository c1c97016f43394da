//! Offers that wait for their turn.
//!
//! When a room's people all come at once, more of them offer than can come up together. To turn the
//! rest away would have each come back on its own after a while, or after a long silence if it was
//! not told; so their offers are held for some seconds, and begun as the others come up.

use std::collections::VecDeque;
use std::time::Duration;

use hustings_room::Moment;

use super::connection::AcceptableOffer;
use super::messages::{Candidate, IceCandidate};
use crate::config::WireLimits;

/// An offer that waits.
#[derive(Debug)]
pub(crate) struct HeldOffer {
    pub(crate) since: Moment,
    pub(crate) src: String,
    pub(crate) offer: AcceptableOffer,
    /// Those that have come meanwhile.
    pub(crate) candidates: Vec<IceCandidate>,
}

impl HeldOffer {
    /// The bytes that it keeps, as far as its sender decides on them.
    fn bytes(&self) -> usize {
        let candidates = self.candidates.iter().map(IceCandidate::bytes);
        let names = self.src.len() + self.offer.connection_id.len();
        names + self.offer.sdp.len() + candidates.sum::<usize>()
    }
}

/// The offers that wait, the oldest first; at most one of each sender, so that nobody's wait is the
/// longer for somebody who asks often.
#[derive(Debug, Default)]
pub(crate) struct Held {
    offers: VecDeque<HeldOffer>,
    bytes: usize,
    look_at: Moment,
}

impl Held {
    /// The time between two looks at whose turn it is, if nothing else has made room.
    const LOOK_EVERY: Duration = Duration::from_millis(100);

    pub(crate) fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// True if the offer of this name waits.
    pub(crate) fn has(&self, src: &str, connection_id: &str) -> bool {
        self.at(src)
            .is_some_and(|at| self.offers[at].offer.connection_id == connection_id)
    }

    fn at(&self, src: &str) -> Option<usize> {
        self.offers.iter().position(|held| held.src == src)
    }

    /// Holds an offer, in place of an earlier one of its sender, who has given that up. Gives it
    /// back if there is no room for it.
    pub(crate) fn hold(
        &mut self,
        offer: HeldOffer,
        limits: &WireLimits,
    ) -> Result<(), Box<HeldOffer>> {
        self.forget(&offer.src);
        let is_full = self.offers.len() >= limits.max_held
            || self.bytes + offer.bytes() > limits.max_held_bytes;
        if is_full {
            return Err(Box::new(offer));
        }
        if self.offers.is_empty() {
            self.looked(offer.since);
        }
        self.bytes += offer.bytes();
        self.offers.push_back(offer);
        Ok(())
    }

    /// Keeps a candidate of an offer that waits. Gives it back if none of its name does.
    pub(crate) fn keep(
        &mut self,
        src: &str,
        candidate: Candidate,
        limits: &WireLimits,
    ) -> Option<Candidate> {
        let Some(at) = self.at(src) else {
            return Some(candidate);
        };
        let held = &mut self.offers[at];
        if held.offer.connection_id != candidate.connection_id {
            return Some(candidate);
        }
        let bytes = candidate.ice.bytes();
        let fits = held.candidates.len() < limits.max_candidates
            && self.bytes + bytes <= limits.max_held_bytes;
        if fits {
            self.bytes += bytes;
            held.candidates.push(candidate.ice);
        }
        None
    }

    /// The senders, in the order of their offers.
    pub(crate) fn senders(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.offers.iter().map(|held| held.src.as_str())
    }

    /// The same, without those who have waited for so long.
    pub(crate) fn in_turn(&self, hold_for: Duration, now: Moment) -> impl Iterator<Item = &str> {
        let offers = self.offers.iter();
        let in_time = offers.filter(move |held| now - held.since < hold_for);
        in_time.map(|held| held.src.as_str())
    }

    /// Takes the offer of a sender out.
    pub(crate) fn forget(&mut self, src: &str) -> Option<HeldOffer> {
        let held = self.offers.remove(self.at(src)?)?;
        self.bytes -= held.bytes();
        Some(held)
    }

    /// The sender who has waited longest, if that is for so long.
    pub(crate) fn overdue(&self, hold_for: Duration, now: Moment) -> Option<(&str, Duration)> {
        let first = self.offers.front()?;
        let waited = now - first.since;
        (waited >= hold_for).then_some((first.src.as_str(), waited))
    }

    /// The moment of the next look.
    pub(crate) fn timeout(&self) -> Option<Moment> {
        (!self.is_empty()).then_some(self.look_at)
    }

    /// They are looked at now.
    pub(crate) fn looked(&mut self, now: Moment) {
        self.look_at = now + Self::LOOK_EVERY;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
