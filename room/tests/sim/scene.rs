//! The place where the parts of all processes meet: who is alive, where they die, and what the
//! oracle says.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hustings_outbox::{Batch, MemoryStore};
use hustings_protocol::{Address, DeviceId, RoomId};
use hustings_room::clock::Clock;
use hustings_transport_mem::{MemoryNet, VirtualClock};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::oracle::Oracle;
use super::{Plan, Plant, Violation};

/// The owner's place among the processes.
pub(super) const OWNER: usize = 0;

/// The boundary at which a process dies, as seen from its next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    /// Before the disk hears of it.
    BeforeCommit,
    /// While the disk is at it: nobody hears whether it was done.
    DuringCommit { is_durable: bool },
    /// After the commit and so many of the things that follow it.
    AfterCommit { outputs: u64 },
    /// The commit fails, with or without effect.
    FailedCommit { took_effect: bool },
    /// At the next read of its disk.
    AtRead,
}

/// The world outside the drivers.
pub(super) struct Scene {
    pub(super) plan: Plan,
    pub(super) net: MemoryNet,
    clock: VirtualClock,
    rng: ChaCha8Rng,
    hasher: DefaultHasher,
    pub(super) oracle: Oracle,
    /// The first guarantee that was broken.
    violation: Option<Violation>,
    /// Once the owner has made it.
    pub(super) room: Option<RoomId>,
    pub(super) slots: Vec<Slot>,
    /// The longest that a commit takes, in milliseconds.
    pub(super) commit_millis: u64,
    /// Of a hundred frames, so many find no room, however much there is.
    pub(super) refused_of_100: u64,
}

/// One process, running or not, and its disk.
pub(super) struct Slot {
    pub(super) address: Address,
    pub(super) device: DeviceId,
    pub(super) memory: MemoryStore,
    /// The relaxed commits since the last strict one: a loss of power leaves some of the first.
    pub(super) relaxed: Vec<Batch>,
    /// The batch that [`Plant::AnswerBeforeCommit`] has answered and not written.
    pub(super) unwritten: Option<Batch>,
    /// The number of this start of the process, from one.
    pub(super) life: u64,
    pub(super) is_alive: bool,
    pub(super) is_committing: bool,
    /// True once its driver may end: it was told to close, or its disk failed.
    pub(super) may_end: bool,
    pub(super) doom: Option<Doom>,
    /// The things that it may still do before it dies of its doom.
    pub(super) outputs_left: Option<u64>,
}

impl Scene {
    pub(super) fn new(plan: Plan, net: MemoryNet, clock: VirtualClock, slots: Vec<Slot>) -> Self {
        let mut scene = Self {
            plan,
            net,
            clock,
            rng: ChaCha8Rng::seed_from_u64(!plan.seed),
            hasher: DefaultHasher::new(),
            oracle: Oracle::new(slots.len()),
            violation: None,
            room: None,
            slots,
            commit_millis: 0,
            refused_of_100: 0,
        };
        scene.trace("seed", &plan.seed);
        scene
    }

    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    pub(super) fn is_planted(&self, plant: Plant) -> bool {
        self.plan.plant == Some(plant)
    }

    pub(super) fn trace(&mut self, what: &str, value: &dyn std::fmt::Debug) {
        let line = format!("{:>7} {what} {value:?}", self.clock.now().as_millis());
        line.hash(&mut self.hasher);
        if self.plan.is_verbose {
            let shown: String = line.chars().take(400).collect();
            println!("{shown}");
        }
    }

    /// The hash over all that was traced.
    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// Keeps the first violation.
    pub(super) fn held(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            self.trace("violation", &violation);
            self.violation.get_or_insert(violation);
        }
    }

    pub(super) fn take_violation(&mut self) -> Result<(), Violation> {
        self.violation.take().map_or(Ok(()), Err)
    }

    /// Something happens that no guarantee has a number for.
    pub(super) fn breaks(&mut self, what: String) {
        self.held(Err(Violation {
            guarantee: 10,
            what,
        }));
    }

    /// A process is gone from one moment to the next, and perhaps its machine, too.
    pub(super) fn die(&mut self, slot: usize) {
        if !self.slots[slot].is_alive {
            return;
        }
        let has_power = self.draw(2) == 0;
        self.trace("crash", &(slot, has_power));
        self.oracle.report.crashes += 1;
        self.end(slot);
        self.net.crash(&self.slots[slot].address);
        if has_power {
            return;
        }
        let written = self.slots[slot].relaxed.len() as u64;
        let kept = usize::try_from(self.draw(written + 1)).expect("there are few");
        let slot = &mut self.slots[slot];
        slot.memory.crash();
        slot.relaxed.truncate(kept);
        for batch in slot.relaxed.clone() {
            slot.write(batch, hustings_outbox::Durability::Relaxed);
        }
    }

    /// A process does nothing more.
    pub(super) fn end(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        slot.is_alive = false;
        slot.is_committing = false;
        slot.unwritten = None;
        slot.doom = None;
        slot.outputs_left = None;
    }
}

/// The scene as one start of one process sees it. Parts that outlive their process do nothing.
#[derive(Clone)]
pub(super) struct Process {
    scene: Arc<Mutex<Scene>>,
    pub(super) slot: usize,
    life: u64,
}

impl Process {
    /// The next start of the process in this place.
    pub(super) fn start(scene: &Arc<Mutex<Scene>>, slot: usize) -> Self {
        let mut locked = lock(scene);
        locked.trace("start", &slot);
        locked.oracle.restarts(slot);
        let place = &mut locked.slots[slot];
        place.life += 1;
        place.is_alive = true;
        place.may_end = false;
        let life = place.life;
        drop(locked);
        Self {
            scene: Arc::clone(scene),
            slot,
            life,
        }
    }

    pub(super) const fn life(&self) -> u64 {
        self.life
    }

    /// The scene; `None` to a process that is dead.
    pub(super) fn scene(&self) -> Option<MutexGuard<'_, Scene>> {
        let scene = lock(&self.scene);
        let place = &scene.slots[self.slot];
        (place.is_alive && place.life == self.life).then_some(scene)
    }

    /// The same, for something that the process does to the outside: it may die of it.
    pub(super) fn act(&self) -> Option<MutexGuard<'_, Scene>> {
        let mut scene = self.scene()?;
        match &mut scene.slots[self.slot].outputs_left {
            Some(0) => {
                scene.die(self.slot);
                return None;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Some(scene)
    }
}

/// No step of a scene is left half done, and a panic ends the test.
pub(super) fn lock(scene: &Mutex<Scene>) -> MutexGuard<'_, Scene> {
    scene.lock().unwrap_or_else(PoisonError::into_inner)
}
