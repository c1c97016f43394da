//! The page around the tests, and what they do to it.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlIFrameElement;

use crate::side::{SOON, within};

/// The file in which the tests find stock PeerJS.
pub(crate) const PEERJS: &str = "/tests/npm/node_modules/peerjs/dist/peerjs.min.js";

/// Remembers every peer connection and socket that is made in this page from now on, without
/// keeping the connections, and can make those who accepted a channel dumb.
const SPY: &str = "
    if (window.spy) return;
    const spy = window.spy = { rtcs: [], sockets: [], accepted: new WeakSet(), dumb: false };
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...args) {
            super(...args);
            spy.rtcs.push(new WeakRef(this));
            this.addEventListener('datachannel', event => spy.accepted.add(event.channel));
        }
    };
    window.WebSocket = class extends WebSocket {
        constructor(...args) { super(...args); spy.sockets.push(this); }
    };
    const send = RTCDataChannel.prototype.send;
    RTCDataChannel.prototype.send = function (...args) {
        if (!(spy.dumb && spy.accepted.has(this))) return send.apply(this, args);
    };
    const open = rtc => rtc && rtc.signalingState !== 'closed';
    spy.live = () => spy.rtcs.map(rtc => rtc.deref()).filter(open);
";

/// Runs the body of an async function in the page, to which `arg` is `arg`.
pub(crate) async fn js(arg: &str, body: &str) -> JsValue {
    let body = format!("return (async () => {{ {body} }})()");
    let done = Function::new_with_args("arg", &body).call1(&JsValue::UNDEFINED, &arg.into());
    settled(done.expect("an async function does not throw")).await
}

async fn settled(promise: JsValue) -> JsValue {
    match JsFuture::from(Promise::from(promise)).await {
        Ok(result) => result,
        Err(thrown) => panic!("{thrown:?}"),
    }
}

/// A page in this page, which is taken out when this is dropped.
pub(crate) struct Frame {
    element: HtmlIFrameElement,
}

impl Frame {
    /// Loads it from this address.
    pub(crate) async fn load(address: &str) -> Self {
        Self::with(address, "frame.src = arg").await
    }

    /// Makes it from this HTML.
    pub(crate) async fn of(html: &str) -> Self {
        Self::with(html, "frame.srcdoc = arg").await
    }

    async fn with(arg: &str, fill: &str) -> Self {
        let is_there = js(PEERJS, "return (await fetch(arg, { method: 'HEAD' })).ok").await;
        assert!(is_there.is_truthy(), "npm ci in tests/npm first");
        let body = format!(
            // A module has run by the time that a frame is loaded. What a browser may have loaded
            // before is the empty page that every frame begins with.
            "const frame = document.createElement('iframe');
             {fill};
             const loaded = () => new Promise(resolve => (frame.onload = resolve));
             const first = loaded();
             document.body.append(frame);
             await first;
             while (frame.contentWindow.location.href === 'about:blank') await loaded();
             return frame"
        );
        let element = within(SOON, "loading a page with PeerJS", js(arg, &body)).await;
        Self {
            element: element.unchecked_into(),
        }
    }

    /// Runs the body of an async function in it.
    pub(crate) async fn run(&self, body: &str) -> JsValue {
        let window = self.element.content_window().expect("the frame is there");
        let eval = Reflect::get(&window, &"eval".into()).unwrap();
        let call = format!("(async () => {{ {body} }})()");
        let promise = eval.unchecked_into::<Function>();
        settled(promise.call1(&window, &call.into()).unwrap()).await
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.element.remove();
    }
}

/// Looks over the page's shoulder from now on.
pub(crate) async fn spy() {
    js("", SPY).await;
}

/// The number of this page's peer connections that are not closed.
pub(crate) async fn live_rtcs() -> usize {
    js("", "return spy.live().length").await.as_f64().unwrap() as usize
}

/// Puts the spy into the page, and closes what earlier tests have left winding down: from here on
/// every live connection is the test's own.
pub(crate) async fn spy_alone() {
    spy().await;
    js("", "spy.live().forEach(rtc => rtc.close())").await;
}

/// Closes the peer connections of this page that accepted, without a word to whoever has them.
pub(crate) async fn cut_accepted() {
    let cut =
        "for (const rtc of spy.live()) if (rtc.remoteDescription?.type === 'offer') rtc.close()";
    js("", cut).await;
}

/// Closes every socket of this page to the signalling server.
pub(crate) async fn cut_sockets() {
    js("", "for (const socket of spy.sockets) socket.close()").await;
}

/// Lets nothing out of those who accepted, or lets it out again.
pub(crate) async fn dumb(dumb: bool) {
    js(&dumb.to_string(), "spy.dumb = arg === 'true'").await;
}
