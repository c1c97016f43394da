//! The budget: what some hot paths may cost at most, so that none gets dearer unnoticed.
//!
//! It is a ratio to a yardstick from the same run (`F`, or what the row's goal compares it with),
//! so that another compiler, which makes both alike cheaper or dearer, does not break it.

use std::collections::BTreeMap;
use std::fs;

use super::rows::{self, FLOOR, Goal, Row};
use crate::error::Error;
use crate::process;

/// The file that is committed: most ratios, by the names of rows.
const FILE: &str = "xtask/bench/budget.json";

/// Iterations: the counts are the same on every run, so a few are enough.
pub(super) const ITERATIONS: u64 = 200;

pub(super) fn read() -> Result<BTreeMap<String, f64>, Error> {
    let path = process::root().join(FILE);
    let text = fs::read(&path).map_err(Error::file("read", &path))?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::Because(format!("{FILE} is no list of budgets: {error}")))
}

/// Everything in the budget that costs more, or was not counted; the ratios of all.
pub(super) fn judge(rows: &[Row], budget: &BTreeMap<String, f64>) -> Result<String, Error> {
    let mut all = String::new();
    let mut over = Vec::new();
    for (name, most) in budget {
        let (ratio, yardstick) = ratio(rows, name).ok_or_else(|| {
            Error::Because(format!("{FILE} names {name}, which cannot be counted"))
        })?;
        all += &format!("{name}: {ratio:.3} of {yardstick}, at most {most}\n");
        if ratio > *most {
            over.push(format!("{name} costs {ratio:.3} {yardstick}, not {most}"));
        }
    }
    if over.is_empty() {
        return Ok(all);
    }
    Err(Error::Because(format!(
        "over the budget: {}; make it cheaper, or say in {FILE} why it may cost more",
        over.join("; ")
    )))
}

fn ratio(rows: &[Row], name: &str) -> Option<(f64, &'static str)> {
    let yardstick = match rows::goal(name) {
        Some(Goal::Of(_, other)) => other,
        Some(Goal::Most(_)) | None => FLOOR,
    };
    let (row, yardstick_row) = (rows::find(rows, name)?, rows::find(rows, yardstick)?);
    let is_counted = yardstick_row.count > 0.0 && row.unit == yardstick_row.unit;
    is_counted.then(|| (row.count / yardstick_row.count, yardstick))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, count: f64) -> Row {
        Row {
            name: name.to_owned(),
            count,
            unit: rows::INSTRUCTIONS.to_owned(),
            what: String::new(),
        }
    }

    fn budget(name: &str, most: f64) -> BTreeMap<String, f64> {
        BTreeMap::from([(name.to_owned(), most)])
    }

    #[test]
    fn whatever_costs_more_fails() {
        let rows = [row(FLOOR, 100.0), row("command", 210.0)];
        assert!(judge(&rows, &budget("command", 2.2)).is_ok());
        let error = judge(&rows, &budget("command", 2.05)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("command costs 2.100 floor, not 2.05"),
            "{error}"
        );
        let error = judge(&rows, &budget("commando", 2.2)).unwrap_err();
        assert!(error.to_string().contains("commando"), "{error}");
    }

    #[test]
    fn the_committed_budget_names_what_there_is() {
        let budget = read().unwrap();
        assert!(budget.len() >= 5);
        for (name, most) in budget {
            assert!(rows::goal(&name).is_some(), "{name}");
            assert!(most > 0.0, "{name}");
        }
    }
}
