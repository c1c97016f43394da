//! The beginning and the end of a transport.

use std::net::UdpSocket;

use hustings_room::clock::SystemClock;
use hustings_room::transport::Transport;
use hustings_transport_peerjs::{Config, ConfigError, Listen, OpenError, PeerJs, Token};

use crate::side::{Side, Signalling, loopback, owner, random, soon};

fn open(listen: &Listen, config: &Config) -> Result<PeerJs, OpenError> {
    let token = Token::from_random(random());
    PeerJs::open_at(listen, config, &owner(), &token, SystemClock::new())
}

#[test]
fn there_has_to_be_a_runtime() {
    let opened = open(&loopback(), &Config::default());
    assert!(matches!(opened, Err(OpenError::NoRuntime)), "{opened:?}");
}

#[tokio::test]
async fn what_cannot_work_is_an_error_at_once() {
    let config = Config {
        host: "https://example.org".into(),
        ..Config::default()
    };
    let opened = open(&loopback(), &config);
    let is_host = matches!(opened, Err(OpenError::Config(ConfigError::Host(_))));
    assert!(is_host, "{opened:?}");

    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let listen = Listen {
        port: taken.local_addr().unwrap().port(),
        ..loopback()
    };
    let opened = open(&listen, &Config::default());
    match opened {
        Err(OpenError::Port { port, .. }) => assert_eq!(port, listen.port),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_arrives_before_a_dropped_transport_is_gone() {
    let signalling = Signalling::start().await;
    let config = signalling.config();
    let mut owner = Side::open(&config, &loopback()).await;
    let mut participant = Side::open(&config, &loopback()).await;
    let (out, inn) = participant.link(1, &mut owner).await;
    for number in 0..100_u8 {
        participant.send(out, vec![number; 10_000]);
    }
    let status = participant.transport.status();
    let gone = status.gone();
    drop(participant);
    for number in 0..100_u8 {
        let (link, frame) = owner.frame().await;
        assert_eq!((link, frame.len(), frame[0]), (inn, 10_000, number));
    }
    assert_eq!(owner.down().await.0, inn);
    soon("being gone", gone).await;
    assert_eq!(status.registration(), None);
    soon("being gone again", status.gone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redial_at_once_has_a_link_of_its_own() {
    let signalling = Signalling::start().await;
    let config = signalling.config();
    let mut owner = Side::open(&config, &loopback()).await;
    let mut participant = Side::open(&config, &loopback()).await;
    let mut last = None;
    for number in 1..=5 {
        let (out, inn) = participant.link(number, &mut owner).await;
        participant.send(out, vec![1; 60_000]);
        assert_eq!(owner.frame().await.1.len(), 60_000);
        if let Some((before_out, before_inn)) = last.replace((out, inn)) {
            participant.transport.hangup(before_out);
            assert_eq!(owner.down().await.0, before_inn);
        }
    }
    assert_eq!(owner.transport.status().connections(), 1);
}
