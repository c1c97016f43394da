//! The browsers that tests run in, and their drivers: found, or installed.

use std::env;
use std::path::PathBuf;

use crate::error::Error;
use crate::{process, setup};

/// Debian's packages of Chromium and its driver.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// A browser, and what the tests reach it by.
pub(crate) struct Browser {
    pub(crate) name: &'static str,
    /// The programs that it may be called.
    programs: &'static str,
    pub(crate) driver: &'static str,
    /// The variable in which the test runner looks for the driver.
    pub(crate) variable: &'static str,
}

pub(crate) const CHROMIUM: Browser = Browser {
    name: "Chromium",
    programs: "chromium chromium-browser google-chrome google-chrome-stable chrome",
    driver: "chromedriver",
    variable: "CHROMEDRIVER",
};

pub(crate) const FIREFOX: Browser = Browser {
    name: "Firefox",
    programs: "firefox firefox-esr",
    driver: "geckodriver",
    variable: "GECKODRIVER",
};

impl Browser {
    /// Its driver, if that and the browser are here.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        let driver = self.driver()?;
        // Whoever names a driver knows which browser it drives. Elsewhere browsers are not on the
        // path, and their drivers find them.
        let known = env::var_os(self.variable).is_some() || cfg!(not(target_os = "linux"));
        (known || self.program().is_some()).then_some(driver)
    }

    /// Its driver, whether the browser is here or not.
    pub(crate) fn driver(&self) -> Option<PathBuf> {
        let named = env::var_os(self.variable).map(PathBuf::from);
        named.or_else(|| process::on_path(self.driver))
    }

    /// The browser itself, if it is on the path.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        self.programs.split_whitespace().find_map(process::on_path)
    }
}

/// Chromium's driver, installed with the browser if they are missing.
pub(crate) fn chromium() -> Result<PathBuf, Error> {
    if let Some(driver) = CHROMIUM.find() {
        return Ok(driver);
    }
    if setup::root_on_debian() {
        setup::install(&PACKAGES)?;
    }
    CHROMIUM.find().ok_or_else(missing)
}

/// Checks that there is a browser, or that one can be installed.
pub(crate) fn can_be_had() -> Result<(), Error> {
    if !process::has_npm() {
        return Err(Error::Because(
            "the tests in a browser need Node.js and npm, to compare with stock PeerJS".to_owned(),
        ));
    }
    if CHROMIUM.find().is_some() || setup::root_on_debian() {
        return Ok(());
    }
    Err(missing())
}

fn missing() -> Error {
    Error::Because(format!(
        "the tests in a browser need Chromium and chromedriver: install them (Debian's packages \
         are called {}), or say where the driver is in CHROMEDRIVER, or leave these tests out \
         with --no-browsers",
        PACKAGES.join(" and ")
    ))
}
