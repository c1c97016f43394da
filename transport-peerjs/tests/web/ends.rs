//! Links that have ended or did not come up, and the traces that they leave. The ends that every
//! transport has are in `contract`.

use std::time::Duration;

use hustings_protocol::ErrorCode;
use hustings_room::transport::{Transport, TransportEvent};
use hustings_room::{DownReason, LinkId};
use hustings_transport_peerjs::wire::{RegistrationState, socket_url};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page;
use crate::side::{Pair, SOON, Side, config, owner, participant, registered, sleep, token, within};

#[wasm_bindgen_test]
async fn a_hang_up_leaves_nothing_at_either_side() {
    let mut pair = Pair::linked().await;
    pair.dialler.transport.hangup(pair.out);
    assert_eq!(pair.acceptor.down().await, DownReason::ClosedByPeer);
    assert_eq!(pair.dialler.transport.status().connections(), 0);
    assert_eq!(pair.acceptor.transport.status().connections(), 0);
}

#[wasm_bindgen_test]
async fn a_dropped_transport_sends_what_waits_and_frees_its_id() {
    let pair = Pair::linked().await;
    let Pair {
        mut dialler,
        mut acceptor,
        out,
        ..
    } = pair;
    for _ in 0..100 {
        dialler.send(out, "x".repeat(10_000));
    }
    let (address, status) = (dialler.address, dialler.transport.status());
    drop(dialler.transport);
    // A dial finds nobody: the server really has forgotten it.
    let mut other = Side::open(participant());
    registered(&other).await;
    other.transport.dial(LinkId::dialled(1), &address);
    assert_eq!(other.down().await, DownReason::Unreachable);
    for _ in 0..100 {
        assert_eq!(acceptor.frame().await.len(), 10_000);
    }
    assert_eq!(acceptor.down().await, DownReason::ClosedByPeer);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(status.registration(), None, "nothing is left of it");
}

#[wasm_bindgen_test]
async fn a_dial_to_nobody_is_unreachable() {
    page::spy_alone().await;
    let mut dialler = Side::open(participant());
    registered(&dialler).await;
    dialler.transport.dial(LinkId::dialled(1), &owner());
    let reason = dialler.down().await;
    assert_eq!(reason, DownReason::Unreachable);
    assert_eq!(page::live_rtcs().await, 0);
}

#[wasm_bindgen_test]
async fn a_dial_to_an_owner_without_room_is_refused() {
    let mut config = config();
    config.limits.max_connections = 1;
    let mut acceptor = Side::open_with(owner(), &config, &token());
    registered(&acceptor).await;
    let (mut first, mut second) = (Side::open(participant()), Side::open(participant()));
    first.transport.dial(LinkId::dialled(1), &acceptor.address);
    first.up().await;
    acceptor.up().await;
    second.transport.dial(LinkId::dialled(1), &acceptor.address);
    let reason = second.down().await;
    assert_eq!(reason, DownReason::Refused(ErrorCode::Busy));
    assert_eq!(second.transport.status().connections(), 0);
}

#[wasm_bindgen_test]
async fn dials_that_were_given_up_leave_nothing() {
    page::spy_alone().await;
    let mut dialler = Side::open(participant());
    registered(&dialler).await;
    // More than what half an hour of waiting for an absent owner comes to.
    for n in 0..100 {
        dialler.transport.dial(LinkId::dialled(n), &owner());
        assert!(page::live_rtcs().await <= 1);
        sleep(Duration::from_millis(n % 10)).await;
        dialler.transport.hangup(LinkId::dialled(n));
        assert_eq!(page::live_rtcs().await, 0);
    }
    assert_eq!(dialler.transport.status().connections(), 0);
    dialler.stays_quiet(Duration::from_millis(100)).await;
}

#[wasm_bindgen_test]
async fn any_number_of_dials_that_were_given_up_leave_room_for_a_link() {
    let (mut dialler, mut acceptor) = (Side::open(participant()), Side::open(owner()));
    registered(&dialler).await;
    registered(&acceptor).await;
    // Chromium lets a page have 500, of which those count that are closed and not collected.
    for n in 0..700 {
        let link = LinkId::dialled(n);
        dialler.transport.dial(link, &acceptor.address);
        dialler.transport.hangup(link);
        // As fast as strangers may have them made.
        sleep(Duration::from_millis(16)).await;
    }
    let link = LinkId::dialled(2_000);
    dialler.transport.dial(link, &acceptor.address);
    assert_eq!(dialler.up().await.0, link);
    acceptor.up().await;
}

#[wasm_bindgen_test]
async fn a_connection_that_closes_without_a_word_is_noticed() {
    let mut pair = Pair::linked().await;
    page::cut_accepted().await;
    for side in [&mut pair.dialler, &mut pair.acceptor] {
        let reason = side.down().await;
        let noticed = matches!(reason, DownReason::ClosedByPeer | DownReason::Lost(_));
        assert!(noticed, "{reason}");
        assert_eq!(side.transport.status().connections(), 0);
    }
}

#[wasm_bindgen_test]
async fn whoever_sends_faster_than_is_read_is_cut_off() {
    let mut config = config();
    config.limits.max_queued_bytes = 100_000;
    let mut acceptor = Side::open_with(owner(), &config, &token());
    let mut dialler = Side::open(participant());
    registered(&acceptor).await;
    let link = LinkId::dialled(1);
    dialler.transport.dial(link, &acceptor.address);
    dialler.up().await;
    for _ in 0..100 {
        dialler.send(link, "x".repeat(10_000));
    }
    // Nobody reads meanwhile.
    let reason = dialler.down().await;
    assert_eq!(reason, DownReason::ClosedByPeer);
    acceptor.up().await;
    let mut frames = 0;
    let reason = loop {
        match acceptor.event().await {
            TransportEvent::Frame { .. } => frames += 1,
            TransportEvent::LinkDown { reason, .. } => break reason,
            event @ (TransportEvent::LinkUp { .. }
            | TransportEvent::Writable { .. }
            | TransportEvent::Wake
            | TransportEvent::Failed(_)) => panic!("{event:?}"),
        }
    };
    assert!(matches!(reason, DownReason::Lost(_)), "{reason}");
    assert_eq!(frames, 11, "as many as there was room for, and one");
}

#[wasm_bindgen_test]
async fn an_address_that_is_taken_is_waited_for() {
    let address = owner();
    let url = socket_url(&config(), &address, &token()).unwrap();
    let stranger = "window.stranger = new WebSocket(arg)
        await new Promise(resolve => (stranger.onmessage = resolve))";
    page::js(&url, stranger).await;
    let side = Side::open(address);
    let status = side.transport.status();
    let taken = || {
        matches!(
            status.registration(),
            Some(RegistrationState::AddressTaken { .. })
        )
    };
    within(SOON, "being refused", async {
        while !taken() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    // Who has just gone could come back for two minutes. This one says that it will not.
    page::js("", r#"stranger.send('{"type":"LEAVE"}')"#).await;
    registered(&side).await;
}

#[wasm_bindgen_test]
async fn the_same_token_takes_the_address_over() {
    let (address, token) = (owner(), token());
    let first = Side::open_with(address, &config(), &token);
    registered(&first).await;
    // As after a reload that the server has not noticed. It says nothing then.
    let second = Side::open_with(address, &config(), &token);
    registered(&second).await;
}

/// Resolves once a side has left its address to a copy.
async fn yielded(side: &Side) {
    let status = side.transport.status();
    let has_yielded = || {
        matches!(
            status.registration(),
            Some(RegistrationState::Yielded { .. })
        )
    };
    within(SOON, "being replaced", async {
        while !has_yielded() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[wasm_bindgen_test]
async fn of_two_copies_one_has_the_address_and_the_other_says_so() {
    let (address, token) = (owner(), token());
    let mut first = Side::open_with(address, &config(), &token);
    registered(&first).await;
    let second = Side::open_with(address, &config(), &token);
    yielded(&first).await;
    registered(&second).await;
    first.transport.dial(LinkId::dialled(1), &participant());
    assert_eq!(first.down().await, DownReason::AddressInUse);
    // Somebody wants it here.
    first.transport.status().claim();
    registered(&first).await;
    yielded(&second).await;
    // And there, when that page comes into view; both do, in this one.
    drop(first);
    page::js("", "document.dispatchEvent(new Event('visibilitychange'))").await;
    registered(&second).await;
}

#[wasm_bindgen_test]
async fn a_page_that_goes_away_tells_everybody_and_can_come_back() {
    let mut pair = Pair::linked().await;
    page::js(
        "",
        "window.dispatchEvent(new PageTransitionEvent('pagehide'))",
    )
    .await;
    for side in [&mut pair.dialler, &mut pair.acceptor] {
        let reason = side.down().await;
        assert!(matches!(reason, DownReason::Lost(_)), "{reason}");
        assert_eq!(side.transport.status().connections(), 0);
    }
    let back = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))";
    page::js("", back).await;
    for side in [&mut pair.dialler, &mut pair.acceptor] {
        assert_eq!(side.event().await, TransportEvent::Wake);
        registered(side).await;
    }
    let again = LinkId::dialled(2);
    pair.dialler.transport.dial(again, &pair.acceptor.address);
    assert_eq!(pair.dialler.up().await.0, again);
}

#[wasm_bindgen_test]
async fn the_page_wakes_it() {
    let mut side = Side::open(owner());
    page::js("", "window.dispatchEvent(new Event('online'))").await;
    assert_eq!(side.event().await, TransportEvent::Wake);
    page::js("", "document.dispatchEvent(new Event('visibilitychange'))").await;
    assert_eq!(side.event().await, TransportEvent::Wake);
}
