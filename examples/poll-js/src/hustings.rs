//! One tab of the app.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::join_all;
use hustings_browser::{App, Damage, Hosted, Joined, Storage};
use hustings_protocol::{PeerId, PollDraft};
use hustings_room::driver::OpenError;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::arguments::{self, unless_aborted};
use crate::failure::Failure;
use crate::guard::guarded;
use crate::options::Options;
use crate::room::Room;
use crate::values::{self, DamagedPoll, Refusal};

thread_local! {
    /// All that are open: a garbage collector must not decide when hosting ends.
    static OPEN: RefCell<Vec<Rc<Tab>>> = const { RefCell::new(Vec::new()) };
}

/// The app of an instance, and the rooms that were joined by it.
pub(crate) struct Tab {
    app: RefCell<Option<Rc<App>>>,
    joined: RefCell<Vec<Joined>>,
}

impl Tab {
    pub(crate) fn app(&self) -> Result<Rc<App>, Failure> {
        let app = self.app.borrow().clone();
        app.ok_or_else(|| Failure::new("closed", "this instance was closed; open another one"))
    }
}

/// The damage in this poll; without a link, what belongs to no poll.
async fn find_damage(app: &App, link: &JsValue) -> Result<Damage, Failure> {
    let link = match link.is_undefined() {
        true => None,
        false => Some(arguments::link(link)?),
    };
    let damaged = app.polls().await?.damaged;
    let found = damaged.into_iter().find(|damage| damage.link == link);
    found.ok_or_else(|| Failure::new("not-damaged", "nothing of this poll is damaged here"))
}

/// One tab of a polling app: the user's identity, the polls that this tab hosts and those that it
/// joins.
#[wasm_bindgen]
pub struct Hustings {
    pub(crate) tab: Rc<Tab>,
    me: PeerId,
    storage: Storage,
}

impl Hustings {
    /// Hosts, unless it was closed in the meantime.
    async fn hosted(&self) -> Result<Hosted, Failure> {
        let hosted = self.tab.app()?.host().await?;
        if let Err(closed) = self.tab.app() {
            hosted.close().await;
            return Err(closed);
        }
        Ok(hosted)
    }
}

#[wasm_bindgen]
impl Hustings {
    /// Opens the data that this browser stores, or begins it: the identity, the user's polls, votes
    /// without an answer. It is open until `close`, or as long as the page.
    ///
    /// # Errors
    ///
    /// `bad-argument` for unreadable options; `bad-configuration` for an ICE server that no browser
    /// would take; `storage-…` if the stored data cannot be used; `no-answer` if the browser does
    /// not answer for ten seconds: to open it again may help. No storage at all is not an error: see
    /// `storage`.
    #[wasm_bindgen(unchecked_return_type = "Hustings")]
    pub async fn open(
        #[wasm_bindgen(unchecked_optional_param_type = "Options")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let mut options: Options = match options.is_undefined() {
            true => Options::default(),
            false => values::from_js(&options, "the options")?,
        };
        let profile = options.profile.take();
        let profile = profile.as_deref().unwrap_or("hustings");
        let app = App::open(profile, options.peerjs()?).await?;
        let (me, storage) = (app.me(), app.storage().clone());
        let tab = Rc::new(Tab {
            app: RefCell::new(Some(app)),
            joined: RefCell::default(),
        });
        OPEN.with_borrow_mut(|open| open.push(Rc::clone(&tab)));
        Ok(guarded(Self { tab, me, storage }))
    }

    /// Closes all of it: leaves every room, ends hosting, and lets go of what only one tab can
    /// have. What waits stays stored. Once it has resolved, the same profile can be opened and
    /// hosted again, in this page or in another tab. To close it twice does nothing.
    pub async fn close(&self) {
        let Some(app) = self.tab.app.take() else {
            return;
        };
        let joined = self.tab.joined.take();
        join_all(joined.iter().map(Joined::close)).await;
        drop(joined);
        app.close().await;
        OPEN.with_borrow_mut(|open| open.retain(|tab| !Rc::ptr_eq(tab, &self.tab)));
    }

    /// The user's peer id.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn me(&self) -> String {
        self.me.to_string()
    }

    /// The place of the data: the browser's database, shared by all tabs of the profile, or only
    /// the memory of this tab, which is lost when the tab is closed or reloaded.
    #[wasm_bindgen(getter, unchecked_return_type = "\"database\" | \"memory\"")]
    #[must_use]
    pub fn storage(&self) -> JsValue {
        let word = match &self.storage {
            Storage::Database => "database",
            Storage::Memory(_) => "memory",
        };
        word.into()
    }

    /// The reason why the data is only in memory, if it is.
    #[wasm_bindgen(getter, js_name = storageProblem)]
    #[must_use]
    pub fn storage_problem(&self) -> Option<String> {
        match &self.storage {
            Storage::Database => None,
            Storage::Memory(why) => Some(why.clone()),
        }
    }

    /// The damage that was met in what is stored of this user's devices, each record in one
    /// sentence. Rooms are joined all the same; commands that waited in such a record are not sent.
    /// Empty once the instance is closed.
    #[wasm_bindgen(getter, js_name = leftAside)]
    #[must_use]
    pub fn left_aside(&self) -> Vec<String> {
        let damaged = self.tab.app().map(|app| app.left_aside());
        let damaged = damaged.unwrap_or_default();
        damaged.iter().map(ToString::to_string).collect()
    }

    /// Asks the browser not to delete the data when it runs out of space; true if it agreed. A host
    /// should ask. Firefox asks the user.
    ///
    /// # Errors
    ///
    /// `storage-…`, with the browser's own text.
    pub async fn persist(&self) -> Result<bool, Failure> {
        Ok(self.tab.app()?.persist().await?)
    }

    /// Hosts all polls of this user from now on, for as long as the page is open.
    ///
    /// # Errors
    ///
    /// `hosted-elsewhere` while another tab does; its polls can be joined from here.
    pub async fn host(&self) -> Result<(), Failure> {
        self.hosted().await?;
        Ok(())
    }

    /// The links of the user's own polls, hosted now or not. Those that cannot be read are among
    /// the `damaged`.
    ///
    /// # Errors
    ///
    /// `storage-…`: none can be read.
    pub async fn polls(&self) -> Result<Vec<String>, Failure> {
        let polls = self.tab.app()?.polls().await?.found;
        Ok(polls.iter().map(|poll| poll.link.to_string()).collect())
    }

    /// The user's own polls that are stored and cannot be read. The others are hosted without them.
    ///
    /// # Errors
    ///
    /// `storage-…`: nothing can be read.
    #[wasm_bindgen(unchecked_return_type = "DamagedPoll[]")]
    pub async fn damaged(&self) -> Result<JsValue, Failure> {
        let damaged = self.tab.app()?.polls().await?.damaged;
        let damaged: Vec<DamagedPoll> = damaged.into_iter().map(DamagedPoll::from).collect();
        Ok(values::to_js(&damaged))
    }

    /// The stored records of a damaged poll, as they are, as a JSON text. Without a link: of the records
    /// that belong to no poll.
    ///
    /// # Errors
    ///
    /// `bad-argument` for an invalid link; `not-damaged`; `storage-…`.
    #[wasm_bindgen(js_name = exportDamaged)]
    pub async fn export_damaged(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "string")] link: JsValue,
    ) -> Result<String, Failure> {
        let app = self.tab.app()?;
        let damage = find_damage(&app, &link).await?;
        Ok(app.export_damaged(&damage).await?)
    }

    /// Removes a damaged poll for good, and hosts the others meanwhile. Without a link: the records
    /// that belong to no poll.
    ///
    /// # Errors
    ///
    /// `bad-argument` for an invalid link; `not-damaged`; those of `host`; `storage-…`.
    #[wasm_bindgen(js_name = removeDamaged)]
    pub async fn remove_damaged(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "string")] link: JsValue,
    ) -> Result<(), Failure> {
        let app = self.tab.app()?;
        let damage = find_damage(&app, &link).await?;
        Ok(app.remove(&damage).await?)
    }

    /// Starts a poll, and hosts it with the others of this user. Others can join by its `link` once
    /// it is `registered`.
    ///
    /// # Errors
    ///
    /// `bad-draft` with the fault in the poll; and those of `host`.
    #[wasm_bindgen(unchecked_return_type = "Room")]
    pub async fn create(
        &self,
        #[wasm_bindgen(unchecked_param_type = "PollDraft")] draft: JsValue,
    ) -> Result<JsValue, Failure> {
        let draft: PollDraft = values::from_js(&draft, "the poll")?;
        let hosted = self.hosted().await?;
        let room = hosted.hosting().create(draft).await?;
        Ok(guarded(Room::hosted(hosted, room)))
    }

    /// A poll of the user's own, as its host.
    ///
    /// # Errors
    ///
    /// `no-journal` when it is not kept here; `poll-moved`, `poll-archived`; and those of `host`.
    #[wasm_bindgen(unchecked_return_type = "Room")]
    pub async fn resume(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] link: JsValue,
    ) -> Result<JsValue, Failure> {
        let link = arguments::link(&link)?;
        if link.owner != self.me {
            return Err(Failure::new("no-journal", "this poll is somebody else's"));
        }
        // To host at all takes the address from whoever hosts the poll now.
        if let Some(why) = self.tab.app()?.aside(link).await? {
            return Err(OpenError::PutAside(why).into());
        }
        let hosted = self.hosted().await?;
        let room = hosted.hosting().open(link.poll_id).await?;
        Ok(guarded(Room::hosted(hosted, room)))
    }

    /// Joins a poll. The copy that was kept of it can be read at once, whether or not its owner
    /// is there; `connected` tells when they are.
    ///
    /// The link may stand in a text: the address of a page, or what somebody pasted.
    ///
    /// # Errors
    ///
    /// `bad-argument` for a text without a link, with a part of one, or with several; `aborted`;
    /// `storage-…`, `bad-configuration`.
    #[wasm_bindgen(unchecked_return_type = "Room")]
    pub async fn join(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] link: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let link = arguments::link(&link)?;
        let app = self.tab.app()?;
        let joining = async { Ok(app.join(link).await?) };
        let joined = unless_aborted(&options, joining).await?;
        if let Err(closed) = self.tab.app() {
            joined.close().await;
            return Err(closed);
        }
        let mut rooms = self.tab.joined.borrow_mut();
        rooms.retain(Joined::is_on);
        rooms.push(joined.clone());
        Ok(guarded(Room::joined(joined)))
    }

    /// The number of commands for this poll that closed tabs have left without an answer and this
    /// tab still delivers.
    ///
    /// # Errors
    ///
    /// `bad-argument` for an invalid link; `closed`.
    #[wasm_bindgen(js_name = leftBehind)]
    pub fn left_behind(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] link: JsValue,
    ) -> Result<usize, Failure> {
        let link = arguments::link(&link)?;
        Ok(self.tab.app()?.deliveries().pending(link).len())
    }

    /// The commands for this poll that closed tabs have left and that were refused since this was
    /// last asked: their users have not been told.
    ///
    /// # Errors
    ///
    /// `bad-argument` for an invalid link; `closed`.
    #[wasm_bindgen(js_name = takeRefused, unchecked_return_type = "Refusal[]")]
    pub fn take_refused(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] link: JsValue,
    ) -> Result<JsValue, Failure> {
        let refused = self
            .tab
            .app()?
            .deliveries()
            .take_refused(arguments::link(&link)?);
        let refused: Vec<Refusal> = refused.into_iter().map(Refusal::from).collect();
        Ok(values::to_js(&refused))
    }
}
