//! The authority and relay of one poll.

mod dedup;
mod links;
mod log;
mod receive;
mod sequencer;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::{
    Ack, Command, CommandId, DeviceId, Envelope, Epoch, ErrorCode, Hello, Message, Numbered,
    Outcome, PeerId, PeerInfo, Poll, Receipt, Refusal, Rejection, Revision, RoomId, StoredJournal,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use self::links::{About, Links, Session};
use self::sequencer::{Sequenced, Sequencer};
use crate::liveness::{Liveness, Verdict};
use crate::outgoing::{encode_command, new_command_id};
use crate::{
    CommandState, Config, Event, LinkId, Moment, Output, Persist, Record, RestoreError, Setup,
    SubmitError, TimeoutReason,
};

/// The authority over one poll and the hub of its star.
///
/// It is made here, [new](Self::create) or from its [journal](Self::restore), and used through the
/// [`Host`](crate::Host) that [opens](crate::Host::open) it: the host has the links of those who have
/// not proved who they are, and an owner hears of nobody else but its members.
#[derive(Debug)]
pub struct Owner {
    room: RoomId,
    device: DeviceId,
    config: Config,
    unix_millis: u64,
    rng: ChaCha20Rng,
    sequencer: Sequencer,
    links: Links,
    outputs: VecDeque<Output>,
}

impl Owner {
    /// Begins to host a new poll. The first output is the journal's first record.
    #[must_use]
    pub fn create(setup: Setup, poll: Poll) -> Self {
        let mut rng = ChaCha20Rng::from_seed(setup.seed);
        let epoch = Epoch::new(rng.next_u64());
        let mut owner = Self::new(setup, rng, Sequencer::new(poll, epoch));
        let snapshot = owner.sequencer.snapshot();
        owner.persist(Record::JournalSnapshot {
            revision: Revision::ZERO,
            keep_after: Revision::ZERO,
            frame: snapshot,
        });
        owner
    }

    /// Goes on hosting a poll from its journal.
    ///
    /// # Errors
    ///
    /// Names the record of the journal that does not read as what was written.
    pub fn restore(setup: Setup, journal: StoredJournal) -> Result<Self, RestoreError> {
        let rng = ChaCha20Rng::from_seed(setup.seed);
        let sequencer = Sequencer::restore(journal, &setup.config.limits)?;
        let (owner, key) = (sequencer.poll.owner(), PeerId::of(&setup.key));
        if owner != key {
            return Err(RestoreError::new(
                "the journal",
                Rejection::new(
                    ErrorCode::WrongAuthor,
                    format!("its poll is owned by {owner}, this identity is {key}"),
                ),
            ));
        }
        Ok(Self::new(setup, rng, sequencer))
    }

    fn new(setup: Setup, rng: ChaCha20Rng, sequencer: Sequencer) -> Self {
        let room = RoomId {
            owner: PeerId::of(&setup.key),
            poll_id: sequencer.poll.poll_id(),
        };
        Self {
            room,
            device: setup.device,
            config: setup.config,
            unix_millis: setup.unix_millis,
            rng,
            sequencer,
            links: Links::default(),
            outputs: VecDeque::new(),
        }
    }

    // Getters.

    /// Where the poll is: what people share.
    #[must_use]
    pub const fn room_id(&self) -> RoomId {
        self.room
    }

    /// The poll. It may be ahead of the journal by what has not been taken from
    /// [`poll_output`](Self::poll_output) or not been committed yet.
    #[must_use]
    pub fn poll(&self) -> &Arc<Poll> {
        &self.sequencer.poll
    }

    /// How many commands have been applied.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.sequencer.revision
    }

    /// Which life of the journal this is.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.sequencer.epoch
    }

    /// Who is here: this owner, and each device that is connected.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        let here = PeerInfo {
            peer_id: self.room.owner,
            device: self.device,
            online: true,
        };
        std::iter::once(here)
            .chain(self.links.devices().map(|(peer_id, device)| PeerInfo {
                peer_id,
                device,
                online: true,
            }))
            .collect()
    }

    // Pollers.

    /// The next thing to do, in order; see [`Output`] for what may not overtake what.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `handle_timeout` is due next, and for what.
    pub(crate) fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
        self.links.next_deadline()
    }

    // Inputs, which come from the host that this owner's poll is in.

    /// Somebody has proved who they are, and is a member from now on. They get the first sync at
    /// once, and then who is here: that is what ends the joining.
    pub(crate) fn admit(&mut self, link: LinkId, hello: &Hello, now: Moment) {
        let session = Session::new(hello, Liveness::new(&self.config, now));
        if let Some(old) = self.links.admit(link, session) {
            self.links.remove(old);
            self.outputs.push_back(Output::Hangup { link: old });
        }
        let known = hello.epoch.zip(hello.revision);
        self.check_rollback(link, known);
        self.sync(link, known);
        self.send_discovery(link);
        let came = PeerInfo {
            peer_id: hello.peer_id,
            device: hello.device,
            online: true,
        };
        self.presence_changed(came, Some(link));
    }

    /// A member's link had no room for this frame. It gets nothing more until it is writable
    /// again, and then what it has missed.
    pub(crate) fn handle_blocked(&mut self, link: LinkId, frame: &[u8]) {
        let about = match Envelope::parse(frame, frame.len(), &self.config.limits) {
            Ok(envelope) => About::of(&envelope, &self.config.limits),
            // What cannot be read was not written here.
            Err(_) => About::Nothing,
        };
        self.links.block(link, about);
    }

    /// A member's link that was blocked has room again.
    ///
    /// Each of what is sent now may find no room again, and is owed again then. But the first finds
    /// some, so there is less each time.
    pub(crate) fn handle_writable(&mut self, link: LinkId) {
        let Some((peer, device, owed)) = self.links.unblock(link) else {
            return;
        };
        let answers: Vec<(CommandId, Bytes)> = self
            .sequencer
            .dedup
            .receipts(peer, device)
            .filter(|receipt| owed.answers.contains(&receipt.command_id))
            .map(|receipt| {
                let frame = answer(receipt.command_id, &receipt.outcome);
                (receipt.command_id, frame)
            })
            .collect();
        for (command_id, frame) in answers {
            self.send_frame(link, frame, About::Command(command_id));
        }
        if owed.presence {
            self.send_discovery(link);
        }
        if owed.state {
            let frame = self.sequencer.snapshot();
            self.send_frame(link, frame, About::State);
        }
    }

    /// A member has sent a frame.
    pub(crate) fn handle_frame(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        let Some(session) = self.links.get_mut(link) else {
            return;
        };
        session.liveness.heard(now);
        let limits = self.config.limits;
        match Envelope::parse(frame, limits.max_command_bytes, &limits) {
            Ok(envelope) => self.receive(link, &envelope),
            Err(error) => self.fault(link, error.command_id, error.rejection),
        }
    }

    /// A deadline has come. Harmless when it has not.
    pub(crate) fn handle_timeout(&mut self, now: Moment) {
        while let Some(link) = self.links.first_due(now) {
            let Some(session) = self.links.get_mut(link) else {
                // Links and deadlines are changed together, so there is none without the other.
                return;
            };
            let verdict = session.liveness.judge(&self.config, now);
            let deadline = session.liveness.deadline();
            match verdict {
                Verdict::Alive => {}
                Verdict::Ping => self.send(link, &Message::Ping),
                Verdict::Dead => {
                    self.hang_up(link);
                    continue;
                }
            }
            self.links.schedule(link, deadline);
        }
    }

    /// A link is no more: the member is gone, unless they are here on another one.
    pub(crate) fn forget(&mut self, link: LinkId) {
        if let Some((peer_id, device)) = self.links.remove(link) {
            let gone = PeerInfo {
                peer_id,
                device,
                online: false,
            };
            self.presence_changed(gone, None);
        }
    }

    // Commands.

    /// Applies a command of the owner's own. Its outcome is an [`Event::Command`].
    ///
    /// # Errors
    ///
    /// Only when the command is for another poll or too large; what the poll's rules reject is an
    /// outcome.
    pub(crate) fn submit(
        &mut self,
        command: Command,
        now: Moment,
    ) -> Result<CommandId, SubmitError> {
        let seq = self.sequencer.dedup.next_seq(self.room.owner, self.device);
        let command_id = new_command_id(&mut self.rng, self.unix_millis, now);
        let frame = encode_command(
            &self.config,
            self.room,
            Numbered {
                command_id,
                seq,
                command,
            },
        )?;
        self.command_event(command_id, CommandState::Queued);
        let limits = self.config.limits;
        let sequenced =
            Envelope::parse(&frame, limits.max_command_bytes, &limits).and_then(|envelope| {
                self.sequencer
                    .sequence(&envelope, self.room.owner, self.device, seq, &limits)
            });
        match sequenced {
            Ok(Sequenced::Applied { receipt, frame }) => {
                let revision = self.sequencer.revision;
                self.applied(self.room.owner, self.device, receipt, &frame);
                self.command_event(command_id, CommandState::Applied(revision));
                self.broadcast(frame, None, About::State);
            }
            Ok(Sequenced::Rejected { receipt }) => {
                let state = CommandState::from(receipt.outcome.clone());
                self.rejected(self.room.owner, self.device, receipt);
                self.command_event(command_id, state);
            }
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

    /// Stops hosting: every link is closed. The journal stays.
    pub(crate) fn close(&mut self) {
        for link in std::mem::take(&mut self.links).into_ids() {
            self.outputs.push_back(Output::Hangup { link });
        }
    }

    // What is common to all of it.

    fn applied(&mut self, author: PeerId, device: DeviceId, receipt: Receipt, frame: &Bytes) {
        let revision = self.sequencer.revision;
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
        self.outputs
            .push_back(Output::Persist(Persist { room, record }));
    }

    fn rejected(&mut self, author: PeerId, device: DeviceId, receipt: Receipt) {
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

    fn send(&mut self, link: LinkId, message: &Message) {
        self.send_frame(link, message.encode(), About::Nothing);
    }

    /// Sends, unless the link is blocked: then it is owed what this is about.
    fn send_frame(&mut self, link: LinkId, frame: Bytes, about: About) {
        if let Some(owed) = self.links.get_mut(link).and_then(|it| it.owed.as_mut()) {
            owed.add(about);
        } else {
            self.outputs.push_back(Output::Send { link, frame });
        }
    }

    fn broadcast(&mut self, frame: Bytes, except: Option<LinkId>, about: About) {
        self.links.owe_all(about);
        let links = self.links.recipients();
        if links.iter().any(|link| Some(*link) != except) {
            self.outputs.push_back(Output::Broadcast {
                links,
                except,
                frame,
            });
        }
    }

    fn send_discovery(&mut self, link: LinkId) {
        let frame = Message::Discovery(self.peers()).encode();
        self.send_frame(link, frame, About::Presence);
    }

    fn presence_changed(&mut self, peer: PeerInfo, except: Option<LinkId>) {
        self.event(Event::PeersChanged(vec![peer]));
        let frame = Message::Discovery(vec![peer]).encode();
        self.broadcast(frame, except, About::Presence);
    }

    fn refuse(&mut self, link: LinkId, command_id: Option<CommandId>, rejection: Rejection) {
        let about = command_id.map_or(About::Nothing, About::Command);
        let refusal = Refusal {
            command_id,
            rejection,
        };
        self.send_frame(link, Message::Error(refusal).encode(), about);
    }

    /// Tells the peer and the application what was wrong.
    fn fault(&mut self, link: LinkId, command_id: Option<CommandId>, rejection: Rejection) {
        let peer = self.links.get(link).map(|session| session.peer);
        self.refuse(link, command_id, rejection.clone());
        self.event(Event::Fault {
            link,
            peer,
            rejection,
        });
    }

    fn hang_up(&mut self, link: LinkId) {
        self.outputs.push_back(Output::Hangup { link });
        self.forget(link);
    }
}

/// The `ack` or `error` that tells a command's outcome.
fn answer(command_id: CommandId, outcome: &Outcome) -> Bytes {
    match outcome {
        Outcome::Applied(revision) => Message::Ack(Ack {
            command_id,
            revision: *revision,
        }),
        Outcome::Rejected(rejection) => Message::Error(Refusal {
            command_id: Some(command_id),
            rejection: rejection.clone(),
        }),
    }
    .encode()
}
