//! The kinds of schedules: what may go wrong in one, beside crashes and links.

use std::str::FromStr;

/// The things that may go wrong in a schedule, beside what goes wrong in each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct World {
    /// Somebody with a key of their own keeps to no protocol.
    pub(crate) is_hostile: bool,
    /// While the owner is away somebody else is at its address, who cannot prove to be the owner.
    pub(crate) has_impostor: bool,
    /// The impostor answers the greeting with a challenge.
    pub(crate) impostor_challenges: bool,
    /// The owner's own profile is used a second time, to join the poll that it hosts.
    pub(crate) has_copied_owner: bool,
    /// One of the participants is another device of another.
    pub(crate) has_devices: bool,
    /// People type more than a text may have.
    pub(crate) types_too_much: bool,
    /// The participants' first lives are of a build with wider limits than the owner's.
    pub(crate) had_wider_limits: bool,
    /// Clocks jump ahead by hours, stand still, and show any date.
    pub(crate) has_bad_clocks: bool,
    /// Clocks start shortly before the end of time.
    pub(crate) ends_in_time: bool,
    /// Disks refuse to read or to write, and say so.
    pub(crate) has_full_disks: bool,
    /// The owner's disk takes longer to read than participants are held waiting.
    pub(crate) opens_late: bool,
    /// At a crash the owner's disk is put back to an earlier copy.
    pub(crate) restores_journals: bool,
    /// The owner's disk is copied to another machine; at a crash the other of the two comes back, as
    /// it was left.
    pub(crate) moves_owner: bool,
    /// At a crash a participant's disk is put back to an earlier copy.
    pub(crate) restores_outboxes: bool,
    /// At a crash a participant's outbox loses a command.
    pub(crate) loses_entries: bool,
    /// Strangers come in numbers, to polls with little room for them.
    pub(crate) is_crowd: bool,
    /// A snapshot of the poll has little room.
    pub(crate) is_small: bool,
    /// Strangers come in numbers, to a host with few links.
    pub(crate) has_few_links: bool,
    /// One of the participants cannot read some updates, as if a later version had made them.
    pub(crate) reads_less: bool,
    /// The poll is closed and opened again while its host runs, by two at once.
    pub(crate) opens_again: bool,
    /// A participant's disk is deleted and made anew while its process runs.
    pub(crate) makes_anew: bool,
    /// At a crash a bit of a participant's cache changes.
    pub(crate) damages_caches: bool,
    /// The owner's disk has another poll, of which a record is damaged.
    pub(crate) has_other_polls: bool,
    /// The owner hosts two polls, and participants join one or the other at each start.
    pub(crate) has_two_polls: bool,
    /// People type what cannot be seen, or what is there already.
    pub(crate) types_oddly: bool,
    /// People and others send a great deal at once, and seldom look at what they are told.
    pub(crate) floods: bool,
}

/// A kind of schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Some of what follows, as the seed says.
    Mixed,
    /// Only what goes wrong in each.
    Plain,
    Hostile,
    /// Somebody at the owner's address who never says that they are the owner.
    Impostor,
    /// The same, and they say so.
    ForgedChallenge,
    CopiedOwner,
    Devices,
    TooMuch,
    WiderLimits,
    BadClocks,
    EndOfTime,
    FullDisks,
    OpenedLate,
    OldJournal,
    MovedOwner,
    OldOutbox,
    LostEntry,
    Crowd,
    Small,
    FewLinks,
    ReadsLess,
    OpensAgain,
    MadeAnew,
    DamagedCache,
    OtherPolls,
    TwoPolls,
    TwoHostile,
    OddTexts,
    Floods,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: &[Self] = &[
        Self::Mixed,
        Self::Plain,
        Self::Hostile,
        Self::Impostor,
        Self::ForgedChallenge,
        Self::CopiedOwner,
        Self::Devices,
        Self::TooMuch,
        Self::WiderLimits,
        Self::BadClocks,
        Self::EndOfTime,
        Self::FullDisks,
        Self::OpenedLate,
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
    ];

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
    ];

    /// The things that may go wrong in a schedule of this kind.
    pub(crate) fn world(self, seed: u64) -> World {
        let none = World::default();
        match self {
            Self::Mixed => Self::mixed(seed),
            Self::Plain => none,
            Self::Hostile => World {
                is_hostile: true,
                ..none
            },
            Self::Impostor => World {
                has_impostor: true,
                ..none
            },
            Self::ForgedChallenge => World {
                has_impostor: true,
                impostor_challenges: true,
                ..none
            },
            Self::CopiedOwner => World {
                has_copied_owner: true,
                ..none
            },
            Self::Devices => World {
                has_devices: true,
                ..none
            },
            Self::TooMuch => World {
                types_too_much: true,
                ..none
            },
            Self::WiderLimits => World {
                had_wider_limits: true,
                ..none
            },
            Self::BadClocks => World {
                has_bad_clocks: true,
                ..none
            },
            Self::EndOfTime => World {
                ends_in_time: true,
                ..none
            },
            Self::FullDisks => World {
                has_full_disks: true,
                ..none
            },
            Self::OpenedLate => World {
                opens_late: true,
                ..none
            },
            Self::OldJournal => World {
                restores_journals: true,
                ..none
            },
            Self::MovedOwner => World {
                moves_owner: true,
                ..none
            },
            Self::OldOutbox => World {
                restores_outboxes: true,
                ..none
            },
            Self::LostEntry => World {
                loses_entries: true,
                ..none
            },
            Self::Crowd => World {
                is_crowd: true,
                is_hostile: true,
                ..none
            },
            Self::Small => World {
                is_small: true,
                ..none
            },
            Self::FewLinks => World {
                has_few_links: true,
                is_hostile: true,
                ..none
            },
            Self::ReadsLess => World {
                reads_less: true,
                ..none
            },
            Self::OpensAgain => World {
                opens_again: true,
                ..none
            },
            Self::MadeAnew => World {
                makes_anew: true,
                ..none
            },
            Self::DamagedCache => World {
                damages_caches: true,
                ..none
            },
            Self::OtherPolls => World {
                has_other_polls: true,
                ..none
            },
            Self::TwoPolls => World {
                has_two_polls: true,
                restores_journals: seed % 3 == 1,
                restores_outboxes: seed % 3 == 2,
                ..none
            },
            Self::TwoHostile => World {
                has_two_polls: true,
                is_hostile: true,
                ..none
            },
            Self::OddTexts => World {
                types_oddly: true,
                ..none
            },
            Self::Floods => World {
                floods: true,
                is_hostile: true,
                ..none
            },
        }
    }

    /// Each of the kinds that are held, with a chance of one in four.
    fn mixed(seed: u64) -> World {
        let mut world = World::default();
        let mut bits = seed ^ 0x9e37_79b9_7f4a_7c15;
        for kind in Self::HELD {
            bits = bits.wrapping_mul(0xd120_2c5a_5b6d_36e9).rotate_left(23) ^ seed;
            if bits >> 62 == 0 {
                world = world.and(kind.world(seed));
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

impl World {
    const fn and(self, other: Self) -> Self {
        Self {
            is_hostile: self.is_hostile | other.is_hostile,
            has_impostor: self.has_impostor | other.has_impostor,
            impostor_challenges: self.impostor_challenges | other.impostor_challenges,
            has_copied_owner: self.has_copied_owner | other.has_copied_owner,
            has_devices: self.has_devices | other.has_devices,
            types_too_much: self.types_too_much | other.types_too_much,
            had_wider_limits: self.had_wider_limits | other.had_wider_limits,
            has_bad_clocks: self.has_bad_clocks | other.has_bad_clocks,
            ends_in_time: self.ends_in_time | other.ends_in_time,
            has_full_disks: self.has_full_disks | other.has_full_disks,
            opens_late: self.opens_late | other.opens_late,
            restores_journals: self.restores_journals | other.restores_journals,
            moves_owner: self.moves_owner | other.moves_owner,
            restores_outboxes: self.restores_outboxes | other.restores_outboxes,
            loses_entries: self.loses_entries | other.loses_entries,
            is_crowd: self.is_crowd | other.is_crowd,
            is_small: self.is_small | other.is_small,
            has_few_links: self.has_few_links | other.has_few_links,
            reads_less: self.reads_less | other.reads_less,
            opens_again: self.opens_again | other.opens_again,
            makes_anew: self.makes_anew | other.makes_anew,
            damages_caches: self.damages_caches | other.damages_caches,
            has_other_polls: self.has_other_polls | other.has_other_polls,
            has_two_polls: self.has_two_polls | other.has_two_polls,
            types_oddly: self.types_oddly | other.types_oddly,
            floods: self.floods | other.floods,
        }
    }

    /// Disks are put back to earlier copies, or lose something.
    pub(crate) const fn has_old_copies(&self) -> bool {
        self.makes_anew
            || self.restores_journals
            || self.moves_owner
            || self.restores_outboxes
            || self.loses_entries
    }
}
