//! The handshake: the peers that are let in, and those that a participant believes.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use std::time::Duration;

use common::bench::{Bench, error, who_is_here};
use common::disk::Disk;
use common::people::{
    ALICE, BOB, CAROL, MALLORY, acceptor_binding, another_hello, call_me, challenge,
    dialler_binding, draft, hello, nonce, other_poll, proof, queueing, room,
};
use common::world::World;
use hustings_protocol::handshake::{Side, Transcript, VERSION};
use hustings_protocol::{Challenge, ErrorCode, Hello, Kind, Message, Proof, RoomId};
use hustings_room::{
    ChannelBinding, Config, Connection, DownReason, Event, Host, LinkId, Participant, Refused,
};

/// True while this side waits for its next attempt, because somebody else was there.
fn met_somebody_else(connection: &Connection) -> bool {
    let reason = match connection {
        Connection::Disconnected { reason, .. } => Some(reason),
        _ => None,
    };
    reason == Some(&DownReason::NotTheOwner)
}

fn encoded(hello: Hello) -> bytes::Bytes {
    Message::Hello(hello).encode()
}

/// Bob has dialled, was answered, and has greeted.
fn bob_greets() -> (Bench<Participant>, LinkId, Hello) {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, hello) = bob.is_answered(&said);
    (bob, link, hello)
}

/// The challenge of an owner on a fresh link, to this hello.
fn challenged(alice: &mut Bench<Host>, hello: Hello) -> (LinkId, Challenge) {
    let (link, _) = alice.link();
    let said = alice.hears(link, encoded(hello));
    let [Message::Challenge(challenge)] = said.to(link)[..] else {
        panic!("{said:?}");
    };
    (link, challenge)
}

/// A bad proof leads to an error word, the end of the link, and no new member.
#[track_caller]
fn is_not_let_in(alice: &mut Bench<Host>, link: LinkId, proof: &Message) {
    let here = alice.owner().peers();
    let said = alice.hears(link, proof.encode());
    assert_eq!(said.refusal(link), (None, ErrorCode::BadSignature));
    assert_eq!(said.to(link).len(), 1, "and not a word of the poll");
    assert!(said.hangs_up(link));
    assert!(!alice.is_served(link));
    assert_eq!(alice.owner().peers(), here);
}

/// A bad challenge ends the attempt, and leads to no further frame. It is no reason to give up: the
/// owner may be back at its address the next time.
#[track_caller]
fn is_not_believed(mut bob: Bench<Participant>, link: LinkId, challenge: &Message) {
    let said = bob.hears(link, challenge.encode());
    assert!(met_somebody_else(bob.machine.connection()));
    assert_eq!(said.to(link), [], "nothing is sent to them");
    assert!(said.hangs_up(link));
    assert!(bob.idle().is_some(), "it will try again");
}

// An impostor.

#[test]
fn whoever_claims_the_owners_address_gets_a_greeting_and_nothing_else() {
    let mut world = World::new();
    let alice = world.host();
    let room = alice.room.id();
    let disk = Disk::default();
    let bob = world.enter_with(BOB, &disk, room, queueing());
    world.wait_for(bob.room.connected()).unwrap();
    world.quiesce();
    let alices_disk = world.crash_owner(alice);
    world.run_for(Duration::from_secs(10));
    let submitted = world.submit(&bob.room, call_me("Bob, who trusts Alice"));

    // At the broker Mallory takes the address that is free now.
    let at_alices = ALICE.as_owner();
    let mallory = world.start_hosting_at(at_alices, MALLORY, &Disk::default(), Config::default());
    world.wait_for(mallory.create(draft())).unwrap();
    world.wire.clear();
    world.run_for(Duration::from_secs(3_600));
    assert!(
        met_somebody_else(&bob.room.connection()),
        "{:?}",
        bob.room.connection()
    );
    let sent = world.wire.from(BOB.as_participant());
    let mut kinds = sent.iter().map(|sent| sent.kind());
    assert!(
        kinds.all(|kind| kind == Kind::AuthHello),
        "and nothing else"
    );
    assert!(sent.len() > 100, "again and again");

    // When Alice is back, everything goes its way.
    world.crash(at_alices);
    let _alice = world.host_again(&alices_disk, room.poll_id);
    world.wait_for(bob.room.connected()).unwrap();
    world.outcome(submitted);
}

#[test]
fn the_owners_name_without_the_owners_key_is_not_believed() {
    let (bob, link, hello) = bob_greets();
    let channel = dialler_binding(1);
    let forged = challenge(&MALLORY.key(), ALICE.peer(), &hello, &channel);
    is_not_believed(bob, link, &forged);
}

#[test]
fn another_owners_good_signature_is_not_believed() {
    let (bob, link, hello) = bob_greets();
    let channel = dialler_binding(1);
    let mallorys = challenge(&MALLORY.key(), MALLORY.peer(), &hello, &channel);
    is_not_believed(bob, link, &mallorys);
}

#[test]
fn a_challenge_for_anything_else_is_not_believed() {
    let others: [fn(&Hello) -> Hello; 4] = [
        |hello| Hello {
            poll_id: other_poll(),
            ..*hello
        },
        |hello| Hello {
            peer_id: CAROL.peer(),
            ..*hello
        },
        |hello| Hello {
            device: CAROL.device(),
            ..*hello
        },
        |hello| Hello {
            nonce: nonce(99),
            ..*hello
        },
    ];
    for other in others {
        let (bob, link, hello) = bob_greets();
        let elsewhere = other(&hello);
        let good = challenge(&ALICE.key(), ALICE.peer(), &elsewhere, &dialler_binding(1));
        is_not_believed(bob, link, &good);
    }
}

#[test]
fn what_alice_signed_as_a_participant_does_not_make_somebody_an_owner() {
    let (bob, link, hello) = bob_greets();
    let channel = dialler_binding(1);
    let transcript = Transcript {
        owner: ALICE.peer(),
        participant: hello.peer_id,
        poll_id: hello.poll_id,
        device: hello.device,
        participant_nonce: hello.nonce,
        owner_nonce: nonce(7),
        owner_binding: &channel.remote,
        participant_binding: &channel.local,
    };
    let wrong_side = Message::Challenge(Challenge {
        v: VERSION,
        peer_id: ALICE.peer(),
        nonce: nonce(7),
        last_seq: None,
        time: None,
        signature: transcript.sign(Side::Participant, &ALICE.key()),
    });
    is_not_believed(bob, link, &wrong_side);
}

// A man in the middle.

/// Mallory has a channel to Bob and one to Alice, and passes on what they say. Returns the message
/// with which Alice answers Bob's hello, and where.
fn relayed(
    bobs_channel: u64,
    alices_channel: u64,
) -> (
    Bench<Participant>,
    LinkId,
    Hello,
    Bench<Host>,
    LinkId,
    Message,
) {
    let mut bob = Bench::joining(BOB);
    let bobs_link = bob.drain().dialled().expect("it dials at once");
    let binding = dialler_binding(bobs_channel);
    let (_, said) = bob.tell(|bob, now| bob.handle_link_up(bobs_link, binding, now));
    let [Message::Hello(hello)] = said.to(bobs_link)[..] else {
        panic!("{said:?}");
    };
    let mut alice = Bench::hosting();
    let alices_link = LinkId::accepted(alices_channel);
    let binding = acceptor_binding(alices_channel);
    alice.tell(|alice, now| alice.handle_link_up(alices_link, binding, now));
    let said = alice.hears(alices_link, encoded(hello));
    let challenge = said.to(alices_link).remove(0);
    (bob, bobs_link, hello, alice, alices_link, challenge)
}

#[test]
fn on_one_channel_the_two_believe_each_other() {
    let (mut bob, bobs_link, _, mut alice, alices_link, challenge) = relayed(1, 1);
    let said = bob.hears(bobs_link, challenge.encode());
    let said = alice.hears(alices_link, &said.frames(bobs_link)[0]);
    for frame in said.frames(alices_link) {
        bob.hears(bobs_link, frame);
    }
    assert!(bob.is_connected());
    assert_eq!(bob.machine.confirmed(), Some(alice.owner().poll()));
}

#[test]
fn a_man_in_the_middle_is_caught_by_the_participant() {
    let (bob, bobs_link, _, _, _, challenge) = relayed(1, 2);
    is_not_believed(bob, bobs_link, &challenge);
}

#[test]
fn a_man_in_the_middle_is_caught_by_the_owner() {
    // Even if Bob had not looked and had signed what his own end of the channel shows.
    let (_, _, hello, mut alice, alices_link, challenge) = relayed(1, 2);
    let Message::Challenge(challenge) = challenge else {
        panic!("{challenge:?}");
    };
    let signed =
        |binding: &ChannelBinding| proof(&BOB.key(), ALICE.peer(), &hello, &challenge, binding);
    is_not_let_in(&mut alice, alices_link, &signed(&dialler_binding(1)));
}

#[test]
fn half_a_channel_is_not_a_channel() {
    // One certificate is right and the other is not.
    for which in [0, 1] {
        let mut alice = Bench::hosting();
        let hello = hello(BOB, room());
        let (link, challenge) = challenged(&mut alice, hello);
        let mut binding = dialler_binding(1);
        if which == 0 {
            binding.local = dialler_binding(2).local;
        } else {
            binding.remote = dialler_binding(2).remote;
        }
        let proof = proof(&BOB.key(), ALICE.peer(), &hello, &challenge, &binding);
        is_not_let_in(&mut alice, link, &proof);
    }
}

// Proofs that were seen, turned round or made up.

#[test]
fn a_handshake_that_was_overheard_cannot_be_replayed() {
    let mut alice = Bench::hosting();
    let hello = hello(BOB, room());
    let (link, challenge) = challenged(&mut alice, hello);
    let overheard = proof(
        &BOB.key(),
        ALICE.peer(),
        &hello,
        &challenge,
        &dialler_binding(1),
    );
    assert!(
        alice.hears(link, overheard.encode()).to(link).len() > 1,
        "it was good"
    );

    // Not on another link, and not even on one with the very same certificates.
    let (other, _) = challenged(&mut alice, hello);
    is_not_let_in(&mut alice, other, &overheard);
    let same = LinkId::accepted(100);
    alice.tell(|alice, now| alice.handle_link_up(same, acceptor_binding(1), now));
    alice.hears(same, encoded(hello));
    is_not_let_in(&mut alice, same, &overheard);
    assert!(alice.is_served(link), "Bob does not notice");
}

#[test]
fn an_owner_that_restarts_draws_other_nonces() {
    let mut alice = Bench::hosting();
    let hello = hello(BOB, room());
    let (_, first) = challenged(&mut alice, hello);
    let (_, second) = challenged(&mut alice, hello);
    alice.restarts();
    let (_, third) = challenged(&mut alice, hello);
    assert_ne!(first.nonce, second.nonce);
    assert_ne!(first.nonce, third.nonce);
    assert_ne!(second.nonce, third.nonce);
}

#[test]
fn the_owners_own_signature_is_no_proof() {
    let mut alice = Bench::hosting();
    let (link, challenge) = challenged(&mut alice, hello(BOB, room()));
    let signature = challenge.signature;
    is_not_let_in(&mut alice, link, &Message::Proof(Proof { signature }));
}

#[test]
fn not_even_as_somebody_who_claims_to_be_the_owner() {
    let mut alice = Bench::hosting();
    let as_alice = Hello {
        peer_id: ALICE.peer(),
        ..another_hello(MALLORY, 5)
    };
    let (link, challenge) = challenged(&mut alice, as_alice);
    let signature = challenge.signature;
    is_not_let_in(&mut alice, link, &Message::Proof(Proof { signature }));
}

#[test]
fn nobody_gets_in_under_anothers_name() {
    let mut alice = Bench::hosting();
    let carol = alice.admits(CAROL);
    let as_carol = another_hello(CAROL, 5);
    let (link, challenge) = challenged(&mut alice, as_carol);
    let channel = dialler_binding(2);
    let forged = proof(
        &MALLORY.key(),
        ALICE.peer(),
        &as_carol,
        &challenge,
        &channel,
    );
    is_not_let_in(&mut alice, link, &forged);
    assert!(alice.is_served(carol), "and Carol is not pushed out");
}

#[test]
fn the_owner_on_another_device_is_a_participant_like_any() {
    let mut alice = Bench::hosting();
    let phone = Hello {
        device: CAROL.device(),
        ..hello(ALICE, room())
    };
    let (link, said) = alice.admits_with(ALICE, phone);
    assert!(matches!(said.to(link)[0], Message::PollState(_)));
    assert_eq!(alice.owner().peers().len(), 2);
}

// Refusals on the way in.

/// Bob tries again after this, rather than give up.
#[track_caller]
fn is_not_final(bob: &Bench<Participant>) {
    let connection = bob.machine.connection();
    assert!(
        matches!(connection, Connection::Disconnected { .. }),
        "{connection:?}"
    );
    assert!(bob.idle().is_some());
}

#[test]
fn what_anybody_could_have_said_is_no_reason_to_give_up() {
    for code in [
        ErrorCode::UnknownPoll,
        ErrorCode::BadSignature,
        ErrorCode::Busy,
        ErrorCode::UnsupportedVersion,
    ] {
        let (mut bob, link, _) = bob_greets();
        let said = bob.hears(link, error(code));
        is_not_final(&bob);
        assert!(said.hangs_up(link));
    }
}

#[test]
fn whoever_does_not_speak_the_handshake_is_left_and_tried_again() {
    let others: [bytes::Bytes; 4] = [
        common::bench::state(1, 0, &common::people::poll()),
        who_is_here().encode(),
        bytes::Bytes::from_static(b"HTTP/1.1 400 Bad Request"),
        bytes::Bytes::from_static(br#"{"type":"auth:challenge","payload":{}}"#),
    ];
    for frame in others {
        let (mut bob, link, _) = bob_greets();
        let said = bob.hears(link, frame);
        is_not_final(&bob);
        assert!(said.hangs_up(link));
        assert_eq!(said.faults().len(), 1);
        assert_eq!(bob.machine.confirmed(), None, "and not believed");
    }
}

#[test]
fn what_the_owner_itself_says_is_final_where_trying_again_would_not_help() {
    let codes = [ErrorCode::UnknownPoll, ErrorCode::BadSignature];
    for code in codes {
        let (mut bob, link, hello) = bob_greets();
        let challenge = bob.challenge(&hello);
        let proof = bob.hears(link, challenge.encode());
        assert!(matches!(proof.to(link)[..], [Message::Proof(_)]));
        let said = bob.hears(link, error(code.clone()));
        let Connection::Refused(Refused::ByOwner(why)) = bob.machine.connection() else {
            panic!("{:?}", bob.machine.connection());
        };
        assert_eq!(why.code, code);
        assert!(said.hangs_up(link));
        assert_eq!(bob.idle(), None);
    }
}

#[test]
fn what_may_pass_is_not_final_even_when_the_owner_says_it() {
    for code in [
        ErrorCode::Busy,
        ErrorCode::HandshakeFailed,
        ErrorCode::Other("later".into()),
    ] {
        let (mut bob, link, hello) = bob_greets();
        let challenge = bob.challenge(&hello);
        bob.hears(link, challenge.encode());
        bob.hears(link, error(code));
        is_not_final(&bob);
    }
}

#[test]
fn a_room_link_with_another_poll_is_refused_for_good() {
    let mut world = World::new();
    let alice = world.host();
    let wrong = RoomId {
        poll_id: other_poll(),
        ..alice.room.id()
    };
    let mut events = alice.room.events();
    let bob = world.enter(BOB, &Disk::default(), wrong).room;
    let Err(refused) = world.wait_for(bob.connected()) else {
        panic!("there is no such poll");
    };
    assert!(
        refused.to_string().contains(&other_poll().to_string()),
        "{refused}"
    );
    world.run_for(Duration::from_secs(600));
    let sent = world.wire.from(BOB.as_participant());
    let hellos = sent.iter().filter(|sent| sent.kind() == Kind::AuthHello);
    assert_eq!(hellos.count(), 1);
    // The owner is told that somebody came with an old link.
    let told = common::world::told(&mut events);
    assert!(told.iter().any(|event| matches!(
        event,
        Event::Fault { rejection, .. } if rejection.code == ErrorCode::UnknownPoll
    )));
}

#[test]
fn a_link_that_ends_in_the_handshake_is_tried_again() {
    let (mut bob, link, hello) = bob_greets();
    bob.loses(link, DownReason::ClosedByPeer);
    is_not_final(&bob);
    let said = bob.waits(Duration::from_secs(1));
    let (_, again) = bob.is_answered(&said);
    assert_ne!(again.nonce, hello.nonce, "a nonce is used once");
}
