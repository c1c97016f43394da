//! The measurement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use futures::future::try_join_all;
use hustings_protocol::RoomId;
use hustings_room::clock::SystemClock;
use hustings_transport_mem::{Latency, MemoryNet};
use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerLimits};
use tokio::runtime;
use tokio::time::{sleep, timeout};

use crate::crowd::{self, Crowd};
use crate::host;
use crate::parts::Part;
use crate::person::Person;
use crate::usage::{Usage, raise_descriptors};

/// The processes that participants share.
const CROWDS: usize = 4;

/// The time in which links are left alone, to see what they cost then.
const IDLE: Duration = Duration::from_secs(10);

/// The time after which a phase has failed.
const PATIENCE: Duration = Duration::from_secs(900);

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Measure, and say each figure with its name
    Run {
        /// The number of people who join and vote
        #[arg(long)]
        participants: usize,
        /// Keep from everybody who chose what
        #[arg(long)]
        secret: bool,
        /// In one process, over transport-mem
        #[arg(long)]
        mem: bool,
        /// The seconds in which all vote, one after the other
        #[arg(long, default_value_t = 0)]
        over: u64,
        /// Wait for a line on stdin while everybody is idle, for whoever looks at a process
        #[arg(long)]
        pause: bool,
    },
    /// Be the owner
    Owner {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        secret: bool,
    },
    /// Be some of the participants
    Crowd {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        room: RoomId,
        #[arg(long)]
        count: usize,
    },
}

pub(crate) fn main() -> Result<()> {
    raise_descriptors();
    match Args::parse().role {
        Role::Run {
            participants,
            secret,
            mem: true,
            over,
            ..
        } => many().block_on(in_memory(participants, secret, over)),
        Role::Run {
            participants,
            secret,
            over,
            pause,
            ..
        } => many().block_on(over_webrtc(participants, secret, over, pause)),
        Role::Owner { port, secret } => many().block_on(host::serve(port, secret)),
        Role::Crowd { port, room, count } => one().block_on(crowd::serve(port, room, count)),
    }
}

fn many() -> runtime::Runtime {
    let made = runtime::Builder::new_multi_thread().enable_all().build();
    made.expect("a program has threads and descriptors for a runtime")
}

fn one() -> runtime::Runtime {
    let made = runtime::Builder::new_current_thread().enable_all().build();
    made.expect("a program has descriptors for a runtime")
}

/// Says a figure.
fn say(name: &str, value: impl std::fmt::Display) {
    println!("{name}\t{value}");
}

/// Takes the time of a phase, and gives up on one that does not end.
async fn timed<R>(what: &str, phase: impl Future<Output = Result<R>>) -> Result<(R, Duration)> {
    let start = Instant::now();
    let done = timeout(PATIENCE, phase).await;
    let done = done.with_context(|| format!("{what} takes longer than {PATIENCE:?}"))??;
    Ok((done, start.elapsed()))
}

/// A signalling server at which one address may be everybody.
async fn broker(participants: usize) -> Result<u16> {
    let sockets = participants + 100;
    let config = BrokerConfig {
        limits: BrokerLimits {
            max_peers: 2 * sockets,
            max_sockets: 2 * sockets,
            max_sockets_each: sockets,
            ..BrokerLimits::default()
        },
        ..BrokerConfig::default()
    };
    let broker = Broker::bind("127.0.0.1:0", config).await?;
    let port = broker.local_addr().port();
    tokio::spawn(broker.serve(std::future::pending()));
    Ok(port)
}

async fn over_webrtc(participants: usize, is_secret: bool, over: u64, pause: bool) -> Result<()> {
    let port = broker(participants).await?.to_string();
    let mut args = vec!["owner", "--port", &port];
    args.extend(is_secret.then_some("--secret"));
    let mut owner = Part::start("the owner", &args)?;
    let room = owner.hear().await?;
    let before = owner.usage().await?;
    let mut crowds = Vec::new();
    for number in 0..CROWDS {
        let count = (participants / CROWDS) + usize::from(number < participants % CROWDS);
        let count = count.to_string();
        let args = ["crowd", "--port", &port, "--room", &room, "--count", &count];
        crowds.push(Part::start("a crowd", &args)?);
    }

    let ((), took) = timed("joining", each(&mut crowds, "join")).await?;
    let joined = owner.usage().await?;
    say("join ms", took.as_millis());
    say("join owner us", (joined.cpu - before.cpu).as_micros());
    say(
        "join all us",
        (joined.cpu - before.cpu + spent(&mut crowds).await?).as_micros(),
    );

    // What belongs to the joining alone has gone by then.
    sleep(IDLE).await;
    let quiet = owner.usage().await?;
    if pause {
        eprintln!("==> the owner is process {:?}; Enter goes on", owner.pid());
        let _ =
            tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    }
    sleep(IDLE).await;
    let idle = owner.usage().await?;
    say("idle KiB before", before.memory);
    say("idle KiB", idle.memory);
    say("idle owner us", (idle.cpu - quiet.cpu).as_micros());
    say("idle s", IDLE.as_secs());

    let start = Instant::now();
    let crowds_before = spent(&mut crowds).await?;
    let idle = owner.usage().await?;
    let ((), took) = timed("voting", each(&mut crowds, &format!("vote {over}"))).await?;
    let voted = owner.usage().await?;
    say("vote ms", took.as_millis());
    say("vote owner us", (voted.cpu - idle.cpu).as_micros());
    timed(
        "the tally",
        each(&mut crowds, &format!("see {participants}")),
    )
    .await?;
    say("tally ms", start.elapsed().as_millis());
    let seen = owner.usage().await?;
    say("tally owner us", (seen.cpu - idle.cpu).as_micros());
    let crowds_spent = spent(&mut crowds).await? - crowds_before;
    say(
        "tally all us",
        (seen.cpu - idle.cpu + crowds_spent).as_micros(),
    );
    sleep(IDLE).await;
    say("after KiB", owner.usage().await?.memory);
    Ok(())
}

/// Has every crowd do something at the same time.
async fn each(crowds: &mut [Part], line: &str) -> Result<()> {
    try_join_all(crowds.iter_mut().map(|crowd| crowd.ask(line))).await?;
    Ok(())
}

/// The time on processors of all crowds.
async fn spent(crowds: &mut [Part]) -> Result<Duration> {
    let all = try_join_all(crowds.iter_mut().map(Part::usage)).await?;
    Ok(all.iter().map(|usage| usage.cpu).sum())
}

async fn in_memory(participants: usize, is_secret: bool, over: u64) -> Result<()> {
    let net = MemoryNet::new(1, Latency::ZERO, Arc::new(SystemClock::new()));
    let owner = Person::new()?;
    let hosting = owner.host(net.transport(owner.owner_address())?)?;
    let poll = hosting.create(host::draft(is_secret)).await?;
    let room = poll.id();
    let before = Usage::now()?;
    let join = || async {
        let person = Person::new()?;
        let transport = net.transport(person.participant_address())?;
        person.join(room, transport).await
    };
    let (crowd, took) = timed("joining", Crowd::join(participants, join)).await?;
    let joined = Usage::now()?;
    say("join ms", took.as_millis());
    say("join all us", (joined.cpu - before.cpu).as_micros());
    say("idle KiB before", before.memory);
    say("idle KiB", joined.memory);
    let start = Instant::now();
    let ((), took) = timed("voting", crowd.vote(Duration::from_secs(over))).await?;
    say("vote ms", took.as_millis());
    timed("the tally", crowd.see(participants as u64)).await?;
    let seen = Usage::now()?;
    say("tally ms", start.elapsed().as_millis());
    say("tally all us", (seen.cpu - joined.cpu).as_micros());
    say("after KiB", seen.memory);
    Ok(())
}
