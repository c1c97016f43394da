//! An address that takes all places at the broker loses them to others who want one.
//!
//! Crowds come from 127.0.0.2 and beyond, honest peers from 127.0.0.1, which Linux takes for
//! granted.

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
use std::time::Duration;

use flooding::{Client, FLOOD, HONEST, PATIENCE, connect, get, rest};
use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerLimits};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

async fn serve(config: BrokerConfig) -> SocketAddr {
    let broker = Broker::bind((HONEST, 0), config).await.unwrap();
    let address = broker.local_addr();
    tokio::spawn(broker.serve(std::future::pending()));
    address
}

/// A broker with few places, and as many for one address, where nobody is cut for being slow.
fn small(places: usize) -> BrokerConfig {
    BrokerConfig {
        request_timeout: Duration::from_secs(600),
        write_timeout: Duration::from_secs(600),
        limits: BrokerLimits {
            max_sockets: places,
            max_sockets_each: places,
            max_connections: places,
            max_connections_each: places,
            ..BrokerLimits::default()
        },
        ..BrokerConfig::default()
    }
}

/// Two peers find each other.
async fn peers_meet(at: SocketAddr) {
    let mut owner = Client::join(at, HONEST, "owner").await;
    let mut voter = Client::join(at, HONEST, "voter").await;
    voter.offer("owner", "sdp").await;
    owner.offered_by("voter").await;
    owner.offer("voter", "sdp").await;
    voter.offered_by("owner").await;
}

/// Pages of which one is larger than what sockets hold.
fn large_pages() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), "polls").unwrap();
    let large = fs::File::create(folder.path().join("large.wasm")).unwrap();
    large.set_len(64 * 1024 * 1024).unwrap();
    folder
}

/// Asks for the large page, and reads no more than that it comes.
async fn unread(at: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let mut stream = connect(at, from).await;
    let request = "GET /large.wasm HTTP/1.1\r\nHost: here\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn connections_that_say_nothing_keep_nobody_out() {
    let at = serve(small(100)).await;
    let mut crowd = Vec::new();
    for number in 0..400_u16 {
        let from = Ipv4Addr::new(127, 0, 0, if number % 2 == 0 { 2 } else { 3 });
        let mut stream = connect(at, from).await;
        if number % 3 == 0 {
            // As if there were more to come.
            let _ = stream.write_all(b"GET /peerjs HTTP/1.1\r\nHo").await;
        }
        crowd.push(stream);
    }
    peers_meet(at).await;
    assert!(get(at, HONEST, "/healthz").await.ends_with("ok\n"));
}

#[tokio::test]
async fn readers_who_do_not_read_keep_nobody_out() {
    let folder = large_pages();
    let at = serve(BrokerConfig {
        pages: Some(folder.path().into()),
        ..small(40)
    })
    .await;
    let mut crowd = Vec::new();
    for _ in 0..80 {
        crowd.push(unread(at, FLOOD).await);
    }
    peers_meet(at).await;
    assert!(get(at, HONEST, "/").await.ends_with("polls"));
    // Those who came last are still served: it was no more than room that was wanted.
    let mut last = crowd.pop().unwrap();
    let mut more = vec![0; 1024 * 1024];
    let read = timeout(PATIENCE, last.read_exact(&mut more)).await;
    read.expect("it goes on").unwrap();
}

#[tokio::test]
async fn sockets_of_one_address_make_room_for_another() {
    let at = serve(small(60)).await;
    let mut crowd = Vec::new();
    for number in 0..60 {
        crowd.push(Client::join(at, FLOOD, &format!("f{number}")).await);
    }
    let more = Client::try_join(at, FLOOD, "more", None).await;
    assert_eq!(more.err(), Some(503), "nobody makes room for oneself");
    peers_meet(at).await;
    // The two that came last have made room. Those before them are registered as they were.
    for mut last in crowd.split_off(58) {
        last.ended().await;
    }
    let (first, others) = crowd.split_at_mut(1);
    others[56].offer("f0", "sdp").await;
    first[0].offered_by("f57").await;
}

#[tokio::test]
async fn one_address_has_no_more_than_its_part() {
    let mut config = small(60);
    config.limits.max_sockets_each = 2;
    let at = serve(config).await;
    let first = Client::join(at, FLOOD, "a").await;
    let _second = Client::join(at, FLOOD, "b").await;
    let third = Client::try_join(at, FLOOD, "c", None).await;
    assert_eq!(third.err(), Some(503));
    peers_meet(at).await;
    first.leave().await;
    Client::join(at, FLOOD, "c").await;
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_a_part() {
    let mut config = small(60);
    config.limits.max_sockets_each = 2;
    config.trusted_proxies = vec![HONEST.into()];
    let at = serve(config).await;
    let mut crowd = Vec::new();
    for client in 1..10 {
        for number in 0..2 {
            let (id, said) = (format!("c{client}-{number}"), format!("10.0.0.{client}"));
            crowd.push(Client::join_by(at, HONEST, &id, Some(&said)).await);
        }
    }
    let third = Client::try_join(at, HONEST, "c1-2", Some("10.0.0.1")).await;
    assert_eq!(third.err(), Some(503));
}

#[tokio::test]
async fn whoever_says_nothing_or_half_of_it_is_cut() {
    let at = serve(BrokerConfig {
        request_timeout: Duration::from_millis(200),
        ..BrokerConfig::default()
    })
    .await;
    for (said, statuses) in [
        ("", 0),
        ("GET /healthz HTTP/1.1\r\nHo", 0),
        // Kept for another one, but not for long.
        ("GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n", 1),
        ("GET /healthz HTTP/1.1\r\nHost: here\r\n\r\nGET /", 1),
    ] {
        let mut stream = connect(at, HONEST).await;
        stream.write_all(said.as_bytes()).await.unwrap();
        let heard = String::from_utf8(rest(&mut stream).await).unwrap();
        assert_eq!(heard.matches("HTTP/1.1 200").count(), statuses, "{said:?}");
    }
    // A head without an end takes no memory without an end.
    let mut stream = connect(at, HONEST).await;
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nCookie: ").await;
    let _ = stream.write_all(&[b'x'; 256 * 1024]).await;
    let heard = rest(&mut stream).await;
    assert!(heard.is_empty() || heard.starts_with(b"HTTP/1.1 431"));
    // A socket is no request that is not complete.
    let mut peer = Client::join(at, HONEST, "peer").await;
    let mut stream = connect(at, HONEST).await;
    rest(&mut stream).await;
    peer.offer("peer", "sdp").await;
    peer.offered_by("peer").await;
}

#[tokio::test]
async fn a_page_that_nobody_reads_is_cut() {
    let folder = large_pages();
    let at = serve(BrokerConfig {
        pages: Some(folder.path().into()),
        write_timeout: Duration::from_millis(200),
        ..BrokerConfig::default()
    })
    .await;
    let mut reader = unread(at, FLOOD).await;
    // Whoever writes to what has been closed is told so.
    let cut = async {
        while reader.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, cut).await.expect("it is cut");
    assert!(rest(&mut reader).await.len() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_cut_though_it_says_that_it_is_there() {
    let at = serve(BrokerConfig {
        write_timeout: Duration::from_millis(200),
        // Enough to fill what sockets hold is soon sent.
        limits: BrokerLimits {
            messages_per_second: u32::MAX,
            bytes_per_second: u32::MAX,
            ..BrokerLimits::default()
        },
        ..BrokerConfig::default()
    })
    .await;
    let mut deaf = Client::join(at, FLOOD, "deaf").await;
    let mut sender = Client::join(at, HONEST, "sender").await;
    let payload = "x".repeat(15_000);
    let cut = async {
        loop {
            sender.offer("deaf", &payload).await;
            if !deaf.heartbeat().await {
                return;
            }
        }
    };
    timeout(PATIENCE, cut).await.expect("it is cut");
    // Whoever sent that much is still there.
    sender.offer("sender", "mark").await;
    sender.offered_by("sender").await;
}

#[tokio::test]
async fn as_many_connections_as_the_system_allows_are_said_and_served() {
    // A limit that can be raised, and one that cannot.
    for (ulimit, raised) in [("-Sn 128", true), ("-n 128", false)] {
        let program = env!("CARGO_BIN_EXE_hustings-broker");
        let (said, at, _broker) = {
            let mut broker = Command::new("sh")
                .arg("-c")
                .arg(format!(
                    "ulimit {ulimit}; exec \"$0\" --host 127.0.0.1 --port 0"
                ))
                .arg(Path::new(program))
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(broker.stdout.take().unwrap()).lines();
            let listening = lines.next_line().await.unwrap().unwrap();
            let at: SocketAddr = listening.rsplit(' ').next().unwrap().parse().unwrap();
            (lines.next_line().await.unwrap().unwrap(), at, broker)
        };
        let at_most: usize = said.split(' ').nth(2).unwrap().parse().unwrap();
        assert_eq!(at_most > 128, raised, "{ulimit}: {said}");
        let mut crowd = Vec::new();
        for _ in 0..200 {
            crowd.push(connect(at, FLOOD).await);
        }
        peers_meet(at).await;
    }
}
