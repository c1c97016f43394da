//! Somebody in front of the app.

use std::sync::Arc;
use std::time::Duration;

use hustings_e2e::bounds::SOON;
use hustings_e2e::{Page, Person, SPY, Tab, TakesPart, World};
use serde_json::{Value, json};

use crate::screen;

/// A poll by what people see and click on.
pub(crate) type Poll<'w> = hustings_e2e::Poll<'w, Member>;

/// The question.
pub(crate) const QUESTION: &str = "Where do we eat on Friday?";

/// The screen that somebody has before them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Device {
    Desktop,
    Phone,
}

/// The owner of a poll or somebody else in it, with a tab.
pub(crate) struct Member {
    pub(crate) person: Arc<Person>,
    pub(crate) tab: Tab,
    device: Device,
}

/// A poll in which nothing is pending, as it is seen: each option with its votes.
pub(crate) fn result(votes: &[(&str, u64)]) -> Value {
    json!({ "votes": votes, "pending": false })
}

/// A poll of Thai and Pizza, to which voters may add options, by somebody who has the form before
/// them.
pub(crate) async fn begin_by(world: &World, owner: Member) -> anyhow::Result<Poll<'_>> {
    owner.types(&screen::field("Question"), QUESTION).await?;
    owner.types(&screen::field("Option 1"), "Thai").await?;
    owner.types(&screen::field("Option 2"), "Pizza").await?;
    owner
        .clicks(&screen::field("Voters may add options"))
        .await?;
    create(world, owner).await
}

/// A poll with Bob, who is its moderator, and Cat.
pub(crate) async fn with_a_moderator(world: &World) -> anyhow::Result<(Poll<'_>, Member, Member)> {
    let poll = Poll::begin(world).await?;
    let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
    bob.is_called("Bob").await?;
    cat.is_called("Cat").await?;
    poll.owner.makes("Bob", "Moderator").await?;
    Ok((poll, bob, cat))
}

/// Creates the poll that somebody has put together in the form.
pub(crate) async fn create(world: &World, owner: Member) -> anyhow::Result<Poll<'_>> {
    owner.clicks(&screen::button("Create poll")).await?;
    owner.sees("Invite people", SOON).await?;
    owner.is_host(SOON).await?;
    let link = "const label = [...document.querySelectorAll('label')]
            .find(label => label.innerText === 'Link to this poll');
        return label.control.value";
    let link = owner.tab.run(link).await?;
    Ok(Poll::of(world, owner, link))
}

impl TakesPart for Member {
    async fn enter(world: &World, name: &str) -> anyhow::Result<Self> {
        Self::enter_on(world, name, Device::Phone).await
    }

    async fn begin(world: &World) -> anyhow::Result<(Self, String)> {
        let owner = Self::enter_on(world, "the owner", Device::Desktop).await?;
        owner.tab.go(&screen::app(&world.app()?)).await?;
        owner.sees("New poll", SOON).await?;
        let Poll { owner, link, .. } = begin_by(world, owner).await?;
        Ok((owner, link))
    }

    fn tab(&self) -> &Tab {
        &self.tab
    }

    async fn take_new_tab(&mut self, _: &World) -> anyhow::Result<()> {
        self.tab = blank(&self.person, self.device).await?;
        Ok(())
    }

    async fn join(&self, link: &str) -> anyhow::Result<()> {
        self.goes_to(link).await?;
        self.is_connected(SOON).await
    }

    async fn host(&self, link: &str) -> anyhow::Result<()> {
        self.goes_to(link).await?;
        self.is_host(SOON).await
    }
}

impl Member {
    /// Somebody comes, who has not opened the app yet.
    pub(crate) async fn enter_on(
        world: &World,
        name: &str,
        device: Device,
    ) -> anyhow::Result<Self> {
        let person = world.person(name).await?;
        let tab = blank(&person, device).await?;
        Ok(Self {
            person,
            tab,
            device,
        })
    }

    /// Opens the app in one more tab of the same browser.
    pub(crate) async fn beside(&self, url: &str) -> anyhow::Result<Self> {
        let beside = Self {
            person: Arc::clone(&self.person),
            tab: blank(&self.person, self.device).await?,
            device: self.device,
        };
        beside.goes_to(url).await?;
        Ok(beside)
    }

    /// Follows a link.
    pub(crate) async fn goes_to(&self, url: &str) -> anyhow::Result<()> {
        self.tab.go(&screen::app(url)).await
    }

    /// Follows a link from the page that it belongs to, which stays.
    pub(crate) async fn follows(&self, link: &str) -> anyhow::Result<()> {
        self.tab.run_with("location.href = arg", link).await
    }

    /// Clicks on something, in the tab that is in front then.
    pub(crate) async fn clicks(&self, what: &str) -> anyhow::Result<()> {
        self.looks().await?;
        self.tab.click(what).await
    }

    /// Types into something.
    pub(crate) async fn types(&self, field: &str, text: &str) -> anyhow::Result<()> {
        self.looks().await?;
        self.tab.fill(field, text).await
    }

    /// Chooses an option and sends the vote.
    pub(crate) async fn votes_for(&self, option: &str) -> anyhow::Result<()> {
        self.clicks(&screen::option(option)).await?;
        self.clicks(screen::VOTE).await
    }

    /// Adds an option.
    pub(crate) async fn adds(&self, option: &str) -> anyhow::Result<()> {
        self.types(&screen::field("Another option"), option).await?;
        self.clicks(&screen::button("Add")).await
    }

    /// Takes a name.
    pub(crate) async fn is_called(&self, name: &str) -> anyhow::Result<()> {
        self.types(&screen::field("Your name"), name).await?;
        self.clicks(&screen::button("Save")).await
    }

    /// Gives somebody a role, once they are in the list.
    pub(crate) async fn makes(&self, name: &str, role: &str) -> anyhow::Result<()> {
        self.clicks(&screen::role(name, role)).await
    }

    /// Presses the key that leaves the view for a whole room.
    pub(crate) async fn presses_escape(&self) -> anyhow::Result<()> {
        self.looks().await?;
        for kind in ["keyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": "Escape", "code": "Escape" });
            self.tab.devtools("Input.dispatchKeyEvent", key).await?;
        }
        Ok(())
    }

    /// Asks for an attempt to reach the host now, unless one has just succeeded.
    pub(crate) async fn retries(&self) -> anyhow::Result<()> {
        let click = "const buttons = [...document.querySelectorAll('button')];
            buttons.find(button => button.innerText === 'Retry now')?.click()";
        self.tab.run(click).await
    }

    /// Waits for the host.
    pub(crate) async fn is_connected(&self, bound: Duration) -> anyhow::Result<()> {
        self.reads("Connected to the host", bound).await
    }

    /// Waits until the host is known to be gone.
    pub(crate) async fn is_alone(&self, bound: Duration) -> anyhow::Result<()> {
        self.reads("The host is away", bound).await
    }

    /// Waits until this tab is the host, and can be reached.
    pub(crate) async fn is_host(&self, bound: Duration) -> anyhow::Result<()> {
        self.reads("You are the host", bound).await
    }

    /// Waits until it is said to stand like this with the connection.
    pub(crate) async fn reads(&self, headline: &str, bound: Duration) -> anyhow::Result<()> {
        let what = "the connection";
        let is = "screen_of.headline()";
        self.tab.wait_to_be(what, is, headline, bound).await?;
        Ok(())
    }

    /// Waits until a text is on the page.
    pub(crate) async fn sees(&self, text: &str, bound: Duration) -> anyhow::Result<()> {
        let says = format!("screen_of.says({})", json!(text));
        self.tab.wait_for(text, &says, bound).await?;
        Ok(())
    }

    /// Waits until a vote is on its way to the host, which has not answered.
    pub(crate) async fn is_sending(&self) -> anyhow::Result<()> {
        self.sees("sent, not confirmed", SOON).await?;
        self.sees("Pending sync", SOON).await
    }

    /// Looks at this tab, and not at another one of the same browser.
    async fn looks(&self) -> anyhow::Result<()> {
        self.tab.devtools("Page.bringToFront", json!({})).await?;
        Ok(())
    }

    /// Goes to the top of the page, and waits until everything has moved to its place and has its
    /// colour.
    pub(crate) async fn rests(&self) -> anyhow::Result<()> {
        // A tab that nobody looks at does not move, and never comes to an end with it.
        self.looks().await?;
        self.tab.run("await screen_of.rest()").await
    }

    /// Takes the picture of this moment.
    pub(crate) async fn shows(&self, world: &World, picture: &str) -> anyhow::Result<()> {
        self.rests().await?;
        self.tab.screenshot(&world.picture(picture)?).await
    }

    /// The same down to the end of the part with this heading, and no further.
    pub(crate) async fn shows_down_to(
        &self,
        heading: &str,
        world: &World,
        picture: &str,
    ) -> anyhow::Result<()> {
        let end = "return screen_of.end(arg)";
        let height = self.tab.run_with(end, heading).await?;
        self.device.shape_to(height, &self.tab).await?;
        self.shows(world, picture).await?;
        self.device.shape(&self.tab).await
    }
}

/// An empty tab, prepared for the app.
async fn blank(person: &Person, device: Device) -> anyhow::Result<Tab> {
    let tab = person.open(&Page::blank()).await?;
    for script in [SPY, screen::SCRIPT] {
        let add = "Page.addScriptToEvaluateOnNewDocument";
        tab.devtools(add, json!({ "source": script })).await?;
    }
    device.shape(&tab).await?;
    Ok(tab)
}

impl Device {
    /// Gives a tab the size of this device.
    pub(crate) async fn shape(self, tab: &Tab) -> anyhow::Result<()> {
        let height = match self {
            Self::Desktop => 1000,
            Self::Phone => 844,
        };
        self.shape_to(height, tab).await
    }

    async fn shape_to(self, height: u32, tab: &Tab) -> anyhow::Result<()> {
        let (width, is_mobile) = match self {
            Self::Desktop => (1120, false),
            Self::Phone => (390, true),
        };
        let shape = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": is_mobile });
        let set = "Emulation.setDeviceMetricsOverride";
        tab.devtools(set, shape).await?;
        // They are not there on a phone, and in no picture.
        let hidden = json!({ "hidden": true });
        tab.devtools("Emulation.setScrollbarsHidden", hidden)
            .await?;
        Ok(())
    }
}
