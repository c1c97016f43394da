//! The settings of STUN and TURN servers, checked before a browser is asked.
//!
//! A browser says no when a connection is made, which is at the first dial or offer: whoever reads
//! the error then is told of a host that does not answer. So a list is read when an address is
//! opened, by the rules of WebRTC 1.0, section 4.4.1.6, and RFC 7064 and 7065.

use serde_json::Value;

use crate::config::{ConfigError, IceServer};

/// The fault of one field of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IceFault {
    /// It has no address.
    #[error("no address is given as text: the field is called `urls`, not `url`")]
    NoUrls,
    /// An address begins with another scheme than those of STUN and TURN.
    #[error("{0:?} does not begin with stun:, stuns:, turn: or turns:")]
    Scheme(String),
    /// An address has no host, a port that is none, or more than belongs there.
    #[error("{0:?} is malformed: use stun:host:port, or turn:host:port?transport=tcp")]
    Malformed(String),
    /// A user name or a credential is something else than a text.
    #[error("it is no text")]
    NotText,
    /// A TURN server without a user name or a credential, or with an empty one.
    #[error("a TURN server needs it, as text that is not empty")]
    Missing,
}

impl IceServer {
    /// Reads a list of servers as a page gives it to WebRTC: `[{"urls": "turn:example.org",
    /// "username": "u", "credential": "c"}]`, where `urls` may be a list, too.
    ///
    /// # Errors
    ///
    /// [`ConfigError::IceServers`] for what is no list of objects, and [`ConfigError::IceServer`]
    /// with the place of the first server that no browser would take.
    pub fn read_list(list: &Value) -> Result<Vec<Self>, ConfigError> {
        let servers = list.as_array().ok_or(ConfigError::IceServers)?;
        let read = servers.iter().enumerate();
        let read = read.map(|(index, server)| Self::read(index, server));
        let servers = read.collect::<Result<Vec<_>, _>>()?;
        check(&servers)?;
        Ok(servers)
    }

    fn read(index: usize, server: &Value) -> Result<Self, ConfigError> {
        let server = server.as_object().ok_or(ConfigError::IceServers)?;
        let wrong = |field, fault| ConfigError::IceServer {
            index,
            field,
            fault,
        };
        let text = |field: &'static str| match server.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(field, IceFault::NotText)),
        };
        let url = |url: &Value| url.as_str().map(str::to_owned);
        let urls = match server.get("urls") {
            Some(Value::Array(urls)) => urls.iter().map(url).collect(),
            Some(one) => url(one).map(|url| vec![url]),
            None => None,
        };
        Ok(Self {
            urls: urls.ok_or_else(|| wrong("urls", IceFault::NoUrls))?,
            username: text("username")?,
            credential: text("credential")?,
        })
    }
}

/// Checks every server of a list.
pub(crate) fn check(servers: &[IceServer]) -> Result<(), ConfigError> {
    for (index, server) in servers.iter().enumerate() {
        let wrong = |field, fault| ConfigError::IceServer {
            index,
            field,
            fault,
        };
        if server.urls.is_empty() {
            return Err(wrong("urls", IceFault::NoUrls));
        }
        let mut turn = false;
        for url in &server.urls {
            turn |= IceUrl::read(url)
                .map_err(|fault| wrong("urls", fault))?
                .is_turn;
        }
        let missing = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        if turn && missing(&server.username) {
            return Err(wrong("username", IceFault::Missing));
        }
        if turn && missing(&server.credential) {
            return Err(wrong("credential", IceFault::Missing));
        }
    }
    Ok(())
}

/// True for the address of a TURN server.
#[cfg_attr(
    not(all(feature = "broker", not(target_family = "wasm"))),
    allow(dead_code, reason = "only the broker is told of single addresses")
)]
pub(crate) fn is_turn_url(url: &str) -> bool {
    IceUrl::read(url).is_ok_and(|url| url.is_turn)
}

/// The address of a server, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    any(target_family = "wasm", not(feature = "native")),
    allow(dead_code, reason = "a browser takes the text")
)]
pub(crate) struct IceUrl {
    /// It relays, rather than telling an address alone.
    pub(crate) is_turn: bool,
    /// By TLS.
    pub(crate) is_secure: bool,
    /// By TCP; `None` leaves it to the scheme.
    pub(crate) by_tcp: Option<bool>,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl IceUrl {
    /// Takes an address apart.
    pub(crate) fn read(url: &str) -> Result<Self, IceFault> {
        let shown = || url.chars().take(100).collect();
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        let (is_turn, is_secure) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return Err(IceFault::Scheme(shown())),
        };
        let malformed = || IceFault::Malformed(shown());
        let (server, by_tcp) = match rest.split_once('?') {
            None => (rest, None),
            Some((server, "transport=udp")) if is_turn => (server, Some(false)),
            Some((server, "transport=tcp")) if is_turn => (server, Some(true)),
            Some(_) => return Err(malformed()),
        };
        let (host, port) = server_of(server).ok_or_else(malformed)?;
        Ok(Self {
            is_turn,
            is_secure,
            by_tcp,
            host: host.to_owned(),
            port,
        })
    }
}

/// A host, and its port if there is one.
fn server_of(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if port.is_empty() => (host, None),
            None => return None,
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let unusual = |c: char| c.is_whitespace() || c.is_control() || "/@#\\".contains(c);
    if host.is_empty() || host.contains(unusual) {
        return None;
    }
    let number = |port: &str| {
        let is_plain = port.bytes().all(|byte| byte.is_ascii_digit());
        port.parse().ok().filter(|port| is_plain && *port != 0)
    };
    match port {
        None => Some((host, None)),
        Some(port) => Some((host, Some(number(port)?))),
    }
}
