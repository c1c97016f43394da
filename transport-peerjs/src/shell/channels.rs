//! The bookkeeping of the channels, between one count and the next.

use std::collections::BTreeMap;

use crate::wire::RtcId;

/// The bytes after which the platform is asked what a channel holds. Until then the machine takes
/// it that nothing has left. In a browser, to ask for every message would cost as much as a tenth
/// of sending it.
pub(super) const COUNT_EVERY: usize = 64 * 1024;

/// The peer connections that the backend has, and what is known of their channels.
#[derive(Debug, Default)]
pub(super) struct Channels(BTreeMap<RtcId, Channel>);

#[derive(Debug, Default)]
struct Channel {
    /// Bytes that were sent since the platform was last asked.
    uncounted: usize,
    /// Set once it is to be closed when it is empty.
    is_finishing: bool,
}

impl Channels {
    pub(super) fn add(&mut self, rtc: RtcId) {
        self.0.insert(rtc, Channel::default());
    }

    /// Returns whether it was there.
    pub(super) fn remove(&mut self, rtc: RtcId) -> bool {
        self.0.remove(&rtc).is_some()
    }

    pub(super) fn contains(&self, rtc: RtcId) -> bool {
        self.0.contains_key(&rtc)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes them all out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = RtcId> {
        std::mem::take(&mut self.0).into_keys()
    }

    /// Bytes are sent on one.
    pub(super) fn sent(&mut self, rtc: RtcId, bytes: usize) {
        if let Some(channel) = self.0.get_mut(&rtc) {
            channel.uncounted += bytes;
        }
    }

    /// The platform has been asked what it holds.
    pub(super) fn counted(&mut self, rtc: RtcId) {
        if let Some(channel) = self.0.get_mut(&rtc) {
            channel.uncounted = 0;
        }
    }

    /// True once so much was sent that the platform is to be asked.
    pub(super) fn is_to_be_counted(&self, rtc: RtcId) -> bool {
        let channel = self.0.get(&rtc);
        channel.is_some_and(|channel| channel.uncounted >= COUNT_EVERY)
    }

    /// It is to be closed once it is empty.
    pub(super) fn finish(&mut self, rtc: RtcId) {
        if let Some(channel) = self.0.get_mut(&rtc) {
            channel.is_finishing = true;
        }
    }

    pub(super) fn is_finishing(&self, rtc: RtcId) -> bool {
        self.0.get(&rtc).is_some_and(|channel| channel.is_finishing)
    }
}
