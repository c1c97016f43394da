//! Credentials go to registered peers, by their own sockets, and to nobody else.

use std::time::Duration;

use hustings_transport_peerjs::broker::{Broker, BrokerConfig, Secret, TurnConfig, TurnError};
use serde_json::Value;

use crate::client::{Client, Run};
use crate::harness::{self, Bench};
use crate::served::{SECRET, config, handed, serve};
use crate::user::{By, User};

const OPEN: &str = r#"{"type":"OPEN"}"#;
const ASK: &str = r#"{"type":"HUSTINGS-ICE"}"#;

fn path(id: &str, token: &str, rest: &str) -> String {
    format!("/peerjs?key=peerjs&id={id}&token={token}{rest}")
}

#[tokio::test]
async fn a_peer_that_takes_them_is_handed_servers_before_it_is_told_that_it_is_registered() {
    let served = serve(config()).await;
    let mut peer = Client::connect(served.at, &path("a", "t", "&ice=1")).await;
    let text = peer.text().await;
    assert_eq!(peer.text().await, OPEN);
    let message: Value = serde_json::from_str(&text).unwrap();
    let payload = &message["payload"];
    assert_eq!(payload["lifetime"], 6 * 60 * 60);
    let url = |transport| {
        format!(
            "turn:127.0.0.1:{}?transport={transport}",
            served.turn.port()
        )
    };
    let urls = &payload["iceServers"][0]["urls"];
    assert_eq!(urls, &serde_json::json!([url("udp"), url("tcp")]));
    let (name, _) = handed(&text);
    assert!(name.ends_with(":a"), "{name}");
    // It asks anew, and what it is told then is good, too.
    peer.send(ASK).await;
    let again = handed(&peer.text().await);
    User::allocated(By::Udp, served.turn, &again).await;
}

#[tokio::test]
async fn whoever_does_not_ask_hears_nothing_of_it() {
    let served = serve(config()).await;
    let mut stock = Client::connect(served.at, &path("a", "t", "&version=1.5.5")).await;
    assert_eq!(stock.text().await, OPEN);
    stock.silent(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn nobody_is_handed_anything_who_is_not_registered() {
    let served = serve(config()).await;
    let mut holder = Client::connect(served.at, &path("a", "t", "")).await;
    assert_eq!(holder.text().await, OPEN);
    for rest in ["&ice=1", "&ice=1&probe=1"] {
        let mut other = Client::connect(served.at, &path("a", "another", rest)).await;
        assert!(other.text().await.contains("ID-TAKEN"));
        other.send(ASK).await;
        other.closed().await;
    }
    let mut probes = Client::connect(served.at, &path("b", "t", "&ice=1&probe=1")).await;
    assert_eq!(probes.text().await, OPEN);
    probes.closed().await;
    // One that was taken over is registered no more.
    let mut next = Client::connect(served.at, &path("a", "t", "")).await;
    assert_eq!(next.text().await, OPEN);
    holder.send(ASK).await;
    holder.closed().await;
}

#[tokio::test]
async fn a_broker_without_turn_ignores_the_question() {
    let broker = Broker::bind("127.0.0.1:0", BrokerConfig::default())
        .await
        .unwrap();
    let at = broker.local_addr();
    assert_eq!(broker.turn_addrs(), []);
    tokio::spawn(broker.serve(std::future::pending()));
    let mut peer = Client::connect(at, &path("a", "t", "&ice=1")).await;
    assert_eq!(peer.text().await, OPEN);
    peer.send(ASK).await;
    peer.silent(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn another_server_with_the_secret_can_take_its_place() {
    let turn = TurnConfig {
        secret: Some(Secret::new(SECRET).unwrap()),
        urls: vec!["turn:turn.example.org?transport=tcp".into()],
        ..TurnConfig::default()
    };
    let config = BrokerConfig {
        turn,
        ..BrokerConfig::default()
    };
    let broker = Broker::bind("127.0.0.1:0", config).await.unwrap();
    let at = broker.local_addr();
    assert_eq!(broker.turn_addrs(), []);
    tokio::spawn(broker.serve(std::future::pending()));
    let mut peer = Client::connect(at, &path("a", "t", "&ice=1")).await;
    let text = peer.text().await;
    let message: Value = serde_json::from_str(&text).unwrap();
    let urls = &message["payload"]["iceServers"][0]["urls"];
    assert_eq!(
        urls,
        &serde_json::json!(["turn:turn.example.org?transport=tcp"])
    );
    // It is a name and a password that any server with the secret takes.
    let who = handed(&text);
    let served = serve(self::config()).await;
    User::allocated(By::Tcp, served.turn, &who).await;
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let turn = TurnConfig {
        urls: vec!["turn:turn.example.org".into()],
        ..TurnConfig::default()
    };
    let config = BrokerConfig {
        turn,
        ..BrokerConfig::default()
    };
    let error = Broker::bind("127.0.0.1:0", config).await.unwrap_err();
    assert_eq!(error.to_string(), TurnError::NoSecret.to_string());
    let served = serve(self::config()).await;
    let config = BrokerConfig {
        turn: TurnConfig {
            listen: vec![served.turn],
            ..TurnConfig::default()
        },
        ..BrokerConfig::default()
    };
    let error = Broker::bind("127.0.0.1:0", config).await.unwrap_err();
    let said = format!("cannot listen for TURN at {}", served.turn);
    assert!(error.to_string().starts_with(&said), "{error}");
}

#[tokio::test]
async fn this_crates_endpoint_has_them_before_it_dials() {
    let served = serve(config()).await;
    let mut run = Run::new(served.at);
    run.config.path = "/".into();
    run.config.ice_servers = Vec::new();
    run.join(&harness::participant(1), "t");
    let registered = |bench: &Bench| bench.sides[0].endpoint.is_registered();
    run.until("it is registered", registered).await;
    let handed = &run.bench.sides[0].ice_servers;
    let [[server]] = &handed.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else {
        panic!("{handed:?}");
    };
    let (name, password) = (server.username.clone(), server.credential.clone());
    let who = (name.unwrap(), password.unwrap());
    let (_user, relayed) = User::allocated(By::Udp, served.turn, &who).await;
    assert!(relayed.ip().is_loopback());
    served.end().await;
}
