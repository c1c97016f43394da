//! A poll, and the people in it: what every scenario is about, whatever page it is played in.

use serde::Serialize;

use crate::bounds::SOON;
use crate::tab::Tab;
use crate::world::World;

/// Somebody in front of a page that polls are held in.
///
/// The page has a function `result`, which says what they see of the poll: its votes, and whether
/// anything of theirs is pending.
#[allow(async_fn_in_trait, reason = "nothing here is sent to another thread")]
pub trait TakesPart: Sized {
    /// Somebody comes who has not been here before, with a browser of their own.
    ///
    /// # Errors
    ///
    /// There is no browser, or the page does not open.
    async fn enter(world: &World, name: &str) -> anyhow::Result<Self>;

    /// Somebody comes and makes a poll, to which others can come. Returns its link, too.
    ///
    /// # Errors
    ///
    /// The poll cannot be made.
    async fn begin(world: &World) -> anyhow::Result<(Self, String)>;

    /// The page that they have before them.
    fn tab(&self) -> &Tab;

    /// Opens the page in a new tab, after the one before was closed or its browser was killed.
    ///
    /// # Errors
    ///
    /// The browser is not running, or the page does not open.
    async fn take_new_tab(&mut self, world: &World) -> anyhow::Result<()>;

    /// Joins, and waits until the owner is reached.
    ///
    /// # Errors
    ///
    /// It cannot be joined, or the owner is not reached.
    async fn join(&self, link: &str) -> anyhow::Result<()>;

    /// Goes on with a poll of their own that was begun before.
    ///
    /// # Errors
    ///
    /// There is no such poll here.
    async fn host(&self, link: &str) -> anyhow::Result<()>;
}

/// A poll that somebody has made.
#[derive(Debug)]
pub struct Poll<'w, M> {
    world: &'w World,
    /// Whoever has made it.
    pub owner: M,
    /// The link by which others find it.
    pub link: String,
}

impl<'w, M: TakesPart> Poll<'w, M> {
    /// A poll that somebody new makes.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub async fn begin(world: &'w World) -> anyhow::Result<Self> {
        let (owner, link) = M::begin(world).await?;
        Ok(Self::of(world, owner, link))
    }

    /// The poll that somebody has made.
    pub fn of(world: &'w World, owner: M, link: String) -> Self {
        Self { world, owner, link }
    }

    /// Somebody new joins, and is connected.
    ///
    /// # Errors
    ///
    /// They are not.
    pub async fn join(&self, name: &str) -> anyhow::Result<M> {
        let member = M::enter(self.world, name).await?;
        member.join(&self.link).await?;
        Ok(member)
    }

    /// Somebody is back whose tab is gone, and is connected.
    ///
    /// # Errors
    ///
    /// They are not.
    pub async fn rejoin(&self, member: &mut M) -> anyhow::Result<()> {
        member.take_new_tab(self.world).await?;
        member.join(&self.link).await
    }

    /// The owner is back, whose tab is gone, and goes on with the poll.
    ///
    /// # Errors
    ///
    /// The poll is not there.
    pub async fn owner_returns(&mut self) -> anyhow::Result<()> {
        self.owner.take_new_tab(self.world).await?;
        self.owner.host(&self.link).await
    }

    /// Waits until the owner and the others see the same: this.
    ///
    /// # Errors
    ///
    /// One of them does not.
    pub async fn agrees(&self, others: &[&M], result: impl Serialize) -> anyhow::Result<()> {
        for member in [&self.owner].into_iter().chain(others.iter().copied()) {
            let what = "what is seen of the poll";
            member
                .tab()
                .wait_to_be(what, "result()", &result, SOON)
                .await?;
        }
        Ok(())
    }
}
