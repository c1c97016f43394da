//! An identity and its polls as one encrypted file, to keep or to move (feature `export`).
//!
//! The file is an [`age`](https://age-encryption.org) file with a passphrase. It has the secret key,
//! so whoever has file and passphrase is that person.
//!
//! ```
//! use hustings_outbox::export::{Export, Intent, Passphrase, Sealer, WorkFactor, export};
//! use hustings_outbox::{Identity, MemoryStore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures::executor::block_on(async {
//! let laptop = MemoryStore::new();
//! let me = Identity::load_or_create(&laptop, 0).await?;
//! let passphrase = Passphrase::new("four words at least".to_owned());
//!
//! # let quick = WorkFactor::new(4).ok_or("between 1 and 18")?;
//! let sealer = Sealer::new(&passphrase, WorkFactor::default())?;
//! # let sealer = Sealer::new(&passphrase, quick)?;
//! let polls = [];
//! let file = export(&laptop, &polls, Intent::Copy, 1_795_651_200_000, sealer).await?;
//!
//! let phone = MemoryStore::new();
//! Export::open(&file, &passphrase)?.import(&phone).await?;
//! assert_eq!(Identity::load_or_create(&phone, 0).await?.peer_id(), me.peer_id());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Devices stay behind, and votes that wait on them for other hosts: an import makes another device
//! of the same person.
//!
//! # A copy, and a move
//!
//! Two that host one poll give the same numbers to different votes. What participants have seen
//! shows it, and the one that has lost begins a new epoch; until then votes of one of them are
//! lost. So a poll that is to be hosted elsewhere is *moved*: with [`Intent::Move`] its journal is
//! [put aside](crate::Journal::put_aside) before the file is there, and its store refuses it from
//! then on. If the file is lost, it can be made again from the journal, which stays, or the move
//! can be [taken back](crate::Journal::take_back). A [copy](Intent::Copy) marks nothing: it is a
//! backup.

mod age;
mod base64;
mod compare;
mod container;
mod errors;
mod import;

use std::fmt;

use hustings_protocol::{PeerId, RoomId, StoredJournal};
use zeroize::Zeroizing;

pub use errors::{ExportError, ImportError, ReadError};
pub use import::{Imported, Outcome};

use crate::identity::{Secret, random};
use crate::{Aside, Batch, Durability, Journal, Store};

/// The greatest length of a file, in bytes: 256 MiB, which is a million votes and more.
pub const MAX_FILE: usize = 256 << 20;

/// The purpose of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    /// A backup. The polls go on where they are.
    Copy,
    /// The polls are to be hosted elsewhere. They are put aside here.
    Move,
}

/// The words that a file is encrypted with. They are wiped from memory when this is dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as it was typed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// The work of one try of a passphrase: scrypt with 2^n blocks of 1 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// The most that a file may ask for: 256 MiB of memory, and a few seconds of a slow machine.
    pub const MAX: Self = Self(18);

    /// 2^`log_n` blocks; `None` for 0, and above [`MAX`](Self::MAX).
    #[must_use]
    pub const fn new(log_n: u8) -> Option<Self> {
        match log_n {
            0 => None,
            log_n if log_n > Self::MAX.0 => None,
            log_n => Some(Self(log_n)),
        }
    }

    const fn log_n(self) -> u8 {
        self.0
    }

    /// The one in a file, which may be above [`MAX`](Self::MAX).
    fn parse(text: &str) -> Option<Self> {
        let is_plain = !text.starts_with(['0', '+']);
        text.parse().ok().filter(|_| is_plain).map(Self)
    }
}

/// 2^17, which is 128 MiB: a phone has that for a moment.
impl Default for WorkFactor {
    fn default() -> Self {
        Self(17)
    }
}

/// The encryption of one file, ready to be used: everything that takes long, and that may fail
/// without a store.
pub struct Sealer(age::Sealed);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Makes a key of a passphrase. It computes for as long as the factor says, so a page shows
    /// before that it is busy.
    ///
    /// # Errors
    ///
    /// [`ExportError::NoPassphrase`], and [`ExportError::Randomness`].
    pub fn new(passphrase: &Passphrase, factor: WorkFactor) -> Result<Self, ExportError> {
        if passphrase.0.is_empty() {
            return Err(ExportError::NoPassphrase);
        }
        fn drawn<const N: usize>() -> Result<[u8; N], ExportError> {
            random().map_err(|error| ExportError::Randomness(error.to_string()))
        }
        let parts = age::Random {
            file_key: Zeroizing::new(drawn()?),
            salt: drawn()?,
            nonce: drawn()?,
        };
        Ok(Self(age::Sealed::new(passphrase, factor, &parts)))
    }
}

/// One poll of a file.
struct PollCopy {
    room: RoomId,
    is_archived: bool,
    journal: StoredJournal,
}

/// Everything that a file has.
struct Contents {
    at: u64,
    intent: Intent,
    secret: Secret,
    polls: Vec<PollCopy>,
}

/// Makes a file with the identity of a store, and with these polls of it, whether they are hosted,
/// archived or moved already. What is archived is so in a copy; a moved poll is to be hosted. `at`
/// is the present time, in milliseconds since 1970.
///
/// With [`Intent::Move`] the polls are put aside first, all in one commit, and read after that. No
/// driver may have them open: it closes them before (`Hosting::put_aside` in `hustings-room` does
/// both). After a crash in between nothing is lost: they are listed as moved, and can be exported
/// again, or taken back.
///
/// # Errors
///
/// See [`ExportError`]. After [`ExportError::TooLarge`], and if the store fails on the way, polls
/// may be put aside already.
pub async fn export(
    store: &impl Store,
    polls: &[RoomId],
    intent: Intent,
    at: u64,
    sealer: Sealer,
) -> Result<Vec<u8>, ExportError> {
    let secret = Secret::read(store).await?.ok_or(ExportError::NoIdentity)?;
    let owner = secret.peer_id();
    let mut copies = read(store, owner, polls).await?;
    if intent == Intent::Move {
        let mut batch = Batch::new();
        for (copy, aside) in &copies {
            if !matches!(aside, Some(Aside::Moved { .. })) {
                Journal::new(copy.room).put_aside(&mut batch, Aside::Moved { at });
            }
        }
        if !batch.is_empty() {
            store.commit(batch, Durability::Strict).await?;
            // Whoever has written until then has written before this.
            copies = read(store, owner, polls).await?;
        }
    }
    let contents = Contents {
        at,
        intent,
        secret,
        polls: copies.into_iter().map(|(copy, _)| copy).collect(),
    };
    let plain = container::encode(&contents)?;
    let file = sealer.0.file(&plain);
    if file.len() > MAX_FILE {
        return Err(ExportError::TooLarge);
    }
    Ok(file)
}

async fn read(
    store: &impl Store,
    owner: PeerId,
    polls: &[RoomId],
) -> Result<Vec<(PollCopy, Option<Aside>)>, ExportError> {
    let mut copies: Vec<(PollCopy, Option<Aside>)> = Vec::with_capacity(polls.len());
    for &room in polls {
        let is_twice = copies.iter().any(|(copy, _)| copy.room == room);
        if is_twice {
            continue;
        }
        let journal = match room.owner == owner {
            true => Journal::new(room).load_any(store).await?,
            false => None,
        };
        let (journal, aside) = journal.ok_or(ExportError::NoJournal(room))?;
        let copy = PollCopy {
            room,
            is_archived: matches!(aside, Some(Aside::Archived { .. })),
            journal,
        };
        copies.push((copy, aside));
    }
    Ok(copies)
}

/// A file that was opened, with nothing taken in yet.
pub struct Export(Contents);

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("peer_id", &self.peer_id())
            .field("at", &self.0.at)
            .field("intent", &self.0.intent)
            .finish_non_exhaustive()
    }
}

impl Export {
    /// Decrypts a file, and reads it whole. It computes for as long as the file's work factor says,
    /// at most [`WorkFactor::MAX`].
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn open(file: &[u8], passphrase: &Passphrase) -> Result<Self, ReadError> {
        if file.len() > MAX_FILE {
            return Err(ReadError::TooLarge);
        }
        let plain = age::open(file, passphrase, WorkFactor::MAX)?;
        let contents = container::decode(&plain)?;
        let owner = contents.secret.peer_id();
        for (number, poll) in contents.polls.iter().enumerate() {
            let before = &contents.polls[..number];
            let is_sound = poll.room.owner == owner
                && before.iter().all(|other| other.room != poll.room)
                && Journal::new(poll.room).is_sound(&poll.journal)
                && compare::Course::of(poll.room, &poll.journal).is_some();
            if !is_sound {
                return Err(ReadError::Damaged);
            }
        }
        Ok(Self(contents))
    }

    /// The identity in the file.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.0.secret.peer_id()
    }

    /// The time of the export, in milliseconds since 1970, by the clock of its machine.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.0.at
    }

    /// The purpose that the file was made for.
    #[must_use]
    pub const fn intent(&self) -> Intent {
        self.0.intent
    }

    /// The polls in the file.
    pub fn polls(&self) -> impl ExactSizeIterator<Item = RoomId> {
        self.0.polls.iter().map(|poll| poll.room)
    }

    /// Takes everything in, in one commit, or nothing. No driver of this identity may run on the
    /// store, except participants'.
    ///
    /// A poll that is here already is compared. The same one stays as it is, and one that the file
    /// continues goes on to the end of the file's; either is hosted here again if it was moved. A
    /// newer one than the file's stays as it is.
    ///
    /// A store whose identity is another one takes the file's only if it has nothing else: no
    /// journals, no votes that wait, no copies. Whoever has its old identity in memory starts
    /// again.
    ///
    /// # Errors
    ///
    /// See [`ImportError`]. Nothing has changed, except as [`Store::commit`] says.
    pub async fn import(&self, store: &impl Store) -> Result<Imported, ImportError> {
        import::import(&self.0, store).await
    }
}
