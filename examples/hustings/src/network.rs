//! The signalling server, and a transport at an address.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use axum::http::Uri;
use hustings_outbox::Identity;
use hustings_protocol::Address;
use hustings_room::clock::SystemClock;
use hustings_transport_peerjs::wire::RegistrationState;
use hustings_transport_peerjs::{
    Budget, Config, IceServer, Listen, NativeConfig, PeerJs, RootCertificate, Status, Token,
    WireLimits,
};
use tokio::time::timeout;

use crate::cli;
use crate::failure::Failure;

/// The place where people meet.
#[derive(Debug)]
pub(crate) struct Network {
    config: Config,
    native: NativeConfig,
    /// As people write it.
    pub(crate) server: String,
}

/// The signalling server of whoever names none.
const DEFAULT_SERVER: &str = "http://localhost:9000/";

/// Connections beside those of the people who are let in: handshakes, and strangers.
const OTHERS: usize = 1_500;

impl Network {
    /// The network of these flags; `hint` is the web address of the poll.
    pub(crate) fn new(args: &cli::Network, hint: Option<&str>) -> Result<Self, Failure> {
        let server = args.server.as_deref().or(hint).unwrap_or(DEFAULT_SERVER);
        let mut config = server_config(server)?;
        config.key.clone_from(&args.server_key);
        config.relay_only = args.relay_only;
        if let Some(list) = &args.ice_servers {
            let list = serde_json::from_str(list).map_err(Failure::IceServers)?;
            config.ice_servers = IceServer::read_list(&list).map_err(Failure::Setting)?;
        }
        let listen = Listen {
            port: args.udp_port,
            addresses: args.address.clone(),
        };
        let roots = args.ca.as_deref().map(roots).transpose()?;
        Ok(Self {
            config,
            native: NativeConfig {
                listen,
                roots: roots.unwrap_or_default(),
            },
            server: server.to_owned(),
        })
    }

    /// Lets in as many at a time as this, and as many new ones as a program bears.
    pub(crate) fn with_links(mut self, max_links: usize) -> Self {
        self.config.limits = WireLimits {
            max_connections: max_links.saturating_add(OTHERS),
            ..WireLimits::native()
        };
        self.config.budget = Budget::native();
        self
    }

    /// Gives a link that is hung up so long to send what waits on it.
    pub(crate) const fn with_linger(mut self, linger: Duration) -> Self {
        self.config.timing.linger = linger;
        self
    }

    /// Opens a transport at an address of this identity.
    pub(crate) fn open(&self, identity: &Identity, address: &Address) -> Result<PeerJs, Failure> {
        let token = Token::new(identity.token()).map_err(Failure::Setting)?;
        // Nobody else gets this address from a server that asks for a proof.
        let token = token.with_key(identity.signing_key());
        let config = &self.config;
        let opened = PeerJs::open_with(&self.native, config, address, &token, SystemClock::new());
        Ok(opened?)
    }

    /// The failure where there was no link: the server's, if it was never reached.
    pub(crate) fn no_server(&self, status: &Status) -> Option<Failure> {
        let said = match status.registration()? {
            RegistrationState::Registered
            | RegistrationState::Yielded { .. }
            | RegistrationState::AddressTaken { .. } => return None,
            RegistrationState::Connecting => None,
            RegistrationState::Disconnected { fault, .. } => fault.map(|fault| fault.to_string()),
            RegistrationState::Failed(error) => Some(error.to_string()),
        };
        let fault = || status.signalling_fault().map(|fault| fault.to_string());
        let why = said.or_else(fault);
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        Some(Failure::NoServer {
            server: self.server.clone(),
            why,
        })
    }
}

/// The registration in a word, for programs, and what there is to say about it.
pub(crate) fn registration(status: &Status) -> (&'static str, Option<String>) {
    match status.registration() {
        None => ("gone", None),
        Some(RegistrationState::Connecting) => ("connecting", None),
        Some(RegistrationState::Registered) => ("registered", None),
        Some(RegistrationState::AddressTaken { .. }) => (
            "address-taken",
            Some("somebody else is registered with this identity's address".into()),
        ),
        Some(RegistrationState::Yielded { .. }) => (
            "yielded",
            Some("a copy of this identity has taken the address over".into()),
        ),
        Some(RegistrationState::Disconnected { fault, .. }) => {
            let said = fault.map(|fault| fault.to_string());
            let fault = || status.signalling_fault().map(|fault| fault.to_string());
            ("disconnected", said.or_else(fault))
        }
        Some(RegistrationState::Failed(error)) => ("failed", Some(error.to_string())),
    }
}

/// Waits until a transport that was dropped has sent what it had, for at most this long. True if it
/// has.
pub(crate) async fn gone(status: &Status, at_most: Duration) -> bool {
    timeout(at_most, status.gone()).await.is_ok()
}

/// Most bytes of a file of certificates.
const MAX_CA: u64 = 4 << 20;

/// Reads the certificates of a PEM file.
fn roots(path: &Path) -> Result<Vec<RootCertificate>, Failure> {
    let mut pem = Vec::new();
    let file = File::open(path).map_err(Failure::file(path))?;
    let read = file.take(MAX_CA).read_to_end(&mut pem);
    read.map_err(Failure::file(path))?;
    RootCertificate::read_pem(&pem).map_err(|error| Failure::Ca {
        path: path.to_owned(),
        error,
    })
}

/// Reads the address of a signalling server.
fn server_config(text: &str) -> Result<Config, Failure> {
    let wrong = || Failure::Server(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let (secure, default_port) = match uri.scheme_str() {
        Some("http" | "ws") => (false, 80),
        Some("https" | "wss") => (true, 443),
        Some(_) | None => return Err(wrong()),
    };
    let authority = uri.authority().ok_or_else(wrong)?;
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err(wrong());
    }
    Ok(Config {
        host: authority.host().to_owned(),
        port: authority.port_u16().unwrap_or(default_port),
        path: uri.path().to_owned(),
        secure,
        ..Config::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_of_the_web() {
        let config = server_config("http://localhost:9000/").unwrap();
        assert_eq!(
            (&*config.host, config.port, config.secure),
            ("localhost", 9000, false)
        );
        let config = server_config("https://polls.example.org/meet").unwrap();
        assert_eq!(
            (&*config.path, config.port, config.secure),
            ("/meet", 443, true)
        );
        for wrong in [
            "",
            "localhost:9000",
            "ftp://a",
            "http://u:p@a/",
            "http://a/?x",
        ] {
            let refused = server_config(wrong);
            assert!(matches!(refused, Err(Failure::Server(_))), "{wrong}");
        }
    }
}
