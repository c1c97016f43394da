//! Links and the signalling server. The part that is every transport's is in `contract`.

use hustings_room::LinkId;
use hustings_room::transport::Transport;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page;
use crate::side::{Pair, Side, owner, participant, registered};

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
