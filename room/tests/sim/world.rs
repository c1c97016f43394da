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
    ];

    /// The kinds in which every guarantee is held today.
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

    /// What may go wrong in a schedule of this kind.
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
        }
    }
}
