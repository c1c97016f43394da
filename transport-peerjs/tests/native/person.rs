//! Somebody who hosts a poll or takes part in one, and what they have kept.

use hustings_outbox::{Identity, MemoryStore};
use hustings_protocol::{Address, Command, DeviceId, OptionId, RoomId, Vote};
use hustings_room::Config as RoomConfig;
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Driver, Hosting, Room};
use hustings_transport_peerjs::{Config, Listen, PeerJs, Status, Token};

use crate::side::{loopback, random};

/// Somebody who keeps an identity, a token and a store.
pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) token: Token,
    pub(crate) store: MemoryStore,
    pub(crate) config: RoomConfig,
    /// The addresses at which others reach them: by default on this machine alone.
    pub(crate) listen: Listen,
}

/// Somebody who is in a poll, on tasks of the runtime.
pub(crate) struct Present<R> {
    pub(crate) room: R,
    pub(crate) status: Status,
}

impl Person {
    pub(crate) fn new() -> Self {
        let identity = Identity::from_seed(random(), DeviceId::from_bytes(random()));
        Self {
            token: Token::from_random(random()).with_key(identity.signing_key()),
            identity,
            store: MemoryStore::new(),
            config: RoomConfig::default(),
            listen: loopback(),
        }
    }

    /// The same, who is reached there.
    pub(crate) fn at(listen: Listen) -> Self {
        Self {
            listen,
            ..Self::new()
        }
    }

    pub(crate) fn as_owner(&self) -> Address {
        Address::Owner(self.identity.peer_id())
    }

    pub(crate) fn as_participant(&self) -> Address {
        Address::Participant(self.identity.peer_id(), self.identity.device())
    }

    fn transport(&self, config: &Config, address: &Address) -> PeerJs {
        let clock = SystemClock::new();
        PeerJs::open_at(&self.listen, config, address, &self.token, clock).unwrap()
    }

    /// Hosts what is in the store.
    pub(crate) fn host(&self, config: &Config) -> Present<Hosting<MemoryStore>> {
        let transport = self.transport(config, &self.as_owner());
        let status = transport.status();
        let setup = driver::setup(&self.identity, self.config.clone()).unwrap();
        let store = self.store.clone();
        let (room, driver) = driver::host(setup, transport, store, SystemClock::new());
        tokio::spawn(async { driver.run().await.unwrap() });
        Present { room, status }
    }

    /// Begins to join, with what is in the store.
    pub(crate) async fn enter(&self, config: &Config, room: RoomId) -> Present<Room> {
        let (room, status, driver) = self.driver(config, room).await;
        tokio::spawn(async { driver.run().await.unwrap() });
        Present { room, status }
    }

    /// The same, with a driver that runs wherever one likes.
    pub(crate) async fn driver(
        &self,
        config: &Config,
        room: RoomId,
    ) -> (Room, Status, Driver<PeerJs, MemoryStore>) {
        let transport = self.transport(config, &self.as_participant());
        let status = transport.status();
        let setup = driver::setup(&self.identity, self.config.clone()).unwrap();
        let (store, clock) = (self.store.clone(), SystemClock::new());
        let joined = driver::join(setup, room, transport, store, clock).await;
        let (room, driver) = joined.unwrap();
        (room, status, driver)
    }
}

/// The id of the `number`th option of the poll that a room shows.
pub(crate) fn option_of(room: &Room, number: usize) -> OptionId {
    room.poll().unwrap().options()[number].option_id
}

/// A vote for it.
pub(crate) fn vote_in(room: &Room, number: usize) -> Command {
    Command::Vote(Vote {
        poll_id: room.id().poll_id,
        option_ids: vec![option_of(room, number)],
    })
}
