//! Together with stock PeerJS 1.5.5, in a frame of the page.

use std::time::Duration;

use hustings_protocol::Address;
use hustings_room::transport::{Transport, TransportEvent};
use hustings_room::{DownReason, LinkId};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::Frame;
use crate::side::{SOON, Side, owner, participant, port, registered, within};

/// A page of stock PeerJS.
struct Stock(Frame);

impl Stock {
    async fn open(address: &Address) -> Self {
        let stock = Self(Frame::load("/tests/web/stock.html").await);
        let port = port();
        let open = format!("await open('{address}', '{port}')");
        within(SOON, "opening stock PeerJS", stock.0.run(&open)).await;
        stock
    }

    /// The next thing that it hears.
    async fn hears(&self) -> String {
        let line = self.0.run("return await next()");
        within(SOON, "hearing", line).await.as_string().unwrap()
    }

    async fn dials(&self, side: &mut Side, serialization: &str) -> LinkId {
        let dial = format!("dial('{}', '{serialization}')", side.address);
        self.0.run(&dial).await;
        let (link, _) = side.up().await;
        assert!(link.is_accepted());
        assert_eq!(self.hears().await, "open");
        link
    }
}

#[wasm_bindgen_test]
async fn stock_peerjs_dials_with_raw_and_with_json() {
    for (serialization, sends) in [("raw", r#"'{"a":"ä"}'"#), ("json", "{ a: 'ä' }")] {
        let mut side = Side::open(owner());
        registered(&side).await;
        let stock = Stock::open(&participant()).await;
        let link = stock.dials(&mut side, serialization).await;
        for _ in 0..20 {
            stock.0.run(&format!("connection.send({sends})")).await;
            assert_eq!(side.frame().await, r#"{"a":"ä"}"#);
            side.send(link, r#"{"b":"ö"}"#);
            assert_eq!(stock.hears().await, r#"{"b":"ö"}"#);
        }
        if serialization == "json" {
            // Stock pages do not put pieces together again: a long frame has to come as one.
            side.send(link, format!(r#"{{"long":"{}"}}"#, "x".repeat(100_000)));
            assert_eq!(stock.hears().await.len(), 100_011);
        }
        side.transport.hangup(link);
        assert_eq!(stock.hears().await, "close");
    }
}

#[wasm_bindgen_test]
async fn stock_peerjs_is_dialled() {
    let (mut side, address) = (Side::open(participant()), owner());
    let stock = Stock::open(&address).await;
    let link = LinkId::dialled(1);
    side.transport.dial(link, &address);
    side.up().await;
    assert_eq!(stock.hears().await, "open");
    for _ in 0..20 {
        side.send(link, r#"{"a":"ä"}"#);
        assert_eq!(stock.hears().await, r#"{"a":"ä"}"#);
        stock.0.run(r#"connection.send('{"b":1}')"#).await;
        assert_eq!(side.frame().await, r#"{"b":1}"#);
    }
    stock.0.run("connection.close()").await;
    assert_eq!(side.down().await, DownReason::ClosedByPeer);
}

#[wasm_bindgen_test]
async fn what_stock_peerjs_connects_with_by_itself_is_refused() {
    let mut side = Side::open(owner());
    registered(&side).await;
    let stock = Stock::open(&participant()).await;
    let said = "peer.on('error', error => say(error.type))";
    stock.0.run(said).await;
    for options in ["{}", "{ serialization: 'raw' }", "{ reliable: true }"] {
        let dial = format!("peer.connect('{}', {options})", side.address);
        stock.0.run(&dial).await;
        assert_eq!(stock.hears().await, "peer-unavailable", "at once");
    }
    side.stays_quiet(Duration::from_millis(500)).await;
    assert_eq!(side.transport.status().connections(), 0);
}

#[wasm_bindgen_test]
async fn a_frame_that_is_taken_out_of_its_page_is_noticed() {
    let mut side = Side::open(owner());
    registered(&side).await;
    let stock = Stock::open(&participant()).await;
    let link = stock.dials(&mut side, "raw").await;
    // Stock PeerJS says nothing then; the browser does, while it lives itself.
    drop(stock);
    let event = side.event().await;
    let TransportEvent::LinkDown { link: down, .. } = event else {
        panic!("{event:?} in place of a link's end");
    };
    assert_eq!(down, link);
}
