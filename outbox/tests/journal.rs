//! The journal of an owner and, where the two are alike, the cache of a participant.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::{Batch, Cache, Durability, Journal, MemoryStore, Store, StoreError, Write};
use hustings_protocol::{
    CommandId, DeviceId, ErrorCode, Outcome, PeerId, PollId, Receipt, Rejection, Revision, RoomId,
    Seq, StoredJournal, StoredLog, WINDOW,
};
use proptest::prelude::*;
use uuid::Uuid;

fn room(owner: u8, poll: u8) -> RoomId {
    RoomId {
        owner: PeerId::from_bytes([owner; 32]),
        poll_id: PollId::from_uuid(Uuid::from_bytes([poll; 16])),
    }
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 5])
}

fn revision(number: u64) -> Revision {
    Revision::new(number).unwrap()
}

fn update(number: u64) -> Bytes {
    Bytes::from(format!("update {number}"))
}

fn snapshot(number: u64) -> Bytes {
    Bytes::from(format!("poll at {number}"))
}

fn receipt(number: u64) -> Receipt {
    let outcome = match number % 3 {
        0 => Outcome::Rejected(Rejection::new(ErrorCode::PollClosed, "it is \"over\"")),
        _ => Outcome::Applied(revision(number)),
    };
    Receipt {
        seq: Seq::new(number).unwrap(),
        command_id: CommandId::new(number, [7; 10]),
        digest: u64::MAX - number,
        outcome,
    }
}

fn commit(store: &MemoryStore, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    block_on(store.commit(batch, Durability::Strict)).unwrap();
}

fn load(store: &MemoryStore, journal: &Journal) -> StoredJournal {
    block_on(journal.load(store)).unwrap().unwrap()
}

fn numbers(log: &StoredLog) -> Vec<u64> {
    log.tail
        .iter()
        .map(|(revision, _)| revision.get())
        .collect()
}

fn everything(store: &MemoryStore) -> Vec<(Bytes, Bytes)> {
    block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff]))).unwrap()
}

/// A journal with a snapshot at 10 and updates from 8 to 13.
fn journal_at_13(store: &MemoryStore, journal: &Journal) {
    commit(store, |batch| {
        journal.begin(batch, revision(7), &snapshot(7))
    });
    for number in 8..=13 {
        commit(store, |batch| {
            journal.append(batch, revision(number), update(number))
        });
        if number == 10 {
            commit(store, |batch| {
                journal.put_snapshot(batch, revision(10), &snapshot(10), revision(7));
            });
        }
    }
}

#[test]
fn a_journal_comes_back_as_it_was_written() {
    let store = MemoryStore::new();
    let journal = Journal::new(room(1, 1));
    assert_eq!(block_on(journal.load(&store)).unwrap(), None);
    journal_at_13(&store, &journal);
    commit(&store, |batch| {
        journal.receipt(batch, peer(3), device(1), &receipt(2));
        journal.receipt(batch, peer(2), device(2), &receipt(3));
        journal.receipt(batch, peer(2), device(1), &receipt(1));
        journal.receipt(batch, peer(3), device(1), &receipt(1));
    });
    store.crash();
    let contents = load(&store, &journal);
    assert_eq!(contents.log.snapshot, (revision(10), snapshot(10)));
    assert_eq!(numbers(&contents.log), [8, 9, 10, 11, 12, 13]);
    assert_eq!(contents.log.tail[3].1, update(11));
    assert_eq!(contents.log.revision(), revision(13));
    let expected = [
        (peer(2), device(1), receipt(1)),
        (peer(2), device(2), receipt(3)),
        (peer(3), device(1), receipt(1)),
        (peer(3), device(1), receipt(2)),
    ];
    assert_eq!(contents.receipts, expected);
}

#[test]
fn a_snapshot_takes_the_updates_it_covers_and_no_other() {
    let store = MemoryStore::new();
    let journal = Journal::new(room(1, 1));
    journal_at_13(&store, &journal);
    let snap = |at, keep| {
        commit(&store, |batch| {
            journal.put_snapshot(batch, revision(at), &snapshot(at), revision(keep));
        });
        numbers(&load(&store, &journal).log)
    };
    assert_eq!(snap(12, 9), [10, 11, 12, 13]);
    assert_eq!(snap(12, 12), [13]);
    // A caller that asks to remove more than the snapshot covers does not lose an update.
    assert_eq!(snap(12, 100), [13]);
    assert_eq!(snap(13, 13), [0; 0]);
    let log = load(&store, &journal).log;
    assert_eq!(log.revision(), revision(13));
    assert_eq!(log.snapshot, (revision(13), snapshot(13)));
}

#[test]
fn the_longest_revision_fits() {
    let store = MemoryStore::new();
    let journal = Journal::new(room(1, 1));
    commit(&store, |batch| {
        journal.append(batch, Revision::MAX, update(1));
        journal.put_snapshot(batch, Revision::MAX, &snapshot(1), Revision::MAX);
    });
    let log = load(&store, &journal).log;
    assert_eq!((log.snapshot.0, log.tail), (Revision::MAX, vec![]));
}

#[test]
fn receipts_grow_with_devices_and_not_with_history() {
    let store = MemoryStore::new();
    let journal = Journal::new(room(1, 1));
    commit(&store, |batch| {
        journal.begin(batch, revision(0), &snapshot(0))
    });
    let last = 5 * WINDOW + 7;
    for number in 1..=last {
        commit(&store, |batch| {
            journal.receipt(batch, peer(1), device(1), &receipt(number));
            if number <= 3 {
                journal.receipt(batch, peer(1), device(2), &receipt(number));
            }
        });
    }
    let receipts = load(&store, &journal).receipts;
    let first = last - WINDOW + 1;
    let mut expected: Vec<_> = (first..=last)
        .map(|n| (peer(1), device(1), receipt(n)))
        .collect();
    expected.extend((1..=3).map(|n| (peer(1), device(2), receipt(n))));
    assert_eq!(receipts, expected);
    let records = usize::try_from(WINDOW).unwrap() + 3 + 2;
    assert_eq!(everything(&store).len(), records);
}

#[test]
fn rooms_are_apart_and_a_removed_one_leaves_nothing() {
    let store = MemoryStore::new();
    let rooms = [room(1, 1), room(1, 2), room(2, 1), room(0xff, 0xff)];
    for room in rooms {
        let journal = Journal::new(room);
        journal_at_13(&store, &journal);
        commit(&store, |batch| {
            journal.receipt(batch, peer(9), device(9), &receipt(1))
        });
        let cache = Cache::new(device(1), room);
        commit(&store, |batch| {
            cache.begin(batch, revision(4), &snapshot(4));
            cache.append(batch, revision(5), update(5));
        });
    }
    assert_eq!(block_on(Journal::list(&store)).unwrap().found, rooms);
    for (index, room) in rooms.into_iter().enumerate() {
        let (journal, cache) = (Journal::new(room), Cache::new(device(1), room));
        commit(&store, |batch| journal.remove(batch));
        assert_eq!(block_on(journal.load(&store)).unwrap(), None);
        assert_eq!(
            block_on(Journal::list(&store)).unwrap().found,
            rooms[index + 1..]
        );
        for left in &rooms[index + 1..] {
            assert_eq!(load(&store, &Journal::new(*left)).receipts.len(), 1);
        }
        let cached = block_on(cache.load(&store)).unwrap().unwrap();
        assert_eq!(
            (cached.snapshot.0, numbers(&cached)),
            (revision(4), vec![5])
        );
        commit(&store, |batch| cache.remove(batch));
        assert_eq!(block_on(cache.load(&store)).unwrap(), None);
    }
    assert_eq!(everything(&store), []);
}

#[test]
fn updates_of_a_cache_that_share_a_record_are_read_one_by_one() {
    let store = MemoryStore::new();
    let cache = Cache::new(device(1), room(1, 1));
    let frame = |at: u64| {
        let vote = r#"{"type":"poll:vote","payload":{},"revision":"#;
        (revision(at), Bytes::from(format!("{vote}{at}}}")))
    };
    commit(&store, |batch| {
        cache.begin(batch, revision(4), &snapshot(4));
        cache.append_all(batch, &[frame(5)]);
        cache.append_all(batch, &[]);
    });
    let together = [frame(6), frame(7), frame(9)];
    let written = keys(|batch| cache.append_all(batch, &together));
    assert_eq!(written.len(), 1);
    commit(&store, |batch| cache.append_all(batch, &together));
    let cached = block_on(cache.load(&store)).unwrap().unwrap();
    assert_eq!(cached.tail, [5, 6, 7, 9].map(frame));
    // One of them that says no revision is damage, and named by its record.
    let nameless = Bytes::from_static(br#"{"type":"ping","payload":{}}"#);
    let damaged = [(revision(10), nameless), frame(11)];
    commit(&store, |batch| cache.append_all(batch, &damaged));
    let error = block_on(cache.load(&store)).unwrap_err().to_string();
    assert!(error.contains("revision 11"), "{error}");
}

#[test]
fn a_new_history_never_goes_on_with_the_old_one() {
    let store = MemoryStore::new();
    let (journal, cache) = (Journal::new(room(1, 1)), Cache::new(device(1), room(1, 1)));
    journal_at_13(&store, &journal);
    commit(&store, |batch| {
        journal.receipt(batch, peer(1), device(1), &receipt(1));
        cache.begin(batch, revision(8), &snapshot(8));
        cache.append(batch, revision(9), update(9));
    });
    commit(&store, |batch| {
        journal.begin(batch, revision(8), b"another poll");
        cache.begin(batch, revision(7), b"another poll");
    });
    let contents = load(&store, &journal);
    assert_eq!(contents.log.snapshot.1, "another poll");
    assert_eq!((contents.log.tail, contents.receipts), (vec![], vec![]));
    let cached = block_on(cache.load(&store)).unwrap().unwrap();
    assert_eq!((cached.snapshot.0, cached.tail), (revision(7), vec![]));
}

/// The keys that a change writes.
fn keys(fill: impl FnOnce(&mut Batch)) -> Vec<Bytes> {
    let mut batch = Batch::new();
    fill(&mut batch);
    batch
        .into_writes()
        .into_iter()
        .filter_map(|write| match write {
            Write::Put { key, .. } => Some(key),
            Write::Delete { .. } | Write::DeleteRange { .. } => None,
        })
        .collect()
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let journal = Journal::new(room(1, 1));
    let name = format!("journal of {}", room(1, 1));
    let frame = |number| keys(|batch| journal.append(batch, revision(number), update(0))).remove(0);
    let [index, head] = keys(|batch| journal.begin(batch, revision(1), b""))
        .try_into()
        .unwrap();
    let paper = keys(|batch| journal.receipt(batch, peer(2), device(3), &receipt(5))).remove(0);
    let paper_name = format!("{name}, receipt of {}, device {}", peer(2), device(3));
    let harm = |what: &dyn Fn(&mut Batch)| {
        let store = MemoryStore::new();
        journal_at_13(&store, &journal);
        commit(&store, |batch| {
            journal.receipt(batch, peer(2), device(3), &receipt(5));
            what(batch);
        });
        match block_on(journal.load(&store)) {
            Err(StoreError::Corrupt { record, reason }) => (record, reason),
            other => panic!("{other:?}"),
        }
    };
    let tail = |numbers: std::ops::RangeInclusive<u64>| {
        move |batch: &mut Batch| {
            numbers
                .clone()
                .for_each(|number| batch.delete(frame(number)))
        }
    };

    // In the middle, between the snapshot and what follows it, and before the snapshot.
    assert_eq!(
        harm(&tail(12..=12)),
        (
            format!("{name}, revision 12"),
            "it is missing: 13 follows 11".to_owned()
        )
    );
    assert_eq!(harm(&tail(9..=9)).0, format!("{name}, revision 9"));
    assert_eq!(
        harm(&tail(8..=11)),
        (
            format!("{name}, revision 11"),
            "it is missing: 12 follows the snapshot at 10".to_owned()
        )
    );
    assert_eq!(harm(&tail(10..=13)).0, format!("{name}, revision 10"));

    let (record, reason) = harm(&|batch| batch.delete(head.clone()));
    assert_eq!(
        (record, &*reason),
        (format!("{name}, revision 8"), "there is no snapshot")
    );
    for bad in [&b""[..], b"short", &[0xff; 20]] {
        let (record, _) = harm(&|batch| batch.put(head.clone(), bad));
        assert_eq!(record, format!("{name}, snapshot"));
    }
    let (record, _) = harm(&|batch| {
        batch.delete(head.clone());
        (8..=13).for_each(|number| batch.delete(frame(number)));
    });
    assert_eq!(record, paper_name);

    // A receipt that is no JSON, and one in the slot of another.
    let (record, _) = harm(&|batch| batch.put(paper.clone(), "{"));
    assert_eq!(record, format!("{paper_name}, slot 5"));
    let other = serde_json::to_vec(&receipt(6)).unwrap();
    let (record, reason) = harm(&|batch| batch.put(paper.clone(), other.clone()));
    assert_eq!(record, format!("{paper_name}, slot 5"));
    assert!(reason.contains("seq 6"), "{reason}");

    // Keys that no record has: too long, too short, an unknown part.
    let unknown = [&frame(9)[..40], &frame(9)[..52], &paper[..60], &head[..49]]
        .map(<[u8]>::to_vec)
        .into_iter()
        .chain([&frame(9), &head, &paper].map(|key| [key, &b"+"[..]].concat()))
        .chain([[&head[..49], &[0x77]].concat()]);
    for key in unknown.filter(|key| key.starts_with(&head[..49])) {
        let (record, _) = harm(&|batch| batch.put(key.clone(), ""));
        assert!(record.starts_with(&format!("{name}, key 21")), "{record}");
    }
    let store = MemoryStore::new();
    commit(&store, |batch| batch.put([&index[..], b"+"].concat(), ""));
    let listed = block_on(Journal::list(&store)).unwrap();
    assert_eq!((listed.found.len(), listed.damaged.len()), (0, 1));

    // A cache may skip revisions: the frames say what follows what. It names itself, and has no
    // receipts.
    let store = MemoryStore::new();
    let cache = Cache::new(device(1), room(1, 1));
    commit(&store, |batch| {
        cache.begin(batch, revision(1), b"");
        cache.append(batch, revision(3), update(3));
    });
    let loaded = block_on(cache.load(&store)).unwrap();
    assert_eq!(
        loaded.map(|log| log.tail),
        Some(vec![(revision(3), update(3))])
    );
    commit(&store, |batch| {
        cache.remove(batch);
        cache.append(batch, revision(3), update(3));
    });
    let error = block_on(cache.load(&store)).unwrap_err().to_string();
    assert!(
        error.contains(&format!(
            "cache of {}, device {}, revision 3",
            room(1, 1),
            device(1)
        )),
        "{error}"
    );
    let mut receipt_key = paper.to_vec();
    receipt_key.splice(0..1, std::iter::once(0x30).chain(*device(1).as_bytes()));
    commit(&store, |batch| {
        cache.begin(batch, revision(1), b"");
        batch.put(receipt_key.clone(), "");
    });
    assert!(
        matches!(
            block_on(cache.load(&store)),
            Err(StoreError::Corrupt { .. })
        ),
        "a cache has no receipts"
    );
}

#[derive(Debug, Clone)]
enum Step {
    /// A command of this device: applied, with its receipt, in one batch.
    Apply {
        author: u8,
        device: u8,
    },
    /// A command that is refused: a receipt and no update.
    Refuse {
        author: u8,
        device: u8,
    },
    /// A snapshot that keeps so many updates.
    Snapshot {
        keep: u64,
    },
    /// An update whose commit a loss of power takes.
    Lost,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u8, 0..2_u8).prop_map(|(author, device)| Step::Apply { author, device }),
        2 => (0..3_u8, 0..2_u8).prop_map(|(author, device)| Step::Refuse { author, device }),
        2 => (0..12_u64).prop_map(|keep| Step::Snapshot { keep }),
        1 => Just(Step::Lost),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_history_comes_back(steps in proptest::collection::vec(step(), 1..300)) {
        let store = MemoryStore::new();
        let journal = Journal::new(room(1, 1));
        commit(&store, |batch| journal.begin(batch, revision(0), &snapshot(0)));
        let mut head = 0;
        let mut snapped = 0;
        let mut tail: BTreeSet<u64> = BTreeSet::new();
        let mut last: BTreeMap<(PeerId, DeviceId), u64> = BTreeMap::new();
        for step in steps {
            let mut issue = |author: u8, number: u8| {
                let (author, device) = (peer(author), device(number));
                let seq = last.entry((author, device)).or_default();
                *seq += 1;
                (author, device, receipt(*seq))
            };
            match step {
                Step::Apply { author, device } => {
                    let (author, device, receipt) = issue(author, device);
                    head += 1;
                    tail.insert(head);
                    commit(&store, |batch| {
                        journal.append(batch, revision(head), update(head));
                        journal.receipt(batch, author, device, &receipt);
                    });
                }
                Step::Refuse { author, device } => {
                    let (author, device, receipt) = issue(author, device);
                    commit(&store, |batch| journal.receipt(batch, author, device, &receipt));
                }
                Step::Snapshot { keep } => {
                    snapped = head;
                    let keep_after = head.saturating_sub(keep);
                    tail.retain(|number| *number > keep_after);
                    commit(&store, |batch| {
                        let frame = snapshot(head);
                        journal.put_snapshot(batch, revision(head), &frame, revision(keep_after));
                    });
                }
                Step::Lost => {
                    let mut batch = Batch::new();
                    journal.append(&mut batch, revision(head + 1), update(head + 1));
                    journal.receipt(&mut batch, peer(0), device(0), &receipt(head + 1));
                    block_on(store.commit(batch, Durability::Relaxed)).unwrap();
                    store.crash();
                }
                Step::Crash => store.crash(),
            }
            let contents = load(&store, &journal);
            prop_assert_eq!(&contents.log.snapshot, &(revision(snapped), snapshot(snapped)));
            let frames: Vec<_> = tail.iter().map(|n| (revision(*n), update(*n))).collect();
            prop_assert_eq!(&contents.log.tail, &frames);
            prop_assert_eq!(contents.log.revision(), revision(head));
            let receipts: Vec<_> = last
                .iter()
                .flat_map(|((author, device), last)| {
                    let first = last.saturating_sub(WINDOW) + 1;
                    (first..=*last).map(|number| (*author, *device, receipt(number)))
                })
                .collect();
            prop_assert_eq!(&contents.receipts, &receipts);
        }
    }
}

#[test]
fn two_devices_that_share_a_store_have_a_cache_each() {
    let store = MemoryStore::new();
    let (first, second) = (
        Cache::new(device(1), room(1, 1)),
        Cache::new(device(2), room(1, 1)),
    );
    block_on(async {
        let mut batch = Batch::new();
        first.begin(&mut batch, revision(200), b"late");
        second.begin(&mut batch, revision(150), b"early");
        second.append(&mut batch, revision(151), Bytes::from_static(b"next"));
        store.commit(batch, Durability::Relaxed).await.unwrap();

        let late = first.load(&store).await.unwrap().unwrap();
        assert_eq!((late.revision(), late.tail.len()), (revision(200), 0));
        let early = second.load(&store).await.unwrap().unwrap();
        assert_eq!((early.revision(), early.tail.len()), (revision(151), 1));
    });
}
