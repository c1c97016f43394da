//! Short stories, each told once for every boundary that its processes come to, with a crash there;
//! and once for every two, the second of them while everything recovers from the first.
//!
//! A boundary is where a process and the outside meet: before a commit, in the midst of it (where
//! nothing of it is durable), after it (where all of it is, and nobody has heard so), before a
//! read, before anything that it does to the network, and before it hears anything. They are
//! numbered in the order in which they come, over all processes. A crash takes the process, or its
//! whole machine with everything that it has not synced.

use super::{Kind, Plan, Plant, Report, Violation};

/// The crashes in a telling of a story.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Crashes<'a> {
    /// The numbers of the boundaries, from zero.
    pub(crate) at: &'a [u64],
    /// The machine goes with the process.
    pub(crate) is_of_power: bool,
}

/// The boundaries of a telling.
#[derive(Debug)]
pub(super) struct Points {
    at: Vec<u64>,
    is_of_power: bool,
    /// The boundaries so far.
    count: u64,
    /// True until the faults stop.
    is_on: bool,
}

impl Points {
    pub(super) fn new(crashes: &Crashes<'_>) -> Self {
        Self {
            at: crashes.at.to_vec(),
            is_of_power: crashes.is_of_power,
            count: 0,
            is_on: true,
        }
    }

    /// The number of one more boundary, if they still count.
    pub(super) fn next(&mut self) -> Option<u64> {
        let number = self.count;
        self.count += u64::from(self.is_on);
        self.is_on.then_some(number)
    }

    pub(super) fn is_crash(&self, number: u64) -> bool {
        self.at.contains(&number)
    }

    pub(super) const fn keeps_power(&self) -> bool {
        !self.is_of_power
    }

    /// No boundary counts any more.
    pub(super) fn end(&mut self) {
        self.is_on = false;
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

/// A thing that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask {
    /// A vote for the option at this place.
    Vote(usize),
    /// One more option, which has this place from then on.
    Add(usize, &'static str),
    Name(&'static str),
    /// A participant, by its place among the processes, may only look on.
    Silence(usize),
    /// Nobody may vote any more.
    Close,
}

/// One step of a story. Numbers are those of processes; the owner's is 0.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// It starts, and is started again whenever it has died.
    Starts(usize),
    /// It asks for something.
    Asks(usize, Ask),
    /// Its links are cut.
    Cut(usize),
    /// It joins another poll of the same owner, with the same disk.
    Moves(usize, usize),
    /// It leaves in good order, and is not there until it starts.
    Leaves(usize),
    /// It dies, and is not there until it starts.
    Dies(usize),
    /// Its disk is copied.
    Copied(usize),
    /// It dies, and comes back with the copy of its disk; in the world of an owner that moves, what
    /// it had is the copy from then on.
    Restored(usize),
    /// A moment passes, too short for anybody to notice that a link is gone.
    Moment,
    /// Everybody who is there has what was asked for.
    Settles,
}

/// A short story.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    kind: Kind,
    participants: usize,
    pub(super) acts: &'static [Act],
}

use Act::{Asks, Copied, Cut, Dies, Leaves, Moment, Moves, Restored, Settles, Starts};
use Ask::{Add, Close, Name, Silence, Vote};

/// All of them. The owner's process starts before the first act, with a new poll.
pub(crate) const STORIES: &[Story] = &[
    Story {
        name: "a vote",
        kind: Kind::Plain,
        participants: 1,
        acts: &[Starts(1), Settles, Asks(1, Vote(0)), Settles],
    },
    Story {
        name: "an option that two add",
        kind: Kind::Plain,
        participants: 2,
        acts: &[
            Starts(1),
            Starts(2),
            Settles,
            Asks(1, Add(4, "Barbara L.")),
            Asks(2, Add(4, "Barbara L.")),
            Settles,
        ],
    },
    Story {
        name: "a vote without a link, and a rejoin",
        kind: Kind::Plain,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Cut(1),
            Asks(1, Vote(1)),
            Leaves(1),
            Asks(0, Vote(0)),
            Starts(1),
            Settles,
        ],
    },
    Story {
        name: "a role that changes under a vote",
        kind: Kind::Plain,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Asks(1, Vote(0)),
            Asks(0, Silence(1)),
            Asks(1, Vote(1)),
            Settles,
        ],
    },
    Story {
        name: "a rejection",
        kind: Kind::Plain,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Asks(0, Close),
            Settles,
            Asks(1, Vote(0)),
            Asks(1, Name("Ada")),
            Settles,
        ],
    },
    Story {
        name: "two devices of one",
        kind: Kind::Devices,
        participants: 2,
        acts: &[
            Starts(1),
            Starts(2),
            Settles,
            Asks(1, Vote(0)),
            Asks(2, Vote(1)),
            Settles,
        ],
    },
    Story {
        name: "an outbox that a later life adopts",
        kind: Kind::Plain,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Dies(0),
            Asks(1, Vote(0)),
            Asks(1, Vote(1)),
            Moment,
            Dies(1),
            Starts(1),
            Asks(1, Name("Ada")),
            Starts(0),
            Settles,
        ],
    },
    Story {
        name: "a vote in each of two polls",
        kind: Kind::TwoPolls,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Asks(1, Vote(0)),
            Moves(1, 1),
            Asks(1, Vote(1)),
            Settles,
            Moves(1, 0),
            Settles,
        ],
    },
    Story {
        name: "an owner with an old copy of its journal",
        kind: Kind::OldJournal,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Copied(0),
            Asks(1, Vote(0)),
            Settles,
            Restored(0),
            Asks(0, Vote(1)),
            Settles,
        ],
    },
    Story {
        name: "an owner on two machines, one after the other",
        kind: Kind::MovedOwner,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Copied(0),
            Asks(1, Vote(0)),
            Restored(0),
            Asks(1, Vote(1)),
            Settles,
            Restored(0),
            Settles,
        ],
    },
    Story {
        name: "a participant with an old copy of its outbox",
        kind: Kind::OldOutbox,
        participants: 1,
        acts: &[
            Starts(1),
            Settles,
            Copied(1),
            Asks(1, Vote(0)),
            Settles,
            Restored(1),
            Asks(1, Vote(1)),
            Settles,
        ],
    },
];

impl Story {
    pub(super) fn plan(&self, plant: Option<Plant>, is_verbose: bool) -> Plan {
        Plan {
            kind: self.kind,
            participants: self.participants,
            plant,
            is_verbose,
            ..Plan::new(0, 0)
        }
    }
}

/// A story that was told, and kept every guarantee.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The boundaries that its processes came to.
    pub(crate) points: u64,
    pub(crate) report: Report,
}

/// Tells a story with these crashes.
pub(crate) fn tell(
    story: &Story,
    crashes: &Crashes<'_>,
    plant: Option<Plant>,
    is_verbose: bool,
) -> Result<Told, Violation> {
    super::schedule::tell(story, crashes, story.plan(plant, is_verbose))
}
