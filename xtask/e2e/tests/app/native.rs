//! Browsers in the room of a program: its owner is `hustings host`.

use hustings_e2e::bounds::{BACK, NOTICED, SOON};
use hustings_e2e::{TakesPart, scenario};

use crate::member::{Device, Member, QUESTION, result};
use crate::terminal::votes;

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
        let sees = async |votes| agree(&[&bob, &cat], votes).await;
        sees(&[("Thai", 1), ("Pizza", 0)]).await?;
        cat.votes_for("Pizza").await?;
        sees(&[("Thai", 1), ("Pizza", 1)]).await?;

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
        sees(&[("Thai", 0), ("Pizza", 2)]).await?;
        bob.adds("Tapas").await?;
        sees(&[("Thai", 0), ("Pizza", 2), ("Tapas", 0)]).await?;

        // And that is what its journal has.
        host.kill().await;
        let results = owner.run(&["results", owner.folder()]).await?;
        assert_eq!(votes(&results), [("Thai", 0), ("Pizza", 2), ("Tapas", 0)]);
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn in_the_room_of_a_program_votes_go_on_without_the_signalling_server() {
    scenario(async |world| {
        let owner = world.terminal()?;
        let host = owner.host(&POLL).await?;
        let bob = Member::enter(world, "bob").await?;
        bob.join(&host.link).await?;
        world.broker().await.kill();
        bob.votes_for("Thai").await?;
        agree(&[&bob], &[("Thai", 1), ("Pizza", 0)]).await?;
        world.broker().await.restart().await?;
        // Somebody new is let in as soon as the program is registered again, which takes a while.
        let cat = Member::enter(world, "cat").await?;
        cat.goes_to(&host.link).await?;
        cat.is_connected(BACK).await?;
        cat.votes_for("Pizza").await?;
        agree(&[&bob, &cat], &[("Thai", 1), ("Pizza", 1)]).await?;
        assert_eq!(bob.tab.connections_made().await?, 1);
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_to_a_program_by_a_dead_network_is_counted_when_it_is_back() {
    scenario(async |world| {
        let owner = world.terminal()?;
        let host = owner.host(&POLL).await?;
        let bob = Member::enter(world, "bob").await?;
        bob.tab.emulate_network().await?;
        bob.join(&host.link).await?;
        bob.tab.set_offline(true).await?;
        // While this lasts the browser believes that the connection is only slow.
        bob.votes_for("Pizza").await?;
        bob.is_sending().await?;
        bob.reads("You are offline", NOTICED).await?;
        bob.tab.set_offline(false).await?;
        bob.sees("Your vote is counted", BACK).await?;
        agree(&[&bob], &[("Thai", 0), ("Pizza", 1)]).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_whose_answer_by_a_program_was_lost_is_counted_once() {
    scenario(async |world| {
        let owner = world.terminal()?;
        let host = owner.host(&POLL).await?;
        let bob = Member::enter(world, "bob").await?;
        let cat = Member::enter(world, "cat").await?;
        bob.join(&host.link).await?;
        cat.join(&host.link).await?;
        bob.tab.fall_deaf().await?;
        bob.votes_for("Pizza").await?;
        agree(&[&cat], &[("Thai", 0), ("Pizza", 1)]).await?;
        bob.is_sending().await?;
        bob.tab.cut_and_hear().await?;
        bob.sees("Your vote is counted", BACK).await?;
        agree(&[&bob, &cat], &[("Thai", 0), ("Pizza", 1)]).await?;
        assert_eq!(bob.tab.connections_made().await?, 2);
        // The program goes on where it was.
        bob.votes_for("Thai").await?;
        agree(&[&bob, &cat], &[("Thai", 1), ("Pizza", 0)]).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_killed_with_a_vote_on_the_disk_delivers_it_to_a_program() {
    scenario(async |world| {
        let owner = world.terminal()?;
        let host = owner.host(&POLL).await?;
        let mut bob = Member::enter(world, "bob").await?;
        let cat = Member::enter(world, "cat").await?;
        bob.join(&host.link).await?;
        cat.join(&host.link).await?;
        // Frozen, the program cannot have answered.
        host.freeze();
        bob.votes_for("Pizza").await?;
        bob.is_sending().await?;
        bob.person.kill();
        host.thaw();
        bob.person.reopen().await?;
        bob.take_new_tab(world).await?;
        bob.join(&host.link).await?;
        bob.sees("Your vote is counted", BACK).await?;
        agree(&[&bob, &cat], &[("Thai", 0), ("Pizza", 1)]).await
    });
}

/// Waits until everybody sees the same: this.
async fn agree(members: &[&Member], votes: &[(&str, u64)]) -> anyhow::Result<()> {
    for member in members {
        let what = "what is seen of the poll";
        let tab = member.tab();
        tab.wait_to_be(what, "result()", result(votes), SOON)
            .await?;
    }
    Ok(())
}
