//! Those who go: how soon that is noticed.

use std::time::Duration;

use hustings_e2e::{Tab, scenario};

use crate::poll::{NOTICED, Poll, SOON};

/// A closed tab is noticed within this.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How many tabs are closed.
const ROUNDS: usize = 4;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_killed_without_a_goodbye_is_noticed() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        poll.owner.sees_others(1, SOON).await?;
        bob.person.kill();
        let noticed = poll.owner.sees_others(0, NOTICED).await?;
        println!("a voter who was killed: noticed after {noticed:.1?}");
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_killed_without_a_goodbye_is_noticed() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        poll.owner.person.kill();
        let noticed = bob.is_alone(NOTICED).await?;
        println!("an owner who was killed: noticed after {noticed:.1?}");
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_tab_that_is_closed_is_noticed_at_once() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let mut bob = poll.join("bob").await?;
        // At the same origin, to look up when the other one was closed.
        let beside = bob.person.open(&world.page("empty.html")).await?;
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            poll.owner.sees_others(1, SOON).await?;
            bob.tab.close().await?;
            poll.owner.sees_others(0, SOON).await?;
            took.push(noticed(&poll.owner.tab, "peers", &beside).await?);
            bob.tab = bob.person.open(&world.page("room.html")).await?;
            bob.sits_down(&poll.link).await?;
        }
        println!("a voter's tab that was closed: noticed after {took:?}");
        assert!(took.iter().all(|took| *took <= AT_ONCE), "{took:?}");
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owners_tab_that_is_closed_is_noticed_at_once() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        let owner = &mut poll.owner;
        let beside = owner.person.open(&world.page("empty.html")).await?;
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            bob.is_connected(SOON).await?;
            bob.tab.run::<()>("spy.log.length = 0").await?;
            owner.tab.close().await?;
            bob.is_alone(SOON).await?;
            took.push(noticed(&bob.tab, "connection", &beside).await?);
            owner.tab = owner.person.open(&world.page("room.html")).await?;
            let resume = "return resume(arg)";
            owner.tab.run_with::<String>(resume, &poll.link).await?;
            bob.tab.run::<()>("await room.reconnect()").await?;
        }
        println!("an owner's tab that was closed: noticed after {took:?}");
        assert!(took.iter().all(|took| *took <= AT_ONCE), "{took:?}");
        Ok(())
    });
}

/// How long after a tab was closed the first event of this kind came, by the clock of the pages. The tab
/// beside the closed one has the moment.
async fn noticed(by: &Tab, kind: &str, beside: &Tab) -> anyhow::Result<Duration> {
    let left: u64 = beside
        .run("return Number(localStorage.getItem('left'))")
        .await?;
    let noticed = "const of_kind = what => what.startsWith(`{\"type\":\"${arg[0]}\"`);
        return spy.log.find(([at, what]) => at >= arg[1] && of_kind(what))[0]";
    let noticed: u64 = by.run_with(noticed, (kind, left)).await?;
    Ok(Duration::from_millis(noticed - left))
}
