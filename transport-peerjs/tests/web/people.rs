//! People of a poll: somebody who hosts it, and those who join.

use std::time::Duration;

use futures::StreamExt;
use hustings_outbox::{Identity, MemoryStore};
use hustings_protocol::{Address, Command, DeviceId, PollDraft, RoomId, Vote};
use hustings_room::Config;
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Hosting, Room};
use hustings_room::transport::Transport;
use hustings_transport_peerjs::PeerJs;
use wasm_bindgen_futures::spawn_local;

use crate::side::{config, random, token, within};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn identity() -> Identity {
    Identity::from_seed(random(), DeviceId::from_bytes(random()))
}

pub(crate) fn transport(address: Address) -> PeerJs {
    PeerJs::open(&config(), &address, &token(), SystemClock::new()).unwrap()
}

pub(crate) fn tea_or_coffee() -> PollDraft {
    PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"])
}

/// A poll of somebody new.
pub(crate) async fn poll() -> (Hosting<MemoryStore>, Room) {
    let identity = identity();
    let transport = transport(Address::Owner(identity.peer_id()));
    host(&identity, transport, Config::default(), tea_or_coffee()).await
}

pub(crate) async fn host<T: Transport + 'static>(
    identity: &Identity,
    transport: T,
    config: Config,
    draft: PollDraft,
) -> (Hosting<MemoryStore>, Room) {
    let setup = driver::setup(identity, config).unwrap();
    let (hosting, driver) = driver::host(setup, transport, MemoryStore::new(), SystemClock::new());
    spawn_local(async { driver.run().await.unwrap() });
    let poll = hosting.create(draft).await.unwrap();
    (hosting, poll)
}

/// Somebody new in the poll.
pub(crate) async fn join(poll: &Room) -> Room {
    let identity = identity();
    let transport = transport(address(&identity));
    let room = enter(&identity, Config::default(), poll.id(), transport).await;
    within(MINUTE, "joining", room.connected()).await.unwrap();
    room
}

/// Somebody on the way to a poll.
pub(crate) async fn enter(
    identity: &Identity,
    config: Config,
    link: RoomId,
    transport: impl Transport + 'static,
) -> Room {
    let setup = driver::setup(identity, config).unwrap();
    let (store, clock) = (MemoryStore::new(), SystemClock::new());
    let joined = driver::join(setup, link, transport, store, clock).await;
    let (room, driver) = joined.unwrap();
    spawn_local(async { driver.run().await.unwrap() });
    room
}

/// The place of those who take part.
pub(crate) fn address(identity: &Identity) -> Address {
    Address::Participant(identity.peer_id(), identity.device())
}

/// A vote for the first option.
pub(crate) fn tea(room: &Room) -> Command {
    vote_for(room, 0)
}

pub(crate) fn vote_for(room: &Room, option: usize) -> Command {
    let chosen = room.poll().unwrap().options()[option].option_id;
    Command::Vote(Vote {
        poll_id: room.id().poll_id,
        option_ids: vec![chosen],
    })
}

/// The number of votes for the first option.
pub(crate) fn votes(room: &Room) -> u64 {
    room.confirmed().unwrap().tally().unwrap().options[0].votes
}

/// Resolves once so many have voted for the first option.
pub(crate) async fn counted(room: &Room, expected: u64) {
    within(MINUTE, &format!("counting {expected}"), async {
        let mut events = room.events();
        while votes(room) != expected {
            events.next().await.unwrap();
        }
    })
    .await;
}
