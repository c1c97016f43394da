//! A participant's side of a room.

mod connection;
mod handshake;
mod in_flight;
mod receive;
mod replica;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::{
    Command, CommandId, DecodeError, DeviceId, Hello, Message, Numbered, PeerId, PeerInfo, Poll,
    Rejection, Revision, RoomId, Seq, StoredLog, StoredOutbox, batch,
};
use litemap::LiteMap;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use self::in_flight::InFlight;
use self::replica::Replica;
use crate::backoff::Backoff;
use crate::liveness::{Liveness, is_late};
use crate::outgoing::{encode_command, new_command_id};
use crate::timer::TimerTable;
use crate::{
    ChannelBinding, CommandState, Config, Connection, DownReason, Event, LinkId, Moment,
    OfflinePolicy, Output, Persist, Record, RestoreError, Setup, SubmitError, TimeoutReason,
};

/// A participant of one poll: a copy of it, an outbox, and the connection to its owner.
///
/// # Use
///
/// As with [`Host`](crate::Host): inputs tell it what happened, commands are this side's wishes.
/// After every input or command, drain [`poll_output`](Self::poll_output) under the write-ahead
/// rule of [`Output`], and then read [`poll_timeout`](Self::poll_timeout). A new participant dials
/// at once: its first outputs are there before its first input.
///
/// # Polls
///
/// There are two views. [`confirmed`](Self::confirmed) is the poll that the owner has confirmed: it
/// always equals the result of the first updates of the owner's journal, up to some revision.
/// [`view`](Self::view) has this side's own pending commands applied on top, as if no others came
/// between.
#[derive(Debug)]
pub struct Participant {
    key: SigningKey,
    room: RoomId,
    peer: PeerId,
    device: DeviceId,
    config: Config,
    unix_millis: u64,
    rng: ChaCha20Rng,
    replica: Replica,
    in_flight: InFlight,
    peers: LiteMap<(PeerId, DeviceId), PeerInfo>,
    /// The owner's own device, which is the first in a complete list of peers.
    hub: Option<(PeerId, DeviceId)>,
    connection: Connection,
    phase: Phase,
    /// The milliseconds to add to this side's clock to have the owner's.
    clock_offset: Option<i64>,
    dials: u64,
    backoff: Backoff,
    timers: TimerTable,
    /// The optimistic view; `None` after a change, until it is needed.
    view: Option<Arc<Poll>>,
    outputs: VecDeque<Output>,
}

/// The progress of the present link.
#[derive(Debug, Clone)]
enum Phase {
    /// There is no link: waiting, refused or closed.
    Idle,
    Dialling {
        link: LinkId,
    },
    AwaitChallenge {
        link: LinkId,
        hello: Hello,
        binding: ChannelBinding,
    },
    /// The owner has proved who it is; the list of peers, which ends the joining, has not come yet.
    Joining(Session),
    Joined(Session),
}

/// A link on which the owner has proved who it is.
#[derive(Debug, Clone)]
struct Session {
    link: LinkId,
    liveness: Liveness,
    /// True while the link is blocked. Until it is writable nothing is sent.
    blocked: bool,
    /// The open request for updates.
    asked: Option<Ask>,
}

impl Session {
    fn new(link: LinkId, config: &Config, now: Moment) -> Self {
        Self {
            link,
            liveness: Liveness::new(config, now),
            blocked: false,
            asked: None,
        }
    }
}

/// A request of a participant that is behind. The order matters: the later includes the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    /// The updates since its revision.
    Missing,
    /// The whole poll.
    Everything,
}

/// A command without an outcome, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub command_id: CommandId,
    /// Its number on this device.
    pub seq: Seq,
    /// The command itself.
    pub command: Command,
    /// Its state. A machine by itself knows [`CommandState::Persisted`] (as of its own outputs) and
    /// [`CommandState::Sent`]; a driver's handle also says [`CommandState::Queued`].
    pub state: CommandState,
}

impl Participant {
    /// Joins a room, with the data that an earlier participant on this device has stored.
    ///
    /// # Errors
    ///
    /// A [`RestoreError`] that names the damaged record.
    pub fn new(
        setup: Setup,
        room: RoomId,
        outbox: StoredOutbox,
        cache: Option<&StoredLog>,
        now: Moment,
    ) -> Result<Self, RestoreError> {
        let mut participant = Self {
            room,
            peer: PeerId::of(&setup.key),
            replica: Replica::restore(room, PeerId::of(&setup.key), cache),
            in_flight: InFlight::restore(outbox)?,
            key: setup.key,
            device: setup.device,
            config: setup.config,
            unix_millis: setup.unix_millis,
            rng: ChaCha20Rng::from_seed(setup.seed),
            peers: LiteMap::new(),
            hub: None,
            connection: Connection::Connecting,
            phase: Phase::Idle,
            clock_offset: None,
            dials: 0,
            backoff: Backoff::default(),
            timers: TimerTable::default(),
            view: None,
            outputs: VecDeque::new(),
        };
        participant.dial(now);
        Ok(participant)
    }

    // Getters.

    /// The room's id.
    #[must_use]
    pub const fn room_id(&self) -> RoomId {
        self.room
    }

    /// The identity of this participant.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// The connection to the owner.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The poll as the owner has confirmed it; `None` until it has arrived once. While the owner is
    /// away this is the cached copy.
    #[must_use]
    pub fn confirmed(&self) -> Option<&Arc<Poll>> {
        self.replica.poll()
    }

    /// The revision of the confirmed poll.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.replica.known().map(|known| known.revision)
    }

    /// The poll with this side's pending commands applied on top. A command that the poll would
    /// reject in its present state is left out; the owner decides.
    pub fn view(&mut self) -> Option<Arc<Poll>> {
        if self.view.is_none() {
            let mut view = Arc::clone(self.replica.poll()?);
            let pending = self.in_flight.iter().map(|entry| &entry.command);
            for command in self.replica.ahead().into_iter().chain(pending) {
                // A rejected command changes nothing here; the owner decides.
                let _ = Arc::make_mut(&mut view).apply(self.peer, command, &self.config.limits);
            }
            self.view = Some(view);
        }
        self.view.clone()
    }

    /// The milliseconds to add to this side's clock (Unix time, as of its
    /// [`Setup`](crate::Setup::unix_millis)) to have the owner's, by which a poll's
    /// [deadline](hustings_protocol::Poll::closes_at) counts. As it was in the last handshake, and
    /// late by what one message took; `None` before the first.
    #[must_use]
    pub const fn clock_offset(&self) -> Option<i64> {
        self.clock_offset
    }

    /// The commands without an outcome, in their order; an app shows them as "Pending sync".
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        self.in_flight
            .iter()
            .map(|entry| Pending {
                command_id: entry.command_id,
                seq: entry.seq,
                command: entry.command.clone(),
                state: if entry.sent {
                    CommandState::Sent
                } else {
                    CommandState::Persisted
                },
            })
            .collect()
    }

    /// The peers that are connected to the owner, as it has told on the present link.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.peers.values().copied().collect()
    }

    // Pollers.

    /// The next thing to do. The order matters, see [`Output`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The moment when [`handle_timeout`](Self::handle_timeout) is due next, and the reason.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
        self.timers.next()
    }

    // Inputs.

    /// The dialled link is up.
    pub fn handle_link_up(&mut self, link: LinkId, binding: ChannelBinding, now: Moment) {
        // The link of a dial that this side has given up comes too late.
        if !matches!(self.phase, Phase::Dialling { link: dialled } if dialled == link) {
            return self.outputs.push_back(Output::Hangup { link });
        }
        self.greet(link, binding, now);
    }

    /// A link is down, or a dial has failed.
    pub fn handle_link_down(&mut self, link: LinkId, reason: DownReason, now: Moment) {
        // Any other link is an earlier one, which was left already.
        if self.link() == Some(link) {
            self.disconnect(reason, now);
        }
    }

    /// The link is blocked: it had no room for this frame. Nothing more is sent until it is
    /// [writable](Self::handle_writable) again.
    ///
    /// A handshake that finds no room is begun anew: nothing that follows would be understood.
    pub fn handle_blocked(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        if self.link() == Some(link) && frame.starts_with(br#"{"type":"auth:"#) {
            let reason = "there was no room for the handshake";
            return self.hang_up(DownReason::Lost(reason.to_owned()), now);
        }
        if let Some(session) = self.session_mut(link) {
            session.blocked = true;
            if let Some(command_id) = self.in_flight.unsend_frame(frame) {
                self.command_event(command_id, CommandState::Persisted);
            }
        }
    }

    /// A blocked link is writable again.
    pub fn handle_writable(&mut self, link: LinkId, _now: Moment) {
        if let Some(session) = self.session_mut(link) {
            session.blocked = false;
            // The request may be the frame that found no room. To ask twice does no harm.
            let asked = session.asked.take();
            self.send_commands();
            if let Some(ask) = asked {
                self.ask(link, ask);
            }
        }
    }

    /// A frame has arrived: a message, or a [batch] of them, which are taken in their order as if
    /// each had come alone. A batch that cannot be read is one fault.
    pub fn handle_frame(&mut self, link: LinkId, frame: &Bytes, now: Moment) {
        if !batch::is_batch(frame) {
            return self.handle_message(link, frame, now);
        }
        match self.messages(frame) {
            Ok(messages) => {
                for message in messages {
                    // A copy: what is kept of one must not keep the others.
                    let message = Bytes::copy_from_slice(message);
                    self.handle_message(link, &message, now);
                }
            }
            Err(error) if self.link() == Some(link) => {
                self.receive_unreadable(link, frame, error.rejection, now);
            }
            Err(_) => {}
        }
    }

    /// The messages of a [batch], which has at most the bytes of an owner's frame, or of the
    /// largest batch that is made; each is held to the limits by itself.
    ///
    /// # Errors
    ///
    /// See [`batch::messages`].
    pub fn messages<'a>(&self, frame: &'a [u8]) -> Result<Vec<&'a [u8]>, DecodeError> {
        let max_bytes = self.config.limits.max_frame_bytes.max(batch::MAX_BYTES);
        batch::messages(frame, max_bytes)
    }

    fn handle_message(&mut self, link: LinkId, frame: &Bytes, now: Moment) {
        // A frame of an earlier link comes too late.
        if self.link() != Some(link) {
            return;
        }
        let limits = self.config.limits;
        match Message::decode(frame, &limits) {
            Ok(message) => self.receive(link, message, frame, now),
            Err(error) => self.receive_unreadable(link, frame, error.rejection, now),
        }
    }

    /// A deadline has come. Harmless if none has.
    pub fn handle_timeout(&mut self, now: Moment) {
        let is_late = is_late(self.timers.next().map(|(at, _)| at), now);
        for reason in self.timers.due(now) {
            // An earlier one may have stopped it.
            if !self.timers.take(reason, now) {
                continue;
            }
            match reason {
                TimeoutReason::Dial => {
                    self.hang_up(DownReason::DialFailed("no answer in time".into()), now);
                }
                TimeoutReason::Handshake => {
                    let reason = "the owner did not answer the handshake";
                    self.hang_up(DownReason::Lost(reason.into()), now);
                }
                TimeoutReason::Retry => self.dial(now),
                TimeoutReason::Stable => self.backoff.reset(),
                TimeoutReason::Liveness => self.judge_liveness(now),
                // An owner's.
                TimeoutReason::Presence | TimeoutReason::Tally | TimeoutReason::Deadline => {}
            }
        }
        if is_late {
            // As after a sleep.
            self.suspect(now);
        }
    }

    /// The network is back, the page is visible, or the machine has slept: an attempt to connect may
    /// succeed now, and is made if this side waits for its next one. A link may be dead, and is
    /// pinged.
    pub fn handle_wake(&mut self, now: Moment) {
        if matches!(self.connection, Connection::Disconnected { .. }) {
            self.dial(now);
        } else {
            self.suspect(now);
        }
    }

    // Commands.

    /// Sends a command to the owner, with its texts in their [normal
    /// form](hustings_protocol::text::normalised).
    ///
    /// The command is durable once its record, which is among the outputs, has been committed.
    /// [`Event::Command`] tells its further states.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`]; then nothing has been queued.
    pub fn submit(&mut self, command: Command, now: Moment) -> Result<CommandId, SubmitError> {
        let online = matches!(self.phase, Phase::Joined(_));
        if !online && self.config.offline == OfflinePolicy::Refuse {
            return Err(SubmitError::OwnerOffline);
        }
        if self.in_flight.len() >= self.config.max_pending {
            return Err(SubmitError::OutboxFull(self.in_flight.len()));
        }
        let command = command.normalised();
        let seq = self.in_flight.next_seq();
        let command_id = new_command_id(&mut self.rng, self.unix_millis, now);
        let numbered = Numbered {
            command_id,
            seq,
            seen: self.replica.seen(),
            command: command.clone(),
        };
        let frame = encode_command(&self.config, self.room, numbered)?;
        self.command_event(command_id, CommandState::Queued);
        self.in_flight.push(command_id, command, frame.clone());
        self.view = None;
        self.persist(Record::Queued { seq, frame });
        // After the record: under the write-ahead rule it is told only once that is durable.
        self.command_event(command_id, CommandState::Persisted);
        self.send_commands();
        Ok(command_id)
    }

    /// Tries again now, even after a refusal.
    pub fn reconnect(&mut self, now: Moment) {
        if matches!(self.phase, Phase::Idle) {
            self.dial(now);
        }
    }

    /// Leaves the room. Pending commands stay in the outbox.
    pub fn close(&mut self) {
        if let Some(link) = self.link() {
            self.outputs.push_back(Output::Hangup { link });
        }
        self.leave_link();
        self.set_connection(Connection::Closed);
    }

    // Commands on their way.

    fn settle(&mut self, command_id: CommandId, state: CommandState) -> Option<in_flight::Entry> {
        let is_applied = matches!(state, CommandState::Applied(_));
        let (entry, renumbered) = self.in_flight.settle(command_id, is_applied)?;
        self.view = None;
        let applied = is_applied.then(|| entry.frame.clone());
        let seq = entry.seq;
        self.persist(Record::Settled { seq, applied });
        self.persist_all(renumbered);
        self.command_event(command_id, state);
        // The window has moved, and may have room for the next.
        self.send_commands();
        Some(entry)
    }

    /// Sends the commands that may be sent now.
    fn send_commands(&mut self) {
        let (Phase::Joining(session) | Phase::Joined(session)) = &self.phase else {
            return;
        };
        if session.blocked {
            return;
        }
        let link = session.link;
        while let Some((command_id, frame)) = self.in_flight.take_next() {
            self.outputs.push_back(Output::Send { link, frame });
            self.command_event(command_id, CommandState::Sent);
        }
    }

    fn unsend(&mut self) {
        for command_id in self.in_flight.unsend() {
            self.command_event(command_id, CommandState::Persisted);
        }
    }

    // Outputs.

    fn send(&mut self, link: LinkId, message: &Message) {
        let frame = message.encode();
        self.outputs.push_back(Output::Send { link, frame });
    }

    fn persist(&mut self, record: Record) {
        let room = self.room;
        let persist = Box::new(Persist { room, record });
        self.outputs.push_back(Output::Persist(persist));
    }

    fn persist_all(&mut self, records: Vec<Record>) {
        for record in records {
            self.persist(record);
        }
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

    fn fault(&mut self, link: LinkId, rejection: Rejection) {
        let is_the_owner = matches!(self.phase, Phase::Joining(_) | Phase::Joined(_));
        self.event(Event::Fault {
            link,
            peer: is_the_owner.then_some(self.room.owner),
            rejection,
        });
    }
}
