//! Fixtures that the tests share.
#![allow(clippy::unwrap_used)] // Only fixtures.
#![allow(dead_code)] // Each test file uses its own part of it.

use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::{Address, DeviceId, PeerId};
use hustings_room::transport::{SendOutcome, TransportEvent};
use hustings_room::{DownReason, LinkId, Moment};
use hustings_transport_mem::{Endpoint, Latency, Network};

/// The link that the tests dial first.
pub(crate) const LINK: LinkId = LinkId::dialled(1);
/// The same link at the end that was dialled.
pub(crate) const ACCEPTED: LinkId = LinkId::accepted(1);

pub(crate) fn address(n: u8) -> Address {
    Address::Participant(PeerId::from_bytes([n; 32]), DeviceId::from_bytes([n; 5]))
}

pub(crate) fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn frame(n: usize) -> Bytes {
    Bytes::from(n.to_be_bytes().to_vec())
}

pub(crate) fn is_up(event: &TransportEvent, link: LinkId) -> bool {
    matches!(event, TransportEvent::LinkUp { link: up, .. } if *up == link)
}

pub(crate) fn frame_event(link: LinkId, n: usize) -> TransportEvent {
    TransportEvent::Frame {
        link,
        frame: frame(n),
    }
}

pub(crate) fn closed(link: LinkId) -> TransportEvent {
    TransportEvent::LinkDown {
        link,
        reason: DownReason::ClosedByPeer,
    }
}

pub(crate) fn is_lost(event: &TransportEvent, link: LinkId) -> bool {
    matches!(event, TransportEvent::LinkDown { link: down, reason: DownReason::Lost(_) }
        if *down == link)
}

pub(crate) fn is_dial_failed(event: &TransportEvent, link: LinkId) -> bool {
    matches!(event, TransportEvent::LinkDown { link: down, reason: DownReason::DialFailed(_) }
        if *down == link)
}

/// Two processes and the time, which moves only forward.
pub(crate) struct Pair {
    pub(crate) network: Network,
    pub(crate) a: Endpoint,
    pub(crate) b: Endpoint,
    pub(crate) now: Moment,
}

impl Pair {
    /// Attached to a network where everything takes 10 ms one way.
    pub(crate) fn new() -> Self {
        Self::with_latency(Latency::fixed(millis(10)))
    }

    pub(crate) fn with_latency(latency: Latency) -> Self {
        let mut network = Network::new(7, latency);
        let a = network.attach(address(1)).unwrap();
        let b = network.attach(address(2)).unwrap();
        Self {
            network,
            a,
            b,
            now: Moment::START,
        }
    }

    /// `a` dialled [`LINK`], which `b` accepted as [`ACCEPTED`].
    pub(crate) fn connected() -> Self {
        let mut pair = Self::new();
        pair.connect();
        pair
    }

    pub(crate) fn connect(&mut self) {
        self.network.dial(self.a, LINK, &address(2), self.now);
        let events = self.run();
        assert!(
            is_up(&events[0].1, ACCEPTED) && is_up(&events[1].1, LINK),
            "{events:?}"
        );
        assert_eq!(events.len(), 2);
    }

    /// Runs until nothing is on its way, and returns what happened.
    pub(crate) fn run(&mut self) -> Vec<(Endpoint, TransportEvent)> {
        let mut events = Vec::new();
        while let Some(next) = self.network.next_at() {
            self.now = next;
            events.extend(self.due());
        }
        events
    }

    /// Goes on by so many milliseconds, and returns what happened.
    pub(crate) fn pass(&mut self, duration: u64) -> Vec<(Endpoint, TransportEvent)> {
        self.now = self.now + millis(duration);
        self.due()
    }

    /// The events that are due now.
    pub(crate) fn due(&mut self) -> Vec<(Endpoint, TransportEvent)> {
        std::iter::from_fn(|| self.network.poll(self.now)).collect()
    }

    /// The events that are due now at `b`; nothing may be due at `a`.
    pub(crate) fn due_at_b(&mut self) -> Vec<TransportEvent> {
        let b = self.b;
        let of_b = |(endpoint, event)| {
            assert_eq!(endpoint, b);
            event
        };
        self.due().into_iter().map(of_b).collect()
    }

    pub(crate) fn send(&mut self, frames: std::ops::Range<usize>) {
        for n in frames {
            let sent = self.network.send(self.a, LINK, frame(n), self.now);
            assert_eq!(sent, SendOutcome::Queued);
        }
    }

    pub(crate) fn answer(&mut self, n: usize) -> SendOutcome {
        self.network.send(self.b, ACCEPTED, frame(n), self.now)
    }
}
