//! Curves: the cost of an operation as something around it grows.

use std::path::Path;

use super::count::{self, Scenario};
use super::plot::{Curve, Panel};
use super::report::grouped;
use crate::error::Error;
use crate::process;

/// A thing that grows, how far, and the scenarios that it is measured by.
struct Growth {
    over: &'static str,
    sizes: &'static [u64],
    curves: &'static [(&'static str, &'static str)],
}

const GROWTHS: [Growth; 4] = [
    Growth {
        over: "recipients",
        sizes: &[10, 100, 1_000, 10_000],
        curves: &[
            ("broadcast", "a command at the owner, open"),
            ("broadcast-secret", "a command at the owner, secret"),
        ],
    },
    Growth {
        over: "commands before",
        sizes: &[1_000, 10_000, 100_000, 1_000_000],
        curves: &[("history", "a command at the owner, told to a hundred")],
    },
    Growth {
        over: "options of the poll",
        sizes: &[10, 100, 1_000, 10_000],
        curves: &[
            ("options", "a command at the owner, open"),
            ("tally", "a command and its tally at the owner, secret"),
            ("update-options", "another's command at a participant"),
        ],
    },
    Growth {
        over: "people who are there, or have voted",
        sizes: &[10, 100, 1_000, 5_000],
        curves: &[
            ("join", "one more joins, at the owner"),
            ("update", "another's command at a participant"),
        ],
    },
];

/// Counts all curves, with a tenth of the iterations: preparing is most of the work.
pub(super) fn measure(
    program: &Path,
    scenarios: &[Scenario],
    iterations: u64,
) -> Result<Vec<Panel>, Error> {
    let iterations = iterations.div_ceil(10);
    let mut panels = Vec::new();
    for growth in GROWTHS {
        let mut curves = Vec::new();
        for (family, name) in growth.curves {
            let template = scenarios.iter().find(|scenario| is_of(scenario, family));
            let template = template.ok_or_else(|| {
                Error::Because(format!("there is no scenario {family} of any size"))
            })?;
            let mut points = Vec::new();
            for size in growth.sizes {
                let scenario = template.of_size(format!("{family}-{size}"));
                let cost = process::step(&scenario.name, || {
                    count::cost(program, &scenario, iterations)
                })?;
                points.push((*size as f64, cost));
            }
            curves.push(Curve {
                name: (*name).to_owned(),
                points,
            });
        }
        panels.push(Panel {
            over: growth.over.to_owned(),
            curves,
        });
    }
    Ok(panels)
}

fn is_of(scenario: &Scenario, family: &str) -> bool {
    let split = scenario.name.rsplit_once('-');
    split.is_some_and(|(name, size)| name == family && size.parse::<u64>().is_ok())
}

/// The curves as tables of Markdown.
pub(super) fn markdown(panels: &[Panel]) -> String {
    let mut text = String::new();
    for panel in panels {
        let sizes = panel.curves.first().into_iter().flat_map(|it| &it.points);
        let sizes: Vec<String> = sizes.map(|(size, _)| grouped(*size)).collect();
        text += &format!("\n| {} | {} |\n", panel.over, sizes.join(" | "));
        text += &format!("| --- |{}\n", " ---: |".repeat(sizes.len()));
        for curve in &panel.curves {
            let costs = curve.points.iter().map(|(_, cost)| grouped(*cost));
            let costs: Vec<String> = costs.collect();
            text += &format!("| {} | {} |\n", curve.name, costs.join(" | "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_a_table_for_each_panel() {
        let panel = Panel {
            over: "people".to_owned(),
            curves: vec![Curve {
                name: "a vote".to_owned(),
                points: vec![(10.0, 1_500.4), (1_000.0, 2_000.0)],
            }],
        };
        let expected = "
| people | 10 | 1,000 |
| --- | ---: | ---: |
| a vote | 1,500 | 2,000 |
";
        assert_eq!(markdown(&[panel]), expected);
    }
}
