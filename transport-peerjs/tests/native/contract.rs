//! The contract of a transport, held against this one.

use std::time::Duration;

use hustings_protocol::Address;
use hustings_room::transport::contract::{Bounds, Harness};
use hustings_transport_peerjs::{Config, PeerJs};

use crate::side::{self, Signalling, owner, registered};

struct OnLoopback {
    config: Config,
    _signalling: Signalling,
}

impl Harness for OnLoopback {
    type Transport = PeerJs;

    async fn open(&mut self) -> (PeerJs, Address) {
        let address = owner();
        let transport = side::open(&self.config, &address);
        registered(&transport).await;
        (transport, address)
    }

    fn nobody(&mut self) -> Address {
        owner()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
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

fn run(case: impl AsyncFnOnce(OnLoopback)) {
    // One thread: a case that fills a link does so without waiting, and as in a page the network
    // stands still meanwhile. With a second thread it went on, and on a quick machine brought more
    // to somebody who reads nothing than may wait there, which ends the link.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let signalling = Signalling::start().await;
        let mut config = signalling.config();
        // One snapshot is more than a link holds, and a link more than its channel.
        config.limits.max_dialled_frame_bytes = 1 << 20;
        config.limits.max_queued_bytes = 512 << 10;
        config.limits.channel_high_water = 256 << 10;
        config.limits.channel_low_water = 128 << 10;
        case(OnLoopback {
            config,
            _signalling: signalling,
        })
        .await;
    });
}

hustings_room::transport_contract!(OnLoopback, #[test], run);
