//! A room as the app shows it.
//!
//! The library tells that something has happened; the state is read from the room in one go, here
//! and nowhere else. Components show parts of the [`Snapshot`] and send commands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hustings_browser::{Deliveries, Hosted, Joined, Storage};
use hustings_protocol::text::isolated;
use hustings_protocol::{
    Command, CommandId, ErrorCode, Outcome, PeerId, PeerInfo, Poll, Rejection, Revision, Role,
    RoomId,
};
use hustings_room::clock::unix_millis;
use hustings_room::driver::{CallError, Room};
use hustings_room::{
    CommandState, Connection, DownReason, Event, Moment, Pending, Refused, SubmitError,
};
use hustings_transport_peerjs::Status;
use hustings_transport_peerjs::wire::RegistrationState;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::Opened;
use crate::browser;
use crate::kept::{Kept, Leaving, Progress};
use crate::results::Results;
use crate::words;

/// The number of events that are taken together: a thousand votes at once are one new picture.
const TOGETHER: usize = 1_024;

/// The time between two looks at things without events: the signalling server, and the commands of
/// closed tabs.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

/// From which side this tab is in a room.
#[derive(Clone)]
pub(crate) enum Side {
    /// It is the host: the poll lives here.
    Host(Hosted, Room),
    /// It has joined.
    Guest(Joined),
}

impl Side {
    fn room(&self) -> &Room {
        match self {
            Self::Host(_, room) => room,
            Self::Guest(joined) => joined.room(),
        }
    }

    fn status(&self) -> &Status {
        match self {
            Self::Host(hosted, _) => hosted.status(),
            Self::Guest(joined) => joined.status(),
        }
    }

    fn read(&self, deliveries: &Deliveries, is_stored: bool) -> Snapshot {
        let (failure, is_deleted) = match self {
            Self::Host(hosted, _) => (hosted.failure(), hosted.is_deleted()),
            Self::Guest(joined) => (joined.failure(), joined.is_deleted()),
        };
        let kept = match (is_deleted, is_stored) {
            (true, _) => Kept::Deleted,
            (false, true) => Kept::OnDevice,
            (false, false) => Kept::InTab,
        };
        let room = self.room();
        Snapshot {
            poll: room.poll(),
            confirmed: room.confirmed(),
            revision: room.revision(),
            connection: room.connection(),
            down: None,
            cut_off: None,
            pending: room.pending(),
            left_behind: deliveries.pending(room.id()),
            has_network: browser::has_network(),
            peers: room.peers(),
            clock_offset: room.clock_offset(),
            registration: self.status().registration(),
            kept,
            is_full: room.is_full()
                || self
                    .status()
                    .turned_away()
                    .is_some_and(|at| room.now() - at < FULL),
            failure,
        }
    }
}

/// The time for which it is shown that somebody was turned away: they try again at least once in
/// it, and are turned away again as long as there is no room.
const FULL: Duration = Duration::from_secs(60);

/// The reason why this side is not registered at the signalling server, and tries to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutOff {
    ServerAway,
    /// Another window has the address, or what is left of one.
    AddressTaken,
}

/// The state of a room.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    /// The poll, with what waits here applied.
    pub(crate) poll: Option<Arc<Poll>>,
    /// The poll as the host has confirmed it.
    pub(crate) confirmed: Option<Arc<Poll>>,
    pub(crate) revision: Option<Revision>,
    pub(crate) connection: Connection,
    /// The reason why there is no link, from the end of the last one until there is another.
    pub(crate) down: Option<DownReason>,
    /// The commands of this tab without an outcome.
    pub(crate) pending: Vec<Pending>,
    /// The commands that closed tabs have left, and this one delivers.
    pub(crate) left_behind: Vec<Pending>,
    /// True if this device is in any network at all, as far as the browser knows.
    pub(crate) has_network: bool,
    pub(crate) peers: Vec<PeerInfo>,
    /// The milliseconds by which the host's clock is ahead of this tab's, once it has said so.
    clock_offset: Option<i64>,
    pub(crate) registration: Option<RegistrationState>,
    /// The reason why this side cannot be found, from the first failure to register until it is
    /// registered: an attempt that is under way does not end it.
    pub(crate) cut_off: Option<CutOff>,
    /// The place of all that.
    pub(crate) kept: Kept,
    /// True if somebody was turned away here lately because there is no room for more, be it the
    /// browser or the host that had none.
    pub(crate) is_full: bool,
    /// The reason why the room has stopped, if it has.
    pub(crate) failure: Option<String>,
}

impl Snapshot {
    /// Continues from the snapshot before: an attempt that is under way ends no absence, and the
    /// last changes before a room stopped may not have become durable.
    fn after(mut self, before: &Self) -> Self {
        if self.failure.is_some() {
            self.poll.clone_from(&before.poll);
            self.confirmed.clone_from(&before.confirmed);
            self.revision = before.revision;
        }
        if self.kept == Kept::Deleted {
            // Nothing of it is sent any more; what was lost is told.
            self.poll.clone_from(&self.confirmed);
            self.pending.clear();
            self.left_behind.clear();
        }
        self.down = match &self.connection {
            Connection::Disconnected { reason, .. } => Some(reason.clone()),
            Connection::Connecting => before.down.clone(),
            Connection::Connected | Connection::Refused(_) | Connection::Closed => None,
        };
        self.cut_off = match &self.registration {
            Some(RegistrationState::Disconnected { .. }) => Some(CutOff::ServerAway),
            Some(RegistrationState::AddressTaken { .. }) => Some(CutOff::AddressTaken),
            Some(RegistrationState::Connecting) => before.cut_off,
            Some(
                RegistrationState::Registered
                | RegistrationState::Yielded { .. }
                | RegistrationState::Failed(_),
            )
            | None => None,
        };
        self
    }

    /// The loss of what waited before, to be told once: what was stored is gone, and nobody knows
    /// whether it had arrived.
    fn lost<'a>(&self, before: &'a Self) -> impl Iterator<Item = &'a Command> {
        let is_lost = self.kept == Kept::Deleted && before.kept != Kept::Deleted;
        let waited = before.pending.iter().chain(&before.left_behind);
        waited
            .filter(move |_| is_lost)
            .map(|pending| &pending.command)
    }

    /// True if this person was removed from the poll.
    pub(crate) fn is_removed(&self) -> bool {
        matches!(&self.connection, Connection::Refused(Refused::ByOwner(why)) if why.code == ErrorCode::Removed)
    }

    /// Everything that waits for the host.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len() + self.left_behind.len()
    }
}

/// Something to tell that has gone wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// A room, for components.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    side: StoredValue<Side, LocalStorage>,
    deliveries: StoredValue<Deliveries, LocalStorage>,
    is_stored: bool,
    /// The Unix time at which the room's clock began, in milliseconds. The room does not look at
    /// the wall clock again, which may be set meanwhile.
    began: u64,
    /// Commands of an earlier visit, whose ends only the events tell.
    inherited: StoredValue<BTreeMap<CommandId, Command>>,
    pub(crate) snapshot: RwSignal<Snapshot>,
    pub(crate) notices: RwSignal<Vec<Notice>>,
    /// True if the last vote from here did not take effect. The notice has the reason.
    pub(crate) is_vote_refused: RwSignal<bool>,
    pub(crate) link: RoomId,
    pub(crate) me: PeerId,
    pub(crate) is_host: bool,
}

impl Model {
    /// Follows a room for as long as the component lives that calls this.
    pub(crate) fn of(side: Side, deliveries: Deliveries) -> Self {
        let is_stored = *Opened::app().storage() == Storage::Database;
        let (room, snapshot) = (side.room(), side.read(&deliveries, is_stored));
        let inherited = snapshot.pending.iter();
        let inherited = inherited.map(|pending| (pending.command_id, pending.command.clone()));
        let mut events = room.events().ready_chunks(TOGETHER);
        let began = unix_millis().saturating_sub(millis(room.now() - Moment::START));
        let model = Self {
            link: room.id(),
            me: room.peer(),
            is_host: matches!(side, Side::Host(..)),
            inherited: StoredValue::new(inherited.collect()),
            side: StoredValue::new_local(side),
            deliveries: StoredValue::new_local(deliveries),
            is_stored,
            began,
            snapshot: RwSignal::new(snapshot),
            notices: RwSignal::new(Vec::new()),
            is_vote_refused: RwSignal::new(false),
        };
        spawn_local(async move {
            while let Some(happened) = events.next().await {
                happened.into_iter().for_each(|event| model.hear(event));
                model.refresh();
            }
            model.refresh();
        });
        if let Ok(ticks) = set_interval_with_handle(move || model.refresh(), NOW_AND_THEN) {
            on_cleanup(move || ticks.clear());
        }
        model
    }

    /// Reads the room again. Once the component is gone there is nothing to read.
    fn refresh(self) {
        let read = self.deliveries.try_with_value(|deliveries| {
            let is_stored = self.is_stored;
            self.side
                .try_with_value(|side| side.read(deliveries, is_stored))
        });
        let refused = self
            .deliveries
            .try_with_value(|deliveries| deliveries.take_refused(self.link));
        for refusal in refused.into_iter().flatten() {
            self.rejected(&refusal.command, &refusal.why);
        }
        if let Some(Some(read)) = read
            && let Some(old) = self.snapshot.try_get_untracked()
        {
            let new = read.after(&old);
            for command in new.lost(&old) {
                let what = words::sentence(&words::asked(old.poll.as_deref(), command));
                self.tell(format!(
                    "{what} is kept no longer, and the host had not confirmed it. Look again later \
                     whether it had arrived."
                ));
            }
            if new != old {
                self.snapshot.set(new);
            }
        }
    }

    fn hear(self, event: Event) {
        if matches!(event, Event::JournalRolledBack { .. }) {
            self.tell(
                "What is stored in this browser is an old copy of the poll. Votes that came after \
                 it are lost, until those who gave them come back."
                    .to_owned(),
            );
        } else if matches!(event, Event::HistoryReplaced { .. }) {
            self.tell(
                "The host has gone back to an old copy of the poll. Votes that were counted since \
                 may be missing; your own from this visit are given again."
                    .to_owned(),
            );
        }
        if let Event::Command {
            command_id,
            state: CommandState::Rejected(why),
        } = event
        {
            let inherited = self.inherited.try_update_value(|of| of.remove(&command_id));
            if let Some(Some(command)) = inherited {
                self.rejected(&command, &why);
            }
        }
    }

    /// Asks for something. `taken` is called once it is safe on this device; how it ends shows in
    /// the snapshot, or as a notice if it is refused.
    pub(crate) fn submit(self, command: Command, taken: impl FnOnce() + 'static) {
        self.submit_or(command, taken, || {});
    }

    /// The same, with what is to be done if it is refused: what somebody has put together lasts
    /// until its answer.
    pub(crate) fn submit_or(
        self,
        command: Command,
        taken: impl FnOnce() + 'static,
        refused: impl FnOnce() + 'static,
    ) {
        self.submit_until(command, taken, || {}, refused);
    }

    /// The same, with what is to be done once it has taken effect, too.
    pub(crate) fn submit_until(
        self,
        command: Command,
        taken: impl FnOnce() + 'static,
        applied: impl FnOnce() + 'static,
        refused: impl FnOnce() + 'static,
    ) {
        let Some(room) = self.side.try_with_value(|side| side.room().clone()) else {
            return;
        };
        let is_vote = matches!(command, Command::Vote(_));
        if is_vote {
            self.is_vote_refused.set(false);
        }
        spawn_local(async move {
            let submitted = room.submit(command.clone()).await;
            // Who waits for an answer does not keep the room open.
            drop(room);
            let ended = match submitted {
                Ok(submitted) => {
                    taken();
                    submitted.outcome().await
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(Outcome::Applied(_)) => applied(),
                // A room that stopped tells why itself.
                Err(CallError::Failed(_) | CallError::Stopped) => {}
                Ok(Outcome::Rejected(why)) => {
                    refused();
                    self.rejected(&command, &why);
                }
                Err(CallError::Submit(SubmitError::OwnerOffline)) => {
                    if is_vote {
                        self.is_vote_refused.try_set(true);
                    }
                    self.tell("Nothing was sent: the host is away.".to_owned());
                }
                Err(why @ (CallError::Submit(_) | CallError::Refused(_) | _)) => {
                    self.refused(&command, &why.to_string());
                }
            }
        });
    }

    /// The host has answered no. That a newer choice counts is no refusal of what somebody wants.
    fn rejected(self, command: &Command, why: &Rejection) {
        if let Command::RedeemInvitation(_) = command
            && let Some(text) = words::invitation_refused(&why.code)
        {
            self.tell(text.to_owned());
        } else if why.code == ErrorCode::Superseded {
            let poll = self.snapshot.try_with_untracked(|now| now.poll.clone());
            self.tell(words::superseded(poll.flatten().as_deref(), command));
        } else {
            self.refused(command, &why.message);
        }
    }

    fn refused(self, command: &Command, why: &str) {
        if matches!(command, Command::Vote(_)) {
            self.is_vote_refused.try_set(true);
        }
        let poll = self.snapshot.try_with_untracked(|now| now.poll.clone());
        let what = words::asked(poll.flatten().as_deref(), command);
        // Whoever refused wrote the reason.
        let why = isolated(why);
        self.tell(format!("{} was refused: {why}.", words::sentence(&what)));
    }

    fn tell(self, text: String) {
        self.notices.try_update(|notices| {
            let number = notices.last().map_or(0, |last| last.number + 1);
            notices.push(Notice { number, text });
        });
    }

    /// Tries to reach the host now, and the signalling server, which a dial would wait for.
    pub(crate) fn reconnect(self) {
        self.side.try_with_value(|side| side.status().retry());
        if let Some(room) = self.side.try_with_value(|side| side.room().clone()) {
            spawn_local(async move {
                // A room that has stopped shows that already.
                let _ = room.reconnect().await;
            });
        }
    }

    /// Takes the address back from a copy of this profile.
    pub(crate) fn claim(self) {
        self.side.try_with_value(|side| side.status().claim());
        self.refresh();
    }

    /// The time until a moment of the room's clock.
    pub(crate) fn until(self, moment: Moment) -> Duration {
        let now = self.side.try_with_value(|side| side.room().now());
        now.map_or(Duration::ZERO, |now| moment - now)
    }

    /// The time until a moment of the host's clock, in milliseconds of Unix time; nothing once it
    /// has passed. Until the host has said what its clock shows, this tab's counts.
    pub(crate) fn until_deadline(self, unix_millis: u64) -> Duration {
        let now = self.side.try_with_value(|side| side.room().now());
        let here = now.map_or(u64::MAX, |now| {
            self.began.saturating_add(millis(now - Moment::START))
        });
        let offset = self.snapshot.try_with_untracked(|now| now.clock_offset);
        let there = here.saturating_add_signed(offset.flatten().unwrap_or_default());
        Duration::from_millis(unix_millis.saturating_sub(there))
    }

    /// The state in which the page would be left now, and whether that costs something.
    pub(crate) fn asks_before_leaving(self) -> bool {
        let asks = self.snapshot.try_with_untracked(|now| {
            let is_open = now.poll.as_ref().is_some_and(|poll| !poll.is_closed());
            now.kept.asks_before_leaving(Leaving {
                hosts_open: self.is_host.then_some(is_open),
                waits: now.waiting() > 0,
                is_stopped: now.failure.is_some(),
            })
        });
        asks.unwrap_or_default()
    }

    // What components ask of the snapshot more than once.

    /// The place where all that this tab has is kept.
    pub(crate) fn kept(self) -> Kept {
        self.snapshot.with(|now| now.kept)
    }

    /// The poll as it is shown.
    pub(crate) fn poll(self) -> Option<Arc<Poll>> {
        self.snapshot.with(|now| now.poll.clone())
    }

    /// True if the poll is this user's own, and this tab has joined it.
    pub(crate) fn may_host(self) -> bool {
        !self.is_host && self.me == self.link.owner
    }

    /// The role of this side.
    pub(crate) fn role(self) -> Role {
        self.poll().map_or(Role::Viewer, |poll| poll.role(self.me))
    }

    /// True if this person was removed from the poll.
    pub(crate) fn is_removed(self) -> bool {
        self.snapshot.with(Snapshot::is_removed)
    }

    /// True if commands are accepted now.
    pub(crate) fn is_connected(self) -> bool {
        self.snapshot
            .with(|now| now.connection == Connection::Connected && now.failure.is_none())
    }

    /// The result.
    pub(crate) fn results(self) -> Results {
        self.snapshot.with(|now| {
            let (Some(seen), Some(confirmed)) = (&now.poll, &now.confirmed) else {
                return Results::default();
            };
            let pending = now.pending.iter().map(|pending| &pending.command);
            Results::of(seen, confirmed, self.me, pending)
        })
    }
}

/// Exact: such times end long after everything here.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The progress of a command that waits; `None` of one that has its answer.
pub(crate) const fn progress(state: &CommandState) -> Option<Progress> {
    match state {
        CommandState::Queued => Some(Progress::BeingSaved),
        CommandState::Persisted => Some(Progress::Saved),
        CommandState::Sent => Some(Progress::Sent),
        CommandState::Applied(_) | CommandState::Rejected(_) | CommandState::OutcomeUnknown => None,
    }
}
