//! The owner's end of the handshake: three frames, after which a link belongs to a known peer.

use hustings_protocol::handshake::{Nonce, Side, VERSION};
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Challenge, Envelope, ErrorCode, Hello, MAX_SAFE_INTEGER, Message, PollId, Proof, Rejection,
};

use litemap::LiteMap;

use super::{Host, busy};
use crate::handshake::{new_nonce, owner_transcript};
use crate::owner::removed;
use crate::{ChannelBinding, LinkId, Moment, Output, Setup};

/// A link whose other end has not proved who it is.
#[derive(Debug)]
pub(super) struct Handshake {
    binding: ChannelBinding,
    deadline: Moment,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// No frame has arrived yet.
    Greeting,
    /// The poll that the link asks for is not open yet.
    Opening { hello: Hello },
    /// The challenge is out.
    Challenged { hello: Hello, nonce: Nonce },
}

impl Handshake {
    pub(super) fn new(binding: ChannelBinding, deadline: Moment) -> Self {
        Self {
            binding,
            deadline,
            phase: Phase::Greeting,
        }
    }

    /// The open poll that it has asked for.
    pub(super) fn poll_id(&self) -> Option<PollId> {
        self.phase.poll_id()
    }

    /// The poll that it waits for, if it does.
    pub(super) fn awaited(&self) -> Option<PollId> {
        match &self.phase {
            Phase::Opening { hello } => Some(hello.poll_id),
            Phase::Greeting | Phase::Challenged { .. } => None,
        }
    }

    fn has_challenge_of(&self, poll_id: PollId) -> bool {
        matches!(&self.phase, Phase::Challenged { hello, .. } if hello.poll_id == poll_id)
    }
}

/// The links in the handshake, and their deadlines, earliest first: whatever their number, the
/// next one is at hand.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    links: LiteMap<LinkId, Handshake>,
    deadlines: LiteMap<(Moment, LinkId), ()>,
}

impl Handshakes {
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn insert(&mut self, link: LinkId, handshake: Handshake) {
        self.deadlines.insert((handshake.deadline, link), ());
        self.links.insert(link, handshake);
    }

    pub(super) fn remove(&mut self, link: LinkId) -> Option<Handshake> {
        let handshake = self.links.remove(&link)?;
        self.deadlines.remove(&(handshake.deadline, link));
        if self.links.is_empty() {
            // Nothing is kept for a crowd that has come.
            *self = Self::default();
        }
        Some(handshake)
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|((at, _), ())| *at)
    }

    /// Takes the one whose deadline is first: of those that wait for the same, the oldest.
    pub(super) fn take_oldest(&mut self) -> Option<(LinkId, Handshake)> {
        let ((_, link), ()) = self.deadlines.first()?;
        let link = *link;
        Some((link, self.remove(link)?))
    }

    /// Takes one whose deadline has come.
    fn take_due(&mut self, now: Moment) -> Option<(LinkId, Handshake)> {
        self.next_deadline().filter(|at| *at <= now)?;
        self.take_oldest()
    }

    pub(super) fn links_where(&self, is_one: &dyn Fn(&Handshake) -> bool) -> Vec<LinkId> {
        let handshakes = self.links.iter();
        handshakes
            .filter(|(_, handshake)| is_one(handshake))
            .map(|(link, _)| *link)
            .collect()
    }
}

impl Host {
    /// Reads a frame on a link in the handshake. The caller has taken `handshake` out of the map;
    /// it is put back if it goes on.
    pub(super) fn receive_in_handshake(
        &mut self,
        link: LinkId,
        handshake: Handshake,
        frame: &[u8],
        now: Moment,
    ) {
        let limits = &self.config.limits;
        // A participant's frames, and so its greeting, are no larger than a command.
        let message = Envelope::parse(frame, limits.max_command_bytes, limits)
            .and_then(|envelope| Message::from_envelope(&envelope, limits));
        let Handshake {
            binding,
            deadline,
            phase,
        } = handshake;
        match (phase, message) {
            (Phase::Greeting, Ok(Message::Hello(hello))) => {
                self.receive_hello(link, binding, deadline, hello, now);
            }
            (Phase::Challenged { hello, nonce }, Ok(Message::Proof(proof))) => {
                self.receive_proof(link, &binding, &hello, nonce, &proof, now);
            }
            (phase, Err(error)) => self.turn_away(link, phase.poll_id(), error.rejection),
            (phase, Ok(_)) => {
                let message = match phase {
                    Phase::Greeting => "the first frame must be auth:hello",
                    Phase::Opening { .. } => {
                        "after auth:hello a participant must wait for auth:challenge"
                    }
                    Phase::Challenged { .. } => "only auth:proof may follow auth:challenge",
                };
                let rejection = Rejection::new(ErrorCode::HandshakeFailed, message);
                self.turn_away(link, phase.poll_id(), rejection);
            }
        }
    }

    fn receive_hello(
        &mut self,
        link: LinkId,
        binding: ChannelBinding,
        deadline: Moment,
        hello: Hello,
        now: Moment,
    ) {
        if hello.v != VERSION {
            let message = format!(
                "protocol version {} is not supported, only {VERSION}",
                hello.v
            );
            let rejection = Rejection::new(ErrorCode::UnsupportedVersion, message);
            return self.turn_away(link, None, rejection);
        }
        if self.owners.contains_key(&hello.poll_id) {
            return self.challenge(link, binding, deadline, hello, now);
        }
        if self.may_be_opened(hello.poll_id, now) {
            // `challenge_waiting` gives it its whole time for the proof.
            let handshake = Handshake {
                binding,
                deadline: now + self.config.opening_grace,
                phase: Phase::Opening { hello },
            };
            self.handshakes.insert(link, handshake);
            return;
        }
        self.refuse_unknown(link, &binding, &hello);
    }

    /// True if a poll that is not open has a journal, or may have one.
    fn may_be_opened(&self, poll_id: PollId, now: Moment) -> bool {
        if planted::is_on(Fault::GraceByClock) {
            return now < self.grace_until;
        }
        let journals = self.journals.as_ref();
        journals.is_none_or(|journals| journals.contains_key(&poll_id))
    }

    /// A link has waited long enough for a poll to be opened.
    pub(super) fn end_wait(&mut self, link: LinkId) {
        if let Some(Handshake {
            binding,
            phase: Phase::Opening { hello },
            ..
        }) = self.handshakes.remove(link)
        {
            self.refuse_waiting(link, &binding, &hello);
        }
    }

    fn refuse_waiting(&mut self, link: LinkId, binding: &ChannelBinding, hello: &Hello) {
        // No time is left: only journals count.
        let at_the_end = self.grace_until;
        if self.may_be_opened(hello.poll_id, at_the_end) {
            let message = "the owner has not opened this poll, try again later";
            let rejection = Rejection::new(ErrorCode::PollNotOpen, message);
            self.turn_away(link, None, rejection);
        } else {
            self.refuse_unknown(link, binding, hello);
        }
    }

    /// Proves who this side is, and asks the same of the other end.
    fn challenge(
        &mut self,
        link: LinkId,
        binding: ChannelBinding,
        deadline: Moment,
        hello: Hello,
        now: Moment,
    ) {
        // A clock that shows what no number of JavaScript can is not told.
        let time = Setup::unix_at(self.unix_millis, now);
        let time = Some(time).filter(|time| *time <= MAX_SAFE_INTEGER);
        let nonce = self.send_challenge(link, &binding, &hello, time);
        let handshake = Handshake {
            binding,
            deadline,
            phase: Phase::Challenged { hello, nonce },
        };
        self.handshakes.insert(link, handshake);
    }

    fn receive_proof(
        &mut self,
        link: LinkId,
        binding: &ChannelBinding,
        hello: &Hello,
        nonce: Nonce,
        proof: &Proof,
        now: Moment,
    ) {
        let proved = owner_transcript(self.peer, hello, nonce, binding)
            .verify(Side::Participant, &proof.signature);
        if let Err(error) = proved {
            let rejection = Rejection::new(ErrorCode::BadSignature, error.to_string());
            return self.turn_away(link, Some(hello.poll_id), rejection);
        }
        let owner = self.owners.get(&hello.poll_id);
        if owner.is_some_and(|owner| owner.is_device(hello.peer_id, hello.device))
            && !planted::is_on(Fault::OwnerJoins)
        {
            // A list of peers that begins with this device is a complete one: it cannot be in it
            // twice.
            let message = "this device hosts the poll, so it cannot join it as well";
            let rejection = Rejection::new(ErrorCode::HandshakeFailed, message);
            return self.turn_away(link, Some(hello.poll_id), rejection);
        }
        if owner.is_some_and(|owner| owner.poll().is_removed(hello.peer_id)) {
            return self.turn_away(link, Some(hello.poll_id), removed());
        }
        if let Err(rejection) = self.make_room(hello) {
            return self.turn_away(link, Some(hello.poll_id), rejection);
        }
        // Before `admit`, so that the link has its route when the outputs are taken.
        self.routes.insert(link, hello.poll_id);
        self.with(hello.poll_id, |owner| owner.admit(link, hello, now));
    }

    /// Finds a place for a peer that has proved who it is; where there is none, whoever has the
    /// least standing goes without.
    fn make_room(&mut self, hello: &Hello) -> Result<(), Rejection> {
        let (peer, device) = (hello.peer_id, hello.device);
        let Some(owner) = self.owners.get(&hello.poll_id) else {
            return Ok(());
        };
        if planted::is_on(Fault::StrangersTakeLinks) {
            return Ok(());
        }
        owner.check_device(peer, device)?;
        if owner.is_connected(peer, device) {
            // Its new link replaces the old one.
            return Ok(());
        }
        let has_standing = owner.has_standing(peer);
        let own = owner.links_of(peer);
        if own.len() >= self.config.max_links_per_peer
            && let Some(oldest) = own.into_iter().min()
        {
            self.give_up(hello.poll_id, oldest);
        } else if self.routes.len() >= self.config.max_links {
            self.notice_full();
            if !has_standing {
                return Err(busy());
            }
            let mut owners = self.owners.iter();
            let least = owners.find_map(|(poll_id, owner)| Some((*poll_id, owner.least()?)));
            let (poll_id, link) = least.ok_or_else(busy)?;
            self.give_up(poll_id, link);
        }
        Ok(())
    }

    /// Closes a link that has to make room for another.
    fn give_up(&mut self, poll_id: PollId, link: LinkId) {
        self.with(poll_id, |owner| owner.give_up(link, busy()));
    }

    /// Proves who this side is, and refuses. Without the proof the participant would not believe
    /// that the refusal is the owner's.
    fn refuse_unknown(&mut self, link: LinkId, binding: &ChannelBinding, hello: &Hello) {
        // Its nonce is not needed: the link is closed before a proof could arrive.
        self.send_challenge(link, binding, hello, None);
        let message = format!("the owner has no poll {}", hello.poll_id);
        self.turn_away(link, None, Rejection::new(ErrorCode::UnknownPoll, message));
    }

    fn send_challenge(
        &mut self,
        link: LinkId,
        binding: &ChannelBinding,
        hello: &Hello,
        time: Option<u64>,
    ) -> Nonce {
        let owner = self.owners.get(&hello.poll_id);
        let last_seq = owner.and_then(|owner| owner.last_seq(hello.peer_id, hello.device));
        let nonce = new_nonce(&mut self.rng);
        let transcript = owner_transcript(self.peer, hello, nonce, binding);
        let challenge = Challenge {
            v: VERSION,
            peer_id: self.peer,
            nonce,
            last_seq,
            time,
            signature: transcript.sign(Side::Owner, &self.key),
        };
        self.send(link, &Message::Challenge(challenge));
        nonce
    }

    /// A poll is open now: the links that wait for it get their whole time for the proof.
    pub(super) fn challenge_waiting(&mut self, poll_id: PollId, now: Moment) {
        let deadline = now + self.config.handshake_timeout;
        let waiting = |handshake: &Handshake| handshake.awaited() == Some(poll_id);
        for link in self.handshakes.links_where(&waiting) {
            if let Some(Handshake {
                binding,
                phase: Phase::Opening { hello },
                ..
            }) = self.handshakes.remove(link)
            {
                self.challenge(link, binding, deadline, hello, now);
            }
        }
    }

    /// A poll is closed: a proof for it would come too late.
    pub(super) fn end_handshakes_of(&mut self, poll_id: PollId) {
        let challenged = |handshake: &Handshake| handshake.has_challenge_of(poll_id);
        for link in self.handshakes.links_where(&challenged) {
            self.handshakes.remove(link);
            self.outputs.push_back(Output::Hangup { link });
        }
    }

    pub(super) fn end_late_handshakes(&mut self, now: Moment) {
        while let Some((link, Handshake { binding, phase, .. })) = self.handshakes.take_due(now) {
            if let Phase::Opening { hello } = &phase {
                self.refuse_waiting(link, &binding, hello);
            } else {
                let message = "the handshake took too long";
                let rejection = Rejection::new(ErrorCode::HandshakeFailed, message);
                self.turn_away(link, phase.poll_id(), rejection);
            }
        }
    }
}

impl Phase {
    /// The open poll that the link has asked for.
    fn poll_id(&self) -> Option<PollId> {
        match self {
            Self::Greeting | Self::Opening { .. } => None,
            Self::Challenged { hello, .. } => Some(hello.poll_id),
        }
    }
}
