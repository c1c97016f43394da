//! Links that have no room for more: what their other ends are owed, and get once there is some.

#![cfg(not(target_family = "wasm"))]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use bytes::Bytes;
use common::bench::{Bench, copy};
use common::people::{
    ALICE, BOB, CAROL, Person, call_me, command_id, hello, numbered, option, revision, room, vote,
};
use common::world::{World, vote_in};
use hustings_protocol::{
    CommandId, ErrorCode, Hello, Kind, Message, PeerId, PollState, Revision, SyncRequest,
};
use hustings_room::{DownReason, Host, LinkId, Participant};

fn alice_bob_and_carol() -> (Bench<Host>, LinkId, LinkId) {
    let mut alice = Bench::hosting();
    let (bob, carol) = (alice.admits(BOB), alice.admits(CAROL));
    (alice, bob, carol)
}

/// The link has no room for this frame.
fn has_none_for(alice: &mut Bench<Host>, link: LinkId, frame: &Bytes) {
    alice.tell(|host, now| host.handle_blocked(link, frame, now));
}

/// The link has no room, for something that nobody misses.
fn blocks(alice: &mut Bench<Host>, link: LinkId) {
    let pong = alice.hears(link, Message::Ping.encode()).frames(link);
    has_none_for(alice, link, &pong[0]);
    assert!(!alice.is_served(link));
}

/// There is room again. Returns what it gets.
fn has_room(alice: &mut Bench<Host>, link: LinkId) -> Vec<Owed> {
    let (_, said) = alice.tell(|host, now| host.handle_writable(link, now));
    assert!(!said.hangs_up(link));
    said.to(link).into_iter().map(Owed::from).collect()
}

/// A thing that a link gets late, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum Owed {
    /// The poll, at this revision.
    Poll(Revision),
    /// The outcome of a command.
    Applied(CommandId),
    Rejected(CommandId, ErrorCode),
    /// Everybody who is here, in their order.
    Here(Vec<PeerId>),
    Other,
}

impl From<Message> for Owed {
    fn from(message: Message) -> Self {
        match message {
            Message::PollState(PollState { revision, .. }) => Self::Poll(revision),
            Message::Ack(ack) => Self::Applied(ack.command_id),
            Message::Error(refusal) => refusal.command_id.map_or(Self::Other, |command_id| {
                Self::Rejected(command_id, refusal.rejection.code)
            }),
            Message::Discovery(peers) => {
                assert!(peers.iter().all(|peer| peer.online));
                Self::Here(peers.iter().map(|peer| peer.peer_id).collect())
            }
            _ => Self::Other,
        }
    }
}

/// Everybody in the order of a complete list: the owner first.
fn here(people: &[Person]) -> Owed {
    let mut others: Vec<_> = people.iter().map(|it| it.peer()).collect();
    others.sort();
    Owed::Here([vec![ALICE.peer()], others].concat())
}

fn for_nothing() -> hustings_protocol::Command {
    vote(room().poll_id, option(404))
}

#[test]
fn who_missed_nothing_is_owed_nothing() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    blocks(&mut alice, bob);
    assert_eq!(has_room(&mut alice, bob), []);
    assert!(alice.is_served(bob) && alice.is_served(carol));
    assert_eq!(has_room(&mut alice, bob), [], "it is not blocked");
}

#[test]
fn the_owners_own_commands_are_owed_like_any() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    blocks(&mut alice, bob);
    let poll_id = room().poll_id;
    let (done, said) = alice.tell(|host, now| host.submit(poll_id, call_me("Alice"), now));
    assert!(done.is_ok());
    assert_eq!((said.frames(bob).len(), said.frames(carol).len()), (0, 1));
    assert_eq!(has_room(&mut alice, bob), [Owed::Poll(revision(1))]);
    // And from then on it hears of each as it comes.
    let (_, said) = alice.tell(|host, now| host.submit(poll_id, call_me("Alice A."), now));
    assert_eq!(said.frames(bob).len(), 1);
    assert_eq!(has_room(&mut alice, bob), []);
}

#[test]
fn what_found_no_room_is_owed_itself() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    let relayed = alice
        .hears(carol, numbered(1, call_me("Carol")))
        .frames(bob);
    has_none_for(&mut alice, bob, &relayed[0]);
    assert_eq!(has_room(&mut alice, bob), [Owed::Poll(revision(1))]);

    let answer = alice.hears(bob, numbered(1, for_nothing())).frames(bob);
    has_none_for(&mut alice, bob, &answer[0]);
    let rejected = Owed::Rejected(command_id(1), ErrorCode::UnknownOption);
    assert_eq!(has_room(&mut alice, bob), [rejected]);

    let dave = alice.admits(Person(4));
    let gone = alice.loses(dave, DownReason::ClosedByPeer).frames(bob);
    has_none_for(&mut alice, bob, &gone[0]);
    assert_eq!(has_room(&mut alice, bob), [here(&[BOB, CAROL])]);
}

#[test]
fn who_came_and_went_meanwhile_is_one_list() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    blocks(&mut alice, bob);
    let dave = Person(4);
    alice.admits(dave);
    alice.loses(carol, DownReason::ClosedByPeer);
    assert_eq!(has_room(&mut alice, bob), [here(&[BOB, dave])]);
}

#[test]
fn every_answer_is_owed_once() {
    let (mut alice, bob, _) = alice_bob_and_carol();
    alice.hears(bob, numbered(1, call_me("Bob")));
    blocks(&mut alice, bob);
    alice.hears(bob, numbered(2, for_nothing()));
    let rejected = |number| Owed::Rejected(command_id(number), ErrorCode::UnknownOption);
    assert_eq!(has_room(&mut alice, bob), [rejected(2)]);
    // One that was answered before, one that the rules reject, and both once more.
    blocks(&mut alice, bob);
    for _ in 0..2 {
        alice.hears(bob, numbered(1, call_me("Bob")));
        alice.hears(bob, numbered(3, for_nothing()));
    }
    let owed = has_room(&mut alice, bob);
    assert_eq!(owed, [Owed::Applied(command_id(1)), rejected(3)]);
}

#[test]
fn who_asks_for_the_poll_gets_it_when_there_is_room() {
    let (mut alice, bob, _) = alice_bob_and_carol();
    blocks(&mut alice, bob);
    let asks = SyncRequest {
        poll_id: room().poll_id,
        known: None,
    };
    let said = alice.hears(bob, Message::SyncRequest(asks).encode());
    assert_eq!(said.frames(bob).len(), 0);
    assert_eq!(has_room(&mut alice, bob), [Owed::Poll(Revision::ZERO)]);
}

/// The journal is an old copy, as somebody shows who has seen more: a new epoch begins, and
/// everybody has to have it.
#[test]
fn a_new_epoch_is_owed_like_any_update() {
    let mut alice = Bench::hosting();
    let old = copy(&alice.disk);
    let bob = alice.admits(BOB);
    let told = alice.hears(bob, numbered(1, call_me("Bob"))).frames(bob);
    let Message::Ack(ack) = common::people::decode(&told[0]) else {
        panic!("{told:?}");
    };
    let epoch = alice.owner().epoch();

    alice.disk = old;
    alice.restarts();
    let carol = alice.admits(CAROL);
    blocks(&mut alice, carol);
    let (bob, said) = alice.admits_with(
        BOB,
        Hello {
            epoch: Some(epoch),
            revision: Some(ack.revision),
            history: ack.history,
            ..hello(BOB, room())
        },
    );
    assert_ne!(alice.owner().epoch(), epoch);
    assert_eq!(said.frames(carol).len(), 0);
    assert!(
        said.to(bob)
            .iter()
            .any(|it| matches!(it, Message::PollState(_)))
    );
    let owed = has_room(&mut alice, carol);
    assert_eq!(owed, [Owed::Poll(Revision::ZERO), here(&[BOB, CAROL])]);
    // And it is stored: the next start is in it, too.
    let renewed = alice.owner().epoch();
    alice.restarts();
    assert_eq!(alice.owner().epoch(), renewed);
}

#[test]
fn a_link_that_is_down_is_owed_nothing_and_in_nobodys_way() {
    let (mut alice, bob, carol) = alice_bob_and_carol();
    blocks(&mut alice, bob);
    alice.loses(bob, DownReason::ClosedByPeer);
    assert_eq!(
        alice
            .hears(carol, numbered(1, call_me("Carol")))
            .frames(bob)
            .len(),
        0
    );
    let (_, said) = alice.tell(|host, now| host.handle_writable(bob, now));
    assert_eq!(said.0, []);
    let bob = alice.admits(BOB);
    let said = alice.hears(carol, numbered(2, call_me("Carol C.")));
    assert_eq!(said.frames(bob).len(), 1);
}

/// While somebody has no room, the others get each update as before, and its author none.
#[test]
fn one_full_link_is_in_nobodys_way() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let bob = world.join(BOB, room);
    let carol = world.join(CAROL, room).room;
    let dave = world.join(Person(4), room).room;
    let blocked = world.net.links(&BOB.as_participant())[0];
    world.net.stall(&BOB.as_participant(), blocked);
    world.net.set_queue_limit(0);
    let carols = world
        .net
        .links_to(&ALICE.as_owner(), &CAROL.as_participant())[0];
    for choice in 0..4 {
        world.wire.clear();
        world.get_done(&carol, vote_in(&carol, choice % 3));
        world.quiesce();
        assert_eq!(dave.poll(), alice.room.poll());
        let sent = world.wire.from(ALICE.as_owner()).into_iter();
        let to_carol: Vec<_> = sent
            .filter(|it| it.link == carols)
            .map(|it| it.kind())
            .collect();
        assert_eq!(to_carol, [Kind::Ack]);
    }
    assert_ne!(bob.room.poll(), alice.room.poll());
    world.net.set_queue_limit(1 << 20);
    world.net.resume(&BOB.as_participant(), blocked);
    world.quiesce();
    assert_eq!(bob.room.poll(), alice.room.poll());
}

#[test]
fn what_is_said_of_an_old_link_is_nothing_to_the_new_one() {
    let mut bob = Bench::joining(BOB);
    let old = bob.joins();
    bob.loses(old, DownReason::Unreachable);
    let (_, said) = bob.tell(Participant::handle_wake);
    let (link, _) = bob.is_let_in(&said);
    let pong = Message::Pong.encode();
    bob.tell(|bob, now| bob.handle_blocked(old, &pong, now));
    let (submitted, said) = bob.tell(|bob, now| bob.submit(call_me("Bob"), now));
    assert!(submitted.is_ok());
    assert_eq!(said.frames(link).len(), 1);
    bob.tell(|bob, now| bob.handle_blocked(link, &pong, now));
    bob.tell(|bob, now| bob.handle_writable(old, now));
    let (submitted, said) = bob.tell(|bob, now| bob.submit(call_me("Bobby"), now));
    assert!(submitted.is_ok());
    assert_eq!(said.frames(link).len(), 0, "it is still full");
}

#[test]
fn what_no_owner_has_written_is_owed_to_nobody() {
    let (mut alice, bob, _) = alice_bob_and_carol();
    for frame in [&b"{{"[..], br#"{"type":"ack","payload":{}}"#] {
        has_none_for(&mut alice, bob, &Bytes::from_static(frame));
        assert_eq!(has_room(&mut alice, bob), []);
    }
}
