//! Together with stock PeerJS 1.5.5, in Chromium, and with npm's PeerServer.
//!
//! ```text
//! npm ci --prefix transport-peerjs/tests/npm
//! cargo test -p hustings-transport-peerjs --features broker,native --test native -- --ignored
//! ```
//!
//! `CHROMIUM` names the browser where it is called something else.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hustings_protocol::Address;
use hustings_room::transport::{Transport, TransportEvent};
use hustings_room::{DownReason, LinkId};
use hustings_transport_peerjs::broker::BrokerConfig;
use hustings_transport_peerjs::{Config, Listen};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::rooms::votes_are_counted;
use crate::side::{Side, Signalling, owner};

/// A browser with the page, until it is dropped.
struct Page {
    _browser: Child,
    _profile: TempDir,
}

impl Page {
    fn open(signalling: &Signalling, own: &Address, serialization: &str, to: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let program = std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
        let address = signalling.address;
        let browser = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-quic",
                "--disable-component-update",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!(
                "http://{address}/stock.html#{own},{serialization},{to}"
            ))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Chromium starts");
        Self {
            _browser: browser,
            _profile: profile,
        }
    }
}

/// A broker that has the page, too.
async fn signalling() -> (Signalling, TempDir) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let pages = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("native/stock.html", "stock.html"),
        ("native/stock.html", "index.html"),
        (
            "npm/node_modules/peerjs/dist/peerjs.min.js",
            "peerjs.min.js",
        ),
    ] {
        let copied = fs::copy(here.join(from), pages.path().join(to));
        copied.expect("run `npm ci` in tests/npm first");
    }
    let config = BrokerConfig {
        pages: Some(pages.path().to_owned()),
        // The page is one file, with its script in it.
        page_headers: vec![("content-security-policy".into(), String::new())],
        ..BrokerConfig::default()
    };
    (Signalling::start_with(config).await, pages)
}

/// Says something and hears it again, now and then something long.
async fn talk(side: &mut Side, link: LinkId, longest: usize) {
    for round in 0..20 {
        let said = format!(r#"{{"n":{round},"text":"ä{}"}}"#, "x".repeat(round * 50));
        side.send(link, said.clone());
        assert_eq!(side.frame().await, (link, said.into()));
    }
    let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(longest));
    side.send(link, long.clone());
    assert_eq!(side.frame().await, (link, long.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium, and PeerJS from npm"]
async fn stock_peerjs_dials_with_raw_and_with_json() {
    let (signalling, _pages) = signalling().await;
    for serialization in ["raw", "json"] {
        let mut side = Side::open(&signalling.config(), &Listen::default()).await;
        let to = side.address.to_string();
        let _page = Page::open(&signalling, &owner(), serialization, &to);
        for _ in 0..2 {
            let link = side.up().await;
            assert!(link.is_accepted());
            assert_eq!(side.frame().await, (link, r#"{"up":1}"#.into()));
            talk(&mut side, link, 15_000).await;
            side.transport.hangup(link);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium, and PeerJS from npm"]
async fn stock_peerjs_is_dialled() {
    let (signalling, _pages) = signalling().await;
    let mut side = Side::open(&signalling.config(), &Listen::default()).await;
    let address = owner();
    let _page = Page::open(&signalling, &address, "raw", "");
    for number in 1..=20 {
        let link = LinkId::dialled(number);
        side.transport.dial(link, &address);
        match side.event().await {
            TransportEvent::LinkUp { .. } => {
                talk(&mut side, link, 15_000).await;
                side.send(link, r#"{"bye":1}"#);
                assert_eq!(side.down().await, (link, DownReason::ClosedByPeer));
                return;
            }
            // The page is still on its way.
            TransportEvent::LinkDown { .. } => tokio::time::sleep(Duration::from_millis(200)).await,
            other => panic!("{other:?}"),
        }
    }
    panic!("the page never answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node.js, and PeerServer from npm"]
async fn a_vote_is_counted_through_npms_peerserver() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm/node_modules");
    let _server = Command::new("node")
        .arg(here.join("peer/dist/bin/peerjs.js"))
        .args(["--host", "127.0.0.1", "--path", "/", "--port"])
        .arg(port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Node.js starts");
    // Until it listens they try again.
    let config = Config {
        host: "127.0.0.1".into(),
        port,
        ice_servers: Vec::new(),
        ..Config::default()
    };
    votes_are_counted(&config).await;
}
