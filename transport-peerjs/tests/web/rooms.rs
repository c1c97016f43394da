//! A whole poll over real WebRTC.

use std::time::Duration;

use futures::StreamExt;
use hustings_outbox::{Identity, MemoryStore};
use hustings_protocol::{Address, Command, DeviceId, Outcome, PeerId, PollDraft, Vote};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Hosting, Room};
use hustings_room::{Config, Connection};
use hustings_transport_peerjs::PeerJs;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page;
use crate::side::{config, random, sleep, token, within};

const MINUTE: Duration = Duration::from_secs(60);

fn identity() -> Identity {
    Identity::from_seed(random(), DeviceId::from_bytes(random()))
}

fn transport(address: Address) -> PeerJs {
    PeerJs::open(&config(), &address, &token(), SystemClock::new()).unwrap()
}

async fn poll() -> (Hosting<MemoryStore>, Room) {
    let setup = driver::setup(&identity(), Config::default()).unwrap();
    let transport = transport(Address::Owner(setup.peer()));
    let (hosting, driver) = driver::host(setup, transport, MemoryStore::new(), SystemClock::new());
    spawn_local(async { driver.run().await.unwrap() });
    let draft = PollDraft {
        title: "Tea or coffee?".into(),
        options: vec!["Tea".into(), "Coffee".into()],
        multiple_choice: false,
        voters_may_add_options: false,
    };
    let poll = hosting.create(draft).await.unwrap();
    (hosting, poll)
}

async fn join(poll: &Room) -> Room {
    let setup = driver::setup(&identity(), Config::default()).unwrap();
    let transport = transport(Address::Participant(setup.peer(), setup.device));
    let (store, clock) = (MemoryStore::new(), SystemClock::new());
    let joined = driver::join(setup, poll.room(), transport, store, clock).await;
    let (room, driver) = joined.unwrap();
    spawn_local(async { driver.run().await.unwrap() });
    within(MINUTE, "joining", room.connected()).await.unwrap();
    room
}

fn tea(room: &Room) -> Command {
    let tea = room.poll().unwrap().options()[0].option_id;
    Command::Vote(Vote {
        poll_id: room.room().poll,
        option_ids: vec![tea],
    })
}

fn votes(room: &Room) -> u64 {
    room.confirmed().unwrap().tally().options[0].votes
}

#[wasm_bindgen_test]
async fn a_vote_is_acknowledged_and_everybody_sees_it() {
    let (hosting, poll) = poll().await;
    let (voter, onlooker) = (join(&poll).await, join(&poll).await);
    let submitted = voter.submit(tea(&voter)).await.unwrap();
    let outcome = within(MINUTE, "the outcome", submitted.outcome())
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!((votes(&poll), votes(&voter)), (1, 1));
    within(MINUTE, "hearing of it", async {
        let mut events = onlooker.events();
        while votes(&onlooker) != 1 {
            events.next().await.unwrap();
        }
    })
    .await;
    voter.close().await;
    onlooker.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn a_command_whose_ack_was_lost_is_sent_again_and_applied_once() {
    page::spy().await;
    let (hosting, poll) = poll().await;
    let voter = join(&poll).await;
    let before = poll.revision().unwrap();

    // The owner gets the vote and applies it, and no word of it comes back.
    page::dumb(true).await;
    let submitted = voter.submit(tea(&voter)).await.unwrap();
    within(MINUTE, "applying", async {
        while votes(&poll) != 1 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(voter.pending().len(), 1);
    page::cut_accepted().await;
    page::dumb(false).await;
    within(MINUTE, "noticing", async {
        let mut events = voter.events();
        while voter.connection() == Connection::Connected {
            events.next().await.unwrap();
        }
    })
    .await;

    let outcome = within(MINUTE, "the outcome", submitted.outcome())
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    within(MINUTE, "coming back", voter.connected())
        .await
        .unwrap();
    assert_eq!(voter.pending().len(), 0);
    assert_eq!((votes(&poll), votes(&voter)), (1, 1));
    assert_eq!(poll.revision(), voter.revision());
    assert_eq!(poll.revision().unwrap().get() - before.get(), 1);
    voter.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn waiting_for_an_absent_owner_holds_one_peer_connection() {
    page::spy().await;
    let before = page::live_rtcs().await;
    let identity = identity();
    let setup = driver::setup(&identity, Config::default()).unwrap();
    let transport = transport(Address::Participant(setup.peer(), setup.device));
    let (store, clock) = (MemoryStore::new(), SystemClock::new());
    let owner = PeerId::from_bytes(random());
    let nobody = format!("{owner}/00000000-0000-4000-8000-000000000000");
    let nobody = nobody.parse().unwrap();
    let (room, driver) = driver::join(setup, nobody, transport, store, clock)
        .await
        .unwrap();
    spawn_local(async { driver.run().await.unwrap() });
    let mut dialled = 0;
    for _ in 0..150 {
        sleep(Duration::from_millis(100)).await;
        let live = page::live_rtcs().await - before;
        assert!(live <= 1, "{live} peer connections");
        dialled = dialled.max(live);
        assert_ne!(room.connection(), Connection::Connected);
    }
    assert_eq!(dialled, 1, "it has been dialled");
    room.close().await;
    assert_eq!(page::live_rtcs().await, before);
}
