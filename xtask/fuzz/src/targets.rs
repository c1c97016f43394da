//! One file for each target.

mod decoder;
mod framing;
mod host;
mod participant;
mod records;
mod scenario;
mod signalling;
mod texts;

use crate::Target;

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "decoder",
        run: decoder::run,
    },
    Target {
        name: "framing",
        run: framing::run,
    },
    Target {
        name: "host",
        run: host::run,
    },
    Target {
        name: "participant",
        run: participant::run,
    },
    Target {
        name: "records",
        run: records::run,
    },
    Target {
        name: "scenario",
        run: scenario::run,
    },
    Target {
        name: "signalling",
        run: signalling::run,
    },
    Target {
        name: "texts",
        run: texts::run,
    },
];
