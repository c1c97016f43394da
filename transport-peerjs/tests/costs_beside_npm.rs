//! The cost of a socket and of a message at `hustings-broker` and at the npm package `peer`.
//!
//! Asked for by `cargo xtask bench --broker`, which takes the table from its output. Both servers
//! have their defaults and are asked the same by the same peers, who are in this process.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// The peers who are there, of whom each second one dials the one before.
const PEERS: usize = 1_000;

/// The offers of each: as many as a peer of ours may send at once.
const OFFERS: usize = 40;

/// The bytes of an offer's description.
const DESCRIPTION: usize = 300;

const PATIENCE: Duration = Duration::from_secs(120);

type Socket = WebSocketStream<TcpStream>;

/// A server in a process of its own, which ends with the test.
struct Server {
    at: SocketAddr,
    child: Child,
}

impl Server {
    async fn start(program: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        let mut words = program.split(' ');
        let child = Command::new(words.next().unwrap())
            .args(words)
            .args(["--host", "127.0.0.1", "--path", "/", "--port"])
            .arg(at.port().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let is_there = async {
            while TcpStream::connect(at).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, is_there).await.expect("it starts");
        Self { at, child }
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id().unwrap())).unwrap()
    }

    /// Its own memory in KiB.
    fn memory(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("RssAnon:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse().unwrap()
    }

    /// Its time on processors in seconds: fields 14 and 15, in hundredths.
    fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = |field: usize| -> f64 {
            let field = fields.split_whitespace().nth(field - 3).unwrap();
            field.parse().unwrap()
        };
        (ticks(14) + ticks(15)) / 100.0
    }

    async fn join(&self, id: &str) -> Socket {
        let stream = TcpStream::connect(self.at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let url = format!("ws://{}/peerjs?key=peerjs&id={id}&token=t", self.at);
        let (mut socket, _) = client_async(url, stream).await.unwrap();
        heard(&mut socket, r#"{"type":"OPEN"}"#).await;
        socket
    }
}

async fn heard(socket: &mut Socket, begin: &str) {
    let hears = async {
        loop {
            let message = socket.next().await.unwrap().unwrap();
            if let Message::Text(text) = message
                && text.starts_with(begin)
            {
                return;
            }
        }
    };
    timeout(PATIENCE, hears).await.expect("it is said");
}

/// Sends offers, which the other one hears.
async fn dials(pair: &mut [Socket], number: usize) {
    let [dialler, dialled] = pair else { panic!() };
    let sdp = "x".repeat(DESCRIPTION);
    let dst = format!("p{}", 2 * number + 1);
    let offer = format!(r#"{{"type":"OFFER","dst":"{dst}","payload":"{sdp}"}}"#);
    let sends = async {
        for _ in 0..OFFERS {
            dialler.send(Message::text(offer.clone())).await.unwrap();
        }
    };
    let hears = async {
        for _ in 0..OFFERS {
            heard(dialled, r#"{"type":"OFFER""#).await;
        }
    };
    futures::join!(sends, hears);
}

/// A row of the table.
async fn measure(name: &str, program: &str) -> String {
    let server = Server::start(program).await;
    let (idle, before) = (server.memory(), server.cpu());
    let mut sockets = Vec::new();
    for number in 0..PEERS {
        sockets.push(server.join(&format!("p{number}")).await);
    }
    let each = (server.memory() - idle) / PEERS as f64;
    let connect = (server.cpu() - before) * 1e6 / PEERS as f64;

    let (before, start) = (server.cpu(), Instant::now());
    let pairs = sockets.chunks_mut(2).enumerate();
    join_all(pairs.map(|(number, pair)| dials(pair, number))).await;
    let relays = (PEERS / 2 * OFFERS) as f64;
    let rate = relays / start.elapsed().as_secs_f64();
    let relay = (server.cpu() - before) * 1e6 / relays;
    format!(
        "| {name} | {:.1} | {:.1} | {:.0} | {connect:.0} | {rate:.0} | {relay:.0} |",
        idle / 1024.0,
        each,
        1024.0 / each,
    )
}

#[tokio::test]
#[ignore = "asked for by `cargo xtask bench --broker`; needs npm's packages"]
async fn sockets_and_relays() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/npm/node_modules/peer/dist/bin/peerjs.js");
    assert!(script.exists(), "run `npm ci` in tests/npm first");
    let npm = format!("node {}", script.display());
    // Of this one the program in the same profile as the test.
    let ours = env!("CARGO_BIN_EXE_hustings-broker");
    println!();
    println!(
        "| server | idle, MiB | a socket, KiB | sockets per MiB | a connect, µs | relays a second | a relay, µs |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    println!("{}", measure("hustings-broker", ours).await);
    println!("{}", measure("npm peer", &npm).await);
}
