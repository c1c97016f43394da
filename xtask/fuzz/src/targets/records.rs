//! Stores in which anything may stand: what is read is what was written, or a named damage.

use std::fmt::Debug;

use bytes::Bytes;
use futures::FutureExt;
use hustings_outbox::{
    Batch, Cache, Durability, Identity, Journal, MemoryStore, Outbox, Store, StoreError,
};
use hustings_protocol::{
    Command, CommandId, Epoch, Message, Numbered, Position, Revision, Seq, UserProfile,
};
use hustings_room::driver::records;
use hustings_room::{Host, Moment, Output, Owner, Participant};

use crate::input::Input;
use crate::people::{OWNER, device, peer, poll, room, setup};

/// The one who has joined.
const MEMBER: u8 = 2;
/// The first byte of every record that has a checksum.
const SEALED: u8 = 0xad;

fn ready<T>(done: impl Future<Output = T>) -> T {
    done.now_or_never().unwrap()
}

pub(super) fn run(bytes: &[u8]) {
    let store = sound();
    let before = View::of(&store);
    let mut input = Input::new(bytes);
    let all = ready(store.scan(Bytes::new()..Bytes::from_static(&[0xff; 2]))).unwrap();
    let mut is_sealed = true;
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        let (key, value) = input.pick(&all).unwrap();
        let value = match input.below(4) {
            0 => input.some().to_vec(),
            // In the form of the first version, which had no checksums.
            1 => input.altered(value.get(9..).unwrap_or_default()),
            _ => input.altered(value),
        };
        is_sealed &= value.first() == Some(&SEALED);
        let mut batch = Batch::new();
        batch.put(key.clone(), value);
        ready(store.commit(batch, Durability::Strict)).unwrap();
    }
    let after = View::of(&store);
    if is_sealed {
        is_same_or_damage(&after.identity, &before.identity);
        is_same_or_damage(&after.journal, &before.journal);
        is_same_or_damage(&after.outbox, &before.outbox);
        if let (Ok(Some(after)), Ok(Some(before))) = (&after.cache, &before.cache) {
            assert_eq!(after.snapshot, before.snapshot);
            assert!(before.tail.starts_with(&after.tail), "{:?}", after.tail);
        }
    }
    // The machines take what reads, or say why not.
    if let Ok(Some(journal)) = after.journal {
        let _ = Owner::restore(setup(OWNER, 3), journal).map_err(|error| error.to_string());
    }
    if let Ok(outbox) = after.outbox {
        let cache = after.cache.ok().flatten();
        let joined = Participant::new(
            setup(MEMBER, 3),
            room(),
            outbox,
            cache.as_ref(),
            Moment::START,
        );
        let _ = joined.map_err(|error| error.to_string());
    }
    let _ = ready(Journal::list(&store)).map_err(|error| error.to_string());
    let _ = ready(Outbox::list(&store)).map_err(|error| error.to_string());
}

fn is_same_or_damage<T: PartialEq + Debug>(
    after: &Result<T, StoreError>,
    before: &Result<T, StoreError>,
) {
    match (after, before) {
        (Ok(after), Ok(before)) => assert_eq!(after, before, "damage is read as something else"),
        (Err(StoreError::Corrupt { record, .. }), _) => assert!(!record.is_empty()),
        (after, _) => panic!("{after:?}"),
    }
}

struct View {
    identity: Result<Identity, StoreError>,
    journal: Result<Option<hustings_protocol::StoredJournal>, StoreError>,
    outbox: Result<hustings_protocol::StoredOutbox, StoreError>,
    cache: Result<Option<hustings_protocol::StoredLog>, StoreError>,
}

impl View {
    fn of(store: &MemoryStore) -> Self {
        Self {
            identity: ready(Identity::load_or_create(store, 0)),
            journal: ready(Journal::new(room()).load(store)),
            outbox: ready(Outbox::new(device(MEMBER), room()).load(store)),
            cache: ready(Cache::new(device(MEMBER), room()).load(store)),
        }
    }
}

fn called(name: &str) -> Command {
    let name = name.to_owned();
    Command::SetProfile(UserProfile { name })
}

/// A store with an identity, a poll, commands that wait, and a copy.
fn sound() -> MemoryStore {
    let store = MemoryStore::new();
    let mut batch = Batch::new();
    let mut host = Host::new(&setup(OWNER, 0), Moment::START);
    let owner = Owner::create(setup(OWNER, 1), poll()).unwrap();
    host.open(owner, Moment::START);
    for name in ["Al", "Alice"] {
        host.submit(room().poll_id, called(name), Moment::START)
            .unwrap();
    }
    while let Some(output) = host.poll_output() {
        if let Output::Persist(persist) = output {
            records::stage(&mut batch, device(OWNER), *persist);
        }
    }
    let outbox = Outbox::new(device(MEMBER), room());
    for number in [1, 2] {
        let frame = Message::Command(Numbered {
            command_id: CommandId::new(1_790_000_000_000 + number, [7; 10]),
            seq: Seq::new(number).unwrap(),
            seen: None,
            command: called("Bob"),
        });
        outbox.put(&mut batch, Seq::new(number).unwrap(), frame.encode());
    }
    let revision = Revision::new(3).unwrap();
    let state = poll().encode_state(Position {
        revision,
        epoch: Epoch::new(1),
        history: None,
    });
    Cache::new(device(MEMBER), room()).begin(&mut batch, revision, &state);
    assert_eq!(peer(OWNER), room().owner);
    ready(store.commit(batch, Durability::Strict)).unwrap();
    store
}
