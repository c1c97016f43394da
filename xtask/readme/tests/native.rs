//! The native section of the front page, run against the broker.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

use hustings_transport_peerjs::broker::{Broker, BrokerConfig};

// As it stands on the page.
include!("../src/native.rs");

#[test]
fn the_front_page_has_these_lines() {
    let page = include_str!("../../../README.md");
    let code = include_str!("../src/native.rs");
    assert!(
        page.contains(&format!("```rust,ignore\n{code}```\n")),
        "copy xtask/readme/src/native.rs to README.md"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_hosts_and_votes_through_the_broker() {
    let broker = Broker::bind("127.0.0.1:0", BrokerConfig::default()).await;
    let broker = broker.unwrap();
    let at = Signalling {
        host: broker.local_addr().ip().to_string(),
        port: broker.local_addr().port(),
        // The test is for this machine alone.
        ice_servers: Vec::new(),
        ..Signalling::default()
    };
    tokio::spawn(broker.serve(std::future::pending()));
    let folder = tempfile::tempdir().unwrap();
    let hosting = host(&folder.path().join("owner"), &at).await.unwrap();
    let link = hosting.journals().await.unwrap()[0];
    let outcome = vote(&folder.path().join("voter"), &at, link).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let votes = || hosting.polls()[0].tally().unwrap().options[0].votes;
    assert_eq!(votes(), 1);
    hosting.close().await;
}
