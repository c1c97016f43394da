//! The surroundings that everybody in a scenario shares.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::broker::Broker;
use crate::page::Page;
use crate::pages::Pages;
use crate::parts::{self, Parts};
use crate::person::Person;

/// A signalling server, a page server, and the people who were invited. All of it ends with the
/// scenario.
#[derive(Debug)]
pub struct World {
    parts: Parts,
    broker: AsyncMutex<Broker>,
    broker_port: u16,
    pages: Pages,
    people: Mutex<Vec<Arc<Person>>>,
}

impl World {
    pub(crate) async fn begin() -> anyhow::Result<Self> {
        let parts = Parts::from_env()?;
        let root = parts::root();
        let own = root.join("xtask/e2e/pages");
        let npm = parts::npm();
        let package = root.join("examples/poll-js/pkg");
        let mounts = [
            ("/", &own as &Path),
            ("/npm", &npm),
            ("/hustings", &package),
            ("/built", &parts.built),
        ];
        let pages = Pages::serve(&mounts).await?;
        let broker = Broker::start(&parts.broker, parts.site().as_deref()).await?;
        Ok(Self {
            broker_port: broker.port(),
            broker: AsyncMutex::new(broker),
            parts,
            pages,
            people: Mutex::default(),
        })
    }

    /// Starts the browser of somebody who has not been here before.
    ///
    /// # Errors
    ///
    /// There is no browser, or no driver for it.
    pub async fn person(&self, name: &str) -> anyhow::Result<Arc<Person>> {
        let person = Arc::new(Person::start(name, &self.parts.chromedriver).await?);
        self.lock().push(Arc::clone(&person));
        Ok(person)
    }

    /// One of the pages in `pages`, which have beside them: `hustings/…` the JavaScript package,
    /// `built/…` what else is built for pages, `npm/…` the packages that the tests have from there.
    /// The port of the signalling server is in the query of its address.
    #[must_use]
    pub fn page(&self, path: &str) -> Page {
        let url = self
            .pages
            .url(&format!("{path}?broker={}", self.broker_port));
        Page::of_ours(url)
    }

    /// The address of the web app. It comes from the signalling server.
    ///
    /// # Errors
    ///
    /// It is not built.
    pub fn app(&self) -> anyhow::Result<String> {
        let site = self.parts.site();
        site.context("the web app is not built: run `cargo xtask test --browsers`")?;
        Ok(format!("http://127.0.0.1:{}/", self.broker_port))
    }

    /// Reads a file of a package that the tests have from npm.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn npm(&self, path: &str) -> anyhow::Result<String> {
        let file = parts::npm().join(path);
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    }

    /// The folder of the packages that the tests have from npm.
    #[must_use]
    pub fn npm_folder(&self) -> PathBuf {
        parts::npm()
    }

    /// The file for the picture of this name, which is kept whether the scenario fails or not:
    /// `target/e2e/pictures`.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn picture(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = parts::folder().join("pictures");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(format!("{name}.png")))
    }

    /// The signalling server, to kill and to start again.
    pub async fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().await
    }

    pub(crate) fn people(&self) -> Vec<Arc<Person>> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Person>>> {
        // Somebody may have panicked over it, which is what its people are then asked about.
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for person in self.people() {
            person.kill();
        }
    }
}
