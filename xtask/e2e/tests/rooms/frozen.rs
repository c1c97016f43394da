//! Those who are stopped for a while, as by a lid that is shut, and go on.

use std::time::Duration;

use hustings_e2e::scenario;

use crate::poll::{BACK, Poll, SOON};

/// The other side has begun to wonder.
const SHORT: Duration = Duration::from_secs(12);

/// The other side has given the connection up.
const LONG: Duration = Duration::from_secs(25);

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_frozen_for_a_while_catches_up() {
    a_voter_frozen_for(SHORT);
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_frozen_until_the_owner_has_given_up_catches_up() {
    a_voter_frozen_for(LONG);
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_frozen_for_a_while_counts_what_came_meanwhile() {
    an_owner_frozen_for(SHORT);
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_frozen_until_the_voter_has_given_up_counts_what_came_meanwhile() {
    an_owner_frozen_for(LONG);
}

fn a_voter_frozen_for(time: Duration) {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        let frozen = bob.person.freeze()?;
        cat.votes_for(0).await?;
        cat.is_counted(1, SOON).await?;
        frozen.thaw_after(time).await;
        let cats = "the votes";
        let back = bob.tab.wait_to_be(cats, "votes()", [1, 0], BACK).await?;
        let made = bob.connections_made().await?;
        bob.is_connected(SOON).await?;
        bob.votes_for(1).await?;
        let counted = bob.is_counted(2, BACK).await?;
        println!(
            "a voter frozen for {time:.0?}: caught up {back:.1?} after it, with connection {made}; \
             a vote was counted {counted:.1?} after that"
        );
        poll.agrees(&[&bob, &cat], &[1, 1], 2).await
    });
}

fn an_owner_frozen_for(time: Duration) {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let frozen = poll.owner.person.freeze()?;
        bob.votes_for(1).await?;
        frozen.thaw_after(time).await;
        bob.is_counted(1, BACK).await?;
        poll.agrees(&[&bob], &[0, 1], 1).await?;
        let made = bob.connections_made().await?;
        println!("an owner frozen for {time:.0?}: the voter has made {made} connections");
        Ok(())
    });
}
