//! Stores with a bit that has changed, anywhere: in a value, or in a key.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fmt::Debug;

use bytes::Bytes;
use futures::executor::block_on;
use hustings_outbox::{
    Batch, Cache, Durability, Identity, Journal, Listed, MemoryStore, Outbox, Store, StoreError,
};
use hustings_protocol::planted::{self, Fault};
use hustings_protocol::{
    CommandId, DeviceId, Outcome, PeerId, PollId, Receipt, Revision, RoomId, Seq, StoredJournal,
    StoredLog, StoredOutbox,
};
use uuid::Uuid;

const SLOTS: [u32; 2] = [0, 1];

fn room(number: u8) -> RoomId {
    RoomId {
        owner: PeerId::from_bytes([number; 32]),
        poll_id: PollId::from_uuid(Uuid::from_bytes([number; 16])),
    }
}

fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 5])
}

fn revision(number: u64) -> Revision {
    Revision::new(number).unwrap()
}

fn frame(number: u64) -> Bytes {
    Bytes::from(format!("{{\"vote\":{number}}}"))
}

fn receipt(number: u64) -> Receipt {
    Receipt {
        seq: Seq::new(number).unwrap(),
        command_id: CommandId::new(number, [7; 10]),
        digest: number,
        outcome: Outcome::Applied(revision(number)),
    }
}

fn commit(store: &MemoryStore, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    block_on(store.commit(batch, Durability::Strict)).unwrap();
}

fn records(store: &MemoryStore) -> Vec<(Bytes, Bytes)> {
    block_on(store.scan(Bytes::new()..Bytes::from_static(&[0xff; 2]))).unwrap()
}

/// A store with some of everything: two journals, two outboxes, two caches, two slots.
fn store() -> MemoryStore {
    let store = MemoryStore::new();
    for slot in SLOTS {
        block_on(Identity::load_or_create(&store, slot)).unwrap();
    }
    commit(&store, |batch| {
        for number in [3, 9] {
            let journal = Journal::new(room(number));
            journal.begin(batch, revision(1), &frame(1));
            journal.append(batch, revision(2), frame(2));
            journal.append(batch, revision(3), frame(3));
            journal.receipt(batch, PeerId::from_bytes([5; 32]), device(1), &receipt(2));
            journal.receipt(batch, PeerId::from_bytes([5; 32]), device(1), &receipt(3));

            let outbox = Outbox::new(device(number), room(3));
            outbox.put(batch, Seq::FIRST, frame(1));
            outbox.put(batch, Seq::FIRST.next(), frame(2));

            let cache = Cache::new(device(number), room(3));
            cache.begin(batch, revision(1), &frame(1));
            cache.append(batch, revision(2), frame(2));
        }
        // Nothing is pending in this one, but its next number is not the first.
        let settled = Outbox::new(device(3), room(9));
        settled.put(batch, Seq::FIRST, frame(1));
        settled.remove(batch, Seq::FIRST);
    });
    store
}

/// Everything that can be read of a store.
#[derive(Debug, Clone, PartialEq)]
struct View {
    people: Vec<Result<Identity, StoreError>>,
    journals: Listed<RoomId>,
    polls: Vec<Result<Option<StoredJournal>, StoreError>>,
    /// Without the number of the commands: where one is missing, the outbox says so when it is
    /// loaded.
    outboxes: Listed<(DeviceId, RoomId)>,
    pending: Vec<Result<StoredOutbox, StoreError>>,
    caches: Vec<Result<Option<StoredLog>, StoreError>>,
}

fn view(store: &MemoryStore) -> View {
    block_on(async {
        let mut people = Vec::new();
        for slot in SLOTS {
            people.push(Identity::load_or_create(store, slot).await);
        }
        let (mut polls, mut pending, mut caches) = (Vec::new(), Vec::new(), Vec::new());
        for number in [3, 9] {
            polls.push(Journal::new(room(number)).load(store).await);
            pending.push(Outbox::new(device(number), room(3)).load(store).await);
            caches.push(Cache::new(device(number), room(3)).load(store).await);
        }
        pending.push(Outbox::new(device(3), room(9)).load(store).await);
        let outboxes = Outbox::list(store).await.unwrap();
        let pending_in = |(device, room, _): (DeviceId, RoomId, usize)| (device, room);
        View {
            people,
            journals: Journal::list(store).await.unwrap(),
            polls,
            outboxes: Listed {
                found: outboxes.found.into_iter().map(pending_in).collect(),
                damaged: outboxes.damaged,
            },
            pending,
            caches,
        }
    })
}

impl View {
    /// The names of the damaged records, or what was read as something that was never written.
    fn damage(&self, sound: &Self) -> Result<Vec<String>, String> {
        let mut named = Vec::new();
        each(&mut named, &self.people, &sound.people, |_, _| false)?;
        each(&mut named, &self.polls, &sound.polls, |_, _| false)?;
        each(&mut named, &self.pending, &sound.pending, |_, _| false)?;
        // A cache is a copy, and may be behind.
        each(&mut named, &self.caches, &sound.caches, |read, sound| {
            let (Some(read), Some(sound)) = (read, sound) else {
                return read.is_none();
            };
            read.snapshot == sound.snapshot && sound.tail.starts_with(&read.tail)
        })?;
        list(&mut named, &self.journals, &sound.journals)?;
        list(&mut named, &self.outboxes, &sound.outboxes)?;
        Ok(named)
    }

    /// The polls that read, and the outboxes.
    fn readable(&self) -> (usize, usize) {
        let polls = self.polls.iter().filter(|read| read.is_ok()).count();
        let pending = self.pending.iter().filter(|read| read.is_ok()).count();
        (polls, pending)
    }
}

fn each<T: Debug + PartialEq>(
    named: &mut Vec<String>,
    read: &[Result<T, StoreError>],
    sound: &[Result<T, StoreError>],
    may_be: impl Fn(&T, &T) -> bool,
) -> Result<(), String> {
    for (read, sound) in read.iter().zip(sound) {
        match (read, sound) {
            (Ok(read), Ok(sound)) if read == sound || may_be(read, sound) => {}
            (Err(StoreError::Corrupt { record, .. }), _) => named.push(record.clone()),
            (read, sound) => return Err(format!("{read:?} instead of {sound:?}")),
        }
    }
    Ok(())
}

fn list<T: Debug + PartialEq>(
    named: &mut Vec<String>,
    read: &Listed<T>,
    sound: &Listed<T>,
) -> Result<(), String> {
    let is_less = read.found.len() < sound.found.len();
    if !read.found.iter().all(|one| sound.found.contains(one))
        || (is_less && read.damaged.is_empty())
    {
        return Err(format!("{read:?} instead of {sound:?}"));
    }
    for damaged in &read.damaged {
        let StoreError::Corrupt { record, .. } = &damaged.error else {
            panic!("{}", damaged.error);
        };
        named.push(record.clone());
    }
    Ok(())
}

fn with_bit(bytes: &[u8], bit: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.into()
}

/// Every store with one bit of one value changed, with the key of its record.
fn flipped_values(sound: &MemoryStore) -> impl Iterator<Item = (Bytes, MemoryStore)> {
    records(sound).into_iter().flat_map(move |(key, value)| {
        (0..8 * value.len()).map(move |bit| {
            let store = sound.fork();
            commit(&store, |batch| {
                batch.put(key.clone(), with_bit(&value, bit))
            });
            (key.clone(), store)
        })
    })
}

/// Every store with one bit of one key changed, with the key that it was.
fn flipped_keys(sound: &MemoryStore) -> impl Iterator<Item = (Bytes, MemoryStore)> {
    records(sound).into_iter().flat_map(move |(key, value)| {
        (0..8 * key.len()).map(move |bit| {
            let store = sound.fork();
            commit(&store, |batch| {
                batch.delete(key.clone());
                batch.put(with_bit(&key, bit), value.clone());
            });
            (key.clone(), store)
        })
    })
}

fn kind(key: &[u8]) -> &'static str {
    match key {
        [0x01] => "the identity",
        [0x01, ..] => "the device of slot",
        [0x10, ..] => "outbox of device",
        [0x20, ..] => "the list of journals, entry of",
        [0x21, ..] => "journal of",
        _ => "cache of",
    }
}

#[test]
fn every_flipped_bit_of_a_value_is_named_as_damage_of_its_record() {
    let sound = store();
    let before = view(&sound);
    let mut flips = 0;
    for (key, store) in flipped_values(&sound) {
        flips += 1;
        let after = view(&store);
        let named = after.damage(&before).unwrap();
        assert!(
            !named.is_empty() && named.iter().all(|name| name.starts_with(kind(&key))),
            "{key:02x?}: {named:?}"
        );
        // And costs nothing else.
        let readable = after.readable();
        let expected = match key[0] {
            0x10 => (2, 2),
            0x21 => (1, 3),
            _ => (2, 3),
        };
        assert_eq!(readable, expected, "{key:02x?}");
    }
    assert!(flips > 5000, "{flips}");
}

#[test]
fn every_flipped_bit_of_a_key_is_named_or_without_effect() {
    let sound = store();
    let before = view(&sound);
    for (key, store) in flipped_keys(&sound) {
        let damage = view(&store).damage(&before);
        let named = damage.unwrap_or_else(|what| panic!("{key:02x?}: {what}"));
        // Only a copy may be less than it was, and nobody hears of it.
        assert!(!named.is_empty() || key[0] == 0x30, "{key:02x?}");
    }
}

#[test]
fn without_checksums_votes_and_people_change_in_silence() {
    let sound = store();
    let before = view(&sound);
    let silent = |stores: &mut dyn Iterator<Item = (Bytes, MemoryStore)>, tag: u8| {
        planted::with(Some(Fault::NoChecksum), || {
            stores
                .filter(|(key, _)| key[0] == tag)
                .filter(|(_, store)| view(store).damage(&before).is_err())
                .count()
        })
    };
    // The bits of the secret, the token aside, are another person each.
    assert!(silent(&mut flipped_values(&sound), 0x01) >= 256);
    assert!(silent(&mut flipped_values(&sound), 0x21) > 100);
    assert!(silent(&mut flipped_keys(&sound), 0x10) > 100);
}

#[test]
fn what_is_shortened_or_extended_is_named() {
    let sound = store();
    let before = view(&sound);
    for (key, value) in records(&sound) {
        let cut = (1..value.len()).map(|len| value.slice(..len));
        let longer = [value.to_vec(), vec![0; 8]].concat();
        let nothing = vec![0; value.len()];
        for changed in cut.chain([longer.into(), nothing.into()]) {
            // So long were the values of the version without checksums.
            if matches!(
                (key[0], key.len(), changed.len()),
                (0x01, 5, 5) | (0x10, 54, 8)
            ) {
                continue;
            }
            let store = sound.fork();
            commit(&store, |batch| batch.put(key.clone(), changed.clone()));
            let named = view(&store).damage(&before).unwrap();
            assert!(!named.is_empty(), "{key:02x?}: {changed:02x?}");
        }
    }
}

#[test]
fn a_listing_names_what_does_not_read_and_goes_on() {
    let sound = store();
    let stray_of = |tag: u8| [&[tag][..], &[0x77; 3]].concat();
    let entry = records(&sound)
        .into_iter()
        .map(|(key, _)| key)
        .find(|key| key[0] == 0x20)
        .unwrap();
    commit(&sound, |batch| {
        batch.put(stray_of(0x10), "?");
        batch.put(stray_of(0x20), "?");
        batch.put(stray_of(0x21), "?");
        batch.delete(entry.clone());
    });
    let journals = block_on(Journal::list(&sound)).unwrap();
    assert_eq!(journals.found, [room(3), room(9)]);
    let keys: Vec<_> = journals.damaged.iter().map(|it| it.key.clone()).collect();
    assert_eq!(
        keys,
        [stray_of(0x20).into(), entry, Bytes::from(stray_of(0x21))]
    );
    let outboxes = block_on(Outbox::list(&sound)).unwrap();
    let [of_three, of_nine] = [3, 9].map(|number| (device(number), room(3), 2));
    assert_eq!(outboxes.found, [of_three, of_nine]);
    assert_eq!(outboxes.damaged.len(), 1);
    let error = outboxes.damaged[0].error.to_string();
    assert!(error.contains("the outboxes, key 10777777"), "{error}");

    // Removed, they are gone.
    commit(&sound, |batch| {
        for damaged in journals.damaged.iter().chain(&outboxes.damaged) {
            batch.delete(damaged.key.clone());
        }
    });
    assert_eq!(block_on(Outbox::list(&sound)).unwrap().damaged, []);

    planted::with(Some(Fault::DamageSpreads), || {
        commit(&sound, |batch| batch.put(stray_of(0x10), "?"));
        assert!(block_on(Outbox::list(&sound)).is_err());
        assert!(block_on(Journal::list(&sound)).is_err());
    });
}

#[test]
fn a_damaged_journal_can_be_taken_away_as_it_is_and_removed() {
    let sound = store();
    let journal = Journal::new(room(3));
    let whole = block_on(journal.export(&sound)).unwrap();
    assert_eq!(whole.len(), 1 + 1 + 2 + 2);

    let (key, value) = whole[2].clone();
    commit(&sound, |batch| batch.put(key.clone(), with_bit(&value, 99)));
    block_on(journal.load(&sound)).unwrap_err();
    let damaged = block_on(journal.export(&sound)).unwrap();
    assert_eq!(damaged.len(), whole.len());
    assert_eq!(damaged[2], (key, with_bit(&value, 99)));

    commit(&sound, |batch| journal.remove(batch));
    assert_eq!(block_on(journal.load(&sound)), Ok(None));
    assert_eq!(block_on(Journal::list(&sound)).unwrap().found, [room(9)]);

    // What was taken away before the damage is the journal again.
    commit(&sound, |batch| {
        for (key, value) in whole {
            batch.put(key, value);
        }
    });
    let loaded = block_on(journal.load(&sound)).unwrap();
    assert_eq!(loaded, block_on(journal.load(&store())).unwrap());
}

/// The records of the first version have no seals, and are what they are.
#[test]
fn what_was_written_before_there_were_seals_is_read_as_it_is() {
    const SEAL: usize = 9;
    let sealed = store();
    let bare = MemoryStore::new();
    for (key, value) in records(&sealed) {
        commit(&bare, |batch| batch.put(key, value.slice(SEAL..)));
    }
    assert_eq!(view(&bare), view(&sealed));

    // What is none of them is named, even where its form would do.
    let (key, secret) = records(&bare).swap_remove(0);
    for at in [32, 57] {
        let mut capital = secret.to_vec();
        capital[at] = b'A';
        let store = bare.fork();
        commit(&store, |batch| batch.put(key.clone(), capital));
        let identity = block_on(Identity::load_or_create(&store, 0));
        let Err(StoreError::Corrupt { record, .. }) = identity else {
            panic!("{identity:?}");
        };
        assert_eq!(record, "the identity");
    }
}

#[test]
fn a_journal_whose_entry_in_the_list_is_gone_or_damaged_is_found_in_its_order() {
    const ENTRIES: u8 = 0x20;
    let sound = store();
    let entries = records(&sound)
        .into_iter()
        .filter(|(key, _)| key[0] == ENTRIES);
    for (key, value) in entries {
        for is_gone in [true, false] {
            let store = sound.fork();
            commit(&store, |batch| match is_gone {
                true => batch.delete(key.clone()),
                false => batch.put(key.clone(), with_bit(&value, 20)),
            });
            let listed = block_on(Journal::list(&store)).unwrap();
            assert_eq!(listed.found, [room(3), room(9)]);
            assert!(listed.damaged.iter().all(|it| it.key == key), "{listed:?}");
            assert!(!listed.damaged.is_empty());
        }
    }
}
