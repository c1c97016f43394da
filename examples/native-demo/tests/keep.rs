//! A poll is moved from one redb file to another, and back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use futures::executor::block_on;
use hustings_outbox::{Batch, Durability, Identity, Journal, RedbStore, Store, StoreError};
use hustings_protocol::{
    Epoch, Limits, OptionId, Poll, PollDraft, PollId, Position, Revision, RoomId,
};

fn demo(args: &[&str], passphrase: &str) -> Output {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_hustings-native-demo"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = demo.stdin.take().unwrap();
    // Whoever complains before it asks for a passphrase has closed it.
    let _ = writeln!(input, "{passphrase}");
    drop(input);
    demo.wait_with_output().unwrap()
}

#[track_caller]
fn says(output: &Output, code: i32, text: &str) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(text), "{said}");
}

/// A store with a poll that was begun.
fn begin(path: &Path) -> RoomId {
    block_on(async {
        let store = RedbStore::open(path).unwrap();
        let owner = Identity::load_or_create(&store, 0).await.unwrap().peer_id();
        let poll_id: PollId = "0196f1c2-8d1e-4c3a-9b55-0d2f6a1e4c77".parse().unwrap();
        let draft = PollDraft::new("Tea?").options(["Yes"]);
        let yes = || -> OptionId { "0196f1c2-8d1e-4c3a-9b55-0d2f6a1e4c78".parse().unwrap() };
        let poll = Poll::new(poll_id, owner, draft, yes, &Limits::default()).unwrap();
        let at = Position {
            epoch: Epoch::new(1),
            revision: Revision::ZERO,
            history: None,
        };
        let room = RoomId { owner, poll_id };
        let mut batch = Batch::new();
        Journal::new(room).begin(&mut batch, at.revision, &poll.encode_state(at));
        store.commit(batch, Durability::Strict).await.unwrap();
        room
    })
}

fn loads(path: &Path, room: RoomId) -> Result<bool, StoreError> {
    block_on(async {
        let store = RedbStore::open(path).unwrap();
        let journal = Journal::new(room).load(&store).await?;
        Ok(journal.is_some())
    })
}

#[test]
fn a_poll_is_moved_to_another_file_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let (here, there, file) = (text("here.redb"), text("there.redb"), text("polls.age"));
    let room = begin(&path("here.redb"));
    let words = "eight words or so";

    let moves = ["export", "--store", &here, "--to", &file, "--move"];
    says(&demo(&moves, words), 0, "1 polls moved to");
    assert!(matches!(
        loads(&path("here.redb"), room),
        Err(StoreError::PutAside(_))
    ));
    // No file is overwritten, and nothing happens for want of a place.
    says(&demo(&moves, words), 2, "polls.age");
    // It is made again somewhere else.
    let again = text("again.age");
    let makes = ["export", "--store", &here, "--to", &again, "--move"];
    says(&demo(&makes, words), 0, "1 polls moved to");

    let opens = ["import", "--store", &there, "--from", &file];
    says(&demo(&opens, "other words"), 2, "the passphrase is wrong");
    says(&demo(&opens, words), 0, "imported");
    assert_eq!(loads(&path("there.redb"), room), Ok(true));

    let (back, link) = (text("back.age"), room.to_string());
    let moves = ["export", "--store", &there, "--to", &back, "--move", &link];
    says(&demo(&moves, words), 0, "1 polls moved to");
    let opens = ["import", "--store", &here, "--from", &back];
    says(&demo(&opens, words), 0, "is here already");
    assert_eq!(loads(&path("here.redb"), room), Ok(true));

    // Somebody else has something of their own in their store.
    let other = text("other.redb");
    begin(&path("other.redb"));
    let opens = ["import", "--store", &other, "--from", &back];
    says(&demo(&opens, words), 2, "belongs to another identity");
}
