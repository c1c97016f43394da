//! The rows of the table: each count, what it is compared with, and its goal.

use std::collections::BTreeMap;

/// The row that all others are compared with: decoding one command and encoding its ack.
pub(super) const FLOOR: &str = "floor";

/// The unit of most rows.
pub(super) const INSTRUCTIONS: &str = "instructions";

/// One count.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) count: f64,
    pub(super) unit: String,
    pub(super) what: String,
}

/// The most that a row may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// So many of its units.
    Most(f64),
    /// So many times another row.
    Of(f64, &'static str),
}

/// The goals. A name that ends in `-` is that of all its sizes.
const GOALS: [(&str, Goal); 25] = [
    ("command", Goal::Of(2.0, FLOOR)),
    ("secret", Goal::Of(2.0, FLOOR)),
    ("duplicate", Goal::Of(1.0, FLOOR)),
    ("recipient", Goal::Most(150.0)),
    ("recipient-secret", Goal::Most(150.0)),
    ("malformed", Goal::Of(1.0, FLOOR)),
    ("too-long", Goal::Of(0.1, FLOOR)),
    ("handshake", Goal::Of(1.1, "sign-verify")),
    ("greet", Goal::Of(1.1, "sign-verify")),
    ("update-", Goal::Of(1.5, FLOOR)),
    ("update-options-", Goal::Of(1.5, FLOOR)),
    ("submit", Goal::Of(3.0, FLOOR)),
    ("missed-1", Goal::Of(1.2, "encode-1")),
    ("missed-10", Goal::Of(1.2, "encode-10")),
    ("missed-100", Goal::Of(1.2, "encode-100")),
    ("durable", Goal::Of(1.3, "redb-1")),
    ("durable-together-64", Goal::Of(1.3, "redb-64")),
    ("durable-bytes", Goal::Of(1.3, "redb-bytes")),
    ("commits-64", Goal::Most(1.0)),
    ("history-100000", Goal::Of(1.05, "history-1000")),
    ("history-1000000", Goal::Of(1.05, "history-1000")),
    ("restart-100000", Goal::Of(3.0, "read-100000")),
    ("file", Goal::Of(2.0, "live")),
    ("idle", Goal::Most(2_048.0)),
    ("device", Goal::Most(4_096.0)),
];

/// A row that is made of others: the second is taken from the first, for each of so many.
struct Derived {
    name: &'static str,
    of: [&'static str; 2],
    each: f64,
    what: &'static str,
}

const DERIVED: [Derived; 5] = [
    Derived {
        name: "recipient",
        of: ["broadcast-1000", "broadcast-10"],
        each: 990.0,
        what: "each further recipient of a command",
    },
    Derived {
        name: "recipient-secret",
        of: ["broadcast-secret-1000", "broadcast-secret-10"],
        each: 990.0,
        what: "the same with secret ballots, between two tallies",
    },
    Derived {
        name: "missed-1",
        of: ["reconnect-1", "reconnect-0"],
        each: 1.0,
        what: "one missed update, at the owner",
    },
    Derived {
        name: "missed-10",
        of: ["reconnect-10", "reconnect-0"],
        each: 1.0,
        what: "ten missed updates",
    },
    Derived {
        name: "missed-100",
        of: ["reconnect-100", "reconnect-0"],
        each: 1.0,
        what: "a hundred missed updates",
    },
];

/// The rows that are made of those that are there.
pub(super) fn derived(rows: &[Row]) -> Vec<Row> {
    let count = |name: &str| Some(find(rows, name)?.count);
    let derived = DERIVED.iter().filter_map(|derived| {
        let [more, less] = derived.of;
        let count = (count(more)? - count(less)?).max(0.0) / derived.each;
        Some(Row {
            name: derived.name.to_owned(),
            count,
            unit: INSTRUCTIONS.to_owned(),
            what: derived.what.to_owned(),
        })
    });
    derived.collect()
}

/// The names of the rows that one needs, itself among them.
pub(super) fn needed(name: &str) -> Vec<&str> {
    let made_of = DERIVED.iter().find(|derived| derived.name == name);
    let mut needed = made_of.map_or_else(|| vec![name], |derived| derived.of.to_vec());
    if let Some(Goal::Of(_, other)) = goal(name) {
        needed.push(other);
    }
    needed
}

/// The names of the rows that are made of others.
pub(super) fn names_of_derived() -> impl Iterator<Item = &'static str> {
    DERIVED.iter().map(|derived| derived.name)
}

pub(super) fn find<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.name == name)
}

/// The goal of a row, if it has one.
pub(super) fn goal(name: &str) -> Option<Goal> {
    let exact = GOALS.iter().find(|(of, _)| *of == name);
    let family = || {
        let (family, size) = name.rsplit_once('-')?;
        size.parse::<u64>().ok()?;
        let mut all = GOALS.iter();
        all.find(|(of, _)| of.strip_suffix('-') == Some(family))
    };
    exact.or_else(family).map(|(_, goal)| *goal)
}

/// The number that the goal is about: a ratio, or the count itself. `None` if what it is compared
/// with was not counted.
pub(super) fn judged(row: &Row, goal: Goal, rows: &[Row]) -> Option<f64> {
    match goal {
        Goal::Most(_) => Some(row.count),
        Goal::Of(_, other) => {
            let other = find(rows, other)?.count;
            (other > 0.0).then(|| row.count / other)
        }
    }
}

/// The goal as one reads it.
pub(super) fn words(goal: Goal) -> String {
    match goal {
        Goal::Most(most) => format!("≤ {most}"),
        Goal::Of(most, FLOOR) => format!("≤ {most} F"),
        Goal::Of(most, other) => format!("≤ {most} {other}"),
    }
}

impl Goal {
    pub(super) const fn most(self) -> f64 {
        match self {
            Self::Most(most) | Self::Of(most, _) => most,
        }
    }
}

/// Rows by their names, as they are kept in files.
pub(super) fn by_name(rows: &[Row]) -> BTreeMap<String, f64> {
    let rows = rows.iter();
    rows.map(|row| (row.name.clone(), row.count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, count: f64) -> Row {
        Row {
            name: name.to_owned(),
            count,
            unit: INSTRUCTIONS.to_owned(),
            what: String::new(),
        }
    }

    #[test]
    fn a_goal_is_of_one_row_or_of_all_its_sizes() {
        assert_eq!(goal("command"), Some(Goal::Of(2.0, FLOOR)));
        assert_eq!(goal("update-17"), Some(Goal::Of(1.5, FLOOR)));
        assert_eq!(goal("update-options-17"), Some(Goal::Of(1.5, FLOOR)));
        assert_eq!(goal("update-late"), None);
        assert_eq!(goal("envelope"), None);
    }

    #[test]
    fn a_further_recipient_is_the_slope() {
        let rows = [
            row("broadcast-10", 1_100.0),
            row("broadcast-1000", 100_100.0),
        ];
        let derived = derived(&rows);
        assert_eq!(derived.len(), 1);
        assert_eq!((&*derived[0].name, derived[0].count), ("recipient", 100.0));
    }

    #[test]
    fn a_goal_compares_with_its_own_yardstick() {
        let rows = [row("handshake", 220.0), row("sign-verify", 200.0)];
        let goal = goal("handshake").unwrap();
        assert_eq!(judged(&rows[0], goal, &rows), Some(1.1));
        assert_eq!(judged(&rows[0], goal, &rows[..1]), None);
        assert_eq!(words(goal), "≤ 1.1 sign-verify");
    }

    #[test]
    fn a_row_brings_what_it_needs() {
        let needed_by = needed("missed-10");
        assert_eq!(needed_by, ["reconnect-10", "reconnect-0", "encode-10"]);
        assert_eq!(needed("envelope"), ["envelope"]);
    }
}
