//! Somebody in a poll, who calls the functions of the package.

use std::sync::Arc;
use std::time::Duration;

use hustings_e2e::bounds::SOON;
use hustings_e2e::{Page, Person, Tab, TakesPart, World};
use serde_json::{Value, json};

/// A poll by the functions of the package.
pub(crate) type Poll<'w> = hustings_e2e::Poll<'w, Member>;

/// The owner of a poll or somebody else in it.
pub(crate) struct Member {
    pub(crate) person: Arc<Person>,
    pub(crate) tab: Tab,
}

/// A poll with two options, Tea and Coffee.
fn tea_or_coffee() -> Value {
    json!({ "title": "Tea or coffee?", "options": ["Tea", "Coffee"] })
}

/// A poll in which nothing is pending, as it is seen: the votes of each option, and at which
/// revision.
pub(crate) fn result(votes: &[u64], revision: u64) -> Value {
    json!({ "votes": votes, "revision": revision, "pending": 0 })
}

/// The same poll as that of the other scenarios, but for what is in it.
pub(crate) async fn begin_with(world: &World, draft: Value) -> anyhow::Result<Poll<'_>> {
    let owner = Member::enter(world, "the owner").await?;
    let link = owner.tab.run_with("return create(arg)", draft).await?;
    let registered = "room.registered()";
    owner
        .tab
        .wait_for("the signalling server", registered, SOON)
        .await?;
    Ok(Poll::of(world, owner, link))
}

impl TakesPart for Member {
    async fn enter(world: &World, name: &str) -> anyhow::Result<Self> {
        Self::enter_by(world, name, &world.page("room.html")).await
    }

    async fn begin(world: &World) -> anyhow::Result<(Self, String)> {
        let Poll { owner, link, .. } = begin_with(world, tea_or_coffee()).await?;
        Ok((owner, link))
    }

    fn tab(&self) -> &Tab {
        &self.tab
    }

    async fn take_new_tab(&mut self, world: &World) -> anyhow::Result<()> {
        self.tab = self.person.open(&world.page("room.html")).await?;
        Ok(())
    }

    async fn join(&self, link: &str) -> anyhow::Result<()> {
        let join = "return join(arg)";
        self.tab.run_with::<String>(join, link).await?;
        self.is_connected(SOON).await?;
        Ok(())
    }

    async fn host(&self, link: &str) -> anyhow::Result<()> {
        let resume = "return resume(arg)";
        let resumed: String = self.tab.run_with(resume, link).await?;
        assert_eq!(resumed, link);
        Ok(())
    }
}

impl Member {
    /// Somebody comes by this page.
    pub(crate) async fn enter_by(world: &World, name: &str, page: &Page) -> anyhow::Result<Self> {
        let person = world.person(name).await?;
        let tab = person.open(page).await?;
        Ok(Self { person, tab })
    }

    /// Waits for the owner. Returns how long that took.
    pub(crate) async fn is_connected(&self, bound: Duration) -> anyhow::Result<Duration> {
        let state = "room.connection().state";
        let what = "the connection";
        self.tab.wait_to_be(what, state, "connected", bound).await
    }

    /// Waits until the owner is known to be gone. Returns how long that took.
    pub(crate) async fn is_alone(&self, bound: Duration) -> anyhow::Result<Duration> {
        let alone = "room.connection().state !== 'connected'";
        self.tab.wait_for("the loss", alone, bound).await
    }

    /// Waits until a peer connection has fallen silent that nobody has closed. Returns how long
    /// that took.
    pub(crate) async fn wonders(&self, bound: Duration) -> anyhow::Result<Duration> {
        let silence = "spy.log.some(([, what]) => what === 'rtc disconnected')";
        self.tab.wait_for("the silence", silence, bound).await
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

    /// Waits until exactly so many others are known to be there. Returns how long that took.
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
}
