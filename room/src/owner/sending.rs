//! The ways of an owner's frames: to one of its members, to some, and to all.

use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Ack, CommandId, DeviceId, Message, Outcome, PeerId, PeerInfo, Refusal, Rejection, Shown,
};

use super::Owner;
use super::links::About;
use crate::{Event, LinkId, Moment, Output};

/// The time that passes for each link before everybody is told the same again. To send one datagram
/// by WebRTC, and to hear that it came, takes some 25 µs of a processor (`cargo xtask bench
/// --native`), and what is told of many votes is several.
const EACH_LINK: Duration = Duration::from_micros(200);

/// The same for who came and went. Nobody reads a long list that often, and of 300 people in
/// browsers who join one after the other each heard of the others in a hundred messages.
const EACH_LINK_OF_PRESENCE: Duration = Duration::from_millis(5);

impl Owner {
    pub(super) fn send(&mut self, link: LinkId, message: &Message) {
        self.send_frame(link, message.encode(), About::Nothing);
    }

    /// Sends a frame; if the link is blocked, it is owed the content instead. A link that is owed
    /// more answers than the protocol allows is closed.
    pub(super) fn send_frame(&mut self, link: LinkId, frame: Bytes, about: About) {
        let Some(owed) = self.links.get_mut(link).and_then(|it| it.owed.as_mut()) else {
            self.outputs.push_back(Output::Send { link, frame });
            return;
        };
        if !owed.add(about, &frame) {
            self.hang_up(link);
        }
    }

    pub(super) fn broadcast(&mut self, frame: Bytes, except: Option<LinkId>, about: About) {
        // Blocked links are not among the recipients; they get it once they are writable.
        self.links.owe_all(about, &frame);
        let links = self.links.recipients();
        if links.iter().any(|link| Some(*link) != except) {
            self.outputs.push_back(Output::Broadcast {
                links,
                except,
                frame,
            });
        }
    }

    /// Sends one frame on the links that are told so much of the votes; those that are blocked are
    /// owed the content instead.
    pub(super) fn send_to_shown(&mut self, shown: Shown, frame: Bytes, about: About) {
        let (mut open, mut blocked) = (Vec::with_capacity(self.links.len()), Vec::new());
        for (link, session) in self.links.shown(shown) {
            match session.owed {
                None => open.push(link),
                Some(_) => blocked.push(link),
            }
        }
        self.send_to_some(blocked, frame.clone(), None, about);
        self.broadcast_on(open, frame);
    }

    /// Sends one frame on some links; those that are blocked are owed the content instead.
    pub(super) fn send_to_some(
        &mut self,
        links: Vec<LinkId>,
        frame: Bytes,
        except: Option<LinkId>,
        about: About,
    ) {
        let mut open = Vec::with_capacity(links.len());
        for link in links {
            match self.links.get_mut(link).and_then(|it| it.owed.as_mut()) {
                // State takes no room.
                Some(owed) => _ = owed.add(about, &frame),
                None if Some(link) != except => open.push(link),
                None => {}
            }
        }
        self.broadcast_on(open, frame);
    }

    /// Sends one frame on links that are not blocked.
    fn broadcast_on(&mut self, open: Vec<LinkId>, frame: Bytes) {
        if !open.is_empty() {
            self.outputs.push_back(Output::Broadcast {
                links: open.into(),
                except: None,
                frame,
            });
        }
    }

    pub(super) fn send_discovery(&mut self, link: LinkId) {
        let frame = match self.presence.list() {
            Some(frame) => frame,
            None => {
                let frame = Message::Discovery(self.with_owner(self.presence.listed())).encode();
                self.presence.set_list(frame)
            }
        };
        self.send_frame(link, frame, About::Presence);
    }

    /// A device has come or gone: the application hears of it at once, the others when it is time.
    pub(super) fn presence_changed(
        &mut self,
        link: LinkId,
        (peer_id, device): (PeerId, DeviceId),
        online: bool,
    ) {
        let (presence, links) = (&mut self.presence, &self.links);
        match online {
            true => {
                let max_listed = self.config.max_listed_peers;
                presence.came(link, (peer_id, device), max_listed);
            }
            false => presence.went(link, (peer_id, device), |link| links.device_of(link)),
        }
        self.event(Event::PeersChanged(vec![PeerInfo {
            peer_id,
            device,
            online,
        }]));
    }

    /// The time between two messages about votes to everybody.
    pub(super) fn between_tallies(&self) -> Duration {
        self.between(self.config.tally_interval, EACH_LINK)
    }

    /// The time between two messages to everybody: so much, or more among many links. Whoever wants
    /// none gets none.
    fn between(&self, least: Duration, each_link: Duration) -> Duration {
        if least.is_zero() {
            return least;
        }
        let links = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        least.max(each_link.saturating_mul(links))
    }

    /// Tells everybody who came and went, if it is time.
    pub(super) fn tell_presence(&mut self, now: Moment) {
        let interval = self.between(self.config.presence_interval, EACH_LINK_OF_PRESENCE);
        let Some(changed) = self.presence.take(now, interval) else {
            return;
        };
        let peers: Vec<PeerInfo> = changed
            .into_iter()
            .map(|((peer_id, device), online)| PeerInfo {
                peer_id,
                device,
                online,
            })
            .collect();
        let frame = Message::Discovery(peers).encode();
        self.broadcast(frame, None, About::Presence);
    }

    /// Tells the peer the fault, and gives it back.
    pub(super) fn refuse(
        &mut self,
        link: LinkId,
        command_id: Option<CommandId>,
        rejection: Rejection,
    ) -> Rejection {
        let about = match command_id {
            Some(command_id) if !planted::is_on(Fault::ViolationUnanswered) => {
                About::Command(command_id)
            }
            Some(_) | None => About::Nothing,
        };
        let refusal = Refusal {
            command_id,
            rejection,
        };
        self.send_frame(link, refusal.encode(), about);
        refusal.rejection
    }

    /// Tells the peer and the application the fault.
    pub(super) fn fault(
        &mut self,
        link: LinkId,
        command_id: Option<CommandId>,
        rejection: Rejection,
    ) {
        // Before the answer, for which the link may have no room any more.
        let peer = self.peer_of(link);
        let rejection = self.refuse(link, command_id, rejection);
        self.fault_event(link, peer, rejection);
    }

    /// The same, with this frame for the peer. It names no command, so a blocked link is not owed
    /// it.
    pub(super) fn fault_told(&mut self, link: LinkId, frame: Bytes, rejection: Rejection) {
        let session = self.links.get(link);
        let peer = session.map(|session| session.peer);
        if session.is_none_or(|session| session.owed.is_none()) {
            self.outputs.push_back(Output::Send { link, frame });
        }
        self.fault_event(link, peer, rejection);
    }

    fn peer_of(&self, link: LinkId) -> Option<PeerId> {
        self.links.get(link).map(|session| session.peer)
    }

    fn fault_event(&mut self, link: LinkId, peer: Option<PeerId>, rejection: Rejection) {
        self.event(Event::Fault {
            link,
            peer,
            rejection,
        });
    }

    /// The `ack` or `error` that tells the outcome of a command.
    pub(super) fn answer(&self, command_id: CommandId, outcome: &Outcome) -> Bytes {
        match outcome {
            Outcome::Applied(revision) => Message::Ack(Ack {
                command_id,
                revision: *revision,
                history: self.sequencer.mark_at(*revision),
            }),
            Outcome::Rejected(rejection) => Message::Error(Refusal {
                command_id: Some(command_id),
                rejection: rejection.clone(),
            }),
        }
        .encode()
    }

    pub(super) fn hang_up(&mut self, link: LinkId) {
        self.outputs.push_back(Output::Hangup { link });
        self.forget(link);
    }
}
