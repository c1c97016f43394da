//! The settings of a broker, with defaults that need no change.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::turn::TurnConfig;

/// The settings of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The path it is mounted at. Default `/`. A missing slash at either end is added.
    pub path: String,
    /// The API key, which is no secret. Default `peerjs`.
    pub key: String,
    /// Lets everybody see by `GET {path}{key}/peers` who is registered. Default false.
    pub allow_discovery: bool,
    /// The time that a peer may be silent. Default 150 s: peers send a heartbeat every 5 s, but a
    /// hidden tab, whose timers browsers hold back, one a minute, and one of those may be lost.
    pub alive_timeout: Duration,
    /// The time that a message waits for an absent peer. Default 5 s.
    pub expire_after: Duration,
    /// The time that the head of a request may take, and the time that a connection is kept for the
    /// next request. Default 10 s.
    pub request_timeout: Duration,
    /// The time that a reader may read nothing of what it is sent, or less than 1 KiB in a second.
    /// Default 20 s.
    pub write_timeout: Duration,
    /// The time that an id is kept for its last holder once its socket is gone: for whoever has the
    /// same token, and, unless the id is an [`Address`](hustings_protocol::Address), for whoever
    /// comes from the same network address, as stock pages make a new token whenever they are
    /// loaded. Default 120 s; zero frees ids at once, as PeerServer does.
    pub reserve_for: Duration,
    /// The same for whoever has shown by a signature that the id, a key, is their own: nobody
    /// gets it without one meanwhile. Default one day.
    pub reserve_proven_for: Duration,
    /// The names by which clients reach this server, as in a `Host` header: with the port unless it
    /// is 80 or 443. A signature counts if it is for one of them. Default none: it counts for the
    /// host that the client's own request is for. So name them where a proxy writes another `Host`,
    /// and where nothing in front sees to it that requests are for this server: another one that
    /// its clients trust as well could ask for signatures in its name.
    pub public_hosts: Vec<String>,
    /// The folder of an app's pages, which are served at `/`, `index.html` first. The endpoints of
    /// signalling go before files of the same name. Default none.
    pub pages: Option<PathBuf>,
    /// Headers with which the pages are sent, beside those that they are sent with anyway, or in
    /// place of them; an empty value is for none. Default none: the usual ones suit an app that
    /// brings everything along, runs wasm, and has no inline scripts.
    pub page_headers: Vec<(String, String)>,
    /// The origins whose pages may use the signalling, such as `https://polls.example.org`; its own
    /// pages' one, too. A browser's request from another one is refused; what is no browser sends
    /// none and is served. Default empty: all.
    pub allowed_origins: Vec<String>,
    /// The proxies in front of it. For a connection from one of them the client's address is the
    /// last in `X-Forwarded-For` that is no such proxy's; from anybody else the header is ignored,
    /// for anybody can write it. Default none: whoever connects is the client.
    pub trusted_proxies: Vec<IpAddr>,
    /// The address at which counts are served for those who watch over it, as `/metrics` in the
    /// text form of Prometheus. Whoever reaches it can read them: what is there is how much, and
    /// never of whom. Default none.
    pub metrics: Option<SocketAddr>,
    /// Relaying for peers who cannot reach each other. Default none.
    pub turn: TurnConfig,
    /// Bounds of what is accepted and kept.
    pub limits: BrokerLimits,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            path: "/".into(),
            key: "peerjs".into(),
            allow_discovery: false,
            alive_timeout: Duration::from_secs(150),
            expire_after: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(20),
            reserve_for: Duration::from_secs(120),
            reserve_proven_for: Duration::from_secs(24 * 60 * 60),
            public_hosts: Vec::new(),
            pages: None,
            page_headers: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            metrics: None,
            turn: TurnConfig::default(),
            limits: BrokerLimits::default(),
        }
    }
}

/// Bounds of what a broker accepts and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerLimits {
    /// Most peers. Default 6,000: as many as there are sockets, so that there is always room for
    /// whoever has one.
    pub max_peers: usize,
    /// Most sockets, of which each peer has one. When all are taken, the address that has the most
    /// (of IPv6: the /64) gives up its newest for whoever has fewer. Default 6,000.
    pub max_sockets: usize,
    /// Sockets of one address. Default 3,000: a hall full of people may have one address.
    pub max_sockets_each: usize,
    /// Most connections that are no sockets: readers of pages, and whoever has asked for nothing
    /// yet. When all are taken, the address that has the most gives up the one that has been of no
    /// use for longest. Default 2,000.
    pub max_connections: usize,
    /// Connections of one address that are no sockets. Default 1,000.
    pub max_connections_each: usize,
    /// Largest message, in bytes; a larger one ends its socket. Default 16 KiB: a
    /// description of a connection for data has 1 to 3 KiB.
    pub max_message_bytes: usize,
    /// Messages of one peer in a second, on average. Whoever sends more is read more slowly.
    /// Default 200.
    pub messages_per_second: u32,
    /// Messages of one peer in a burst. Default 2,000: an owner whom everybody dials at once
    /// answers each with an answer and a handful of candidates.
    pub message_burst: u32,
    /// Bytes of one peer in a second, on average, as with messages. Default 256 KiB.
    pub bytes_per_second: u32,
    /// Bytes of one peer in a burst. Default 4 MiB: room for an owner's 1,000 answers.
    pub byte_burst: u32,
    /// Messages of all peers in a second, on average. Each address that there are sockets of has an
    /// equal part in them (of IPv6: each /64). Default 20,000.
    pub total_messages_per_second: u32,
    /// Messages of one peer that wait for absent ones. Default 128.
    pub max_queued_each: usize,
    /// Messages that wait for absent peers altogether. As with all that clients share, nobody's
    /// address takes more of it than it leaves. Default 20,000.
    pub max_queued: usize,
    /// Bytes of messages that wait for absent peers altogether. Default 32 MiB.
    pub max_queued_bytes: usize,
    /// Bytes that wait for one present peer to read them. A message that finds no room expires.
    /// Default 1 MiB.
    pub max_unread_each: usize,
    /// Bytes that wait for all present peers. Default 64 MiB.
    pub max_unread: usize,
    /// Ids that are kept for holders who are gone. Nobody's address takes more of them than it
    /// leaves; who has had an id longer stays longer. Default 20,000.
    pub max_reserved: usize,
}

impl Default for BrokerLimits {
    fn default() -> Self {
        Self {
            max_peers: 6_000,
            max_sockets: 6_000,
            max_sockets_each: 3_000,
            max_connections: 2_000,
            max_connections_each: 1_000,
            max_message_bytes: 16 * 1024,
            messages_per_second: 200,
            message_burst: 2_000,
            bytes_per_second: 256 * 1024,
            byte_burst: 4 * 1024 * 1024,
            total_messages_per_second: 20_000,
            max_queued_each: 128,
            max_queued: 20_000,
            max_queued_bytes: 32 * 1024 * 1024,
            max_unread_each: 1024 * 1024,
            max_unread: 64 * 1024 * 1024,
            max_reserved: 20_000,
        }
    }
}
