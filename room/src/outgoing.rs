//! Commands on their way to the owner.

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{CommandId, Message, Numbered, RoomId};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::{Config, Moment, Setup, SubmitError};

/// An id for a new command. The time in it only makes ids sort by age.
pub(crate) fn new_command_id(rng: &mut ChaCha20Rng, unix_millis: u64, now: Moment) -> CommandId {
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    CommandId::new(Setup::unix_at(unix_millis, now), random)
}

/// A command as it will be sent, if it could ever be applied.
pub(crate) fn encode_command(
    config: &Config,
    room: RoomId,
    numbered: Numbered,
) -> Result<Bytes, SubmitError> {
    if let Some(poll_id) = numbered.command.poll_id()
        && poll_id != room.poll_id
    {
        return Err(SubmitError::WrongPoll(poll_id));
    }
    // Not a matter of the poll, so the answer is known here; and once it were stored, each start
    // would find a command that nobody takes.
    let limits = &config.limits;
    if !planted::is_on(Fault::UncheckedSubmit) {
        let checked = numbered.command.check_lengths(limits);
        let checked = checked.and_then(|()| numbered.command.check_text());
        checked.map_err(SubmitError::Invalid)?;
    }
    let frame = Message::Command(numbered).encode();
    let max = limits.max_command_bytes;
    if frame.len() > max {
        return Err(SubmitError::TooLarge {
            bytes: frame.len(),
            max,
        });
    }
    Ok(frame)
}
