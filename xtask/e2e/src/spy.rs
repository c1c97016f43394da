//! Things that the scenarios see and do behind the back of a page: `pages/spy.js`, from here.

use std::time::Duration;

use serde::Deserialize;

use crate::bounds::{BACK, SOON};
use crate::tab::Tab;

/// The script, for pages that do not load it themselves.
pub const SPY: &str = include_str!("../pages/spy.js");

/// Begins to count anew, on a clock that is faster than the world's, where nobody answers.
const LEAVE_ALONE: &str = "spy.made = spy.mostAlive = 0;
    spy.expireAfter = 5500;
    spy.hurry(arg);
    window.began = performance.now()";

/// The cost, for a page, of waiting for somebody who is not there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// The time by the clock of the page, in milliseconds.
    pub millis: f64,
    /// The peer connections that were made.
    pub made: u32,
    /// The most that were not closed at a time.
    pub most_alive: u32,
}

impl Tab {
    /// The number of peer connections that the page has made.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn connections_made(&self) -> anyhow::Result<u32> {
        self.run("return spy.made").await
    }

    /// Lets nothing get out of the page on any channel, until [`speak`](Self::speak).
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn fall_silent(&self) -> anyhow::Result<()> {
        self.run("spy.silent = true").await
    }

    /// Lets out again what is sent from now on.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn speak(&self) -> anyhow::Result<()> {
        self.run("spy.silent = false").await
    }

    /// The same, once every connection of the page was closed behind its back: what was silenced
    /// is lost.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn cut_and_speak(&self) -> anyhow::Result<()> {
        self.run("spy.cut(); spy.silent = false").await
    }

    /// Lets nothing get into the page on any channel, until [`cut_and_hear`](Self::cut_and_hear).
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn fall_deaf(&self) -> anyhow::Result<()> {
        self.run("spy.deaf = true").await
    }

    /// Lets in again what comes from now on, once every connection of the page was closed behind
    /// its back: what has come is lost.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn cut_and_hear(&self) -> anyhow::Result<()> {
        self.run("spy.cut(); spy.deaf = false").await
    }

    /// Keeps frames with a message of this type from getting out of the page and into it, until
    /// [`let_go`](Self::let_go) or [`lose`](Self::lose). Others get past them.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn hold(&self, kind: &str) -> anyhow::Result<()> {
        self.run_with("spy.holds = arg", kind).await
    }

    /// Waits until such a frame is there.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn holds_one(&self) -> anyhow::Result<()> {
        let held = "spy.held.length > 0";
        self.wait_for("a frame that is held", held, SOON).await?;
        Ok(())
    }

    /// Has what was held go where it was going.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn let_go(&self) -> anyhow::Result<()> {
        self.run("spy.letGo()").await
    }

    /// Loses the messages that were held. Those that come from now on are not lost.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn lose(&self) -> anyhow::Result<()> {
        self.run("spy.lose()").await
    }

    /// The same, and every connection of the page is closed behind its back.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn cut_and_lose(&self) -> anyhow::Result<()> {
        self.run("spy.cut(); spy.lose()").await
    }

    /// Waits for this time, by a clock of the page's that runs so many times faster, and until at
    /// least so many connections were made. Nobody is there meanwhile: the page is told so as a
    /// signalling server tells it, 5.5 s after each offer by the same clock. The connections that
    /// it makes and closes are real.
    ///
    /// # Errors
    ///
    /// The time does not pass, or the page does not try.
    pub async fn wait_alone(
        &self,
        time: Duration,
        speed: u32,
        attempts: u32,
    ) -> anyhow::Result<Wait> {
        self.run_with::<()>(LEAVE_ALONE, speed).await?;
        let over = format!(
            "performance.now() - began > {} && spy.made >= {attempts}",
            time.as_millis()
        );
        let bound = time / speed + BACK;
        self.wait_for("the time and the attempts", &over, bound)
            .await?;
        let wait = "const { made, mostAlive } = spy;
            const millis = performance.now() - began;
            spy.expireAfter = undefined;
            spy.hurry(1);
            return { millis, made, mostAlive }";
        self.run(wait).await
    }
}
