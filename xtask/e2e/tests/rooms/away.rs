//! Pages that are left and come back as they were, from the back/forward cache.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{World, scenario};

use crate::member::{Member, Poll, result};

/// The page goes away and is told so, the other side notices, and it comes back with what it had in
/// memory.
async fn leaves_and_returns(world: &World, member: &Member, other: &Member) -> anyhow::Result<()> {
    let seen = "spy.log.length";
    let before: usize = other.tab.run(&format!("return {seen}")).await?;
    member.tab.go(&world.page("empty.html")).await?;
    let noticed = format!("{seen} > {before}");
    other.tab.wait_for("an event", &noticed, SOON).await?;
    member.tab.back().await?;
    let restored = "spy.restored";
    let what = "how often the page came back from the cache";
    member.tab.wait_to_be(what, restored, 1, SOON).await?;
    Ok(())
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voters_page_recovers_its_room() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        leaves_and_returns(world, &bob, &poll.owner).await?;
        bob.is_connected(BACK).await?;
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await?;
        assert_eq!(bob.tab.connections_made().await?, 2);
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owners_page_recovers_its_room() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        leaves_and_returns(world, &poll.owner, &bob).await?;
        let another = "spy.made > 1";
        bob.tab
            .wait_for("another connection", another, BACK)
            .await?;
        bob.is_connected(BACK).await?;
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await
    });
}
