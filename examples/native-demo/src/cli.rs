//! The options, and the poll from its file.

use std::fmt;
use std::path::{Path, PathBuf};

use hustings_protocol::{Limits, OptionId, PeerId, Poll, PollDraft, PollId, Rejection, RoomId};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Runs a poll with an owner and many participants in this process, and breaks things on the way.
///
/// It shows participants joining, pending votes that become revisions, a link that is cut and comes
/// back, votes that are sent twice and count once, an owner that is killed and goes on from its
/// journal, votes that are refused, and a count of its own that everybody's result has to agree
/// with. Exit code: 0 everything agreed, 1 it did not, 2 the poll or the folder is no good.
#[derive(Debug, clap::Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) keep: Option<Keep>,

    /// The poll: a JSON file with `title`, `options` (two or more labels) and, if you like,
    /// `multipleChoice` and `votersMayAddOptions`. Without it, the sample `polls/lunch.json`
    #[arg(long, value_name = "FILE")]
    pub(crate) poll: Option<PathBuf>,

    /// The folder of the stores. A folder that was used before continues with the same people and
    /// finds its earlier polls. Without it, a temporary folder that is removed
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// The number of participants beside the owner. More than 12 are shown as a crowd: without
    /// pauses, with a progress bar
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    pub(crate) voters: u32,

    /// The number of votes that they give in all; the last vote of each counts
    #[arg(long, value_name = "M", default_value_t = 40, value_parser = clap::value_parser!(u32).range(12..=10_000_000))]
    pub(crate) votes: u32,

    /// The seed that decides who votes for which option, and whose links are cut when
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,

    /// A fifth of the pauses, if nobody watches
    #[arg(long)]
    pub(crate) quick: bool,

    /// No colours, and no line that is drawn twice. Also when the output is not a terminal
    #[arg(long)]
    pub(crate) plain: bool,
}

/// Without a command the poll is played.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Keep {
    /// Saves the identity and the polls of a store in a file, with a passphrase from the standard
    /// input
    Export {
        /// The store
        #[arg(long, value_name = "FILE")]
        store: PathBuf,
        /// The new file
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The polls are to be hosted where the file is imported, and no longer from this store
        #[arg(long = "move")]
        moves: bool,
        /// The polls, by their links. Without any, all of them
        polls: Vec<RoomId>,
    },
    /// Takes such a file into a store, with its passphrase from the standard input
    Import {
        /// The store, which may be new
        #[arg(long, value_name = "FILE")]
        store: PathBuf,
        /// The file
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
}

impl Options {
    /// True if there are too many to show each of them.
    pub(crate) fn is_crowd(&self) -> bool {
        self.voters > 12 || self.votes > 1_000
    }
}

/// The poll that is played without `--poll`.
const SAMPLE: &str = include_str!("../polls/lunch.json");

/// The fault in a poll file, and its place.
#[derive(Debug)]
pub(crate) struct BadPoll {
    file: String,
    /// Line and column, counted from 1; `None` if the file could not even be read.
    at: Option<(usize, usize)>,
    reason: String,
}

impl fmt::Display for BadPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => {
                write!(f, "{}:{line}:{column}: {}", self.file, self.reason)
            }
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// Reads a poll from a file, or the sample.
pub(crate) fn read_poll(path: Option<&Path>) -> Result<PollDraft, BadPoll> {
    let Some(path) = path else {
        return parse_poll(SAMPLE.as_bytes()).map_err(|(at, reason)| BadPoll {
            file: "the sample poll".to_owned(),
            at: Some(at),
            reason,
        });
    };
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| BadPoll {
        file: file.clone(),
        at: None,
        reason: format!("the poll cannot be read: {error}"),
    })?;
    parse_poll(&bytes).map_err(|(at, reason)| BadPoll {
        file,
        at: Some(at),
        reason,
    })
}

/// Line and column, and what is wrong there.
type Complaint = ((usize, usize), String);

/// The fields of a [`PollDraft`] as the pieces of text that they are, which say where they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pieces<'a> {
    #[serde(borrow)]
    title: &'a RawValue,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
}

fn parse_poll(bytes: &[u8]) -> Result<PollDraft, Complaint> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = position(&bytes[..error.valid_up_to()]);
        (at, "this is not UTF-8 text".to_owned())
    })?;
    let draft: PollDraft = serde_json::from_str(text).map_err(|error| complaint(&error))?;

    // It reads well. Whether it makes a poll the library's own rules say: for the title alone, for
    // each option alone, and for all together.
    let pieces: Pieces<'_> = serde_json::from_str(text).map_err(|error| complaint(&error))?;
    let within = |piece: &RawValue| {
        let offset = piece.get().as_ptr() as usize - text.as_ptr() as usize;
        position(&bytes[..offset])
    };
    let title_only = draft_of(&draft.title, &[]);
    check(title_only).map_err(|rejection| (within(pieces.title), rejection.message.to_string()))?;
    let (Some(options), [_, _, ..]) = (pieces.options, &*draft.options) else {
        let at = within(pieces.options.unwrap_or(pieces.title));
        let count = draft.options.len();
        let reason = format!("a poll to vote in needs two options or more, this has {count}");
        return Err((at, reason));
    };
    let labels: Vec<&RawValue> =
        serde_json::from_str(options.get()).map_err(|error| complaint(&error))?;
    for (label, piece) in draft.options.iter().zip(labels) {
        check(draft_of(&draft.title, std::slice::from_ref(label)))
            .map_err(|rejection| (within(piece), rejection.message.to_string()))?;
    }
    check(draft.clone()).map_err(|rejection| (within(options), rejection.message.to_string()))?;
    Ok(draft)
}

fn draft_of(title: &str, options: &[String]) -> PollDraft {
    PollDraft::new(title.to_owned()).options(options.to_vec())
}

/// Checks a draft by the library's rules.
fn check(draft: PollDraft) -> Result<(), Rejection> {
    let poll_id = PollId::from_uuid(Default::default());
    let owner = PeerId::from_bytes([0; 32]);
    let mut count = 0_u128;
    let option_id = || {
        count += 1;
        format!("00000000-0000-4000-8000-{count:012x}")
            .parse::<OptionId>()
            .expect("that is how a UUID is written")
    };
    Poll::new(poll_id, owner, draft, option_id, &Limits::default()).map(drop)
}

/// The parser's message, without the place, which goes to the front.
fn complaint(error: &serde_json::Error) -> Complaint {
    let at = (error.line(), error.column().max(1));
    let text = error.to_string();
    let reason = match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    };
    (at, reason)
}

/// The line and the column after these bytes.
fn position(before: &[u8]) -> (usize, usize) {
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n');
    let last_line = &before[start.map_or(0, |newline| newline + 1)..];
    (line, String::from_utf8_lossy(last_line).chars().count() + 1)
}
