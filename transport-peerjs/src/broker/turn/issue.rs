//! The servers and credentials that registered peers are handed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::{Secret, TurnConfig};
use super::credentials::Credentials;
use super::server::unix_time;
use crate::wire::ice_servers::{ICE, PARAMETER};
use crate::wire::signalling::is_host;

/// Makes credentials for peers.
#[derive(Debug)]
pub(crate) struct Issuer {
    secret: Secret,
    lasts: Duration,
    /// The other servers.
    urls: Vec<String>,
    own: Option<Own>,
}

/// This process's own server.
#[derive(Debug)]
struct Own {
    port: u16,
    /// The address to say, whatever the client has called.
    said: Option<IpAddr>,
    /// The address to say to a client of which nobody knows whom it has called.
    otherwise: Option<IpAddr>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    payload: Payload<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    ice_servers: Vec<IceServer<'a>>,
    /// The seconds that they are good for.
    lifetime: u64,
}

#[derive(Serialize)]
struct IceServer<'a> {
    urls: Vec<String>,
    username: &'a str,
    credential: &'a str,
}

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

impl Issuer {
    pub(crate) fn new(
        config: &TurnConfig,
        secret: Secret,
        at: Option<SocketAddr>,
        relays_from: Option<IpAddr>,
    ) -> Self {
        let own = at.map(|at| {
            let ip = at.ip();
            let named = (!ip.is_unspecified()).then_some(ip);
            Own {
                port: at.port(),
                said: config.public.first().copied().or(named),
                otherwise: relays_from,
            }
        });
        Self {
            secret,
            lasts: config.credentials_for,
            urls: config.urls.clone(),
            own,
        }
    }

    /// True if a message asks for servers.
    pub(crate) fn is_asked(text: &str) -> bool {
        // Most messages are something else, and are read once.
        text.contains(ICE)
            && serde_json::from_str::<Asked<'_>>(text).is_ok_and(|asked| asked.kind == ICE)
    }

    /// True if this is what a client says in its socket's URL that wants to be handed servers.
    pub(crate) fn is_wanted(parameter: Option<&str>) -> bool {
        parameter == Some(PARAMETER.1)
    }

    /// The message with servers for a peer. `called` is the host that it has called the broker by.
    pub(crate) fn message(&self, peer: &str, called: Option<&str>) -> String {
        let until = unix_time().saturating_add(self.lasts.as_secs());
        let credentials = Credentials::new(&self.secret, peer, until);
        let mut urls = self.own_urls(called);
        urls.extend(self.urls.iter().cloned());
        let server = IceServer {
            urls,
            username: &credentials.username,
            credential: &credentials.password,
        };
        let said = Said {
            kind: ICE,
            payload: Payload {
                ice_servers: vec![server],
                lifetime: self.lasts.as_secs(),
            },
        };
        serde_json::to_string(&said).expect("texts and numbers make JSON")
    }

    fn own_urls(&self, called: Option<&str>) -> Vec<String> {
        let Some(own) = &self.own else {
            return Vec::new();
        };
        let host = match own.said {
            Some(said) => Some(host(said)),
            None => called.and_then(name).or_else(|| own.otherwise.map(host)),
        };
        let Some(host) = host else {
            return Vec::new();
        };
        let url = |transport| format!("turn:{host}:{}?transport={transport}", own.port);
        ["udp", "tcp"].map(url).into()
    }
}

fn host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// The host of a `Host` header, without its port.
fn name(called: &str) -> Option<String> {
    let host = match called.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && is_host(host) => host,
        Some(_) | None => called,
    };
    is_host(host).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(listen: &str, public: &[&str], called: Option<&str>) -> Vec<String> {
        let at: SocketAddr = listen.parse().expect("an address");
        let config = TurnConfig {
            listen: vec![at],
            public: public
                .iter()
                .map(|ip| ip.parse().expect("an address"))
                .collect(),
            ..TurnConfig::default()
        };
        let secret = Secret::new("s").expect("it is one");
        let issuer = Issuer::new(&config, secret, Some(at), Some([10, 0, 0, 5].into()));
        issuer.own_urls(called)
    }

    #[test]
    fn clients_come_to_where_they_have_come_before() {
        let first = |listen, public: &[&str], called| urls(listen, public, called)[0].clone();
        let any = "0.0.0.0:3478";
        for (called, host) in [
            (Some("polls.example:9000"), "polls.example"),
            (Some("polls.example"), "polls.example"),
            (Some("[::1]:9000"), "[::1]"),
            (Some("[::1]"), "[::1]"),
            (Some("a/b"), "10.0.0.5"),
            (Some("a\"b:1"), "10.0.0.5"),
            (None, "10.0.0.5"),
        ] {
            let url = format!("turn:{host}:3478?transport=udp");
            assert_eq!(first(any, &[], called), url, "{called:?}");
        }
        let called = Some("polls.example");
        assert_eq!(
            first(any, &["1.1.1.1"], called),
            "turn:1.1.1.1:3478?transport=udp"
        );
        assert_eq!(
            first("[2606:4700::1]:99", &[], called),
            "turn:[2606:4700::1]:99?transport=udp"
        );
        assert_eq!(
            urls(any, &[], called)[1],
            "turn:polls.example:3478?transport=tcp"
        );
    }

    #[test]
    fn a_request_is_told_from_a_message_with_the_word_in_it() {
        assert!(Issuer::is_asked(r#"{"type":"HUSTINGS-ICE"}"#));
        for text in [
            "HUSTINGS-ICE",
            r#"{"type":"OFFER","dst":"HUSTINGS-ICE"}"#,
            "{}",
        ] {
            assert!(!Issuer::is_asked(text), "{text}");
        }
    }
}
