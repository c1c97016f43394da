//! TURN: relaying datagrams for peers who cannot reach each other.
//!
//! A [`TurnConfig`] with an address in it makes the broker relay, and its peers are told so on
//! their own socket, with credentials that are good for some hours. The credentials are those of
//! coturn's REST scheme, of a secret that nobody else has to know: nothing of a user is kept.
//!
//! - [`config`] is what can be set; [`issue`] and [`credentials`] are what peers are handed;
//! - [`nonces`] challenges strangers without keeping anything, and [`strangers`] not too often;
//! - [`networks`] says whom may be relayed to and from;
//! - [`allocation`], [`table`] and [`usage`] are what is granted, and to whom;
//! - [`server`] answers requests, and [`relay`] passes datagrams on;
//! - [`listeners`] and [`tcp`] are the ways in, [`ports`] the way out.
//!
//! The messages are read and written by `turn-types`. Its sibling `turn-server-proto` is not used:
//! it keeps a nonce and a hash table for whoever sends it a datagram, grants any number of
//! permissions and channels, cannot refuse an address or a quota, walks all of its clients for each
//! datagram, and by TCP leaves out what fills a channel's data up to a multiple of four (RFC 8656,
//! 12.5).

mod allocation;
mod config;
mod credentials;
mod issue;
mod listeners;
mod networks;
mod nonces;
mod ports;
mod relay;
mod replies;
mod server;
mod strangers;
mod table;
mod tcp;
mod usage;

pub use self::config::{Network, Secret, TurnConfig, TurnError, TurnLimits};
pub(crate) use self::issue::Issuer;
pub(crate) use self::listeners::{Turn, TurnWatched};
pub(crate) use self::table::TurnAmounts;
