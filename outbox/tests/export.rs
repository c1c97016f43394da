//! Files with an identity and polls: made, read, and taken in.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::export::{
    Export, ExportError, ImportError, Imported, Intent, Outcome, Passphrase, ReadError, Sealer,
    WorkFactor, export,
};
use hustings_outbox::{
    Aside, Batch, Cache, Durability, Fault, Identity, Journal, MemoryStore, Outbox, Store,
    StoreError,
};
use hustings_protocol::{
    Command, CommandId, DeviceId, Epoch, HistoryMark, Limits, Message, Numbered, OptionId, Poll,
    PollDraft, PollId, Position, Receipt, Revision, RoomId, Seq, Update, UserProfile,
};
use proptest::prelude::*;
use uuid::Uuid;

const AT: u64 = 1_795_651_200_000;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn sealer() -> Sealer {
    Sealer::new(&passphrase("correct horse"), WorkFactor::new(1).unwrap()).unwrap()
}

/// The identity of a store that may be new.
fn me(store: &MemoryStore) -> Identity {
    block_on(Identity::load_or_create(store, 0)).unwrap()
}

fn room(store: &MemoryStore, poll: u8) -> RoomId {
    RoomId {
        owner: me(store).peer_id(),
        poll_id: PollId::from_uuid(Uuid::from_bytes([poll; 16])),
    }
}

fn revision(number: u64) -> Revision {
    Revision::new(number).unwrap()
}

fn device() -> DeviceId {
    DeviceId::from_bytes([1, 2, 3, 4, 5])
}

fn commit(store: &MemoryStore, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    block_on(store.commit(batch, Durability::Strict)).unwrap();
}

/// A poll that was hosted: its updates, each with the history behind it.
#[derive(Clone, Copy)]
struct Told {
    room: RoomId,
    epoch: u64,
    /// Two with another one have other histories from the first update on.
    story: u64,
}

impl Told {
    fn mark(self, at: u64) -> HistoryMark {
        let story = if at == 0 { 0 } else { self.story };
        HistoryMark::new(story << 32 | at, 7)
    }

    fn snapshot(self, at: u64) -> Bytes {
        let mut option = 0;
        let draft = PollDraft::new("Tea or coffee?").options(["Tea", "Coffee"]);
        let id = || {
            option += 1;
            OptionId::from_uuid(Uuid::from_u128(option))
        };
        let poll = Poll::new(
            self.room.poll_id,
            self.room.owner,
            draft,
            id,
            &Limits::default(),
        );
        poll.unwrap().encode_state(Position {
            epoch: Epoch::new(self.epoch),
            revision: revision(at),
            history: Some(self.mark(at)),
        })
    }

    fn update(self, at: u64) -> Bytes {
        let name = format!("Ann {} {at}", self.story);
        let update = Update {
            author: self.room.owner,
            device: device(),
            revision: revision(at),
            history: Some(self.mark(at)),
            numbered: Numbered {
                command_id: CommandId::new(at, [7; 10]),
                seq: Seq::new(at).unwrap(),
                seen: None,
                command: Command::SetProfile(UserProfile { name }),
            },
        };
        Message::Update(update).encode()
    }

    /// Hosts it up to this revision, with a snapshot at another and some updates before that.
    fn host(self, store: &MemoryStore, (from, snapshot, to): (u64, u64, u64)) {
        let journal = Journal::new(self.room);
        commit(store, |batch| {
            journal.begin(batch, revision(snapshot), &self.snapshot(snapshot));
            for at in from + 1..=to {
                journal.append(batch, revision(at), self.update(at));
                let receipt = Receipt {
                    seq: Seq::new(at).unwrap(),
                    command_id: CommandId::new(at, [7; 10]),
                    digest: at,
                    outcome: hustings_protocol::Outcome::Applied(revision(at)),
                };
                journal.receipt(batch, self.room.owner, device(), &receipt);
            }
        });
    }
}

fn told(room: RoomId) -> Told {
    Told {
        room,
        epoch: 5,
        story: 1,
    }
}

fn records(store: &MemoryStore, room: RoomId) -> Vec<(Bytes, Bytes)> {
    block_on(Journal::new(room).export(store)).unwrap()
}

fn everything(store: &MemoryStore) -> Vec<(Bytes, Bytes)> {
    block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff]))).unwrap()
}

fn file(store: &MemoryStore, polls: &[RoomId], intent: Intent) -> Vec<u8> {
    block_on(export(store, polls, intent, AT, sealer())).unwrap()
}

fn import(store: &MemoryStore, file: &[u8]) -> Result<Imported, ImportError> {
    let opened = Export::open(file, &passphrase("correct horse")).unwrap();
    block_on(opened.import(store))
}

fn outcomes(store: &MemoryStore, file: &[u8]) -> Vec<Outcome> {
    let polls = import(store, file).unwrap().polls;
    polls.into_iter().map(|(_, outcome)| outcome).collect()
}

fn loads(store: &MemoryStore, room: RoomId) -> Result<Revision, StoreError> {
    let journal = block_on(Journal::new(room).load(store))?;
    Ok(journal.unwrap().log.revision())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_exported_is_imported_byte_for_byte(
        courses in prop::collection::vec((0_u64..20, 0_u64..20, 0_u64..80, any::<bool>()), 0..4),
        is_moved in any::<bool>(),
    ) {
        let store = MemoryStore::new();
        me(&store);
        let mut rooms = Vec::new();
        for (number, (before, since, more, is_archived)) in courses.into_iter().enumerate() {
            let room = room(&store, number as u8);
            told(room).host(&store, (before, before + since, before + since + more));
            if is_archived {
                let why = Aside::Archived { at: AT };
                commit(&store, |batch| Journal::new(room).put_aside(batch, why));
            }
            rooms.push(room);
        }
        let intent = if is_moved { Intent::Move } else { Intent::Copy };
        let mut before: Vec<_> = rooms.iter().map(|room| records(&store, *room)).collect();
        if is_moved {
            // What it is put aside for stays behind: 1 byte of the tag, 48 of the room, the part.
            before.iter_mut().for_each(|it| it.retain(|(key, _)| key.get(49) != Some(&3)));
        }
        let file = file(&store, &rooms, intent);
        let opened = Export::open(&file, &passphrase("correct horse")).unwrap();
        prop_assert_eq!((opened.at(), opened.intent()), (AT, intent));
        prop_assert_eq!(opened.polls().collect::<Vec<_>>(), rooms.clone());

        let other = MemoryStore::new();
        let new = block_on(opened.import(&other)).unwrap();
        prop_assert!(new.is_new_identity);
        let after: Vec<_> = rooms.iter().map(|room| records(&other, *room)).collect();
        prop_assert_eq!(before, after);
        prop_assert_eq!(me(&other).peer_id(), me(&store).peer_id());
        let (there, here) = (me(&other), me(&store));
        prop_assert_eq!(there.token(), here.token());
        prop_assert_ne!(me(&other).device(), me(&store).device(), "another installation");
    }
}

#[test]
fn a_changed_or_cut_file_is_an_error_and_another_passphrase_too() {
    let store = MemoryStore::new();
    let polls = [room(&store, 1)];
    told(polls[0]).host(&store, (0, 0, 1));
    let file = file(&store, &polls, Intent::Copy);
    let right = passphrase("correct horse");
    assert!(Export::open(&file, &right).is_ok());
    for at in 0..file.len() {
        for bit in [1, 0x20, 0x80] {
            let mut other = file.clone();
            other[at] ^= bit;
            assert!(Export::open(&other, &right).is_err(), "byte {at}");
        }
        assert!(Export::open(&file[..at], &right).is_err(), "cut at {at}");
    }
    let longer = [&file[..], b"x"].concat();
    assert_eq!(
        Export::open(&longer, &right).unwrap_err(),
        ReadError::Damaged
    );
    let cut = &file[..file.len() - 1];
    assert_eq!(Export::open(cut, &right).unwrap_err(), ReadError::Damaged);
    for wrong in ["correct horse ", ""] {
        let refused = Export::open(&file, &passphrase(wrong)).unwrap_err();
        assert_eq!(refused, ReadError::WrongPassphrase);
    }
    let refused = Export::open(b"PK\x03\x04", &right).unwrap_err();
    assert_eq!(refused, ReadError::NotAnExport);
}

#[test]
fn a_file_that_asks_for_much_work_is_refused_before_any_is_done() {
    let store = MemoryStore::new();
    me(&store);
    let file = file(&store, &[], Intent::Copy);
    let text = String::from_utf8_lossy(&file).into_owned();
    let (line, rest) = text.split_once(" 1\n").unwrap();
    for (factor, refused) in [
        ("19", ReadError::TooMuchWork),
        ("63", ReadError::TooMuchWork),
        ("255", ReadError::TooMuchWork),
        ("256", ReadError::Damaged),
        ("0", ReadError::Damaged),
        ("01", ReadError::Damaged),
        ("+1", ReadError::Damaged),
    ] {
        let hostile = format!("{line} {factor}\n{rest}");
        let error = Export::open(hostile.as_bytes(), &passphrase("correct horse"));
        assert_eq!(error.unwrap_err(), refused, "{factor}");
    }
    assert_eq!(WorkFactor::new(0), None);
    assert_eq!(WorkFactor::new(19), None);
}

#[test]
fn a_moved_poll_is_refused_here_until_it_is_imported_back() {
    let store = MemoryStore::new();
    let (moved, stays) = (room(&store, 1), room(&store, 2));
    told(moved).host(&store, (0, 0, 3));
    told(stays).host(&store, (0, 0, 3));
    let away = file(&store, &[moved], Intent::Move);
    let refused = StoreError::PutAside(Aside::Moved { at: AT });
    assert_eq!(
        refused.to_string(),
        "this poll was moved to another device on 2026-11-26; import it back to host it here"
    );
    store.crash();
    assert_eq!(loads(&store, moved), Err(refused.clone()));
    assert_eq!(loads(&store, stays), Ok(revision(3)));
    let listed = block_on(Journal::list(&store)).unwrap();
    assert_eq!((listed.found, listed.damaged), (vec![moved, stays], vec![]));

    // It goes on elsewhere, and comes back.
    let other = MemoryStore::new();
    assert_eq!(outcomes(&other, &away), [Outcome::Added]);
    assert_eq!(loads(&other, moved), Ok(revision(3)));
    told(moved).host(&other, (1, 4, 6));
    let back = file(&other, &[moved], Intent::Move);
    assert_eq!(loads(&other, moved), Err(refused));
    assert_eq!(outcomes(&store, &back), [Outcome::Advanced]);
    assert_eq!(loads(&store, moved), Ok(revision(6)));
    assert_eq!(loads(&store, stays), Ok(revision(3)));
    // The receipts of both are there.
    let journal = block_on(Journal::new(moved).load(&store)).unwrap().unwrap();
    assert_eq!(journal.receipts.len(), 6);
}

#[test]
fn what_was_moved_comes_back_however_long_it_was_away() {
    let store = MemoryStore::new();
    let moved = room(&store, 1);
    told(moved).host(&store, (0, 0, 3));
    let copy = file(&store, &[moved], Intent::Copy);
    let away = file(&store, &[moved], Intent::Move);
    let other = MemoryStore::new();
    import(&other, &away).unwrap();
    // Nothing of what it was is in the tail any more.
    told(moved).host(&other, (90, 95, 99));
    let back = file(&other, &[moved], Intent::Copy);
    assert_eq!(outcomes(&store, &back), [Outcome::Advanced]);
    assert_eq!(loads(&store, moved), Ok(revision(99)));

    // Where it was not moved from, it might have gone on.
    let third = MemoryStore::new();
    import(&third, &copy).unwrap();
    let before = everything(&third);
    let refused = import(&third, &back).unwrap_err();
    assert!(
        matches!(refused, ImportError::TooFarAhead { room, .. } if room == moved),
        "{refused}"
    );
    assert_eq!(everything(&third), before);
}

#[test]
fn after_a_crash_before_the_file_was_kept_it_is_made_again_or_the_move_is_taken_back() {
    let store = MemoryStore::new();
    let moved = room(&store, 1);
    told(moved).host(&store, (0, 0, 3));
    drop(file(&store, &[moved], Intent::Move));
    store.crash();
    let again = block_on(export(&store, &[moved], Intent::Move, AT + 1, sealer())).unwrap();
    let aside = block_on(Journal::new(moved).aside(&store)).unwrap();
    assert_eq!(aside, Some(Aside::Moved { at: AT }));
    let other = MemoryStore::new();
    assert_eq!(outcomes(&other, &again), [Outcome::Added]);
    assert_eq!(loads(&other, moved), Ok(revision(3)));

    commit(&store, |batch| Journal::new(moved).take_back(batch));
    assert_eq!(loads(&store, moved), Ok(revision(3)));
    // The file does that, too.
    let away = file(&store, &[moved], Intent::Move);
    assert_eq!(outcomes(&store, &away), [Outcome::Same]);
    assert_eq!(loads(&store, moved), Ok(revision(3)));
}

#[test]
fn a_move_whose_mark_is_not_stored_makes_no_file() {
    let store = MemoryStore::new();
    let (one, two) = (room(&store, 1), room(&store, 2));
    told(one).host(&store, (0, 0, 3));
    told(two).host(&store, (0, 0, 3));
    store.fail_next(Fault::Commit, StoreError::Full("no room".to_owned()));
    let failed = block_on(export(&store, &[one, two], Intent::Move, AT, sealer()));
    assert!(matches!(
        failed,
        Err(ExportError::Store(StoreError::Full(_)))
    ));
    assert_eq!(loads(&store, one), Ok(revision(3)));
    assert_eq!(loads(&store, two), Ok(revision(3)));
    // Of one that cannot be moved no other is.
    let none = room(&store, 9);
    let failed = block_on(export(&store, &[one, none], Intent::Move, AT, sealer()));
    assert_eq!(failed, Err(ExportError::NoJournal(none)));
    assert_eq!(loads(&store, one), Ok(revision(3)));
}

#[test]
fn an_older_file_changes_nothing_and_a_newer_one_goes_forward() {
    let store = MemoryStore::new();
    let poll = room(&store, 1);
    told(poll).host(&store, (0, 0, 3));
    let old = file(&store, &[poll], Intent::Copy);
    told(poll).host(&store, (1, 4, 6));
    let new = file(&store, &[poll], Intent::Copy);
    let before = everything(&store);
    assert_eq!(outcomes(&store, &old), [Outcome::Newer]);
    assert_eq!(outcomes(&store, &new), [Outcome::Same]);
    assert_eq!(everything(&store), before);

    let other = MemoryStore::new();
    import(&other, &old).unwrap();
    assert_eq!(outcomes(&other, &new), [Outcome::Advanced]);
    let (log, receipts) = (1, 6);
    assert_eq!(loads(&other, poll), Ok(revision(6)));
    let journal = block_on(Journal::new(poll).load(&other)).unwrap().unwrap();
    assert_eq!(journal.receipts.len(), receipts);
    assert_eq!(journal.log.tail.first().unwrap().0, revision(log + 1));

    // Where it was moved, an older file is not that which it went away in.
    let _ = file(&store, &[poll], Intent::Move);
    assert_eq!(outcomes(&store, &old), [Outcome::Newer]);
    assert!(loads(&store, poll).is_err());
}

#[test]
fn a_fork_is_refused_with_its_name_and_nothing_of_the_file_is_taken_in() {
    let here = MemoryStore::new();
    let (poll, beside) = (room(&here, 2), room(&here, 1));
    told(poll).host(&here, (0, 0, 2));
    let common = file(&here, &[poll], Intent::Copy);
    told(poll).host(&here, (0, 0, 5));
    let before = everything(&here);

    let there = MemoryStore::new();
    import(&there, &common).unwrap();
    for (epoch, to) in [(5, 4), (5, 5), (5, 9), (6, 4)] {
        let other = Told {
            room: poll,
            epoch,
            story: 2,
        };
        other.host(&there, (0, 0, to));
        told(beside).host(&there, (0, 0, 1));
        let forked = file(&there, &[beside, poll], Intent::Copy);
        let refused = import(&here, &forked).unwrap_err();
        assert!(
            refused.to_string().contains("\"Tea or coffee?\""),
            "{refused}"
        );
        assert!(
            matches!(refused, ImportError::Fork { room, .. } if room == poll),
            "{epoch} {to}: {refused}"
        );
        assert_eq!(everything(&here), before);
    }

    // A later epoch that has given up what is here is a fork; one that has it all goes on.
    let later = Told {
        epoch: 6,
        ..told(poll)
    };
    later.host(&there, (0, 3, 4));
    let shorter = file(&there, &[poll], Intent::Copy);
    assert!(matches!(
        import(&here, &shorter),
        Err(ImportError::Fork { .. })
    ));
    later.host(&there, (0, 6, 6));
    let longer = file(&there, &[poll], Intent::Copy);
    assert_eq!(outcomes(&here, &longer), [Outcome::Advanced]);
    // And from then on an earlier one with more is the fork.
    told(poll).host(&there, (0, 0, 8));
    let earlier = file(&there, &[poll], Intent::Copy);
    assert!(matches!(
        import(&here, &earlier),
        Err(ImportError::Fork { .. })
    ));
}

#[test]
fn another_identity_is_taken_only_by_a_store_with_nothing_in_it() {
    let store = MemoryStore::new();
    let poll = room(&store, 1);
    told(poll).host(&store, (0, 0, 3));
    let exported = file(&store, &[poll], Intent::Copy);

    let fresh = MemoryStore::new();
    let old = me(&fresh);
    assert!(import(&fresh, &exported).unwrap().is_new_identity);
    assert_eq!(me(&fresh).peer_id(), me(&store).peer_id());
    assert_ne!(me(&fresh).device(), me(&store).device());
    assert!(!import(&fresh, &exported).unwrap().is_new_identity);
    assert_ne!(old.peer_id(), me(&fresh).peer_id());

    type Fill = fn(&mut Batch, &Identity, RoomId);
    let fills: [Fill; 4] = [
        |batch, me, room| Outbox::new(me.device(), room).put(batch, Seq::FIRST, Bytes::new()),
        |batch, me, room| Cache::new(me.device(), room).begin(batch, Revision::ZERO, b"{}"),
        |batch, me, room| Outbox::new(me.device(), room).keep_applied(batch, Seq::FIRST, b"{}"),
        |batch, me, _| {
            let own = RoomId {
                owner: me.peer_id(),
                poll_id: PollId::from_uuid(Uuid::nil()),
            };
            Journal::new(own).begin(batch, Revision::ZERO, b"{}");
        },
    ];
    for fill in fills {
        let used = MemoryStore::new();
        let here = me(&used);
        commit(&used, |batch| fill(batch, &here, poll));
        let before = everything(&used);
        let refused = import(&used, &exported);
        let other = ImportError::OtherIdentity {
            here: here.peer_id(),
            file: me(&store).peer_id(),
        };
        assert_eq!(refused, Err(other));
        assert_eq!(everything(&used), before);
    }
}

#[test]
fn an_import_that_is_not_stored_changes_nothing() {
    let store = MemoryStore::new();
    let polls = [room(&store, 1), room(&store, 2)];
    told(polls[0]).host(&store, (0, 0, 3));
    told(polls[1]).host(&store, (0, 0, 3));
    let file = file(&store, &polls, Intent::Copy);
    let other = MemoryStore::new();
    me(&other);
    let before = everything(&other);
    other.fail_next(Fault::Commit, StoreError::Full("no room".to_owned()));
    assert!(matches!(
        import(&other, &file),
        Err(ImportError::Store(StoreError::Full(_)))
    ));
    assert_eq!(everything(&other), before);
}

#[test]
fn an_archived_poll_stays_in_the_store_and_is_not_hosted() {
    let store = MemoryStore::new();
    let poll = room(&store, 1);
    told(poll).host(&store, (0, 0, 3));
    let archived = Aside::Archived { at: AT };
    let journal = Journal::new(poll);
    commit(&store, |batch| journal.put_aside(batch, archived));
    let refused = StoreError::PutAside(archived);
    let said = "this poll was archived on 2026-11-26; take it out of the archive to host it";
    assert_eq!(refused.to_string(), said);
    assert_eq!(loads(&store, poll), Err(refused.clone()));
    let any = block_on(journal.load_any(&store)).unwrap().unwrap();
    assert_eq!((any.0.log.revision(), any.1), (revision(3), Some(archived)));
    // So it is elsewhere, and the same file puts nothing aside that was taken out again.
    let copy = file(&store, &[poll], Intent::Copy);
    let other = MemoryStore::new();
    import(&other, &copy).unwrap();
    assert_eq!(loads(&other, poll), Err(refused));
    commit(&store, |batch| journal.take_back(batch));
    assert_eq!(outcomes(&store, &copy), [Outcome::Same]);
    assert_eq!(loads(&store, poll), Ok(revision(3)));
    // It goes with the journal.
    commit(&store, |batch| journal.put_aside(batch, archived));
    commit(&store, |batch| journal.remove(batch));
    assert_eq!(block_on(journal.load(&store)), Ok(None));
}

#[test]
fn no_flipped_bit_lets_a_moved_poll_be_hosted() {
    let store = MemoryStore::new();
    let (moved, other) = (room(&store, 1), room(&store, 0x80));
    told(moved).host(&store, (0, 0, 1));
    told(other).host(&store, (0, 0, 1));
    let why = Aside::Moved { at: AT };
    commit(&store, |batch| Journal::new(moved).put_aside(batch, why));
    let mut marks = records(&store, moved);
    marks.retain(|(key, _)| key.len() == 50 && key[49] == 3);
    let [(key, value)] = &marks[..] else {
        panic!("one mark: {marks:?}");
    };
    let is_refused = |key: &[u8], value: &[u8], bit: usize| {
        let store = store.fork();
        commit(&store, |batch| {
            batch.delete(marks[0].0.clone());
            batch.put(key.to_vec(), value.to_vec());
        });
        let loaded = block_on(Journal::new(moved).load(&store));
        assert!(
            matches!(loaded, Err(StoreError::Corrupt { .. })),
            "bit {bit}: {loaded:?}"
        );
    };
    for bit in 0..8 * key.len() {
        let mut flipped = key.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        is_refused(&flipped, value, bit);
    }
    for bit in 0..8 * value.len() {
        let mut flipped = value.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        is_refused(key, &flipped, bit);
    }
}

#[test]
fn secrets_are_in_no_debug_text() {
    let store = MemoryStore::new();
    me(&store);
    let file = file(&store, &[], Intent::Copy);
    let words = passphrase("correct horse");
    let opened = Export::open(&file, &words).unwrap();
    let said = format!("{words:?} {:?} {opened:?}", sealer());
    assert!(!said.contains("correct"), "{said}");
    assert!(!said.contains(me(&store).token()), "{said}");
    let key = format!("{:?}", me(&store).signing_key().to_bytes());
    assert!(!said.contains(key.trim_matches(['[', ']'])), "{said}");
    let none = Sealer::new(&passphrase(""), WorkFactor::default());
    assert_eq!(none.unwrap_err(), ExportError::NoPassphrase);
}
