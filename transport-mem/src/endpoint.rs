//! The names of processes.

use std::fmt;

use hustings_protocol::Address;

/// One process on the network, from [`Network::attach`](crate::Network::attach) to its end.
///
/// A restart at the same address is another endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}.{})", self.slot, self.generation)
    }
}

/// Somebody is at this address already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address {0} is taken")]
pub struct AddressTaken(pub Address);

impl From<AddressTaken> for hustings_room::transport::TransportError {
    fn from(AddressTaken(address): AddressTaken) -> Self {
        Self::AddressTaken(address)
    }
}
