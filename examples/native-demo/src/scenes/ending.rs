//! The ending: refusals, the result, and some figures.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::future;
use hustings_protocol::{Command, OptionId, Outcome, Poll, SettingsUpdate, Vote};

use super::{Play, kill_and_restart, revision_of, wait_until};
use crate::cast::{Trouble, Voter, vote};
use crate::count::Score;
use crate::narrate::Tone;

impl Play<'_> {
    pub(super) async fn refusals(&mut self) -> Result<(), Trouble> {
        let title = if self.is_crowd { "4" } else { "7" };
        self.narrator.scene(
            &format!("{title}  The owner refuses"),
            "A refusal has a reason, is final, and costs no revision.",
        );
        let before = self.revision();
        let nowhere = Vote {
            poll_id: self.poll_id,
            option_ids: vec![OptionId::from_uuid(Default::default())],
        };
        self.refused_vote(0, "an option that is not there", nowhere)
            .await?;

        let close = SettingsUpdate::new(self.poll_id).closed(true);
        let closing = self.poll.submit(Command::UpdateSettings(close)).await?;
        if let Outcome::Applied(revision) = closing.outcome().await? {
            self.count.took_effect(revision);
            let text = format!("closes the poll: revision {revision}");
            self.narrator.say("owner", Tone::Plain, text);
        }
        let late = vote(self.poll_id, &self.option_ids, &vec![0]);
        self.refused_vote(1, &self.labels[0].clone(), late).await?;
        let after = self.revision();
        let text = format!("was at revision {before}, and is at revision {after}");
        self.narrator.say("owner", Tone::Plain, text);
        Ok(())
    }

    async fn refused_vote(&mut self, voter: usize, what: &str, vote: Vote) -> Result<(), Trouble> {
        let voter = &self.voters[voter];
        // It may be one of those whose link was just cut.
        voter.room.connected().await?;
        let submitted = voter.room.submit(Command::Vote(vote)).await?;
        self.submitted += 1;
        match submitted.outcome().await? {
            Outcome::Rejected(rejection) => {
                self.count.refused();
                let text = format!("× {what}: {rejection}");
                self.narrator.say(&voter.name, Tone::Bad, text);
            }
            Outcome::Applied(revision) => {
                self.count.took_effect(revision);
                let text = format!("{what}: taken, which it should not be");
                self.narrator.say(&voter.name, Tone::Bad, text);
            }
        }
        Ok(())
    }

    /// Compares the results. Returns true if all agree.
    pub(super) async fn result(&mut self) -> Result<bool, Trouble> {
        let title = if self.is_crowd { "5" } else { "8" };
        self.narrator.scene(
            &format!("{title}  The result"),
            "Counted by hand from what voters were told, and compared with everybody's copy.",
        );
        let (stage, narrator) = (self.stage, self.narrator);
        let last = self.revision();
        let start = Instant::now();
        for voter in &self.voters {
            wait_until(stage, || revision_of(&voter.room) >= last).await?;
        }
        let text = format!(
            "everybody is at revision {last}, {:.1} s after the last vote",
            start.elapsed().as_secs_f64()
        );
        narrator.say("", Tone::Plain, text);

        let options = &self.option_ids;
        let by_hand = self.count.score(options.len());
        let at_owner = self.poll.poll().map(|poll| score_of(&poll));
        let agreeing = self
            .voters
            .iter()
            .filter(|voter| {
                let copy = voter.room.confirmed();
                voter.room.pending().is_empty()
                    && copy.is_some_and(|poll| score_of(&poll) == by_hand)
            })
            .count();
        let outage = async { Ok(()) };
        let (owner, poll) = (&mut self.owner, &mut self.poll);
        kill_and_restart(stage, owner, poll, self.poll_id, outage).await?;
        let restarted = self.poll.poll().map(|poll| score_of(&poll));

        narrator.line("");
        let columns = format!(
            "            {:<28} {:>8} {:>8} {:>15}",
            "", "by hand", "owner", "after a restart"
        );
        narrator.line(narrator.paint(Tone::Dim, columns));
        let place = |score: &Option<Score>, option: usize| {
            let votes = score.as_ref().map(|score| score.votes[option]);
            votes.map_or_else(|| "?".to_owned(), |votes| votes.to_string())
        };
        for (option, label) in self.labels.iter().enumerate() {
            narrator.line(format!(
                "            {label:<28.28} {:>8} {:>8} {:>15}",
                by_hand.votes[option],
                place(&at_owner, option),
                place(&restarted, option),
            ));
        }
        narrator.line("");

        let everybody = self.voters.len();
        let votes = self.count.votes();
        let checks = [
            (
                self.expected == by_hand,
                "the count by hand is what the seed says it has to be".to_owned(),
            ),
            (
                at_owner.as_ref() == Some(&by_hand),
                format!("the owner has the same, from {votes} votes of {everybody} voters"),
            ),
            (
                agreeing == everybody,
                format!("so have {agreeing} of {everybody} participants, with nothing pending"),
            ),
            (
                restarted.as_ref() == Some(&by_hand) && self.revision() == last,
                "so has the owner after one more restart from its journal".to_owned(),
            ),
            (
                self.poll
                    .revision()
                    .is_some_and(|revision| self.count.explains(revision)),
                format!("each of the {last} revisions was acknowledged once: none applied twice"),
            ),
            (
                self.count.refusals() == 2,
                format!(
                    "{} votes were refused and count nothing",
                    self.count.refusals()
                ),
            ),
        ];
        for (is_good, text) in &checks {
            let (mark, tone) = if *is_good {
                ("yes", Tone::Good)
            } else {
                ("NO", Tone::Bad)
            };
            narrator.line(format!("       {:>3}  {text}", narrator.paint(tone, mark)));
        }
        Ok(checks.iter().all(|(is_good, _)| *is_good))
    }

    /// All leave in good order, and some figures.
    pub(super) async fn end(self) {
        let (narrator, stage) = (self.narrator, self.stage);
        let size = |file: PathBuf| bytes(std::fs::metadata(file).map_or(0, |file| file.len()));
        let (journal, copies) = (size(stage.owner_file()), size(stage.voters_file()));
        future::join_all(self.voters.into_iter().map(Voter::close)).await;
        if let Some(owner) = self.owner {
            owner.close().await;
        }
        let sent = self.sent.load(Ordering::Relaxed);
        narrator.line("");
        let mut figures = vec![
            format!("{:.0} votes/s", self.votes_per_second),
            format!("about {} sent again", sent.saturating_sub(self.submitted)),
            format!("owner's file {journal}, voters' file {copies}"),
        ];
        if let Some(peak) = peak_memory() {
            figures.push(format!("peak memory {}", bytes(peak)));
        }
        narrator.line(format!("            {}", figures.join("  ·  ")));
    }
}

fn score_of(poll: &Poll) -> Score {
    let tally = poll.tally();
    let options = tally.into_iter().flat_map(|tally| tally.options);
    Score {
        votes: options.map(|option| option.votes).collect(),
        voters: poll.voters(),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_048_576 => format!("{:.0} KiB", count as f64 / 1024.0),
        _ => format!("{:.0} MiB", count as f64 / 1_048_576.0),
    }
}

/// The most memory that this process ever had, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
