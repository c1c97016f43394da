//! Taking a file in.

use std::collections::BTreeMap;

use bytes::Bytes;
use hustings_protocol::{RoomId, StoredJournal};

use super::compare::{Course, Relation};
use super::{Contents, ImportError, PollCopy};
use crate::identity::Secret;
use crate::journal::DeviceReceipt;
use crate::keys::{self, Key};
use crate::{Aside, Batch, Durability, Journal, Store, StoreError};

/// The end of one poll of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was not here, and is now.
    Added,
    /// It was here, and has what the file has more of it.
    Advanced,
    /// It was here as it is in the file. If it was moved away, it is back.
    Same,
    /// It is newer here than in the file, and stayed as it is.
    Newer,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// True if the store has the identity of the file only since.
    pub is_new_identity: bool,
    /// The polls of the file.
    pub polls: Vec<(RoomId, Outcome)>,
}

pub(super) async fn import(
    contents: &Contents,
    store: &impl Store,
) -> Result<Imported, ImportError> {
    let mut batch = Batch::new();
    let is_new_identity = take_identity(&contents.secret, store, &mut batch).await?;
    let mut polls = Vec::with_capacity(contents.polls.len());
    for poll in &contents.polls {
        let outcome = take_poll(poll, contents.at, store, &mut batch).await?;
        polls.push((poll.room, outcome));
    }
    if !batch.is_empty() {
        store.commit(batch, Durability::Strict).await?;
    }
    Ok(Imported {
        is_new_identity,
        polls,
    })
}

/// Gives the store the identity; true if it has another one, or none.
async fn take_identity(
    secret: &Secret,
    store: &impl Store,
    batch: &mut Batch,
) -> Result<bool, ImportError> {
    let place = Key::new(keys::IDENTITY).bytes();
    let before = store.get(&place).await?;
    if let Some(here) = Secret::read(store).await? {
        if here.peer_id() == secret.peer_id() {
            return Ok(false);
        }
        if !is_empty(store).await? {
            return Err(ImportError::OtherIdentity {
                here: here.peer_id(),
                file: secret.peer_id(),
            });
        }
    }
    batch.require(place, before);
    secret.put(batch);
    Ok(true)
}

/// True if a store has nothing beside its identity and its devices.
async fn is_empty(store: &impl Store) -> Result<bool, StoreError> {
    let from = Key::new(keys::IDENTITY + 1).bytes();
    let rest = store.scan(from..Bytes::from_static(&[u8::MAX])).await?;
    Ok(rest.is_empty())
}

async fn take_poll(
    poll: &PollCopy,
    at: u64,
    store: &impl Store,
    batch: &mut Batch,
) -> Result<Outcome, ImportError> {
    let journal = Journal::new(poll.room);
    // One moment after the other: what is required is that it was none between.
    let required = journal.snapshot_record(store).await?;
    let here = journal.load_any(store).await?;
    batch.require(required.0, required.1);
    let Some((here, aside)) = here else {
        journal.write(batch, &poll.journal);
        set_aside(poll, at, None, batch);
        return Ok(Outcome::Added);
    };
    let there = course(poll.room, &poll.journal)?;
    let was_moved = matches!(aside, Some(Aside::Moved { .. }));
    let title = || there.title.clone();
    let relation = there.beside(&course(poll.room, &here)?);
    match relation {
        Relation::Same => {
            journal.write_receipts(batch, newer_receipts(&poll.journal, &here));
            if was_moved {
                set_aside(poll, at, aside, batch);
            }
            Ok(Outcome::Same)
        }
        // What was moved away has gone on elsewhere, and nowhere else.
        Relation::Ahead | Relation::Apart if was_moved || relation == Relation::Ahead => {
            journal.write(batch, &poll.journal);
            journal.write_receipts(batch, newer_receipts(&here, &poll.journal));
            set_aside(poll, at, aside, batch);
            Ok(Outcome::Advanced)
        }
        Relation::Behind => Ok(Outcome::Newer),
        Relation::Fork => Err(ImportError::Fork {
            room: poll.room,
            title: title(),
        }),
        Relation::Ahead | Relation::Apart => Err(ImportError::TooFarAhead {
            room: poll.room,
            title: title(),
        }),
    }
}

fn course(room: RoomId, journal: &StoredJournal) -> Result<Course<'_>, StoreError> {
    Course::of(room, journal).ok_or_else(|| {
        keys::corrupt(
            format_args!("journal of {room}, snapshot"),
            "it is no poll of this room",
        )
    })
}

/// An archived poll stays one, wherever it was archived; any other is to be hosted.
fn set_aside(poll: &PollCopy, at: u64, aside: Option<Aside>, batch: &mut Batch) {
    let journal = Journal::new(poll.room);
    match aside {
        Some(archived @ Aside::Archived { .. }) => journal.put_aside(batch, archived),
        _ if poll.is_archived => journal.put_aside(batch, Aside::Archived { at }),
        Some(Aside::Moved { .. }) | None => journal.take_back(batch),
    }
}

/// The receipts of one journal that another has not, or has older ones in the place of.
fn newer_receipts<'a>(
    of: &'a StoredJournal,
    than: &'a StoredJournal,
) -> impl Iterator<Item = &'a DeviceReceipt> {
    let place = |it: &DeviceReceipt| (it.0, it.1, keys::place_in_ring(it.2.seq));
    let known: BTreeMap<_, _> = than
        .receipts
        .iter()
        .map(|it| (place(it), it.2.seq))
        .collect();
    of.receipts
        .iter()
        .filter(move |it| known.get(&place(it)).is_none_or(|seq| *seq < it.2.seq))
}
