//! A poll before it begins.

use serde::{Deserialize, Serialize};

use crate::{Admission, Ballots, Results, turnout};

/// The choices of a person who starts a poll; also the form of a poll in a file.
///
/// ```
/// use hustings_protocol::PollDraft;
///
/// let draft = PollDraft::new("Tea or coffee?")
///     .options(["Tea", "Coffee"])
///     .voters_may_add_options(true);
/// assert_eq!(draft.options.len(), 2);
/// assert!(!draft.multiple_choice);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct PollDraft {
    /// The question.
    pub title: String,
    /// The labels of the first options, in their order.
    #[serde(default)]
    pub options: Vec<String>,
    /// True if a vote may name several options.
    #[serde(default)]
    pub multiple_choice: bool,
    /// True if voters may add options.
    #[serde(default)]
    pub voters_may_add_options: bool,
    /// The people who see the choices of others.
    #[serde(default)]
    pub ballots: Ballots,
    /// The time from which the results are shown.
    #[serde(default)]
    pub results: Results,
    /// The time when the owner closes the poll, in milliseconds of Unix time; `None` for by hand.
    #[serde(default)]
    pub closes_at: Option<u64>,
    /// The people who may vote.
    #[serde(default)]
    pub admission: Admission,
    /// The most members with which those who are shown no choices are told who has voted. With
    /// more they are told how many have.
    #[serde(default = "turnout::named_up_to")]
    pub voters_named_up_to: u32,
}

impl Default for PollDraft {
    fn default() -> Self {
        Self {
            title: String::new(),
            options: Vec::new(),
            multiple_choice: false,
            voters_may_add_options: false,
            ballots: Ballots::default(),
            results: Results::default(),
            closes_at: None,
            admission: Admission::default(),
            voters_named_up_to: Self::VOTERS_NAMED_UP_TO,
        }
    }
}

impl PollDraft {
    /// The default of [`voters_named_up_to`](Self::voters_named_up_to). Of so many people a list
    /// can still be read, and with their names everybody is sent 14 KiB more than with a number.
    pub const VOTERS_NAMED_UP_TO: u32 = 256;

    /// A single-choice poll with secret ballots and live results, without options, to which voters
    /// may not add any.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Appends options, by their labels.
    #[must_use]
    pub fn options<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        self.options.extend(labels.into_iter().map(Into::into));
        self
    }

    /// Sets whether a vote may name several options.
    #[must_use]
    pub const fn multiple_choice(mut self, several: bool) -> Self {
        self.multiple_choice = several;
        self
    }

    /// Sets whether voters may add options.
    #[must_use]
    pub const fn voters_may_add_options(mut self, may: bool) -> Self {
        self.voters_may_add_options = may;
        self
    }

    /// Sets who sees the choices of others. It cannot be changed later.
    #[must_use]
    pub const fn ballots(mut self, ballots: Ballots) -> Self {
        self.ballots = ballots;
        self
    }

    /// Sets when the results are shown.
    #[must_use]
    pub const fn results(mut self, results: Results) -> Self {
        self.results = results;
        self
    }

    /// Makes the owner close the poll at this time, in milliseconds of Unix time.
    #[must_use]
    pub fn closes_at(mut self, unix_millis: impl Into<Option<u64>>) -> Self {
        self.closes_at = unix_millis.into();
        self
    }

    /// Sets who may vote. It cannot be changed later.
    #[must_use]
    pub const fn admission(mut self, admission: Admission) -> Self {
        self.admission = admission;
        self
    }

    /// Sets up to how many members it is told who has voted; with 0 it never is. It cannot be
    /// changed later.
    #[must_use]
    pub const fn voters_named_up_to(mut self, members: u32) -> Self {
        self.voters_named_up_to = members;
        self
    }
}
