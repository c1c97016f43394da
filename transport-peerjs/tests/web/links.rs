//! Links that come up and carry frames.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use hustings_room::LinkId;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page;
use crate::side::{Pair, SOON, Side, owner, participant, registered, within};

#[wasm_bindgen_test]
async fn frames_arrive_whole_and_in_order_both_ways() {
    let mut pair = Pair::linked().await;
    for n in 0..300_usize {
        // Some fit into one message of the channel, some do not.
        let frame = n.to_string().repeat(n * n % 5_000 + 1);
        pair.dialler.send(pair.out, frame.clone());
        pair.acceptor.send(pair.inn, frame);
    }
    for n in 0..300_usize {
        let frame = n.to_string().repeat(n * n % 5_000 + 1);
        assert_eq!(pair.acceptor.frame().await, frame);
        assert_eq!(pair.dialler.frame().await, frame);
    }
}

#[wasm_bindgen_test]
async fn a_snapshot_of_a_mebibyte_arrives_whole() {
    let mut pair = Pair::linked().await;
    let snapshot: Bytes = (0..1 << 20).map(|n: u32| b'a' + (n % 26) as u8).collect();
    pair.acceptor.send(pair.inn, snapshot.clone());
    assert_eq!(pair.dialler.frame().await, snapshot);
}

#[wasm_bindgen_test]
async fn a_dial_before_the_registration_waits_for_it() {
    let (mut dialler, mut acceptor) = (Side::open(participant()), Side::open(owner()));
    registered(&acceptor).await;
    dialler
        .transport
        .dial(LinkId::dialled(1), &acceptor.address);
    dialler.up().await;
    acceptor.up().await;
}

#[wasm_bindgen_test]
async fn a_slow_link_refuses_and_then_has_room_again() {
    let mut pair = Pair::linked().await;
    let frame = Bytes::from(vec![b'x'; 256 * 1024]);
    let mut taken = 0;
    while pair.acceptor.transport.send(pair.inn, frame.clone()) == SendOutcome::Queued {
        taken += 1;
        assert!(taken < 100, "what waits is not bounded");
    }
    assert!(taken >= 16, "{taken} frames are less than the bound");
    // Refused is refused, in a broadcast, too.
    let mut full = Vec::new();
    let to = [pair.inn];
    pair.acceptor
        .transport
        .broadcast(&to, None, &frame, &mut full);
    assert_eq!(full, to);
    for _ in 0..taken {
        assert_eq!(pair.dialler.frame().await, frame);
    }
    let drained = TransportEvent::Writable { link: pair.inn };
    assert_eq!(pair.acceptor.event().await, drained);
    pair.talks().await;
    pair.acceptor.stays_quiet(Duration::from_millis(100)).await;
}

#[wasm_bindgen_test]
async fn many_links_of_one_owner() {
    let mut acceptor = Side::open(owner());
    registered(&acceptor).await;
    let mut diallers: Vec<Side> = (0..8).map(|_| Side::open(participant())).collect();
    let mut links = Vec::new();
    for dialler in &mut diallers {
        dialler
            .transport
            .dial(LinkId::dialled(1), &acceptor.address);
    }
    for dialler in &mut diallers {
        dialler.up().await;
        links.push(acceptor.up().await.0);
    }
    let mut full = Vec::new();
    let frame = Bytes::from_static(b"for all but one");
    acceptor
        .transport
        .broadcast(&links, Some(links[0]), &frame, &mut full);
    assert_eq!(full, []);
    // Who has which link is not known here: one of them has heard nothing.
    let mut heard = 0;
    for link in &links {
        acceptor.send(*link, "end");
    }
    for dialler in &mut diallers {
        if dialler.frame().await == frame {
            heard += 1;
            assert_eq!(dialler.frame().await, "end");
        }
    }
    assert_eq!(heard, 7);
}

#[wasm_bindgen_test]
async fn links_outlive_the_signalling_server() {
    let mut pair = Pair::linked().await;
    page::cut_sockets().await;
    for _ in 0..20 {
        pair.talks().await;
    }
    // And both come back to it.
    registered(&pair.dialler).await;
    registered(&pair.acceptor).await;
    pair.talks().await;
    let again = LinkId::dialled(2);
    pair.dialler.transport.dial(again, &pair.acceptor.address);
    assert_eq!(pair.dialler.up().await.0, again);
    pair.acceptor.up().await;
}

#[wasm_bindgen_test]
async fn events_wake_the_task() {
    let mut pair = Pair::linked().await;
    let mut acceptor = pair.acceptor;
    let waiting = poll_fn(|cx| acceptor.transport.poll_event(cx));
    let sending = async {
        crate::side::sleep(Duration::from_millis(50)).await;
        pair.dialler.send(pair.out, "good morning");
    };
    let (event, ()) = within(SOON, "waking", futures::future::join(waiting, sending)).await;
    assert!(matches!(event, TransportEvent::Frame { .. }), "{event:?}");
}
