//! Whole schedules of the simulator, whose choices are the bytes: the real drivers, with crashes,
//! old copies, liars and clocks. Its oracle says which guarantee is broken.

use crate::sim::schedule::run_drawn;
use crate::sim::{Kind, Plan};

/// The most steps of a schedule: as many as its bytes can say much about.
const MAX_STEPS: usize = 60;
/// About so many bytes are drawn in a step.
const BYTES_OF_A_STEP: usize = 4;

pub(super) fn run(bytes: &[u8]) {
    let [kind, seed, choices @ ..] = bytes else {
        return;
    };
    let steps = (choices.len() / BYTES_OF_A_STEP).min(MAX_STEPS);
    // One kind of fault alone, or, as often as any of them, several.
    let kind = Kind::HELD.get(usize::from(*kind) % (Kind::HELD.len() + 1));
    let kind = *kind.unwrap_or(&Kind::Mixed);
    let plan = Plan {
        kind,
        // Whoever runs it says whether they are made.
        signs: false,
        ..Plan::new(u64::from(*seed), steps)
    };
    if let Err(violation) = run_drawn(&plan, choices.to_vec()) {
        panic!("{kind:?}, seed {seed}, {steps} steps: {violation}");
    }
}
