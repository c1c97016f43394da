//! People who vote all the time, in this process.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hustings_outbox::{Identity, MemoryStore};
use hustings_protocol::{Address, Command, Outcome, RoomId, Vote};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, CallError, Room};
use hustings_room::{BackoffConfig, Config as RoomConfig, SubmitError};
use hustings_transport_peerjs::{Config, Listen, PeerJs, Token};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::scene::{Scene, soon};

/// A number of the environment.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("it is a number"))
}

/// Numbers that are the same for the same seed.
pub(crate) struct Whims(u64);

impl Whims {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

#[derive(Default)]
struct Shared {
    /// The revisions that were acknowledged.
    acks: Mutex<BTreeSet<u64>>,
    count: AtomicU64,
    news: Notify,
    is_over: AtomicBool,
}

pub(crate) struct Crowd {
    shared: Arc<Shared>,
    voters: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Everybody joins, and then they vote. An owner who does not answer for `patience` is taken
    /// for gone.
    pub(crate) async fn join(scene: &Scene, link: &str, voters: usize, patience: Duration) -> Self {
        let room: RoomId = link.parse().unwrap();
        let shared = Arc::new(Shared::default());
        let mut rooms = Vec::new();
        for _ in 0..voters {
            rooms.push(enter(scene, room, patience).await);
        }
        let rooms = rooms.into_iter().enumerate();
        let vote = |(place, room)| tokio::spawn(vote(room, place, Arc::clone(&shared)));
        Self {
            voters: rooms.map(vote).collect(),
            shared,
        }
    }

    /// The number of people.
    pub(crate) fn len(&self) -> usize {
        self.voters.len()
    }

    /// Waits until so many more votes are acknowledged.
    pub(crate) async fn acknowledged(&self, more: u64) {
        let count = || self.shared.count.load(Ordering::SeqCst);
        let target = count() + more;
        soon("acknowledgements", async {
            loop {
                let news = self.shared.news.notified();
                if count() >= target {
                    return;
                }
                news.await;
            }
        })
        .await;
    }

    /// The revisions that were acknowledged so far.
    pub(crate) fn told(&self) -> BTreeSet<u64> {
        self.shared.acks.lock().unwrap().clone()
    }

    /// Has everybody's last vote acknowledged. Returns the revisions of all.
    pub(crate) async fn finish(self) -> BTreeSet<u64> {
        self.acknowledged(self.voters.len() as u64 * 2).await;
        self.shared.is_over.store(true, Ordering::SeqCst);
        for voter in self.voters {
            soon("a voter", voter).await.unwrap();
        }
        std::mem::take(&mut self.shared.acks.lock().unwrap())
    }
}

async fn enter(scene: &Scene, room: RoomId, patience: Duration) -> Room {
    let store = MemoryStore::new();
    let identity = Identity::load_or_create(&store, 0).await.unwrap();
    let server = scene
        .server
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let (host, port) = server.split_once(':').unwrap();
    let config = Config {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        ice_servers: Vec::new(),
        ..Config::default()
    };
    let listen = Listen {
        port: 0,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    };
    let token = Token::new(identity.token()).unwrap();
    let address = Address::Participant(identity.peer_id(), identity.device());
    let transport =
        PeerJs::open_at(&listen, &config, &address, &token, SystemClock::new()).unwrap();
    // As fast as a test wants it.
    let config = RoomConfig {
        backoff: BackoffConfig {
            initial: Duration::from_millis(50),
            max: Duration::from_millis(500),
            ..BackoffConfig::default()
        },
        dial_timeout: patience * 4,
        ping_after: patience,
        pong_timeout: patience,
        ..RoomConfig::default()
    };
    let setup = driver::setup(&identity, config).unwrap();
    let joined = driver::join(setup, room, transport, store, SystemClock::new()).await;
    let (room, driver) = joined.unwrap();
    tokio::spawn(async { driver.run().await.unwrap() });
    soon("joining", room.connected()).await.unwrap();
    room
}

/// Votes for one and the other.
async fn vote(room: Room, place: usize, shared: Arc<Shared>) {
    let options: Vec<_> = {
        let poll = room.confirmed().unwrap();
        poll.options()
            .iter()
            .map(|option| option.option_id)
            .collect()
    };
    let mut turn = place;
    while !shared.is_over.load(Ordering::SeqCst) {
        let vote = Vote {
            poll_id: room.id().poll_id,
            option_ids: vec![options[turn % options.len()]],
        };
        match room.submit(Command::Vote(vote)).await {
            Ok(submitted) => match submitted.outcome().await.unwrap() {
                Outcome::Applied(revision) => {
                    let is_new = shared.acks.lock().unwrap().insert(revision.get());
                    assert!(is_new, "{revision:?} was acknowledged twice");
                    shared.count.fetch_add(1, Ordering::SeqCst);
                    shared.news.notify_waiters();
                    turn += 1;
                }
                Outcome::Rejected(rejection) => panic!("{rejection}"),
            },
            Err(CallError::Submit(SubmitError::OwnerOffline)) => room.connected().await.unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    room.close().await;
}
