//! One tab of the app.

use std::rc::Rc;

use hustings_browser::{App, Storage};
use hustings_protocol::{PollDraft, RoomId};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::failure::Failure;
use crate::options::Options;
use crate::room::Room;
use crate::values;

/// One tab of a polling app: the user's identity, the polls that this tab hosts and those that it
/// joins.
#[wasm_bindgen]
pub struct Hustings {
    app: Rc<App>,
}

#[wasm_bindgen]
impl Hustings {
    /// Opens the data that this browser stores, or begins it: the identity, the user's polls, votes
    /// without an answer. Call it once for each page.
    ///
    /// # Errors
    ///
    /// `bad-argument` for unreadable options; `storage-…` if the stored data cannot be used. No
    /// storage at all is not an error: see `storage`.
    pub async fn open(
        #[wasm_bindgen(unchecked_optional_param_type = "Options")] options: JsValue,
    ) -> Result<Self, Failure> {
        let mut options: Options = match options.is_undefined() {
            true => Options::default(),
            false => values::from_js(&options, "the options")?,
        };
        let profile = options.profile.take();
        let profile = profile.as_deref().unwrap_or("hustings");
        let app = App::open(profile, options.peerjs()).await?;
        // For as long as the page: a garbage collector must not decide when hosting ends.
        std::mem::forget(Rc::clone(&app));
        Ok(Self { app })
    }

    /// The user's peer id.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn me(&self) -> String {
        self.app.me().to_string()
    }

    /// The place of the data: the browser's database, shared by all tabs of the profile, or only
    /// the memory of this tab, which is lost when the tab is closed or reloaded.
    #[wasm_bindgen(getter, unchecked_return_type = "\"database\" | \"memory\"")]
    #[must_use]
    pub fn storage(&self) -> JsValue {
        let word = match self.app.storage() {
            Storage::Database => "database",
            Storage::Memory(_) => "memory",
        };
        word.into()
    }

    /// The reason why the data is only in memory, if it is.
    #[wasm_bindgen(getter, js_name = storageProblem)]
    #[must_use]
    pub fn storage_problem(&self) -> Option<String> {
        match self.app.storage() {
            Storage::Database => None,
            Storage::Memory(why) => Some(why.clone()),
        }
    }

    /// Asks the browser not to delete the data when it runs out of space; true if it agreed. A host
    /// should ask. Firefox asks the user.
    ///
    /// # Errors
    ///
    /// `storage-…`, with the browser's own text.
    pub async fn persist(&self) -> Result<bool, Failure> {
        Ok(self.app.persist().await?)
    }

    /// Hosts all polls of this user from now on, for as long as the page is open.
    ///
    /// # Errors
    ///
    /// `hosted-elsewhere` while another tab does; its polls can be joined from here.
    pub async fn host(&self) -> Result<(), Failure> {
        self.app.host().await?;
        Ok(())
    }

    /// The links of the user's own polls, hosted now or not.
    ///
    /// # Errors
    ///
    /// `storage-…`: they cannot be read.
    pub async fn polls(&self) -> Result<Vec<String>, Failure> {
        let polls = self.app.polls().await?;
        Ok(polls.iter().map(|poll| poll.link.to_string()).collect())
    }

    /// Starts a poll, and hosts it with the others of this user. Others can join by its `link` once
    /// it is `registered`.
    ///
    /// # Errors
    ///
    /// `bad-draft` with the fault in the poll; and those of `host`.
    pub async fn create(
        &self,
        #[wasm_bindgen(unchecked_param_type = "PollDraft")] draft: JsValue,
    ) -> Result<Room, Failure> {
        let draft: PollDraft = values::from_js(&draft, "the poll")?;
        let hosted = self.app.host().await?;
        let room = hosted.hosting().create(draft).await?;
        Ok(Room::hosted(hosted, room))
    }

    /// A poll of the user's own, as its host.
    ///
    /// # Errors
    ///
    /// `no-journal` when it is not kept here; and those of `host`.
    pub async fn resume(&self, link: &str) -> Result<Room, Failure> {
        let link = parse(link)?;
        if link.owner != self.app.me() {
            return Err(Failure::new("no-journal", "this poll is somebody else's"));
        }
        let hosted = self.app.host().await?;
        let room = hosted.hosting().open(link.poll_id).await?;
        Ok(Room::hosted(hosted, room))
    }

    /// Joins a poll. The copy that was kept of it can be read at once, whether or not its owner
    /// is there; `connected` tells when they are.
    ///
    /// # Errors
    ///
    /// `bad-argument` for a link that is none; `storage-…`, `bad-configuration`.
    pub async fn join(&self, link: &str) -> Result<Room, Failure> {
        let link = parse(link)?;
        Ok(Room::joined(self.app.join(link).await?))
    }

    /// The number of commands for this poll that closed tabs have left without an answer and this
    /// tab still delivers.
    ///
    /// # Errors
    ///
    /// `bad-argument` for an invalid link.
    #[wasm_bindgen(js_name = leftBehind)]
    pub fn left_behind(&self, link: &str) -> Result<usize, Failure> {
        Ok(self.app.deliveries().pending(parse(link)?).len())
    }
}

fn parse(link: &str) -> Result<RoomId, Failure> {
    RoomId::find(link).map_err(|error| Failure::argument("the link", error))
}
