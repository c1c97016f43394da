//! The cost of one command for an owner, as a count of instructions: `cargo xtask bench`.
//!
//! `cost --list` names the scenarios; `cost <scenario> <iterations>` runs one. Everything that a
//! scenario needs is prepared before, and alike for any number of iterations, so the difference
//! between two runs is the iterations' own.

use std::collections::VecDeque;
use std::hint::black_box;
use std::process::ExitCode;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Nonce, Side, Transcript, VERSION};
use hustings_protocol::{
    Ack, Command, CommandId, DeviceId, Envelope, Hello, Limits, Message, Numbered, OptionId,
    PeerId, Poll, PollDraft, PollId, Proof, Revision, Seq, Vote,
};
use hustings_room::{ChannelBinding, Config, Host, LinkId, Moment, Output, Owner, Setup};
use serde::{Deserialize, Serialize};

/// The most iterations; frames for so many are prepared.
const MAX_ITERATIONS: usize = 4_096;

const NOW: Moment = Moment::START;

type Scenario = (&'static str, &'static str, fn(usize));

const SCENARIOS: [Scenario; 6] = [
    (
        "floor",
        "F: serde_json decodes a 200-byte command and encodes its ack",
        floor,
    ),
    ("command", "one command at the owner, in memory", command),
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

    let frames = votes();
    for frame in &frames[..iterations] {
        let incoming: Incoming = serde_json::from_slice(frame).expect("a vote");
        black_box((&incoming.r#type, incoming.seq, &incoming.payload));
        let payload = Ack {
            command_id: incoming.command_id,
            revision: Revision::ZERO,
        };
        let ack = Outgoing {
            r#type: "ack",
            payload,
        };
        black_box(serde_json::to_vec(&ack).expect("it serialises"));
    }
}

fn command(iterations: usize) {
    let frames = votes();
    let mut bench = Bench::new(1);
    for frame in &frames[..iterations] {
        bench.host.handle_frame(bench.links[0], frame, NOW);
        bench.drain();
    }
}

fn duplicate(iterations: usize) {
    let frames = votes();
    let mut bench = Bench::new(1);
    for _ in 0..=iterations {
        bench.host.handle_frame(bench.links[0], &frames[0], NOW);
        bench.drain();
    }
}

fn refused(iterations: usize) {
    let frame = vec![b' '; 17 * 1024];
    let mut bench = Bench::new(1);
    for _ in 0..iterations {
        bench.host.handle_frame(bench.links[0], &frame, NOW);
        bench.drain();
    }
}

fn envelope(iterations: usize) {
    let frames = votes();
    let limits = Limits::default();
    for frame in &frames[..iterations] {
        let _ = black_box(Envelope::parse(frame, limits.max_command_bytes, &limits));
    }
}

fn broadcast(iterations: usize) {
    let frames = votes();
    let mut bench = Bench::new(1_001);
    for frame in &frames[..iterations] {
        bench.host.handle_frame(bench.links[0], frame, NOW);
        bench.drain();
    }
}

/// An owner with participants on links that take everything.
struct Bench {
    host: Host,
    links: Vec<LinkId>,
    queues: Vec<VecDeque<Bytes>>,
}

impl Bench {
    fn new(participants: u64) -> Self {
        let key = SigningKey::from_bytes(&[1; 32]);
        let draft = PollDraft::new("How much?").options(["Little", "Nothing"]);
        let mut number = 0;
        let next_option = || {
            number += 1;
            option(number)
        };
        let limits = Limits::default();
        let poll = Poll::new(poll_id(), PeerId::of(&key), draft, next_option, &limits)
            .expect("a sound draft");
        let setup = Setup {
            key,
            device: DeviceId::from_bytes([1; 5]),
            seed: [1; 32],
            unix_millis: 0,
            config: Config::default(),
        };
        let mut host = Host::new(&setup, NOW);
        host.open(Owner::create(setup, poll), NOW);
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
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        let key = SigningKey::from_bytes(&secret);
        let link = LinkId::accepted(number);
        let binding = Bytes::from_static(b"channel");
        let both = ChannelBinding {
            local: binding.clone(),
            remote: binding.clone(),
        };
        self.links.push(link);
        self.queues.push(VecDeque::new());
        self.host.handle_link_up(link, both, NOW);
        let hello = Hello {
            v: VERSION,
            poll_id: poll_id(),
            peer_id: PeerId::of(&key),
            device: DeviceId::from_bytes([2; 5]),
            nonce: Nonce::from_bytes([3; 32]),
            epoch: None,
            revision: None,
            oldest_seq: Seq::FIRST,
        };
        self.host
            .handle_frame(link, &Message::Hello(hello).encode(), NOW);
        let mut challenge = None;
        while let Some(output) = self.host.poll_output() {
            if let Output::Send { frame, .. } = output
                && let Ok(Message::Challenge(found)) = Message::decode(&frame, &Limits::default())
            {
                challenge = Some(found);
            }
        }
        let challenge = challenge.expect("a hello is answered");
        let transcript = Transcript {
            owner: challenge.peer_id,
            participant: hello.peer_id,
            poll_id: hello.poll_id,
            device: hello.device,
            participant_nonce: hello.nonce,
            owner_nonce: challenge.nonce,
            owner_binding: &binding,
            participant_binding: &binding,
        };
        let signature = transcript.sign(Side::Participant, &key);
        self.host
            .handle_frame(link, &Message::Proof(Proof { signature }).encode(), NOW);
    }

    /// The work of a transport with the outputs: a queue for each link.
    fn drain(&mut self) {
        while let Some(output) = self.host.poll_output() {
            if let Output::Broadcast {
                links,
                except,
                frame,
            } = output
            {
                // Links are numbered in the order of the queues.
                for (link, queue) in links.iter().zip(&mut self.queues) {
                    if Some(*link) != except {
                        queue.clear();
                        queue.push_back(frame.clone());
                    }
                }
            } else {
                black_box(output);
            }
        }
    }
}

fn poll_id() -> PollId {
    "5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e5f"
        .parse()
        .expect("a UUID")
}

fn option(number: u128) -> OptionId {
    OptionId::from_uuid(uuid::Uuid::from_u128(number))
}

/// Votes of one device, about 200 bytes each, now for this and now for that.
fn votes() -> Vec<Bytes> {
    (1..=MAX_ITERATIONS as u64)
        .map(|number| {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&number.to_be_bytes());
            let numbered = Numbered {
                command_id: CommandId::new(1_790_000_000_000 + number, random),
                seq: Seq::new(number).expect("from one"),
                command: Command::Vote(Vote {
                    poll_id: poll_id(),
                    option_ids: vec![option(1 + u128::from(number % 2))],
                }),
            };
            Message::Command(numbered).encode()
        })
        .collect()
}
