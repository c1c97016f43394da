//! The addresses that datagrams may be relayed to and from.
//!
//! A relay that reaches its own machine and the networks behind it is a door into them, so only
//! what is public is let through, unless somebody says otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::config::Network;

/// The addresses that may be relayed to and from.
#[derive(Debug)]
pub(crate) struct Networks {
    allowed: Vec<Network>,
    /// This machine's own, at which other services of its may listen.
    own: Vec<IpAddr>,
}

impl Networks {
    pub(crate) fn new(allowed: Vec<Network>, own: Vec<IpAddr>) -> Self {
        Self { allowed, own }
    }

    /// True if datagrams may go to this address, and come from it.
    pub(crate) fn may_reach(&self, address: IpAddr) -> bool {
        let address = inner(address);
        if self.allowed.iter().any(|n| n.contains(address)) {
            return true;
        }
        is_public(address) && !self.own.contains(&address)
    }
}

/// The IPv4 address that an IPv6 address is another form of: mapped, or translated by NAT64 or
/// 6to4.
/// Otherwise the address itself.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let of = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        IpAddr::from([a, b, c, d])
    };
    match [a, b, c, d, e, f] {
        // ::/96, IPv4-compatible, but for :: and ::1.
        [0, 0, 0, 0, 0, 0] if (g, h) > (0, 1) => of(g, h),
        // 64:ff9b::/96, NAT64.
        [0x64, 0xff9b, 0, 0, 0, 0] => of(g, h),
        // 2002::/16, 6to4.
        [0x2002, high, low, _, _, _] => of(high, low),
        _ => address,
    }
}

/// True for an address that anybody on the Internet may have. The registries of RFC 6890 say which
/// are not.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_reserved = a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !(is_reserved
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // 2000::/3 is all that has been given out, less what is set aside in it.
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && b < 0x200)
        && !(a == 0x2001 && b == 0xdb8)
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(allowed: &[&str], own: &[&str]) -> Networks {
        let allowed = allowed.iter().map(|n| n.parse().expect("a network"));
        let own = own.iter().map(|ip| ip.parse().expect("an address"));
        Networks::new(allowed.collect(), own.collect())
    }

    fn reaches(networks: &Networks, address: &str) -> bool {
        networks.may_reach(address.parse().expect("it is an address"))
    }

    #[test]
    fn what_is_public_is_reached_and_nothing_else() {
        let all = networks(&[], &[]);
        for address in [
            "1.1.1.1",
            "100.63.0.1",
            "172.15.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
        ] {
            assert!(reaches(&all, address), "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "::7f00:1",
            "64:ff9b::10.0.0.1",
            "2002:0a00:0001::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "3fff::1",
        ] {
            assert!(!reaches(&all, address), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_reached_in_all_its_forms() {
        let some = networks(&["10.1.0.0/16", "::1", "192.168.1.1"], &[]);
        for address in [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "64:ff9b::10.1.2.3",
            "::1",
            "192.168.1.1",
        ] {
            assert!(reaches(&some, address), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "192.168.1.2"] {
            assert!(!reaches(&some, address), "{address}");
        }
    }

    #[test]
    fn this_machine_is_not_reached_by_its_public_address() {
        let own = networks(&[], &["1.1.1.1"]);
        assert!(!reaches(&own, "1.1.1.1") && !reaches(&own, "::ffff:1.1.1.1"));
        assert!(reaches(&own, "1.1.1.2"));
        assert!(reaches(&networks(&["1.1.1.1"], &["1.1.1.1"]), "1.1.1.1"));
    }
}
