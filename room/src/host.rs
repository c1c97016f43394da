//! Several polls of one owner behind one address.

mod handshake;

use std::collections::VecDeque;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    Command, CommandId, DecodeError, ErrorCode, Message, PeerId, PollId, Refusal, Rejection, batch,
};
use litemap::LiteMap;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use self::handshake::{Handshake, Handshakes};
use crate::liveness::is_late;
use crate::{
    ChannelBinding, Config, DownReason, Event, LinkId, Moment, Output, Owner, Setup, SubmitError,
    TimeoutReason,
};

/// The polls that one identity hosts, behind one address.
///
/// A link belongs to no poll until its first frame has named one, and to no person until the other
/// end has proved who it is. `Host` has every link that is in the handshake, and hands it over to
/// the [`Owner`] of the poll once that is done. From then on it only passes inputs and outputs on.
///
/// # Use
///
/// - **Inputs** tell it what happened: [`handle_link_up`](Self::handle_link_up),
///   [`handle_frame`](Self::handle_frame), [`handle_blocked`](Self::handle_blocked),
///   [`handle_writable`](Self::handle_writable), [`handle_link_down`](Self::handle_link_down),
///   [`handle_timeout`](Self::handle_timeout).
/// - **Commands** are this side's wishes: [`open`](Self::open), [`submit`](Self::submit),
///   [`close_poll`](Self::close_poll), [`close`](Self::close).
/// - **Pollers** say what to do. After *every* input or command, first drain
///   [`poll_output`](Self::poll_output) under the write-ahead rule of [`Output`]; then read
///   [`poll_timeout`](Self::poll_timeout), which any input may have changed.
/// - **Getters** change nothing.
///
/// No input makes it panic, and a peer's input ends at most that peer's own link.
#[derive(Debug)]
pub struct Host {
    key: SigningKey,
    peer: PeerId,
    config: Config,
    unix_millis: u64,
    rng: ChaCha20Rng,
    owners: LiteMap<PollId, Owner>,
    /// The polls that have a journal, open or not; `None` until the journals have been looked
    /// through. Any other poll is unknown for good.
    journals: Option<LiteMap<PollId, ()>>,
    /// Only for [`Fault::GraceByClock`].
    grace_until: Moment,
    /// The links whose other end has not proved who it is.
    handshakes: Handshakes,
    /// The poll of each link that was let in.
    routes: LiteMap<LinkId, PollId>,
    /// Somebody was turned away for want of links, and none has become free since.
    is_full: bool,
    outputs: VecDeque<Output>,
}

impl Host {
    /// A host without polls. Until it [knows](Self::know) its journals, no poll is unknown to it.
    #[must_use]
    pub fn new(setup: &Setup, now: Moment) -> Self {
        Self {
            key: setup.key.clone(),
            peer: setup.peer(),
            config: setup.config.clone(),
            unix_millis: setup.unix_millis,
            rng: ChaCha20Rng::from_seed(setup.seed),
            owners: LiteMap::new(),
            journals: None,
            grace_until: now + setup.config.opening_grace,
            handshakes: Handshakes::default(),
            routes: LiteMap::new(),
            is_full: false,
            outputs: VecDeque::new(),
        }
    }

    // Getters.

    /// One of the hosted polls.
    #[must_use]
    pub fn owner(&self, poll_id: PollId) -> Option<&Owner> {
        self.owners.get(&poll_id)
    }

    /// True once the journals have been looked through.
    #[must_use]
    pub const fn knows_journals(&self) -> bool {
        self.journals.is_some()
    }

    /// True if somebody was turned away because all links are taken, and all still are; see
    /// [`Event::Full`].
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The hosted polls, in the order of their ids.
    pub fn polls(&self) -> impl Iterator<Item = PollId> {
        self.owners.keys().copied()
    }

    // Pollers.

    /// The next thing to do. The order matters, see [`Output`].
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            // Last of all that follows from an input: a link that ended may have made room for
            // another.
            self.notice_room();
        }
        self.outputs.pop_front()
    }

    /// The moment when [`handle_timeout`](Self::handle_timeout) is due next, and the reason.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
        let handshake = self.handshakes.next_deadline();
        let handshake = handshake.map(|at| (at, TimeoutReason::Handshake));
        let owners = self.owners.values().filter_map(Owner::poll_timeout);
        handshake.into_iter().chain(owners).min()
    }

    // Inputs.

    /// A peer has connected.
    pub fn handle_link_up(&mut self, link: LinkId, binding: ChannelBinding, now: Moment) {
        if planted::is_on(Fault::StrangersTakeLinks) {
            if self.handshakes.len() + self.routes.len() >= self.config.max_links {
                return self.turn_away(link, None, busy());
            }
        } else if self.handshakes.len() >= self.config.max_handshakes
            && let Some((oldest, _)) = self.handshakes.take_oldest()
        {
            self.turn_away(oldest, None, busy());
        }
        let deadline = now + self.config.handshake_timeout;
        self.handshakes
            .insert(link, Handshake::new(binding, deadline));
    }

    /// A link is down.
    pub fn handle_link_down(&mut self, link: LinkId, _reason: DownReason, _now: Moment) {
        // In one of the two maps, never in both; in neither if this side has hung up.
        self.handshakes.remove(link);
        if let Some(poll_id) = self.routes.remove(&link) {
            self.with(poll_id, |owner| owner.forget(link));
        }
    }

    /// A link is blocked: it had no room for this frame. It gets nothing more until it is
    /// [writable](Self::handle_writable) again, and then everything that it has missed.
    ///
    /// A link in the handshake is sent one frame at a time. If that one finds no room, the
    /// handshake times out.
    pub fn handle_blocked(&mut self, link: LinkId, frame: &Bytes, _now: Moment) {
        if let Some(poll_id) = self.routes.get(&link) {
            self.with(*poll_id, |owner| owner.handle_blocked(link, frame));
        }
    }

    /// A blocked link is writable again.
    pub fn handle_writable(&mut self, link: LinkId, _now: Moment) {
        if let Some(poll_id) = self.routes.get(&link) {
            self.with(*poll_id, |owner| owner.handle_writable(link));
        }
    }

    /// A frame has arrived: a message, or a [batch] of them, which are taken in their order as if
    /// each had come alone, those of the handshake like the others. A batch that cannot be read is
    /// one fault.
    pub fn handle_frame(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        // What is too large is not looked at.
        if frame.len() > self.most_bytes() || !batch::is_batch(frame) {
            return self.handle_message(link, frame, now);
        }
        match self.messages(frame) {
            Ok(messages) => {
                for message in messages {
                    self.handle_message(link, message, now);
                }
            }
            Err(DecodeError { rejection, .. }) => {
                if let Some(poll_id) = self.routes.get(&link) {
                    self.with(*poll_id, |owner| owner.handle_fault(link, rejection, now));
                } else if let Some(handshake) = self.handshakes.remove(link) {
                    self.turn_away(link, handshake.poll_id(), rejection);
                }
            }
        }
    }

    /// The messages of a [batch], which has at most the bytes of a command, or of the largest batch
    /// that is made; each is held to the limits by itself.
    ///
    /// # Errors
    ///
    /// See [`batch::messages`].
    pub fn messages<'a>(&self, frame: &'a [u8]) -> Result<Vec<&'a [u8]>, DecodeError> {
        batch::messages(frame, self.most_bytes())
    }

    /// The bytes of the largest frame that is read.
    fn most_bytes(&self) -> usize {
        self.config.limits.max_command_bytes.max(batch::MAX_BYTES)
    }

    fn handle_message(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        if let Some(poll_id) = self.routes.get(&link) {
            self.with(*poll_id, |owner| owner.handle_frame(link, frame, now));
            return;
        }
        // Taken out; the next step puts it back if the handshake goes on. A link in neither map was
        // hung up by this side, and a late frame on it means nothing.
        if let Some(handshake) = self.handshakes.remove(link) {
            self.receive_in_handshake(link, handshake, frame, now);
        }
    }

    /// A deadline has come. Harmless if none has.
    pub fn handle_timeout(&mut self, now: Moment) {
        let is_late = is_late(self.handshakes.next_deadline(), now)
            || self.owners.values().any(|owner| owner.is_late(now));
        self.end_late_handshakes(now);
        let polls: Vec<PollId> = self.owners.keys().copied().collect();
        for poll_id in polls {
            self.with(poll_id, |owner| owner.handle_timeout(now));
        }
        if is_late {
            // As after a sleep.
            self.handle_wake(now);
        }
    }

    /// The network is back, the page is visible, or the machine has slept: any link may be dead, and
    /// is pinged.
    pub fn handle_wake(&mut self, now: Moment) {
        let polls: Vec<PollId> = self.owners.keys().copied().collect();
        for poll_id in polls {
            self.with(poll_id, |owner| owner.suspect_all(now));
        }
    }

    // Commands.

    /// 32 bytes for the seed of one more poll, different for each poll of this host.
    pub fn new_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    /// The journals have been looked through, and these are the polls that have one. Whoever asks
    /// for another poll is told from now on that there is no such poll, which is final.
    pub fn know(&mut self, polls: impl IntoIterator<Item = PollId>) {
        // And those that were created while the store was read.
        let all = polls.into_iter().chain(self.owners.keys().copied());
        let mut journals = LiteMap::new();
        for poll_id in all {
            journals.insert(poll_id, ());
        }
        let unknown = self.handshakes.links_where(&|handshake| {
            let poll_id = handshake.awaited();
            poll_id.is_some_and(|poll_id| !journals.contains_key(&poll_id))
        });
        self.journals = Some(journals);
        for link in unknown {
            self.end_wait(link);
        }
    }

    /// Opens a poll, and challenges the participants that wait for it. A poll that was open under
    /// the same id is closed.
    pub fn open(&mut self, mut owner: Owner, now: Moment) {
        let poll_id = owner.room_id().poll_id;
        self.close_poll(poll_id);
        // The journal's first record goes before the challenges, so nobody joins a poll that a
        // crash could lose.
        take_outputs(&mut self.outputs, owner.outputs_mut(), &mut self.routes);
        self.owners.insert(poll_id, owner);
        if let Some(journals) = &mut self.journals {
            journals.insert(poll_id, ());
        }
        self.challenge_waiting(poll_id, now);
    }

    /// Closes a poll: its links are closed. Its journal stays in the store.
    pub fn close_poll(&mut self, poll_id: PollId) {
        if self.with(poll_id, Owner::close).is_some() {
            self.owners.remove(&poll_id);
            self.end_handshakes_of(poll_id);
        }
    }

    /// A poll is deleted, its journal with it: closes it, and whoever asks for it is told from now on
    /// that there is no such poll, which is final.
    pub fn forget(&mut self, poll_id: PollId) {
        self.close_poll(poll_id);
        if let Some(journals) = &mut self.journals {
            journals.remove(&poll_id);
            let waits = |awaited: Option<PollId>| awaited == Some(poll_id);
            let waiting = self
                .handshakes
                .links_where(&|handshake| waits(handshake.awaited()));
            for link in waiting {
                self.end_wait(link);
            }
        }
    }

    /// Applies a command of the owner's own. Its outcome is an [`Event::Command`].
    ///
    /// # Errors
    ///
    /// [`SubmitError::WrongPoll`] if the command is for another poll or no such poll is open here,
    /// [`SubmitError::TooLarge`]. A rejection by the poll's rules is an outcome.
    pub fn submit(
        &mut self,
        poll_id: PollId,
        command: Command,
        now: Moment,
    ) -> Result<CommandId, SubmitError> {
        self.with(poll_id, |owner| owner.submit(command, now))
            .unwrap_or(Err(SubmitError::WrongPoll(poll_id)))
    }

    /// Closes every link. The polls can still be read.
    pub fn close(&mut self) {
        // Nobody is waited for any more.
        self.is_full = false;
        while let Some((link, _)) = self.handshakes.take_oldest() {
            self.outputs.push_back(Output::Hangup { link });
        }
        let polls: Vec<PollId> = self.owners.keys().copied().collect();
        for poll_id in polls {
            self.with(poll_id, Owner::close);
        }
    }

    // Helpers.

    fn send(&mut self, link: LinkId, message: &Message) {
        let frame = message.encode();
        self.outputs.push_back(Output::Send { link, frame });
    }

    /// Tells the peer and the application the fault, and closes the link.
    fn turn_away(&mut self, link: LinkId, poll_id: Option<PollId>, rejection: Rejection) {
        self.send(
            link,
            &Message::Error(Refusal {
                command_id: None,
                rejection: rejection.clone(),
            }),
        );
        let event = Event::Fault {
            link,
            peer: None,
            rejection,
        };
        self.outputs
            .extend([Output::Event { poll_id, event }, Output::Hangup { link }]);
    }

    /// All links are taken, and somebody goes without.
    fn notice_full(&mut self) {
        if !std::mem::replace(&mut self.is_full, true) {
            self.tell_full();
        }
    }

    /// There is room again, after somebody went without.
    fn notice_room(&mut self) {
        if self.is_full && self.routes.len() < self.config.max_links {
            self.is_full = false;
            self.tell_full();
        }
    }

    fn tell_full(&mut self) {
        let event = Event::Full(self.is_full);
        let poll_id = None;
        self.outputs.push_back(Output::Event { poll_id, event });
    }

    // Does nothing without such a poll: `close_poll` has closed its links and handshakes already.
    /// Tells an owner something, if the poll is open here, and takes over its outputs.
    fn with<R>(&mut self, poll_id: PollId, tell: impl FnOnce(&mut Owner) -> R) -> Option<R> {
        let owner = self.owners.get_mut(&poll_id)?;
        let told = tell(owner);
        take_outputs(&mut self.outputs, owner.outputs_mut(), &mut self.routes);
        Some(told)
    }
}

/// Apart from [`Host::with`], which is compiled once for each of its callers.
fn take_outputs(
    all: &mut VecDeque<Output>,
    outputs: &mut VecDeque<Output>,
    routes: &mut LiteMap<LinkId, PollId>,
) {
    for output in outputs.iter() {
        // The link belongs to no poll any more, and its end is not the owner's business.
        if let Output::Hangup { link } = output {
            routes.remove(link);
        }
    }
    if all.is_empty() {
        // As after every input of a host that is drained as it should be: nothing is copied.
        std::mem::swap(all, outputs);
    } else {
        all.append(outputs);
    }
}

fn busy() -> Rejection {
    let message = "the owner has no room for more connections, try again later";
    Rejection::new(ErrorCode::Busy, message)
}
