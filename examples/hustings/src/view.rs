//! A poll as a value for programs: what `--json` prints.
//!
//! Fields may be added, and none is renamed or gets another meaning.

use hustings_protocol::{Command, OptionId, PeerId, Poll, Revision, RoomId, Shown};
use hustings_room::driver::Room;
use hustings_room::{CommandState, Connection};
use serde::{Serialize, Serializer};

/// Writes a value as its text.
pub(crate) fn text<T: std::fmt::Display, S: Serializer>(
    value: &T,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// A poll, as one person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PollView {
    #[serde(serialize_with = "crate::view::text")]
    pub(crate) link: RoomId,
    pub(crate) title: String,
    /// The owner's, of the poll as it is confirmed.
    pub(crate) revision: u64,
    pub(crate) closed: bool,
    /// In milliseconds since 1970, by the owner's clock.
    pub(crate) closes_at: Option<u64>,
    pub(crate) multiple_choice: bool,
    pub(crate) ballots: &'static str,
    pub(crate) results: &'static str,
    pub(crate) admission: &'static str,
    /// The part of the votes that this person is shown: `ballots`, `tally` or `turnout`.
    pub(crate) shown: &'static str,
    /// The people who have a vote.
    pub(crate) voters: u64,
    pub(crate) options: Vec<OptionView>,
}

/// An option of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OptionView {
    /// Its place in the poll, from 1.
    pub(crate) number: usize,
    pub(crate) id: OptionId,
    pub(crate) label: String,
    pub(crate) withdrawn: bool,
    /// `null` as long as these are not shown.
    pub(crate) votes: Option<u32>,
    /// True if this person has chosen it.
    pub(crate) chosen: bool,
}

impl PollView {
    pub(crate) fn of(poll: &Poll, revision: Option<Revision>, me: PeerId) -> Self {
        let counts = poll.counts();
        let chosen = poll.choices(me);
        let options = poll.options().iter().enumerate();
        let options = options.map(|(place, option)| OptionView {
            number: place + 1,
            id: option.option_id,
            label: option.label.clone(),
            withdrawn: option.withdrawn,
            votes: counts.as_ref().and_then(|votes| votes.get(place).copied()),
            chosen: chosen.contains(&option.option_id),
        });
        Self {
            link: RoomId {
                owner: poll.owner(),
                poll_id: poll.poll_id(),
            },
            title: poll.title().to_owned(),
            revision: revision.map_or(0, Revision::get),
            closed: poll.is_closed(),
            closes_at: poll.closes_at(),
            multiple_choice: poll.multiple_choice(),
            ballots: poll.ballots().as_str(),
            results: poll.results().as_str(),
            admission: poll.admission().as_str(),
            shown: shown(poll.shown()),
            voters: poll.voters(),
            options: options.collect(),
        }
    }
}

const fn shown(shown: Shown) -> &'static str {
    shown.as_str()
}

/// A room at one moment, for `join`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomView {
    /// `connecting`, `connected`, `away`, `refused` or `closed`.
    pub(crate) connection: &'static str,
    /// The reason where it is not connected.
    pub(crate) reason: Option<String>,
    /// This person's commands without an answer: "Pending sync".
    pub(crate) pending: Vec<PendingView>,
    /// The devices that are connected, with the owner's.
    pub(crate) here: usize,
    /// `null` until it has arrived once.
    pub(crate) poll: Option<PollView>,
}

/// A command without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PendingView {
    /// Its type on the wire, such as `poll:vote`.
    pub(crate) kind: &'static str,
    /// `queued`, `stored` or `sent`.
    pub(crate) state: &'static str,
}

impl RoomView {
    pub(crate) fn of(room: &Room) -> Self {
        let (connection, reason) = match room.connection() {
            Connection::Connecting => ("connecting", None),
            Connection::Connected => ("connected", None),
            Connection::Disconnected { reason, .. } => ("away", Some(reason.to_string())),
            Connection::Refused(refused) => ("refused", Some(refused.to_string())),
            Connection::Closed => ("closed", None),
        };
        let pending = room.pending().into_iter().map(|pending| PendingView {
            kind: Command::kind(&pending.command).as_str(),
            state: match pending.state {
                CommandState::Queued => "queued",
                CommandState::Persisted => "stored",
                CommandState::Sent => "sent",
                CommandState::Applied(_)
                | CommandState::Rejected(_)
                | CommandState::OutcomeUnknown => "answered",
            },
        });
        Self {
            connection,
            reason,
            pending: pending.collect(),
            here: room.peers().len(),
            poll: room
                .poll()
                .map(|poll| PollView::of(&poll, room.revision(), room.peer())),
        }
    }
}
