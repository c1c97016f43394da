//! The people in the tests, and their frames.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::{Nonce, Side, Transcript, VERSION};
use hustings_protocol::{
    Address, Ballots, Challenge, Command, CommandId, DeviceId, Hello, Limits, Message, Numbered,
    OptionAdd, OptionId, PeerId, Poll, PollDraft, PollId, Proof, Revision, Role, RoleUpdate,
    RoomId, Seq, SettingsUpdate, UserProfile, Vote, batch,
};
use hustings_room::{ChannelBinding, Config, OfflinePolicy, Setup};
use uuid::Uuid;

/// Somebody with a key and one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person(pub(crate) u8);

/// The owner.
pub(crate) const ALICE: Person = Person(1);
pub(crate) const BOB: Person = Person(2);
pub(crate) const CAROL: Person = Person(3);
/// An attacker.
pub(crate) const MALLORY: Person = Person(66);

impl Person {
    pub(crate) fn key(self) -> SigningKey {
        SigningKey::from_bytes(&[self.0; 32])
    }

    pub(crate) fn peer(self) -> PeerId {
        PeerId::of(&self.key())
    }

    pub(crate) fn device(self) -> DeviceId {
        DeviceId::from_bytes([self.0; 5])
    }

    /// The address at which this person hosts.
    pub(crate) fn as_owner(self) -> Address {
        Address::Owner(self.peer())
    }

    /// From where this person joins.
    pub(crate) fn as_participant(self) -> Address {
        Address::Participant(self.peer(), self.device())
    }

    /// The `life`th start of this person's process, with other randomness than the ones before.
    pub(crate) fn setup(self, life: u64, config: Config) -> Setup {
        let mut seed = [self.0; 32];
        seed[..8].copy_from_slice(&life.to_be_bytes());
        Setup {
            key: self.key(),
            device: self.device(),
            seed,
            unix_millis: 1_790_000_000_000,
            config,
        }
    }
}

/// Commands wait while the owner is away.
pub(crate) fn queueing() -> Config {
    Config {
        offline: OfflinePolicy::Queue,
        ..Config::default()
    }
}

/// The poll that everybody is in where the test makes the ids.
pub(crate) fn room() -> RoomId {
    RoomId {
        owner: ALICE.peer(),
        poll_id: PollId::from_uuid(Uuid::from_u128(0x9_0000)),
    }
}

pub(crate) fn other_poll() -> PollId {
    PollId::from_uuid(Uuid::from_u128(0xbad))
}

pub(crate) fn option(number: u128) -> OptionId {
    OptionId::from_uuid(Uuid::from_u128(0xa_0000 + number))
}

/// Tea, coffee or water, one choice that everybody sees; voters may add more.
pub(crate) fn draft() -> PollDraft {
    PollDraft::new("Tea or coffee?")
        .ballots(Ballots::Open)
        .options(["Tea", "Coffee", "Water"].map(String::from).to_vec())
        .voters_may_add_options(true)
}

/// The poll of [`draft`] in [`room`], with the options 0, 1 and 2.
pub(crate) fn poll() -> Poll {
    poll_of(draft())
}

/// A poll of this draft in [`room`], with the options 0, 1, 2 …
pub(crate) fn poll_of(draft: PollDraft) -> Poll {
    let mut numbers = 0..;
    let next = || option(numbers.next().expect("there are enough numbers"));
    let RoomId {
        owner,
        poll_id: poll,
    } = room();
    Poll::new(poll, owner, draft, next, &Limits::default()).expect("a sound draft")
}

// Commands. The first argument says of which poll.

pub(crate) fn vote(poll_id: PollId, option_id: OptionId) -> Command {
    let option_ids = vec![option_id];
    Command::Vote(Vote {
        poll_id,
        option_ids,
    })
}

pub(crate) fn add_option(poll_id: PollId, option_id: OptionId, label: &str) -> Command {
    Command::AddOption(OptionAdd {
        poll_id,
        option_id,
        label: label.to_owned(),
    })
}

pub(crate) fn make(poll_id: PollId, who: Person, role: Role) -> Command {
    Command::UpdateRole(RoleUpdate {
        poll_id,
        peer_id: who.peer(),
        role,
    })
}

pub(crate) fn close_poll(poll_id: PollId) -> Command {
    Command::UpdateSettings(SettingsUpdate::new(poll_id).closed(true))
}

pub(crate) fn call_me(name: &str) -> Command {
    Command::SetProfile(UserProfile {
        name: name.to_owned(),
    })
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number).expect("a number that a command can have")
}

pub(crate) fn revision(number: u64) -> Revision {
    Revision::new(number).expect("a revision that there can be")
}

/// A name for a command that the test makes.
pub(crate) fn command_id(number: u64) -> CommandId {
    CommandId::new(1_790_000_000_000 + number, [7; 10])
}

/// The frame of a command with this number; its id is made of the number, too.
pub(crate) fn numbered(number: u64, command: Command) -> Bytes {
    frame_of(number, command_id(number), command)
}

pub(crate) fn frame_of(number: u64, command_id: CommandId, command: Command) -> Bytes {
    let seq = seq(number);
    Message::Command(Numbered {
        command_id,
        seq,
        seen: None,
        command,
    })
    .encode()
}

pub(crate) fn decode(frame: &[u8]) -> Message {
    Message::decode(frame, &Limits::default()).expect("a sound message")
}

/// The messages of a frame, which is one or a batch of them.
pub(crate) fn messages(frame: &Bytes) -> Vec<Bytes> {
    if !batch::is_batch(frame) {
        return vec![frame.clone()];
    }
    let messages = batch::messages(frame, batch::MAX_BYTES).expect("a sound batch");
    assert!(messages.len() > 1, "one message alone is never wrapped");
    messages.into_iter().map(Bytes::copy_from_slice).collect()
}

// The handshake, by hand.

/// The binding of the two ends of the `channel`th channel, from the dialler's view.
pub(crate) fn dialler_binding(channel: u64) -> ChannelBinding {
    ChannelBinding {
        local: Bytes::from(format!("dialler's certificate {channel}")),
        remote: Bytes::from(format!("acceptor's certificate {channel}")),
    }
}

/// The same channel, from its other end.
pub(crate) fn acceptor_binding(channel: u64) -> ChannelBinding {
    let ChannelBinding { local, remote } = dialler_binding(channel);
    ChannelBinding {
        local: remote,
        remote: local,
    }
}

pub(crate) fn nonce(number: u8) -> Nonce {
    Nonce::from_bytes([number; 32])
}

/// A greeting of somebody who has nothing yet.
pub(crate) fn hello(who: Person, room: RoomId) -> Hello {
    Hello {
        v: VERSION,
        poll_id: room.poll_id,
        peer_id: who.peer(),
        device: who.device(),
        nonce: nonce(who.0),
        epoch: None,
        revision: None,
        history: None,
        oldest_seq: Seq::FIRST,
    }
}

/// Another hello of the same person on the same device.
pub(crate) fn another_hello(who: Person, number: u8) -> Hello {
    Hello {
        nonce: nonce(number),
        ..hello(who, room())
    }
}

/// The proof of whoever holds `key` for this hello and challenge, over the channel that `binding`
/// shows from the participant's end.
pub(crate) fn proof(
    key: &SigningKey,
    owner: PeerId,
    hello: &Hello,
    challenge: &Challenge,
    binding: &ChannelBinding,
) -> Message {
    let transcript = transcript(owner, hello, challenge.nonce, binding);
    let signature = transcript.sign(Side::Participant, key);
    Message::Proof(Proof { signature })
}

/// The challenge of whoever holds `key`, over the channel that `binding` shows from the
/// participant's end.
pub(crate) fn challenge(
    key: &SigningKey,
    owner: PeerId,
    hello: &Hello,
    binding: &ChannelBinding,
) -> Message {
    let nonce = nonce(0xee);
    let signature = transcript(owner, hello, nonce, binding).sign(Side::Owner, key);
    Message::Challenge(Challenge {
        v: VERSION,
        peer_id: owner,
        nonce,
        last_seq: None,
        time: None,
        signature,
    })
}

fn transcript<'a>(
    owner: PeerId,
    hello: &Hello,
    owner_nonce: Nonce,
    binding: &'a ChannelBinding,
) -> Transcript<'a> {
    Transcript {
        owner,
        participant: hello.peer_id,
        poll_id: hello.poll_id,
        device: hello.device,
        participant_nonce: hello.nonce,
        owner_nonce,
        owner_binding: &binding.remote,
        participant_binding: &binding.local,
    }
}
