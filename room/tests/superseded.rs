//! The choice of a person that counts, when several devices have made one.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for out of everything there is"
)]

mod common;

use common::bench::{Bench, Pair, copy, ready};
use common::people::{
    ALICE, BOB, add_option, decode, frame_of, option, queueing, revision, room, vote,
};
use hustings_outbox::{Batch, Durability, Journal, MemoryStore, Outbox, Store};
use hustings_protocol::{
    Command, CommandId, DeviceId, ErrorCode, Message, OptionId, Position, Seq, StoredJournal, Vote,
};
use hustings_room::driver::records;
use hustings_room::{CommandState, Config, DownReason, Host, Moment, Participant, Setup};

const TEA: u128 = 0;
const COFFEE: u128 = 1;
const WATER: u128 = 2;

/// Bob's device with this number.
fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 5])
}

/// This minute, as a clock shows it.
fn minute(number: u64) -> u64 {
    1_790_000_000_000 + number * 60_000
}

/// Bob in a tab, which starts at this minute by its clock.
fn tab(number: u8, at: u64) -> Bench<Participant> {
    starts(number, at, MemoryStore::new())
}

fn starts(number: u8, at: u64, disk: MemoryStore) -> Bench<Participant> {
    let mut seed = [number; 32];
    seed[..8].copy_from_slice(&at.to_be_bytes());
    let setup = Setup {
        key: BOB.key(),
        device: device(number),
        seed,
        unix_millis: minute(at),
        config: queueing(),
    };
    is_away(Bench::starting_as(setup, disk, Moment::START))
}

/// It finds nobody at first.
fn is_away(mut tab: Bench<Participant>) -> Bench<Participant> {
    let said = tab.drain();
    tab.loses(said.dialled().unwrap(), DownReason::Unreachable);
    tab
}

/// The tab is closed and opened again, at another minute by its clock.
fn again(number: u8, at: u64, tab: &Bench<Participant>) -> Bench<Participant> {
    starts(number, at, copy(&tab.disk))
}

fn for_option(number: u128) -> Command {
    vote(room().poll_id, option(number))
}

fn taken_back() -> Command {
    Command::Vote(Vote {
        poll_id: room().poll_id,
        option_ids: Vec::new(),
    })
}

/// A tab comes to Alice, with all that waits in it. Returns what becomes of that.
fn comes(alice: &mut Bench<Host>, tab: &mut Bench<Participant>) -> (Pair, Vec<CommandState>) {
    let said = tab.tell(Participant::handle_wake).1;
    let (pair, _, said) = Pair::connect(alice, tab, &said);
    assert!(tab.is_connected());
    assert!(tab.machine.pending().is_empty());
    (pair, said.outcomes())
}

/// A tab whose connection is broken comes back.
fn comes_back(
    alice: &mut Bench<Host>,
    tab: &mut Bench<Participant>,
    pair: Pair,
) -> (Pair, Vec<CommandState>) {
    let said = pair.breaks(alice, tab);
    let (pair, _, said) = Pair::connect(alice, tab, &said);
    (pair, said.outcomes())
}

/// A tab that is connected submits something. Returns what becomes of it.
fn submits(
    alice: &mut Bench<Host>,
    tab: &mut Bench<Participant>,
    pair: Pair,
    command: Command,
) -> CommandState {
    let (submitted, said) = tab.tell(|it, now| it.submit(command, now));
    submitted.unwrap();
    let (_, said) = pair.deliver(alice, tab, said);
    let outcomes = said.outcomes();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes[0].clone()
}

/// A tab that is not connected submits something, which waits.
fn queues(tab: &mut Bench<Participant>, command: Command) -> CommandId {
    let (submitted, said) = tab.tell(|it, now| it.submit(command, now));
    assert_eq!(said.outcomes(), []);
    submitted.unwrap()
}

fn applied(number: u64) -> CommandState {
    CommandState::Applied(revision(number))
}

fn is_superseded(state: &CommandState) -> bool {
    matches!(state, CommandState::Rejected(why) if why.code == ErrorCode::Superseded)
}

fn counts(alice: &Bench<Host>) -> Vec<OptionId> {
    alice.owner().poll().choices(BOB.peer()).to_vec()
}

/// Alice's journal as it is, read anew.
fn restarts(alice: &mut Bench<Host>) {
    let before = alice.owner().poll().clone();
    alice.restarts();
    assert_eq!(alice.owner().poll(), &before);
    assert_eq!(
        alice.owner().poll().cast(BOB.peer()),
        before.cast(BOB.peer()),
        "also what is no part of the comparison"
    );
}

/// The trial: a tab is closed while its vote waits; another one votes and is told that it counts;
/// then the first vote comes.
#[test]
fn an_older_vote_that_comes_late_does_not_count() {
    let mut alice = Bench::hosting();
    let (mut first, mut second) = (tab(1, 0), tab(2, 5));
    queues(&mut first, for_option(TEA));
    let (pair, _) = comes(&mut alice, &mut second);
    let coffee = submits(&mut alice, &mut second, pair, for_option(COFFEE));
    assert_eq!(coffee, applied(1));

    let (_, late) = comes(&mut alice, &mut first);
    assert!(matches!(&late[..], [it] if is_superseded(it)), "{late:?}");
    assert_eq!(counts(&alice), [option(COFFEE)]);
    assert_eq!(
        alice.owner().revision(),
        revision(1),
        "it costs no revision"
    );
    assert_eq!(first.machine.confirmed(), Some(alice.owner().poll()));
}

#[test]
fn it_is_the_same_in_the_other_order() {
    let mut alice = Bench::hosting();
    let (mut first, mut second) = (tab(1, 0), tab(2, 5));
    queues(&mut first, for_option(TEA));
    queues(&mut second, for_option(COFFEE));
    assert_eq!(comes(&mut alice, &mut first).1, [applied(1)]);
    assert_eq!(comes(&mut alice, &mut second).1, [applied(2)]);
    assert_eq!(counts(&alice), [option(COFFEE)]);
}

/// The second vote is made in front of the first one, on a device whose clock is an hour behind.
#[test]
fn a_vote_that_knew_of_the_other_replaces_it_whatever_the_clocks_say() {
    for (of_first, of_second) in [(60, 0), (0, 60), (0, 0)] {
        let mut alice = Bench::hosting();
        let (mut first, mut second) = (tab(1, of_first), tab(2, of_second));
        let (at_first, _) = comes(&mut alice, &mut first);
        let tea = submits(&mut alice, &mut first, at_first, for_option(TEA));
        assert_eq!(tea, applied(1));
        let (at_second, _) = comes(&mut alice, &mut second);
        let coffee = submits(&mut alice, &mut second, at_second, for_option(COFFEE));
        assert_eq!(coffee, applied(2));
        // And back again, once the first tab has seen that.
        let (at_first, _) = comes_back(&mut alice, &mut first, at_first);
        let water = submits(&mut alice, &mut first, at_first, for_option(WATER));
        assert_eq!(water, applied(3));
        assert_eq!(counts(&alice), [option(WATER)]);
    }
}

/// It is about what the person had seen when they chose, not about what their tab sees when it
/// sends.
#[test]
fn a_vote_that_waited_knows_what_it_knew_when_it_was_made() {
    let mut alice = Bench::hosting();
    let (mut first, mut second) = (tab(1, 0), tab(2, 5));
    let (at_first, _) = comes(&mut alice, &mut first);
    alice.loses(at_first.at_owner, DownReason::Unreachable);
    first.loses(at_first.at_participant, DownReason::Unreachable);
    queues(&mut first, for_option(TEA));
    let (at_second, _) = comes(&mut alice, &mut second);
    submits(&mut alice, &mut second, at_second, for_option(COFFEE));

    // Started anew, by a clock that has gone on, as whoever adopts an outbox does.
    let mut adopted = again(1, 10, &first);
    let (_, late) = comes(&mut alice, &mut adopted);
    assert!(matches!(&late[..], [it] if is_superseded(it)), "{late:?}");
    assert_eq!(counts(&alice), [option(COFFEE)]);
}

/// Without knowledge the clocks decide, and a wrong one decides wrongly: of the two that did not
/// know of each other nothing else is known.
#[test]
fn of_two_that_did_not_know_of_each_other_the_later_by_its_clock_counts() {
    for first_comes_first in [true, false] {
        let mut alice = Bench::hosting();
        let (mut ahead, mut behind) = (tab(1, 60), tab(2, 0));
        queues(&mut ahead, for_option(TEA));
        queues(&mut behind, for_option(COFFEE));
        let (one, other) = match first_comes_first {
            true => (&mut ahead, &mut behind),
            false => (&mut behind, &mut ahead),
        };
        comes(&mut alice, one);
        comes(&mut alice, other);
        assert_eq!(counts(&alice), [option(TEA)]);
    }
}

#[test]
fn the_votes_of_one_device_keep_their_order_when_its_clock_goes_back() {
    let mut alice = Bench::hosting();
    let mut first = tab(1, 60);
    queues(&mut first, for_option(TEA));
    let mut first = again(1, 0, &first);
    queues(&mut first, for_option(COFFEE));
    let (_, both) = comes(&mut alice, &mut first);
    assert_eq!(both, [applied(1), applied(2)]);
    assert_eq!(counts(&alice), [option(COFFEE)]);
}

#[test]
fn taking_a_vote_back_is_a_choice_too() {
    let mut alice = Bench::hosting();
    let (mut first, mut second) = (tab(1, 0), tab(2, 5));
    queues(&mut first, for_option(TEA));
    let (pair, _) = comes(&mut alice, &mut second);
    submits(&mut alice, &mut second, pair, for_option(COFFEE));
    submits(&mut alice, &mut second, pair, taken_back());
    restarts(&mut alice);
    let (_, late) = comes(&mut alice, &mut first);
    assert!(matches!(&late[..], [it] if is_superseded(it)), "{late:?}");
    assert!(counts(&alice).is_empty());

    // One that was taken back before, and comes after.
    let (mut alice, mut first) = (Bench::hosting(), tab(1, 0));
    queues(&mut first, taken_back());
    let mut second = tab(2, 5);
    let (pair, _) = comes(&mut alice, &mut second);
    submits(&mut alice, &mut second, pair, for_option(COFFEE));
    let (_, late) = comes(&mut alice, &mut first);
    assert!(matches!(&late[..], [it] if is_superseded(it)), "{late:?}");
    assert_eq!(counts(&alice), [option(COFFEE)]);
}

#[test]
fn what_comes_behind_a_vote_that_does_not_count_is_applied() {
    let mut alice = Bench::hosting();
    let (mut first, mut second) = (tab(1, 0), tab(2, 5));
    queues(&mut first, for_option(TEA));
    queues(&mut first, add_option(room().poll_id, option(9), "Milk"));
    let (pair, _) = comes(&mut alice, &mut second);
    submits(&mut alice, &mut second, pair, for_option(COFFEE));
    let (_, late) = comes(&mut alice, &mut first);
    assert!(
        matches!(&late[..], [it, next] if is_superseded(it) && *next == applied(2)),
        "{late:?}"
    );
}

/// The outcome is the same whenever it is asked for.
#[test]
fn a_vote_that_does_not_count_never_will() {
    let mut alice = Bench::hosting();
    let (mut first, mut second) = (tab(1, 0), tab(2, 5));
    queues(&mut first, for_option(TEA));
    let before = copy(&first.disk);
    let (pair, _) = comes(&mut alice, &mut second);
    submits(&mut alice, &mut second, pair, for_option(COFFEE));
    let (_, late) = comes(&mut alice, &mut first);
    submits(&mut alice, &mut second, pair, taken_back());
    restarts(&mut alice);
    // The outbox is an old copy, in which it still waits.
    let mut first = starts(1, 20, before);
    let (_, again) = comes(&mut alice, &mut first);
    assert_eq!(again, late);
    assert!(counts(&alice).is_empty());
}

// The owner.

#[test]
fn the_owner_at_home_and_in_another_tab_is_one_person() {
    let mut alice = Bench::hosting();
    let setup = Setup {
        device: device(9),
        ..ALICE.setup(5, queueing())
    };
    let elsewhere = Bench::starting_as(setup, MemoryStore::new(), Moment::START);
    let mut elsewhere = is_away(elsewhere);
    queues(&mut elsewhere, for_option(TEA));
    // Later, by a clock that may not say so: the owner has always seen everything.
    alice.now = Moment::from_millis(60_000);
    let submit = |alice: &mut Bench<Host>, command| {
        let poll_id = room().poll_id;
        let (submitted, said) = alice.tell(|host, now| host.submit(poll_id, command, now));
        submitted.unwrap();
        said.outcomes()
    };
    assert_eq!(submit(&mut alice, for_option(COFFEE)), [applied(1)]);
    let (pair, late) = comes(&mut alice, &mut elsewhere);
    assert!(matches!(&late[..], [it] if is_superseded(it)), "{late:?}");
    let water = submits(&mut alice, &mut elsewhere, pair, for_option(WATER));
    assert_eq!(water, applied(2));
    alice.now = Moment::START;
    assert_eq!(submit(&mut alice, for_option(TEA)), [applied(3)]);
}

// The journal.

/// An owner that makes a snapshot of nearly every update.
fn compacting() -> Config {
    Config {
        snapshot_after_bytes: 1,
        ..Config::default()
    }
}

fn journal(alice: &Bench<Host>) -> StoredJournal {
    ready(records::load_journal(&alice.disk, room())).unwrap()
}

/// The journal becomes a snapshot as it was written before casts were remembered.
fn forgets_casts(alice: &Bench<Host>) {
    let revision = alice.owner().revision();
    let kept = journal(alice).log.tail.into_iter().last();
    let Message::Update(last) = decode(&kept.unwrap().1) else {
        panic!("a tail of updates");
    };
    let frame = alice.owner().poll().encode_state(Position {
        epoch: alice.owner().epoch(),
        revision,
        history: last.history,
    });
    let mut batch = Batch::new();
    Journal::new(room()).put_snapshot(&mut batch, revision, &frame, revision);
    ready(alice.disk.commit(batch, Durability::Strict));
}

#[test]
fn it_is_remembered_in_the_snapshots_of_the_journal() {
    for compacts in [false, true] {
        let config = match compacts {
            true => compacting(),
            false => Config::default(),
        };
        let mut alice = Bench::hosting_with(config.clone());
        let (mut first, mut second) = (tab(1, 0), tab(2, 5));
        queues(&mut first, for_option(TEA));
        let (pair, _) = comes(&mut alice, &mut second);
        submits(&mut alice, &mut second, pair, for_option(COFFEE));
        for number in 0..20 {
            let label = format!("Number {number}");
            let more = add_option(room().poll_id, option(10 + number), &label);
            submits(&mut alice, &mut second, pair, more);
        }
        let at = journal(&alice).log.snapshot.0;
        assert_eq!(at > revision(1), compacts, "{at}");
        restarts(&mut alice);
        let (_, late) = comes(&mut alice, &mut first);
        assert!(matches!(&late[..], [it] if is_superseded(it)), "{late:?}");
    }
}

#[test]
fn nobody_is_told_how_a_choice_was_cast() {
    let mut alice = Bench::hosting_with(compacting());
    let mut first = tab(1, 0);
    let (pair, _) = comes(&mut alice, &mut first);
    for number in 0..20 {
        submits(&mut alice, &mut first, pair, for_option(number % 2));
    }
    assert!(alice.owner().poll().cast(BOB.peer()).is_some());
    restarts(&mut alice);
    let mut second = tab(2, 5);
    comes(&mut alice, &mut second);
    for tab in [&first, &second] {
        let poll = tab.machine.confirmed().unwrap();
        assert_eq!(poll, alice.owner().poll());
        assert_eq!(poll.cast(BOB.peer()), None);
    }
    let kept = [device(1), device(2)].map(|device| {
        let (_, cache) = ready(records::load_participant(&second.disk, device, room()));
        cache.map(|cache| String::from_utf8(cache.snapshot.1.to_vec()).unwrap())
    });
    let text = kept.into_iter().flatten().next().unwrap();
    assert!(!text.contains("casts"), "{text}");
}

/// As it was written before casts were remembered.
#[test]
fn a_vote_in_an_old_journal_is_replaced_by_any() {
    let mut alice = Bench::hosting();
    let (mut first, mut second) = (tab(1, 0), tab(2, 5));
    queues(&mut first, for_option(TEA));
    let (pair, _) = comes(&mut alice, &mut second);
    submits(&mut alice, &mut second, pair, for_option(COFFEE));
    forgets_casts(&alice);
    alice.restarts();
    assert_eq!(alice.owner().poll().cast(BOB.peer()), None);
    assert_eq!(counts(&alice), [option(COFFEE)]);
    let (_, late) = comes(&mut alice, &mut first);
    assert!(matches!(late[..], [CommandState::Applied(_)]), "{late:?}");
    assert_eq!(counts(&alice), [option(TEA)]);
}

// Outboxes from before, and histories that are lost.

#[test]
fn a_vote_of_an_older_build_says_nothing_of_what_it_had_seen() {
    for (at, counted) in [(0, false), (9, true)] {
        let mut alice = Bench::hosting();
        let mut second = tab(2, 5);
        let (pair, _) = comes(&mut alice, &mut second);
        submits(&mut alice, &mut second, pair, for_option(COFFEE));
        let disk = MemoryStore::new();
        let mut batch = Batch::new();
        let id = CommandId::new(minute(at), [1; 10]);
        let frame = frame_of(1, id, for_option(TEA));
        assert!(!String::from_utf8(frame.to_vec()).unwrap().contains("seen"));
        Outbox::new(device(1), room()).put(&mut batch, Seq::FIRST, frame);
        ready(disk.commit(batch, Durability::Strict));
        let mut old = starts(1, 20, disk);
        let (_, late) = comes(&mut alice, &mut old);
        assert_eq!(is_superseded(&late[0]), !counted, "{late:?}");
    }
}

/// A vote that had seen revisions of a history that is lost had not seen what stands under their
/// numbers now: the later one counts.
#[test]
fn what_was_seen_of_a_lost_history_says_nothing_of_the_present_one() {
    for (at, counted) in [(0, false), (9, true)] {
        let mut alice = Bench::hosting();
        let (mut first, mut second) = (tab(1, at), tab(2, 5));
        let (at_first, _) = comes(&mut alice, &mut first);
        let old = copy(&alice.disk);
        let milk = |number| add_option(room().poll_id, option(number), &format!("Milk {number}"));
        for number in 20..24 {
            submits(&mut alice, &mut first, at_first, milk(number));
        }
        alice.loses(at_first.at_owner, DownReason::Unreachable);
        first.loses(at_first.at_participant, DownReason::Unreachable);
        queues(&mut first, for_option(TEA));

        // The owner's journal becomes an old copy, goes on, and does not notice.
        alice.disk = old;
        alice.restarts();
        let (at_second, _) = comes(&mut alice, &mut second);
        let coffee = submits(&mut alice, &mut second, at_second, for_option(COFFEE));
        assert_eq!(coffee, applied(1));
        for number in 30..36 {
            submits(&mut alice, &mut second, at_second, milk(number));
        }
        let said = first.tell(Participant::handle_wake).1;
        let (_, _, said) = Pair::connect(&mut alice, &mut first, &said);
        let last = said.outcomes().pop().unwrap();
        assert_eq!(is_superseded(&last), !counted, "{last:?}");
        let expected = if counted { TEA } else { COFFEE };
        assert_eq!(counts(&alice), [option(expected)]);
    }
}

/// A revision that is not there yet is a lie, and no use to whoever tells it.
#[test]
fn a_revision_that_nobody_can_have_seen_counts_for_nothing() {
    let mut alice = Bench::hosting();
    let mut second = tab(3, 5);
    let (pair, _) = comes(&mut alice, &mut second);
    submits(&mut alice, &mut second, pair, for_option(COFFEE));
    let epoch = alice.owner().epoch();
    for (seen, number, is_believed) in [(9, 1, false), (1, 2, true)] {
        let id = CommandId::new(minute(0) + number, [1; 10]);
        let frame = String::from_utf8(frame_of(number, id, for_option(TEA)).to_vec()).unwrap();
        let with = format!(r#","seen":{seen},"epoch":"{epoch}","payload""#);
        let frame = frame.replace(r#","payload""#, &with);
        let link = alice.admits(BOB);
        let said = alice.hears(link, frame);
        let is_applied = said.to(link).iter().any(|it| matches!(it, Message::Ack(_)));
        assert_eq!(is_applied, is_believed, "{seen}: {said:?}");
        if !is_applied {
            assert_eq!(said.refusal(link), (Some(id), ErrorCode::Superseded));
        }
    }
}
