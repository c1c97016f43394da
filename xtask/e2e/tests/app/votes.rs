//! Votes, and what everybody sees of them.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::scenario;
use serde_json::json;

use crate::member::{Poll, result};
use crate::screen;

/// The picture on the front page of the workspace: `cargo xtask pictures` takes it over.
const FRONT: &str = "poll";

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn three_people_vote_and_see_the_same() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        poll.owner.is_called("Ann").await?;
        bob.is_called("Bob").await?;
        cat.is_called("Cat").await?;
        bob.votes_for("Thai").await?;
        cat.votes_for("Pizza").await?;
        poll.agrees(&[&bob, &cat], result(&[("Thai", 1), ("Pizza", 1)]))
            .await?;

        cat.adds("Tapas").await?;
        poll.owner.sees("Tapas", SOON).await?;
        poll.owner.votes_for("Tapas").await?;
        cat.votes_for("Thai").await?;
        let votes = [("Thai", 2), ("Pizza", 0), ("Tapas", 1)];
        poll.agrees(&[&bob, &cat], result(&votes)).await?;
        for member in [&poll.owner, &bob, &cat] {
            member
                .shows(
                    world,
                    &format!("votes-{}", member.person.name().replace(' ', "-")),
                )
                .await?;
            let bars = json!([["Thai", 67], ["Pizza", 0], ["Tapas", 33]]);
            let seen = "screen_of.bars()";
            member.tab.wait_to_be("the bars", seen, bars, SOON).await?;
            for name in ["Ann", "Bob", "Cat"] {
                member.sees(name, SOON).await?;
            }
            member.sees("3 people have voted", SOON).await?;
            member.sees("Your vote is counted", SOON).await?;
        }
        // Without it there is room for everything else.
        poll.owner.clicks(screen::QR_CODE).await?;
        poll.owner.shows_down_to("Your poll", world, FRONT).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn what_was_done_without_an_answer_is_sent_again_and_not_done_again() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        // The owner does what Bob asks for, and no word of it gets out.
        poll.owner.tab.fall_silent().await?;
        bob.votes_for("Thai").await?;
        bob.adds("Tapas").await?;
        let votes = [("Thai", 1), ("Pizza", 0), ("Tapas", 0)];
        poll.agrees(&[], result(&votes)).await?;
        bob.is_sending().await?;
        bob.sees("2 changes pending sync", SOON).await?;
        bob.shows(world, "answer-lost").await?;
        poll.owner.tab.cut_and_speak().await?;
        bob.sees("Your vote is counted", BACK).await?;
        // Done once more, the option would be there twice, or refused because it is there.
        poll.agrees(&[&bob], result(&votes)).await?;
        let (made, refused): (usize, bool) = bob
            .tab
            .run("return [spy.made, screen_of.says('was refused')]")
            .await?;
        assert_eq!(made, 2, "it was sent on another connection");
        assert!(!refused);
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_that_comes_after_the_end_is_refused_with_the_reason() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        bob.votes_for("Pizza").await?;
        bob.sees("Your vote is counted", SOON).await?;
        // Bob's change of mind does not get out, until it is too late.
        bob.tab.fall_silent().await?;
        bob.votes_for("Thai").await?;
        bob.is_sending().await?;
        poll.owner.clicks(&screen::button("Close the poll")).await?;
        bob.sees("This poll is closed", SOON).await?;
        bob.tab.cut_and_speak().await?;
        bob.sees("Your vote for “Thai” was refused: ", BACK).await?;
        bob.shows(world, "refused").await?;
        poll.agrees(&[&bob], result(&[("Thai", 0), ("Pizza", 1)]))
            .await
    });
}
