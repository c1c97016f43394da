//! A store in one file, on redb.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Database, ReadOnlyTable, ReadableDatabase, StorageBackend, TableDefinition};

use self::errors::Failure;
use self::writer::Writer;
use crate::{Batch, Durability, Store, StoreError};

mod errors;
mod writer;

#[cfg(test)]
mod tests;

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

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
/// once rather than a surprise later.
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
    database: Arc<Database>,
    failure: Failure,
}

impl RedbStore {
    /// Opens the store in this file, or makes one if there is none. The directory has to exist.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Locked`]: the file is open elsewhere.
    /// - [`StoreError::Corrupt`]: the file is damaged, or not a store.
    /// - [`StoreError::Full`], [`StoreError::Io`]: errors of the operating system, and a file that
    ///   others may read or write.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let failure = Failure::new(&path.display().to_string());
        let file = open_file(path, &failure)?;
        let backend = FileBackend::new(file).map_err(|error| failure.open(error))?;
        Self::from_backend(backend, failure)
    }

    fn from_backend(backend: impl StorageBackend, failure: Failure) -> Result<Self, StoreError> {
        // redb reports damage that it expects, and panics on damage that it takes for impossible.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            Database::builder()
                .set_cache_size(CACHE_BYTES)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)
        }));
        let database = opened
            .map_err(|_| failure.corrupt("its data is inconsistent"))?
            .map_err(|error| failure.open(error))?;
        let database = Arc::new(database);
        let writer = Writer::spawn(Arc::clone(&database), failure.clone())?;
        let shared = Arc::new(Shared {
            writer,
            database,
            failure,
        });
        shared.create_table()?;
        Ok(Self { shared })
    }
}

impl Shared {
    /// A read transaction fails on a table that was never written.
    fn create_table(&self) -> Result<(), StoreError> {
        let transaction = self
            .database
            .begin_write()
            .map_err(|error| self.failure.transaction(error))?;
        transaction
            .open_table(RECORDS)
            .map_err(|error| self.failure.table(error))?;
        transaction
            .commit()
            .map_err(|error| self.failure.commit(error))
    }

    fn read(&self) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, StoreError> {
        self.database
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
        let table = self.shared.read()?;
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
        let table = self.shared.read()?;
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
        self.shared.writer.commit(batch, durability).await
    }
}

fn open_file(path: &Path, failure: &Failure) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| failure.io(&error))?;
    #[cfg(unix)]
    {
        refuse_shared_file(path, &file, failure)?;
        // A strict commit to a new file survives only if the file's name does.
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| failure.io(&error))?;
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
