//! The table of what was counted, as text for a terminal and as Markdown.

use std::collections::BTreeMap;

use super::rows::{self, FLOOR, INSTRUCTIONS, Row};

/// The heads of the columns. The second last is there only if there is something to compare with.
const HEADS: [&str; 6] = ["scenario", "count", "of F", "goal", "change", "what"];

/// Numbers stand at the right.
const IS_NUMBER: [bool; 6] = [false, true, true, true, true, false];

/// Everything that was counted, with goals, and what has changed since some earlier counts.
pub(super) struct Table {
    lines: Vec<[String; 6]>,
    compares: bool,
}

impl Table {
    pub(super) fn new(rows: &[Row], before: Option<&BTreeMap<String, f64>>) -> Self {
        let floor = rows::find(rows, FLOOR).map(|row| row.count);
        let lines = rows.iter().map(|row| {
            [
                row.name.clone(),
                counted(row),
                of_floor(row, floor),
                verdict(row, rows),
                before.map_or_else(String::new, |before| change(row, before)),
                row.what.clone(),
            ]
        });
        Self {
            lines: lines.collect(),
            compares: before.is_some(),
        }
    }

    /// Columns of spaces.
    pub(super) fn text(&self) -> String {
        let widths: Vec<usize> = (0..HEADS.len())
            .map(|column| {
                let cells = self.lines.iter().map(|line| line[column].chars().count());
                cells.max().unwrap_or(0).max(HEADS[column].len())
            })
            .collect();
        let heads = HEADS.map(str::to_owned);
        let mut text = String::new();
        for line in [&heads].into_iter().chain(&self.lines) {
            for column in self.columns() {
                let (cell, width) = (&line[column], widths[column]);
                if IS_NUMBER[column] {
                    text += &format!("{cell:>width$}  ");
                } else if column + 1 < HEADS.len() {
                    text += &format!("{cell:<width$}  ");
                } else {
                    text += cell;
                }
            }
            text += "\n";
        }
        text
    }

    /// A table of Markdown.
    pub(super) fn markdown(&self) -> String {
        let row = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let mut text = row(self.columns().map(|column| HEADS[column]).collect());
        let rules = self
            .columns()
            .map(|column| if IS_NUMBER[column] { "---:" } else { "---" });
        text += &row(rules.collect());
        for line in &self.lines {
            text += &row(self.columns().map(|column| &*line[column]).collect());
        }
        text
    }

    fn columns(&self) -> impl Iterator<Item = usize> {
        let compares = self.compares;
        (0..HEADS.len()).filter(move |column| compares || HEADS[*column] != "change")
    }
}

fn counted(row: &Row) -> String {
    let count = grouped(row.count);
    if row.unit == INSTRUCTIONS {
        count
    } else {
        format!("{count} {}", row.unit)
    }
}

fn of_floor(row: &Row, floor: Option<f64>) -> String {
    match floor {
        Some(floor) if floor > 0.0 && row.unit == INSTRUCTIONS => {
            format!("{:.2}", row.count / floor)
        }
        Some(_) | None => String::new(),
    }
}

/// The goal, and if it is met.
fn verdict(row: &Row, rows: &[Row]) -> String {
    let Some(goal) = rows::goal(&row.name) else {
        return String::new();
    };
    let words = rows::words(goal);
    match rows::judged(row, goal, rows) {
        Some(is) if is <= goal.most() => format!("{words}: yes"),
        // Enough digits that it never reads like the goal.
        Some(is) if is < 10.0 => format!("{words}: no, {is:.3}"),
        Some(is) => format!("{words}: no, {is:.0}"),
        None => words,
    }
}

/// The answer to whether a goal is met.
pub(super) fn yes_or_no(is_met: bool) -> &'static str {
    if is_met { "yes" } else { "no" }
}

fn change(row: &Row, before: &BTreeMap<String, f64>) -> String {
    match before.get(&row.name) {
        None => "new".to_owned(),
        Some(before) if *before > 0.0 => {
            format!("{:+.1} %", (row.count / before - 1.0) * 100.0)
        }
        Some(_) => String::new(),
    }
}

/// A number with commas between thousands.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, count: f64, unit: &str, what: &str) -> Row {
        Row {
            name: name.to_owned(),
            count,
            unit: unit.to_owned(),
            what: what.to_owned(),
        }
    }

    fn rows() -> [Row; 3] {
        [
            row(FLOOR, 8_000.0, INSTRUCTIONS, "F"),
            row("command", 17_000.0, INSTRUCTIONS, "one vote"),
            row("idle", 250.0, "bytes", "one participant"),
        ]
    }

    #[test]
    fn the_table_compares_with_the_floor_and_with_goals() {
        let expected = "\
scenario      count  of F              goal  what
floor         8,000  1.00                    F
command      17,000  2.12  ≤ 2 F: no, 2.125  one vote
idle      250 bytes             ≤ 2048: yes  one participant
";
        assert_eq!(Table::new(&rows(), None).text(), expected);
    }

    #[test]
    fn earlier_counts_stand_beside_the_new_ones() {
        let before = BTreeMap::from([("command".to_owned(), 20_000.0)]);
        let expected = "\
| scenario | count | of F | goal | change | what |
| --- | ---: | ---: | ---: | ---: | --- |
| floor | 8,000 | 1.00 |  | new | F |
| command | 17,000 | 2.12 | ≤ 2 F: no, 2.125 | -15.0 % | one vote |
| idle | 250 bytes |  | ≤ 2048: yes | new | one participant |
";
        assert_eq!(Table::new(&rows(), Some(&before)).markdown(), expected);
    }

    #[test]
    fn thousands_are_grouped() {
        let numbers = [0.4, 999.6, 12_345.0, 1_234_567.0].map(grouped);
        assert_eq!(numbers, ["0", "1,000", "12,345", "1,234,567"]);
    }
}
