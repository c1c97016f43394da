//! Damage in what is stored of the user's own polls: it costs the poll that it is in, and no other.
//!
//! It is shown wherever the polls are. What does not read can be taken away as it is, perhaps
//! for somebody who can read more of it, and then removed.

use std::fmt::Write as _;

use bytes::Bytes;
use hustings_outbox::{Journal, Listed, Store, StoreError};
use hustings_protocol::RoomId;
use hustings_room::driver::OpenError;
use js_sys::JSON;

use crate::hosted::HostError;

/// Stored data that does not read: a poll of the user's own, or records that are left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The poll. Nobody can say which one it was where the list of polls is damaged, too.
    pub link: Option<RoomId>,
    /// The question, as far as it can be told from what is left. Empty where it cannot.
    pub title: String,
    /// The fault, with the name of the first record that has one.
    pub why: String,
    /// The keys of the records that belong to no poll.
    strays: Vec<Bytes>,
}

/// The reason why damaged data was not removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// It is open in this tab, or can be opened: it is not removed as if it was damaged.
    #[error("this poll can be read again; nothing was removed")]
    Sound,
    /// Only the tab that hosts removes polls.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Damage {
    pub(crate) async fn of_poll(
        store: &impl Store,
        link: RoomId,
        why: String,
    ) -> Result<Self, StoreError> {
        let records = Journal::new(link).export(store).await?;
        let title = records.iter().find_map(|(_, value)| likely_title(value));
        Ok(Self {
            link: Some(link),
            title: title.unwrap_or_default(),
            why,
            strays: Vec::new(),
        })
    }

    /// The records that belong to none of the polls of a list. An entry of the list itself that is
    /// damaged is mended by whoever hosts its poll (`Hosted::mend_list`).
    pub(crate) fn of_strays(listed: &Listed<RoomId>) -> Option<Self> {
        let is_entry_of = |key: &Bytes| {
            let mut rooms = listed.found.iter();
            rooms.any(|room| Journal::new(*room).list_key() == *key)
        };
        let strays = listed.damaged.iter().filter(|it| !is_entry_of(&it.key));
        let strays: Vec<_> = strays.collect();
        let first = strays.first()?;
        Some(Self {
            link: None,
            title: String::new(),
            why: first.error.to_string(),
            strays: strays.iter().map(|it| it.key.clone()).collect(),
        })
    }

    /// The records as they are stored, as a JSON text: an object with the link, and with `records`,
    /// each a key and a value in hexadecimal digits.
    pub(crate) async fn export(&self, store: &impl Store) -> Result<String, StoreError> {
        let mut records = Vec::new();
        if let Some(link) = self.link {
            records = Journal::new(link).export(store).await?;
        }
        for key in &self.strays {
            if let Some(value) = store.get(key).await? {
                records.push((key.clone(), value));
            }
        }
        let link = self.link.map(|link| format!("\"link\":\"{link}\","));
        let mut text = format!("{{{}\"records\":[", link.unwrap_or_default());
        for (number, (key, value)) in records.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            text.push_str(comma);
            text.push_str("\n[\"");
            hex(&mut text, key);
            text.push_str("\",\"");
            hex(&mut text, value);
            text.push_str("\"]");
        }
        text.push_str("]}\n");
        Ok(text)
    }

    pub(crate) fn strays(&self) -> &[Bytes] {
        &self.strays
    }
}

/// True if an error is about the poll that was to be opened, and says nothing of the others.
pub(crate) fn is_of_one_poll(error: &OpenError) -> bool {
    match error {
        OpenError::Kept(_) | OpenError::Store(StoreError::Corrupt { .. } | StoreError::Io(_)) => {
            true
        }
        OpenError::Store(_)
        | OpenError::Draft(_)
        | OpenError::NoJournal(_)
        | OpenError::PutAside(_)
        | OpenError::Randomness(_)
        | OpenError::Failed(_)
        | OpenError::Stopped
        | _ => false,
    }
}

/// The question in the bytes of a damaged snapshot, if there is one that can be read. It is shown
/// to whoever asked it, and nothing is done by it.
fn likely_title(value: &[u8]) -> Option<String> {
    const BEFORE: &[u8] = b"\"title\":";
    let at = value.windows(BEFORE.len()).position(|it| it == BEFORE)?;
    let rest = &value[at + BEFORE.len()..];
    let mut is_escaped = false;
    let end = rest.iter().skip(1).position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })?;
    let quoted = std::str::from_utf8(&rest[..end + 2]).ok()?;
    JSON::parse(quoted).ok()?.as_string()
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A string takes what is written to it.
        let _ = write!(text, "{byte:02x}");
    }
}
