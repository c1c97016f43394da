//! The addresses at which STUN servers see a side.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::SinkExt;
use hustings_protocol::Address;
use hustings_room::transport::Transport;
use hustings_transport_peerjs::{Config, IceServer};
use serde_json::json;
use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageClass, MessageWriteVec};
use stun_types::prelude::{MessageWrite, MessageWriteExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::sleep;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message as WsMessage;

use crate::side::{Side, Signalling, loopback, owner, soon};

/// The address that the servers say everybody has: one for examples.
const OUTSIDE: &str = "203.0.113.7";

/// The one that somebody else says.
const WRONG: &str = "198.51.100.9";

/// Starts a STUN server that does not hear the first `deaf` requests of each client, and before it
/// answers lets somebody else do that.
async fn stun(deaf: usize) -> IceServer {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("stun:{}", server.local_addr().unwrap());
    tokio::spawn(async move {
        let mut heard: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        let mut datagram = [0; 1_500];
        while let Ok((length, from)) = server.recv_from(&mut datagram).await {
            let request = Message::from_bytes(&datagram[..length]).unwrap();
            let count = heard.entry(from).or_default();
            *count += 1;
            if *count <= deaf {
                continue;
            }
            let answer = |ip: &str| {
                let ip: IpAddr = ip.parse().unwrap();
                let mut answer = Message::builder_success(&request, MessageWriteVec::new());
                let seen = SocketAddr::new(ip, from.port());
                let mapped = XorMappedAddress::new(seen, request.transaction_id());
                answer.add_attribute(&mapped).unwrap();
                answer.finish()
            };
            other.send_to(&answer(WRONG), from).await.unwrap();
            server.send_to(&answer(OUTSIDE), from).await.unwrap();
        }
    });
    IceServer::new(url)
}

/// A way to the broker on which one reads what that says.
struct Tap {
    config: Config,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    async fn start(signalling: &Signalling) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let mut config = signalling.config();
        config.port = listener.local_addr().unwrap().port();
        let (broker, heard) = (signalling.address, Arc::clone(&said));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(broker).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
                let heard = Arc::clone(&heard);
                tokio::spawn(async move {
                    let mut part = [0; 4_096];
                    while let Ok(length @ 1..) = from_server.read(&mut part).await {
                        heard.lock().unwrap().extend(&part[..length]);
                        if to_client.write_all(&part[..length]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { config, said }
    }

    fn with(&self, server: IceServer) -> Config {
        Config {
            ice_servers: vec![server],
            ..self.config.clone()
        }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_tell_how_they_are_seen() {
    let signalling = Signalling::start().await;
    let server = stun(0).await;
    let (at_owner, at_participant) = (Tap::start(&signalling).await, Tap::start(&signalling).await);
    let mut owner = Side::open(&at_owner.with(server.clone()), &loopback()).await;
    let mut participant = Side::open(&at_participant.with(server), &loopback()).await;
    // Whoever is connected already is not told any more, so that a fast link proves nothing.
    let seen = format!(" {OUTSIDE} ");
    for number in 1.. {
        let (out, _) = participant.link(number, &mut owner).await;
        if [&at_owner, &at_participant]
            .iter()
            .all(|tap| tap.said().contains(&seen))
        {
            break;
        }
        assert!(number < 100, "it is never told: {}", at_owner.said());
        participant.transport.hangup(out);
        owner.down().await;
        sleep(Duration::from_millis(200)).await;
    }
    for tap in [at_owner, at_participant] {
        assert!(!tap.said().contains(WRONG), "{}", tap.said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_keeps_nobody_waiting() {
    let signalling = Signalling::start().await;
    let server = stun(usize::MAX).await;
    let unknown = IceServer::new("stun:unknown.invalid");
    let config = Config {
        ice_servers: vec![server, unknown],
        ..signalling.config()
    };
    let mut owner = Side::open(&config, &loopback()).await;
    let mut participant = Side::open(&config, &loopback()).await;
    for number in 1..=3 {
        participant.link(number, &mut owner).await;
    }
}

/// An offer by which its sender is to be reached at one address.
fn offer(from: &str, to: &Address, at: SocketAddr) -> String {
    let fingerprint = ["AB"; 32].join(":");
    let sdp = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
         a=candidate:1 1 udp 2130706175 {} {} typ host\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:0123456789abcdef012345\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na=mid:0\r\n\
         a=sctp-port:5000\r\na=max-message-size:262144\r\n",
        at.ip(),
        at.port(),
    );
    let payload = json!({
        "sdp": { "type": "offer", "sdp": sdp },
        "type": "data",
        "connectionId": "dc_1",
        "label": "dc_1",
        "reliable": true,
        "serialization": "raw",
    });
    json!({ "type": "OFFER", "src": from, "dst": to.to_string(), "payload": payload }).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_dialled_tries_the_ways_to_the_other_side_by_itself() {
    let signalling = Signalling::start().await;
    let side = Side::open(&signalling.config(), &loopback()).await;
    let own = owner().to_string();
    let url = format!(
        "ws://{}/peerjs?key=peerjs&id={own}&token=t",
        signalling.address
    );
    let (mut socket, _) = connect_async(url).await.unwrap();
    // Behind a NAT nothing comes to it from whom it has not sent to: it waits.
    let waiting = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let offer = offer(&own, &side.address, waiting.local_addr().unwrap());
    socket.send(WsMessage::text(offer)).await.unwrap();
    let mut datagram = [0; 1_500];
    let came = soon("a request", waiting.recv(&mut datagram)).await;
    let request = Message::from_bytes(&datagram[..came.unwrap()]).unwrap();
    assert!(request.has_class(MessageClass::Request) && request.has_method(BINDING));
}
