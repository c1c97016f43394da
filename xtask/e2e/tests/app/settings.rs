//! Pages and browsers that lack what a poll needs.

use hustings_e2e::bounds::SOON;
use hustings_e2e::{Page, TakesPart, scenario};
use serde_json::json;

use crate::member::{Device, Member, Poll};

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn settings_that_cannot_be_used_are_named() {
    scenario(async |world| {
        let ann = Member::enter_on(world, "ann", Device::Phone).await?;
        for (query, named) in [
            ("peerserver=127.0.0.1:9431/myapp", "127.0.0.1:9431/myapp"),
            ("peerserver=localhost:9431", "localhost:9431"),
            ("ice=[{%22url%22:%22stun:x%22}]", "iceServers[0].urls"),
            ("ice=[{%22urls%22:%22turn:x%22}]", "iceServers[0].username"),
            ("ice=all", "invalid ICE servers"),
        ] {
            let url = format!("{}?{query}", world.app()?);
            let said = "document.querySelector('[role=alert] h1') !== null";
            ann.tab.go(&Page::new(url, said)).await?;
            ann.sees("The settings of this page cannot be used", SOON)
                .await?;
            ann.sees(named, SOON).await?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_browser_without_webrtc_says_so() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = Member::enter(world, "bob").await?;
        let gone = json!({ "source": "delete window.RTCPeerConnection" });
        let add = "Page.addScriptToEvaluateOnNewDocument";
        bob.join(&poll.link).await?;
        for member in [&bob, &poll.owner] {
            member.tab.devtools(add, gone.clone()).await?;
            member.tab.reload().await?;
            member.sees("this browser has no WebRTC", SOON).await?;
        }
        Ok(())
    });
}
