//! Whoever runs the signalling server attacks, and the handshake catches it.
//!
//! Each participant here has a vote in the outbox from the start, which must reach nobody but the
//! owner, and must reach the owner once the attack is over.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{AbortHandle, Abortable};
use futures::{FutureExt, StreamExt};
use hustings_outbox::{Identity, MemoryStore};
use hustings_protocol::handshake::{self, Nonce, Transcript, VERSION};
use hustings_protocol::{
    Address, ErrorCode, Hello, Limits, Message, Outcome, Proof, RoomId, Seq, batch,
};
use hustings_room::clock::SystemClock;
use hustings_room::driver::{Hosting, Room, Submitted};
use hustings_room::transport::{Transport, TransportEvent};
use hustings_room::{Config, Connection, DownReason, LinkId, OfflinePolicy};
use hustings_transport_peerjs::{Config as PeerJsConfig, PeerJs, Token};
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::js;
use crate::people::{
    MINUTE, address, enter, host, identity, poll, tea, tea_or_coffee, transport, votes,
};
use crate::side::{Side, config, participant, random, registered, token, within};
use crate::wiretap::{Heard, Wiretap};

/// One attack on those who come to the signalling server by its path.
struct Attack {
    path: String,
}

impl Attack {
    /// The peer that they know as `seen` is `real`.
    fn impostor(seen: Address, real: Address) -> Self {
        let path = format!("/impostor/{seen}/{real}/");
        Self { path }
    }

    /// Descriptions name certificates that nobody has.
    fn certificate(victim: Address) -> Self {
        let path = format!("/certificate/{victim}/nobody/");
        Self { path }
    }

    fn port() -> u16 {
        const PORT: Option<&str> = option_env!("HUSTINGS_ATTACKER");
        let port = PORT.expect("build the tests with HUSTINGS_ATTACKER=<port>");
        port.parse().expect("HUSTINGS_ATTACKER is a port")
    }

    /// The way of those who are attacked.
    fn config(&self) -> PeerJsConfig {
        PeerJsConfig {
            port: Self::port(),
            path: self.path.clone(),
            ..config()
        }
    }

    fn transport(&self, address: Address) -> PeerJs {
        PeerJs::open(&self.config(), &address, &token(), SystemClock::new()).unwrap()
    }

    async fn end(&self) {
        let end = format!("http://127.0.0.1:{}{}end", Self::port(), self.path);
        let ok = js(&end, "return (await fetch(arg, { method: 'POST' })).ok").await;
        assert!(ok.is_truthy(), "the attacker does not know {end}");
    }
}

/// Somebody who comes by the way of an attack, and whose vote waits in the outbox from the start.
struct Voter {
    room: Room,
    vote: Submitted,
}

impl Voter {
    async fn of(poll: &Room, identity: &Identity, attack: &Attack) -> Self {
        let queueing = Config {
            offline: OfflinePolicy::Queue,
            ..Config::default()
        };
        let transport = attack.transport(address(identity));
        let room = enter(identity, queueing, poll.id(), transport).await;
        let vote = room.submit(tea(poll)).await.unwrap();
        Self { room, vote }
    }

    /// Resolves once the connection is one that is looked for, with what was found there.
    async fn reaches<R>(&self, what: &str, looked_for: impl Fn(Connection) -> Option<R>) -> R {
        within(MINUTE, what, async {
            let mut events = self.room.events();
            loop {
                if let Some(found) = looked_for(self.room.connection()) {
                    return found;
                }
                events.next().await.unwrap();
            }
        })
        .await
    }

    async fn is_refused(&self) {
        let why = self.reaches("somebody else", |connection| match connection {
            Connection::Disconnected {
                reason: why @ DownReason::NotTheOwner,
                ..
            } => Some(why),
            Connection::Connected => panic!("the impostor was believed"),
            Connection::Refused(why) => panic!("it is no reason to give up: {why}"),
            Connection::Connecting | Connection::Disconnected { .. } | Connection::Closed => None,
        });
        let why = why.await;
        assert_eq!(
            why.to_string(),
            "whoever answers at the owner's address could not prove to be the owner; \
             nothing was sent to them"
        );
        assert_eq!(self.room.pending().len(), 1, "the vote is kept");
    }

    /// The owner is there again, and has counted the vote once.
    async fn ends_counted(self, poll: &Room) {
        assert_eq!(votes(poll), 0);
        let outcome = within(MINUTE, "the outcome", self.vote.outcome()).await;
        assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
        assert_eq!(self.room.pending().len(), 0);
        assert_eq!((votes(poll), poll.revision().unwrap().get()), (1, 1));
        self.room.close().await;
    }
}

/// One end of a man in the middle.
struct Leg {
    side: Side,
    link: Option<LinkId>,
    is_up: bool,
    /// Frames that came before there was a link to pass them on.
    unsent: Vec<Bytes>,
    heard: Heard,
}

impl Leg {
    fn open(address: Address) -> Self {
        Self {
            side: Side::open(address),
            link: None,
            is_up: false,
            unsent: Vec::new(),
            heard: Heard::default(),
        }
    }

    fn dial(&mut self, link: LinkId, target: &Address) {
        self.link = Some(link);
        self.side.transport.dial(link, target);
    }

    fn come_up(&mut self, link: LinkId) {
        (self.link, self.is_up) = (Some(link), true);
        for frame in std::mem::take(&mut self.unsent) {
            self.pass_on(frame);
        }
    }

    fn pass_on(&mut self, frame: Bytes) {
        match self.link {
            // One that has just ended takes nothing any more.
            Some(link) if self.is_up => drop(self.side.transport.send(link, frame)),
            Some(_) | None => self.unsent.push(frame),
        }
    }

    fn hang_up(&mut self) {
        if let Some(link) = self.link.take() {
            self.side.transport.hangup(link);
        }
        self.is_up = false;
        self.unsent.clear();
    }
}

/// Dials `target` by the second leg for whoever dials the first, and passes on what either says.
async fn stand_between(mut legs: [Leg; 2], target: Address) {
    let mut dials = 0;
    loop {
        let (from, event) = poll_fn(|cx| {
            for (n, leg) in legs.iter_mut().enumerate() {
                if let Poll::Ready(event) = leg.side.transport.poll_event(cx) {
                    return Poll::Ready((n, event));
                }
            }
            Poll::Pending
        })
        .await;
        match event {
            TransportEvent::LinkUp { link, .. } => {
                legs[from].come_up(link);
                if link.is_accepted() {
                    dials += 1;
                    legs[1].dial(LinkId::dialled(dials), &target);
                }
            }
            TransportEvent::Frame { frame, .. } => {
                legs[from].heard.push(&frame);
                legs[1 - from].pass_on(frame);
            }
            TransportEvent::LinkDown { .. } => legs.iter_mut().for_each(Leg::hang_up),
            TransportEvent::Writable { .. } | TransportEvent::Wake => {}
            TransportEvent::Failed(error) => panic!("{error}"),
        }
    }
}

/// A man in the middle between one participant and the owner: each of them takes him for the other.
struct Middle {
    /// The frames of the participant, and those that the owner has sent him.
    participant: Heard,
    owner: Heard,
    on_participant: Attack,
    on_owner: Attack,
    handle: AbortHandle,
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Middle {
    async fn between(voter: Address, owner: Address) -> Self {
        let legs = [Leg::open(crate::side::owner()), Leg::open(participant())];
        for leg in &legs {
            registered(&leg.side).await;
        }
        let [front, back] = &legs;
        let on_participant = Attack::impostor(owner, front.side.address);
        let on_owner = Attack::impostor(voter, back.side.address);
        let (participant, told_by_owner) = (front.heard.clone(), back.heard.clone());
        let (handle, registration) = AbortHandle::new_pair();
        let work = Abortable::new(stand_between(legs, owner), registration);
        spawn_local(work.map(|_| ()));
        Self {
            participant,
            owner: told_by_owner,
            on_participant,
            on_owner,
            handle,
        }
    }

    async fn gives_up(&self) {
        self.on_participant.end().await;
        self.on_owner.end().await;
    }
}

/// A poll whose owner comes by the way of this attack.
async fn attacked_poll(owner: &Identity, attack: &Attack) -> (Hosting<MemoryStore>, Room) {
    let transport = attack.transport(Address::Owner(owner.peer_id()));
    host(owner, transport, Config::default(), tea_or_coffee()).await
}

#[wasm_bindgen_test]
async fn whoever_has_the_owners_id_and_another_key_is_told_nothing() {
    let (hosting, poll) = poll().await;
    // Somebody who does all that an owner does, with a key of their own.
    let thief = identity();
    let wiretap = Wiretap::new(transport(Address::Owner(thief.peer_id())));
    let heard = wiretap.heard();
    let impatient = Config {
        opening_grace: Duration::ZERO,
        ..Config::default()
    };
    let (theirs, _) = host(&thief, wiretap, impatient, tea_or_coffee()).await;
    let owner = Address::Owner(poll.id().owner);
    let attack = Attack::impostor(owner, Address::Owner(thief.peer_id()));

    let voter = Voter::of(&poll, &identity(), &attack).await;
    voter.is_refused().await;
    assert_eq!(heard.types(), ["auth:hello"]);

    attack.end().await;
    voter.room.reconnect().await.unwrap();
    voter.ends_counted(&poll).await;
    assert_eq!(heard.types(), ["auth:hello"], "and nothing later");
    theirs.close().await;
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn a_man_in_the_middle_is_told_nothing() {
    let (owner, voter) = (identity(), identity());
    let middle = Middle::between(address(&voter), Address::Owner(owner.peer_id())).await;
    let (hosting, poll) = attacked_poll(&owner, &middle.on_owner).await;

    let voter = Voter::of(&poll, &voter, &middle.on_participant).await;
    voter.is_refused().await;
    assert_eq!(middle.participant.types(), ["auth:hello"]);
    assert_eq!(
        middle.owner.types(),
        ["auth:challenge"],
        "the real owner's, passed on"
    );

    middle.gives_up().await;
    voter.room.reconnect().await.unwrap();
    voter.ends_counted(&poll).await;
    assert_eq!(
        middle.participant.types(),
        ["auth:hello"],
        "and nothing later"
    );
    hosting.close().await;
}

#[wasm_bindgen_test]
async fn a_proof_that_was_passed_on_proves_nothing_to_the_owner() {
    let (owner, careless) = (identity(), identity());
    let middle = Middle::between(address(&careless), Address::Owner(owner.peer_id())).await;
    let (hosting, poll) = attacked_poll(&owner, &middle.on_owner).await;

    let answer = proves_without_looking(&poll, &careless, &middle.on_participant).await;
    let Message::Error(refusal) = answer else {
        panic!("{answer:?} in place of a refusal");
    };
    assert_eq!(refusal.rejection.code, ErrorCode::BadSignature);
    assert_eq!(middle.participant.types(), ["auth:hello", "auth:proof"]);
    assert_eq!(middle.owner.types(), ["auth:challenge", "error"]);

    // It is the middle that is at fault.
    middle.gives_up().await;
    let answer = proves_without_looking(&poll, &careless, &middle.on_participant).await;
    assert!(matches!(answer, Message::PollState(_)), "{answer:?}");
    hosting.close().await;
}

/// Somebody who signs whatever they are asked to. Returns what they are told then.
async fn proves_without_looking(poll: &Room, identity: &Identity, attack: &Attack) -> Message {
    let RoomId { owner, poll_id } = poll.id();
    let token = Token::new(identity.token()).unwrap();
    let mut side = Side::open_with(address(identity), &attack.config(), &token);
    let link = LinkId::dialled(1);
    side.transport.dial(link, &Address::Owner(owner));
    let (_, binding) = side.up().await;
    let hello = Hello {
        v: VERSION,
        poll_id,
        peer_id: identity.peer_id(),
        device: identity.device(),
        nonce: Nonce::from_bytes(random()),
        epoch: None,
        revision: None,
        history: None,
        oldest_seq: Seq::FIRST,
    };
    side.send(link, Message::Hello(hello).encode());
    // The first of several that come together.
    let decode = |frame: Bytes| {
        let first = match batch::is_batch(&frame) {
            true => batch::messages(&frame, batch::MAX_BYTES).unwrap()[0],
            false => &frame[..],
        };
        Message::decode(first, &Limits::default()).unwrap()
    };
    let answer = decode(side.frame().await);
    let Message::Challenge(challenge) = answer else {
        panic!("{answer:?} in place of a challenge");
    };
    let transcript = Transcript {
        owner,
        participant: identity.peer_id(),
        poll_id,
        device: identity.device(),
        participant_nonce: hello.nonce,
        owner_nonce: challenge.nonce,
        owner_binding: &binding.remote,
        participant_binding: &binding.local,
    };
    let signature = transcript.sign(handshake::Side::Participant, identity.signing_key());
    side.send(link, Message::Proof(Proof { signature }).encode());
    decode(side.frame().await)
}

#[wasm_bindgen_test]
async fn a_certificate_that_nobody_has_opens_no_channel() {
    let owner = identity();
    let wiretap = Wiretap::new(transport(Address::Owner(owner.peer_id())));
    let heard = wiretap.heard();
    let (hosting, poll) = host(&owner, wiretap, Config::default(), tea_or_coffee()).await;
    let voter = identity();
    let attack = Attack::certificate(address(&voter));

    let voter = Voter::of(&poll, &voter, &attack).await;
    let reason = voter.reaches("giving up", |connection| match connection {
        Connection::Disconnected { reason, .. } => Some(reason),
        Connection::Connecting => None,
        Connection::Connected | Connection::Refused(_) | Connection::Closed => {
            panic!("{connection:?}")
        }
    });
    let reason = within(MINUTE, "giving up", reason).await;
    assert!(matches!(reason, DownReason::DialFailed(_)), "{reason}");
    assert_eq!(voter.room.pending().len(), 1, "the vote is kept");
    assert_eq!(heard.types().len(), 0);

    // It has gone on trying.
    attack.end().await;
    voter.ends_counted(&poll).await;
    hosting.close().await;
}
