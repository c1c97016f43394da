//! The journal of a poll in which much was voted.

use hustings_outbox::Batch;
use hustings_room::driver::records;

use super::hall::{Hall, NOW};
use super::{Votes, poll, setup};

/// The votes of one person.
const EACH: u64 = 100;

/// Has so many votes cast, and their records committed, a few hundred at a time. The voters come
/// and go: nobody has to be told.
pub(crate) fn written(votes: u64, mut commit: impl FnMut(Batch)) {
    let mut hall = Hall::keeping(poll(), Some(Vec::new()));
    let mut batch = Batch::new();
    for voter in 0..votes.div_ceil(EACH) {
        hall.join(voter);
        let link = hall.links[voter as usize];
        let mut own = Votes::of(&poll());
        for _ in 0..EACH.min(votes - voter * EACH) {
            hall.say(link, &own.frame(), NOW);
            for persist in hall.records.iter_mut().flat_map(|it| it.drain(..)) {
                records::stage(&mut batch, setup().device, persist);
            }
        }
        hall.leave(link, NOW);
        commit(std::mem::take(&mut batch));
    }
}
