//! Plain objects, out and in. `types.ts` says what they look like.

use hustings_protocol::{
    Command, CommandId, OptionId, Outcome, PeerId, PeerInfo, Poll, Revision, Seq,
};
use hustings_room::driver::Room;
use hustings_room::{CommandState, DownReason, Event};
use js_sys::{JSON, Reflect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use crate::failure::Failure;

/// A value as a plain object, by way of its JSON: the names are the wire's, and the code for it is
/// there anyway.
pub(crate) fn to_js(value: &impl Serialize) -> JsValue {
    let json = serde_json::to_string(value);
    // None of the values that are written here can fail to be JSON.
    json.ok()
        .and_then(|json| JSON::parse(&json).ok())
        .unwrap_or_default()
}

/// The same, or `undefined`.
pub(crate) fn optional(value: Option<&impl Serialize>) -> JsValue {
    value.map_or(JsValue::UNDEFINED, to_js)
}

/// A poll, or `undefined`. What the wire leaves out where it is as it was before there was any of
/// it is in it all the same.
pub(crate) fn poll(poll: Option<&Poll>) -> JsValue {
    let Some(poll) = poll else {
        return JsValue::UNDEFINED;
    };
    let object = to_js(poll);
    for (name, word) in [
        ("admission", poll.admission().as_str()),
        ("ballots", poll.ballots().as_str()),
        ("results", poll.results().as_str()),
        ("shown", poll.shown().as_str()),
    ] {
        // A new object takes everything.
        let _ = Reflect::set(&object, &name.into(), &word.into());
    }
    object
}

/// The value of a plain object; `what` names it in the error.
pub(crate) fn from_js<T: DeserializeOwned>(value: &JsValue, what: &str) -> Result<T, Failure> {
    // Of `undefined` and functions there is no JSON.
    let json = JSON::stringify(value)
        .ok()
        .and_then(|json| json.as_string());
    let json = json.ok_or_else(|| Failure::argument(what, "it must be a plain object"))?;
    serde_json::from_str(&json).map_err(|error| Failure::argument(what, error))
}

#[derive(Serialize)]
#[serde(
    tag = "state",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Connection {
    Connecting,
    Connected,
    Disconnected {
        retry_in_ms: u64,
        retry_at: f64,
        code: String,
        reason: String,
    },
    Refused {
        code: String,
        message: String,
    },
    Closed,
}

impl Connection {
    pub(crate) fn new(connection: hustings_room::Connection, room: &Room) -> Self {
        use hustings_room::Connection as Of;

        match connection {
            Of::Connecting => Self::Connecting,
            Of::Connected => Self::Connected,
            Of::Disconnected { retry_at, reason } => {
                let wait = retry_at - room.now();
                Self::Disconnected {
                    retry_in_ms: wait.as_millis().try_into().unwrap_or(u64::MAX),
                    retry_at: js_sys::Date::now() + wait.as_secs_f64() * 1000.0,
                    code: down(&reason).to_owned(),
                    reason: reason.to_string(),
                }
            }
            Of::Refused(refused) => {
                let Failure { code, message } = refused.into();
                Self::Refused {
                    code: code.into_owned(),
                    message,
                }
            }
            Of::Closed => Self::Closed,
        }
    }
}

/// The reason why there is no link, for programs. A host without room is `busy`.
fn down(reason: &DownReason) -> &str {
    match reason {
        DownReason::ClosedByPeer => "closed-by-peer",
        DownReason::NotTheOwner => "not-the-owner",
        DownReason::Unreachable => "unreachable",
        DownReason::DialFailed(_) => "dial-failed",
        DownReason::AddressInUse => "used-elsewhere",
        DownReason::Refused(code) => code.as_str(),
        DownReason::Lost(_) | _ => "lost",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pending {
    command_id: CommandId,
    seq: Seq,
    command: Command,
    state: &'static str,
}

impl From<hustings_room::Pending> for Pending {
    fn from(pending: hustings_room::Pending) -> Self {
        Self {
            command_id: pending.command_id,
            seq: pending.seq,
            command: pending.command,
            state: word(&pending.state),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Refusal {
    command: Command,
    code: String,
    message: String,
}

impl From<hustings_browser::Refusal> for Refusal {
    fn from(refusal: hustings_browser::Refusal) -> Self {
        Self {
            command: refusal.command,
            code: refusal.why.code.to_string(),
            message: refusal.why.message.to_string(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct DamagedPoll {
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    title: String,
    message: String,
}

impl From<hustings_browser::Damage> for DamagedPoll {
    fn from(damage: hustings_browser::Damage) -> Self {
        Self {
            link: damage.link.map(|link| link.to_string()),
            title: damage.title,
            message: damage.why,
        }
    }
}

/// The state of a command, as a word.
fn word(state: &CommandState) -> &'static str {
    match state {
        CommandState::Queued => "queued",
        CommandState::Persisted => "persisted",
        CommandState::Sent => "sent",
        CommandState::Applied(_) => "applied",
        CommandState::Rejected(_) => "rejected",
        CommandState::OutcomeUnknown => "outcomeUnknown",
    }
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum Ended {
    Applied { revision: Revision },
    Rejected { code: String, message: String },
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Applied(revision) => Self::Applied { revision },
            Outcome::Rejected(rejection) => Self::Rejected {
                code: rejection.code.to_string(),
                message: rejection.message.to_string(),
            },
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Tally {
    options: Vec<OptionTally>,
    voters: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OptionTally {
    option_id: OptionId,
    votes: u64,
}

impl From<hustings_protocol::Tally> for Tally {
    fn from(tally: hustings_protocol::Tally) -> Self {
        let options = tally.options.iter().map(|option| OptionTally {
            option_id: option.option_id,
            votes: option.votes,
        });
        Self {
            options: options.collect(),
            voters: tally.voters,
        }
    }
}

#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(crate) enum RoomEvent {
    Connection {
        connection: Connection,
    },
    Poll {
        revision: Revision,
    },
    Command {
        command_id: CommandId,
        state: &'static str,
    },
    Peers {
        peers: Vec<PeerInfo>,
    },
    Fault {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer_id: Option<PeerId>,
        code: String,
        message: String,
    },
    Full {
        full: bool,
    },
    RolledBack {
        have: Revision,
        seen: Revision,
    },
    HistoryReplaced {
        had: Revision,
        has: Revision,
    },
    Missed {
        count: u64,
    },
    Closed,
}

impl RoomEvent {
    /// `None` for an event that JavaScript has no word for yet.
    pub(crate) fn new(event: Event, room: &Room) -> Option<Self> {
        Some(match event {
            Event::Connection(connection) => Self::Connection {
                connection: Connection::new(connection, room),
            },
            Event::PollChanged { revision } => Self::Poll { revision },
            Event::Command { command_id, state } => Self::Command {
                command_id,
                state: word(&state),
            },
            Event::PeersChanged(peers) => Self::Peers { peers },
            Event::Fault {
                peer, rejection, ..
            } => Self::Fault {
                peer_id: peer,
                code: rejection.code.to_string(),
                message: rejection.message.to_string(),
            },
            Event::Full(full) => Self::Full { full },
            Event::JournalRolledBack { have, seen } => Self::RolledBack { have, seen },
            Event::HistoryReplaced { had, has } => Self::HistoryReplaced { had, has },
            Event::Missed { count } => Self::Missed { count },
            _ => return None,
        })
    }
}
