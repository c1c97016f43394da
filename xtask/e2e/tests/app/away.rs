//! An owner who is away, for a moment or for an hour.

use std::time::Duration;

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;

use crate::member::{Poll, QUESTION, result};

/// The speed of the clock of the page that waits for an hour.
const SPEED: u32 = 120;

/// By that clock.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The least number of tries meanwhile.
const ATTEMPTS: u32 = 30;

/// The most peer connections that waiting may hold at a time. Chromium allows a page about 500, the
/// closed ones that it has not collected among them.
const A_FEW: u32 = 2;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn the_poll_can_be_read_while_the_owner_is_away() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob, &cat], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;

        poll.owner.tab.close().await?;
        for member in [&bob, &cat] {
            member.is_alone(SOON).await?;
            member
                .sees("the copy of the poll that is kept on this device", SOON)
                .await?;
            member.sees(QUESTION, SOON).await?;
        }
        cat.sees("You can vote when the host is back", SOON).await?;
        // Whoever tries it all the same has sent nothing.
        cat.votes_for("Pizza").await?;
        cat.sees("Nothing was sent: the host is away", SOON).await?;
        cat.shows(world, "owner-away").await?;
        // A page that is loaded now has nobody but itself to ask.
        bob.tab.reload().await?;
        let seen = "[screen_of.votes(), screen_of.pending()]";
        let kept = (vec![("Thai", 1), ("Pizza", 0)], false);
        for member in [&bob, &cat] {
            let what = "what is kept";
            member.tab.wait_to_be(what, seen, &kept, SOON).await?;
        }

        poll.owner_returns().await?;
        for member in [&bob, &cat] {
            member.is_connected(BACK).await?;
        }
        cat.votes_for("Pizza").await?;
        poll.agrees(&[&bob, &cat], result(&[("Thai", 1), ("Pizza", 1)]))
            .await
    });
}

/// The hour is faked for the page that waits: see [`wait_alone`](hustings_e2e::Tab::wait_alone).
#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_hour_without_the_owner_costs_few_connections() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;
        poll.owner.tab.close().await?;
        bob.is_alone(SOON).await?;
        let wait = bob.tab.wait_alone(HOUR, SPEED, ATTEMPTS).await?;
        println!("an hour without the owner: {wait:?}");
        assert!(wait.most_alive <= A_FEW, "{wait:?}");
        bob.shows(world, "an-hour-later").await?;

        poll.owner_returns().await?;
        bob.retries().await?;
        bob.is_connected(BACK).await?;
        bob.votes_for("Pizza").await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await
    });
}
