//! The owner, those who join, and the poll that they are in.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::{DeviceId, Limits, OptionId, PeerId, Poll, PollDraft, PollId, RoomId};
use hustings_room::{ChannelBinding, Config, Setup};
use uuid::Uuid;

pub(crate) const OWNER: u8 = 1;

pub(crate) fn key(who: u8) -> SigningKey {
    SigningKey::from_bytes(&[who; 32])
}

pub(crate) fn peer(who: u8) -> PeerId {
    PeerId::of(&key(who))
}

pub(crate) const fn device(who: u8) -> DeviceId {
    DeviceId::from_bytes([who; 5])
}

pub(crate) fn room() -> RoomId {
    RoomId {
        owner: peer(OWNER),
        poll_id: PollId::from_uuid(Uuid::from_u128(0x9_0000)),
    }
}

pub(crate) fn option(number: u8) -> OptionId {
    OptionId::from_uuid(Uuid::from_u128(0xa_0000 + u128::from(number)))
}

pub(crate) fn poll() -> Poll {
    let draft = PollDraft::new("Tea?")
        .options(["Yes", "No"].map(String::from))
        .voters_may_add_options(true);
    let mut numbers = 0..;
    let next = || option(numbers.next().unwrap());
    let RoomId { owner, poll_id } = room();
    Poll::new(poll_id, owner, draft, next, &Limits::default()).unwrap()
}

/// So small that a run can reach every bound.
pub(crate) fn config() -> Config {
    Config {
        max_handshakes: 3,
        max_links: 4,
        ..Config::default()
    }
}

pub(crate) fn setup(who: u8, life: u8) -> Setup {
    Setup {
        key: key(who),
        device: device(who),
        seed: [who ^ life << 4; 32],
        unix_millis: 1_790_000_000_000,
        config: config(),
    }
}

/// A channel, from the end of whoever dialled.
pub(crate) fn dialler(channel: u64) -> ChannelBinding {
    ChannelBinding {
        local: Bytes::from(format!("dialler {channel}")),
        remote: Bytes::from(format!("acceptor {channel}")),
    }
}

/// The same channel, from its other end.
pub(crate) fn acceptor(channel: u64) -> ChannelBinding {
    let ChannelBinding { local, remote } = dialler(channel);
    ChannelBinding {
        local: remote,
        remote: local,
    }
}
