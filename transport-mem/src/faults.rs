//! Faults that happen by themselves, and directions of a link.

/// Faults that happen by themselves, drawn from the network's seed.
///
/// ```
/// use hustings_transport_mem::{Faults, Latency, Network};
///
/// let mut network = Network::new(1, Latency::ZERO);
/// network.set_faults(Faults { cut_per_frame: 0.01, ..Faults::NONE });
/// network.set_faults(Faults::NONE);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// The probability that a frame which is sent [cuts](crate::Network::cut_link) its link. The
    /// frame is lost, although the sender was told that it is queued.
    pub cut_per_frame: f64,
    /// The probability that the direction in which a frame is sent goes silent with that frame,
    /// as with [`Network::half_open`](crate::Network::half_open).
    pub silence_per_frame: f64,
    /// The probability that a dial is refused, as with [`Network::refuse`](crate::Network::refuse).
    pub refuse_per_dial: f64,
}

impl Faults {
    /// None. Without faults nothing is drawn.
    pub const NONE: Self = Self {
        cut_per_frame: 0.0,
        silence_per_frame: 0.0,
        refuse_per_dial: 0.0,
    };
}

/// A way along a link, seen from the process that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Everything that the process sends.
    Outgoing,
    /// Everything that is sent to the process.
    Incoming,
    /// Both.
    Both,
}
