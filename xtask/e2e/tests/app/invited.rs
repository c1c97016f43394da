//! Polls in which only invited people vote: links, the sheet, and who is told what.

use hustings_e2e::bounds::SOON;
use hustings_e2e::{TakesPart, World, scenario};
use serde_json::json;

use crate::member::{Device, Member, Poll, QUESTION, create, result};
use crate::screen;

/// A secret poll of Thai and Pizza for invited people.
async fn begin(world: &World) -> anyhow::Result<Poll<'_>> {
    let owner = Member::enter_on(world, "the owner", Device::Desktop).await?;
    owner.goes_to(&world.app()?).await?;
    owner.sees("New poll", SOON).await?;
    owner.types(&screen::field("Question"), QUESTION).await?;
    owner.types(&screen::field("Option 1"), "Thai").await?;
    owner.types(&screen::field("Option 2"), "Pizza").await?;
    let invited = screen::field("Only invited people");
    owner.clicks(&invited).await?;
    create(world, owner).await
}

impl Member {
    /// Makes so many invitations. Returns the links of all that were made.
    async fn invites(&self, number: usize) -> anyhow::Result<Vec<String>> {
        let field = screen::field("Number of new invitations");
        self.types(&field, &number.to_string()).await?;
        self.clicks(&screen::button("Make invitations")).await?;
        self.sees("These links are shown once", SOON).await?;
        let links = "[...document.querySelectorAll('.made li > input')].map(field => field.value)";
        let made = format!("{links}.length >= {number}");
        self.tab.wait_for("the links", &made, SOON).await?;
        self.tab.run(&format!("return {links}")).await
    }

    /// The address of the page is the link that everybody has.
    async fn has_plain_address(&self, link: &str) -> anyhow::Result<()> {
        let what = "the address";
        self.tab
            .wait_to_be(what, "location.href", link, SOON)
            .await?;
        Ok(())
    }
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn an_invitation_makes_one_voter_and_nobody_is_told_which() {
    scenario(async |world| {
        let poll = begin(world).await?;
        let host = &poll.owner;
        host.sees("This link is for looking", SOON).await?;

        // It keeps all that comes to it, from before there are invitations to the end.
        let listener = world.person("a listener").await?;
        let listener = listener.open(&world.page("plain.html")).await?;
        listener
            .run_with::<()>("await join(arg)", &poll.link)
            .await?;
        let is_in = "client.state.name === 'connected' && client.poll !== undefined";
        listener.wait_for("the poll", is_in, SOON).await?;

        let links = host.invites(2).await?;
        assert_eq!(links.len(), 2);
        host.sees("2 invitations made, 0 used, 0 withdrawn", SOON)
            .await?;
        host.shows(world, "invitations").await?;

        let ann = Member::enter(world, "ann").await?;
        ann.goes_to(&links[0]).await?;
        ann.sees("You have not voted", SOON).await?;
        ann.has_plain_address(&poll.link).await?;
        ann.votes_for("Thai").await?;
        ann.sees("Your vote is counted", SOON).await?;
        host.sees("2 invitations made, 1 used, 0 withdrawn", SOON)
            .await?;

        let ben = Member::enter(world, "ben").await?;
        ben.goes_to(&links[0]).await?;
        ben.sees("Your invitation was used already", SOON).await?;
        ben.sees("Only invited people can vote in this poll", SOON)
            .await?;
        ben.has_plain_address(&poll.link).await?;
        ben.shows(world, "uninvited").await?;

        // The host is shown which were withdrawn, and not which were used.
        let withdraw = screen::field("Withdraw an invitation: its number, or its link");
        host.types(&withdraw, &links[1]).await?;
        host.clicks(&screen::button("Withdraw")).await?;
        host.sees("Invitation 2 is withdrawn", SOON).await?;
        host.clicks("//summary[normalize-space()='All invitations']")
            .await?;
        let listed = "[...document.querySelectorAll('.issued li .hint')].map(it => it.innerText)";
        let states = ["", "withdrawn"];
        host.tab.wait_to_be("states", listed, states, SOON).await?;

        let field = screen::field("Link of your invitation");
        ben.types(&field, &links[1]).await?;
        ben.clicks(&screen::button("Use the invitation")).await?;
        ben.sees("The host has withdrawn your invitation", SOON)
            .await?;
        ben.has_plain_address(&poll.link).await?;
        let votes = [("Thai", 1), ("Pizza", 0)];
        poll.agrees(&[&ann], result(&votes)).await?;

        let told = "votes().map(([, votes]) => votes)";
        listener
            .wait_to_be("the result", told, [1, 0], SOON)
            .await?;
        let heard: Vec<String> = listener
            .run("return [...heard.channels, ...heard.sockets]")
            .await?;
        assert!(!heard.is_empty(), "nothing was kept");
        for text in &heard {
            for link in &links {
                let secret = link.rsplit('/').next().unwrap_or_default();
                assert!(!text.contains(secret), "a secret: {text}");
            }
            for word in ["\"secret\":", "\"invitations\":[", "optionIds", "choices"] {
                assert!(!text.contains(word), "{word} was told: {text}");
            }
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_sheet_has_a_cell_for_each_invitation_and_nothing_else_of_the_page() {
    scenario(async |world| {
        let poll = begin(world).await?;
        let host = &poll.owner;
        let links = host.invites(3).await?;
        host.tab
            .run::<()>("window.print = () => (window.printed = true)")
            .await?;
        host.clicks(&screen::button("Print a sheet")).await?;
        let what = "the printer";
        host.tab
            .wait_for(what, "window.printed === true", SOON)
            .await?;
        let media = json!({ "media": "print" });
        host.tab
            .devtools("Emulation.setEmulatedMedia", media)
            .await?;
        let cells = "[...document.querySelectorAll('.sheet li')].map(cell => [
            cell.querySelector('.number').innerText, cell.querySelector('.title').innerText,
            cell.querySelector('svg.qr').getBoundingClientRect().width > 50, cell.querySelector('.link').innerText])";
        let each = links.iter().zip(1..);
        let each: Vec<_> = each
            .map(|(link, number)| json!([format!("No. {number}"), QUESTION, true, link]))
            .collect();
        host.tab.wait_to_be("the sheet", cells, each, SOON).await?;
        let others =
            "[...document.querySelectorAll('main, header')].some(part => part.checkVisibility())";
        let what = "the rest of the page";
        host.tab.wait_to_be(what, others, false, SOON).await?;
        host.tab
            .screenshot(&world.picture("invitations-sheet")?)
            .await
    });
}
