//! The weight of the library in a browser: `cargo xtask wasm` builds this and prints it.
//!
//! It exports hosting and joining as an application would use them, so that nothing of the library
//! is left out as unused: the store, slots and locks, the driver, both machines, every command. The
//! network is not in it: `Wire` only hands frames back and forth.

#![cfg(target_family = "wasm")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hustings_outbox::{HostingLock, IndexedDbStore, Slot};
use hustings_protocol::{
    Address, Command, OptionAdd, Outcome, PollDraft, PollId, Role, RoleUpdate, RoomId,
    SettingsUpdate, UserProfile, Vote,
};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{self, Room};
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_room::{ChannelBinding, Config, DownReason, LinkId};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

/// A room, joined or hosted.
#[wasm_bindgen]
pub struct Handle {
    room: Room,
    _slot: Slot,
    _lock: Option<HostingLock>,
}

/// Hosts the poll that was hosted before, or a new one. The labels are one per line.
///
/// # Errors
///
/// The fault of the browser or of the draft, in words.
#[wasm_bindgen]
pub async fn host(profile: String, title: String, labels: String) -> Result<Handle, JsError> {
    let store = IndexedDbStore::open(&profile).await?;
    let slot = Slot::take(&profile, &store).await?;
    let identity = slot.identity(&store).await?;
    let lock = HostingLock::take(&profile, &store, identity.peer_id()).await?;
    let setup = driver::setup(&identity, Config::default())?;
    let (hosting, driver) = driver::host(
        setup,
        Wire,
        lock.guard(slot.guard(store)),
        SystemClock::new(),
    );
    spawn_local(async { drop(driver.run().await) });
    let room = match hosting.journals().await?.first() {
        Some(link) => hosting.open(link.poll_id).await?,
        None => {
            let draft = PollDraft::new(title)
                .options(labels.lines())
                .multiple_choice(true)
                .voters_may_add_options(true);
            hosting.create(draft).await?
        }
    };
    Ok(Handle {
        room,
        _slot: slot,
        _lock: Some(lock),
    })
}

/// Joins a poll by its link, and adopts the commands that closed tabs have left in the outbox.
///
/// # Errors
///
/// The fault of the browser or of the link, in words.
#[wasm_bindgen]
pub async fn join(profile: String, link: String) -> Result<Handle, JsError> {
    let link: RoomId = link.parse()?;
    let store = IndexedDbStore::open(&profile).await?;
    IndexedDbStore::persist().await?;
    let slot = Slot::take(&profile, &store).await?;
    let room = enter(&slot, link, &store).await?;
    for adopted in Slot::adopt(&profile, &store).await?.found {
        for room in &adopted.rooms {
            enter(&adopted.slot, *room, &store).await?;
        }
    }
    Ok(Handle {
        room,
        _slot: slot,
        _lock: None,
    })
}

async fn enter(slot: &Slot, link: RoomId, store: &IndexedDbStore) -> Result<Room, JsError> {
    let identity = slot.identity(store).await?;
    let setup = driver::setup(&identity, Config::default())?;
    let (room, driver) = driver::join(
        setup,
        link,
        Wire,
        slot.guard(store.clone()),
        SystemClock::new(),
    )
    .await?;
    spawn_local(async { drop(driver.run().await) });
    Ok(room)
}

#[wasm_bindgen]
impl Handle {
    /// The number of votes of each option.
    pub fn votes(&self) -> Vec<u64> {
        let tally = self.room.poll().and_then(|poll| poll.tally());
        let options = tally.into_iter().flat_map(|tally| tally.options);
        options.map(|option| option.votes).collect()
    }

    /// Submits a command, and waits for the answer: the revision that it made.
    ///
    /// # Errors
    ///
    /// The reason why it does not count, in words.
    pub async fn submit(self, what: String, of: String) -> Result<u64, JsError> {
        let command = command(self.room.id().poll_id, &what, &of)?;
        match self.room.submit(command).await?.outcome().await? {
            Outcome::Applied(revision) => Ok(revision.get()),
            Outcome::Rejected(why) => Err(why.into()),
        }
    }
}

/// The command of a button's name and of the lines that belong to it.
fn command(poll_id: PollId, what: &str, of: &str) -> Result<Command, JsError> {
    let mut of = of.lines();
    let mut next = || {
        of.next()
            .ok_or_else(|| JsError::new("an argument is missing"))
    };
    Ok(match what {
        "vote" => Command::Vote(Vote {
            poll_id,
            option_ids: of.map(str::parse).collect::<Result<_, _>>()?,
        }),
        "add" => Command::AddOption(OptionAdd {
            poll_id,
            option_id: next()?.parse()?,
            label: next()?.to_owned(),
        }),
        "moderator" => Command::UpdateRole(RoleUpdate {
            poll_id,
            peer_id: next()?.parse()?,
            role: Role::Moderator,
        }),
        "close" => Command::UpdateSettings(SettingsUpdate::new(poll_id).closed(true)),
        _ => Command::SetProfile(UserProfile {
            name: next()?.to_owned(),
        }),
    })
}

/// The frames that are under way, in both directions.
#[derive(Default)]
struct Frames {
    arrived: VecDeque<TransportEvent>,
    sent: VecDeque<Bytes>,
    waiting: Option<Waker>,
}

thread_local!(static FRAMES: RefCell<Frames> = RefCell::default());

/// Something happened on the link of a dial: it opened, ended, or has a frame.
#[wasm_bindgen]
pub fn happened(dial: u32, what: &str, frame: Vec<u8>) {
    let link = LinkId::dialled(dial.into());
    let frame = Bytes::from(frame);
    let event = match what {
        "up" => TransportEvent::LinkUp {
            link,
            binding: ChannelBinding {
                local: frame.clone(),
                remote: frame,
            },
        },
        "down" => TransportEvent::LinkDown {
            link,
            reason: DownReason::Unreachable,
        },
        "writable" => TransportEvent::Writable { link },
        "wake" => TransportEvent::Wake,
        _ => TransportEvent::Frame { link, frame },
    };
    let waiting = FRAMES.with_borrow_mut(|frames| {
        frames.arrived.push_back(event);
        frames.waiting.take()
    });
    waiting.into_iter().for_each(Waker::wake);
}

/// The next frame to send.
#[wasm_bindgen]
pub fn next_frame() -> Option<Vec<u8>> {
    let frame = FRAMES.with_borrow_mut(|frames| frames.sent.pop_front())?;
    Some(frame.to_vec())
}

/// A transport that leaves everything to whoever calls [`happened`] and [`next_frame`].
struct Wire;

impl Transport for Wire {
    fn dial(&mut self, _: LinkId, to: &Address) {
        FRAMES.with_borrow_mut(|frames| frames.sent.push_back(to.to_string().into()));
    }

    fn send(&mut self, _: LinkId, frame: Bytes) -> SendOutcome {
        FRAMES.with_borrow_mut(|frames| frames.sent.push_back(frame));
        SendOutcome::Queued
    }

    fn hangup(&mut self, _: LinkId) {}

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        FRAMES.with_borrow_mut(|frames| match frames.arrived.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                frames.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        })
    }
}
