//! The settings of the program: each is a flag, and a variable of the environment.

mod turn;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use hustings_transport_peerjs::broker::{BrokerConfig, BrokerLimits};
use tracing::level_filters::LevelFilter;

use self::turn::Turn;

/// Introduces peers that speak PeerJS to each other. What they say afterwards never comes by here.
#[derive(Parser)]
#[command(name = "hustings-broker", version)]
pub(crate) struct Args {
    /// The address to listen at; `::` is every interface
    #[arg(long, env = "HUSTINGS_BROKER_HOST", default_value_t = IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    host: IpAddr,
    /// The port to listen at; 0 is any free one
    #[arg(long, short, env = "HUSTINGS_BROKER_PORT", default_value_t = 9000)]
    port: u16,
    /// The path to be mounted at
    #[arg(long, env = "HUSTINGS_BROKER_PATH", default_value = "/")]
    path: String,
    /// The API key, which is no secret
    #[arg(long, short, env = "HUSTINGS_BROKER_KEY", default_value = "peerjs")]
    key: String,
    /// Serve the pages of an app at `/`, too: a folder with an index.html
    #[arg(long, value_name = "DIR", env = "HUSTINGS_BROKER_PAGES")]
    pages: Option<PathBuf>,
    /// Send the pages with this header, beside the usual ones or in place of one; without a value,
    /// not with it. May be repeated; in the environment, one a line
    #[arg(
        long,
        value_name = "NAME: VALUE",
        env = "HUSTINGS_BROKER_PAGE_HEADER",
        value_delimiter = '\n',
        value_parser = header
    )]
    page_header: Vec<(String, String)>,
    /// Let pages of this origin use the signalling, and of no other that is not named; may be
    /// repeated, or a list with commas. Without it, pages of any origin may
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "HUSTINGS_BROKER_ALLOW_ORIGIN",
        value_delimiter = ','
    )]
    allow_origin: Vec<String>,
    /// Let everybody list who is registered
    #[arg(long, env = "HUSTINGS_BROKER_ALLOW_DISCOVERY")]
    allow_discovery: bool,
    /// A name by which clients reach it, with the port unless that is 80 or 443; may be repeated, or
    /// a list with commas. Signatures for other names prove nothing. Without any, each client's own
    /// Host header counts
    #[arg(
        long,
        value_name = "HOST",
        env = "HUSTINGS_BROKER_PUBLIC_HOST",
        value_delimiter = ','
    )]
    public_host: Vec<String>,
    /// The address of a proxy in front of it, whose X-Forwarded-For is believed; may be repeated,
    /// or a list with commas
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "HUSTINGS_BROKER_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<IpAddr>,
    /// Serve counts for Prometheus at this address, as /metrics: one that the public does not
    /// reach, such as 127.0.0.1:9100
    #[arg(long, value_name = "ADDRESS:PORT", env = "HUSTINGS_BROKER_METRICS")]
    metrics: Option<SocketAddr>,
    /// Write events of this level and above to the standard error: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", env = "HUSTINGS_BROKER_LOG")]
    pub(crate) log: Option<LevelFilter>,
    #[command(flatten)]
    times: Times,
    #[command(flatten)]
    turn: Turn,
    #[command(flatten)]
    limits: Limits,
}

/// Times in seconds.
#[derive(clap::Args)]
#[command(next_help_heading = "Times, in seconds")]
struct Times {
    /// The silence after which a peer is dropped; hidden tabs speak once a minute
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_BROKER_ALIVE_TIMEOUT",
        default_value_t = BrokerConfig::default().alive_timeout.as_secs()
    )]
    alive_timeout: u64,
    /// The time that a message waits for a peer who is not there
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_BROKER_EXPIRE_AFTER",
        default_value_t = BrokerConfig::default().expire_after.as_secs()
    )]
    expire_after: u64,
    /// The time that an id is kept for its last holder; 0 frees it as soon as the socket is gone
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_BROKER_RESERVE_FOR",
        default_value_t = 120
    )]
    reserve_for: u64,
    /// The time that an id is kept for whoever has shown the key that it is
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_BROKER_RESERVE_PROVEN_FOR",
        default_value_t = 24 * 60 * 60
    )]
    reserve_proven_for: u64,
    /// The time for the head of a request, and between two of one connection
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_BROKER_REQUEST_TIMEOUT",
        default_value_t = BrokerConfig::default().request_timeout.as_secs()
    )]
    request_timeout: u64,
    /// The time that a reader may read nothing, or less than 1 KiB in a second
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_BROKER_WRITE_TIMEOUT",
        default_value_t = BrokerConfig::default().write_timeout.as_secs()
    )]
    write_timeout: u64,
}

/// As in [`BrokerLimits`].
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Most peers
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_PEERS",
        default_value_t = BrokerLimits::default().max_peers
    )]
    max_peers: usize,
    /// Most sockets; when all are taken, the address with the most gives one up
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_SOCKETS",
        default_value_t = BrokerLimits::default().max_sockets
    )]
    max_sockets: usize,
    /// Most sockets of one address
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_SOCKETS_EACH",
        default_value_t = BrokerLimits::default().max_sockets_each
    )]
    max_sockets_each: usize,
    /// Most connections that are no sockets, such as readers of pages
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_CONNECTIONS",
        default_value_t = BrokerLimits::default().max_connections
    )]
    max_connections: usize,
    /// Most of these of one address
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_CONNECTIONS_EACH",
        default_value_t = BrokerLimits::default().max_connections_each
    )]
    max_connections_each: usize,
    /// Bytes of the largest message
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_MAX_MESSAGE_BYTES",
        default_value_t = BrokerLimits::default().max_message_bytes
    )]
    max_message_bytes: usize,
    /// Messages of one peer in a second, on average
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MESSAGES_PER_SECOND",
        default_value_t = BrokerLimits::default().messages_per_second
    )]
    messages_per_second: u32,
    /// Messages of one peer in a burst
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MESSAGE_BURST",
        default_value_t = BrokerLimits::default().message_burst
    )]
    message_burst: u32,
    /// Bytes of one peer in a second, on average
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_BYTES_PER_SECOND",
        default_value_t = BrokerLimits::default().bytes_per_second
    )]
    bytes_per_second: u32,
    /// Bytes of one peer in a burst
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_BYTE_BURST",
        default_value_t = BrokerLimits::default().byte_burst
    )]
    byte_burst: u32,
    /// Messages of all peers in a second, which their addresses share
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_TOTAL_MESSAGES_PER_SECOND",
        default_value_t = BrokerLimits::default().total_messages_per_second
    )]
    total_messages_per_second: u32,
    /// Messages of one peer that wait for absent ones
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_QUEUED_EACH",
        default_value_t = BrokerLimits::default().max_queued_each
    )]
    max_queued_each: usize,
    /// Messages of all peers that wait for absent ones
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_QUEUED",
        default_value_t = BrokerLimits::default().max_queued
    )]
    max_queued: usize,
    /// Bytes of these
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_MAX_QUEUED_BYTES",
        default_value_t = BrokerLimits::default().max_queued_bytes
    )]
    max_queued_bytes: usize,
    /// Bytes that wait for one peer to read them
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_MAX_UNREAD_EACH",
        default_value_t = BrokerLimits::default().max_unread_each
    )]
    max_unread_each: usize,
    /// Bytes that wait for all peers to read them
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_MAX_UNREAD",
        default_value_t = BrokerLimits::default().max_unread
    )]
    max_unread: usize,
    /// Ids that are kept for holders who are gone
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_MAX_RESERVED",
        default_value_t = BrokerLimits::default().max_reserved
    )]
    max_reserved: usize,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("it has no colon")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Args {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    pub(crate) fn into_config(self) -> BrokerConfig {
        let Limits {
            max_peers,
            max_sockets,
            max_sockets_each,
            max_connections,
            max_connections_each,
            max_message_bytes,
            messages_per_second,
            message_burst,
            bytes_per_second,
            byte_burst,
            total_messages_per_second,
            max_queued_each,
            max_queued,
            max_queued_bytes,
            max_unread_each,
            max_unread,
            max_reserved,
        } = self.limits;
        BrokerConfig {
            path: self.path,
            key: self.key,
            allow_discovery: self.allow_discovery,
            alive_timeout: Duration::from_secs(self.times.alive_timeout),
            expire_after: Duration::from_secs(self.times.expire_after),
            reserve_for: Duration::from_secs(self.times.reserve_for),
            reserve_proven_for: Duration::from_secs(self.times.reserve_proven_for),
            public_hosts: self.public_host,
            request_timeout: Duration::from_secs(self.times.request_timeout),
            write_timeout: Duration::from_secs(self.times.write_timeout),
            pages: self.pages,
            page_headers: self.page_header,
            allowed_origins: self.allow_origin,
            trusted_proxies: self.trusted_proxy,
            metrics: self.metrics,
            turn: self.turn.into_config(),
            limits: BrokerLimits {
                max_peers,
                max_sockets,
                max_sockets_each,
                max_connections,
                max_connections_each,
                max_message_bytes,
                messages_per_second,
                message_burst,
                bytes_per_second,
                byte_burst,
                total_messages_per_second,
                max_queued_each,
                max_queued,
                max_queued_bytes,
                max_unread_each,
                max_unread,
                max_reserved,
            },
        }
    }
}
