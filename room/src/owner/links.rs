//! Everybody who is connected to an owner.

use std::sync::Arc;

use hustings_protocol::{CommandId, DeviceId, Envelope, Hello, Kind, Limits, Message, PeerId, Seq};
use litemap::LiteMap;

use crate::liveness::Liveness;
use crate::{LinkId, Moment, TimeoutReason};

/// A link whose other end has proved who it is.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) peer: PeerId,
    pub(crate) device: DeviceId,
    /// The oldest command that it may still send.
    pub(crate) oldest: Seq,
    pub(crate) liveness: Liveness,
    /// The deadline under which the link is known to [`Links`].
    scheduled: Moment,
    /// The transport had no room for something. Nothing is sent until it has, and then this.
    pub(crate) owed: Option<Owed>,
}

impl Session {
    pub(crate) fn new(hello: &Hello, liveness: Liveness) -> Self {
        Self {
            peer: hello.peer_id,
            device: hello.device,
            oldest: hello.oldest_seq,
            scheduled: liveness.deadline(),
            liveness,
            owed: None,
        }
    }
}

/// What a blocked link has missed. It does not grow with what happens: updates become one
/// snapshot, comings and goings one list, and a device has so many commands unanswered at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owed {
    /// Each command once; no more of them than a device may have unanswered.
    pub(crate) answers: Vec<CommandId>,
    pub(crate) presence: bool,
    pub(crate) state: bool,
}

/// What a frame is about, for when there is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// How this command ended.
    Command(CommandId),
    /// Who came or went.
    Presence,
    /// The poll, or a change of it.
    State,
    /// Nothing that would be missed.
    Nothing,
}

impl About {
    /// What a frame that an owner sends is about.
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
            Ok(kind) if kind == Kind::PollState || kind.is_command() => Self::State,
            // A ping that is not sent is not answered, and asked again.
            Ok(_) | Err(_) => Self::Nothing,
        }
    }
}

impl Owed {
    pub(crate) fn add(&mut self, about: About) {
        match about {
            About::Command(command_id) => {
                if !self.answers.contains(&command_id) {
                    self.answers.push(command_id);
                }
            }
            About::Presence => self.presence = true,
            About::State => self.state = true,
            About::Nothing => {}
        }
    }
}

/// The members' links, their deadlines, and who gets what everybody gets.
#[derive(Debug, Default)]
pub(crate) struct Links {
    sessions: LiteMap<LinkId, Session>,
    /// When each link is to be looked at. It is what `handle_timeout` asks for, at each input, so it
    /// is sorted here rather than searched for among the sessions.
    deadlines: LiteMap<(Moment, LinkId), ()>,
    by_device: LiteMap<(PeerId, DeviceId), LinkId>,
    blocked: LiteMap<LinkId, ()>,
    /// Members that are not blocked; made when it is needed.
    recipients: Option<Arc<[LinkId]>>,
}

impl Links {
    pub(crate) fn get(&self, id: LinkId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// Lets a link in. Returns the link that the same device had before: a device has one, and the
    /// old one is usually a connection that died without a word.
    pub(crate) fn admit(&mut self, id: LinkId, session: Session) -> Option<LinkId> {
        let device = (session.peer, session.device);
        self.deadlines.insert((session.scheduled, id), ());
        self.sessions.insert(id, session);
        self.recipients = None;
        self.by_device.insert(device, id)
    }

    /// Removes a link. Returns who was there, unless they are there on another link by now.
    pub(crate) fn remove(&mut self, id: LinkId) -> Option<(PeerId, DeviceId)> {
        let session = self.sessions.remove(&id)?;
        self.deadlines.remove(&(session.scheduled, id));
        self.blocked.remove(&id);
        self.recipients = None;
        let device = (session.peer, session.device);
        if self.by_device.get(&device) == Some(&id) {
            self.by_device.remove(&device);
            Some(device)
        } else {
            None
        }
    }

    /// Moves a link's deadline.
    pub(crate) fn schedule(&mut self, id: LinkId, deadline: Moment) {
        if let Some(session) = self.sessions.get_mut(&id) {
            self.deadlines.remove(&(session.scheduled, id));
            session.scheduled = deadline;
            self.deadlines.insert((deadline, id), ());
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<(Moment, TimeoutReason)> {
        let ((at, _), ()) = self.deadlines.first()?;
        Some((*at, TimeoutReason::Liveness))
    }

    /// The first link whose deadline has come.
    pub(crate) fn first_due(&self, now: Moment) -> Option<LinkId> {
        let ((at, id), ()) = self.deadlines.first()?;
        (*at <= now).then_some(*id)
    }

    /// The members' devices, in order.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (PeerId, DeviceId)> {
        self.by_device.keys().copied()
    }

    /// Every link.
    pub(crate) fn into_ids(self) -> impl Iterator<Item = LinkId> {
        self.sessions.into_iter().map(|(id, _)| id)
    }

    /// A member's link has no room.
    pub(crate) fn block(&mut self, id: LinkId, about: About) {
        if let Some(member) = self.get_mut(id) {
            member.owed.get_or_insert_default().add(about);
            if self.blocked.insert(id, ()).is_none() {
                self.recipients = None;
            }
        }
    }

    /// A member's link has room again: what it has missed, and who is there.
    pub(crate) fn unblock(&mut self, id: LinkId) -> Option<(PeerId, DeviceId, Owed)> {
        let member = self.get_mut(id)?;
        let relieved = (member.peer, member.device, member.owed.take()?);
        self.blocked.remove(&id);
        self.recipients = None;
        Some(relieved)
    }

    /// Everybody who is blocked misses this.
    pub(crate) fn owe_all(&mut self, about: About) {
        let blocked = std::mem::take(&mut self.blocked);
        for id in blocked.keys() {
            if let Some(owed) = self.get_mut(*id).and_then(|member| member.owed.as_mut()) {
                owed.add(about);
            }
        }
        self.blocked = blocked;
    }

    /// Who gets what everybody gets.
    pub(crate) fn recipients(&mut self) -> Arc<[LinkId]> {
        if let Some(recipients) = &self.recipients {
            return Arc::clone(recipients);
        }
        let recipients: Arc<[LinkId]> = self
            .by_device
            .values()
            .copied()
            .filter(|id| !self.blocked.contains_key(id))
            .collect();
        self.recipients = Some(Arc::clone(&recipients));
        recipients
    }
}
