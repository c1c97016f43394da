//! The app by plain HTTP from another machine, as phones open what a demo shows them: no secure
//! context, and no Web Locks.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{World, scenario};

use crate::member::{Device, Member, Poll, begin_by, result};
use crate::screen;

/// A poll whose host has the app by plain HTTP, too.
async fn begin(world: &World) -> anyhow::Result<Poll<'_>> {
    let owner = Member::enter_on(world, "the owner", Device::Desktop).await?;
    let app = world.app_by_plain_http().await?;
    owner.goes_to(&app).await?;
    owner.sees("New poll", SOON).await?;
    let lacks = "return !isSecureContext && !navigator.locks && !crypto.subtle";
    let lacks: bool = owner.tab.run(lacks).await?;
    assert!(lacks, "{app} is a secure context");
    begin_by(world, owner).await
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn by_plain_http_a_phone_votes_once_however_often_it_loads_the_page() {
    scenario(async |world| {
        let poll = begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.sees("This page came by plain HTTP", SOON).await?;
        bob.shows(world, "plain-http").await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;
        for _ in 0..3 {
            bob.tab.reload().await?;
            bob.is_connected(BACK).await?;
            // It is known here whose vote that is.
            bob.sees("Your vote is counted", SOON).await?;
        }
        bob.votes_for("Pizza").await?;
        bob.sees("Your vote is counted", SOON).await?;
        let votes = result(&[("Thai", 0), ("Pizza", 1)]);
        poll.agrees(&[&bob], &votes).await?;
        poll.owner.sees("1 person has voted", SOON).await?;

        // The host's poll is kept as well.
        poll.owner.tab.reload().await?;
        poll.owner.is_host(SOON).await?;
        bob.is_connected(BACK).await?;
        poll.agrees(&[&bob], &votes).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn by_plain_http_one_tab_hosts_and_another_one_takes_over_when_it_is_gone() {
    scenario(async |world| {
        let mut poll = begin(world).await?;
        let bob = poll.join("bob").await?;
        let beside = poll.owner.beside(&poll.link).await?;
        beside.sees("hosted in another tab", SOON).await?;
        beside.clicks(&screen::button("Join from this tab")).await?;
        beside.is_connected(SOON).await?;
        beside.votes_for("Pizza").await?;
        bob.votes_for("Thai").await?;
        let votes = result(&[("Thai", 1), ("Pizza", 1)]);
        poll.agrees(&[&bob, &beside], &votes).await?;

        // The browser is killed, and nobody says goodbye.
        poll.owner.person.kill();
        poll.owner.person.reopen().await?;
        poll.owner_returns().await?;
        bob.is_connected(BACK).await?;
        poll.agrees(&[&bob], &votes).await
    });
}

/// A tab that a system has stopped does not answer, or one that is too busy to.
const SILENT: &str = "const post = BroadcastChannel.prototype.postMessage;
    BroadcastChannel.prototype.postMessage = function (said) {
        if (!said.startsWith('here')) post.call(this, said);
    }";

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn by_plain_http_a_host_that_did_not_answer_says_that_another_tab_has_taken_over() {
    scenario(async |world| {
        let poll = begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;
        let beside = poll.owner.beside(&poll.link).await?;
        beside.sees("hosted in another tab", SOON).await?;
        poll.owner.tab.run::<()>(SILENT).await?;
        beside.clicks(&screen::button("Host here")).await?;
        beside.is_host(BACK).await?;

        // Nobody has done anything by which it would notice.
        poll.owner.reads("This tab has stopped", BACK).await?;
        poll.owner.sees("another tab has taken over", SOON).await?;
        poll.owner.shows(world, "taken-over").await?;
        bob.is_connected(BACK).await?;
        bob.votes_for("Pizza").await?;
        bob.sees("Your vote is counted", SOON).await?;
        let votes = result(&[("Thai", 0), ("Pizza", 1)]);
        let poll = Poll::of(world, beside, poll.link);
        poll.agrees(&[&bob], &votes).await
    });
}
