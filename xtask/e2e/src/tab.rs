//! A page in a browser.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thirtyfour::cdp::Cdp;
use thirtyfour::{By, WindowHandle};

use crate::session::Session;

/// How often a page is asked whether it has come so far. Asking costs both of us some milliseconds.
const EVERY: Duration = Duration::from_millis(50);

/// A page in a tab of somebody's browser.
#[derive(Debug)]
pub struct Tab {
    whose: String,
    session: Arc<Session>,
    window: WindowHandle,
}

/// What became of a script.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Ran {
    Returned(Value),
    Threw(String),
}

impl Tab {
    pub(crate) async fn open(
        whose: String,
        session: Arc<Session>,
        url: &str,
    ) -> anyhow::Result<Self> {
        let window = session.new_tab().await?;
        let tab = Self {
            whose,
            session,
            window,
        };
        tab.go(url).await?;
        Ok(tab)
    }

    /// Goes to another page, and waits until it has loaded.
    ///
    /// # Errors
    ///
    /// It cannot be loaded.
    pub async fn go(&self, url: &str) -> anyhow::Result<()> {
        let at = self.session.at(&self.window).await?;
        let went = at.driver.goto(url).await;
        went.with_context(|| format!("{}: {url}", self.whose))
    }

    /// Goes back to the page before, as the button does.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn back(&self) -> anyhow::Result<()> {
        Ok(self.session.at(&self.window).await?.driver.back().await?)
    }

    /// Loads the page again.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn reload(&self) -> anyhow::Result<()> {
        Ok(self
            .session
            .at(&self.window)
            .await?
            .driver
            .refresh()
            .await?)
    }

    /// Closes the tab as somebody does who has enough: the page hears of it.
    ///
    /// # Errors
    ///
    /// The browser does not answer.
    pub async fn close(&self) -> anyhow::Result<()> {
        let at = self.session.at(&self.window).await?;
        at.driver.close_window().await?;
        at.closed();
        Ok(())
    }

    /// Runs the body of an async function in the page; what it returns comes as JSON.
    ///
    /// # Errors
    ///
    /// It throws, returns something else, or the browser does not answer.
    pub async fn run<T: DeserializeOwned>(&self, body: &str) -> anyhow::Result<T> {
        self.run_with(body, ()).await
    }

    /// The same with a value, which the body has as `arg`.
    ///
    /// # Errors
    ///
    /// It throws, returns something else, or the browser does not answer.
    pub async fn run_with<T: DeserializeOwned>(
        &self,
        body: &str,
        arg: impl Serialize,
    ) -> anyhow::Result<T> {
        match self.ask(body, serde_json::to_value(arg)?).await? {
            Ran::Returned(value) => serde_json::from_value(value.clone())
                .with_context(|| format!("{}: `{body}` returned {value}", self.whose)),
            Ran::Threw(error) => bail!("{}: `{body}` threw {error}", self.whose),
        }
    }

    /// Waits until an expression, which may `await`, is true. Returns how long that took.
    ///
    /// # Errors
    ///
    /// It is not within `bound`.
    pub async fn wait_for(
        &self,
        what: &str,
        condition: &str,
        bound: Duration,
    ) -> anyhow::Result<Duration> {
        self.wait_until(what, condition, bound, is_truthy).await
    }

    /// Waits until an expression, which may `await`, has this value. Returns how long that took.
    ///
    /// # Errors
    ///
    /// It has another one for longer than `bound`.
    pub async fn wait_to_be(
        &self,
        what: &str,
        expression: &str,
        value: impl Serialize,
        bound: Duration,
    ) -> anyhow::Result<Duration> {
        let value = serde_json::to_value(value)?;
        let what = format!("{what} to be {value}");
        self.wait_until(&what, expression, bound, |is| *is == value)
            .await
    }

    async fn wait_until(
        &self,
        what: &str,
        expression: &str,
        bound: Duration,
        is_it: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let body = format!("return await ({expression})");
        loop {
            let ran = self.ask(&body, Value::Null).await?;
            let took = began.elapsed();
            if matches!(&ran, Ran::Returned(value) if is_it(value)) {
                return Ok(took);
            }
            if took > bound {
                let is = match ran {
                    Ran::Returned(value) => format!("is {value}"),
                    Ran::Threw(error) => format!("throws {error}"),
                };
                bail!(
                    "{} waited {bound:?} for {what}: `{expression}` still {is}",
                    self.whose
                );
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn ask(&self, body: &str, arg: Value) -> anyhow::Result<Ran> {
        // The driver's own errors for what scripts throw have lost where it was.
        let script = format!(
            "const [arg, done] = arguments;
             (async () => {{ {body} }})().then(
                 value => done({{ returned: value === undefined ? null : value }}),
                 error => done({{ threw: String(error?.stack || error) }}))"
        );
        let at = self.session.at(&self.window).await?;
        let ran = at.driver.execute_async(script, vec![arg]).await;
        let ran = ran.with_context(|| format!("{}: `{body}`", self.whose))?;
        Ok(ran.convert()?)
    }

    /// Clicks on what this selector finds: CSS, or XPath if it begins with `//`.
    ///
    /// # Errors
    ///
    /// There is nothing, or nothing that can be clicked on.
    pub async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let at = self.session.at(&self.window).await?;
        let clicked = async { at.driver.find(by(selector)).await?.click().await };
        let clicked = clicked.await;
        clicked.with_context(|| format!("{} clicks on {selector}", self.whose))
    }

    /// Types into what this selector finds, in place of what is there: CSS, or XPath if it begins with `//`.
    ///
    /// # Errors
    ///
    /// There is nothing, or nothing that can be typed into.
    pub async fn fill(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        let at = self.session.at(&self.window).await?;
        let typed = async {
            let field = at.driver.find(by(selector)).await?;
            field.clear().await?;
            field.send_keys(text).await
        };
        let typed = typed.await;
        typed.with_context(|| format!("{} types into {selector}", self.whose))
    }

    /// Writes what the tab shows, as PNG.
    ///
    /// # Errors
    ///
    /// The browser does not answer, or the file cannot be written.
    pub async fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let at = self.session.at(&self.window).await?;
        Ok(at.driver.screenshot(file).await?)
    }

    /// Sends a command of Chromium's DevTools protocol.
    ///
    /// # Errors
    ///
    /// It is refused, or the browser is not Chromium.
    pub async fn devtools(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let at = self.session.at(&self.window).await?;
        let answer = Cdp::new(Arc::clone(at.driver))
            .send_raw(method, params)
            .await;
        answer.with_context(|| format!("{}: {method}", self.whose))
    }

    /// Has connections that are made from now on pass through what [`set_offline`](Self::set_offline)
    /// can cut; those that are there already do not.
    ///
    /// # Errors
    ///
    /// The browser is not Chromium.
    pub async fn emulate_network(&self) -> anyhow::Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.set_offline(false).await
    }

    /// Takes the network away from the page or gives it back: requests, new sockets, and what WebRTC
    /// sends. A socket that is open stays open.
    ///
    /// # Errors
    ///
    /// The browser is not Chromium.
    pub async fn set_offline(&self, offline: bool) -> anyhow::Result<()> {
        let conditions = json!({
            "offline": offline,
            // With nothing but zeros there would be no emulation, and nothing to be cut later.
            "latency": 1,
            "downloadThroughput": -1,
            "uploadThroughput": -1,
            "packetLoss": if offline { 100 } else { 0 },
        });
        self.devtools("Network.emulateNetworkConditions", conditions)
            .await?;
        Ok(())
    }
}

fn by(selector: &str) -> By {
    if selector.starts_with("//") {
        By::XPath(selector)
    } else {
        By::Css(selector)
    }
}

/// As JavaScript has it.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}
