//! A machine that goes from one network to another.

use std::net::IpAddr;

use hustings_room::transport::TransportEvent;
use hustings_room::{DownReason, LinkId};
use hustings_transport_peerjs::Listen;

use crate::rooms;
use crate::side::{Side, Signalling, loopback};

/// An address of this machine alone, in place of one that comes and goes.
fn at(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

fn listening_at(last: u8) -> Listen {
    Listen {
        addresses: vec![at(last)],
        ..Listen::default()
    }
}

/// Everything that was said of a side's move.
async fn moved(side: &mut Side) -> Vec<LinkId> {
    let mut down = Vec::new();
    loop {
        match side.event().await {
            TransportEvent::LinkDown { link, reason } => {
                assert!(matches!(reason, DownReason::Lost(_)), "{reason:?}");
                down.push(link);
            }
            // It is the last thing that is said.
            TransportEvent::Wake => return down,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_by_an_address_that_is_gone_end_at_once_and_are_dialled_anew() {
    let signalling = Signalling::start().await;
    let config = signalling.config();
    let mut owner = Side::open(&config, &loopback()).await;
    let mut other = Side::open(&config, &listening_at(2)).await;
    let (out, inn) = other.link(1, &mut owner).await;
    other.transport.status().set_addresses(&[at(3)]);
    assert_eq!(moved(&mut other).await, [out]);
    assert_eq!(owner.down().await.0, inn);
    // And that is not the end of it.
    other.link(2, &mut owner).await;
    owner.transport.status().set_addresses(&[at(4)]);
    assert_eq!(moved(&mut owner).await.len(), 1);
    assert_eq!(other.down().await.0, LinkId::dialled(2));
    other.link(3, &mut owner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_by_an_address_that_stays_go_on() {
    let signalling = Signalling::start().await;
    let config = signalling.config();
    let mut owner = Side::open(&config, &listening_at(2)).await;
    let mut other = Side::open(&config, &loopback()).await;
    let (out, inn) = other.link(1, &mut owner).await;
    let status = owner.transport.status();
    for addresses in [&[at(2), at(3)][..], &[at(4), at(2)]] {
        status.set_addresses(addresses);
        assert_eq!(moved(&mut owner).await, []);
    }
    owner.send(inn, "still here");
    assert_eq!(other.frame().await, (out, "still here".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_moves_votes_on() {
    let signalling = Signalling::start().await;
    let (listen, config) = (listening_at(2), signalling.config());
    rooms::votes_are_counted_after(&config, &listen, |status| status.set_addresses(&[at(3)])).await;
}
