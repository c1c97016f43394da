//! A participant between a real owner and a liar on the line: frames arrive late, altered, twice or
//! never, links end, clocks jump, and the participant starts again from what it has stored.
//! Nothing makes it panic, its outputs depend on its inputs alone, each command has one outcome,
//! and whoever has proved nothing changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use hustings_outbox::{Batch, MemoryStore, Store};
use hustings_protocol::{
    Command, CommandId, Limits, Message, OptionAdd, Poll, Revision, Seq, SettingsUpdate,
    UserProfile, Vote,
};
use hustings_room::driver::records;
use hustings_room::{
    CommandState, Config, Connection, DownReason, Event, Host, LinkId, Moment, OfflinePolicy,
    Output, Owner, Participant, Record,
};

use crate::input::Input;
use crate::people::{OWNER, acceptor, config, device, dialler, option, poll, room, setup};

/// The inputs of one run.
const MAX_STEPS: usize = 200;
/// Most lives of the participant in one run.
const MAX_LIVES: u8 = 8;
/// The beginning of the frame with which an owner proves who it is.
const CHALLENGE: &[u8] = br#"{"type":"auth:challenge""#;
/// The one that is looked at.
const VOTER: u8 = 2;

pub(super) fn run(bytes: &[u8]) {
    let (first, again) = (Run::of(bytes), Run::of(bytes));
    assert_eq!(
        first.outputs, again.outputs,
        "the same inputs, other outputs"
    );
}

/// The link that there is, from both ends.
struct Link {
    here: LinkId,
    there: LinkId,
    channel: u64,
    /// The participant knows of it.
    is_up: bool,
    to_owner: VecDeque<Bytes>,
    from_owner: VecDeque<Bytes>,
}

struct Run {
    host: Host,
    participant: Participant,
    config: Config,
    lives: u8,
    now: Moment,
    disk: MemoryStore,
    link: Option<Link>,
    /// On the link that was dialled last, the owner's challenge has arrived as it was sent.
    is_proven: bool,
    channels: u64,
    /// Every frame of the owner, for whoever says it again.
    said: Vec<Bytes>,
    /// Nobody has altered, forged or repeated a frame yet: what the participant shows is the owner's.
    is_honest: bool,
    /// The owner's poll at each revision.
    polls: BTreeMap<Revision, Arc<Poll>>,
    shown: Option<Revision>,
    /// The commands in the outbox, as those that were stored and have no outcome.
    pending: BTreeMap<Seq, CommandId>,
    stored: BTreeSet<CommandId>,
    settled: BTreeSet<CommandId>,
    outputs: Vec<Output>,
}

impl Run {
    fn of(bytes: &[u8]) -> Self {
        let mut input = Input::new(bytes);
        let policy = match input.byte() & 1 {
            0 => OfflinePolicy::Refuse,
            _ => OfflinePolicy::Queue,
        };
        let config = Config {
            offline: policy,
            ..config()
        };
        let disk = MemoryStore::new();
        let mut run = Self {
            host: Host::new(&setup(OWNER, 0), Moment::START),
            participant: life(&disk, &config, 0, Moment::START),
            config,
            lives: 1,
            now: Moment::START,
            disk,
            link: None,
            is_proven: false,
            channels: 0,
            said: Vec::new(),
            is_honest: true,
            polls: BTreeMap::new(),
            shown: None,
            pending: BTreeMap::new(),
            stored: BTreeSet::new(),
            settled: BTreeSet::new(),
            outputs: Vec::new(),
        };
        let owner = Owner::create(setup(OWNER, 1), poll()).unwrap();
        run.host.open(owner, run.now);
        run.drain_host();
        run.drain();
        for _ in 0..MAX_STEPS {
            if input.is_empty() {
                break;
            }
            run.step(&mut input);
        }
        run
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => self.connects(),
            // What an ordinary network does, several frames at a time.
            1..=4 => {
                for _ in 0..=input.below(8) {
                    self.owner_hears();
                    self.hears_the_owner();
                }
            }
            5 => self.hears_the_owner(),
            6 => {
                // A frame is lost on the way, which a link never does by itself.
                let link = self.link.as_mut();
                if link.and_then(|link| link.from_owner.pop_front()).is_some() {
                    self.is_honest = false;
                }
            }
            7 => {
                let frame = input.some().to_vec();
                self.is_told(frame.into());
            }
            8 => {
                if let Some(frame) = input.pick(&self.said).cloned() {
                    let frame = input.altered(&frame);
                    self.is_told(frame.into());
                }
            }
            9 => {
                let frame = self.forged(input);
                let frame = input.altered(&frame);
                self.is_told(frame.into());
            }
            10 => {
                let command = command(input);
                // A refusal is said and changes nothing: what is pending is looked at below.
                let _ = self.participant.submit(command, self.now);
                self.drain();
            }
            11 => {
                let command = command(input);
                let _ = self.host.submit(room().poll_id, command, self.now);
                self.drain_host();
            }
            12 => {
                let millis = u64::from(input.number()) * 4;
                self.now = self.now + Duration::from_millis(millis);
                self.participant.handle_timeout(self.now);
                self.drain();
                self.host.handle_timeout(self.now);
                self.drain_host();
            }
            13 => self.link_ends(),
            14 => {
                if let Some(link) = self.link.as_ref().filter(|link| link.is_up) {
                    let (here, last) = (link.here, link.to_owner.back().cloned());
                    match last {
                        Some(frame) if input.byte() & 1 == 0 => {
                            self.participant.handle_blocked(here, &frame, self.now);
                        }
                        _ => self.participant.handle_writable(here, self.now),
                    }
                    self.drain();
                }
            }
            _ => match input.below(4) {
                0 => self.starts_again(),
                1 => self.participant.handle_wake(self.now),
                2 => self.participant.reconnect(self.now),
                _ => drop(self.participant.view()),
            },
        }
        self.drain();
        self.is_consistent();
    }

    /// The dialled link opens at both ends.
    fn connects(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| !link.is_up) else {
            return;
        };
        link.is_up = true;
        let (here, there, channel) = (link.here, link.there, link.channel);
        self.host.handle_link_up(there, acceptor(channel), self.now);
        self.drain_host();
        let binding = dialler(channel);
        self.participant.handle_link_up(here, binding, self.now);
        self.drain();
    }

    fn owner_hears(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.is_up) else {
            return;
        };
        if let Some(frame) = link.to_owner.pop_front() {
            let there = link.there;
            self.host.handle_frame(there, &frame, self.now);
            self.drain_host();
        }
    }

    fn hears_the_owner(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.is_up) else {
            return;
        };
        let Some(frame) = link.from_owner.pop_front() else {
            return;
        };
        self.is_proven |= frame.starts_with(CHALLENGE);
        let here = link.here;
        self.participant.handle_frame(here, &frame, self.now);
        self.drain();
    }

    /// Somebody on the line says this.
    fn is_told(&mut self, frame: Bytes) {
        let Some(link) = self.link.as_ref().filter(|link| link.is_up) else {
            return;
        };
        // Before the proof whatever is said is a stranger's, and may change nothing.
        self.is_honest &= !self.is_proven;
        let here = link.here;
        self.participant.handle_frame(here, &frame, self.now);
        self.drain();
    }

    fn link_ends(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        let reason = || DownReason::Lost(String::new());
        let here = link.here;
        self.participant.handle_link_down(here, reason(), self.now);
        self.drain();
        if link.is_up {
            self.host.handle_link_down(link.there, reason(), self.now);
            self.drain_host();
        }
    }

    /// The process is killed, and starts from what it has stored.
    fn starts_again(&mut self) {
        if self.lives == MAX_LIVES {
            return;
        }
        if let Some(link) = self.link.take().filter(|link| link.is_up) {
            let reason = DownReason::Lost(String::new());
            self.host.handle_link_down(link.there, reason, self.now);
            self.drain_host();
        }
        self.participant = life(&self.disk, &self.config, self.lives, self.now);
        self.lives += 1;
        self.drain();
    }

    /// Carries out everything that the participant wants done.
    fn drain(&mut self) {
        while let Some(output) = self.participant.poll_output() {
            match &output {
                Output::Persist(persist) => {
                    match &persist.record {
                        Record::Queued { seq, frame } => {
                            let id = numbered(frame).command_id;
                            let before = self.pending.insert(*seq, id);
                            // A command that stands behind one that got another number is stored
                            // once more.
                            assert!(before.is_none() || before == Some(id), "{seq} twice");
                            // Offered again to an owner whose history is another, which no honest
                            // line tells of here.
                            let again = self.settled.remove(&id);
                            assert!(!again || !self.is_honest, "offered again");
                            self.stored.insert(id);
                        }
                        Record::Settled { seq, .. } => {
                            self.pending.remove(seq);
                        }
                        _ => {}
                    }
                    let mut batch = Batch::new();
                    let durability = records::durability(&persist.record);
                    records::stage(&mut batch, device(VOTER), persist.as_ref().clone());
                    let committed = self.disk.commit(batch, durability).now_or_never();
                    committed.unwrap().unwrap();
                }
                Output::Send { link: to, frame } => {
                    let read = Message::decode(frame, &Limits::default());
                    let message =
                        read.unwrap_or_else(|error| panic!("{error}: {}", frame.escape_ascii()));
                    if let Message::Command(numbered) = message {
                        let id = numbered.command_id;
                        assert!(self.stored.contains(&id), "{id:?} is sent and not stored");
                    }
                    // The link may have ended since.
                    if let Some(link) = self.link.as_mut().filter(|link| link.here == *to) {
                        assert!(link.is_up, "a frame before the link is up");
                        link.to_owner.push_back(frame.clone());
                    }
                }
                Output::Dial { link, .. } => {
                    assert!(self.link.is_none(), "one link at a time");
                    let channel = self.channels;
                    self.channels += 1;
                    self.is_proven = false;
                    self.link = Some(Link {
                        here: *link,
                        there: LinkId::accepted(channel),
                        channel,
                        is_up: false,
                        to_owner: VecDeque::new(),
                        from_owner: VecDeque::new(),
                    });
                }
                Output::Hangup { link: to } => {
                    let link = self.link.take_if(|link| link.here == *to);
                    if let Some(link) = link.filter(|link| link.is_up) {
                        let reason = DownReason::Lost(String::new());
                        self.host.handle_link_down(link.there, reason, self.now);
                        self.drain_host();
                    }
                }
                Output::Event { event, .. } => self.is_told_of(event),
                Output::Broadcast { .. } => panic!("a participant has one link"),
            }
            self.outputs.push(output);
        }
    }

    /// Looks at what the application is told.
    fn is_told_of(&mut self, event: &Event) {
        match event {
            Event::Command { command_id, state } if state.is_final() => {
                assert!(self.settled.insert(*command_id), "two outcomes");
                assert!(
                    self.is_proven,
                    "an outcome from somebody who has proved nothing"
                );
                if let (true, CommandState::Applied(revision)) = (self.is_honest, state) {
                    assert!(self.polls.contains_key(revision), "never applied");
                }
            }
            Event::PollChanged { .. } => {
                assert!(self.is_proven || self.lives > 1, "a poll from a stranger");
            }
            Event::Connection(Connection::Connected | Connection::Refused(_)) => {
                assert!(
                    self.is_proven,
                    "final words of somebody who has proved nothing"
                );
            }
            _ => {}
        }
    }

    fn drain_host(&mut self) {
        while let Some(output) = self.host.poll_output() {
            match output {
                Output::Send { link, frame } => self.says(link, &frame),
                Output::Broadcast {
                    links,
                    except,
                    frame,
                } => {
                    for link in links.iter().filter(|link| Some(**link) != except) {
                        self.says(*link, &frame);
                    }
                }
                Output::Hangup { link: from } => {
                    let link = self.link.take_if(|link| link.there == from);
                    if let Some(link) = link {
                        // What was said before still arrives.
                        for frame in link.from_owner {
                            let here = link.here;
                            self.is_proven |= frame.starts_with(CHALLENGE);
                            self.participant.handle_frame(here, &frame, self.now);
                        }
                        let reason = DownReason::Lost(String::new());
                        let here = link.here;
                        self.participant.handle_link_down(here, reason, self.now);
                    }
                }
                _ => {}
            }
        }
        let owner = self.host.owner(room().poll_id).unwrap();
        let revision = owner.revision();
        let polls = self.polls.entry(revision);
        polls.or_insert_with(|| Arc::clone(owner.poll()));
    }

    fn says(&mut self, to: LinkId, frame: &Bytes) {
        if let Some(link) = self.link.as_mut().filter(|link| link.there == to) {
            link.from_owner.push_back(frame.clone());
            self.said.push(frame.clone());
        }
    }

    fn is_consistent(&mut self) {
        let pending = self.participant.pending();
        let pending: BTreeMap<_, _> = pending.iter().map(|it| (it.seq, it.command_id)).collect();
        assert_eq!(pending, self.pending, "pending is what is stored");
        if !self.is_honest {
            return;
        }
        let revision = self.participant.revision();
        assert!(revision >= self.shown, "{revision:?} < {:?}", self.shown);
        self.shown = revision;
        if let (Some(revision), Some(shown)) = (revision, self.participant.confirmed()) {
            let told = self.polls[&revision].told_to(self.participant.peer());
            assert_eq!(**shown, told, "another poll than it is told");
        }
    }

    /// A message that an owner could send, with some of it true.
    fn forged(&self, input: &mut Input<'_>) -> Vec<u8> {
        let pending: Vec<_> = self.pending.values().copied().collect();
        let id = input.pick(&pending).copied();
        let id = id.unwrap_or_else(|| CommandId::new(1_790_000_000_000, [input.byte(); 10]));
        let revision = input.byte();
        let text = match input.below(4) {
            0 => format!(
                r#"{{"type":"ack","payload":{{"commandId":"{id}","revision":{revision}}}}}"#
            ),
            1 => format!(
                r#"{{"type":"error","payload":{{"commandId":"{id}","message":"no","code":"closed"}}}}"#
            ),
            2 => r#"{"type":"error","payload":{"message":"go","code":"unknown-poll"}}"#.to_owned(),
            _ => r#"{"type":"ping"}"#.to_owned(),
        };
        text.into_bytes()
    }
}

/// A participant with what is on this disk.
fn life(disk: &MemoryStore, config: &Config, life: u8, now: Moment) -> Participant {
    let loaded = records::load_participant(disk, device(VOTER), room()).now_or_never();
    let (outbox, cache) = loaded.unwrap().unwrap();
    let mut setup = setup(VOTER, life);
    setup.config = config.clone();
    Participant::new(setup, room(), outbox, cache.as_ref(), now).unwrap()
}

fn numbered(frame: &Bytes) -> hustings_protocol::Numbered {
    match Message::decode(frame, &Limits::default()).unwrap() {
        Message::Command(numbered) => numbered,
        other => panic!("{other:?} in an outbox"),
    }
}

fn command(input: &mut Input<'_>) -> Command {
    let poll_id = room().poll_id;
    let what = input.byte();
    match input.below(5) {
        0 | 1 => Command::Vote(Vote {
            poll_id,
            option_ids: vec![option(what % 4)],
        }),
        2 => Command::AddOption(OptionAdd {
            poll_id,
            option_id: option(what % 8),
            label: String::from_utf8_lossy(input.bytes(usize::from(what) % 9)).into_owned(),
        }),
        3 => Command::UpdateSettings(SettingsUpdate::new(poll_id).closed(what & 1 == 0)),
        _ => Command::SetProfile(UserProfile {
            name: String::from_utf8_lossy(input.bytes(usize::from(what) % 9)).into_owned(),
        }),
    }
}
