//! The participant's end of the handshake: it greets, checks the owner's proof, and gives its own.

use hustings_protocol::handshake::{Side, VERSION};
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{Challenge, ErrorCode, Hello, Message, Proof, Rejection};

use super::{Participant, Phase, Session};
use crate::handshake::{new_nonce, participant_transcript};
use crate::{
    ChannelBinding, CommandState, DownReason, LinkId, Moment, Refused, Setup, TimeoutReason,
};

/// The end of a link whose other end says something else than it should. Nobody has proved who they
/// are yet, so the sentence has nothing of what was said.
pub(super) const NO_HANDSHAKE: &str = "the other side did not follow the handshake";

impl Participant {
    /// The dialled link is up: says who this is, and which copy of the poll it has.
    pub(super) fn greet(&mut self, link: LinkId, binding: ChannelBinding, now: Moment) {
        let known = self.replica.known();
        let hello = Hello {
            v: VERSION,
            poll_id: self.room.poll_id,
            peer_id: self.peer,
            device: self.device,
            nonce: new_nonce(&mut self.rng),
            epoch: known.map(|known| known.epoch),
            revision: known.map(|known| known.revision),
            history: known.and_then(|known| known.history),
            oldest_seq: self.in_flight.oldest(),
        };
        self.timers.stop(TimeoutReason::Dial);
        self.timers.set(
            TimeoutReason::Handshake,
            now + self.config.handshake_timeout,
        );
        self.send(link, &Message::Hello(hello));
        self.phase = Phase::AwaitChallenge {
            link,
            hello,
            binding,
        };
    }

    /// The first frame from the peer at the owner's address.
    pub(super) fn receive_in_handshake(
        &mut self,
        link: LinkId,
        hello: &Hello,
        binding: &ChannelBinding,
        message: Message,
        now: Moment,
    ) {
        match message {
            Message::Challenge(challenge) => {
                self.check_challenge(link, hello, binding, challenge, now);
            }
            // Anybody could have sent it, so it is no reason to give up for good.
            Message::Error(refusal) => {
                self.hang_up(DownReason::refused(refusal.rejection.code), now);
            }
            Message::PollState(_)
            | Message::PollTally(_)
            | Message::Command(_)
            | Message::Update(_)
            | Message::Discovery(_)
            | Message::Ack(_)
            | Message::SyncRequest(_)
            | Message::Hello(_)
            | Message::Proof(_)
            | Message::Ping
            | Message::Pong => {
                let message = "the owner's first frame must be auth:challenge";
                self.fault(link, Rejection::new(ErrorCode::HandshakeFailed, message));
                self.hang_up(DownReason::Lost(NO_HANDSHAKE.to_owned()), now);
            }
        }
    }

    fn check_challenge(
        &mut self,
        link: LinkId,
        hello: &Hello,
        binding: &ChannelBinding,
        challenge: Challenge,
        now: Moment,
    ) {
        // The signature has to be that of the room's owner, whoever the frame claims to be from.
        let transcript = participant_transcript(self.room.owner, hello, challenge.nonce, binding);
        let proved = transcript.verify(Side::Owner, &challenge.signature);
        if let Err(error) = proved {
            // Nothing that anybody but the owner says ends the attempts for good.
            if planted::is_on(Fault::ImpostorIsFinal) {
                let rejection = Rejection::new(ErrorCode::BadSignature, error.to_string());
                return self.refused(Refused::ByOwner(rejection));
            }
            return self.hang_up(DownReason::NotTheOwner, now);
        }
        // After the proof: only the owner itself may end the attempts for good.
        if challenge.v != VERSION {
            let message = format!(
                "the owner uses protocol version {}, not {VERSION}",
                challenge.v
            );
            let rejection = Rejection::new(ErrorCode::UnsupportedVersion, message);
            return self.refused(Refused::ByOwner(rejection));
        }
        if let Some(time) = challenge.time {
            let here = Setup::unix_at(self.unix_millis, now);
            let (time, here) = (i64::try_from(time), i64::try_from(here));
            // But for a clock that was never set, both are far below the end of such numbers.
            self.clock_offset = time.ok().zip(here.ok()).map(|(time, here)| time - here);
        }
        let signature = transcript.sign(Side::Participant, &self.key);
        self.send(link, &Message::Proof(Proof { signature }));
        // From here on the owner may take its time: the poll may be large, and the network slow.
        self.timers.stop(TimeoutReason::Handshake);
        let session = Session::new(link, &self.config, now);
        self.timers
            .set(TimeoutReason::Liveness, session.liveness.deadline());
        self.phase = Phase::Joining(session);
        // An owner that is an old copy has lost what it had applied. It is offered that again.
        let (lost, records) = self.in_flight.meet(challenge.last_seq);
        self.persist_all(records);
        self.view = None;
        for command_id in lost {
            self.command_event(command_id, CommandState::Persisted);
        }
        // The owner reads them after the proof, so there is no round trip to wait for.
        self.send_commands();
    }
}
