//! The commands of this side, as far as the driver has told of them.

use futures::channel::oneshot;
use hustings_protocol::{CommandId, Outcome};
use litemap::LiteMap;

use crate::{CommandState, Event};

/// Everything here changes with the events that are told, in their order, and so after the commit
/// that they wait for: the machine is ahead of it by what is not durable yet.
#[derive(Default)]
pub(super) struct Commands(LiteMap<CommandId, Known>);

/// A command without an outcome.
struct Known {
    /// Its state, as it was told last.
    state: CommandState,
    /// The one who waits for its outcome.
    waiter: Option<Waiter>,
}

/// Somebody who waits for the outcome of a command.
pub(super) type Waiter = oneshot::Sender<Outcome>;

impl Commands {
    /// Notes a command that was durable before the driver began, of which no event tells.
    pub(super) fn restore(&mut self, command_id: CommandId, state: CommandState) {
        let waiter = None;
        self.0.insert(command_id, Known { state, waiter });
    }

    /// Remembers the one who waits for a new command to end. In the same step as its submission:
    /// the answer may be quick.
    pub(super) fn wait_for<E>(&mut self, submitted: &Result<CommandId, E>, waiter: Waiter) {
        if let Ok(command_id) = submitted {
            let (state, waiter) = (CommandState::Queued, Some(waiter));
            self.0.insert(*command_id, Known { state, waiter });
        }
    }

    /// The state of a command that has no outcome.
    pub(super) fn state_of(&self, command_id: CommandId) -> CommandState {
        let known = self.0.get(&command_id);
        // One of which nothing was told yet waits for its commit.
        known.map_or(CommandState::Queued, |known| known.state.clone())
    }

    /// An event is told. Returns the one who waits for the outcome that it tells of, if it does.
    pub(super) fn note(&mut self, event: &Event) -> Option<(Waiter, Outcome)> {
        let Event::Command { command_id, state } = event else {
            return None;
        };
        let outcome = match state {
            CommandState::Applied(revision) => Outcome::Applied(*revision),
            CommandState::Rejected(rejection) => Outcome::Rejected(rejection.clone()),
            CommandState::OutcomeUnknown => {
                // It was stored before this start, so nobody here waits for it.
                self.0.remove(command_id);
                return None;
            }
            CommandState::Queued | CommandState::Persisted | CommandState::Sent => {
                if let Some(known) = self.0.get_mut(command_id) {
                    known.state = state.clone();
                }
                return None;
            }
        };
        Some((self.0.remove(command_id)?.waiter?, outcome))
    }

    /// Takes all who wait: nobody gets an outcome any more. The caller drops them where it may wake
    /// them.
    pub(super) fn abandon(&mut self) -> Vec<Waiter> {
        let known = self.0.iter_mut();
        known.filter_map(|(_, known)| known.waiter.take()).collect()
    }
}
