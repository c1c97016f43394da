//! Datagrams of people who have no link.

use std::net::{SocketAddr, UdpSocket};

use crate::side::{Side, Signalling, loopback};

/// Datagrams of every kind that shares the port: STUN, DTLS, media, what is none, and nothing.
fn junk() -> Vec<Vec<u8>> {
    let stun = |kind: u16, rest: &[u8]| {
        let mut message = kind.to_be_bytes().to_vec();
        message.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        message.extend([0x21, 0x12, 0xA4, 0x42]);
        message.extend([7; 12]);
        message.extend(rest);
        message
    };
    let mut all = vec![
        vec![],
        vec![0],
        vec![255; 1_500],
        stun(1, &[]),
        stun(0x101, &[]),
        stun(0x111, &[0, 9, 0, 4, 0, 0, 4, 0]),
        stun(1, &[0, 6, 0, 9, b'a', b':', b'b', 0]),
        stun(1, &[0, 6, 255, 255]),
    ];
    // The types of DTLS: a cipher change, an alert, a handshake, data; and RTP.
    for kind in [20, 21, 22, 23, 128] {
        for len in [1, 13, 60, 1_400] {
            let mut record = vec![kind, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4];
            record.resize(len, 1);
            all.push(record);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_at_the_port_disturbs_nobody() {
    let signalling = Signalling::start().await;
    let config = signalling.config();
    let (mut owner, port) = Side::open_at_a_port(&config).await;
    let mut participant = Side::open(&config, &loopback()).await;
    let (out, inn) = participant.link(1, &mut owner).await;

    let to: SocketAddr = ([127, 0, 0, 1], port).into();
    let senders: Vec<_> = (0..3)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    for round in 0..20_u8 {
        for sender in &senders {
            for datagram in junk() {
                sender.send_to(&datagram, to).unwrap();
            }
        }
        participant.send(out, vec![round; 1_000]);
        let (link, frame) = owner.frame().await;
        assert_eq!((link, frame[0]), (inn, round));
        owner.send(inn, vec![round; 1_000]);
        assert_eq!(participant.frame().await.1[0], round);
    }
    // And somebody new still finds the way.
    let mut other = Side::open(&config, &loopback()).await;
    other.link(1, &mut owner).await;
}
