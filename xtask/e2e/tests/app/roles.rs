//! Roles, and the rights that they give.

use hustings_e2e::bounds::SOON;
use hustings_e2e::scenario;

use crate::member::{result, with_a_moderator};

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_moderator_decides_who_may_vote() {
    scenario(async |world| {
        let (poll, bob, cat) = with_a_moderator(world).await?;
        // Who is a moderator finds the roles of others to set.
        bob.makes("Cat", "Viewer").await?;
        cat.sees("You may watch this poll, but not vote in it.", SOON)
            .await?;
        cat.shows(world, "viewer").await?;
        let boxes: usize = cat
            .tab
            .run("return document.querySelectorAll('input[name=choice]').length")
            .await?;
        assert_eq!(boxes, 0, "there is nothing to choose");
        poll.owner.sees("Viewer", SOON).await?;

        bob.makes("Cat", "Voter").await?;
        cat.sees("You have not voted", SOON).await?;
        cat.votes_for("Pizza").await?;
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob, &cat], result(&[("Thai", 1), ("Pizza", 1)]))
            .await?;
        bob.sees("Moderator", SOON).await?;
        bob.shows(world, "moderator").await
    });
}
