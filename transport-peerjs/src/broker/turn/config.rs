//! The settings of TURN.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::HEXLOWER;
use ipnet::IpNet;

/// The settings of TURN. As they are by default there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnConfig {
    /// The addresses at which it takes clients, by UDP and by TCP. Default none: it relays nothing.
    /// An address of every interface, such as `0.0.0.0`, is fine; port 0 is any free one.
    pub listen: Vec<SocketAddr>,
    /// The ports that it relays from. Default 49152–65535, the ones that are nobody's.
    pub ports: RangeInclusive<u16>,
    /// The addresses by which everybody else reaches those that it relays from, one for IPv4, one
    /// for IPv6: behind a NAT that passes all ports on they are the NAT's. Clients are then told to
    /// come to the first of them. Default none: the address that it listens at, or, if that is of
    /// every interface, the first public one of this machine, or else the first that is not
    /// loopback; clients come to the host by which they have called the broker.
    pub public: Vec<IpAddr>,
    /// Networks that it relays to and from, though they are not public. Default none. What is
    /// relayed from here reaches itself in any case.
    pub allow: Vec<Network>,
    /// The secret that credentials are made with. Default none: a random one, for as long as the
    /// process runs.
    pub secret: Option<Secret>,
    /// Other TURN servers, such as `turn:turn.example.org`, which have the same secret (coturn's
    /// `static-auth-secret`), for peers to use beside this one, or in place of it. Default none.
    pub urls: Vec<String>,
    /// The time that credentials are good for. Default 6 h. Peers ask for new ones in time; a link
    /// that was made with old ones ends some minutes after them, and is dialled anew.
    pub credentials_for: Duration,
    /// Bounds of what is granted.
    pub limits: TurnLimits,
}

impl Default for TurnConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            ports: 49_152..=65_535,
            public: Vec::new(),
            allow: Vec::new(),
            secret: None,
            urls: Vec::new(),
            credentials_for: Duration::from_secs(6 * 60 * 60),
            limits: TurnLimits::default(),
        }
    }
}

/// Bounds of what TURN grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    /// Most allocations, each of which is a port and a file descriptor. As with all that clients
    /// share, nobody's network address takes more of them than it leaves. Default 4,000.
    pub max_allocations: usize,
    /// Allocations of one peer. Default 1,000: a browser makes two for each connection, and an
    /// owner has one with each participant.
    pub max_allocations_each: usize,
    /// Addresses that one allocation may exchange datagrams with, and channels to these. Default
    /// 1,024: an owner that is a program may have one allocation for everybody.
    pub max_permissions_each: usize,
    /// The same of all allocations, shared like those. Default 65,536.
    pub max_permissions: usize,
    /// Most connections by TCP, shared in the same way. Default 2,000.
    pub max_tcp: usize,
    /// Bytes of one peer in a second, on average, both ways together. What is more is dropped, as
    /// on any link that is full. Default 1 MiB.
    pub bytes_per_second: u32,
    /// Bytes of one peer in a burst. Default 4 MiB.
    pub byte_burst: u32,
    /// Bytes of all peers in a second, in which each has an equal part. Default 32 MiB.
    pub total_bytes_per_second: u32,
    /// Answers in a second to one network address without credentials. Default 100. More is not
    /// answered: an address can be somebody else's.
    pub stranger_answers_per_second: u32,
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self {
            max_allocations: 4_000,
            max_allocations_each: 1_000,
            max_permissions_each: 1_024,
            max_permissions: 65_536,
            max_tcp: 2_000,
            bytes_per_second: 1024 * 1024,
            byte_burst: 4 * 1024 * 1024,
            total_bytes_per_second: 32 * 1024 * 1024,
            stranger_answers_per_second: 100,
        }
    }
}

impl TurnConfig {
    /// True if peers are told of a TURN server, of this one or of another.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.listen.is_empty() || !self.urls.is_empty()
    }

    /// The file descriptors that it may take.
    pub(crate) fn descriptors(&self) -> u64 {
        if self.listen.is_empty() {
            return 0;
        }
        let count = |places: usize| u64::try_from(places).unwrap_or(u64::MAX);
        // The listeners are among those that the broker has to spare.
        count(self.limits.max_allocations).saturating_add(count(self.limits.max_tcp))
    }

    /// Takes no more file descriptors than these.
    pub(crate) fn fit(&mut self, descriptors: u64) {
        if self.descriptors() > descriptors {
            let there = usize::try_from(descriptors).unwrap_or(usize::MAX);
            let limits = &mut self.limits;
            limits.max_tcp = limits.max_tcp.min(there / 3);
            limits.max_allocations = limits.max_allocations.min(there - limits.max_tcp);
        }
    }

    pub(crate) fn check(&self) -> Result<(), TurnError> {
        if self.ports.is_empty() || *self.ports.start() == 0 {
            let (start, end) = (*self.ports.start(), *self.ports.end());
            return Err(TurnError::Ports(start, end));
        }
        if !self.urls.is_empty() && self.secret.is_none() {
            return Err(TurnError::NoSecret);
        }
        if let Some(url) = self.urls.iter().find(|url| !crate::ice::is_turn_url(url)) {
            return Err(TurnError::Url(url.clone()));
        }
        for is_v4 in [true, false] {
            let of_family = self.public.iter().filter(|ip| ip.is_ipv4() == is_v4);
            if of_family.count() > 1 {
                return Err(TurnError::Public);
            }
        }
        if let Some(ip) = self.public.iter().find(|ip| ip.is_unspecified()) {
            return Err(TurnError::NotPublic(*ip));
        }
        if self.credentials_for < Duration::from_secs(MIN_CREDENTIALS_FOR) {
            return Err(TurnError::Lifetime(self.credentials_for.as_secs()));
        }
        Ok(())
    }
}

/// The shortest time, in seconds, that credentials may be good for.
const MIN_CREDENTIALS_FOR: u64 = 60;

/// The reason why there is no TURN.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// No port is in the range.
    #[error("no ports to relay from: {0}-{1}; use a range such as 49152-65535")]
    Ports(u16, u16),
    /// Other servers are named, and no secret that they share.
    #[error("the other TURN servers have a secret, and it is not given")]
    NoSecret,
    /// The secret is empty.
    #[error("the secret of TURN is empty")]
    EmptySecret,
    /// An address of another server is none.
    #[error(
        "not the address of a TURN server: {0:?}; use turn:host:port, or turn:host:port?transport=tcp"
    )]
    Url(String),
    /// Two public addresses of one family.
    #[error("more than one public address for TURN: use one for IPv4 and one for IPv6 at most")]
    Public,
    /// A public address at which nobody can be reached.
    #[error("not a public address for TURN: {0}")]
    NotPublic(IpAddr),
    /// It listens at every interface, and this machine tells no address of one.
    #[error(
        "no address of this machine is known for TURN: name the one to listen at, or the public one"
    )]
    NoAddress,
    /// A network is not written as one.
    #[error("not a network: {0:?}; use an address, or a network such as 10.0.0.0/8")]
    Network(String),
    /// Credentials would be over before they are used.
    #[error("credentials for {0} s are of no use: at least {MIN_CREDENTIALS_FOR} s are")]
    Lifetime(u64),
    /// The system gives no random numbers for a secret.
    #[error("no random numbers for TURN: {0}")]
    Random(String),
    /// The address cannot be listened at.
    #[error("cannot listen for TURN at {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
}

/// The secret that credentials are made with. It is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that others have, too.
    ///
    /// # Errors
    ///
    /// [`TurnError::EmptySecret`].
    pub fn new(text: impl Into<String>) -> Result<Self, TurnError> {
        let text = text.into();
        if text.is_empty() {
            return Err(TurnError::EmptySecret);
        }
        Ok(Self(text))
    }

    /// A secret of 32 random bytes.
    pub(crate) fn random() -> Result<Self, TurnError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| TurnError::Random(error.to_string()))?;
        Ok(Self(HEXLOWER.encode(&bytes)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Secret {
    type Err = TurnError;

    fn from_str(text: &str) -> Result<Self, TurnError> {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A network, such as `10.0.0.0/8`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = TurnError;

    fn from_str(text: &str) -> Result<Self, TurnError> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text
                .parse()
                .map_err(|_| TurnError::Network(text.to_owned()))?,
        };
        Ok(Self(network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(config: TurnConfig) -> String {
        config.check().expect_err("it is wrong").to_string()
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges, reason = "it is one of the faults")]
    fn what_is_wrong_is_said() {
        assert!(TurnConfig::default().check().is_ok());
        let with = |change: &dyn Fn(&mut TurnConfig)| {
            let mut config = TurnConfig::default();
            change(&mut config);
            fault(config)
        };
        assert!(with(&|c| c.ports = 9..=8).contains("no ports"));
        assert!(with(&|c| c.ports = 0..=8).contains("no ports"));
        assert!(with(&|c| c.urls = vec!["turn:a".into()]).contains("secret"));
        assert!(with(&|c| c.credentials_for = Duration::ZERO).contains("at least 60 s"));
        assert!(with(&|c| c.public = vec![[0, 0, 0, 0].into()]).contains("public address"));
        let two = vec![[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        assert!(with(&|c| c.public.clone_from(&two)).contains("more than one"));
        let stun = |c: &mut TurnConfig| {
            c.secret = Some(Secret::new("s").expect("it is one"));
            c.urls = vec!["stun:a".into()];
        };
        assert!(with(&stun).contains("\"stun:a\""));
        assert!(Secret::new("").is_err());
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }

    #[test]
    fn it_takes_as_many_descriptors_as_there_are() {
        let mut config = TurnConfig::default();
        assert_eq!(config.descriptors(), 0, "it is off");
        config.listen = vec![([0, 0, 0, 0], 3478).into()];
        assert_eq!(config.descriptors(), 6_000);
        for there in [u64::MAX, 6_000, 300, 1, 0] {
            config.fit(there);
            assert!(config.descriptors() <= there);
        }
    }

    #[test]
    fn a_network_is_one_or_an_address() {
        let contains = |network: &str, address: &str| {
            let network: Network = network.parse().expect("it is one");
            network.contains(address.parse().expect("it is an address"))
        };
        assert!(contains("10.0.0.0/8", "10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "11.1.2.3"));
        assert!(contains("::1", "::1"));
        assert!(contains("127.0.0.1", "127.0.0.1") && !contains("127.0.0.1", "127.0.0.2"));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hush").expect("it is one");
        assert!(!format!("{secret:?}").contains("hush"));
    }
}
