//! Faults that were mended, put back one at a time, to see that the simulator finds them.
//!
//! Only with the feature `planted`, which is for tests; without it [`is_on`] is `false` to the
//! compiler, and nothing of a fault is in the program. It is no part of the public interface.
//!
//! Likewise [`with_stubbed_signatures`]: two thirds of a simulated handshake would be curves.

/// A fault that was once in the code: the mending asks [`is_on`] before it does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A poll is opened from what its journal was before it was opened the first time.
    OpenFromOldJournal,
    /// `submit` takes and stores what the owner can only reject.
    UncheckedSubmit,
    /// A stored command that nobody would take today keeps its device out.
    StoredCommandBlocks,
    /// A revision that nobody can have seen makes the owner renew its journal.
    BelieveRevisions,
    /// A blocked link that goes on asking is owed more and more.
    OweWithoutBound,
    /// A poll grows above what a frame may have.
    StateOverLimit,
    /// Somebody who cannot prove to be the owner ends a participant's attempts for good.
    ImpostorIsFinal,
    /// A poll that its host opens late is unknown for good.
    GraceByClock,
    /// An outbox that was restored from an old copy gives out numbers again.
    NumbersFromOldOutbox,
    /// A journal that was restored from an old copy and has gone on with other content is taken for
    /// the one that was lost.
    NoHistoryDigest,
    /// A participant that starts anew does not know what it was acknowledged before.
    ForgetsApplied,
    /// Every vote is told to everybody, whatever the poll shows.
    TellsVotes,
    /// Invitations are told to everybody.
    TellsInvitations,
    /// An invitation that was redeemed can be redeemed again.
    InvitationTwice,
    /// The invitations are not in the journal's snapshots.
    InvitationsNotKept,
    /// Everybody who has the link votes, in a poll for invited people, too.
    UninvitedVote,
    /// A moderator lets people vote who have no invitation.
    ModeratorsInvite,
    /// An owner keeps what people have sent who may only look.
    KeepsPassing,
    /// Numbers are told before they are due.
    ShowsEarly,
    /// Votes are told after what came after them.
    TellsLate,
    /// Strangers fill the list of members.
    StrangersFillMembers,
    /// Strangers leave receipts without end.
    StrangersFillReceipts,
    /// Strangers take every link.
    StrangersTakeLinks,
    /// A command that is too large for the owner has no answer.
    TooLargeIsNameless,
    /// An update that cannot be read is not asked for again.
    UnreadableIsMissed,
    /// Of what a blocked link is owed, the answers go before the poll.
    AnswersBeforePoll,
    /// A violation on a blocked link has no answer.
    ViolationUnanswered,
    /// The owner's own device may join its poll.
    OwnerJoins,
    /// A number that is missing in a stored outbox makes its commands gaps for ever.
    HoleInOutbox,
    /// A cache that does not read keeps its device out.
    UnreadableCacheBlocks,
    /// An owner begins a poll that it could not restore.
    CreateUnchecked,
    /// A driver with events to handle never lets others run.
    NeverYields,
    /// A listener that is too slow is not told that it has missed something.
    SilentLag,
    /// A command's id may be of any kind.
    AnyCommandId,
    /// Texts may be of nothing that can be seen.
    InvisibleText,
    /// Two labels of a poll may look the same.
    SameLabels,
    /// A store that was made anew under an open handle is taken for the one before.
    BornAgain,
    /// A damaged record costs more than its own poll.
    DamageSpreads,
    /// A flipped bit in a stored record is not seen.
    NoChecksum,
    /// A vote that comes late counts, though its author has made a newer choice.
    LateVoteWins,
    /// A journal's snapshot does not say how choices were cast.
    CastsNotKept,
}

impl Fault {
    /// Every fault.
    pub const ALL: &[Self] = &[
        Self::OpenFromOldJournal,
        Self::UncheckedSubmit,
        Self::StoredCommandBlocks,
        Self::BelieveRevisions,
        Self::OweWithoutBound,
        Self::StateOverLimit,
        Self::ImpostorIsFinal,
        Self::GraceByClock,
        Self::NumbersFromOldOutbox,
        Self::NoHistoryDigest,
        Self::ForgetsApplied,
        Self::TellsVotes,
        Self::ShowsEarly,
        Self::TellsLate,
        Self::StrangersFillMembers,
        Self::StrangersFillReceipts,
        Self::StrangersTakeLinks,
        Self::TooLargeIsNameless,
        Self::UnreadableIsMissed,
        Self::AnswersBeforePoll,
        Self::ViolationUnanswered,
        Self::OwnerJoins,
        Self::HoleInOutbox,
        Self::UnreadableCacheBlocks,
        Self::CreateUnchecked,
        Self::NeverYields,
        Self::SilentLag,
        Self::AnyCommandId,
        Self::InvisibleText,
        Self::SameLabels,
        Self::BornAgain,
        Self::DamageSpreads,
        Self::NoChecksum,
        Self::LateVoteWins,
        Self::CastsNotKept,
        Self::TellsInvitations,
        Self::InvitationTwice,
        Self::InvitationsNotKept,
        Self::UninvitedVote,
        Self::ModeratorsInvite,
        Self::KeepsPassing,
    ];
}

#[cfg(feature = "planted")]
mod switch {
    use std::cell::Cell;
    use std::hash::{DefaultHasher, Hasher};

    use super::Fault;
    use crate::PeerId;
    use crate::handshake::Signature;

    thread_local! {
        static ON: Cell<Option<Fault>> = const { Cell::new(None) };
        static IS_STUBBED: Cell<bool> = const { Cell::new(false) };
    }

    /// True where this fault is put back, on this thread.
    #[must_use]
    pub fn is_on(fault: Fault) -> bool {
        ON.get() == Some(fault)
    }

    /// Runs `then` with this fault put back, if any, on this thread.
    pub fn with<R>(fault: Option<Fault>, then: impl FnOnce() -> R) -> R {
        struct Restore(Option<Fault>);
        impl Drop for Restore {
            fn drop(&mut self) {
                ON.set(self.0);
            }
        }
        let _restore = Restore(ON.replace(fault));
        then()
    }

    /// Runs `then` with hashes in place of signatures, if `is_stubbed`, on this thread. A hash
    /// proves nothing to anybody who can compute it: nobody in a simulation does.
    pub fn with_stubbed_signatures<R>(is_stubbed: bool, then: impl FnOnce() -> R) -> R {
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                IS_STUBBED.set(self.0);
            }
        }
        let _restore = Restore(IS_STUBBED.replace(is_stubbed));
        then()
    }

    /// The stand-in for the signature of `signer` over these bytes; `None` where real ones
    /// are made.
    pub(crate) fn stub(signer: PeerId, bytes: &[u8]) -> Option<Signature> {
        if !IS_STUBBED.get() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(signer.as_bytes());
        hasher.write(bytes);
        let mut signature = [0; 64];
        for part in signature.chunks_mut(8) {
            part.copy_from_slice(&hasher.finish().to_be_bytes()[..part.len()]);
            hasher.write_u8(0);
        }
        Some(Signature::from_bytes(signature))
    }
}

#[cfg(feature = "planted")]
pub(crate) use switch::stub;
#[cfg(feature = "planted")]
pub use switch::{is_on, with, with_stubbed_signatures};

/// Runs `then`: signatures are real in this build.
#[cfg(not(feature = "planted"))]
pub fn with_stubbed_signatures<R>(_: bool, then: impl FnOnce() -> R) -> R {
    then()
}

/// `None`: signatures are real in this build.
#[cfg(not(feature = "planted"))]
pub(crate) const fn stub(_: crate::PeerId, _: &[u8]) -> Option<crate::handshake::Signature> {
    None
}

/// False: no fault is put back in this build.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is_on(_: Fault) -> bool {
    false
}
