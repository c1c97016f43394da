//! One machine by itself: the test is the network, the disk and whoever is at the other end.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use hustings_outbox::{Batch, MemoryStore, Store};
use hustings_protocol::{
    Ack, CommandId, DeviceId, Epoch, ErrorCode, Hello, Message, PeerInfo, Poll, PollState, Refusal,
    Rejection, Revision, Update,
};
use hustings_room::driver::records;
use hustings_room::{
    CommandState, Config, Connection, DownReason, Event, Host, LinkId, Machine, Moment, Output,
    Owner, Participant, Setup, TimeoutReason,
};

use super::drain::drain;
use super::people::{
    ALICE, Person, acceptor_binding, challenge, decode, dialler_binding, hello, poll, proof, room,
};

/// The settings with which everything about peers is told at once, because time stands still here,
/// unless a test says otherwise.
fn telling_at_once(config: Config) -> Config {
    if config.presence_interval == Config::default().presence_interval {
        let presence_interval = Duration::ZERO;
        return Config {
            presence_interval,
            ..config
        };
    }
    config
}

/// A machine, its clock and its disk.
pub(crate) struct Bench<M> {
    pub(crate) machine: M,
    pub(crate) now: Moment,
    pub(crate) disk: MemoryStore,
    device: DeviceId,
    /// The number of links so far.
    links: u64,
}

/// The outputs of a machine after an input.
#[derive(Debug)]
pub(crate) struct Outputs(pub(crate) Vec<Output>);

impl Outputs {
    /// The frames for a link, in their order.
    pub(crate) fn frames(&self, to: LinkId) -> Vec<Bytes> {
        let frames = self.0.iter().filter_map(|output| match output {
            Output::Send { link, frame } if *link == to => Some(frame),
            Output::Broadcast {
                links,
                except,
                frame,
            } if links.contains(&to) && *except != Some(to) => Some(frame),
            _ => None,
        });
        frames.cloned().collect()
    }

    /// The messages for a link, in their order, without the marks of the history: these are random
    /// to everybody but the owner.
    pub(crate) fn to(&self, link: LinkId) -> Vec<Message> {
        let frames = self.frames(link).into_iter();
        frames
            .map(|frame| match decode(&frame) {
                Message::PollState(state) => Message::PollState(PollState {
                    history: None,
                    ..state
                }),
                Message::Update(update) => Message::Update(Update {
                    history: None,
                    ..update
                }),
                Message::Ack(ack) => Message::Ack(Ack {
                    history: None,
                    ..ack
                }),
                other => other,
            })
            .collect()
    }

    /// The one refusal among the messages for a link, and the command that it is about.
    pub(crate) fn refusal(&self, to: LinkId) -> (Option<CommandId>, ErrorCode) {
        let mut refusals = self.to(to).into_iter().filter_map(|message| match message {
            Message::Error(refusal) => Some((refusal.command_id, refusal.rejection.code)),
            _ => None,
        });
        let refusal = refusals.next().unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(refusals.next(), None);
        refusal
    }

    pub(crate) fn hangs_up(&self, on: LinkId) -> bool {
        let mut outputs = self.0.iter();
        outputs.any(|output| matches!(output, Output::Hangup { link } if *link == on))
    }

    /// The link that is dialled.
    pub(crate) fn dialled(&self) -> Option<LinkId> {
        self.0.iter().find_map(|output| match output {
            Output::Dial { link, .. } => Some(*link),
            _ => None,
        })
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let events = self.0.iter().filter_map(|output| match output {
            Output::Event { event, .. } => Some(event.clone()),
            _ => None,
        });
        events.collect()
    }

    /// The ends of commands that the application is told.
    pub(crate) fn outcomes(&self) -> Vec<CommandState> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::Command { state, .. } if state.is_final() => Some(state),
                _ => None,
            })
            .collect()
    }

    /// The faults of peers that the application is told.
    pub(crate) fn faults(&self) -> Vec<ErrorCode> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::Fault { rejection, .. } => Some(rejection.code),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn keeps_anything(&self) -> bool {
        let mut outputs = self.0.iter();
        outputs.any(|output| matches!(output, Output::Persist(_)))
    }
}

impl<M: Machine> Bench<M> {
    fn new(machine: M, device: DeviceId, disk: MemoryStore, now: Moment) -> Self {
        Self {
            machine,
            now,
            disk,
            device,
            links: 0,
        }
    }

    /// Tells the machine something, keeps what is to be kept, and returns all that it wants done.
    pub(crate) fn tell<R>(&mut self, tell: impl FnOnce(&mut M, Moment) -> R) -> (R, Outputs) {
        let result = tell(&mut self.machine, self.now);
        (result, self.drain())
    }

    /// The outputs that are already there.
    ///
    /// As with a driver, what is to be told of peers at once is told.
    pub(crate) fn drain(&mut self) -> Outputs {
        let mut all = self.drain_once();
        while let Some((at, TimeoutReason::Presence)) = self.machine.poll_timeout()
            && at <= self.now
        {
            self.machine.handle_timeout(self.now);
            all.append(&mut self.drain_once());
        }
        Outputs(all)
    }

    fn drain_once(&mut self) -> Vec<Output> {
        let (disk, device) = (&self.disk, self.device);
        let mut outputs = Vec::new();
        drain(&mut self.machine, |output| {
            if let Output::Persist(persist) = &output {
                let mut batch = Batch::new();
                let durability = records::durability(&persist.record);
                records::stage(&mut batch, device, persist.as_ref().clone());
                ready(disk.commit(batch, durability));
            }
            outputs.push(output);
        });
        outputs
    }

    pub(crate) fn hears(&mut self, link: LinkId, frame: impl AsRef<[u8]>) -> Outputs {
        let frame = Bytes::copy_from_slice(frame.as_ref());
        self.tell(|machine, now| machine.handle_frame(link, &frame, now))
            .1
    }

    pub(crate) fn loses(&mut self, link: LinkId, reason: DownReason) -> Outputs {
        self.tell(|machine, now| machine.handle_link_down(link, reason, now))
            .1
    }

    /// Time passes, and each timer is served when it is due.
    pub(crate) fn waits(&mut self, duration: Duration) -> Outputs {
        let until = self.now + duration;
        let mut all = Vec::new();
        while let Some((at, _)) = self.machine.poll_timeout()
            && at <= until
        {
            self.now = self.now.max(at);
            all.append(&mut self.serves_timers().0);
        }
        self.now = until;
        Outputs(all)
    }

    pub(crate) fn serves_timers(&mut self) -> Outputs {
        self.tell(|machine, now| machine.handle_timeout(now)).1
    }

    /// The time until the next deadline.
    pub(crate) fn idle(&self) -> Option<Duration> {
        self.machine.poll_timeout().map(|(at, _)| at - self.now)
    }
}

/// An owner, which is a host with one poll.
impl Bench<Host> {
    /// Alice hosts [`poll`].
    pub(crate) fn hosting() -> Self {
        Self::hosting_with(Config::default())
    }

    pub(crate) fn hosting_with(config: Config) -> Self {
        Self::hosting_poll(poll(), config)
    }

    /// Alice hosts this poll.
    pub(crate) fn hosting_poll(poll: Poll, config: Config) -> Self {
        let config = telling_at_once(config);
        let setup = ALICE.setup(1, config.clone());
        let mut bench = Self::new(
            Host::new(&ALICE.setup(0, config), Moment::START),
            ALICE.device(),
            MemoryStore::new(),
            Moment::START,
        );
        let owner = Owner::create(setup, poll).expect("a sound poll");
        bench.tell(|host, now| host.open(owner, now));
        bench
    }

    /// The process is started again, from its disk.
    pub(crate) fn restarts(&mut self) {
        self.restarts_with(Config::default());
    }

    pub(crate) fn restarts_with(&mut self, config: Config) {
        let config = telling_at_once(config);
        let journal = ready(records::load_journal(&self.disk, room()));
        let setup = ALICE.setup(3, config.clone());
        let owner = Owner::restore(setup, journal.expect("there is one"));
        let owner = owner.expect("the journal is whole");
        self.machine = Host::new(&ALICE.setup(2, config), self.now);
        self.tell(|host, now| host.open(owner, now));
    }

    /// The owner as its journal has it.
    pub(crate) fn restored_owner(&self) -> Owner {
        let journal = ready(records::load_journal(&self.disk, room()));
        let setup = ALICE.setup(3, Config::default());
        Owner::restore(setup, journal.expect("there is one")).expect("the journal is whole")
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.machine.owner(room().poll_id).expect("it is hosted")
    }

    /// Somebody connects, over a channel of its own, and has not said anything.
    pub(crate) fn link(&mut self) -> (LinkId, Outputs) {
        self.links += 1;
        let (link, binding) = (LinkId::accepted(self.links), acceptor_binding(self.links));
        let (_, said) = self.tell(|host, now| host.handle_link_up(link, binding, now));
        (link, said)
    }

    /// Somebody connects and proves who they are.
    pub(crate) fn admits(&mut self, who: Person) -> LinkId {
        self.admits_with(who, hello(who, room())).0
    }

    pub(crate) fn admits_with(&mut self, who: Person, hello: Hello) -> (LinkId, Outputs) {
        let (link, _) = self.link();
        let (link, said) = self.proves(link, who, hello);
        assert!(!said.hangs_up(link), "{said:?}");
        (link, said)
    }

    /// Somebody goes through the handshake on the link that was made last.
    pub(crate) fn proves(&mut self, link: LinkId, who: Person, hello: Hello) -> (LinkId, Outputs) {
        let said = self.hears(link, Message::Hello(hello).encode());
        let [Message::Challenge(challenge)] = said.to(link)[..] else {
            panic!("{said:?}");
        };
        let binding = dialler_binding(self.links);
        let proof = proof(&who.key(), ALICE.peer(), &hello, &challenge, &binding);
        let said = self.hears(link, proof.encode());
        (link, said)
    }

    /// True if a peer on this link still gets answers.
    pub(crate) fn is_served(&mut self, link: LinkId) -> bool {
        self.hears(link, Message::Ping.encode()).to(link) == [Message::Pong]
    }
}

/// A participant; the test is its owner.
impl Bench<Participant> {
    /// Somebody wants to join [`room`].
    pub(crate) fn joining(who: Person) -> Self {
        Self::joining_with(who, 0, Config::default())
    }

    pub(crate) fn joining_with(who: Person, life: u64, config: Config) -> Self {
        Self::starting(who, life, config, MemoryStore::new(), Moment::START)
    }

    pub(crate) fn starting(
        who: Person,
        life: u64,
        config: Config,
        disk: MemoryStore,
        now: Moment,
    ) -> Self {
        Self::starting_as(who.setup(life, config), disk, now)
    }

    /// The participant of this setup, on whatever device.
    pub(crate) fn starting_as(setup: Setup, disk: MemoryStore, now: Moment) -> Self {
        let device = setup.device;
        let kept = records::load_participant(&disk, device, room());
        let (outbox, cache) = ready(kept);
        let participant = Participant::new(setup, room(), outbox, cache.as_ref(), now);
        let participant = participant.expect("the stored data is whole");
        Self::new(participant, device, disk, now)
    }

    pub(crate) fn is_connected(&self) -> bool {
        *self.machine.connection() == Connection::Connected
    }

    /// The dial that is out is answered. Returns the greeting.
    pub(crate) fn is_answered(&mut self, said: &Outputs) -> (LinkId, Hello) {
        let link = said.dialled().unwrap_or_else(|| panic!("{said:?}"));
        self.links += 1;
        let binding = dialler_binding(self.links);
        let (_, said) = self.tell(|it, now| it.handle_link_up(link, binding, now));
        let [Message::Hello(hello)] = said.to(link)[..] else {
            panic!("{said:?}");
        };
        (link, hello)
    }

    /// Alice's challenge on the present channel.
    pub(crate) fn challenge(&self, hello: &Hello) -> Message {
        let binding = dialler_binding(self.links);
        challenge(&ALICE.key(), ALICE.peer(), hello, &binding)
    }

    /// Alice answers the dial that is among `said` and lets this side in, with nothing new.
    pub(crate) fn is_let_in(&mut self, said: &Outputs) -> (LinkId, Outputs) {
        let (link, hello) = self.is_answered(said);
        let mut all = self.hears(link, self.challenge(&hello).encode());
        all.0
            .append(&mut self.hears(link, who_is_here().encode()).0);
        assert!(self.is_connected());
        (link, all)
    }

    /// From the beginning until Alice has let this side in and sent the poll, at revision zero.
    pub(crate) fn joins(&mut self) -> LinkId {
        let said = self.drain();
        let (link, _) = self.is_let_in(&said);
        self.hears(link, state(1, 0, &poll()));
        assert_eq!(self.machine.revision(), Some(Revision::ZERO));
        link
    }
}

/// Alice alone.
pub(crate) fn who_is_here() -> Message {
    Message::Discovery(vec![PeerInfo {
        peer_id: ALICE.peer(),
        device: ALICE.device(),
        online: true,
    }])
}

/// A `poll:state`.
pub(crate) fn state(epoch: u64, revision: u64, poll: &Poll) -> Bytes {
    let state = PollState {
        revision: Revision::new(revision).expect("a sound revision"),
        epoch: Epoch::new(epoch),
        history: None,
        poll: poll.clone(),
        ballot: Vec::new(),
    };
    Message::PollState(state).encode()
}

/// An `error` that is not about a command.
pub(crate) fn error(code: ErrorCode) -> Bytes {
    Message::Error(Refusal {
        command_id: None,
        rejection: Rejection::new(code, "because"),
    })
    .encode()
}

/// The result of a store in memory, whose futures never wait.
pub(crate) fn ready<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    let result = future.now_or_never().expect("memory does not wait");
    result.expect("memory does not fail")
}

/// Both ends of one connection, between two machines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) at_owner: LinkId,
    pub(crate) at_participant: LinkId,
}

impl Pair {
    /// The dial that is among `said` reaches the owner, and everything is delivered that the two
    /// have to say to each other. Returns what they wanted done.
    pub(crate) fn connect(
        owner: &mut Bench<Host>,
        participant: &mut Bench<Participant>,
        said: &Outputs,
    ) -> (Self, Outputs, Outputs) {
        let at_participant = said.dialled().unwrap_or_else(|| panic!("{said:?}"));
        let (at_owner, _) = owner.link();
        participant.links = owner.links;
        let pair = Self {
            at_owner,
            at_participant,
        };
        let binding = dialler_binding(participant.links);
        let (_, greeting) =
            participant.tell(|it, now| it.handle_link_up(at_participant, binding, now));
        let (at_owner, at_participant) = pair.deliver(owner, participant, greeting);
        (pair, at_owner, at_participant)
    }

    /// Delivers what the participant has just said, and every answer, until there is silence.
    pub(crate) fn deliver(
        self,
        owner: &mut Bench<Host>,
        participant: &mut Bench<Participant>,
        said: Outputs,
    ) -> (Outputs, Outputs) {
        let (mut by_owner, mut by_participant) = (Outputs(Vec::new()), said);
        let (mut heard_by_owner, mut heard_by_participant) = (0, 0);
        loop {
            let up = by_participant.frames(self.at_participant);
            let down = by_owner.frames(self.at_owner);
            if let Some(frame) = up.get(heard_by_owner) {
                heard_by_owner += 1;
                by_owner.0.append(&mut owner.hears(self.at_owner, frame).0);
            } else if let Some(frame) = down.get(heard_by_participant) {
                heard_by_participant += 1;
                let said = participant.hears(self.at_participant, frame);
                by_participant.0.extend(said.0);
            } else {
                return (by_owner, by_participant);
            }
        }
    }

    /// The connection breaks, and the participant dials again.
    pub(crate) fn breaks(
        self,
        owner: &mut Bench<Host>,
        participant: &mut Bench<Participant>,
    ) -> Outputs {
        owner.loses(self.at_owner, DownReason::Unreachable);
        participant.loses(self.at_participant, DownReason::Unreachable);
        participant.tell(Participant::handle_wake).1
    }
}

/// A copy of everything on a disk, which goes its own way from then on.
pub(crate) fn copy(disk: &MemoryStore) -> MemoryStore {
    let copy = MemoryStore::new();
    let mut batch = Batch::new();
    // A key begins with a tag, and no tag is 0xff.
    for (key, value) in ready(disk.scan(Bytes::new()..Bytes::from_static(&[0xff]))) {
        batch.put(key, value);
    }
    ready(copy.commit(batch, hustings_outbox::Durability::Strict));
    copy
}
