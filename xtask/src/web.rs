//! The tests of the crates that run in a page, in one browser after the other: `cargo test` with a
//! runner that opens the page.

use std::ffi::OsString;
use std::path::Path;

use crate::broker::Broker;
use crate::browsers::{self, CHROMIUM, FIREFOX};
use crate::error::Error;
use crate::{process, setup, wasm};

/// The tests, for cargo: in each of these crates the target `web`.
pub(crate) const TESTS: &str = "-p hustings-outbox -p hustings-room -p hustings-transport-peerjs \
                                -p hustings-poll-js --test web";

/// Seconds that all tests of one file may take together.
const PATIENCE: &str = "300";

/// Runs the tests in Chromium, which is installed if that can be done, and in Firefox, if it is
/// here with its driver. `args` go to the tests: a filter, for instance.
pub(crate) fn run(args: &[OsString]) -> Result<(), Error> {
    let cargo = setup::wasm()?;
    let chromium = browsers::chromium()?;
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
    build.arg("--no-run").args(TESTS.split_whitespace());
    process::step("build the tests", || process::run(&mut build))?;
    let firefox = FIREFOX.find();
    if firefox.is_none() {
        eprintln!(
            "    not in Firefox: it needs firefox and geckodriver, or GECKODRIVER with its path"
        );
    }
    let found = [(CHROMIUM, Some(chromium)), (FIREFOX, firefox)];
    for (browser, driver) in found {
        let Some(driver) = driver else { continue };
        let mut test = tests();
        test.args(["--config", &configured(&runner)])
            .args(TESTS.split_whitespace())
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
    Ok(())
}

/// Cargo's configuration with this runner. Its variable would be taken apart at the spaces of a
/// path.
fn configured(runner: &Path) -> String {
    let target = setup::WASM;
    format!("target.{target}.runner = ['{}', 'test']", runner.display())
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
