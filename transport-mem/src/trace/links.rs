//! The spans of links, and what happens in them.

use std::collections::BTreeMap;

use hustings_protocol::{Address, Excerpt, Short};
use hustings_room::LinkId;
use hustings_room::transport::TransportEvent;
use tracing::{Id, Span, debug, debug_span, warn};

/// A span for each link, from its dial or the moment when it comes up until it is down.
#[derive(Debug, Default)]
pub(crate) struct Links(BTreeMap<LinkId, Span>);

impl Links {
    pub(crate) fn dial(&mut self, link: LinkId, to: &Address) {
        let span = debug_span!("link", id = %link, peer = %Short::of(to));
        debug!(parent: &span, "dial");
        self.0.insert(link, span);
    }

    pub(crate) fn blocked(&self, link: LinkId) {
        debug!(parent: self.span(link), "blocked");
    }

    pub(crate) fn hang_up(&mut self, link: LinkId) {
        debug!(parent: self.span(link), "hang up");
        self.0.remove(&link);
    }

    pub(crate) fn event(&mut self, event: &TransportEvent) {
        match event {
            TransportEvent::LinkUp { link, .. } => {
                let span = self.0.entry(*link);
                let span = span.or_insert_with(|| debug_span!("link", id = %link));
                debug!(parent: &*span, "up");
            }
            TransportEvent::LinkDown { link, reason } => {
                let reason = reason.to_string();
                debug!(parent: self.span(*link), reason = %Excerpt(&reason), "down");
                self.0.remove(link);
            }
            TransportEvent::Writable { link } => debug!(parent: self.span(*link), "writable"),
            TransportEvent::Wake => debug!("wake"),
            // The address in it would be whole.
            TransportEvent::Failed(_) => warn!("the transport failed"),
            // They are the app's, and as many as it likes.
            TransportEvent::Frame { .. } => {}
        }
    }

    fn span(&self, link: LinkId) -> Option<Id> {
        self.0.get(&link).and_then(Span::id)
    }
}
