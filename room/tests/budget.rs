//! The cost of hostile peers to an owner: memory and work, counted by its allocations.
//!
//! The schedules are those of the simulator. They are run here, and not beside the others, because
//! an allocator that counts is slower.

#![cfg(not(target_family = "wasm"))]

#[allow(
    dead_code,
    unused_imports,
    reason = "the simulator has more than is used here"
)]
mod sim;

use hustings_protocol::WINDOW;
use sim::cost::{Cost, Counted, Meter};
use sim::schedule::{MAX_LINKS, MAX_STRANGER_RECEIPTS};
use sim::{Kind, Plan, Plant};

const METER: Meter = Meter {
    measure: |then| {
        let info = allocation_counter::measure(then);
        Counted {
            count: info.count_total,
            bytes: info.bytes_total,
            left: info.bytes_current,
        }
    },
    opt_out: |then| allocation_counter::opt_out(then),
};

/// The schedules of each kind, and their steps.
const SEEDS: u64 = 3;
const STEPS: usize = 240;

/// The kinds in which somebody wants the owner to do more than it should.
const HOSTILE: [Kind; 4] = [Kind::Hostile, Kind::Crowd, Kind::FewLinks, Kind::Floods];

/// The cost of the owner in some schedules of a kind.
fn cost(kind: Kind, plant: Option<Plant>) -> Cost {
    let mut total = Cost::default();
    for seed in 0..SEEDS {
        let plan = Plan {
            meter: Some(METER),
            steps: STEPS,
            plant,
            ..Plan::of(kind, seed)
        };
        let report = sim::run(&plan).unwrap_or_else(|broken| panic!("{kind:?} {seed}: {broken}"));
        total.add(&report.cost);
    }
    println!(
        "{kind:?}: {} inputs of {} bytes, {} allocations of {} bytes, at most {} for one input; \
         {} owners kept at most {:?} bytes",
        total.inputs,
        total.input_bytes,
        total.count,
        total.bytes,
        total.most,
        total.kept.len(),
        total.kept.iter().map(|(_, bytes)| bytes).max()
    );
    total
}

/// The bytes that an owner may keep, whoever asks it for something.
///
/// The allocations of one thing are rounded up to what is easily multiplied: a record of a member
/// or of a device is some hundred bytes with what a map needs for it, an answer that a link is owed
/// an id.
fn budget(members: u64) -> u64 {
    const KIB: u64 = 1024;
    // The schedules have four devices of honest people, and the owner's own.
    let devices = members.max(5);
    let receipts = WINDOW * 128;
    let strangers = 256 * MAX_STRANGER_RECEIPTS as u64;
    let links = MAX_LINKS as u64 * WINDOW * 64;
    // The poll itself, the channels of the driver and its events, and what waits for a snapshot.
    let own = 160 * KIB;
    own + devices * (receipts + KIB) + links + strangers
}

/// The first sample that is over the budget.
fn over_budget(cost: &Cost) -> Option<(u64, u64)> {
    let mut kept = cost.kept.iter().copied();
    kept.find(|(members, bytes)| *bytes > budget(*members))
}

/// An input may cost so much more in a hostile world than in one of honest people.
fn works_too_much(cost: &Cost, honest: &Cost) -> bool {
    let count = cost.count * honest.inputs > 2 * honest.count * cost.inputs;
    let bytes = cost.bytes * honest.inputs > 2 * honest.bytes * cost.inputs;
    count || bytes
}

#[test]
fn hostile_peers_cost_no_more_than_honest_ones() {
    let honest = cost(Kind::Plain, None);
    for kind in HOSTILE {
        let cost = cost(kind, None);
        assert!(
            cost.inputs > 500 && cost.kept.len() > 5,
            "{kind:?}: {cost:?}"
        );
        assert_eq!(over_budget(&cost), None, "{kind:?}");
        assert!(
            !works_too_much(&cost, &honest),
            "{kind:?}: {cost:?} {honest:?}"
        );
        assert!(cost.most < 500, "{kind:?}: {} for one input", cost.most);
    }
}

#[test]
fn an_owner_that_hoards_or_toils_is_found() {
    let honest = cost(Kind::Plain, None);
    let hoards = cost(Kind::Crowd, Some(Plant::Hoard));
    assert_ne!(over_budget(&hoards), None);
    let toils = cost(Kind::Crowd, Some(Plant::Toil));
    assert!(works_too_much(&toils, &honest), "{toils:?} {honest:?}");
}
