//! A crowd in a poll with secret ballots, over the in-memory network: the frames that a vote from
//! each costs, and the size of the poll that a newcomer gets.

#![cfg(not(target_family = "wasm"))]

mod common;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::people::{ALICE, draft, proof};
use ed25519_dalek::SigningKey;
use futures::future::select;
use hustings_outbox::MemoryStore;
use hustings_protocol::handshake::{Nonce, VERSION};
use hustings_protocol::planted::with_stubbed_signatures;
use hustings_protocol::{
    Address, Ballots, Command, CommandId, DeviceId, Hello, Message, Numbered, OptionId, PeerId,
    RoomId, Seq, Vote,
};
use hustings_room::driver::{Room, host, join};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{Config, LinkId, Setup};
use hustings_transport_mem::{Latency, MemTransport, MemoryNet, VirtualRuntime};

/// The people who only count what they get; the others are whole participants.
const VOTERS: u32 = 10_000;
const WHOLE: u32 = 20;
/// The time in which all of them vote.
const WHILE: Duration = Duration::from_secs(10);

fn key(number: u32) -> SigningKey {
    let mut seed = [0xc0; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_bytes(&seed)
}

fn setup(key: SigningKey, number: u32, config: Config) -> Setup {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    Setup {
        key,
        device: DeviceId::from_bytes([7; 5]),
        seed,
        unix_millis: 1_790_000_000_000,
        config,
    }
}

/// The things that somebody in the crowd has got.
#[derive(Default)]
struct Got {
    is_in: Cell<bool>,
    frames: Cell<u32>,
    bytes: Cell<usize>,
    /// The bytes of the last poll.
    state: Cell<usize>,
    /// The votes of the first two options, as last told.
    tally: Cell<[u64; 2]>,
    is_acknowledged: Cell<bool>,
}

/// A participant that keeps nothing but counts: ten thousand whole ones in one process would each
/// have a list of ten thousand members.
struct Voter {
    transport: MemTransport,
    key: SigningKey,
    got: Rc<Got>,
}

const LINK: LinkId = LinkId::dialled(0);

impl Voter {
    async fn event(&mut self) -> TransportEvent {
        poll_fn(|cx| self.transport.poll_event(cx)).await
    }

    async fn frame(&mut self) -> Bytes {
        loop {
            if let TransportEvent::Frame { frame, .. } = self.event().await {
                self.got.frames.set(self.got.frames.get() + 1);
                self.got.bytes.set(self.got.bytes.get() + frame.len());
                return frame;
            }
        }
    }

    fn say(&mut self, message: &Message) {
        assert_eq!(
            self.transport.send(LINK, message.encode()),
            SendOutcome::Queued
        );
    }

    /// Joins, and then votes when its turn comes.
    async fn lives(mut self, room: RoomId, number: u32, turn: impl Future<Output = OptionId>) {
        self.transport.dial(LINK, &Address::Owner(room.owner));
        let binding = loop {
            if let TransportEvent::LinkUp { binding, .. } = self.event().await {
                break binding;
            }
        };
        let mut nonce = [9; 32];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        let hello = Hello {
            v: VERSION,
            poll_id: room.poll_id,
            peer_id: PeerId::of(&self.key),
            device: DeviceId::from_bytes([7; 5]),
            nonce: Nonce::from_bytes(nonce),
            epoch: None,
            revision: None,
            history: None,
            oldest_seq: Seq::FIRST,
        };
        self.say(&Message::Hello(hello));
        let challenge = self.frame().await;
        let Message::Challenge(challenge) = common::people::decode(&challenge) else {
            panic!("{challenge:?}");
        };
        self.say(&proof(&self.key, room.owner, &hello, &challenge, &binding));
        let mut turn = std::pin::pin!(turn);
        let mut has_voted = false;
        loop {
            if has_voted {
                let frame = self.frame().await;
                self.takes(&frame);
                continue;
            }
            let next = {
                let frame = std::pin::pin!(self.frame());
                match select(frame, turn.as_mut()).await {
                    futures::future::Either::Left((frame, _)) => Ok(frame),
                    futures::future::Either::Right((choice, _)) => Err(choice),
                }
            };
            match next {
                Ok(frame) => self.takes(&frame),
                Err(choice) => {
                    has_voted = true;
                    let vote = Command::Vote(Vote {
                        poll_id: room.poll_id,
                        option_ids: vec![choice],
                    });
                    let numbered = Numbered {
                        command_id: CommandId::new(
                            1_790_000_000_000,
                            nonce[..10].try_into().expect("ten bytes"),
                        ),
                        seq: Seq::FIRST,
                        seen: None,
                        command: vote,
                    };
                    self.say(&Message::Command(numbered));
                }
            }
        }
    }

    /// Reads a frame as far as it has numbers.
    fn takes(&self, frame: &Bytes) {
        let text = std::str::from_utf8(frame).expect("frames are text");
        self.got.is_in.set(true);
        self.got
            .is_acknowledged
            .set(self.got.is_acknowledged.get() || text.contains(r#""type":"ack""#));
        if text.contains(r#""type":"poll:state""#) {
            self.got.state.set(frame.len());
        }
        if let Some((_, numbers)) = text.split_once(r#""tally":["#) {
            let (numbers, _) = numbers.split_once(']').expect("it has an end");
            let mut numbers = numbers.split(',').map(|it| it.parse().expect("a number"));
            let mut next = || numbers.next().expect("there are two options");
            self.got.tally.set([next(), next()]);
        }
    }
}

fn tally(room: &Room) -> [u64; 2] {
    let tally = room.confirmed().and_then(|poll| poll.tally());
    let options = tally.expect("it is live").options;
    [options[0].votes, options[1].votes]
}

#[test]
fn ten_thousand_votes_are_a_few_frames_for_each() {
    // The curves would be most of the test.
    with_stubbed_signatures(true, ten_thousand_vote);
}

fn ten_thousand_vote() {
    let mut runtime = VirtualRuntime::new();
    let clock = runtime.clock().clone();
    let net = MemoryNet::new(
        1,
        Latency::fixed(Duration::from_millis(20)),
        Arc::new(clock.clone()),
    );
    net.set_queue_limit(64 * 1024 * 1024);
    let config = Config {
        max_links: VOTERS as usize + 100,
        ..Config::default()
    };
    let at = net.transport(ALICE.as_owner()).expect("it is free");
    let (hosting, driver) = host(
        ALICE.setup(1, config),
        at,
        MemoryStore::new(),
        clock.clone(),
    );
    let _host = runtime.spawn_with_handle(driver.run());
    let draft = draft().ballots(Ballots::Secret);
    let patience = Duration::from_secs(60);
    let alice = runtime.block_on(hosting.create(draft), patience);
    let alice = alice.expect("in time").expect("a sound draft");
    let room = alice.id();
    let options: Vec<_> = alice
        .poll()
        .expect("it is hosted")
        .options()
        .iter()
        .map(|it| it.option_id)
        .collect();

    // They come one after the other, faster than anybody in a hall.
    let mut crowd = Vec::new();
    let mut turns = Vec::new();
    for number in 0..VOTERS {
        let key = key(number);
        let device = DeviceId::from_bytes([7; 5]);
        let address = Address::Participant(PeerId::of(&key), device);
        let (turn, is_turn) = futures::channel::oneshot::channel();
        let got = Rc::new(Got::default());
        let voter = Voter {
            transport: net.transport(address).expect("it is free"),
            key,
            got: Rc::clone(&got),
        };
        runtime.spawn(voter.lives(room, number, async { is_turn.await.expect("it comes") }));
        crowd.push(got);
        turns.push(turn);
        runtime.run_for(Duration::from_millis(2));
    }
    let mut whole = Vec::new();
    let mut enters = |runtime: &mut VirtualRuntime, number: u32| {
        let key = key(VOTERS + number);
        let address = Address::Participant(PeerId::of(&key), DeviceId::from_bytes([7; 5]));
        let at = net.transport(address).expect("it is free");
        let setup = setup(key, VOTERS + number, Config::default());
        let opened = join(setup, room, at, MemoryStore::new(), clock.clone());
        let (room, driver) = runtime
            .block_on(opened, patience)
            .expect("in time")
            .expect("a new disk");
        whole.push(runtime.spawn_with_handle(driver.run()));
        let connected = runtime
            .block_on(room.connected(), patience)
            .expect("in time");
        connected.expect("they are let in");
        room
    };
    let rooms: Vec<_> = (0..WHOLE)
        .map(|number| enters(&mut runtime, number))
        .collect();
    runtime.run_for(Duration::from_secs(1));
    assert!(
        crowd.iter().all(|got| got.is_in.get()),
        "somebody is not in"
    );
    let joining: Vec<_> = crowd.iter().map(|got| got.frames.replace(0)).collect();
    crowd.iter().for_each(|got| got.bytes.set(0));

    // A vote from each, spread over the time.
    let pause = WHILE / VOTERS;
    for (number, turn) in turns.into_iter().enumerate() {
        let choice = options[usize::from(number % 3 == 0)];
        turn.send(choice).expect("they wait for it");
        runtime.run_for(pause);
    }
    runtime.run_for(Duration::from_secs(1));

    let expected = [0, 1].map(|it| {
        (0..VOTERS)
            .filter(|number| u32::from(number % 3 == 0) == it)
            .count() as u64
    });
    let most = crowd
        .iter()
        .map(|got| got.frames.get())
        .max()
        .expect("there is a crowd");
    let joined = joining.into_iter().max().expect("there is a crowd");
    let bytes = crowd.iter().map(|got| got.bytes.get()).max();
    let bytes = bytes.expect("there is a crowd");
    println!("bytes for each: {bytes} at most while all vote");
    println!(
        "frames for each: {most} at most while all vote, {joined} at most before; one frame a vote would be {VOTERS}"
    );
    assert!(crowd.iter().all(|got| got.is_acknowledged.get()));
    assert!(crowd.iter().all(|got| got.tally.get() == expected));
    assert!(most <= 60, "{most}");
    // The first voters are named, and from then on they are counted.
    assert!(bytes < 40 * 1024, "{bytes}");
    for room in &rooms {
        assert_eq!(tally(room), expected);
    }
    let owner = alice.poll().expect("it is hosted");
    assert_eq!(
        *rooms[0].confirmed().expect("it is there"),
        owner.told_to(rooms[0].peer())
    );

    // A newcomer gets a poll that is no larger for all who have voted.
    let late = enters(&mut runtime, WHOLE);
    assert_eq!(tally(&late), expected);
    let state = owner.told_to(late.peer()).encode_payload().len();
    println!("the poll of a newcomer: {state} bytes");
    assert!(state < 4 * 1024, "{state}");
    assert_eq!(
        late.confirmed().map(|poll| poll.voters()),
        Some(VOTERS.into())
    );
}
