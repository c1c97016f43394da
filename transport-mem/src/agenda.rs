//! The entries of the agenda: things that are due at a moment.

use hustings_room::Moment;

/// Something that is due at a moment. The order is (moment, number); no two numbers are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) due: Moment,
    pub(crate) number: u64,
    pub(crate) slot: u32,
    pub(crate) kind: EntryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryKind {
    Lane(usize),
    DialTimeout,
}
