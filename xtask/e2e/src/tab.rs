//! A page in a browser.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thirtyfour::cdp::Cdp;
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, WindowHandle};

use crate::bounds::{LOADED, SOON};
use crate::page::Page;
use crate::session::{At, Session};

/// The pause before a page is asked again. Asking costs both of us some milliseconds.
const EVERY: Duration = Duration::from_millis(50);

/// The document that a tab shows: the moment that its navigation began, which no two have in
/// common. The clock of a page may be made to run faster, this does not move.
const DOCUMENT: &str = "performance.timeOrigin";

/// A page in a tab of somebody's browser.
#[derive(Debug)]
pub struct Tab {
    whose: String,
    session: Arc<Session>,
    window: WindowHandle,
    /// The pages that it was sent to, the last of which it shows.
    visited: Mutex<Vec<Page>>,
}

/// The end of a script.
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
        page: &Page,
    ) -> anyhow::Result<Self> {
        let window = session.new_tab().await?;
        let blank = Page::blank();
        let is_there = page.url == blank.url;
        let tab = Self {
            whose,
            session,
            window,
            visited: Mutex::new(vec![blank]),
        };
        if !is_there {
            tab.go(page).await?;
        }
        Ok(tab)
    }

    /// Goes to another page, and waits until that says that it is ready.
    ///
    /// # Errors
    ///
    /// It cannot be loaded, or is never ready.
    pub async fn go(&self, page: &Page) -> anyhow::Result<()> {
        let left = self.document().await?;
        let at = self.session.at(&self.window).await?;
        let went = at.driver.goto(&page.url).await;
        drop(at);
        went.with_context(|| format!("{}: {}", self.whose, page.url))?;
        self.visited().push(page.clone());
        self.arrives_at(page, &left, Some(&page.url)).await
    }

    /// Goes back to the page before, as the button does, and waits until that is there again.
    ///
    /// # Errors
    ///
    /// There is none, or it is never ready.
    pub async fn back(&self) -> anyhow::Result<()> {
        let left = self.document().await?;
        let at = self.session.at(&self.window).await?;
        at.driver.back().await?;
        drop(at);
        let page = {
            let mut visited = self.visited();
            visited.pop();
            visited.last().cloned()
        };
        let page = page.with_context(|| format!("{} was on no page before", self.whose))?;
        self.arrives_at(&page, &left, Some(&page.url)).await
    }

    /// Loads the page again, and waits until that says that it is ready.
    ///
    /// # Errors
    ///
    /// It cannot be loaded, or is never ready.
    pub async fn reload(&self) -> anyhow::Result<()> {
        let left = self.document().await?;
        let at = self.session.at(&self.window).await?;
        at.driver.refresh().await?;
        drop(at);
        let page = self.visited().last().cloned();
        let page = page.with_context(|| format!("{} is on no page", self.whose))?;
        // A page may have changed its address while it was there.
        self.arrives_at(&page, &left, None).await
    }

    /// Waits until the tab shows another document than the one that was left, at this address if
    /// there is one, and the page there says that it is ready.
    ///
    /// The driver's word for it is not enough. ChromeDriver 148 and 150 say that a page has loaded
    /// as soon as they hear from the browser, together with the answer to their own request, that
    /// the contexts of the document before are gone. That happens when all of it comes at once, on
    /// a machine that has other things to do, and what is run in the page then finds a document
    /// that is `loading` and none of its functions.
    async fn arrives_at(&self, page: &Page, left: &Value, url: Option<&str>) -> anyhow::Result<()> {
        let look = format!(
            "const [left, url] = arg;
             const ready = (() => {{ try {{ return Boolean({}) }} catch {{ return false }} }})();
             return {{
                 another: {DOCUMENT} !== left,
                 at: url === null || location.href === url,
                 loaded: document.readyState === 'complete',
                 ready,
                 url: location.href,
             }}",
            page.ready
        );
        let began = Instant::now();
        loop {
            // A script is thrown away with the document that it runs in, which is an error of the
            // driver's.
            let seen = self.ask(&look, json!([left, url])).await;
            if let Ok(Ran::Returned(seen)) = &seen
                && ["another", "at", "loaded", "ready"]
                    .iter()
                    .all(|sign| seen[sign] == true)
            {
                return Ok(());
            }
            if began.elapsed() > LOADED {
                let seen = match seen {
                    Ok(Ran::Returned(seen)) => seen.to_string(),
                    Ok(Ran::Threw(error)) => error,
                    Err(error) => format!("{error:#}"),
                };
                let Page { url, ready } = page;
                bail!(
                    "{} waited {LOADED:?} for {url} to be ready, which is when `{ready}`: {seen}",
                    self.whose
                );
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn document(&self) -> anyhow::Result<Value> {
        self.run(&format!("return {DOCUMENT}")).await
    }

    fn visited(&self) -> std::sync::MutexGuard<'_, Vec<Page>> {
        self.visited.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Clicks on what this selector finds, as soon as it can be clicked on: CSS, or XPath if it
    /// begins with `//`.
    ///
    /// # Errors
    ///
    /// There is nothing, or nothing that can be clicked on.
    pub async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let clicked = self.once_there(async |at| at.driver.find(by(selector)).await?.click().await);
        let clicked = clicked.await;
        clicked.with_context(|| format!("{} clicks on {selector}", self.whose))
    }

    /// Types into what this selector finds, in place of what is there, as soon as it can be typed
    /// into: CSS, or XPath if it begins with `//`.
    ///
    /// # Errors
    ///
    /// There is nothing, or nothing that can be typed into.
    pub async fn fill(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        let typed = self.once_there(async |at| {
            let field = at.driver.find(by(selector)).await?;
            field.clear().await?;
            field.send_keys(text).await
        });
        let typed = typed.await;
        typed.with_context(|| format!("{} types into {selector}", self.whose))
    }

    /// Does something to an element, again as long as that is not there, or was replaced under our
    /// hands.
    async fn once_there(
        &self,
        act: impl AsyncFn(&At<'_>) -> WebDriverResult<()>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let done = act(&self.session.at(&self.window).await?).await;
            let Err(error) = done else { return Ok(()) };
            let is_not_there = matches!(
                error.as_inner(),
                WebDriverErrorInner::NoSuchElement(_)
                    | WebDriverErrorInner::StaleElementReference(_)
                    | WebDriverErrorInner::ElementNotInteractable(_)
                    | WebDriverErrorInner::ElementClickIntercepted(_)
            );
            if !is_not_there || began.elapsed() > SOON {
                return Err(error.into());
            }
            tokio::time::sleep(EVERY).await;
        }
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

    /// Has connections that are made from now on pass through what
    /// [`set_offline`](Self::set_offline) can cut; those that are there already do not.
    ///
    /// # Errors
    ///
    /// The browser is not Chromium.
    pub async fn emulate_network(&self) -> anyhow::Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.set_offline(false).await
    }

    /// Takes the network away from the page or gives it back: requests, new sockets, and what
    /// WebRTC sends. A socket that is open stays open.
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
