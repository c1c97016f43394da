//! Datagrams that came and wait for their turn.
//!
//! A message to thousands of links is one turn of a tenth of a second, and their confirmations come
//! while it lasts. A system holds a few thousand datagrams, or on many machines a few hundred, for
//! a socket that is not read, and whatever finds no room costs its link a second or more until it
//! is sent again. So a socket is read whoever has the turn, and however much there is to be done.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::udp::Datagram;

/// Most bytes that wait, each datagram with its [`OVERHEAD`]. What finds no room is lost, as any
/// datagram may be.
const MAX_WAITING: usize = 16 * 1024 * 1024;

/// The memory that a datagram takes beside its bytes.
const OVERHEAD: usize = 128;

/// The datagrams of one port that wait, in their order.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    waiting: Mutex<Waiting>,
    some: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    datagrams: VecDeque<Arrived>,
    bytes: usize,
    /// Those that found no room since it was last asked.
    lost: usize,
    is_over: bool,
}

/// A datagram that came.
#[derive(Debug)]
pub(super) struct Arrived {
    source: SocketAddr,
    destination: SocketAddr,
    bytes: Box<[u8]>,
}

impl Arrived {
    /// The datagram.
    pub(super) fn datagram(&self) -> Datagram<'_> {
        Datagram {
            source: self.source,
            destination: self.destination,
            bytes: &self.bytes,
        }
    }

    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

impl Arrivals {
    /// Keeps datagrams for later.
    pub(super) fn put(&self, datagrams: &[Datagram<'_>]) {
        let mut waiting = self.lock();
        for (at, datagram) in datagrams.iter().enumerate() {
            let arrived = Arrived {
                source: datagram.source,
                destination: datagram.destination,
                bytes: datagram.bytes.into(),
            };
            let bytes = waiting.bytes + arrived.cost();
            if bytes > MAX_WAITING {
                waiting.lost += datagrams.len() - at;
                break;
            }
            waiting.bytes = bytes;
            waiting.datagrams.push_back(arrived);
        }
        drop(waiting);
        self.some.notify_one();
    }

    /// Resolves when some wait; false when none will.
    pub(super) async fn some(&self) -> bool {
        loop {
            let (is_empty, is_over) = {
                let waiting = self.lock();
                (waiting.datagrams.is_empty(), waiting.is_over)
            };
            if !is_empty {
                return true;
            }
            if is_over {
                return false;
            }
            self.some.notified().await;
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.some.notify_one();
    }

    /// Takes the first ones out.
    pub(super) fn take(&self, most: usize) -> Vec<Arrived> {
        let mut waiting = self.lock();
        let count = most.min(waiting.datagrams.len());
        let taken: Vec<_> = waiting.datagrams.drain(..count).collect();
        waiting.bytes -= taken.iter().map(Arrived::cost).sum::<usize>();
        if waiting.datagrams.is_empty() {
            // A burst's memory does not stay.
            waiting.datagrams = VecDeque::new();
        }
        taken
    }

    /// The number of datagrams that found no room since this was asked before.
    pub(super) fn lost(&self) -> usize {
        std::mem::take(&mut self.lock().lost)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics between two of its changes.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(bytes: &[u8]) -> Datagram<'_> {
        let at = SocketAddr::from(([192, 0, 2, 1], 9));
        Datagram {
            source: at,
            destination: at,
            bytes,
        }
    }

    #[test]
    fn they_wait_in_their_order_and_so_many_of_them() {
        let arrivals = Arrivals::default();
        let big = vec![0; 1024 * 1024];
        arrivals.put(&[datagram(b"first"), datagram(b"second")]);
        for _ in 0..100 {
            arrivals.put(&[datagram(&big), datagram(&big)]);
        }
        let lost = arrivals.lost();
        assert_eq!(arrivals.lost(), 0, "they are told once");
        let first = arrivals.take(1);
        assert_eq!(first[0].datagram().bytes, b"first");
        let rest = arrivals.take(usize::MAX);
        assert_eq!(rest[0].datagram().bytes, b"second");
        let bytes: usize = rest.iter().map(Arrived::cost).sum();
        assert!((MAX_WAITING / 2..MAX_WAITING).contains(&bytes), "{bytes}");
        assert_eq!(lost + 1 + rest.len(), 2 + 200, "each waits or is counted");
        assert!(arrivals.take(1).is_empty());
        arrivals.put(&[datagram(&big)]);
        assert_eq!(arrivals.take(9).len(), 1, "there is room again");
    }

    #[test]
    fn a_flood_of_nothing_has_a_bound() {
        let arrivals = Arrivals::default();
        let nothing = [datagram(b""); 1_000];
        for _ in 0..1_000 {
            arrivals.put(&nothing);
        }
        assert_eq!(arrivals.take(usize::MAX).len(), MAX_WAITING / OVERHEAD);
    }
}
