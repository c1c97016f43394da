//! Those who are stopped for a while, as by a lid that is shut, and go on.
//!
//! The other side, not a clock, says when: once it wonders, or once it has given up.

use hustings_e2e::bounds::{BACK, NOTICED, SOON};
use hustings_e2e::scenario;

use crate::member::{Poll, result};

/// The time for which somebody is frozen.
#[derive(Debug, Clone, Copy)]
enum Until {
    /// The other side has noticed the silence, and hopes.
    Wondering,
    /// The other side has given the connection up.
    GivenUp,
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_frozen_for_a_while_catches_up() {
    a_voter_frozen(Until::Wondering);
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_frozen_until_the_owner_has_given_up_catches_up() {
    a_voter_frozen(Until::GivenUp);
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_frozen_for_a_while_counts_what_came_meanwhile() {
    an_owner_frozen(Until::Wondering);
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_frozen_until_the_voter_has_given_up_counts_what_came_meanwhile() {
    an_owner_frozen(Until::GivenUp);
}

fn a_voter_frozen(until: Until) {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        poll.owner.sees_others(2, SOON).await?;
        let frozen = bob.person.freeze()?;
        cat.votes_for(0).await?;
        cat.is_counted(1, SOON).await?;
        match until {
            Until::Wondering => poll.owner.wonders(NOTICED).await?,
            Until::GivenUp => poll.owner.sees_others(1, NOTICED).await?,
        };
        let time = frozen.thaw();
        let cats = "the votes";
        let back = bob.tab.wait_to_be(cats, "votes()", [1, 0], BACK).await?;
        let made = bob.tab.connections_made().await?;
        bob.is_connected(SOON).await?;
        bob.votes_for(1).await?;
        let counted = bob.is_counted(2, BACK).await?;
        println!(
            "a voter frozen for {time:.0?}: caught up {back:.1?} after it, with connection {made}; \
             a vote was counted {counted:.1?} after that"
        );
        poll.agrees(&[&bob, &cat], result(&[1, 1], 2)).await
    });
}

fn an_owner_frozen(until: Until) {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let frozen = poll.owner.person.freeze()?;
        bob.votes_for(1).await?;
        match until {
            Until::Wondering => bob.wonders(NOTICED).await?,
            Until::GivenUp => bob.is_alone(NOTICED).await?,
        };
        let time = frozen.thaw();
        bob.is_counted(1, BACK).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await?;
        let made = bob.tab.connections_made().await?;
        println!("an owner frozen for {time:.0?}: the voter has made {made} connections");
        Ok(())
    });
}
