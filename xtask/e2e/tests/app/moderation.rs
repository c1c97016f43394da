//! The powers of a host and its moderators, as they find them on the page.

use hustings_e2e::bounds::SOON;
use hustings_e2e::scenario;
use serde_json::json;

use crate::member::{Member, Poll, result, with_a_moderator};
use crate::plain::Plain;
use crate::screen;

/// The sentence where somebody's choice was withdrawn.
const GONE: &str = "It was withdrawn, and your vote for it does not count";

/// The sentence for somebody who was removed.
const REMOVED: &str = "You were removed from this poll";

impl Member {
    /// Clicks on what has this label, in which people and options have their own direction.
    pub(crate) async fn clicks_on(
        &self,
        action: &str,
        what: &str,
        end: &str,
    ) -> anyhow::Result<()> {
        let label = format!("{action}\u{2068}{what}\u{2069}{end}");
        self.clicks(&format!("//button[@aria-label='{label}']"))
            .await
    }

    /// Gives an option another label.
    async fn relabels(&self, option: &str, label: &str) -> anyhow::Result<()> {
        self.clicks_on("Change “", option, "”").await?;
        let field = format!("New label of “\u{2068}{option}\u{2069}”");
        self.types(&screen::field(&field), label).await?;
        self.clicks("//details//button[normalize-space()='Save']")
            .await
    }

    /// Removes somebody, once the question was read.
    pub(crate) async fn removes(&self, name: &str, with: &str) -> anyhow::Result<()> {
        self.clicks_on("Remove ", name, "").await?;
        self.sees(&format!("Remove {name} from this poll?"), SOON)
            .await?;
        self.clicks(&format!(
            "//div[@role='group']//button[normalize-space()='{with}']"
        ))
        .await
    }

    /// The names of those whom somebody finds to be removed or readmitted.
    async fn finds_to_remove(&self, names: &[&str]) -> anyhow::Result<()> {
        let seen = "[...document.querySelectorAll('.people button[aria-label]')]
            .map(button => button.ariaLabel.replace(/[\\u2068\\u2069]/g, ''))
            .sort()";
        let what = "what can be done with people";
        self.tab.wait_to_be(what, seen, names, SOON).await?;
        Ok(())
    }
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_host_changes_a_secret_poll_and_removes_people_and_nobody_is_told_who_chose_what() {
    scenario(async |world| {
        let poll = Poll::begin(world).await?;
        let host = &poll.owner;
        let (ann, ben) = (poll.join("ann").await?, poll.join("ben").await?);
        ann.is_called("Ann").await?;
        ben.is_called("Ben").await?;
        let listener = Plain::join(world, &poll).await?;
        ann.votes_for("Thai").await?;
        ben.votes_for("Pizza").await?;
        let both = [("Thai", 1), ("Pizza", 1)];
        poll.agrees(&[&ann, &ben], result(&both)).await?;

        let question = "Where do we eat on Saturday?";
        host.types(&screen::field("Question"), question).await?;
        host.clicks(&screen::button("Change the question")).await?;
        for member in [&ann, &ben] {
            member.sees(question, SOON).await?;
        }
        host.clicks("//summary[normalize-space()='Change options']")
            .await?;
        host.relabels("Thai", "PIZZA").await?;
        host.sees("was refused", SOON).await?;
        host.clicks(&screen::button("Dismiss")).await?;
        host.types(
            &screen::field("New label of “\u{2068}Thai\u{2069}”"),
            "Curry",
        )
        .await?;
        host.clicks("//details//button[normalize-space()='Save']")
            .await?;
        let both = [("Curry", 1), ("Pizza", 1)];
        poll.agrees(&[&ann, &ben], result(&both)).await?;

        // Whoever chose it is told; it is shown to all, without its votes.
        host.clicks_on("Withdraw “", "Curry", "”").await?;
        poll.agrees(&[&ann, &ben], result(&[("Pizza", 1)])).await?;
        ann.sees(GONE, SOON).await?;
        ann.sees("you have no vote that counts", SOON).await?;
        ann.shows(world, "withdrawn").await?;
        for member in [host, &ben] {
            member.sees("Withdrawn", SOON).await?;
            member.sees("1 person has voted", SOON).await?;
            let is_told: bool = member
                .tab
                .run_with("return screen_of.says(arg)", GONE)
                .await?;
            assert!(!is_told, "it was not theirs");
        }
        listener.counts(&[("Pizza", 1)]).await?;
        host.shows(world, "options").await?;
        host.clicks_on("Take back in “", "Curry", "”").await?;
        poll.agrees(&[&ann, &ben], result(&both)).await?;
        ann.sees("Your vote is counted", SOON).await?;

        // Ben's vote stays, Cat's goes.
        let cat = poll.join("cat").await?;
        cat.is_called("Cat").await?;
        cat.votes_for("Pizza").await?;
        let three = [("Curry", 1), ("Pizza", 2)];
        poll.agrees(&[&ann, &ben, &cat], result(&three)).await?;
        host.removes("Ben", "Remove, the vote stays").await?;
        ben.reads(REMOVED, SOON).await?;
        ben.shows(world, "removed").await?;
        let is_blamed: bool = ben
            .tab
            .run("return ['offline', 'host is away', 'host is back'].some(text => screen_of.says(text))")
            .await?;
        assert!(!is_blamed, "it is not the network");
        poll.agrees(&[&ann, &cat], result(&three)).await?;
        host.removes("Cat", "Remove with the vote").await?;
        cat.reads(REMOVED, SOON).await?;
        poll.agrees(&[&ann], result(&both)).await?;
        listener.counts(&both).await?;

        // Nothing is told to Ben that he could go on from: he asks.
        host.clicks_on("Readmit ", "Ben", "").await?;
        host.finds_to_remove(&["Readmit Cat", "Remove Ann", "Remove Ben", "Remove Guest"])
            .await?;
        ben.clicks(&screen::button("Try again")).await?;
        ben.is_connected(SOON).await?;
        ben.votes_for("Curry").await?;
        let votes = [("Curry", 2), ("Pizza", 0)];
        poll.agrees(&[&ann, &ben], result(&votes)).await?;
        listener.counts(&votes).await?;
        listener.was_told_nobodys_choice().await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_moderator_finds_what_it_may_do_and_nothing_else() {
    scenario(async |world| {
        let (poll, bob, cat) = with_a_moderator(world).await?;
        bob.finds_to_remove(&["Remove Cat"]).await?;
        cat.finds_to_remove(&[]).await?;
        let parts = "['Change options', 'Your poll'].filter(text => screen_of.says(text))";
        let what = "what can be changed";
        for (member, found) in [
            (&bob, json!(["Change options"])),
            (&cat, json!([])),
            (&poll.owner, json!(["Change options", "Your poll"])),
        ] {
            member.tab.wait_to_be(what, parts, found, SOON).await?;
        }
        bob.clicks("//summary[normalize-space()='Change options']")
            .await?;
        bob.relabels("Pizza", "Flatbread").await?;
        bob.clicks_on("Withdraw “", "Thai", "”").await?;
        let votes = [("Flatbread", 0)];
        poll.agrees(&[&bob, &cat], result(&votes)).await?;
        bob.shows(world, "moderates").await?;
        // A question is no answer, and the keyboard is back where it was.
        bob.clicks_on("Remove ", "Cat", "").await?;
        bob.clicks(&screen::button("Do not remove")).await?;
        let focused = "document.activeElement.innerText";
        let what = "what has the keyboard";
        bob.tab.wait_to_be(what, focused, "Remove", SOON).await?;
        cat.is_connected(SOON).await?;
        bob.removes("Cat", "Remove").await?;
        cat.reads(REMOVED, SOON).await?;
        poll.agrees(&[&bob], result(&votes)).await
    });
}
