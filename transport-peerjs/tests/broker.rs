//! The broker behaves as PeerServer does, where that is meant, and better where it is not.
//!
//! The module `both` says what is the same. It runs against the broker, and, when asked for,
//! against the npm package `peer`:
//!
//! ```text
//! npm ci --prefix transport-peerjs/tests/npm
//! cargo test -p hustings-transport-peerjs --features broker --test broker -- --ignored
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect fails it"
)]

mod client;
mod harness;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use client::{Client, get};
use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerLimits};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// The things that a test asks of a server.
#[derive(Clone, Copy)]
struct Options {
    alive: Duration,
    expire: Duration,
    discovery: bool,
}

const OPTIONS: Options = Options {
    alive: Duration::from_secs(60),
    expire: Duration::from_secs(1),
    discovery: false,
};

/// A server that ends with the test.
struct Server {
    address: SocketAddr,
    _stop: Option<oneshot::Sender<()>>,
    _child: Option<Child>,
}

#[derive(Clone, Copy)]
enum Kind {
    Ours,
    Npm,
}

impl Kind {
    async fn start(self, options: Options) -> Server {
        match self {
            Self::Ours => {
                start(BrokerConfig {
                    path: "/p".into(),
                    alive_timeout: options.alive,
                    expire_after: options.expire,
                    allow_discovery: options.discovery,
                    // PeerServer has nothing like it.
                    reserve_for: Duration::ZERO,
                    ..BrokerConfig::default()
                })
                .await
            }
            Self::Npm => start_npm(options).await,
        }
    }
}

async fn start(config: BrokerConfig) -> Server {
    let broker = Broker::bind("127.0.0.1:0", config).await.unwrap();
    let address = broker.local_addr();
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(broker.serve(async {
        let _ = stopped.await;
    }));
    Server {
        address,
        _stop: Some(stop),
        _child: None,
    }
}

/// PeerServer from npm, killed with the test.
async fn start_npm(options: Options) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/npm/node_modules/peer/dist/bin/peerjs.js");
    assert!(script.exists(), "run `npm ci` in tests/npm first");
    // It cannot be asked for any free port.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut command = Command::new("node");
    command
        .arg(script)
        .args(["--host", "127.0.0.1", "--path", "/p"])
        .args(["--port", &address.port().to_string()])
        .args(["--alive_timeout", &options.alive.as_millis().to_string()])
        .args(["--expire_timeout", &options.expire.as_millis().to_string()])
        .stdout(Stdio::null())
        .kill_on_drop(true);
    if options.discovery {
        command.arg("--allow_discovery");
    }
    let child = command.spawn().expect("node can be run");
    let until = Instant::now() + Duration::from_secs(20);
    while tokio::net::TcpStream::connect(address).await.is_err() {
        assert!(Instant::now() < until, "PeerServer does not start");
        sleep(Duration::from_millis(50)).await;
    }
    Server {
        address,
        _stop: None,
        _child: Some(child),
    }
}

const KEY: &str = "peerjs";
const OPEN: &str = r#"{"type":"OPEN"}"#;
const HEARTBEAT: &str = r#"{"type":"HEARTBEAT"}"#;

impl Server {
    async fn socket(&self, query: &str) -> Client {
        Client::connect(self.address, &format!("/p/peerjs?{query}")).await
    }

    async fn join(&self, id: &str, token: &str) -> Client {
        self.socket(&format!("key={KEY}&id={id}&token={token}&version=1.5.5"))
            .await
    }

    /// Joins and sees that it is registered.
    async fn registered(&self, id: &str) -> Client {
        let mut client = self.join(id, "t").await;
        assert_eq!(client.text().await, OPEN);
        client
    }
}

/// Behaviour of both servers.
mod both {
    use super::*;

    pub(super) async fn an_id_belongs_to_whoever_claims_it_first(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let first = server.registered("a").await;
        let mut second = server.join("a", "other").await;
        assert!(second.text().await.contains(r#""type":"ID-TAKEN""#));
        second.closed().await;
        first.close().await;
        // The server hears of it in its own time.
        sleep(Duration::from_millis(200)).await;
        assert_eq!(server.join("a", "other").await.text().await, OPEN);
    }

    pub(super) async fn the_key_and_the_parameters_are_checked(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        for (query, message) in [
            ("key=other&id=a&token=t", "Invalid key provided"),
            (
                "key=peerjs&id=a",
                "No id, token, or key supplied to websocket server",
            ),
            (
                "key=peerjs&token=t",
                "No id, token, or key supplied to websocket server",
            ),
            (
                "id=a&token=t",
                "No id, token, or key supplied to websocket server",
            ),
        ] {
            let mut client = server.socket(query).await;
            let error = format!(r#"{{"type":"ERROR","payload":{{"msg":"{message}"}}}}"#);
            assert_eq!(client.text().await, error, "{query}");
            client.closed().await;
        }
    }

    pub(super) async fn messages_are_passed_on_as_their_senders(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let mut a = server.registered("a").await;
        let mut b = server.registered("b").await;
        for kind in ["OFFER", "ANSWER", "CANDIDATE"] {
            let payload = r#"{"sdp":{"type":"x","sdp":"v=0\r\n"},"any":[1,null]}"#;
            a.send(&format!(
                r#"{{"type":"{kind}","src":"mallory","dst":"b","payload":{payload}}}"#
            ))
            .await;
            let relayed = format!(r#"{{"type":"{kind}","src":"a","dst":"b","payload":{payload}}}"#);
            assert_eq!(b.text().await, relayed);
        }
        a.send(r#"{"type":"LEAVE","dst":"b"}"#).await;
        assert_eq!(b.text().await, r#"{"type":"LEAVE","src":"a","dst":"b"}"#);
        // A peer says so that it does not take an offer.
        a.send(r#"{"type":"EXPIRE","dst":"b","payload":1}"#).await;
        assert_eq!(
            b.text().await,
            r#"{"type":"EXPIRE","src":"a","dst":"b","payload":1}"#
        );
        b.send(r#"{"type":"ANSWER","dst":"a"}"#).await;
        assert_eq!(a.text().await, r#"{"type":"ANSWER","src":"b","dst":"a"}"#);
    }

    pub(super) async fn what_has_another_type_is_ignored(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let mut a = server.registered("a").await;
        let mut b = server.registered("b").await;
        for junk in [
            r#"{"type":"OPEN","dst":"b"}"#,
            r#"{"type":"NEW","dst":"b"}"#,
            r#"{"type":7,"dst":"b"}"#,
            r#"{"dst":"b"}"#,
            HEARTBEAT,
        ] {
            a.send(junk).await;
        }
        a.send(r#"{"type":"OFFER","dst":"b"}"#).await;
        assert_eq!(b.text().await, r#"{"type":"OFFER","src":"a","dst":"b"}"#);
    }

    pub(super) async fn messages_wait_for_who_is_not_there_yet(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let mut a = server.registered("a").await;
        a.send(r#"{"type":"OFFER","dst":"b","payload":1}"#).await;
        a.send(r#"{"type":"CANDIDATE","dst":"b","payload":2}"#)
            .await;
        // A leave does not wait.
        a.send(r#"{"type":"LEAVE","dst":"b"}"#).await;
        sleep(Duration::from_millis(200)).await;
        let mut b = server.registered("b").await;
        assert_eq!(
            b.text().await,
            r#"{"type":"OFFER","src":"a","dst":"b","payload":1}"#
        );
        assert_eq!(
            b.text().await,
            r#"{"type":"CANDIDATE","src":"a","dst":"b","payload":2}"#
        );
        b.silent(Duration::from_millis(200)).await;
        a.silent(Duration::from_millis(1_500)).await;
    }

    pub(super) async fn what_waits_too_long_expires_once(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let mut a = server.registered("a").await;
        let start = Instant::now();
        for _ in 0..3 {
            a.send(r#"{"type":"CANDIDATE","dst":"b"}"#).await;
        }
        assert_eq!(a.text().await, r#"{"type":"EXPIRE","src":"b","dst":"a"}"#);
        let took = start.elapsed();
        assert!((900..3_000).contains(&took.as_millis()), "{took:?}");
        a.silent(Duration::from_millis(500)).await;
        let mut b = server.registered("b").await;
        b.silent(Duration::from_millis(200)).await;
    }

    pub(super) async fn the_same_token_takes_over(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let old = server.registered("a").await;
        let mut b = server.registered("b").await;
        let mut new = server.join("a", "t").await;
        sleep(Duration::from_millis(200)).await;
        // The end of the old socket is not the end of the registration.
        old.close().await;
        sleep(Duration::from_millis(200)).await;
        b.send(r#"{"type":"OFFER","dst":"a"}"#).await;
        assert_eq!(
            new.text_but(OPEN).await,
            r#"{"type":"OFFER","src":"b","dst":"a"}"#
        );
        new.send(r#"{"type":"ANSWER","dst":"b"}"#).await;
        assert_eq!(b.text().await, r#"{"type":"ANSWER","src":"a","dst":"b"}"#);
    }

    pub(super) async fn who_is_silent_is_dropped(kind: Kind) {
        let alive = Duration::from_secs(1);
        let server = kind.start(Options { alive, ..OPTIONS }).await;
        let mut silent = server.registered("silent").await;
        let mut alive = server.registered("alive").await;
        for _ in 0..8 {
            sleep(Duration::from_millis(300)).await;
            alive.send(HEARTBEAT).await;
        }
        silent.closed().await;
        assert_eq!(server.join("silent", "other").await.text().await, OPEN);
        let mut second = server.join("alive", "other").await;
        assert!(second.text().await.contains("ID-TAKEN"));
    }

    pub(super) async fn a_leave_without_destination_frees_the_own_id(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let mut a = server.registered("a").await;
        a.send(r#"{"type":"LEAVE"}"#).await;
        sleep(Duration::from_millis(200)).await;
        assert_eq!(server.join("a", "other").await.text().await, OPEN);
    }

    pub(super) async fn the_http_endpoints_answer(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let info = get(server.address, "/p/", "").await;
        assert_eq!(info.status, 200);
        let json: serde_json::Value = serde_json::from_str(&info.body).unwrap();
        assert!(json["name"].is_string() && json["description"].is_string());

        let ids = [
            get(server.address, "/p/peerjs/id?ts=1", "").await,
            get(server.address, "/p/peerjs/id?ts=2", "").await,
        ];
        assert_ne!(ids[0].body, ids[1].body);
        assert!(
            hustings_transport_peerjs::wire::is_peer_id(&ids[0].body),
            "{}",
            ids[0].body
        );

        assert_eq!(get(server.address, "/p/peerjs/peers", "").await.status, 401);
        assert_eq!(get(server.address, "/p/x/y/z", "").await.status, 404);
        assert_eq!(get(server.address, "/", "").await.status, 404);
    }

    pub(super) async fn peers_are_listed_if_that_is_allowed(kind: Kind) {
        let discovery = true;
        let server = kind
            .start(Options {
                discovery,
                ..OPTIONS
            })
            .await;
        let _a = server.registered("a").await;
        let _b = server.registered("b").await;
        let peers = get(server.address, "/p/peerjs/peers", "").await;
        assert_eq!((peers.status, peers.body.as_str()), (200, r#"["a","b"]"#));
    }

    pub(super) async fn pages_of_any_origin_may_read(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let origin = "Origin: https://polls.example\r\n";
        let id = get(server.address, "/p/peerjs/id", origin).await;
        let allowed = id.header("access-control-allow-origin");
        assert!(
            matches!(allowed, Some("*" | "https://polls.example")),
            "{allowed:?}"
        );
    }

    /// The endpoint of this crate, over the real server, with a make-believe WebRTC.
    pub(super) async fn endpoints_meet(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let mut run = client::Run::new(server.address);
        // It offers to show the key, which PeerServer does not ask for.
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let owner = hustings_protocol::Address::Owner(hustings_protocol::PeerId::of(&key));
        let token = hustings_transport_peerjs::Token::new("owner").unwrap();
        run.join_with(&owner, &token.with_key(&key));
        run.join(&harness::participant(2), "participant");
        run.until("both are registered", |bench| {
            bench.sides.iter().all(|side| side.endpoint.is_registered())
        })
        .await;
        let now = run.now();
        run.bench.sides[1].dial(&owner, now);
        run.until("both links are up", |bench| {
            bench.sides.iter().all(|side| side.promises.links_up() == 1)
        })
        .await;
        let link = run.bench.sides[1].dial(&harness::owner(3), now);
        let unreachable = hustings_room::transport::TransportEvent::LinkDown {
            link,
            reason: hustings_room::DownReason::Unreachable,
        };
        run.until("nobody is there", |bench| {
            bench.sides[1].events.contains(&unreachable)
        })
        .await;
    }

    pub(super) async fn an_endpoint_takes_its_own_address_over(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let mut run = client::Run::new(server.address);
        for _ in 0..2 {
            run.join(&harness::owner(1), "same");
            run.until("it is registered", |bench| {
                bench.sides.last().unwrap().endpoint.is_registered()
            })
            .await;
            run.leave_half_open();
        }
        run.join(&harness::owner(1), "same");
        run.join(&harness::participant(2), "participant");
        run.until("both are registered", |bench| {
            bench.sides[2..]
                .iter()
                .all(|side| side.endpoint.is_registered())
        })
        .await;
        let now = run.now();
        run.bench.sides[3].dial(&harness::owner(1), now);
        run.until("the newest owner is reached", |bench| {
            bench.sides[2].promises.links_up() == 1
        })
        .await;
    }

    pub(super) async fn of_two_copies_one_has_the_address(kind: Kind) {
        use hustings_transport_peerjs::wire::RegistrationState;

        let server = kind.start(OPTIONS).await;
        let mut run = client::Run::new(server.address);
        run.config.timing.echo_every = Duration::from_millis(500);
        run.config.timing.echo_timeout = Duration::from_secs(2);
        for _ in 0..2 {
            run.join(&harness::owner(1), "same");
            run.until("it is registered", |bench| {
                bench.sides.last().unwrap().endpoint.is_registered()
            })
            .await;
        }
        let has_yielded = |side: &harness::Side| {
            matches!(side.states.last(), Some(RegistrationState::Yielded { .. }))
        };
        run.until("one has yielded to the other", |bench| {
            let yielded = bench.sides.iter().filter(|side| has_yielded(side));
            let registered = bench
                .sides
                .iter()
                .filter(|side| side.endpoint.is_registered());
            (yielded.count(), registered.count()) == (1, 1)
        })
        .await;
        // Each stays what it is while the free address is asked for.
        let loser = run.bench.sides.iter().position(has_yielded).unwrap();
        let now = run.now();
        run.bench.sides[loser].endpoint.wake(now);
        run.until("it is not free", |bench| {
            let states = bench.sides[loser].states.iter();
            let yielded =
                |state: &&RegistrationState| matches!(state, RegistrationState::Yielded { .. });
            states.filter(yielded).count() >= 2
        })
        .await;
        assert!(run.bench.sides[1 - loser].endpoint.is_registered());
    }

    pub(super) async fn an_endpoint_waits_until_its_address_is_free(kind: Kind) {
        let server = kind.start(OPTIONS).await;
        let other = server.registered(&harness::owner(1).to_string()).await;
        let mut run = client::Run::new(server.address);
        run.join(&harness::owner(1), "mine");
        run.until("it hears that the address is taken", |bench| {
            let states = bench.sides[0].states.iter();
            states.fold(0, |n, state| {
                n + usize::from(matches!(
                    state,
                    hustings_transport_peerjs::wire::RegistrationState::AddressTaken { .. }
                ))
            }) >= 2
        })
        .await;
        other.close().await;
        run.until("it is registered", |bench| {
            bench.sides[0].endpoint.is_registered()
        })
        .await;
    }
}

/// Each behaviour, once for each server.
macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
        mod ours {
            $(#[tokio::test]
            async fn $name() {
                super::both::$name(super::Kind::Ours).await;
            })*
        }

        mod npm {
            $(#[tokio::test]
            #[ignore = "needs node and `npm ci` in tests/npm"]
            async fn $name() {
                super::both::$name(super::Kind::Npm).await;
            })*
        }
    };
}

behaviours! {
    an_id_belongs_to_whoever_claims_it_first,
    the_key_and_the_parameters_are_checked,
    messages_are_passed_on_as_their_senders,
    what_has_another_type_is_ignored,
    messages_wait_for_who_is_not_there_yet,
    what_waits_too_long_expires_once,
    the_same_token_takes_over,
    who_is_silent_is_dropped,
    a_leave_without_destination_frees_the_own_id,
    the_http_endpoints_answer,
    peers_are_listed_if_that_is_allowed,
    pages_of_any_origin_may_read,
    endpoints_meet,
    an_endpoint_takes_its_own_address_over,
    of_two_copies_one_has_the_address,
    an_endpoint_waits_until_its_address_is_free,
}

/// Behaviour in which the broker is better than PeerServer.
mod only_ours {
    use super::*;

    async fn with(limits: BrokerLimits) -> Server {
        start(BrokerConfig {
            path: "/p".into(),
            limits,
            ..BrokerConfig::default()
        })
        .await
    }

    #[tokio::test]
    async fn junk_wedges_nothing() {
        let server = with(BrokerLimits::default()).await;
        let mut a = server.registered("a").await;
        let mut b = server.registered("b").await;
        for junk in [
            "",
            "junk",
            "null",
            "7",
            "[]",
            "{",
            r#"["OFFER","b"]"#,
            r#"{"type":[],"dst":{}}"#,
            r#"{"type":"OFFER","dst":7}"#,
            r#"{"type":"OFFER","dst":"../b"}"#,
            r#"{"type":"OFFER"}"#,
        ] {
            a.send(junk).await;
            a.send_binary(junk.as_bytes()).await;
        }
        a.send(&"[".repeat(16_000)).await;
        a.send_binary(&[0xFF; 100]).await;
        a.send(r#"{"type":"OFFER","dst":"b"}"#).await;
        assert_eq!(b.text().await, r#"{"type":"OFFER","src":"a","dst":"b"}"#);
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_ends_its_socket_alone() {
        let server = with(BrokerLimits::default()).await;
        let mut a = server.registered("a").await;
        let mut b = server.registered("b").await;
        a.send(&format!(
            r#"{{"type":"OFFER","dst":"b","payload":"{}"}}"#,
            "x".repeat(17_000)
        ))
        .await;
        a.closed().await;
        b.send(r#"{"type":"OFFER","dst":"b"}"#).await;
        assert_eq!(b.text().await, r#"{"type":"OFFER","src":"b","dst":"b"}"#);
    }

    #[tokio::test]
    async fn who_sends_too_much_is_read_more_slowly() {
        let server = with(BrokerLimits {
            messages_per_second: 10,
            message_burst: 5,
            ..BrokerLimits::default()
        })
        .await;
        let mut a = server.registered("a").await;
        let mut b = server.registered("b").await;
        let start = Instant::now();
        for _ in 0..10 {
            a.send(r#"{"type":"OFFER","dst":"b"}"#).await;
        }
        for _ in 0..10 {
            b.text().await;
        }
        let took = start.elapsed();
        assert!((400..3_000).contains(&took.as_millis()), "{took:?}");
    }

    #[tokio::test]
    async fn a_takeover_is_answered_and_ends_the_old_socket() {
        let server = with(BrokerLimits::default()).await;
        let mut old = server.registered("a").await;
        let mut new = server.registered("a").await;
        // By this it knows that it need not come back, and take over in its turn.
        assert_eq!(old.goodbye().await, Some((4001, "replaced".into())));
        new.send(r#"{"type":"LEAVE"}"#).await;
        assert_eq!(new.goodbye().await, None, "it has asked for its own end");
    }

    #[tokio::test]
    async fn a_stranger_does_not_get_an_id_while_its_owner_is_away() {
        let server = with(BrokerLimits::default()).await;
        let id = harness::owner(1).to_string();
        let owner = server.registered(&id).await;
        owner.close().await;
        // Whatever the server has heard of it by then.
        for _ in 0..3 {
            let mut stranger = server.join(&id, "other").await;
            let text = stranger.text().await;
            let is_kept = text.contains(r#""kept":true"#);
            assert!(text.contains(r#""type":"ID-TAKEN""#) && is_kept, "{text}");
            stranger.closed().await;
        }
        server.registered(&id).await;
    }

    #[tokio::test]
    async fn ids_have_to_be_ids() {
        let server = with(BrokerLimits::default()).await;
        for id in ["a%2Fb", "-", &"a".repeat(200)] {
            let text = server.join(id, "t").await.text().await;
            assert!(text.contains("Invalid id"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_wrong_key_lists_nothing() {
        let server = Kind::Ours
            .start(Options {
                discovery: true,
                ..OPTIONS
            })
            .await;
        assert_eq!(get(server.address, "/p/other/peers", "").await.status, 401);
        assert_eq!(get(server.address, "/p/other/id", "").await.status, 401);
    }

    #[tokio::test]
    async fn pages_of_other_origins_than_those_allowed_are_refused() {
        let server = start(BrokerConfig {
            path: "/p".into(),
            allowed_origins: vec!["https://Polls.example.org:443/".into(), "null".into()],
            ..BrokerConfig::default()
        })
        .await;
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        // A socket that is let in has no key, and is told so.
        for (path, headers, served) in [("/p/peerjs/id", "", 200), ("/p/peerjs", upgrade, 101)] {
            for (origin, is_allowed) in [
                ("https://polls.example.org", true),
                ("null", true),
                ("http://polls.example.org", false),
                ("https://polls.example.org.evil.example", false),
                ("https://evil.example", false),
            ] {
                let headers = format!("Origin: {origin}\r\n{headers}");
                let answer = get(server.address, path, &headers).await;
                let status = if is_allowed { served } else { 403 };
                assert_eq!(answer.status, status, "{path} {origin}");
                let allowed = answer.header("access-control-allow-origin");
                assert_eq!(allowed, is_allowed.then_some(origin));
                if !is_allowed {
                    assert!(answer.body.contains("--allow-origin"), "{}", answer.body);
                }
            }
            // No page at all: a program, or who watches over it.
            assert_eq!(get(server.address, path, headers).await.status, served);
        }
    }

    #[tokio::test]
    async fn a_shutdown_says_goodbye() {
        let broker = Broker::bind("127.0.0.1:0", BrokerConfig::default())
            .await
            .unwrap();
        let address = broker.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(broker.serve(async {
            let _ = stopped.await;
        }));
        let mut a = Client::connect(address, "/peerjs?key=peerjs&id=a&token=t").await;
        assert_eq!(a.text().await, OPEN);
        stop.send(()).unwrap();
        assert_eq!(a.goodbye().await, Some((1001, "going away".into())));
        let start = Instant::now();
        served.await.unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "it waits for nobody"
        );
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }

    /// All that happened is counted, at an address of its own, and nobody is named.
    #[tokio::test]
    async fn those_who_watch_over_it_have_counts() {
        let config = BrokerConfig {
            metrics: Some("127.0.0.1:0".parse().unwrap()),
            ..BrokerConfig::default()
        };
        let broker = Broker::bind("127.0.0.1:0", config).await.unwrap();
        let (address, watched) = (broker.local_addr(), broker.metrics_addr().unwrap());
        let (_stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(broker.serve(async {
            let _ = stopped.await;
        }));
        let socket = |query: &'static str| Client::connect(address, query);
        let mut ann = socket("/peerjs?key=peerjs&id=annabel&token=t").await;
        let mut ben = socket("/peerjs?key=peerjs&id=benedict&token=t").await;
        for client in [&mut ann, &mut ben] {
            assert_eq!(client.text().await, OPEN);
        }
        let mut other = socket("/peerjs?key=peerjs&id=annabel&token=x").await;
        assert!(other.text().await.contains("ID-TAKEN"));
        ann.send(r#"{"type":"OFFER","dst":"benedict","payload":{}}"#)
            .await;
        assert!(ben.text().await.contains("OFFER"));
        ann.send(r#"{"type":"OFFER","dst":"nobody","payload":{}}"#)
            .await;
        ben.send(r#"{"type":"LEAVE","dst":"annabel"}"#).await;
        assert!(ann.text().await.contains("LEAVE"));

        let response = get(watched, "/metrics", "").await;
        assert_eq!(response.status, 200);
        let text = response.body;
        for line in [
            "hustings_broker_peers 2",
            "hustings_broker_queued_messages 1",
            r#"hustings_broker_messages_total{kind="offer"} 2"#,
            r#"hustings_broker_messages_total{kind="leave"} 1"#,
            r#"hustings_broker_refused_total{kind="taken"} 1"#,
            "hustings_broker_slowed_total 0",
            "hustings_broker_sockets 3",
            r#"hustings_broker_gave_way_total{kind="socket"} 0"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        assert!(!text.contains("annabel") && !text.contains("127.0.0.1"));
        assert_eq!(get(address, "/metrics", "").await.status, 404);
    }

    #[tokio::test]
    async fn who_is_dropped_hears_why() {
        let server = start(BrokerConfig {
            path: "/p".into(),
            alive_timeout: Duration::from_millis(1),
            ..BrokerConfig::default()
        })
        .await;
        let mut a = server.registered("a").await;
        assert_eq!(a.goodbye().await, Some((4000, "silent".into())));
    }

    #[tokio::test]
    async fn settings_are_checked() {
        for (path, key) in [("a b", "k"), ("/", "a/b"), ("/", "")] {
            let config = BrokerConfig {
                path: path.into(),
                key: key.into(),
                ..BrokerConfig::default()
            };
            assert!(Broker::bind("127.0.0.1:0", config).await.is_err());
        }
        let taken = Broker::bind("127.0.0.1:0", BrokerConfig::default())
            .await
            .unwrap();
        let again = Broker::bind(taken.local_addr(), BrokerConfig::default()).await;
        assert!(again.unwrap_err().to_string().contains("cannot listen at"));
    }
}

#[tokio::test]
async fn settings_without_end_are_no_panic() {
    let server = start(BrokerConfig {
        path: "/p".into(),
        alive_timeout: Duration::MAX,
        expire_after: Duration::MAX,
        request_timeout: Duration::MAX,
        write_timeout: Duration::MAX,
        reserve_for: Duration::MAX,
        reserve_proven_for: Duration::MAX,
        limits: BrokerLimits {
            max_peers: usize::MAX,
            max_sockets: usize::MAX,
            max_sockets_each: usize::MAX,
            max_connections: usize::MAX,
            max_connections_each: usize::MAX,
            max_message_bytes: usize::MAX,
            messages_per_second: u32::MAX,
            message_burst: u32::MAX,
            bytes_per_second: u32::MAX,
            byte_burst: u32::MAX,
            total_messages_per_second: u32::MAX,
            max_queued_each: usize::MAX,
            max_queued: usize::MAX,
            max_queued_bytes: usize::MAX,
            max_unread_each: usize::MAX,
            max_unread: usize::MAX,
            max_reserved: usize::MAX,
        },
        ..BrokerConfig::default()
    })
    .await;
    let mut a = server.registered("a").await;
    a.send(r#"{"type":"OFFER","dst":"b","payload":1}"#).await;
    let mut b = server.registered("b").await;
    assert!(b.text().await.contains(r#""src":"a""#));
}

#[test]
fn a_hidden_tab_is_not_dropped_between_two_of_its_heartbeats() {
    // Browsers let its timers run once a minute, and one of them may be late.
    assert!(BrokerConfig::default().alive_timeout > 2 * Duration::from_secs(60));
}
