//! Two tabs of one browser.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;

use crate::member::{Poll, result};
use crate::screen;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn what_a_closed_tab_has_left_another_one_delivers() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let beside = bob.beside(&poll.link).await?;
        beside.is_connected(SOON).await?;
        // Nobody but the other tab can know of the vote.
        bob.tab.fall_silent().await?;
        let frozen = poll.owner.person.freeze()?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        bob.tab.close().await?;
        beside.sees("from a tab that was closed", SOON).await?;
        beside.sees("Your vote for “Thai”", SOON).await?;
        beside.shows(world, "tab-closed").await?;
        drop(frozen);
        beside.sees("Your vote is counted", BACK).await?;
        poll.agrees(&[&beside], result(&[("Thai", 1), ("Pizza", 0)]))
            .await
    });
}

/// The first tab's vote waits in it; the second tab votes, and is told that it counts. Then the
/// first one is closed, and the second delivers what it has left.
#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_older_vote_of_a_closed_tab_does_not_count() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let beside = bob.beside(&poll.link).await?;
        beside.is_connected(SOON).await?;
        bob.tab.fall_silent().await?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        beside.votes_for("Pizza").await?;
        beside.sees("Your vote is counted", SOON).await?;
        bob.tab.close().await?;
        beside.sees("Your newer choice counts", BACK).await?;
        beside.sees("your vote for “Thai”", SOON).await?;
        beside.shows(world, "superseded").await?;
        poll.agrees(&[&beside], result(&[("Thai", 0), ("Pizza", 1)]))
            .await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_has_one_tab_that_hosts_and_others_that_join() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let beside = poll.owner.beside(&poll.link).await?;
        beside.sees("hosted in another tab", SOON).await?;
        beside.shows(world, "hosted-elsewhere").await?;
        beside.clicks(&screen::button("Join from this tab")).await?;
        beside.is_connected(SOON).await?;
        beside.votes_for("Pizza").await?;
        bob.votes_for("Thai").await?;
        let votes = [("Thai", 1), ("Pizza", 1)];
        poll.agrees(&[&bob, &beside], result(&votes)).await?;

        // Whoever has closed the tab that hosts can host from the other one.
        poll.owner.tab.close().await?;
        beside.is_alone(SOON).await?;
        beside.clicks(&screen::button("Host here")).await?;
        beside.is_host(SOON).await?;
        poll.owner = beside;
        bob.is_connected(BACK).await?;
        bob.votes_for("Pizza").await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 2)]))
            .await
    });
}

/// A page that the browser keeps, to show it again by the back button, keeps its locks as well.
#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_host_that_went_elsewhere_in_its_tab_hosts_again() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;
        let elsewhere = world.page("empty.html");

        // By the link, which makes another page beside the one that is kept.
        poll.owner.tab.go(&elsewhere).await?;
        bob.is_alone(BACK).await?;
        poll.owner.goes_to(&poll.link).await?;
        poll.owner.is_host(SOON).await?;
        bob.is_connected(BACK).await?;
        bob.votes_for("Pizza").await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await?;

        // By the button, which shows the page that was left last.
        poll.owner.tab.go(&elsewhere).await?;
        bob.is_alone(BACK).await?;
        poll.owner.tab.back().await?;
        poll.owner.is_host(BACK).await?;
        bob.is_connected(BACK).await?;
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await
    });
}
