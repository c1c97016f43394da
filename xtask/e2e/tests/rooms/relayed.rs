//! People who reach each other by TURN alone, and a server that relays.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, scenario};
use serde_json::json;

use crate::member::{Member, result};

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn two_who_never_meet_vote_through_the_server() {
    scenario(async |world| {
        let page = world.relayed_page("room.html").await?;
        let owner = Member::enter_by(world, "the owner", &page).await?;
        let draft = json!({ "title": "Tea or coffee?", "options": ["Tea", "Coffee"] });
        let link: String = owner.tab.run_with("return create(arg)", draft).await?;
        let registered = "room.registered()";
        let server = "the signalling server";
        owner.tab.wait_for(server, registered, SOON).await?;
        let bob = Member::enter_by(world, "bob", &page).await?;
        bob.join(&link).await?;
        bob.votes_for(1).await?;
        bob.is_counted(1, SOON).await?;
        for member in [&owner, &bob] {
            let votes = result(&[0, 1], 1);
            member
                .tab
                .wait_to_be("the votes", "result()", votes, SOON)
                .await?;
            let ways: Vec<String> = member.tab.run("return spy.ways()").await?;
            assert_eq!(ways, ["relay to relay"]);
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn without_a_server_that_relays_nobody_is_told_an_address() {
    scenario(async |world| {
        // The owner would be reached directly, and bob shows nobody where he is.
        let owner = Member::enter_by(world, "the owner", &world.page("room.html")).await?;
        let draft = json!({ "title": "Tea or coffee?", "options": ["Tea", "Coffee"] });
        let link: String = owner.tab.run_with("return create(arg)", draft).await?;
        let registered = "room.registered()";
        let server = "the signalling server";
        owner.tab.wait_for(server, registered, SOON).await?;
        let bob = Member::enter_by(world, "bob", &world.page("room.html").with("relay")).await?;
        bob.tab
            .run_with::<String>("return join(arg)", &link)
            .await?;
        let fails = "room.connection().state === 'disconnected' && spy.made > 0";
        bob.tab.wait_for("a dial that fails", fails, BACK).await?;
        let addresses: usize = bob.tab.run("return spy.addresses").await?;
        assert_eq!(addresses, 0);
        // Whoever is not so careful tells them, and is reached.
        let cat = Member::enter_by(world, "cat", &world.page("room.html")).await?;
        cat.join(&link).await?;
        let addresses: usize = cat.tab.run("return spy.addresses").await?;
        assert!(addresses > 0);
        Ok(())
    });
}
