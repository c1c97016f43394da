//! A signalling server for demonstrations and self-hosting, compatible with PeerServer.
//!
//! Peers find each other here and exchange descriptions; what they say to each other afterwards
//! never comes by. Stock PeerJS and this crate's endpoint both work with it. It holds everything in
//! memory, knows nobody (an id belongs to whoever claims it first, with a token of their choice,
//! and for a while to that token) and leaves TLS to a proxy. Only of an id that is a key, as an
//! [`Address`](hustings_protocol::Address) is, it can tell whose it is, if a client shows that.
//!
//! It can serve the pages of an app beside that ([`BrokerConfig::pages`]): one program at one
//! origin is then everything that a polling app needs on a server.
//!
//! Unlike the original it
//!
//! - bounds the size and the rate of messages, what waits for whom, and how many connections there
//!   are, and makes room for a client at the expense of whoever takes most;
//! - ends connections that say nothing or do not read;
//! - ignores what is not a message, and goes on;
//! - answers OPEN to a socket that takes over with the right token, and closes the one before it;
//! - keeps an id for its last holder for a while, and for good for whoever has the key that it is;
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
//! broker.serve(async {}).await;
//! # Ok::<(), hustings_transport_peerjs::broker::BrokerError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod descriptors;
mod fresh;
mod headers;
mod http;
mod listener;
mod metrics;
mod origins;
mod pages;
mod places;
mod pool;
mod proof;
mod rate;
mod realm;
mod shared;
mod socket;
mod turn;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

pub use self::config::{BrokerConfig, BrokerLimits};
use self::listener::BoundedListener;
use self::metrics::TurnCounts;
use self::origins::Origins;
use self::shared::Shared;
use self::turn::Turn;
pub use self::turn::{Network, Secret, TurnConfig, TurnError, TurnLimits};
use crate::config::{ConfigError, is_url_safe, normal_path};
use crate::wire::signalling::is_host;

/// The reason why a broker does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There are no pages where they should be.
    #[error("no index.html in {}", .0.display())]
    NoPages(PathBuf),
    /// An origin cannot be one.
    #[error("not an origin such as https://polls.example.org: {0:?}")]
    Origin(String),
    /// A header of the pages has a name or a value that cannot be sent.
    #[error("not a header that can be sent: {0:?}")]
    Header(String),
    /// The address cannot be listened at.
    #[error("cannot listen at this address: {0}")]
    Bind(#[source] io::Error),
    /// There is no TURN as it was asked for.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

/// A broker that listens and does not serve yet. See the [module](self).
#[derive(Debug)]
pub struct Broker {
    settings: http::Settings,
    listener: BoundedListener,
    local_addr: SocketAddr,
    /// For those who watch over it.
    metrics: Option<TcpListener>,
    turn: Option<(Turn, TurnCounts)>,
    shared: Arc<Shared>,
}

/// The interval at which absent and silent peers are looked for.
const TICK: Duration = Duration::from_millis(250);
/// The time that a shutdown waits for goodbyes.
const SHUTDOWN: Duration = Duration::from_secs(3);

impl Broker {
    /// Listens at an address. Port 0 is any free one.
    ///
    /// If the process may not have as many file descriptors as the settings ask for
    /// ([`BrokerConfig::descriptors`]), the connections are fewer: see [`limits`](Self::limits).
    ///
    /// # Errors
    ///
    /// [`BrokerError`] if the address is taken, a setting is wrong or the pages are missing.
    pub async fn bind(
        address: impl ToSocketAddrs,
        mut config: BrokerConfig,
    ) -> Result<Self, BrokerError> {
        let path = normal_path(&config.path)?;
        if !is_url_safe(&config.key) {
            return Err(ConfigError::Key(config.key).into());
        }
        if let Some(host) = config
            .public_hosts
            .iter()
            .find(|host| !is_public_host(host))
        {
            return Err(ConfigError::PublicHost(host.clone()).into());
        }
        if let Some(pages) = &config.pages
            && !pages.join("index.html").is_file()
        {
            return Err(BrokerError::NoPages(pages.clone()));
        }
        let settings = http::Settings {
            origins: Origins::new(&config.allowed_origins)?,
            page_headers: headers::with(&config.page_headers)?,
        };
        let allowed = descriptors::allowed();
        if config.descriptors() > allowed {
            config.turn.fit(allowed / 3);
        }
        let left = allowed.saturating_sub(config.turn.descriptors());
        config.limits = config.limits.fit(left);
        let listener = TcpListener::bind(address)
            .await
            .map_err(BrokerError::Bind)?;
        let local_addr = listener.local_addr().map_err(BrokerError::Bind)?;
        let metrics = match config.metrics {
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .map_err(BrokerError::Bind)?,
            ),
            None => None,
        };
        let counts = TurnCounts::default();
        let (turn, issuer) = Turn::bind(&config.turn, counts.clone()).await?;
        Ok(Self {
            turn: turn.map(|turn| (turn, counts)),
            settings,
            listener: BoundedListener::new(listener, &config),
            local_addr,
            metrics,
            shared: Arc::new(Shared::new(config, path, issuer)),
        })
    }

    /// The address that it listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The address at which its counts are served, if they are.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// The addresses at which it relays by TURN, if it does.
    #[must_use]
    pub fn turn_addrs(&self) -> &[SocketAddr] {
        self.turn.as_ref().map_or(&[], |(turn, _)| turn.addresses())
    }

    /// The limits that it keeps.
    #[must_use]
    pub fn limits(&self) -> &BrokerLimits {
        &self.shared.config.limits
    }

    /// Serves until `shutdown` is done, then says goodbye to everybody, which takes 3 s at most.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) {
        tracing::info!(address = %self.local_addr, "listening");
        let shared = self.shared;
        let (stop, stopped) = watch::channel(());
        let router = http::router(Arc::clone(&shared), self.settings);
        let turn = self.turn.map(|(turn, counts)| {
            let watched = turn.watched();
            (turn.serve(), (watched, counts))
        });
        let (turn, watched_turn) = turn.unzip();
        if let Some(listener) = self.metrics {
            let watched = self.listener.watched(Arc::clone(&shared), watched_turn);
            tokio::spawn(metrics::serve(listener, watched, stopped.clone()));
        }
        let server = self.listener.serve(router, stopped);
        tokio::pin!(server);
        tokio::select! {
            () = &mut server => return,
            () = look_after(&shared) => {}
            () = shutdown => {}
        }
        tracing::info!("shutting down");
        drop(stop);
        shared.realm().close();
        // Whoever has not answered by then is cut off.
        let _ = timeout(SHUTDOWN, server).await;
        if let Some(turn) = turn {
            turn.close().await;
        }
    }
}

/// True if this is a host, with a port or without.
fn is_public_host(text: &str) -> bool {
    is_host(text)
        || text
            .rsplit_once(':')
            .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok())
}

async fn look_after(shared: &Shared) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.realm().tick(Instant::now());
    }
}
