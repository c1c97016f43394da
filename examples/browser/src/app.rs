//! The app in one tab: its store, and who the user is.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use futures::lock::Mutex;
use hustings_outbox::{
    Aside, Cache, IndexedDbStore, Journal, MemoryStore, Outbox, Store, StoreError, TabError,
};
use hustings_protocol::{Command, Limits, Message, PeerId, Poll, RoomId, StoredLog};
use hustings_room::clock::{Clock, SystemClock};
use hustings_transport_peerjs::Config;
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::damage::{Damage, RemoveError};
use crate::deliveries::Deliveries;
use crate::device::{Device, Profile};
use crate::hosted::{HostError, Hosted};
use crate::joined::{JoinError, Joined};

/// The place of the durable data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In the browser's database, shared by all tabs of the profile.
    Database,
    /// In this tab's memory, for this reason: to close or reload the tab loses the identity and
    /// every vote without an answer.
    Memory(String),
}

/// The reason why there is no app.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The stored data could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same, from where the tabs are told apart.
    #[error(transparent)]
    Tab(#[from] TabError),
}

impl OpenError {
    /// True if it may help to open it again by and by: the browser has not answered, or another tab
    /// is in the way.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Unanswered(_) | StoreError::Blocked(_))
                | Self::Tab(TabError::Unanswered(_) | TabError::Store(StoreError::Unanswered(_)))
        )
    }
}

/// A poll of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPoll {
    /// The link by which others join it.
    pub link: RoomId,
    /// The question.
    pub title: String,
}

/// The polls of the user's own that are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnPolls {
    /// Those that can be hosted.
    pub found: Vec<OwnPoll>,
    /// Those that are not, because they were moved to another device, or archived.
    pub aside: Vec<(OwnPoll, Aside)>,
    /// Those that do not read. An app that shows the others shows it: nobody else will.
    pub damaged: Vec<Damage>,
}

/// A room that commands of this user wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The link of the poll.
    pub link: RoomId,
    /// The question. Empty where there is no copy of the poll.
    pub title: String,
    /// The number of commands without an answer.
    pub commands: usize,
}

/// One tab of the app.
pub struct App {
    pub(crate) profile: Rc<Profile>,
    storage: Storage,
    me: PeerId,
    deliveries: Deliveries,
    /// Locked while it is begun: whoever asks a second time gets the same.
    pub(crate) hosted: Mutex<Option<Hosted>>,
}

impl App {
    /// Opens the profile with this name; makes it if there is none. People who share a browser
    /// would have one each; most apps have one for all.
    ///
    /// `peerjs` has the signalling server's address.
    ///
    /// # Errors
    ///
    /// The stored data cannot be used: it is corrupt, the storage is full, or a tab with a newer
    /// version blocks it; or the browser does not answer for ten seconds, see
    /// [`may_pass`](OpenError::may_pass). No storage at all is
    /// not an error; see [`storage`](Self::storage).
    pub async fn open(profile: &str, peerjs: Config) -> Result<Rc<Self>, OpenError> {
        let name = profile.to_owned();
        let opened = async {
            let store: Rc<dyn Store> = Rc::new(IndexedDbStore::open(profile).await?);
            let profile = Rc::new(Profile::new(name.clone(), store, true, peerjs.clone()));
            let me = Device::take(&profile, None).await?.identity.peer_id();
            Ok::<_, OpenError>((profile, me))
        };
        let (profile, me, storage) = match opened.await {
            Ok((profile, me)) => (profile, me, Storage::Database),
            Err(
                missing @ (OpenError::Tab(TabError::NoLocks(_))
                | OpenError::Store(StoreError::Unavailable(_))),
            ) => {
                let store = Rc::new(MemoryStore::new());
                let profile = Rc::new(Profile::new(name, store, false, peerjs));
                let me = Device::take(&profile, None).await?.identity.peer_id();
                (profile, me, Storage::Memory(missing.to_string()))
            }
            Err(error) => return Err(error),
        };
        let deliveries = Deliveries::new();
        deliveries.watch(&profile);
        Ok(Rc::new(Self {
            me,
            profile,
            storage,
            deliveries,
            hosted: Mutex::new(None),
        }))
    }

    /// The user's id. A link with this owner is to a poll of their own.
    #[must_use]
    pub const fn me(&self) -> PeerId {
        self.me
    }

    /// The place of the data.
    #[must_use]
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Commands that closed tabs have left, which this one delivers.
    #[must_use]
    pub const fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// Asks the browser not to delete the data when it runs out of space; true if it agreed. A
    /// host's journal is worth asking for. Firefox asks the user.
    ///
    /// # Errors
    ///
    /// The browser's own errors.
    pub async fn persist(&self) -> Result<bool, StoreError> {
        match self.storage {
            Storage::Database => IndexedDbStore::persist().await,
            Storage::Memory(_) => Ok(false),
        }
    }

    /// The polls of this user that are stored here, hosted now or not. One that does not read is
    /// named beside the others, and costs them nothing.
    ///
    /// # Errors
    ///
    /// The stored data cannot be read at all.
    pub async fn polls(&self) -> Result<OwnPolls, StoreError> {
        let store = &self.profile.store;
        let hosted = self.hosted.lock().await.clone();
        let unopened = hosted.map(|hosted| hosted.unopened()).unwrap_or_default();
        let listed = Journal::list(store).await?;
        let mut polls = OwnPolls::default();
        for link in listed.found.iter().filter(|link| link.owner == self.me) {
            let found = match unopened.iter().find(|(of, _)| of == link) {
                Some((_, why)) => Err(why.clone()),
                None => match Journal::new(*link).load_any(store).await {
                    Ok(None) => continue,
                    Ok(Some((kept, aside))) => title(&kept.log)
                        .map(|title| (title, aside))
                        .ok_or_else(|| "the stored poll is none that can be read".to_owned()),
                    Err(error @ (StoreError::Corrupt { .. } | StoreError::Io(_))) => {
                        Err(error.to_string())
                    }
                    Err(error) => return Err(error),
                },
            };
            match found {
                Ok((title, None)) => polls.found.push(OwnPoll { link: *link, title }),
                Ok((title, Some(why))) => polls.aside.push((OwnPoll { link: *link, title }, why)),
                Err(why) => polls
                    .damaged
                    .push(Damage::of_poll(store, *link, why).await?),
            }
        }
        polls.damaged.extend(Damage::of_strays(&listed));
        Ok(polls)
    }

    /// The stored records of something damaged, as they are: a JSON text with every record.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn export_damaged(&self, damage: &Damage) -> Result<String, StoreError> {
        damage.export(&self.profile.store).await
    }

    /// Removes something damaged for good. The tab hosts for it: nobody else may be writing there.
    ///
    /// # Errors
    ///
    /// [`RemoveError::Sound`] if it can be read after all; those of hosting; the store's.
    pub async fn remove(&self, damage: &Damage) -> Result<(), RemoveError> {
        self.host().await?.remove(damage).await
    }

    /// The rooms that something of this user's waits for, from this tab, another or a closed one.
    ///
    /// # Errors
    ///
    /// The stored data cannot be read.
    pub async fn undelivered(&self) -> Result<Vec<Undelivered>, StoreError> {
        let store = &self.profile.store;
        let mut rooms: Vec<Undelivered> = Vec::new();
        let listed = Outbox::list(store).await?;
        let damaged = listed.damaged.into_iter().map(|damaged| damaged.error);
        self.profile.leave_aside(damaged);
        for (device, link, commands) in listed.found {
            if let Some(room) = rooms.iter_mut().find(|room| room.link == link) {
                room.commands += commands;
                continue;
            }
            // A copy that does not read is none.
            let copy = Cache::new(device, link).load(store).await.ok().flatten();
            let title = copy.and_then(|copy| title(&copy));
            rooms.push(Undelivered {
                link,
                title: title.unwrap_or_default(),
                commands,
            });
        }
        Ok(rooms)
    }

    /// The damage, by name, in what is stored of this user's devices and their outboxes, as far as
    /// it was met. Rooms are joined by another device; commands in such an outbox are not sent.
    #[must_use]
    pub fn left_aside(&self) -> Vec<StoreError> {
        self.profile.left_aside()
    }

    /// Gives up what closed tabs have left for a room: none of it is sent from here any more. What
    /// was sent before may have taken effect or not. Returns the number of commands; of what belongs
    /// to a tab that is open nothing is given up.
    ///
    /// # Errors
    ///
    /// The stored data cannot be read or written.
    pub async fn give_up(&self, link: RoomId) -> Result<usize, StoreError> {
        self.deliveries.give_up(&self.profile, link).await
    }

    /// Hosts all polls of this user that can be read in this tab, until the app is dropped, or until
    /// [`Hosting::close`](hustings_room::driver::Hosting::close).
    ///
    /// # Errors
    ///
    /// [`HostError::Elsewhere`] while another tab hosts; the poll can be joined from here.
    pub async fn host(&self) -> Result<Hosted, HostError> {
        let mut hosted = self.hosted.lock().await;
        if let Some(hosted) = hosted.as_ref().filter(|hosted| hosted.is_on()) {
            return Ok(hosted.clone());
        }
        let started = Hosted::start(Device::take(&self.profile, None).await?).await?;
        Ok(hosted.insert(started).clone())
    }

    /// The polls that this tab hosts now, as they are; none while hosting begins. It never waits.
    #[must_use]
    pub fn hosted_polls(&self) -> Vec<Arc<Poll>> {
        let hosted = self.hosted.try_lock();
        let hosted = hosted.as_ref().and_then(|hosted| hosted.as_ref());
        hosted.map_or_else(Vec::new, |hosted| hosted.hosting().polls())
    }

    /// Ends everything but the joined rooms, which are closed by their own handles first: hosting,
    /// and deliveries for closed tabs. What waits stays stored. Resolves once the browser has
    /// released what this tab held, so that the same profile can be opened again in the same page.
    pub async fn close(&self) {
        if let Some(hosted) = self.hosted.lock().await.take() {
            hosted.close().await;
        }
        self.deliveries.close().await;
        if self.profile.is_shared {
            locks_are_released().await;
        }
    }

    /// Joins a person's poll. The cached copy of it can be read at once, even if its owner is away.
    ///
    /// # Errors
    ///
    /// The stored data, or the configuration, cannot be used.
    pub async fn join(&self, link: RoomId) -> Result<Joined, JoinError> {
        let device = Device::take(&self.profile, Some(link)).await?;
        Joined::take(device, link).await
    }
}

/// The time that the browser has to say which locks there are, of which it needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Resolves once the browser has dealt with what this page has released. It does so in order, and
/// so before it answers a question.
pub(crate) async fn locks_are_released() {
    let property = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let asked = (|| {
        let navigator = property(&js_sys::global(), "navigator")?;
        let locks = property(&navigator, "locks")?;
        let query: Function = property(&locks, "query")?.dyn_into().ok()?;
        query.call0(&locks).ok()?.dyn_into::<Promise>().ok()
    })();
    if let Some(asked) = asked {
        let clock = SystemClock::new();
        let overdue = clock.sleep_until(clock.now() + PATIENCE);
        // The answer itself does not matter, and no answer keeps nobody here.
        select(JsFuture::from(asked), overdue).await;
    }
}

/// The title of a stored poll: that of the snapshot, or the last one that it was given since.
fn title(log: &StoredLog) -> Option<String> {
    let limits = Limits::unbounded();
    let (at, snapshot) = &log.snapshot;
    let mut title = match Message::decode(snapshot, &limits) {
        Ok(Message::PollState(state)) => state.poll.title().to_owned(),
        Ok(_) | Err(_) => return None,
    };
    // Few frames are about it, and the others need not be read.
    let is_about_it = |frame: &[u8]| frame.windows(FIELD.len()).any(|part| part == FIELD);
    let since = log.tail.iter().filter(|(revision, _)| revision > at);
    for (_, frame) in since.filter(|(_, frame)| is_about_it(frame)) {
        let updates = match Message::decode(frame, &limits) {
            Ok(Message::Update(update)) => vec![update],
            Ok(Message::PollTally(tally)) => tally.updates,
            Ok(_) | Err(_) => Vec::new(),
        };
        for update in updates {
            if let Command::UpdateSettings(settings) = update.numbered.command
                && let Some(new) = settings.title
            {
                title = new;
            }
        }
    }
    Some(title)
}

/// The field that has it, in every message with one.
const FIELD: &[u8] = b"\"title\"";
