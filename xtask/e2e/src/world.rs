//! The surroundings that everybody in a scenario shares.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::broker::Broker;
use crate::cable::Cable;
use crate::page::Page;
use crate::pages::Pages;
use crate::parts::{self, Parts};
use crate::person::Person;
use crate::terminal::Terminal;

/// A signalling server, a page server, and the people who were invited. All of it ends with the
/// scenario.
#[derive(Debug)]
pub struct World {
    parts: Parts,
    broker: AsyncMutex<Broker>,
    broker_port: u16,
    /// The one that is reached from the network, once somebody wants it.
    public: AsyncMutex<Option<Broker>>,
    /// The one that relays, once somebody wants it.
    relaying: AsyncMutex<Option<Broker>>,
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
        let plain = root.join("examples/js-client");
        let mounts = [
            ("/", &own as &Path),
            ("/npm", &npm),
            ("/hustings", &package),
            ("/built", &parts.built),
            ("/js-client", &plain),
        ];
        let pages = Pages::serve(&mounts).await?;
        let broker = Broker::start(
            &parts.broker,
            parts.site().as_deref(),
            Ipv4Addr::LOCALHOST,
            None,
        )
        .await?;
        Ok(Self {
            broker_port: broker.port(),
            broker: AsyncMutex::new(broker),
            public: AsyncMutex::default(),
            relaying: AsyncMutex::default(),
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
    /// `built/…` what else is built for pages, `npm/…` the packages that the tests have from there,
    /// `js-client/…` the client in plain JavaScript.
    /// The port of the signalling server is in the query of its address.
    #[must_use]
    pub fn page(&self, path: &str) -> Page {
        let url = self
            .pages
            .url(&format!("{path}?broker={}", self.broker_port));
        Page::of_ours(url)
    }

    /// The same, in which people connect by TURN alone, which another signalling server has.
    ///
    /// # Errors
    ///
    /// It does not start, or this machine is in no network.
    pub async fn relayed_page(&self, path: &str) -> anyhow::Result<Page> {
        let turn = address().context("this machine has no address but loopback")?;
        let mut relaying = self.relaying.lock().await;
        let broker = match relaying.take() {
            Some(broker) => broker,
            None => {
                let host = Ipv4Addr::LOCALHOST;
                Broker::start(&self.parts.broker, None, host, Some(turn)).await?
            }
        };
        let port = relaying.insert(broker).port();
        let url = self.pages.url(&format!("{path}?broker={port}"));
        Ok(Page::of_ours(url).with("relay"))
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

    /// Starts one more signalling server, with the pages of this folder, as a page of its own has
    /// it. It ends when it is dropped.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn serve(&self, pages: &Path) -> anyhow::Result<Broker> {
        Broker::start(&self.parts.broker, Some(pages), Ipv4Addr::LOCALHOST, None).await
    }

    /// Somebody with the command `hustings`, at the same signalling server as the web app.
    ///
    /// # Errors
    ///
    /// The command is not built.
    pub fn terminal(&self) -> anyhow::Result<Terminal> {
        Terminal::new(format!("http://127.0.0.1:{}/", self.broker_port))
    }

    /// A network for people with terminals, which can be taken away from them.
    ///
    /// # Errors
    ///
    /// It does not start, or this machine is in no network.
    pub async fn cable(&self) -> anyhow::Result<Cable> {
        let relay = address().context("this machine has no address but loopback")?;
        Cable::lay(&self.parts.broker, relay, self.broker_port).await
    }

    /// The address of the web app as a phone in the same network has it: by plain HTTP, from an
    /// address that is not loopback, so that it is no secure context. It comes from another
    /// signalling server than [`app`](Self::app).
    ///
    /// # Errors
    ///
    /// It is not built, or this machine is in no network.
    pub async fn app_by_plain_http(&self) -> anyhow::Result<String> {
        let site = self.parts.site();
        let site = site.context("the web app is not built: run `cargo xtask test --browsers`")?;
        let host = address().context("this machine has no address but loopback")?;
        let mut public = self.public.lock().await;
        let broker = match public.take() {
            Some(broker) => broker,
            None => Broker::start(&self.parts.broker, Some(&site), host, None).await?,
        };
        let port = public.insert(broker).port();
        Ok(format!("http://{host}:{port}/"))
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

/// The address of this machine in its network, if it is in one.
fn address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Nothing is sent: this asks for the address from which the machine would send. The other
    // address is reserved for documentation.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) if !ip.is_loopback() => Some(ip),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for person in self.people() {
            person.kill();
        }
    }
}
