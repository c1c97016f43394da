//! Servers and networks that are away for a while.

use hustings_e2e::bounds::{BACK, NOTICED, SOON};
use hustings_e2e::{TakesPart, scenario};

use crate::member::{Member, Poll, result};
use crate::screen;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn votes_go_on_without_the_signalling_server() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        // Somebody has the app, and not yet the link.
        let dan = Member::enter(world, "dan").await?;
        dan.goes_to(&world.app()?).await?;
        dan.sees("New poll", SOON).await?;
        world.broker().await.kill();
        let alone = "You are the host, but nobody new can join now";
        poll.owner.reads(alone, SOON).await?;
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;
        poll.owner.shows(world, "signalling-gone").await?;
        dan.follows(&poll.link).await?;
        dan.reads("Connecting to the host…", SOON).await?;
        // A dial takes a while to fail, and says so before.
        let says = "The signalling server cannot be reached";
        let early =
            format!("screen_of.headline().startsWith('Connecting') && screen_of.says('{says}')");
        dan.tab.wait_for(says, &early, SOON).await?;
        // Nobody has to wait: what is tried by itself is tried at once when somebody asks.
        dan.clicks(&screen::button("Retry now")).await?;
        let again = screen::button("Try again now");
        poll.owner.clicks(&again).await?;
        // The keyboard does not lose its place while it is tried.
        poll.owner.clicks(&again).await?;

        world.broker().await.restart().await?;
        poll.owner.is_host(BACK).await?;
        dan.is_connected(BACK).await?;
        let cat = poll.join("cat").await?;
        cat.votes_for("Pizza").await?;
        poll.agrees(&[&bob, &cat, &dan], result(&[("Thai", 1), ("Pizza", 1)]))
            .await?;
        let made = bob.tab.connections_made().await?;
        assert_eq!(made, 1, "the connection has lasted");
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_into_a_dead_network_is_counted_when_it_is_back() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = Member::enter(world, "bob").await?;
        bob.tab.emulate_network().await?;
        bob.join(&poll.link).await?;
        bob.tab.set_offline(true).await?;
        // Nobody has noticed it yet.
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        bob.reads("You are offline", NOTICED).await?;
        bob.sees("Pending sync", SOON).await?;
        bob.shows(world, "network-gone").await?;
        bob.tab.set_offline(false).await?;
        bob.is_connected(BACK).await?;
        bob.sees("Your vote is counted", SOON).await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await
    });
}
