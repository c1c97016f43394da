//! An owner who is not there.

use std::time::Duration;

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;

use crate::member::{Poll, result};

/// The speed of the clock of the page that waits.
const SPEED: u32 = 60;

/// The time for which the owner is away, by that clock.
const AWAY: Duration = Duration::from_secs(30 * 60);

/// The least number of tries meanwhile.
const ATTEMPTS: u32 = 30;

/// The most peer connections that waiting may hold at a time. Chromium allows a page about 500, the
/// closed ones that it has not collected among them.
const A_FEW: u32 = 2;

/// The least milliseconds of waiting for each that is made: the wait
/// between two attempts is 15 s on average, and a signalling server says after 5 s that nobody is
/// there. A machine that is slow makes fewer.
const EACH: f64 = 10_000.0;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn half_an_hour_without_the_owner_costs_few_connections() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        poll.owner.tab.close().await?;
        bob.is_alone(SOON).await?;
        let wait = bob.tab.wait_alone(AWAY, SPEED, ATTEMPTS).await?;
        println!("{AWAY:?} without the owner: {wait:?}");
        assert!(f64::from(wait.made) * EACH <= wait.millis, "{wait:?}");
        assert!(wait.most_alive <= A_FEW, "{wait:?}");

        // The owner is back, and is found by whoever has waited.
        poll.owner_returns().await?;
        bob.is_connected(BACK).await?;
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await
    });
}
