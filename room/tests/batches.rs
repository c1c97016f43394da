//! Batches: what is said at once goes as one frame, and means what its messages mean alone.

#![cfg(not(target_family = "wasm"))]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::bench::{Bench, Outputs, Pair, state, who_is_here};
use common::disk::Disk;
use common::people::{
    ALICE, BOB, CAROL, MALLORY, Person, add_option, call_me, command_id, decode, hello, messages,
    numbered, option, poll, proof, queueing, revision, room, seq, vote,
};
use common::world::{Joined, Puppet, Sent, World, option_of, vote_in};
use futures::future::join_all;
use hustings_protocol::{ErrorCode, Message, Outcome, Refusal, SyncRequest, WINDOW, batch};
use hustings_room::{Connection, DownReason};

/// In virtual time: every timer has run.
const LONG: Duration = Duration::from_secs(300);
const PING: &str = r#"{"type":"ping","payload":{}}"#;

/// Alice hosts, and ten others are in.
fn ten_voters() -> (World, common::world::Hosted, Vec<Joined>) {
    let mut world = World::new();
    let alice = world.host();
    let voters = (10..20).map(|it| world.join(Person(it), alice.room.id()));
    let voters: Vec<Joined> = voters.collect();
    world.quiesce();
    world.wire.clear();
    (world, alice, voters)
}

fn is_about_commands(sent: &Sent) -> bool {
    messages(&sent.frame).iter().any(|message| {
        matches!(
            decode(message),
            Message::Command(_) | Message::Update(_) | Message::Ack(_)
        )
    })
}

/// The largest batch is one message of a data channel.
#[track_caller]
fn assert_in_bounds(frames: &[Sent]) {
    for Sent { frame, .. } in frames {
        let count = messages(frame).len();
        assert!(count <= batch::MAX_MESSAGES, "{count} messages");
        assert!(
            count == 1 || frame.len() <= batch::MAX_BYTES,
            "{count}: {}",
            frame.len()
        );
    }
}

// What is made.

#[test]
fn ten_votes_at_once_are_one_frame_for_each_of_ten() {
    let (mut world, alice, voters) = ten_voters();
    let submits = voters.iter().map(|it| it.room.submit(vote_in(&it.room, 0)));
    let submitted: Vec<_> = world.wait_for(join_all(submits));
    let outcomes = submitted.into_iter().map(|it| it.unwrap().outcome());
    for outcome in world.wait_for(join_all(outcomes)) {
        assert!(matches!(outcome, Ok(Outcome::Applied(_))));
    }
    world.quiesce();
    let frames = world.wire.frames_from(ALICE.as_owner());
    let frames: Vec<Sent> = frames.into_iter().filter(is_about_commands).collect();
    assert_eq!(frames.len(), 10, "it was a hundred: {frames:?}");
    for sent in &frames {
        // Its own answer, and the nine other votes, in their order.
        assert_eq!(messages(&sent.frame).len(), 10);
    }
    assert_in_bounds(&frames);
    for voter in &voters {
        assert_eq!(voter.room.revision(), Some(revision(10)));
        assert_eq!(voter.room.poll(), alice.room.poll());
    }
}

#[test]
fn what_came_in_one_frame_is_one_record_of_a_copy() {
    let (mut world, alice, voters) = ten_voters();
    let first: Vec<usize> = voters.iter().map(|it| it.disk.commits()).collect();
    let submits = voters.iter().map(|it| it.room.submit(vote_in(&it.room, 0)));
    world.wait_for(join_all(submits));
    world.quiesce();
    for (voter, first) in voters.iter().zip(first) {
        let writes: Vec<usize> = voter
            .disk
            .commits_since(first)
            .iter()
            .map(|it| it.0)
            .collect();
        // The vote goes into the outbox; then it is settled there, and ten updates are one record.
        assert!(
            writes.len() == 2 && writes[1] <= 3,
            "each by itself, they are twelve: {writes:?}"
        );
    }
    // They are read as what they were.
    let bob = &voters[0];
    let (person, disk) = (bob.person, bob.disk.clone());
    world.crash(person.as_participant());
    world.crash_owner(alice);
    let again = world.enter(person, &disk, voters[1].room.id());
    assert_eq!(again.room.revision(), Some(revision(10)));
    assert_eq!(again.room.confirmed(), voters[1].room.confirmed());
}

#[test]
fn ten_votes_of_one_person_go_as_one_frame_and_so_do_the_answers() {
    let (mut world, _alice, voters) = ten_voters();
    let bob = &voters[0].room;
    let submits = (0..10).map(|at| bob.submit(vote_in(bob, at % 3)));
    let submitted: Vec<_> = world.wait_for(join_all(submits));
    let outcomes = submitted.into_iter().map(|it| it.unwrap().outcome());
    for (number, outcome) in (1..).zip(world.wait_for(join_all(outcomes))) {
        assert_eq!(
            outcome,
            Ok(Outcome::Applied(revision(number))),
            "in their order"
        );
    }
    world.quiesce();
    let asked = world.wire.frames_from(voters[0].person.as_participant());
    assert_eq!(asked.iter().filter(|it| is_about_commands(it)).count(), 1);
    let told = world.wire.frames_from(ALICE.as_owner());
    let told: Vec<Sent> = told.into_iter().filter(is_about_commands).collect();
    assert_eq!(told.len(), 10, "{told:?}");
    // The nine others get the same: one frame that they share.
    let shared: Vec<_> = told
        .iter()
        .filter(|sent| matches!(decode(&messages(&sent.frame)[0]), Message::Update(_)))
        .collect();
    assert_eq!(shared.len(), 9);
    for sent in &shared {
        assert_eq!(
            sent.frame.as_ptr(),
            shared[0].frame.as_ptr(),
            "no copy for each"
        );
    }
}

#[test]
fn one_vote_alone_is_sent_as_ever() {
    let (mut world, _alice, voters) = ten_voters();
    world.get_done(&voters[0].room, vote_in(&voters[0].room, 0));
    let told = world.wire.frames_from(ALICE.as_owner());
    let told: Vec<Sent> = told.into_iter().filter(is_about_commands).collect();
    assert_eq!(told.len(), 10);
    assert!(told.iter().all(|sent| !batch::is_batch(&sent.frame)));
    let relayed: Vec<_> = told
        .iter()
        .filter(|it| matches!(it.message(), Message::Update(_)))
        .collect();
    assert_eq!(relayed.len(), 9);
    assert!(
        relayed
            .iter()
            .all(|it| it.frame.as_ptr() == relayed[0].frame.as_ptr())
    );
    // In one go, to all but the author.
    let broadcasts = world.wire.broadcasts();
    assert!(
        broadcasts
            .iter()
            .any(|(links, except)| *links == 10 && except.is_some())
    );
}

#[test]
fn what_waited_for_the_owner_goes_in_one_frame_behind_the_proof() {
    let mut world = World::new();
    let alice = world.host();
    let id = alice.room.id();
    let disk = Disk::default();
    let bob = world.enter_with(BOB, &disk, id, queueing());
    world.wait_for(bob.room.connected()).unwrap();
    let tea = option_of(&bob.room, 0);
    let disk_of_alice = world.crash_owner(alice);
    // Until it is noticed.
    world.run_for(LONG);
    for _ in 0..10 {
        world.submit(&bob.room, vote(id.poll_id, tea));
    }
    world.wire.clear();
    let alice = world.host_again(&disk_of_alice, id.poll_id);
    world.run_for(LONG);
    assert_eq!(bob.room.pending(), []);
    assert_eq!(alice.room.revision(), Some(revision(10)));
    let frames = world.wire.frames_from(BOB.as_participant());
    let commands: Vec<&Sent> = frames.iter().filter(|it| is_about_commands(it)).collect();
    assert_eq!(commands.len(), 1, "{frames:?}");
    let messages = messages(&commands[0].frame);
    assert_eq!(messages.len(), 11);
    assert!(matches!(decode(&messages[0]), Message::Proof(_)));
    let numbers = messages[1..].iter().map(|it| match decode(it) {
        Message::Command(command) => command.seq,
        other => panic!("{other:?}"),
    });
    assert!(numbers.eq((1..=10).map(seq)), "in their order");
}

#[test]
fn more_than_a_batch_holds_goes_as_several_within_the_bounds() {
    let (mut world, alice, voters) = ten_voters();
    let label = |at: u128| format!("{at} {}", "x".repeat(190));
    let poll_id = alice.room.id().poll_id;
    let bob = &voters[0].room;
    let submits = (0..60).map(|at| bob.submit(add_option(poll_id, option(100 + at), &label(at))));
    let submitted: Vec<_> = world.wait_for(join_all(submits));
    let outcomes = submitted.into_iter().map(|it| it.unwrap().outcome());
    for outcome in world.wait_for(join_all(outcomes)) {
        assert!(matches!(outcome, Ok(Outcome::Applied(_))));
    }
    world.quiesce();
    let asked = world.wire.frames_from(voters[0].person.as_participant());
    let told = world.wire.frames_from(ALICE.as_owner());
    assert_in_bounds(&asked);
    assert_in_bounds(&told);
    let of_commands = |frames: &[Sent]| frames.iter().filter(|it| is_about_commands(it)).count();
    assert!(
        (2..=4).contains(&of_commands(&asked)),
        "{}",
        of_commands(&asked)
    );
    assert!(
        (20..=60).contains(&of_commands(&told)),
        "{}",
        of_commands(&told)
    );
    for voter in &voters {
        assert_eq!(voter.room.poll(), alice.room.poll());
    }
}

// A slow link.

#[test]
fn a_batch_that_finds_no_room_is_sent_again_whole() {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    world.wire.has_no_room_once(BOB.as_participant(), 0);
    let submits = (0..5).map(|at| bob.room.submit(vote_in(&bob.room, at % 3)));
    let submitted: Vec<_> = world.wait_for(join_all(submits));
    let outcomes = submitted.into_iter().map(|it| it.unwrap().outcome());
    for (number, outcome) in (1..).zip(world.wait_for(join_all(outcomes))) {
        assert_eq!(outcome, Ok(Outcome::Applied(revision(number))));
    }
    world.quiesce();
    assert_eq!(alice.room.revision(), Some(revision(5)));
    assert_eq!(bob.room.poll(), alice.room.poll());
}

#[test]
fn each_message_of_a_batch_that_found_no_room_is_owed() {
    let mut world = World::new();
    let alice = world.host();
    let bob = world.join(BOB, alice.room.id());
    let mut carol = Puppet::new(&world, CAROL);
    world.wait_for(carol.join(alice.room.id()));
    // Carol does not read, and asks until there is no room for the answers.
    world.net.stall(&CAROL.as_participant(), carol.link());
    let poll_id = alice.room.id().poll_id;
    let mut frames = Vec::new();
    for number in 1..=40_u64 {
        frames.push(numbered(number, vote(poll_id, option_of(&alice.room, 0))));
    }
    carol.say(batch::join(&frames));
    world.quiesce();
    for _ in 0..20 {
        world.get_done(&bob.room, vote_in(&bob.room, 1));
    }
    world.net.resume(&CAROL.as_participant(), carol.link());
    let mut acked = Vec::new();
    while acked.len() < 40 {
        let answer = world.wait_for(carol.answer());
        match decode(&answer) {
            Message::Ack(ack) => acked.push(ack.command_id),
            other => panic!("{other:?}"),
        }
    }
    assert!(acked.into_iter().eq((1..=40).map(command_id)));
}

#[test]
fn a_machine_is_told_of_each_message_that_found_no_room() {
    let mut alice = Bench::hosting();
    let (bob, carol) = (alice.admits(BOB), alice.admits(CAROL));
    let first = alice.hears(carol, numbered(1, call_me("Carol")));
    let second = alice.hears(carol, numbered(2, call_me("Caroline")));
    for frame in [first.frames(bob), second.frames(bob), first.frames(carol)].concat() {
        let link = if first.frames(carol).contains(&frame) {
            carol
        } else {
            bob
        };
        alice.tell(|host, now| host.handle_blocked(link, &frame, now));
    }
    let (_, said) = alice.tell(|host, now| host.handle_writable(carol, now));
    assert_eq!(said.frames(carol), first.frames(carol), "her answer");
    let (_, said) = alice.tell(|host, now| host.handle_writable(bob, now));
    assert_eq!(said.to(bob).len(), 1, "the poll once");
}

/// A device has at most `WINDOW` commands without an outcome. Whoever has more answers in one batch
/// that finds no room would miss some of them for good.
#[test]
fn whoever_cannot_be_owed_every_answer_of_a_batch_is_let_go() {
    let mut alice = Bench::hosting();
    let mallory = alice.admits(MALLORY);
    let mut answers = Vec::new();
    for number in 1..=WINDOW + 1 {
        let said = alice.hears(mallory, numbered(number, call_me("Mallory")));
        answers.extend(said.frames(mallory).into_iter().take(1));
    }
    for (number, answer) in (1..).zip(&answers) {
        let (_, said) = alice.tell(|host, now| host.handle_blocked(mallory, answer, now));
        assert_eq!(said.hangs_up(mallory), number > WINDOW, "{number}");
    }
}

// What is read.

/// The answers of a host to each of these frames, alone and in a batch.
fn alone_and_together(frames: &[Bytes]) -> (Outputs, Outputs, bool) {
    let mut ends = [true, false].map(|is_batch| {
        let mut alice = Bench::hosting();
        let mallory = alice.admits(MALLORY);
        let outputs = if is_batch {
            alice.hears(mallory, joined(frames)).0
        } else {
            frames
                .iter()
                .flat_map(|it| alice.hears(mallory, it).0)
                .collect()
        };
        let is_served = alice.is_served(mallory);
        (Outputs(outputs), is_served)
    });
    let (together, is_served) = std::mem::replace(&mut ends[0], (Outputs(Vec::new()), false));
    let (alone, is_served_alone) = std::mem::replace(&mut ends[1], (Outputs(Vec::new()), false));
    assert_eq!(is_served, is_served_alone);
    (alone, together, is_served)
}

/// As a liar makes a batch: a single message, too.
fn joined(frames: &[Bytes]) -> Bytes {
    let mut text = b"[".to_vec();
    text.extend(frames.join(&b','));
    text.push(b']');
    text.into()
}

#[test]
fn a_host_takes_a_batch_like_its_messages_one_after_the_other() {
    let poll_id = room().poll_id;
    let sync = Message::SyncRequest(SyncRequest {
        poll_id,
        known: None,
    })
    .encode();
    let frames = [
        Bytes::from_static(PING.as_bytes()),
        numbered(1, vote(poll_id, option(0))),
        Bytes::from_static(br#"{"type":"later","payload":[]}"#),
        numbered(2, vote(poll_id, option(404))),
        Bytes::from_static(br#"{"x":1}"#),
        numbered(1, vote(poll_id, option(0))),
        sync,
        numbered(3, call_me("Mallory")),
    ];
    let (alone, together, is_served) = alone_and_together(&frames);
    assert!(is_served);
    assert_eq!(alone.0, together.0, "answer for answer");
    assert_eq!(
        together.faults(),
        [ErrorCode::UnknownType, ErrorCode::Malformed]
    );
    let (alone, together, _) = alone_and_together(&frames[1..2]);
    assert_eq!(alone.0, together.0, "even one that is wrapped");
}

#[test]
fn a_gap_in_a_batch_ends_the_link_and_the_rest_of_it_comes_too_late() {
    let poll_id = room().poll_id;
    let frames = [1, 3, 2].map(|it| numbered(it, vote(poll_id, option(0))));
    let (alone, together, is_served) = alone_and_together(&frames);
    assert!(!is_served);
    assert_eq!(alone.0, together.0);
}

#[test]
fn a_batch_of_a_liar_costs_what_its_messages_cost() {
    let poll_id = room().poll_id;
    let ping = Bytes::from_static(PING.as_bytes());
    let sync = Message::SyncRequest(SyncRequest {
        poll_id,
        known: None,
    })
    .encode();
    let command = numbered(1, vote(poll_id, option(0)));
    let nothing = Bytes::from_static(b"{}");
    for frame in [ping, sync, command, nothing] {
        // As many as fit into the largest frame that is read.
        let count = (batch::MAX_BYTES / (frame.len() + 1) - 1).min(batch::MAX_MESSAGES);
        let (alone, together, _) = alone_and_together(&vec![frame.clone(); count]);
        assert_eq!(alone.0, together.0, "{frame:?}");
        assert!(
            together.0.len() <= 4 * count,
            "{frame:?}: {}",
            together.0.len()
        );
    }
}

#[test]
fn a_batch_that_cannot_be_read_is_one_fault_of_a_member() {
    let mut alice = Bench::hosting();
    let mallory = alice.admits(MALLORY);
    let too_many = joined(&vec![Bytes::from_static(b"{}"); batch::MAX_MESSAGES + 1]);
    // The beginning of this one has the name and number of a command, which is none for that.
    let command = numbered(1, vote(room().poll_id, option(0)));
    let too_large = joined(&vec![command.clone(); 100]);
    assert!(too_large.len() > batch::MAX_BYTES);
    for (frame, code) in [
        (Bytes::from_static(b"[]"), ErrorCode::Malformed),
        (Bytes::from_static(b"[1]"), ErrorCode::Malformed),
        (
            Bytes::from(format!("[{PING},[{PING}]]")),
            ErrorCode::Malformed,
        ),
        (Bytes::from(format!("[{PING},")), ErrorCode::Malformed),
        (too_many, ErrorCode::TooLarge),
        (too_large, ErrorCode::TooLarge),
    ] {
        let said = alice.hears(mallory, &frame);
        assert_eq!(said.faults(), std::slice::from_ref(&code), "{frame:?}");
        assert_eq!(said.refusal(mallory), (None, code), "{frame:?}");
        assert!(!said.keeps_anything() && alice.is_served(mallory));
    }
    // And the command has its outcome still to come.
    let said = alice.hears(mallory, command);
    assert!(matches!(said.to(mallory)[..], [Message::Ack(_)]));
}

// The handshake.

#[test]
fn the_handshake_is_read_in_order_from_batches_too() {
    let mut alice = Bench::hosting();
    let (link, _) = alice.link();
    let hello = hello(BOB, room());
    let said = alice.hears(link, joined(&[Message::Hello(hello).encode()]));
    let [Message::Challenge(challenge)] = said.to(link)[..] else {
        panic!("{said:?}");
    };
    let binding = common::people::dialler_binding(1);
    let proof = proof(&BOB.key(), ALICE.peer(), &hello, &challenge, &binding).encode();
    let command = numbered(1, vote(room().poll_id, option(0)));
    let said = alice.hears(link, batch::join(&[proof, command]));
    let told = said.to(link);
    assert!(matches!(told[0], Message::PollState(_)), "{told:?}");
    let is_answered = |it: &Message| matches!(it, Message::Ack(_));
    assert!(told.iter().any(is_answered), "{told:?}");
}

#[test]
fn what_follows_a_greeting_in_its_batch_ends_the_link() {
    let mut alice = Bench::hosting();
    let hello = Message::Hello(hello(BOB, room())).encode();
    let command = numbered(1, vote(room().poll_id, option(0)));
    for (frame, code) in [
        (
            batch::join(&[hello.clone(), command]),
            ErrorCode::HandshakeFailed,
        ),
        (
            batch::join(&[hello.clone(), hello]),
            ErrorCode::HandshakeFailed,
        ),
        (Bytes::from_static(b"[]"), ErrorCode::Malformed),
    ] {
        let (link, _) = alice.link();
        let said = alice.hears(link, frame);
        assert_eq!(said.faults(), [code]);
        assert!(said.hangs_up(link) && !said.keeps_anything());
    }
}

#[test]
fn a_participant_reads_a_batch_from_the_challenge_on() {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, hello) = bob.is_answered(&said);
    let all = [
        bob.challenge(&hello).encode(),
        state(1, 0, &poll()),
        who_is_here().encode(),
    ];
    let said = bob.hears(link, batch::join(&all));
    assert!(bob.is_connected(), "{said:?}");
    assert_eq!(bob.machine.revision(), Some(revision(0)));

    let said = bob.hears(link, b"[]");
    assert_eq!(said.faults(), [ErrorCode::Malformed]);
    let [Message::SyncRequest(_)] = said.to(link)[..] else {
        panic!("it may have been an update: {said:?}");
    };
    assert!(bob.is_connected());
}

#[test]
fn a_participant_leaves_the_rest_of_a_batch_that_ends_its_link() {
    let mut bob = Bench::joining(BOB);
    let said = bob.drain();
    let (link, hello) = bob.is_answered(&said);
    let refusal = Message::Error(Refusal {
        command_id: None,
        rejection: hustings_protocol::Rejection::new(ErrorCode::Busy, "no room"),
    });
    let all = [refusal.encode(), bob.challenge(&hello).encode()];
    let said = bob.hears(link, batch::join(&all));
    assert!(said.hangs_up(link));
    assert_eq!(said.to(link), []);
    let expected = DownReason::refused(ErrorCode::Busy);
    assert!(matches!(
        bob.machine.connection(),
        Connection::Disconnected { reason, .. } if *reason == expected
    ));
}

/// Two machines that speak in nothing but batches.
#[test]
fn two_machines_understand_each_other_in_batches() {
    let (mut alice, mut bob) = (Bench::hosting(), Bench::joining(BOB));
    let said = bob.drain();
    let (pair, ..) = Pair::connect(&mut alice, &mut bob, &said);
    let mut frames = Vec::new();
    for at in 0..WINDOW {
        let choice = vote(room().poll_id, option(u128::from(at % 3)));
        let (submitted, said) = bob.tell(|it, now| it.submit(choice, now));
        assert!(submitted.is_ok());
        frames.extend(said.frames(pair.at_participant));
    }
    let said: Outputs = alice.hears(pair.at_owner, batch::join(&frames));
    let answers = said.frames(pair.at_owner);
    assert_eq!(answers.len() as u64, WINDOW);
    bob.hears(pair.at_participant, batch::join(&answers));
    assert_eq!(bob.machine.pending(), []);
    assert_eq!(bob.machine.revision(), Some(revision(WINDOW)));
    assert_eq!(bob.machine.confirmed(), Some(alice.owner().poll()));
}
