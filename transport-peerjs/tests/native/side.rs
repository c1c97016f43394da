//! Somebody on the network, and the network.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::{Address, PeerId};
use hustings_room::clock::SystemClock;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{DownReason, LinkId};
use hustings_transport_peerjs::broker::{Broker, BrokerConfig};
use hustings_transport_peerjs::wire::RegistrationState;
use hustings_transport_peerjs::{Config, Listen, OpenError, PeerJs, Status, Token};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// Longer than anything takes on a machine that has other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A broker that ends with the test.
pub(crate) struct Signalling {
    pub(crate) address: SocketAddr,
    /// The addresses at which it relays and is counted, if it does that.
    pub(crate) turn: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
    _stop: oneshot::Sender<()>,
}

impl Signalling {
    pub(crate) async fn start() -> Self {
        Self::start_with(BrokerConfig::default()).await
    }

    pub(crate) async fn start_with(config: BrokerConfig) -> Self {
        Self::start_at("127.0.0.1:0", config).await
    }

    pub(crate) async fn start_at(address: &str, config: BrokerConfig) -> Self {
        let broker = Broker::bind(address, config).await.unwrap();
        let address = broker.local_addr();
        let (turn, metrics) = (broker.turn_addrs().first().copied(), broker.metrics_addr());
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(broker.serve(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            turn,
            metrics,
            _stop: stop,
        }
    }

    /// It and no STUN server: it all stays on this machine.
    pub(crate) fn config(&self) -> Config {
        Config {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            ice_servers: Vec::new(),
            ..Config::default()
        }
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// An address that nobody has had before.
pub(crate) fn owner() -> Address {
    Address::Owner(PeerId::from_bytes(random()))
}

pub(crate) fn loopback() -> Listen {
    Listen {
        port: 0,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    }
}

pub(crate) fn open(config: &Config, address: &Address) -> PeerJs {
    let token = Token::from_random(random());
    PeerJs::open_at(&loopback(), config, address, &token, SystemClock::new()).unwrap()
}

/// Resolves once others can dial it.
pub(crate) async fn registered(transport: &PeerJs) {
    let is_there = |it: &RegistrationState| *it == RegistrationState::Registered;
    stands(&transport.status(), is_there).await;
}

/// Resolves once it stands so with the signalling server.
pub(crate) async fn stands(status: &Status, so: impl Fn(&RegistrationState) -> bool) {
    let does = async {
        while !status.registration().is_some_and(|it| so(&it)) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, does).await.expect("it stands so in time");
}

/// The result of something that has to happen soon.
pub(crate) async fn soon<R>(what: &str, result: impl Future<Output = R>) -> R {
    let result = timeout(SOON, result).await;
    result.unwrap_or_else(|_| panic!("{what} took longer than {SOON:?}"))
}

/// A transport and its address.
pub(crate) struct Side {
    pub(crate) transport: PeerJs,
    pub(crate) address: Address,
}

impl Side {
    /// Somebody new, whom others can dial.
    pub(crate) async fn open(config: &Config, listen: &Listen) -> Self {
        Self::try_open(config, listen).await.unwrap()
    }

    pub(crate) async fn try_open(config: &Config, listen: &Listen) -> Result<Self, OpenError> {
        let address = owner();
        let token = Token::from_random(random());
        let transport = PeerJs::open_at(listen, config, &address, &token, SystemClock::new())?;
        registered(&transport).await;
        Ok(Self { transport, address })
    }

    /// The same, at a port that one knows.
    pub(crate) async fn open_at_a_port(config: &Config) -> (Self, u16) {
        let address = owner();
        for _ in 0..100 {
            // Somebody else may have it before it is opened.
            let free = UdpSocket::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let listen = Listen { port, ..loopback() };
            let (token, clock) = (Token::from_random(random()), SystemClock::new());
            match PeerJs::open_at(&listen, config, &address, &token, clock) {
                Ok(transport) => {
                    registered(&transport).await;
                    return (Self { transport, address }, port);
                }
                Err(OpenError::Port { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        panic!("no port is free");
    }

    pub(crate) async fn event(&mut self) -> TransportEvent {
        let what = format!("an event at {}", self.address);
        soon(&what, poll_fn(|cx| self.transport.poll_event(cx))).await
    }

    pub(crate) async fn up(&mut self) -> LinkId {
        match self.event().await {
            TransportEvent::LinkUp { link, .. } => link,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn down(&mut self) -> (LinkId, DownReason) {
        match self.event().await {
            TransportEvent::LinkDown { link, reason } => (link, reason),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn frame(&mut self) -> (LinkId, Bytes) {
        match self.event().await {
            TransportEvent::Frame { link, frame } => (link, frame),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn send(&mut self, link: LinkId, frame: impl Into<Bytes>) {
        let outcome = self.transport.send(link, frame.into());
        assert_eq!(outcome, SendOutcome::Queued);
    }

    /// Dials, and says something, as whoever was dialled does not speak first. Returns the link
    /// here and there.
    pub(crate) async fn link(&mut self, number: u64, to: &mut Self) -> (LinkId, LinkId) {
        let out = LinkId::dialled(number);
        self.transport.dial(out, &to.address);
        assert_eq!(self.up().await, out);
        let inn = to.up().await;
        self.send(out, "hello");
        assert_eq!(to.frame().await, (inn, "hello".into()));
        (out, inn)
    }
}

/// Runs a test in a process of its own, where nobody else's sockets, tasks and events are among
/// those that it looks at. `name` is the test's own.
pub(crate) fn alone(name: &str, test: impl FnOnce()) {
    const ALONE: &str = "HUSTINGS_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let again = again.args([name, "--exact", "--nocapture"]).env(ALONE, "1");
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("1 passed"), "there is no such test: {said}");
    print!("{complained}");
}
