//! The socket to the signalling server.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CloseEvent, EventTarget, MessageEvent, RtcDataChannel, WebSocket};

use super::listener::Listener;
use crate::shell::backend::Input;
use crate::shell::reentry::Reporter;
use crate::wire::SocketId;

/// An open socket, or one that is being opened. Dropping it closes it; nothing is heard of it then.
pub(super) struct Socket {
    socket: WebSocket,
    listeners: Vec<Listener>,
}

impl Socket {
    pub(super) fn open(
        id: SocketId,
        url: &str,
        reporter: &Reporter<RtcDataChannel>,
    ) -> Result<Self, JsValue> {
        let socket = WebSocket::new(url)?;
        let target: &EventTarget = &socket;
        let opened = reporter.clone();
        let mut listeners = vec![Listener::new(target, "open", move |_| {
            opened.report(Input::SocketOpen(id));
        })];
        let closed = reporter.clone();
        // An `error` is always followed by it.
        listeners.push(Listener::new(target, "close", move |event| {
            // A browser's own, such as 1006 for a line that was cut, say nothing of use.
            let code = event.dyn_ref::<CloseEvent>().map(CloseEvent::code);
            closed.report(Input::SocketClosed(id, code));
        }));
        let reporter = reporter.clone();
        listeners.push(Listener::new(target, "message", move |event| {
            let data = event
                .dyn_ref::<MessageEvent>()
                .and_then(|event| event.data().as_string());
            // A binary frame is none of PeerJS's.
            if let Some(text) = data {
                reporter.report(Input::SocketText(id, text));
            }
        }));
        Ok(Self { socket, listeners })
    }

    pub(super) fn send(&self, text: &str) {
        // It fails while the socket closes, which is reported separately.
        let _ = self.socket.send_with_str(text);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.listeners.clear();
        // Without a code and a reason there is nothing it could fail of.
        let _ = self.socket.close();
    }
}
