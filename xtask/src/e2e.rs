//! The scenarios with several browsers: the last of the tests in a browser.

use std::ffi::OsString;
use std::path::Path;

use crate::error::Error;
use crate::{broker, package, process};

/// How many scenarios run at a time. They mostly wait.
const AT_A_TIME: &str = "6";

/// Builds what they are played with, and plays them in the browser of this driver. `args` go to cargo: a
/// filter, for instance.
pub(crate) fn run(driver: &Path, args: &[OsString]) -> Result<(), Error> {
    let broker = process::step("build the signalling server", broker::build)?;
    // Not the quick build: what is tested is what people get.
    let package = process::step("build the JavaScript package", || {
        package::build(package::Speed::Small)
    })?;
    let mut scenarios = process::cargo(["test", "--package", "hustings-e2e"]);
    scenarios
        .args(args)
        .args(["--", "--ignored", "--show-output"])
        .args(["--test-threads", AT_A_TIME])
        .env("HUSTINGS_E2E_BROKER", broker)
        .env("HUSTINGS_E2E_PACKAGE", package)
        .env("CHROMEDRIVER", driver);
    process::step("the scenarios with several browsers", || {
        process::run(&mut scenarios)
    })
}
