//! The parts that have to be built before a scenario can run.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The places of the parts that a scenario is played with. `cargo xtask test --browsers` builds
/// them, and says so in these variables.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The signalling server: `HUSTINGS_E2E_BROKER`.
    pub broker: PathBuf,
    /// The folder that what is built for pages is in, a folder each: `HUSTINGS_E2E_BUILT`. `site`
    /// is the web app, `bare` the transport alone. The JavaScript package is in its own place.
    pub built: PathBuf,
    /// Chromium's driver: `CHROMEDRIVER`, or the one on the path.
    pub chromedriver: PathBuf,
}

impl Parts {
    /// Reads them from the environment.
    ///
    /// # Errors
    ///
    /// One is not named.
    pub fn from_env() -> anyhow::Result<Self> {
        let named = |variable| {
            env::var_os(variable).map(PathBuf::from).with_context(|| {
                format!("{variable} is not set: run `cargo xtask test --browsers`")
            })
        };
        Ok(Self {
            broker: named("HUSTINGS_E2E_BROKER")?,
            built: named("HUSTINGS_E2E_BUILT")?,
            chromedriver: named("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".into()),
        })
    }

    /// The web app, as it is served. What has nothing to do with it need not have it built.
    pub(crate) fn site(&self) -> Option<PathBuf> {
        Some(self.built.join("site")).filter(|site| site.is_dir())
    }
}

/// `target/e2e`, wherever the target folder is: this program came from there.
pub(crate) fn folder() -> PathBuf {
    let exe = env::current_exe().unwrap_or_default();
    // Tests are one folder deeper than programs.
    let mut above = exe.ancestors().skip(1);
    let built = above.find(|folder| !folder.ends_with("deps"));
    built
        .and_then(Path::parent)
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("e2e")
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The folder of the packages that the tests have from npm.
pub(crate) fn npm() -> PathBuf {
    root().join("transport-peerjs/tests/npm/node_modules")
}
