//! Who is let in: the owner's end of the handshake, and the first sync.

use hustings_protocol::handshake::{Nonce, Side};
use hustings_protocol::{Envelope, ErrorCode, Hello, Message, PeerInfo, Proof, Rejection};

use super::Owner;
use super::links::{Phase, Session};
use crate::handshake::{challenge, new_nonce, owner_transcript, unknown_poll};
use crate::liveness::Liveness;
use crate::{LinkId, Moment, Output};

impl Owner {
    pub(super) fn handshake(&mut self, link: LinkId, envelope: &Envelope<'_>, now: Moment) {
        let Some(state) = self.links.get_mut(link) else {
            return;
        };
        let message = Message::from_envelope(envelope, &self.config.limits);
        match (&state.phase, message) {
            (Phase::AwaitHello, Ok(Message::Hello(hello))) => self.challenge(link, hello),
            (Phase::AwaitProof { hello, nonce }, Ok(Message::Proof(proof))) => {
                let (hello, nonce) = (*hello, *nonce);
                self.check_proof(link, hello, nonce, &proof, now);
            }
            (Phase::AwaitHello | Phase::AwaitProof { .. } | Phase::Member(_), Err(error)) => {
                self.fail_handshake(link, error.rejection);
            }
            (Phase::AwaitHello | Phase::AwaitProof { .. } | Phase::Member(_), Ok(_)) => {
                let rejection = Rejection::new(
                    ErrorCode::HandshakeFailed,
                    "a link begins with auth:hello, and auth:proof after the challenge",
                );
                self.fail_handshake(link, rejection);
            }
        }
    }

    pub(super) fn challenge(&mut self, link: LinkId, hello: Hello) {
        let nonce = new_nonce(&mut self.rng);
        let Some(state) = self.links.get_mut(link) else {
            return;
        };
        match challenge(&self.key, &hello, nonce, &state.binding) {
            Ok(challenge) => {
                state.phase = Phase::AwaitProof { hello, nonce };
                self.send(link, &challenge);
            }
            Err(rejection) => return self.fail_handshake(link, rejection),
        }
        if hello.poll_id != self.room.poll_id {
            self.fail_handshake(link, unknown_poll(hello.poll_id));
        }
    }

    pub(super) fn check_proof(
        &mut self,
        link: LinkId,
        hello: Hello,
        nonce: Nonce,
        proof: &Proof,
        now: Moment,
    ) {
        let Some(state) = self.links.get_mut(link) else {
            return;
        };
        let proved = owner_transcript(self.room.owner, &hello, nonce, &state.binding)
            .verify(Side::Participant, &proof.signature);
        if let Err(error) = proved {
            let rejection = Rejection::new(ErrorCode::BadSignature, error.to_string());
            return self.fail_handshake(link, rejection);
        }
        let member = Session {
            peer: hello.peer_id,
            device: hello.device,
            oldest: hello.oldest_seq,
            liveness: Liveness::new(&self.config, now),
            owed: None,
        };
        if let Some(old) = self.links.admit(link, member) {
            self.links.remove(old);
            self.outputs.push_back(Output::Hangup { link: old });
        }
        self.welcome(link, &hello);
    }

    /// The first sync, at once, and then who is here: that is what ends the joining.
    pub(super) fn welcome(&mut self, link: LinkId, hello: &Hello) {
        let known = hello.epoch.zip(hello.revision);
        self.check_rollback(link, known);
        self.sync(link, known);
        self.send_discovery(link);
        self.presence_changed(
            PeerInfo {
                peer_id: hello.peer_id,
                device: hello.device,
                online: true,
            },
            Some(link),
        );
    }

    pub(super) fn fail_handshake(&mut self, link: LinkId, rejection: Rejection) {
        self.fault(link, None, rejection);
        self.hang_up(link);
    }
}
