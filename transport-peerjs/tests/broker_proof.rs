//! At the broker an id belongs to the one who has the key that it is.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(dead_code, reason = "other tests use more of what they share")]

mod client;
mod harness;

use std::net::SocketAddr;

use client::{Client, Run};
use ed25519_dalek::{Signer, SigningKey};
use hustings_protocol::handshake::Signature;
use hustings_protocol::{Address, PeerId};
use hustings_transport_peerjs::Token;
use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerError};
use hustings_transport_peerjs::wire::RegistrationState;

const TOKEN: &str = "t";
const OPEN: &str = r#"{"type":"OPEN"}"#;

/// A server that runs as long as its test.
async fn serve(hosts: &[&str]) -> SocketAddr {
    let config = BrokerConfig {
        path: "/p".into(),
        public_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..BrokerConfig::default()
    };
    let broker = Broker::bind("127.0.0.1:0", config).await.unwrap();
    let address = broker.local_addr();
    tokio::spawn(broker.serve(std::future::pending()));
    address
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn id() -> Address {
    Address::Owner(PeerId::of(&key()))
}

fn proving() -> Token {
    Token::new(TOKEN).unwrap().with_key(&key())
}

/// The last endpoint registers.
async fn registers(run: &mut Run) {
    run.until("it is registered", |bench| {
        bench.sides.last().unwrap().endpoint.is_registered()
    })
    .await;
}

/// Somebody who knows the token and has not the key.
async fn with_the_token(address: SocketAddr) -> String {
    let path = format!("/p/peerjs?key=peerjs&id={}&token={TOKEN}", id());
    Client::connect(address, &path).await.text().await
}

/// Somebody who signs all that is to be signed, but for `host` and with this key. `of` makes
/// another nonce of the server's.
async fn signed(
    address: SocketAddr,
    host: &str,
    key: &SigningKey,
    of: impl Fn(String) -> String,
) -> String {
    let path = format!(
        "/p/peerjs?key=peerjs&id={}&token={TOKEN}&proof=ed25519",
        id()
    );
    let mut client = Client::connect(address, &path).await;
    let question: serde_json::Value = serde_json::from_str(&client.text().await).unwrap();
    assert_eq!(question["type"], "HUSTINGS-NONCE");
    let nonce = of(question["payload"]["nonce"].as_str().unwrap().to_owned());
    let mut bytes = Vec::new();
    for field in [
        "hustings/2/registration",
        &id().to_string(),
        TOKEN,
        &nonce,
        host,
    ] {
        bytes.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    let signature = Signature::from_bytes(key.sign(&bytes).to_bytes());
    client.send(r#"{"type":"HEARTBEAT"}"#).await;
    client
        .send(&format!(
            r#"{{"type":"HUSTINGS-PROOF","payload":{{"host":"{host}","signature":"{signature}"}}}}"#
        ))
        .await;
    client.text().await
}

/// The owner was there once, and is away.
async fn owner_was_there(address: SocketAddr) {
    let host = address.to_string();
    assert_eq!(signed(address, &host, &key(), |nonce| nonce).await, OPEN);
}

#[tokio::test]
async fn an_owner_takes_its_id_from_a_stranger_who_was_first() {
    let address = serve(&[]).await;
    let path = format!("/p/peerjs?key=peerjs&id={}&token=stranger", id());
    let mut stranger = Client::connect(address, &path).await;
    assert_eq!(stranger.text().await, OPEN);
    let mut run = Run::new(address);
    run.join_with(&id(), &proving());
    registers(&mut run).await;
    assert_eq!(stranger.goodbye().await, Some((4001, "replaced".into())));
    assert!(with_the_token(address).await.contains("ID-TAKEN"));
    // It is reached at its id.
    run.join(&harness::participant(2), "participant");
    registers(&mut run).await;
    let now = run.now();
    run.bench.sides[1].dial(&id(), now);
    run.until("both links are up", |bench| {
        bench.sides.iter().all(|side| side.promises.links_up() == 1)
    })
    .await;
}

#[tokio::test]
async fn an_id_waits_for_its_key_even_from_another_machine() {
    let address = serve(&[]).await;
    owner_was_there(address).await;
    assert!(with_the_token(address).await.contains("ID-TAKEN"));
    let mut run = Run::new(address);
    let elsewhere = Token::new("elsewhere").unwrap().with_key(&key());
    run.join_with(&id(), &elsewhere);
    registers(&mut run).await;
}

#[tokio::test]
async fn whoever_only_asks_if_an_id_is_free_leaves_nothing() {
    let address = serve(&[]).await;
    let path = format!("/p/peerjs?key=peerjs&id={}&token=nobodys&probe=1", id());
    let mut asks = Client::connect(address, &path).await;
    assert_eq!(asks.text().await, OPEN);
    // It has got nothing, not even for as long as it is there.
    assert_eq!(with_the_token(address).await, OPEN);
    asks.closed().await;
    owner_was_there(address).await;
    let mut asks = Client::connect(address, &path).await;
    assert!(asks.text().await.contains(r#""kept":true"#));
    let mut run = Run::new(address);
    run.join_with(&id(), &proving());
    registers(&mut run).await;
    let mut asks = Client::connect(address, &path).await;
    let taken = asks.text().await;
    assert!(
        taken.contains("ID-TAKEN") && !taken.contains("kept"),
        "{taken}"
    );
}

#[tokio::test]
async fn a_signature_counts_for_its_key_its_nonce_and_its_host_alone() {
    let address = serve(&[]).await;
    owner_was_there(address).await;
    let host = address.to_string();
    let other = SigningKey::from_bytes(&[8; 32]);
    let same = |nonce| nonce;
    let of_another = |_| "a".repeat(52);
    for answer in [
        signed(address, &host, &other, same).await,
        signed(address, &host, &key(), of_another).await,
        // What another server was given, and passes on.
        signed(address, "evil.example", &key(), same).await,
    ] {
        assert!(answer.contains("ID-TAKEN"), "{answer}");
    }
    assert_eq!(signed(address, &host, &key(), same).await, OPEN);
}

#[tokio::test]
async fn who_proves_nothing_is_served_like_all_others() {
    let address = serve(&[]).await;
    let other = SigningKey::from_bytes(&[8; 32]);
    let answer = signed(address, &address.to_string(), &other, |nonce| nonce).await;
    assert_eq!(answer, OPEN);
}

#[tokio::test]
async fn who_goes_without_an_answer_leaves_nothing() {
    let address = serve(&[]).await;
    let path = format!("/p/peerjs?key=peerjs&id={}&token=gone&proof=ed25519", id());
    let mut gone = Client::connect(address, &path).await;
    assert!(gone.text().await.contains("HUSTINGS-NONCE"));
    gone.close().await;
    assert_eq!(with_the_token(address).await, OPEN);
}

#[tokio::test]
async fn a_server_that_knows_its_names_goes_by_these() {
    let address = serve(&["polls.example"]).await;
    let same = |nonce| nonce;
    // By another name it is registered, and has proved nothing.
    assert_eq!(
        signed(address, &address.to_string(), &key(), same).await,
        OPEN
    );
    assert_eq!(signed(address, "polls.example", &key(), same).await, OPEN);
    let answer = signed(address, &address.to_string(), &key(), same).await;
    assert!(answer.contains("ID-TAKEN"), "{answer}");
    // The endpoint says the name that it was given, whatever a proxy makes of it.
    let mut run = Run::new(address);
    run.config.host = "polls.example".into();
    run.config.port = 80;
    run.join_with(&id(), &proving());
    registers(&mut run).await;
    let states = &run.bench.sides[0].states;
    let taken = |state: &RegistrationState| matches!(state, RegistrationState::AddressTaken { .. });
    assert!(!states.iter().any(taken), "{states:?}");
}

#[tokio::test]
async fn names_of_the_server_are_checked() {
    for (host, is_one) in [
        ("polls.example", true),
        ("polls.example:8443", true),
        ("[::1]:9000", true),
        ("https://polls.example", false),
        ("polls.example/app", false),
        ("polls.example:port", false),
        ("", false),
    ] {
        let config = BrokerConfig {
            public_hosts: vec![host.into()],
            ..BrokerConfig::default()
        };
        let bound = Broker::bind("127.0.0.1:0", config).await;
        assert_eq!(bound.is_ok(), is_one, "{host}");
        if let Err(error) = bound {
            assert!(matches!(error, BrokerError::Config(_)), "{error}");
        }
    }
}
