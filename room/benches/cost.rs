//! The cost of one command for an owner, as a count of instructions: `cargo xtask bench`.
//!
//! `cost --list` names the scenarios; `cost <scenario> <iterations>` runs one. Everything that a
//! scenario needs is prepared before, and alike for any number of iterations, so the difference
//! between two runs is the iterations' own.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_outbox::MemoryStore;
use hustings_protocol::handshake::{Nonce, Side, Transcript, VERSION};
use hustings_protocol::{
    Ack, Address, Ballots, Challenge, Command, CommandId, DeviceId, Envelope, Epoch, Hello, Limits,
    Message, Numbered, OptionId, PeerId, Poll, PollDraft, PollId, Proof, Revision, Seen, Seq, Vote,
    batch,
};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{ChannelBinding, Config, Host, LinkId, Moment, Output, Owner, Setup, driver};
use hustings_transport_mem::{Latency, MemTransport, MemoryNet, VirtualRuntime};
use serde::{Deserialize, Serialize};

use drain::drain;

#[path = "../tests/common/drain.rs"]
mod drain;

/// The most iterations; frames for so many are prepared.
const MAX_ITERATIONS: usize = 4_096;

const NOW: Moment = Moment::START;

type Scenario = (&'static str, &'static str, fn(usize));

const SCENARIOS: [Scenario; 10] = [
    (
        "floor",
        "F: serde_json decodes a 200-byte command and encodes its ack",
        floor,
    ),
    ("command", "one command at the owner, in memory", command),
    (
        "secret",
        "one vote in a poll with secret ballots, between two tallies",
        secret,
    ),
    ("duplicate", "a command that was answered before", duplicate),
    ("refused", "a frame that is refused for its length", refused),
    (
        "envelope",
        "the envelope of a command, payload unread",
        envelope,
    ),
    (
        "broadcast-1000",
        "one command with 1,000 recipients, each frame queued",
        broadcast,
    ),
    (
        "secret-1000",
        "the same with 1,000 recipients",
        secret_broadcast,
    ),
    (
        "driven",
        "one command from its frame to the ack: driver, store and network in memory",
        driven,
    ),
    (
        "driven-64",
        "the same for one of 64 commands that come as one batch",
        driven_together,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        // `cargo bench` says the second: there is nothing to time.
        ["--list" | "--bench"] => {
            for (name, what, _) in SCENARIOS {
                println!("{name}\t{what}");
            }
            ExitCode::SUCCESS
        }
        [name, iterations] => {
            let scenario = SCENARIOS.iter().find(|(known, ..)| *known == name);
            let iterations = iterations.parse().ok().filter(|n| *n <= MAX_ITERATIONS);
            if let (Some((.., run)), Some(iterations)) = (scenario, iterations) {
                run(iterations);
                return ExitCode::SUCCESS;
            }
            eprintln!("cost: no such scenario, or more than {MAX_ITERATIONS} iterations");
            ExitCode::from(2)
        }
        _ => {
            eprintln!("usage: cost --list | cost <scenario> <iterations>");
            ExitCode::from(2)
        }
    }
}

/// The work that any owner has to do that speaks JSON: the yardstick.
fn floor(iterations: usize) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Incoming {
        r#type: String,
        command_id: CommandId,
        seq: u64,
        payload: Vote,
    }

    #[derive(Serialize)]
    struct Outgoing {
        r#type: &'static str,
        payload: Ack,
    }

    let frames = votes(&poll());
    for frame in &frames[..iterations] {
        let incoming: Incoming = serde_json::from_slice(frame).expect("a vote");
        black_box((&incoming.r#type, incoming.seq, &incoming.payload));
        let payload = Ack {
            command_id: incoming.command_id,
            revision: Revision::ZERO,
            history: None,
        };
        let ack = Outgoing {
            r#type: "ack",
            payload,
        };
        black_box(serde_json::to_vec(&ack).expect("it serialises"));
    }
}

fn command(iterations: usize) {
    let frames = votes(&poll());
    let mut bench = Bench::new(1, poll());
    for frame in &frames[..iterations] {
        bench.host.handle_frame(bench.links[0], frame, NOW);
        bench.drain();
    }
}

fn secret(iterations: usize) {
    votes_in_secret(iterations, 1);
}

fn secret_broadcast(iterations: usize) {
    votes_in_secret(iterations, 1_001);
}

/// Time stands still: the first vote is told at once, and all others wait for their time.
fn votes_in_secret(iterations: usize, participants: u64) {
    let poll = poll_of(draft().ballots(Ballots::Secret));
    let frames = votes(&poll);
    let mut bench = Bench::new(participants, poll);
    for frame in &frames[..iterations] {
        bench.host.handle_frame(bench.links[0], frame, NOW);
        bench.drain();
    }
}

fn duplicate(iterations: usize) {
    let frames = votes(&poll());
    let mut bench = Bench::new(1, poll());
    for _ in 0..=iterations {
        bench.host.handle_frame(bench.links[0], &frames[0], NOW);
        bench.drain();
    }
}

fn refused(iterations: usize) {
    let frame = vec![b' '; 17 * 1024];
    let mut bench = Bench::new(1, poll());
    for _ in 0..iterations {
        bench.host.handle_frame(bench.links[0], &frame, NOW);
        bench.drain();
    }
}

fn envelope(iterations: usize) {
    let frames = votes(&poll());
    let limits = Limits::default();
    for frame in &frames[..iterations] {
        let _ = black_box(Envelope::parse(frame, limits.max_command_bytes, &limits));
    }
}

fn broadcast(iterations: usize) {
    let frames = votes(&poll());
    let mut bench = Bench::new(1_001, poll());
    for frame in &frames[..iterations] {
        bench.host.handle_frame(bench.links[0], frame, NOW);
        bench.drain();
    }
}

fn driven(iterations: usize) {
    drive(iterations, 1);
}

fn driven_together(iterations: usize) {
    drive(iterations, 64);
}

/// So many commands at a time, in one frame.
fn drive(iterations: usize, at_a_time: usize) {
    let mut runtime = VirtualRuntime::new();
    let clock = runtime.clock().clone();
    let net = MemoryNet::new(1, Latency::ZERO, Arc::new(clock.clone()));
    let setup = setup();
    let address = Address::Owner(setup.peer());
    let transport = net.transport(address).expect("the address is free");
    let (hosting, driver) = driver::host(setup, transport, MemoryStore::new(), clock);
    runtime.spawn(async { driver.run().await.expect("memory does not fail") });
    let voter = async {
        let room = hosting.create(draft()).await.expect("a sound draft");
        let frames = votes(&room.poll().expect("it is hosted"));
        let mut voter = Voter::join(&net, address, room.id().poll_id).await;
        for frames in frames[..iterations].chunks(at_a_time) {
            voter.say(batch::join(frames));
            for _ in frames {
                black_box(voter.hear().await);
            }
        }
        assert_eq!(room.revision().map(Revision::get), Some(iterations as u64));
    };
    let done = runtime.block_on(voter, Duration::from_secs(1));
    done.expect("nothing takes time here");
}

/// An owner's machine with participants on links that take everything.
struct Bench {
    host: Host,
    links: Vec<LinkId>,
    queues: Vec<VecDeque<Bytes>>,
}

impl Bench {
    fn new(participants: u64, poll: Poll) -> Self {
        let mut host = Host::new(&setup(), NOW);
        host.open(Owner::create(setup(), poll).expect("a sound poll"), NOW);
        let mut bench = Self {
            host,
            links: Vec::new(),
            queues: Vec::new(),
        };
        for number in 0..participants {
            bench.join(number);
        }
        bench.drain();
        bench
    }

    /// Brings a participant through the handshake.
    fn join(&mut self, number: u64) {
        let key = key_of(number);
        let link = LinkId::accepted(number);
        let binding = Bytes::from_static(b"channel");
        let both = ChannelBinding {
            local: binding.clone(),
            remote: binding,
        };
        self.links.push(link);
        self.queues.push(VecDeque::new());
        self.host.handle_link_up(link, both.clone(), NOW);
        let hello = hello(&key, poll_id());
        self.host
            .handle_frame(link, &Message::Hello(hello).encode(), NOW);
        let mut challenge = None;
        drain(&mut self.host, |output| {
            if let Output::Send { frame, .. } = output {
                challenge = challenge.or(challenge_in(&frame));
            }
        });
        let challenge = challenge.expect("a hello is answered");
        let proof = proof(&key, &hello, &challenge, &both);
        self.host.handle_frame(link, &proof, NOW);
    }

    /// The work of a transport with the outputs: a queue for each link. Records are dropped: this
    /// measures the machine.
    fn drain(&mut self) {
        let queues = &mut self.queues;
        drain(&mut self.host, |output| {
            if let Output::Broadcast {
                links,
                except,
                frame,
            } = output
            {
                // Links are numbered in the order of the queues.
                for (link, queue) in links.iter().zip(&mut *queues) {
                    if Some(*link) != except {
                        queue.clear();
                        queue.push_back(frame.clone());
                    }
                }
            } else {
                black_box(output);
            }
        });
    }
}

/// A participant at the other end of a network, which says what it is given.
struct Voter {
    transport: MemTransport,
    link: LinkId,
    /// The messages that have come in one frame and were not asked for yet.
    heard: VecDeque<Bytes>,
}

impl Voter {
    /// Dials, and goes through the handshake until it has been told the poll and who is there.
    async fn join(net: &MemoryNet, owner: Address, poll_id: PollId) -> Self {
        let key = key_of(0);
        let hello = hello(&key, poll_id);
        let address = Address::Participant(hello.peer_id, hello.device);
        let mut voter = Self {
            transport: net.transport(address).expect("the address is free"),
            link: LinkId::dialled(0),
            heard: VecDeque::new(),
        };
        voter.transport.dial(voter.link, &owner);
        let TransportEvent::LinkUp { binding, .. } = voter.event().await else {
            panic!("the owner is there");
        };
        voter.say(Message::Hello(hello).encode());
        let challenge = challenge_in(&voter.hear().await).expect("a hello is answered");
        voter.say(proof(&key, &hello, &challenge, &binding));
        let limits = Limits::default();
        while !matches!(
            Message::decode(&voter.hear().await, &limits),
            Ok(Message::Discovery(_))
        ) {}
        voter
    }

    fn say(&mut self, frame: Bytes) {
        let sent = self.transport.send(self.link, frame);
        assert_eq!(sent, SendOutcome::Queued);
    }

    /// The next message.
    async fn hear(&mut self) -> Bytes {
        if let Some(message) = self.heard.pop_front() {
            return message;
        }
        let TransportEvent::Frame { frame, .. } = self.event().await else {
            panic!("the link goes on");
        };
        if !batch::is_batch(&frame) {
            return frame;
        }
        let messages = batch::messages(&frame, frame.len()).expect("a sound batch");
        self.heard = messages.into_iter().map(|it| frame.slice_ref(it)).collect();
        self.heard.pop_front().expect("no batch is empty")
    }

    async fn event(&mut self) -> TransportEvent {
        poll_fn(|cx| self.transport.poll_event(cx)).await
    }
}

fn setup() -> Setup {
    Setup {
        key: SigningKey::from_bytes(&[1; 32]),
        device: DeviceId::from_bytes([1; 5]),
        seed: [1; 32],
        unix_millis: 0,
        config: Config::default(),
    }
}

/// A poll of which everybody is told each vote.
fn draft() -> PollDraft {
    PollDraft::new("How much?")
        .ballots(Ballots::Open)
        .options(["Little", "Nothing"])
}

fn poll() -> Poll {
    poll_of(draft())
}

fn poll_of(draft: PollDraft) -> Poll {
    let mut number = 0;
    let next_option = || {
        number += 1;
        OptionId::from_uuid(uuid::Uuid::from_u128(number))
    };
    let limits = Limits::default();
    Poll::new(poll_id(), setup().peer(), draft, next_option, &limits).expect("a sound draft")
}

fn poll_id() -> PollId {
    "5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e5f"
        .parse()
        .expect("a UUID")
}

/// Of the `number`th participant.
fn key_of(number: u64) -> SigningKey {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_bytes(&secret)
}

fn hello(key: &SigningKey, poll_id: PollId) -> Hello {
    Hello {
        v: VERSION,
        poll_id,
        peer_id: PeerId::of(key),
        device: DeviceId::from_bytes([2; 5]),
        nonce: Nonce::from_bytes([3; 32]),
        epoch: None,
        revision: None,
        history: None,
        oldest_seq: Seq::FIRST,
    }
}

fn challenge_in(frame: &[u8]) -> Option<Challenge> {
    match Message::decode(frame, &Limits::default()) {
        Ok(Message::Challenge(challenge)) => Some(challenge),
        Ok(_) | Err(_) => None,
    }
}

/// The answer to a challenge.
fn proof(
    key: &SigningKey,
    hello: &Hello,
    challenge: &Challenge,
    binding: &ChannelBinding,
) -> Bytes {
    let transcript = Transcript {
        owner: challenge.peer_id,
        participant: hello.peer_id,
        poll_id: hello.poll_id,
        device: hello.device,
        participant_nonce: hello.nonce,
        owner_nonce: challenge.nonce,
        owner_binding: &binding.remote,
        participant_binding: &binding.local,
    };
    let signature = transcript.sign(Side::Participant, key);
    Message::Proof(Proof { signature }).encode()
}

/// Votes of one device, about 200 bytes each, now for this and now for that.
fn votes(poll: &Poll) -> Vec<Bytes> {
    let options: Vec<OptionId> = poll.options().iter().map(|it| it.option_id).collect();
    (1..=MAX_ITERATIONS as u64)
        .map(|number| {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&number.to_be_bytes());
            let numbered = Numbered {
                command_id: CommandId::new(1_790_000_000_000 + number, random),
                seq: Seq::new(number).expect("from one"),
                seen: Some(Seen {
                    epoch: Epoch::new(u64::MAX),
                    revision: Revision::new(number).expect("it is small"),
                }),
                command: Command::Vote(Vote {
                    poll_id: poll.poll_id(),
                    option_ids: vec![options[number as usize % 2]],
                }),
            };
            Message::Command(numbered).encode()
        })
        .collect()
}
