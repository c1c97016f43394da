//! The sentences about where votes and polls are kept: with a store, without one, and after it was
//! deleted under the open page.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, scenario};
use serde_json::json;

use crate::member::{Member, Poll, result};
use crate::screen;

/// Deletes what the browser has stored for the page, as its settings do.
async fn loses_what_is_stored(member: &Member) -> anyhow::Result<()> {
    let origin: String = member.tab.run("return location.origin").await?;
    let what = json!({ "origin": origin, "storageTypes": "indexeddb" });
    member
        .tab
        .devtools("Storage.clearDataForOrigin", what)
        .await?;
    Ok(())
}

/// True if the page says something that is not so.
async fn says_nothing_like(member: &Member, untrue: &[&str]) -> anyhow::Result<()> {
    for text in untrue {
        let says = format!("return screen_of.says({})", json!(text));
        let says: bool = member.tab.run(&says).await?;
        assert!(!says, "{text}");
    }
    Ok(())
}

/// True if the browser would ask before the page is left.
async fn is_asked(member: &Member, is: bool) -> anyhow::Result<()> {
    let asks = "(() => {
        const leaving = new Event('beforeunload', { cancelable: true });
        window.dispatchEvent(leaving);
        return leaving.defaultPrevented;
    })()";
    let what = "the question before leaving";
    member.tab.wait_to_be(what, asks, is, SOON).await?;
    Ok(())
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_host_whose_store_is_deleted_hosts_no_longer_and_can_save_the_result() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Thai").await?;
        let votes = result(&[("Thai", 1), ("Pizza", 0)]);
        poll.agrees(&[&bob], &votes).await?;
        // Nothing happens in the poll by which it would be noticed.
        loses_what_is_stored(&poll.owner).await?;
        let owner = &poll.owner;
        owner.reads("This tab has stopped", SOON).await?;
        owner.sees("This poll is hosted no longer", SOON).await?;
        owner.shows(world, "store-deleted").await?;
        let untrue = ["What was confirmed is kept", "It is kept in this browser"];
        says_nothing_like(owner, &untrue).await?;
        bob.is_alone(BACK).await?;

        let saves = "window.saved = new Promise(saved => {
                URL.createObjectURL = blob => (saved(blob.text()), 'blob:none')
            })";
        owner.tab.run::<()>(saves).await?;
        owner.clicks(&screen::button("Save as CSV")).await?;
        let saved: String = owner.tab.run("return await window.saved").await?;
        assert!(saved.contains("\"Thai\",1,100"), "{saved}");
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_whose_store_is_deleted_is_said_to_be_lost_once() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.tab.fall_silent().await?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        bob.sees("Your vote is safe on this device", SOON).await?;
        loses_what_is_stored(&bob).await?;
        bob.reads("This tab has stopped", SOON).await?;
        bob.sees("Your vote for “Thai” is kept no longer", SOON)
            .await?;
        bob.shows(world, "vote-deleted").await?;
        let untrue = [
            "on this device",
            "pending sync",
            "being saved",
            "What was confirmed is kept",
        ];
        says_nothing_like(&bob, &untrue).await?;
        let told = "document.querySelectorAll('[data-testid=refused]').length";
        bob.tab.wait_to_be("one notice", told, 1, SOON).await?;
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn without_a_store_nothing_is_said_to_be_on_the_device() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = Member::enter(world, "bob").await?;
        let none = "Object.defineProperty(window, 'indexedDB', { get: () => undefined })";
        let add = "Page.addScriptToEvaluateOnNewDocument";
        bob.tab.devtools(add, json!({ "source": none })).await?;
        bob.join(&poll.link).await?;
        bob.sees("Nothing is stored on this device", SOON).await?;
        bob.tab.fall_silent().await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is in this tab alone", SOON).await?;
        let untrue = ["safe on this device", "saved on this device", "being saved"];
        says_nothing_like(&bob, &untrue).await?;
        poll.owner.tab.close().await?;
        bob.tab.cut_and_speak().await?;
        bob.is_alone(BACK).await?;
        bob.sees("the copy of the poll that this tab has", SOON)
            .await?;
        says_nothing_like(&bob, &["kept on this device"]).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn who_leaves_is_asked_only_where_it_costs_something() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        is_asked(&bob, false).await?;
        is_asked(&poll.owner, true).await?;
        // The start page hosts as well.
        let start = "location.hash = '#/'";
        poll.owner.tab.run::<()>(start).await?;
        poll.owner.sees("This tab hosts them", SOON).await?;
        is_asked(&poll.owner, true).await?;
        poll.owner.follows(&poll.link).await?;
        poll.owner.is_host(BACK).await?;
        bob.tab.fall_silent().await?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        is_asked(&bob, true).await?;
        bob.tab.cut_and_speak().await?;
        bob.sees("Your vote is counted", BACK).await?;
        is_asked(&bob, false).await?;
        poll.owner.clicks(&screen::button("Close the poll")).await?;
        is_asked(&poll.owner, false).await
    });
}
