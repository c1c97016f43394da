//! Settings: the signalling server, and the servers that help through firewalls.
//!
//! The server of the page sets them in its head; an address that is opened by hand can set others.
//!
//! | `<meta name=…>` | in the address | without it |
//! |---|---|---|
//! | `peerserver` | `?peerserver=https://0.peerjs.com/` | the server that the page came from |
//! | `ice-servers`: JSON as WebRTC takes it, or `none` | `?ice=none` | none on a local network, otherwise the library's |
//! | `relay-only`: `yes` | `?relay=only` | everybody connects directly where they can |
//! | `share` | | the page's own address: what the links that people share begin with |

use std::net::IpAddr;

use hustings_transport_peerjs::{Config, ConfigError, IceServer};

/// The parts of a server's address, as a browser tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) scheme: String,
    pub(crate) host: String,
    /// Absent where it is the scheme's own.
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
}

impl Server {
    /// The library's configuration for this server.
    ///
    /// # Errors
    ///
    /// `ice` is no list of servers, or has one that no browser would take.
    pub(crate) fn config(self, ice: Option<&str>, relay_only: bool) -> Result<Config, ConfigError> {
        let secure = matches!(self.scheme.as_str(), "https" | "wss");
        let config = Config::default();
        let ice_servers = match ice.map(str::trim).filter(|ice| !ice.is_empty()) {
            Some(ice) => ice_servers(ice)?,
            None if is_local(&self.host) => Vec::new(),
            None => config.ice_servers,
        };
        Ok(Config {
            host: self.host,
            port: self.port.unwrap_or(if secure { 443 } else { 80 }),
            path: self.path,
            secure,
            ice_servers,
            relay_only,
            ..config
        })
    }
}

/// The servers in a list such as `[{"urls": "turn:example.org", "username": "u", "credential":
/// "c"}]`; none if the text says `none`.
fn ice_servers(text: &str) -> Result<Vec<IceServer>, ConfigError> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let list = serde_json::from_str(text).map_err(|_| ConfigError::IceServers)?;
    IceServer::read_list(&list)
}

/// True if a host is on this machine or in its network, where nobody needs help to be reached.
fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str) -> Server {
        Server {
            scheme: "http".into(),
            host: host.into(),
            port: Some(8000),
            path: "/".into(),
        }
    }

    #[test]
    fn on_a_local_network_nobody_else_is_asked() {
        for host in ["localhost", "127.0.0.1", "192.168.1.7", "[::1]", "pi.local"] {
            assert_eq!(
                server(host).config(None, false).unwrap().ice_servers,
                [],
                "{host}"
            );
        }
        let public = server("polls.example.org").config(None, false).unwrap();
        assert_eq!(public.ice_servers, Config::default().ice_servers);
        assert_eq!(
            server("8.8.8.8")
                .config(Some("none"), false)
                .unwrap()
                .ice_servers,
            []
        );
    }

    #[test]
    fn the_scheme_says_port_and_security() {
        let config = Server {
            scheme: "https".into(),
            port: None,
            ..server("0.peerjs.com")
        }
        .config(None, false)
        .unwrap();
        assert_eq!((config.port, config.secure), (443, true));
        let config = server("localhost").config(None, false).unwrap();
        assert_eq!((config.port, config.secure), (8000, false));
    }

    #[test]
    fn an_address_is_shown_unless_somebody_asks_that_it_is_not() {
        for relay_only in [false, true] {
            let config = server("localhost").config(None, relay_only).unwrap();
            assert_eq!(config.relay_only, relay_only);
        }
    }

    #[test]
    fn relays_are_named_with_their_credentials() {
        let json = r#"[{"urls": ["turn:a", "turn:b"], "username": "u", "credential": "c"}, {"urls": "stun:d"}]"#;
        let servers = server("localhost")
            .config(Some(json), false)
            .unwrap()
            .ice_servers;
        assert_eq!(servers[0].urls, ["turn:a", "turn:b"]);
        assert_eq!(servers[0].username.as_deref(), Some("u"));
        assert_eq!(servers[0].credential.as_deref(), Some("c"));
        assert_eq!(servers[1], IceServer::new("stun:d"));
        // With less than was asked for, nobody would know why the others are not reached.
        for wrong in ["all", r#"{"urls": "stun:d"}"#, r#"[{"url": "stun:d"}]"#] {
            assert!(
                server("localhost").config(Some(wrong), false).is_err(),
                "{wrong}"
            );
        }
    }
}
