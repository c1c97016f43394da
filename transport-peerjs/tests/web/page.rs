//! What the tests do to the page around them.

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// Remembers every peer connection and socket that is made in this page from now on, without keeping
/// the connections, and can make those who accepted a channel dumb.
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
    let promise: Promise = done.expect("an async function does not throw").into();
    match JsFuture::from(promise).await {
        Ok(result) => result,
        Err(thrown) => panic!("{thrown:?}"),
    }
}

/// Looks over the page's shoulder from now on.
pub(crate) async fn spy() {
    js("", SPY).await;
}

/// How many peer connections of this page are not closed.
pub(crate) async fn live_rtcs() -> usize {
    js("", "return spy.live().length").await.as_f64().unwrap() as usize
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
