//! The simulator: machines, stores and a network, and what goes wrong with them.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::FutureExt;
use hustings_outbox::{Batch, Durability, Journal, MemoryStore, Outbox, Store};
use hustings_protocol::{
    Address, Command, DeviceId, Limits, Message, OptionAdd, OptionId, Poll, PollDraft, PollId,
    Role, RoleUpdate, RoomId, SettingsUpdate, UserProfile, Vote,
};
use hustings_room::driver::records;
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{
    Config, Host, LinkId, Machine, Moment, OfflinePolicy, Output, Owner, Participant, Persist,
    Record, Setup,
};
use hustings_transport_mem::{Direction, Endpoint, Latency, Network};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use uuid::Uuid;

use super::oracle::Oracle;
use super::{Plan, Plant, Report, Violation};

/// The owner's place among the processes.
const OWNER: usize = 0;
const PARTICIPANTS: usize = 4;
const LATENCY: Latency = Latency {
    min: Duration::from_millis(5),
    max: Duration::from_millis(60),
};
/// After which time a cut or a crash is noticed at the other end.
const DETECTION: Duration = Duration::from_secs(2);

/// One process, running or not, and its disk.
struct Slot {
    setup: Setup,
    address: Address,
    store: MemoryStore,
    running: Option<Running>,
    lives: u64,
    /// Where in its next batch the process will die.
    doom: Option<Doom>,
}

struct Running {
    process: Process,
    endpoint: Endpoint,
}

enum Process {
    Owner(Box<Host>),
    Participant(Box<Participant>),
}

impl Process {
    fn machine(&mut self) -> &mut dyn Machine {
        match self {
            Self::Owner(host) => &mut **host,
            Self::Participant(participant) => &mut **participant,
        }
    }
}

/// Where a process dies, as seen from its next batch.
#[derive(Debug, Clone, Copy, Hash)]
enum Doom {
    BeforeCommit,
    /// After the commit and so many of the sends.
    AfterSends(u64),
}

struct World {
    plan: Plan,
    rng: ChaCha8Rng,
    now: Moment,
    network: Network,
    slots: Vec<Slot>,
    room: RoomId,
    oracle: Oracle,
    hasher: DefaultHasher,
}

/// Runs one schedule.
pub(crate) fn run(plan: &Plan) -> Result<Report, Violation> {
    let mut world = World::new(*plan);
    for slot in 0..=PARTICIPANTS {
        world.start(slot)?;
    }
    for _ in 0..plan.steps {
        world.step()?;
    }
    world.heal()?;
    let mut report = world.oracle.report;
    report.trace = world.hasher.finish();
    Ok(report)
}

fn setup(slot: usize, life: u64, seed: u64) -> Setup {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (slot as u64) << 32 ^ life << 48);
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    let mark = u8::try_from(slot).expect("there are few slots");
    Setup {
        key: SigningKey::from_bytes(&[mark + 1; 32]),
        device: DeviceId::from_bytes([mark + 1; 5]),
        seed: bytes,
        unix_millis: 1_790_000_000_000,
        config: Config {
            offline: OfflinePolicy::Queue,
            // Small, so that snapshots are taken.
            snapshot_after_bytes: 2_000,
            ..Config::default()
        },
    }
}

fn option(number: u64) -> OptionId {
    OptionId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

impl World {
    fn new(plan: Plan) -> Self {
        let slots: Vec<Slot> = (0..=PARTICIPANTS)
            .map(|slot| {
                let setup = setup(slot, 0, plan.seed);
                let address = if slot == OWNER {
                    Address::Owner(setup.peer())
                } else {
                    Address::Participant(setup.peer(), setup.device)
                };
                let store = MemoryStore::new();
                Slot {
                    setup,
                    address,
                    store,
                    running: None,
                    lives: 0,
                    doom: None,
                }
            })
            .collect();
        let room = RoomId {
            owner: slots[OWNER].setup.peer(),
            poll_id: PollId::from_uuid(Uuid::from_u128(7)),
        };
        let mut network = Network::new(plan.seed, LATENCY);
        network.set_detection(DETECTION);
        // Small, so that links are blocked.
        network.set_queue_limit(1_200);
        let mut world = Self {
            plan,
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            now: Moment::START,
            network,
            oracle: Oracle::new(poll(room), PARTICIPANTS + 1),
            slots,
            room,
            hasher: DefaultHasher::new(),
        };
        world.trace("seed", &plan.seed);
        world
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    fn trace(&mut self, what: &str, value: &dyn std::fmt::Debug) {
        let line = format!("{:>7} {what} {value:?}", self.now.as_millis());
        line.hash(&mut self.hasher);
        if self.plan.is_verbose {
            let shown: String = line.chars().take(400).collect();
            println!("{shown}");
        }
    }

    // What happens.

    fn step(&mut self) -> Result<(), Violation> {
        let slot = usize::try_from(self.draw(PARTICIPANTS as u64 + 1)).expect("few slots");
        let participant = slot.max(1);
        let draw = self.draw(100);
        match draw {
            0..40 => self.submit(slot)?,
            40..48 => self.on_link(participant, "cut", |network, of, link, now| {
                network.cut_link(of, link, now);
            }),
            48..52 => self.on_link(participant, "half-open", |network, of, link, now| {
                network.half_open(of, link, Direction::Both, now);
            }),
            52..57 => self.on_link(participant, "stall", |network, of, link, now| {
                network.stall(of, link, now);
            }),
            57..62 => self.on_link(participant, "resume", |network, of, link, now| {
                network.resume(of, link, now);
            }),
            62..66 => self.crash(slot),
            66..72 => {
                let doom = match self.draw(4) {
                    0 => Doom::BeforeCommit,
                    sends => Doom::AfterSends(sends - 1),
                };
                self.trace("doom", &(slot, doom));
                self.slots[slot].doom = Some(doom);
            }
            72..84 => self.start(slot)?,
            _ => {}
        }
        let pause = match self.draw(20) {
            0 => self.draw(120_000),
            1..6 => self.draw(3_000),
            _ => self.draw(100),
        };
        self.advance(Duration::from_millis(pause))
    }

    fn submit(&mut self, slot: usize) -> Result<(), Violation> {
        let command = self.command();
        let poll_id = self.room.poll_id;
        let now = self.now;
        self.trace("submit", &(slot, &command));
        if let Some(running) = &mut self.slots[slot].running {
            let submitted = match &mut running.process {
                Process::Owner(host) => host.submit(poll_id, command, now),
                Process::Participant(participant) => participant.submit(command, now),
            };
            assert!(submitted.is_ok(), "{submitted:?}");
        }
        self.settle(slot)
    }

    fn command(&mut self) -> Command {
        let poll_id = self.room.poll_id;
        match self.draw(20) {
            0 => Command::UpdateSettings(SettingsUpdate::new(poll_id).closed(self.draw(3) == 0)),
            1 => Command::UpdateRole(RoleUpdate {
                poll_id,
                peer_id: self.slots[1 + usize::try_from(self.rng.next_u64() % 4).expect("few")]
                    .setup
                    .peer(),
                role: [Role::Viewer, Role::Voter, Role::Moderator][self.draw(3) as usize],
            }),
            2..4 => Command::AddOption(OptionAdd {
                poll_id,
                option_id: option(self.draw(8)),
                label: "One more".into(),
            }),
            4 => Command::SetProfile(UserProfile {
                // Sometimes long, so that queues and journals fill up.
                name: "x".repeat(1 + self.draw(63) as usize),
            }),
            _ => Command::Vote(Vote {
                poll_id,
                option_ids: vec![option(self.draw(6))],
            }),
        }
    }

    fn on_link(
        &mut self,
        slot: usize,
        what: &str,
        act: impl Fn(&mut Network, Endpoint, LinkId, Moment),
    ) {
        let Some(running) = &self.slots[slot].running else {
            return;
        };
        let endpoint = running.endpoint;
        for link in self.network.links(endpoint) {
            self.trace(what, &(slot, link));
            act(&mut self.network, endpoint, link, self.now);
        }
    }

    fn crash(&mut self, slot: usize) {
        let Some(running) = self.slots[slot].running.take() else {
            return;
        };
        self.trace("crash", &slot);
        self.oracle.report.crashes += 1;
        self.network.crash(running.endpoint, self.now);
        self.slots[slot].doom = None;
        self.slots[slot].store.crash();
    }

    /// Starts a process from what its disk has.
    fn start(&mut self, slot: usize) -> Result<(), Violation> {
        if self.slots[slot].running.is_some() {
            return Ok(());
        }
        self.trace("start", &slot);
        let state = &mut self.slots[slot];
        state.lives += 1;
        let setup = setup(slot, state.lives, self.plan.seed);
        let process = if slot == OWNER {
            Process::Owner(Box::new(self.start_owner(setup)?))
        } else {
            Process::Participant(Box::new(self.start_participant(slot, setup)?))
        };
        let endpoint = self
            .network
            .attach(self.slots[slot].address)
            .expect("the address is free once its process is dead");
        self.slots[slot].running = Some(Running { process, endpoint });
        self.settle(slot)
    }

    fn start_owner(&mut self, setup: Setup) -> Result<Host, Violation> {
        let store = self.slots[OWNER].store.clone();
        let mut host = Host::new(&setup, self.now);
        let owner = match ready(records::load_journal(&store, self.room)) {
            None => Owner::create(setup, poll(self.room)),
            Some(mut journal) => {
                if self.plan.plant == Some(Plant::ForgetReceipts) {
                    journal.receipts.clear();
                }
                let owner = Owner::restore(setup, journal).expect("the journal is whole");
                self.oracle.restarted_owner(&owner)?;
                owner
            }
        };
        host.open(owner, self.now);
        Ok(host)
    }

    fn start_participant(&mut self, slot: usize, setup: Setup) -> Result<Participant, Violation> {
        let store = self.slots[slot].store.clone();
        let (mut outbox, cache) = ready(records::load_participant(&store, setup.device, self.room));
        if self.plan.plant == Some(Plant::LoseQueued) {
            outbox.entries.pop();
        }
        let participant = Participant::new(setup, self.room, outbox, cache.as_ref(), self.now)
            .expect("what was kept is whole");
        self.oracle.restarted(slot, &participant)?;
        Ok(participant)
    }

    /// Lets time pass, and with it everything that is due, in order.
    fn advance(&mut self, by: Duration) -> Result<(), Violation> {
        let end = self.now + by;
        loop {
            let timer = self.next_timer();
            let delivery = self.network.next_at();
            let next = match (timer, delivery) {
                (Some((at, _)), Some(delivery)) => at.min(delivery),
                (Some((at, _)), None) => at,
                (None, Some(delivery)) => delivery,
                (None, None) => end,
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if let Some((endpoint, event)) = self.network.poll(self.now) {
                self.deliver(endpoint, event)?;
            } else if let Some((at, slot)) = timer
                && at <= self.now
            {
                let now = self.now;
                self.trace("timer", &slot);
                self.with_machine(slot, |machine| machine.handle_timeout(now));
                self.settle(slot)?;
            } else if next >= end {
                break;
            }
        }
        self.now = end;
        Ok(())
    }

    fn next_timer(&mut self) -> Option<(Moment, usize)> {
        let mut next: Option<(Moment, usize)> = None;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let Some(running) = &mut slot.running
                && let Some((at, _)) = running.process.machine().poll_timeout()
                && next.is_none_or(|(before, _)| at < before)
            {
                next = Some((at, index));
            }
        }
        next
    }

    fn deliver(&mut self, endpoint: Endpoint, event: TransportEvent) -> Result<(), Violation> {
        let position = self.slots.iter().position(|slot| {
            slot.running
                .as_ref()
                .is_some_and(|run| run.endpoint == endpoint)
        });
        let Some(slot) = position else { return Ok(()) };
        self.trace("event", &(slot, &event));
        let now = self.now;
        match event {
            TransportEvent::LinkUp { link, binding } => {
                self.oracle.report.links += 1;
                self.with_machine(slot, |machine| machine.handle_link_up(link, binding, now));
            }
            TransportEvent::Frame { link, frame } => {
                self.with_machine(slot, |machine| machine.handle_frame(link, &frame, now));
            }
            TransportEvent::Writable { link } => {
                self.with_machine(slot, |machine| machine.handle_writable(link, now));
            }
            TransportEvent::LinkDown { link, reason } => {
                self.with_machine(slot, |machine| machine.handle_link_down(link, reason, now));
            }
            TransportEvent::Wake => self.with_machine(slot, |machine| machine.handle_wake(now)),
            TransportEvent::Failed(error) => panic!("{error}"),
        }
        self.settle(slot)
    }

    fn with_machine(&mut self, slot: usize, tell: impl FnOnce(&mut dyn Machine)) {
        if let Some(running) = &mut self.slots[slot].running {
            tell(running.process.machine());
        }
    }

    // What a driver does: commit, then everything else, and die where it is doomed to.

    fn settle(&mut self, slot: usize) -> Result<(), Violation> {
        loop {
            let mut outputs = VecDeque::new();
            self.with_machine(slot, |machine| {
                outputs.extend(std::iter::from_fn(|| machine.poll_output()));
            });
            if outputs.is_empty() {
                break;
            }
            self.perform_batch(slot, outputs)?;
        }
        if let Some(Running {
            process: Process::Participant(participant),
            ..
        }) = &self.slots[slot].running
        {
            self.oracle.check_participant(slot, participant)?;
        }
        Ok(())
    }

    fn perform_batch(&mut self, slot: usize, outputs: VecDeque<Output>) -> Result<(), Violation> {
        let mut records = Vec::new();
        let mut rest = Vec::new();
        for output in outputs {
            match output {
                Output::Persist(persist) => records.push(persist),
                // As a driver may: what comes before every record waits for none.
                Output::Send { .. }
                | Output::Broadcast { .. }
                | Output::Dial { .. }
                | Output::Hangup { .. }
                | Output::Event { .. }
                    if records.is_empty() =>
                {
                    self.perform(slot, output)?;
                }
                Output::Send { .. }
                | Output::Broadcast { .. }
                | Output::Dial { .. }
                | Output::Hangup { .. }
                | Output::Event { .. } => rest.push(output),
            }
        }
        let doom = if records.is_empty() {
            None
        } else {
            self.slots[slot].doom.take()
        };
        if self.plan.plant == Some(Plant::SendBeforeCommit) {
            for output in rest.drain(..) {
                self.perform(slot, output)?;
            }
        }
        if let Some(Doom::BeforeCommit) = doom {
            self.crash(slot);
            return Ok(());
        }
        self.commit(slot, &records)?;
        for (done, output) in rest.into_iter().enumerate() {
            if let Some(Doom::AfterSends(sends)) = doom
                && done as u64 >= sends
            {
                self.crash(slot);
                return Ok(());
            }
            self.perform(slot, output)?;
        }
        if doom.is_some() {
            self.crash(slot);
        }
        Ok(())
    }

    fn commit(&mut self, slot: usize, records: &[Persist]) -> Result<(), Violation> {
        let mut batch = Batch::new();
        let mut durability = Durability::Relaxed;
        let device = self.slots[slot].setup.device;
        for persist in records {
            self.trace("commit", &(slot, persist));
            self.oracle.committed(slot, persist)?;
            durability = durability.max(records::durability(&persist.record));
            if let Record::JournalUpdate {
                revision, frame, ..
            } = &persist.record
                && self.plan.plant == Some(Plant::TearReceipts)
            {
                Journal::new(persist.room).append(&mut batch, *revision, frame.clone());
                continue;
            }
            records::stage(&mut batch, device, persist.clone());
        }
        let store = self.slots[slot].store.clone();
        if !batch.is_empty() {
            ready(store.commit(batch, durability));
        }
        Ok(())
    }

    fn perform(&mut self, slot: usize, output: Output) -> Result<(), Violation> {
        self.trace("output", &(slot, &output));
        let Some(running) = &self.slots[slot].running else {
            return Ok(());
        };
        let endpoint = running.endpoint;
        let now = self.now;
        match output {
            Output::Persist(_) => unreachable!("records are committed"),
            Output::Send { link, frame } => self.send(slot, link, frame)?,
            Output::Broadcast {
                links,
                except,
                frame,
            } => {
                let is_dropped = self.plan.plant == Some(Plant::DropRelay) && self.draw(10) == 0;
                let links = links.iter().filter(|link| Some(**link) != except);
                for link in links.skip(usize::from(is_dropped)) {
                    self.send(slot, *link, frame.clone())?;
                }
            }
            Output::Dial { link, to } => self.network.dial(endpoint, link, &to, now),
            Output::Hangup { link } => self.network.hangup(endpoint, link, now),
            Output::Event { event, .. } => self.oracle.told(slot, &event)?,
        }
        Ok(())
    }

    fn send(&mut self, slot: usize, link: LinkId, frame: Bytes) -> Result<(), Violation> {
        let Some(running) = &self.slots[slot].running else {
            return Ok(());
        };
        self.oracle.sent(slot, &frame)?;
        let settled = match Message::decode(&frame, &Limits::default()) {
            Ok(Message::Command(numbered)) => Some(numbered.seq),
            _ => None,
        };
        let outcome = self
            .network
            .send(running.endpoint, link, frame.clone(), self.now);
        if outcome == SendOutcome::Blocked {
            self.oracle.report.blocked += 1;
            let now = self.now;
            self.with_machine(slot, |machine| machine.handle_blocked(link, &frame, now));
        }
        if let Some(seq) = settled
            && self.plan.plant == Some(Plant::SettleWhenSent)
        {
            let mut batch = Batch::new();
            Outbox::new(self.slots[slot].setup.device, self.room).remove(&mut batch, seq);
            ready(
                self.slots[slot]
                    .store
                    .clone()
                    .commit(batch, Durability::Strict),
            );
        }
        Ok(())
    }

    /// The faults stop. Within the largest backoff and ten round trips everything has to be right.
    fn heal(&mut self) -> Result<(), Violation> {
        self.trace("heal", &());
        for slot in 1..=PARTICIPANTS {
            self.on_link(slot, "cut", |network, of, link, now| {
                network.cut_link(of, link, now)
            });
        }
        for slot in 0..=PARTICIPANTS {
            self.slots[slot].doom = None;
            self.start(slot)?;
        }
        let backoff = Config::default().backoff.max;
        // A link that was cut or whose process died just now is noticed after a while.
        self.advance(DETECTION + backoff + 10 * 2 * LATENCY.max)?;
        for slot in 1..=PARTICIPANTS {
            if let Some(Running {
                process: Process::Participant(participant),
                ..
            }) = &self.slots[slot].running
            {
                self.oracle.converged(slot, participant)?;
            }
        }
        self.crash(OWNER);
        self.start(OWNER)
    }
}

/// The poll that every schedule starts with.
fn poll(room: RoomId) -> Poll {
    let mut number = 0;
    let draft = PollDraft::new("Who should it be?")
        .options(
            ["Ada", "Grace", "Edsger", "Barbara"]
                .map(String::from)
                .to_vec(),
        )
        .voters_may_add_options(true);
    let next = || {
        number += 1;
        option(number - 1)
    };
    Poll::new(room.poll_id, room.owner, draft, next, &Limits::default()).expect("a sound draft")
}

/// The result of a store in memory, whose futures never wait.
fn ready<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    future
        .now_or_never()
        .expect("memory does not wait")
        .expect("memory does not fail")
}
