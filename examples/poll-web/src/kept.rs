//! The place where what this tab has is kept: one truth, for all sentences that speak of it.

use hustings_protocol::Role;

/// The place where votes that wait, copies of polls and polls of one's own are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In the browser's database, also after the tab is closed.
    OnDevice,
    /// In this tab's memory alone.
    InTab,
    /// Nowhere: it was on this device, and was deleted while the page was open. This tab has stopped.
    Deleted,
}

/// The progress of something that was asked for and has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    BeingSaved,
    Saved,
    Sent,
}

impl Kept {
    /// Announces the copy of the poll that is shown while the host is away.
    pub(crate) const fn copy(self) -> &'static str {
        match self {
            Self::OnDevice => "Below is the copy of the poll that is kept on this device.",
            Self::InTab => "Below is the copy of the poll that this tab has while it is open.",
            Self::Deleted => "Below is what this tab still has of the poll.",
        }
    }

    /// The progress of a change, in the list of those that wait.
    pub(crate) const fn how_far(self, progress: Progress) -> &'static str {
        match (self, progress) {
            (_, Progress::Sent) => "sent, not confirmed",
            (Self::OnDevice, Progress::BeingSaved) => "being saved",
            (Self::OnDevice, Progress::Saved) => "saved on this device",
            (Self::InTab, Progress::BeingSaved | Progress::Saved) => "in this tab alone",
            (Self::Deleted, Progress::BeingSaved | Progress::Saved) => "kept no longer",
        }
    }

    /// Follows the reason why the tab has stopped.
    pub(crate) const fn after_a_stop(self, is_host: bool) -> &'static str {
        match (self, is_host) {
            (Self::OnDevice, _) => "What was confirmed is kept. Load the page again to go on.",
            (Self::InTab, false) => "Load the page again to go on.",
            (Self::InTab, true) => {
                "Nothing is stored on this device: what this tab still has of the poll can be saved \
                 under “Keep the result”, before the page is loaded again."
            }
            (Self::Deleted, false) => "Load the page again to begin anew.",
            (Self::Deleted, true) => {
                "This poll is hosted no longer. What this tab still has of it can be saved under \
                 “Keep the result”, before the page is loaded again."
            }
        }
    }

    /// True if to leave the page now would lose something, or interrupt others.
    pub(crate) const fn asks_before_leaving(self, room: Leaving) -> bool {
        match (self, room.hosts_open) {
            // What this tab still has, nobody else has.
            (Self::Deleted | Self::InTab, Some(_)) => true,
            (Self::OnDevice, Some(is_open)) if is_open && !room.is_stopped => true,
            (Self::OnDevice, Some(_)) | (_, None) => room.waits && !room.is_stopped,
        }
    }
}

/// The state in which the page would be left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    /// If this tab is the host: whether people can vote.
    pub(crate) hosts_open: Option<bool>,
    /// True if something waits for the host.
    pub(crate) waits: bool,
    pub(crate) is_stopped: bool,
}

/// The state of one's own vote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) kept: Kept,
    /// The progress of a vote of this tab that waits for the host.
    pub(crate) waits: Option<Progress>,
    /// True if one of a closed tab does.
    pub(crate) is_left_behind: bool,
    /// True if there is no vote, or it is being taken back.
    pub(crate) is_empty: bool,
    /// True if something that was chosen was withdrawn.
    pub(crate) is_withdrawn: bool,
    pub(crate) role: Role,
    /// True if this person was removed.
    pub(crate) is_removed: bool,
    pub(crate) is_connected: bool,
    pub(crate) is_stopped: bool,
}

impl Standing {
    pub(crate) const fn words(&self) -> &'static str {
        match (self.waits, self.is_empty, self.role) {
            _ if self.is_removed => "You were removed from this poll, and cannot vote in it.",
            (None, _, _) if self.is_left_behind => {
                "Your vote from a tab that was closed is on its way. The host has not confirmed it yet."
            }
            (Some(_), true, _) => "The host has not confirmed yet that your vote is taken back.",
            (Some(progress), false, _) => match (self.kept, progress) {
                (Kept::OnDevice, Progress::BeingSaved) => {
                    "Your vote is being saved. The host has not confirmed it yet."
                }
                (Kept::OnDevice, Progress::Saved | Progress::Sent) => {
                    "Your vote is safe on this device. The host has not confirmed it yet."
                }
                (Kept::InTab, _) => {
                    "Your vote is in this tab alone: keep it open. The host has not confirmed it yet."
                }
                (Kept::Deleted, _) => {
                    "Your vote is kept no longer, and the host has not confirmed it."
                }
            },
            (None, false, _) if self.is_withdrawn => {
                "Your vote is counted, but not for what was withdrawn."
            }
            (None, false, _) => "Your vote is counted.",
            (None, true, _) if self.is_withdrawn => {
                "What you chose was withdrawn: you have no vote that counts."
            }
            (None, true, Role::Viewer) => "You may watch this poll, but not vote in it.",
            (None, true, _) if self.is_stopped => "You can vote when the page is loaded again.",
            (None, true, _) if !self.is_connected => "You can vote when the host is back.",
            (None, true, _) => "You have not voted.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Kept; 3] = [Kept::OnDevice, Kept::InTab, Kept::Deleted];
    const STEPS: [Progress; 3] = [Progress::BeingSaved, Progress::Saved, Progress::Sent];

    fn vote(kept: Kept, waits: Progress) -> Standing {
        Standing {
            kept,
            waits: Some(waits),
            is_left_behind: false,
            is_empty: false,
            is_withdrawn: false,
            role: Role::Voter,
            is_removed: false,
            is_connected: true,
            is_stopped: kept == Kept::Deleted,
        }
    }

    #[test]
    fn only_what_is_on_the_device_is_said_to_be() {
        for kept in PLACES {
            let is_there = kept == Kept::OnDevice;
            assert_eq!(kept.copy().contains("kept on this device"), is_there);
            let stop = kept.after_a_stop(true);
            assert_eq!(stop.contains("What was confirmed is kept"), is_there);
            assert_eq!(
                stop.contains("“Keep the result”"),
                !is_there,
                "a host saves it"
            );
            for step in STEPS {
                let is_saved = is_there && step != Progress::BeingSaved;
                let said = vote(kept, step).words();
                assert_eq!(said.contains("safe on this device"), is_saved, "{said}");
                let said = kept.how_far(step);
                let is_saved = is_there && step == Progress::Saved;
                assert_eq!(said.contains("on this device"), is_saved, "{said}");
            }
        }
    }

    #[test]
    fn a_tab_that_has_stopped_promises_nothing_of_the_host() {
        let standing = Standing {
            waits: None,
            is_empty: true,
            is_connected: false,
            ..vote(Kept::Deleted, Progress::Sent)
        };
        let said = standing.words();
        assert_eq!(said, "You can vote when the page is loaded again.");
    }

    #[test]
    fn a_vote_for_what_was_withdrawn_is_not_said_to_count() {
        let standing = |is_empty| Standing {
            waits: None,
            is_empty,
            is_withdrawn: true,
            ..vote(Kept::OnDevice, Progress::Sent)
        };
        assert!(standing(true).words().contains("no vote that counts"));
        assert!(
            standing(false)
                .words()
                .contains("not for what was withdrawn")
        );
        let removed = Standing {
            is_removed: true,
            ..standing(false)
        };
        assert!(removed.words().contains("removed from this poll"));
    }

    #[test]
    fn who_leaves_is_asked_only_where_it_costs_something() {
        let asks = |kept: Kept, hosts_open, waits, is_stopped| {
            kept.asks_before_leaving(Leaving {
                hosts_open,
                waits,
                is_stopped,
            })
        };
        for kept in [Kept::OnDevice, Kept::InTab] {
            assert!(
                !asks(kept, None, false, false),
                "a guest who has voted goes"
            );
            assert!(
                asks(kept, None, true, false),
                "a vote would wait for the next visit"
            );
            assert!(asks(kept, Some(true), false, false), "nobody could vote");
        }
        assert!(
            !asks(Kept::OnDevice, Some(false), false, false),
            "a closed poll is kept"
        );
        assert!(
            asks(Kept::InTab, Some(false), false, false),
            "its result is not"
        );
        assert!(
            !asks(Kept::OnDevice, Some(true), false, true),
            "to load it again helps"
        );
        assert!(
            asks(Kept::Deleted, Some(true), false, true),
            "nobody else has the result"
        );
        assert!(!asks(Kept::Deleted, None, false, true));
    }
}
