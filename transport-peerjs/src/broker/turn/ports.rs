//! The sockets that are relayed from.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::ops::RangeInclusive;

use tokio::net::UdpSocket;

use super::config::TurnConfig;
use super::networks::is_public;

/// Ports that are tried before there is said to be none. Of a range of which nine in ten are taken
/// one in a thousand requests finds none of so many.
const TRIES: usize = 64;

/// An address to relay from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outside {
    /// The address that sockets are bound to.
    bound: IpAddr,
    /// The address that they have for everybody else.
    pub(crate) told: IpAddr,
}

/// The addresses to relay from: one of IPv4 and one of IPv6 at most.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    outsides: Vec<Outside>,
    range: RangeInclusive<u16>,
}

impl Ports {
    /// Those of a configuration, on a machine that has these addresses.
    pub(crate) fn new(config: &TurnConfig, own: &[IpAddr]) -> Self {
        let outside = |is_v4: bool| {
            let of_family = |ip: &&IpAddr| ip.is_ipv4() == is_v4;
            // An address of every interface of IPv6 takes clients of IPv4, too.
            let listens: Vec<IpAddr> = config.listen.iter().map(SocketAddr::ip).collect();
            let any: IpAddr = match is_v4 {
                true => [0, 0, 0, 0].into(),
                false => [0_u16; 8].into(),
            };
            let named = listens
                .iter()
                .find(|ip| of_family(ip) && !ip.is_unspecified());
            let is_any = listens
                .iter()
                .any(|ip| *ip == any || (is_v4 && ip.is_unspecified()));
            let public = config.public.iter().find(of_family).copied();
            match (named.copied(), public) {
                (Some(bound), told) => Some((bound, told.unwrap_or(bound))),
                (None, Some(told)) => Some((any, told)),
                (None, None) if is_any => best(own, is_v4).map(|ip| (ip, ip)),
                (None, None) => None,
            }
            .map(|(bound, told)| Outside { bound, told })
        };
        Self {
            outsides: [true, false].into_iter().filter_map(outside).collect(),
            range: config.ports.clone(),
        }
    }

    /// The addresses that everybody else comes to.
    pub(crate) fn told(&self) -> impl Iterator<Item = IpAddr> {
        self.outsides.iter().map(|outside| outside.told)
    }

    /// The address of a family, if there is one.
    pub(crate) fn outside(&self, is_v4: bool) -> Option<Outside> {
        let mut outsides = self.outsides.iter();
        outsides.find(|o| o.told.is_ipv4() == is_v4).copied()
    }

    /// A socket at a random port, if need be an even one, and its address for everybody else.
    pub(crate) fn open(
        &self,
        outside: Outside,
        is_even: bool,
    ) -> io::Result<(UdpSocket, SocketAddr)> {
        let (first, last) = (u32::from(*self.range.start()), u32::from(*self.range.end()));
        let count = last - first + 1;
        let start = getrandom::u32().map_err(|error| io::Error::other(error.to_string()))? % count;
        let mut fault = io::Error::from(io::ErrorKind::AddrInUse);
        let ports = (0..count).map(|step| first + (start + step) % count);
        let ports = ports.filter(|port| !is_even || port % 2 == 0);
        for port in ports.take(TRIES) {
            let port = u16::try_from(port).expect("it is between two ports");
            match StdSocket::bind((outside.bound, port)) {
                Ok(socket) => {
                    socket.set_nonblocking(true)?;
                    let told = SocketAddr::new(outside.told, port);
                    return Ok((UdpSocket::from_std(socket)?, told));
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => fault = error,
                Err(error) => return Err(error),
            }
        }
        Err(fault)
    }
}

/// The address that others are most likely to reach.
fn best(own: &[IpAddr], is_v4: bool) -> Option<IpAddr> {
    let of_family = || own.iter().filter(|ip| ip.is_ipv4() == is_v4).copied();
    let public = of_family().find(|ip| is_public(*ip));
    // Without a public address of IPv6 there is none: everybody has IPv4 on a network of their own.
    let others = || is_v4.then(|| of_family().find(|ip| !ip.is_loopback()));
    let loopback = || is_v4.then(|| of_family().next());
    public.or_else(|| others()?).or_else(|| loopback()?)
}

/// The addresses of this machine.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    // A system that does not tell them has only those that are configured.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(if_addrs::Interface::ip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("it is an address")
    }

    fn outsides(listen: &[&str], public: &[&str], own: &[&str]) -> Vec<(String, String)> {
        let listen = listen.iter().map(|ip| SocketAddr::new(self::ip(ip), 3478));
        let config = TurnConfig {
            listen: listen.collect(),
            public: public.iter().map(|ip| self::ip(ip)).collect(),
            ..TurnConfig::default()
        };
        let own: Vec<_> = own.iter().map(|ip| self::ip(ip)).collect();
        let ports = Ports::new(&config, &own);
        let outsides = ports.outsides.iter();
        outsides
            .map(|o| (o.bound.to_string(), o.told.to_string()))
            .collect()
    }

    #[test]
    fn it_relays_from_the_address_that_others_reach() {
        let of = |listen: &[&str], public: &[&str]| {
            let own = [
                "127.0.0.1",
                "10.0.0.5",
                "1.1.1.1",
                "::1",
                "fe80::1",
                "2606:4700::1",
            ];
            outsides(listen, public, &own)
        };
        let is = |bound: &str, told: &str| (bound.to_owned(), told.to_owned());
        assert_eq!(of(&["10.0.0.5"], &[]), [is("10.0.0.5", "10.0.0.5")]);
        assert_eq!(of(&["10.0.0.5"], &["9.9.9.9"]), [is("10.0.0.5", "9.9.9.9")]);
        assert_eq!(of(&["0.0.0.0"], &[]), [is("1.1.1.1", "1.1.1.1")]);
        assert_eq!(of(&["0.0.0.0"], &["9.9.9.9"]), [is("0.0.0.0", "9.9.9.9")]);
        let both = [is("1.1.1.1", "1.1.1.1"), is("2606:4700::1", "2606:4700::1")];
        assert_eq!(of(&["::"], &[]), both);
        assert_eq!(of(&["1.1.1.1", "2606:4700::1"], &[]), both);
        let local = |own: &[&str]| outsides(&["::"], &[], own);
        let with_lan = ["127.0.0.1", "10.0.0.5", "::1", "fd00::1"];
        assert_eq!(local(&with_lan), [is("10.0.0.5", "10.0.0.5")]);
        assert_eq!(local(&["127.0.0.1", "::1"]), [is("127.0.0.1", "127.0.0.1")]);
        assert_eq!(local(&[]), []);
    }
}
