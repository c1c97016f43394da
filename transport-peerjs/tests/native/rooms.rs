//! A whole poll between programs.

use futures::StreamExt;
use futures::executor::block_on;
use hustings_outbox::MemoryStore;
use hustings_protocol::{Outcome, PollDraft, RoomId};
use hustings_room::Connection;
use hustings_room::driver::{Hosting, Room};
use hustings_transport_peerjs::{Config, Listen, Status};
use tokio::sync::oneshot;

use crate::person::{Person, vote_in};
use crate::side::{Signalling, soon};

/// Hosts, on a task of the runtime.
fn host(person: &Person, config: &Config) -> Hosting<MemoryStore> {
    person.host(config).room
}

/// Joins, and is let in.
async fn join(person: &Person, config: &Config, poll: &Room) -> Room {
    let (room, _, driver) = person.driver(config, poll.id()).await;
    // The transport's own tasks are tokio's. Whoever uses it may be on another executor.
    std::thread::spawn(|| block_on(driver.run()).unwrap());
    soon("joining", room.connected()).await.unwrap();
    room
}

fn tea_or_coffee() -> PollDraft {
    PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"])
}

async fn votes(room: &Room) {
    let submitted = room.submit(vote_in(room, 0)).await.unwrap();
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
    let hosting = host(&owner, config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    let (voter, onlooker) = (Person::new(), Person::new());
    let voter = join(&voter, config, &poll).await;
    let onlooker = join(&onlooker, config, &poll).await;
    votes(&voter).await;
    counted(&poll, 1).await;
    counted(&onlooker, 1).await;
    voter.close().await;
    onlooker.close().await;
    hosting.close().await;
}

/// Somebody votes once more after they have lost their links, by what is done then.
async fn vote_before_and_after(
    voter: &Person,
    config: &Config,
    poll: RoomId,
    lose: impl FnOnce(&Status),
) {
    let present = voter.enter(config, poll).await;
    let room = &present.room;
    soon("joining", room.connected()).await.unwrap();
    votes(room).await;
    let mut events = room.events();
    lose(&present.status);
    soon("noticing", async {
        while room.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;
    soon("coming back", room.connected()).await.unwrap();
    votes(room).await;
    room.close().await;
}

/// The same with somebody who is somewhere, in a poll of somebody else's.
pub(crate) async fn votes_are_counted_after(
    config: &Config,
    listen: &Listen,
    lose: impl FnOnce(&Status),
) {
    let hosting = host(&Person::new(), config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    let voter = Person::at(listen.clone());
    vote_before_and_after(&voter, config, poll.id(), lose).await;
    counted(&poll, 1).await;
    hosting.close().await;
}

/// Hosts a poll, tells which, and goes on until somebody has voted and all are told to end.
pub(crate) async fn host_a_poll(
    config: &Config,
    tell: oneshot::Sender<RoomId>,
    end: oneshot::Receiver<()>,
) {
    let hosting = host(&Person::at(Listen::default()), config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    tell.send(poll.id()).unwrap();
    end.await.unwrap();
    counted(&poll, 1).await;
    hosting.close().await;
}

/// Joins a poll of somebody elsewhere, votes, moves, and votes again.
pub(crate) async fn join_and_vote(config: &Config, poll: RoomId, moves: impl FnOnce()) {
    let voter = Person::at(Listen::default());
    vote_before_and_after(&voter, config, poll, |_| moves()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_comes_back_finds_its_participants() {
    let signalling = Signalling::start().await;
    let config = signalling.config();
    let owner = Person::new();
    let hosting = host(&owner, &config);
    let poll = hosting.create(tea_or_coffee()).await.unwrap();
    let voter = Person::new();
    let room = join(&voter, &config, &poll).await;
    votes(&room).await;
    hosting.close().await;
    soon("noticing", async {
        let mut events = room.events();
        while room.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;
    let hosting = host(&owner, &config);
    let poll = hosting.open(poll.id().poll_id).await.unwrap();
    soon("coming back", room.connected()).await.unwrap();
    counted(&poll, 1).await;
    votes(&room).await;
    room.close().await;
    hosting.close().await;
}
