//! Showing a signalling server whose an address is.
//!
//! An address is a key, so whoever has it can sign for it. That is an extension of PeerServer's
//! protocol: a client says in its URL that it can, a server that knows what this means sends a
//! nonce before it says OPEN, and the client answers with a signature. Other servers ignore the
//! word in the URL, and other clients do not say it.
//!
//! The signed text names the server by the host that the client connects to. So a server that passes
//! on the nonce of another gets a signature that is of no use there.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hustings_protocol::Address;
use hustings_protocol::handshake::{Nonce, Signature};

use super::messages::ToServer;
use crate::config::Config;

/// The word in a socket's URL, by its name and its value.
pub(crate) const PARAMETER: (&str, &str) = ("proof", "ed25519");

/// The type of the server's message with the nonce.
pub(crate) const NONCE: &str = "HUSTINGS-NONCE";

/// The type of the client's message with the signature.
pub(crate) const PROOF: &str = "HUSTINGS-PROOF";

/// Everything that is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub(crate) address: Address,
    pub(crate) token: &'a str,
    pub(crate) nonce: Nonce,
    /// The server's host as in a `Host` header: in lower case, with its port unless that is the
    /// scheme's own.
    pub(crate) host: &'a str,
}

impl Statement<'_> {
    /// Each field with its length before it (32 bits, big-endian), all of them text.
    fn bytes(&self) -> Vec<u8> {
        let (address, nonce) = (self.address.to_string(), self.nonce.to_string());
        let domain = "hustings/2/registration";
        let mut bytes = Vec::with_capacity(512);
        for field in [domain, &address, self.token, &nonce, self.host] {
            // Every field is far below 4 GiB; a saturated length would only make a signature that
            // fails.
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        bytes
    }

    fn sign(&self, key: &SigningKey) -> Signature {
        Signature::from_bytes(key.sign(&self.bytes()).to_bytes())
    }

    /// True if the holder of the address's key has signed this.
    #[cfg_attr(
        not(all(feature = "broker", not(target_family = "wasm"))),
        allow(dead_code, reason = "only a server is shown a signature")
    )]
    pub(crate) fn is_signed(&self, signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        // Not keys and signatures of small order, with which one fits many statements.
        VerifyingKey::from_bytes(self.address.peer().as_bytes())
            .and_then(|key| key.verify_strict(&self.bytes(), &signature))
            .is_ok()
    }
}

/// The answers of one address to one server.
pub(crate) struct Prover {
    key: SigningKey,
    address: Address,
    token: String,
    host: String,
}

impl Prover {
    pub(crate) fn new(key: &SigningKey, address: Address, token: &str, config: &Config) -> Self {
        Self {
            key: key.clone(),
            address,
            token: token.to_owned(),
            host: host(config),
        }
    }

    pub(crate) fn answer(&self, nonce: Nonce) -> ToServer {
        let statement = Statement {
            address: self.address,
            token: &self.token,
            nonce,
            host: &self.host,
        };
        ToServer::Proof {
            signature: statement.sign(&self.key),
            host: self.host.clone(),
        }
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the token: this ends up in logs.
        f.debug_struct("Prover")
            .field("address", &self.address)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// The server's host, as browsers write it into a `Host` header.
fn host(config: &Config) -> String {
    let own = if config.secure { 443 } else { 80 };
    let host = config.host.to_ascii_lowercase();
    if config.port == own {
        host
    } else {
        format!("{host}:{}", config.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hustings_protocol::{DeviceId, PeerId};

    #[test]
    fn a_signature_fits_what_was_signed_and_nothing_else() {
        let [key, other] = [1, 2].map(|n| SigningKey::from_bytes(&[n; 32]));
        let peer = PeerId::of(&key);
        let statement = Statement {
            address: Address::Owner(peer),
            token: "t",
            nonce: Nonce::from_bytes([3; 32]),
            host: "polls.example",
        };
        let signature = statement.sign(&key);
        assert!(statement.is_signed(&signature));
        assert!(!statement.is_signed(&statement.sign(&other)));
        for changed in [
            Statement {
                address: Address::Participant(peer, DeviceId::from_bytes([0; 5])),
                ..statement
            },
            Statement {
                address: Address::Owner(PeerId::of(&other)),
                ..statement
            },
            Statement {
                token: "u",
                ..statement
            },
            Statement {
                nonce: Nonce::from_bytes([4; 32]),
                ..statement
            },
            Statement {
                host: "polls.example:9000",
                ..statement
            },
            // The same letters in other fields.
            Statement {
                token: "",
                host: "tpolls.example",
                ..statement
            },
        ] {
            assert!(!changed.is_signed(&signature), "{changed:?}");
        }
    }

    #[test]
    fn a_key_with_which_one_signature_fits_everything_proves_nothing() {
        // The neutral element, and a signature that holds for it whatever is signed.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let statement = Statement {
            address: Address::Owner(PeerId::from_bytes(neutral)),
            token: "t",
            nonce: Nonce::from_bytes([3; 32]),
            host: "polls.example",
        };
        assert!(!statement.is_signed(&Signature::from_bytes(signature)));
    }

    #[test]
    fn the_host_is_as_browsers_write_it() {
        let of = |host: &str, port, secure| {
            super::host(&Config {
                host: host.into(),
                port,
                secure,
                ..Config::default()
            })
        };
        assert_eq!(of("Polls.example", 443, true), "polls.example");
        assert_eq!(of("polls.example", 443, false), "polls.example:443");
        assert_eq!(of("localhost", 9000, false), "localhost:9000");
        assert_eq!(of("[::1]", 80, false), "[::1]");
    }
}
