//! One side of a conversation.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use futures::pin_mut;
use hustings_protocol::{Address, DeviceId, PeerId};
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{ChannelBinding, DownReason, LinkId};
use hustings_transport_peerjs::{Config, PeerJs, Token};

/// Longer than anything takes that is not about a time limit, on a machine that has other things
/// to do. Only a test that fails takes so long.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The port of these tests' signalling server. A page cannot look into its environment.
pub(crate) fn port() -> u16 {
    const PORT: Option<&str> = option_env!("HUSTINGS_BROKER");
    let port = PORT.expect("build the tests with HUSTINGS_BROKER=<port>");
    port.parse().expect("HUSTINGS_BROKER is a port")
}

/// The signalling server of these tests, and no STUN server: it all stays on this machine.
pub(crate) fn config() -> Config {
    Config {
        host: "127.0.0.1".into(),
        port: port(),
        ice_servers: Vec::new(),
        ..Config::default()
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub(crate) fn token() -> Token {
    Token::from_random(random())
}

/// An address that nobody has had before.
pub(crate) fn owner() -> Address {
    Address::Owner(PeerId::from_bytes(random()))
}

pub(crate) fn participant() -> Address {
    Address::Participant(PeerId::from_bytes(random()), DeviceId::from_bytes(random()))
}

/// The result of something that must not take longer than this.
pub(crate) async fn within<R>(limit: Duration, what: &str, result: impl Future<Output = R>) -> R {
    let clock = SystemClock::new();
    let sleep = clock.sleep_until(clock.now() + limit);
    pin_mut!(result);
    match select(result, sleep).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => panic!("{what} took longer than {limit:?}"),
    }
}

pub(crate) async fn sleep(duration: Duration) {
    let clock = SystemClock::new();
    clock.sleep_until(clock.now() + duration).await;
}

/// A transport and its address.
pub(crate) struct Side {
    pub(crate) transport: PeerJs,
    pub(crate) address: Address,
}

impl Side {
    pub(crate) fn open(address: Address) -> Self {
        Self::open_with(address, &config(), &token())
    }

    pub(crate) fn open_with(address: Address, config: &Config, token: &Token) -> Self {
        let transport = PeerJs::open(config, &address, token, SystemClock::new()).unwrap();
        Self { transport, address }
    }

    /// The next event, which must come soon.
    pub(crate) async fn event(&mut self) -> TransportEvent {
        let what = format!("an event at {}", self.address);
        let event = poll_fn(|cx| self.transport.poll_event(cx));
        within(SOON, &what, event).await
    }

    pub(crate) async fn up(&mut self) -> (LinkId, ChannelBinding) {
        let event = self.event().await;
        let TransportEvent::LinkUp { link, binding } = event else {
            panic!("{event:?} in place of a link");
        };
        (link, binding)
    }

    pub(crate) async fn frame(&mut self) -> Bytes {
        let event = self.event().await;
        let TransportEvent::Frame { frame, .. } = event else {
            panic!("{event:?} in place of a frame");
        };
        frame
    }

    pub(crate) async fn down(&mut self) -> DownReason {
        let event = self.event().await;
        let TransportEvent::LinkDown { reason, .. } = event else {
            panic!("{event:?} in place of a link's end");
        };
        reason
    }

    /// Nothing happens here for a while.
    pub(crate) async fn stays_quiet(&mut self, time: Duration) {
        let event = poll_fn(|cx| self.transport.poll_event(cx));
        let sleep = sleep(time);
        pin_mut!(sleep);
        if let Either::Left((event, _)) = select(event, sleep).await {
            panic!("{event:?} in place of silence");
        }
    }

    pub(crate) fn send(&mut self, link: LinkId, frame: impl Into<Bytes>) {
        assert_eq!(self.transport.send(link, frame.into()), SendOutcome::Queued);
    }
}

/// Two sides with a link between them.
pub(crate) struct Pair {
    pub(crate) dialler: Side,
    pub(crate) acceptor: Side,
    /// The dialler's name for the link.
    pub(crate) out: LinkId,
    /// The acceptor's.
    pub(crate) inn: LinkId,
}

impl Pair {
    pub(crate) async fn linked() -> Self {
        crate::page::spy().await;
        let (mut dialler, mut acceptor) = (Side::open(participant()), Side::open(owner()));
        registered(&acceptor).await;
        let out = LinkId::dialled(1);
        dialler.transport.dial(out, &acceptor.address);
        let (link, of_dialler) = dialler.up().await;
        assert_eq!(link, out);
        let (inn, of_acceptor) = acceptor.up().await;
        assert!(inn.is_accepted());
        assert_eq!(of_dialler.local, of_acceptor.remote);
        assert_eq!(of_dialler.remote, of_acceptor.local);
        assert_ne!(of_dialler.remote, of_dialler.local);
        Self {
            dialler,
            acceptor,
            out,
            inn,
        }
    }

    /// Everything that one sends the other gets, both ways.
    pub(crate) async fn talks(&mut self) {
        let (out, inn) = (self.out, self.inn);
        self.dialler.send(out, "there");
        assert_eq!(self.acceptor.frame().await, "there");
        self.acceptor.send(inn, "and back");
        assert_eq!(self.dialler.frame().await, "and back");
    }
}

/// Resolves once the server knows this side: nobody can dial it before.
pub(crate) async fn registered(side: &Side) {
    use hustings_transport_peerjs::wire::RegistrationState;

    let status = side.transport.status();
    within(SOON, "the registration", async {
        while status.registration() != Some(RegistrationState::Registered) {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
