//! The choices of each person, and which of them counts: the rule once more, in other words than
//! the owner's.

use std::collections::BTreeMap;

use hustings_protocol::{Cast, CommandId, DeviceId, PeerId, Poll, Revision};

use super::{Violation, hold};

/// A choice that took effect.
#[derive(Debug, Clone, Copy)]
struct Ballot {
    made: u64,
    id: CommandId,
    device: DeviceId,
}

/// A choice that somebody has made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) author: PeerId,
    pub(super) device: DeviceId,
    pub(super) id: CommandId,
}

/// The revisions that its device may have seen when it was made, as far as they count: one of them,
/// unless histories were lost. `None` for those of whom nobody knows what they have seen.
pub(super) type Seen<'a> = Option<&'a [u64]>;

/// All choices that took effect, in the order of their revisions.
#[derive(Debug, Clone, Default)]
pub(super) struct Ballots {
    of: BTreeMap<PeerId, Vec<Ballot>>,
    /// The last revision of the last commit that was seen whole.
    whole: u64,
}

/// True if a choice should count in place of another one of the same person.
fn is_newer(choice: Choice, than: Ballot, seen: u64) -> bool {
    let [this, other] = [choice.id, than.id].map(|id| *id.as_uuid().as_bytes());
    let knew_of_it = seen >= than.made;
    let is_later = this > other;
    choice.device == than.device || knew_of_it || is_later
}

impl Ballots {
    /// A choice took effect, as this revision.
    pub(super) fn counts(
        &mut self,
        choice: Choice,
        made: Revision,
        seen: Seen<'_>,
    ) -> Result<(), Violation> {
        let of = self.of.entry(choice.author).or_default();
        if let (Some(standing), Some(seen)) = (of.last().copied(), seen) {
            hold!(
                13,
                seen.iter().any(|seen| is_newer(choice, standing, *seen)),
                "{choice:?} counts at {made} in place of {standing:?}, having seen {seen:?}"
            );
        }
        of.push(Ballot {
            made: made.get(),
            id: choice.id,
            device: choice.device,
        });
        Ok(())
    }

    /// A choice is answered: it does not count, because a newer one does. That was one of those
    /// that stood since the last commit.
    pub(super) fn is_superseded(&self, choice: Choice, seen: Seen<'_>) -> Result<(), Violation> {
        let none = Vec::new();
        let of = self.of.get(&choice.author).unwrap_or(&none);
        let since = of.partition_point(|it| it.made <= self.whole);
        let mut stood = of[since.saturating_sub(1)..].iter();
        let Some(seen) = seen else { return Ok(()) };
        hold!(
            13,
            stood.any(|it| seen.iter().any(|seen| !is_newer(choice, *it, *seen))),
            "{choice:?} does not count, having seen {seen:?}, and there is no newer one: {of:?}"
        );
        Ok(())
    }

    /// A commit is done, up to this revision.
    pub(super) fn are_whole(&mut self, last: usize) {
        self.whole = last as u64;
    }

    /// The journal's snapshot at a revision says how each choice was cast.
    pub(super) fn are_kept(&self, poll: &Poll, at: Revision) -> Result<(), Violation> {
        for (peer, _) in poll.members() {
            let of = self.of.get(&peer).map_or(&[][..], Vec::as_slice);
            let last = of.iter().rfind(|it| it.made <= at.get());
            let cast = last.map(|it| (it.made, it.id, it.device));
            let kept = poll.cast(peer).map(|it| {
                let Cast {
                    revision,
                    command_id,
                    device,
                } = it;
                (revision.get(), command_id, device)
            });
            hold!(
                5,
                cast == kept,
                "the snapshot at {at} says of {peer} {kept:?}, not {cast:?}"
            );
        }
        Ok(())
    }
}
