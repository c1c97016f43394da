//! Those who keep to no protocol: peers with keys of their own, and somebody at the owner's
//! address.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Nonce, Side, Signature, Transcript, VERSION};
use hustings_protocol::{
    Address, Challenge, Command, CommandId, DeviceId, Epoch, ErrorCode, Hello, Limits, Message,
    Numbered, OptionId, PeerId, Position, Proof, Refusal, Rejection, Revision, RoomId, Seq,
    SyncRequest, Update, UserProfile, Vote, batch,
};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{ChannelBinding, LinkId};
use hustings_transport_mem::{MemTransport, MemoryNet};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::scene::{OWNER, Scene, lock};
use super::tap::messages_of;
use super::{Kind, Violation, World, keys};

/// The mark of the key that is not one of the participants'.
const MARK: u8 = 66;
/// Most links at a time.
const MAX_LINKS: usize = 6;

/// Somebody with a key, who knows the protocol and does not keep to it.
pub(super) struct Hostile {
    scene: Arc<Mutex<Scene>>,
    rng: ChaCha8Rng,
    net: MemoryNet,
    room: RoomId,
    /// The place of its poll.
    poll: usize,
    options: Vec<OptionId>,
    pub(super) address: Address,
    transport: MemTransport,
    dials: u64,
    legs: BTreeMap<LinkId, Leg>,
    /// The highest number that was answered.
    done: u64,
    /// The numbers of its commands.
    numbers: BTreeMap<CommandId, u64>,
    world: World,
    /// The owner's own key and device, if this is a copy of its profile.
    copied: Option<(SigningKey, DeviceId)>,
    /// Those it has been so far who were never seen before.
    strangers: usize,
    /// True while it says nothing, to say everything at once.
    gathers: bool,
}

/// One of its links.
struct Leg {
    manner: Manner,
    key: SigningKey,
    hello: Hello,
    binding: Option<ChannelBinding>,
    /// True once the owner has let it in.
    is_in: bool,
    /// The last number that was sent on it.
    sent: u64,
    waiting: VecDeque<Bytes>,
    is_blocked: bool,
    /// Commands that have no answer yet.
    unanswered: BTreeSet<CommandId>,
    has_pong: bool,
}

/// The beginning of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// The handshake as it should be.
    Joins,
    /// A greeting with a revision that nobody has seen.
    Boasts,
    /// A key that nobody has seen, and never again.
    Fresh,
    /// Nothing after the greeting.
    Half,
    /// Nothing.
    Silent,
    /// Somebody else's name, with a key that is not theirs.
    Claims,
    /// Frames that others have sent.
    Replays,
    /// No frames at all, just bytes.
    Garbage,
}

const MANNERS: [Manner; 10] = [
    Manner::Joins,
    Manner::Joins,
    Manner::Joins,
    Manner::Boasts,
    Manner::Fresh,
    Manner::Half,
    Manner::Silent,
    Manner::Claims,
    Manner::Replays,
    Manner::Garbage,
];

/// A hostile peer that a task and the schedule share.
pub(super) type Shared = Rc<RefCell<Hostile>>;

/// Hears what comes in, for ever.
pub(super) async fn listens(hostile: Shared) {
    poll_fn(|cx| hostile.borrow_mut().poll(cx)).await;
}

impl Hostile {
    pub(super) fn new(
        scene: Arc<Mutex<Scene>>,
        net: &MemoryNet,
        poll: usize,
        options: Vec<OptionId>,
        copied: Option<(SigningKey, DeviceId)>,
    ) -> Self {
        let key = keys::named(MARK);
        let number = u8::try_from(poll).expect("there are few");
        let mark = MARK + u8::from(copied.is_some()) + 2 * number;
        let address = Address::Participant(PeerId::of(&key), DeviceId::from_bytes([mark; 5]));
        let (seed, world, room) = {
            let mut scene = lock(&scene);
            scene.hostile.push(address);
            scene.meet(PeerId::of(&key));
            let room = scene.room_of(poll).expect("the poll has been made");
            (scene.plan.seed, scene.world, room)
        };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed ^ u64::from(mark) << 56),
            transport: net.transport(address).expect("nobody else is there"),
            net: net.clone(),
            scene,
            room,
            poll,
            options,
            address,
            dials: 0,
            legs: BTreeMap::new(),
            done: 0,
            numbers: BTreeMap::new(),
            world,
            copied,
            strangers: 0,
            gathers: false,
        }
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        lock(&self.scene)
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn id(&mut self) -> CommandId {
        let time = CommandId::new(1_790_000_000_000, self.bytes());
        if self.draw(8) > 0 {
            return time;
        }
        // One that says nothing of when it was made.
        CommandId::from_uuid(uuid::Builder::from_random_bytes(self.bytes()).into_uuid())
    }

    /// The epoch and the revision of the poll that it is after.
    fn present(&self) -> Option<(Epoch, Revision)> {
        self.scene().oracle_of(self.poll)?.present()
    }

    // What it hears.

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(event) = self.transport.poll_event(cx) {
            match event {
                TransportEvent::LinkUp { link, binding } => self.link_up(link, binding),
                TransportEvent::Frame { link, frame } => {
                    for message in messages_of(&frame) {
                        self.frame(link, &message);
                    }
                }
                TransportEvent::Writable { link } => {
                    if let Some(leg) = self.legs.get_mut(&link) {
                        leg.is_blocked = false;
                    }
                    self.flush(link);
                }
                TransportEvent::LinkDown { link, .. } => {
                    self.legs.remove(&link);
                }
                TransportEvent::Wake | TransportEvent::Failed(_) => {}
            }
        }
        Poll::Pending
    }

    fn link_up(&mut self, link: LinkId, binding: ChannelBinding) {
        let present = self.present();
        let Some(leg) = self.legs.get_mut(&link) else {
            return;
        };
        leg.binding = Some(binding);
        if leg.manner == Manner::Boasts
            && let Some((epoch, revision)) = present
        {
            leg.hello.epoch = Some(epoch);
            leg.hello.revision = Revision::new(revision.get() + 1_000);
        }
        let greeting = Message::Hello(leg.hello).encode();
        match leg.manner {
            Manner::Joins | Manner::Boasts | Manner::Fresh | Manner::Half | Manner::Claims => {
                self.send(link, greeting);
            }
            Manner::Silent => {}
            Manner::Replays => {
                let overheard: Vec<Bytes> = self.scene().overheard.iter().cloned().collect();
                for frame in overheard {
                    self.send(link, frame);
                }
            }
            Manner::Garbage => {
                let frame = Bytes::copy_from_slice(&self.bytes::<64>());
                self.send(link, frame);
            }
        }
    }

    fn frame(&mut self, link: LinkId, frame: &Bytes) {
        let message = Message::decode(frame, &Limits::unbounded());
        let Some(leg) = self.legs.get_mut(&link) else {
            return;
        };
        match message {
            Ok(Message::Challenge(challenge)) => {
                let (Some(binding), false) = (&leg.binding, leg.manner == Manner::Half) else {
                    return;
                };
                let transcript = Transcript {
                    owner: self.room.owner,
                    participant: leg.hello.peer_id,
                    poll_id: leg.hello.poll_id,
                    device: leg.hello.device,
                    participant_nonce: leg.hello.nonce,
                    owner_nonce: challenge.nonce,
                    owner_binding: &binding.remote,
                    participant_binding: &binding.local,
                };
                let signature = transcript.sign(Side::Participant, &leg.key);
                self.send(link, Message::Proof(Proof { signature }).encode());
            }
            Ok(Message::Discovery(_) | Message::PollState(_) | Message::Update(_)) => {
                let proves = [Manner::Joins, Manner::Boasts, Manner::Fresh];
                if !proves.contains(&leg.manner) {
                    let what = format!("{:?} on {link} is told of the poll", leg.manner);
                    return lock(&self.scene).breaks(what);
                }
                leg.is_in = true;
            }
            Ok(Message::Ping) => self.send(link, Message::Pong.encode()),
            Ok(Message::Pong) => leg.has_pong = true,
            Ok(Message::Ack(ack)) => self.answered(link, ack.command_id),
            Ok(Message::Error(Refusal {
                command_id: Some(command_id),
                ..
            })) => self.answered(link, command_id),
            Ok(_) | Err(_) => {}
        }
    }

    fn answered(&mut self, link: LinkId, command_id: CommandId) {
        if let Some(leg) = self.legs.get_mut(&link) {
            leg.unanswered.remove(&command_id);
            let is_own = leg.manner != Manner::Fresh;
            if let (true, Some(number)) = (is_own, self.numbers.get(&command_id)) {
                self.done = self.done.max(*number);
            }
        }
    }

    // What it sends.

    fn send(&mut self, link: LinkId, frame: Bytes) {
        if let Some(leg) = self.legs.get_mut(&link) {
            leg.waiting.push_back(frame);
        }
        self.flush(link);
    }

    /// Sends what waits, now and then as many at once as a batch may have.
    fn flush(&mut self, link: LinkId) {
        while let Some(leg) = self.legs.get_mut(&link)
            && !leg.is_blocked
            && !self.gathers
            && !leg.waiting.is_empty()
        {
            let joins = leg.waiting.len() > 1 && self.rng.next_u64().is_multiple_of(2);
            let count = if joins { batch_of(&leg.waiting) } else { 1 };
            let frames: Vec<Bytes> = leg.waiting.iter().take(count).cloned().collect();
            match self.transport.send(link, batch::join(&frames)) {
                SendOutcome::Queued => {
                    leg.waiting.drain(..count);
                }
                SendOutcome::Blocked => leg.is_blocked = true,
                SendOutcome::Gone => {
                    self.legs.remove(&link);
                }
            }
        }
    }

    /// Says several things at once, or one after the other.
    fn at_once(&mut self, link: LinkId, say: impl FnOnce(&mut Self)) {
        self.gathers = self.draw(2) == 0;
        say(self);
        self.gathers = false;
        self.flush(link);
    }

    fn command(&mut self, link: LinkId, seq: u64, command_id: CommandId, command: Command) {
        let Some(leg) = self.legs.get_mut(&link) else {
            return;
        };
        let Some(seq) = Seq::new(seq) else { return };
        leg.unanswered.insert(command_id);
        let message = Message::Command(Numbered {
            command_id,
            seq,
            seen: None,
            command,
        });
        self.send(link, message.encode());
    }

    /// The next thing that it asks for by right.
    fn wish(&mut self) -> Command {
        let at = self.draw(self.options.len() as u64);
        let option_id = self.options[usize::try_from(at).expect("there are few")];
        match self.draw(2) {
            0 => Command::SetProfile(UserProfile {
                name: format!("Mallory {at}"),
            }),
            _ => Command::Vote(Vote {
                poll_id: self.room.poll_id,
                option_ids: vec![option_id],
            }),
        }
    }

    fn next_number(&mut self, link: LinkId) -> u64 {
        let done = self.done;
        let Some(leg) = self.legs.get_mut(&link) else {
            return 0;
        };
        let done = if leg.manner == Manner::Fresh { 0 } else { done };
        leg.sent = leg.sent.max(done) + 1;
        leg.sent
    }

    fn by_right(&mut self, link: LinkId) {
        let (number, command_id) = (self.next_number(link), self.id());
        self.numbers.insert(command_id, number);
        let command = self.wish();
        self.command(link, number, command_id, command);
    }

    // What it does.

    /// One more thing that nobody should do.
    pub(super) fn act(&mut self) {
        let is_in: Vec<LinkId> = self.legs_in().collect();
        if is_in.is_empty() || self.draw(5) == 0 {
            return self.dial();
        }
        let at = self.draw(is_in.len() as u64);
        let link = is_in[usize::try_from(at).expect("there are few")];
        if self.world.has(Kind::FewLinks) {
            return self.dial();
        }
        if self.world.has(Kind::Crowd) {
            return self.in_the_crowd(link);
        }
        let what = self.draw(16);
        self.scene().trace("hostile", &(link, what));
        match what {
            0 => self.boast(link),
            1 => self.forge(link),
            2..5 => self.reuse(link),
            5 => {
                let count = self.scene().overheard.len() as u64;
                let at = usize::try_from(self.draw(count.max(1))).expect("there are few");
                let frame = self.scene().overheard.get(at).cloned();
                if let Some(frame) = frame {
                    self.send(link, frame);
                }
            }
            6 => self.flood(link),
            14 if self.world.has(Kind::Floods) => self.flood(link),
            7 => self.net.stall(&self.address, link),
            8 => self.net.resume(&self.address, link),
            9 => self.garble(link),
            10 if self.draw(2) == 0 => self.send(link, Bytes::from(vec![b'{'; 20_000])),
            10 => {
                let (number, command_id) = (self.next_number(link), self.id());
                let name = "x".repeat(20_000);
                let command = Command::SetProfile(UserProfile { name });
                self.command(link, number, command_id, command);
            }
            11 => {
                let (number, command_id) = (self.next_number(link) + 10, self.id());
                let command = self.wish();
                self.command(link, number, command_id, command);
            }
            12 => {
                self.transport.hangup(link);
                self.legs.remove(&link);
            }
            13 => self.at_once(link, |it| (0..5).for_each(|_| it.by_right(link))),
            _ => self.by_right(link),
        }
    }

    fn legs_in(&self) -> impl Iterator<Item = LinkId> {
        let legs = self.legs.iter().filter(|(_, leg)| leg.is_in);
        legs.map(|(link, _)| *link)
    }

    fn dial(&mut self) {
        if self.legs.len() >= MAX_LINKS {
            let first = self.legs.keys().next().copied();
            if let Some(link) = first {
                self.transport.hangup(link);
                self.legs.remove(&link);
            }
        }
        let at = self.draw(MANNERS.len() as u64);
        let manner = match &self.copied {
            Some(_) => Manner::Joins,
            None => MANNERS[usize::try_from(at).expect("there are few")],
        };
        let manner = match at {
            0..2 if self.world.has(Kind::FewLinks) => Manner::Silent,
            2..4 if self.world.has(Kind::FewLinks) => Manner::Half,
            _ if self.world.has(Kind::FewLinks) || self.world.has(Kind::Crowd) => Manner::Fresh,
            _ => manner,
        };
        let own = keys::named(MARK);
        let (key, device) = match &self.copied {
            Some((key, device)) => (key.clone(), *device),
            None if manner == Manner::Fresh => {
                self.strangers += 1;
                let device = DeviceId::from_bytes(self.bytes());
                (keys::passing(self.strangers), device)
            }
            None => (own, DeviceId::from_bytes([MARK; 5])),
        };
        let mut hello = Hello {
            v: VERSION,
            poll_id: self.room.poll_id,
            peer_id: PeerId::of(&key),
            device,
            nonce: Nonce::from_bytes(self.bytes()),
            epoch: None,
            revision: None,
            history: None,
            oldest_seq: Seq::new(self.done + 1).unwrap_or(Seq::FIRST),
        };
        let victim = 1 + usize::try_from(at).expect("there are few") % 4;
        {
            let mut scene = self.scene();
            scene.trace("hostile dial", &manner);
            scene.meet(hello.peer_id);
            match manner {
                Manner::Claims => {
                    let victim = &scene.slots[victim];
                    (hello.peer_id, hello.device) = (victim.peer, victim.device);
                }
                Manner::Fresh => hello.oldest_seq = Seq::FIRST,
                Manner::Joins
                | Manner::Boasts
                | Manner::Half
                | Manner::Silent
                | Manner::Replays
                | Manner::Garbage => {}
            }
        }
        let link = LinkId::dialled(self.dials);
        self.dials += 1;
        let leg = Leg {
            manner,
            key,
            hello,
            binding: None,
            is_in: false,
            sent: 0,
            waiting: VecDeque::new(),
            is_blocked: false,
            unanswered: BTreeSet::new(),
            has_pong: false,
        };
        self.legs.insert(link, leg);
        self.transport.dial(link, &Address::Owner(self.room.owner));
    }

    /// One more name, one more rejection, seldom a vote; and then one more stranger.
    fn in_the_crowd(&mut self, link: LinkId) {
        let (number, command_id) = (self.next_number(link), self.id());
        let vote = |option_id| Vote {
            poll_id: self.room.poll_id,
            option_ids: vec![option_id],
        };
        let nowhere = OptionId::from_uuid(uuid::Uuid::from_u128(404));
        let (bad, good) = (vote(nowhere), vote(self.options[0]));
        let command = match self.draw(8) {
            0 => Command::Vote(good),
            1..4 => Command::Vote(bad),
            _ => Command::SetProfile(UserProfile {
                name: format!("Nobody {number}"),
            }),
        };
        self.command(link, number, command_id, command);
        self.dial();
    }

    /// A copy of the poll that nobody can have.
    fn boast(&mut self, link: LinkId) {
        let Some((epoch, revision)) = self.present() else {
            return;
        };
        let known = Revision::new(revision.get() + 1_000_000).map(|revision| Position {
            epoch,
            revision,
            history: None,
        });
        let request = SyncRequest {
            poll_id: self.room.poll_id,
            known,
        };
        self.send(link, Message::SyncRequest(request).encode());
    }

    /// A command in somebody else's name.
    fn forge(&mut self, link: LinkId) {
        let (number, command_id) = (self.next_number(link), self.id());
        self.numbers.insert(command_id, number);
        let victim = usize::try_from(self.draw(5)).expect("there are few");
        let (author, device) = {
            let scene = self.scene();
            (scene.slots[victim].peer, scene.slots[victim].device)
        };
        let Some(seq) = Seq::new(number) else { return };
        let update = Update {
            author,
            device,
            revision: Revision::ZERO.next(),
            history: None,
            numbered: Numbered {
                command_id,
                seq,
                seen: None,
                command: self.wish(),
            },
        };
        self.send(link, Message::Update(update).encode());
    }

    /// A number or an id that was used, for something else.
    fn reuse(&mut self, link: LinkId) {
        let command = self.wish();
        let used = self.numbers.iter().next_back();
        let used = used.map(|(command_id, number)| (*command_id, *number));
        match (used, self.draw(2)) {
            (Some((command_id, number)), 0) => self.command(link, number, command_id, command),
            _ => {
                let command_id = self.id();
                let number = self.done.max(1);
                self.command(link, number, command_id, command);
            }
        }
    }

    /// More than anybody would ask for, and nobody reads the answers.
    fn flood(&mut self, link: LinkId) {
        let count = match self.draw(4) {
            _ if self.world.has(Kind::Floods) => 1_000,
            0 => 1_000,
            _ => 30,
        };
        if self.done == 0 {
            return self.by_right(link);
        }
        self.net.stall(&self.address, link);
        self.at_once(link, |it| {
            for _ in 0..count {
                let (number, command_id, command) = (it.done, it.id(), it.wish());
                it.command(link, number, command_id, command);
            }
        });
    }

    /// Bytes that are no message, and arrays that are no batch.
    fn garble(&mut self, link: LinkId) {
        let ping = Message::Ping.encode();
        let of = |count: usize| batch::join(&vec![ping.clone(); count]);
        let frame = match self.draw(6) {
            0 => Bytes::from_static(b"[]"),
            1 => of(batch::MAX_MESSAGES),
            2 => of(batch::MAX_MESSAGES + 1),
            3 => of(700),
            4 => of(2).slice(..40),
            _ => Bytes::copy_from_slice(&self.bytes::<64>()),
        };
        self.send(link, frame);
    }

    // The end.

    /// It does nothing more but to ask, on every link, whether it was heard. Those who came once
    /// go: while they have all places, nobody who is as new as they are is promised one.
    pub(super) fn rest(&mut self) {
        if !self.world.has(Kind::FewLinks) {
            let transport = &mut self.transport;
            self.legs.retain(|link, leg| {
                let stays = leg.manner != Manner::Fresh;
                if !stays {
                    transport.hangup(*link);
                }
                stays
            });
        }
        // What was answered before says nothing of what was asked since.
        for leg in self.legs.values_mut() {
            leg.has_pong = false;
        }
        let links: Vec<LinkId> = self.legs_in().collect();
        for link in links {
            self.send(link, Message::Ping.encode());
        }
    }

    /// A question on a link before a `ping` that was answered has had its answer, too.
    pub(super) fn check(&self) -> Result<(), Violation> {
        for (link, leg) in &self.legs {
            if leg.has_pong && leg.waiting.is_empty() && !leg.unanswered.is_empty() {
                let what = format!("{:?} on {link} have no answer", leg.unanswered);
                return Err(Violation { guarantee: 1, what });
            }
        }
        Ok(())
    }
}

/// The number of frames at the front that make a sound batch; the one at the front, if none does.
fn batch_of(waiting: &VecDeque<Bytes>) -> usize {
    let mut bytes = 2;
    let of_a_batch = waiting
        .iter()
        .take(batch::MAX_MESSAGES)
        .take_while(|frame| {
            bytes += frame.len() + 1;
            bytes <= batch::MAX_BYTES && Message::decode(frame, &Limits::unbounded()).is_ok()
        });
    of_a_batch.count().max(1)
}

/// Somebody at the owner's address who is not the owner.
pub(super) struct Impostor {
    scene: Arc<Mutex<Scene>>,
    rng: ChaCha8Rng,
    net: MemoryNet,
    owner: PeerId,
    transport: MemTransport,
    challenges: bool,
}

/// The place of an impostor, which is empty while the owner is there.
pub(super) type Place = Rc<RefCell<Option<Impostor>>>;

/// Hears whoever comes, until the place is empty.
pub(super) async fn deceives(place: Place) {
    poll_fn(|cx| match place.borrow_mut().as_mut() {
        Some(impostor) => impostor.poll(cx),
        None => Poll::Ready(()),
    })
    .await;
}

impl Impostor {
    pub(super) fn new(scene: &Arc<Mutex<Scene>>, net: &MemoryNet, owner: PeerId) -> Self {
        let mut locked = lock(scene);
        let life = locked.slots[OWNER].life;
        locked.trace("impostor", &life);
        let seed = locked.plan.seed ^ life << 32;
        let challenges = locked.world.has(Kind::ForgedChallenge);
        drop(locked);
        Self {
            scene: Arc::clone(scene),
            rng: ChaCha8Rng::seed_from_u64(seed),
            net: net.clone(),
            owner,
            transport: net
                .transport(Address::Owner(owner))
                .expect("the owner is not there"),
            challenges,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(event) = self.transport.poll_event(cx) {
            if let TransportEvent::Frame { link, frame } = event {
                self.frame(link, &frame);
            }
        }
        Poll::Pending
    }

    fn frame(&mut self, link: LinkId, frame: &Bytes) {
        let message = Message::decode(frame, &Limits::unbounded());
        let mut scene = lock(&self.scene);
        let here = Address::Owner(self.owner);
        let is_of = |address: &Address| self.net.links_to(&here, address).contains(&link);
        if scene.hostile.iter().any(is_of) {
            // They may tell each other whatever they like.
            return;
        }
        let Ok(Message::Hello(_)) = message else {
            return scene.breaks(format!(
                "somebody who is not the owner was sent {message:?}"
            ));
        };
        scene.oracle.report.deceived += 1;
        drop(scene);
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        let answer = match self.rng.next_u64() % 5 {
            0 | 1 if self.challenges => Message::Challenge(Challenge {
                v: VERSION,
                peer_id: self.owner,
                nonce: Nonce::from_bytes(nonce),
                last_seq: None,
                time: None,
                signature: Signature::from_bytes([7; 64]),
            }),
            0 => return,
            1 => return self.transport.hangup(link),
            2 => Message::Pong,
            code => {
                let code = match code {
                    3 => ErrorCode::UnknownPoll,
                    _ => ErrorCode::BadSignature,
                };
                Message::Error(Refusal {
                    command_id: None,
                    rejection: Rejection::new(code, "go away"),
                })
            }
        };
        self.transport.send(link, answer.encode());
    }
}
