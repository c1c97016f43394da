//! A transport that remembers what it heard.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::{Address, batch};
use hustings_room::LinkId;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};

/// Passes everything on, and keeps the messages that arrive.
pub(crate) struct Wiretap<T> {
    transport: T,
    heard: Heard,
}

/// The messages that have arrived so far, in their order, however many came in a frame.
#[derive(Clone, Default)]
pub(crate) struct Heard(Rc<RefCell<Vec<Bytes>>>);

impl Heard {
    pub(crate) fn push(&self, frame: &Bytes) {
        let messages = match batch::is_batch(frame) {
            true => batch::messages(frame, batch::MAX_BYTES).unwrap(),
            false => vec![&frame[..]],
        };
        let messages = messages.into_iter().map(Bytes::copy_from_slice);
        self.0.borrow_mut().extend(messages);
    }

    /// Their types.
    pub(crate) fn types(&self) -> Vec<String> {
        self.0.borrow().iter().map(kind).collect()
    }

    /// Those of one type.
    pub(crate) fn of_type(&self, wanted: &str) -> Vec<Bytes> {
        let mut frames = self.0.borrow().clone();
        frames.retain(|frame| kind(frame) == wanted);
        frames
    }
}

fn kind(frame: &Bytes) -> String {
    let message: serde_json::Value = serde_json::from_slice(frame).unwrap();
    message["type"].as_str().unwrap().to_owned()
}

impl<T> Wiretap<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self {
            transport,
            heard: Heard::default(),
        }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.clone()
    }
}

impl<T: Transport> Transport for Wiretap<T> {
    fn dial(&mut self, link: LinkId, to: &Address) {
        self.transport.dial(link, to);
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        self.transport.send(link, frame)
    }

    fn hangup(&mut self, link: LinkId) {
        self.transport.hangup(link);
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        let event = self.transport.poll_event(cx);
        if let Poll::Ready(TransportEvent::Frame { frame, .. }) = &event {
            self.heard.push(frame);
        }
        event
    }
}
