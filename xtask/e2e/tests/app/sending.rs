//! Those who are interrupted while they send a vote. The owner is stopped meanwhile, and cannot
//! answer.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, scenario};

use crate::member::{Poll, result};

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_survives_the_browser_that_was_killed() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let mut bob = poll.join("bob").await?;
        let frozen = poll.owner.person.freeze()?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        bob.person.kill();
        bob.person.reopen().await?;
        bob.take_new_tab(world).await?;
        bob.goes_to(&poll.link).await?;
        // It is said before anybody else can know of it.
        bob.sees("Pending sync", SOON).await?;
        bob.shows(world, "killed-while-sending").await?;
        drop(frozen);
        bob.sees("Your vote is counted", BACK).await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_survives_that_the_page_is_loaded_again() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        // It does not even get out.
        bob.tab.fall_silent().await?;
        let frozen = poll.owner.person.freeze()?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        bob.tab.reload().await?;
        bob.sees("Pending sync", SOON).await?;
        bob.shows(world, "reloaded-while-sending").await?;
        drop(frozen);
        bob.sees("Your vote is counted", BACK).await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await
    });
}
