//! One's own polls, on the start page.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, scenario};
use serde_json::json;

use crate::member::{Member, Poll, QUESTION, begin_by, result};
use crate::screen;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn two_polls_with_one_question_are_told_apart_and_one_is_deleted_after_a_question() {
    scenario(async |world| {
        let Poll { owner, link, .. } = Poll::begin(world).await?;
        let bob = Member::enter(world, "bob").await?;
        bob.join(&link).await?;
        owner.goes_to(&world.app()?).await?;
        owner.sees("New poll", SOON).await?;
        let other = begin_by(world, owner).await?;
        let owner = &other.owner;
        owner.goes_to(&world.app()?).await?;
        let listed = "[...document.querySelectorAll('.own li')].map(poll => [
            poll.querySelector('bdi').innerText,
            Number.isFinite(Date.parse(poll.querySelector('time').dateTime)),
            poll.querySelector('time').innerText !== '',
        ])";
        let dated = json!([QUESTION, true, true]);
        let both = json!([dated, dated]);
        owner
            .tab
            .wait_to_be("both, dated", listed, both, SOON)
            .await?;

        // The address behind a poll in the list, whose buttons are meant.
        let poll_id = link.rsplit('/').next().unwrap_or_default();
        let ask = format!("#delete-{poll_id}");
        owner.clicks(&ask).await?;
        owner.sees("with all its votes?", SOON).await?;
        owner.shows(world, "delete-a-poll").await?;
        owner.clicks(&screen::button("Keep it")).await?;
        let asked = "document.querySelector('.question') !== null";
        let kept = format!(
            "!({asked}) && document.activeElement.matches({})",
            json!(ask)
        );
        owner.tab.wait_for("the poll kept", &kept, SOON).await?;

        owner.clicks(&ask).await?;
        owner.clicks(&screen::button("Delete for good")).await?;
        owner.sees("The poll is deleted.", SOON).await?;
        let one = json!([dated]);
        owner.tab.wait_to_be("the other", listed, one, SOON).await?;
        bob.retries().await?;
        bob.reads("This poll cannot be joined", BACK).await?;
        // It is gone from the store, too.
        owner.tab.reload().await?;
        let one = json!([dated]);
        owner.tab.wait_to_be("the other", listed, one, SOON).await?;
        owner.follows(&link).await?;
        owner.sees("this browser has no record of it", SOON).await?;
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_for_a_host_who_is_away_is_listed_and_can_be_given_up() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        // The host never hears of it.
        bob.tab.fall_silent().await?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        poll.owner.tab.close().await?;
        bob.goes_to(&world.app()?).await?;
        bob.sees("Waiting for their hosts", SOON).await?;
        bob.sees("1 change waits until the host is back", SOON)
            .await?;
        let title = "document.querySelector('.undelivered bdi').innerText";
        bob.tab
            .wait_to_be("the question", title, QUESTION, SOON)
            .await?;
        bob.clicks(&screen::button("Give up")).await?;
        bob.sees("What was sent before may have arrived", SOON)
            .await?;
        bob.shows(world, "give-up").await?;
        bob.clicks(&screen::button("Send no more")).await?;
        bob.sees("1 change is given up.", SOON).await?;
        let none = "document.querySelector('.undelivered li') === null";
        bob.tab.wait_for("nothing to wait for", none, SOON).await?;

        // Nothing of it comes later, and the next vote counts.
        poll.owner_returns().await?;
        bob.follows(&poll.link).await?;
        bob.is_connected(BACK).await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 0)]))
            .await?;
        bob.votes_for("Pizza").await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await
    });
}
