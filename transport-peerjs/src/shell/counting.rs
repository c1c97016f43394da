//! The bytes that the channels hold: asked for now and then, missed when they stand still, and
//! waited for before a channel is closed.

use hustings_room::Moment;

use super::Shell;
use super::backend::Backend;
use crate::trace::trace;
use crate::wire::{RtcAction, RtcId};

impl<B: Backend> Shell<B> {
    /// True if the platform is to be asked, after this action, what a channel holds.
    pub(super) fn is_to_be_counted(&self, rtc: RtcId, action: &RtcAction) -> bool {
        match action {
            RtcAction::Send(_) => self.channels.is_to_be_counted(rtc),
            // From now on it is to become empty, and may be already.
            RtcAction::CloseChannel => true,
            RtcAction::CreateOffer { .. }
            | RtcAction::CreateAnswer { .. }
            | RtcAction::SetRemote { .. }
            | RtcAction::AddCandidate(_)
            | RtcAction::Close => false,
        }
    }

    /// Asks what a channel holds, and passes it on.
    pub(super) fn count(&mut self, rtc: RtcId, now: Moment) {
        let Some(bytes) = self.held(rtc) else {
            return;
        };
        if bytes == 0 {
            self.close_if_finishing(rtc);
        }
        let low_water = self.low_water(rtc);
        self.stalls.count(rtc, bytes, low_water, now);
        self.endpoint.handle_buffered(rtc, bytes, now);
    }

    fn held(&mut self, rtc: RtcId) -> Option<usize> {
        if !self.channels.contains(rtc) {
            return None;
        }
        let bytes = self.backend.buffered(rtc)?;
        self.channels.counted(rtc);
        Some(bytes)
    }

    /// The amount below which the shell wants to know.
    fn low_water(&self, rtc: RtcId) -> usize {
        if self.channels.is_finishing(rtc) {
            0
        } else {
            self.limits.channel_low_water
        }
    }

    /// Has the platform report when a channel holds little.
    pub(super) fn watch(&mut self, rtc: RtcId) {
        self.backend.set_low_water(rtc, self.low_water(rtc));
    }

    /// Has a channel closed once it has sent what it holds: it is counted next, and from then on
    /// until it is empty. By itself it should wait for that, too, but Chromium throws away some of
    /// it now and then.
    pub(super) fn finish(&mut self, rtc: RtcId) {
        if self.channels.contains(rtc) {
            self.channels.finish(rtc);
            self.watch(rtc);
        }
    }

    fn close_if_finishing(&mut self, rtc: RtcId) {
        if self.channels.is_finishing(rtc) {
            self.backend.close_channel(rtc);
        }
    }

    /// Has one message sent on every channel whose count stands still, if there is one.
    pub(super) fn nudge_stalled(&mut self, now: Moment) {
        for (rtc, bytes) in self.stalls.due(now) {
            if self.held(rtc) == Some(bytes) {
                trace! { tracing::warn!(%rtc, bytes, "stall") }
                // The machine is made to believe that there is room for just one.
                let room_for_one = self.limits.channel_high_water.saturating_sub(1);
                self.endpoint.handle_buffered(rtc, room_for_one, now);
                self.perform_all(None);
            }
            self.count(rtc, now);
            if self.held(rtc) == Some(bytes) {
                // Nothing waits. Whatever is sent next is counted again.
                self.stalls.forget(rtc);
                // A channel that is to be closed would otherwise wait for a count that never comes.
                self.close_if_finishing(rtc);
            }
        }
    }
}
