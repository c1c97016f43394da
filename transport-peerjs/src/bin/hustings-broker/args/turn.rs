//! The settings of TURN.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use hustings_transport_peerjs::broker::{Network, Secret, TurnConfig, TurnLimits};

/// The port of TURN, by RFC 8656.
const PORT: u16 = 3478;

/// As in [`TurnConfig`].
#[derive(clap::Args)]
#[command(next_help_heading = "TURN, for peers who cannot reach each other")]
pub(crate) struct Turn {
    /// Relay between peers who cannot reach each other, for clients who come to this address by UDP
    /// and by TCP, and hand registered peers credentials for it. Without an address it is
    /// `[::]:3478`; may be repeated, or a list with commas
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "HUSTINGS_BROKER_TURN",
        value_delimiter = ',',
        num_args = 0..=1,
        default_missing_value = "[::]:3478",
        value_parser = address
    )]
    turn: Vec<SocketAddr>,
    /// The ports that it relays from, which a firewall has to let through by UDP
    #[arg(
        long,
        value_name = "FIRST-LAST",
        env = "HUSTINGS_BROKER_TURN_PORTS",
        default_value = "49152-65535",
        value_parser = ports
    )]
    turn_ports: RangeInclusive<u16>,
    /// The address by which everybody else reaches it, where that is a NAT's; one for IPv4 and one
    /// for IPv6, by repeating it or with a comma
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "HUSTINGS_BROKER_TURN_PUBLIC",
        value_delimiter = ','
    )]
    turn_public: Vec<IpAddr>,
    /// Relay to and from this network, too, which is not public, such as 10.0.0.0/8; may be
    /// repeated, or a list with commas
    #[arg(
        long,
        value_name = "NETWORK",
        env = "HUSTINGS_BROKER_TURN_ALLOW",
        value_delimiter = ','
    )]
    turn_allow: Vec<Network>,
    /// The secret that credentials are made with, which other processes can see in this one's
    /// arguments: better by the variable. Without it, a random one
    #[arg(
        long,
        value_name = "SECRET",
        env = "HUSTINGS_BROKER_TURN_SECRET",
        hide_env_values = true
    )]
    turn_secret: Option<Secret>,
    /// Another TURN server with the same secret, as coturn's static-auth-secret, to be told to
    /// peers beside this one, or in place of it; may be repeated, or a list with commas
    #[arg(
        long,
        value_name = "URL",
        env = "HUSTINGS_BROKER_TURN_URL",
        value_delimiter = ','
    )]
    turn_url: Vec<String>,
    /// The seconds that credentials are good for
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_BROKER_TURN_CREDENTIALS_FOR",
        default_value_t = 6 * 60 * 60
    )]
    turn_credentials_for: u64,
    /// Most relayed addresses, each of which is a port and a file descriptor
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_TURN_MAX_ALLOCATIONS",
        default_value_t = TurnLimits::default().max_allocations
    )]
    turn_max_allocations: usize,
    /// Relayed addresses of one peer
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_TURN_MAX_ALLOCATIONS_EACH",
        default_value_t = TurnLimits::default().max_allocations_each
    )]
    turn_max_allocations_each: usize,
    /// Most connections to it by TCP
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_BROKER_TURN_MAX_TCP",
        default_value_t = TurnLimits::default().max_tcp
    )]
    turn_max_tcp: usize,
    /// Bytes that are relayed for one peer in a second, on average; what is more is lost
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_TURN_BYTES_PER_SECOND",
        default_value_t = TurnLimits::default().bytes_per_second
    )]
    turn_bytes_per_second: u32,
    /// Bytes that are relayed for one peer in a burst
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_TURN_BYTE_BURST",
        default_value_t = TurnLimits::default().byte_burst
    )]
    turn_byte_burst: u32,
    /// Bytes that are relayed for all peers in a second, which they share
    #[arg(
        long,
        value_name = "BYTES",
        env = "HUSTINGS_BROKER_TURN_TOTAL_BYTES_PER_SECOND",
        default_value_t = TurnLimits::default().total_bytes_per_second
    )]
    turn_total_bytes_per_second: u32,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let ip = text.parse::<IpAddr>();
    let ip = ip.or_else(|_| {
        text.trim_matches(['[', ']'])
            .parse::<Ipv6Addr>()
            .map(IpAddr::V6)
    });
    ip.map(|ip| SocketAddr::new(ip, PORT))
        .map_err(|_| "use an IP address of this machine, with a port or without".to_owned())
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |text: &str| text.trim().parse::<u16>().ok();
    text.split_once('-')
        .and_then(|(first, last)| Some(port(first)?..=port(last)?))
        .ok_or_else(|| "use two ports with a line between them, such as 49152-65535".to_owned())
}

impl Turn {
    pub(super) fn into_config(self) -> TurnConfig {
        TurnConfig {
            listen: self.turn,
            ports: self.turn_ports,
            public: self.turn_public,
            allow: self.turn_allow,
            secret: self.turn_secret,
            urls: self.turn_url,
            credentials_for: Duration::from_secs(self.turn_credentials_for),
            limits: TurnLimits {
                max_allocations: self.turn_max_allocations,
                max_allocations_each: self.turn_max_allocations_each,
                max_tcp: self.turn_max_tcp,
                bytes_per_second: self.turn_bytes_per_second,
                byte_burst: self.turn_byte_burst,
                total_bytes_per_second: self.turn_total_bytes_per_second,
                ..TurnLimits::default()
            },
        }
    }
}
