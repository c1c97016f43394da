//! The contract of a transport, held against this one.

use std::time::Duration;

use hustings_protocol::Address;
use hustings_room::transport::contract::{Bounds, Harness};
use hustings_transport_peerjs::{Config, PeerJs};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::side::{self, Side, owner, registered, token};

/// Transports of one page.
struct InPage {
    config: Config,
}

impl Harness for InPage {
    type Transport = PeerJs;

    async fn open(&mut self) -> (PeerJs, Address) {
        let side = Side::open_with(owner(), &self.config, &token());
        registered(&side).await;
        (side.transport, side.address)
    }

    fn nobody(&mut self) -> Address {
        owner()
    }

    async fn sleep(&self, duration: Duration) {
        side::sleep(duration).await;
    }

    fn bounds(&self) -> Bounds {
        let limits = &self.config.limits;
        Bounds {
            dialler_frame: limits.max_accepted_frame_bytes,
            acceptor_frame: limits.max_dialled_frame_bytes,
            queue: limits.max_queued_bytes,
            links: limits.max_dials,
        }
    }
}

async fn run(case: impl AsyncFnOnce(InPage)) {
    let mut config = side::config();
    // One snapshot is more than a link holds, and a link more than its channel.
    config.limits.max_dialled_frame_bytes = 2 << 20;
    config.limits.max_queued_bytes = 512 << 10;
    config.limits.channel_high_water = 256 << 10;
    config.limits.channel_low_water = 128 << 10;
    case(InPage { config }).await;
}

hustings_room::transport_contract!(InPage, #[wasm_bindgen_test], async run);
