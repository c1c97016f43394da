//! The interface that every machine of this crate has.

use std::any::Any;

use bytes::Bytes;
use hustings_protocol::DecodeError;
#[cfg(doc)]
use hustings_protocol::batch;

use crate::{ChannelBinding, DownReason, Host, LinkId, Moment, Output, Participant, TimeoutReason};

/// The verbs that [`Host`] and [`Participant`] share, for a driver that runs either.
///
/// After every `handle_…` and every command, drain [`poll_output`](Machine::poll_output) under the
/// write-ahead rule of [`Output`], then look at [`poll_timeout`](Machine::poll_timeout).
pub trait Machine: Any {
    /// A link is up.
    fn handle_link_up(&mut self, link: LinkId, binding: ChannelBinding, now: Moment);
    /// A link is down, or a dial has failed.
    fn handle_link_down(&mut self, link: LinkId, reason: DownReason, now: Moment);
    /// A link is blocked: it had no room for this frame.
    fn handle_blocked(&mut self, link: LinkId, frame: &Bytes, now: Moment);
    /// A blocked link is writable again.
    fn handle_writable(&mut self, link: LinkId, now: Moment);
    /// A frame has arrived: a message, or a batch of them.
    fn handle_frame(&mut self, link: LinkId, frame: &Bytes, now: Moment);
    /// The messages of a [batch], for a driver that hands them over one by one and drains in
    /// between. A batch that is handed over whole means the same, but its outputs are all there at
    /// once, before the machine knows of a link that has no room for them.
    ///
    /// # Errors
    ///
    /// It is no batch that this machine reads; [`handle_frame`](Self::handle_frame) tells the peer.
    fn messages<'a>(&self, frame: &'a [u8]) -> Result<Vec<&'a [u8]>, DecodeError>;
    /// A deadline has come.
    fn handle_timeout(&mut self, now: Moment);
    /// An attempt to connect may succeed now, and a link may be dead: the network is back, the page
    /// is visible, or the machine has slept.
    fn handle_wake(&mut self, now: Moment);
    /// Closes every link and does nothing more.
    fn close(&mut self);
    /// The next thing to do.
    fn poll_output(&mut self) -> Option<Output>;
    /// The next deadline.
    fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)>;
}

/// Passes every verb on to the machine's own method of that name.
macro_rules! machine {
    ($machine:ty) => {
        impl Machine for $machine {
            fn handle_link_up(&mut self, link: LinkId, binding: ChannelBinding, now: Moment) {
                self.handle_link_up(link, binding, now);
            }

            fn handle_link_down(&mut self, link: LinkId, reason: DownReason, now: Moment) {
                self.handle_link_down(link, reason, now);
            }

            fn handle_blocked(&mut self, link: LinkId, frame: &Bytes, now: Moment) {
                self.handle_blocked(link, frame, now);
            }

            fn handle_writable(&mut self, link: LinkId, now: Moment) {
                self.handle_writable(link, now);
            }

            fn handle_frame(&mut self, link: LinkId, frame: &Bytes, now: Moment) {
                self.handle_frame(link, frame, now);
            }

            fn messages<'a>(&self, frame: &'a [u8]) -> Result<Vec<&'a [u8]>, DecodeError> {
                self.messages(frame)
            }

            fn handle_timeout(&mut self, now: Moment) {
                self.handle_timeout(now);
            }

            fn handle_wake(&mut self, now: Moment) {
                self.handle_wake(now);
            }

            fn close(&mut self) {
                self.close();
            }

            fn poll_output(&mut self) -> Option<Output> {
                self.poll_output()
            }

            fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
                self.poll_timeout()
            }
        }
    };
}

machine!(Host);
machine!(Participant);
