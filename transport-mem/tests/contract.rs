//! The contract of a transport, held against this one.
#![allow(clippy::unwrap_used)] // Only fixtures.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{address, millis};
use hustings_protocol::Address;
use hustings_room::clock::Clock;
use hustings_room::transport::contract::{Bounds, Harness};
use hustings_transport_mem::{Latency, MemTransport, MemoryNet, VirtualClock, VirtualRuntime};

/// Small, so that one frame is more than a link holds.
const QUEUE: usize = 100_000;

/// A network in virtual time.
struct InMemory {
    net: MemoryNet,
    clock: VirtualClock,
    addresses: u8,
}

impl Harness for InMemory {
    type Transport = MemTransport;

    async fn open(&mut self) -> (MemTransport, Address) {
        let address = self.nobody();
        (self.net.transport(address).unwrap(), address)
    }

    fn nobody(&mut self) -> Address {
        self.addresses += 1;
        address(self.addresses)
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep_until(self.clock.now() + duration).await;
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            dialler_frame: 1 << 20,
            acceptor_frame: 1 << 20,
            queue: QUEUE,
            links: 50,
        }
    }
}

fn run(latency: Latency, case: impl AsyncFnOnce(InMemory)) {
    let mut runtime = VirtualRuntime::new();
    let clock = runtime.clock().clone();
    let net = MemoryNet::new(1, latency, Arc::new(clock.clone()));
    net.set_queue_limit(QUEUE);
    let case = case(InMemory {
        net,
        clock,
        addresses: 0,
    });
    runtime.block_on(case, Duration::from_secs(3_600)).unwrap();
}

/// No latency: everything arrives the moment that it is sent.
mod at_once {
    use super::*;

    fn run(case: impl AsyncFnOnce(InMemory)) {
        super::run(Latency::ZERO, case);
    }

    hustings_room::transport_contract!(InMemory, #[test], run);
}

/// Frames of different links overtake each other.
mod in_time {
    use super::*;

    fn run(case: impl AsyncFnOnce(InMemory)) {
        let latency = Latency {
            min: millis(1),
            max: millis(50),
        };
        super::run(latency, case);
    }

    hustings_room::transport_contract!(InMemory, #[test], run);
}
