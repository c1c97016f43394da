//! The parts of what is measured: polls, people and their frames, and an owner with its links.

pub(crate) mod driven;
pub(crate) mod hall;
pub(crate) mod journal;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Nonce, Side, Transcript, VERSION};
use hustings_protocol::{
    Ballots, Challenge, Command, CommandId, DeviceId, Epoch, Hello, Limits, Message, Numbered,
    OptionId, PeerId, Poll, PollDraft, PollId, Proof, Revision, RoomId, Seen, Seq, Vote,
};
use hustings_room::{ChannelBinding, Config, Setup};

/// Room for everybody and everything that is measured: the defaults stop at what browsers bear.
/// Each vote is told by itself, since what that costs is asked for.
pub(crate) fn config() -> Config {
    Config {
        max_links: 20_000,
        tell_each_vote_up_to: usize::MAX,
        limits: limits(),
        ..Config::default()
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        max_options: 20_000,
        ..Limits::default()
    }
}

/// The owner's setup.
pub(crate) fn setup() -> Setup {
    Setup {
        key: SigningKey::from_bytes(&[1; 32]),
        device: DeviceId::from_bytes([1; 5]),
        seed: [1; 32],
        unix_millis: 0,
        config: config(),
    }
}

/// The setup of the `number`th participant.
pub(crate) fn setup_of(number: u64) -> Setup {
    Setup {
        key: key_of(number),
        device: DeviceId::from_bytes([2; 5]),
        seed: [2; 32],
        unix_millis: 1_790_000_000_000,
        config: config(),
    }
}

/// A poll of which everybody is told each vote.
pub(crate) fn draft() -> PollDraft {
    PollDraft::new("How much?")
        .ballots(Ballots::Open)
        .options(["Little", "Nothing"])
}

pub(crate) fn poll() -> Poll {
    poll_of(draft())
}

pub(crate) fn poll_of(draft: PollDraft) -> Poll {
    let mut number = 0;
    let next_option = || {
        number += 1;
        OptionId::from_uuid(uuid::Uuid::from_u128(number))
    };
    Poll::new(poll_id(), setup().peer(), draft, next_option, &limits()).expect("a sound draft")
}

/// The same poll with so many options.
pub(crate) fn poll_with_options(count: u64, ballots: Ballots) -> Poll {
    let labels = (1..=count).map(|number| format!("Little more than {number}"));
    poll_of(PollDraft::new("How much?").ballots(ballots).options(labels))
}

/// The same poll in which so many people have voted who are not there.
pub(crate) fn poll_with_members(count: u64) -> Poll {
    let mut poll = poll();
    let options = option_ids(&poll);
    for number in 0..count {
        let mut peer = [9; 32];
        peer[..8].copy_from_slice(&number.to_be_bytes());
        let option_ids = vec![options[number as usize % options.len()]];
        let vote = Command::Vote(Vote {
            poll_id: poll_id(),
            option_ids,
        });
        poll.apply(PeerId::from_bytes(peer), &vote, &limits())
            .expect("a vote");
    }
    poll
}

pub(crate) fn option_ids(poll: &Poll) -> Vec<OptionId> {
    poll.options().iter().map(|it| it.option_id).collect()
}

pub(crate) fn poll_id() -> PollId {
    "5f0c9f60-3f3c-4b3e-9d2f-0a1b2c3d4e5f"
        .parse()
        .expect("a UUID")
}

pub(crate) fn room_id() -> RoomId {
    RoomId {
        owner: setup().peer(),
        poll_id: poll_id(),
    }
}

/// Of the `number`th participant.
pub(crate) fn key_of(number: u64) -> SigningKey {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_bytes(&secret)
}

/// The channel between any two: in earnest each has its own.
pub(crate) fn binding() -> ChannelBinding {
    let binding = Bytes::from_static(b"channel");
    ChannelBinding {
        local: binding.clone(),
        remote: binding,
    }
}

pub(crate) fn hello(key: &SigningKey, poll_id: PollId) -> Hello {
    Hello {
        v: VERSION,
        poll_id,
        peer_id: PeerId::of(key),
        device: DeviceId::from_bytes([2; 5]),
        nonce: Nonce::from_bytes([3; 32]),
        epoch: None,
        revision: None,
        history: None,
        oldest_seq: Seq::FIRST,
    }
}

pub(crate) fn challenge_in(frame: &[u8]) -> Option<Challenge> {
    match Message::decode(frame, &limits()) {
        Ok(Message::Challenge(challenge)) => Some(challenge),
        Ok(_) | Err(_) => None,
    }
}

/// The text that both ends sign.
pub(crate) fn transcript<'a>(
    hello: &Hello,
    challenge: &Challenge,
    binding: &'a ChannelBinding,
) -> Transcript<'a> {
    Transcript {
        owner: challenge.peer_id,
        participant: hello.peer_id,
        poll_id: hello.poll_id,
        device: hello.device,
        participant_nonce: hello.nonce,
        owner_nonce: challenge.nonce,
        owner_binding: &binding.remote,
        participant_binding: &binding.local,
    }
}

/// The answer to a challenge.
pub(crate) fn proof(
    key: &SigningKey,
    hello: &Hello,
    challenge: &Challenge,
    binding: &ChannelBinding,
) -> Bytes {
    let signature = transcript(hello, challenge, binding).sign(Side::Participant, key);
    Message::Proof(Proof { signature }).encode()
}

/// Votes of one device, about 200 bytes each, now for this option and now for that.
#[derive(Debug, Clone)]
pub(crate) struct Votes {
    poll_id: PollId,
    options: Vec<OptionId>,
    number: u64,
}

impl Votes {
    pub(crate) fn of(poll: &Poll) -> Self {
        Self {
            poll_id: poll.poll_id(),
            options: option_ids(poll),
            number: 0,
        }
    }

    /// The next one, as this side submits it.
    pub(crate) fn command(&mut self) -> Command {
        self.number += 1;
        let option = self.number as usize % self.options.len();
        Command::Vote(Vote {
            poll_id: self.poll_id,
            option_ids: vec![self.options[option]],
        })
    }

    /// The next one, as it comes over the wire.
    pub(crate) fn frame(&mut self) -> Bytes {
        Message::Command(self.numbered()).encode()
    }

    pub(crate) fn numbered(&mut self) -> Numbered {
        let command = self.command();
        let number = self.number;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        Numbered {
            command_id: CommandId::new(1_790_000_000_000 + number, random),
            seq: Seq::new(number).expect("from one"),
            seen: Some(Seen {
                epoch: Epoch::new(u64::MAX),
                revision: Revision::new(number).expect("it is small"),
            }),
            command,
        }
    }
}
