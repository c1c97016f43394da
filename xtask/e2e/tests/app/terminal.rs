//! Voters who have a terminal, in the room of a page.

use hustings_e2e::bounds::{BACK, NOTICED, SOON};
use hustings_e2e::{Running, Terminal, scenario};
use serde_json::Value;

use crate::member::{Poll, result};
use crate::screen;

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminal_votes_and_watches_in_the_room_of_a_page() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let (dan, eve) = (world.terminal()?, world.terminal()?);
        let vote = ["vote", &poll.link, "--option", "thai", "--name", "Dan"];
        let voted = dan.run(&vote).await?;
        assert_eq!(voted[0]["outcome"], "applied");
        poll.agrees(&[], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;
        poll.owner.sees("Dan", SOON).await?;
        let join = ["join", &poll.link, "--until-closed"];
        let watching = eve.run(&join);
        let others = async {
            poll.owner.votes_for("Pizza").await?;
            let votes = result(&[("Thai", 1), ("Pizza", 1)]);
            poll.agrees(&[], votes).await?;
            poll.owner.clicks(&screen::button("Close the poll")).await
        };
        let (seen, done) = tokio::join!(watching, others);
        done?;
        let seen = seen?;
        let last = &seen[seen.len() - 1]["poll"];
        assert_eq!(last["closed"], true);
        let votes = [&last["options"][0]["votes"], &last["options"][1]["votes"]];
        assert_eq!(votes, [1, 1]);
        // Whoever comes late is told.
        let late = dan.run(&["vote", &poll.link, "--option", "pizza"]).await;
        assert!(late.unwrap_err().to_string().contains("closed"));
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminals_vote_waits_for_the_page_that_owns_the_poll() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let dan = world.terminal()?;
        dan.run(&["vote", &poll.link, "--option", "thai"]).await?;
        poll.owner.person.kill();
        let later = ["vote", &poll.link, "--option", "pizza", "--queue"];
        let queued = dan.run(&[&later[..], &["--timeout", "5"]].concat()).await;
        let said = queued.unwrap_err().to_string();
        assert!(said.contains("no answer yet"), "{said}");
        // It has a copy meanwhile, in which nothing is counted that the owner has not.
        let kept = ["results", &poll.link, "--offline"];
        let kept = dan.run(&kept).await?;
        assert_eq!(votes(&kept), [("Thai", 1), ("Pizza", 0)]);

        poll.owner.person.reopen().await?;
        poll.owner_returns().await?;
        let results = ["results", &poll.link, "--timeout", "90"];
        let results = dan.run(&results).await?;
        assert_eq!(votes(&results), [("Thai", 0), ("Pizza", 1)]);
        poll.agrees(&[], result(&[("Thai", 0), ("Pizza", 1)])).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminal_votes_and_comes_back_without_the_signalling_server() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let (dan, eve) = (world.terminal()?, world.terminal()?);
        let mut watching = eve.start(&["join", &poll.link])?;
        is_connected(&mut watching).await?;
        // Dan is connected, and the page has not heard what he votes for.
        let voting = votes_for(&poll, &dan, "thai", "poll:vote").await?;
        world.broker().await.kill();
        let alone = "You are the host, but nobody new can join now";
        poll.owner.reads(alone, SOON).await?;
        poll.owner.tab.let_go().await?;
        assert_eq!(voting.ends(SOON).await?[0]["outcome"], "applied");
        sees(&mut watching, &[("Thai", 1), ("Pizza", 0)]).await?;
        poll.agrees(&[], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;

        // He thinks again, and there is nobody who would introduce him.
        let mut back = dan.start(&["join", &poll.link])?;
        is_away(&mut back).await?;
        world.broker().await.restart().await?;
        is_connected(&mut back).await?;
        back.kill().await;
        let again = ["vote", &poll.link, "--option", "pizza"];
        assert_eq!(dan.run(&again).await?[0]["outcome"], "applied");
        sees(&mut watching, &[("Thai", 0), ("Pizza", 1)]).await?;
        poll.agrees(&[], result(&[("Thai", 0), ("Pizza", 1)])).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminals_vote_by_a_dead_network_is_counted_when_it_is_back() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let cable = world.cable().await?;
        let (dan, eve) = (Terminal::by(&cable)?, Terminal::by(&cable)?);
        let mut watching = eve.start(&["join", &poll.link])?;
        is_connected(&mut watching).await?;
        let voting = votes_for(&poll, &dan, "pizza", "poll:vote").await?;
        cable.cut();
        // As if it was cut a moment before.
        poll.owner.tab.lose().await?;
        is_away(&mut watching).await?;
        poll.agrees(&[], result(&[("Thai", 0), ("Pizza", 0)]))
            .await?;
        cable.mend();
        is_connected(&mut watching).await?;
        is_first(&voting.ends(BACK).await?);
        sees(&mut watching, &[("Thai", 0), ("Pizza", 1)]).await?;
        is_counted_once(&poll, &dan).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminals_vote_whose_answer_was_lost_is_counted_once() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let dan = world.terminal()?;
        let voting = votes_for(&poll, &dan, "pizza", "ack").await?;
        poll.agrees(&[], result(&[("Thai", 0), ("Pizza", 1)]))
            .await?;
        poll.owner.tab.cut_and_lose().await?;
        // It is sent once more, and gets the answer that it had got.
        is_first(&voting.ends(BACK).await?);
        is_counted_once(&poll, &dan).await?;
        // Dan goes on where he was.
        let again = ["vote", &poll.link, "--option", "thai"];
        assert_eq!(dan.run(&again).await?[0]["revision"], 2);
        poll.agrees(&[], result(&[("Thai", 1), ("Pizza", 0)])).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminal_killed_before_the_page_has_heard_its_vote_delivers_it() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let dan = world.terminal()?;
        votes_for(&poll, &dan, "pizza", "poll:vote")
            .await?
            .kill()
            .await;
        poll.owner.tab.lose().await?;
        poll.agrees(&[], result(&[("Thai", 0), ("Pizza", 0)]))
            .await?;
        is_counted_once(&poll, &dan).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminal_killed_after_the_page_has_counted_is_not_counted_again() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let dan = world.terminal()?;
        let voting = votes_for(&poll, &dan, "pizza", "ack").await?;
        poll.agrees(&[], result(&[("Thai", 0), ("Pizza", 1)]))
            .await?;
        voting.kill().await;
        poll.owner.tab.lose().await?;
        is_counted_once(&poll, &dan).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_terminal_killed_with_a_vote_that_waits_delivers_it() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let dan = world.terminal()?;
        // He has the poll by now, and its owner goes.
        dan.run(&["results", &poll.link]).await?;
        poll.owner.tab.close().await?;
        let later = ["vote", &poll.link, "--option", "pizza", "--queue"];
        let queued = dan.run(&[&later[..], &["--timeout", "2"]].concat()).await;
        let said = queued.unwrap_err().to_string();
        assert!(said.contains("no answer yet"), "{said}");
        let mut waiting = dan.start(&["join", &poll.link])?;
        let waits = |line: &Value| line["pending"][0]["kind"] == "poll:vote";
        waiting.prints("the pending vote", waits, SOON).await?;
        waiting.kill().await;
        poll.owner_returns().await?;
        is_counted_once(&poll, &dan).await
    });
}

/// Somebody votes, and what the page gets or says of this type does not get through: the vote, or
/// its answer. Returns once it is held.
async fn votes_for(
    poll: &Poll<'_>,
    voter: &Terminal,
    option: &str,
    held: &str,
) -> anyhow::Result<Running> {
    let tab = &poll.owner.tab;
    tab.hold(held).await?;
    // Longer than anything here takes.
    let vote = ["vote", &poll.link, "--option", option, "--timeout", "600"];
    let voting = voter.start(&vote)?;
    tab.holds_one().await?;
    Ok(voting)
}

/// Asserts that the first vote in a poll was counted, and that nothing was before.
fn is_first(voted: &[Value]) {
    assert_eq!(voted[0]["outcome"], "applied");
    assert_eq!(voted[0]["revision"], 1);
}

/// Somebody comes, with what they have left when they were interrupted: the only vote of the poll,
/// for pizza. Everybody sees it, and it has cost one revision.
async fn is_counted_once(poll: &Poll<'_>, voter: &Terminal) -> anyhow::Result<()> {
    let results = ["results", &poll.link, "--timeout", "90"];
    let results = voter.run(&results).await?;
    assert_eq!(votes(&results), [("Thai", 0), ("Pizza", 1)]);
    assert_eq!(results[0]["live"], true);
    assert_eq!(results[0]["revision"], 1);
    poll.agrees(&[], result(&[("Thai", 0), ("Pizza", 1)])).await
}

async fn is_connected(watching: &mut Running) -> anyhow::Result<()> {
    let is = |line: &Value| line["connection"] == "connected";
    watching.prints("that it is connected", is, BACK).await?;
    Ok(())
}

async fn is_away(watching: &mut Running) -> anyhow::Result<()> {
    let is = |line: &Value| line["connection"] == "away";
    watching.prints("that it is not", is, NOTICED).await?;
    Ok(())
}

/// Waits until whoever watches sees this.
async fn sees(watching: &mut Running, wanted: &[(&str, u64)]) -> anyhow::Result<()> {
    let is = |line: &Value| votes_of(&line["poll"]) == wanted;
    watching.prints("the votes", is, SOON).await?;
    Ok(())
}

/// The votes that `hustings results` has printed of one poll.
pub(crate) fn votes(results: &[Value]) -> Vec<(&str, u64)> {
    votes_of(&results[0])
}

fn votes_of(poll: &Value) -> Vec<(&str, u64)> {
    let options = poll["options"].as_array().unwrap().iter();
    let vote = |option: &'_ Value| option["votes"].as_u64().unwrap();
    options
        .map(|option| (option["label"].as_str().unwrap(), vote(option)))
        .collect()
}
