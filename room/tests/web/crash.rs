//! A room over IndexedDB: what was said survives the page that said it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{AbortHandle, abortable};
use hustings_outbox::{HostingLock, Identity, IndexedDbStore, Slot};
use hustings_protocol::{Address, Command, Outcome, PollDraft, Revision, RoomId, Vote};
use hustings_room::Config;
use hustings_room::clock::{Clock, SystemClock};
use hustings_room::driver::{self, Driver, Hosting, Room};
use hustings_transport_mem::{Latency, MemTransport, MemoryNet};
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

/// The time that a frame travels: long enough to be cut off before it arrives.
const LATENCY: Duration = Duration::from_millis(20);

/// A browser, whose pages come and go, and a network that stays.
struct Browser {
    net: MemoryNet,
    clock: Arc<SystemClock>,
    /// Of one run: databases outlive it.
    run: f64,
}

/// A page of somebody's: dropping it is closing the tab, without a goodbye to its own store.
struct Page<H> {
    handle: H,
    slot: Slot,
    identity: Identity,
    driver: AbortHandle,
}

impl<H> Drop for Page<H> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Runs a driver as a page does.
fn spawn(driver: Driver<MemTransport, IndexedDbStore>) -> AbortHandle {
    let (running, abort) = abortable(driver.run());
    spawn_local(async {
        if let Ok(ended) = running.await {
            ended.expect("the browser keeps what it is given");
        }
    });
    abort
}

impl Browser {
    fn new() -> Self {
        let clock = Arc::new(SystemClock::new());
        Self {
            net: MemoryNet::new(1, Latency::fixed(LATENCY), clock.clone()),
            clock,
            run: js_sys::Date::now(),
        }
    }

    fn profile(&self, person: &str) -> String {
        format!("room-{}-{person}", self.run)
    }

    /// Opens a person's profile as a page does that was just loaded.
    async fn visit(&self, person: &str) -> (IndexedDbStore, Slot, Identity) {
        let profile = self.profile(person);
        let store = IndexedDbStore::open(&profile).await.unwrap();
        let slot = Slot::take(&profile, &store).await.unwrap();
        let identity = slot.identity(&store).await.unwrap();
        (store, slot, identity)
    }

    async fn host(&self, person: &str) -> (Page<Hosting<IndexedDbStore>>, HostingLock) {
        let (store, slot, identity) = self.visit(person).await;
        let lock = HostingLock::take(&self.profile(person), &store, identity.peer_id())
            .await
            .unwrap();
        let setup = driver::setup(&identity, Config::default()).unwrap();
        let transport = self.net.transport(Address::Owner(setup.peer())).unwrap();
        let (hosting, driver) = driver::host(setup, transport, store, self.clock.clone());
        let page = Page {
            handle: hosting,
            slot,
            identity,
            driver: spawn(driver),
        };
        (page, lock)
    }

    async fn join(&self, person: &str, room: RoomId) -> Page<Room> {
        let (store, slot, identity) = self.visit(person).await;
        let setup = driver::setup(&identity, Config::default()).unwrap();
        let address = Address::Participant(setup.peer(), setup.device);
        let transport = self.net.transport(address).unwrap();
        let (handle, driver) = driver::join(setup, room, transport, store, self.clock.clone())
            .await
            .unwrap();
        Page {
            handle,
            slot,
            identity,
            driver: spawn(driver),
        }
    }

    async fn pause(&self, time: Duration) {
        let until = self.clock.now() + time;
        self.clock.sleep_until(until).await;
    }
}

fn draft() -> PollDraft {
    PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"].map(String::from).to_vec())
}

fn vote(room: &Room, choice: usize) -> Command {
    let poll = room.poll().expect("it has been seen");
    Command::Vote(Vote {
        poll_id: room.id().poll_id,
        option_ids: vec![poll.options()[choice].option_id],
    })
}

fn applied(revision: u64) -> Outcome {
    Outcome::Applied(Revision::new(revision).unwrap())
}

#[wasm_bindgen_test]
async fn a_room_survives_the_pages_of_both_sides() {
    let browser = Browser::new();
    let (alice, lock) = browser.host("alice").await;
    let poll = alice.handle.create(draft()).await.unwrap();
    let link = poll.id();

    let bob = browser.join("bob", link).await;
    bob.handle.connected().await.unwrap();
    let submitted = bob.handle.submit(vote(&bob.handle, 0)).await.unwrap();
    assert_eq!(submitted.outcome().await.unwrap(), applied(1));

    // Bob's vote is durable, and his page is closed before the owner can hear of it.
    let changed = bob.handle.submit(vote(&bob.handle, 1)).await.unwrap();
    let who = bob.identity.clone();
    drop((changed, bob));
    // So is Alice's page.
    let owner = alice.identity.clone();
    drop((poll, alice, lock));
    browser.pause(Duration::ZERO).await;

    // Bob is back first: it is as he left it, though nobody is there.
    let bob = browser.join("bob", link).await;
    assert_eq!(bob.identity, who);
    assert_eq!(bob.slot.number(), 0);
    assert_eq!(bob.handle.pending().len(), 1);
    assert_eq!(bob.handle.revision(), Revision::new(1));
    assert_eq!(
        bob.handle.confirmed().unwrap().tally().unwrap().options[0].votes,
        1
    );
    assert_eq!(
        bob.handle.poll().unwrap().tally().unwrap().options[1].votes,
        1
    );

    // Then Alice, with what she acknowledged, and the vote is delivered once.
    let (alice, _lock) = browser.host("alice").await;
    assert_eq!(alice.identity, owner);
    let poll = alice.handle.open(link.poll_id).await.unwrap();
    assert_eq!(poll.revision(), Revision::new(1));
    bob.handle.connected().await.unwrap();
    while !bob.handle.pending().is_empty() {
        browser.pause(LATENCY).await;
    }
    assert_eq!(poll.revision(), Revision::new(2));
    let told = poll.poll().unwrap().told_to(bob.identity.peer_id());
    assert_eq!(bob.handle.poll().as_deref(), Some(&told));
    let tally = poll.poll().unwrap().tally().unwrap();
    assert_eq!((tally.voters, tally.options[1].votes), (1, 1));

    let again = bob.handle.submit(vote(&bob.handle, 0)).await.unwrap();
    assert_eq!(again.outcome().await.unwrap(), applied(3));
}

#[wasm_bindgen_test]
async fn two_tabs_of_one_person_are_two_devices() {
    let browser = Browser::new();
    let (alice, _lock) = browser.host("alice").await;
    let poll = alice.handle.create(draft()).await.unwrap();
    let one = browser.join("bob", poll.id()).await;
    let other = browser.join("bob", poll.id()).await;
    assert_eq!(one.identity.peer_id(), other.identity.peer_id());
    assert_ne!(one.identity.device(), other.identity.device());
    for (tab, choice, revision) in [(&one, 0, 1), (&other, 1, 2)] {
        tab.handle.connected().await.unwrap();
        let submitted = tab.handle.submit(vote(&tab.handle, choice)).await.unwrap();
        assert_eq!(submitted.outcome().await.unwrap(), applied(revision));
    }
    let tally = poll.poll().unwrap().tally().unwrap();
    assert_eq!((tally.voters, tally.options[1].votes), (1, 1), "one person");
}
