//! Somebody with a browser.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::bounds::EVIDENCE;
use crate::page::Page;
use crate::session::Session;
use crate::tab::Tab;

/// Somebody with a browser and a profile that nobody else has.
#[derive(Debug)]
pub struct Person {
    name: String,
    driver: PathBuf,
    profile: TempDir,
    session: Mutex<Option<Arc<Session>>>,
}

impl Person {
    pub(crate) async fn start(name: &str, driver: &Path) -> anyhow::Result<Self> {
        let person = Self {
            name: name.to_owned(),
            driver: driver.to_owned(),
            profile: TempDir::with_prefix("hustings-e2e-")?,
            session: Mutex::default(),
        };
        person.reopen().await?;
        Ok(person)
    }

    /// Starts the browser again with the same profile: what it has stored is there, its tabs are
    /// not.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn reopen(&self) -> anyhow::Result<()> {
        let before = self.lock().take();
        if let Some(session) = before {
            session.kill();
            session.ended().await;
        }
        let session = Session::start(&self.driver, self.profile.path())
            .await
            .with_context(|| format!("the browser of {}", self.name))?;
        *self.lock() = Some(Arc::new(session));
        Ok(())
    }

    /// Opens a page in a new tab, and waits until that says that it is ready.
    ///
    /// # Errors
    ///
    /// The browser is not running, or the page cannot be loaded.
    pub async fn open(&self, page: &Page) -> anyhow::Result<Tab> {
        let session = self.session()?;
        Tab::open(self.name.clone(), session, page).await
    }

    /// Kills the browser with all its processes, which say goodbye to nobody.
    pub fn kill(&self) {
        // Its tabs are still known to whoever has opened them.
        if let Some(session) = &*self.lock() {
            session.kill();
        }
    }

    /// Stops the browser with all its processes, as if the lid was shut, until what this returns is
    /// told otherwise. Its tabs do not answer meanwhile.
    ///
    /// # Errors
    ///
    /// The browser is not running.
    pub fn freeze(&self) -> anyhow::Result<Frozen> {
        let session = self.session()?;
        session.freeze();
        Ok(Frozen {
            session,
            since: Instant::now(),
        })
    }

    /// Seconds of a processor that the browser has taken so far, with all its processes and their
    /// threads.
    ///
    /// # Errors
    ///
    /// The browser is not running, or the system does not say it: only Linux does.
    pub fn processor(&self) -> anyhow::Result<f64> {
        self.session()?.processor()
    }

    /// The person's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn keep_evidence(&self, folder: &Path) {
        let Ok(session) = self.session() else {
            return;
        };
        session.thaw();
        let kept = timeout(EVIDENCE, session.keep_evidence(folder, &self.name)).await;
        let why = match kept {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("nothing within {EVIDENCE:?}"),
        };
        eprintln!("what {} has in the browser cannot be had: {why}", self.name);
    }

    fn session(&self) -> anyhow::Result<Arc<Session>> {
        let session = self.lock().clone();
        session.with_context(|| format!("the browser of {} is not running", self.name))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Session>>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A browser that does nothing.
#[must_use = "it goes on when this is dropped"]
#[derive(Debug)]
pub struct Frozen {
    session: Arc<Session>,
    since: Instant,
}

impl Frozen {
    /// Lets it go on. Returns for how long it did nothing.
    pub fn thaw(self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.session.thaw();
    }
}
