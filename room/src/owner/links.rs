//! Links of an owner: the connections of its members.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    CommandId, DeviceId, Envelope, Hello, Kind, Limits, Message, PeerId, Seq, Shown, WINDOW,
};
use litemap::LiteMap;

use super::pace::Pace;
use crate::liveness::Liveness;
use crate::{LinkId, Moment, TimeoutReason};

/// A link whose other end has proved who it is.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) peer: PeerId,
    pub(crate) device: DeviceId,
    /// The lowest number of a command that it may still send.
    pub(crate) oldest: Seq,
    pub(crate) liveness: Liveness,
    /// The part of the votes that it is told.
    pub(crate) shown: Shown,
    /// Its requests for the poll.
    pub(crate) pace: Pace,
    /// Set while the link is blocked: the content to send once it is writable. Until then nothing
    /// is sent. In a box, as few links are.
    pub(crate) owed: Option<Box<Owed>>,
}

impl Session {
    pub(crate) fn new(hello: &Hello, liveness: Liveness) -> Self {
        Self {
            peer: hello.peer_id,
            device: hello.device,
            oldest: hello.oldest_seq,
            liveness,
            // Until the first sync, which is at once.
            shown: Shown::Turnout,
            pace: Pace::new(),
            owed: None,
        }
    }
}

/// The content that a blocked link has missed. It is bounded: updates become one snapshot, comings
/// and goings one list, and a device has at most `WINDOW` commands without an outcome.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owed {
    /// The `ack` or `error` of each command once, at most [`WINDOW`] of them: a device that has
    /// more unanswered does not keep to the protocol.
    pub(crate) answers: Vec<(CommandId, Bytes)>,
    pub(crate) presence: bool,
    pub(crate) state: bool,
}

/// The content of a frame, in case the link has no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The outcome of this command.
    Command(CommandId),
    /// The list of peers, or a change of it.
    Presence,
    /// The poll, or a change of it.
    State,
    /// Content that nobody would miss.
    Nothing,
}

impl About {
    /// The content of a frame that an owner sends.
    pub(crate) fn of(envelope: &Envelope<'_>, limits: &Limits) -> Self {
        match envelope.kind() {
            Ok(Kind::Ack | Kind::Error) => match Message::from_envelope(envelope, limits) {
                Ok(Message::Ack(ack)) => Self::Command(ack.command_id),
                Ok(Message::Error(refusal)) => {
                    refusal.command_id.map_or(Self::Nothing, Self::Command)
                }
                Ok(_) | Err(_) => Self::Nothing,
            },
            Ok(Kind::PeerDiscovery) => Self::Presence,
            Ok(Kind::PollState | Kind::PollTally | Kind::Command(_)) => Self::State,
            // A ping that is not sent gets no answer, and another one follows.
            Ok(_) | Err(_) => Self::Nothing,
        }
    }
}

impl Owed {
    /// Adds a frame, or what stands for it. Returns whether there is room for it.
    pub(crate) fn add(&mut self, about: About, frame: &Bytes) -> bool {
        match about {
            About::Command(command_id) => {
                if self.answers.iter().all(|(known, _)| *known != command_id) {
                    if self.answers.len() as u64 >= WINDOW
                        && !planted::is_on(Fault::OweWithoutBound)
                    {
                        return false;
                    }
                    self.answers.push((command_id, frame.clone()));
                }
            }
            About::Presence => self.presence = true,
            About::State => self.state = true,
            About::Nothing => {}
        }
        true
    }
}

/// The members' links, their deadlines, and the recipients of broadcasts.
#[derive(Debug, Default)]
pub(crate) struct Links {
    sessions: LiteMap<LinkId, Session>,
    /// The deadline of each link, earliest first. `handle_timeout` needs the first one after each
    /// input, so they are sorted here rather than searched for among the sessions.
    deadlines: LiteMap<(Moment, LinkId), ()>,
    /// The links in the order of their devices, which the sessions have.
    by_device: Vec<LinkId>,
    blocked: LiteMap<LinkId, ()>,
    /// The links of members that are not blocked; `None` until they are needed.
    recipients: Option<Arc<[LinkId]>>,
}

impl Links {
    pub(crate) fn get(&self, id: LinkId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// Lets a link in. Returns the link that the same device had before: a device has only one, and
    /// the old one is usually a connection that died silently.
    pub(crate) fn admit(&mut self, id: LinkId, session: Session) -> Option<LinkId> {
        let found = self.find((session.peer, session.device));
        self.deadlines.insert((session.liveness.deadline(), id), ());
        self.sessions.insert(id, session);
        self.recipients = None;
        match found {
            Ok(at) => Some(std::mem::replace(&mut self.by_device[at], id)),
            Err(at) => {
                self.by_device.insert(at, id);
                None
            }
        }
    }

    /// The place of a device among all, or the place for it.
    fn find(&self, device: (PeerId, DeviceId)) -> Result<usize, usize> {
        let links = &self.by_device;
        links.binary_search_by(|link| self.device_of(*link).cmp(&Some(device)))
    }

    /// The device of a link.
    pub(crate) fn device_of(&self, id: LinkId) -> Option<(PeerId, DeviceId)> {
        let session = self.sessions.get(&id)?;
        Some((session.peer, session.device))
    }

    /// Removes a link. Returns its device, unless that is on another link by now.
    pub(crate) fn remove(&mut self, id: LinkId) -> Option<(PeerId, DeviceId)> {
        let device = self.device_of(id)?;
        let at = self
            .find(device)
            .ok()
            .filter(|at| self.by_device[*at] == id);
        let session = self.sessions.remove(&id)?;
        self.deadlines.remove(&(session.liveness.deadline(), id));
        self.blocked.remove(&id);
        self.recipients = None;
        at.map(|at| {
            self.by_device.remove(at);
            device
        })
    }

    /// Lets `work` look at a link's liveness, and notes the deadline that it has then; `None` if
    /// there is no such link. Nothing else changes a deadline.
    pub(crate) fn watch<R>(
        &mut self,
        id: LinkId,
        work: impl FnOnce(&mut Liveness) -> R,
    ) -> Option<R> {
        let liveness = &mut self.sessions.get_mut(&id)?.liveness;
        let before = liveness.deadline();
        let seen = work(liveness);
        let after = liveness.deadline();
        if after != before {
            self.deadlines.remove(&(before, id));
            self.deadlines.insert((after, id), ());
        }
        Some(seen)
    }

    pub(crate) fn next_deadline(&self) -> Option<(Moment, TimeoutReason)> {
        let ((at, _), ()) = self.deadlines.first()?;
        Some((*at, TimeoutReason::Liveness))
    }

    /// The links whose deadline has come.
    pub(crate) fn due(&self, now: Moment) -> Vec<LinkId> {
        let due = self.deadlines.keys().take_while(|(at, _)| *at <= now);
        due.map(|(_, id)| *id).collect()
    }

    /// The members' devices, in order.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (PeerId, DeviceId)> {
        let links = self.by_device.iter();
        links.filter_map(|link| self.device_of(*link))
    }

    /// The link of a device.
    pub(crate) fn of_device(&self, peer: PeerId, device: DeviceId) -> Option<LinkId> {
        let at = self.find((peer, device)).ok()?;
        Some(self.by_device[at])
    }

    /// The links of a peer's devices.
    pub(crate) fn of_peer(&self, peer: PeerId) -> Vec<LinkId> {
        let first = (peer, DeviceId::from_bytes([0; 5]));
        let from = self.find(first).unwrap_or_else(|at| at);
        let links = self.by_device[from..].iter().copied();
        let is_own = |link: &LinkId| self.get(*link).is_some_and(|it| it.peer == peer);
        links.take_while(is_own).collect()
    }

    /// The links that are told so much of the votes. Looks at each once: it is done for every vote
    /// in a quiet room.
    pub(crate) fn shown(&self, shown: Shown) -> impl Iterator<Item = (LinkId, &Session)> {
        let all = self.sessions.iter();
        all.filter(move |(_, session)| session.shown == shown)
            .map(|(id, session)| (*id, session))
    }

    /// The sessions, the newest link first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (LinkId, &Session)> {
        let all = (0..self.sessions.len()).rev();
        all.filter_map(|at| self.sessions.get_indexed(at))
            .map(|(link, session)| (*link, session))
    }

    /// The number of links.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Every link.
    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.sessions.keys().copied().collect()
    }

    /// Every link, when none is needed any more.
    pub(crate) fn into_ids(self) -> impl Iterator<Item = LinkId> {
        self.sessions.into_iter().map(|(id, _)| id)
    }

    /// A member's link is blocked. False if it is owed more answers than it may be: the frame that
    /// found no room may have been a batch of them.
    pub(crate) fn block(&mut self, id: LinkId, about: About, frame: &Bytes) -> bool {
        let Some(member) = self.get_mut(id) else {
            return true;
        };
        let has_room = member.owed.get_or_insert_default().add(about, frame);
        if self.blocked.insert(id, ()).is_none() {
            self.recipients = None;
        }
        has_room
    }

    /// A member's link is writable again: returns the content that it is owed. `None` if it was not
    /// blocked.
    pub(crate) fn unblock(&mut self, id: LinkId) -> Option<Owed> {
        let owed = self.get_mut(id)?.owed.take()?;
        self.blocked.remove(&id);
        self.recipients = None;
        Some(*owed)
    }

    /// Adds content to everything that blocked links are owed.
    pub(crate) fn owe_all(&mut self, about: About, frame: &Bytes) {
        let blocked = std::mem::take(&mut self.blocked);
        for id in blocked.keys() {
            if let Some(owed) = self.get_mut(*id).and_then(|member| member.owed.as_mut()) {
                // Presence and state take no room.
                owed.add(about, frame);
            }
        }
        self.blocked = blocked;
    }

    /// The recipients of a broadcast: every member's link that is not blocked.
    pub(crate) fn recipients(&mut self) -> Arc<[LinkId]> {
        if let Some(recipients) = &self.recipients {
            return Arc::clone(recipients);
        }
        let recipients: Arc<[LinkId]> = self
            .by_device
            .iter()
            .copied()
            .filter(|id| !self.blocked.contains_key(id))
            .collect();
        self.recipients = Some(Arc::clone(&recipients));
        recipients
    }
}
