//! The commands of this side, as far as the driver has told of them.

use futures::channel::oneshot;
use hustings_protocol::{CommandId, Outcome};
use litemap::LiteMap;

use crate::{CommandState, Event};

/// Everything here changes with the events that are told, in their order, and so after the commit
/// that they wait for: the machine is ahead of it by what is not durable yet.
#[derive(Default)]
pub(super) struct Commands {
    /// The state of each command without an outcome, as it was told last.
    told: LiteMap<CommandId, CommandState>,
    /// Those who wait for the outcome of a command.
    waiters: LiteMap<CommandId, Waiter>,
}

/// Somebody who waits for the outcome of a command.
pub(super) type Waiter = oneshot::Sender<Outcome>;

impl Commands {
    /// Notes commands that were durable before the driver began, of which no event tells.
    pub(super) fn restore(&mut self, stored: impl Iterator<Item = (CommandId, CommandState)>) {
        self.told.extend(stored);
    }

    /// Remembers who waits for a command to end. In the same step as its submission: the answer
    /// may be quick.
    pub(super) fn wait_for<E>(&mut self, submitted: &Result<CommandId, E>, waiter: Waiter) {
        if let Ok(command_id) = submitted {
            self.waiters.insert(*command_id, waiter);
        }
    }

    /// The state of a command that has no outcome.
    pub(super) fn state_of(&self, command_id: CommandId) -> CommandState {
        // One of which nothing was told yet waits for its commit.
        let told = self.told.get(&command_id).cloned();
        told.unwrap_or(CommandState::Queued)
    }

    /// An event is told. Returns the one who waits for the outcome that it tells of, if it does.
    pub(super) fn note(&mut self, event: &Event) -> Option<(Waiter, Outcome)> {
        let Event::Command { command_id, state } = event else {
            return None;
        };
        let outcome = match state {
            CommandState::Applied(revision) => Outcome::Applied(*revision),
            CommandState::Rejected(rejection) => Outcome::Rejected(rejection.clone()),
            CommandState::Queued | CommandState::Persisted | CommandState::Sent => {
                self.told.insert(*command_id, state.clone());
                return None;
            }
        };
        self.told.remove(command_id);
        Some((self.waiters.remove(command_id)?, outcome))
    }

    /// Nobody gets an outcome any more. The caller drops the waiters where it may wake them.
    pub(super) fn abandon(&mut self) -> impl Sized + use<> {
        std::mem::take(&mut self.waiters)
    }
}
