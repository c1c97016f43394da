//! A broker with TURN, as long as its test.

use std::net::SocketAddr;
use std::time::Duration;

use hustings_transport_peerjs::broker::{Broker, BrokerConfig, Secret, TurnConfig};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Client, get};

/// The time that anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The secret of the tests, with which they make what the broker would not.
pub(crate) const SECRET: &str = "north";

pub(crate) struct Served {
    pub(crate) at: SocketAddr,
    pub(crate) turn: SocketAddr,
    metrics: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// TURN on loopback, with the addresses of tests.
pub(crate) fn config() -> TurnConfig {
    TurnConfig {
        listen: vec![([127, 0, 0, 1], 0).into()],
        secret: Some(Secret::new(SECRET).unwrap()),
        ..TurnConfig::default()
    }
}

/// The same, that relays to and from programs on loopback.
pub(crate) fn open_config() -> TurnConfig {
    TurnConfig {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..config()
    }
}

pub(crate) async fn serve(turn: TurnConfig) -> Served {
    let config = BrokerConfig {
        turn,
        metrics: Some(([127, 0, 0, 1], 0).into()),
        ..BrokerConfig::default()
    };
    let broker = Broker::bind("127.0.0.1:0", config).await.unwrap();
    let at = broker.local_addr();
    let turn = broker.turn_addrs()[0];
    let metrics = broker.metrics_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(broker.serve(async {
        let _ = stopped.await;
    }));
    Served {
        at,
        turn,
        metrics,
        stop,
        serving,
    }
}

impl Served {
    /// A count of TURN's, by its name and label.
    pub(crate) async fn count(&self, name: &str) -> u64 {
        let (text, count) = self.look_up(name).await;
        count.unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    /// The same, or zero.
    pub(crate) async fn count_or_none(&self, name: &str) -> u64 {
        self.look_up(name).await.1.unwrap_or_default()
    }

    async fn look_up(&self, name: &str) -> (String, Option<u64>) {
        let text = get(self.metrics, "/metrics", "").await.body;
        let name = format!("hustings_broker_turn_{name}");
        let values = text.lines().filter_map(|line| line.rsplit_once(' '));
        let mut of_name = values.filter(|(of, _)| *of == name);
        let count = of_name.next().map(|(_, value)| value.parse().unwrap());
        (text, count)
    }

    /// Waits until a count is there and has this value.
    pub(crate) async fn until(&self, name: &str, value: u64) {
        let end = Instant::now() + PATIENCE;
        let full = format!("hustings_broker_turn_{name} {value}");
        loop {
            let text = get(self.metrics, "/metrics", "").await.body;
            if text.lines().any(|line| line == full) {
                return;
            }
            assert!(Instant::now() < end, "never {full}: {text}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the broker, and returns when it has ended.
    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap();
    }

    /// A name and a password, as a peer is handed them.
    pub(crate) async fn credentials(&self, peer: &str) -> (String, String) {
        let path = format!("/peerjs?key=peerjs&id={peer}&token=t&ice=1");
        let mut client = Client::connect(self.at, &path).await;
        let handed = handed(&client.text().await);
        client.close().await;
        handed
    }
}

/// The name and the password in a message of the broker's.
pub(crate) fn handed(text: &str) -> (String, String) {
    let message: Value = serde_json::from_str(text).unwrap();
    assert_eq!(message["type"], "HUSTINGS-ICE", "{text}");
    let server = &message["payload"]["iceServers"][0];
    let word = |name: &str| server[name].as_str().unwrap().to_owned();
    (word("username"), word("credential"))
}
