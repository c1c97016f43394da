//! The authority and relay of one poll.

mod admission;
mod dedup;
mod links;
mod log;
mod receive;
mod sequencer;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::{
    Ack, Command, CommandId, DeviceId, Envelope, Epoch, ErrorCode, Message, Numbered, Outcome,
    PeerId, PeerInfo, Poll, Receipt, Refusal, Rejection, Revision, RoomId, StoredJournal,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use self::links::{About, Links, Phase};
use self::sequencer::{Sequenced, Sequencer};
use crate::handshake::{busy, too_late};
use crate::liveness::Verdict;
use crate::outgoing::{encode_command, new_command_id};
use crate::{
    ChannelBinding, CommandState, Config, DownReason, Event, LinkId, Moment, Output, Persist,
    Record, RestoreError, Setup, SubmitError, TimeoutReason,
};

/// The authority over one poll and the hub of its star.
///
/// # Use
///
/// - **Inputs** tell it what happened: [`handle_link_up`](Self::handle_link_up),
///   [`handle_frame`](Self::handle_frame), [`handle_blocked`](Self::handle_blocked),
///   [`handle_writable`](Self::handle_writable), [`handle_link_down`](Self::handle_link_down),
///   [`handle_timeout`](Self::handle_timeout).
/// - **Commands** are what this side wants: [`submit`](Self::submit), [`close`](Self::close).
/// - **Pollers** say what to do. After *every* input or command, first
///   [`poll_output`](Self::poll_output) until it is empty, under the write-ahead rule of
///   [`Output`]; then [`poll_timeout`](Self::poll_timeout), which any input may have changed.
/// - **Getters** change nothing.
///
/// No input makes it panic, and none of a peer's ends more than that peer's own link.
#[derive(Debug)]
pub struct Owner {
    key: SigningKey,
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
            key: setup.key,
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
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next, and for what.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
        self.links.next_deadline()
    }

    // Inputs.

    /// Somebody has connected.
    pub fn handle_link_up(&mut self, link: LinkId, binding: ChannelBinding, now: Moment) {
        if self.links.len() >= self.config.max_links {
            self.refuse(link, None, busy());
            self.outputs.push_back(Output::Hangup { link });
            return;
        }
        self.links
            .insert(link, binding, now + self.config.handshake_timeout);
    }

    /// A link has ended.
    pub fn handle_link_down(&mut self, link: LinkId, _reason: DownReason, _now: Moment) {
        self.forget(link);
    }

    /// A link had no room for this frame. It gets nothing more until it
    /// [writable](Self::handle_writable) again, and then what it has missed.
    pub fn handle_blocked(&mut self, link: LinkId, frame: &[u8], _now: Moment) {
        let about = match Envelope::parse(frame, frame.len(), &self.config.limits) {
            Ok(envelope) => About::of(&envelope, &self.config.limits),
            // What cannot be read was not written here.
            Err(_) => About::Nothing,
        };
        self.links.block(link, about);
    }

    /// A link that was blocked has room again.
    ///
    /// Each of what is sent now may find no room again, and is owed again then. But the first finds
    /// some, so there is less each time.
    pub fn handle_writable(&mut self, link: LinkId, _now: Moment) {
        let Some((peer, device, owed)) = self.links.unblock(link) else {
            return;
        };
        let answers: Vec<(CommandId, Bytes)> = self
            .sequencer
            .dedup
            .receipts(peer, device)
            .filter(|receipt| owed.answers.contains(&receipt.command_id))
            .map(|receipt| {
                (
                    receipt.command_id,
                    answer(receipt.command_id, &receipt.outcome),
                )
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

    /// A frame has arrived.
    pub fn handle_frame(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        let limits = self.config.limits;
        let Some(state) = self.links.get_mut(link) else {
            return;
        };
        if let Phase::Member(member) = &mut state.phase {
            member.liveness.heard(now);
        }
        let in_handshake = !matches!(state.phase, Phase::Member(_));
        let envelope = match Envelope::parse(frame, limits.max_command_bytes, &limits) {
            Ok(envelope) => envelope,
            Err(error) if in_handshake => return self.fail_handshake(link, error.rejection),
            Err(error) => return self.fault(link, error.command_id, error.rejection),
        };
        if in_handshake {
            self.handshake(link, &envelope, now);
        } else {
            self.receive(link, &envelope);
        }
    }

    /// A deadline has come. Harmless when it has not.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some(link) = self.links.first_due(now) {
            let Some(member) = self.links.member_mut(link) else {
                self.fail_handshake(link, too_late());
                continue;
            };
            let verdict = member.liveness.judge(&self.config, now);
            let deadline = member.liveness.deadline();
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

    /// Nothing: an owner dials nobody.
    pub fn handle_wake(&mut self, _now: Moment) {}

    // Commands.

    /// Applies a command of the owner's own. Its outcome is an [`Event::Command`].
    ///
    /// # Errors
    ///
    /// Only when the command is for another poll or too large; what the poll's rules refuse is an
    /// outcome.
    pub fn submit(&mut self, command: Command, now: Moment) -> Result<CommandId, SubmitError> {
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
                self.persist_receipt(self.room.owner, self.device, receipt);
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
    pub fn close(&mut self) {
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
        });
        self.persist_receipt(author, device, receipt);
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

    fn persist_receipt(&mut self, author: PeerId, device: DeviceId, receipt: Receipt) {
        self.persist(Record::Receipt {
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
        if let Some(owed) = self.links.member_mut(link).and_then(|it| it.owed.as_mut()) {
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
        let peer = self.links.member(link).map(|member| member.peer);
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

    fn forget(&mut self, link: LinkId) {
        if let Some((peer_id, device)) = self.links.remove(link) {
            self.presence_changed(
                PeerInfo {
                    peer_id,
                    device,
                    online: false,
                },
                None,
            );
        }
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
