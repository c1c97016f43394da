//! The file of a store in its directory: how it gets there, and whether it still is.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hustings_protocol::planted::{self, Fault};

use super::errors::Failure;
use crate::StoreError;
use crate::identity::random;

/// The name of an open file, and what makes it this file and no other of that name.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: FileId,
}

#[cfg(unix)]
type FileId = (u64, u64);

/// Elsewhere, nothing that the standard library knows.
#[cfg(not(unix))]
type FileId = ();

#[cfg(unix)]
fn id(metadata: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn id(_: &fs::Metadata) -> FileId {}

impl Place {
    /// The place of a file that was opened at this absolute path.
    pub(super) fn of(path: &Path, file: &File) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: id(&file.metadata()?),
        })
    }

    /// False if the path names no file any more, or another one. This asks the file system for a
    /// name, which costs next to nothing beside a sync.
    pub(super) fn is_the_same(&self) -> bool {
        match fs::metadata(&self.path) {
            _ if planted::is_on(Fault::BornAgain) => true,
            Ok(metadata) => id(&metadata) == self.file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            // To be kept from looking is no sign that it is gone.
            Err(_) => true,
        }
    }
}

/// Makes a file under another name, and gives it its own once `make` has completed it: an
/// interruption leaves a file that nobody takes for a store.
///
/// A file that somebody else has made meanwhile stays, and the new one is thrown away.
pub(super) fn create(
    path: &Path,
    failure: &Failure,
    make: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    let number = u64::from_be_bytes(random()?);
    name.push(format!(".new{number:016x}"));
    let new = path.with_file_name(name);
    let moved = make(&new).and_then(|()| {
        File::open(&new)
            .and_then(|file| file.sync_all())
            .and_then(|()| give_name(&new, path))
            .map_err(|error| failure.io(&error))
    });
    // It has another name by now, or is of no use.
    let _ = fs::remove_file(&new);
    moved
}

/// A second name, which a file that is there already keeps; the first one only where the file
/// system has no second ones.
fn give_name(new: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => fs::rename(new, path),
        Ok(()) => Ok(()),
    }
}

/// Makes the names in the directory of this file, whose path is absolute, durable.
#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}
