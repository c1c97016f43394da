//! The cost of an owner: the allocations of its driver, and the memory that it keeps.
//!
//! The counts are those of an allocator that the simulator knows nothing of: whoever wants them has
//! one, and gives a [`Meter`].

/// The two things that a counting allocator can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    /// Counts what is allocated while it runs, on this thread.
    pub(crate) measure: fn(&mut dyn FnMut()) -> Counted,
    /// Counts nothing while it runs.
    pub(crate) opt_out: fn(&mut dyn FnMut()),
}

/// The allocations while something ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// The bytes that are still allocated, less those that were freed.
    pub(crate) left: i64,
}

impl Meter {
    fn measured<T>(self, then: impl FnOnce() -> T) -> (T, Counted) {
        let (mut then, mut result) = (Some(then), None);
        let counted = (self.measure)(&mut || result = then.take().map(|then| then()));
        (result.expect("it has run"), counted)
    }
}

/// Runs something, and counts what it allocates if there is a meter.
pub(super) fn measured<T>(meter: Option<Meter>, then: impl FnOnce() -> T) -> (T, Counted) {
    match meter {
        Some(meter) => meter.measured(then),
        None => (then(), Counted::default()),
    }
}

/// Runs something that is the simulator's own, whatever else is counted.
pub(super) fn aside<T>(meter: Option<Meter>, then: impl FnOnce() -> T) -> T {
    let Some(meter) = meter else { return then() };
    let (mut then, mut result) = (Some(then), None);
    (meter.opt_out)(&mut || result = then.take().map(|then| then()));
    result.expect("it has run")
}

/// The cost of an owner in a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// The things that it has heard, and the bytes of the frames among them.
    pub(crate) inputs: u64,
    pub(crate) input_bytes: u64,
    /// The allocations of its driver, and their bytes.
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// The most allocations in one step of its driver, for each thing that it heard in it.
    pub(crate) most: u64,
    /// The bytes that were freed when one of its processes ended, with the number of members then.
    pub(crate) kept: Vec<(u64, u64)>,
}

impl Cost {
    pub(super) fn step(&mut self, inputs: u64, input_bytes: u64, counted: Counted) {
        self.inputs += inputs;
        self.input_bytes += input_bytes;
        self.count += counted.count;
        self.bytes += counted.bytes;
        if let Some(each) = counted.count.checked_div(inputs) {
            self.most = self.most.max(each);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.inputs += other.inputs;
        self.input_bytes += other.input_bytes;
        self.count += other.count;
        self.bytes += other.bytes;
        self.most = self.most.max(other.most);
        self.kept.extend(&other.kept);
    }
}
