//! Parts of the page that do not arrive.

use hustings_e2e::bounds::SOON;
use hustings_e2e::{Page, Tab, World, scenario};
use serde_json::json;

use crate::member::{Device, Member, Poll, result};
use crate::screen;

/// Files of these names do not arrive in a tab any more, and all others do.
async fn do_not_arrive(tab: &Tab, names: &[&str]) -> anyhow::Result<()> {
    tab.devtools("Network.enable", json!({})).await?;
    let blocked = json!({ "urls": names });
    tab.devtools("Network.setBlockedURLs", blocked).await?;
    Ok(())
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_part_that_is_missing_is_said_and_asked_for_again_by_a_click() {
    scenario(async |world: &World| {
        let ann = Member::enter_on(world, "ann", Device::Phone).await?;
        let tab = &ann.tab;
        // The last one is that of the views, without which nothing else can say so.
        for part in ["*.wasm", "*poll-web-*.js", "*split_page-*.wasm"] {
            do_not_arrive(tab, &[part]).await?;
            let said = "document.querySelector('[role=alert] button') !== null";
            tab.go(&Page::new(world.app()?, said)).await?;
            let text: String = tab
                .run("return document.querySelector('[role=alert]').innerText")
                .await?;
            assert!(
                text.contains("A part of this page did not arrive"),
                "{text}"
            );

            do_not_arrive(tab, &[]).await?;
            tab.click(&screen::button("Load the page again")).await?;
            let there = "document.querySelector('main')?.innerText.includes('New poll')";
            tab.wait_for("the start page", there, SOON).await?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn who_lacks_what_stands_beside_the_ballot_votes_and_asks_for_it_again() {
    scenario(async |world: &World| {
        let poll = Poll::begin(world).await?;
        let bob = Member::enter_on(world, "bob", Device::Phone).await?;
        do_not_arrive(&bob.tab, &["*split_side-*.wasm"]).await?;
        bob.goes_to(&poll.link).await?;
        bob.sees("A part of this page did not arrive", SOON).await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;

        do_not_arrive(&bob.tab, &[]).await?;
        let all_there = "return !document.body.innerText.includes('did not arrive')";
        while !bob.tab.run::<bool>(all_there).await? {
            bob.clicks(&screen::button("Try again")).await?;
        }
        bob.adds("Tapas").await?;
        let votes = [("Thai", 1), ("Pizza", 0), ("Tapas", 0)];
        poll.agrees(&[&bob], result(&votes)).await
    });
}
