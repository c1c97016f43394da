//! A poll, and the people in it.

use std::sync::Arc;
use std::time::Duration;

use hustings_e2e::{Person, Tab, World};
use serde_json::json;

/// Longer than anything takes that is not about a time limit, on a machine that has other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// A chromium notices a peer that has died within 20 seconds.
pub(crate) const NOTICED: Duration = Duration::from_secs(20);

/// The longest wait before the next attempt, and what an attempt takes.
pub(crate) const BACK: Duration = Duration::from_secs(45);

/// Somebody in the poll.
pub(crate) struct Seat {
    pub(crate) person: Arc<Person>,
    pub(crate) tab: Tab,
}

/// A poll with two options, Tea and Coffee, and its owner.
pub(crate) struct Poll<'w> {
    world: &'w World,
    pub(crate) owner: Seat,
    pub(crate) link: String,
}

impl<'w> Poll<'w> {
    pub(crate) async fn begin(world: &'w World) -> anyhow::Result<Self> {
        let draft = json!({ "title": "Tea or coffee?", "options": ["Tea", "Coffee"] });
        Self::begin_with(world, draft).await
    }

    pub(crate) async fn begin_with(
        world: &'w World,
        draft: serde_json::Value,
    ) -> anyhow::Result<Self> {
        let owner = Seat::enter(world, "the owner").await?;
        let link = owner.tab.run_with("return create(arg)", draft).await?;
        let registered = "room.registered()";
        owner
            .tab
            .wait_for("the signalling server", registered, SOON)
            .await?;
        Ok(Self { world, owner, link })
    }

    /// Somebody joins, and is connected.
    pub(crate) async fn join(&self, name: &str) -> anyhow::Result<Seat> {
        let seat = Seat::enter(self.world, name).await?;
        seat.sits_down(&self.link).await?;
        Ok(seat)
    }

    /// The owner is back, with the polls of the profile.
    pub(crate) async fn resume(&mut self) -> anyhow::Result<()> {
        self.owner.return_to(self.world).await?;
        let link: String = self
            .owner
            .tab
            .run_with("return resume(arg)", &self.link)
            .await?;
        assert_eq!(link, self.link);
        Ok(())
    }

    /// Somebody whose browser was killed is back.
    pub(crate) async fn rejoin(&self, seat: &mut Seat) -> anyhow::Result<()> {
        seat.return_to(self.world).await?;
        seat.sits_down(&self.link).await
    }

    /// Everybody comes to the same: these votes at this revision, with nothing pending.
    pub(crate) async fn agrees(
        &self,
        others: &[&Seat],
        votes: &[u64],
        revision: u64,
    ) -> anyhow::Result<()> {
        for seat in [&self.owner].into_iter().chain(others.iter().copied()) {
            let seen = "[votes(), room.revision(), room.pending().length]";
            let what = "the votes, the revision and how many are pending";
            seat.tab
                .wait_to_be(what, seen, json!([votes, revision, 0]), SOON)
                .await?;
        }
        Ok(())
    }
}

impl Seat {
    /// Somebody comes, with nothing but the page.
    pub(crate) async fn enter(world: &World, name: &str) -> anyhow::Result<Self> {
        let person = world.person(name).await?;
        let tab = person.open(&world.page("room.html")).await?;
        Ok(Self { person, tab })
    }

    async fn return_to(&mut self, world: &World) -> anyhow::Result<()> {
        self.person.reopen().await?;
        self.tab = self.person.open(&world.page("room.html")).await?;
        Ok(())
    }

    /// Joins, and waits for the owner.
    pub(crate) async fn sits_down(&self, link: &str) -> anyhow::Result<()> {
        self.tab
            .run_with::<String>("return join(arg)", link)
            .await?;
        self.is_connected(SOON).await?;
        Ok(())
    }

    /// Waits for the owner. Returns how long that took.
    pub(crate) async fn is_connected(&self, bound: Duration) -> anyhow::Result<Duration> {
        let state = "room.connection().state";
        let what = "the connection";
        self.tab.wait_to_be(what, state, "connected", bound).await
    }

    /// Waits until the owner is known to be gone.
    pub(crate) async fn is_alone(&self, bound: Duration) -> anyhow::Result<Duration> {
        let alone = "room.connection().state !== 'connected'";
        self.tab.wait_for("the loss", alone, bound).await
    }

    /// Votes for the option with this number; the vote is on the disk then.
    pub(crate) async fn votes_for(&self, option: usize) -> anyhow::Result<()> {
        let vote = "return vote(arg)";
        self.tab.run_with::<String>(vote, option).await?;
        Ok(())
    }

    /// Waits for the answer to the last vote, which is that it was counted as this revision.
    /// Returns how long that took.
    pub(crate) async fn is_counted(
        &self,
        revision: u64,
        bound: Duration,
    ) -> anyhow::Result<Duration> {
        let applied = json!({ "state": "applied", "revision": revision });
        let what = "the outcome";
        self.tab.wait_to_be(what, "outcome", applied, bound).await
    }

    /// Waits until exactly so many others are known to be there.
    pub(crate) async fn sees_others(
        &self,
        count: usize,
        bound: Duration,
    ) -> anyhow::Result<Duration> {
        let what = "how many others are there";
        self.tab
            .wait_to_be(what, "others().length", count, bound)
            .await
    }

    /// How many peer connections the page has made so far.
    pub(crate) async fn connections_made(&self) -> anyhow::Result<usize> {
        self.tab.run("return spy.made").await
    }
}
