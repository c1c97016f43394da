//! One participant's events, as they are told.

use std::time::Duration;

use futures::StreamExt;
use futures::future::{self, Either};
use hustings_protocol::{CommandId, Outcome};
use hustings_room::clock::Clock;
use hustings_room::driver::{CallError, Events, Room};
use hustings_room::{CommandState, Connection, Event, Moment};

use crate::cast::{Trouble, Voter};
use crate::count::Choice;
use crate::narrate::{Narrator, Status, Tone};

/// A vote, from its submission to its outcome.
pub(crate) struct Followed {
    pub(crate) choice: Choice,
    /// On how many links it was sent.
    pub(crate) sent: u32,
    pub(crate) outcome: Outcome,
}

/// Listens to one participant, and tells what happens to its votes and its connection.
pub(crate) struct Follow<'a> {
    narrator: &'a Narrator,
    labels: &'a [String],
    name: String,
    room: Room,
    events: Events,
    status: Status,
    /// The votes that are going to be submitted, in their order, with those that were.
    votes: Vec<(Choice, Option<Given>)>,
    attempts: u32,
    /// True if each attempt to connect is worth a line.
    every_attempt: bool,
    was_lost: bool,
}

struct Given {
    command_id: CommandId,
    at: Moment,
    sent: u32,
    state: CommandState,
}

impl<'a> Follow<'a> {
    /// Follows a participant who is going to submit these votes and no others.
    pub(crate) fn new(
        narrator: &'a Narrator,
        labels: &'a [String],
        voter: &Voter,
        votes: &[Choice],
    ) -> Self {
        Self {
            narrator,
            labels,
            name: voter.name.clone(),
            room: voter.room.clone(),
            events: voter.room.events(),
            status: narrator.status(&voter.name),
            votes: votes.iter().map(|choice| (choice.clone(), None)).collect(),
            attempts: 0,
            every_attempt: false,
            was_lost: false,
        }
    }

    /// Tells of each attempt to connect.
    pub(crate) fn every_attempt(mut self) -> Self {
        self.every_attempt = true;
        self
    }

    /// Follows until all votes have their outcome and, if `reconnected`, until the connection was
    /// lost and is there again.
    pub(crate) async fn run(
        mut self,
        clock: &impl Clock,
        reconnected: bool,
    ) -> Result<Vec<Followed>, Trouble> {
        loop {
            let is_settled = |given: &Given| given.state.is_final();
            let mut votes = self.votes.iter();
            let all_settled = votes.all(|(_, given)| given.as_ref().is_some_and(is_settled));
            let is_connected = self.room.connection() == Connection::Connected;
            if all_settled && is_connected && (self.was_lost || !reconnected) {
                return Ok(self.finish());
            }
            self.status.set(self.present());
            let tick = clock.sleep_until(clock.now() + Duration::from_millis(50));
            match future::select(self.events.next(), tick).await {
                Either::Left((Some(event), _)) => self.tell(event)?,
                Either::Left((None, _)) => return Err(CallError::Stopped.into()),
                Either::Right(_) => {}
            }
        }
    }

    fn finish(self) -> Vec<Followed> {
        let followed = |(choice, given): (Choice, Option<Given>)| {
            let given = given?;
            let outcome = match given.state {
                CommandState::Applied(revision) => Outcome::Applied(revision),
                CommandState::Rejected(rejection) => Outcome::Rejected(rejection),
                CommandState::Queued
                | CommandState::Persisted
                | CommandState::Sent
                | CommandState::OutcomeUnknown => return None,
            };
            Some(Followed {
                choice,
                sent: given.sent,
                outcome,
            })
        };
        self.votes.into_iter().filter_map(followed).collect()
    }

    fn tell(&mut self, event: Event) -> Result<(), Trouble> {
        match event {
            Event::Connection(connection) => self.tell_connection(connection)?,
            Event::Command { command_id, state } => self.tell_command(command_id, state),
            Event::Fault { rejection, .. } => {
                let text = format!("the other side broke the protocol: {rejection}");
                self.narrator.say(&self.name, Tone::Bad, text);
            }
            // What became of the votes meanwhile cannot be told any more.
            Event::Missed { count } => return Err(Trouble::Missed(count)),
            // The tally says it, or it is nothing that a scene shows.
            Event::PollChanged { .. }
            | Event::PeersChanged(_)
            | Event::JournalRolledBack { .. }
            | Event::HistoryReplaced { .. }
            | _ => {}
        }
        Ok(())
    }

    fn tell_connection(&mut self, connection: Connection) -> Result<(), Trouble> {
        match connection {
            Connection::Connecting => self.attempts += 1,
            Connection::Connected => {
                let text = match self.attempts {
                    0 | 1 => "connected again, at the first attempt".to_owned(),
                    attempts => format!("connected again, at attempt {attempts}"),
                };
                self.narrator.say(&self.name, Tone::Good, text);
                self.attempts = 0;
            }
            Connection::Disconnected { retry_at, reason } => {
                let is_first = !std::mem::replace(&mut self.was_lost, true);
                if is_first || self.every_attempt {
                    let wait = (retry_at - self.room.now()).as_secs_f64();
                    let text = format!("{reason}; the next attempt is in {wait:.2} s");
                    self.narrator.say(&self.name, Tone::Bad, text);
                }
            }
            Connection::Refused(reason) => return Err(CallError::Refused(reason).into()),
            Connection::Closed => return Err(CallError::Stopped.into()),
        }
        Ok(())
    }

    fn tell_command(&mut self, command_id: CommandId, state: CommandState) {
        let known = |(_, given): &(Choice, Option<Given>)| {
            given
                .as_ref()
                .is_some_and(|given| given.command_id == command_id)
        };
        // One that is queued now is the next that was going to be submitted. Of others, submitted
        // before this began, the last events may still come.
        let next = || match state {
            CommandState::Queued => self.votes.iter().position(|(_, given)| given.is_none()),
            CommandState::Persisted
            | CommandState::Sent
            | CommandState::Applied(_)
            | CommandState::Rejected(_)
            | CommandState::OutcomeUnknown => None,
        };
        let place = self.votes.iter().position(known).or_else(next);
        let Some((choice, slot)) = place.map(|place| &mut self.votes[place]) else {
            return;
        };
        let now = self.room.now();
        let given = slot.get_or_insert(Given {
            command_id,
            at: now,
            sent: 0,
            state: CommandState::Queued,
        });
        given.sent += u32::from(state == CommandState::Sent);
        let label = label(self.labels, choice);
        match (&state, given.sent) {
            (CommandState::Sent, 1) => {
                let text = format!("○ {label:<20} pending");
                self.narrator.say(&self.name, Tone::Waiting, text);
            }
            (CommandState::Sent, times) => {
                let text = format!("○ {label:<20} pending, sent again ({times} times by now)");
                self.narrator.say(&self.name, Tone::Waiting, text);
            }
            (CommandState::Applied(revision), _) => {
                let took = (now - given.at).as_millis();
                let text = format!("● {label:<20} revision {:<5} {took} ms", revision.get());
                self.narrator.say(&self.name, Tone::Good, text);
            }
            (CommandState::Rejected(rejection), _) => {
                let text = format!("× {label:<20} refused: {rejection}");
                self.narrator.say(&self.name, Tone::Bad, text);
            }
            (CommandState::OutcomeUnknown, _) => {
                let text = format!("? {label:<20} answered, but nobody knows how any more");
                self.narrator.say(&self.name, Tone::Bad, text);
            }
            (CommandState::Queued | CommandState::Persisted, _) => {}
        }
        given.state = state;
    }

    /// The present state, which is redrawn.
    fn present(&self) -> String {
        let (tone, text) = match self.room.connection() {
            Connection::Connected => (Tone::Dim, "connected".to_owned()),
            Connection::Connecting => (Tone::Waiting, "dialling …".to_owned()),
            Connection::Disconnected { retry_at, .. } => {
                let wait = (retry_at - self.room.now()).as_secs_f64();
                (Tone::Bad, format!("trying again in {wait:.1} s"))
            }
            Connection::Refused(reason) => (Tone::Bad, reason.to_string()),
            Connection::Closed => (Tone::Dim, "has left".to_owned()),
        };
        let mut parts = vec![self.narrator.paint(tone, format!("{text:<20}"))];
        for (state, mark) in [
            (CommandState::Queued, "on the way to the disk"),
            (CommandState::Persisted, "on disk, not sent"),
            (CommandState::Sent, "sent, no answer yet"),
        ] {
            let is_there = |given: &Given| given.state == state;
            let votes = self.votes.iter();
            let mut there = votes.filter(|(_, given)| given.as_ref().is_some_and(is_there));
            let text = match (there.next(), there.count()) {
                (None, _) => continue,
                (Some((choice, _)), 0) => format!("○ {}: {mark}", label(self.labels, choice)),
                (Some(_), more) => format!("○ {} votes: {mark}", more + 1),
            };
            parts.push(self.narrator.paint(Tone::Waiting, text));
        }
        parts.join("  ")
    }
}

/// A choice in words.
pub(crate) fn label(labels: &[String], choice: &Choice) -> String {
    if choice.is_empty() {
        return "(takes the vote back)".to_owned();
    }
    let labels: Vec<&str> = choice
        .iter()
        .map(|option| labels[*option].as_str())
        .collect();
    labels.join(" + ")
}
