//! The schedule: what people do, and what goes wrong.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures::future::RemoteHandle;
use hustings_outbox::MemoryStore;
use hustings_protocol::{
    Address, Admission, Ballots, Command, DeviceId, InvitationIssue, InvitationRedemption,
    InvitationSecret, InvitationWithdrawal, OptionAdd, OptionId, OptionUpdate, PeerId,
    PeerReadmission, PeerRemoval, PollDraft, PollId, Results, Role, RoleUpdate, RoomId,
    SettingsUpdate, UserProfile, Vote, WINDOW,
};
use hustings_room::{Config, Connection, LinkId, Moment, OfflinePolicy, Setup};
use hustings_transport_mem::{Direction, Faults, Latency, MemoryNet, VirtualClock, VirtualRuntime};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use uuid::Uuid;

use super::clock::OwnClock;
use super::disk::Disk;
use super::draws::Draws;
use super::hostile::{Hostile, Impostor, Place, Shared, deceives, listens};
use super::points::{Act, Ask, Crashes, Points, Story, Told};
use super::process::{Handle, Handles, hosts, joins, owners};
use super::scene::{Doom, OWNER, Process, Scene, Slot, lock};
use super::tap::Tap;
use super::{Kind, Plan, Plant, Report, Violation, World, keys};

/// Most members of a poll to which strangers come.
pub(super) const MAX_MEMBERS: usize = 12;
/// Most of their rejections that its owner remembers.
pub(crate) const MAX_STRANGER_RECEIPTS: usize = 4;
/// Most links of an owner.
pub(crate) const MAX_LINKS: usize = 6;
/// Most bytes of a snapshot of a small poll.
pub(super) const MAX_STATE_BYTES: usize = 1_600;
const LATENCY: Latency = Latency {
    min: Duration::from_millis(5),
    max: Duration::from_millis(60),
};
/// After which time a cut or a crash is noticed at the other end.
const DETECTION: Duration = Duration::from_secs(2);

/// The pause between two looks at a story.
const SLICE: Duration = Duration::from_millis(300);
/// Most of them in which anything comes right: longer than the longest backoff, and than silence
/// goes unnoticed.
const MAX_SLICES: usize = 400;

struct Schedule {
    plan: Plan,
    draws: Draws,
    runtime: VirtualRuntime,
    net: MemoryNet,
    scene: Arc<Mutex<Scene>>,
    handles: Handles,
    /// Dropping one ends the process, if it still runs.
    processes: Vec<Option<RemoteHandle<()>>>,
    /// The first options of each poll, which it is born with, and those that may come.
    options: Vec<Vec<OptionId>>,
    /// Those who keep to no protocol.
    hostile: Vec<Shared>,
    impostor: Place,
    /// The processes that are started whenever they are dead.
    wanted: Vec<usize>,
}

/// Runs one schedule.
pub(crate) fn run(plan: &Plan) -> Result<Report, Violation> {
    run_drawn(plan, Vec::new())
}

/// Runs one schedule whose first choices are these bytes.
pub(crate) fn run_drawn(plan: &Plan, bytes: Vec<u8>) -> Result<Report, Violation> {
    caught(|| run_signing(plan, bytes))
}

/// Tells a story, with everything that becomes of it.
pub(super) fn tell(story: &Story, crashes: &Crashes<'_>, plan: Plan) -> Result<Told, Violation> {
    caught(|| tell_through(story, crashes, plan))
}

/// Nothing that a driver is told may make it panic.
fn caught<T>(then: impl FnOnce() -> Result<T, Violation>) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(then)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
        Err(Violation {
            guarantee: 10,
            what: format!("it panics: {}", text.unwrap_or_default()),
        })
    })
}

fn run_signing(plan: &Plan, bytes: Vec<u8>) -> Result<Report, Violation> {
    hustings_protocol::planted::with_stubbed_signatures(!plan.signs, || run_through(plan, bytes))
}

fn run_through(plan: &Plan, bytes: Vec<u8>) -> Result<Report, Violation> {
    let mut schedule = Schedule::new(*plan, bytes);
    schedule.found()?;
    for _ in 0..plan.steps {
        schedule.step()?;
    }
    schedule.heal()?;
    Ok(schedule.report())
}

fn tell_through(story: &Story, crashes: &Crashes<'_>, plan: Plan) -> Result<Told, Violation> {
    let mut schedule = Schedule::new(plan, Vec::new());
    schedule.scene().points = Some(Points::new(crashes));
    schedule.is_wanted(OWNER, true);
    schedule.has_handle(OWNER)?;
    schedule.knows_options();
    for act in story.acts {
        schedule.play(*act)?;
    }
    let mut points = 0;
    if let Some(told) = &mut schedule.scene().points {
        told.end();
        points = told.count();
    }
    schedule.heal()?;
    let report = schedule.report();
    Ok(Told { points, report })
}

/// The key of a process and its device.
fn identity(slot: usize, plan: &Plan) -> (SigningKey, DeviceId) {
    let mark = u8::try_from(slot + 1).expect("there are few slots");
    // The last participant is the one before it, on another device.
    let is_second = plan.world().has(Kind::Devices) && slot == plan.participants;
    let person = match plan.world().has(Kind::Tabs) {
        // The owner, too, has other tabs.
        true if slot <= plan.participants / 2 => mark.min(2),
        true => 1,
        false => mark - u8::from(is_second),
    };
    (keys::named(person), DeviceId::from_bytes([mark; 5]))
}

fn setup(slot: usize, life: u64, plan: &Plan) -> Setup {
    let world = plan.world();
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed ^ (slot as u64) << 32 ^ life << 48);
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    let (key, device) = identity(slot, plan);
    let mut config = Config {
        offline: OfflinePolicy::Queue,
        // Small, so that snapshots are taken.
        snapshot_after_bytes: 2_000,
        // Few, so that strangers take them all.
        max_handshakes: 6,
        max_links: MAX_LINKS,
        max_links_per_peer: 3,
        // Votes with open ballots are told one by one, or together, or both.
        tell_each_vote_up_to: [0, 2, 16][(plan.seed % 3) as usize],
        ..Config::default()
    };
    if plan.meter.is_some() {
        config.max_stranger_receipts = MAX_STRANGER_RECEIPTS;
    }
    if world.has(Kind::Crowd) {
        config.limits.max_members = MAX_MEMBERS;
        config.max_stranger_receipts = MAX_STRANGER_RECEIPTS;
    }
    if world.has(Kind::Small) {
        config.limits.max_frame_bytes = MAX_STATE_BYTES;
    }
    if world.has(Kind::TwoPolls) {
        // Room for the links that nobody knows yet to be gone, and for those who are hostile in
        // either: in a poll that somebody has just come to they have no more right to a link.
        config.max_handshakes = 24;
        config.max_links = 24;
    }
    if world.has(Kind::FewLinks) {
        // One for each of those who have a right to one.
        config.max_links = plan.participants;
        config.max_handshakes = plan.participants;
    }
    if world.has(Kind::WiderLimits) && slot != OWNER && life <= 1 {
        config.limits.max_name_chars *= 2;
    }
    let unix_millis = match rng.next_u64() % 4 {
        // As a clock shows that stands before 1970, or that nobody has ever set.
        0 if world.has(Kind::BadClocks) => 0,
        1 if world.has(Kind::BadClocks) => u64::MAX,
        // Up to an hour ahead, at any start.
        ahead if world.has(Kind::Tabs) => 1_790_000_000_000 + ahead * 1_200_000,
        _ => 1_790_000_000_000,
    };
    Setup {
        key,
        device,
        seed: bytes,
        unix_millis,
        config,
    }
}

/// Texts that are refused, each for another reason, or like those that are there; and two good
/// ones.
const ODD_TEXTS: [&str; 10] = [
    "Ada",
    "GRACE",
    "edsger",
    "\u{200b}",
    "\u{2800}",
    "",
    " Barbara",
    "\u{202e}adA",
    "Alan",
    "Kurt",
];

/// The poll that every schedule starts with.
fn draft(plan: &Plan) -> PollDraft {
    let (ballots, results) = match (plan.world().has(Kind::Secret), plan.seed % 5) {
        (false, _) => (Ballots::Open, Results::Live),
        (true, 0) => (Ballots::Open, Results::AfterVote),
        (true, 1) => (Ballots::Open, Results::AfterClose),
        (true, 2) => (Ballots::Secret, Results::AfterVote),
        (true, 3) => (Ballots::Secret, Results::AfterClose),
        (true, _) => (Ballots::Secret, Results::Live),
    };
    PollDraft::new("Who should it be?")
        .ballots(ballots)
        .results(results)
        .admission(match plan.world().has(Kind::Invited) {
            true => Admission::Invited,
            false => Admission::Link,
        })
        .options(["Ada", "Grace", "Edsger", "Barbara"])
        .voters_may_add_options(true)
}

fn place(slot: usize, plan: &Plan, clock: &VirtualClock) -> Slot {
    let world = &plan.world();
    let sticks = plan.plant == Some(Plant::StuckTimer);
    let (key, device) = identity(slot, plan);
    let peer = PeerId::of(&key);
    let address = if slot == OWNER {
        Address::Owner(peer)
    } else {
        Address::Participant(peer, device)
    };
    let start = match world.has(Kind::EndOfTime) {
        true => Moment::from_millis(u64::MAX - 200_000 * slot as u64),
        false => Moment::START,
    };
    Slot {
        address,
        peer,
        device,
        poll: 0,
        clock: OwnClock::new(clock.clone(), start, sticks),
        memory: MemoryStore::new(),
        copy: None,
        relaxed: Vec::new(),
        births: 0,
        is_stale: false,
        unwritten: None,
        life: 0,
        is_alive: false,
        is_committing: false,
        deaths: 0,
        heard: 0,
        heard_bytes: 0,
        may_end: false,
        doom: None,
        outputs_left: None,
    }
}

impl Schedule {
    fn new(plan: Plan, bytes: Vec<u8>) -> Self {
        let runtime = VirtualRuntime::new();
        let clock = runtime.clock().clone();
        let net = MemoryNet::new(plan.seed, LATENCY, Arc::new(clock.clone()));
        net.set_detection(DETECTION);
        let slots = (0..=plan.participants).map(|slot| place(slot, &plan, &clock));
        let slots = slots.collect();
        let scene = Scene::new(plan, net.clone(), clock, slots);
        Self {
            plan,
            draws: Draws::new(bytes, plan.seed),
            runtime,
            net,
            scene: Arc::new(Mutex::new(scene)),
            handles: Handles::new(vec![None; plan.participants + plan.polls()].into()),
            processes: (0..=plan.participants).map(|_| None).collect(),
            options: Vec::new(),
            hostile: Vec::new(),
            impostor: Place::default(),
            wanted: Vec::new(),
        }
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        lock(&self.scene)
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.draws.below(below)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.draw(from.len() as u64);
        from[usize::try_from(index).expect("there are few")]
    }

    fn room(&self) -> RoomId {
        self.scene().room.expect("the poll has been made")
    }

    fn handle(&self, slot: usize) -> Option<Handle> {
        let handle = self.handles.borrow()[slot].clone();
        handle.filter(Handle::is_live)
    }

    /// The owner's handle of one of its polls.
    fn owner(&self, poll: usize) -> Option<Handle> {
        let place = match poll {
            0 => OWNER,
            _ => owners(poll, self.handles.borrow().len()),
        };
        self.handle(place)
    }

    /// The poll that a process is asked about, and somebody's handle of it.
    fn asks(&mut self, slot: usize) -> (usize, Option<Handle>) {
        match slot {
            OWNER if self.world().has(Kind::TwoPolls) => {
                let poll = self.pick(&[0, 1]);
                (poll, self.owner(poll))
            }
            _ => {
                let poll = self.scene().slots[slot].poll;
                (poll, self.handle(slot))
            }
        }
    }

    fn is_alive(&self, slot: usize) -> bool {
        self.scene().slots[slot].is_alive
    }

    // What happens.

    /// The owner makes the poll, and everybody comes. From then on things go wrong, some of them
    /// more with this seed than with another.
    fn found(&mut self) -> Result<(), Violation> {
        self.start(OWNER);
        self.advance(Duration::ZERO)?;
        self.knows_options();
        for slot in 1..=self.plan.participants {
            self.start(slot);
        }
        let world = self.world();
        if world.has(Kind::Crowd) || world.has(Kind::FewLinks) {
            // Whoever has a right to something has voted; the owner has all of them without.
            for slot in 1..=self.plan.participants {
                self.advance(Duration::from_secs(1))?;
                self.votes(slot);
            }
            self.advance(Duration::from_secs(1))?;
        }
        // Mostly small, so that links are blocked.
        let mut queue = self.pick(&[1_200, 1_200, 1_200, 100_000]);
        if world.has(Kind::Floods) {
            queue *= 10;
        }
        self.net.set_queue_limit(queue);
        let commit_millis = self.pick(&[0, 0, 5, 50, 300]);
        let refused_of_100 = self.pick(&[0, 0, 2, 10]);
        {
            let mut scene = self.scene();
            scene.commit_millis = commit_millis;
            scene.refused_of_100 = refused_of_100;
            // Longer than a host lets anybody wait for a poll.
            if scene.world.has(Kind::OpenedLate) {
                scene.read_millis = 20_000;
            }
            if scene.world.has(Kind::OpensAgain) {
                scene.read_millis = 300;
            }
        }
        let faults = Faults {
            cut_per_frame: self.pick(&[0.0, 0.0, 0.005, 0.02]),
            silence_per_frame: self.pick(&[0.0, 0.0, 0.005]),
            refuse_per_dial: self.pick(&[0.0, 0.1, 0.3]),
        };
        self.net.set_faults(faults);
        let all = (queue, commit_millis, refused_of_100, faults);
        self.scene().trace("faults", &all);
        if world.has(Kind::OtherPolls) {
            self.scene().add_other_poll();
        }
        if world.has(Kind::Hostile) {
            for poll in 0..self.plan.polls() {
                self.meet(None, poll);
            }
        }
        if world.has(Kind::CopiedOwner) {
            self.meet(Some(identity(OWNER, &self.plan)), 0);
        }
        Ok(())
    }

    /// The options of the new poll, and those that may come.
    fn knows_options(&mut self) {
        for poll in 0..self.plan.polls() {
            let room = self.owner(poll).expect("the poll is made").room;
            let poll = room.poll().expect("it is hosted");
            let first = poll.options().iter().map(|it| it.option_id);
            let later = (1..=4).map(|number| OptionId::from_uuid(Uuid::from_u128(number)));
            self.options.push(first.chain(later).collect());
        }
    }

    fn report(&self) -> Report {
        let mut scene = self.scene();
        let mut report = std::mem::take(&mut scene.oracle.report);
        for other in &scene.others {
            report.add(&other.oracle.report);
        }
        report.trace = scene.hash();
        report.steps = self.plan.steps as u64;
        report
    }

    // Stories.

    /// From now on a process is started whenever it is dead, or is not.
    fn is_wanted(&mut self, slot: usize, is_wanted: bool) {
        self.wanted.retain(|wanted| *wanted != slot);
        if is_wanted {
            self.wanted.push(slot);
        }
    }

    /// A little time passes, and whoever died in it is started again.
    fn passes(&mut self) -> Result<(), Violation> {
        for slot in self.wanted.clone() {
            self.start(slot);
        }
        self.advance(SLICE)
    }

    /// A process is there, so that somebody can ask it for something.
    fn has_handle(&mut self, slot: usize) -> Result<Handle, Violation> {
        for _ in 0..MAX_SLICES {
            let is_up = slot != OWNER || (1..self.plan.polls()).all(|it| self.owner(it).is_some());
            if let Some(handle) = self.handle(slot).filter(|_| is_up) {
                return Ok(handle);
            }
            self.passes()?;
        }
        let what = format!("{slot} does not come up");
        Err(Violation { guarantee: 9, what })
    }

    /// True if nobody who is there waits for anything.
    fn is_settled(&self) -> bool {
        self.wanted.iter().all(|slot| {
            let Some(Handle { room, .. }) = self.handle(*slot) else {
                return false;
            };
            let is_idle = !self.scene().slots[*slot].is_committing && room.pending().is_empty();
            is_idle && (*slot == OWNER || room.connection() == Connection::Connected)
        })
    }

    fn play(&mut self, act: Act) -> Result<(), Violation> {
        self.scene().trace("act", &act);
        match act {
            Act::Starts(slot) => {
                self.is_wanted(slot, true);
                self.has_handle(slot)?;
            }
            Act::Asks(slot, ask) => {
                let handle = self.has_handle(slot)?;
                let poll = self.scene().slots[slot].poll;
                let command = self.asked(poll, ask);
                self.runtime.spawn(handle.submit(command));
            }
            Act::Cut(slot) => self.on_links(slot, "cut", MemoryNet::cut_link),
            Act::Leaves(slot) => {
                let handle = self.has_handle(slot)?;
                self.is_wanted(slot, false);
                self.runtime.spawn(handle.close());
                while self.is_alive(slot) {
                    self.passes()?;
                }
            }
            Act::Moves(slot, poll) => {
                self.scene().die(slot);
                self.goes_to(slot, poll);
                self.has_handle(slot)?;
            }
            Act::Dies(slot) => {
                self.is_wanted(slot, false);
                self.scene().die(slot);
            }
            Act::Copied(slot) => self.scene().copy(slot),
            Act::Restored(slot) => {
                self.scene().die(slot);
                self.scene().restore(slot);
            }
            Act::Moment => self.passes()?,
            Act::Settles => {
                // Whatever was just asked for is taken first.
                self.passes()?;
                for _ in 0..MAX_SLICES {
                    if self.is_settled() {
                        break;
                    }
                    self.passes()?;
                }
            }
        }
        Ok(())
    }

    fn asked(&self, poll: usize, ask: Ask) -> Command {
        let poll_id = self.scene().room_of(poll).expect("it is made").poll_id;
        match ask {
            Ask::Vote(at) => Command::Vote(Vote {
                poll_id,
                option_ids: vec![self.options[poll][at]],
            }),
            Ask::Add(at, label) => Command::AddOption(OptionAdd {
                poll_id,
                option_id: self.options[poll][at],
                label: label.to_owned(),
            }),
            Ask::Name(name) => Command::SetProfile(UserProfile {
                name: name.to_owned(),
            }),
            Ask::Silence(slot) => Command::UpdateRole(RoleUpdate {
                poll_id,
                peer_id: self.scene().slots[slot].peer,
                role: Role::Viewer,
            }),
            Ask::Close => Command::UpdateSettings(SettingsUpdate::new(poll_id).closed(true)),
        }
    }

    /// A participant votes, as it may.
    fn votes(&mut self, slot: usize) {
        let vote = Command::Vote(Vote {
            poll_id: self.room().poll_id,
            option_ids: vec![self.options[0][0]],
        });
        if let Some(handle) = self.handle(slot) {
            self.runtime.spawn(handle.submit(vote));
        }
    }

    /// Somebody hostile comes.
    fn meet(&mut self, copied: Option<(SigningKey, DeviceId)>, poll: usize) {
        let scene = Arc::clone(&self.scene);
        let options = self.options[poll].clone();
        let hostile = Hostile::new(scene, &self.net, poll, options, copied);
        let hostile = Rc::new(hostile.into());
        self.runtime.spawn(listens(Rc::clone(&hostile)));
        self.hostile.push(hostile);
    }

    fn world(&self) -> World {
        self.scene().world
    }

    fn step(&mut self) -> Result<(), Violation> {
        let slot =
            usize::try_from(self.draw(self.plan.participants as u64 + 1)).expect("few slots");
        let participant = slot.max(1);
        let world = self.world();
        if world.has_old_copies() && self.draw(6) == 0 {
            self.scene().copy(slot);
        }
        match self.draw(100) {
            0..40 => self.submit(slot),
            40..48 => self.on_links(participant, "cut", MemoryNet::cut_link),
            48..52 => {
                let way = self.pick(&[Direction::Both, Direction::Incoming, Direction::Outgoing]);
                self.on_links(participant, "half-open", |net, of, link| {
                    net.half_open(of, link, way);
                });
            }
            52..57 => self.on_links(participant, "stall", MemoryNet::stall),
            57..62 => self.on_links(participant, "resume", MemoryNet::resume),
            62..66 => self.scene().die(slot),
            66..76 => self.doom(slot),
            76..78 => {
                if let Some(handle) = self.handle(slot) {
                    self.scene().trace("close", &slot);
                    self.runtime.spawn(handle.close());
                }
            }
            78..92
                if world.has(Kind::OpensAgain) && self.handle(OWNER).is_some() && slot == OWNER =>
            {
                self.reopen();
            }
            78..92 if world.has(Kind::TwoPolls) && slot != OWNER && !self.is_alive(slot) => {
                let poll = self.pick(&[0, 1]);
                self.goes_to(slot, poll);
                self.start(slot);
            }
            78..92 => self.start(slot),
            // Seldom, for it takes its time: more than anybody may have under way.
            92 if self.draw(4) == 0 || world.has(Kind::Floods) => {
                // More than a slow listener can hear of, or else just too many to be under way.
                let count = match world.has(Kind::Floods) {
                    true => 400,
                    false => WINDOW + 16,
                };
                for _ in 0..count {
                    self.submit(slot);
                }
            }
            _ => self.mischief(slot),
        }
        for hostile in self.hostile.clone() {
            let acts = match world.has(Kind::Crowd) || world.has(Kind::FewLinks) {
                true => 2,
                false => u64::from(self.draw(3) == 0),
            };
            for _ in 0..acts {
                hostile.borrow_mut().act();
            }
        }
        let pause = match self.draw(20) {
            0 => self.draw(120_000),
            1..6 => self.draw(3_000),
            _ => self.draw(100),
        };
        self.advance(Duration::from_millis(pause))
    }

    /// The things that go wrong only in worlds that have them.
    fn mischief(&mut self, slot: usize) {
        let world = self.world();
        if world.has(Kind::Impostor)
            && !self.is_alive(OWNER)
            && self.impostor.borrow().is_none()
            && self.draw(2) == 0
        {
            let owner = self.room().owner;
            let impostor = Impostor::new(&self.scene, &self.net, owner);
            *self.impostor.borrow_mut() = Some(impostor);
            self.runtime.spawn(deceives(Rc::clone(&self.impostor)));
        }
        if world.has(Kind::MadeAnew) && slot != OWNER {
            self.scene().make_anew(slot);
        }
        if world.has(Kind::BadClocks) {
            let what = self.draw(4);
            let by = Duration::from_secs(self.draw(20_000));
            let scene = self.scene();
            let clock = scene.slots[slot].clock.clone();
            drop(scene);
            self.scene().trace("clock", &(slot, what, by));
            match what {
                0 => clock.jump(by),
                1 => clock.stop(true),
                _ => clock.stop(false),
            }
        }
    }

    fn submit(&mut self, slot: usize) {
        let (poll, handle) = self.asks(slot);
        let command = self.command(slot, poll);
        if let Some(handle) = handle {
            self.scene().trace("submit", &(slot, &command));
            self.runtime.spawn(handle.submit(command));
        }
    }

    fn command(&mut self, slot: usize, poll: usize) -> Command {
        let poll_id = self.scene().room_of(poll).expect("it is made").poll_id;
        let options = self.options[poll].clone();
        let world = self.world();
        let longest_name = match world.has(Kind::TooMuch) || world.has(Kind::WiderLimits) {
            true => 127,
            false => 63,
        };
        if world.has(Kind::Moderated) && self.draw(6) == 0 {
            return self.moderation(poll_id, &options);
        }
        if world.has(Kind::Invited) && self.draw(2) == 0 {
            return self.invitation(slot, poll_id);
        }
        match self.draw(20) {
            0 => {
                let closed = self.draw(3) == 0;
                let settings = SettingsUpdate::new(poll_id).closed(closed);
                let all = [Results::Live, Results::AfterVote, Results::AfterClose];
                let is_told = self.world().has(Kind::Secret) && self.draw(3) == 0;
                let results = is_told.then(|| self.pick(&all));
                Command::UpdateSettings(settings.results(results))
            }
            1 => Command::UpdateRole(RoleUpdate {
                poll_id,
                peer_id: {
                    let slot = 1 + self.draw(4) as usize;
                    self.scene().slots[slot].peer
                },
                role: self.pick(&[Role::Viewer, Role::Voter, Role::Moderator]),
            }),
            2..4 => {
                let option_id = self.pick(&options);
                Command::AddOption(OptionAdd {
                    poll_id,
                    option_id,
                    label: match world.has(Kind::OddTexts) {
                        true => self.pick(&ODD_TEXTS).to_owned(),
                        false => format!("One more, {option_id}"),
                    },
                })
            }
            4 if world.has(Kind::OddTexts) => Command::SetProfile(UserProfile {
                name: self.pick(&ODD_TEXTS).to_owned(),
            }),
            4 => Command::SetProfile(UserProfile {
                // Sometimes long, so that queues and journals fill up.
                name: "x".repeat(1 + self.draw(longest_name) as usize),
            }),
            5 if world.has(Kind::Tabs) => Command::Vote(Vote {
                poll_id,
                option_ids: Vec::new(),
            }),
            _ => Command::Vote(Vote {
                poll_id,
                // Two of them are not there unless somebody adds them.
                option_ids: vec![self.pick(&options[..6])],
            }),
        }
    }

    /// Something about invitations, and about who may vote without one. Whoever makes one, many
    /// have heard of it.
    fn invitation(&mut self, slot: usize, poll_id: PollId) -> Command {
        let secret = InvitationSecret::from_bytes([self.draw(4) as u8; 16]);
        let invitations = vec![secret.id(poll_id)];
        // Others try what is the owner's, too.
        let what = match slot {
            OWNER => self.draw(7),
            _ => 3 + self.draw(12),
        };
        match what {
            0..4 => Command::IssueInvitations(InvitationIssue {
                poll_id,
                invitations,
                count: 0,
            }),
            4 => Command::WithdrawInvitations(InvitationWithdrawal {
                poll_id,
                invitations,
                count: 0,
            }),
            // Moderators try to let people vote.
            5 | 6 => {
                let slot = 1 + self.draw(4) as usize;
                let peer_id = self.scene().slots[slot].peer;
                let role = self.pick(&[Role::Viewer, Role::Voter, Role::Moderator]);
                Command::UpdateRole(RoleUpdate {
                    poll_id,
                    peer_id,
                    role,
                })
            }
            _ => Command::RedeemInvitation(InvitationRedemption {
                poll_id,
                secret: Some(secret),
            }),
        }
    }

    /// Something that a moderator may do, and others try.
    fn moderation(&mut self, poll_id: PollId, options: &[OptionId]) -> Command {
        let slot = 1 + self.draw(4) as usize;
        let peer_id = self.scene().slots[slot].peer;
        match self.draw(6) {
            0 => Command::RemovePeer(PeerRemoval {
                poll_id,
                peer_id,
                keep_vote: self.draw(2) == 0,
            }),
            1 => Command::ReadmitPeer(PeerReadmission { poll_id, peer_id }),
            2 => {
                let title = format!("Who, number {}?", self.draw(9));
                Command::UpdateSettings(SettingsUpdate::new(poll_id).title(title))
            }
            3 => {
                let option = self.pick(options);
                let update = OptionUpdate::new(poll_id, option);
                Command::UpdateOption(update.label(format!("Another, {}", self.draw(9))))
            }
            _ => {
                let update = OptionUpdate::new(poll_id, self.pick(options));
                let withdrawn = self.draw(2) == 0;
                Command::UpdateOption(update.withdrawn(withdrawn))
            }
        }
    }

    /// Those who were refused for good ask once more.
    fn reconnect(&mut self) {
        for slot in 1..=self.plan.participants {
            if let Some(handle) = self.handle(slot)
                && let Connection::Refused(_) = handle.room.connection()
            {
                let room = handle.room;
                self.runtime
                    .spawn(async move { drop(room.reconnect().await) });
            }
        }
    }

    /// Those who were removed may come again.
    fn readmit(&mut self) -> Result<(), Violation> {
        let Some(Handle { room, .. }) = self.handle(OWNER) else {
            return Ok(());
        };
        let poll_id = room.id().poll_id;
        for slot in 1..=self.plan.participants {
            let peer_id = self.scene().slots[slot].peer;
            let readmission = PeerReadmission { poll_id, peer_id };
            let room = room.clone();
            self.runtime.spawn(async move {
                drop(room.submit(Command::ReadmitPeer(readmission)).await);
            });
        }
        self.advance(Duration::from_secs(1))
    }

    fn reopen(&mut self) {
        let command = self.command(OWNER, 0);
        if let Some(handle) = self.handle(OWNER) {
            self.scene().trace("open again", &command);
            let handles = Handles::clone(&self.handles);
            self.runtime.spawn(handle.reopens(command, handles));
        }
    }

    fn doom(&mut self, slot: usize) {
        let outputs = self.draw(4);
        let took_effect = self.draw(2) == 0;
        if self.world().has(Kind::FullDisks) && self.draw(3) == 0 {
            let doom = self.pick(&[Doom::Full { took_effect }, Doom::FailedRead]);
            return self.doom_of(slot, doom);
        }
        let doom = self.pick(&[
            Doom::BeforeCommit,
            Doom::DuringCommit { is_durable: true },
            Doom::DuringCommit { is_durable: false },
            Doom::AfterCommit { outputs },
            Doom::AfterCommit { outputs: 0 },
            Doom::FailedCommit { took_effect: true },
            Doom::FailedCommit { took_effect: false },
            Doom::AtRead,
        ]);
        self.doom_of(slot, doom);
    }

    fn doom_of(&mut self, slot: usize, doom: Doom) {
        let mut scene = self.scene();
        scene.trace("doom", &(slot, doom));
        // Of those that are dead only their next start can go wrong.
        if scene.slots[slot].is_alive != doom.is_of_reads() {
            scene.slots[slot].doom = Some(doom);
        }
    }

    fn on_links(&mut self, slot: usize, what: &str, act: impl Fn(&MemoryNet, &Address, LinkId)) {
        let address = self.scene().slots[slot].address;
        for link in self.net.links(&address) {
            self.scene().trace(what, &(slot, link));
            act(&self.net, &address, link);
        }
    }

    /// A participant joins another poll, at its next start.
    fn goes_to(&mut self, slot: usize, poll: usize) {
        let scene = &mut *self.scene();
        scene.trace("goes to", &(slot, poll));
        scene.slots[slot].poll = poll;
    }

    /// Starts a process from what its disk has.
    fn start(&mut self, slot: usize) {
        if self.is_alive(slot) {
            return;
        }
        self.handles.borrow_mut()[slot] = None;
        if slot == OWNER {
            let last = self.handles.borrow().len();
            for handle in &mut self.handles.borrow_mut()[self.plan.participants + 1..last] {
                *handle = None;
            }
        }
        let process = Process::start(&self.scene, slot);
        let setup = setup(slot, process.life(), &self.plan);
        let (address, room, own_clock) = {
            let scene = self.scene();
            let place = &scene.slots[slot];
            (
                place.address,
                scene.room_of(place.poll),
                place.clock.clone(),
            )
        };
        if slot == OWNER {
            *self.impostor.borrow_mut() = None;
        }
        let transport = self.net.transport(address);
        let transport = transport.expect("the address is free once its process is dead");
        let tap = Tap::new(transport, process.clone());
        let clock = self.runtime.clock().clone();
        let birth = self.scene().slots[slot].births;
        let disk = Disk {
            process,
            clock: clock.clone(),
            birth,
        };
        let handles = Handles::clone(&self.handles);
        let running = if slot == OWNER {
            let polls = 0..self.plan.polls();
            let rooms = polls.map(|poll| self.scene().room_of(poll));
            let polls = rooms.map(|room| {
                room.map(|room| room.poll_id)
                    .ok_or_else(|| draft(&self.plan))
            });
            let polls = polls.collect();
            let owner = hosts(setup, tap, disk, own_clock, polls, handles);
            self.runtime.spawn_with_handle(owner)
        } else {
            let room = room.expect("the poll has been made");
            let participant = joins(setup, tap, disk, own_clock, room, handles);
            self.runtime.spawn_with_handle(participant)
        };
        self.processes[slot] = Some(running);
    }

    /// Lets time pass, and with it everything that is due, in order.
    fn advance(&mut self, by: Duration) -> Result<(), Violation> {
        self.runtime.run_for(by);
        self.scene().take_violation()
    }

    /// The faults stop. In time everything has to be right, on the links as they are.
    fn heal(&mut self) -> Result<(), Violation> {
        self.scene().trace("heal", &());
        for slot in 0..=self.plan.participants {
            self.scene().slots[slot].copy = None;
        }
        self.scene().world.stops(Kind::LostEntry);
        self.scene().world.stops(Kind::Floods);
        self.net.set_faults(Faults::NONE);
        self.scene().refused_of_100 = 0;
        self.scene().read_millis = 0;
        for slot in 0..=self.plan.participants {
            let clock = self.scene().slots[slot].clock.clone();
            clock.stop(false);
            self.on_links(slot, "resume", MemoryNet::resume);
        }
        for hostile in self.hostile.clone() {
            let address = hostile.borrow().address;
            for link in self.net.links(&address) {
                self.net.resume(&address, link);
            }
            hostile.borrow_mut().rest();
        }
        for slot in 0..=self.plan.participants {
            self.scene().slots[slot].doom = None;
            let is_stale = self.scene().slots[slot].is_stale;
            if is_stale {
                // It would find out at its next use, and be started again.
                self.scene().die(slot);
            }
            self.start(slot);
        }
        // One that was about to close is started again, too.
        self.advance(Duration::from_secs(1))?;
        for slot in 0..=self.plan.participants {
            self.start(slot);
        }
        if self.world().has(Kind::OpensAgain) {
            // Whoever was told that there is no such poll asks once more.
            self.reconnect();
        }
        let config = Config::default();
        let commit = Duration::from_millis(self.scene().commit_millis);
        let round_trip = 2 * (LATENCY.max + commit);
        // A link on which all is lost is noticed by its silence. Whoever dials into it, or is in
        // the midst of a handshake, waits for that.
        let silence = config.ping_after + 2 * config.pong_timeout;
        let waits = config.dial_timeout + config.handshake_timeout;
        let backoff = 2 * config.backoff.max;
        let longest = DETECTION + silence + waits + backoff + 10 * round_trip;
        self.advance(longest)?;
        if self.world().has(Kind::Moderated) {
            // Those who remove others have done so by now.
            self.readmit()?;
            self.reconnect();
            self.advance(longest)?;
        }
        self.converged()?;
        if self.world().has(Kind::TwoPolls) {
            // What they have asked for in the other poll comes right once they are there.
            for slot in 1..=self.plan.participants {
                self.scene().die(slot);
                let poll = 1 - self.scene().slots[slot].poll;
                self.goes_to(slot, poll);
                self.start(slot);
            }
            self.advance(longest)?;
            self.converged()?;
        }
        for hostile in &self.hostile {
            hostile.borrow().check()?;
        }
        self.scene().die(OWNER);
        self.start(OWNER);
        self.advance(Duration::from_secs(1))?;
        assert!(self.handle(OWNER).is_some(), "the owner comes back");
        Ok(())
    }

    /// All is right, wherever anybody is.
    fn converged(&self) -> Result<(), Violation> {
        for slot in 1..=self.plan.participants {
            let poll = self.scene().slots[slot].poll;
            let owner = self.owner(poll).expect("it runs").room;
            let room = self.handle(slot).expect("it runs").room;
            let peers = [&room, &owner].map(|room| {
                let peers = room.peers();
                let devices = peers.iter().map(|peer| (peer.peer_id, peer.device));
                devices.collect::<BTreeSet<_>>()
            });
            let scene = &mut *self.scene();
            let oracle = scene.oracle_of(poll).expect("it is made");
            oracle.converged(
                slot,
                &room.connection(),
                room.revision(),
                room.confirmed().as_deref(),
                &peers,
            )?;
        }
        Ok(())
    }
}
