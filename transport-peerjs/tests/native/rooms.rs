//! A whole poll between programs.

use futures::StreamExt;
use futures::executor::block_on;
use hustings_outbox::{Identity, MemoryStore};
use hustings_protocol::{Address, Command, DeviceId, Outcome, PollDraft, RoomId, Vote};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Hosting, Room};
use hustings_room::{Config as RoomConfig, Connection};
use hustings_transport_peerjs::{Config, Listen, PeerJs, Status, Token};

use tokio::sync::oneshot;

use crate::side::{Signalling, loopback, random, soon};

/// Somebody who keeps an identity, a token and a store.
struct Person {
    identity: Identity,
    token: Token,
    store: MemoryStore,
}

impl Person {
    fn new() -> Self {
        Self {
            identity: Identity::from_seed(random(), DeviceId::from_bytes(random())),
            token: Token::from_random(random()),
            store: MemoryStore::new(),
        }
    }

    fn host(&self, config: &Config) -> Hosting<MemoryStore> {
        self.host_from(&loopback(), config)
    }

    fn host_from(&self, listen: &Listen, config: &Config) -> Hosting<MemoryStore> {
        let address = Address::Owner(self.identity.peer_id());
        let (token, clock) = (&self.token, SystemClock::new());
        let transport = PeerJs::open_at(listen, config, &address, token, clock).unwrap();
        let setup = driver::setup(&self.identity, RoomConfig::default()).unwrap();
        let store = self.store.clone();
        let (hosting, driver) = driver::host(setup, transport, store, SystemClock::new());
        tokio::spawn(async { driver.run().await.unwrap() });
        hosting
    }

    async fn join(&self, config: &Config, poll: &Room) -> Room {
        self.join_from(&loopback(), config, poll.id()).await.0
    }

    /// The same from somewhere, and how the transport stands.
    async fn join_from(&self, listen: &Listen, config: &Config, poll: RoomId) -> (Room, Status) {
        let address = Address::Participant(self.identity.peer_id(), self.identity.device());
        let (token, clock) = (&self.token, SystemClock::new());
        let transport = PeerJs::open_at(listen, config, &address, token, clock).unwrap();
        let status = transport.status();
        let setup = driver::setup(&self.identity, RoomConfig::default()).unwrap();
        let (store, clock) = (self.store.clone(), SystemClock::new());
        let joined = driver::join(setup, poll, transport, store, clock).await;
        let (room, driver) = joined.unwrap();
        // The transport's own tasks are tokio's. Whoever uses it may be on another executor.
        std::thread::spawn(|| block_on(driver.run()).unwrap());
        soon("joining", room.connected()).await.unwrap();
        (room, status)
    }
}

fn tea_or_coffee() -> PollDraft {
    PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"])
}

fn tea(room: &Room) -> Command {
    let chosen = room.poll().unwrap().options()[0].option_id;
    Command::Vote(Vote {
        poll_id: room.id().poll_id,
        option_ids: vec![chosen],
    })
}

async fn votes(room: &Room) {
    let submitted = room.submit(tea(room)).await.unwrap();
    let outcome = soon("the outcome", submitted.outcome()).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

/// Resolves once so many have voted for the first option.
async fn counted(room: &Room, expected: u64) {
    let votes = |room: &Room| room.confirmed().unwrap().tally().unwrap().options[0].votes;
    soon(&format!("counting {expected}"), async {
        let mut events = room.events();
        while votes(room) != expected {
            events.next().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_is_acknowledged_and_everybody_sees_it() {
    let signalling = Signalling::start().await;
    votes_are_counted(&signalling.config()).await;
}

/// Somebody votes in somebody else's poll, and a third sees it.
pub(crate) async fn votes_are_counted(config: &Config) {
    let owner = Person::new();
    let hosting = owner.host(config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    let (voter, onlooker) = (Person::new(), Person::new());
    let voter = voter.join(config, &poll).await;
    let onlooker = onlooker.join(config, &poll).await;
    votes(&voter).await;
    counted(&poll, 1).await;
    counted(&onlooker, 1).await;
    voter.close().await;
    onlooker.close().await;
    hosting.close().await;
}

/// Somebody votes once more after they have lost their links, by what is done then.
pub(crate) async fn votes_are_counted_after(
    config: &Config,
    listen: &Listen,
    lose: impl FnOnce(&Status),
) {
    let owner = Person::new();
    let hosting = owner.host(config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    let voter = Person::new();
    let (room, status) = voter.join_from(listen, config, poll.id()).await;
    votes(&room).await;
    let mut events = room.events();
    lose(&status);
    soon("noticing", async {
        while room.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;
    soon("coming back", room.connected()).await.unwrap();
    votes(&room).await;
    counted(&poll, 1).await;
    room.close().await;
    hosting.close().await;
}

/// Hosts a poll, tells which, and goes on until somebody has voted and all are told to end.
pub(crate) async fn host_a_poll(
    config: &Config,
    tell: oneshot::Sender<RoomId>,
    end: oneshot::Receiver<()>,
) {
    let hosting = Person::new().host_from(&Listen::default(), config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    tell.send(poll.id()).unwrap();
    end.await.unwrap();
    counted(&poll, 1).await;
    hosting.close().await;
}

/// Joins a poll of somebody elsewhere, votes, moves, and votes again.
pub(crate) async fn join_and_vote(config: &Config, poll: RoomId, moves: impl FnOnce()) {
    let voter = Person::new();
    let (room, _) = voter.join_from(&Listen::default(), config, poll).await;
    votes(&room).await;
    let mut events = room.events();
    moves();
    soon("noticing", async {
        while room.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;
    soon("coming back", room.connected()).await.unwrap();
    votes(&room).await;
    room.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_comes_back_finds_its_participants() {
    let signalling = Signalling::start().await;
    let config = signalling.config();
    let owner = Person::new();
    let hosting = owner.host(&config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    let voter = Person::new();
    let room = voter.join(&config, &poll).await;
    votes(&room).await;
    hosting.close().await;
    soon("noticing", async {
        let mut events = room.events();
        while room.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;
    let hosting = owner.host(&config);
    let poll = hosting.open(poll.id().poll_id).await.unwrap();
    soon("coming back", room.connected()).await.unwrap();
    counted(&poll, 1).await;
    votes(&room).await;
    room.close().await;
    hosting.close().await;
}
