//! The tests that run in a browser: `cargo xtask test --browsers`, and the last step of
//! `cargo xtask test`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::broker::Broker;
use crate::error::Error;
use crate::{e2e, process, setup, wasm};

/// What the step is called.
pub(crate) const WHAT: &str = "the tests in a browser";

/// Which tests they are, for cargo: in each of these crates the target `web`.
pub(crate) const TESTS: [&str; 10] = [
    "-p",
    "hustings-outbox",
    "-p",
    "hustings-room",
    "-p",
    "hustings-transport-peerjs",
    "-p",
    "poll-js",
    "--test",
    "web",
];

/// Debian's packages of Chromium and its driver.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// Seconds that all tests of one file may take together.
const PATIENCE: &str = "120";

/// A browser, and what the tests reach it by.
struct Browser {
    name: &'static str,
    /// The programs that it may be called.
    programs: &'static [&'static str],
    driver: &'static str,
    /// The variable in which the test runner looks for the driver.
    variable: &'static str,
}

const CHROMIUM: Browser = Browser {
    name: "Chromium",
    programs: &[
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
    ],
    driver: "chromedriver",
    variable: "CHROMEDRIVER",
};

const FIREFOX: Browser = Browser {
    name: "Firefox",
    programs: &["firefox", "firefox-esr"],
    driver: "geckodriver",
    variable: "GECKODRIVER",
};

/// Runs the tests in Chromium, which is installed if that can be done, and in Firefox, if it is here
/// with its driver. `args` go to the tests: a filter, for instance.
pub(crate) fn run(args: &[OsString]) -> Result<(), Error> {
    let cargo = setup::wasm()?;
    let chromium = chromium()?;
    let runner = process::step("build the test runner", wasm::tool)?;
    process::step("install stock PeerJS", process::npm_packages)?;
    let broker = process::step("start a signalling server", Broker::start)?;
    let attacker = process::step("start one that attacks", || broker.attacker())?;
    let (honest, hostile) = (broker.port().to_string(), attacker.port().to_string());
    let tests = || {
        let mut tests = cargo.command();
        // Browsers cannot use it, and taking it apart and writing it again is what takes time.
        tests
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // Built into them: a page cannot look into its environment.
            .env("HUSTINGS_BROKER", &honest)
            .env("HUSTINGS_ATTACKER", &hostile)
            .args(["test", "--target", setup::WASM]);
        tests
    };
    let mut build = tests();
    build.arg("--no-run").args(TESTS);
    process::step("build the tests", || process::run(&mut build))?;
    let firefox = FIREFOX.find();
    if firefox.is_none() {
        eprintln!(
            "    not in Firefox: it needs firefox and geckodriver, or GECKODRIVER with its path"
        );
    }
    let found = [(CHROMIUM, Some(chromium.clone())), (FIREFOX, firefox)];
    for (browser, driver) in found {
        let Some(driver) = driver else { continue };
        let mut test = tests();
        test.args(["--config", &configured(&runner)])
            .args(TESTS)
            .args(args);
        // The runner takes the first driver that it finds a variable of.
        for other in [CHROMIUM, FIREFOX] {
            test.env_remove(other.variable);
        }
        test.env(browser.variable, driver)
            .env("WASM_BINDGEN_TEST_TIMEOUT", PATIENCE)
            // Neither starts with what is for the other.
            .env(
                "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
                match browser.driver {
                    "chromedriver" => process::root().join("xtask/webdriver.json"),
                    _ => process::root().join("xtask/webdriver-firefox.json"),
                },
            );
        process::step(&format!("the tests in {}", browser.name), || {
            process::run(&mut test)
        })?;
    }
    e2e::run(&chromium, args)
}

/// Cargo's configuration with this runner. Its variable would be taken apart at the spaces of a path.
fn configured(runner: &std::path::Path) -> String {
    let target = setup::WASM;
    format!("target.{target}.runner = ['{}', 'test']", runner.display())
}

/// Chromium's driver, installed with the browser if they are missing.
pub(crate) fn chromium() -> Result<PathBuf, Error> {
    if let Some(driver) = CHROMIUM.find() {
        return Ok(driver);
    }
    if setup::root_on_debian() {
        process::step(&format!("apt-get install {}", PACKAGES.join(" ")), || {
            let apt = |args: &[&str]| {
                let mut apt = Command::new("apt-get");
                apt.args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(args);
                process::run(apt.env("DEBIAN_FRONTEND", "noninteractive"))
            };
            apt(&["update"])?;
            apt(&[&["install", "-y", "--no-install-recommends"][..], &PACKAGES].concat())
        })?;
    }
    CHROMIUM.find().ok_or_else(missing)
}

/// Whether there is a browser, or one can be installed.
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

impl Browser {
    /// Its driver, if that and the browser are here.
    fn find(&self) -> Option<PathBuf> {
        let driver = match env::var_os(self.variable) {
            // Whoever names a driver knows which browser it drives.
            Some(driver) => return Some(driver.into()),
            None => process::on_path(self.driver)?,
        };
        // Elsewhere browsers are not on the path, and their drivers find them.
        let known = cfg!(not(target_os = "linux"));
        (known
            || self
                .programs
                .iter()
                .any(|program| process::on_path(program).is_some()))
        .then_some(driver)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::process;

    #[test]
    fn the_settings_of_chromium_are_json_that_names_its_options() {
        let settings = fs::read_to_string(process::root().join("xtask/webdriver.json"));
        assert!(settings.is_ok_and(|json| json.contains("\"goog:chromeOptions\"")));
    }
}
