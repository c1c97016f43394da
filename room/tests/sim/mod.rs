//! A seeded world of one owner and several participants over the in-memory network, in which
//! processes crash at every boundary between them and the outside.
//!
//! The drivers are the real ones, on one thread and in virtual time. [`schedule`] is the schedule:
//! the things that people do, and those that break. Between each driver and the outside stand a
//! [`disk`] and a [`tap`], where a process can be ended, and where everything is seen that becomes
//! durable or is sent; [`process`] ends it, and looks at it after each of its steps. They all meet
//! in the [`scene`]. [`oracle`] is told, knows nothing of how it comes about, and says which
//! guarantee is broken.

mod disk;
mod oracle;
mod process;
mod scene;
mod schedule;
mod tap;

use std::fmt;

pub(crate) use schedule::run;

/// One schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    pub(crate) plant: Option<Plant>,
    pub(crate) is_verbose: bool,
}

impl Plan {
    /// The steps of a full schedule.
    pub(crate) const STEPS: usize = 120;

    pub(crate) fn new(seed: u64, steps: usize) -> Self {
        Self {
            seed,
            steps,
            plant: None,
            is_verbose: false,
        }
    }
}

/// A bug on purpose, to see that it is caught: a disk or a network that does not do what it says,
/// which looks from outside like a driver that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A commit is answered before it is durable.
    AnswerBeforeCommit,
    /// A restarted owner has forgotten what it answered.
    ForgetReceipts,
    /// A participant forgets a command when it has been sent.
    SettleWhenSent,
    /// The journal's update is durable, its receipt is not.
    TearReceipts,
    /// A participant's last command is missing after a restart.
    LoseQueued,
    /// Commits that must survive a loss of power do not.
    WriteRelaxed,
    /// A relay to one of the others is lost on a link that goes on.
    DropRelay,
}

impl Plant {
    pub(crate) const ALL: [Self; 7] = [
        Self::AnswerBeforeCommit,
        Self::ForgetReceipts,
        Self::SettleWhenSent,
        Self::TearReceipts,
        Self::LoseQueued,
        Self::WriteRelaxed,
        Self::DropRelay,
    ];
}

/// Counts of what happened in a schedule that kept every guarantee.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// A hash over everything that happened.
    pub(crate) trace: u64,
    pub(crate) applied: u64,
    pub(crate) rejected: u64,
    pub(crate) resent: u64,
    pub(crate) crashes: u64,
    /// Crashes at a boundary: around a commit, or between it and what follows it.
    pub(crate) torn: u64,
    /// Commits that failed.
    pub(crate) failed: u64,
    pub(crate) links: u64,
    pub(crate) snapshots: u64,
    pub(crate) blocked: u64,
}

impl Report {
    pub(crate) fn add(&mut self, other: &Self) {
        self.applied += other.applied;
        self.rejected += other.rejected;
        self.resent += other.resent;
        self.crashes += other.crashes;
        self.torn += other.torn;
        self.failed += other.failed;
        self.links += other.links;
        self.snapshots += other.snapshots;
        self.blocked += other.blocked;
    }
}

/// The guarantees G1 to G12, as they stand in `ARCHITECTURE.md`.
const GUARANTEES: [&str; 12] = [
    "every submitted command ends with exactly one outcome and takes effect at most once",
    "an ack that was sent survives any later crash of the owner",
    "nothing leaves the owner before it is durable; no command leaves a participant before it is in \
     the outbox",
    "revisions +1, gap-free; the poll a participant shows is always the fold of a prefix of the \
     owner's journal, moving forward only",
    "snapshot + updates = full replay, byte for byte",
    "pending = submitted - (acknowledged or rejected) at every step and across restarts",
    "order per (author, device) is kept",
    "a rejection is final, has no effect, and is repeated identically",
    "after the faults stop, all converge within the largest backoff plus ten round trips, with \
     nothing pending",
    "no input makes a panic, memory or work that grows with anything but honest members, or an \
     effect in someone else's name",
    "any sequence of clock readings changes only timers",
    "the same seed gives the same trace",
];

/// A broken guarantee.
#[derive(Debug)]
pub(crate) struct Violation {
    /// Its number, from 1.
    pub(crate) guarantee: usize,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guarantee, what } = self;
        let sentence = GUARANTEES[guarantee - 1];
        write!(f, "G{guarantee} is broken, \"{sentence}\": {what}")
    }
}

/// Says which guarantee is broken unless a condition holds.
macro_rules! hold {
    ($guarantee:literal, $condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::sim::Violation { guarantee: $guarantee, what: format!($($what)+) });
        }
    };
}
pub(crate) use hold;
