//! Those who go, and how that is noticed: at once by what a tab says that is closed, later by the
//! silence of one that was killed. Which of the two it was is seen by what came first, and how long
//! it took is only printed.

use std::time::Duration;

use hustings_e2e::bounds::{NOTICED, SOON};
use hustings_e2e::{Tab, scenario};

use crate::member::Poll;

/// The number of tabs that are closed.
const ROUNDS: usize = 4;

/// A connection was closed by the other side.
const CLOSED: &str = "channel closing";

/// A connection was given up by the browser, after a silence.
const GIVEN_UP: &str = "rtc failed";

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_killed_without_a_goodbye_is_noticed() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let owner = &poll.owner;
        owner.sees_others(1, SOON).await?;
        forget(&owner.tab).await?;
        bob.person.kill();
        let noticed = owner.sees_others(0, NOTICED).await?;
        println!("a voter who was killed: noticed after {noticed:.1?}");
        assert_eq!(signs_before(&owner.tab, "peers").await?, [GIVEN_UP]);
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_killed_without_a_goodbye_is_noticed() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        forget(&bob.tab).await?;
        poll.owner.person.kill();
        let noticed = bob.is_alone(NOTICED).await?;
        println!("an owner who was killed: noticed after {noticed:.1?}");
        assert_eq!(signs_before(&bob.tab, "connection").await?, [GIVEN_UP]);
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_tab_that_is_closed_is_noticed_at_once() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let mut bob = poll.join("bob").await?;
        let owner = &poll.owner;
        // At the same origin, to look up when the other one was closed.
        let beside = bob.person.open(&world.page("empty.html")).await?;
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            owner.sees_others(1, SOON).await?;
            forget(&owner.tab).await?;
            bob.tab.close().await?;
            owner.sees_others(0, SOON).await?;
            assert_eq!(signs_before(&owner.tab, "peers").await?, [CLOSED]);
            took.push(time_until(&owner.tab, "peers", &beside).await?);
            poll.rejoin(&mut bob).await?;
        }
        println!("a voter's tab that was closed: noticed after {took:?}");
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owners_tab_that_is_closed_is_noticed_at_once() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let beside = poll.owner.person.open(&world.page("empty.html")).await?;
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            bob.is_connected(SOON).await?;
            forget(&bob.tab).await?;
            poll.owner.tab.close().await?;
            bob.is_alone(SOON).await?;
            assert_eq!(signs_before(&bob.tab, "connection").await?, [CLOSED]);
            took.push(time_until(&bob.tab, "connection", &beside).await?);
            poll.owner_returns().await?;
            bob.tab.run::<()>("await room.reconnect()").await?;
        }
        println!("an owner's tab that was closed: noticed after {took:?}");
        Ok(())
    });
}

/// Empties the log of a page: what is in it later has happened since.
async fn forget(tab: &Tab) -> anyhow::Result<()> {
    tab.run("spy.log.length = 0").await
}

/// The browser's word on the connection before the room told its first event of this kind.
async fn signs_before(tab: &Tab, kind: &str) -> anyhow::Result<Vec<String>> {
    let signs = "const [kind, ...signs] = arg;
        const log = spy.log.map(([, what]) => what);
        const told = log.findIndex(what => what.startsWith(`{\"type\":\"${kind}\"`));
        return log.slice(0, told).filter(what => signs.includes(what))";
    tab.run_with(signs, [kind, CLOSED, GIVEN_UP]).await
}

/// The time from the closing of a tab to the first event of this kind, by the clock of the
/// pages. The tab beside the closed one has the moment.
async fn time_until(tab: &Tab, kind: &str, beside: &Tab) -> anyhow::Result<Duration> {
    let left: u64 = beside
        .run("return Number(localStorage.getItem('left'))")
        .await?;
    let told = "return spy.log.find(([, what]) => what.startsWith(`{\"type\":\"${arg}\"`))[0]";
    let told: u64 = tab.run_with(told, kind).await?;
    Ok(Duration::from_millis(told.saturating_sub(left)))
}
