//! A stranger who wants the owner's place at the signalling server.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, World, scenario};

use crate::member::{Member, Poll, result};

/// Asks for the owner's id with a token of one's own, and keeps the socket. Returns what the server
/// says.
const CLAIM: &str = "const { id, port } = arg
    const query = `key=peerjs&id=${id}&token=a-strangers&version=1.5.5`
    window.claimed = new WebSocket(`ws://127.0.0.1:${port}/peerjs?${query}`)
    claimed.onclose = ({ code }) => (claimed.ended = code)
    const { data } = await new Promise(resolve => (claimed.onmessage = resolve))
    return JSON.parse(data).type";

async fn claim(world: &World, stranger: &Member, link: &str) -> anyhow::Result<String> {
    let id = link.split('/').next().unwrap_or_default();
    let port = world.broker().await.port();
    let arg = serde_json::json!({ "id": id, "port": port });
    stranger.tab.run_with(CLAIM, arg).await
}

/// A poll whose owner has closed its page, with Bob in it and a stranger who knows its address.
async fn without_owner(world: &World) -> anyhow::Result<(Poll<'_>, Member, Member)> {
    let poll = Poll::begin(world).await?;
    let bob = poll.join("bob").await?;
    let stranger = Member::enter(world, "a stranger").await?;
    poll.owner.tab.close().await?;
    bob.is_alone(SOON).await?;
    Ok((poll, bob, stranger))
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_stranger_does_not_get_the_owners_id_while_its_page_is_loaded_again() {
    scenario(async |world| {
        let (mut poll, bob, stranger) = without_owner(world).await?;
        assert_eq!(claim(world, &stranger, &poll.link).await?, "ID-TAKEN");

        poll.owner_returns().await?;
        bob.is_connected(BACK).await?;
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_gets_its_id_from_a_stranger_who_was_first() {
    scenario(async |world| {
        let (mut poll, bob, stranger) = without_owner(world).await?;
        // It forgets everybody.
        world.broker().await.restart().await?;
        assert_eq!(claim(world, &stranger, &poll.link).await?, "OPEN");

        // It has the key, and need not know that.
        poll.owner_returns().await?;
        let replaced = "claimed.ended";
        let what = "the end of the stranger's socket";
        stranger.tab.wait_to_be(what, replaced, 4001, SOON).await?;
        bob.is_connected(BACK).await?;
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await
    });
}
