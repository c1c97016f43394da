//! A whole poll over real WebRTC.

use std::time::Duration;

use futures::StreamExt;
use hustings_protocol::{Outcome, PeerId};
use hustings_room::{Config, Connection};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page;
use crate::people::{MINUTE, address, counted, enter, identity, join, poll, tea, transport, votes};
use crate::side::{random, sleep, within};

#[wasm_bindgen_test]
async fn a_vote_is_acknowledged_and_everybody_sees_it() {
    let (hosting, poll) = poll().await;
    let (voter, onlooker) = (join(&poll).await, join(&poll).await);
    let submitted = voter.submit(tea(&voter)).await.unwrap();
    let outcome = within(MINUTE, "the outcome", submitted.outcome())
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!((votes(&poll), votes(&voter)), (1, 1));
    counted(&onlooker, 1).await;
    voter.close().await;
    onlooker.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn a_command_whose_ack_was_lost_is_sent_again_and_applied_once() {
    page::spy().await;
    let (hosting, poll) = poll().await;
    let voter = join(&poll).await;
    let before = poll.revision().unwrap();

    // The owner gets the vote and applies it, and no word of it comes back.
    page::dumb(true).await;
    let submitted = voter.submit(tea(&voter)).await.unwrap();
    counted(&poll, 1).await;
    assert_eq!(voter.pending().len(), 1);
    page::cut_accepted().await;
    page::dumb(false).await;
    within(MINUTE, "noticing", async {
        let mut events = voter.events();
        while voter.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;

    let outcome = within(MINUTE, "the outcome", submitted.outcome())
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    within(MINUTE, "coming back", voter.connected())
        .await
        .unwrap();
    assert_eq!(voter.pending().len(), 0);
    assert_eq!((votes(&poll), votes(&voter)), (1, 1));
    assert_eq!(poll.revision(), voter.revision());
    assert_eq!(poll.revision().unwrap().get() - before.get(), 1);
    voter.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn waiting_for_an_absent_owner_holds_one_peer_connection() {
    page::spy_alone().await;
    let identity = identity();
    let owner = PeerId::from_bytes(random());
    let nobody = format!("{owner}/00000000-0000-4000-8000-000000000000");
    let nobody = nobody.parse().unwrap();
    let transport = transport(address(&identity));
    let room = enter(&identity, Config::default(), nobody, transport).await;
    let mut dialled = 0;
    for _ in 0..150 {
        sleep(Duration::from_millis(100)).await;
        let live = page::live_rtcs().await;
        assert!(live <= 1, "{live} peer connections");
        dialled = dialled.max(live);
        assert_ne!(room.connection(), Connection::Connected);
    }
    assert_eq!(dialled, 1, "it has been dialled");
    room.close().await;
    assert_eq!(page::live_rtcs().await, 0);
}
