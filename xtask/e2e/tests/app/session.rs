//! A session as it might really be: a host and many voters who vote, change their minds, load the page
//! again, sleep, lose their network, close their tabs, kill their browsers and come back, in an
//! order drawn from a seed. Whatever they do, it ends with one tally, the right one, and with
//! nothing pending.
//!
//! `cargo xtask session` plays as many acts as one likes; the tests play a few.

use std::env;

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{Frozen, TakesPart, World, scenario};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::member::{Device, Member, Poll, result};

/// The voters, unless `HUSTINGS_PEOPLE` says how many.
const PEOPLE: usize = 3;
/// The acts, unless `HUSTINGS_ACTS` says how many.
const ACTS: usize = 12;
/// Most options that a session comes to: what is added costs a rule of its own, not a session.
const MAX_OPTIONS: usize = 8;
/// The acts for which somebody sleeps or has no network, at most.
const MAX_ABSENCE: u64 = 4;

/// Somebody who votes.
struct Voter {
    member: Member,
    /// What was confirmed to them last, as an index into the options.
    vote: Option<usize>,
    absence: Option<Absence>,
}

/// Somebody who does nothing for so many acts.
struct Absence {
    left: u64,
    /// Asleep, or else without a network.
    asleep: Option<Frozen>,
}

struct Session<'w> {
    world: &'w World,
    rng: ChaCha8Rng,
    seed: u64,
    poll: Poll<'w>,
    voters: Vec<Voter>,
    options: Vec<String>,
    act: usize,
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_session_of_real_use_ends_with_one_tally() {
    let number = |name: &str, default: usize| {
        let set = env::var(name).ok();
        set.and_then(|set| set.parse().ok()).unwrap_or(default)
    };
    let seed = number("HUSTINGS_SEED", 1) as u64;
    let people = number("HUSTINGS_PEOPLE", PEOPLE);
    let acts = number("HUSTINGS_ACTS", ACTS);
    scenario(async |world| {
        let mut session = Session::begin(world, seed, people).await?;
        for _ in 0..acts {
            session.act().await?;
        }
        session.end().await
    });
}

impl<'w> Session<'w> {
    async fn begin(world: &'w World, seed: u64, people: usize) -> anyhow::Result<Self> {
        let poll = Poll::begin(world).await?;
        let mut session = Self {
            world,
            rng: ChaCha8Rng::seed_from_u64(seed),
            seed,
            poll,
            voters: Vec::new(),
            options: ["Thai", "Pizza"].map(String::from).to_vec(),
            act: 0,
        };
        for number in 0..people {
            let name = format!("voter {number}");
            let device = if number % 3 == 0 {
                Device::Desktop
            } else {
                Device::Phone
            };
            let member = Member::enter_on(world, &name, device).await?;
            // So that the network can be taken away later.
            member.tab.emulate_network().await?;
            member.join(&session.poll.link).await?;
            session.voters.push(Voter {
                member,
                vote: None,
                absence: None,
            });
        }
        Ok(session)
    }

    /// Draws a number below this one.
    fn draw(&mut self, below: usize) -> usize {
        let below = below.max(1) as u64;
        usize::try_from(self.rng.next_u64() % below).unwrap()
    }

    /// Somebody does something, and the host sees what is right.
    async fn act(&mut self) -> anyhow::Result<()> {
        self.act += 1;
        self.some_return().await?;
        let who = self.draw(self.voters.len());
        let what = self.draw(16);
        if self.voters[who].absence.is_some() {
            self.say(who, "is away");
            return Ok(());
        }
        match what {
            0..=4 => self.votes(who).await?,
            5 => self.votes_into_silence(who).await?,
            6 => self.votes_and_is_killed(who).await?,
            7 => self.votes_beside(who).await?,
            8 => {
                self.say(who, "loads the page again");
                self.voters[who].member.tab.reload().await?;
            }
            9 => {
                self.say(who, "closes the tab and comes back");
                self.voters[who].member.tab.close().await?;
                self.comes_back(who).await?;
            }
            10 => self.adds_an_option(who).await?,
            11 => {
                self.say(who, "falls asleep");
                let asleep = Some(self.voters[who].member.person.freeze()?);
                let left = 1 + self.rng.next_u64() % MAX_ABSENCE;
                self.voters[who].absence = Some(Absence { left, asleep });
            }
            12 => {
                self.say(who, "loses the network");
                self.voters[who].member.tab.set_offline(true).await?;
                let left = 1 + self.rng.next_u64() % MAX_ABSENCE;
                self.voters[who].absence = Some(Absence { left, asleep: None });
            }
            13 => {
                eprintln!("{}: the host loads the page again", self.act);
                self.poll.owner.tab.reload().await?;
                self.poll.owner.is_host(SOON).await?;
            }
            14 => {
                eprintln!("{}: the host closes the tab and comes back", self.act);
                self.poll.owner.tab.close().await?;
                self.poll.owner_returns().await?;
            }
            _ => {
                eprintln!("{}: the signalling server is started again", self.act);
                let mut broker = self.world.broker().await;
                broker.kill();
                broker.restart().await?;
            }
        }
        self.host_sees_the_tally().await
    }

    fn say(&self, who: usize, what: &str) {
        eprintln!("{}: voter {who} {what}", self.act);
    }

    /// Those whose absence is over.
    async fn some_return(&mut self) -> anyhow::Result<()> {
        for who in 0..self.voters.len() {
            let Some(absence) = &mut self.voters[who].absence else {
                continue;
            };
            absence.left -= 1;
            if absence.left == 0 {
                self.returns(who).await?;
            }
        }
        Ok(())
    }

    async fn returns(&mut self, who: usize) -> anyhow::Result<()> {
        let Some(absence) = self.voters[who].absence.take() else {
            return Ok(());
        };
        self.say(who, "is there again");
        match absence.asleep {
            Some(asleep) => drop(asleep),
            None => self.voters[who].member.tab.set_offline(false).await?,
        }
        Ok(())
    }

    /// Opens the poll in a new tab.
    async fn comes_back(&mut self, who: usize) -> anyhow::Result<()> {
        let member = &mut self.voters[who].member;
        member.take_new_tab(self.world).await?;
        member.tab.emulate_network().await?;
        member.goes_to(&self.poll.link).await
    }

    /// An option that somebody has not chosen yet.
    fn another(&mut self, who: usize) -> usize {
        let now = self.voters[who].vote;
        let other = self.draw(self.options.len() - usize::from(now.is_some()));
        match now {
            Some(now) if other >= now => other + 1,
            _ => other,
        }
    }

    async fn chooses(&mut self, who: usize) -> anyhow::Result<()> {
        let option = self.another(who);
        let label = self.options[option].clone();
        self.say(who, &format!("votes for {label}"));
        let voter = &mut self.voters[who];
        voter.member.votes_for(&label).await?;
        voter.vote = Some(option);
        Ok(())
    }

    async fn votes(&mut self, who: usize) -> anyhow::Result<()> {
        self.voters[who].member.is_connected(BACK).await?;
        self.chooses(who).await
    }

    /// The vote waits in a page that is loaded again, because the host sleeps.
    async fn votes_into_silence(&mut self, who: usize) -> anyhow::Result<()> {
        self.voters[who].member.is_connected(BACK).await?;
        let frozen = self.poll.owner.person.freeze()?;
        self.chooses(who).await?;
        let voter = &self.voters[who].member;
        voter.is_sending().await?;
        voter.tab.reload().await?;
        voter.sees("Pending sync", SOON).await?;
        drop(frozen);
        Ok(())
    }

    /// The vote waits in a browser that is killed.
    async fn votes_and_is_killed(&mut self, who: usize) -> anyhow::Result<()> {
        self.voters[who].member.is_connected(BACK).await?;
        let frozen = self.poll.owner.person.freeze()?;
        self.chooses(who).await?;
        self.say(who, "is killed meanwhile");
        let voter = &self.voters[who].member;
        voter.is_sending().await?;
        voter.person.kill();
        voter.person.reopen().await?;
        self.comes_back(who).await?;
        self.voters[who].member.sees("Pending sync", SOON).await?;
        drop(frozen);
        Ok(())
    }

    /// The same person votes from another tab, and goes on there.
    async fn votes_beside(&mut self, who: usize) -> anyhow::Result<()> {
        self.say(who, "opens the poll in another tab, and leaves the first");
        let beside = self.voters[who].member.beside(&self.poll.link).await?;
        beside.tab.emulate_network().await?;
        beside.is_connected(BACK).await?;
        let first = std::mem::replace(&mut self.voters[who].member, beside);
        self.votes(who).await?;
        // The vote is counted before the first tab goes, and its slot with it.
        self.host_sees_the_tally().await?;
        first.tab.close().await
    }

    async fn adds_an_option(&mut self, who: usize) -> anyhow::Result<()> {
        if self.options.len() == MAX_OPTIONS {
            return Ok(());
        }
        self.voters[who].member.is_connected(BACK).await?;
        let label = format!("Option {}", self.options.len() + 1);
        self.say(who, &format!("adds {label}"));
        self.voters[who].member.adds(&label).await?;
        self.options.push(label);
        Ok(())
    }

    fn tally(&self) -> Vec<(&str, u64)> {
        let votes = |option| {
            let chosen = self.voters.iter().filter(|it| it.vote == Some(option));
            chosen.count() as u64
        };
        let options = self.options.iter().enumerate();
        options
            .map(|(at, label)| (label.as_str(), votes(at)))
            .collect()
    }

    async fn host_sees_the_tally(&mut self) -> anyhow::Result<()> {
        let tally = serde_json::to_value(self.tally())?;
        let what = "the host's tally";
        let seen = "screen_of.votes()";
        let owner = &self.poll.owner;
        owner.tab.wait_to_be(what, seen, tally, BACK).await?;
        Ok(())
    }

    /// Everybody is back, and all see the same.
    async fn end(&mut self) -> anyhow::Result<()> {
        self.shows("before-the-end").await?;
        for who in 0..self.voters.len() {
            self.returns(who).await?;
        }
        for voter in &self.voters {
            voter.member.retries().await?;
            voter.member.is_connected(BACK).await?;
        }
        let others: Vec<_> = self.voters.iter().map(|voter| &voter.member).collect();
        self.poll.agrees(&others, result(&self.tally())).await?;
        for voter in &self.voters {
            if voter.vote.is_some() {
                voter.member.sees("Your vote is counted", SOON).await?;
            }
        }
        self.shows("the-end").await
    }

    /// Pictures of the host and of the first voter who is there.
    async fn shows(&self, moment: &str) -> anyhow::Result<()> {
        let picture = |who: &str| format!("session-{}-{moment}-{who}", self.seed);
        let there = self.voters.iter().find(|voter| voter.absence.is_none());
        if let Some(voter) = there {
            voter.member.shows(self.world, &picture("voter")).await?;
        }
        self.poll.owner.shows(self.world, &picture("host")).await
    }
}
