//! Polls that close by themselves, at a time that their host has chosen.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{TakesPart, scenario};
use serde_json::json;

use crate::member::{Device, Member, begin_by, result};
use crate::plain::Plain;
use crate::screen;

/// The fields for a deadline, in the form of a new poll and in the settings of one that is there.
const NEW: &str = "closes-at";
pub(crate) const SETTING: &str = "deadline";

/// Puts a time into such a field as whoever is there would type it, in their own zone, and clicks
/// on a button: at once, so that the time does not pass meanwhile.
const CHOOSE: &str = "const [id, seconds, name] = arg
    const time = new Date(Date.now() + seconds * 1000)
    const local = new Date(time - time.getTimezoneOffset() * 60000)
    const field = document.getElementById(id)
    field.value = local.toISOString().slice(0, -1)
    field.dispatchEvent(new Event('input', { bubbles: true }))
    const buttons = [...document.querySelectorAll('button')]
    if (name) buttons.find(button => button.innerText === name).click()";

/// Something went wrong by the clock of whoever sees this.
const PAST: &str = "This time has passed. Take a later one.";

/// The clock of a page that is an hour slow.
const SLOW: &str = "const now = Date.now.bind(Date)
    Date.now = () => now() - 3_600_000";

impl Member {
    /// Chooses a deadline so many seconds from now, and clicks on this button.
    pub(crate) async fn chooses(
        &self,
        field: &str,
        seconds: i64,
        button: &str,
    ) -> anyhow::Result<()> {
        let label = json!([field, seconds, button]);
        self.tab.run_with(CHOOSE, label).await
    }

    /// Waits until the countdown is like this.
    async fn counts_down(&self, like: &str) -> anyhow::Result<()> {
        let said = "document.querySelector('[data-testid=closing]')?.innerText ?? ''";
        let is = format!("/{like}/.test({said})");
        self.tab.wait_for("the countdown", &is, SOON).await?;
        Ok(())
    }
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_deadline_closes_a_secret_poll_and_a_vote_that_comes_later_is_refused() {
    scenario(async |world| {
        let owner = Member::enter_on(world, "the owner", Device::Desktop).await?;
        owner.goes_to(&world.app()?).await?;
        owner.sees("New poll", SOON).await?;
        owner.sees("No deadline.", SOON).await?;
        let poll = begin_by(world, owner).await?;
        let host = &poll.owner;
        let ann = poll.join("ann").await?;
        ann.is_called("Ann").await?;
        // Ben's clock is an hour slow, which is not the poll's.
        let ben = Member::enter(world, "ben").await?;
        let slow = json!({ "source": SLOW });
        let add = "Page.addScriptToEvaluateOnNewDocument";
        ben.tab.devtools(add, slow).await?;
        ben.join(&poll.link).await?;
        let listener = Plain::join(world, &poll).await?;
        ann.votes_for("Thai").await?;
        ben.votes_for("Pizza").await?;
        let votes = [("Thai", 1), ("Pizza", 1)];
        poll.agrees(&[&ann, &ben], result(&votes)).await?;

        host.chooses(SETTING, -60, "Set the deadline").await?;
        host.sees(PAST, SOON).await?;
        host.chooses(SETTING, 600, "Set the deadline").await?;
        for member in [host, &ann, &ben] {
            member.counts_down("^Closes in (10|\\d) min").await?;
        }
        let told = "typeof client.poll.closesAt";
        let what = "the deadline";
        listener.tab.wait_to_be(what, told, "number", SOON).await?;
        ann.shows(world, "deadline").await?;
        host.clicks(&screen::button("Take the deadline away"))
            .await?;
        ann.counts_down("^$").await?;

        // Ann's change of mind does not get out, until it is too late.
        ann.tab.fall_silent().await?;
        ann.votes_for("Pizza").await?;
        ann.is_sending().await?;
        host.chooses(SETTING, 4, "Set the deadline").await?;
        for member in [host, &ann, &ben] {
            member.sees("This poll is closed", SOON).await?;
            member.counts_down("^$").await?;
        }
        ann.tab.cut_and_speak().await?;
        ann.sees(
            "Your vote for “Pizza” was refused: this poll is closed",
            BACK,
        )
        .await?;
        ann.shows(world, "deadline-refused").await?;
        poll.agrees(&[&ann, &ben], result(&votes)).await?;

        // Open again, until another time, and for good.
        host.chooses(SETTING, 600, "Reopen until then").await?;
        for member in [host, &ann] {
            member.counts_down("^Closes in (10|\\d) min").await?;
        }
        ann.votes_for("Pizza").await?;
        let votes = [("Thai", 0), ("Pizza", 2)];
        poll.agrees(&[&ann, &ben], result(&votes)).await?;
        listener.counts(&votes).await?;
        listener.was_told_nobodys_choice().await
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn a_poll_is_closed_when_its_host_says_so_and_not_when_the_time_is_up() {
    scenario(async |world| {
        let owner = Member::enter_on(world, "the owner", Device::Desktop).await?;
        owner.goes_to(&world.app()?).await?;
        owner.sees("New poll", SOON).await?;
        // Of times that have passed none is taken; half a time is none.
        owner
            .types(&screen::field("Question"), "Where do we eat on Friday?")
            .await?;
        owner.types(&screen::field("Option 1"), "Thai").await?;
        owner.types(&screen::field("Option 2"), "Pizza").await?;
        owner.chooses(NEW, -60, "Create poll").await?;
        owner.sees(PAST, SOON).await?;
        owner.chooses(NEW, 600, "").await?;
        let mut poll = begin_by(world, owner).await?;
        let ann = poll.join("ann").await?;
        ann.counts_down("^Closes in (10|\\d) min").await?;
        poll.owner
            .chooses(SETTING, 25, "Change the deadline")
            .await?;
        ann.counts_down("^Closes in \\d+ s").await?;
        poll.owner.tab.close().await?;
        ann.is_alone(SOON).await?;
        ann.counts_down("^The time is up: the host closes the poll when it is back")
            .await?;
        let is_closed: bool = ann
            .tab
            .run("return screen_of.says('poll is closed')")
            .await?;
        assert!(!is_closed, "nobody has said so");
        ann.shows(world, "time-is-up").await?;
        poll.owner_returns().await?;
        ann.sees("This poll is closed", BACK).await?;
        poll.agrees(&[&ann], result(&[("Thai", 0), ("Pizza", 0)]))
            .await
    });
}
