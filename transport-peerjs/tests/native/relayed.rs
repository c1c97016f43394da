//! People who reach each other by a TURN server alone: the broker's.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use hustings_room::clock::SystemClock;
use hustings_room::transport::Transport;
use hustings_room::{DownReason, LinkId};
use hustings_transport_peerjs::broker::{BrokerConfig, Secret, TurnConfig};
use hustings_transport_peerjs::{Config, IceServer, NativeConfig, PeerJs, RootCertificate, Token};
use sha1::Sha1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::rooms::votes_are_counted;
use crate::side::{Side, Signalling, loopback, owner, random, registered, soon};
use crate::tls::front;

const SECRET: &str = "north";

/// A broker that relays, on loopback alone.
pub(crate) async fn relaying() -> Signalling {
    let turn = TurnConfig {
        listen: vec![([127, 0, 0, 1], 0).into()],
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        secret: Some(Secret::new(SECRET).unwrap()),
        ..TurnConfig::default()
    };
    let config = BrokerConfig {
        turn,
        metrics: Some(([127, 0, 0, 1], 0).into()),
        ..BrokerConfig::default()
    };
    Signalling::start_with(config).await
}

/// The broker's TURN server, as whoever knows the secret is let in.
fn server(signalling: &Signalling, by: &str) -> IceServer {
    server_at(signalling.turn.unwrap(), by)
}

/// The same at another address, of somebody in between.
pub(crate) fn server_at(address: SocketAddr, by: &str) -> IceServer {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let username = format!("{}:somebody", now.unwrap().as_secs() + 3_600);
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(username.as_bytes());
    IceServer {
        urls: vec![format!("turn:{address}?transport={by}")],
        username: Some(username),
        credential: Some(BASE64.encode(&mac.finalize().into_bytes())),
    }
}

/// Nobody is told any other address than the server's.
fn hidden(signalling: &Signalling, by: &str) -> Config {
    Config {
        ice_servers: vec![server(signalling, by)],
        relay_only: true,
        ..signalling.config()
    }
}

/// The addresses that the server relays from now.
async fn allocations(signalling: &Signalling) -> u64 {
    let mut stream = TcpStream::connect(signalling.metrics.unwrap())
        .await
        .unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let found = text.lines().find_map(|line| {
        let (name, count) = line.rsplit_once(' ')?;
        let is_it = name.ends_with("turn_allocations") && !name.starts_with('#');
        is_it.then(|| count.parse().unwrap())
    });
    found.unwrap_or_else(|| panic!("no allocations in {text}"))
}

async fn until_there_are(signalling: &Signalling, count: u64) {
    soon(&format!("{count} allocations"), async {
        while allocations(signalling).await != count {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_tell_no_address_of_theirs_vote_by_the_relay() {
    let signalling = relaying().await;
    votes_are_counted(&hidden(&signalling, "udp")).await;
    until_there_are(&signalling, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_by_tcp_where_datagrams_do_not_get_through() {
    let signalling = relaying().await;
    votes_are_counted(&hidden(&signalling, "tcp")).await;
    until_there_are(&signalling, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_by_what_the_broker_hands_out() {
    let signalling = relaying().await;
    let mut config = hidden(&signalling, "udp");
    config.ice_servers.clear();
    votes_are_counted(&config).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_is_shared_by_all_who_come_and_given_back() {
    let signalling = relaying().await;
    let config = hidden(&signalling, "udp");
    let mut owner = Side::open(&config, &loopback()).await;
    let mut others = Vec::new();
    for number in 1..=3 {
        let mut other = Side::open(&config, &loopback()).await;
        let (out, inn) = other.link(number, &mut owner).await;
        owner.send(inn, vec![7; 50_000]);
        assert_eq!(other.frame().await.1.len(), 50_000);
        others.push((other, out));
    }
    // Each dial's own, and one for those who were dialled.
    until_there_are(&signalling, 4).await;
    for (mut other, out) in others {
        other.transport.hangup(out);
        assert_eq!(owner.down().await.1, DownReason::ClosedByPeer);
    }
    until_there_are(&signalling, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_reached_directly_takes_no_relay() {
    let signalling = relaying().await;
    let config = Config {
        relay_only: false,
        ..hidden(&signalling, "udp")
    };
    let mut owner = Side::open(&config, &loopback()).await;
    let mut other = Side::open(&config, &loopback()).await;
    let (out, _) = other.link(1, &mut owner).await;
    // Longer than a connection waits before it has a relay.
    let until = Instant::now() + Duration::from_millis(1_500);
    while Instant::now() < until {
        other.send(out, "still there?");
        owner.frame().await;
    }
    assert_eq!(allocations(&signalling).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_or_is_away_leaves_it_to_the_next() {
    let signalling = relaying().await;
    let mut config = hidden(&signalling, "tcp");
    let good = config.ice_servers.remove(0);
    let wrong = IceServer {
        credential: Some("wrong".into()),
        ..server(&signalling, "udp")
    };
    let unknown = IceServer {
        urls: vec!["turn:unknown.invalid".into()],
        ..good.clone()
    };
    config.ice_servers = vec![wrong, unknown, good];
    let mut owner = Side::open(&config, &loopback()).await;
    let mut other = Side::open(&config, &loopback()).await;
    other.link(1, &mut owner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_by_tls_is_known_by_the_same_roots_as_signalling() {
    let signalling = relaying().await;
    let (front, root) = front(signalling.turn.unwrap()).await;
    let mut config = hidden(&signalling, "tcp");
    config.ice_servers[0].urls = vec![format!("turns:localhost:{}", front.port())];
    let native = NativeConfig {
        listen: loopback(),
        roots: RootCertificate::read_pem(root.as_bytes()).unwrap(),
    };
    let mut sides = Vec::new();
    for _ in 0..2 {
        let address = owner();
        let (token, clock) = (Token::from_random(random()), SystemClock::new());
        let transport = PeerJs::open_with(&native, &config, &address, &token, clock).unwrap();
        registered(&transport).await;
        sides.push(Side { transport, address });
    }
    let (mut one, mut two) = (sides.remove(0), sides.remove(0));
    one.link(1, &mut two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_by_a_server_that_has_gone_end_at_once() {
    let (signalling, relay) = (Signalling::start().await, relaying().await);
    let config = Config {
        ice_servers: vec![server(&relay, "tcp")],
        relay_only: true,
        ..signalling.config()
    };
    let mut owner = Side::open(&config, &loopback()).await;
    let mut other = Side::open(&config, &loopback()).await;
    let (out, inn) = other.link(1, &mut owner).await;
    drop(relay);
    // It would take longer than that to be found out.
    for (side, link) in [(&mut owner, inn), (&mut other, out)] {
        let (down, reason) = side.down().await;
        assert_eq!(down, link);
        assert!(matches!(reason, DownReason::Lost(_)), "{reason:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_relay_nobody_who_hides_is_reached() {
    let signalling = Signalling::start().await;
    let mut config = Config {
        relay_only: true,
        ..signalling.config()
    };
    config.timing.connect_timeout = Duration::from_secs(2);
    let owner = Side::open(&config, &loopback()).await;
    let mut other = Side::open(&config, &loopback()).await;
    let link = LinkId::dialled(1);
    other.transport.dial(link, &owner.address);
    assert_eq!(other.down().await.0, link);
}
