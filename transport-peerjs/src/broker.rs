//! A signalling server for demonstrations and self-hosting, compatible with PeerServer.
//!
//! Peers find each other here and exchange descriptions; what they say to each other afterwards never
//! comes by. Stock PeerJS and this crate's endpoint both work with it. It holds everything in memory,
//! knows nobody (an id belongs to whoever claims it first, with a token of their choice) and leaves TLS
//! to a proxy.
//!
//! It can serve the pages of an app beside that ([`BrokerConfig::pages`]): one program at one origin is then
//! everything that a polling app needs on a server.
//!
//! Unlike the original it
//!
//! - bounds the size and the rate of messages, what waits for whom, and how many sockets there are;
//! - ignores what is not a message, and goes on;
//! - answers OPEN to a socket that takes over with the right token, and closes the one before it;
//! - lets nobody touch a registration but the socket that holds it;
//! - passes on no EXPIRE of a peer: only the server says so.
//!
//! ```
//! use hustings_transport_peerjs::broker::{Broker, BrokerConfig};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let broker = Broker::bind("127.0.0.1:0", BrokerConfig::default()).await?;
//! println!("peers can register at port {}", broker.local_addr().port());
//! // In earnest: until somebody presses Ctrl-C.
//! broker.serve(async {}).await
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod http;
mod listener;
mod pages;
mod rate;
mod realm;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::listener::BoundedListener;
use self::rate::Rate;
use self::realm::Realm;
use crate::config::{ConfigError, is_url_safe, normal_path};

/// How a broker behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The path it is mounted at. Default `/`. A missing slash at either end is added.
    pub path: String,
    /// The API key, which is no secret. Default `peerjs`.
    pub key: String,
    /// Whether `GET {path}{key}/peers` tells everybody who is registered. Default false.
    pub allow_discovery: bool,
    /// How long a peer may be silent. Default 60 s; peers send a heartbeat every 5 s, or every minute
    /// from a hidden tab.
    pub alive_timeout: Duration,
    /// How long a message waits for an absent peer. Default 5 s.
    pub expire_after: Duration,
    /// The folder of an app's pages, which are served at `/`, `index.html` first. The endpoints of
    /// signalling go before files of the same name. Default none.
    pub pages: Option<PathBuf>,
    /// How much is accepted and kept.
    pub limits: BrokerLimits,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            path: "/".into(),
            key: "peerjs".into(),
            allow_discovery: false,
            alive_timeout: Duration::from_secs(60),
            expire_after: Duration::from_secs(5),
            pages: None,
            limits: BrokerLimits::default(),
        }
    }
}

/// How much a broker accepts and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerLimits {
    /// Most peers. Default 5,000.
    pub max_peers: usize,
    /// Most TCP connections; more wait to be accepted. Default 6,000.
    pub max_sockets: usize,
    /// Largest message, in bytes; a larger one ends its socket. Default 64 KiB.
    pub max_message_bytes: usize,
    /// Messages of one peer in a second, on average. Whoever sends more is read more slowly.
    /// Default 200.
    pub messages_per_second: u32,
    /// Messages of one peer in a burst. Default 2,000: an owner whom everybody dials at once answers
    /// each with an answer and a handful of candidates.
    pub message_burst: u32,
    /// Messages of all peers in a second, on average. Default 20,000.
    pub total_messages_per_second: u32,
    /// Messages of one peer that wait for absent ones. Default 128.
    pub max_queued_each: usize,
    /// Messages that wait for absent peers altogether. Default 20,000.
    pub max_queued: usize,
    /// Bytes of messages that wait for absent peers altogether. Default 32 MiB.
    pub max_queued_bytes: usize,
    /// Bytes that wait for one present peer to read them. Who has more is dropped. Default 1 MiB.
    pub max_unread_each: usize,
    /// Bytes that wait for all present peers. Default 64 MiB.
    pub max_unread: usize,
}

impl Default for BrokerLimits {
    fn default() -> Self {
        Self {
            max_peers: 5_000,
            max_sockets: 6_000,
            max_message_bytes: 64 * 1024,
            messages_per_second: 200,
            message_burst: 2_000,
            total_messages_per_second: 20_000,
            max_queued_each: 128,
            max_queued: 20_000,
            max_queued_bytes: 32 * 1024 * 1024,
            max_unread_each: 1024 * 1024,
            max_unread: 64 * 1024 * 1024,
        }
    }
}

/// Why a broker does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There are no pages where they should be.
    #[error("there is no index.html in {}", .0.display())]
    NoPages(PathBuf),
    /// The address cannot be listened at.
    #[error("the address cannot be listened at: {0}")]
    Bind(#[source] io::Error),
    /// The server has failed.
    #[error("the broker failed: {0}")]
    Serve(#[source] io::Error),
}

/// A broker that listens and does not serve yet. See the [module](self).
#[derive(Debug)]
pub struct Broker {
    listener: BoundedListener,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
}

/// What all sockets share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: BrokerConfig,
    /// `config.path` with its slashes.
    pub(crate) path: String,
    realm: Mutex<Realm>,
    /// Of all peers together.
    pub(crate) rate: Mutex<Rate>,
}

impl Shared {
    /// A lock that a panicking task has left behind is taken over: the realm is consistent after each
    /// of its calls.
    pub(crate) fn realm(&self) -> MutexGuard<'_, Realm> {
        self.realm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn total_delay(&self, now: Instant) -> Duration {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.take(now)
    }
}

/// How often absent and silent peers are looked for.
const TICK: Duration = Duration::from_millis(250);
/// How long a shutdown waits for goodbyes.
const SHUTDOWN: Duration = Duration::from_secs(3);

impl Broker {
    /// Listens at an address. Port 0 is any free one.
    ///
    /// # Errors
    ///
    /// [`BrokerError`] if the address is taken, a setting is wrong or the pages are missing.
    pub async fn bind(
        address: impl ToSocketAddrs,
        config: BrokerConfig,
    ) -> Result<Self, BrokerError> {
        let path = normal_path(&config.path)?;
        if !is_url_safe(&config.key) {
            return Err(ConfigError::Key(config.key).into());
        }
        if let Some(pages) = &config.pages
            && !pages.join("index.html").is_file()
        {
            return Err(BrokerError::NoPages(pages.clone()));
        }
        let listener = TcpListener::bind(address)
            .await
            .map_err(BrokerError::Bind)?;
        let local_addr = listener.local_addr().map_err(BrokerError::Bind)?;
        // Whoever is silent for longer than this has been dropped as a peer long ago.
        let idle = config.alive_timeout + Duration::from_secs(30);
        let per_second = config.limits.total_messages_per_second;
        Ok(Self {
            listener: BoundedListener::new(listener, config.limits.max_sockets, idle),
            local_addr,
            shared: Arc::new(Shared {
                realm: Mutex::new(Realm::new(&config)),
                rate: Mutex::new(Rate::new(per_second, per_second, Instant::now())),
                path,
                config,
            }),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` is done, then says goodbye to everybody, which takes 3 s at most.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Serve`] if the server fails.
    pub async fn serve(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), BrokerError> {
        let shared = self.shared;
        let sockets = self.listener.sockets();
        let stop = Arc::new(tokio::sync::Notify::new());
        let stopped = Arc::clone(&stop);
        let server = axum::serve(self.listener, http::router(Arc::clone(&shared)))
            .with_graceful_shutdown(async move { stopped.notified().await })
            .into_future();
        tokio::pin!(server);
        tokio::select! {
            done = &mut server => return done.map_err(BrokerError::Serve),
            () = look_after(&shared) => {}
            () = shutdown => {}
        }
        stop.notify_one();
        shared.realm().close();
        let goodbyes = async {
            let served = server.await;
            sockets.all_closed().await;
            served
        };
        match timeout(SHUTDOWN, goodbyes).await {
            Ok(served) => served.map_err(BrokerError::Serve),
            // Whoever has not answered by now is cut off.
            Err(_) => Ok(()),
        }
    }
}

async fn look_after(shared: &Shared) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.realm().tick(Instant::now());
    }
}
