//! The result: as it is shown, with what this side adds to it, and as it is saved.

use std::collections::BTreeSet;

use hustings_protocol::{
    Ballots, Command, OptionId, PeerId, Poll, Results as Due, Revision, Shown,
};
use serde_json::json;
use unicode_segmentation::UnicodeSegmentation;

use crate::words::{chosen_by, percent};

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) option_id: OptionId,
    pub(crate) label: String,
    /// True if it was withdrawn: nobody can choose it, and votes for it do not count.
    pub(crate) withdrawn: bool,
    /// The number of votes that the host has confirmed.
    pub(crate) confirmed: u64,
    /// The number of votes once the host has confirmed the waiting ones, more or fewer.
    pub(crate) expected: u64,
    /// True if this side chose it.
    pub(crate) mine: bool,
    /// True if the host has still to confirm the choice, or the option as it is.
    pub(crate) pending: bool,
    /// The people who chose it, in words; nothing where votes are secret.
    pub(crate) chosen_by: String,
}

/// All options in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) rows: Vec<Row>,
    /// The number of people with a vote that the host has confirmed.
    pub(crate) voters: u64,
    /// False while the votes of each option are not shown to this side: then the rows have none.
    pub(crate) are_shown: bool,
}

impl Results {
    /// The results of the poll as this side sees it, which the host has confirmed as far as
    /// `confirmed`; `pending` is what it has not.
    pub(crate) fn of<'a>(
        seen: &Poll,
        confirmed: &Poll,
        me: PeerId,
        pending: impl Iterator<Item = &'a Command>,
    ) -> Self {
        let mut waiting = BTreeSet::new();
        for command in pending {
            match command {
                Command::Vote(vote) => waiting.extend(&vote.option_ids),
                Command::AddOption(option) => {
                    waiting.insert(option.option_id);
                }
                Command::UpdateOption(update) => {
                    waiting.insert(update.option_id);
                }
                // What changes no row.
                Command::UpdateRole(_)
                | Command::UpdateSettings(_)
                | Command::SetProfile(_)
                | Command::RemovePeer(_)
                | Command::ReadmitPeer(_)
                | Command::IssueInvitations(_)
                | Command::WithdrawInvitations(_)
                | Command::RedeemInvitation(_)
                | _ => {}
            }
        }
        let mine = seen.choices(me);
        // Options are only ever added, so the same place is the same option; those that wait to be
        // added have no votes of others.
        let (mut certain, mut expected) = (votes(confirmed), votes(seen));
        let rows = seen
            .options()
            .iter()
            .map(|option| Row {
                option_id: option.option_id,
                label: option.label.clone(),
                withdrawn: option.withdrawn,
                confirmed: certain.next().unwrap_or_default(),
                expected: expected.next().unwrap_or_default(),
                mine: mine.contains(&option.option_id),
                pending: waiting.contains(&option.option_id),
                chosen_by: choosers(confirmed, option.option_id),
            })
            .collect();
        Self {
            rows,
            voters: confirmed.voters(),
            are_shown: confirmed.shown() != Shown::Turnout,
        }
    }
}

/// The people who chose an option, in words. A host's copy has that of secret votes, too, and keeps
/// it to itself.
fn choosers(poll: &Poll, option: OptionId) -> String {
    if poll.ballots() != Ballots::Open {
        return String::new();
    }
    let chose = poll
        .members()
        .filter(|(_, member)| member.choices.contains(&option));
    let chose: Vec<_> = chose.map(|(peer, _)| peer).collect();
    if poll.shown() == Shown::Ballots {
        chosen_by(poll, &chose)
    } else {
        String::new()
    }
}

/// True if the results are for everybody to see. Those who have voted, or count the votes, may see
/// them before: a screen that a whole room looks at does not show them then.
pub(crate) fn are_for_all(poll: &Poll) -> bool {
    poll.shown() != Shown::Turnout && (poll.results() == Due::Live || poll.is_closed())
}

/// The votes of each option; none where these are not shown.
fn votes(poll: &Poll) -> impl Iterator<Item = u64> {
    let tally = poll.tally().map(|tally| tally.options);
    let options = tally.unwrap_or_default().into_iter();
    options.map(|option| option.votes)
}

/// The confirmed result as JSON, as it was at `time`.
pub(crate) fn json(poll: &Poll, revision: Revision, time: &str) -> String {
    let mut votes = votes(poll);
    let options = poll.options().iter();
    let options: Vec<_> = options
        .map(|option| {
            let votes = votes.next().filter(|_| !option.withdrawn);
            json!({
                "label": option.label,
                "optionId": option.option_id,
                "withdrawn": option.withdrawn,
                "votes": votes,
            })
        })
        .collect();
    let result = json!({
        "title": poll.title(),
        "pollId": poll.poll_id(),
        "owner": poll.owner(),
        "revision": revision,
        "savedAt": time,
        "closed": poll.is_closed(),
        "multipleChoice": poll.multiple_choice(),
        "voters": poll.voters(),
        "options": options,
    });
    format!("{result:#}\n")
}

/// The confirmed result as a table, as it was at `time`: the question and the time, and after an
/// empty line one line for each option. It begins with the mark of UTF-8, without which
/// spreadsheets guess, and take "Café" for something else.
pub(crate) fn csv(poll: &Poll, time: &str) -> String {
    let voters = poll.voters();
    let mut table = format!(
        "\u{feff}question,{}\r\nsaved at,{}\r\nvoters,{}\r\n\r\noption,votes,percent of voters\r\n",
        cell(poll.title()),
        cell(time),
        voters,
    );
    let mut votes = votes(poll);
    for option in poll.options() {
        table += &match votes.next() {
            _ if option.withdrawn => format!("{},withdrawn,\r\n", cell(&option.label)),
            Some(votes) => {
                let share = percent(votes, voters);
                format!("{},{votes},{share}\r\n", cell(&option.label))
            }
            // They are not shown yet.
            None => format!("{},,\r\n", cell(&option.label)),
        };
    }
    table
}

/// A text for a table. Spreadsheets take what begins like a formula for one, which a voter may have
/// typed, also in the wide forms of East Asia and behind blanks: an apostrophe keeps it a text.
fn cell(text: &str) -> String {
    let seen = text.trim_start_matches(|first: char| {
        first.is_whitespace() || first.is_control() || first == '\u{feff}'
    });
    let is_formula = text.starts_with(['\t', '\r', '\n'])
        || seen.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// The longest title in a file's name, in bytes: names end at 255 bytes nearly everywhere, and
/// browsers add a number to them.
const NAME_BYTES: usize = 120;

/// The name of a file with the result, without its ending: after the question, as far as every
/// system takes that for a name, so that the results of two polls are told apart.
pub(crate) fn file_name(title: &str) -> String {
    let mut name = String::new();
    for cluster in title.graphemes(true) {
        let is_unsafe = cluster.chars().any(|it| {
            // The marks of direction show a name's ending where it is not.
            let turns = matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            turns || it.is_control() || it.is_whitespace() || "/\\:*?\"<>|.%~".contains(it)
        });
        let part = if is_unsafe { "-" } else { cluster };
        if name.len() + part.len() > NAME_BYTES {
            break;
        }
        if part != "-" || !name.ends_with('-') {
            name += part;
        }
    }
    match name.trim_matches('-') {
        "" => "poll-result".to_owned(),
        name => format!("{name}-result"),
    }
}

#[cfg(test)]
mod tests {
    use hustings_protocol::{Limits, OptionUpdate, PollDraft, PollId, Vote};
    use serde_json::Value;

    use super::*;

    fn option_id(number: u8) -> OptionId {
        format!("00000000-0000-4000-8000-0000000000{number:02}")
            .parse()
            .unwrap()
    }

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn poll_id() -> PollId {
        "01234567-89ab-4cde-8f01-23456789abcd".parse().unwrap()
    }

    fn vote(option: u8) -> Command {
        Command::Vote(Vote {
            poll_id: poll_id(),
            option_ids: vec![option_id(option)],
        })
    }

    /// A poll of `=Tea` and `"Coffee"`, in which peers 1 and 2 chose the first and peer 3 the
    /// second.
    fn poll() -> Poll {
        poll_with(Ballots::Secret, Due::Live)
    }

    fn poll_with(ballots: Ballots, results: Due) -> Poll {
        let draft = PollDraft::new("Which?").options(["=Tea", "\"Coffee\""]);
        let draft = draft.ballots(ballots).results(results);
        let mut numbers = 1..;
        let limits = Limits::default();
        let next = || option_id(numbers.next().unwrap());
        let mut poll = Poll::new(poll_id(), peer(9), draft, next, &limits).unwrap();
        for (author, option) in [(1, 1), (2, 1), (3, 2)] {
            poll.apply(peer(author), &vote(option), &limits).unwrap();
        }
        poll
    }

    #[test]
    fn what_waits_is_told_from_what_is_confirmed() {
        let confirmed = poll();
        let mut seen = confirmed.clone();
        let change = vote(2);
        seen.apply(peer(1), &change, &Limits::default()).unwrap();
        let results = Results::of(&seen, &confirmed, peer(1), [&change].into_iter());
        let of = |row: &Row| (row.confirmed, row.expected, row.mine, row.pending);
        let rows: Vec<_> = results.rows.iter().map(of).collect();
        assert_eq!(rows, [(2, 1, false, false), (1, 2, true, true)]);
        assert_eq!(results.voters, 3);
    }

    #[test]
    fn who_chose_what_is_said_of_open_votes_alone_even_by_who_counts_them() {
        let rows = |poll: &Poll, me| {
            let results = Results::of(poll, poll, me, [].into_iter());
            let rows = results.rows.into_iter().map(|row| row.chosen_by);
            rows.collect::<Vec<_>>()
        };
        let open = poll_with(Ballots::Open, Due::Live);
        let by_guest = |number| {
            format!(
                "\u{2068}Guest\u{2069} ({})",
                crate::words::mark(peer(number))
            )
        };
        let tea = format!("Chosen by {}, {}", by_guest(1), by_guest(2));
        let coffee = format!("Chosen by {}", by_guest(3));
        assert_eq!(rows(&open, peer(1)), [tea, coffee]);
        let secret = poll();
        assert_eq!(secret.shown(), Shown::Ballots, "the host has them all");
        assert_eq!(rows(&secret, peer(9)), ["", ""]);
        assert_eq!(rows(&secret.told_to(peer(1)), peer(1)), ["", ""]);
    }

    #[test]
    fn of_many_who_chose_an_option_a_few_are_named() {
        let limits = Limits::default();
        let mut open = poll_with(Ballots::Open, Due::Live);
        for number in 10..60 {
            open.apply(peer(number), &vote(1), &limits).unwrap();
        }
        let results = Results::of(&open, &open, peer(1), [].into_iter());
        let said = &results.rows[0].chosen_by;
        assert!(said.ends_with(", 44 more"), "{said}");
        assert_eq!(said.matches("Guest").count(), 8);
    }

    #[test]
    fn results_that_are_not_shown_have_no_numbers() {
        for due in [Due::AfterVote, Due::AfterClose] {
            let host = poll_with(Ballots::Secret, due);
            assert!(!are_for_all(&host), "others would see them on the wall");
            let told = host.told_to(peer(4));
            let results = Results::of(&told, &told, peer(4), [].into_iter());
            assert!(!results.are_shown);
            assert_eq!(results.voters, 3, "who has voted is shown");
            let rows = results.rows.iter().map(|row| (row.confirmed, row.expected));
            assert_eq!(rows.collect::<Vec<_>>(), [(0, 0), (0, 0)]);
            // Who counts them sees them.
            let results = Results::of(&host, &host, peer(9), [].into_iter());
            assert!(results.are_shown);
            let csv = csv(&told, "2026-01-01T00:00:00Z");
            assert!(csv.contains("\"'=Tea\",,\r\n"), "{csv}");
        }
        let voted = poll_with(Ballots::Secret, Due::AfterVote).told_to(peer(3));
        let results = Results::of(&voted, &voted, peer(3), [].into_iter());
        assert!(results.are_shown && results.rows[1].mine);
        assert!(!are_for_all(&voted));
        assert!(are_for_all(&poll()));
    }

    #[test]
    fn a_table_has_its_question_a_line_for_each_option_and_no_formula() {
        let table = csv(&poll(), "2026-01-01T00:00:00Z");
        let lines: Vec<_> = table.split("\r\n").collect();
        let expected = [
            "\u{feff}question,\"Which?\"",
            "saved at,\"2026-01-01T00:00:00Z\"",
            "voters,3",
            "",
            "option,votes,percent of voters",
            "\"'=Tea\",2,67",
            "\"\"\"Coffee\"\"\",1,33",
            "",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_option_that_was_withdrawn_has_no_votes_and_is_said_to_be() {
        let mut poll = poll();
        let withdrawal = OptionUpdate::new(poll_id(), option_id(1)).withdrawn(true);
        let withdrawal = Command::UpdateOption(withdrawal);
        let limits = Limits::default();
        poll.apply(peer(9), &withdrawal, &limits).unwrap();
        let results = Results::of(&poll, &poll, peer(1), [&withdrawal].into_iter());
        let rows = results.rows.iter();
        let rows = rows.map(|row| (row.withdrawn, row.confirmed, row.mine, row.pending));
        let expected = [(true, 0, true, true), (false, 1, false, false)];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
        assert_eq!(results.voters, 1);
        let table = csv(&poll, "2026-01-01T00:00:00Z");
        assert!(table.contains("\"'=Tea\",withdrawn,\r\n"), "{table}");
        let text = json(&poll, Revision::new(4).unwrap(), "2026-01-01T00:00:00Z");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["options"][0]["votes"], Value::Null);
        assert_eq!(value["options"][0]["withdrawn"], true);
        assert_eq!(value["options"][1]["votes"], 1);
    }

    #[test]
    fn nothing_that_was_typed_is_taken_for_a_formula() {
        for first in ["=", "+", "-", "@", "＝", "＋", "－", "＠"] {
            for before in ["", " ", "\u{3000}", "\n", "\t", "\r", "\u{feff}"] {
                let text = format!("{before}{first}1+1");
                assert_eq!(cell(&text), format!("\"'{text}\""), "{text:?}");
            }
        }
        assert_eq!(cell("\ttea"), "\"'\ttea\"");
        assert_eq!(cell("1-1"), "\"1-1\"");
        assert_eq!(cell("Café"), "\"Café\"");
    }

    #[test]
    fn a_file_is_named_after_its_poll() {
        assert_eq!(file_name("Café or tea?"), "Café-or-tea-result");
        assert_eq!(file_name("../a\\b: c."), "a-b-c-result");
        assert_eq!(file_name("CON"), "CON-result");
        assert_eq!(file_name("a\u{202e}gnp.exe"), "a-gnp-exe-result");
        assert_eq!(file_name("?"), "poll-result");
        // Nothing is cut inside of what one sees as one letter: a family of 25 bytes.
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        let name = file_name(&family.repeat(9));
        assert_eq!(name, family.repeat(4) + "-result");
    }

    #[test]
    fn the_json_has_the_tally_and_no_voters() {
        let text = json(&poll(), Revision::new(3).unwrap(), "2026-01-01T00:00:00Z");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["options"][0]["votes"], 2);
        assert_eq!(value["voters"], 3);
        assert!(!text.contains(&peer(1).to_string()));
    }
}
