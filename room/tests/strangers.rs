//! Bounds on strangers: links, names, rejections. And claims that they may not make.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use std::time::Duration;

use common::bench::{Bench, Outputs};
use common::people::{
    ALICE, BOB, CAROL, Person, add_option, call_me, command_id, frame_of, hello, numbered, option,
    revision, room, vote,
};
use hustings_protocol::{Command, CommandId, DeviceId, ErrorCode, Hello, Limits, Message};
use hustings_room::{Config, DownReason, Event, Host, LinkId};
use uuid::Uuid;

fn hosting(config: Config) -> Bench<Host> {
    Bench::hosting_with(config)
}

fn stranger(number: u8) -> Person {
    Person(100 + number)
}

fn on_device(who: Person, device: u8) -> Hello {
    Hello {
        device: DeviceId::from_bytes([device; 5]),
        ..hello(who, room())
    }
}

fn a_vote() -> Command {
    vote(room().poll_id, option(1))
}

/// Nobody's poll takes it.
fn a_bad_vote() -> Command {
    vote(room().poll_id, option(404))
}

/// Somebody goes through the handshake, and may be turned away at its end.
fn tries(alice: &mut Bench<Host>, who: Person, hello: Hello) -> Result<LinkId, ErrorCode> {
    let (link, _) = alice.link();
    let (link, said) = alice.proves(link, who, hello);
    if said.hangs_up(link) {
        Err(said.refusal(link).1)
    } else {
        Ok(link)
    }
}

#[test]
fn links_that_say_nothing_make_room_for_those_who_do() {
    let mut alice = hosting(Config {
        max_handshakes: 2,
        ..Config::default()
    });
    let silent: Vec<LinkId> = (0..5).map(|_| alice.link().0).collect();
    let bob = alice.admits(BOB);
    assert!(alice.is_served(bob));
    let greeted = |alice: &mut Bench<Host>, link| {
        let said = alice.hears(link, Message::Hello(hello(CAROL, room())).encode());
        !said.to(link).is_empty()
    };
    assert!(!greeted(&mut alice, silent[2]), "it was there too long");
    assert!(greeted(&mut alice, silent[4]));
}

#[test]
fn a_member_finds_a_place_where_strangers_have_taken_them_all() {
    let mut alice = hosting(Config {
        max_links: 2,
        ..Config::default()
    });
    let bob = alice.admits(BOB);
    alice.hears(bob, numbered(1, a_vote()));
    alice.loses(bob, hustings_room::DownReason::ClosedByPeer);
    let first = tries(&mut alice, stranger(1), hello(stranger(1), room())).unwrap();
    let second = tries(&mut alice, stranger(2), hello(stranger(2), room())).unwrap();
    let third = tries(&mut alice, stranger(3), hello(stranger(3), room()));
    assert_eq!(third, Err(ErrorCode::Busy));

    let bob = tries(&mut alice, BOB, hello(BOB, room())).unwrap();
    assert!(alice.is_served(bob) && alice.is_served(first));
    assert!(!alice.is_served(second), "the newest goes first");
    // On a new link, too, while all places are taken.
    let again = tries(&mut alice, BOB, hello(BOB, room())).unwrap();
    assert!(alice.is_served(again) && !alice.is_served(bob));
}

#[test]
fn a_host_without_room_is_told_once_and_again_when_there_is_some() {
    let mut alice = hosting(Config {
        max_links: 2,
        ..Config::default()
    });
    let told = |said: &Outputs| -> Vec<bool> {
        let events = said.events();
        let room = events.iter().filter_map(|event| match event {
            Event::Full(is_full) => Some(*is_full),
            _ => None,
        });
        room.collect()
    };
    let comes = |alice: &mut Bench<Host>, who: Person| {
        let (link, _) = alice.link();
        let (link, said) = alice.proves(link, who, hello(who, room()));
        (link, told(&said))
    };
    let (first, said) = comes(&mut alice, stranger(1));
    assert!(said.is_empty());
    let (second, said) = comes(&mut alice, stranger(2));
    assert!(said.is_empty(), "nobody was turned away");
    assert!(!alice.machine.is_full());
    for number in 3..6 {
        let (_, said) = comes(&mut alice, stranger(number));
        let once: &[bool] = if number == 3 { &[true] } else { &[] };
        assert_eq!(said, *once, "and not for each of them");
        assert!(alice.machine.is_full());
    }
    // A new link of the same device takes no other's place, and leaves none.
    let (first_again, said) = comes(&mut alice, stranger(1));
    assert!(said.is_empty());
    assert!(!alice.is_served(first) && alice.is_served(first_again));

    let said = alice.loses(second, DownReason::ClosedByPeer);
    assert_eq!(told(&said), [false]);
    assert!(!alice.machine.is_full());
    let (bob, said) = comes(&mut alice, BOB);
    assert!(said.is_empty());
    alice.hears(bob, numbered(1, a_vote()));

    // By the silence of one end, too, and when a poll is closed.
    let (_, said) = comes(&mut alice, stranger(7));
    assert_eq!(said, [true]);
    let said = alice.waits(Duration::from_secs(3600));
    assert_eq!(told(&said), [false]);
    assert!(!alice.is_served(bob) && !alice.machine.is_full());
}

#[test]
fn whoever_makes_room_for_a_member_is_turned_away() {
    let mut alice = hosting(Config {
        max_links: 1,
        ..Config::default()
    });
    let bob = alice.admits(BOB);
    alice.hears(bob, numbered(1, a_vote()));
    alice.loses(bob, DownReason::ClosedByPeer);
    tries(&mut alice, stranger(1), hello(stranger(1), room())).unwrap();
    let (link, _) = alice.link();
    let (_, said) = alice.proves(link, BOB, hello(BOB, room()));
    let full = |event: &Event| matches!(event, Event::Full(_));
    let told: Vec<Event> = said.events().into_iter().filter(full).collect();
    assert_eq!(told, [Event::Full(true)], "the place was taken again");
}

#[test]
fn one_identity_has_as_many_links_as_one_person_needs() {
    let mut alice = hosting(Config {
        max_links_per_peer: 3,
        ..Config::default()
    });
    let carol = alice.admits(CAROL);
    let links: Vec<LinkId> = (0..5)
        .map(|device| tries(&mut alice, BOB, on_device(BOB, device)).unwrap())
        .collect();
    let served: Vec<bool> = links.iter().map(|link| alice.is_served(*link)).collect();
    assert_eq!(served, [false, false, true, true, true]);
    assert!(alice.is_served(carol));
}

#[test]
fn one_identity_has_as_many_devices_as_an_owner_remembers() {
    let mut alice = hosting(Config {
        max_devices_per_peer: 2,
        ..Config::default()
    });
    for device in 0..2 {
        let link = tries(&mut alice, BOB, on_device(BOB, device)).unwrap();
        alice.hears(
            link,
            frame_of(1, command_id(90 + u64::from(device)), a_bad_vote()),
        );
        alice.loses(link, hustings_room::DownReason::ClosedByPeer);
    }
    assert_eq!(
        tries(&mut alice, BOB, on_device(BOB, 2)),
        Err(ErrorCode::Busy)
    );
    tries(&mut alice, BOB, on_device(BOB, 1)).unwrap();
    tries(&mut alice, CAROL, hello(CAROL, room())).unwrap();
}

#[test]
fn rejections_of_strangers_are_remembered_as_far_as_there_is_room() {
    let mut alice = hosting(Config {
        max_stranger_receipts: 3,
        ..Config::default()
    });
    for number in 0..3 {
        let link = alice.admits(stranger(number));
        let said = alice.hears(link, numbered(1, a_bad_vote()));
        assert_eq!(said.refusal(link).1, ErrorCode::UnknownOption);
    }
    for is_restarted in [false, true] {
        if is_restarted {
            alice.restarts_with(Config {
                max_stranger_receipts: 3,
                ..Config::default()
            });
        }
        let late = alice.admits(stranger(9));
        let said = alice.hears(late, numbered(1, a_bad_vote()));
        assert_eq!(said.refusal(late), (None, ErrorCode::Busy));
        assert!(said.hangs_up(late) && !said.keeps_anything());
        // Whoever is remembered gets the same answer again.
        let known = alice.admits(stranger(0));
        let said = alice.hears(known, numbered(1, a_bad_vote()));
        assert_eq!(said.refusal(known).1, ErrorCode::UnknownOption);
    }
    // The owner is no stranger, even one who has not voted.
    let (submitted, said) = alice.tell(|host, now| host.submit(room().poll_id, a_bad_vote(), now));
    submitted.unwrap();
    assert!(said.keeps_anything(), "{said:?}");
    // A good vote needs no room, and its author's rejections are a member's.
    let bob = alice.admits(BOB);
    assert!(!alice.hears(bob, numbered(1, a_vote())).hangs_up(bob));
    assert!(!alice.hears(bob, numbered(2, a_bad_vote())).hangs_up(bob));
    // One who was a stranger makes room by becoming a member.
    let known = alice.admits(stranger(1));
    alice.hears(known, numbered(2, a_vote()));
    let late = alice.admits(stranger(9));
    let said = alice.hears(late, numbered(1, a_bad_vote()));
    assert_eq!(said.refusal(late).1, ErrorCode::UnknownOption);
}

#[test]
fn names_alone_do_not_fill_the_poll() {
    let limits = Limits {
        max_members: 4,
        ..Limits::default()
    };
    let mut alice = hosting(Config {
        limits,
        ..Config::default()
    });
    let names = (0..4).map(|number| {
        let link = alice.admits(stranger(number));
        let said = alice.hears(link, numbered(1, call_me("Nobody")));
        matches!(said.to(link)[..], [Message::Ack(_)])
    });
    assert_eq!(names.collect::<Vec<_>>(), [true, true, false, false]);
    let bob = alice.admits(BOB);
    let said = alice.hears(bob, numbered(1, a_vote()));
    assert!(matches!(said.to(bob)[..], [Message::Ack(_)]));
    let said = alice.hears(bob, numbered(2, call_me("Bob")));
    assert!(matches!(said.to(bob)[..], [Message::Ack(_)]), "a member");
    // Who votes after all makes room for another name.
    let link = alice.admits(stranger(0));
    alice.hears(link, numbered(2, a_vote()));
    let link = alice.admits(stranger(7));
    let said = alice.hears(link, numbered(1, call_me("Seven")));
    assert!(matches!(said.to(link)[..], [Message::Ack(_)]));
}

#[test]
fn a_poll_never_outgrows_what_a_frame_may_have() {
    let limits = Limits {
        max_frame_bytes: 4_000,
        ..Limits::default()
    };
    let mut alice = hosting(Config {
        limits,
        ..Config::default()
    });
    let poll_id = room().poll_id;
    let mut last = None;
    for number in 0..40_u64 {
        let command = match number % 2 {
            0 => call_me(&"\"".repeat(64)),
            _ => {
                let label = format!("{number}{}", "x".repeat(190));
                add_option(poll_id, option(100 + u128::from(number)), &label)
            }
        };
        let (submitted, said) = alice.tell(|host, now| host.submit(poll_id, command, now));
        submitted.unwrap();
        last = Some(said);
    }
    let last = format!("{:?}", last.unwrap());
    assert!(last.contains("PollFull"), "{last}");
    let journal = hustings_room::driver::records::load_journal(&alice.disk, room());
    let journal = common::bench::ready(journal).unwrap();
    assert!(journal.log.snapshot.1.len() <= 4_000);
    let (_, said) = alice.admits_with(BOB, hello(BOB, room()));
    let link = LinkId::accepted(1);
    let frames = said.frames(link);
    assert!(frames.iter().all(|frame| frame.len() <= 4_000));
    // What does not make it larger is taken.
    let (submitted, said) = alice.tell(|host, now| {
        let closed = hustings_protocol::SettingsUpdate::new(poll_id).closed(true);
        host.submit(poll_id, Command::UpdateSettings(closed), now)
    });
    submitted.unwrap();
    assert!(!format!("{said:?}").contains("PollFull"));
}

#[test]
fn a_command_that_is_too_large_for_its_owner_is_rejected_in_its_order() {
    let limits = Limits {
        max_command_bytes: 1_000,
        ..Limits::default()
    };
    let mut alice = hosting(Config {
        limits,
        ..Config::default()
    });
    let bob = alice.admits(BOB);
    let large = vote(room().poll_id, option(1));
    let Command::Vote(mut large) = large else {
        unreachable!()
    };
    large.option_ids = (0..60).map(option).collect();
    let frame = numbered(1, Command::Vote(large));
    assert!(frame.len() > 1_000);
    for _ in 0..2 {
        let said = alice.hears(bob, &frame);
        assert_eq!(
            said.refusal(bob),
            (Some(command_id(1)), ErrorCode::TooLarge)
        );
        assert!(!said.hangs_up(bob));
    }
    let said = alice.hears(bob, numbered(2, a_vote()));
    assert!(matches!(said.to(bob)[..], [Message::Ack(_)]));
    // Out of its order it is as any other; and without a name nobody can tell which one it was.
    let late = numbered(
        9,
        Command::SetProfile(hustings_protocol::UserProfile {
            name: "x".repeat(2_000),
        }),
    );
    let said = alice.hears(bob, late);
    assert_eq!(said.refusal(bob), (None, ErrorCode::SeqGap));
    let bob = alice.admits(BOB);
    let said = alice.hears(bob, "x".repeat(2_000));
    assert_eq!(said.refusal(bob), (None, ErrorCode::TooLarge));
    assert!(alice.is_served(bob));
}

#[test]
fn a_crowd_that_comes_together_is_told_of_together() {
    let mut alice = hosting(Config {
        presence_interval: Duration::from_secs(1),
        ..Config::default()
    });
    let told = |said: &common::bench::Outputs, link| {
        let lists = said
            .to(link)
            .into_iter()
            .filter_map(|message| match message {
                Message::Discovery(peers) => Some(peers.len()),
                _ => None,
            });
        lists.collect::<Vec<_>>()
    };
    let (bob, said) = alice.admits_with(BOB, hello(BOB, room()));
    assert_eq!(told(&said, bob), [2, 1], "everybody, and then that he came");
    let mut lists = Vec::new();
    for number in 0..50 {
        let who = stranger(number);
        let (link, said) = alice.admits_with(who, hello(who, room()));
        lists.append(&mut said.frames(link).split_off(1));
        assert_eq!(told(&said, bob), [0; 0], "not yet");
    }
    let first = lists[0].as_ptr();
    assert!(lists.iter().all(|list| list.as_ptr() == first), "one list");
    // One is gone and back before anybody hears of it.
    let again = stranger(7);
    let (_, said) = alice.admits_with(again, hello(again, room()));
    assert_eq!(told(&said, bob), [0; 0]);
    let said = alice.waits(Duration::from_secs(1));
    assert_eq!(told(&said, bob), [50]);
    assert_eq!(alice.owner().peers().len(), 52);
    assert_eq!(told(&alice.waits(Duration::from_secs(9)), bob), [0; 0]);
}

/// To tell a hundred takes half a second of what browsers have, so it is done that often.
#[test]
fn many_hear_less_often_of_those_who_come() {
    let mut alice = hosting(Config {
        presence_interval: Duration::from_nanos(1),
        ..Config::default()
    });
    let (bob, _) = alice.admits_with(BOB, hello(BOB, room()));
    let comes = |alice: &mut Bench<Host>, number, wait| {
        let who = stranger(number);
        let mut said = alice.admits_with(who, hello(who, room())).1;
        said.0.append(&mut alice.waits(wait).0);
        let to_bob = said.to(bob).into_iter();
        to_bob
            .filter(|message| matches!(message, Message::Discovery(_)))
            .count()
    };
    for number in 0..98 {
        comes(&mut alice, number, Duration::from_millis(50));
    }
    alice.waits(Duration::from_secs(1));
    let told: Vec<_> = (98..104)
        .map(|number| comes(&mut alice, number, Duration::from_millis(200)))
        .collect();
    assert_eq!(told, [1, 0, 1, 0, 0, 1]);
}

/// The bytes that everybody is sent while so many join, one after the other.
fn bytes_of_joins(people: u8) -> usize {
    let mut alice = hosting(Config {
        max_listed_peers: 4,
        ..Config::default()
    });
    let mut links = Vec::new();
    let mut bytes = 0;
    for number in 0..people {
        let who = stranger(number);
        let (link, mut said) = alice.admits_with(who, hello(who, room()));
        links.push(link);
        // What is told together is told later.
        said.0.append(&mut alice.waits(Duration::from_secs(1)).0);
        let frames = links.iter().flat_map(|link| said.frames(*link));
        bytes += frames.map(|frame| frame.len()).sum::<usize>();
    }
    bytes
}

#[test]
fn a_join_among_many_is_told_to_none_of_them() {
    let (some, twice) = (bytes_of_joins(40), bytes_of_joins(80));
    println!("{some} bytes for 40 joins, {twice} for 80");
    assert!(twice < some * 5 / 2, "{twice} bytes, and {some} for half");
}

#[test]
fn of_a_crowd_the_others_hear_of_the_first() {
    let mut alice = hosting(Config {
        max_listed_peers: 3,
        ..Config::default()
    });
    let device = |number| (stranger(number).peer(), stranger(number).device());
    let lists = |said: &common::bench::Outputs, link| -> Vec<Vec<_>> {
        let messages = said.to(link).into_iter();
        let lists = messages.filter_map(|message| match message {
            Message::Discovery(peers) => Some(peers),
            _ => None,
        });
        let named = |peers: Vec<hustings_protocol::PeerInfo>| {
            let peers = peers.into_iter();
            let mut all: Vec<_> = peers
                .map(|it| ((it.peer_id, it.device), it.online))
                .collect();
            all.sort_unstable();
            all
        };
        lists.map(named).collect()
    };
    let mut links = Vec::new();
    for number in 0..6 {
        let who = stranger(number);
        let (link, said) = alice.admits_with(who, hello(who, room()));
        let listed = usize::from(number < 3) + links.len().min(3);
        assert_eq!(lists(&said, link)[0].len(), 1 + listed, "and the owner");
        let told = links.first().map(|first| lists(&said, *first));
        let expected = match number {
            0 => None,
            1 | 2 => Some(vec![vec![(device(number), true)]]),
            _ => Some(vec![]),
        };
        assert_eq!(told, expected);
        links.push(link);
    }
    assert_eq!(alice.owner().peers().len(), 7, "the owner knows them all");
    // One of whom nobody has heard goes; then one of the others, and the next takes the place, who
    // has come again by another link meanwhile.
    let said = alice.loses(links[3], DownReason::ClosedByPeer);
    assert_eq!(lists(&said, links[0]), [[]; 0]);
    let again = stranger(4);
    links[4] = alice.admits_with(again, hello(again, room())).0;
    let said = alice.loses(links[1], DownReason::ClosedByPeer);
    let mut changed = vec![(device(1), false), (device(4), true)];
    changed.sort_unstable();
    assert_eq!(lists(&said, links[5]), [changed]);
    // As many as before, and nothing is left of those who are gone.
    let (link, said) = alice.admits_with(BOB, hello(BOB, room()));
    let mut first: Vec<_> = [0, 2, 4].map(|it| (device(it), true)).into();
    first.push(((ALICE.peer(), ALICE.device()), true));
    first.sort_unstable();
    assert_eq!(lists(&said, link)[0], first);
}

#[test]
fn a_command_id_is_of_version_7() {
    let mut alice = hosting(Config::default());
    let bob = alice.admits(BOB);
    let random = CommandId::from_uuid(Uuid::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef));
    let said = alice.hears(bob, frame_of(1, random, a_vote()));
    assert_eq!(said.refusal(bob), (Some(random), ErrorCode::BadField));
    let said = alice.hears(bob, numbered(2, a_vote()));
    assert!(matches!(said.to(bob)[..], [Message::Ack(_)]));
}

#[test]
fn an_update_that_cannot_be_read_is_asked_for_at_once() {
    let mut bob = Bench::joining(BOB);
    let link = bob.joins();
    let later = br#"{"type":"poll:confetti","commandId":"01928bd9-6c00-7000-8000-000000000001","seq":1,"author":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","device":"aaaaaaaa","revision":1,"payload":{}}"#;
    let said = bob.hears(link, later);
    assert!(
        matches!(said.to(link)[..], [Message::SyncRequest(it)] if it.known.unwrap().revision == revision(0))
    );
    // The same again: then the whole poll has to be.
    let said = bob.hears(link, later);
    assert!(matches!(said.to(link)[..], [Message::SyncRequest(it)] if it.known.is_none()));
    let said = bob.hears(link, later);
    assert_eq!(said.to(link), []);
}

#[test]
fn a_device_that_is_back_takes_no_other_devices_place() {
    let mut alice = hosting(Config {
        max_links_per_peer: 2,
        ..Config::default()
    });
    let first = tries(&mut alice, BOB, on_device(BOB, 1)).unwrap();
    let second = tries(&mut alice, BOB, on_device(BOB, 2)).unwrap();
    let again = tries(&mut alice, BOB, on_device(BOB, 2)).unwrap();
    assert!(alice.is_served(first) && alice.is_served(again));
    assert!(!alice.is_served(second), "it is on another link now");
}

#[test]
fn what_members_do_makes_no_room_for_strangers_and_takes_none() {
    let config = || Config {
        max_stranger_receipts: 2,
        ..Config::default()
    };
    let mut alice = hosting(config());
    let poll_id = room().poll_id;
    let bob = alice.admits(BOB);
    alice.hears(bob, numbered(1, a_vote()));
    for number in 2..=4 {
        alice.hears(bob, numbered(number, a_bad_vote()));
        alice
            .tell(|host, now| host.submit(poll_id, a_bad_vote(), now))
            .0
            .unwrap();
    }
    alice.restarts_with(config());
    let answer = |alice: &mut Bench<Host>, number| {
        let link = alice.admits(stranger(number));
        alice.hears(link, numbered(1, a_bad_vote())).refusal(link).1
    };
    assert_eq!(answer(&mut alice, 0), ErrorCode::UnknownOption);
    assert_eq!(answer(&mut alice, 1), ErrorCode::UnknownOption);
    assert_eq!(answer(&mut alice, 2), ErrorCode::Busy);
    // A member votes again; the owner, who was always there, for the first time.
    let bob = alice.admits(BOB);
    assert!(!alice.hears(bob, numbered(5, a_vote())).hangs_up(bob));
    alice
        .tell(|host, now| host.submit(poll_id, a_vote(), now))
        .0
        .unwrap();
    assert_eq!(answer(&mut alice, 2), ErrorCode::Busy);
}

/// Each mending is needed: without it one of the tests here goes red.
#[cfg(feature = "planted")]
#[test]
fn without_the_mendings_these_fail() {
    use common::without;
    use hustings_protocol::planted::Fault;

    let cases: [(Fault, fn()); 8] = [
        (
            Fault::StrangersTakeLinks,
            links_that_say_nothing_make_room_for_those_who_do,
        ),
        (
            Fault::StrangersTakeLinks,
            a_member_finds_a_place_where_strangers_have_taken_them_all,
        ),
        (
            Fault::StrangersFillReceipts,
            rejections_of_strangers_are_remembered_as_far_as_there_is_room,
        ),
        (
            Fault::StrangersFillMembers,
            names_alone_do_not_fill_the_poll,
        ),
        (
            Fault::StateOverLimit,
            a_poll_never_outgrows_what_a_frame_may_have,
        ),
        (
            Fault::TooLargeIsNameless,
            a_command_that_is_too_large_for_its_owner_is_rejected_in_its_order,
        ),
        (Fault::AnyCommandId, a_command_id_is_of_version_7),
        (
            Fault::UnreadableIsMissed,
            an_update_that_cannot_be_read_is_asked_for_at_once,
        ),
    ];
    for (fault, test) in cases {
        without(fault, test);
    }
}

/// A fault that is put back is the one that there was, and no other.
#[cfg(feature = "planted")]
#[test]
fn where_strangers_take_every_link_there_are_some_to_take() {
    use hustings_protocol::planted::{self, Fault};

    planted::with(Some(Fault::StrangersTakeLinks), || {
        let mut alice = hosting(Config::default());
        let bob = alice.admits(BOB);
        assert!(alice.is_served(bob));
    });
}
