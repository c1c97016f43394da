//! A signalling server behind TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hustings_room::clock::SystemClock;
use hustings_transport_peerjs::wire::RegistrationState;
use hustings_transport_peerjs::{
    Config, NativeConfig, PeerJs, RootCertificate, RootError, SignallingFault, Token,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::side::{Side, Signalling, loopback, owner, random, registered, soon};

/// A broker, with TLS in front of it, by a certificate for `localhost` alone.
struct Secure {
    address: SocketAddr,
    root: String,
    _broker: Signalling,
}

impl Secure {
    async fn start() -> Self {
        let broker = Signalling::start().await;
        let (address, root) = front(broker.address).await;
        Self {
            address,
            root,
            _broker: broker,
        }
    }

    fn config(&self, host: &str) -> Config {
        Config {
            host: host.into(),
            port: self.address.port(),
            secure: true,
            ice_servers: Vec::new(),
            ..Config::default()
        }
    }

    fn trusting(&self) -> NativeConfig {
        NativeConfig {
            listen: loopback(),
            roots: RootCertificate::read_pem(self.root.as_bytes()).unwrap(),
        }
    }
}

/// Puts TLS in front of something: its address, and the authority that vouches for it, as PEM.
pub(crate) async fn front(behind: SocketAddr) -> (SocketAddr, String) {
    let (acceptor, root) = acceptor();
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = front.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Some of those who come do not like the certificate.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut behind = TcpStream::connect(behind).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut behind).await;
                }
            });
        }
    });
    (address, root)
}

/// A server's half of TLS, and the authority that vouches for it, as PEM.
fn acceptor() -> (TlsAcceptor, String) {
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // Authorities with one name would be told apart by their signatures alone.
    let name = format!("authority {:x}", u64::from_be_bytes(random()));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap().pem();
    let issuer = Issuer::new(params, authority);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), root)
}

fn open(native: &NativeConfig, config: &Config) -> PeerJs {
    let token = Token::from_random(random());
    PeerJs::open_with(native, config, &owner(), &token, SystemClock::new()).unwrap()
}

/// The reason why the server is not reached.
async fn fault(transport: &PeerJs) -> SignallingFault {
    let status = transport.status();
    soon("a fault", async {
        loop {
            if let Some(fault) = status.signalling_fault() {
                assert_ne!(status.registration(), Some(RegistrationState::Registered));
                return fault;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_find_each_other_by_a_server_with_tls() {
    let server = Secure::start().await;
    let config = server.config("localhost");
    let mut sides = Vec::new();
    for _ in 0..2 {
        let address = owner();
        let (token, clock) = (Token::from_random(random()), SystemClock::new());
        let native = server.trusting();
        let transport = PeerJs::open_with(&native, &config, &address, &token, clock).unwrap();
        registered(&transport).await;
        assert_eq!(transport.status().signalling_fault(), None);
        sides.push(Side { transport, address });
    }
    let (mut one, mut two) = (sides.remove(0), sides.remove(0));
    one.link(1, &mut two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (server, other) = (Secure::start().await, Secure::start().await);
    let transport = open(&other.trusting(), &server.config("localhost"));
    assert_eq!(
        fault(&transport).await.to_string(),
        "the certificate of the signalling server is not accepted: this machine trusts nobody who \
         vouches for it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_another_name_is_refused() {
    let server = Secure::start().await;
    let transport = open(&server.trusting(), &server.config("127.0.0.1"));
    assert_eq!(
        fault(&transport).await.to_string(),
        "the certificate of the signalling server is not accepted: it is for another name"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_none_is_told_from_one_that_is_away() {
    let plain = Signalling::start().await;
    let server = Secure::start().await;
    let mut config = server.config("localhost");
    config.port = plain.address.port();
    let no_tls = fault(&open(&server.trusting(), &config)).await;
    assert!(matches!(no_tls, SignallingFault::Tls(_)), "{no_tls:?}");

    let mut config = plain.config();
    config.path = "/elsewhere".into();
    let no_socket = fault(&open(&server.trusting(), &config)).await;
    let is_refused = matches!(no_socket, SignallingFault::Refused(_));
    assert!(is_refused, "{no_socket:?}");

    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    config.port = gone.local_addr().unwrap().port();
    drop(gone);
    let away = fault(&open(&server.trusting(), &config)).await;
    assert!(matches!(away, SignallingFault::Unreachable(_)), "{away:?}");
}

#[test]
fn a_text_without_a_certificate_is_no_list_of_roots() {
    assert_eq!(RootCertificate::read_pem(b"hello"), Err(RootError::None));
    let pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let read = RootCertificate::read_pem(pem);
    assert!(
        matches!(read, Err(RootError::Malformed { number: 1, .. })),
        "{read:?}"
    );
    let (_, root) = acceptor();
    let two = [root.clone(), acceptor().1].concat();
    assert_eq!(RootCertificate::read_pem(two.as_bytes()).unwrap().len(), 2);
}
