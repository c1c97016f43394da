//! The loop of whoever has a machine and no driver.

use hustings_room::{Machine, Output};

/// Hands on everything that a machine wants done, in its order. Whoever keeps a record as it comes
/// has kept it before anything that follows it, which is all that the write-ahead rule asks.
pub(crate) fn drain(machine: &mut impl Machine, mut act: impl FnMut(Output)) {
    while let Some(output) = machine.poll_output() {
        act(output);
    }
}
