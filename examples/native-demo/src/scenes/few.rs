//! The scenes in which each of a few is seen: first votes, a cut link, a dead owner.

use std::sync::Arc;

use futures::future;
use hustings_protocol::{Command, OptionId, PollId};
use hustings_room::Connection;
use hustings_room::driver::Room;

use super::{FRONT, Play, kill_and_restart, revision_of, wait_until};
use crate::cast::{Trouble, vote};
use crate::count::Choice;
use crate::follow::{Follow, label};
use crate::narrate::Tone;

impl Play<'_> {
    pub(super) async fn first_votes(&mut self) -> Result<(), Trouble> {
        self.narrator.scene(
            "3  The first votes",
            "○ on disk here and on its way, ● applied by the owner, durably, at a revision.",
        );
        let stage = self.stage;
        let front = FRONT.min(self.voters.len());
        let mut scenes = Vec::new();
        for voter in &self.voters[..front] {
            let choices = self.ballots.take(voter.number, 1);
            self.submitted += choices.len() as u64;
            let follow = Follow::new(self.narrator, &self.labels, voter, &choices);
            let (poll_id, options) = (self.poll_id, Arc::clone(&self.option_ids));
            let delay = 250 * voter.number as u64;
            scenes.push(async move {
                let submit = async {
                    stage.sleep(delay).await;
                    submit_all(&voter.room, poll_id, &options, &choices).await
                };
                let (_, followed) =
                    future::try_join(submit, follow.run(&*stage.clock, false)).await?;
                Ok::<_, Trouble>((voter.number, followed))
            });
        }
        for (voter, followed) in future::try_join_all(scenes).await? {
            for vote in followed {
                self.count_vote(voter, vote.choice, vote.outcome);
            }
        }
        Ok(())
    }

    pub(super) async fn cut_link(&mut self) -> Result<(), Trouble> {
        self.narrator.scene(
            "4  A link is cut while answers are on their way",
            "What is unacknowledged is sent again on the next link, and takes effect once.",
        );
        let (stage, narrator) = (self.stage, self.narrator);
        let voter = &self.voters[0];
        let choices = self.ballots.take(0, 3);
        self.submitted += choices.len() as u64;
        let before = self.revision();
        for link in stage.net.links(&voter.address) {
            stage.net.stall(&voter.address, link);
        }
        let text = format!("what is sent to {} gets stuck", voter.name);
        narrator.say("network", Tone::Bad, text);

        let follow = Follow::new(narrator, &self.labels, voter, &choices).every_attempt();
        let (poll, owner_address) = (&self.poll, self.owner_address);
        let breaking = async {
            submit_all(&voter.room, self.poll_id, &self.option_ids, &choices).await?;
            let after = before + choices.len() as u64;
            let applied = || revision_of(poll) >= after;
            wait_until(stage, applied).await?;
            stage.sleep(400).await;
            let text = format!("has applied them: it is at revision {after} now");
            narrator.say("owner", Tone::Plain, text);
            stage.net.refuse(&owner_address, true);
            stage.net.cut(&voter.address, &owner_address);
            narrator.say(
                "network",
                Tone::Bad,
                "the link is cut, and no new one gets through",
            );
            stage.sleep(1_500).await;
            stage.net.refuse(&owner_address, false);
            narrator.say("network", Tone::Good, "new links get through again");
            Ok::<_, Trouble>(())
        };
        let ((), followed) = future::try_join(breaking, follow.run(&*stage.clock, true)).await?;
        let after = self.revision();
        let twice = followed.iter().filter(|vote| vote.sent > 1).count();
        let text = format!(
            "is at revision {after}: {twice} votes came twice, and nothing was applied twice"
        );
        let is_once = after == before + followed.len() as u64;
        narrator.say("owner", if is_once { Tone::Good } else { Tone::Bad }, text);
        for vote in followed {
            self.count_vote(0, vote.choice, vote.outcome);
        }
        Ok(())
    }

    pub(super) async fn dead_owner(&mut self) -> Result<(), Trouble> {
        self.narrator.scene(
            "5  The owner is killed and starts again",
            "Its journal is all that is left of it. Nobody can vote meanwhile; everybody can read.",
        );
        let (stage, narrator) = (self.stage, self.narrator);
        let choices = self.ballots.take(1, 3);
        self.submitted += choices.len() as u64;
        let front = FRONT.min(self.voters.len());
        let follows: Vec<_> = self.voters[..front]
            .iter()
            .map(|voter| {
                let votes = if voter.number == 1 { &*choices } else { &[] };
                Follow::new(narrator, &self.labels, voter, votes).run(&*stage.clock, true)
            })
            .collect();
        let (voters, poll_id) = (&self.voters, self.poll_id);
        let owner = &mut self.owner;
        let option_ids = &self.option_ids;
        let poll = &mut self.poll;
        let labels = &self.labels;
        let breaking = async {
            submit_all(&voters[1].room, poll_id, option_ids, &choices).await?;
            let at = revision_of(poll);
            let restart = kill_and_restart(stage, owner, poll, poll_id, async {
                narrator.say("owner", Tone::Bad, format!("is killed at revision {at}"));
                let bystander = &voters[0];
                let is_alone = || {
                    matches!(
                        bystander.room.connection(),
                        Connection::Disconnected { .. } | Connection::Connecting
                    )
                };
                wait_until(stage, is_alone).await?;
                stage.sleep(300).await;
                let wish = vec![0];
                let refused = bystander
                    .room
                    .submit(Command::Vote(vote(poll_id, option_ids, &wish)))
                    .await;
                if let Err(error) = refused {
                    let text = format!("cannot vote for {}: {error}", label(labels, &wish));
                    narrator.say(&bystander.name, Tone::Bad, text);
                }
                if let (Some(copy), Some(revision)) =
                    (bystander.room.confirmed(), bystander.room.revision())
                {
                    let text = format!(
                        "reads its own copy: revision {revision}, {} voters so far",
                        copy.voters()
                    );
                    narrator.say(&bystander.name, Tone::Plain, text);
                }
                stage.sleep(1_200).await;
                Ok(())
            });
            restart.await?;
            let (revision, voters) = (revision_of(poll), standing(poll));
            let text = format!("is back from its journal: revision {revision}, {voters} voters");
            narrator.say("owner", Tone::Good, text);
            Ok(())
        };
        let ((), followed) = future::try_join(breaking, future::try_join_all(follows)).await?;
        for vote in followed.into_iter().flatten() {
            self.count_vote(1, vote.choice, vote.outcome);
        }
        Ok(())
    }
}

/// Submits these one after the other. What becomes of them, events tell.
async fn submit_all(
    room: &Room,
    poll_id: PollId,
    options: &[OptionId],
    choices: &[Choice],
) -> Result<(), Trouble> {
    for choice in choices {
        room.submit(Command::Vote(vote(poll_id, options, choice)))
            .await?;
    }
    Ok(())
}

fn standing(room: &Room) -> u64 {
    room.poll().map_or(0, |poll| poll.voters())
}
