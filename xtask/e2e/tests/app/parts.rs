//! Parts of the page that do not arrive.

use hustings_e2e::bounds::SOON;
use hustings_e2e::{Page, World, scenario};
use serde_json::json;

use crate::member::{Device, Member};
use crate::screen;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_part_that_is_missing_is_said_and_asked_for_again_by_a_click() {
    scenario(async |world: &World| {
        let ann = Member::enter_on(world, "ann", Device::Phone).await?;
        let tab = &ann.tab;
        tab.devtools("Network.enable", json!({})).await?;
        // The last one is that of the views, without which nothing else can say so.
        for part in ["*.wasm", "*poll-web-*.js", "*split_page-*.wasm"] {
            let blocked = json!({ "urls": [part] });
            tab.devtools("Network.setBlockedURLs", blocked).await?;
            let said = "document.querySelector('[role=alert] button') !== null";
            tab.go(&Page::new(world.app()?, said)).await?;
            let text: String = tab
                .run("return document.querySelector('[role=alert]').innerText")
                .await?;
            assert!(
                text.contains("A part of this page did not arrive"),
                "{text}"
            );

            let all = json!({ "urls": [] });
            tab.devtools("Network.setBlockedURLs", all).await?;
            tab.click(&screen::button("Load the page again")).await?;
            let there = "document.querySelector('main')?.innerText.includes('New poll')";
            tab.wait_for("the start page", there, SOON).await?;
        }
        Ok(())
    });
}
