//! A store in one file, on redb.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};

use self::errors::Failure;
use self::place::Place;
use self::writer::Writer;
use crate::{Batch, Durability, Store, StoreError};

mod errors;
mod place;
mod writer;

#[cfg(test)]
mod tests;

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

/// The knowledge about the file itself, of which no scan hears.
const ABOUT: TableDefinition<'static, &str, u32> = TableDefinition::new("about");

/// The key of the version in [`ABOUT`]. A file without one is of version 1.
const FORMAT: &str = "version";

/// The version of the file: its tables, and the form of keys and values.
///
/// | version | what is new |
/// |---|---|
/// | 1 | |
/// | 2 | the version, and records with seals; those without are still read |
///
/// A file of an earlier version is carried up when it is opened; a record gets its seal when it is
/// written again.
const VERSION: u32 = 2;

/// The size in bytes below which a file is not made smaller when it is opened: an empty one has
/// more than a mebibyte.
const SMALL_BYTES: u64 = 8 << 20;

/// The bytes of the file that redb may hold in memory. A store has some polls, not a corpus.
const CACHE_BYTES: usize = 16 << 20;

/// A store in one file.
///
/// # The file
///
/// It has a secret key, so it is created for its owner only (mode 0600). A file that others may
/// read or write is refused, as ssh refuses such a key: to tighten it silently would hide that the
/// key may be known. The error names the `chmod` that helps. On systems other than unix the
/// directory has to protect it.
///
/// One process at a time: a second one, or a second [`open`](RedbStore::open) in this one, gets
/// [`StoreError::Locked`]. The lock is the operating system's, so it ends with the process, for
/// whatever reason.
///
/// To open it reads the whole file and verifies its checksums, so a damaged file is an error at
/// once rather than a surprise later. A file that is mostly empty is made smaller then, see
/// [`compact`](RedbStore::compact).
///
/// A new file is made under another name beside it, and gets its own when it is complete. A
/// creation that was interrupted leaves a file whose name ends in `.new` and 16 digits, which has
/// nothing in it.
///
/// A file that is deleted or replaced while it is open would go on taking commits that nobody ever
/// finds again. So a commit is answered only if the path still is this file, and otherwise with
/// [`StoreError::Deleted`] (on unix; elsewhere an open file cannot be deleted, or nobody can tell).
///
/// # Commits
///
/// All handles share one thread that writes. It takes every batch that waits, applies them in
/// their order in one transaction, and answers them together, so concurrent commits share one
/// sync of the disk; if that transaction fails, all of them get the error. A [`Relaxed`] commit
/// costs as much as a [`Strict`] one: redb's next weaker level is lost when the process crashes,
/// which is less than `Relaxed` promises.
///
/// A commit whose future is dropped before it is ready may or may not take effect.
///
/// After a failure of the disk ([`Full`], [`Io`]) every later commit fails with [`Closed`]: drop
/// the handles, make room, and open the file again. That also shows whether the commit whose sync
/// failed is there.
///
/// # Closing
///
/// A clone is another handle. The last one that is dropped waits for the commits that are still
/// queued and closes the file, so it can be opened again at once. (If that happens on the writing
/// thread itself, inside a waker, it cannot wait: the file then closes a moment later.)
///
/// Reads block the thread that polls them, for the time that a page takes to come from the disk.
///
/// [`Relaxed`]: Durability::Relaxed
/// [`Strict`]: Durability::Strict
/// [`Full`]: StoreError::Full
/// [`Io`]: StoreError::Io
/// [`Closed`]: StoreError::Closed
#[derive(Debug, Clone)]
pub struct RedbStore {
    shared: Arc<Shared>,
}

/// The fields are dropped in their order: the writer ends and drops its reference to the database,
/// then the last reference closes the file.
#[derive(Debug)]
struct Shared {
    writer: Writer,
    /// Taken for writing only to make the file smaller, which has to be alone.
    database: Arc<RwLock<Database>>,
    failure: Failure,
    /// `None` for a backend that is no file.
    place: Option<Place>,
}

impl RedbStore {
    /// Opens the store in this file, or makes one if there is none. The directory has to exist.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Locked`]: the file is open elsewhere.
    /// - [`StoreError::Corrupt`]: the file is damaged, or not a store.
    /// - [`StoreError::Newer`]: the file is of a later version.
    /// - [`StoreError::Full`], [`StoreError::Io`]: errors of the operating system, and a file that
    ///   others may read or write.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let failure = Failure::new(&path.display().to_string());
        // The process may change its directory while the store is open.
        let path = std::path::absolute(path).map_err(|error| failure.io(&error))?;
        if !path.try_exists().map_err(|error| failure.io(&error))? {
            place::create(&path, &failure, |new| {
                Self::from_file(new, OpenOptions::new().create_new(true), &failure).map(drop)
            })?;
        }
        Self::from_file(&path, &mut OpenOptions::new(), &failure)
    }

    /// Makes the file as small as its data allows; `false` if it is that small already.
    ///
    /// A file keeps the room of what was removed, for what comes. To open a file does this by
    /// itself if more than half of it is empty and it has more than 8 MiB. Commits and reads wait
    /// until it is done, and the calling thread with them: it takes about as long as to write the
    /// data anew.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`], [`StoreError::Io`]: errors of the operating system. The data stays
    /// as it is.
    pub fn compact(&self) -> Result<bool, StoreError> {
        // Nobody panics between two changes of it that belong together.
        let mut database = self
            .shared
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let compacted = database.compact();
        compacted.map_err(|error| self.shared.failure.compaction(error))
    }

    fn from_file(
        path: &Path,
        options: &mut OpenOptions,
        failure: &Failure,
    ) -> Result<Self, StoreError> {
        let file = open_file(path, options, failure)?;
        let place = Place::of(path, &file).map_err(|error| failure.io(&error))?;
        let backend = FileBackend::new(file).map_err(|error| failure.open(error))?;
        Self::from_backend(backend, failure.clone(), Some(place))
    }

    fn from_backend(
        backend: impl StorageBackend,
        failure: Failure,
        place: Option<Place>,
    ) -> Result<Self, StoreError> {
        // redb reports damage that it expects, and panics on damage that it takes for impossible.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            Database::builder()
                .set_cache_size(CACHE_BYTES)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)
        }));
        let mut database = opened
            .map_err(|_| failure.corrupt("its data is inconsistent"))?
            .map_err(|error| failure.open(error))?;
        if prepare(&database, &failure)? {
            let compacted = database.compact();
            compacted.map_err(|error| failure.compaction(error))?;
        }
        let database = Arc::new(RwLock::new(database));
        let writer = Writer::spawn(Arc::clone(&database), failure.clone())?;
        let shared = Arc::new(Shared {
            writer,
            database,
            failure,
            place,
        });
        Ok(Self { shared })
    }
}

/// Makes the tables of a new file, because a read transaction fails on a table that was never
/// written, and carries an older file up. True if most of the file is empty.
fn prepare(database: &Database, failure: &Failure) -> Result<bool, StoreError> {
    let transaction = database
        .begin_write()
        .map_err(|error| failure.transaction(error))?;
    let version = {
        transaction
            .open_table(RECORDS)
            .map_err(|error| failure.table(error))?;
        let mut about = transaction
            .open_table(ABOUT)
            .map_err(|error| failure.table(error))?;
        let version = about.get(FORMAT).map_err(|error| failure.storage(error))?;
        let version = version.map_or(1, |version| version.value());
        if version > VERSION {
            // Dropped, the transaction changes nothing.
            return Err(failure.newer());
        }
        about
            .insert(FORMAT, VERSION)
            .map_err(|error| failure.storage(error))?;
        version
    };
    let stats = transaction
        .stats()
        .map_err(|error| failure.storage(error))?;
    if version == VERSION {
        let aborted = transaction.abort();
        aborted.map_err(|error| failure.storage(error))?;
    } else {
        transaction
            .commit()
            .map_err(|error| failure.commit(error))?;
    }
    let (live, empty) = (
        stats.stored_bytes() + stats.metadata_bytes(),
        stats.fragmented_bytes(),
    );
    Ok(empty > live && empty + live > SMALL_BYTES)
}

impl Shared {
    /// The database, which stays as it is until the guard is dropped: a compaction wants no reader.
    fn database(&self) -> RwLockReadGuard<'_, Database> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(
        &self,
        database: &Database,
    ) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, StoreError> {
        database
            .begin_read()
            .map_err(|error| self.failure.transaction(error))?
            .open_table(RECORDS)
            .map_err(|error| self.failure.table(error))
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        // redb's value does not hold its page, the table does. In a variable of its own the table
        // is dropped after the value.
        let database = self.shared.database();
        let table = self.shared.read(&database)?;
        let value = table
            .get(key)
            .map_err(|error| self.shared.failure.storage(error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let failure = &self.shared.failure;
        let database = self.shared.database();
        let table = self.shared.read(&database)?;
        table
            .range::<&[u8]>(&*range.start..&*range.end)
            .map_err(|error| failure.storage(error))?
            .map(|record| {
                let (key, value) = record.map_err(|error| failure.storage(error))?;
                Ok((
                    Bytes::copy_from_slice(key.value()),
                    Bytes::copy_from_slice(value.value()),
                ))
            })
            .collect()
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.shared.writer.commit(batch, durability).await?;
        match &self.shared.place {
            Some(place) if !place.is_the_same() => Err(self.shared.failure.deleted()),
            Some(_) | None => Ok(()),
        }
    }
}

fn open_file(
    path: &Path,
    options: &mut OpenOptions,
    failure: &Failure,
) -> Result<File, StoreError> {
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = options.open(path).map_err(|error| failure.io(&error))?;
    #[cfg(unix)]
    {
        refuse_shared_file(path, &file, failure)?;
        // A strict commit to a new file survives only if the file's name does.
        place::sync_directory(path).map_err(|error| failure.io(&error))?;
    }
    Ok(file)
}

#[cfg(unix)]
fn refuse_shared_file(path: &Path, file: &File, failure: &Failure) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata().map_err(|error| failure.io(&error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(StoreError::Io(format!(
        "{path} holds a secret key, but its mode {mode:04o} lets others access it; \
         if nobody has read it, run chmod 600 {path}",
        path = path.display(),
    )))
}
