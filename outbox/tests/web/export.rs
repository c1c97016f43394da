//! An identity and its polls, from one database to another: `tests/export.rs` has the cases.

use hustings_outbox::export::{Export, Intent, Passphrase, ReadError, Sealer, WorkFactor, export};
use hustings_outbox::{
    Aside, Batch, Durability, Identity, IndexedDbStore, Journal, Store, StoreError,
};
use hustings_protocol::{
    Epoch, Limits, OptionId, Poll, PollDraft, PollId, Position, Revision, RoomId,
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::page::unique_name;

const MOVED: StoreError = StoreError::PutAside(Aside::Moved { at: 5 });

async fn open(name: &str) -> IndexedDbStore {
    IndexedDbStore::open(name).await.unwrap()
}

/// A poll that was begun.
async fn begin(store: &IndexedDbStore) -> RoomId {
    let me = Identity::load_or_create(store, 0).await.unwrap();
    let poll_id: PollId = "0196f1c2-8d1e-4c3a-9b55-0d2f6a1e4c77".parse().unwrap();
    let yes = || -> OptionId { "0196f1c2-8d1e-4c3a-9b55-0d2f6a1e4c78".parse().unwrap() };
    let draft = PollDraft::new("Tea?").options(["Yes"]);
    let poll = Poll::new(poll_id, me.peer_id(), draft, yes, &Limits::default()).unwrap();
    let at = Position {
        epoch: Epoch::new(1),
        revision: Revision::ZERO,
        history: None,
    };
    let room = RoomId {
        owner: me.peer_id(),
        poll_id,
    };
    let mut batch = Batch::new();
    Journal::new(room).begin(&mut batch, at.revision, &poll.encode_state(at));
    store.commit(batch, Durability::Strict).await.unwrap();
    room
}

#[wasm_bindgen_test]
async fn a_poll_is_moved_to_another_database_with_the_work_that_a_page_does() {
    let (name, store) = (unique_name(), unique_name());
    let here = open(&name).await;
    let room = begin(&here).await;
    let words = Passphrase::new("eight words or so".to_owned());
    let sealer = Sealer::new(&words, WorkFactor::default()).unwrap();
    let polls = [room];
    let file = export(&here, &polls, Intent::Move, 5, sealer).await;
    let file = file.unwrap();
    drop(here);
    let here = open(&name).await;
    let journal = Journal::new(room);
    assert_eq!(journal.load(&here).await.unwrap_err(), MOVED);

    let wrong = Passphrase::new("other words".to_owned());
    let refused = Export::open(&file, &wrong).unwrap_err();
    assert_eq!(refused, ReadError::WrongPassphrase);
    let opened = Export::open(&file, &words).unwrap();
    let there = open(&store).await;
    let before = Identity::load_or_create(&there, 0).await.unwrap();
    assert!(opened.import(&there).await.unwrap().is_new_identity);
    let after = Identity::load_or_create(&there, 0).await.unwrap();
    assert_eq!(after.peer_id(), room.owner);
    assert_eq!(after.device(), before.device());
    assert!(journal.load(&there).await.unwrap().is_some());
    opened.import(&here).await.unwrap();
    assert!(journal.load(&here).await.unwrap().is_some());
}
