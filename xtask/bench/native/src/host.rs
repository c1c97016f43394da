//! The owner: a process that hosts one poll and tells what it uses.

use anyhow::Result;
use hustings_protocol::{Ballots, PollDraft};

use crate::parts;
use crate::person::{Person, transport};

/// The poll of everybody.
pub(crate) fn draft(is_secret: bool) -> PollDraft {
    let mut draft = PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"]);
    if is_secret {
        draft.ballots = Ballots::Secret;
    }
    draft
}

/// Hosts until whoever has started this process is gone.
pub(crate) async fn serve(port: u16, is_secret: bool) -> Result<()> {
    let owner = Person::new()?;
    let hosting = owner.host(transport(port, &owner.owner_address())?)?;
    let poll = hosting.create(draft(is_secret)).await?;
    parts::say(&poll.id().to_string())?;
    parts::answer(async |_| Ok(None)).await
}
