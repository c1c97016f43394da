//! A booth: the place where one voter gives many votes.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{self, UnboundedSender};
use futures::{SinkExt, StreamExt, future};
use hustings_protocol::{Command, OptionId, Outcome};
use hustings_room::SubmitError;
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::driver::{CallError, Room, Submitted};

use crate::cast::vote;
use crate::count::Choice;

/// The number of votes without an answer after which a voter waits for one.
const AHEAD: usize = 16;

/// The place where one voter gives votes, whatever happens to the link.
pub(crate) struct Booth {
    pub(crate) voter: usize,
    pub(crate) room: Room,
    pub(crate) options: Arc<[OptionId]>,
    pub(crate) clock: Arc<SystemClock>,
    /// The voter's pause before each vote.
    pub(crate) pause: Duration,
    pub(crate) tell: UnboundedSender<Answered>,
}

/// The outcome of a voter's choice.
pub(crate) struct Answered {
    pub(crate) voter: usize,
    pub(crate) choice: Choice,
    pub(crate) outcome: Outcome,
}

impl Booth {
    /// Gives all of these in their order, several at a time, and tells what becomes of each.
    pub(crate) async fn give(self, choices: Vec<Choice>) -> Result<(), CallError> {
        let (mut waiting, mut answers) = mpsc::channel(AHEAD);
        let booth = &self;
        let give = async move {
            for choice in choices {
                if !booth.pause.is_zero() {
                    let until = booth.clock.now() + booth.pause;
                    booth.clock.sleep_until(until).await;
                }
                let submitted = booth.submit(&choice).await?;
                // When nobody waits for the answers, the reason is what `hear` returns.
                let _ = waiting.send((choice, submitted)).await;
            }
            Ok(())
        };
        let hear = async {
            while let Some((choice, submitted)) = answers.next().await {
                let answered = Answered {
                    voter: self.voter,
                    choice,
                    outcome: submitted.outcome().await?,
                };
                // The scene may be over.
                let _ = self.tell.unbounded_send(answered);
            }
            Ok(())
        };
        future::try_join(give, hear).await.map(|((), ())| ())
    }

    /// Submits a vote, as soon as the owner is there.
    async fn submit(&self, choice: &Choice) -> Result<Submitted, CallError> {
        loop {
            let vote = vote(self.room.id().poll_id, &self.options, choice);
            match self.room.submit(Command::Vote(vote)).await {
                // Nothing has happened. It is for the application to try again, or not to.
                Err(CallError::Submit(SubmitError::OwnerOffline)) => self.room.connected().await?,
                submitted => return submitted,
            }
        }
    }
}
