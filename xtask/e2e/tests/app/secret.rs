//! Secret votes, results that wait, and the view for a whole room.

use hustings_e2e::bounds::SOON;
use hustings_e2e::{TakesPart, World, scenario};
use serde_json::json;

use crate::member::{Device, Member, Poll, create, result};
use crate::screen;

/// Told before the vote.
const SECRET: &str = "Only the host’s device is told what you choose";

/// A secret poll of Thai and Pizza, whose results wait for one's own vote.
async fn begin(world: &World) -> anyhow::Result<Poll<'_>> {
    let owner = Member::enter_on(world, "the owner", Device::Phone).await?;
    owner.goes_to(&world.app()?).await?;
    owner.sees("New poll", SOON).await?;
    owner
        .types(&screen::field("Question"), "Where do we eat on Friday?")
        .await?;
    owner.types(&screen::field("Option 1"), "Thai").await?;
    owner.types(&screen::field("Option 2"), "Pizza").await?;
    let ticked = "document.querySelector('input[name=ballots]:checked').value";
    let what = "what is chosen at first";
    owner.tab.wait_to_be(what, ticked, "secret", SOON).await?;
    let after_vote = screen::field("After one’s own vote");
    owner.clicks(&after_vote).await?;
    create(world, owner).await
}

impl Member {
    /// Sees nothing of the results, but so many who have voted.
    async fn sees_only_turnout(&self, turnout: &str) -> anyhow::Result<()> {
        self.sees(turnout, SOON).await?;
        self.sees("Results are shown once you have voted.", SOON)
            .await?;
        let figures: bool = self.tab.run("return screen_of.figures()").await?;
        assert!(!figures, "there are results to see");
        Ok(())
    }

    /// Nothing on the page says in one line of somebody what they chose.
    async fn sees_nobodys_choice(&self, names: &[&str]) -> anyhow::Result<()> {
        // The whole page with what is folded away, and what it has in attributes; but the options,
        // as everybody is shown them, say nothing of anybody.
        let found: Vec<String> = self
            .tab
            .run_with(
                "const names = arg;
                 const options = ['Thai', 'Pizza'];
                 const texts = element => [element.textContent,
                     ...[element, ...element.querySelectorAll('*')].flatMap(it => [...it.attributes].map(({ value }) => value))];
                 const has = (element, words) => texts(element).some(text => words.some(word => text.includes(word)));
                 const parts = [...document.querySelectorAll('section, form, li, p, div.banner')];
                 return parts.filter(part => has(part, names) && has(part, options)).map(part => part.outerHTML)",
                names,
            )
            .await?;
        assert!(found.is_empty(), "somebody beside an option: {found:?}");
        Ok(())
    }
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn in_a_secret_poll_results_come_with_ones_own_vote_and_nobody_is_told_who_chose_what() {
    scenario(async |world| {
        let poll = begin(world).await?;
        let (ann, ben) = (poll.join("ann").await?, poll.join("ben").await?);
        ann.is_called("Ann").await?;
        ben.is_called("Ben").await?;
        for member in [&ann, &ben] {
            member.sees(SECRET, SOON).await?;
            member.sees_only_turnout("Nobody has voted yet").await?;
        }
        ann.shows(world, "secret-before").await?;
        ann.votes_for("Thai").await?;
        ann.sees("Your vote is counted", SOON).await?;
        let one = result(&[("Thai", 1), ("Pizza", 0)]);
        poll.agrees(&[&ann], one).await?;
        ben.sees_only_turnout("1 person has voted").await?;
        ben.votes_for("Pizza").await?;
        let both = [("Thai", 1), ("Pizza", 1)];
        poll.agrees(&[&ann, &ben], result(&both)).await?;
        ann.shows(world, "secret-after").await?;

        // The host's copy has who chose what; its page says so, and does not show it.
        let host = &poll.owner;
        for said in ["Ann", "Ben", "2 people have voted", "not even you"] {
            host.sees(said, SOON).await?;
        }
        for member in [host, &ann, &ben] {
            member.sees_nobodys_choice(&["Ann", "Ben"]).await?;
        }
        host.shows(world, "secret-host").await?;

        // On the wall are results that everybody may see.
        host.clicks("//a[normalize-space()='Show on a big screen']")
            .await?;
        host.sees("They are shown here when the poll is closed", SOON)
            .await?;
        host.sees("2 people have voted", SOON).await?;
        let figures: bool = host.tab.run("return screen_of.figures()").await?;
        assert!(!figures, "some of those who look have not voted");
        let code = "document.querySelector('.present svg.qr') !== null";
        host.tab.wait_for("the code to scan", code, SOON).await?;
        host.presses_escape().await?;
        host.is_host(SOON).await?;
        host.clicks(&screen::button("Close the poll")).await?;
        host.sees("This poll is closed", SOON).await?;
        for member in [host, &ben] {
            member
                .clicks("//a[normalize-space()='Show on a big screen']")
                .await?;
            let seen = "screen_of.presented()";
            member.tab.wait_to_be("the tally", seen, both, SOON).await?;
            member.sees_nobodys_choice(&["Ann", "Ben"]).await?;
        }
        host.shows(world, "presented").await?;
        ben.presses_escape().await?;
        ben.is_connected(SOON).await?;
        poll.owner.presses_escape().await?;
        poll.agrees(&[&ann, &ben], result(&both)).await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn open_votes_show_who_chose_what_and_a_copy_of_the_poll_has_its_rules() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let ben = Member::enter(world, "ben").await?;
        // The settings of a poll are those of its copy, but for what is changed in the form.
        let host = &poll.owner;
        host.clicks(&screen::field("When the poll is closed"))
            .await?;
        let shown = "document.querySelector('input[name=shown]:checked').value";
        let what = "the setting";
        host.tab.wait_to_be(what, shown, "afterClose", SOON).await?;
        host.clicks(&screen::button("Duplicate this poll")).await?;
        host.sees("nothing is created yet", SOON).await?;
        let filled =
            "[...document.querySelectorAll('.create input[type=text], .create input:checked')]
            .map(field => field.value)";
        let copy = json!([
            "Where do we eat on Friday?",
            "Thai",
            "Pizza",
            "",
            "on",
            "link",
            "secret",
            "afterClose"
        ]);
        host.tab.wait_to_be("the copy", filled, copy, SOON).await?;
        host.clicks(&screen::field("Open votes")).await?;
        host.clicks(&screen::field("At once")).await?;
        let Poll { owner, .. } = poll;
        let poll = create(world, owner).await?;
        ben.join(&poll.link).await?;
        ben.is_called("Ben").await?;
        ben.sees("Everybody in this poll can see what you choose", SOON)
            .await?;
        ben.votes_for("Thai").await?;
        let votes = [("Thai", 1), ("Pizza", 0)];
        poll.agrees(&[&ben], result(&votes)).await?;
        for member in [&poll.owner, &ben] {
            member.sees("Chosen by Ben", SOON).await?;
        }
        ben.shows(world, "open").await?;

        // Ben finds the poll again on the start page, until he has it forgotten.
        ben.goes_to(&world.app()?).await?;
        ben.sees("Polls that you have joined", SOON).await?;
        let listed = "[...document.querySelectorAll('.joined li')].map(poll => [
            poll.querySelector('bdi').innerText,
            Number.isFinite(Date.parse(poll.querySelector('time').dateTime)),
        ])";
        let one = json!([["Where do we eat on Friday?", true]]);
        ben.tab.wait_to_be("the poll", listed, one, SOON).await?;
        ben.clicks("//ul[contains(@class, 'joined')]//a").await?;
        ben.is_connected(SOON).await?;
        ben.goes_to(&world.app()?).await?;
        ben.clicks(&screen::button("Forget")).await?;
        ben.sees("is no longer listed", SOON).await?;
        ben.tab.reload().await?;
        ben.sees("New poll", SOON).await?;
        let none = json!([]);
        ben.tab.wait_to_be("no poll", listed, none, SOON).await?;
        // The host's are with the host's own.
        poll.owner.goes_to(&world.app()?).await?;
        poll.owner.sees("Your polls", SOON).await?;
        let none = json!([]);
        poll.owner
            .tab
            .wait_to_be("no poll", listed, none, SOON)
            .await?;
        Ok(())
    });
}
