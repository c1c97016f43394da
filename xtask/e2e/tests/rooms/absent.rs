//! An owner who is not there.

use std::time::Duration;

use hustings_e2e::scenario;

use crate::poll::{BACK, Poll, SOON};

/// How much faster the clock of the page runs that waits.
const SPEED: u32 = 60;

/// How long the owner is away, by that clock.
const AWAY: Duration = Duration::from_secs(30 * 60);

/// The most peer connections that waiting may hold at a time. Chromium allows a page about 500, the closed ones
/// that it has not collected among them.
const A_FEW: usize = 2;

/// And the most that it may make, which is one for each 10 seconds: the wait between two attempts is 15 s on
/// average, and a signalling server says after 5 s that nobody is there.
const MADE: usize = 180;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn half_an_hour_without_the_owner_costs_few_connections() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        poll.owner.tab.close().await?;
        bob.is_alone(SOON).await?;
        let hurry = "spy.made = spy.mostAlive = 0;
            spy.expireAfter = 5500;
            spy.hurry(arg);
            window.began = performance.now()";
        bob.tab.run_with::<()>(hurry, SPEED).await?;
        let passed = format!("performance.now() - began > {}", AWAY.as_millis());
        bob.tab
            .wait_for("the time", &passed, AWAY / SPEED + SOON)
            .await?;
        let (made, alive): (usize, usize) = bob.tab.run("return [spy.made, spy.mostAlive]").await?;
        println!("{AWAY:?} without the owner: {made} connections, {alive} at a time");
        assert!(made > 30, "it has been tried: {made}");
        assert!(made <= MADE && alive <= A_FEW, "{made}, {alive} at a time");

        // The owner is back, and is found by whoever has waited.
        let slow = "spy.expireAfter = undefined; spy.hurry(1)";
        bob.tab.run::<()>(slow).await?;
        poll.resume().await?;
        bob.is_connected(BACK).await?;
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        poll.agrees(&[&bob], &[0, 1], 1).await
    });
}
