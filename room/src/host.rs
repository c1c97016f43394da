//! Several polls of one owner behind one address.

use std::collections::VecDeque;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use hustings_protocol::handshake::VERSION;
use hustings_protocol::{
    Command, CommandId, Envelope, ErrorCode, Hello, Message, PollId, Refusal, Rejection,
};
use litemap::LiteMap;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::handshake::{busy, challenge, new_nonce, too_late, unknown_poll};
use crate::{
    ChannelBinding, Config, DownReason, Event, LinkId, Moment, Output, Owner, Setup, SubmitError,
    TimeoutReason,
};

/// The polls that one identity hosts, behind one address.
///
/// A link belongs to no poll until its first frame has named one. `Host` waits for that frame, hands
/// the link to the [`Owner`] it asks for, and from then on only passes things on. It has the verbs of
/// `Owner`, and is used in the same way.
#[derive(Debug)]
pub struct Host {
    key: SigningKey,
    config: Config,
    rng: ChaCha20Rng,
    owners: LiteMap<PollId, Owner>,
    /// Until when an unknown poll may be one that has not been opened yet.
    opening_until: Moment,
    waiting: LiteMap<LinkId, Waiting>,
    routes: LiteMap<LinkId, PollId>,
    outputs: VecDeque<Output>,
}

/// A link that belongs to no poll.
#[derive(Debug)]
struct Waiting {
    binding: ChannelBinding,
    deadline: Moment,
    /// What it said, if the poll that it named is not hosted yet.
    hello: Option<(Hello, Bytes)>,
}

impl Host {
    /// A host without polls, which has [`Config::opening_grace`] to open them.
    #[must_use]
    pub fn new(setup: &Setup, now: Moment) -> Self {
        Self {
            key: setup.key.clone(),
            config: setup.config.clone(),
            rng: ChaCha20Rng::from_seed(setup.seed),
            owners: LiteMap::new(),
            opening_until: now + setup.config.opening_grace,
            waiting: LiteMap::new(),
            routes: LiteMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// 32 bytes that no poll of this host has drawn, as the seed of one more.
    pub fn new_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    /// Begins to host a poll, and lets those in who are waiting for it. One that was hosted under
    /// the same id is closed.
    pub fn open(&mut self, owner: Owner, now: Moment) {
        let poll_id = owner.room_id().poll_id;
        self.close_poll(poll_id);
        self.owners.insert(poll_id, owner);
        self.drain(poll_id);
        let is_for_it = |waiting: &Waiting| {
            waiting
                .hello
                .as_ref()
                .is_some_and(|(hello, _)| hello.poll_id == poll_id)
        };
        let links: Vec<LinkId> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| is_for_it(waiting))
            .map(|(link, _)| *link)
            .collect();
        for link in links {
            if let Some(Waiting {
                binding,
                hello: Some((_, frame)),
                ..
            }) = self.waiting.remove(&link)
            {
                self.admit(link, poll_id, binding, &frame, now);
            }
        }
    }

    /// Stops hosting a poll: its links are closed. Its journal stays.
    pub fn close_poll(&mut self, poll_id: PollId) {
        if let Some(owner) = self.owners.get_mut(&poll_id) {
            owner.close();
            self.drain(poll_id);
            self.owners.remove(&poll_id);
        }
    }

    /// One of the hosted polls.
    #[must_use]
    pub fn owner(&self, poll_id: PollId) -> Option<&Owner> {
        self.owners.get(&poll_id)
    }

    /// The hosted polls, in the order of their ids.
    pub fn polls(&self) -> impl Iterator<Item = PollId> {
        self.owners.keys().copied()
    }

    /// The next thing to do, in order; see [`Output`] for what may not overtake what.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next, and for what.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, TimeoutReason)> {
        let waiting = self
            .waiting
            .values()
            .map(|waiting| (waiting.deadline, TimeoutReason::Handshake));
        let owners = self.owners.values().filter_map(Owner::poll_timeout);
        waiting.chain(owners).min()
    }

    /// Somebody has connected.
    pub fn handle_link_up(&mut self, link: LinkId, binding: ChannelBinding, now: Moment) {
        if self.waiting.len() + self.routes.len() >= self.config.max_links {
            return self.turn_away(link, busy());
        }
        let deadline = now + self.config.handshake_timeout;
        let waiting = Waiting {
            binding,
            deadline,
            hello: None,
        };
        self.waiting.insert(link, waiting);
    }

    /// A link has ended.
    pub fn handle_link_down(&mut self, link: LinkId, reason: DownReason, now: Moment) {
        self.waiting.remove(&link);
        if let Some(poll_id) = self.routes.remove(&link) {
            self.with(poll_id, |owner| owner.handle_link_down(link, reason, now));
        }
    }

    /// A link had no room for this frame.
    pub fn handle_blocked(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        if let Some(poll_id) = self.routes.get(&link) {
            self.with(*poll_id, |owner| owner.handle_blocked(link, frame, now));
        }
    }

    /// A blocked link has room again.
    pub fn handle_writable(&mut self, link: LinkId, now: Moment) {
        if let Some(poll_id) = self.routes.get(&link) {
            self.with(*poll_id, |owner| owner.handle_writable(link, now));
        }
    }

    /// A frame has arrived.
    pub fn handle_frame(&mut self, link: LinkId, frame: &[u8], now: Moment) {
        if let Some(poll_id) = self.routes.get(&link) {
            return self.with(*poll_id, |owner| owner.handle_frame(link, frame, now));
        }
        let Some(Waiting { binding, hello, .. }) = self.waiting.remove(&link) else {
            return;
        };
        if hello.is_some() {
            let message = "after auth:hello a participant waits for auth:challenge";
            return self.turn_away(link, Rejection::new(ErrorCode::HandshakeFailed, message));
        }
        let hello = match self.read_hello(frame) {
            Ok(hello) => hello,
            Err(rejection) => return self.turn_away(link, rejection),
        };
        if self.owners.contains_key(&hello.poll_id) {
            self.admit(link, hello.poll_id, binding, frame, now);
        } else if hello.v == VERSION && now < self.opening_until {
            let waiting = Waiting {
                binding,
                deadline: self.opening_until,
                hello: Some((hello, Bytes::copy_from_slice(frame))),
            };
            self.waiting.insert(link, waiting);
        } else {
            self.refuse_unknown(link, &hello, &binding);
        }
    }

    /// A deadline has come. Harmless when it has not.
    pub fn handle_timeout(&mut self, now: Moment) {
        let late: Vec<LinkId> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.deadline <= now)
            .map(|(link, _)| *link)
            .collect();
        for link in late {
            match self.waiting.remove(&link) {
                Some(Waiting {
                    binding,
                    hello: Some((hello, _)),
                    ..
                }) => {
                    self.refuse_unknown(link, &hello, &binding);
                }
                Some(Waiting { hello: None, .. }) | None => {
                    self.turn_away(link, too_late());
                }
            }
        }
        let polls: Vec<PollId> = self.owners.keys().copied().collect();
        for poll_id in polls {
            self.with(poll_id, |owner| owner.handle_timeout(now));
        }
    }

    /// Applies a command of the owner's own; see [`Owner::submit`].
    ///
    /// # Errors
    ///
    /// See [`Owner::submit`]; also when no such poll is hosted here.
    pub fn submit(
        &mut self,
        poll_id: PollId,
        command: Command,
        now: Moment,
    ) -> Result<CommandId, SubmitError> {
        let owner = self
            .owners
            .get_mut(&poll_id)
            .ok_or(SubmitError::WrongPoll(poll_id))?;
        let submitted = owner.submit(command, now);
        self.drain(poll_id);
        submitted
    }

    /// Nothing: an owner dials nobody.
    pub fn handle_wake(&mut self, _now: Moment) {}

    /// Stops hosting: every link is closed.
    pub fn close(&mut self) {
        for (link, _) in std::mem::take(&mut self.waiting) {
            self.outputs.push_back(Output::Hangup { link });
        }
        let polls: Vec<PollId> = self.owners.keys().copied().collect();
        for poll_id in polls {
            self.with(poll_id, Owner::close);
        }
    }

    fn read_hello(&self, frame: &[u8]) -> Result<Hello, Rejection> {
        let limits = &self.config.limits;
        let message = Envelope::parse(frame, limits.max_command_bytes, limits)
            .and_then(|envelope| Message::from_envelope(&envelope, limits))
            .map_err(|error| error.rejection)?;
        if let Message::Hello(hello) = message {
            return Ok(hello);
        }
        Err(Rejection::new(
            ErrorCode::HandshakeFailed,
            "a link begins with auth:hello",
        ))
    }

    /// Hands a link to the owner that it asks for.
    fn admit(
        &mut self,
        link: LinkId,
        poll_id: PollId,
        binding: ChannelBinding,
        hello: &[u8],
        now: Moment,
    ) {
        self.routes.insert(link, poll_id);
        self.with(poll_id, |owner| {
            owner.handle_link_up(link, binding, now);
            owner.handle_frame(link, hello, now);
        });
    }

    /// Proves who this is, so that the refusal is believed, and refuses.
    fn refuse_unknown(&mut self, link: LinkId, hello: &Hello, binding: &ChannelBinding) {
        let nonce = new_nonce(&mut self.rng);
        match challenge(&self.key, hello, nonce, binding) {
            Ok(challenge) => {
                let frame = challenge.encode();
                self.outputs.push_back(Output::Send { link, frame });
                self.turn_away(link, unknown_poll(hello.poll_id));
            }
            Err(rejection) => self.turn_away(link, rejection),
        }
    }

    fn turn_away(&mut self, link: LinkId, rejection: Rejection) {
        let refusal = Refusal {
            command_id: None,
            rejection: rejection.clone(),
        };
        let frame = Message::Error(refusal).encode();
        self.outputs.extend([
            Output::Send { link, frame },
            Output::Event {
                poll_id: None,
                event: Event::Fault {
                    link,
                    peer: None,
                    rejection,
                },
            },
            Output::Hangup { link },
        ]);
    }

    fn with(&mut self, poll_id: PollId, tell: impl FnOnce(&mut Owner)) {
        if let Some(owner) = self.owners.get_mut(&poll_id) {
            tell(owner);
            self.drain(poll_id);
        }
    }

    /// Takes over what an owner wants done, and forgets the links that it closes.
    fn drain(&mut self, poll_id: PollId) {
        let Some(owner) = self.owners.get_mut(&poll_id) else {
            return;
        };
        while let Some(output) = owner.poll_output() {
            if let Output::Hangup { link } = &output {
                self.routes.remove(link);
            }
            self.outputs.push_back(output);
        }
    }
}
