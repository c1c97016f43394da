//! A poll in one page, wired from the library's own parts. Without a `#` in its address the page
//! hosts a poll; with a link behind it, it joins that one.

#![cfg(target_family = "wasm")]

use std::error::Error;

use futures::StreamExt;
use hustings_outbox::{HostingLock, IndexedDbStore, Slot};
use hustings_protocol::{Address, Command, OptionId, PollDraft, Vote};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Room};
use hustings_transport_peerjs::{Config, PeerJs, Token};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, Element, HtmlElement};

const PROFILE: &str = "starter";

#[wasm_bindgen(start)]
async fn start() -> Result<(), JsValue> {
    let window = web_sys::window().ok_or("this is no page")?;
    let document = window.document().ok_or("this is no page")?;
    let hash = window.location().hash()?;
    let room = match open(hash.trim_start_matches('#')).await {
        Ok(room) => room,
        Err(error) => {
            find(&document, "state")?.set_text_content(Some(&error.to_string()));
            return Ok(());
        }
    };
    find(&document, "link")?.set_text_content(Some("join this poll in another tab"));
    find(&document, "link")?.set_attribute("href", &format!("#{}", room.id()))?;
    let mut events = room.events();
    show(&document, &room)?;
    while events.next().await.is_some() {
        show(&document, &room)?;
    }
    show(&document, &room)
}

/// The five parts: a store, a device among the tabs that share it, a transport, a clock, and the
/// room that a driver makes of them.
async fn open(link: &str) -> Result<Room, Box<dyn Error>> {
    let store = IndexedDbStore::open(PROFILE).await?;
    let slot = Slot::take(PROFILE, &store).await?;
    let identity = slot.identity(&store).await?;
    let setup = driver::setup(&identity, hustings_room::Config::default())?;
    // It writes only while this tab has the slot.
    let mine = slot.guard(store.clone());
    let clock = SystemClock::new();
    // The address is a key: nobody else gets it from a server that asks for it.
    let token = Token::new(identity.token())?.with_key(identity.signing_key());
    // Where the signalling server is: by default at localhost:9000.
    let config = Config::default();
    if link.is_empty() {
        let lock = HostingLock::take(PROFILE, &store, setup.peer()).await?;
        let transport = PeerJs::open(
            &config,
            &Address::Owner(setup.peer()),
            &token,
            clock.clone(),
        )?;
        let (hosting, driver) = driver::host(setup, transport, lock.guard(mine), clock);
        run(driver.run(), (slot, lock));
        return Ok(match hosting.journals().await?.first() {
            Some(hosted) => hosting.open(hosted.poll_id).await?,
            None => hosting.create(draft()).await?,
        });
    }
    let address = Address::Participant(setup.peer(), setup.device);
    let transport = PeerJs::open(&config, &address, &token, clock.clone())?;
    let (room, driver) = driver::join(setup, link.parse()?, transport, mine, clock).await?;
    run(driver.run(), slot);
    Ok(room)
}

/// Runs a driver, and holds what it alone may use until it has ended.
fn run(
    driver: impl Future<Output = Result<(), driver::DriverError>> + 'static,
    held: impl Sized + 'static,
) {
    spawn_local(async move {
        if let Err(error) = driver.await {
            web_sys::console::error_1(&error.to_string().into());
        }
        drop(held);
    });
}

fn draft() -> PollDraft {
    PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"])
}

fn show(document: &Document, room: &Room) -> Result<(), JsValue> {
    let pending = room.pending().len();
    let state = format!("{:?}, {pending} pending", room.connection());
    find(document, "state")?.set_text_content(Some(&state));
    let Some(poll) = room.poll() else {
        return Ok(());
    };
    find(document, "title")?.set_text_content(Some(poll.title()));
    let list = find(document, "options")?;
    let buttons = list.children();
    let Some(tally) = poll.tally() else {
        return Ok(());
    };
    for (index, (option, votes)) in (0..).zip(poll.options().iter().zip(tally.options)) {
        // An existing button stays: if it were replaced while somebody clicks it, the click would
        // be lost.
        if buttons.length() <= index {
            list.append_child(&*document.create_element("button")?)?;
        }
        let Some(button) = buttons.item(index) else {
            continue;
        };
        let button: HtmlElement = button.unchecked_into();
        button.set_text_content(Some(&format!("{}: {}", option.label, votes.votes)));
        let (room, option) = (room.clone(), option.option_id);
        let click = Closure::<dyn Fn()>::new(move || spawn_local(vote(room.clone(), option)));
        button.set_onclick(Some(click.into_js_value().unchecked_ref()));
    }
    Ok(())
}

async fn vote(room: Room, option: OptionId) {
    let vote = Command::Vote(Vote {
        poll_id: room.id().poll_id,
        option_ids: vec![option],
    });
    // The vote is on disk once this resolves, and what becomes of it is an event.
    if let Err(error) = room.submit(vote).await {
        web_sys::console::warn_1(&error.to_string().into());
    }
}

fn find(document: &Document, id: &str) -> Result<Element, JsValue> {
    let found = document.get_element_by_id(id);
    found.ok_or_else(|| format!("the page has no {id}").into())
}
