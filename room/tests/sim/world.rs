//! The kinds of schedules: what may go wrong in one, beside crashes and links.

use std::str::FromStr;

/// An enum, and a list of all that it may be.
macro_rules! kinds {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $kind:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$doc])* $kind,)* }

        impl $name {
            /// Every kind.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];
        }
    };
}

kinds! {
/// A kind of schedule: the thing that goes wrong in it, beside what goes wrong in each.
Kind {
    /// Some of what may be mixed, as the seed says.
    Mixed,
    /// Only what goes wrong in each.
    Plain,
    /// Somebody with a key of their own keeps to no protocol.
    Hostile,
    /// While the owner is away somebody else is at its address, who cannot prove to be the owner.
    Impostor,
    /// The impostor answers the greeting with a challenge.
    ForgedChallenge,
    /// The owner's own profile is used a second time, to join the poll that it hosts.
    CopiedOwner,
    /// One of the participants is another device of another.
    Devices,
    /// People type more than a text may have.
    TooMuch,
    /// The participants' first lives are of a build with wider limits than the owner's.
    WiderLimits,
    /// Clocks jump ahead by hours, stand still, and show any date.
    BadClocks,
    /// Clocks start shortly before the end of time.
    EndOfTime,
    /// Disks refuse to read or to write, and say so.
    FullDisks,
    /// The owner's disk takes longer to read than participants are held waiting.
    OpenedLate,
    /// At a crash the owner's disk is put back to an earlier copy.
    OldJournal,
    /// The owner's disk is copied to another machine; at a crash the other of the two comes back, as
    /// it was left.
    MovedOwner,
    /// At a crash a participant's disk is put back to an earlier copy.
    OldOutbox,
    /// At a crash a participant's outbox loses a command.
    LostEntry,
    /// Strangers come in numbers, to polls with little room for them.
    Crowd,
    /// A snapshot of the poll has little room.
    Small,
    /// Strangers come in numbers, to a host with few links.
    FewLinks,
    /// One of the participants cannot read some updates, as if a later version had made them.
    ReadsLess,
    /// The poll is closed and opened again while its host runs, by two at once.
    OpensAgain,
    /// A participant's disk is deleted and made anew while its process runs.
    MadeAnew,
    /// At a crash a bit of a participant's cache changes.
    DamagedCache,
    /// The owner's disk has another poll, of which a record is damaged.
    OtherPolls,
    /// The owner hosts two polls, and participants join one or the other at each start.
    TwoPolls,
    /// People type what cannot be seen, or what is there already.
    OddTexts,
    /// People and others send a great deal at once, and seldom look at what they are told.
    Floods,
    /// Members are not shown each vote: ballots are secret, or results are not live, as the seed
    /// says.
    Secret,
    /// Moderators change options and remove people, in polls of which each is told a part.
    Moderated,
    /// All are two people, each on several devices, of which every one has a clock of its own.
    Tabs,
    /// Only invited people vote: invitations are issued, redeemed by whoever has one, and
    /// withdrawn.
    Invited,
    /// Two polls, and in each of them somebody hostile, who sends the frames of the other.
    TwoHostile,
}
}

impl Kind {
    /// The kinds that are held, and change too much to be mixed with others.
    pub(crate) const ALONE: &[Self] = &[
        Self::OldJournal,
        Self::MovedOwner,
        Self::OldOutbox,
        Self::LostEntry,
        Self::Crowd,
        Self::Small,
        Self::FewLinks,
        Self::ReadsLess,
        Self::OpensAgain,
        Self::MadeAnew,
        Self::DamagedCache,
        Self::OtherPolls,
        Self::TwoPolls,
        Self::TwoHostile,
        Self::OddTexts,
        Self::Floods,
        Self::Moderated,
        Self::Tabs,
        Self::Invited,
    ];

    /// The kinds in which every guarantee is held today, and that may be mixed.
    pub(crate) const HELD: &[Self] = &[
        Self::Plain,
        Self::Hostile,
        Self::Impostor,
        Self::ForgedChallenge,
        Self::CopiedOwner,
        Self::Devices,
        Self::TooMuch,
        Self::WiderLimits,
        Self::BadClocks,
        Self::FullDisks,
        Self::OpenedLate,
        Self::Secret,
    ];

    /// The things that go wrong in a schedule of this kind.
    pub(crate) fn world(self, seed: u64) -> World {
        if self == Self::Mixed {
            return Self::mixed(seed);
        }
        let mut kinds = vec![self];
        // An impostor, who says to be the owner.
        if self == Self::ForgedChallenge {
            kinds.push(Self::Impostor);
        }
        let wants_hostile = [Self::Crowd, Self::FewLinks, Self::Floods, Self::TwoHostile];
        if wants_hostile.contains(&self) {
            kinds.push(Self::Hostile);
        }
        if self == Self::Moderated {
            kinds.push(Self::Secret);
        }
        if self == Self::Invited && seed.is_multiple_of(2) {
            kinds.push(Self::Secret);
        }
        if self == Self::TwoHostile {
            kinds.push(Self::TwoPolls);
        }
        if self == Self::TwoPolls {
            let old: [&[Self]; 3] = [&[], &[Self::OldJournal], &[Self::OldOutbox]];
            kinds.extend(old[usize::try_from(seed % 3).expect("there are three")]);
        }
        if self == Self::Tabs && seed % 3 == 2 {
            kinds.push(Self::OldJournal);
        }
        let mut world = World::default();
        for kind in kinds {
            world.goes_wrong |= World::bit(kind);
        }
        world
    }

    /// Each of the kinds that are held, with a chance of one in four.
    fn mixed(seed: u64) -> World {
        let mut world = World::default();
        let mut bits = seed ^ 0x9e37_79b9_7f4a_7c15;
        for kind in Self::HELD {
            bits = bits.wrapping_mul(0xd120_2c5a_5b6d_36e9).rotate_left(23) ^ seed;
            if bits >> 62 == 0 {
                world.goes_wrong |= kind.world(seed).goes_wrong;
            }
        }
        world
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut kinds = Self::ALL.iter();
        let found = kinds.find(|kind| format!("{kind:?}").eq_ignore_ascii_case(text));
        found.copied().ok_or(())
    }
}

/// The things that go wrong in a schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct World {
    /// A bit for each kind.
    goes_wrong: u64,
}

impl World {
    const fn bit(kind: Kind) -> u64 {
        1 << kind as u64
    }

    /// This goes wrong.
    pub(crate) const fn has(&self, kind: Kind) -> bool {
        self.goes_wrong & Self::bit(kind) > 0
    }

    /// From now on this does not.
    pub(crate) fn stops(&mut self, kind: Kind) {
        self.goes_wrong &= !Self::bit(kind);
    }

    /// Disks are put back to earlier copies, or lose something.
    pub(crate) fn has_old_copies(&self) -> bool {
        let kinds = [
            Kind::OldJournal,
            Kind::MovedOwner,
            Kind::OldOutbox,
            Kind::LostEntry,
            Kind::MadeAnew,
        ];
        kinds.iter().any(|kind| self.has(*kind))
    }
}
