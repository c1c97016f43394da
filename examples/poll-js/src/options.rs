//! The options of `Hustings.open`.

use hustings_transport_peerjs::{Config, IceServer};
use serde::Deserialize;

/// See `types.ts`. An unknown name is an error: with a typo a default would be used instead.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Options {
    pub(crate) profile: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    path: Option<String>,
    key: Option<String>,
    secure: Option<bool>,
    ice_servers: Option<Vec<Server>>,
}

#[derive(Debug, Deserialize)]
struct Server {
    urls: Urls,
    username: Option<String>,
    credential: Option<String>,
}

/// As WebRTC takes them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Urls {
    One(String),
    Many(Vec<String>),
}

impl Options {
    /// The configuration of the signalling server.
    pub(crate) fn peerjs(self) -> Config {
        let default = Config::default();
        Config {
            host: self.host.unwrap_or(default.host),
            port: self.port.unwrap_or(default.port),
            path: self.path.unwrap_or(default.path),
            key: self.key.unwrap_or(default.key),
            secure: self.secure.unwrap_or(default.secure),
            ice_servers: self.ice_servers.map_or(default.ice_servers, |servers| {
                servers.into_iter().map(IceServer::from).collect()
            }),
            ..Config::default()
        }
    }
}

impl From<Server> for IceServer {
    fn from(server: Server) -> Self {
        Self {
            urls: match server.urls {
                Urls::One(url) => vec![url],
                Urls::Many(urls) => urls,
            },
            username: server.username,
            credential: server.credential,
        }
    }
}
