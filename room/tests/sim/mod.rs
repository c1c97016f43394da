//! A seeded world of one owner and several participants over the in-memory network, in which
//! processes crash at every boundary between them and the outside.
//!
//! The drivers are the real ones, on one thread and in virtual time. [`schedule`] is the schedule:
//! the things that people do, and those that break. Between each driver and the outside stand a
//! [`disk`] and a [`tap`], where a process can be ended, and where everything is seen that becomes
//! durable or is sent; [`process`] ends it, and looks at it after each of its steps. They all meet
//! in the [`scene`]. [`hostile`] has those who keep to no protocol, [`clock`] the clocks, and
//! [`world`] the kinds of schedules. [`oracle`] is told, knows nothing of how it comes about, and
//! says which guarantee is broken; [`ballots`] is its part about votes. [`history`] is the same for
//! a checker that is not ours.
//!
//! [`cost`] counts what an owner allocates. [`points`] has short stories instead of random
//! schedules, told once for each boundary that their processes come to, with a crash there.

mod ballots;
mod clock;
pub(crate) mod cost;
mod disk;
mod draws;
mod history;
mod hostile;
mod invitations;
mod keys;
mod oracle;
mod points;
mod process;
mod scene;
pub(crate) mod schedule;
mod tap;
mod world;

use std::fmt;

use cost::{Cost, Meter};
pub(crate) use history::{History, Spoilt};
pub(crate) use points::{Crashes, STORIES, Story, tell};
pub(crate) use schedule::run;
pub(crate) use world::{Kind, World};

/// One schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) steps: usize,
    /// The processes beside the owner's.
    pub(crate) participants: usize,
    pub(crate) plant: Option<Plant>,
    /// True for signatures as they are made; otherwise something much cheaper stands for them, where
    /// the feature `planted` allows it.
    pub(crate) signs: bool,
    pub(crate) is_verbose: bool,
    /// Counts what the owner costs.
    pub(crate) meter: Option<Meter>,
}

impl Plan {
    /// The steps of a full schedule.
    pub(crate) const STEPS: usize = 120;
    /// Of so many schedules, one has real signatures.
    const SIGNS_OF: u64 = 16;

    pub(crate) fn new(seed: u64, steps: usize) -> Self {
        Self {
            seed,
            kind: Kind::Mixed,
            steps,
            participants: 4,
            plant: None,
            signs: seed.is_multiple_of(Self::SIGNS_OF),
            is_verbose: false,
            meter: None,
        }
    }

    /// A full schedule of one kind.
    pub(crate) fn of(kind: Kind, seed: u64) -> Self {
        Self {
            kind,
            ..Self::new(seed, Self::STEPS)
        }
    }

    /// The polls that the owner hosts.
    pub(crate) fn polls(&self) -> usize {
        1 + usize::from(self.world().has(Kind::TwoPolls))
    }

    pub(crate) fn world(&self) -> World {
        self.kind.world(self.seed)
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
    /// An `ack` is lost on a link that goes on.
    DropAck,
    /// An `error` about a command is lost on a link that goes on.
    DropError,
    /// One of the others does not hear who came or went, on a link that goes on.
    DropPresence,
    /// Somebody gets another name than the one that was stored.
    AlterRelay,
    /// An `ack` becomes an `error` on its way.
    TurnAck,
    /// Some timers never go off.
    StuckTimer,
    /// The last update of the journal is missing after a restart.
    LoseUpdate,
    /// The last update of the journal is another one after a restart.
    AlterUpdate,
    /// An update is stored twice, at two revisions.
    StoreTwice,
    /// A crash in the midst of a commit leaves half of it.
    HalfCommit,
    /// The last update of the journal is missing once its process has died twice, and did nothing
    /// in between.
    LoseTwice,
    /// A relay to those in one poll goes to somebody in the other, too.
    RelayToOther,
    /// A participant is not told that it has another history.
    HideReplaced,
    /// The owner is not told that its journal is an old copy.
    HideRolledBack,
    /// Everything that the owner hears is kept, each frame in a buffer of its own.
    Hoard,
    /// Everything that the owner hears is gone through each time that it hears something.
    Toil,
}

impl Plant {
    /// Those that break a guarantee. The others break a budget.
    pub(crate) const ALL: [Self; 21] = [
        Self::AnswerBeforeCommit,
        Self::ForgetReceipts,
        Self::SettleWhenSent,
        Self::TearReceipts,
        Self::LoseQueued,
        Self::WriteRelaxed,
        Self::DropRelay,
        Self::DropAck,
        Self::DropError,
        Self::DropPresence,
        Self::AlterRelay,
        Self::TurnAck,
        Self::StuckTimer,
        Self::LoseUpdate,
        Self::AlterUpdate,
        Self::StoreTwice,
        Self::HalfCommit,
        Self::LoseTwice,
        Self::RelayToOther,
        Self::HideReplaced,
        Self::HideRolledBack,
    ];

    /// The kind of schedules that may show it.
    pub(crate) const fn kind(self) -> Kind {
        if matches!(self, Self::RelayToOther) {
            return Kind::TwoPolls;
        }
        if matches!(self, Self::HideReplaced | Self::HideRolledBack) {
            return Kind::MovedOwner;
        }
        Kind::Plain
    }
}

/// Counts of what happened in a schedule that kept every guarantee.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Everything that was asked for and shown.
    pub(crate) history: History,
    /// A hash over everything that happened.
    pub(crate) trace: u64,
    pub(crate) applied: u64,
    pub(crate) rejected: u64,
    /// Votes that came after a newer one of their author.
    pub(crate) superseded: u64,
    /// The people who came by an invitation.
    pub(crate) invited: u64,
    pub(crate) resent: u64,
    pub(crate) crashes: u64,
    /// Crashes at a boundary: around a commit, or between it and what follows it.
    pub(crate) torn: u64,
    /// Commits that failed.
    pub(crate) failed: u64,
    pub(crate) links: u64,
    pub(crate) snapshots: u64,
    pub(crate) blocked: u64,
    /// Messages that hostile peers sent and the owner took.
    pub(crate) hostile: u64,
    /// Messages that the owner sent to hostile peers alone.
    pub(crate) answers: u64,
    /// The bytes of either.
    pub(crate) hostile_bytes: u64,
    pub(crate) answer_bytes: u64,
    /// Frames with more than one message that the processes have sent.
    pub(crate) batches: u64,
    /// Disks that were put back to an earlier copy, or lost something.
    pub(crate) put_back: u64,
    /// Epochs that began after that.
    pub(crate) epochs: u64,
    /// Times that somebody was told to have missed events.
    pub(crate) missed: u64,
    /// The cost of the owner, if there is a meter.
    pub(crate) cost: Cost,
    /// Greetings that an impostor got.
    pub(crate) deceived: u64,
    /// Steps of schedules.
    pub(crate) steps: u64,
    /// Lines of the trace.
    pub(crate) events: u64,
}

impl Report {
    pub(crate) fn add(&mut self, other: &Self) {
        self.applied += other.applied;
        self.rejected += other.rejected;
        self.superseded += other.superseded;
        self.invited += other.invited;
        self.resent += other.resent;
        self.crashes += other.crashes;
        self.torn += other.torn;
        self.failed += other.failed;
        self.links += other.links;
        self.snapshots += other.snapshots;
        self.blocked += other.blocked;
        self.hostile += other.hostile;
        self.answers += other.answers;
        self.hostile_bytes += other.hostile_bytes;
        self.batches += other.batches;
        self.answer_bytes += other.answer_bytes;
        self.put_back += other.put_back;
        self.epochs += other.epochs;
        self.missed += other.missed;
        self.deceived += other.deceived;
        self.cost.add(&other.cost);
        self.steps += other.steps;
        self.events += other.events;
    }

    /// Every count, under its name.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("applied", self.applied),
            ("rejected", self.rejected),
            ("superseded", self.superseded),
            ("invited", self.invited),
            ("resent", self.resent),
            ("crashes", self.crashes),
            ("torn", self.torn),
            ("failed", self.failed),
            ("links", self.links),
            ("snapshots", self.snapshots),
            ("blocked", self.blocked),
            ("hostile", self.hostile),
            ("answers", self.answers),
            ("hostile_bytes", self.hostile_bytes),
            ("batches", self.batches),
            ("answer_bytes", self.answer_bytes),
            ("deceived", self.deceived),
            ("steps", self.steps),
            ("events", self.events),
        ]
    }
}

/// The guarantees G1 to G13, as they stand in `ARCHITECTURE.md`.
const GUARANTEES: [&str; 13] = [
    "every submitted command ends with exactly one outcome and takes effect at most once",
    "an ack that was sent survives any later crash of the owner",
    "nothing leaves the owner before it is durable; no command leaves a participant before it is in \
     the outbox",
    "revisions +1, gap-free; the poll a participant shows is always the projection of the fold of a \
     prefix of the owner's journal, moving forward only",
    "snapshot + updates = full replay, byte for byte",
    "pending = submitted - (acknowledged or rejected) at every step and across restarts",
    "order per (author, device) is kept",
    "a rejection is final, has no effect, and is repeated identically",
    "after the faults stop, all converge within the largest backoff plus ten round trips, with \
     nothing pending",
    "no input makes a panic, memory or work that grows with anything but honest members, or an \
     effect in someone else's name",
    "any sequence of clock readings changes only timers, and which of two votes counts that did not \
     know of each other",
    "the same seed gives the same trace",
    "of two choices of one person the one counts that knew of the other, or else the later one",
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
