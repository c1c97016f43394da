//! One run of a browser, with the driver that we talk to it by.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Once};

use serde_json::{Value, json};
use thirtyfour::common::capabilities::desiredcapabilities::Capabilities;
use thirtyfour::session::handle::SessionHandle;
use thirtyfour::{WebDriver, WindowHandle};
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};

use crate::bounds::{ANSWER, SCRIPT};
use crate::group::Group;

/// The starts of a driver until it counts as failed. It looks for a port that is free for IPv6, and
/// ends when the same one is taken for IPv4, which happens where many programs listen.
const STARTS: usize = 5;

/// A driver and its browser, in one process group.
#[derive(Debug)]
pub(crate) struct Session {
    group: Group,
    driver: Arc<SessionHandle>,
    /// The tab that the driver speaks to. It speaks to one at a time.
    current: Mutex<Option<WindowHandle>>,
    /// The tab that the browser has begun with, which stays empty. Without one it would end.
    first: WindowHandle,
}

impl Session {
    /// Starts both.
    pub(crate) async fn start(driver: &Path, profile: &Path) -> anyhow::Result<Self> {
        let mut started = start_driver(driver, profile).await;
        for _ in 1..STARTS {
            if started.is_err() {
                started = start_driver(driver, profile).await;
            }
        }
        let (group, port) = started?;
        let url = format!("http://127.0.0.1:{port}");
        let session = WebDriver::builder(url, chromium(&profile.join("profile"))?)
            .request_timeout(ANSWER)
            .await?;
        session.set_script_timeout(SCRIPT).await?;
        let driver = Arc::clone(session.handle());
        name_versions(&driver);
        // There is nothing to be asked of it at the end: the group is killed.
        let _ = session.leak();
        Ok(Self {
            group,
            first: driver.window().await?,
            driver,
            current: Mutex::default(),
        })
    }

    /// Opens an empty tab.
    pub(crate) async fn new_tab(&self) -> anyhow::Result<WindowHandle> {
        // It is asked for where the driver speaks to, which may be a tab that was closed.
        let at = self.at(&self.first).await?;
        Ok(at.driver.new_tab().await?)
    }

    /// The driver, speaking to this tab until what this returns is dropped.
    pub(crate) async fn at(&self, tab: &WindowHandle) -> anyhow::Result<At<'_>> {
        let mut current = self.current.lock().await;
        if current.as_ref() != Some(tab) {
            *current = None;
            self.driver.switch_to_window(tab.clone()).await?;
            *current = Some(tab.clone());
        }
        Ok(At {
            driver: &self.driver,
            current,
        })
    }

    pub(crate) fn processor(&self) -> anyhow::Result<f64> {
        self.group.processor()
    }

    pub(crate) fn kill(&self) {
        self.group.kill();
    }

    pub(crate) async fn ended(&self) {
        self.group.ended().await;
    }

    pub(crate) fn freeze(&self) {
        self.group.freeze();
    }

    pub(crate) fn thaw(&self) {
        self.group.thaw();
    }

    /// Writes a screenshot of each tab, and what all of them have logged.
    pub(crate) async fn keep_evidence(&self, folder: &Path, name: &str) -> anyhow::Result<()> {
        let log = self.driver.browser_log().await?;
        let lines: Vec<_> = log
            .iter()
            .map(|line| format!("{} {} {}\n", line.timestamp, line.level, line.message))
            .collect();
        fs::write(folder.join(format!("{name}.log")), lines.concat())?;
        for (number, tab) in self.driver.windows().await?.iter().enumerate() {
            let at = self.at(tab).await?;
            if at.driver.current_url().await?.scheme() != "http" {
                continue;
            }
            let file = folder.join(format!("{name}-{number}.png"));
            at.driver.screenshot(&file).await?;
        }
        Ok(())
    }
}

/// The driver while it speaks to one tab.
pub(crate) struct At<'a> {
    pub(crate) driver: &'a Arc<SessionHandle>,
    current: MutexGuard<'a, Option<WindowHandle>>,
}

impl At<'_> {
    /// The tab is no more.
    pub(crate) fn closed(mut self) {
        *self.current = None;
    }
}

/// Says once which browser is driven by what: a driver may have found another one than we would.
fn name_versions(driver: &SessionHandle) {
    static NAMED: Once = Once::new();
    let capabilities = driver.capabilities();
    let version = |of: Option<&Value>| match of.and_then(Value::as_str) {
        Some(version) => version.to_owned(),
        None => "of an unknown version".to_owned(),
    };
    let browser = version(capabilities.get("browserVersion"));
    let chrome = capabilities.get("chrome");
    let driver = version(chrome.and_then(|chrome| chrome.get("chromedriverVersion")));
    NAMED.call_once(|| println!("the browsers are Chromium {browser}, by ChromeDriver {driver}"));
}

/// Starts the driver, at a port of its choice.
async fn start_driver(driver: &Path, profile: &Path) -> anyhow::Result<(Group, u16)> {
    let mut command = Command::new(driver);
    // What it leaves behind goes with the profile.
    command.arg("--port=0").env("TMPDIR", profile);
    // "ChromeDriver was started successfully on port 40123."
    let port = |line: &str| -> Option<u16> {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    };
    Group::start(command, port).await
}

fn chromium(profile: &Path) -> anyhow::Result<Capabilities> {
    let mut args = vec![
        "--headless=new".to_owned(),
        format!("--user-data-dir={}", profile.display()),
        "--disable-quic".to_owned(),
        "--disable-component-update".to_owned(),
        // As long as the pages have no microphone, mDNS names in place of addresses only cost time.
        "--disable-features=WebRtcHideLocalIpsWithMdns".to_owned(),
    ];
    if rustix::process::geteuid().is_root() {
        args.push("--no-sandbox".to_owned());
    }
    // The driver would have tabs that nobody sees run like any other, which they do not.
    let throttled = [
        "disable-background-timer-throttling",
        "disable-backgrounding-occluded-windows",
    ];
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": args, "excludeSwitches": throttled },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    Ok(serde_json::from_value(capabilities)?)
}
