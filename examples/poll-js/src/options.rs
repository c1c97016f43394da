//! The options of `Hustings.open`.

use hustings_transport_peerjs::{Config, ConfigError, IceServer};
use serde::Deserialize;
use serde_json::Value;

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
    ice_servers: Option<Value>,
    relay_only: Option<bool>,
}

impl Options {
    /// The configuration of the signalling server.
    ///
    /// # Errors
    ///
    /// One of the ICE servers is none that a browser would take.
    pub(crate) fn peerjs(self) -> Result<Config, ConfigError> {
        let default = Config::default();
        let ice_servers = self.ice_servers.map(|list| IceServer::read_list(&list));
        Ok(Config {
            host: self.host.unwrap_or(default.host),
            port: self.port.unwrap_or(default.port),
            path: self.path.unwrap_or(default.path),
            key: self.key.unwrap_or(default.key),
            secure: self.secure.unwrap_or(default.secure),
            ice_servers: ice_servers.unwrap_or(Ok(default.ice_servers))?,
            relay_only: self.relay_only.unwrap_or(default.relay_only),
            ..Config::default()
        })
    }
}
