//! A flood of the broker from one address slows nobody down but that address.
//!
//! The flood comes from 127.0.0.2 and honest peers from 127.0.0.1, which Linux takes for granted.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

mod flooding;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use flooding::{Client, FLOOD, HONEST};
use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerLimits};

async fn serve(limits: BrokerLimits) -> SocketAddr {
    serve_behind(&[], limits).await
}

async fn serve_behind(proxies: &[Ipv4Addr], limits: BrokerLimits) -> SocketAddr {
    let config = BrokerConfig {
        // Nothing expires but what is refused.
        expire_after: Duration::from_secs(600),
        limits,
        trusted_proxies: proxies.iter().copied().map(Into::into).collect(),
        ..BrokerConfig::default()
    };
    let broker = Broker::bind((HONEST, 0), config).await.unwrap();
    let address = broker.local_addr();
    tokio::spawn(broker.serve(std::future::pending()));
    address
}

#[tokio::test]
async fn a_full_queue_still_has_room_for_an_honest_offer() {
    // More than all that may wait together.
    const SOCKETS: usize = 160;
    const EACH: usize = 130;
    let limits = BrokerLimits::default();
    assert!(SOCKETS * limits.max_queued_each > limits.max_queued);
    let at = serve(limits).await;
    for number in 0..SOCKETS {
        let mut flood = Client::join(at, FLOOD, &format!("f{number}")).await;
        for _ in 0..EACH {
            flood.offer("nobody", "x").await;
        }
        // It has sent more than waits for it.
        assert_eq!(
            flood.text().await,
            format!(r#"{{"type":"EXPIRE","src":"nobody","dst":"f{number}"}}"#)
        );
        flood.read_on();
    }
    let mut honest = Client::join(at, HONEST, "honest").await;
    honest.offer("late", "sdp").await;
    // An offer to itself comes after whatever it is told about the other.
    honest.offer("honest", "mark").await;
    assert!(honest.text().await.contains("mark"), "it does not expire");
    let mut late = Client::join(at, HONEST, "late").await;
    late.offered_by("honest").await;
    late.offer("honest", "sdp").await;
    honest.offered_by("late").await;
}

#[tokio::test]
async fn a_flooded_reader_stays_and_is_reached_by_others() {
    const SOCKETS: usize = 8;
    const EACH: usize = 150;
    let at = serve(BrokerLimits::default()).await;
    let mut owner = Client::join(at, HONEST, "owner").await;
    let payload = "x".repeat(15_000);
    // More than the buffers of two sockets hold, and all that may wait for one reader.
    for number in 0..SOCKETS {
        let mut flood = Client::join(at, FLOOD, &format!("f{number}")).await;
        for _ in 0..EACH {
            flood.offer("owner", &payload).await;
        }
        if number == SOCKETS - 1 {
            assert!(flood.text().await.contains(r#""type":"EXPIRE""#));
        }
        flood.read_on();
    }
    let mut honest = Client::join(at, HONEST, "honest").await;
    honest.offer("owner", "sdp").await;
    owner.offered_by("honest").await;
    owner.offer("honest", "sdp").await;
    honest.offered_by("owner").await;
}

#[tokio::test]
async fn clients_behind_a_proxy_are_told_apart_by_its_word_and_by_no_other() {
    // Half of it for one, and a quarter for one beside.
    let limits = BrokerLimits {
        max_queued: 8,
        ..BrokerLimits::default()
    };
    let expire = r#"{"type":"EXPIRE","src":"nobody","dst":"#;
    for (from, others, is_apart) in [
        // The proxy says another address at the end.
        (HONEST, "10.0.0.2", true),
        (HONEST, "10.0.0.1, 10.0.0.2", true),
        (HONEST, "10.0.0.2, 127.0.0.1", true),
        // The client itself says another one, before its own.
        (HONEST, "10.0.0.2, 10.0.0.1", false),
        // Nobody's proxy.
        (FLOOD, "10.0.0.2", false),
    ] {
        let at = serve_behind(&[HONEST], limits).await;
        let mut flood = Client::join_by(at, from, "flood", Some("10.0.0.1")).await;
        for _ in 0..5 {
            flood.offer("nobody", "x").await;
        }
        assert!(flood.text().await.starts_with(expire));
        let mut other = Client::join_by(at, from, "other", Some(others)).await;
        other.offer("nobody", "x").await;
        other.offer("other", "mark").await;
        let heard = other.text().await;
        assert_eq!(heard.contains("mark"), is_apart, "{from} {others}: {heard}");
    }
}
