//! The same floods at `hustings-broker` and at the npm package `peer`, and what honest peers see.
//!
//! Asked for by `cargo xtask floods`, which prints the table; also a part of `cargo xtask test`.
//! The floods come from 127.0.0.2 and honest peers from 127.0.0.1. Both servers get as many file
//! descriptors, and their defaults otherwise but where it says so.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

mod flooding;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flooding::{FLOOD, HONEST};
use futures::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// The file descriptors of a server.
const DESCRIPTORS: usize = 512;
/// The honest peers that try to reach another one, one after the other.
const TRIES: usize = 10;
/// The time that one of them tries, at a server that does not serve.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same, at one that has to: this machine may be busy with something else.
const GENEROUS: Duration = Duration::from_secs(60);

type Socket = WebSocketStream<TcpStream>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ours,
    Npm,
}

/// A server in a process of its own, which ends with the test.
struct Server {
    at: SocketAddr,
    child: Child,
}

impl Server {
    async fn start(kind: Kind) -> Self {
        let free = std::net::TcpListener::bind((HONEST, 0)).unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        let program = match kind {
            // It has to make room for whoever comes, and not only to wait until others are cut.
            Kind::Ours => concat!(
                env!("CARGO_BIN_EXE_hustings-broker"),
                " --request-timeout 600"
            )
            .to_owned(),
            Kind::Npm => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("tests/npm/node_modules/peer/dist/bin/peerjs.js");
                assert!(script.exists(), "run `npm ci` in tests/npm first");
                format!("node {}", script.display())
            }
        };
        let port = at.port();
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "ulimit -n {DESCRIPTORS}; exec {program} --host 127.0.0.1 --port {port} --path /"
            ))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(at).await.is_err() {
            assert!(Instant::now() < until, "the server does not start");
            sleep(Duration::from_millis(50)).await;
        }
        Self { at, child }
    }

    /// The most memory that it has had, in MB.
    fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes / 1000)
    }
}

/// A socket that is registered. None if that does not come about.
async fn join(at: SocketAddr, from: Ipv4Addr, id: &str) -> Option<Socket> {
    let joins = async {
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind((from, 0).into()).ok()?;
        let stream = socket.connect(at).await.ok()?;
        let url = format!("ws://{at}/peerjs?key=peerjs&id={id}&token=t");
        let (mut socket, _) = client_async(url, stream).await.ok()?;
        hears(&mut socket, r#"{"type":"OPEN"}"#).await?;
        Some(socket)
    };
    timeout(GENEROUS, joins).await.ok()?
}

/// The next message that begins so.
async fn hears(socket: &mut Socket, begin: &str) -> Option<String> {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message
            && text.starts_with(begin)
        {
            return Some(text.as_str().to_owned());
        }
    }
    None
}

fn message(kind: &str, dst: &str, payload: &str) -> Message {
    Message::text(format!(
        r#"{{"type":"{kind}","dst":"{dst}","payload":"{payload}"}}"#
    ))
}

/// The things that honest peers have noticed.
#[derive(Debug, Default)]
struct Noticed {
    answered: usize,
    slowest: Duration,
    lost: usize,
}

/// An owner who answers offers, and comes back when it is cut off.
async fn owner(at: SocketAddr, cut: Arc<AtomicUsize>) {
    loop {
        let Some(mut socket) = join(at, HONEST, "owner").await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        while let Some(Ok(heard)) = socket.next().await {
            let Message::Text(text) = heard else { continue };
            let src = text.split(r#""src":"honest"#).nth(1);
            if let Some(number) = src.and_then(|rest| rest.split('"').next()) {
                let answer = message("ANSWER", &format!("honest{number}"), "sdp");
                if socket.send(answer).await.is_err() {
                    break;
                }
            }
        }
        cut.fetch_add(1, Ordering::Relaxed);
    }
}

/// Joins, dials the owner and is answered.
async fn dials(at: SocketAddr, number: usize) -> Option<()> {
    let mut socket = join(at, HONEST, &format!("honest{number}")).await?;
    socket.send(message("OFFER", "owner", "sdp")).await.ok()?;
    hears(&mut socket, r#"{"type":"ANSWER""#).await.map(drop)
}

/// Dials somebody who comes a moment later, and is heard.
async fn dials_early(at: SocketAddr, number: usize) -> Option<()> {
    let late = format!("late{number}");
    let mut socket = join(at, HONEST, &format!("early{number}")).await?;
    socket.send(message("OFFER", &late, "sdp")).await.ok()?;
    // Its word to itself comes after whatever the server has done about that.
    let own = format!("early{number}");
    socket.send(message("CANDIDATE", &own, "mark")).await.ok()?;
    hears(&mut socket, r#"{"type":"CANDIDATE""#).await?;
    let mut late = join(at, HONEST, &late).await?;
    hears(&mut late, r#"{"type":"OFFER""#).await.map(drop)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flood {
    Large,
    Deaf,
    Queue,
    Idle,
}

/// The things that a flood holds and does, until they are dropped.
#[derive(Default)]
struct Standing {
    tasks: JoinSet<()>,
    streams: Vec<TcpStream>,
}

impl Flood {
    fn name(self) -> &'static str {
        match self {
            Self::Large => "20 strangers send the owner 64 KB at a time",
            Self::Deaf => "40 strangers read nothing of what they are sent",
            Self::Queue => "160 strangers leave 130 messages each for nobody",
            Self::Idle => "600 connections that say nothing",
        }
    }

    async fn begin(self, at: SocketAddr) -> Standing {
        let mut standing = Standing::default();
        match self {
            Self::Large => {
                for number in 0..20 {
                    standing.tasks.spawn(send_large(at, number));
                }
            }
            Self::Deaf => {
                for number in 0..40 {
                    if let Some(deaf) = join(at, FLOOD, &format!("deaf{number}")).await {
                        standing.streams.push(deaf.into_inner());
                        standing.tasks.spawn(send_to_deaf(at, number));
                    }
                }
            }
            Self::Queue => {
                for number in 0..160 {
                    let Some(mut socket) = join(at, FLOOD, &format!("f{number}")).await else {
                        continue;
                    };
                    for _ in 0..130 {
                        let _ = socket.feed(message("OFFER", "nobody", "x")).await;
                    }
                    let _ = socket.flush().await;
                    // It reads on, and stays.
                    let reads = async move { while let Some(Ok(_)) = socket.next().await {} };
                    standing.tasks.spawn(reads);
                }
            }
            Self::Idle => {
                for _ in 0..600 {
                    let socket = TcpSocket::new_v4().unwrap();
                    socket.bind((FLOOD, 0).into()).unwrap();
                    // A server that takes no more has taken enough.
                    if let Ok(Ok(stream)) = timeout(PATIENCE, socket.connect(at)).await {
                        standing.streams.push(stream);
                    }
                }
            }
        }
        standing
    }
}

/// At most 100 times 64 KB to the owner, and back again whenever it is cut off.
async fn send_large(at: SocketAddr, number: usize) {
    let payload = "x".repeat(64 * 1000);
    let mut sent = 0;
    while sent < 100 {
        let Some(mut socket) = join(at, FLOOD, &format!("large{number}")).await else {
            sent += 1;
            continue;
        };
        while sent < 100 {
            sent += 1;
            let message = message("OFFER", "owner", &payload);
            if socket.send(message).await.is_err() {
                break;
            }
        }
    }
}

/// At most 400 times 15 KB for somebody who does not read.
async fn send_to_deaf(at: SocketAddr, number: usize) {
    let payload = "x".repeat(15_000);
    if let Some(socket) = join(at, FLOOD, &format!("sender{number}")).await {
        let (mut sink, mut stream) = socket.split();
        let sends = async {
            for _ in 0..400 {
                let message = message("OFFER", &format!("deaf{number}"), &payload);
                if sink.send(message).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let reads = async { while let Some(Ok(_)) = stream.next().await {} };
        tokio::select! {
            () = sends => {}
            () = reads => {}
        }
    }
}

async fn flooded(kind: Kind, flood: Flood) -> (Noticed, Option<u64>) {
    let server = Server::start(kind).await;
    let at = server.at;
    let cut = Arc::new(AtomicUsize::new(0));
    let mut owners = JoinSet::new();
    owners.spawn(owner(at, Arc::clone(&cut)));
    // The owner was there first.
    let mut tries = 0;
    while !matches!(timeout(PATIENCE, dials(at, TRIES)).await, Ok(Some(()))) {
        tries += 1;
        assert!(tries < 6, "nobody floods it yet");
    }
    let standing = flood.begin(at).await;
    let mut noticed = Noticed::default();
    for number in 0..TRIES {
        let start = Instant::now();
        let tries = async {
            if flood == Flood::Queue {
                dials_early(at, number).await
            } else {
                dials(at, number).await
            }
        };
        let patience = match kind {
            Kind::Ours => GENEROUS,
            Kind::Npm => PATIENCE,
        };
        let is_answered = timeout(patience, tries)
            .await
            .is_ok_and(|done| done.is_some());
        noticed.answered += usize::from(is_answered);
        noticed.slowest = noticed.slowest.max(start.elapsed());
    }
    noticed.lost = cut.load(Ordering::Relaxed);
    drop(standing);
    (noticed, server.memory())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs node and `npm ci` in tests/npm"]
async fn where_peerserver_stands_still_the_broker_serves() {
    println!(
        "\n{:<50} {:<17} {:>8} {:>10} {:>9} {:>9}",
        "flood", "server", "reached", "slowest", "owner cut", "memory"
    );
    let mut unserved = Vec::new();
    for flood in [Flood::Large, Flood::Deaf, Flood::Queue, Flood::Idle] {
        for kind in [Kind::Ours, Kind::Npm] {
            let (noticed, memory) = flooded(kind, flood).await;
            let server = match kind {
                Kind::Ours => "hustings-broker",
                Kind::Npm => "npm peer",
            };
            let slowest = format!("{} ms", noticed.slowest.as_millis());
            let memory = memory.map_or_else(|| "ended".into(), |mb| format!("{mb} MB"));
            println!(
                "{:<50} {server:<17} {:>5}/{TRIES} {slowest:>10} {:>9} {memory:>9}",
                flood.name(),
                noticed.answered,
                noticed.lost,
            );
            if kind == Kind::Ours && (noticed.answered < TRIES || noticed.lost > 0) {
                unserved.push(format!("{}: {noticed:?}", flood.name()));
            }
        }
    }
    assert!(unserved.is_empty(), "{unserved:#?}");
}
