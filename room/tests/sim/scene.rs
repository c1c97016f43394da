//! The place where the parts of all processes meet: who is alive, where they die, and what the
//! oracle says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hustings_outbox::{Batch, MemoryStore, Write};
use hustings_protocol::{
    Address, CommandId, DeviceId, ErrorCode, Limits, Message, PeerId, RoomId, WINDOW, batch,
};
use hustings_room::clock::Clock;
use hustings_room::{Event, LinkId};
use hustings_transport_mem::{MemoryNet, VirtualClock};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::clock::OwnClock;
use super::cost::Meter;
use super::oracle::{Copied, Oracle};
use super::points::Points;
use super::tap::messages_of;
use super::{Kind, Plan, Plant, Violation, World};

/// The owner's place among the processes.
pub(super) const OWNER: usize = 0;

/// The commands that may arrive on a blocked link until it is hung up: as many as may be owed their
/// answers, and as many as a driver takes in one go before it hangs up, of which the last frame may
/// be a whole batch.
const MAX_OWED: usize = WINDOW as usize + 256 + batch::MAX_MESSAGES;
/// The frames that are remembered for those who send them once more.
const OVERHEARD: usize = 32;

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
    /// The next read of its disk fails.
    FailedRead,
    /// The next commit fails, for want of room.
    Full { took_effect: bool },
}

/// The process at the other end of one of the owner's links.
#[derive(Debug)]
pub(super) struct Across {
    /// Its place; `None` for somebody hostile.
    pub(super) slot: Option<usize>,
    /// The poll that it joins; `None` for somebody hostile, who asks for any.
    pub(super) poll: Option<usize>,
    /// The commands that came since the link was blocked; `None` while it is not.
    unanswered: Option<BTreeSet<CommandId>>,
}

/// The world outside the drivers.
pub(super) struct Scene {
    pub(super) plan: Plan,
    pub(super) world: World,
    pub(super) net: MemoryNet,
    clock: VirtualClock,
    rng: ChaCha8Rng,
    hasher: DefaultHasher,
    /// The line that is being traced.
    line: String,
    pub(super) oracle: Oracle,
    /// The first guarantee that was broken.
    violation: Option<Violation>,
    /// Once the owner has made it.
    pub(super) room: Option<RoomId>,
    /// The owner's other polls, of which each is held against the guarantees by itself.
    pub(super) others: Vec<Other>,
    pub(super) slots: Vec<Slot>,
    /// The longest that a commit takes, in milliseconds.
    pub(super) commit_millis: u64,
    /// Of a hundred frames, so many find no room, however much there is.
    pub(super) refused_of_100: u64,
    /// The longest that a read takes, in milliseconds.
    pub(super) read_millis: u64,
    /// The links of the owner's present life.
    across: BTreeMap<LinkId, Across>,
    /// From where hostile peers dial.
    pub(super) hostile: Vec<Address>,
    /// The last frames of participants.
    pub(super) overheard: VecDeque<Bytes>,
    /// The boundaries at which processes die, where a story says so and not chance.
    pub(super) points: Option<Points>,
}

/// A poll that the owner hosts beside the first.
pub(super) struct Other {
    pub(super) room: RoomId,
    pub(super) oracle: Oracle,
}

/// One process, running or not, and its disk.
pub(super) struct Slot {
    pub(super) address: Address,
    pub(super) peer: PeerId,
    pub(super) device: DeviceId,
    /// The poll that a participant's process joins: the first is 0.
    pub(super) poll: usize,
    pub(super) clock: OwnClock,
    pub(super) memory: MemoryStore,
    /// An earlier copy of it, to which it may be put back.
    pub(super) copy: Option<(MemoryStore, Vec<Copied>)>,
    /// The relaxed commits since the last strict one: a loss of power leaves some of the first.
    pub(super) relaxed: Vec<Batch>,
    /// The number of times that the disk was made anew: an open handle is of one of them.
    pub(super) births: u64,
    /// True while the process has a disk that is not there any more, and nobody has told it so. It
    /// knows things that are stored nowhere.
    pub(super) is_stale: bool,
    /// The batch that [`Plant::AnswerBeforeCommit`] has answered and not written.
    pub(super) unwritten: Option<Batch>,
    /// The number of this start of the process, from one.
    pub(super) life: u64,
    pub(super) is_alive: bool,
    pub(super) is_committing: bool,
    /// The times that it has died since it last did anything to its disk or its network.
    pub(super) deaths: u64,
    /// The things that its driver has heard in its present step, and the bytes of frames.
    pub(super) heard: usize,
    pub(super) heard_bytes: u64,
    /// True once its driver may end: it was told to close, or its disk failed.
    pub(super) may_end: bool,
    pub(super) doom: Option<Doom>,
    /// The things that it may still do before it dies of its doom.
    pub(super) outputs_left: Option<u64>,
}

impl Scene {
    pub(super) fn new(plan: Plan, net: MemoryNet, clock: VirtualClock, slots: Vec<Slot>) -> Self {
        let devices = slots.iter().map(|slot| (slot.peer, slot.device)).collect();
        let world = plan.world();
        let mut scene = Self {
            plan,
            world,
            net,
            clock,
            rng: ChaCha8Rng::seed_from_u64(!plan.seed),
            hasher: DefaultHasher::new(),
            line: String::new(),
            oracle: Oracle::new(devices, &world),
            violation: None,
            room: None,
            others: Vec::new(),
            slots,
            commit_millis: 0,
            refused_of_100: 0,
            read_millis: 0,
            across: BTreeMap::new(),
            hostile: Vec::new(),
            overheard: VecDeque::new(),
            points: None,
        };
        scene.trace("seed", &plan.seed);
        scene.trace("kind", &(plan.kind, world));
        scene
    }

    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    pub(super) fn is_planted(&self, plant: Plant) -> bool {
        self.plan.plant == Some(plant)
    }

    pub(super) fn trace(&mut self, what: &str, value: &dyn fmt::Debug) {
        self.trace_with(what, value, &[]);
    }

    /// The same for a frame, of which only a reader wants to see the text.
    pub(super) fn trace_frame(&mut self, what: &str, slot: usize, link: LinkId, frame: &Bytes) {
        self.trace_with(what, &(slot, link), &[frame]);
    }

    /// The same for what a disk is given.
    pub(super) fn trace_batch(&mut self, what: &str, slot: usize, batch: &Batch) {
        let mut parts: Vec<&[u8]> = Vec::new();
        for write in batch.writes() {
            match write {
                Write::Put { key, value } => parts.extend([b"put", &key[..], &value[..]]),
                Write::Delete { key } => parts.extend([b"delete", &key[..]]),
                Write::DeleteRange { range } => {
                    parts.extend([b"delete range", &range.start[..], &range.end[..]]);
                }
            }
        }
        self.trace_with(what, &slot, &parts);
    }

    /// Bytes are hashed as they are: the text of them would cost more than all the rest.
    fn trace_with(&mut self, what: &str, value: &dyn fmt::Debug, bytes: &[&[u8]]) {
        self.oracle.report.events += 1;
        let now = self.clock.now().as_millis();
        self.line.clear();
        write!(self.line, "{now:>7} {what} {value:?}").expect("a text takes everything");
        self.hasher.write(self.line.as_bytes());
        for part in bytes {
            self.hasher.write_usize(part.len());
            self.hasher.write(part);
        }
        if self.plan.is_verbose {
            for part in bytes {
                self.line.push(' ');
                self.line.push_str(&String::from_utf8_lossy(part));
            }
            let shown: String = self.line.chars().take(400).collect();
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

    // The polls.

    /// The oracle of a poll; `None` if it is not there yet.
    pub(super) fn oracle_of(&mut self, poll: usize) -> Option<&mut Oracle> {
        match poll.checked_sub(1) {
            None => Some(&mut self.oracle),
            Some(at) => self.others.get_mut(at).map(|other| &mut other.oracle),
        }
    }

    pub(super) fn room_of(&self, poll: usize) -> Option<RoomId> {
        match poll.checked_sub(1) {
            None => self.room,
            Some(at) => self.others.get(at).map(|other| other.room),
        }
    }

    /// The place of a poll among the owner's.
    pub(super) fn poll_of(&self, room: RoomId) -> usize {
        let at = self.others.iter().position(|other| other.room == room);
        at.map_or(0, |at| at + 1)
    }

    /// All that the oracles know.
    fn oracles(&mut self) -> impl Iterator<Item = &mut Oracle> {
        let others = self.others.iter_mut().map(|other| &mut other.oracle);
        std::iter::once(&mut self.oracle).chain(others)
    }

    /// Asks the oracle of a poll.
    pub(super) fn ask(
        &mut self,
        poll: usize,
        ask: impl FnOnce(&mut Oracle) -> Result<(), Violation>,
    ) {
        if let Some(oracle) = self.oracle_of(poll) {
            let held = ask(oracle);
            self.held(held);
        }
    }

    /// A frame leaves the owner of which nobody knows the poll: it keeps the guarantees in one.
    pub(super) fn sent_to_any(
        &mut self,
        slot: usize,
        to: Option<Option<usize>>,
        frame: &[u8],
    ) -> Result<(), Violation> {
        let mut sent = Ok(());
        for oracle in self.oracles() {
            sent = oracle.sent(slot, to, frame);
            if sent.is_ok() {
                break;
            }
        }
        sent
    }

    /// The owner's disk has polls that it had not.
    pub(super) fn finds(&mut self, rooms: &[RoomId]) {
        for room in rooms {
            match self.room {
                None => self.room = Some(*room),
                Some(first) if first == *room => {}
                Some(_) if self.others.iter().any(|other| other.room == *room) => {}
                Some(_) => {
                    let slots = self.slots.iter();
                    let devices = slots.map(|slot| (slot.peer, slot.device)).collect();
                    let oracle = Oracle::new(devices, &self.world);
                    let room = *room;
                    self.others.push(Other { room, oracle });
                }
            }
        }
    }

    /// Somebody hostile appears.
    pub(super) fn meet(&mut self, stranger: PeerId) {
        for oracle in self.oracles() {
            oracle.meet(stranger);
        }
    }

    // The owner's links.

    /// Somebody has dialled the owner.
    pub(super) fn link_up(&mut self, link: LinkId) {
        let owner = self.slots[OWNER].address;
        let leads_to = |address: &Address| self.net.links_to(&owner, address).contains(&link);
        if self.hostile.iter().any(leads_to) {
            let across = Across {
                slot: None,
                poll: None,
                unanswered: None,
            };
            self.across.insert(link, across);
        } else if let Some(slot) = self.slots.iter().position(|it| leads_to(&it.address)) {
            let across = Across {
                slot: Some(slot),
                poll: Some(self.slots[slot].poll),
                unanswered: None,
            };
            self.across.insert(link, across);
        }
    }

    /// The other end of one of the owner's links; `None` if that was gone before it was asked.
    pub(super) fn across(&self, link: LinkId) -> Option<&Across> {
        self.across.get(&link)
    }

    /// A link of another poll than these, for a bug on purpose.
    pub(super) fn stray(&self, links: &[LinkId]) -> Option<LinkId> {
        let of = self.across(*links.first()?)?.poll?;
        let mut others = self.across.iter();
        let stray = others.find(|(_, it)| it.poll.is_some_and(|poll| poll != of));
        stray
            .filter(|_| self.is_planted(Plant::RelayToOther))
            .map(|(link, _)| *link)
    }

    pub(super) fn is_hostile(&self, link: LinkId) -> bool {
        self.across(link).is_some_and(|it| it.slot.is_none())
    }

    /// The owner takes a frame of somebody hostile.
    pub(super) fn hostile_frame(&mut self, link: LinkId, frame: &Bytes) {
        let messages = messages_of(frame);
        self.oracle.report.hostile += messages.len() as u64;
        self.oracle.report.hostile_bytes += frame.len() as u64;
        let Some(Across {
            unanswered: Some(unanswered),
            ..
        }) = self.across.get_mut(&link)
        else {
            return;
        };
        for message in &messages {
            if let Ok(Message::Command(numbered)) = Message::decode(message, &Limits::unbounded()) {
                unanswered.insert(numbered.command_id);
            }
        }
        let count = unanswered.len();
        if count > MAX_OWED {
            self.breaks(format!(
                "{link} is blocked, and {count} answers are kept for it"
            ));
        }
    }

    /// A link of the owner has no room, or has some again.
    pub(super) fn is_blocked(&mut self, link: LinkId, is_blocked: bool) {
        if let Some(across) = self.across.get_mut(&link) {
            if is_blocked {
                across.unanswered.get_or_insert_default();
            } else {
                across.unanswered = None;
            }
        }
    }

    /// A frame of a participant, that somebody else may send once more.
    pub(super) fn overhear(&mut self, frame: &Bytes) {
        if self.world.has(Kind::Hostile) {
            self.overheard.push_back(frame.clone());
            if self.overheard.len() > OVERHEARD {
                self.overheard.pop_front();
            }
        }
    }

    /// A process tells its application something.
    pub(super) fn told(&mut self, slot: usize, poll: usize, event: &Event) {
        self.trace("told", &(slot, event));
        if self.slots[slot].is_stale {
            return;
        }
        let is_hidden = match event {
            Event::HistoryReplaced { .. } => self.is_planted(Plant::HideReplaced),
            Event::JournalRolledBack { .. } => self.is_planted(Plant::HideRolledBack),
            Event::Connection(_)
            | Event::PollChanged { .. }
            | Event::Command { .. }
            | Event::PeersChanged(_)
            | Event::Fault { .. }
            | Event::Missed { .. }
            | _ => false,
        };
        if is_hidden {
            return;
        }
        // An impostor may say anything.
        let is_expected = match event {
            Event::Fault {
                link, rejection, ..
            } if slot == OWNER => {
                // Whoever takes all the links takes an honest one's place now and then; and
                // commands arrive without a proof that found no room.
                self.is_hostile(*link)
                    || rejection.code == ErrorCode::Busy && !self.hostile.is_empty()
                    || rejection.code == ErrorCode::TooLong && self.world.has(Kind::WiderLimits)
            }
            Event::Fault { rejection, .. } => {
                self.world.has(Kind::Impostor)
                    || self.world.has(Kind::ReadsLess)
                    || rejection.code == ErrorCode::Busy && !self.hostile.is_empty()
            }
            Event::Connection(_)
            | Event::PollChanged { .. }
            | Event::Command { .. }
            | Event::PeersChanged(_)
            | Event::JournalRolledBack { .. }
            | Event::HistoryReplaced { .. }
            | Event::Missed { .. }
            | _ => false,
        };
        if !is_expected {
            self.ask(poll, |oracle| oracle.told(slot, event));
        }
    }

    /// A process is gone from one moment to the next, and perhaps its machine, too.
    pub(super) fn die(&mut self, slot: usize) {
        if !self.slots[slot].is_alive {
            return;
        }
        let has_power = match &self.points {
            Some(points) => points.keeps_power(),
            None => self.draw(2) == 0,
        };
        self.trace("crash", &(slot, has_power));
        self.oracle.report.crashes += 1;
        self.end(slot);
        self.net.crash(&self.slots[slot].address);
        if !has_power {
            self.lose_power(slot);
        }
        self.slots[slot].deaths += 1;
        if self.points.is_none() {
            self.worsen(slot);
        }
    }

    /// A process comes to a boundary between it and the outside. False if it dies there.
    pub(super) fn crosses(&mut self, slot: usize, what: &'static str) -> bool {
        let Some(points) = &mut self.points else {
            return true;
        };
        let Some(number) = points.next() else {
            return true;
        };
        let dies = points.is_crash(number);
        self.trace("boundary", &(number, slot, what));
        if dies {
            self.oracle.report.torn += 1;
            self.die(slot);
        }
        !dies
    }

    fn lose_power(&mut self, slot: usize) {
        let written = self.slots[slot].relaxed.len() as u64;
        let kept = match self.points {
            Some(_) => 0,
            None => self.draw(written + 1),
        };
        let kept = usize::try_from(kept).expect("there are few");
        let slot = &mut self.slots[slot];
        slot.memory.crash();
        slot.relaxed.truncate(kept);
        for batch in slot.relaxed.clone() {
            slot.write(batch, hustings_outbox::Durability::Relaxed);
        }
    }

    /// Somebody makes a copy of a disk.
    pub(super) fn copy(&mut self, slot: usize) {
        let is_of_it = match slot {
            OWNER => {
                (self.world.has(Kind::OldJournal) || self.world.has(Kind::MovedOwner))
                    && self.room.is_some()
            }
            _ => self.world.has(Kind::OldOutbox),
        };
        if is_of_it && self.slots[slot].copy.is_none() {
            self.trace("copy", &slot);
            self.leave(slot);
        }
    }

    /// The things that happen to the disk of a dead process, in worlds where such things happen.
    fn worsen(&mut self, slot: usize) {
        if self.slots[slot].copy.is_some()
            && self.draw(2) == 0
            && let Some((memory, copied)) = self.slots[slot].copy.take()
        {
            if slot == OWNER && self.world.has(Kind::MovedOwner) {
                self.leave(slot);
            }
            self.put_back(slot, &memory, copied);
        }
        if slot != OWNER && self.world.has(Kind::DamagedCache) {
            self.damage_cache(slot);
        }
        if slot != OWNER && self.world.has(Kind::LostEntry) {
            let poll = self.slots[slot].poll;
            let numbers = self.oracle_of(poll).map(|oracle| oracle.numbers(slot));
            let numbers = numbers.unwrap_or_default();
            if !numbers.is_empty() && self.draw(2) == 0 {
                let at = self.draw(numbers.len() as u64);
                let seq = numbers[usize::try_from(at).expect("there are few")];
                self.trace("loses", &(slot, seq));
                self.forget(slot, seq);
                if let Some(oracle) = self.oracle_of(poll) {
                    oracle.loses(slot, seq);
                }
            }
        }
    }

    /// The disk of a dead process becomes what it once was.
    fn put_back(&mut self, slot: usize, memory: &MemoryStore, copied: Vec<Copied>) {
        self.trace("put back", &slot);
        self.slots[slot].memory.restore(memory);
        self.slots[slot].relaxed.clear();
        for (oracle, copied) in self.oracles().zip(copied) {
            oracle.put_back(slot, copied);
        }
    }

    /// A disk is deleted, and there is a new and empty one in its place. Whoever has it open finds
    /// out at the next use.
    pub(super) fn make_anew(&mut self, slot: usize) {
        self.trace("made anew", &slot);
        let place = &mut self.slots[slot];
        place.memory.restore(&MemoryStore::new());
        place.relaxed.clear();
        place.births += 1;
        place.is_stale = place.is_alive;
        for oracle in self.oracles() {
            oracle.put_back(slot, Copied::nothing());
        }
    }

    /// A disk stays as it is now, and may come back.
    fn leave(&mut self, slot: usize) {
        let copied = self.oracles().map(|oracle| oracle.copied(slot)).collect();
        self.slots[slot].copy = Some((self.slots[slot].memory.fork(), copied));
    }

    /// The disk of a dead process becomes the copy that was made of it, if any.
    pub(super) fn restore(&mut self, slot: usize) {
        if let Some((memory, copied)) = self.slots[slot].copy.take() {
            if self.world.has(Kind::MovedOwner) {
                self.leave(slot);
            }
            self.put_back(slot, &memory, copied);
        }
    }

    /// A process does nothing more.
    pub(super) fn end(&mut self, slot: usize) {
        if slot == OWNER {
            self.across.clear();
        }
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
    pub(super) meter: Option<Meter>,
}

impl Process {
    /// The next start of the process in this place.
    pub(super) fn start(scene: &Arc<Mutex<Scene>>, slot: usize) -> Self {
        let mut locked = lock(scene);
        locked.trace("start", &slot);
        for oracle in locked.oracles() {
            oracle.restarts(slot);
        }
        let place = &mut locked.slots[slot];
        place.life += 1;
        place.is_alive = true;
        place.may_end = false;
        place.is_stale = false;
        let life = place.life;
        // What only the owner costs is of interest.
        let meter = locked.plan.meter.filter(|_| slot == OWNER);
        drop(locked);
        Self {
            scene: Arc::clone(scene),
            slot,
            life,
            meter,
        }
    }

    pub(super) const fn life(&self) -> u64 {
        self.life
    }

    /// The process is no more, and has left so much memory.
    pub(super) fn has_kept(&self, bytes: u64) {
        let mut scene = lock(&self.scene);
        let members = scene.oracle.members();
        scene.oracle.report.cost.kept.push((members, bytes));
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
        if !scene.crosses(self.slot, "output") {
            return None;
        }
        scene.slots[self.slot].deaths = 0;
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
