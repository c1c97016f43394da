//! Polls in which only invited people vote: an invitation makes one voter, once and for good,
//! nobody else hears of it, and whoever only looks costs the owner nothing that lasts.

mod common;

use bytes::Bytes;
use common::bench::{Bench, copy, ready};
use common::people::{
    ALICE, BOB, CAROL, Person, add_option, call_me, draft, hello, make, numbered, option, poll_of,
    room, vote,
};
use common::world::{Hosted, Joined, World, choice_of, told, vote_in};
use hustings_outbox::{MemoryStore, Store};
use hustings_protocol::{
    Admission, Ballots, Command, Epoch, ErrorCode, InvitationCounts, InvitationIssue,
    InvitationRedemption, InvitationSecret, InvitationWithdrawal, Limits, Message, Outcome,
    PollDraft, PollId, Revision, Role, SyncRequest,
};
use hustings_room::driver::Room;
use hustings_room::{CommandState, Config, DownReason, Event, Host, Output, Record};

/// Somebody who has no invitation and never gets one.
const DAVE: Person = Person(9);

fn secret(number: u8) -> InvitationSecret {
    InvitationSecret::from_bytes([number; 16])
}

fn invited(ballots: Ballots) -> PollDraft {
    draft().ballots(ballots).admission(Admission::Invited)
}

fn issue(poll_id: PollId, secrets: &[u8]) -> Command {
    Command::IssueInvitations(InvitationIssue {
        poll_id,
        invitations: secrets.iter().map(|it| secret(*it).id(poll_id)).collect(),
        count: 0,
    })
}

fn withdraw(poll_id: PollId, number: u8) -> Command {
    Command::WithdrawInvitations(InvitationWithdrawal {
        poll_id,
        invitations: vec![secret(number).id(poll_id)],
        count: 0,
    })
}

fn redeem(poll_id: PollId, number: u8) -> Command {
    Command::RedeemInvitation(InvitationRedemption {
        poll_id,
        secret: Some(secret(number)),
    })
}

/// Alice hosts an invited poll and has made the invitations 1, 2 and 3; Bob and Carol look on.
fn three(world: &mut World, ballots: Ballots) -> (Hosted, Joined, Joined) {
    let alice = world.host_draft(invited(ballots), Config::default());
    let poll_id = alice.room.id().poll_id;
    let bob = world.join(BOB, alice.room.id());
    let carol = world.join(CAROL, alice.room.id());
    done(world, &alice.room, issue(poll_id, &[1, 2, 3]));
    (alice, bob, carol)
}

/// Submits, and lets everybody hear of it.
fn done(world: &mut World, room: &Room, command: Command) {
    let outcome = world.get_done(room, command);
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    world.run_for(Config::default().tally_interval);
    world.quiesce();
}

fn code(world: &mut World, room: &Room, command: Command) -> ErrorCode {
    match world.get_done(room, command) {
        Outcome::Rejected(rejection) => rejection.code,
        applied @ Outcome::Applied(_) => panic!("{applied:?}"),
    }
}

fn counts(issued: u32, used: u32, withdrawn: u32) -> Option<InvitationCounts> {
    Some(InvitationCounts {
        issued,
        used,
        withdrawn,
    })
}

fn is_told_all(alice: &Hosted, member: &Joined) {
    let owner = alice.room.poll().expect("it is hosted");
    let confirmed = member.room.confirmed().expect("it has arrived");
    assert_eq!(*confirmed, owner.told_to(member.person.peer()));
    assert!(confirmed.issued().is_empty());
}

/// In nothing that Alice has sent is there an invitation.
fn nobody_is_told_one(world: &World, poll_id: PollId) {
    let sent = world.wire.from(ALICE.as_owner());
    assert!(!sent.is_empty());
    for sent in sent {
        let text = String::from_utf8_lossy(&sent.frame).into_owned();
        for number in 1..=9 {
            let (secret, id) = (secret(number), secret(number).id(poll_id));
            assert!(!text.contains(&secret.to_string()), "{text}");
            assert!(!text.contains(&id.to_string()), "{text}");
        }
    }
}

#[test]
fn an_invitation_makes_one_voter_and_others_hear_how_many() {
    for ballots in [Ballots::Open, Ballots::Secret] {
        let world = &mut World::new();
        let (alice, bob, carol) = three(world, ballots);
        let poll_id = alice.room.id().poll_id;
        assert_eq!(bob.room.poll().unwrap().role(BOB.peer()), Role::Viewer);
        let vote = vote_in(&bob.room, 0);
        assert_eq!(code(world, &bob.room, vote.clone()), ErrorCode::NotAllowed);

        done(world, &bob.room, redeem(poll_id, 1));
        done(world, &bob.room, vote);
        let again = code(world, &carol.room, redeem(poll_id, 1));
        assert_eq!(again, ErrorCode::InvitationUsed);
        done(world, &alice.room, withdraw(poll_id, 2));
        let withdrawn = code(world, &carol.room, redeem(poll_id, 2));
        assert_eq!(withdrawn, ErrorCode::InvitationWithdrawn);

        // Somebody who comes later has the same, and so has somebody who was away.
        let carols = world.crash_participant(carol);
        done(world, &alice.room, issue(poll_id, &[4]));
        done(world, &bob.room, call_me("Bob"));
        let dave = world.join(DAVE, alice.room.id());
        done(world, &dave.room, redeem(poll_id, 4));
        let carol = world.enter(CAROL, &carols, alice.room.id());
        world.quiesce();
        for member in [&bob, &carol, &dave] {
            is_told_all(&alice, member);
            let poll = member.room.confirmed().unwrap();
            assert_eq!(poll.invitations(), counts(4, 2, 1));
            assert_eq!(poll.role(BOB.peer()), Role::Voter);
            assert_eq!(poll.role(CAROL.peer()), Role::Viewer);
        }
        nobody_is_told_one(world, poll_id);
        let used = alice.room.poll().unwrap().issued();
        let used: Vec<_> = used.iter().map(|it| it.used).collect();
        let expected = [true, false, false, true];
        let is_open = ballots == Ballots::Open;
        assert_eq!(used, expected.map(|it| is_open.then_some(it)));
    }
}

#[test]
fn of_two_who_redeem_the_same_at_once_one_votes() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Secret);
    let poll_id = alice.room.id().poll_id;
    let both = [&bob, &carol].map(|it| world.submit(&it.room, redeem(poll_id, 1)));
    let outcomes = both.map(|submitted| world.outcome(submitted));
    let applied = outcomes
        .iter()
        .filter(|it| matches!(it, Outcome::Applied(_)));
    assert_eq!(applied.count(), 1, "{outcomes:?}");
    world.quiesce();
    assert_eq!(alice.room.poll().unwrap().invitations(), counts(3, 1, 0));
    for member in [&bob, &carol] {
        is_told_all(&alice, member);
    }
}

#[test]
fn what_was_redeemed_stays_so_when_the_owner_starts_again() {
    for snapshot_after_bytes in [Config::default().snapshot_after_bytes, 1] {
        let world = &mut World::new();
        let config = Config {
            snapshot_after_bytes,
            ..Config::default()
        };
        let alice = world.host_draft(invited(Ballots::Secret), config);
        let poll_id = alice.room.id().poll_id;
        let bob = world.join(BOB, alice.room.id());
        let carol = world.join(CAROL, alice.room.id());
        done(world, &alice.room, issue(poll_id, &[1, 2]));
        done(world, &alice.room, withdraw(poll_id, 2));
        // Durable, and nobody has heard of it: the process ends with the answer on its way.
        let submitted = world.submit(&bob.room, redeem(poll_id, 1));
        world.run_for(common::world::LATENCY);
        let owners = world.crash_owner(alice);
        let alice = world.host_again(&owners, poll_id);
        let outcome = world.outcome(submitted);
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        world.wait_for(carol.room.connected()).unwrap();
        assert_eq!(
            [1, 2].map(|number| code(world, &carol.room, redeem(poll_id, number))),
            [ErrorCode::InvitationUsed, ErrorCode::InvitationWithdrawn]
        );
        let vote = vote_in(&bob.room, 1);
        done(world, &bob.room, vote);
        assert_eq!(choice_of(&alice.room, BOB).len(), 1);
        assert_eq!(alice.room.poll().unwrap().invitations(), counts(2, 1, 1));
        for member in [&bob, &carol] {
            is_told_all(&alice, member);
        }
        nobody_is_told_one(world, poll_id);
    }
}

#[test]
fn a_redemption_is_shown_at_once_and_taken_back_if_it_is_refused() {
    let world = &mut World::new();
    let (alice, bob, carol) = three(world, Ballots::Open);
    let poll_id = alice.room.id().poll_id;
    done(world, &bob.room, redeem(poll_id, 1));
    let submitted = world.submit(&carol.room, redeem(poll_id, 1));
    let role = |joined: &Joined| joined.room.poll().unwrap().role(CAROL.peer());
    assert_eq!(role(&carol), Role::Voter, "she may choose already");
    let outcome = world.outcome(submitted);
    assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    assert_eq!(role(&carol), Role::Viewer);
}

/// Alice hosts an invited poll with one invitation.
fn bench() -> Bench<Host> {
    bench_with(Config::default())
}

fn bench_with(config: Config) -> Bench<Host> {
    let mut alice = Bench::hosting_poll(poll_of(invited(Ballots::Secret)), config);
    hosts(&mut alice, issue(room().poll_id, &[1]));
    alice
}

/// Alice herself asks for something: its end.
fn hosts(alice: &mut Bench<Host>, command: Command) -> CommandState {
    let (submitted, said) = alice.tell(|host, now| host.submit(room().poll_id, command, now));
    submitted.expect("it is hosted");
    said.outcomes().remove(0)
}

/// Everything that somebody may try who only looks: for each, the word of the refusal.
fn trials() -> Vec<(Command, ErrorCode)> {
    let poll_id = room().poll_id;
    vec![
        (vote(poll_id, option(1)), ErrorCode::NotAllowed),
        (call_me("Dave"), ErrorCode::NotAllowed),
        (redeem(poll_id, 7), ErrorCode::UnknownInvitation),
        (
            add_option(poll_id, option(9), "Milk"),
            ErrorCode::NotAllowed,
        ),
        (make(poll_id, DAVE, Role::Voter), ErrorCode::NotAllowed),
        (issue(poll_id, &[8]), ErrorCode::NotAllowed),
        (withdraw(poll_id, 1), ErrorCode::NotAllowed),
    ]
}

/// Nor is memory used up, though there is room for the answers to one of them only.
#[test]
fn whoever_only_looks_leaves_nothing_behind() {
    let mut alice = bench_with(Config {
        max_stranger_receipts: trials().len() + 1,
        ..Config::default()
    });
    let before = copy(&alice.disk);
    for person in (20..60).map(Person) {
        // They come again and again, each time with a history that nobody has.
        for revision in 1..4 {
            let greeting = hustings_protocol::Hello {
                epoch: Some(Epoch::new(revision)),
                revision: Revision::new(revision),
                ..hello(person, room())
            };
            let (link, said) = alice.admits_with(person, greeting);
            assert!(!said.keeps_anything(), "{said:?}");
            let asks = Message::SyncRequest(SyncRequest {
                poll_id: room().poll_id,
                known: None,
            });
            let said = alice.hears(link, asks.encode());
            assert!(!said.keeps_anything(), "{said:?}");
        }
        let link = alice.admits(person);
        for (number, (command, refused)) in (1..).zip(trials()) {
            let frame = numbered(number, command);
            let said = alice.hears(link, &frame);
            assert_eq!(said.refusal(link).1, refused);
            assert!(!said.keeps_anything(), "{said:?}");
            // The same again while they are here.
            assert_eq!(alice.hears(link, &frame).refusal(link).1, refused);
        }
        let unknown = br#"{"type":"poll:burn","commandId":"01","seq":8,"payload":{}}"#;
        assert!(!alice.hears(link, unknown).keeps_anything());
        let said = alice.loses(link, DownReason::ClosedByPeer);
        assert!(!said.keeps_anything(), "{said:?}");
    }
    assert_eq!(alice.owner().poll().members().len(), 0);
    let everything = || Bytes::new()..Bytes::from_static(&[0xff; 64]);
    let records = |disk: &MemoryStore| ready(disk.scan(everything()));
    assert_eq!(records(&alice.disk), records(&before));
}

/// The owner may forget them, and they come with the numbers that they have come to.
#[test]
fn whoever_only_looked_and_comes_again_goes_on_and_may_be_invited() {
    let mut alice = bench();
    let dave = alice.admits(DAVE);
    for (number, (command, _)) in (1..).zip(trials()) {
        alice.hears(dave, numbered(number, command));
    }
    alice.restarts();
    let greeting = hustings_protocol::Hello {
        oldest_seq: common::people::seq(8),
        ..hello(DAVE, room())
    };
    let (dave, _) = alice.admits_with(DAVE, greeting);
    let wrong = alice.hears(dave, numbered(8, redeem(room().poll_id, 7)));
    assert_eq!(wrong.refusal(dave).1, ErrorCode::UnknownInvitation);
    let said = alice.hears(dave, numbered(9, redeem(room().poll_id, 1)));
    assert!(matches!(said.to(dave)[..], [Message::Ack(_)]), "{said:?}");
    // From now on a member's, with what they were answered just before.
    alice.restarts();
    let dave = alice.admits(DAVE);
    let again = alice.hears(dave, numbered(8, redeem(room().poll_id, 7)));
    assert_eq!(again.refusal(dave).1, ErrorCode::UnknownInvitation);
    let again = alice.hears(dave, numbered(9, redeem(room().poll_id, 1)));
    assert!(matches!(again.to(dave)[..], [Message::Ack(_)]));
    let said = alice.hears(dave, numbered(10, vote(room().poll_id, option(1))));
    assert!(said.keeps_anything());
}

/// Those who look have filled what there is for them. Whoever was invited has their place all the
/// same, is answered as a member from then on, and leaves room behind.
#[test]
fn whoever_is_invited_finds_room_among_those_who_only_look() {
    let mut alice = bench_with(Config {
        max_stranger_receipts: 2,
        ..Config::default()
    });
    let (bob, carol) = (alice.admits(BOB), alice.admits(CAROL));
    let wrong = alice.hears(bob, numbered(1, redeem(room().poll_id, 7)));
    assert_eq!(wrong.refusal(bob).1, ErrorCode::UnknownInvitation);
    let votes = |alice: &mut Bench<Host>, link| {
        let frame = numbered(1, vote(room().poll_id, option(1)));
        alice.hears(link, frame).refusal(link).1
    };
    assert_eq!(votes(&mut alice, carol), ErrorCode::NotAllowed);
    let dave = alice.admits(DAVE);
    assert_eq!(votes(&mut alice, dave), ErrorCode::Busy);

    let said = alice.hears(bob, numbered(2, redeem(room().poll_id, 1)));
    assert!(matches!(said.to(bob)[..], [Message::Ack(_)]), "{said:?}");
    let dave = alice.admits(DAVE);
    assert_eq!(votes(&mut alice, dave), ErrorCode::NotAllowed);
    let again = alice.hears(bob, numbered(3, redeem(room().poll_id, 1)));
    assert_eq!(again.refusal(bob).1, ErrorCode::NotAllowed);
    assert!(again.keeps_anything());
}

/// As many as there may be are read again, by an owner that would not make as many now.
#[test]
fn a_poll_full_of_invitations_is_read_by_whatever_limits() {
    let limits = Limits::default();
    let mut alice = Bench::hosting_poll(poll_of(invited(Ballots::Open)), Config::default());
    let poll_id = room().poll_id;
    let secret = |number: usize| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        InvitationSecret::from_bytes(bytes)
    };
    let all: Vec<_> = (0..limits.max_invitations)
        .map(|number| secret(number).id(poll_id))
        .collect();
    for invitations in all.chunks(limits.max_invitations_at_once) {
        let issue = Command::IssueInvitations(InvitationIssue {
            poll_id,
            invitations: invitations.to_vec(),
            count: 0,
        });
        let end = hosts(&mut alice, issue);
        assert!(matches!(end, CommandState::Applied(_)), "{end:?}");
    }
    let more = issue(poll_id, &[1]);
    let is_full = |end: CommandState| {
        let CommandState::Rejected(rejection) = &end else {
            panic!("{end:?}");
        };
        assert_eq!(rejection.code, ErrorCode::PollFull);
    };
    is_full(hosts(&mut alice, more.clone()));
    let redeem = |number: usize| {
        Command::RedeemInvitation(InvitationRedemption {
            poll_id,
            secret: Some(secret(number)),
        })
    };
    let (first, last) = (0, limits.max_invitations - 1);
    let bob = alice.admits(BOB);
    let said = alice.hears(bob, numbered(1, redeem(last)));
    assert!(matches!(said.to(bob)[..], [Message::Ack(_)]), "{said:?}");

    let before = alice.owner().poll().issued();
    alice.restarts_with(Config {
        limits: Limits {
            max_invitations: 10,
            max_invitations_at_once: 1,
            ..limits
        },
        // The next command makes a snapshot of it.
        snapshot_after_bytes: 1,
        ..Config::default()
    });
    assert_eq!(alice.owner().poll().issued(), before);
    let ids: Vec<_> = before.iter().map(|it| it.id).collect();
    assert_eq!(ids, all, "in the order in which they were issued");
    is_full(hosts(&mut alice, more));
    let carol = alice.admits(CAROL);
    let used = alice.hears(carol, numbered(1, redeem(last)));
    assert_eq!(used.refusal(carol).1, ErrorCode::InvitationUsed);
    let said = alice.hears(carol, numbered(2, redeem(first)));
    assert!(matches!(said.to(carol)[..], [Message::Ack(_)]), "{said:?}");
    let snapshot = |output: &Output| matches!(output, Output::Persist(it) if matches!(it.record, Record::JournalSnapshot { .. }));
    assert!(said.0.iter().any(snapshot));
    let poll = alice.restored_owner();
    let used = poll.poll().issued().into_iter();
    let used = used.filter(|it| it.used == Some(true)).map(|it| it.id);
    assert!(used.eq([all[first], all[last]]));
}

#[test]
fn of_too_many_links_that_of_somebody_without_an_invitation_goes() {
    let mut alice = bench();
    let bob = alice.admits(BOB);
    alice.hears(bob, numbered(1, redeem(room().poll_id, 1)));
    alice.restarts_with(Config {
        max_links: 2,
        ..Config::default()
    });
    let (carol, dave) = (alice.admits(CAROL), alice.admits(DAVE));
    let bob = alice.admits(BOB);
    assert!(alice.is_served(bob) && alice.is_served(carol));
    assert!(!alice.is_served(dave), "the newest of those who only look");
}

#[test]
fn the_host_hears_of_a_redemption_as_of_any_change() {
    let world = &mut World::new();
    let (alice, bob, _carol) = three(world, Ballots::Secret);
    let poll_id = alice.room.id().poll_id;
    let mut events = alice.room.events();
    done(world, &bob.room, redeem(poll_id, 1));
    let heard = told(&mut events);
    assert!(
        heard
            .iter()
            .any(|it| matches!(it, Event::PollChanged { .. })),
        "{heard:?}"
    );
}

#[cfg(feature = "planted")]
#[test]
fn without_the_mendings_these_fail() {
    use common::without;
    use hustings_protocol::planted::Fault;

    let cases: [(Fault, fn()); 5] = [
        (
            Fault::TellsInvitations,
            an_invitation_makes_one_voter_and_others_hear_how_many,
        ),
        (
            Fault::InvitationTwice,
            of_two_who_redeem_the_same_at_once_one_votes,
        ),
        (
            Fault::InvitationsNotKept,
            what_was_redeemed_stays_so_when_the_owner_starts_again,
        ),
        (
            Fault::UninvitedVote,
            an_invitation_makes_one_voter_and_others_hear_how_many,
        ),
        (
            Fault::KeepsPassing,
            whoever_only_looks_leaves_nothing_behind,
        ),
    ];
    for (fault, test) in cases {
        without(fault, test);
    }
}
