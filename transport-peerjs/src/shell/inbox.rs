//! The events that wait to be taken.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use hustings_room::LinkId;
use hustings_room::transport::TransportEvent;

/// The cost of a frame in the queue, whatever is in it: many empty ones are many, too.
const FRAME_OVERHEAD: usize = 64;

/// The events that wait to be taken.
///
/// A data channel has no way to make the other side wait, so what comes faster than it is taken has
/// to be bounded here.
#[derive(Default)]
pub(super) struct Inbox {
    events: VecDeque<TransportEvent>,
    /// Bytes of each link that wait.
    unread: BTreeMap<LinkId, usize>,
    waker: Option<Waker>,
}

impl Inbox {
    /// Adds an event. Returns how many bytes of its link were waiting before.
    pub(super) fn push(&mut self, event: TransportEvent) -> usize {
        let mut waited = 0;
        if let Some((link, cost)) = cost(&event) {
            let unread = self.unread.entry(link).or_default();
            waited = *unread;
            *unread += cost;
        }
        self.events.push_back(event);
        waited
    }

    /// Nothing more is to be said of a link that was hung up.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.unread.remove(&link);
        self.events.retain(|event| event.link() != Some(link));
    }

    /// Nobody is there any more to take an event.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        let Some(event) = self.events.pop_front() else {
            match &mut self.waker {
                Some(known) => known.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        if let TransportEvent::LinkDown { link, .. } = &event {
            self.unread.remove(link);
        }
        if let Some((link, cost)) = cost(&event)
            && let Some(unread) = self.unread.get_mut(&link)
        {
            // It stays at nothing until the link is gone: one message often comes at a time.
            *unread -= cost;
        }
        Poll::Ready(event)
    }

    /// Whoever waits, if there is something to take. To be woken without a borrow of the inbox.
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        if self.events.is_empty() {
            return None;
        }
        self.waker.take()
    }
}

fn cost(event: &TransportEvent) -> Option<(LinkId, usize)> {
    match event {
        TransportEvent::Frame { link, frame } => Some((*link, frame.len() + FRAME_OVERHEAD)),
        TransportEvent::LinkUp { .. }
        | TransportEvent::Writable { .. }
        | TransportEvent::LinkDown { .. }
        | TransportEvent::Wake
        | TransportEvent::Failed(_) => None,
    }
}
