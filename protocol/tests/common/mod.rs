//! Common parts of this crate's tests: short ways to make values, and strategies for all of them.

#![allow(
    dead_code,
    reason = "every test file uses its own part of what is shared"
)]

pub(crate) mod alike;
pub(crate) mod messages;
pub(crate) mod polls;
pub(crate) mod transcript;

use hustings_protocol::{CommandId, DeviceId, InvitationSecret, OptionId, PeerId, PollId};
use proptest::prelude::ProptestConfig;
use uuid::Uuid;

/// Proptest as it is, but without files of failed cases beside the tests: a failure prints its
/// smallest case, and what is worth keeping becomes a test of its own. `PROPTEST_CASES` counts.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Bytes that are told apart by one number, and no two of which are alike: whoever reads them in
/// another order, or leaves one out, reads something else.
pub(crate) const fn spread<const N: usize>(number: u8) -> [u8; N] {
    let mut bytes = [number; N];
    let mut index = 1;
    while index < N {
        bytes[index] = bytes[index - 1].wrapping_add(37);
        index += 1;
    }
    bytes
}

/// A peer. No key belongs to it: the rules never ask for one.
pub(crate) fn peer(number: u8) -> PeerId {
    PeerId::from_bytes(spread(number))
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes(spread(number))
}

pub(crate) fn poll_id(number: u8) -> PollId {
    PollId::from_uuid(uuid(number))
}

pub(crate) fn option_id(number: u8) -> OptionId {
    OptionId::from_uuid(uuid(number))
}

pub(crate) fn secret(number: u8) -> InvitationSecret {
    InvitationSecret::from_bytes(spread(number))
}

pub(crate) fn command_id(number: u8) -> CommandId {
    CommandId::new(1_790_000_000_000, spread(number))
}

fn uuid(number: u8) -> Uuid {
    uuid::Builder::from_random_bytes(spread(number)).into_uuid()
}
