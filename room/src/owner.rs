//! The authority and relay of one poll.

mod dedup;
mod history;
mod links;
mod log;
mod pace;
mod presence;
mod receive;
mod sending;
mod sequencer;
mod size;
mod telling;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Command, CommandId, DeviceId, Envelope, Epoch, ErrorCode, Hello, Message, Numbered, PeerId,
    PeerInfo, Poll, Receipt, Rejection, Revision, RoomId, Seen, Seq, SettingsUpdate, StoredJournal,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use self::history::{Seal, first_epoch};
use self::links::{About, Links, Session};
use self::presence::Presence;
use self::receive::TooLarge;
use self::sequencer::{Bounds, Sequenced, Sequencer};
use self::telling::Telling;
use crate::liveness::{Liveness, Verdict, is_late};
use crate::outgoing::{encode_command, new_command_id};
use crate::{
    CommandState, Config, Connection, Event, LinkId, Moment, Output, Persist, Record, RestoreError,
    Setup, SubmitError, TimeoutReason,
};

/// The authority over one poll, and the hub of its star.
///
/// It is made here, [new](Self::create) or from its [journal](Self::restore), and used through the
/// [`Host`](crate::Host) that [opens](crate::Host::open) it: the host has the links of peers that
/// have not proved who they are, and an owner has only those of its members.
#[derive(Debug)]
pub struct Owner {
    room: RoomId,
    device: DeviceId,
    config: Config,
    unix_millis: u64,
    rng: ChaCha20Rng,
    sequencer: Sequencer,
    links: Links,
    presence: Presence,
    telling: Telling,
    too_large: TooLarge,
    outputs: VecDeque<Output>,
}

impl Owner {
    /// A new poll's owner. The first output is the journal's first record.
    ///
    /// # Errors
    ///
    /// A [`RestoreError`], as [`restore`](Self::restore) would give it for that record: the poll is
    /// another owner's, or does not keep to the [limits](Config::limits).
    pub fn create(setup: Setup, poll: Poll) -> Result<Self, RestoreError> {
        if !planted::is_on(Fault::CreateUnchecked) {
            is_of("the poll", &poll, &setup)?;
            let is_sound = poll.check(&setup.config.limits);
            is_sound.map_err(|reason| RestoreError::new("the poll", reason))?;
        }
        let mut rng = ChaCha20Rng::from_seed(setup.seed);
        let epoch = first_epoch(&mut rng);
        let seal = Seal::of(&setup.key, poll.poll_id());
        let mut owner = Self::new(setup, rng, Sequencer::new(poll, epoch, seal));
        let snapshot = owner.sequencer.journaled();
        owner.persist(Record::JournalSnapshot {
            revision: Revision::ZERO,
            keep_after: Revision::ZERO,
            frame: snapshot,
        });
        Ok(owner)
    }

    /// The owner of a poll from its journal.
    ///
    /// # Errors
    ///
    /// A [`RestoreError`] that names the damaged record, or says that the journal is another
    /// owner's.
    pub fn restore(setup: Setup, journal: StoredJournal) -> Result<Self, RestoreError> {
        let rng = ChaCha20Rng::from_seed(setup.seed);
        let seal_of = |poll_id| Seal::of(&setup.key, poll_id);
        let (sequencer, needs_snapshot) = Sequencer::restore(journal, seal_of)?;
        is_of("the journal", &sequencer.poll, &setup)?;
        let mut owner = Self::new(setup, rng, sequencer);
        if needs_snapshot {
            owner.persist_snapshot();
        }
        Ok(owner)
    }

    fn new(setup: Setup, rng: ChaCha20Rng, sequencer: Sequencer) -> Self {
        let room = RoomId {
            owner: PeerId::of(&setup.key),
            poll_id: sequencer.poll.poll_id(),
        };
        Self {
            room,
            device: setup.device,
            too_large: TooLarge::over(setup.config.limits.max_command_bytes),
            config: setup.config,
            unix_millis: setup.unix_millis,
            rng,
            telling: Telling::from(&sequencer),
            sequencer,
            links: Links::default(),
            presence: Presence::default(),
            outputs: VecDeque::new(),
        }
    }

    // Getters.

    /// The room's id; its text is the room link that people share.
    #[must_use]
    pub const fn room_id(&self) -> RoomId {
        self.room
    }

    /// The poll. It may be ahead of the journal by the updates that are still in
    /// the outputs or not yet committed.
    #[must_use]
    pub fn poll(&self) -> &Arc<Poll> {
        &self.sequencer.poll
    }

    /// The number of commands that have been applied.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.sequencer.revision
    }

    /// The epoch of the journal.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.sequencer.epoch
    }

    /// The peers that are online: this owner, and each connected device.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.with_owner(self.links.devices())
    }

    fn with_owner(&self, devices: impl Iterator<Item = (PeerId, DeviceId)>) -> Vec<PeerInfo> {
        let online = |(peer_id, device)| PeerInfo {
            peer_id,
            device,
            online: true,
        };
        let here = std::iter::once((self.room.owner, self.device));
        here.chain(devices).map(online).collect()
    }

    /// The last number of a device that has its outcome.
    pub(crate) fn last_seq(&self, peer: PeerId, device: DeviceId) -> Option<Seq> {
        self.sequencer.dedup.last_seq(peer, device)
    }

    /// True for the device that hosts the poll.
    pub(crate) fn is_device(&self, peer: PeerId, device: DeviceId) -> bool {
        (peer, device) == (self.room.owner, self.device)
    }

    /// True for a member, and for the owner.
    pub(crate) fn has_standing(&self, peer: PeerId) -> bool {
        self.sequencer.has_standing(peer)
    }

    /// True if this device has a link.
    pub(crate) fn is_connected(&self, peer: PeerId, device: DeviceId) -> bool {
        self.links.of_device(peer, device).is_some()
    }

    /// The links of one identity.
    pub(crate) fn links_of(&self, peer: PeerId) -> Vec<LinkId> {
        self.links.of_peer(peer)
    }

    /// The link that goes first when there are too many: the newest of somebody without standing.
    pub(crate) fn least(&self) -> Option<LinkId> {
        let mut newest_first = self.links.newest_first();
        let least = newest_first.find(|(_, session)| !self.has_standing(session.peer));
        least.map(|(link, _)| link)
    }

    /// Checks that one identity does not have more devices than an owner remembers.
    pub(crate) fn check_device(&self, peer: PeerId, device: DeviceId) -> Result<(), Rejection> {
        let max = self.config.max_devices_per_peer;
        let dedup = &self.sequencer.dedup;
        if dedup.knows(peer, device)
            || dedup.devices_of(peer) < max
            || planted::is_on(Fault::StrangersFillReceipts)
        {
            return Ok(());
        }
        let message = format!("this identity has used {max} devices in this poll already");
        Err(Rejection::new(ErrorCode::Busy, message))
    }

    // Pollers.

    /// The outputs that the host has not taken over yet, in order.
    pub(crate) fn outputs_mut(&mut self) -> &mut VecDeque<Output> {
        &mut self.outputs
    }

    /// The moment when `handle_timeout` is due next, and the reason.
    pub(crate) fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
        let presence = self.presence.due();
        let presence = presence.map(|at| (at, TimeoutReason::Presence));
        let tally = self.telling.due().map(|at| (at, TimeoutReason::Tally));
        let closes = self.closes_at().map(|at| (at, TimeoutReason::Deadline));
        let deadlines = [presence, tally, closes, self.links.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    // Inputs, which come from the host that has this owner.

    /// A peer has proved who it is, and is a member from now on. It gets the first sync at once,
    /// and then the list of peers, which ends its joining.
    pub(crate) fn admit(&mut self, link: LinkId, hello: &Hello, now: Moment) {
        let session = Session::new(hello, Liveness::new(&self.config, now));
        match self.links.admit(link, session) {
            // The device stays online by its new link, so there is nothing to tell.
            Some(old) => {
                self.links.remove(old);
                self.presence.moved(old, link);
                self.outputs.push_back(Output::Hangup { link: old });
            }
            None => self.presence_changed(link, (hello.peer_id, hello.device), true),
        }
        if !self.sync(link, hello.known()) {
            return;
        }
        self.send_discovery(link);
    }

    /// A member's link is blocked: it had no room for this frame. It gets nothing more until it is
    /// writable again, and then everything that it has missed.
    pub(crate) fn handle_blocked(&mut self, link: LinkId, frame: &Bytes) {
        let about = match Envelope::parse(frame, frame.len(), &self.config.limits) {
            Ok(envelope) => About::of(&envelope, &self.config.limits),
            // An unreadable frame was not written here.
            Err(_) => About::Nothing,
        };
        if !self.links.block(link, about, frame) {
            self.hang_up(link);
        }
    }

    /// A blocked link is writable again.
    ///
    /// A frame that is sent now may find no room again, and is then owed again. But the first one
    /// finds room, so each time less is owed. The poll comes before the answers: a participant that
    /// hears of its vote's end before it has the poll with the vote would show a poll without it.
    pub(crate) fn handle_writable(&mut self, link: LinkId) {
        let Some(owed) = self.links.unblock(link) else {
            return;
        };
        if owed.state && !planted::is_on(Fault::AnswersBeforePoll) {
            self.send_state(link);
        }
        for (command_id, frame) in owed.answers {
            self.send_frame(link, frame, About::Command(command_id));
        }
        if owed.state && planted::is_on(Fault::AnswersBeforePoll) {
            self.send_state(link);
        }
        if owed.presence {
            self.send_discovery(link);
        }
    }

    /// A member has sent a batch that cannot be read.
    pub(crate) fn handle_fault(&mut self, link: LinkId, rejection: Rejection, now: Moment) {
        if let Some(session) = self.links.get_mut(link) {
            session.liveness.heard(now);
            self.fault(link, None, rejection);
        }
    }

    /// A member has sent a message.
    pub(crate) fn handle_frame(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        // A frame on a link that was hung up comes too late.
        let Some(session) = self.links.get_mut(link) else {
            return;
        };
        session.liveness.heard(now);
        if frame.len() > self.config.limits.max_command_bytes {
            return self.receive_too_large(link, frame, now);
        }
        let limits = self.config.limits;
        match Envelope::parse(frame, limits.max_command_bytes, &limits) {
            Ok(envelope) => self.receive(link, &envelope, now),
            Err(error) if error.rejection.code == ErrorCode::TooDeep => {
                self.receive_unread(link, frame, error.rejection, now);
            }
            Err(error) => self.fault(link, error.command_id, error.rejection),
        }
    }

    /// A deadline has come. Harmless if none has.
    pub(crate) fn handle_timeout(&mut self, now: Moment) {
        self.keep_deadline(now);
        self.tell_presence(now);
        if self.telling.due().is_some_and(|due| due <= now) {
            self.tell_tally(now);
        }
        // Each once: at the end of time a new deadline is not later than the one that has come.
        for link in self.links.due(now) {
            let config = &self.config;
            match self
                .links
                .watch(link, |liveness| liveness.judge(config, now))
            {
                Some(Verdict::Alive) | None => {}
                Some(Verdict::Ping) => self.send(link, &Message::Ping),
                Some(Verdict::Dead) => self.hang_up(link),
            }
        }
    }

    /// True if this owner's own timer runs so late that it may have slept. Not by that of presence,
    /// which may be long over when there is something to tell.
    pub(crate) fn is_late(&self, now: Moment) -> bool {
        is_late(self.links.next_deadline().map(|(at, _)| at), now)
    }

    /// Nothing is known of the links for now: each is asked if it is alive.
    pub(crate) fn suspect_all(&mut self, now: Moment) {
        for link in self.links.ids() {
            let config = &self.config;
            let suspected = self
                .links
                .watch(link, |liveness| liveness.suspect(config, now));
            if suspected == Some(true) {
                self.send(link, &Message::Ping);
            }
        }
    }

    /// Closes a link, and tells its other end the reason.
    pub(crate) fn give_up(&mut self, link: LinkId, why: Rejection) {
        self.refuse(link, None, why);
        self.hang_up(link);
    }

    /// A link is down: the member is offline, unless it is connected on another link.
    pub(crate) fn forget(&mut self, link: LinkId) {
        if let Some((peer_id, device)) = self.links.remove(link) {
            if self.sequencer.is_passing(peer_id) {
                self.sequencer.dedup.forget_stranger(peer_id, device);
            }
            self.presence_changed(link, (peer_id, device), false);
        }
    }

    // Commands.

    /// Applies a command of the owner's own. Its outcome is an [`Event::Command`].
    ///
    /// # Errors
    ///
    /// Only if the command is for another poll or too large. A rejection by the poll's rules is an
    /// outcome.
    pub(crate) fn submit(
        &mut self,
        command: Command,
        now: Moment,
    ) -> Result<CommandId, SubmitError> {
        self.keep_deadline(now);
        self.submit_now(command, now)
    }

    /// The moment when the poll is to be closed.
    fn closes_at(&self) -> Option<Moment> {
        let poll = self.poll();
        let at = poll.closes_at().filter(|_| !poll.is_closed())?;
        let from_start = at.saturating_sub(self.unix_millis);
        Some(Moment::from_millis(from_start))
    }

    /// Closes the poll if its time has come, by a command like any other: whoever reads the journal
    /// needs no clock.
    pub(super) fn keep_deadline(&mut self, now: Moment) {
        if self.closes_at().is_some_and(|at| at <= now) {
            let close = SettingsUpdate::new(self.room.poll_id).closed(true);
            // It is for this poll, and small.
            let _ = self.submit_now(Command::UpdateSettings(close), now);
        }
    }

    fn submit_now(&mut self, command: Command, now: Moment) -> Result<CommandId, SubmitError> {
        let seq = self.sequencer.dedup.next_seq(self.room.owner, self.device);
        let command_id = new_command_id(&mut self.rng, self.unix_millis, now);
        let kind = Some(command.kind());
        let frame = encode_command(
            &self.config,
            self.room,
            Numbered {
                command_id,
                seq,
                seen: Some(Seen {
                    epoch: self.sequencer.epoch,
                    revision: self.sequencer.revision,
                }),
                command: command.normalised(),
            },
        )?;
        self.command_event(command_id, CommandState::Queued);
        self.before_command(kind, now);
        let limits = self.config.limits;
        let sequenced =
            Envelope::parse(&frame, limits.max_command_bytes, &limits).and_then(|envelope| {
                // `seq` is also the oldest number: an owner's commands settle at once, and none is
                // sent again.
                let here = (self.room.owner, self.device);
                self.sequencer
                    .sequence(&envelope, here, seq, &self.bounds())
            });
        match sequenced {
            Ok(Sequenced::Applied {
                receipt,
                frame,
                told,
            }) => {
                let revision = self.sequencer.revision;
                self.applied(self.room.owner, self.device, receipt, &frame);
                self.command_event(command_id, CommandState::Applied(revision));
                self.relay(self.room.owner, kind, told, None, now);
            }
            Ok(Sequenced::Settled { receipt }) => {
                let state = CommandState::from(receipt.outcome.clone());
                self.rejected(self.room.owner, self.device, receipt);
                self.command_event(command_id, state);
            }
            // Not reached: the number and the id are both new.
            Ok(Sequenced::Duplicate(_)) => {}
            Ok(Sequenced::Violation(rejection) | Sequenced::Gap(rejection)) => {
                self.command_event(command_id, CommandState::Rejected(rejection));
            }
            Err(error) => {
                self.command_event(command_id, CommandState::Rejected(error.rejection));
            }
        }
        Ok(command_id)
    }

    /// Closes every link. The journal stays in the store.
    pub(crate) fn close(&mut self) {
        for link in std::mem::take(&mut self.links).into_ids() {
            self.outputs.push_back(Output::Hangup { link });
        }
        self.event(Event::Connection(Connection::Closed));
    }

    // Helpers.

    fn bounds(&self) -> Bounds {
        Bounds {
            limits: self.config.limits,
            stranger_receipts: self.config.max_stranger_receipts,
        }
    }

    fn applied(&mut self, author: PeerId, device: DeviceId, receipt: Receipt, frame: &Bytes) {
        let revision = self.sequencer.revision;
        for (author, device, receipt) in std::mem::take(&mut self.sequencer.unkept) {
            self.rejected(author, device, receipt);
        }
        self.persist(Record::JournalUpdate {
            revision,
            frame: frame.clone(),
            author,
            device,
            receipt,
        });
        let after_bytes = self.config.snapshot_after_bytes;
        if self.sequencer.log.wants_snapshot(after_bytes) {
            let (frame, keep_after) = self.sequencer.journal_snapshot();
            self.persist(Record::JournalSnapshot {
                revision,
                keep_after,
                frame,
            });
        }
        self.event(Event::PollChanged { revision });
    }

    fn persist(&mut self, record: Record) {
        let room = self.room;
        let persist = Box::new(Persist { room, record });
        self.outputs.push_back(Output::Persist(persist));
    }

    /// A snapshot in place of the whole journal so far.
    fn persist_snapshot(&mut self) {
        let frame = self.sequencer.journaled();
        self.persist(Record::JournalSnapshot {
            revision: self.sequencer.revision,
            keep_after: self.sequencer.revision,
            frame,
        });
    }

    fn rejected(&mut self, author: PeerId, device: DeviceId, receipt: Receipt) {
        if self.sequencer.is_passing(author) {
            return;
        }
        self.persist(Record::JournalRejection {
            author,
            device,
            receipt,
        });
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event {
            poll_id: Some(self.room.poll_id),
            event,
        });
    }

    fn command_event(&mut self, command_id: CommandId, state: CommandState) {
        self.event(Event::Command { command_id, state });
    }
}

/// The refusal of somebody who was removed from a poll.
pub(crate) fn removed() -> Rejection {
    let message = "the host has removed you from this poll";
    Rejection::new(ErrorCode::Removed, message)
}

/// Checks that a poll belongs to this identity.
fn is_of(what: &str, poll: &Poll, setup: &Setup) -> Result<(), RestoreError> {
    let (owner, key) = (poll.owner(), setup.peer());
    if owner == key {
        return Ok(());
    }
    let message = format!("the poll belongs to {owner}, but this identity is {key}");
    let reason = Rejection::new(ErrorCode::WrongAuthor, message);
    Err(RestoreError::new(what, reason))
}
