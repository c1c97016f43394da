//! The transport between processes, held to the contract of transports: what the crashes find is
//! the library's fault and not its own.

use std::time::Duration;

use futures::executor::block_on;
use hustings_protocol::{Address, PeerId};
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::transport::contract::{Bounds, Harness};
use tempfile::TempDir;

use crate::sockets::{QUEUE_BYTES, SocketTransport};

struct Sockets {
    directory: TempDir,
    clock: SystemClock,
    addresses: u8,
}

impl Harness for Sockets {
    type Transport = SocketTransport;

    async fn open(&mut self) -> (SocketTransport, Address) {
        let address = self.nobody();
        let transport = SocketTransport::open(self.directory.path(), &address);
        (transport.unwrap(), address)
    }

    fn nobody(&mut self) -> Address {
        self.addresses += 1;
        Address::Owner(PeerId::from_bytes([self.addresses; 32]))
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep_until(self.clock.now() + duration).await;
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            dialler_frame: 1 << 20,
            acceptor_frame: 1 << 20,
            queue: QUEUE_BYTES,
            links: 10,
        }
    }
}

fn run(case: impl AsyncFnOnce(Sockets)) {
    block_on(case(Sockets {
        directory: TempDir::new().unwrap(),
        clock: SystemClock::new(),
        addresses: 0,
    }));
}

hustings_room::transport_contract!(Sockets, #[test], run);
