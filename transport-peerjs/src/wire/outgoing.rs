//! The frames that wait to be sent on one channel.

use std::collections::VecDeque;

use super::framing::{ChannelMessage, Splitter};
use crate::config::WireLimits;

/// The queue of one link. The channel's own buffer is kept short: a channel that is given more than
/// its stack buffers closes, and what is in it cannot be counted exactly.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    queue: VecDeque<Splitter>,
    /// Bytes in the queue, and one for each frame: an endless queue of nothing is endless, too.
    waiting: usize,
    /// Bytes in the channel, as far as is known.
    in_channel: usize,
    /// A frame was blocked, so `Writable` is owed.
    blocked: bool,
}

impl Outgoing {
    /// True if a frame has no room; it is remembered that one was blocked.
    pub(crate) fn blocks(&mut self, limits: &WireLimits) -> bool {
        self.blocked = self.blocked || self.total() > limits.max_queued_bytes;
        self.total() > limits.max_queued_bytes
    }

    /// Adds a frame of any size.
    pub(crate) fn push(&mut self, frame: Splitter) {
        self.waiting += frame.remaining() + 1;
        self.queue.push_back(frame);
    }

    /// The next message, while the channel has room.
    pub(crate) fn next(&mut self, limits: &WireLimits) -> Option<ChannelMessage> {
        while self.in_channel < limits.channel_high_water {
            let frame = self.queue.front_mut()?;
            let before = frame.remaining();
            if let Some(message) = frame.next() {
                self.waiting -= before - frame.remaining();
                self.in_channel += message.len();
                return Some(message);
            }
            self.waiting -= 1;
            self.queue.pop_front();
        }
        None
    }

    /// The channel holds this many bytes.
    pub(crate) fn set_in_channel(&mut self, bytes: usize) {
        self.in_channel = bytes;
    }

    /// True if there is room again after a frame was blocked. Says so once.
    pub(crate) fn take_writable(&mut self, limits: &WireLimits) -> bool {
        let writable = self.blocked && self.total() <= limits.max_queued_bytes / 2;
        self.blocked &= !writable;
        writable
    }

    /// True once everything has been handed to the channel.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    fn total(&self) -> usize {
        self.waiting.saturating_add(self.in_channel)
    }
}

#[cfg(test)]
mod tests {
    use super::super::framing::Serialization;
    use super::*;
    use bytes::Bytes;

    const LIMITS: WireLimits = WireLimits {
        max_queued_bytes: 100_000,
        channel_high_water: 40_000,
        channel_low_water: 10_000,
        max_signal_bytes: 0,
        max_candidates: 0,
        max_early: 0,
        max_dials: 0,
        max_incoming: 0,
        max_incoming_each: 0,
        max_held: 0,
        max_held_bytes: 0,
        max_connections: 0,
        max_accepted_frame_bytes: 0,
        max_dialled_frame_bytes: 0,
    };

    fn pump(outgoing: &mut Outgoing) -> usize {
        std::iter::from_fn(|| outgoing.next(&LIMITS))
            .map(|message| message.len())
            .sum()
    }

    fn frame(len: usize) -> Splitter {
        Splitter::new(Serialization::Raw, Bytes::from(vec![b'x'; len])).unwrap()
    }

    #[test]
    fn the_channel_gets_no_more_than_it_should_hold() {
        let mut outgoing = Outgoing::default();
        assert!(!outgoing.blocks(&LIMITS));
        outgoing.push(frame(1_000_000));
        let first = pump(&mut outgoing);
        assert!((40_000..40_000 + 16_384).contains(&first), "{first}");
        assert_eq!(pump(&mut outgoing), 0);
        assert!(outgoing.blocks(&LIMITS));
        outgoing.set_in_channel(10_000);
        assert!(pump(&mut outgoing) >= 30_000);
        assert!(!outgoing.take_writable(&LIMITS));
        while !outgoing.is_empty() {
            outgoing.set_in_channel(0);
            pump(&mut outgoing);
        }
        outgoing.set_in_channel(0);
        assert!(outgoing.take_writable(&LIMITS));
        assert!(!outgoing.take_writable(&LIMITS), "it is said once");
    }

    #[test]
    fn frames_of_nothing_count() {
        let mut outgoing = Outgoing::default();
        outgoing.set_in_channel(50_000);
        let mut taken = 0;
        while !outgoing.blocks(&LIMITS) {
            outgoing.push(frame(0));
            taken += 1;
        }
        assert_eq!(taken, 50_001);
        outgoing.set_in_channel(0);
        pump(&mut outgoing);
        assert!(outgoing.is_empty());
    }
}
