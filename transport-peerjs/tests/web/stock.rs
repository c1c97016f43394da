//! Together with stock PeerJS 1.5.5, in a frame of the page.

use std::time::Duration;

use hustings_protocol::Address;
use hustings_room::transport::{Transport, TransportEvent};
use hustings_room::{DownReason, LinkId};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::HtmlIFrameElement;

use crate::page::js;
use crate::side::{SOON, Side, owner, participant, port, registered, within};

/// A page of stock PeerJS, in a frame that is removed when this is dropped.
struct Stock {
    frame: HtmlIFrameElement,
}

impl Stock {
    async fn open(address: &Address) -> Self {
        let script = "/tests/npm/node_modules/peerjs/dist/peerjs.min.js";
        let is_there = js(script, "return (await fetch(arg, { method: 'HEAD' })).ok").await;
        assert!(is_there.is_truthy(), "npm ci in tests/npm first");
        let frame = js(
            "/tests/web/stock.html",
            "const frame = window.stock = document.createElement('iframe');
             frame.src = arg;
             const loaded = new Promise(resolve => (frame.onload = resolve));
             document.body.append(frame);
             await loaded;
             return frame",
        );
        let frame = within(SOON, "loading PeerJS", frame).await;
        let stock = Self {
            frame: frame.unchecked_into(),
        };
        let port = port();
        let open = format!("await open('{address}', '{port}')");
        within(SOON, "opening stock PeerJS", stock.run(&open)).await;
        stock
    }

    /// Runs the body of an async function in it.
    async fn run(&self, body: &str) -> wasm_bindgen::JsValue {
        let body = format!("return (async () => {{ {body} }})()");
        js(
            &body,
            "return stock.contentWindow.eval(`(() => { ${arg} })()`)",
        )
        .await
    }

    /// What it hears next.
    async fn hears(&self) -> String {
        let line = self.run("return await next()");
        within(SOON, "hearing", line).await.as_string().unwrap()
    }

    async fn dials(&self, side: &mut Side, serialization: &str) -> LinkId {
        let dial = format!("dial('{}', '{serialization}')", side.address);
        self.run(&dial).await;
        let (link, _) = side.up().await;
        assert!(link.is_accepted());
        assert_eq!(self.hears().await, "open");
        link
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.frame.remove();
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
            stock.run(&format!("connection.send({sends})")).await;
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
        stock.run(r#"connection.send('{"b":1}')"#).await;
        assert_eq!(side.frame().await, r#"{"b":1}"#);
    }
    stock.run("connection.close()").await;
    assert_eq!(side.down().await, DownReason::ClosedByPeer);
}

#[wasm_bindgen_test]
async fn what_stock_peerjs_connects_with_by_itself_is_refused() {
    let mut side = Side::open(owner());
    registered(&side).await;
    let stock = Stock::open(&participant()).await;
    for options in ["{}", "{ serialization: 'raw' }", "{ reliable: true }"] {
        let dial = format!("peer.connect('{}', {options})", side.address);
        stock.run(&dial).await;
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
    let event = side.event_within(Duration::from_secs(20)).await;
    let TransportEvent::LinkDown { link: down, .. } = event else {
        panic!("{event:?} in place of a link's end");
    };
    assert_eq!(down, link);
}
