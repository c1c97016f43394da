//! One allocation: whom it may exchange datagrams with, and for how long.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use turn_types::stun::message::TransactionId;

use super::super::pool::{Held, Pool, Source};

/// The time that a permission is good for, by RFC 8656.
const PERMISSION: Duration = Duration::from_secs(5 * 60);
/// The time that a channel is good for, likewise.
const CHANNEL: Duration = Duration::from_secs(10 * 60);

/// A client, by the way that it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client {
    /// By UDP: the number of the listener, and where its datagrams come from.
    Udp(usize, SocketAddr),
    /// By TCP: the number of its connection, and where that is from.
    Tcp(u64, SocketAddr),
}

impl Client {
    /// The address that it seems to have.
    pub(crate) fn remote(&self) -> SocketAddr {
        let (Self::Udp(_, remote) | Self::Tcp(_, remote)) = *self;
        SocketAddr::new(remote.ip().to_canonical(), remote.port())
    }

    pub(crate) fn source(&self) -> Source {
        Source::from(self.remote().ip())
    }
}

/// The way back to a client. What finds no room there is lost, as on any link.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    Udp(Arc<UdpSocket>, SocketAddr),
    Tcp(mpsc::Sender<Vec<u8>>),
}

impl Way {
    /// The rest of a message on this way: a channel's data have a length that is a multiple of four
    /// on a stream.
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    pub(crate) fn send(&self, bytes: Vec<u8>) {
        match self {
            Self::Udp(socket, remote) => {
                let _ = socket.try_send_to(&bytes, *remote);
            }
            Self::Tcp(queue) => {
                let _ = queue.try_send(bytes);
            }
        }
    }
}

/// A task that ends with whatever it is for.
#[derive(Debug)]
pub(crate) struct Task(pub(crate) AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The reason why something is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// There is no room for more.
    Full,
    /// The channel is another address's, or the address has another channel.
    Taken,
}

#[derive(Debug)]
struct Permission {
    until: Instant,
    _held: Held,
}

#[derive(Debug)]
struct Channel {
    peer: SocketAddr,
    until: Instant,
}

/// An allocation. See the [module](self).
#[derive(Debug)]
pub(crate) struct Allocation {
    /// The name under which it was made.
    pub(crate) username: String,
    /// The peer whose it is.
    pub(crate) peer: String,
    pub(crate) way: Way,
    pub(crate) socket: Arc<UdpSocket>,
    /// The address that the socket has for everybody else.
    pub(crate) relayed: SocketAddr,
    /// The request that it was made for, which may come twice.
    pub(crate) request: TransactionId,
    pub(crate) until: Instant,
    pub(crate) bounds: Bounds,
    pub(crate) permissions: Permissions,
    pub(crate) _task: Task,
    pub(crate) _held: Held,
}

/// The room for permissions of one allocation.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) max: usize,
    pub(crate) pool: Pool,
    pub(crate) source: Source,
}

/// The addresses that an allocation may exchange datagrams with.
#[derive(Debug, Default)]
pub(crate) struct Permissions {
    of: BTreeMap<IpAddr, Permission>,
    channels: BTreeMap<u16, Channel>,
    by_peer: BTreeMap<SocketAddr, u16>,
}

impl Permissions {
    /// True if datagrams may come from this address, and go there.
    pub(crate) fn has(&self, address: IpAddr, now: Instant) -> bool {
        self.of.get(&address).is_some_and(|p| p.until > now)
    }

    /// Lets datagrams of these addresses pass, all of them or none.
    pub(crate) fn permit(
        &mut self,
        addresses: &[IpAddr],
        bounds: &Bounds,
        now: Instant,
    ) -> Result<(), Denied> {
        let until = now + PERMISSION;
        if self.of.len() + addresses.len() > bounds.max {
            self.forget(now);
        }
        let mut new = BTreeMap::new();
        for address in addresses {
            if self.of.contains_key(address) || new.contains_key(address) {
                continue;
            }
            if self.of.len() + new.len() >= bounds.max {
                return Err(Denied::Full);
            }
            let held = bounds.pool.take(bounds.source, 1).ok_or(Denied::Full)?;
            new.insert(*address, Permission { until, _held: held });
        }
        self.of.append(&mut new);
        for address in addresses {
            if let Some(permission) = self.of.get_mut(address) {
                permission.until = until;
            }
        }
        Ok(())
    }

    /// Gives an address a channel, and lets its datagrams pass.
    pub(crate) fn bind(
        &mut self,
        number: u16,
        peer: SocketAddr,
        bounds: &Bounds,
        now: Instant,
    ) -> Result<(), Denied> {
        let until = now + CHANNEL;
        let is_others = self.channels.get(&number).is_some_and(|c| c.peer != peer);
        let has_other = self.by_peer.get(&peer).is_some_and(|n| *n != number);
        if is_others || has_other {
            self.forget(now);
        }
        match (self.channels.get(&number), self.by_peer.get(&peer)) {
            (Some(channel), _) if channel.peer != peer => return Err(Denied::Taken),
            (_, Some(other)) if *other != number => return Err(Denied::Taken),
            (None, _) if self.channels.len() >= bounds.max => {
                self.forget(now);
                if self.channels.len() >= bounds.max {
                    return Err(Denied::Full);
                }
            }
            _ => {}
        }
        self.permit(&[peer.ip()], bounds, now)?;
        self.channels.insert(number, Channel { peer, until });
        self.by_peer.insert(peer, number);
        Ok(())
    }

    /// The address that a channel is for.
    pub(crate) fn peer(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        let channel = self.channels.get(&number)?;
        (channel.until > now).then_some(channel.peer)
    }

    /// The channel of an address.
    pub(crate) fn channel(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        let number = *self.by_peer.get(&peer)?;
        self.peer(number, now).map(|_| number)
    }

    /// Forgets what is over.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.of.retain(|_, permission| permission.until > now);
        self.channels.retain(|_, channel| channel.until > now);
        let channels = &self.channels;
        self.by_peer.retain(|_, n| channels.contains_key(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(max: usize) -> Bounds {
        Bounds {
            max,
            pool: Pool::new(100),
            source: Source::from(IpAddr::from([192, 0, 2, 1])),
        }
    }

    fn ip(last: u8) -> IpAddr {
        [198, 51, 100, last].into()
    }

    fn at(last: u8) -> SocketAddr {
        SocketAddr::new(ip(last), 9)
    }

    #[test]
    fn permissions_end_are_renewed_and_are_bounded() {
        let start = Instant::now();
        let bounds = bounds(2);
        let mut of = Permissions::default();
        assert_eq!(of.permit(&[ip(1), ip(1)], &bounds, start), Ok(()));
        let later = start + PERMISSION - Duration::from_secs(1);
        assert!(of.has(ip(1), later) && !of.has(ip(2), later));
        assert!(!of.has(ip(1), start + PERMISSION));
        assert_eq!(of.permit(&[ip(1), ip(2)], &bounds, later), Ok(()));
        assert!(of.has(ip(1), start + PERMISSION));
        assert_eq!(of.permit(&[ip(3)], &bounds, later), Err(Denied::Full));
        // Both are over by then.
        let end = later + PERMISSION;
        assert_eq!(of.permit(&[ip(3), ip(4)], &bounds, end), Ok(()));
        assert_eq!(bounds.pool.used(), 2);
        let three = [ip(5), ip(6), ip(7)];
        assert_eq!(of.permit(&three, &bounds, end), Err(Denied::Full));
        assert_eq!(
            bounds.pool.used(),
            2,
            "nothing of what was not granted is kept"
        );
    }

    #[test]
    fn a_channel_is_one_addresss_until_it_is_over() {
        let start = Instant::now();
        let bounds = bounds(2);
        let mut of = Permissions::default();
        assert_eq!(of.bind(0x4000, at(1), &bounds, start), Ok(()));
        assert_eq!(of.bind(0x4000, at(1), &bounds, start), Ok(()));
        assert_eq!(of.bind(0x4000, at(2), &bounds, start), Err(Denied::Taken));
        assert_eq!(of.bind(0x4001, at(1), &bounds, start), Err(Denied::Taken));
        assert!(of.has(ip(1), start) && !of.has(ip(2), start));
        assert_eq!(of.peer(0x4000, start), Some(at(1)));
        assert_eq!(of.channel(at(1), start), Some(0x4000));
        assert_eq!(of.bind(0x4001, at(2), &bounds, start), Ok(()));
        assert_eq!(of.bind(0x4002, at(3), &bounds, start), Err(Denied::Full));
        let end = start + CHANNEL;
        assert_eq!((of.peer(0x4000, end), of.channel(at(1), end)), (None, None));
        assert_eq!(of.bind(0x4000, at(2), &bounds, end), Ok(()));
        assert_eq!(of.channel(at(1), end), None);
    }
}
