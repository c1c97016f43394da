//! Settings, with defaults that need no change.

mod budget;

use std::fmt;
use std::time::Duration;

use base32ct::{Base32Unpadded, Encoding};
use ed25519_dalek::SigningKey;
use hustings_room::BackoffConfig;

pub use budget::Budget;

use crate::ice::IceFault;

/// The signalling server's address, and how to behave towards it and towards others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The host of the PeerServer, without a scheme. Default `localhost`.
    pub host: String,
    /// Its port. Default 9000, which is also the broker's.
    pub port: u16,
    /// The path it is mounted at. Default `/`. A missing slash at either end is added.
    pub path: String,
    /// Its API key, which is no secret. Default `peerjs`.
    pub key: String,
    /// Use TLS (`wss`). Default false; a page that came by HTTPS needs true.
    pub secure: bool,
    /// The STUN and TURN servers. Default: one public STUN server, which learns this side's IP
    /// address. An empty list does for one local network. Those that the signalling server hands
    /// out, as this crate's broker does if it is told to, are used beside them.
    pub ice_servers: Vec<IceServer>,
    /// Tell others no address but those of TURN servers, which then see all that is sent, and
    /// cannot read it. Default false. For whoever does not want others to know where they are;
    /// without a TURN server nobody is reached.
    pub relay_only: bool,
    /// Times after which something is given up, or tried again.
    pub timing: Timing,
    /// Bounds of what is accepted and kept.
    pub limits: WireLimits,
    /// Bounds of the connections that others can have this side make, over time.
    pub budget: Budget,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 9000,
            path: "/".into(),
            key: "peerjs".into(),
            secure: false,
            ice_servers: vec![IceServer::new("stun:stun.l.google.com:19302")],
            relay_only: false,
            timing: Timing::default(),
            limits: WireLimits::default(),
            budget: Budget::default(),
        }
    }
}

impl Config {
    /// The same for a program: as many connections, and as many new ones at a time, as a process
    /// bears. The [default](Self::default) is what a page bears, where Chromium counts connections,
    /// and does for a program that joins; one that hosts takes this.
    #[must_use]
    pub fn native() -> Self {
        Self {
            limits: WireLimits::native(),
            budget: Budget::native(),
            ..Self::default()
        }
    }
}

/// A STUN or TURN server, as WebRTC takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Its addresses, such as `stun:stun.example.org:3478`.
    pub urls: Vec<String>,
    /// The user name, for TURN.
    pub username: Option<String>,
    /// The password, for TURN.
    pub credential: Option<String>,
}

impl IceServer {
    /// A server that asks for no credentials.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            username: None,
            credential: None,
        }
    }
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the credential: this ends up in logs.
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Times after which something is given up, or tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The time that the socket to the server may take to open. Default 10 s.
    pub socket_timeout: Duration,
    /// The interval of heartbeats, by which the server knows that this side is alive. Default 5 s,
    /// as PeerJS's.
    pub heartbeat_every: Duration,
    /// The interval at which a message goes to this side itself, by the server, to see that the
    /// socket still works. Default 30 s. It is also sent on a wake and after a dial that had no
    /// answer.
    pub echo_every: Duration,
    /// The time after which a socket by which it did not come back is opened anew. Default 10 s.
    pub echo_timeout: Duration,
    /// Without an answer from the server for this long after the socket has opened, this side
    /// counts as registered. Default 1 s. PeerServer answers nothing when a socket replaces
    /// another.
    pub assume_registered_after: Duration,
    /// A heartbeat that is served this long after the one before it means that the machine slept.
    /// The server has dropped this side by then, so the socket is opened anew. Default 90 s.
    pub asleep_after: Duration,
    /// Delays before the server is tried again after it was lost.
    pub backoff: BackoffConfig,
    /// The longest delay before a taken address is tried again. Default 5 s.
    pub taken_retry_max: Duration,
    /// The time that a taken address is waited for, without that for which the server could not be
    /// asked. Default 120 s: an old registration of a peer that vanished lasts for 60 or 90 s on
    /// PeerServers.
    pub taken_patience: Duration,
    /// The interval at which the server is asked if the address is free that was yielded to a copy
    /// of this identity. Default 60 s. To ask takes it from nobody.
    pub yielded_probe_every: Duration,
    /// The time that a connection may take, from the dial or the offer until its channel is open.
    /// Default 15 s.
    pub connect_timeout: Duration,
    /// The time that an offer may wait for its turn, when more come at once than can come up
    /// together. Default 8 s: whoever sent it waits for `connect_timeout`, of which some has to be
    /// left. Zero turns away at once whoever finds no place.
    pub hold_for: Duration,
    /// The time that a connection may be `disconnected` before it counts as lost. Default 30 s: a
    /// page that was frozen for a while comes back on the same connection.
    pub disconnected_timeout: Duration,
    /// The time that a connection which was hung up may take to send what waits. Default 10 s.
    pub linger: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            socket_timeout: Duration::from_secs(10),
            heartbeat_every: Duration::from_secs(5),
            echo_every: Duration::from_secs(30),
            echo_timeout: Duration::from_secs(10),
            assume_registered_after: Duration::from_secs(1),
            asleep_after: Duration::from_secs(90),
            backoff: BackoffConfig::default(),
            taken_retry_max: Duration::from_secs(5),
            taken_patience: Duration::from_secs(120),
            yielded_probe_every: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(15),
            hold_for: Duration::from_secs(8),
            disconnected_timeout: Duration::from_secs(30),
            linger: Duration::from_secs(10),
        }
    }
}

/// Bounds of what is accepted and kept. Everybody who knows an id can send to it, so everything
/// that others can make grow has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireLimits {
    /// Largest message from the signalling server, in bytes. Default 64 KiB.
    pub max_signal_bytes: usize,
    /// Most candidates of one connection that are taken from the other side. Default 64.
    pub max_candidates: usize,
    /// Most connections whose candidates are kept before their offer has come. Default 32.
    pub max_early: usize,
    /// Most dials at a time that have not come up. Default 8. A browser counts closed connections
    /// until it has collected them, so an absent owner must not cost one for each attempt.
    pub max_dials: usize,
    /// Most offers at a time whose connection has not come up. Default 160: at 50 hostile ones a
    /// second each has three seconds, see [`Budget::first_turn`]. When they are all taken, a new
    /// one takes the place of the least advanced one of whoever has most, or is held. While this
    /// side is so busy that its own part takes long, there are fewer of them.
    pub max_incoming: usize,
    /// The same, of one sender. Default 4. A new one takes the place of the sender's own.
    pub max_incoming_each: usize,
    /// Most offers at a time that are held until it is their turn, one of each sender. Default 256.
    pub max_held: usize,
    /// Most bytes of all of them. Default 1 MiB; one and its candidates have some 1.5 KiB.
    pub max_held_bytes: usize,
    /// Most connections altogether. Default 440: Chromium allows 500 in a page, and counts those
    /// that are closed until it has collected them.
    pub max_connections: usize,
    /// Largest frame from somebody who dialled this side, in bytes. Default 64 KiB.
    pub max_accepted_frame_bytes: usize,
    /// Largest frame from somebody whom this side dialled, in bytes. Default 64 MiB; it bounds a
    /// snapshot.
    pub max_dialled_frame_bytes: usize,
    /// While more than this waits on a link, sends are blocked. Default 4 MiB.
    pub max_queued_bytes: usize,
    /// The part of it that is in the channel's own buffer. Default 2 MiB.
    pub channel_high_water: usize,
    /// The amount below which the channel should ask for more (`bufferedAmountLowThreshold`).
    /// Default 1 MiB: at 10 MB/s a busy page has a tenth of a second to come up with more.
    pub channel_low_water: usize,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self {
            max_signal_bytes: 64 * 1024,
            max_candidates: 64,
            max_early: 32,
            max_dials: 8,
            max_incoming: 160,
            max_incoming_each: 4,
            max_held: 256,
            max_held_bytes: 1024 * 1024,
            max_connections: 440,
            max_accepted_frame_bytes: 64 * 1024,
            max_dialled_frame_bytes: 64 * 1024 * 1024,
            max_queued_bytes: 4 * 1024 * 1024,
            channel_high_water: 2 * 1024 * 1024,
            channel_low_water: 1024 * 1024,
        }
    }
}

impl WireLimits {
    /// Bounds for a program, which no browser counts connections of: 10,000 of them, which take 1
    /// GB or less as long as they are quiet, and 1,024 at a time that have not come up, which take
    /// 100 MB. A process needs no file descriptors for those who dial it. A channel gets a quarter
    /// of a megabyte, since what waits before it is shared by all links, and each channel makes a
    /// copy.
    #[must_use]
    pub fn native() -> Self {
        Self {
            max_incoming: 1_024,
            max_held: 2_048,
            max_held_bytes: 4 * 1024 * 1024,
            max_early: 1_024,
            max_connections: 10_000,
            channel_high_water: 256 * 1024,
            channel_low_water: 128 * 1024,
            ..Self::default()
        }
    }
}

/// The secret by which the server knows a returning peer. Who has it can take the id over, so it is
/// kept with the identity, and a new one after a reload would find the id taken for minutes.
///
/// With the identity's [key](Self::with_key) beside it this side can show that the id is its own,
/// to a server that asks for that, as this crate's broker does. Nobody can take the id from it
/// then, nor have it while this side is away, not even with the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    key: Option<SigningKey>,
}

impl Token {
    const MAX_LEN: usize = 128;

    /// A token of 20 random bytes, which the caller supplies.
    #[must_use]
    pub fn from_random(bytes: [u8; 20]) -> Self {
        Self {
            text: Base32Unpadded::encode_string(&bytes),
            key: None,
        }
    }

    /// A token that was kept.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Token`] unless it has 1 to 128 characters of `A-Z a-z 0-9 - _ . ~`: PeerJS
    /// does not escape tokens in its URL.
    pub fn new(text: impl Into<String>) -> Result<Self, ConfigError> {
        let text = text.into();
        if text.len() <= Self::MAX_LEN && is_url_safe(&text) {
            Ok(Self { text, key: None })
        } else {
            Err(ConfigError::Token)
        }
    }

    /// The same, with the key of the address that it is for. The key stays here: the server sees a
    /// signature that is good for itself alone.
    #[must_use]
    pub fn with_key(self, key: &SigningKey) -> Self {
        let key = Some(key.clone());
        Self { key, ..self }
    }

    /// The token as text, to be kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) const fn key(&self) -> Option<&SigningKey> {
        self.key.as_ref()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A fault of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The host is not a bare name or address.
    #[error(
        "invalid signalling server address {0:?}: use a name or an IP address, without scheme, port or path"
    )]
    Host(String),
    /// The path has characters that would need escaping.
    #[error("invalid path {0:?}: use letters, digits and - _ . ~ between slashes")]
    Path(String),
    /// The key has characters that would need escaping, or is empty.
    #[error("invalid key {0:?}: use letters, digits and - _ . ~")]
    Key(String),
    /// The token has characters that would need escaping, or is empty or too long.
    #[error("invalid token: use 1 to 128 letters, digits and - _ . ~")]
    Token,
    /// The key is not that of the address: nothing can be shown with it.
    #[error("the key is not that of the address")]
    ForeignKey,
    /// A name of a server is not written as in a `Host` header.
    #[error(
        "invalid name of this server {0:?}: use a name or an IP address, with its port unless that is 80 or 443"
    )]
    PublicHost(String),
    /// The list of STUN and TURN servers is no list.
    #[error("invalid ICE servers: they are a list such as [{{\"urls\": \"stun:example.org\"}}]")]
    IceServers,
    /// A STUN or TURN server that no browser would take.
    #[error("invalid ICE server: iceServers[{index}].{field}: {fault}")]
    IceServer {
        /// The place in [`Config::ice_servers`], counted from 0.
        index: usize,
        /// The name of the field, as WebRTC calls it.
        field: &'static str,
        /// The fault in it.
        fault: IceFault,
    },
}

/// True if a text is not empty and needs no escaping in a URL.
pub(crate) fn is_url_safe(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

/// The path with a slash at both ends.
pub(crate) fn normal_path(path: &str) -> Result<String, ConfigError> {
    let inner = path.trim_matches('/');
    if inner.is_empty() {
        return Ok("/".into());
    }
    if inner.split('/').all(is_url_safe) {
        Ok(format!("/{inner}/"))
    } else {
        Err(ConfigError::Path(path.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_get_their_slashes() {
        for (path, normal) in [("", "/"), ("/", "/"), ("a", "/a/"), ("/a/b", "/a/b/")] {
            assert_eq!(normal_path(path).as_deref(), Ok(normal));
        }
        for path in ["a b", "/a//b", "/?x", "/é"] {
            assert_eq!(normal_path(path), Err(ConfigError::Path(path.into())));
        }
    }

    #[test]
    fn tokens_are_url_safe_and_secret() {
        let token = Token::from_random([7; 20]);
        assert_eq!(token.as_str().len(), 32);
        assert_eq!(Token::new(token.as_str()), Ok(token.clone()));
        assert_eq!(Token::new(""), Err(ConfigError::Token));
        assert_eq!(Token::new("a&b"), Err(ConfigError::Token));
        assert_eq!(Token::new("a".repeat(129)), Err(ConfigError::Token));
        assert!(!format!("{token:?}").contains(token.as_str()));
    }
}
