//! An owner who is away, for a moment or for an hour.

use std::time::Duration;

use hustings_e2e::scenario;

use crate::poll::{Poll, QUESTION};
use crate::seat::{BACK, SOON};

/// How much faster the clock of the page runs that waits for an hour.
const SPEED: u32 = 120;

/// By that clock.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The most peer connections that waiting may hold at a time. Chromium allows a page about 500, the closed
/// ones that it has not collected among them.
const A_FEW: usize = 2;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn the_poll_can_be_read_while_the_owner_is_away() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob, &cat], &[("Thai", 1), ("Pizza", 0)])
            .await?;

        poll.owner.tab.close().await?;
        for seat in [&bob, &cat] {
            seat.reads("The host is away", SOON).await?;
            seat.sees("the copy of the poll that is kept on this device", SOON)
                .await?;
            seat.sees(QUESTION, SOON).await?;
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
        for seat in [&bob, &cat] {
            let what = "what is kept";
            seat.tab.wait_to_be(what, seen, &kept, SOON).await?;
        }

        poll.owner.returns(&poll.link).await?;
        poll.owner.is_host(SOON).await?;
        for seat in [&bob, &cat] {
            seat.is_connected(BACK).await?;
        }
        cat.votes_for("Pizza").await?;
        poll.agrees(&[&bob, &cat], &[("Thai", 1), ("Pizza", 1)])
            .await
    });
}

/// The hour is faked for the page that waits: its `performance.now` and `setTimeout` run [`SPEED`] times
/// faster, and it is told as a signalling server would tell it, 5.5 s after each offer by its own clock, that
/// nobody is there. The connections that it makes and closes are real.
#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_hour_without_the_owner_costs_few_connections() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;
        poll.owner.tab.close().await?;
        bob.reads("The host is away", SOON).await?;
        let hurry = "spy.made = spy.mostAlive = 0;
            spy.expireAfter = 5500;
            spy.hurry(arg);
            window.began = performance.now()";
        bob.tab.run_with::<()>(hurry, SPEED).await?;
        let passed = format!("performance.now() - began > {}", HOUR.as_millis());
        bob.tab
            .wait_for("the hour", &passed, HOUR / SPEED + SOON)
            .await?;
        let (made, alive): (usize, usize) = bob.tab.run("return [spy.made, spy.mostAlive]").await?;
        println!("an hour without the owner: {made} connections, {alive} at a time");
        assert!(made > 30, "it has been tried: {made}");
        assert!(alive <= A_FEW, "{alive} at a time");
        bob.shows(world, "an-hour-later").await?;

        let slow = "spy.expireAfter = undefined; spy.hurry(1)";
        bob.tab.run::<()>(slow).await?;
        poll.owner.returns(&poll.link).await?;
        poll.owner.is_host(SOON).await?;
        bob.retries().await?;
        bob.is_connected(BACK).await?;
        bob.votes_for("Pizza").await?;
        poll.agrees(&[&bob], &[("Thai", 0), ("Pizza", 1)]).await
    });
}
