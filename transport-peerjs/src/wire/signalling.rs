//! The URL of the signalling server's socket.

use hustings_protocol::Address;

use super::ice_servers;
use super::proof::PARAMETER;
use crate::config::{Config, ConfigError, Token, is_url_safe, normal_path};

/// The version of PeerJS whose wire this is. Servers log it.
pub const PEERJS_VERSION: &str = "1.5.5";

/// The word in the URL of a socket that only asks if an id is free. A server that knows it registers
/// nobody; another does, for as long as the socket is open, with a token that nobody has.
pub(crate) const PROBE: (&str, &str) = ("probe", "1");

/// The URL of the socket by which `address` registers. With a key it says that this side can show
/// that the address is its own, and in any case that it takes STUN and TURN servers; servers that
/// know of neither ignore both.
///
/// # Errors
///
/// [`ConfigError`] if the host, the path or the key would have to be escaped, which PeerJS does not
/// do.
pub fn socket_url(
    config: &Config,
    address: &Address,
    token: &Token,
) -> Result<String, ConfigError> {
    let Config {
        host, port, key, ..
    } = config;
    if !is_host(host) {
        return Err(ConfigError::Host(host.clone()));
    }
    if !is_url_safe(key) {
        return Err(ConfigError::Key(key.clone()));
    }
    let scheme = if config.secure { "wss" } else { "ws" };
    let path = normal_path(&config.path)?;
    let proof = match (token.key(), PARAMETER) {
        (Some(_), (name, value)) => format!("&{name}={value}"),
        (None, _) => String::new(),
    };
    let (ice, takes) = ice_servers::PARAMETER;
    let token = token.as_str();
    Ok(format!(
        "{scheme}://{host}:{port}{path}peerjs?key={key}&id={address}&token={token}&version={PEERJS_VERSION}&{ice}={takes}{proof}"
    ))
}

/// True if a text is a host name, an IPv4 address or an IPv6 address in brackets.
pub(crate) fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| {
            !address.is_empty()
                && address
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
        }),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hustings_protocol::{DeviceId, PeerId};

    fn url(config: &Config) -> Result<String, ConfigError> {
        let address =
            Address::Participant(PeerId::from_bytes([0; 32]), DeviceId::from_bytes([0; 5]));
        socket_url(config, &address, &Token::new("t0k").unwrap())
    }

    #[test]
    fn it_is_the_url_of_peerjs() {
        let id = format!("{}-aaaaaaaa", "a".repeat(52));
        assert_eq!(
            url(&Config::default()).unwrap(),
            format!("ws://localhost:9000/peerjs?key=peerjs&id={id}&token=t0k&version=1.5.5&ice=1")
        );
        let config = Config {
            host: "[::1]".into(),
            port: 443,
            path: "a/b".into(),
            key: "k".into(),
            secure: true,
            ..Config::default()
        };
        assert_eq!(
            url(&config).unwrap(),
            format!("wss://[::1]:443/a/b/peerjs?key=k&id={id}&token=t0k&version=1.5.5&ice=1")
        );
    }

    #[test]
    fn what_would_need_escaping_is_refused() {
        for host in ["", "http://x", "x/y", "x:1", "a b", "[]", "[x]"] {
            let config = Config {
                host: host.into(),
                ..Config::default()
            };
            assert_eq!(url(&config), Err(ConfigError::Host(host.into())));
        }
        let config = Config {
            key: "a&b".into(),
            ..Config::default()
        };
        assert_eq!(url(&config), Err(ConfigError::Key("a&b".into())));
    }
}
