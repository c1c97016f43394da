//! The scenes: the acts of the demo, and the faults in them.

mod ending;
mod few;
mod rush;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use hustings_protocol::text::isolated;
use hustings_protocol::{Address, Command, OptionId, Outcome, PollDraft, PollId, UserProfile};
use hustings_room::driver::{Events, Room};
use hustings_room::{CommandState, Event};
use hustings_transport_mem::Latency;

use crate::cast::{Owner, Stage, Trouble, Voter, new_poll};
use crate::cli::Options;
use crate::count::{Ballots, Choice, Count, Score};
use crate::narrate::{Narrator, Tone};

/// The number of voters in the scenes for a few.
const FRONT: usize = 6;

/// The time to read between two scenes, in milliseconds.
const PAUSE: u64 = 800;

/// The time without any event after which the demo fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays all scenes. Returns true if everything agreed.
pub(crate) async fn play(
    options: &Options,
    draft: PollDraft,
    narrator: &Narrator,
) -> Result<bool, Trouble> {
    let stage = Stage::new(options)?;
    let mut play = Play::open(options, draft, narrator, &stage).await?;
    play.doors_open().await?;
    if !options.is_crowd() {
        play.first_votes().await?;
        stage.sleep(PAUSE).await;
        play.cut_link().await?;
        stage.sleep(PAUSE).await;
        play.dead_owner().await?;
        stage.sleep(PAUSE).await;
    }
    play.rush().await?;
    play.refusals().await?;
    let agreed = play.result().await?;
    play.end().await;
    Ok(agreed)
}

struct Play<'a> {
    narrator: &'a Narrator,
    stage: &'a Stage,
    is_crowd: bool,
    voter_count: usize,
    seed: u64,
    /// `None` while it is dead.
    owner: Option<Owner>,
    owner_address: Address,
    /// The poll, at the owner.
    poll: Room,
    poll_id: PollId,
    labels: Vec<String>,
    option_ids: Arc<[OptionId]>,
    voters: Vec<Voter>,
    ballots: Ballots,
    expected: Score,
    count: Count,
    /// The number of commands that all voters have submitted, and the number of times that one was
    /// sent.
    submitted: u64,
    sent: Arc<AtomicU64>,
    votes_per_second: f64,
}

impl<'a> Play<'a> {
    /// The owner starts, looks what is there from earlier, and makes the poll.
    async fn open(
        options: &Options,
        draft: PollDraft,
        narrator: &'a Narrator,
        stage: &'a Stage,
    ) -> Result<Self, Trouble> {
        narrator.scene(
            "1  The owner opens a poll",
            "Its identity and its journal are in a redb file of its own.",
        );
        let (owner, _) = stage.owner(None).await?;
        let peer = owner.address.to_string();
        narrator.say("owner", Tone::Plain, format!("is {peer}"));
        let earlier = owner.hosting.journals().await?;
        if !earlier.is_empty() {
            let text = format!("finds {} from earlier in this folder", polls(earlier.len()));
            narrator.say("owner", Tone::Plain, text);
        }
        for link in earlier.iter().take(5) {
            let room = owner.hosting.open(link.poll_id).await?;
            if let (Some(poll), Some(revision)) = (room.poll(), room.revision()) {
                // From a journal, which may be older than the rules of texts.
                let text = format!(
                    "  {:<36} {} voters, revision {revision}",
                    isolated(poll.title()),
                    poll.voters()
                );
                narrator.say("owner", Tone::Dim, text);
            }
            room.close().await;
        }
        let poll = new_poll(&owner, &draft).await?;
        // As others see it, which is not always as it was typed.
        let (mut labels, mut option_ids) = (Vec::new(), Vec::new());
        if let Some(poll) = poll.poll() {
            narrator.say("owner", Tone::Good, format!("asks: {}", poll.title()));
            for option in poll.options() {
                narrator.say("", Tone::Plain, format!("- {}", option.label));
                labels.push(option.label.clone());
                option_ids.push(option.option_id);
            }
        }
        let is_crowd = options.is_crowd();
        let voter_count = options.voters as usize;
        let ballots = Ballots::draw(
            options.seed,
            voter_count,
            options.votes as usize,
            draft.options.len(),
            draft.multiple_choice,
            FRONT.min(voter_count),
        );
        stage.net.set_latency(if is_crowd {
            Latency::fixed(Duration::from_millis(2))
        } else {
            Latency {
                min: stage.pause(20),
                max: stage.pause(90),
            }
        });
        Ok(Self {
            narrator,
            stage,
            is_crowd,
            voter_count,
            seed: options.seed,
            owner_address: owner.address,
            owner: Some(owner),
            poll_id: poll.id().poll_id,
            poll,
            labels,
            option_ids: option_ids.into(),
            voters: Vec::new(),
            expected: ballots.expected(),
            ballots,
            count: Count::default(),
            submitted: 0,
            sent: Arc::default(),
            votes_per_second: 0.0,
        })
    }

    async fn doors_open(&mut self) -> Result<(), Trouble> {
        self.narrator.scene(
            "2  Participants join",
            "Each proves who it is, gets the poll, and says what it is called.",
        );
        let room = self.poll.id();
        let mut progress = self
            .is_crowd
            .then(|| self.narrator.progress("joining", self.voter_count as u64));
        let at_a_time = if self.is_crowd { 128 } else { 1 };
        let stage = self.stage;
        let mut joining = stream::iter(0..self.voter_count)
            .map(|number| async move {
                let voter = stage.voter(number, room).await?;
                voter.room.connected().await?;
                Ok::<_, Trouble>(voter)
            })
            .buffered(at_a_time);
        while let Some(voter) = joining.try_next().await? {
            match &mut progress {
                Some(progress) => progress.advance(),
                None => {
                    let here = voter.room.peers().len();
                    let text = format!("has joined; {here} are here");
                    self.narrator.say(&voter.name, Tone::Good, text);
                    self.stage.sleep(120).await;
                }
            }
            self.stage
                .pool
                .spawn_ok(count_sent(voter.room.events(), Arc::clone(&self.sent)));
            self.voters.push(voter);
        }
        drop(progress);

        let profiles = self.voters.iter().map(|voter| async {
            let name = voter.name.clone();
            let profile = Command::SetProfile(UserProfile { name });
            voter.room.submit(profile).await?.outcome().await
        });
        let outcomes = future::try_join_all(profiles).await?;
        self.submitted += outcomes.len() as u64;
        for outcome in outcomes {
            if let Outcome::Applied(revision) = outcome {
                self.count.took_effect(revision);
            }
        }
        let text = format!("has {} participants", self.voters.len());
        self.narrator.say("owner", Tone::Plain, text);
        Ok(())
    }

    fn count_vote(&mut self, voter: usize, choice: Choice, outcome: Outcome) {
        match outcome {
            Outcome::Applied(revision) => self.count.applied(voter, choice, revision),
            Outcome::Rejected(_) => self.count.refused(),
        }
    }

    fn revision(&self) -> u64 {
        revision_of(&self.poll)
    }
}

/// Kills the owner, lets `outage` happen, and starts it again from its journal.
async fn kill_and_restart(
    stage: &Stage,
    owner: &mut Option<Owner>,
    poll: &mut Room,
    poll_id: PollId,
    outage: impl Future<Output = Result<(), Trouble>>,
) -> Result<(), Trouble> {
    if let Some(owner) = owner.take() {
        owner.kill(stage).await;
    }
    outage.await?;
    let (started, room) = stage.owner(Some(poll_id)).await?;
    *owner = Some(started);
    if let Some(room) = room {
        *poll = room;
    }
    Ok(())
}

/// Counts how often something is sent. A listener that is far behind misses events, so in a crowd
/// the count is a little low.
async fn count_sent(mut events: Events, sent: Arc<AtomicU64>) {
    while let Some(event) = events.next().await {
        if let Event::Command {
            state: CommandState::Sent,
            ..
        } = event
        {
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits for something that will be so before long.
async fn wait_until(stage: &Stage, is_so: impl Fn() -> bool) -> Result<(), Trouble> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > PATIENCE {
            return Err(Trouble::Stuck(PATIENCE.as_secs()));
        }
        stage.sleep(10).await;
    }
    Ok(())
}

fn revision_of(room: &Room) -> u64 {
    room.revision().map_or(0, |revision| revision.get())
}

fn polls(count: usize) -> String {
    match count {
        1 => "a poll".to_owned(),
        count => format!("{count} polls"),
    }
}
