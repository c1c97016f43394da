//! The owner's end of the handshake: three frames, after which a link is somebody's.

use hustings_protocol::handshake::{Nonce, Side, VERSION};
use hustings_protocol::{Challenge, Envelope, ErrorCode, Hello, Message, PollId, Proof, Rejection};

use super::Host;
use crate::handshake::{new_nonce, owner_transcript};
use crate::{ChannelBinding, LinkId, Moment, Output};

/// A link whose other end has not proved who it is.
#[derive(Debug)]
pub(super) struct Handshake {
    binding: ChannelBinding,
    deadline: Moment,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Nothing has been said yet.
    Greeting,
    /// The poll that it asks for is not hosted yet.
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

    pub(super) fn deadline(&self) -> Moment {
        self.deadline
    }

    fn waits_for(&self, poll_id: PollId) -> bool {
        matches!(&self.phase, Phase::Opening { hello } if hello.poll_id == poll_id)
    }

    fn has_challenge_of(&self, poll_id: PollId) -> bool {
        matches!(&self.phase, Phase::Challenged { hello, .. } if hello.poll_id == poll_id)
    }
}

impl Host {
    /// A frame on a link that is in the handshake. The handshake is not among
    /// [`handshakes`](Host) any more, and is put back where it goes on.
    pub(super) fn receive_in_handshake(
        &mut self,
        link: LinkId,
        handshake: Handshake,
        frame: &[u8],
        now: Moment,
    ) {
        let limits = &self.config.limits;
        // A participant's frames, of which the greeting is one, are no larger than a command.
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
                    Phase::Greeting => "a link begins with auth:hello",
                    Phase::Opening { .. } => {
                        "after auth:hello a participant waits for auth:challenge"
                    }
                    Phase::Challenged { .. } => "auth:proof comes after auth:challenge",
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
            let message = format!("this owner speaks version {VERSION}, not {}", hello.v);
            let rejection = Rejection::new(ErrorCode::UnsupportedVersion, message);
            return self.turn_away(link, None, rejection);
        }
        if self.owners.contains_key(&hello.poll_id) {
            return self.challenge(link, binding, deadline, hello);
        }
        if now < self.opening_until {
            let handshake = Handshake {
                binding,
                deadline: self.opening_until,
                phase: Phase::Opening { hello },
            };
            self.handshakes.insert(link, handshake);
            return;
        }
        self.refuse_unknown(link, &binding, &hello);
    }

    /// Proves who this is, and asks the same of the other end.
    fn challenge(&mut self, link: LinkId, binding: ChannelBinding, deadline: Moment, hello: Hello) {
        let nonce = self.send_challenge(link, &binding, &hello);
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
        self.routes.insert(link, hello.poll_id);
        self.with(hello.poll_id, |owner| owner.admit(link, hello, now));
    }

    /// Proves who this is, so that the refusal is believed, and refuses. A participant believes it
    /// of somebody who has proved to be the owner, and of nobody else.
    fn refuse_unknown(&mut self, link: LinkId, binding: &ChannelBinding, hello: &Hello) {
        self.send_challenge(link, binding, hello);
        let message = format!("this owner hosts no poll {}", hello.poll_id);
        self.turn_away(link, None, Rejection::new(ErrorCode::UnknownPoll, message));
    }

    fn send_challenge(&mut self, link: LinkId, binding: &ChannelBinding, hello: &Hello) -> Nonce {
        let nonce = new_nonce(&mut self.rng);
        let transcript = owner_transcript(self.peer, hello, nonce, binding);
        let challenge = Challenge {
            v: VERSION,
            peer_id: self.peer,
            nonce,
            signature: transcript.sign(Side::Owner, &self.key),
        };
        self.send(link, &Message::Challenge(challenge));
        nonce
    }

    /// A poll is hosted from now on: those who have asked for it have their whole time to answer.
    pub(super) fn challenge_waiting(&mut self, poll_id: PollId, now: Moment) {
        let deadline = now + self.config.handshake_timeout;
        for link in self.handshakes_where(|handshake| handshake.waits_for(poll_id)) {
            if let Some(Handshake {
                binding,
                phase: Phase::Opening { hello },
                ..
            }) = self.handshakes.remove(&link)
            {
                self.challenge(link, binding, deadline, hello);
            }
        }
    }

    /// A poll is hosted no more: a proof for it would come too late.
    pub(super) fn end_handshakes_of(&mut self, poll_id: PollId) {
        for link in self.handshakes_where(|handshake| handshake.has_challenge_of(poll_id)) {
            self.handshakes.remove(&link);
            self.outputs.push_back(Output::Hangup { link });
        }
    }

    pub(super) fn end_late_handshakes(&mut self, now: Moment) {
        for link in self.handshakes_where(|handshake| handshake.deadline <= now) {
            let Some(Handshake { binding, phase, .. }) = self.handshakes.remove(&link) else {
                continue;
            };
            if let Phase::Opening { hello } = &phase {
                self.refuse_unknown(link, &binding, hello);
            } else {
                let message = "the handshake has taken too long";
                let rejection = Rejection::new(ErrorCode::HandshakeFailed, message);
                self.turn_away(link, phase.poll_id(), rejection);
            }
        }
    }

    fn handshakes_where(&self, is_one: impl Fn(&Handshake) -> bool) -> Vec<LinkId> {
        let handshakes = self.handshakes.iter();
        handshakes
            .filter(|(_, handshake)| is_one(handshake))
            .map(|(link, _)| *link)
            .collect()
    }
}

impl Phase {
    /// The hosted poll that the link has asked for.
    fn poll_id(&self) -> Option<PollId> {
        match self {
            Self::Greeting | Self::Opening { .. } => None,
            Self::Challenged { hello, .. } => Some(hello.poll_id),
        }
    }
}
