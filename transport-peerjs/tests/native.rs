//! The transport for programs, with others of its kind, through the broker and on loopback.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics fails, which is what it is for"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect fails it"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hustings_protocol::{Address, PeerId};
use hustings_room::clock::SystemClock;
use hustings_room::transport::contract::{Bounds, Harness};
use hustings_transport_peerjs::broker::{Broker, BrokerConfig};
use hustings_transport_peerjs::wire::RegistrationState;
use hustings_transport_peerjs::{Config, Listen, PeerJs, Token};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// Longer than anything takes on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(30);

/// A broker that ends with the test.
struct Signalling {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Signalling {
    async fn start() -> Self {
        let broker = Broker::bind("127.0.0.1:0", BrokerConfig::default())
            .await
            .unwrap();
        let address = broker.local_addr();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(broker.serve(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            _stop: stop,
        }
    }

    /// It and no STUN server: it all stays on this machine.
    fn config(&self) -> Config {
        Config {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            ice_servers: Vec::new(),
            ..Config::default()
        }
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// An address that nobody has had before.
fn owner() -> Address {
    Address::Owner(PeerId::from_bytes(random()))
}

fn loopback() -> Listen {
    Listen {
        port: 0,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    }
}

fn open(config: &Config, address: &Address) -> PeerJs {
    let token = Token::from_random(random());
    PeerJs::open_at(&loopback(), config, address, &token, SystemClock::new()).unwrap()
}

/// Resolves once others can dial it.
async fn registered(transport: &PeerJs) {
    let status = transport.status();
    let registered = async {
        while status.registration() != Some(RegistrationState::Registered) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, registered).await.expect("it registers");
}

mod contract {
    use super::*;

    struct OnLoopback {
        config: Config,
        _signalling: Signalling,
    }

    impl Harness for OnLoopback {
        type Transport = PeerJs;

        async fn open(&mut self) -> (PeerJs, Address) {
            let address = owner();
            let transport = open(&self.config, &address);
            registered(&transport).await;
            (transport, address)
        }

        fn nobody(&mut self) -> Address {
            owner()
        }

        async fn sleep(&self, duration: Duration) {
            sleep(duration).await;
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
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let signalling = Signalling::start().await;
            let mut config = signalling.config();
            // One snapshot is more than a link holds, and a link more than its channel.
            config.limits.max_dialled_frame_bytes = 2 << 20;
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
}
