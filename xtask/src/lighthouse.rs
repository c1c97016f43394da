//! `cargo xtask lighthouse`: the web app as it is served, looked at by Lighthouse.

use std::process::Command;

use crate::broker::Broker;
use crate::browsers::{self, CHROMIUM};
use crate::error::Error;
use crate::process;
use crate::site::{self, Settings};

/// The folder of the program that looks, with Lighthouse from npm.
const FOLDER: &str = "xtask/lighthouse";

/// Builds the app, serves it, and has every view of it looked at.
pub(crate) fn run() -> Result<(), Error> {
    browsers::chromium()?;
    let browser = CHROMIUM.program().ok_or_else(|| {
        let named = "Lighthouse needs Chromium on the path, not its driver alone";
        Error::Because(named.to_owned())
    })?;
    process::step("install Lighthouse", || process::npm_ci(FOLDER).map(drop))?;
    let site = process::step("build the web app", || site::build(&Settings::default()))?;
    let broker = process::step("serve it", || Broker::with_pages(&site))?;
    let mut look = Command::new("node");
    look.current_dir(process::root().join(FOLDER))
        .args(["look.mjs", &format!("http://127.0.0.1:{}/", broker.port())])
        .arg(browser);
    process::step("look at every view", || process::run(&mut look))
}
