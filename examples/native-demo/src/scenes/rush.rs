//! Everybody votes at once, and what can break breaks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::future::{self, Either};
use futures::stream::StreamExt;
use hustings_room::clock::Clock;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{PATIENCE, Play, kill_and_restart};
use crate::booth::{Answered, Booth};
use crate::cast::Trouble;
use crate::count::below;
use crate::narrate::Tone;

impl Play<'_> {
    /// Everybody gives all the votes that are left, several at a time, while links break.
    pub(super) async fn rush(&mut self) -> Result<(), Trouble> {
        let left = self.ballots.left();
        let (title, about) = if self.is_crowd {
            (
                "3  Everybody votes",
                "Links are cut all the time, and half-way the owner is killed and starts again.",
            )
        } else {
            (
                "6  Everybody votes",
                "All the votes that are left, several at a time; some links are cut on the way.",
            )
        };
        self.narrator.scene(title, about);
        self.submitted += left as u64;
        let start = Instant::now();
        let (tell, mut told) = mpsc::unbounded();
        for voter in &self.voters {
            let choices = self.ballots.take(voter.number, usize::MAX);
            let booth = Booth {
                voter: voter.number,
                room: voter.room.clone(),
                options: Arc::clone(&self.option_ids),
                clock: Arc::clone(&self.stage.clock),
                pause: if self.is_crowd {
                    Duration::ZERO
                } else {
                    self.stage.pause(300 + 70 * voter.number as u64)
                },
                tell: tell.clone(),
            };
            let name = voter.name.clone();
            self.stage.pool.spawn_ok(async move {
                // When this fails, its votes are never told, and that is noticed.
                if let Err(error) = booth.give(choices).await {
                    eprintln!("error: {name}: {error}");
                }
            });
        }
        drop(tell);

        // How many votes pass between one cut link and the next.
        let between_cuts = if self.is_crowd { left / 200 } else { left / 4 }.max(1);
        let mut faults = ChaCha8Rng::seed_from_u64(self.seed ^ 0xfa17);
        let mut cuts = 0;
        let narrator = self.narrator;
        let mut progress = narrator.progress("votes", left as u64);
        let mut done = 0;
        while done < left {
            let patience = self.stage.clock.now() + PATIENCE;
            let next =
                match future::select(told.next(), self.stage.clock.sleep_until(patience)).await {
                    Either::Left((next, _)) => next,
                    Either::Right(_) => None,
                };
            let Some(Answered {
                voter,
                choice,
                outcome,
            }) = next
            else {
                return Err(Trouble::Stuck(PATIENCE.as_secs()));
            };
            self.count_vote(voter, choice, outcome);
            progress.advance();
            done += 1;
            if done % between_cuts == 0 && done < left {
                let victim = &self.voters[below(&mut faults, self.voters.len())];
                self.stage.net.cut(&victim.address, &self.owner_address);
                cuts += 1;
                if !self.is_crowd {
                    narrator.say(
                        "network",
                        Tone::Bad,
                        format!("{}'s link is cut", victim.name),
                    );
                }
            }
            if self.is_crowd && done == left / 2 {
                let at = self.revision();
                narrator.say(
                    "owner",
                    Tone::Bad,
                    format!("is killed at about revision {at}"),
                );
                let stage = self.stage;
                let outage = async {
                    stage.sleep(1_000).await;
                    Ok(())
                };
                let (owner, poll) = (&mut self.owner, &mut self.poll);
                kill_and_restart(stage, owner, poll, self.poll_id, outage).await?;
                let text = format!("is back from its journal at revision {}", self.revision());
                narrator.say("owner", Tone::Good, text);
            }
        }
        drop(progress);
        let seconds = start.elapsed().as_secs_f64();
        self.votes_per_second = left as f64 / seconds;
        let text =
            format!("{left} votes have their outcome after {seconds:.1} s; {cuts} links were cut");
        narrator.say("", Tone::Good, text);
        Ok(())
    }
}
