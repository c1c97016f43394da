//! Whole processes: drivers over the in-memory network, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll as Readiness};
use std::time::Duration;

use bytes::Bytes;
use futures::future::RemoteHandle;
use futures::{FutureExt, StreamExt};
use hustings_protocol::{
    Address, Command, CommandId, Kind, Limits, Message, OptionId, Outcome, PollDraft, PollId,
    RoomId,
};
use hustings_room::clock::Clock;
use hustings_room::driver::{
    CallError, DriverError, Events, Hosting, OpenError, Room, Submitted, host, join,
};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{ChannelBinding, Config, Connection, Event, LinkId, Moment};
use hustings_transport_mem::{
    Latency, MemTransport, MemoryNet, Stuck, VirtualClock, VirtualRuntime,
};

use super::disk::Disk;
use super::people::{ALICE, Person, draft, hello, proof, vote};

/// The time that a frame travels.
pub(crate) const LATENCY: Duration = Duration::from_millis(20);
/// Long enough for anything that needs no fault to end; short of every timer but the first retries.
pub(crate) const A_MOMENT: Duration = Duration::from_secs(1);
/// Whatever is not done by then will not be.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A network, a clock, and an executor for the processes on it.
pub(crate) struct World {
    pub(crate) runtime: VirtualRuntime,
    pub(crate) net: MemoryNet,
    pub(crate) wire: Wire,
    lives: u64,
    processes: BTreeMap<Address, Process>,
}

/// A process that hosts one poll.
pub(crate) struct Hosted {
    pub(crate) hosting: Hosting<Disk>,
    pub(crate) room: Room,
    pub(crate) disk: Disk,
}

/// A process that takes part in one.
pub(crate) struct Joined {
    pub(crate) person: Person,
    pub(crate) room: Room,
    pub(crate) disk: Disk,
}

/// The result of a driver. To drop it ends the process.
type Process = RemoteHandle<Result<(), DriverError>>;

impl World {
    pub(crate) fn new() -> Self {
        let runtime = VirtualRuntime::new();
        let clock = Arc::new(runtime.clock().clone());
        Self {
            net: MemoryNet::new(1, Latency::fixed(LATENCY), clock),
            runtime,
            wire: Wire::default(),
            lives: 0,
            processes: BTreeMap::new(),
        }
    }

    // Time.

    pub(crate) fn now(&self) -> Moment {
        self.runtime.clock().now()
    }

    /// Runs everything until `future` is done.
    pub(crate) fn wait_for<F: Future>(&mut self, future: F) -> F::Output {
        self.try_wait_for(future).expect("it happens in time")
    }

    pub(crate) fn try_wait_for<F: Future>(&mut self, future: F) -> Result<F::Output, Stuck> {
        self.runtime.block_on(future, PATIENCE)
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        self.runtime.run_for(duration);
    }

    /// Lets everything happen that is under way.
    pub(crate) fn quiesce(&mut self) {
        self.run_for(A_MOMENT);
    }

    /// Does everything that takes no time.
    pub(crate) fn act(&mut self) {
        self.run_for(Duration::ZERO);
    }

    // Processes.

    /// Alice hosts the poll of [`draft`], on a new disk.
    pub(crate) fn host(&mut self) -> Hosted {
        self.host_with(Config::default())
    }

    pub(crate) fn host_with(&mut self, config: Config) -> Hosted {
        self.host_draft(draft(), config)
    }

    /// Alice hosts a poll of this draft, on a new disk.
    pub(crate) fn host_draft(&mut self, draft: PollDraft, config: Config) -> Hosted {
        let disk = Disk::default();
        let hosting = self.start_hosting(ALICE, &disk, config);
        let room = self.wait_for(hosting.create(draft)).expect("a sound draft");
        Hosted {
            hosting,
            room,
            disk,
        }
    }

    /// Alice hosts again what is on the disk.
    pub(crate) fn host_again(&mut self, disk: &Disk, poll_id: PollId) -> Hosted {
        let hosting = self.start_hosting(ALICE, disk, Config::default());
        let room = self
            .wait_for(hosting.open(poll_id))
            .expect("a whole journal");
        Hosted {
            hosting,
            room,
            disk: disk.clone(),
        }
    }

    /// Alice closes her poll and opens it again, as far as her journal has been read: what happens to
    /// it from now on is not in what was read.
    pub(crate) fn opens_what_was(
        &mut self,
        alice: &Hosted,
    ) -> impl Future<Output = Result<Room, OpenError>> + use<> {
        self.wait_for(alice.room.close());
        alice.disk.read_slowly();
        let (hosting, poll_id) = (alice.hosting.clone(), alice.room.id().poll_id);
        let mut opening = Box::pin(async move { hosting.open(poll_id).await });
        while alice.disk.late() == 0 {
            assert!((&mut opening).now_or_never().is_none());
            self.quiesce();
        }
        alice.disk.read_quickly();
        opening
    }

    pub(crate) fn start_hosting(
        &mut self,
        who: Person,
        disk: &Disk,
        config: Config,
    ) -> Hosting<Disk> {
        self.start_hosting_at(who.as_owner(), who, disk, config)
    }

    /// Somebody hosts at an address that need not be theirs.
    pub(crate) fn start_hosting_at(
        &mut self,
        address: Address,
        who: Person,
        disk: &Disk,
        config: Config,
    ) -> Hosting<Disk> {
        self.lives += 1;
        let setup = who.setup(self.lives, config);
        let transport = self.transport(address);
        let clock = self.runtime.clock().clone();
        let (hosting, driver) = host(setup, transport, disk.clone(), clock);
        let process = self.runtime.spawn_with_handle(driver.run());
        self.processes.insert(address, process);
        hosting
    }

    /// Somebody joins, on a new disk, and is let in.
    pub(crate) fn join(&mut self, who: Person, room: RoomId) -> Joined {
        let joined = self.enter(who, &Disk::default(), room);
        self.wait_for(joined.room.connected())
            .expect("they are let in");
        self.quiesce();
        joined
    }

    /// Somebody begins to join, with what is on the disk.
    pub(crate) fn enter(&mut self, who: Person, disk: &Disk, room: RoomId) -> Joined {
        self.enter_with(who, disk, room, Config::default())
    }

    pub(crate) fn enter_with(
        &mut self,
        who: Person,
        disk: &Disk,
        room: RoomId,
        config: Config,
    ) -> Joined {
        let joined = self.try_enter(who, disk, room, config);
        joined.expect("the stored data is whole")
    }

    pub(crate) fn try_enter(
        &mut self,
        who: Person,
        disk: &Disk,
        room: RoomId,
        config: Config,
    ) -> Result<Joined, OpenError> {
        self.lives += 1;
        let setup = who.setup(self.lives, config);
        let transport = self.transport(who.as_participant());
        let clock = self.runtime.clock().clone();
        let opened = join(setup, room, transport, disk.clone(), clock);
        let (room, driver) = self.wait_for(opened)?;
        let process = self.runtime.spawn_with_handle(driver.run());
        self.processes.insert(who.as_participant(), process);
        Ok(Joined {
            person: who,
            room,
            disk: disk.clone(),
        })
    }

    fn transport(&self, address: Address) -> Tap {
        Tap {
            transport: self.net.transport(address).expect("the address is free"),
            address,
            wire: self.wire.clone(),
            clock: self.runtime.clock().clone(),
            drained: Vec::new(),
        }
    }

    /// The process is gone from one moment to the next. Its disk is what is left.
    pub(crate) fn crash(&mut self, address: Address) {
        self.net.crash(&address);
        self.processes.remove(&address);
        self.act();
    }

    pub(crate) fn crash_owner(&mut self, owner: Hosted) -> Disk {
        self.crash(ALICE.as_owner());
        owner.disk
    }

    pub(crate) fn crash_participant(&mut self, joined: Joined) -> Disk {
        self.crash(joined.person.as_participant());
        joined.disk
    }

    /// Waits for the driver of this process to end, and says with what.
    pub(crate) fn end_of(&mut self, address: Address) -> Result<(), DriverError> {
        let process = self.processes.remove(&address);
        self.wait_for(process.expect("there is such a process"))
    }

    // What people do.

    /// Submits, and waits until that is durable.
    pub(crate) fn submit(&mut self, room: &Room, command: Command) -> Submitted {
        let submitted = self.try_submit(room, command);
        submitted.expect("the command is taken")
    }

    pub(crate) fn try_submit(
        &mut self,
        room: &Room,
        command: Command,
    ) -> Result<Submitted, CallError> {
        self.wait_for(room.submit(command))
    }

    /// Submits, waits for the answer and until everybody has heard of it.
    pub(crate) fn get_done(&mut self, room: &Room, command: Command) -> Outcome {
        let submitted = self.submit(room, command);
        let outcome = self.outcome(submitted);
        self.quiesce();
        outcome
    }

    pub(crate) fn outcome(&mut self, submitted: Submitted) -> Outcome {
        let outcome = self.wait_for(submitted.outcome());
        outcome.expect("the driver runs")
    }

    /// Cuts the link between Alice and somebody.
    pub(crate) fn cut(&self, who: Person) {
        self.net.cut(&ALICE.as_owner(), &who.as_participant());
    }
}

/// The id of the `number`th option of the poll that a room shows.
pub(crate) fn option_of(room: &Room, number: usize) -> OptionId {
    room.poll().expect("the poll has been seen").options()[number].option_id
}

/// A vote for the `number`th option.
pub(crate) fn vote_in(room: &Room, number: usize) -> Command {
    vote(room.id().poll_id, option_of(room, number))
}

/// The choice of a person, as this room shows it.
pub(crate) fn choice_of(room: &Room, who: Person) -> Vec<OptionId> {
    let poll = room.poll().expect("the poll has been seen");
    poll.choices(who.peer()).to_vec()
}

/// The events so far.
pub(crate) fn told(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.next().now_or_never().flatten()).collect()
}

/// The changes of the connection among what has been told.
pub(crate) fn connections(events: &mut Events) -> Vec<Connection> {
    let told = told(events).into_iter();
    told.filter_map(|event| match event {
        Event::Connection(connection) => Some(connection),
        _ => None,
    })
    .collect()
}

/// Everything that anybody has sent: what a process gave to its transport, and that took it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire {
    sent: Arc<Mutex<Vec<Sent>>>,
    /// The address that gets blocked, and the number of its commands that find room before that.
    no_room: Arc<Mutex<Option<(Address, usize)>>>,
    /// Each broadcast that a process has asked for.
    broadcasts: Arc<Mutex<Vec<Broadcast>>>,
}

/// The number of links that a broadcast was for, and the one that was left out.
pub(crate) type Broadcast = (usize, Option<LinkId>);

#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) at: Moment,
    pub(crate) from: Address,
    pub(crate) link: LinkId,
    pub(crate) frame: Bytes,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {:?}", self.at.as_millis(), self.link, self.frame)
    }
}

impl Sent {
    pub(crate) fn kind(&self) -> Kind {
        let limits = Limits::default();
        let envelope =
            hustings_protocol::Envelope::parse(&self.frame, limits.max_frame_bytes, &limits);
        envelope.and_then(|it| it.kind()).expect("a sound message")
    }

    pub(crate) fn message(&self) -> Message {
        super::people::decode(&self.frame)
    }
}

impl Wire {
    /// For one command of somebody there will be no room, after this many more; for the next there
    /// is some again.
    pub(crate) fn has_no_room_once(&self, address: Address, after: usize) {
        *self.no_room.lock().expect("nobody panics with it") = Some((address, after));
    }

    fn has_room(&self, address: Address, frame: &Bytes) -> bool {
        let mut no_room = self.no_room.lock().expect("nobody panics with it");
        let is_command = |message: &Bytes| {
            let message = super::people::decode(message);
            matches!(message, Message::Command(_))
        };
        let commands = super::people::messages(frame);
        let commands = commands.iter().filter(|it| is_command(it)).count();
        match &mut *no_room {
            Some((of, after)) if *of == address && commands > 0 => {
                if *after < commands {
                    *no_room = None;
                    return false;
                }
                *after -= commands;
                true
            }
            _ => true,
        }
    }

    fn sent(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.sent.lock().expect("nobody panics with it")
    }

    /// The messages that an address has sent, each as if it had left in a frame of its own.
    pub(crate) fn from(&self, address: Address) -> Vec<Sent> {
        let frames = self.frames_from(address).into_iter();
        let each = |sent: Sent| {
            let messages = super::people::messages(&sent.frame).into_iter();
            messages.map(move |frame| Sent {
                frame,
                ..sent.clone()
            })
        };
        frames.flat_map(each).collect()
    }

    /// The frames that an address has sent.
    pub(crate) fn frames_from(&self, address: Address) -> Vec<Sent> {
        self.sent()
            .iter()
            .filter(|sent| sent.from == address)
            .cloned()
            .collect()
    }

    /// The number of times that an address has sent a command.
    pub(crate) fn times_sent(&self, address: Address, id: CommandId) -> usize {
        let is_it = |sent: &Sent| match sent.message() {
            Message::Command(command) => command.command_id == id,
            _ => false,
        };
        self.from(address).iter().filter(|sent| is_it(sent)).count()
    }

    /// Forgets what was sent until now.
    pub(crate) fn clear(&self) {
        self.sent().clear();
        self.broadcasts().clear();
    }

    /// The broadcasts so far.
    pub(crate) fn broadcasts(&self) -> MutexGuard<'_, Vec<Broadcast>> {
        self.broadcasts.lock().expect("nobody panics with it")
    }
}

/// A transport that tells the [`Wire`] what is sent on it.
pub(crate) struct Tap {
    transport: MemTransport,
    address: Address,
    wire: Wire,
    clock: VirtualClock,
    /// Links that found no room, and have some again.
    drained: Vec<LinkId>,
}

impl Transport for Tap {
    fn dial(&mut self, link: LinkId, to: &Address) {
        self.transport.dial(link, to);
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        if !self.wire.has_room(self.address, &frame) {
            self.drained.push(link);
            return SendOutcome::Blocked;
        }
        let outcome = self.transport.send(link, frame.clone());
        if outcome == SendOutcome::Queued {
            let sent = Sent {
                at: self.clock.now(),
                from: self.address,
                link,
                frame,
            };
            self.wire.sent().push(sent);
        }
        outcome
    }

    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        blocked: &mut Vec<LinkId>,
    ) {
        self.wire.broadcasts().push((links.len(), except));
        for link in links {
            if Some(*link) != except && self.send(*link, frame.clone()) == SendOutcome::Blocked {
                blocked.push(*link);
            }
        }
    }

    fn hangup(&mut self, link: LinkId) {
        self.transport.hangup(link);
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Readiness<TransportEvent> {
        match self.drained.pop() {
            Some(link) => Readiness::Ready(TransportEvent::Writable { link }),
            None => self.transport.poll_event(cx),
        }
    }
}

/// A participant without a machine: the test says every word of it.
pub(crate) struct Puppet {
    transport: Tap,
    link: LinkId,
    dials: u64,
    who: Person,
    /// The messages of one frame that were not looked at yet.
    heard: VecDeque<Bytes>,
}

impl Puppet {
    pub(crate) fn new(world: &World, who: Person) -> Self {
        Self {
            transport: world.transport(who.as_participant()),
            link: LinkId::dialled(0),
            dials: 0,
            who,
            heard: VecDeque::new(),
        }
    }

    /// Dials and goes through the handshake, until the owner has said who is here.
    pub(crate) async fn join(&mut self, room: RoomId) {
        self.link = LinkId::dialled(self.dials);
        self.dials += 1;
        self.transport.dial(self.link, &Address::Owner(room.owner));
        let binding = self.up().await;
        let hello = hello(self.who, room);
        self.say(Message::Hello(hello).encode());
        let Message::Challenge(challenge) = self.hear().await else {
            panic!("the owner's first frame is a challenge");
        };
        let proof = proof(&self.who.key(), room.owner, &hello, &challenge, &binding);
        self.say(proof.encode());
        while !matches!(self.hear().await, Message::Discovery(_)) {}
    }

    /// Its end of the link.
    pub(crate) const fn link(&self) -> LinkId {
        self.link
    }

    pub(crate) fn say(&mut self, frame: Bytes) {
        assert_eq!(self.transport.send(self.link, frame), SendOutcome::Queued);
    }

    /// The next `ack` or `error`.
    pub(crate) async fn answer(&mut self) -> Bytes {
        loop {
            let frame = self.frame().await;
            if let Message::Ack(_) | Message::Error(_) = super::people::decode(&frame) {
                return frame;
            }
        }
    }

    async fn hear(&mut self) -> Message {
        super::people::decode(&self.frame().await)
    }

    async fn frame(&mut self) -> Bytes {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return message;
            }
            if let TransportEvent::Frame { link, frame } = self.event().await
                && link == self.link
            {
                self.heard.extend(super::people::messages(&frame));
            }
        }
    }

    async fn up(&mut self) -> ChannelBinding {
        loop {
            if let TransportEvent::LinkUp { link, binding } = self.event().await
                && link == self.link
            {
                return binding;
            }
        }
    }

    async fn event(&mut self) -> TransportEvent {
        poll_fn(|cx| self.transport.poll_event(cx)).await
    }
}
