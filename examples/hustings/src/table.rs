//! A poll for people.

use std::fmt::Write as _;

use console::measure_text_width;

use crate::say::plain;
use crate::time;
use crate::view::PollView;

/// The width of the longest bar, in columns.
const BAR: usize = 20;

/// Most columns of a label; a longer one is cut.
const LABEL: usize = 40;

/// The lines of a poll: its question, a line for each option, and what there is to know.
pub(crate) fn lines(poll: &PollView) -> Vec<String> {
    let mut lines = vec![plain(&poll.title)];
    let most = poll.options.iter().filter_map(|option| option.votes).max();
    let labels = poll.options.iter().map(|option| {
        let mut label = plain(&option.label);
        if option.withdrawn {
            label.push_str(" (withdrawn)");
        }
        console::truncate_str(&label, LABEL, "…").into_owned()
    });
    let labels: Vec<String> = labels.collect();
    let width = labels.iter().map(|label| measure_text_width(label)).max();
    let width = width.unwrap_or(0);
    for (option, label) in poll.options.iter().zip(&labels) {
        let mark = if option.chosen { '●' } else { ' ' };
        let label = console::pad_str(label, width, console::Alignment::Left, None);
        let mut line = format!(" {mark} {:>2}  {label}", option.number);
        if let Some(votes) = option.votes {
            let _ = write!(line, "  {votes:>4}  {}", bar(votes, most.unwrap_or(0)));
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.push(said(poll));
    lines
}

fn bar(votes: u32, most: u32) -> String {
    let (votes, most) = (votes as usize, most as usize);
    // Whoever has one vote is seen to have one.
    "█".repeat((votes * BAR).div_ceil(most.max(1)))
}

/// The state of a poll in sentences.
fn said(poll: &PollView) -> String {
    let mut said = match poll.voters {
        1 => "1 person has voted.".to_owned(),
        voters => format!("{voters} people have voted."),
    };
    if poll.shown == "turnout" {
        said.push(' ');
        said.push_str(due(poll));
    }
    if poll.closed {
        said.push_str(" The poll is closed.");
    } else if let Some(at) = poll.closes_at {
        let _ = write!(said, " The poll closes at {}.", time::local(at));
    }
    said
}

/// The time at which results are shown, as a sentence.
pub(crate) fn due(poll: &PollView) -> &'static str {
    match poll.results {
        "afterVote" => "Whoever has voted sees the results.",
        _ => "The results are shown when the poll is closed.",
    }
}
