//! Somebody in front of the app.

use std::sync::Arc;
use std::time::Duration;

use hustings_e2e::{Page, Person, Tab, World};
use serde_json::json;

use crate::screen;

/// Longer than anything takes that is not about a time limit, on a machine that has other things to
/// do.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A chromium notices a peer that has died within 20 seconds.
pub(crate) const NOTICED: Duration = Duration::from_secs(25);

/// The longest wait before the next attempt, and what an attempt takes.
pub(crate) const BACK: Duration = Duration::from_secs(45);

/// What the pages see of themselves and scenarios do behind their backs.
const SPY: &str = include_str!("../../pages/spy.js");

/// What somebody looks at the app on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Device {
    Desktop,
    Phone,
}

/// Somebody with a tab.
pub(crate) struct Seat {
    pub(crate) person: Arc<Person>,
    pub(crate) tab: Tab,
    device: Device,
}

impl Seat {
    /// Somebody comes, who has not opened the app yet.
    pub(crate) async fn enter(world: &World, name: &str, device: Device) -> anyhow::Result<Self> {
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
        let tab = blank(&self.person, self.device).await?;
        tab.go(&screen::app(url)).await?;
        Ok(Self {
            person: Arc::clone(&self.person),
            tab,
            device: self.device,
        })
    }

    /// Opens the app again, after the tab was closed.
    pub(crate) async fn returns(&mut self, url: &str) -> anyhow::Result<()> {
        self.tab = blank(&self.person, self.device).await?;
        self.tab.go(&screen::app(url)).await
    }

    /// Opens the app again, after the browser was killed.
    pub(crate) async fn comes_back(&mut self, url: &str) -> anyhow::Result<()> {
        self.person.reopen().await?;
        self.returns(url).await
    }

    /// Follows the link to the poll, and waits for the host.
    pub(crate) async fn joins(&self, link: &str) -> anyhow::Result<()> {
        self.tab.go(&screen::app(link)).await?;
        self.is_connected(SOON).await
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
        let list = format!("document.querySelector('[aria-label=\"Role of {name}\"]')");
        let there = format!("{list} !== null");
        self.tab.wait_for(name, &there, SOON).await?;
        self.clicks(&screen::role(name, role)).await
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

    /// Takes the picture of this moment, from the top of the page, once everything has moved to its
    /// place.
    pub(crate) async fn shows(&self, world: &World, picture: &str) -> anyhow::Result<()> {
        self.looks().await?;
        self.tab.run::<()>("await screen_of.rest()").await?;
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
