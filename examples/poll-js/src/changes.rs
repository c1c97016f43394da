//! Changes of a poll, as JavaScript asks for them. An unknown name is an error: with a typo nothing
//! would change.

use hustings_protocol::{PollId, Results, SettingsUpdate};
use serde::{Deserialize, Deserializer};

/// See `PollSettings` in `types.ts`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    closed: Option<bool>,
    voters_may_add_options: Option<bool>,
    results: Option<Results>,
    title: Option<String>,
    /// `null` takes the deadline away.
    #[serde(default, deserialize_with = "nullable")]
    closes_at: Option<Option<u64>>,
}

/// Tells `null` from a field that is not there.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Settings {
    /// The update that the owner is asked for.
    pub(crate) fn update(self, poll_id: PollId) -> SettingsUpdate {
        let mut update = SettingsUpdate::new(poll_id)
            .closed(self.closed)
            .voters_may_add_options(self.voters_may_add_options)
            .results(self.results);
        (update.title, update.closes_at) = (self.title, self.closes_at);
        update
    }
}

/// See `OptionChange` in `types.ts`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OptionChange {
    pub(crate) label: Option<String>,
    pub(crate) withdrawn: Option<bool>,
}

/// See `PeerRemoval` in `types.ts`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Removal {
    pub(crate) keep_vote: bool,
}
