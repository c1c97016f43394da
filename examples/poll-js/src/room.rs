//! A poll that this tab hosts or has joined.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{AbortHandle, abortable};
use hustings_browser::{Hosted, Joined};
use hustings_protocol::{
    Command, OptionAdd, OptionId, OptionUpdate, PeerInfo, PeerReadmission, PeerRemoval, Poll,
    RoleUpdate, UserProfile, Vote,
};
use hustings_room::driver;
use hustings_transport_peerjs::Status;
use hustings_transport_peerjs::wire::RegistrationState;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

use crate::arguments::{check_signal, id, text, unless_aborted};
use crate::changes::{OptionChange, Removal, Settings};
use crate::failure::Failure;
use crate::guard::guarded;
use crate::kept::Kept;
use crate::submitted::Submitted;
use crate::values::{self, Connection, Pending, RoomEvent, Tally};

/// The time for which a room that turned somebody away says so. They try again within it.
const FULL: Duration = Duration::from_secs(60);

/// A poll that this tab hosts or has joined: the same for both. What it says never waits.
#[wasm_bindgen]
pub struct Room {
    pub(crate) room: driver::Room,
    side: Side,
    poll: Kept<Option<Arc<Poll>>>,
    confirmed: Kept<Option<Arc<Poll>>>,
    tally: Kept<Option<Arc<Poll>>>,
    pending: Kept<Vec<hustings_room::Pending>>,
    connection: Kept<hustings_room::Connection>,
    peers: Kept<Vec<PeerInfo>>,
}

/// The side of the room that this is.
enum Side {
    Hosted(Hosted),
    Joined(Joined),
}

impl Side {
    fn status(&self) -> &Status {
        match self {
            Self::Hosted(hosted) => hosted.status(),
            Self::Joined(joined) => joined.status(),
        }
    }
}

impl Room {
    pub(crate) fn hosted(hosted: Hosted, room: driver::Room) -> Self {
        Self::new(room, Side::Hosted(hosted))
    }

    pub(crate) fn joined(joined: Joined) -> Self {
        let room = joined.room().clone();
        // Until it is closed or has failed, whether or not anybody in JavaScript still has it.
        let (held, mut events) = (joined.clone(), room.events());
        spawn_local(async move {
            while events.next().await.is_some() {}
            drop(held);
        });
        Self::new(room, Side::Joined(joined))
    }

    fn new(room: driver::Room, side: Side) -> Self {
        Self {
            room,
            side,
            poll: Kept::default(),
            confirmed: Kept::default(),
            tally: Kept::default(),
            pending: Kept::default(),
            connection: Kept::default(),
            peers: Kept::default(),
        }
    }

    pub(crate) async fn submit(
        &self,
        command: Command,
        options: &JsValue,
    ) -> Result<JsValue, Failure> {
        check_signal(options)?;
        Ok(guarded(Submitted::from(self.room.submit(command).await?)))
    }
}

#[wasm_bindgen]
impl Room {
    /// The link that people share to join the poll.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn link(&self) -> String {
        self.room.id().to_string()
    }

    /// The user's peer id.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn me(&self) -> String {
        self.room.peer().to_string()
    }

    /// The poll with this device's pending commands in it; `undefined` until it has arrived once.
    /// While its owner is away it is the cached copy.
    #[wasm_bindgen(unchecked_return_type = "Poll | undefined")]
    #[must_use]
    pub fn poll(&self) -> JsValue {
        let poll = self.room.poll();
        self.poll.object(poll, |poll| values::poll(poll.as_deref()))
    }

    /// The poll as its owner has confirmed it.
    #[wasm_bindgen(unchecked_return_type = "Poll | undefined")]
    #[must_use]
    pub fn confirmed(&self) -> JsValue {
        let poll = self.room.confirmed();
        self.confirmed
            .object(poll, |poll| values::poll(poll.as_deref()))
    }

    /// The confirmed result; `undefined` while it is not shown to this side. A host sees it always.
    #[wasm_bindgen(unchecked_return_type = "Tally | undefined")]
    #[must_use]
    pub fn tally(&self) -> JsValue {
        let poll = self.room.confirmed();
        self.tally.object(poll, |poll| {
            let tally = poll.as_ref().and_then(|poll| poll.tally()).map(Tally::from);
            values::optional(tally.as_ref())
        })
    }

    /// The number of people with a confirmed vote, which is shown whether the result is or not.
    #[must_use]
    pub fn voters(&self) -> Option<f64> {
        // Exact: there are fewer members than that.
        self.room.confirmed().map(|poll| poll.voters() as f64)
    }

    /// The milliseconds to add to `Date.now()` to have the owner's clock, by which `closesAt`
    /// counts: `closesAt - Date.now() - clockOffset` are left. Zero for the owner; `undefined`
    /// until the owner has said it. A poll is closed when `closed` says so, and not before.
    #[wasm_bindgen(getter, js_name = clockOffset)]
    #[must_use]
    pub fn clock_offset(&self) -> Option<f64> {
        // Exact: the numbers of JavaScript go far beyond any clock.
        self.room.clock_offset().map(|offset| offset as f64)
    }

    /// The number of commands that the owner has applied to the confirmed poll.
    #[must_use]
    pub fn revision(&self) -> Option<f64> {
        // Exact: revisions end where the numbers of JavaScript do.
        self.room.revision().map(|revision| revision.get() as f64)
    }

    /// This device's commands without an answer, in their order. A host has none.
    #[wasm_bindgen(unchecked_return_type = "Pending[]")]
    #[must_use]
    pub fn pending(&self) -> JsValue {
        self.pending.object(self.room.pending(), |pending| {
            let pending: Vec<_> = pending.iter().cloned().map(Pending::from).collect();
            values::to_js(&pending)
        })
    }

    /// The connection to the owner.
    #[wasm_bindgen(unchecked_return_type = "Connection")]
    #[must_use]
    pub fn connection(&self) -> JsValue {
        self.connection
            .object(self.room.connection(), |connection| {
                values::to_js(&Connection::new(connection.clone(), &self.room))
            })
    }

    /// The peers that are connected to the owner, and the owner.
    #[wasm_bindgen(unchecked_return_type = "PeerInfo[]")]
    #[must_use]
    pub fn peers(&self) -> JsValue {
        self.peers.object(self.room.peers(), values::to_js)
    }

    /// True if this side is registered at the signalling server: before that nobody finds a host.
    /// Connections that are up do not depend on it.
    #[must_use]
    pub fn registered(&self) -> bool {
        self.side.status().registration() == Some(RegistrationState::Registered)
    }

    /// True if somebody found no room here, for the last minute or since all the host's places are
    /// taken: this tab has as many connections as it can take. They are told `busy`, and try again.
    #[must_use]
    pub fn full(&self) -> bool {
        let turned_away = self.side.status().turned_away();
        self.room.is_full() || turned_away.is_some_and(|at| self.room.now() - at < FULL)
    }

    /// True if a copy of this profile, in another browser or on another device, has the address:
    /// nobody can be reached from here, nor find a host here, until `claim` is called, the page
    /// comes into view again, or the copy is gone. Connections that are up stay.
    #[wasm_bindgen(js_name = usedElsewhere)]
    #[must_use]
    pub fn used_elsewhere(&self) -> bool {
        let registration = self.side.status().registration();
        matches!(registration, Some(RegistrationState::Yielded { .. }))
    }

    /// Takes the address back from a copy of this profile, which is told so.
    pub fn claim(&self) {
        self.side.status().claim();
    }

    /// The reason why the room has stopped, if it has failed: the storage is full, for instance.
    /// Pending commands stay stored.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match &self.side {
            Side::Hosted(hosted) => hosted.failure(),
            Side::Joined(joined) => joined.failure(),
        }
    }

    /// Votes for these options in place of any earlier vote; an empty list takes the vote back.
    /// Resolves when the vote is on the disk of this device.
    ///
    /// # Errors
    ///
    /// `owner-offline`, `outbox-full`, `closed`, and `bad-argument` for an invalid id. The same for
    /// all methods below.
    #[wasm_bindgen(unchecked_return_type = "Submitted")]
    pub async fn vote(
        &self,
        #[wasm_bindgen(js_name = optionIds, unchecked_param_type = "readonly string[]")]
        option_ids: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let option_ids: Vec<OptionId> = values::from_js(&option_ids, "the options")?;
        let vote = Vote {
            poll_id: self.room.id().poll_id,
            option_ids,
        };
        self.submit(Command::Vote(vote), &options).await
    }

    /// Adds an option.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(js_name = addOption, unchecked_return_type = "Submitted")]
    pub async fn add_option(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] label: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let label = text(&label, "the label")?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| Failure::new("no-randomness", error))?;
        let uuid = uuid::Builder::from_random_bytes(random).into_uuid();
        let add = OptionAdd {
            poll_id: self.room.id().poll_id,
            option_id: OptionId::from_uuid(uuid),
            label,
        };
        self.submit(Command::AddOption(add), &options).await
    }

    /// Says what the user wants to be called in this poll.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(js_name = setName, unchecked_return_type = "Submitted")]
    pub async fn set_name(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] name: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let name = text(&name, "the name")?;
        self.submit(Command::SetProfile(UserProfile { name }), &options)
            .await
    }

    /// Changes an option: an absent field changes nothing. Votes stay with an option that has
    /// another label; those for one that is withdrawn do not count until it is taken back in. For
    /// moderators and the owner.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(js_name = updateOption, unchecked_return_type = "Submitted")]
    pub async fn update_option(
        &self,
        #[wasm_bindgen(js_name = optionId, unchecked_param_type = "string")] option_id: JsValue,
        #[wasm_bindgen(unchecked_param_type = "OptionChange")] change: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let OptionChange { label, withdrawn } = values::from_js(&change, "the change")?;
        let option_id = id(&option_id, "the option")?;
        let mut update = OptionUpdate::new(self.room.id().poll_id, option_id);
        (update.label, update.withdrawn) = (label, withdrawn);
        self.submit(Command::UpdateOption(update), &options).await
    }

    /// Removes somebody: they may do nothing any more, and are told nothing. Their vote stays if
    /// `keepVote` is true. For moderators and the owner, of people whose role is below theirs.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(js_name = removePeer, unchecked_return_type = "Submitted")]
    pub async fn remove_peer(
        &self,
        #[wasm_bindgen(js_name = peerId, unchecked_param_type = "string")] peer_id: JsValue,
        #[wasm_bindgen(unchecked_param_type = "PeerRemoval")] removal: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let Removal { keep_vote } = values::from_js(&removal, "the removal")?;
        let removal = PeerRemoval {
            poll_id: self.room.id().poll_id,
            peer_id: id(&peer_id, "the peer id")?,
            keep_vote,
        };
        self.submit(Command::RemovePeer(removal), &options).await
    }

    /// Lets somebody in again who was removed. They are not told: their `reconnect` finds out.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(js_name = readmitPeer, unchecked_return_type = "Submitted")]
    pub async fn readmit_peer(
        &self,
        #[wasm_bindgen(js_name = peerId, unchecked_param_type = "string")] peer_id: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let readmission = PeerReadmission {
            poll_id: self.room.id().poll_id,
            peer_id: id(&peer_id, "the peer id")?,
        };
        self.submit(Command::ReadmitPeer(readmission), &options)
            .await
    }

    /// Changes somebody's role. They need not have been here yet.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(js_name = setRole, unchecked_return_type = "Submitted")]
    pub async fn set_role(
        &self,
        #[wasm_bindgen(js_name = peerId, unchecked_param_type = "string")] peer_id: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Role")] role: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let update = RoleUpdate {
            poll_id: self.room.id().poll_id,
            peer_id: id(&peer_id, "the peer id")?,
            role: values::from_js(&role, "the role")?,
        };
        self.submit(Command::UpdateRole(update), &options).await
    }

    /// Changes the poll: an absent field changes nothing. To reopen a poll takes its deadline away,
    /// unless another one comes with it. For the owner only.
    ///
    /// # Errors
    ///
    /// See `vote`.
    #[wasm_bindgen(unchecked_return_type = "Submitted")]
    pub async fn settings(
        &self,
        #[wasm_bindgen(unchecked_param_type = "PollSettings")] settings: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<JsValue, Failure> {
        let settings: Settings = values::from_js(&settings, "the settings")?;
        let update = settings.update(self.room.id().poll_id);
        self.submit(Command::UpdateSettings(update), &options).await
    }

    /// Resolves once the owner has let this side in.
    ///
    /// # Errors
    ///
    /// The reason why the owner will not: `unknown-poll`; `closed` if the room is
    /// closed; `aborted`.
    pub async fn connected(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "CallOptions")] options: JsValue,
    ) -> Result<(), Failure> {
        let room = &self.room;
        unless_aborted(&options, async { Ok(room.connected().await?) }).await
    }

    /// Calls back for every event from now on, until the function that this returns is called. The
    /// callback may call everything here. A change of the registration is not an event.
    ///
    /// # Errors
    ///
    /// `bad-argument` for what is no function.
    #[wasm_bindgen(js_name = onChange, unchecked_return_type = "() => void")]
    pub fn on_change(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(event: RoomEvent) => void")] callback: JsValue,
    ) -> Result<JsValue, Failure> {
        let callback: Function = callback
            .dyn_into()
            .map_err(|_| Failure::argument("the callback", "it must be a function"))?;
        // Who listens holds the room, too: that nobody has the handle any more does not close it.
        let (room, mut events) = (self.room.clone(), self.room.events());
        let (listening, handle): (_, AbortHandle) = abortable(async move {
            while let Some(event) = events.next().await {
                if let Some(event) = RoomEvent::new(event, &room) {
                    call(&callback, &event);
                }
            }
            call(&callback, &RoomEvent::Closed);
        });
        spawn_local(async {
            // Nobody listens any more, or nothing happens any more: one is as good as the other.
            let _ = listening.await;
        });
        Ok(Closure::<dyn Fn()>::new(move || handle.abort()).into_js_value())
    }

    /// Tries to connect now rather than at the end of the wait, even after a refusal: to the owner,
    /// and to the signalling server if that is away, which is all that a host has to try.
    ///
    /// # Errors
    ///
    /// `closed`.
    pub async fn reconnect(&self) -> Result<(), Failure> {
        self.side.status().retry();
        Ok(self.room.reconnect().await?)
    }

    /// Leaves: submitted commands are sent as far as possible, and pending ones stay on the disk. A
    /// host closes this poll, and can resume it.
    pub async fn close(&self) {
        match &self.side {
            Side::Hosted(_) => self.room.close().await,
            Side::Joined(joined) => joined.close().await,
        }
    }
}

fn call(callback: &Function, event: &RoomEvent) {
    if let Err(thrown) = callback.call1(&JsValue::UNDEFINED, &values::to_js(event)) {
        // Reported as any error is that nobody has caught.
        drop(Promise::reject(&thrown));
    }
}
