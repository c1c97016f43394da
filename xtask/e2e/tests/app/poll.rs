//! A poll, made with the form, and the people in it.

use hustings_e2e::World;
use serde_json::json;

use crate::screen;
use crate::seat::{Device, SOON, Seat};

/// What is asked.
pub(crate) const QUESTION: &str = "Where do we eat on Friday?";

/// A poll of Thai and Pizza, to which voters may add options, and its owner.
pub(crate) struct Poll<'w> {
    world: &'w World,
    pub(crate) owner: Seat,
    pub(crate) link: String,
}

impl<'w> Poll<'w> {
    pub(crate) async fn begin(world: &'w World) -> anyhow::Result<Self> {
        let owner = Seat::enter(world, "the owner", Device::Desktop).await?;
        owner.tab.go(&screen::app(&world.app()?)).await?;
        owner.sees("New poll", SOON).await?;
        Self::begin_by(world, owner).await
    }

    /// The same, by somebody who has the form before them.
    pub(crate) async fn begin_by(world: &'w World, owner: Seat) -> anyhow::Result<Self> {
        owner.types(&screen::field("Question"), QUESTION).await?;
        owner.types(&screen::field("Option 1"), "Thai").await?;
        owner.types(&screen::field("Option 2"), "Pizza").await?;
        owner
            .clicks(&screen::field("Voters may add options"))
            .await?;
        owner.clicks(&screen::button("Create poll")).await?;
        owner.sees("Invite people", SOON).await?;
        owner.is_host(SOON).await?;
        let link = "const label = [...document.querySelectorAll('label')]
                .find(label => label.innerText === 'Link to this poll');
            return label.control.value";
        let link = owner.tab.run(link).await?;
        Ok(Self { world, owner, link })
    }

    /// Somebody with a phone joins.
    pub(crate) async fn join(&self, name: &str) -> anyhow::Result<Seat> {
        let seat = Seat::enter(self.world, name, Device::Phone).await?;
        seat.joins(&self.link).await?;
        Ok(seat)
    }

    /// Everybody comes to see the same result, and nothing that is pending.
    pub(crate) async fn agrees(
        &self,
        others: &[&Seat],
        votes: &[(&str, u64)],
    ) -> anyhow::Result<()> {
        for seat in [&self.owner].into_iter().chain(others.iter().copied()) {
            let seen = "[screen_of.votes(), screen_of.pending()]";
            let what = "the votes, and whether something is pending";
            let agreed = json!([votes, false]);
            seat.tab.wait_to_be(what, seen, agreed, SOON).await?;
        }
        Ok(())
    }
}
