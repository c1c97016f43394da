//! The library's purpose: two people in a poll, and no vote lost or counted twice.

use hustings_e2e::bounds::{BACK, NOTICED, SOON};
use hustings_e2e::{TakesPart, scenario};

use crate::member::{Member, Poll, result};

/// Somebody votes for the second option. The owner counts the vote, and no word of it gets out, nor
/// of anything else until it speaks again.
async fn votes_without_an_answer(poll: &Poll<'_>, voter: &Member) -> anyhow::Result<()> {
    let owner = &poll.owner.tab;
    owner.fall_silent().await?;
    voter.votes_for(1).await?;
    let counted = "the owner's votes";
    owner.wait_to_be(counted, "votes()", [0, 1], SOON).await?;
    Ok(())
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn two_browsers_connect_and_messages_go_both_ways() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        cat.votes_for(0).await?;
        cat.is_counted(2, SOON).await?;
        let named = "const named = await room.setName('The owner'); await named.outcome()";
        poll.owner.tab.run::<()>(named).await?;
        poll.agrees(&[&bob, &cat], result(&[1, 1], 3)).await?;
        for member in [&bob, &cat] {
            let names = "Object.values(room.poll().members).map(member => member.profile?.name)";
            let known = format!("({names}).includes('The owner')");
            member.tab.wait_for("the name", &known, SOON).await?;
            assert_eq!(member.tab.connections_made().await?, 1);
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn the_signalling_server_may_go_once_all_are_connected() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        world.broker().await.kill();
        let known = "room.registered()";
        for member in [&poll.owner, &bob] {
            let what = "being registered";
            member.tab.wait_to_be(what, known, false, SOON).await?;
        }
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        world.broker().await.restart().await?;
        for member in [&poll.owner, &bob] {
            let what = "being registered";
            member.tab.wait_to_be(what, known, true, BACK).await?;
        }
        let cat = poll.join("cat").await?;
        poll.agrees(&[&bob, &cat], result(&[0, 1], 1)).await?;
        assert_eq!(bob.tab.connections_made().await?, 1);
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_network_that_comes_back_is_used_again() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = Member::enter(world, "bob").await?;
        bob.tab.emulate_network().await?;
        bob.join(&poll.link).await?;
        bob.tab.set_offline(true).await?;
        // While this lasts the browser believes that the connection is only slow.
        bob.votes_for(1).await?;
        let lost = bob.is_alone(NOTICED).await?;
        bob.tab.set_offline(false).await?;
        let back = bob.is_connected(BACK).await?;
        println!(
            "without a network: noticed after {lost:.1?}, connected again {back:.1?} after it was back"
        );
        bob.is_counted(1, SOON).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_vote_whose_answer_was_lost_is_sent_again_and_counted_once() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let bob = poll.join("bob").await?;
        votes_without_an_answer(&poll, &bob).await?;
        let pending: Vec<String> = bob
            .tab
            .run("return room.pending().map(command => command.state)")
            .await?;
        assert_eq!(pending, ["sent"]);
        poll.owner.tab.cut_and_speak().await?;
        bob.is_counted(1, BACK).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await?;
        assert_eq!(bob.tab.connections_made().await?, 2);
        // The owner goes on where it was.
        bob.votes_for(0).await?;
        bob.is_counted(2, SOON).await?;
        poll.agrees(&[&bob], result(&[1, 0], 2)).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_killed_with_a_vote_on_the_disk_delivers_it_when_they_are_back() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let mut bob = poll.join("bob").await?;
        // Frozen, the owner cannot have answered.
        let frozen = poll.owner.person.freeze()?;
        bob.votes_for(1).await?;
        bob.person.kill();
        drop(frozen);
        bob.person.reopen().await?;
        poll.rejoin(&mut bob).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await?;
        bob.votes_for(0).await?;
        bob.is_counted(2, SOON).await?;
        poll.agrees(&[&bob], result(&[1, 0], 2)).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_voter_killed_after_the_owner_has_counted_is_not_counted_again() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let mut bob = poll.join("bob").await?;
        votes_without_an_answer(&poll, &bob).await?;
        bob.person.kill();
        poll.owner.tab.speak().await?;
        bob.person.reopen().await?;
        poll.rejoin(&mut bob).await?;
        poll.agrees(&[&bob], result(&[0, 1], 1)).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_owner_killed_and_back_goes_on_with_everybody_where_they_were() {
    scenario(async |world| {
        let mut poll = Poll::begin(world).await?;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        cat.votes_for(0).await?;
        cat.is_counted(1, SOON).await?;
        bob.votes_for(1).await?;
        bob.is_counted(2, SOON).await?;
        // What was answered is on the disk, at this very moment.
        poll.owner.person.kill();
        poll.owner.person.reopen().await?;
        poll.owner_returns().await?;
        for member in [&bob, &cat] {
            // They may have to find out that the owner they knew is dead.
            let two = "spy.made > 1";
            member.tab.wait_for("another connection", two, BACK).await?;
            member.is_connected(BACK).await?;
        }
        poll.agrees(&[&bob, &cat], result(&[1, 1], 2)).await?;
        bob.votes_for(0).await?;
        bob.is_counted(3, SOON).await?;
        poll.agrees(&[&bob, &cat], result(&[2, 0], 3)).await
    });
}
