//! The connections that datagrams of one socket are for.
//!
//! Any number of them share a socket. A request of STUN names its connection, and an answer has the
//! number of this side's request. All else has nothing but the address that it comes from, and
//! belongs to the connection that has *shown* to be there: by an answer to a request that this side
//! sent there, whose number nobody else knows. Until then a request with the right password is a
//! hint, which takes an address from nobody: its sender may have written somebody else's.
//!
//! Nothing here looks at more connections than one.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::wire::RtcId;

/// The number of a request of STUN.
pub(super) type Transaction = [u8; 12];

/// Most requests of one connection whose answers are waited for. They are asked again if no answer
/// comes, under another number.
const MAX_ASKED: usize = 128;

/// Most addresses of one connection. Its last ones count; one is in use, and one is moved to.
const MAX_ADDRESSES: usize = 8;

/// The connections of one socket, by all that leads to them.
#[derive(Debug, Default)]
pub(super) struct Routes {
    names: BTreeMap<String, RtcId>,
    asked: BTreeMap<Transaction, RtcId>,
    addresses: BTreeMap<SocketAddr, Holder>,
    known: BTreeMap<RtcId, Known>,
}

/// The connection that has an address.
#[derive(Debug, Clone, Copy)]
struct Holder {
    rtc: RtcId,
    has_shown: bool,
}

/// All that is to be forgotten with a connection.
#[derive(Debug, Default)]
struct Known {
    name: String,
    asked: VecDeque<Transaction>,
    addresses: VecDeque<SocketAddr>,
}

impl Routes {
    /// A connection is there, by this name.
    pub(super) fn add(&mut self, rtc: RtcId, name: &str) {
        self.names.insert(name.to_owned(), rtc);
        let known = Known {
            name: name.to_owned(),
            ..Known::default()
        };
        self.known.insert(rtc, known);
    }

    /// A connection is gone.
    pub(super) fn remove(&mut self, rtc: RtcId) {
        let Some(known) = self.known.remove(&rtc) else {
            return;
        };
        self.names.remove(&known.name);
        for transaction in known.asked {
            self.asked.remove(&transaction);
        }
        for address in known.addresses {
            self.leave(rtc, address);
        }
    }

    /// A connection asks something.
    pub(super) fn asks(&mut self, rtc: RtcId, transaction: Transaction) {
        let Some(known) = self.known.get_mut(&rtc) else {
            return;
        };
        if self.asked.insert(transaction, rtc).is_some() {
            // It is repeated.
            return;
        }
        known.asked.push_back(transaction);
        if known.asked.len() > MAX_ASKED
            && let Some(oldest) = known.asked.pop_front()
        {
            self.asked.remove(&oldest);
        }
    }

    /// The connection that has this name.
    pub(super) fn by_name(&self, name: &str) -> Option<RtcId> {
        self.names.get(name).copied()
    }

    /// The connection that has asked this.
    pub(super) fn by_transaction(&self, transaction: &Transaction) -> Option<RtcId> {
        self.asked.get(transaction).copied()
    }

    /// The connection that is at an address.
    pub(super) fn by_address(&self, address: SocketAddr) -> Option<RtcId> {
        self.addresses.get(&address).map(|holder| holder.rtc)
    }

    /// Somebody with the password of a connection seems to be at an address.
    pub(super) fn hint(&mut self, rtc: RtcId, address: SocketAddr) {
        let holder = self.addresses.get(&address);
        if holder.is_none_or(|holder| !holder.has_shown && holder.rtc != rtc) {
            self.take(rtc, address, false);
        }
    }

    /// A connection's other end has shown that it is at an address. Whoever was there before has
    /// gone, or shares it, and then the last one has it.
    pub(super) fn show(&mut self, rtc: RtcId, address: SocketAddr) {
        let holder = self.addresses.get(&address);
        if holder.is_none_or(|holder| holder.rtc != rtc || !holder.has_shown) {
            self.take(rtc, address, true);
        }
    }

    fn take(&mut self, rtc: RtcId, address: SocketAddr, has_shown: bool) {
        let Some(known) = self.known.get_mut(&rtc) else {
            return;
        };
        self.addresses.insert(address, Holder { rtc, has_shown });
        known.addresses.retain(|other| *other != address);
        known.addresses.push_back(address);
        if known.addresses.len() > MAX_ADDRESSES
            && let Some(oldest) = known.addresses.pop_front()
        {
            self.leave(rtc, oldest);
        }
    }

    fn leave(&mut self, rtc: RtcId, address: SocketAddr) {
        if self.by_address(address) == Some(rtc) {
            self.addresses.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: RtcId = RtcId(1);
    const TWO: RtcId = RtcId(2);

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn two() -> Routes {
        let mut routes = Routes::default();
        routes.add(ONE, "one");
        routes.add(TWO, "two");
        routes
    }

    #[test]
    fn a_hint_takes_an_address_from_nobody_who_has_shown_to_be_there() {
        let mut routes = two();
        routes.hint(ONE, address(1));
        assert_eq!(routes.by_address(address(1)), Some(ONE));
        routes.hint(TWO, address(1));
        assert_eq!(routes.by_address(address(1)), Some(TWO));
        routes.show(ONE, address(1));
        routes.hint(TWO, address(1));
        assert_eq!(routes.by_address(address(1)), Some(ONE));
        // Its own hints do not make it less.
        routes.hint(ONE, address(1));
        routes.hint(TWO, address(1));
        assert_eq!(routes.by_address(address(1)), Some(ONE));
        routes.show(TWO, address(1));
        assert_eq!(routes.by_address(address(1)), Some(TWO));
    }

    #[test]
    fn an_answer_belongs_to_whoever_asked() {
        let mut routes = two();
        routes.asks(ONE, [1; 12]);
        routes.asks(TWO, [2; 12]);
        assert_eq!(routes.by_transaction(&[1; 12]), Some(ONE));
        assert_eq!(routes.by_transaction(&[2; 12]), Some(TWO));
        assert_eq!(routes.by_transaction(&[3; 12]), None);
        assert_eq!(routes.by_name("two"), Some(TWO));
    }

    #[test]
    fn what_one_connection_makes_it_remember_has_a_bound() {
        let mut routes = two();
        routes.show(TWO, address(9_999));
        for number in 0..10_000_u16 {
            let mut transaction = [0; 12];
            transaction[..2].copy_from_slice(&number.to_be_bytes());
            routes.asks(ONE, transaction);
            routes.asks(ONE, transaction);
            routes.hint(ONE, address(number));
        }
        assert_eq!(routes.asked.len(), MAX_ASKED);
        assert_eq!(routes.addresses.len(), MAX_ADDRESSES + 1);
        assert_eq!(routes.by_address(address(9_998)), Some(ONE));
        assert_eq!(routes.by_address(address(9_999)), Some(TWO));
    }

    #[test]
    fn nothing_is_left_of_a_connection_that_is_gone() {
        let mut routes = two();
        routes.asks(ONE, [1; 12]);
        routes.hint(ONE, address(1));
        routes.hint(ONE, address(2));
        routes.show(TWO, address(2));
        routes.remove(ONE);
        routes.asks(ONE, [4; 12]);
        routes.show(ONE, address(4));
        assert_eq!(routes.by_address(address(2)), Some(TWO));
        assert_eq!(routes.by_address(address(4)), None);
        routes.remove(TWO);
        assert!(routes.names.is_empty() && routes.asked.is_empty());
        assert!(routes.addresses.is_empty() && routes.known.is_empty());
    }
}
