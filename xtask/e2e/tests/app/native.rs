//! Programs and browsers in one room: an owner that is `hustings host`, and a voter who has a
//! terminal.

use hustings_e2e::bounds::{BACK, NOTICED, SOON};
use hustings_e2e::{TakesPart, scenario};

use crate::member::{Device, Member, Poll, QUESTION, result};
use crate::screen;

/// The poll that the other scenarios have, too.
const POLL: [&str; 7] = [
    "--title",
    QUESTION,
    "--option",
    "Thai",
    "--option",
    "Pizza",
    "--voters-add-options",
];

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_that_is_a_program_is_killed_and_comes_back() {
    scenario(async |world| {
        let owner = world.terminal()?;
        let host = owner.host(&POLL).await?;
        let bob = Member::enter_on(world, "bob", Device::Phone).await?;
        let cat = Member::enter_on(world, "cat", Device::Desktop).await?;
        bob.join(&host.link).await?;
        cat.join(&host.link).await?;
        bob.votes_for("Thai").await?;
        bob.sees("Your vote is counted", SOON).await?;
        let sees = async |votes: &[(&str, u64)], bound| {
            for member in [&bob, &cat] {
                let what = "what is seen of the poll";
                let tab = member.tab();
                tab.wait_to_be(what, "result()", result(votes), bound)
                    .await?;
            }
            anyhow::Ok(())
        };
        sees(&[("Thai", 1), ("Pizza", 0)], SOON).await?;
        cat.votes_for("Pizza").await?;
        sees(&[("Thai", 1), ("Pizza", 1)], SOON).await?;

        // Nobody has noticed yet when Bob thinks again.
        host.kill().await;
        bob.votes_for("Pizza").await?;
        bob.sees("Pending sync", SOON).await?;
        bob.is_alone(NOTICED).await?;
        cat.is_alone(NOTICED).await?;
        bob.shows(world, "program-away").await?;
        let host = owner.host(&POLL).await?;
        bob.sees("Your vote is counted", BACK).await?;
        cat.is_connected(BACK).await?;
        sees(&[("Thai", 0), ("Pizza", 2)], SOON).await?;
        bob.adds("Tapas").await?;
        sees(&[("Thai", 0), ("Pizza", 2), ("Tapas", 0)], SOON).await?;

        // And that is what its journal has.
        host.kill().await;
        let results = owner.run(&["results", owner.folder()]).await?;
        let votes: Vec<_> = results[0]["options"]
            .as_array()
            .unwrap()
            .iter()
            .map(|option| (option["label"].clone(), option["votes"].clone()))
            .collect();
        assert_eq!(
            serde_json::json!(votes),
            serde_json::json!([["Thai", 0], ["Pizza", 2], ["Tapas", 0]])
        );
        Ok(())
    });
}

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
