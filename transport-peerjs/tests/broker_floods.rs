//! Whoever floods the broker from an address slows nobody down but themselves.
//!
//! The flood comes from 127.0.0.2 and honest peers from 127.0.0.1, which Linux takes for granted.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use hustings_transport_peerjs::broker::{Broker, BrokerConfig, BrokerLimits};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

const PATIENCE: Duration = Duration::from_secs(60);
const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const FLOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Joins from an address, and sees that it is registered.
    async fn join(at: SocketAddr, from: Ipv4Addr, id: &str) -> Self {
        Self::join_by(at, from, id, None).await
    }

    /// The same, with the addresses that a proxy says.
    async fn join_by(at: SocketAddr, from: Ipv4Addr, id: &str, forwarded: Option<&str>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let stream = socket.connect(at).await.unwrap();
        let url = format!("ws://{at}/peerjs?key=peerjs&id={id}&token=t");
        let mut request = url.into_client_request().unwrap();
        if let Some(forwarded) = forwarded {
            let value = forwarded.parse().unwrap();
            request.headers_mut().insert("x-forwarded-for", value);
        }
        let (socket, _) = client_async(request, stream).await.unwrap();
        let mut client = Self(socket);
        assert_eq!(client.text().await, r#"{"type":"OPEN"}"#);
        client
    }

    async fn text(&mut self) -> String {
        let next = timeout(PATIENCE, self.0.next()).await;
        match next.expect("a message in time") {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("no text but {other:?}"),
        }
    }

    async fn offer(&mut self, dst: &str, payload: &str) {
        let text = format!(r#"{{"type":"OFFER","dst":"{dst}","payload":"{payload}"}}"#);
        let sent = timeout(PATIENCE, self.0.send(Message::text(text))).await;
        sent.expect("it is read in time").unwrap();
    }

    /// Reads until an offer of somebody's.
    async fn offered_by(&mut self, src: &str) {
        let start = format!(r#"{{"type":"OFFER","src":"{src}","#);
        while !self.text().await.starts_with(&start) {}
    }

    /// Reads on, so that a server which tells it something is not held up.
    fn read_on(mut self) {
        tokio::spawn(async move { while let Some(Ok(_)) = self.0.next().await {} });
    }
}

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
