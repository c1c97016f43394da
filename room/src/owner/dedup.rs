//! Deduplication: the owner's memory of the commands that it has answered.

use std::collections::BTreeMap;

use hustings_protocol::{
    CommandId, DeviceId, ErrorCode, Outcome, PeerId, Receipt, Rejection, Revision, Seq, WINDOW,
};
use uuid::Uuid;

/// The last outcomes of each device that ever sent a command.
///
/// A device may have [`WINDOW`] commands without an outcome, and as many outcomes are remembered
/// for it: if a command may be sent again, its outcome is still known. So the memory grows with
/// devices, and never with history.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dedup {
    devices: BTreeMap<(PeerId, DeviceId), Window>,
    /// The number of outcomes that are remembered of people without standing.
    of_strangers: usize,
}

#[derive(Debug, Clone)]
struct Window {
    /// The remembered outcomes, in the order of their numbers. The last one is never forgotten.
    receipts: Vec<Kept>,
    /// The highest of the ids so far. They begin with the time, so nearly every new one is higher,
    /// and need not be looked for.
    highest: CommandId,
}

/// A [`Receipt`] as it is kept. Nearly all are of commands that were applied, so the reason of a
/// rejection is elsewhere, and no room for it is in each.
#[derive(Debug, Clone)]
struct Kept {
    seq: Seq,
    command_id: CommandId,
    digest: u64,
    outcome: Result<Revision, Box<Rejection>>,
}

impl From<Receipt> for Kept {
    fn from(receipt: Receipt) -> Self {
        let Receipt {
            seq,
            command_id,
            digest,
            outcome,
        } = receipt;
        Self {
            seq,
            command_id,
            digest,
            outcome: match outcome {
                Outcome::Applied(revision) => Ok(revision),
                Outcome::Rejected(rejection) => Err(Box::new(rejection)),
            },
        }
    }
}

impl Kept {
    fn outcome(&self) -> Outcome {
        match &self.outcome {
            Ok(revision) => Outcome::Applied(*revision),
            Err(rejection) => Outcome::Rejected(Rejection::clone(rejection)),
        }
    }

    fn receipt(&self) -> Receipt {
        Receipt {
            seq: self.seq,
            command_id: self.command_id,
            digest: self.digest,
            outcome: self.outcome(),
        }
    }
}

/// The owner's knowledge of a command that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is the next of its device.
    New,
    /// It already has this outcome.
    Before(Outcome),
    /// It already has this outcome, under another number.
    Renumbered(Outcome),
    /// It contradicts an earlier command.
    Violation(Rejection),
    /// Commands before it are missing.
    Gap(Rejection),
}

impl Dedup {
    /// Finds out if this command was answered before. `oldest` is the lowest number that the device
    /// may still send: every earlier command has had its outcome, even if this journal has lost it.
    pub(crate) fn look_up(
        &self,
        author: PeerId,
        device: DeviceId,
        oldest: Seq,
        (command_id, seq, digest): (CommandId, Seq, u64),
    ) -> Seen {
        let none = Window::EMPTY;
        let window = self.devices.get(&(author, device)).unwrap_or(&none);
        let last = window.last().max(oldest.get() - 1);
        if seq.get() > last + 1 {
            return Seen::Gap(Rejection::new(
                ErrorCode::SeqGap,
                format!("command {seq} arrived, but {} is next", last + 1),
            ));
        }
        if let Some(known) = window.find(seq) {
            return if known.command_id != command_id {
                Seen::Violation(Rejection::new(
                    ErrorCode::SeqReused,
                    format!("the number {seq} was already used for another command"),
                ))
            } else if known.digest == digest {
                Seen::Before(known.outcome())
            } else {
                Seen::Violation(command_reused())
            };
        }
        if seq.get() <= last {
            return Seen::Violation(Rejection::new(
                ErrorCode::SeqForgotten,
                format!("command {seq} is older than the last {WINDOW} of its device"),
            ));
        }
        // A new number, but an id that was used before: a device whose outbox is an old copy has
        // numbered it anew.
        if command_id > window.highest {
            return Seen::New;
        }
        let mut receipts = window.receipts.iter();
        match receipts.find(|receipt| receipt.command_id == command_id) {
            Some(known) if known.digest == digest => Seen::Renumbered(known.outcome()),
            Some(_) => Seen::Violation(command_reused()),
            None => Seen::New,
        }
    }

    /// True if this device has ever sent a command.
    pub(crate) fn knows(&self, peer: PeerId, device: DeviceId) -> bool {
        self.devices.contains_key(&(peer, device))
    }

    /// The number of devices of this identity that have ever sent a command.
    pub(crate) fn devices_of(&self, peer: PeerId) -> usize {
        self.windows_of(peer).count()
    }

    fn windows_of(&self, peer: PeerId) -> impl Iterator<Item = (DeviceId, &Window)> {
        let (first, last) = ([0; 5], [0xff; 5]);
        let all = (peer, DeviceId::from_bytes(first))..=(peer, DeviceId::from_bytes(last));
        let windows = self.devices.range(all);
        windows.map(|((_, device), window)| (*device, window))
    }

    /// The number of outcomes that are remembered of people without standing.
    pub(crate) fn of_strangers(&self) -> usize {
        self.of_strangers
    }

    /// Counts the outcomes of people without standing anew.
    pub(crate) fn count_strangers(&mut self, is_stranger: impl Fn(PeerId) -> bool) {
        let devices = self.devices.iter();
        let of_strangers = devices.filter(|((peer, _), _)| is_stranger(*peer));
        self.of_strangers = of_strangers.map(|(_, window)| window.receipts.len()).sum();
    }

    /// Somebody has standing from now on.
    pub(crate) fn gains_standing(&mut self, peer: PeerId) {
        let windows = self.windows_of(peer);
        let receipts: usize = windows.map(|(_, window)| window.receipts.len()).sum();
        self.of_strangers = self.of_strangers.saturating_sub(receipts);
    }

    /// The remembered outcomes of an identity, with their devices.
    pub(crate) fn outcomes_of(&self, peer: PeerId) -> impl Iterator<Item = (DeviceId, Receipt)> {
        let windows = self.windows_of(peer);
        windows.flat_map(|(device, window)| {
            let receipts = window.receipts.iter();
            receipts.map(move |kept| (device, kept.receipt()))
        })
    }

    /// Forgets a device of somebody without standing.
    pub(crate) fn forget_stranger(&mut self, author: PeerId, device: DeviceId) {
        if let Some(window) = self.devices.remove(&(author, device)) {
            self.of_strangers = self.of_strangers.saturating_sub(window.receipts.len());
        }
    }

    /// Remembers an outcome of somebody without standing.
    pub(crate) fn record_stranger(&mut self, author: PeerId, device: DeviceId, receipt: Receipt) {
        let before = self.receipts_of(author, device);
        self.record(author, device, receipt);
        // One that leaves the window may have been the last of several that are gone.
        let after = self.of_strangers + self.receipts_of(author, device);
        self.of_strangers = after.saturating_sub(before);
    }

    fn receipts_of(&self, author: PeerId, device: DeviceId) -> usize {
        let window = self.devices.get(&(author, device));
        window.map_or(0, |window| window.receipts.len())
    }

    /// Remembers an outcome, and forgets the one that leaves the window.
    pub(crate) fn record(&mut self, author: PeerId, device: DeviceId, receipt: Receipt) {
        let window = self
            .devices
            .entry((author, device))
            .or_insert(Window::EMPTY);
        let last = window.last().max(receipt.seq.get());
        window.highest = window.highest.max(receipt.command_id);
        // Saturates at zero while the window is not full yet.
        let oldest_kept = (last + 1).saturating_sub(WINDOW);
        let leaves = |kept: &Kept| kept.seq.get() < oldest_kept;
        // First, or the list would take twice the memory for the one that is too many. All have to
        // move up, which is little beside what a command costs.
        let leaving = window.receipts.partition_point(leaves);
        window.receipts.drain(..leaving);
        if window.receipts.len() < 4 {
            // Most people vote once or twice, and of the usual four places the others would stay
            // empty.
            window.receipts.reserve_exact(1);
        }
        window.receipts.push(receipt.into());
    }

    /// The last number of a device that has its outcome.
    pub(crate) fn last_seq(&self, author: PeerId, device: DeviceId) -> Option<Seq> {
        // Zero, before the first command, is no number.
        Seq::new(self.devices.get(&(author, device))?.last())
    }

    /// The number of the next command of a device.
    pub(crate) fn next_seq(&self, author: PeerId, device: DeviceId) -> Seq {
        self.last_seq(author, device).map_or(Seq::FIRST, Seq::next)
    }
}

impl Window {
    const EMPTY: Self = Self {
        receipts: Vec::new(),
        // No id is lower. A command that had this one would be looked for, and not be found.
        highest: CommandId::from_uuid(Uuid::nil()),
    };

    /// The last number that has an outcome; zero before the first.
    fn last(&self) -> u64 {
        self.receipts.last().map_or(0, |receipt| receipt.seq.get())
    }

    fn find(&self, seq: Seq) -> Option<&Kept> {
        let at = self.receipts.partition_point(|receipt| receipt.seq < seq);
        self.receipts.get(at).filter(|receipt| receipt.seq == seq)
    }
}

fn command_reused() -> Rejection {
    Rejection::new(
        ErrorCode::CommandReused,
        "the command id was already used for another command",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    const AUTHOR: PeerId = PeerId::from_bytes([1; 32]);
    const DEVICE: DeviceId = DeviceId::from_bytes([2; 5]);

    fn seq(number: u64) -> Seq {
        Seq::new(number).unwrap()
    }

    fn id(number: u64) -> CommandId {
        CommandId::new(number, [0; 10])
    }

    fn receipt(number: u64) -> Receipt {
        Receipt {
            seq: seq(number),
            command_id: id(number),
            digest: number,
            outcome: Outcome::Applied(Revision::new(number).unwrap()),
        }
    }

    fn after(count: u64) -> Dedup {
        let mut dedup = Dedup::default();
        for number in 1..=count {
            dedup.record(AUTHOR, DEVICE, receipt(number));
        }
        dedup
    }

    fn code(seen: &Seen) -> Option<&ErrorCode> {
        match seen {
            Seen::Violation(rejection) | Seen::Gap(rejection) => Some(&rejection.code),
            Seen::New | Seen::Before(_) | Seen::Renumbered(_) => None,
        }
    }

    #[test]
    fn the_last_64_are_known_and_the_one_before_is_not() {
        let dedup = after(100);
        let look = |number| {
            dedup.look_up(
                AUTHOR,
                DEVICE,
                Seq::FIRST,
                (id(number), seq(number), number),
            )
        };
        assert_eq!(look(101), Seen::New);
        assert_eq!(look(100), Seen::Before(receipt(100).outcome));
        assert_eq!(look(37), Seen::Before(receipt(37).outcome));
        assert_eq!(code(&look(36)), Some(&ErrorCode::SeqForgotten));
        assert_eq!(code(&look(102)), Some(&ErrorCode::SeqGap));
        let receipts = &dedup.devices[&(AUTHOR, DEVICE)].receipts;
        assert_eq!(receipts.len(), 64);
        let bytes = receipts.capacity() * size_of::<Kept>();
        assert!(bytes <= 64 * 48, "{bytes} bytes");
    }

    #[test]
    fn a_rejection_is_remembered_as_it_was() {
        let mut dedup = after(1);
        let rejected = Receipt {
            outcome: Outcome::Rejected(Rejection::new(ErrorCode::PollClosed, "it is closed")),
            ..receipt(2)
        };
        dedup.record(AUTHOR, DEVICE, rejected.clone());
        let look = dedup.look_up(AUTHOR, DEVICE, Seq::FIRST, (id(2), seq(2), 2));
        assert_eq!(look, Seen::Before(rejected.outcome.clone()));
        let all: Vec<_> = dedup.outcomes_of(AUTHOR).collect();
        assert_eq!(all, [(DEVICE, receipt(1)), (DEVICE, rejected)]);
    }

    #[test]
    fn the_same_number_or_id_for_something_else_is_a_violation() {
        let dedup = after(3);
        let look = |command, number, digest| {
            dedup.look_up(
                AUTHOR,
                DEVICE,
                Seq::FIRST,
                (id(command), seq(number), digest),
            )
        };
        assert_eq!(code(&look(2, 2, 9)), Some(&ErrorCode::CommandReused));
        assert_eq!(code(&look(9, 2, 2)), Some(&ErrorCode::SeqReused));
        assert_eq!(code(&look(2, 4, 9)), Some(&ErrorCode::CommandReused));
        assert_eq!(look(2, 4, 2), Seen::Renumbered(receipt(2).outcome));
    }

    #[test]
    fn a_device_that_is_ahead_of_a_lost_journal_goes_on() {
        let mut dedup = after(3);
        let look = |dedup: &Dedup, number| {
            dedup.look_up(AUTHOR, DEVICE, seq(50), (id(number), seq(number), number))
        };
        assert_eq!(look(&dedup, 50), Seen::New);
        assert_eq!(code(&look(&dedup, 51)), Some(&ErrorCode::SeqGap));
        dedup.record(AUTHOR, DEVICE, receipt(50));
        assert_eq!(look(&dedup, 51), Seen::New);
        assert_eq!(code(&look(&dedup, 49)), Some(&ErrorCode::SeqForgotten));
    }

    #[test]
    fn devices_are_apart() {
        let dedup = after(3);
        let other = DeviceId::from_bytes([3; 5]);
        let look = dedup.look_up(AUTHOR, other, Seq::FIRST, (id(77), seq(1), 1));
        assert_eq!(look, Seen::New);
        assert_eq!(dedup.next_seq(AUTHOR, other), Seq::FIRST);
        assert_eq!(dedup.next_seq(AUTHOR, DEVICE), seq(4));
    }
}
