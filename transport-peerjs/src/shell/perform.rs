//! Doing what the machine says.

use std::collections::BTreeSet;

use hustings_room::transport::TransportEvent;

use super::Shell;
use super::backend::{Backend, Failure, Input, RtcInput};
use crate::trace::trace;
use crate::wire::{Notice, Output, Refusal, RtcAction, RtcId, SocketId};

impl<B: Backend> Shell<B> {
    /// Does everything that the machine says. `speaker` is the connection whose message made it
    /// speak, if it was one.
    pub(super) fn perform_all(&mut self, speaker: Option<RtcId>) {
        let mut to_count = BTreeSet::new();
        loop {
            while let Some(output) = self.endpoint.poll_output() {
                self.perform(output, speaker, &mut to_count);
            }
            // Only now, when many messages may have been sent: it is asked once for all of them.
            let Some(rtc) = to_count.pop_first() else {
                return;
            };
            self.count(rtc, self.backend.now());
        }
    }

    fn perform(&mut self, output: Output, speaker: Option<RtcId>, to_count: &mut BTreeSet<RtcId>) {
        match output {
            Output::OpenSocket { socket, url } => self.open_socket(socket, &url),
            Output::SendSocket { socket, text } => {
                if self.socket == Some(socket) {
                    self.backend.send_socket(&text);
                }
            }
            Output::CloseSocket { socket } => {
                if self.socket == Some(socket) {
                    self.close_socket();
                }
            }
            Output::Rtc { rtc, action } => {
                if self.is_to_be_counted(rtc, &action) {
                    to_count.insert(rtc);
                }
                if let Err(Failure(why)) = self.act(rtc, action) {
                    self.queue(Input::Rtc(rtc, RtcInput::Failed(why)));
                }
            }
            Output::IceServers(servers) => self.backend.set_ice_servers(&servers),
            Output::Event(event) => self.deliver(event, speaker),
            Output::Registration(state) => {
                trace! { crate::trace::texts::registration(&self.registration, &state) }
                self.registration = state;
            }
            Output::Notice(notice) => {
                trace! { crate::trace::texts::notice(&notice) }
                if let Notice::Refused {
                    refusal: Refusal::TooMany,
                    ..
                } = &notice
                {
                    self.turned_away = Some(self.backend.now());
                }
                self.backend.notice(&notice);
            }
        }
    }

    fn open_socket(&mut self, socket: SocketId, url: &str) {
        self.close_socket();
        // Whoever leaves has given its address up.
        if self.is_leaving {
            return;
        }
        match self.backend.open_socket(socket, url) {
            Ok(()) => self.socket = Some(socket),
            // A page that came by HTTPS may not open `ws:`, for instance. It is tried again like a
            // server that is away: the platform does not tell the two apart.
            Err(_) => {
                // Not the reason: browsers put the URL into it, which has the token.
                trace! { tracing::warn!("the socket cannot be opened") }
                self.queue(Input::SocketClosed(socket, None));
            }
        }
    }

    pub(super) fn close_socket(&mut self) {
        if self.socket.take().is_some() {
            self.backend.close_socket();
        }
    }

    fn act(&mut self, rtc: RtcId, action: RtcAction) -> Result<(), Failure> {
        // Not one that could not be made, or was lost, while the machine does not know yet.
        let is_there = self.channels.contains(rtc);
        match action {
            RtcAction::CreateOffer { label } => {
                self.backend.create_offer(rtc, &label)?;
                self.channels.add(rtc);
                self.watch(rtc);
            }
            RtcAction::CreateAnswer { offer } => {
                self.backend.create_answer(rtc, &offer)?;
                self.channels.add(rtc);
            }
            RtcAction::SetRemote { answer } => {
                if is_there {
                    self.backend.set_answer(rtc, &answer);
                }
            }
            RtcAction::AddCandidate(candidate) => {
                if is_there {
                    self.backend.add_candidate(rtc, &candidate);
                }
            }
            RtcAction::Send(message) => {
                if !is_there {
                    return Err(Failure("there is no channel".into()));
                }
                self.channels.sent(rtc, message.len());
                self.backend.send(rtc, &message)?;
            }
            RtcAction::CloseChannel => self.finish(rtc),
            RtcAction::Close => {
                self.stalls.forget(rtc);
                if self.channels.remove(rtc) {
                    self.backend.close(rtc);
                }
            }
        }
        Ok(())
    }

    /// Puts an event where whoever uses the transport finds it.
    fn deliver(&mut self, event: TransportEvent, speaker: Option<RtcId>) {
        trace! { self.traced.event(&event) }
        match &event {
            TransportEvent::LinkUp { link, .. } => {
                self.links.insert(*link);
            }
            TransportEvent::LinkDown { link, .. } => {
                self.links.remove(link);
            }
            TransportEvent::Frame { .. }
            | TransportEvent::Writable { .. }
            | TransportEvent::Wake
            | TransportEvent::Failed(_) => {}
        }
        if self.is_leaving {
            // Nobody is there for it.
            if let TransportEvent::LinkUp { link, .. } = event {
                self.endpoint.hangup(link, self.backend.now());
            }
            return;
        }
        let is_accepted =
            matches!(&event, TransportEvent::Frame { link, .. } if link.is_accepted());
        let bound = if is_accepted {
            // Whoever dialled this side may be anybody.
            self.limits.max_queued_bytes
        } else {
            // A snapshot may wait whole.
            self.limits.max_dialled_frame_bytes
        };
        let waited = self.inbox.push(event);
        if let Some(rtc) = speaker
            && waited > bound
        {
            let why = "it sends faster than is read".to_owned();
            self.queue(Input::Rtc(rtc, RtcInput::Failed(why)));
        }
    }
}
